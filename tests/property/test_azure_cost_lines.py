"""Azure's cost lines at random: whatever a month holds, its charges cost what its lines cost, and each counts once."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.azure_cost_exports.bill_runs import BillRun, RunLanding
from connectors.azure_cost_exports.settings import Settings
from connectors.azure_cost_exports.views import keep_counting_views
from connectors.common.contract import LandingContext
from connectors.common.digests import read_file_sha256
from connectors.common.identity import Identity
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from tests.contract.azure_month import EA_LINE, PLAN, RESERVATION
from tests.sql.chain import Chain, Inputs, Window

SCOPE = "/subscriptions/s"
WINDOW = Window(datetime(2026, 10, 1).date(), datetime(2026, 11, 1).date(), datetime(2026, 11, 20))
COSTS = st.decimals(-10_000, 10_000, places=12, allow_nan=False, allow_infinity=False)


@dataclass(frozen=True)
class Item:
    """A thing that Azure charges: what it costs in each file, None where the file leaves it out."""

    charge_type: str
    pricing_model: str
    actual: Decimal | None
    amortized: Decimal | None
    currency: str
    quantity: int
    unit: str

    @property
    def billed(self) -> Decimal:
        """What it adds to the invoice, by the meaning of the files and not by any code."""
        return self.actual or Decimal(0)

    @property
    def effective(self) -> Decimal:
        """What its use cost."""
        return self.amortized or Decimal(0)

    def line(self, cost: Decimal) -> dict[str, str]:
        benefit = {"Reservation": RESERVATION, "SavingsPlan": PLAN}.get(self.pricing_model, "")
        return EA_LINE | {
            "ChargeType": self.charge_type,
            "PricingModel": self.pricing_model,
            "CostInBillingCurrency": f"{cost:f}",
            "BillingCurrencyCode": self.currency,
            "Quantity": str(self.quantity),
            "UnitOfMeasure": self.unit,
            "benefitId": benefit,
        }


@st.composite
def items(draw: st.DrawFn) -> Item:
    committed = draw(st.booleans())
    model = draw(st.sampled_from(("Reservation", "SavingsPlan") if committed else ("OnDemand", "Spot", "")))
    cost = draw(COSTS)
    actual: Decimal | None
    amortized: Decimal | None
    if not committed:
        kind = draw(
            st.sampled_from(("Usage", "Purchase", "Refund", "Tax", "RoundingAdjustment", "Something"))
        )
        actual = amortized = cost
    elif draw(st.booleans()):
        kind, actual, amortized = draw(st.sampled_from(("Purchase", "Refund"))), cost, None
    elif draw(st.booleans()):
        kind, actual, amortized = "Usage", Decimal(0), cost
    else:
        kind, actual, amortized = f"Unused{model}", None, cost
    return Item(
        kind,
        model,
        actual,
        amortized,
        draw(st.sampled_from(("USD", "EUR"))),
        draw(st.integers(-1000, 1000)),
        draw(st.sampled_from(("1 Hour", "10 GB", "1K", "1M", "100 Hours", "3 Months", ""))),
    )


def write(folder: Path, name: str, lines: list[dict[str, str]]) -> SourceFile:
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(EA_LINE))
        writer.writeheader()
        writer.writerows(lines)
    return SourceFile(path, path.name, path.stat().st_size, 0, read_file_sha256(path))


@settings(max_examples=25, deadline=None)
@given(
    month=st.lists(items(), min_size=1, max_size=12),
    has_amortized=st.booleans(),
    is_actual_later=st.booleans(),
)
def test_lines_and_charges_cost_the_same_and_each_thing_once(
    month: list[Item], has_amortized: bool, is_actual_later: bool
) -> None:
    actual = [item.line(item.actual) for item in month if item.actual is not None]
    amortized = [item.line(item.amortized) for item in month if item.amortized is not None]
    with TemporaryDirectory() as name:
        folder = Path(name)
        context = LandingContext(
            folder / "lake", datetime(2026, 11, 20), Identity(b"key"), {"team": ("feature",)}
        )
        source = Settings(name="azure", location=str(folder))
        landing = SourceLanding(source, context, typing={})
        times = (datetime(2026, 11, 3), datetime(2026, 11, 4))
        runs = [build_run("actual", write(folder, "actual", actual), times[is_actual_later])]
        if has_amortized:
            runs.append(
                build_run("amortized", write(folder, "amortized", amortized), times[not is_actual_later])
            )
        RunLanding(landing).land(runs)
        report = landing.report()
        deliveries = keep_counting_views(report.deliveries, None)
        files = [file for d in deliveries if d.is_current for file in d.typed_files]
        lines = [row for file in files for row in pq.read_table(file.path).to_pylist()]
    with Chain(Inputs({"azure_cost_lines": lines}), WINDOW, ("staging.charges",)) as chain:
        charges = chain.rows("select * from staging.charges")
        assert chain.failed_checks() == {}
    is_paired = has_amortized and bool(amortized)
    for currency in ("USD", "EUR"):
        own = [row for row in charges if row["billing_currency"] == currency]
        lake = [row["billed_cost"] for row in lines if row["billing_currency"] == currency]
        billed = sum(row["billed_cost"] for row in own)
        assert billed == sum(lake)
        assert billed == sum(item.billed for item in month if item.currency == currency)
        wanted = [item.effective if is_paired else item.billed for item in month if item.currency == currency]
        assert sum(row["effective_cost"] for row in own) == sum(wanted)
    assert len({row["charge_id"] for row in charges}) == len(charges)


def build_run(kind: str, file: SourceFile, delivered_at: datetime) -> BillRun:
    return BillRun(kind, SCOPE, "2026-10", delivered_at, kind, lambda: [file])
