"""Deliveries that nobody meant well: each is refused or taken in words, in bounded memory, and none ends a night."""

from __future__ import annotations

import gzip
import json
import resource
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from requests.exceptions import RequestException

from connectors.aws_data_exports.manifests import ManifestFault, find_manifests
from connectors.aws_data_exports.manifests import read_manifest as read_aws_manifest
from connectors.azure_cost_exports.management import ThrottleHeaders
from connectors.azure_cost_exports.manifests import read_manifest
from connectors.azure_cost_exports.settings import Settings as AzureSettings
from connectors.common import registry
from connectors.common.contract import ConnectorError, LandingContext, Severity, SourceReport, TransientError
from connectors.common.delivery_records import write_json
from connectors.common.parsing import parse_instant
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores import transfer
from connectors.common.stores.contract import StoredObject
from connectors.common.stores.open import open_store
from connectors.focus_files import client
from connectors.focus_files.settings import Settings
from connectors.gcp_billing import google_clients
from connectors.gcp_billing.google_clients import GoogleClients
from connectors.gcp_billing.settings import Settings as GoogleSettings
from connectors.google_asset_files.settings import Settings as AssetSettings
from tests.contract.azure_exports import CONTAINER, Run, write_run
from tests.contract.focus_bills import line, write_bill
from tests.servers.azurite import AzuriteServer
from tests.servers.backends import Backend
from tests.servers.google_bigquery import BigQueryServer
from tests.servers.rest import Reply, Request, RestServer, Route

CANARY = "canary-of-the-content"


@pytest.fixture
def land_bill(tmp_path: Path, lake_context: LandingContext) -> Callable[[str, bytes], SourceReport]:
    """Land one file of these bytes as a FOCUS bill."""

    def land(name: str, content: bytes) -> SourceReport:
        folder = tmp_path / "delivered"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        settings = Settings(name="bill", connector="focus_files", path=str(folder))
        return registry.land(settings, replace(lake_context, tag_keys={"feature": ("feature",)}))

    return land


LandBill = Callable[[str, bytes], SourceReport]


def test_half_a_character_in_a_tag_is_replaced(land_bill: LandBill, tmp_path: Path) -> None:
    tagged = write_bill(tmp_path / "own.csv", [line(Tags='{"feature": "a\\ud800b"}')])
    report = land_bill("bill.csv", tagged.read_bytes())
    assert not report.has_fault
    assert [delivery.rows for delivery in report.deliveries] == [1]


@pytest.mark.parametrize("half", [b"\\ud800", b"\xed\xa0\x80"])
def test_half_a_character_in_a_json_line_is_replaced(land_bill: LandBill, half: bytes) -> None:
    content = json.dumps(line(SkuId="HALF")).encode().replace(b"HALF", b"a" + half)
    report = land_bill("bill.jsonl", content)
    assert not report.has_fault
    assert [delivery.rows for delivery in report.deliveries] == [1]


def test_a_header_without_end_is_refused_before_it_is_in_memory(land_bill: LandBill) -> None:
    report = land_bill("bill.csv.gz", gzip.compress(b"," * (64 << 20), 1))
    (finding,) = report.findings
    assert finding.kind == "malformed_row" and "header line is longer than" in finding.message


def test_a_json_line_without_end_is_refused_before_it_is_in_memory(land_bill: LandBill) -> None:
    report = land_bill("bill.jsonl.gz", gzip.compress(b'{"a": "' + b"a" * (64 << 20), 1))
    (finding,) = report.findings
    assert finding.kind == "malformed_row" and "line 1 is longer than" in finding.message


def test_lines_that_each_bring_columns_of_their_own_are_refused(land_bill: LandBill) -> None:
    lines = [json.dumps({f"column{number}_{i}": "1" for i in range(100)}) for number in range(300)]
    report = land_bill("bill.jsonl", "\n".join(lines).encode())
    (finding,) = report.findings
    assert finding.kind == "too_many_columns"


def test_a_header_of_very_many_columns_is_refused(land_bill: LandBill) -> None:
    report = land_bill("bill.csv", ",".join(f"c{number}" for number in range(100_000)).encode() + b"\n")
    (finding,) = report.findings
    assert finding.kind == "too_many_columns"


@pytest.mark.parametrize("run", ["2026-99-99T99:99:99Z-run", "2026-02-30T00:00:00.000Z-run"])
def test_a_run_folder_of_no_time_is_as_old_as_its_manifest(run: str) -> None:
    key = f"cur/metadata/BILLING_PERIOD=2026-10/{run}/cur-Manifest.json"
    written_at = datetime(2026, 11, 3)
    (manifest,) = find_manifests([StoredObject(key, 2, written_at, "1")], "cur/metadata/")
    assert manifest.delivered_at == written_at and not manifest.is_newest


MANIFEST: dict[str, Any] = {
    "blobCount": 1,
    "dataRowCount": 1,
    "exportConfig": {"exportName": "bill", "resourceId": "/subscriptions/1", "type": "FocusCost"},
    "deliveryConfig": {"rootFolderPath": "bills"},
    "runInfo": {"submittedTime": "2026-11-03T02:11:45Z", "startDate": "2026-10-01T00:00:00", "runId": "1"},
    "blobs": [{"blobName": "part.csv", "byteCount": 5, "dataRowCount": 1}],
}


@pytest.mark.parametrize(
    "changes",
    [
        {"dataRowCount": [1]},
        {"dataRowCount": "many"},
        {"dataRowCount": 1.5},
        {"deliveryConfig": ["bills"]},
        {"blobs": [{"blobName": "part.csv", "byteCount": "abc"}]},
        {"blobs": [{"blobName": None}]},
        {"runInfo": {**MANIFEST["runInfo"], "submittedTime": "0001-01-01T00:00:00+14:00"}},
    ],
)
def test_an_azure_manifest_of_wrong_types_is_refused_in_words(changes: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError, match="is no manifest of an export run"):
        read_manifest("run/manifest.json", json.dumps(MANIFEST | changes).encode())


def test_an_azure_manifest_may_state_counts_as_text_and_no_delivery() -> None:
    changes = {"blobCount": "1", "dataRowCount": "1", "deliveryConfig": None}
    run = read_manifest("run/manifest.json", json.dumps(MANIFEST | changes).encode())
    assert (run.row_count, run.root_folder) == (1, "")


def test_a_time_before_all_times_is_no_time() -> None:
    with pytest.raises(ValueError, match="years"):
        parse_instant("0001-01-01T00:00:00+14:00")


def test_what_no_connector_expects_is_a_fault_of_its_source_without_content(
    land_bill: LandBill, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> SourceReport:
        raise KeyError(CANARY)

    monkeypatch.setattr(client, "land", fail)
    with pytest.raises(ConnectorError, match="KeyError") as caught:
        land_bill("bill.csv", b"")
    assert CANARY not in str(caught.value)


def test_half_a_character_in_a_manifest_can_be_told() -> None:
    content = b'{"dataFiles": ["elsewhere/\\ud800"]}'
    with pytest.raises(ManifestFault) as caught:
        read_aws_manifest(content, "manifest", "cur", "cur/")
    assert str(caught.value).encode()


def test_a_finding_can_be_kept_whatever_a_name_holds(lake_context: LandingContext) -> None:
    landing = SourceLanding(
        Settings(name="bill", connector="focus_files", path="/bills"), lake_context, typing={}
    )
    finding = landing.add("charges", "kind", "key \udcff" + "x" * 100_000, Severity.WARN)
    assert len(finding.message.encode()) < 3000


@pytest.mark.parametrize("status", [400, 403])
def test_what_a_store_answers_is_never_repeated(
    remote_store: Backend, rest: Callable[[Route], RestServer], status: int
) -> None:
    def echo(request: Request) -> Reply:
        body = f"<Error><Code>{CANARY}=1</Code><Message>{CANARY}</Message></Error>"
        return Reply(status, body, {"Content-Type": "application/xml", "x-ms-error-code": f"{CANARY}=1"})

    store = open_store(remote_store.settings(rest(echo).url))
    with pytest.raises(ConnectorError) as caught:
        list(store.list_objects())
    assert CANARY not in str(caught.value)


def test_a_table_service_that_never_answers_is_not_waited_for(
    google_server: BigQueryServer,
    rest_tls: Callable[[Route], RestServer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = Event()

    def hang(request: Request) -> Reply:
        released.wait(30)
        return Reply(503)

    monkeypatch.setattr(google_clients, "TIMEOUT", (1.0, 0.3))
    endpoints = {"bigquery": rest_tls(hang).url, "bigquery_storage": google_server.storage_address}
    settings = GoogleSettings(name="gcp", connector="gcp_billing", table="p.d.t", endpoints=endpoints)  # type: ignore[arg-type]
    began = monotonic()
    with pytest.raises(RequestException):
        GoogleClients(settings).bigquery.get_table("p.d.t", retry=None)
    released.set()
    assert monotonic() - began < 20


def test_a_store_that_stays_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_LONGEST_SILENCE_SECONDS", 0.0)
    asked = []

    def open_from(offset: int) -> Iterator[bytes]:
        asked.append(offset)
        raise transfer.BrokenTransfer("ReadTimeoutError")
        yield b""

    with pytest.raises(TransientError, match="try again later"):
        list(transfer.read_on(StoredObject("key", 5, datetime(2026, 11, 3), "1"), "store/key", open_from))
    assert asked == [0]


@pytest.mark.parametrize(
    ("name", "stated", "wait"),
    [
        ("Retry-After", "86400", "300"),
        ("Retry-After", "5", "5"),
        ("x-ms-retry-after-ms", "86400000", "300000"),
    ],
)
def test_azure_is_not_waited_for_a_day(name: str, stated: str, wait: str) -> None:
    answer = SimpleNamespace(status_code=503, headers={name: stated})
    ThrottleHeaders().on_response(SimpleNamespace(), SimpleNamespace(http_response=answer))  # type: ignore[arg-type]
    assert answer.headers[name] == wait


def test_a_run_of_the_future_supersedes_nothing(
    azurite_server: AzuriteServer, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTS_ACCOUNT_KEY", azurite_server.key)
    client = azurite_server.client()
    write_run(client, Run([line(BilledCost="1")]))
    write_run(
        client, Run([line(BilledCost="999")], submitted="9999-12-31T00:00:00Z", run_id="2", overwrite=False)
    )
    settings = AzureSettings(  # type: ignore[call-arg]
        name="azure",
        connector="azure_cost_exports",
        location=f"az://{azurite_server.account}/{CONTAINER}",
        endpoint=f"{azurite_server.url}/{azurite_server.account}",
        account_key_env="EXPORTS_ACCOUNT_KEY",
    )
    report = registry.land(settings, lake_context)
    assert {finding.kind for finding in report.findings if finding.severity is Severity.FAULT} == {
        "delivered_in_future"
    }
    assert [dict(delivery.billed_totals) for delivery in report.deliveries] == [{"USD": Decimal(1)}]


def test_what_a_full_disk_refused_gives_its_room_back(tmp_path: Path, lake_context: LandingContext) -> None:
    bill = write_bill(tmp_path / "bill.csv", (line(SkuId=f"sku-{number}") for number in range(2000)))
    landing = SourceLanding(
        Settings(name="bill", connector="focus_files", path="/bills"), lake_context, typing={}
    )
    file = SourceFile(bill, "bill.csv", bill.stat().st_size, 0, "0" * 64)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            landing.keep_artifact(file)
        with pytest.raises(OSError, match="too large"):
            write_json(tmp_path / "index" / "seen.json", {"key": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((landing.raw / "artifacts").iterdir()) == []
    assert list((tmp_path / "index").iterdir()) == []


def test_what_a_killed_run_had_half_written_is_removed_by_the_next(lake_context: LandingContext) -> None:
    lake = lake_context.lake
    folders = [
        lake / "raw" / "bill" / "artifacts",
        lake / "raw" / "bill",
        lake / "charges" / "bill" / "2026-10",
    ]
    others = [lake / "raw" / "other" / "artifacts", lake / "charges" / "other" / "2026-10"]
    for folder in folders + others:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "_tmp-1").write_text("half")
        (folder / "whole").write_text("whole")
    settings = Settings(name="bill", connector="focus_files", path="/bills")
    SourceLanding(settings, replace(lake_context, as_of=lake_context.now), typing={})
    assert all((folder / "_tmp-1").exists() for folder in folders + others)
    SourceLanding(settings, lake_context, typing={})
    assert not any((folder / "_tmp-1").exists() for folder in folders)
    assert all((folder / "_tmp-1").exists() for folder in others)
    assert all((folder / "whole").exists() for folder in folders + others)


@pytest.mark.parametrize("data", [{"creationTimestamp": CANARY}, {"labels": {"feature": "\ud800"}}])
def test_an_inventory_file_of_nonsense_is_refused_alone(
    tmp_path: Path, lake_context: LandingContext, data: dict[str, Any]
) -> None:
    kind, sound = "compute.googleapis.com/Disk", {"creationTimestamp": "2026-10-01T00:00:00Z"}
    for name, content in (("bad", data), ("good", sound)):
        asset = {"name": f"//compute/{name}", "assetType": kind, "resource": {"data": content}}
        (tmp_path / f"{name}.json").write_text(json.dumps(asset))
    settings = AssetSettings(name="assets", connector="google_asset_files", path=tmp_path)
    report = registry.land(settings, replace(lake_context, tag_keys={"feature": ("feature",)}))
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert fault.kind == "unreadable_file" and fault.file == "bad.json" and CANARY not in fault.message
    assert sum(delivery.rows for delivery in report.deliveries) == 1
