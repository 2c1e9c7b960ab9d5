"""Google's export: whatever nights read it in whatever order, the same lines; no cent made or lost in staging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.vendor_lines.gcp_billing import CREDIT_COLUMNS
from connectors.gcp_billing.client import land
from connectors.gcp_billing.settings import Settings
from tests.contract.google_export import TABLE, build_table, credit, row
from tests.servers.google_bigquery import BigQueryServer
from tests.sql.harness import run_checks, run_model

FIRST = datetime(2026, 11, 1, 12)
_NUMBERS = count()


@st.composite
def exported_rows(draw: st.DrawFn) -> list[tuple[dict[str, Any], datetime]]:
    """Rows with when they can be seen: at most five hours after their time of export; some are the same."""
    made = []
    for _ in range(draw(st.integers(1, 12))):
        exported = FIRST + timedelta(hours=draw(st.integers(0, 120)))
        seen = exported + timedelta(hours=draw(st.integers(0, 5)))
        values = {
            "export_time": exported.replace(tzinfo=UTC),
            "invoice__month": draw(st.sampled_from(["202610", "202611"])),
            "credits": draw(st.sampled_from([[], [credit("PROMOTION", -0.25)], [credit("FREE_TIER", -0.1)]])),
        }
        made.append((row(draw(st.sampled_from([0.1, 1.5, -2.0])), **values), seen))
    return made


@given(
    rows=exported_rows(),
    nights=st.lists(st.integers(1, 140), max_size=4),
    randomly=st.randoms(use_true_random=False),
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_nights_and_any_order_end_in_the_same_lines(
    google_server: BigQueryServer,
    lake_context: LandingContext,
    rows: list[tuple[dict[str, Any], datetime]],
    nights: list[int],
    randomly: Any,
) -> None:
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    source = Settings(name="gcp", connector="gcp_billing", table=TABLE, endpoints=endpoints, overlap_hours=6)  # type: ignore[arg-type]
    last = FIRST + timedelta(hours=150)
    context = replace(lake_context, now=last, lake=lake_context.lake / str(next(_NUMBERS)))
    google_server.tables[TABLE] = build_table(made for made, _ in rows)
    whole = _lines(land(source, context))
    assert len(whole) == len(rows)
    context = replace(context, lake=lake_context.lake / str(next(_NUMBERS)))
    report: SourceReport | None = None
    for night in [*(FIRST + timedelta(hours=hours) for hours in sorted(nights)), last]:
        visible = [made for made, seen in rows if seen < night]
        randomly.shuffle(visible)
        google_server.tables[TABLE] = build_table(visible)
        report = land(source, replace(context, now=night))
        assert not report.has_fault, report.findings
    assert report is not None and _lines(report) == whole
    assert sum(line["billed_cost"] for line in whole) == sum(
        total for d in report.deliveries if d.is_current for total in d.billed_totals.values()
    )


def _lines(report: SourceReport) -> list[dict[str, Any]]:
    """The current lines without what names the files that they came in."""
    found = [line for file in report.current_files for line in pq.read_table(file.path).to_pylist()]
    for line in found:
        del line["x_snapshot_id"], line["x_source_file"]
    return sorted(found, key=lambda line: line["charge_id"])


_AMOUNTS = st.decimals(min_value=-1000, max_value=1000, places=12, allow_nan=False, allow_infinity=False)
_CREDITS = st.decimals(min_value=-500, max_value=0, places=12, allow_nan=False, allow_infinity=False)
_SKUS = (
    "N2 Instance Core running in Americas",
    "N2 Instance Ram running in Americas",
    "Commitment v1: N2 Cpu in Americas for 1 Year",
    "Commitment v1: N2 Ram in Americas for 1 Year",
    "Commitment - dollar based v1: GCE for 1 year",
)


@st.composite
def lines(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Lines of fees, covered usage and whatever else, in both commitment models at once."""
    made = []
    for number in range(draw(st.integers(1, 14))):
        names = draw(st.lists(st.sampled_from(CREDIT_COLUMNS), unique=True, max_size=3))
        credits = {name: draw(_CREDITS) for name in names}
        cost = draw(_AMOUNTS)
        made.append(
            {
                "charge_id": f"c{number:02}",
                "x_line_key": f"k{number:02}",
                "x_source": "gcp",
                "billing_account_id": draw(st.sampled_from(["A", "B"])),
                "billing_currency": "USD",
                "billing_period_start": "2026-11-01 07:00:00",
                "cost_type": draw(st.sampled_from(["regular", "regular", "tax", "adjustment"])),
                "sku_id": draw(st.sampled_from(["s1", "s2"])),
                "sku_description": draw(st.sampled_from(_SKUS)),
                "cost": cost,
                "usage_amount_in_pricing_units": draw(st.integers(0, 50)),
                **dict.fromkeys(CREDIT_COLUMNS, Decimal(0)),
                **credits,
                "billed_cost": sum(credits.values(), cost),
            }
        )
    return made


@given(made=lines(), randomly=st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_charges_cost_what_lines_cost_to_the_last_digit_in_any_order(
    made: list[dict[str, Any]], randomly: Any
) -> None:
    charges = _charges(made)
    for name in ("billed_cost", "effective_cost"):
        assert sum(charge[name] for charge in charges) == sum(line["billed_cost"] for line in made)
    assert len({charge["charge_id"] for charge in charges}) == len(charges)
    shuffled = list(made)
    randomly.shuffle(shuffled)
    assert _charges(shuffled) == charges


def _charges(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    given = {"lake.gcp_cost_lines": list(made)}
    rows = run_model("staging.gcp_charges", given)
    assert not any(run_checks("staging.gcp_charges", {**given, "staging.gcp_charges": rows}).values())
    return rows
