"""How late a vendor's bill is: when its days are complete, and when its billing periods are closed.

What belongs here: one row a connector, with what the vendor documents. What must not: reading bills, or what an
issuer itself says about a period (dataset `billing_periods`, which wins).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Lateness:
    """A day is complete once a delivery follows its end by `complete_after_hours`; a billing period is closed
    `closed_after_days` after its end, if its bill was delivered since."""

    complete_after_hours: int
    closed_after_days: int
    adds_up: bool = False
    """Deliveries hold what was exported in a window, whatever month it is of: the newest one tells how far all
    months of the source are known, not only those that it has rows of."""


DEFAULT = Lateness(complete_after_hours=24, closed_after_days=4)
"""FOCUS files of whomever: nothing is documented, so a day and four days, as most issuers keep to."""

OVERDUE_AFTER = timedelta(days=3)
"""A bill this much later than its vendor's usual is late: somebody should look."""

LATENESS: Mapping[str, Lateness] = {
    "focus_files": DEFAULT,
    # AWS updates the month several times a day and finalises it in the two weeks that follow.
    "aws_data_exports": Lateness(24, 14),
    # Azure restates for 72 hours after the month's end, with corrections up to its fifth day.
    "azure_cost_exports": Lateness(24, 5),
    # Google guarantees nothing; what comes later is an adjustment. Invoices are issued within ten days.
    "gcp_billing": Lateness(24, 10, adds_up=True),
    # Oracle's reports are complete within a day; its month is rated within a week.
    "oci_cost_reports": Lateness(24, 7),
    # Model providers state no finality, so days are read again for a week; a day is a delivery of its own, and the
    # newest tells how far all are known.
    "openai": Lateness(24, 8, adds_up=True),
    "anthropic": Lateness(24, 8, adds_up=True),
    "openrouter": Lateness(24, 5, adds_up=True),
}


def find_lateness(connector: str) -> Lateness:
    """Return what is documented of a connector's vendor, else the default."""
    return LATENESS.get(connector, DEFAULT)
