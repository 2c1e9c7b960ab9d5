"""FOCUS 1.0 to 1.4 column names, and how each becomes a column of `charges`.

What belongs here: names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from connectors.common.datasets import CHARGES, INSTANT, MONEY

SCHEMA_VERSION = 1
"""Raise it when the same bill would be typed differently; every bill is then typed again."""

_OWN = {"charge_id", "tags"}


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


COLUMNS: dict[str, str] = {
    _pascal(name): name for name in CHARGES.schema.names if not name.startswith("x_") and name not in _OWN
}
"""FOCUS column → column of `charges`, for columns that are taken over one to one."""

REQUIRED: tuple[str | tuple[str, ...], ...] = (
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ServiceName",
    ("ServiceProviderName", "ProviderName"),
)
"""Without these a bill cannot be attributed; a tuple is met by any of its names."""

NOT_NULL = (
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
)
"""A line without one of these has no place in any period: the file is refused."""

PERIODS = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
FIRST_INSTANT = datetime(2015, 1, 1)  # noqa: DTZ001 (times in the lake are naive UTC)
LAST_INSTANT = datetime(2041, 1, 1)  # noqa: DTZ001
"""Periods of a bill lie between these: a year outside is a defect of the export, and no day of the warehouse."""

LARGEST_COST = Decimal(10**10)
"""Costs of a line are smaller than this: exact splitting has 22 digits, 12 of them behind the point."""

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
"""May be null in a line (reported, kept null, never 0)."""

KNOWN_NOT_KEPT = frozenset(
    {
        "AllocatedMethodDetails",
        "AllocatedMethodId",
        "AllocatedResourceId",
        "AllocatedResourceName",
        "AllocatedTags",
        "CommitmentProgramEligibilityDetails",
        "ContractApplied",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "ProviderName",
        "PublisherName",
        "Tags",
    }
)
"""FOCUS columns that `charges` does not carry; they stay in the artifact and in the line's digest."""

NUMBERS = frozenset(focus for focus, name in COLUMNS.items() if CHARGES.schema.field(name).type == MONEY)
"""FOCUS columns of `charges` that hold money or quantities."""

INSTANTS = frozenset(focus for focus, name in COLUMNS.items() if CHARGES.schema.field(name).type == INSTANT)
"""FOCUS columns of `charges` that hold times."""

_MEASURE = re.compile(r"(Cost|Quantity|UnitPrice)$")
_MEASURE_DETAILS = frozenset({"ContractApplied", "AllocatedMethodDetails"})


def is_measure(column: str) -> bool:
    """Tell whether a delivered column holds costs, quantities or prices: what a restatement may change."""
    return column in _MEASURE_DETAILS or _MEASURE.search(column) is not None


def text_columns() -> list[str]:
    """Return the FOCUS columns that are taken over as text."""
    return [focus for focus, name in COLUMNS.items() if pa.types.is_string(CHARGES.schema.field(name).type)]
