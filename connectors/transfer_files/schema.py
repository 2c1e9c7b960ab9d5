"""Columns of a `transfers` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import TRANSFERS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

TRAFFIC_KINDS = (
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
    "other",
)
"""What a flow crosses, as `transfers.traffic_kind` holds it."""

FORMAT = PlainFormat(
    TRANSFERS,
    (
        PlainColumn("window_start", Kind.INSTANT, is_required=True),
        PlainColumn("window_end", Kind.INSTANT, is_required=True),
        PlainColumn("provider", is_required=True),
        PlainColumn("account_id"),
        PlainColumn("traffic_kind", is_required=True, choices=TRAFFIC_KINDS),
        PlainColumn("from_zone"),
        PlainColumn("to_zone"),
        PlainColumn("from_workload_ref"),
        PlainColumn("to_workload_ref"),
        PlainColumn("bytes", Kind.WEIGHT, is_required=True),
        PlainColumn("round_trips_count", Kind.WEIGHT),
    ),
    interval=("window_start", "window_end"),
)
