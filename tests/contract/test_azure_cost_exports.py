"""azure_cost_exports against real servers: exports in Azurite, from files to staging.charges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.azure_cost_exports.client import check, land
from connectors.azure_cost_exports.settings import Settings
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import DATASETS
from tests.contract import azure_month
from tests.contract.azure_exports import CONTAINER, Run, focus_line, parse_submitted, write_copy, write_run
from tests.servers.azure_cost_management import BILLING_ACCOUNT, SUBSCRIPTION
from tests.servers.azurite import AzuriteServer
from tests.sql.chain import Chain, Inputs, Window

WINDOW = Window(datetime(2026, 9, 1).date(), datetime(2026, 12, 1).date(), datetime(2026, 11, 20))
LATER = "2026-11-04T02:11:45.1681265Z"


@pytest.fixture
def azure(azurite_server: AzuriteServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzuriteServer]:
    """The blob server with its key in the environment, as a config names it."""
    monkeypatch.setenv("BILL_STORAGE", azurite_server.connection_string)
    yield azurite_server


def settings(**changes: Any) -> Settings:
    location = f"az://devstoreaccount1/{CONTAINER}/bills"
    given = {"name": "azure", "location": location, "connection_string_env": "BILL_STORAGE"}
    return Settings.model_validate(given | changes)


def put(server: AzuriteServer, *runs: Run) -> list[str]:
    with server.client() as client:
        return [write_run(client, run) for run in runs]


def remove(server: AzuriteServer, name: str) -> None:
    with server.client() as client:
        client.get_container_client(CONTAINER).delete_blob(name)


def totals(report: SourceReport, dataset: str = "charges") -> dict[str, Decimal]:
    """Σ billed cost by currency of what counts."""
    found: dict[str, Decimal] = {}
    for delivery in report.deliveries:
        if delivery.is_current and delivery.dataset == dataset:
            for currency, total in delivery.billed_totals.items():
                found[currency] = found.get(currency, Decimal(0)) + total
    return found


def rows(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path).to_pylist()]


def kinds(report: SourceReport, severity: Severity | None = None) -> set[str]:
    return {f.kind for f in report.findings if severity is None or f.severity is severity}


def build_charges(report: SourceReport) -> list[dict[str, Any]]:
    """What the current files become in staging.charges, by the project's own SQL; its blocking checks hold."""
    lake = {name: rows(report, name) for name in ("charges", "azure_cost_lines") if name in DATASETS}
    with Chain(Inputs(lake), WINDOW, ("staging.charges",)) as chain:
        assert chain.failed_checks() == {}
        return chain.rows("select * from staging.charges")


def pair(lines: Any, **changes: Any) -> list[Run]:
    """The actual and the amortized run of a month."""
    views = (("actual", "ActualCost"), ("amortized", "AmortizedCost"))
    return [
        replace(
            Run(lines(view), export=view, export_type=kind, run_id=f"run-{view}"),
            **changes,
        )
        for view, kind in views
    ]


@pytest.mark.parametrize("is_range_first", [False, True], ids=["export first", "dates first"])
@pytest.mark.parametrize("overwrite", [True, False], ids=["overwrite", "create new"])
@pytest.mark.parametrize(
    ("file_format", "files"), [("csv", 1), ("csv.gz", 3), ("parquet", 2)], ids=["csv", "gzip", "parquet"]
)
def test_a_focus_export_lands_whatever_its_folders_and_files(
    azure: AzuriteServer,
    lake_context: LandingContext,
    is_range_first: bool,
    overwrite: bool,
    file_format: Any,
    files: int,
) -> None:
    lines = [focus_line(BilledCost=f"{n}.5", SkuId=str(n)) for n in range(4)]
    put(
        azure,
        Run(lines, is_range_first=is_range_first, overwrite=overwrite, file_format=file_format, files=files),
    )
    report = land(settings(), lake_context)
    assert kinds(report, Severity.FAULT) == set()
    assert totals(report) == {"USD": Decimal(8)}
    found = rows(report, "charges")
    assert sorted(row["sku_id"] for row in found) == ["0", "1", "2", "3"]
    assert {row["x_tag_feature"] for row in found} == {"search"}
    assert [d.delivered_at for d in report.deliveries] == [datetime(2026, 11, 3, 2, 11, 45, 168126)]


def test_only_what_a_manifest_names_is_read(azure: AzuriteServer, lake_context: LandingContext) -> None:
    """Overwrite mode leaves files of older runs behind, and a run under way has no manifest yet."""
    old = Run([focus_line(BilledCost="100")], run_id="old")
    remove(azure, put(azure, old)[0])
    put(azure, Run([focus_line(BilledCost="7")], run_id="new"))
    assert totals(land(settings(), lake_context)) == {"USD": Decimal(7)}


def test_month_to_date_runs_supersede_each_other_and_keep_their_times(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    runs = [
        Run(
            [focus_line(BilledCost=cost, SkuId=str(n)) for n in range(count)],
            submitted=time,
            run_id=time,
            overwrite=False,
        )
        for cost, count, time in (
            ("1", 1, "2026-10-02T03:00:00Z"),
            ("1", 2, "2026-10-03T03:00:00Z"),
            ("2", 2, LATER),
        )
    ]
    put(azure, *runs[:2])
    assert totals(land(settings(backfill=True), lake_context)) == {"USD": Decimal(2)}
    put(azure, runs[2])
    report = land(settings(backfill=True), lake_context)
    assert totals(report) == {"USD": Decimal(4)}
    assert sorted(d.delivered_at for d in report.deliveries) == [
        parse_submitted(run.submitted) for run in runs
    ]
    known = land(settings(backfill=True), replace(lake_context, as_of=datetime(2026, 10, 2, 12)))
    assert totals(known) == {"USD": Decimal(1)}
    again = land(settings(backfill=True), lake_context)
    assert (again.deliveries, again.findings) == (report.deliveries, report.findings)


def test_older_runs_are_left_out_unless_asked_for(azure: AzuriteServer, lake_context: LandingContext) -> None:
    old = Run([focus_line(BilledCost="1")], submitted="2026-10-02T03:00:00Z", run_id="old", overwrite=False)
    put(azure, old, Run([focus_line(BilledCost="2")], run_id="new", overwrite=False))
    report = land(settings(), lake_context)
    assert [(d.rows, d.is_current) for d in report.deliveries] == [(1, True)]
    assert totals(report) == {"USD": Decimal(2)}


def test_a_month_restated_to_nothing_is_empty(azure: AzuriteServer, lake_context: LandingContext) -> None:
    put(azure, Run([focus_line()], overwrite=False, run_id="one"))
    assert totals(land(settings(), lake_context)) == {"USD": Decimal("1.25")}
    put(azure, Run([], columns=tuple(focus_line()), submitted=LATER, overwrite=False, run_id="two"))
    report = land(settings(), lake_context)
    assert totals(report) == {}
    assert rows(report, "charges") == []
    assert [d.rows for d in report.deliveries if d.is_current] == [0]


def test_an_older_month_that_is_restated_leaves_the_others(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    september = {"BillingPeriodStart": "2026-09-01T00:00:00Z", "BillingPeriodEnd": "2026-10-01T00:00:00Z"}
    put(
        azure,
        Run([focus_line(BilledCost="5")], run_id="october"),
        Run([focus_line(BilledCost="3", **september)], month="2026-09", run_id="september"),
        Run([focus_line(BilledCost="4", **september)], month="2026-09", run_id="again", submitted=LATER),
    )
    report = land(settings(), lake_context)
    current = {d.period: d.billed_totals for d in report.deliveries if d.is_current}
    assert current == {"2026-09": {"USD": Decimal(4)}, "2026-10": {"USD": Decimal(5)}}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"changes": {"dataRowCount": 3}}, "row_count_mismatch"),
        ({"left_out": frozenset({0})}, "missing_file"),
        ({"changes": {"blobCount": 2}}, "unusable_manifest"),
        ({"changes": {"runInfo": {}}}, "unusable_manifest"),
    ],
    ids=["rows", "file", "files", "no run"],
)
def test_a_delivery_that_does_not_reconcile_is_refused_and_the_last_good_one_stays(
    azure: AzuriteServer, lake_context: LandingContext, changes: dict[str, Any], kind: str
) -> None:
    put(azure, Run([focus_line(BilledCost="5")], run_id="good", overwrite=False))
    land(settings(), lake_context)
    put(azure, Run([focus_line(BilledCost="9")], run_id="bad", submitted=LATER, overwrite=False, **changes))
    report = land(settings(), lake_context)
    assert totals(report) == {"USD": Decimal(5)}
    assert kinds(report, Severity.FAULT) == {kind}
    assert kinds(land(settings(), lake_context), Severity.FAULT) == {kind}, "it is told every night"


def test_a_file_that_was_written_over_is_refused(azure: AzuriteServer, lake_context: LandingContext) -> None:
    manifest = put(azure, Run([focus_line(BilledCost="9")]))[0]
    with azure.client() as client:
        container = client.get_container_client(CONTAINER)
        container.upload_blob(manifest.replace("manifest.json", "part_0_0001.csv"), b"other", overwrite=True)
    report = land(settings(), lake_context)
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert fault.kind == "size_mismatch"
    assert "which holds 5: a copy that is cut off (copy it again), or a file that another" in fault.message
    assert totals(report) == {}


def test_a_manifest_that_cannot_be_read_is_the_only_fault(
    lake_context: LandingContext, tmp_path: Any
) -> None:
    write_copy(tmp_path, Run([focus_line()], changes={"runInfo": {}}))
    report = land(Settings.model_validate({"name": "azure", "location": str(tmp_path)}), lake_context)
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert (fault.kind, fault.message) == (
        "unusable_manifest",
        "azure: bills/bill/20261001-20261031/11111111-0000-0000-0000-000000000001/manifest.json is no manifest of an "
        "export run: it states no runInfo.submittedTime, runInfo.startDate; run the export again",
    )


def test_a_missing_older_run_is_no_fault(azure: AzuriteServer, lake_context: LandingContext) -> None:
    """Overwrite mode takes the files of a run away when the next one is there."""
    put(azure, Run([focus_line(BilledCost="5")], run_id="old", left_out=frozenset({0})))
    put(azure, Run([focus_line(BilledCost="6")], run_id="new", submitted=LATER))
    report = land(settings(backfill=True), lake_context)
    assert totals(report) == {"USD": Decimal(6)}
    assert kinds(report, Severity.FAULT) == set()
    assert "missing_file" in kinds(report, Severity.INFO)


def test_exports_of_several_subscriptions_of_one_account_add_up(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    other = SUBSCRIPTION.replace("1111", "9999")
    put(
        azure,
        Run([focus_line(BilledCost="1")], run_id="a"),
        Run([focus_line(BilledCost="2", SubAccountId="other")], scope=other, export="second", run_id="b"),
    )
    assert totals(land(settings(), lake_context)) == {"USD": Decimal(3)}
    put(azure, Run([focus_line(BilledCost="4")], scope=BILLING_ACCOUNT, export="whole", run_id="c"))
    report = land(settings(), lake_context)
    assert totals(report) == {"USD": Decimal(4)}, "the account's export holds its subscriptions'"
    assert totals(land(settings(scope=other), lake_context)) == {"USD": Decimal(2)}


def test_two_exports_of_one_scope_and_month_are_one_bill(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    """A daily month-to-date export and a monthly one of the last month hold the same month: the newer run counts."""
    put(
        azure,
        Run([focus_line(BilledCost="5")], export="daily", run_id="a"),
        Run([focus_line(BilledCost="6")], export="monthly", submitted=LATER, run_id="b"),
    )
    assert totals(land(settings(), lake_context)) == {"USD": Decimal(6)}
    assert totals(land(settings(name="chosen", exports=["daily"]), lake_context)) == {"USD": Decimal(5)}


def test_known_faults_of_azures_focus_files_are_put_right_or_told(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    faulty = focus_line(
        InvoiceId="-2",
        RegionId="Unassigned",
        CommitmentDiscountId="/providers/Microsoft.Capacity/reservationOrders/RO/reservations/R",
        BillingPeriodStart="2026-10-03T00:00:00Z",
        BillingPeriodEnd="2026-10-31T00:00:00Z",
        ContractedCost="0",
        ListCost="0",
        ServiceName="",
        x_SkuMeterCategory="Bandwidth",
    )
    put(azure, Run([faulty]))
    report = land(settings(), lake_context)
    (row,) = rows(report, "charges")
    assert (row["invoice_id"], row["region_id"], row["service_name"]) == (None, None, "Bandwidth")
    assert (
        row["resource_id"]
        == "/subscriptions/s/resourcegroups/rg/providers/microsoft.compute/virtualmachines/vm1"
    )
    assert (
        row["commitment_discount_id"] == "/providers/microsoft.capacity/reservationorders/ro/reservations/r"
    )
    assert (row["billing_period_start"], row["billing_period_end"]) == (
        datetime(2026, 10, 1),
        datetime(2026, 11, 1),
    )
    assert (row["list_cost"], row["contracted_cost"]) == (Decimal(0), Decimal(0)), "kept, not guessed"
    assert {"zero_reference_cost", "billing_period_straightened"} <= kinds(report)


def check_month(report: SourceReport, lines: Any, rate: str, name_column: str) -> None:
    """Hold every line of the month against what was worked out by hand, and the sums against the invoice."""
    charges = {row["charge_id"]: row for row in build_charges(report)}
    lake = rows(report, "azure_cost_lines")
    names = {row["charge_id"]: row[name_column] for row in lake if row["is_counted"]}
    by_name = {names[charge_id]: row for charge_id, row in charges.items()}
    assert sorted(by_name) == sorted(line.name for line in azure_month.MONTH)
    for line in azure_month.MONTH:
        row = by_name[line.name]
        expected = [Decimal(value) * Decimal(rate) for value in (line.billed, line.effective, line.listed)]
        assert [row["billed_cost"], row["effective_cost"], row["list_cost"]] == expected, line.name
        for column, value in line.charge.items():
            if isinstance(row[column], Decimal):
                value = Decimal(str(value)) * (Decimal(rate) if column == "list_unit_price" else 1)
            assert row[column] == value, (line.name, column)
    total = Decimal(azure_month.INVOICE_TOTAL) * Decimal(rate)
    assert sum(row["billed_cost"] for row in charges.values()) == total
    assert sum(row["billed_cost"] for row in lake) == total
    assert sum(row["effective_cost"] for row in charges.values()) == Decimal(
        azure_month.EFFECTIVE_TOTAL
    ) * Decimal(rate)


def test_the_golden_month_of_an_enterprise_agreement(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    put(azure, *pair(azure_month.ea_lines))
    report = land(settings(), lake_context)
    assert kinds(report) <= {"identical_lines"}
    check_month(report, azure_month.ea_lines, "1", "offer_id")
    assert totals(report, "azure_cost_lines") == {"USD": Decimal(azure_month.INVOICE_TOTAL)}
    charges = build_charges(report)
    assert {row["billing_account_id"] for row in charges} == {"8611537"}
    assert {row["invoice_id"] for row in charges} == {None}, "EA files name no invoice"


def test_the_golden_month_of_a_customer_agreement(azure: AzuriteServer, lake_context: LandingContext) -> None:
    put(azure, *pair(azure_month.mca_lines, file_format="parquet", files=2))
    report = land(settings(), lake_context)
    assert kinds(report, Severity.FAULT) == set()
    check_month(report, azure_month.mca_lines, azure_month.MCA_RATE, "term")
    charges = build_charges(report)
    assert {row["billing_account_id"] for row in charges} == {"ABCD-EFGH-BG7-TGB"}
    assert {row["billing_account_type"] for row in charges} == {"Billing Profile"}
    assert {row["invoice_id"] for row in charges} == {"G001"}
    assert {(row["billing_currency"], row["pricing_currency"]) for row in charges} == {("EUR", "USD")}


def test_nothing_of_a_machine_or_a_person_leaves_the_file(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    put(azure, *pair(azure_month.ea_lines))
    written = str(rows(land(settings(), lake_context), "azure_cost_lines"))
    for secret in ("s3cret", "private-name", "owner@example.com"):
        assert secret not in written


def test_actual_cost_alone_counts_once_and_its_twin_takes_over(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    actual, amortized = pair(azure_month.ea_lines)
    put(azure, actual)
    alone = land(settings(), lake_context)
    assert "missing_amortized" in kinds(alone, Severity.WARN)
    total = sum(Decimal(line["CostInBillingCurrency"]) for line in azure_month.ea_lines("actual"))
    assert sum(row["billed_cost"] for row in build_charges(alone)) == total
    put(azure, replace(amortized, submitted=LATER))
    both = land(settings(), lake_context)
    assert "missing_amortized" not in kinds(both)
    check_month(both, azure_month.ea_lines, "1", "offer_id")
    before = land(settings(), replace(lake_context, as_of=datetime(2026, 11, 3, 12)))
    assert sum(row["billed_cost"] for row in build_charges(before)) == total, (
        "as it was known before the twin came"
    )


def test_amortized_cost_alone_says_that_purchases_are_missing(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    put(azure, pair(azure_month.ea_lines)[1])
    report = land(settings(), lake_context)
    assert "missing_actual" in kinds(report, Severity.WARN)
    purchases = Decimal(876 - 100 + 720)
    billed = sum(row["billed_cost"] for row in build_charges(report))
    assert billed == Decimal(azure_month.INVOICE_TOTAL) - purchases


def test_a_month_exported_both_ways_is_one_bill(azure: AzuriteServer, lake_context: LandingContext) -> None:
    put(azure, *pair(azure_month.ea_lines))
    put(azure, Run([focus_line(BilledCost="7", BillingAccountId="8611537")], run_id="focus"))
    report = land(settings(), lake_context)
    assert "double_bill" in kinds(report, Severity.WARN)
    assert [row["billed_cost"] for row in build_charges(report)] == [Decimal(7)]


def test_moving_from_a_pair_to_focus_counts_no_month_twice(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    names = put(azure, *pair(azure_month.ea_lines))
    land(settings(), lake_context)
    for name in names:
        remove(azure, name)
    put(azure, Run([focus_line(BilledCost="7", BillingAccountId="8611537")], run_id="focus", submitted=LATER))
    report = land(settings(), lake_context)
    assert [row["billed_cost"] for row in build_charges(report)] == [Decimal(7)]
    before = land(settings(), replace(lake_context, as_of=datetime(2026, 11, 3, 12)))
    assert sum(row["billed_cost"] for row in build_charges(before)) == Decimal(azure_month.INVOICE_TOTAL)


def test_changed_tags_type_old_months_again_from_what_was_kept(
    azure: AzuriteServer, lake_context: LandingContext
) -> None:
    names = put(azure, *pair(azure_month.ea_lines))
    land(settings(), lake_context)
    for name in names:
        remove(azure, name)
    changed = replace(lake_context, tag_keys={"team": ("feature",)})
    report = land(settings(), changed)
    found = {row["x_tag_team"] for row in rows(report, "azure_cost_lines")}
    assert found == {"search", None}
    check_sum = sum(row["billed_cost"] for row in build_charges(report))
    assert check_sum == Decimal(azure_month.INVOICE_TOTAL)


def test_a_folder_with_a_copy_of_the_container_reads_alike(
    azure: AzuriteServer, lake_context: LandingContext, tmp_path: Any
) -> None:
    put(azure, *pair(azure_month.ea_lines, files=2))
    copy = tmp_path / "copy"
    with azure.client() as client:
        container = client.get_container_client(CONTAINER)
        for blob in container.list_blobs():
            target = copy / blob.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(container.download_blob(blob.name).readall())
    stated = {"name": "azure", "location": "copy/bills"}
    local = Settings.model_validate(stated, context={"base_dir": tmp_path})  # as every path of a config
    report = land(local, lake_context)
    check_month(report, azure_month.ea_lines, "1", "offer_id")


def test_check_tells_what_lies_in_the_storage(azure: AzuriteServer) -> None:
    put(azure, Run([focus_line()]))
    (step,) = check(settings())
    assert step.is_ok and "bill of 2026-10" in step.message
    (missing,) = check(settings(location="az://devstoreaccount1/nowhere/bills"))
    assert missing.is_ok is False and "nowhere" in missing.message
