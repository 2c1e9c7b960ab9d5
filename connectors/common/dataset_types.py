"""What a dataset of the lake is, and the Arrow types of its columns.

What belongs here: types that every dataset shares. What must not: a dataset's columns (`datasets.py`,
`vendor_lines/`).

Money and quantities are DECIMAL(38,12), rounded half up at 12 digits on landing. Times are UTC
timestamps without zone; intervals are half open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

MONEY = pa.decimal128(38, 12)
QUANTITY = pa.decimal128(38, 12)
RATE = pa.decimal128(18, 12)
FX_RATE = pa.decimal128(18, 9)
SECONDS = pa.decimal128(18, 6)
TEXT = pa.string()
COUNT = pa.int64()
FLAG = pa.bool_()
DAY = pa.date32()
INSTANT = pa.timestamp("us")

ATTRIBUTION_KEYS = (
    "user_id",
    "tenant",
    "customer",
    "team",
    "feature",
    "endpoint",
    "workflow",
    "agent",
    "agent_step",
    "environment",
)
"""The dimensions a cost can be attributed to, in the order that an owner id digests them."""

TAGGED_KEYS = ("user_id", "tenant", "customer", "team", "feature", "endpoint", "workflow", "environment")
"""The attribution keys that a bill's tags can carry (`x_tag_<key>` on charges)."""

TrafficKind = Literal[
    "inter_az",
    "inter_region",
    "internet",
    "inbound",
    "nat",
    "private_link",
    "cdn",
    "peering",
    "transit",
    "vpn",
    "direct_connect",
    "load_balancer",
    "same_zone",
    "other",
]
"""What bytes crossed, as `traffic_kind` of flows and of bill lines holds it; clouds bill no bytes in one zone."""

TRAFFIC_KINDS: tuple[str, ...] = get_args(TrafficKind)

LINE_COLUMNS: dict[str, pa.DataType] = {
    "charge_id": TEXT,
    "x_line_key": TEXT,
    "x_occurrence": COUNT,
    "x_source": TEXT,
    "x_snapshot_id": TEXT,
    "x_source_file": TEXT,
}
"""Columns that every dataset of bill lines begins with: the landing fills them in."""


@dataclass(frozen=True)
class Dataset:
    """One canonical dataset.

    `partition` says which column decides the lake partition of a row: `("started_at", "day")` means
    the UTC day of `started_at`, `("billing_period_start", "month")` the month; None means one
    partition, `all`.
    """

    name: str
    schema: pa.Schema
    partition: tuple[str, str] | None = None


def build_schema(**columns: pa.DataType) -> pa.Schema:
    """Return a schema of these columns, in this order."""
    return pa.schema(list(columns.items()))
