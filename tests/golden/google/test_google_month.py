"""A whole month of Google Cloud, from exported rows to staging.charges and core.charges."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, SourceReport
from connectors.gcp_billing.client import land
from connectors.gcp_billing.settings import Settings
from pipelines.night.inputs import write_bill_deliveries
from tests.contract.google_export import TABLE, build_table, moment, row
from tests.golden.google.month import INVOICE_TOTAL, MONTH, OCTOBER_TOTAL
from tests.servers.google_bigquery import BigQueryServer
from tests.sql.chain import Chain, Inputs, Window

YEAR = Window(date(2026, 1, 1), date(2027, 1, 1), datetime(2026, 11, 20, 3))


@pytest.fixture
def report(google_server: BigQueryServer, lake_context: LandingContext) -> SourceReport:
    """The month, landed from BigQuery."""
    google_server.tables[TABLE] = build_table(golden.row for golden in MONTH)
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    settings = Settings(name="gcp", connector="gcp_billing", table=TABLE, endpoints=endpoints)  # type: ignore[arg-type]
    landed = land(settings, lake_context)
    assert not landed.has_fault, landed.findings
    return landed


def build_chain(report: SourceReport, folder: Path, *targets: str) -> Chain:
    """The models over what was landed."""
    lines = [line for file in report.current_files for line in pq.read_table(file.path).to_pylist()]
    relation = write_bill_deliveries(folder / "tables", [report], YEAR.as_of)
    bills = [bill for files in relation.files.values() for file in files for bill in _read(file.path)]
    return Chain(Inputs({"gcp_cost_lines": lines}, bills), YEAR, targets)


def _read(path: Path) -> list[dict[str, Any]]:
    return pq.read_table(path).to_pylist()


def test_every_row_becomes_the_charges_worked_out_by_hand(report: SourceReport, tmp_path: Path) -> None:
    expected = sorted(
        (golden.name, *(charge[:2]), *(Decimal(cost) for cost in charge[2:]))
        for golden in MONTH
        for charge in golden.charges
    )
    with build_chain(report, tmp_path, "staging.charges") as chain:
        rows = chain.rows(
            "select l.resource_name, replace(c.charge_id, l.charge_id, '') as suffix, c.charge_category, "
            "c.billed_cost, c.effective_cost, c.list_cost, c.contracted_cost from staging.charges as c "
            "inner join lake.gcp_cost_lines as l on starts_with(c.charge_id, l.charge_id)"
        )
        assert not chain.failed_checks()
    assert sorted(tuple(row.values()) for row in rows) == expected


def test_invoices_total_what_the_rows_say(report: SourceReport, tmp_path: Path) -> None:
    with build_chain(report, tmp_path, "staging.charges") as chain:
        totals = chain.rows(
            "select billing_period_start as month, sum(billed_cost) as billed, sum(effective_cost) as effective "
            "from staging.charges group by all order by all"
        )
    assert [tuple(row.values()) for row in totals] == [
        (datetime(2026, 10, 1, 7), OCTOBER_TOTAL, OCTOBER_TOTAL),
        (datetime(2026, 11, 1, 7), INVOICE_TOTAL, INVOICE_TOTAL),
    ]
    delivered: dict[str | None, Decimal] = {}
    for delivery in report.deliveries:
        delivered[delivery.period] = (
            delivered.get(delivery.period, Decimal(0)) + delivery.billed_totals["USD"]
        )
    assert delivered == {"2026-10": OCTOBER_TOTAL, "2026-11": INVOICE_TOTAL}


def test_corrections_sellers_projects_and_tags(report: SourceReport, tmp_path: Path) -> None:
    with build_chain(report, tmp_path, "staging.charges") as chain:
        found = _by_name(
            chain,
            "charge_class, x_correction_cause, x_publisher_name, sub_account_id, x_tag_team, "
            "commitment_discount_status, list_unit_price, sub_account_type",
        )
    assert found["correction"][:2] == ("Correction", "usage")
    assert found["goodwill"][:2] == (None, "credit")
    assert found["late row of October"][:2] == (None, None)
    assert found["marketplace"][2:4] == ("Acme Inc.", "shop")
    assert found["support"][2:4] == ("Google Cloud", None) and found["support"][7] is None
    assert found["on demand"][4] == "search"
    assert found["covered cores"][5] == found["flexible usage"][5] == "Used"
    assert found["gemini input"][6] == Decimal("0.0000003")


def test_tokens_traffic_and_logs_are_told_apart(report: SourceReport, tmp_path: Path) -> None:
    with build_chain(report, tmp_path, "core.charges") as chain:
        found = _by_name(chain, "cost_driver, traffic_kind, token_class, billed_quantity", "core")
    assert found["gemini input"] == ("inference", None, "uncached_input_tokens", Decimal(1000000))
    assert found["inter-zone egress"][:2] == ("egress", "inter_az")
    assert found["logging"][0] == "monitoring"
    assert found["on demand"][0] == "compute"


def test_a_month_is_final_once_the_export_has_gone_on_for_ten_days_whatever_it_brought(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    """October got its last row on 6 November. That it is closed is told by a row of November, exported on the 15th."""
    late = row(
        1.0, export_time=moment("2026-11-15T00:00:00"), resource={"name": "newest", "global_name": None}
    )
    google_server.tables[TABLE] = build_table([*(golden.row for golden in MONTH), late])
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    settings = Settings(name="gcp", connector="gcp_billing", table=TABLE, endpoints=endpoints)  # type: ignore[arg-type]
    with build_chain(land(settings, lake_context), lake_context.lake, "core.bill_coverage") as chain:
        found = _by_name(chain, "cost_state", "core")
        coverage = chain.rows(
            "select delivered_at, watermark_at from core.bill_coverage order by billing_period_start"
        )
    assert found["late row of October"] == ("final",)
    assert found["on demand"] == found["newest"] == ("provisional",)
    assert [tuple(row.values()) for row in coverage] == [
        (datetime(2026, 11, 12), datetime(2026, 11, 11)),
        (datetime(2026, 11, 15), datetime(2026, 11, 14)),
    ]


def _by_name(chain: Chain, columns: str, layer: str = "staging") -> dict[str, tuple[Any, ...]]:
    rows = chain.rows(
        f"select l.resource_name, {', '.join(f'c.{name.strip()}' for name in columns.split(','))} "
        f"from {layer}.charges as c inner join lake.gcp_cost_lines as l on c.charge_id = l.charge_id"
    )
    assert rows
    return {row.pop("resource_name"): tuple(row.values()) for row in rows}
