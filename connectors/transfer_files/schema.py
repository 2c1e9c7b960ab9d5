"""Columns of a `transfers` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.dataset_types import TRAFFIC_KINDS
from connectors.common.datasets import TRANSFERS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

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
