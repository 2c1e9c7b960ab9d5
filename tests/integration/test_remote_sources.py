"""Bills in three clouds' object stores, through whole nights: two clouds that fail never touch the third."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.common.contract import Severity
from pipelines import cli
from pipelines.config.load import load_config
from pipelines.night.run import Night, NightRequest
from pipelines.results import ExitCode
from tests.integration.mini_company import AZURE, LINE, NOW, Company, models, write_csv
from tests.servers.azurite import AzuriteServer
from tests.servers.backends import AzureBackend, Backend, GcsBackend, S3Backend
from tests.servers.gcs import GcsServer
from tests.servers.rest import Reply, Request, RestServer, Route, pass_on
from tests.servers.s3 import S3Server

GOOGLE = {
    "BillingAccountId": "acct-google",
    "ServiceName": "Compute Engine",
    "ProviderName": "Google Cloud",
    "InvoiceIssuerName": "Google Cloud",
    "BilledCost": "7",
}
SOUND = {"aws": Decimal(10), "azure": Decimal(100), "google": Decimal(7)}


def write_config(folder: Path, backends: dict[str, tuple[Backend, RestServer]]) -> None:
    lines = ["home: home", "identity: {pseudonymise: false}", "sources:"]
    for name, (backend, front) in backends.items():
        values = backend.build_values(front.url)
        options = "".join(
            f", {key}: {str(value).lower() if value is True else value}" for key, value in values.items()
        )
        lines.append(f"  - {{name: {name}, connector: focus_files{options.replace('location:', 'path:')}}}")
    lines.append("fx_rates: [{from_currency: EUR, to_currency: USD, rate_date: 2026-01-01, rate: '1.1'}]")
    folder.mkdir()
    (folder / "everycent.yml").write_text("\n".join(lines) + "\n")


def put_bill(backend: Backend, folder: Path, line: dict[str, str]) -> None:
    path = write_csv(folder / "bill.csv", [{**LINE, **line}], LINE)
    backend.put("2026-11/bill.csv", path.read_bytes())


@pytest.fixture
def backends(
    s3_server: S3Server,
    azurite_server: AzuriteServer,
    gcs_server: GcsServer,
    rest: Callable[[Route], RestServer],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> dict[str, tuple[Backend, RestServer]]:
    """Three clouds, each with a bill, behind servers that a test can turn off."""
    made: dict[str, Backend] = {
        "aws": S3Backend(s3_server),
        "azure": AzureBackend(azurite_server, monkeypatch),
        "google": GcsBackend(gcs_server),
    }
    for name, line in {"aws": {}, "azure": AZURE, "google": GOOGLE}.items():
        put_bill(made[name], tmp_path, line)
    return {name: (backend, rest(pass_on(backend.url))) for name, backend in made.items()}


def deny(request: Request) -> Reply:
    body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    return Reply(403, body, {"Content-Type": "application/xml", "x-ms-error-code": "AuthorizationFailure"})


def test_two_clouds_that_fail_never_touch_the_third(
    backends: dict[str, tuple[Backend, RestServer]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    company = Company(tmp_path / "company")
    write_config(company.folder, backends)
    config = str(company.folder / "everycent.yml")
    first = company.night()
    assert first.result.exit_code is ExitCode.OK
    assert first.billed() == SOUND
    assert cli.run(["sources", "check", "--config", config]) == 0
    for name in ("aws", "azure"):
        backends[name][1].route = deny
        put_bill(backends[name][0], tmp_path, {**(AZURE if name == "azure" else {}), "BilledCost": "999"})
    put_bill(backends["google"][0], tmp_path, {**GOOGLE, "BilledCost": "8"})
    second = company.night()
    assert second.result.exit_code is ExitCode.SOURCE_AT_FAULT
    assert second.billed() == {**SOUND, "google": Decimal(8)}
    faults = {
        finding.source: finding.message for finding in second.findings if finding.severity is Severity.FAULT
    }
    assert faults.keys() == {"aws", "azure"}
    assert "s3:ListBucket on arn:aws:s3:::company-exports" in faults["aws"]
    assert "Storage Blob Data Reader" in faults["azure"]
    assert cli.run(["sources", "check", "--config", config]) == 2
    shown = capsys.readouterr().out
    assert "s3:ListBucket" in shown
    for name in ("aws", "azure"):
        backends[name][1].route = pass_on(backends[name][0].url)
    third = company.night()
    assert third.result.exit_code is ExitCode.OK
    assert third.billed() == {"aws": Decimal(999), "azure": Decimal(999), "google": Decimal(8)}


def test_no_secret_is_in_a_message_or_in_the_home(
    backends: dict[str, tuple[Backend, RestServer]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    company = Company(tmp_path / "company")
    write_config(company.folder, backends)
    secrets = [
        value
        for backend, _ in backends.values()
        for key, value in backend.environment.items()
        if "KEY" in key
    ]
    assert len(secrets) == 3
    for _, front in backends.values():
        front.route = deny
    cli.run(["sources", "check", "--config", str(company.folder / "everycent.yml")])
    config = load_config(company.folder / "everycent.yml", environment={})
    with Night(NightRequest(config, config.home, NOW.date(), NOW), models()) as night:
        findings = [finding for source in config.sources for finding in night.land(source).findings]
    assert len(findings) == 3
    captured = capsys.readouterr()
    told = captured.out + captured.err + str(findings)
    assert "access denied" in told
    assert not [secret for secret in secrets if secret in told]
    kept = [path for path in (company.folder / "home").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept for secret in secrets if secret.encode() in path.read_bytes()]
