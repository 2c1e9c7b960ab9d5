"""AWS bills of any mix of lines: nothing of the bill is lost, and deliveries may come in any order, twice."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.aws_data_exports.client import land
from connectors.aws_data_exports.settings import Settings
from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from tests.contract.aws_exports import CUR_COLUMNS, NET_COLUMNS, ExportBucket, Line, cur_line
from tests.sql.harness import run_model

NOW = datetime(2026, 11, 20, 3)
TYPES = (
    "Usage", "SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee", "SavingsPlanUpfrontFee",
    "DiscountedUsage", "RIFee", "Fee", "Credit", "Refund", "Tax", "EdpDiscount", "FlatRateSubscription", "Unheard",
)  # fmt: skip
COSTS = st.decimals(-9999, 9999, places=10).map(float)
OPTIONAL = st.none() | COSTS


class Folder:
    """A folder with the few S3 calls that delivering needs: a copied export, read from disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list_buckets(self) -> dict[str, Any]:
        return {"Buckets": [{"Name": "company-bills"}]}

    def list_objects_v2(self, **_: str) -> dict[str, Any]:
        return {}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's names
        path = self.root / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Body)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    kind = draw(st.sampled_from(TYPES))
    plan = draw(st.sampled_from(["", "plan-1", "plan-2"]))
    return cur_line(
        line_item_line_item_type=kind,
        line_item_unblended_cost=draw(COSTS),
        line_item_net_unblended_cost=draw(OPTIONAL),
        line_item_currency_code=draw(st.sampled_from(["USD", "EUR"])),
        line_item_usage_account_id=draw(st.sampled_from(["444455556666", "777788889999"])),
        line_item_operation=draw(st.sampled_from(["RunInstances", "EKSPod-EC2", "FargateTask"])),
        split_line_item_parent_resource_id=draw(st.sampled_from(["", "i-1"])),
        savings_plan_savings_plan_a_r_n=plan,
        savings_plan_total_commitment_to_date=draw(OPTIONAL),
        savings_plan_used_commitment=draw(OPTIONAL),
        savings_plan_recurring_commitment_for_billing_period=draw(OPTIONAL),
        savings_plan_net_recurring_commitment_for_billing_period=draw(OPTIONAL),
        reservation_unused_recurring_fee=draw(OPTIONAL),
        pricing_public_on_demand_cost=draw(OPTIONAL),
    )


def land_folder(root: Path, now: datetime = NOW, as_of: datetime | None = None) -> SourceReport:
    context = LandingContext(root / "lake", now, Identity(b"key"), {"team": ("team",)}, as_of=as_of)
    return land(
        Settings(
            name="aws", export="monthly-cur", location=str(root / "company-bills" / "exports"), backfill=True
        ),
        context,
    )


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    return [r for f in report.current_files for r in pq.read_table(f.path, partitioning=None).to_pylist()]


def expect_billed(bill: Sequence[Line]) -> dict[str, Decimal]:
    """Σ of the delivered costs, net first, by currency; shares of an instance cost nothing themselves."""
    sums: dict[str, Decimal] = {}
    for line in bill:
        net, gross = line["line_item_net_unblended_cost"], line["line_item_unblended_cost"]
        cost = Decimal(repr(gross if net is None else net))
        is_share = line["line_item_operation"] == "EKSPod-EC2"
        currency = line["line_item_currency_code"]
        sums[currency] = sums.get(currency, Decimal(0)) + (Decimal(0) if is_share else cost)
    return sums


@settings(max_examples=25, deadline=None)
@given(st.lists(lines(), min_size=1, max_size=12), st.sampled_from(["parquet", "csv"]))
def test_charges_sum_to_the_lines_and_the_lines_to_the_bill(bill: list[Line], output_format: Any) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        columns = {**CUR_COLUMNS, **NET_COLUMNS}
        ExportBucket(Folder(root), columns=columns, output_format=output_format).deliver("2026-10", [bill])
        report = land_folder(root)
        assert not report.has_fault, report.findings
        typed = read_rows(report)
        assert len(typed) == len(bill)
        charges = run_model("staging.aws_cur_charges", {"lake.aws_cur_lines": typed})
    expected = expect_billed(bill)
    assert len({row["charge_id"] for row in charges}) == len(charges)
    for currency, total in expected.items():
        assert sum(row["billed_cost"] for row in typed if row["billing_currency"] == currency) == total
        assert sum(row["billed_cost"] for row in charges if row["billing_currency"] == currency) == total
    (delivery,) = [d for d in report.deliveries if d.is_current]
    assert delivery.billed_totals == expected


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_deliveries_in_any_order_and_twice_end_in_the_newest(costs: list[list[int]], random: Any) -> None:
    """Create-new deliveries arrive (are copied) in any order; each night lands what is there, some nights nothing."""
    arrivals = list(range(len(costs)))
    random.shuffle(arrivals)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        bucket = ExportBucket(Folder(root))
        for night, number in enumerate([*arrivals, arrivals[0]]):
            run = f"2026-11-{number + 1:02d}T00:00:00Z-{number:08d}-1111-2222-3333-444455556666"
            bill = [cur_line(line_item_unblended_cost=float(cost)) for cost in costs[number]]
            bucket.deliver("2026-10", [bill], run=run)
            (
                root
                / "company-bills/exports/monthly-cur/metadata/BILLING_PERIOD=2026-10/monthly-cur-Manifest.json"
            ).unlink()
            if random.random() < 0.7 or night == len(arrivals):
                report = land_folder(root)
        assert not report.has_fault, report.findings
        for number, bill in enumerate(costs):
            known = land_folder(root, as_of=datetime(2026, 11, number + 1, 12))
            rows = read_rows(known)
            assert sum((row["billed_cost"] for row in rows), Decimal(0)) == sum(bill)
            assert len(rows) == len(bill)
        assert replace(land_folder(root), findings=()) == replace(report, findings=())
