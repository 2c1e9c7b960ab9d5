"""Columns of a `telemetry` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import TELEMETRY
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

FORMAT = PlainFormat(
    TELEMETRY,
    (
        PlainColumn("window_start", Kind.INSTANT, is_required=True),
        PlainColumn("window_end", Kind.INSTANT, is_required=True),
        PlainColumn("provider", is_required=True),
        PlainColumn("account_id"),
        PlainColumn("signal", is_required=True, choices=("log", "metric", "trace", "drift")),
        PlainColumn("workload_ref", is_required=True),
        PlainColumn("volume_bytes", Kind.WEIGHT),
        PlainColumn("volume_count", Kind.WEIGHT),
    ),
    interval=("window_start", "window_end"),
)
