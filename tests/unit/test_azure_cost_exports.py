"""Rules of azure_cost_exports that need no server: units, dates, manifests, settings, and which view counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from azure.mgmt.costmanagement.models import Export
from pydantic import ValidationError

from connectors.azure_cost_exports import schema
from connectors.azure_cost_exports.cost_columns import parse_azure_date, read_resource_type
from connectors.azure_cost_exports.details import read_details
from connectors.azure_cost_exports.export_files import read_destination
from connectors.azure_cost_exports.manifests import ExportRun, choose_runs, read_manifest
from connectors.azure_cost_exports.reports import last_day, list_months
from connectors.azure_cost_exports.settings import Settings
from connectors.azure_cost_exports.units import parse_unit
from connectors.azure_cost_exports.views import keep_counting_views
from connectors.common.contract import Delivery, TerminalError


@pytest.mark.parametrize(
    ("text", "block", "name"),
    [
        ("1 Hour", "1", "Hours"),
        ("10 Hours", "10", "Hours"),
        ("100 Hours", "100", "Hours"),
        ("1K", "1000", "Units"),
        ("10K", "10000", "Units"),
        ("1M", "1000000", "Units"),
        ("10 GB", "10", "GB"),
        ("1 MB", "1", "MB"),
        ("1 Month", "1", "Months"),
        ("1/Month", "1", "Units/Month"),
        ("1 GB/Month", "1", "GB/Month"),
        ("1M/Month", "1000000", "Units/Month"),
        ("100,000", "100000", "Units"),
        ("1K tokens", "1000", "Tokens"),
        ("Hours", "1", "Hours"),
    ],
)
def test_a_unit_of_measure_is_a_block_of_units(text: str, block: str, name: str) -> None:
    unit = parse_unit(text)
    assert unit.name == name
    assert unit.per_block is not None
    assert unit.per_block * Decimal(block) == 1


def test_a_block_that_has_no_exact_share_is_rounded_half_up() -> None:
    assert parse_unit("3 Months").per_block == Decimal("0.333333333333")
    assert parse_unit("0 GB").per_block is None
    assert parse_unit(None).name is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10/05/2026", datetime(2026, 10, 5)),
        ("10/05/2026 00:00:00", datetime(2026, 10, 5)),
        ("2026-10-05", datetime(2026, 10, 5)),
        ("2026-10-05T00:00:00Z", datetime(2026, 10, 5)),
        ("20261005", datetime(2026, 10, 5)),
    ],
)
def test_azures_spellings_of_a_day(text: str, expected: datetime) -> None:
    assert parse_azure_date(text) == expected


@pytest.mark.parametrize("text", ["31/12/2026", "yesterday", "2026/13/01"])
def test_a_day_that_is_none_is_refused(text: str) -> None:
    """Day before month is never guessed: 05/10 would pass for October."""
    with pytest.raises(ValueError, match=r"."):
        parse_azure_date(text)


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        (
            "/subscriptions/s/resourcegroups/g/providers/microsoft.compute/virtualmachines/v",
            "microsoft.compute/virtualmachines",
        ),
        (
            "/subscriptions/s/resourcegroups/g/providers/microsoft.sql/servers/a/databases/b",
            "microsoft.sql/servers/databases",
        ),
        ("/subscriptions/s", None),
    ],
)
def test_a_resource_id_tells_its_type(resource: str, kind: str | None) -> None:
    assert read_resource_type(resource) == kind


def test_details_keep_known_keys_only() -> None:
    text = '{"VMName": "secret", "ServiceType": "Standard_NC6", "VCPUs": "6", "ImageType": "Canonical", "x": [1]}'
    assert read_details(text) == {
        "InstanceType": "Standard_NC6",
        "CoreCount": 6,
        "OperatingSystem": "Canonical",
    }
    assert read_details('"VCores": 4') == {"CoreCount": 4}
    assert read_details("no json") is None
    assert read_details('{"VCPUs": true}') is None


def test_the_spellings_of_ea_and_mca_meet() -> None:
    for spelling in ("costInBillingCurrency", "CostInBillingCurrency", "PreTaxCost", "cost", "Cost"):
        assert schema.RENAMES.get(spelling, spelling) == "CostInBillingCurrency"
    assert {schema.RENAMES[name] for name in ("BillingCurrencyCode", "billingCurrency", "currency")} == {
        "BillingCurrency"
    }
    assert not schema.RENAMES.keys() & {*schema.COLUMNS, *schema.DERIVED_FROM, *schema.KNOWN_NOT_KEPT}


def manifest(**changes: Any) -> bytes:
    content = {
        "exportConfig": {
            "exportName": "bill",
            "resourceId": "/subscriptions/S/providers/Microsoft.CostManagement/exports/Bill",
            "type": "FocusCost",
        },
        "runInfo": {
            "submittedTime": "2026-11-03T02:11:45.1681265Z",
            "runId": "r",
            "startDate": "2026-10-01T00:00:00",
        },
        "blobs": [{"blobName": "bills/part_0.csv", "byteCount": 5}],
    }
    return json.dumps(content | changes).encode()


def test_a_manifest_says_scope_month_kind_and_time() -> None:
    run = read_manifest("x/manifest.json", manifest())
    assert (run.scope, run.month, run.kind) == ("/subscriptions/s", "2026-10", "focus")
    assert run.submitted_at == datetime(2026, 11, 3, 2, 11, 45, 168126)
    assert run.delivery_key == "/subscriptions/s|focus|2026-10"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", manifest(blobs=[{}]), manifest(blobCount=2)])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(TerminalError, match=r"x/manifest\.json"):
        read_manifest("x/manifest.json", content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"{}",
            "it states no exportConfig.resourceId, exportConfig.type, runInfo.submittedTime, runInfo.startDate, blobs;",
        ),
        (manifest(blobs=[{}]), "it states no blobs[].blobName;"),
        (manifest(runInfo={"submittedTime": "2026-11-03T02:11:45Z"}), "it states no runInfo.startDate;"),
        (manifest(runInfo={"submittedTime": "s3cret", "startDate": "now"}), "runInfo.startDate is no time;"),
        (b"[]", "it is no JSON object;"),
        (b"{", "it is no JSON (line 1);"),
        (manifest(dataRowCount="many"), "it has a dataRowCount that is no whole number;"),
    ],
)
def test_what_a_manifest_lacks_is_named(content: bytes, words: str) -> None:
    with pytest.raises(TerminalError) as caught:
        read_manifest("x/manifest.json", content)
    message = str(caught.value)
    assert words in message
    assert "Error" not in message and "s3cret" not in message


def test_a_price_sheet_is_no_bill() -> None:
    config = {"exportName": "p", "resourceId": "/subscriptions/s", "type": "PriceSheet"}
    assert read_manifest("m", manifest(exportConfig=config)).kind is None


@pytest.mark.parametrize(
    ("endpoint", "location"),
    [
        (None, "az://bills/exports/daily"),
        ("https://management.usgovcloudapi.net/", "https://bills.blob.core.usgovcloudapi.net/exports/daily"),
        ("https://management.chinacloudapi.cn", "https://bills.blob.core.chinacloudapi.cn/exports/daily"),
    ],
)
def test_a_destination_lies_in_the_cloud_of_its_scope(endpoint: str | None, location: str) -> None:
    resource = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/bills"
    destination = {"resourceId": resource, "container": "exports", "rootFolderPath": "/daily/"}
    content: Any = {"properties": {"deliveryInfo": {"destination": destination}}}
    source = Settings(name="azure", scope="/subscriptions/s", management_endpoint=endpoint)
    assert read_destination(Export(content), source) == location


def run(kind: Any, hour: int, run_id: str = "r") -> ExportRun:
    name = {"focus": "FocusCost", "actual": "ActualCost", "amortized": "AmortizedCost"}[kind]
    at = datetime(2026, 11, 3, hour)
    return ExportRun(
        f"{run_id}/manifest.json", name, "/s", name, kind, None, "2026-10", run_id, at, None, (), ""
    )


def test_runs_come_in_order_and_a_copy_counts_once() -> None:
    later, earlier = run("focus", 5, "b"), run("focus", 1, "a")
    assert choose_runs([later, earlier, run("focus", 1, "a")]) == ([earlier, later], [])


def test_focus_beside_a_pair_is_one_bill() -> None:
    chosen, doubled = choose_runs([run("actual", 1), run("focus", 2), run("amortized", 3)])
    assert [r.kind for r in chosen] == ["focus"]
    assert [r.kind for r in doubled] == ["actual", "amortized"]


def delivery(view: str, hour: int, scope: str = "/subscriptions/s", period: str = "2026-10") -> Delivery:
    at = datetime(2026, 11, 3) + timedelta(hours=hour)
    dataset = "charges" if view == "focus" else "azure_cost_lines"
    name = f"8611537|{period}|{scope}|{view}"
    return Delivery(
        "azure", dataset, name, period, name, at, at, 1, (), billing_account_id="8611537", is_current=True
    )


def counting(*deliveries: Delivery, scope: str | None = None) -> list[str]:
    return sorted(d.scope.split("|", 2)[2] for d in keep_counting_views(deliveries, scope) if d.is_current)


def views(*names: str, scope: str = "/subscriptions/s") -> list[str]:
    return sorted(f"{scope}|{name}" for name in names)


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([("amortized", 1), ("actual", 2)], ["actual", "amortized"]),
        ([("actual_alone", 1), ("amortized", 2), ("actual", 1)], ["actual", "amortized"]),
        ([("actual_alone", 1), ("actual", 1)], ["actual_alone"]),
        ([("actual", 1)], ["actual"]),
        ([("query", 5), ("amortized", 1), ("actual", 2)], ["query"]),
        ([("focus", 2), ("amortized", 1), ("actual", 2)], ["focus"]),
        ([("focus", 1), ("amortized", 2)], ["amortized"]),
    ],
    ids=str,
)
def test_the_newest_view_of_a_month_counts(present: Iterable[tuple[str, int]], expected: list[str]) -> None:
    assert counting(*(delivery(view, hour) for view, hour in present)) == views(*expected)


def test_the_widest_scope_counts_unless_one_is_configured() -> None:
    account = "/providers/microsoft.billing/billingaccounts/8611537"
    both = (delivery("focus", 1), delivery("focus", 1, account))
    assert counting(*both) == views("focus", scope=account)
    assert counting(*both, scope="/subscriptions/s") == views("focus")
    group = "/subscriptions/s/resourcegroups/g"
    assert counting(delivery("focus", 1), delivery("focus", 2, group)) == views("focus")
    assert len(counting(delivery("focus", 1), delivery("focus", 1, "/subscriptions/t"))) == 2
    assert len(counting(delivery("focus", 1), delivery("query", 9, period="2026-09"))) == 2


def test_months_are_whole_and_end_today() -> None:
    assert list_months(date(2026, 1, 15), 3) == [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1)]
    assert last_day(date(2026, 2, 1), date(2026, 5, 5)) == date(2026, 2, 28)
    assert last_day(date(2026, 5, 1), date(2026, 5, 5)) == date(2026, 5, 5)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "state `scope`, `location` or both"),
        ({"scope": "contoso"}, "is no billing scope"),
        ({"location": "s3://bucket/x"}, "Azure's exports lie in Azure storage"),
        ({"location": "az://acc/c", "path": "query"}, "path: query needs `scope`"),
        ({"scope": "/subscriptions/s", "trigger": True}, "trigger needs the names"),
        ({"scope": "/subscriptions/s", "group_by": ["Colour"]}, "is no dimension"),
        ({"scope": "/subscriptions/s", "client_secret_env": "X"}, "a service principal needs"),
        ({"scope": "/subscriptions/s", "management_endpoint": "http://plain"}, "should match pattern"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({"name": "azure", **changes})
