"""azure_cost_exports against the management service over TLS: the real client libraries sign in and ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from connectors.azure_cost_exports.client import check, land
from connectors.azure_cost_exports.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from tests.contract import azure_month
from tests.contract.azure_exports import Run, focus_line, write_lines, write_run
from tests.contract.test_azure_cost_exports import build_charges, check_month, kinds, rows, totals
from tests.servers.azure_cost_management import (
    CLIENT,
    SECRET,
    SUBSCRIPTION,
    TENANT,
    TOKEN,
    AzureCostManagement,
    build_budget,
    build_export,
    build_run,
    fail,
    run_azure_cost_management,
)
from tests.servers.azure_models import NotOfTheModel, check_model
from tests.servers.azurite import AzuriteServer
from tests.servers.rest import Reply, RestServer, answer_in_turn
from tests.servers.tls import LocalAuthority


@dataclass(frozen=True)
class Cloud:
    """The service, where to sign in, and the storage."""

    service: AzureCostManagement
    login: RestServer
    storage: AzuriteServer

    def settings(self, **changes: Any) -> Settings:
        given: dict[str, Any] = {
            "name": "azure",
            "scope": SUBSCRIPTION,
            "management_endpoint": self.service.server.url,
            "authority": self.login.url,
            "is_private_authority": True,
            "tenant_id_env": "BILL_TENANT",
            "client_id_env": "BILL_CLIENT",
            "client_secret_env": "BILL_SECRET",
            "connection_string_env": "BILL_STORAGE",
            "poll_seconds": 0,
        }
        return Settings.model_validate(given | changes)

    def put(self, *runs: Run) -> None:
        with self.storage.client() as client:
            for run in runs:
                write_run(client, run)

    def link(self, name: str, content: bytes) -> str:
        """Put a file of a report and return the link that Azure gives out for it."""
        with self.storage.client() as client:
            container = client.get_container_client("reports")
            if not container.exists():
                container.create_container()
            container.upload_blob(name, content, overwrite=True)
        token = generate_blob_sas(
            self.storage.account,
            "reports",
            name,
            account_key=self.storage.key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime(2040, 1, 1),
        )
        return f"{self.storage.account_url}/reports/{name}?{token}"


@pytest.fixture
def cloud(
    azurite_server: AzuriteServer, trusted_authority: LocalAuthority, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    variables = {"BILL_TENANT": TENANT, "BILL_CLIENT": CLIENT, "BILL_SECRET": SECRET}
    for name, value in {**variables, "BILL_STORAGE": azurite_server.connection_string}.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        service, login = stack.enter_context(run_azure_cost_management(trusted_authority))
        yield Cloud(service, login, azurite_server)


def paths(cloud: Cloud) -> list[str]:
    return [
        f"{request.method} {request.path.rsplit('Microsoft.CostManagement/')[-1]}"
        for request in cloud.service.server.log
    ]


def messages(report: SourceReport) -> str:
    return "\n".join(finding.message for finding in report.findings)


def test_the_exports_of_the_scope_say_where_the_bill_lies(cloud: Cloud, lake_context: LandingContext) -> None:
    cloud.service.state.exports = {
        "bill": build_export("bill"),
        "prices": build_export("prices", "PriceSheet"),
    }
    cloud.service.state.exports["prices"]["properties"]["definition"]["type"] = "PriceSheet"
    cloud.put(Run([focus_line(BilledCost="7")]))
    report = land(cloud.settings(), lake_context)
    assert kinds(report, Severity.FAULT) == set(), messages(report)
    assert totals(report) == {"USD": Decimal(7)}
    assert [r.headers["Authorization"] for r in cloud.service.server.log] == [f"Bearer {TOKEN}"]
    assert cloud.login.log[-1].form()["scope"] == f"{cloud.service.server.url}/.default"


def test_an_export_is_run_before_it_is_read(cloud: Cloud, lake_context: LandingContext) -> None:
    state = cloud.service.state
    state.exports = {"bill": build_export("bill")}
    state.runs = {"bill": [build_run("yesterday", "Completed", "2026-11-19T02:00:00Z")]}
    state.runs_to_come = {"bill": ["Queued", "InProgress", "Completed"]}
    cloud.put(Run([focus_line(BilledCost="7")]))
    report = land(cloud.settings(trigger=True, exports=["bill"]), lake_context)
    assert state.executed == ["bill"]
    assert kinds(report) == set()
    assert totals(report) == {"USD": Decimal(7)}
    looks = [path for path in paths(cloud) if path.endswith("runHistory")]
    assert len(looks) == 4, "before, and until it ended"


@pytest.mark.parametrize(
    ("states", "kind", "severity", "words"),
    [
        (["NewDataNotAvailable"], "export_without_data", Severity.INFO, "NewDataNotAvailable"),
        (["DataNotAvailable"], "export_without_data", Severity.INFO, "DataNotAvailable"),
        (["InProgress", "Failed"], "export_not_run", Severity.FAULT, "Failed (StorageAccountNotFound)"),
        (["Timeout"], "export_not_run", Severity.FAULT, "Timeout"),
    ],
)
def test_what_a_run_ended_as_is_told_and_the_bill_is_read_all_the_same(
    cloud: Cloud, lake_context: LandingContext, states: list[str], kind: str, severity: Severity, words: str
) -> None:
    cloud.service.state.exports = {"bill": build_export("bill")}
    cloud.service.state.runs_to_come = {"bill": states}
    cloud.put(Run([focus_line(BilledCost="7")]))
    report = land(cloud.settings(trigger=True, exports=["bill"]), lake_context)
    assert kinds(report, severity) == {kind}
    assert words in messages(report)
    assert totals(report) == {"USD": Decimal(7)}


def test_an_export_that_does_not_end_is_waited_for_no_longer_than_said(
    cloud: Cloud, lake_context: LandingContext
) -> None:
    cloud.service.state.exports = {"bill": build_export("bill")}
    cloud.service.state.runs_to_come = {"bill": ["InProgress"]}
    cloud.put(Run([focus_line(BilledCost="7")]))
    asked = cloud.settings(trigger=True, exports=["bill"], wait_seconds=1, poll_seconds=0.3)
    report = land(asked, lake_context)
    assert kinds(report, Severity.FAULT) == {"export_not_run"}
    assert "did not end within 1 seconds" in messages(report)


def test_reports_land_like_files_of_exports(cloud: Cloud, lake_context: LandingContext) -> None:
    today = lake_context.now.date()
    state = cloud.service.state
    state.polls_before_ready = 2
    for metric, view in (("ActualCost", "actual"), ("AmortizedCost", "amortized")):
        lines = azure_month.ea_lines(view)
        parts = [write_lines(part, tuple(azure_month.EA_LINE), "csv") for part in (lines[:5], lines[5:])]
        state.reports[metric, "2026-10-01"] = [
            cloud.link(f"{metric}-{n}.csv", part) for n, part in enumerate(parts)
        ]
        state.reports[metric, "2026-11-01"] = None
    report = land(cloud.settings(path="cost_details"), lake_context)
    assert kinds(report, Severity.FAULT) == set()
    check_month(report, azure_month.ea_lines, "1", "offer_id")
    asked = {(body.metric.value, body.time_period.start, body.time_period.end) for body in state.asked}
    assert asked == {
        (metric, *period)
        for metric in ("ActualCost", "AmortizedCost")
        for period in (("2026-10-01", "2026-10-31"), ("2026-11-01", today.isoformat()))
    }
    again = land(
        cloud.settings(path="cost_details"), replace(lake_context, now=lake_context.now + timedelta(days=1))
    )
    assert [d for d in again.deliveries if d.is_current] == [d for d in report.deliveries if d.is_current]


def test_a_report_that_cannot_be_had_leaves_the_last_bill(cloud: Cloud, lake_context: LandingContext) -> None:
    lines = write_lines(azure_month.ea_lines("actual"), tuple(azure_month.EA_LINE), "csv")
    state = cloud.service.state
    state.reports = {("ActualCost", "2026-11-01"): [cloud.link("a.csv", lines)]}
    asked = cloud.settings(path="cost_details", months=1)
    before = land(asked, lake_context)
    assert totals(before, "azure_cost_lines") != {}
    secret = cloud.link("gone.csv", b"x").replace("gone.csv", "never.csv")
    state.reports = {("ActualCost", "2026-11-01"): [secret]}
    report = land(asked, lake_context)
    assert kinds(report, Severity.FAULT) == {"unreachable_report"}
    assert "sig=" not in messages(report), "a link is a secret"
    assert totals(report, "azure_cost_lines") == totals(before, "azure_cost_lines")


def query_page(*rows: list[Any]) -> dict[str, Any]:
    names = [
        ("Cost", "Number"),
        ("UsageDate", "Number"),
        ("MeterCategory", "String"),
        ("Meter", "String"),
        ("Currency", "String"),
    ]
    return {"columns": [{"name": n, "type": t} for n, t in names], "rows": list(rows)}


def test_a_query_gives_a_coarse_bill_page_by_page_and_says_so(
    cloud: Cloud, lake_context: LandingContext
) -> None:
    cloud.service.state.query_pages = [
        query_page([0.1, 20261101, "Bandwidth", "Standard Data Transfer Out", "USD"]),
        query_page(
            [0.2, 20261102, "Foundry Models", "gpt 4.1 Inp glbl Tokens", "USD"],
            [0, 20261103, "Storage", "", "USD"],
        ),
        query_page([-1234.123456789012, 20261104, "Storage", "Hot", "USD"]),
    ]
    report = land(cloud.settings(path="query", months=1), lake_context)
    assert kinds(report) == {"coarse_bill"}
    charges = build_charges(report)
    exact = Decimal("0.1") + Decimal("0.2") - Decimal("1234.123456789012")
    assert (
        sum(row["billed_cost"] for row in charges)
        == exact
        == sum(totals(report, "azure_cost_lines").values())
    )
    by_meter = {row["sku_meter"]: row for row in charges}
    assert by_meter["Standard Data Transfer Out"]["charge_description"] == (
        "Daily total of the query API: Bandwidth - Standard Data Transfer Out"
    )
    assert by_meter["gpt 4.1 Inp glbl Tokens"]["service_name"] == "Azure AI Services"
    assert by_meter["Hot"]["charge_period_start"] == datetime(2026, 11, 4)
    assert {row["billing_account_id"] for row in charges} == {SUBSCRIPTION.strip("/")}
    bodies = cloud.service.state.asked
    assert len(bodies) == 3
    assert all(body == bodies[0] for body in bodies), "further pages are the same question"


def test_a_month_without_cost_answers_with_nothing(cloud: Cloud, lake_context: LandingContext) -> None:
    report = land(cloud.settings(path="query", months=1), lake_context)
    assert kinds(report, Severity.FAULT) == set()
    assert rows(report, "azure_cost_lines") == []


def test_budgets_become_rows_of_their_periods(cloud: Cloud, lake_context: LandingContext) -> None:
    tag = {"name": "feature", "operator": "In", "values": ["search"]}
    service_filter = {"dimensions": {"name": "ServiceName", "operator": "In", "values": ["Storage"]}}
    utilization = {"category": "ReservationUtilization", "timeGrain": "Last7Days"}
    cloud.service.state.budget_pages = [
        [build_budget("all", amount=1000.1), build_budget("quarter", timeGrain="Quarterly")],
        [
            build_budget("search", filter={"tags": tag}, timeGrain="Annually"),
            build_budget("storage", filter=service_filter),
            build_budget("utilization", **utilization),
        ],
    ]
    report = land(cloud.settings(path="query", months=1, budgets=True), lake_context)
    assert {"budget_filter", "budget_not_of_cost"} <= kinds(report)
    found = [
        (
            row["budget_id"].rsplit("/", 1)[-1],
            row["period_start"],
            row["period_end"],
            row["amount"],
            row["feature"],
        )
        for row in rows(report, "budgets")
    ]
    october, november, december, january = (
        date(2026, 10, 1),
        date(2026, 11, 1),
        date(2026, 12, 1),
        date(2027, 1, 1),
    )
    assert sorted(found, key=str) == [
        ("all", october, november, Decimal("1000.1"), None),
        ("all", november, december, Decimal("1000.1"), None),
        ("all", december, january, Decimal("1000.1"), None),
        ("quarter", october, january, Decimal(1000), None),
        ("search", october, date(2027, 10, 1), Decimal(1000), "search"),
    ]
    assert {(row["currency"], row["measure"]) for row in rows(report, "budgets")} == {("USD", "billed_cost")}
    again = land(cloud.settings(path="query", months=1, budgets=True), lake_context)
    assert [d.delivered_at for d in again.deliveries] == [d.delivered_at for d in report.deliveries]
    cloud.service.state.budget_pages = []
    later = replace(lake_context, now=lake_context.now + timedelta(days=1))
    assert rows(land(cloud.settings(path="query", months=1, budgets=True), later), "budgets") == []


def test_throttling_is_waited_for(cloud: Cloud, lake_context: LandingContext) -> None:
    """Cost Management names its wait in headers of its own, the Resource Manager in Retry-After."""
    server = cloud.service.server
    cloud.service.state.query_pages = [query_page([1, 20261101, "Storage", "Hot", "USD"])]
    refusals = [
        fail(429, "TooManyRequests", {"x-ms-ratelimit-microsoft.costmanagement-entity-retry-after": "1"}),
        fail(429, "TooManyRequests", {"Retry-After": "0"}),
        fail(503, "ServiceUnavailable"),
    ]
    server.route = answer_in_turn(refusals, cloud.service.route)
    report = land(cloud.settings(path="query", months=1), lake_context)
    assert kinds(report, Severity.FAULT) == set()
    assert totals(report, "azure_cost_lines") == {"USD": Decimal(1)}
    assert len(server.log) == 4


@pytest.mark.parametrize(
    ("roles", "reply", "words"),
    [
        (set(), None, "grant the role 'Cost Management Reader' on this scope"),
        ({"read"}, fail(401, "AuthenticationFailed"), "signing in failed"),
        (
            {"read"},
            fail(404, "SubscriptionNotFound"),
            "404 SubscriptionNotFound; the scope or the name is wrong",
        ),
        ({"read"}, fail(400, "BadRequest"), "400 BadRequest; check `scope` and `path`"),
    ],
    ids=["403", "401", "404", "400"],
)
def test_a_refusal_says_what_is_missing_and_holds_no_words_of_the_service(
    cloud: Cloud, lake_context: LandingContext, roles: set[str], reply: Reply | None, words: str
) -> None:
    cloud.service.state.roles = roles
    if reply is not None:
        cloud.service.server.route = lambda request: reply
    report = land(cloud.settings(), lake_context)
    assert kinds(report, Severity.FAULT) == {"unreachable_bill"}
    assert words in messages(report)
    assert "which may hold names" not in messages(report)


def test_running_an_export_needs_a_further_role(cloud: Cloud, lake_context: LandingContext) -> None:
    cloud.service.state.roles = {"read"}
    cloud.service.state.exports = {"bill": build_export("bill")}
    cloud.put(Run([focus_line()]))
    report = land(cloud.settings(trigger=True, exports=["bill"]), lake_context)
    assert kinds(report, Severity.FAULT) == {"export_not_run"}
    assert "'Cost Management Contributor'" in messages(report)
    assert totals(report) == {"USD": Decimal("1.25")}


def test_a_wrong_secret_is_told_and_never_shown(
    cloud: Cloud, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BILL_SECRET", "hush-hush")
    report = land(cloud.settings(), lake_context)
    assert "signing in failed" in messages(report)
    assert "hush-hush" not in str(report)
    monkeypatch.setenv("BILL_SECRET", "")
    assert "BILL_SECRET is empty" in messages(land(cloud.settings(), lake_context))


def test_the_chain_signs_in_by_the_environment(
    cloud: Cloud, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", CLIENT),
        ("AZURE_CLIENT_SECRET", SECRET),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", cloud.login.url)
    cloud.service.state.query_pages = [query_page([1, 20261101, "Storage", "Hot", "USD"])]
    by_chain = cloud.settings(
        path="query", months=1, tenant_id_env=None, client_id_env=None, client_secret_env=None, authority=None
    )
    assert totals(land(by_chain, lake_context), "azure_cost_lines") == {"USD": Decimal(1)}


def test_an_unknown_export_is_named_with_those_there_are(cloud: Cloud, lake_context: LandingContext) -> None:
    cloud.service.state.exports = {"bill": build_export("bill")}
    report = land(cloud.settings(exports=["bil"]), lake_context)
    assert "has no export 'bil'; it has: bill" in messages(report)


def steps(settings: Settings) -> dict[str, CheckStep]:
    return {step.name: step for step in check(settings)}


def test_check_goes_through_everything(cloud: Cloud) -> None:
    state = cloud.service.state
    state.exports = {"bill": build_export("bill")}
    state.runs = {"bill": [build_run("r", "Completed", "2026-11-19T02:00:00Z")]}
    state.budget_pages = [[build_budget("all")]]
    cloud.put(Run([focus_line()]))
    found = steps(cloud.settings(budgets=True))
    assert [step.is_ok for step in found.values()] == [True] * 6, found
    assert "FocusCost 1.0, MonthToDate, Csv" in found["export bill"].message
    assert "az://devstoreaccount1/exports/bills" in found["export bill"].message
    assert "Completed" in found["last run of bill"].message


def test_check_says_what_is_wrong(cloud: Cloud) -> None:
    state = cloud.service.state
    state.exports = {
        "actual": build_export("actual", "ActualCost", partitionData=False),
        "old": build_export("old", "Usage"),
    }
    error = {"error": {"code": "StorageAccountNotFound"}}
    state.runs = {"actual": [build_run("r", "Failed", "2026-11-19T02:00:00Z", **error)]}
    found = steps(cloud.settings())
    assert "an export of AmortizedCost is missing" in found["exports"].message
    assert "turn on file partitioning" in found["export actual"].message
    assert "Failed (StorageAccountNotFound)" in found["last run of actual"].message
    assert "it never ran" in found["last run of old"].message
    assert all(
        step.is_ok is False for name, step in found.items() if name.startswith(("exports", "last", "storage"))
    )


@pytest.mark.parametrize("path", ["query", "cost_details"])
def test_check_asks_for_totals_where_there_are_no_exports(cloud: Cloud, path: str) -> None:
    cloud.service.state.query_pages = [query_page([1, 20261101, "Storage", "Hot", "USD"])]
    found = steps(cloud.settings(path=path))
    assert {name: step.is_ok for name, step in found.items()} == {"sign in": True, "query": True}
    assert found["query"].message.startswith("1 daily totals")
    cloud.service.state.roles = set()
    assert "'Cost Management Reader'" in steps(cloud.settings(path=path))["query"].message


def test_check_stops_where_nothing_can_follow(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILL_SECRET", "wrong")
    found = steps(cloud.settings())
    assert (found["sign in"].is_ok, found["exports"].is_ok) == (False, None)
    monkeypatch.setenv("BILL_SECRET", SECRET)
    cloud.service.state.roles = set()
    assert "'Cost Management Reader'" in steps(cloud.settings())["exports"].message


def test_the_fake_refuses_what_the_models_have_not() -> None:
    from azure.mgmt.costmanagement import models

    good = {"type": "ActualCost", "timeframe": "MonthToDate", "dataset": {"granularity": "Daily"}}
    assert check_model(models.QueryDefinition, good).dataset.granularity == "Daily"
    for change in ({"timeframe": "Yesterday"}, {"datasets": {}}, {"dataset": {"granularity": 3}}):
        with pytest.raises(NotOfTheModel):
            check_model(models.QueryDefinition, good | change)
    with pytest.raises(NotOfTheModel, match="lacks type"):
        check_model(models.QueryDefinition, {"timeframe": "MonthToDate", "dataset": {}})
