"""November 2026 of a small Google Cloud account, row by row, with what each is worth, worked out by hand.

What belongs here: exported rows, expected charges, and why. What must not: the product's code.

The invoice of November: Σ BilledCost = 57.31 USD. Of it 5.00 were paid for cores of a commitment and 0.022994 are
left of a flexible one: their effective cost stands on covered usage (3.00) and unused rows (2.00 and 0.022994), so
Σ EffectiveCost is the same. October's invoice gets 3.00 from a row that was exported in November.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.contract.google_export import credit, labels, moment, row

INVOICE_TOTAL = Decimal("57.31")
OCTOBER_TOTAL = Decimal("3")

_FEE = {"sku__id": "FLEX-FEE", "subscription__instance_id": "flex-1"}
_FLEX = {
    "consumption_model__id": "D97B-0795-975B",
    "consumption_model__description": "Compute Flexible CUDs 1 Year",
}
_FLEX_FEE = "Commitment - dollar based v1: GCE Flexible for 1 Year"


@dataclass(frozen=True)
class GoldenRow:
    """An exported row, and its charges: (suffix of the charge id, category, billed, effective, list, contracted)."""

    name: str
    why: str
    row: dict[str, Any]
    charges: tuple[tuple[str, str, str, str, str, str], ...]


def _golden(name: str, why: str, made: dict[str, Any], *charges: tuple[str, ...]) -> GoldenRow:
    return GoldenRow(name, why, {**made, "resource": {"name": name, "global_name": None}}, charges)  # type: ignore[arg-type]


MONTH: tuple[GoldenRow, ...] = (
    _golden(
        "on demand",
        "10 h at 0.031611 agreed, 0.033174 list.",
        row(
            0.31611,
            cost_at_list=0.33174,
            cost_at_effective_price_default=0.31611,
            usage={
                "amount": 36000.0,
                "unit": "seconds",
                "amount_in_pricing_units": 10.0,
                "pricing_unit": "hour",
            },
            labels=labels(team="search"),
        ),
        ("", "Usage", "0.31611", "0.31611", "0.33174", "0.31611"),
    ),
    _golden(
        "promotion",
        "5.00 of usage, 1.50 paid by a promotion, which is a credit of its own.",
        row(5.0, "N1 Predefined Instance Ram", credits=[credit("PROMOTION", -1.5, "Startup program")]),
        ("", "Usage", "5", "5", "5", "5"),
        ("-credit-promotion", "Credit", "-1.5", "-1.5", "-1.5", "-1.5"),
    ),
    _golden(
        "sustained use",
        "2.00 less 0.60 for running all month, and 0.05 of a credit that Google may invent.",
        row(
            2.0,
            "N1 Predefined Instance Core",
            credits=[credit("SUSTAINED_USAGE_DISCOUNT", -0.6), credit("BRAND_NEW", -0.05)],
        ),
        ("", "Usage", "1.35", "1.35", "2", "2"),
    ),
    _golden(
        "core commitment",
        "10 core hours committed for 5.00; 6 were used.",
        row(
            5.0,
            "Commitment v1: N2 Cpu in Americas for 1 Year",
            subscription__instance_id="cud-1",
            usage={
                "amount": 36000.0,
                "unit": "seconds",
                "amount_in_pricing_units": 10.0,
                "pricing_unit": "hour",
            },
        ),
        ("", "Purchase", "5", "0", "5", "5"),
        ("-unused", "Usage", "0", "2", "0", "0"),
    ),
    _golden(
        "covered cores",
        "6 h at list 0.60, all taken off; of the fee 5.00 × 6/10.",
        row(
            0.6,
            "N2 Instance Core running in Americas",
            credits=[credit("COMMITTED_USAGE_DISCOUNT", -0.6, "Committed usage discount: CPU")],
            usage={
                "amount": 21600.0,
                "unit": "seconds",
                "amount_in_pricing_units": 6.0,
                "pricing_unit": "hour",
            },
        ),
        ("", "Usage", "0", "3", "0.6", "0.6"),
    ),
    _golden(
        "flexible fee used",
        "The newer model: the fee is offset by what usage costs.",
        row(0.125637, _FLEX_FEE, credits=[credit("FEE_UTILIZATION_OFFSET", -0.125637)], **_FEE),
        ("", "Purchase", "0", "0", "0.125637", "0.125637"),
    ),
    _golden(
        "flexible fee left",
        "The newer model: a fee that nothing offsets is unused commitment.",
        row(0.022994, _FLEX_FEE, **_FEE),
        ("", "Purchase", "0.022994", "0", "0.022994", "0.022994"),
        ("-unused", "Usage", "0", "0.022994", "0", "0"),
    ),
    _golden(
        "flexible usage",
        "The newer model: usage costs what the commitment makes of it; 0.174496 at list.",
        row(0.125637, cost_at_list=0.174496, cost_at_effective_price_default=0.17, **_FLEX),
        ("", "Usage", "0.125637", "0.125637", "0.174496", "0.17"),
    ),
    _golden(
        "marketplace",
        "A database of somebody else, sold by Google.",
        row(
            12.0,
            "Acme DB subscription",
            service={"id": "ACME", "description": "Acme DB"},
            transaction_type="THIRD_PARTY_RESELLER",
            seller_name="Acme Inc.",
        ),
        ("", "Usage", "12", "12", "12", "12"),
    ),
    _golden(
        "reseller margin",
        "4.00 less a margin of 0.80.",
        row(4.0, "Storage PD Capacity", credits=[credit("RESELLER_MARGIN", -0.8)]),
        ("", "Usage", "3.2", "3.2", "4", "4"),
    ),
    _golden(
        "gemini input",
        "1,000,000 tokens at 0.30 a million.",
        row(
            0.3,
            "Gemini 2.5 Flash Text Input - Predictions",
            service={"id": "C7E2-9256-1C43", "description": "Vertex AI"},
            usage={"amount": 1e6, "unit": "count", "amount_in_pricing_units": 1e6, "pricing_unit": "count"},
            price__list_price=Decimal("0.30"),
            price__pricing_unit_quantity=Decimal(1000000),
        ),
        ("", "Usage", "0.3", "0.3", "0.3", "0.3"),
    ),
    _golden(
        "inter-zone egress",
        "25 GiB at 0.01.",
        row(
            0.25,
            "Network Inter Zone Data Transfer Out",
            usage={
                "amount": 26843545600.0,
                "unit": "bytes",
                "amount_in_pricing_units": 25.0,
                "pricing_unit": "gibibyte",
            },
        ),
        ("", "Usage", "0.25", "0.25", "0.25", "0.25"),
    ),
    _golden(
        "logging",
        "3 GiB of logs at 0.50.",
        row(1.5, "Log Storage cost", service={"id": "5490-F7B7-8DF6", "description": "Cloud Logging"}),
        ("", "Usage", "1.5", "1.5", "1.5", "1.5"),
    ),
    _golden(
        "support",
        "Bought by the organisation: no project.",
        row(29.0, "Enhanced support", service={"id": "SUP", "description": "Support"}, project=None),
        ("", "Usage", "29", "29", "29", "29"),
    ),
    _golden(
        "tax",
        "Of the invoice.",
        row(1.9, "Tax", cost_type="tax", project=None, service={"id": "INV", "description": "Invoice"}),
        ("", "Tax", "1.9", "1.9", "1.9", "1.9"),
    ),
    _golden(
        "goodwill",
        "Given back for an outage.",
        row(
            -0.75,
            "Goodwill",
            cost_type="adjustment",
            adjustment_info={
                "id": "a1",
                "description": "Outage",
                "mode": "MANUAL_ADJUSTMENT",
                "type": "GOODWILL",
            },
        ),
        ("", "Adjustment", "-0.75", "-0.75", "-0.75", "-0.75"),
    ),
    _golden(
        "correction",
        "September's usage was counted too high; September was closed, November's invoice gives it back.",
        row(
            -0.4,
            usage_start_time=moment("2026-09-10T00:00:00"),
            usage_end_time=moment("2026-09-10T01:00:00"),
            adjustment_info={
                "id": "a2",
                "description": "Usage correction",
                "mode": "PARTIAL_CORRECTION",
                "type": "USAGE_CORRECTION",
            },
        ),
        ("", "Usage", "-0.4", "-0.4", "-0.4", "-0.4"),
    ),
    _golden(
        "rounding",
        "Rounds the invoice to cents.",
        row(-0.004741, "Rounding error", cost_type="rounding_error"),
        ("", "Adjustment", "-0.004741", "-0.004741", "-0.004741", "-0.004741"),
    ),
    _golden(
        "late row of October",
        "Exported in November, invoiced in October: it lands there.",
        row(
            3.0,
            invoice__month="202610",
            usage_start_time=moment("2026-10-20T00:00:00"),
            usage_end_time=moment("2026-10-20T01:00:00"),
            export_time=moment("2026-11-06T00:00:00"),
        ),
        ("", "Usage", "3", "3", "3", "3"),
    ),
)
