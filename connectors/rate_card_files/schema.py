"""Columns of a rate card file.

What belongs here: column names and kinds. What must not: code that reads files, or what a card comes to an hour
(`hourly_costs.py`).
"""

from __future__ import annotations

from connectors.common.datasets import RATE_CARDS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

SCHEMA_VERSION = 1

RESOURCE_KINDS = ("gpu_host", "endpoint", "server", "storage", "network")

FORMAT = PlainFormat(
    RATE_CARDS,
    (
        PlainColumn("resource_id", is_required=True),
        PlainColumn("resource_kind", is_required=True, choices=RESOURCE_KINDS),
        PlainColumn("site"),
        PlainColumn("zone"),
        PlainColumn("currency", is_required=True),
        PlainColumn("valid_from", Kind.INSTANT, is_required=True),
        PlainColumn("valid_to", Kind.INSTANT),
        PlainColumn("capex_amount", Kind.MONEY),
        PlainColumn("residual_value", Kind.MONEY),
        PlainColumn("life_months", Kind.WEIGHT),
        PlainColumn("life_hours", Kind.WEIGHT),
        PlainColumn("power_watts", Kind.MONEY),
        PlainColumn("pue", Kind.MONEY),
        PlainColumn("price_per_kwh", Kind.MONEY),
        PlainColumn("space_per_month", Kind.MONEY),
    ),
    version=SCHEMA_VERSION,
    interval=("valid_from", "valid_to"),
)
