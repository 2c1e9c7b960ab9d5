"""Columns of an events file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import EVENTS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

FORMAT = PlainFormat(
    EVENTS,
    (
        PlainColumn("event_at", Kind.INSTANT, is_required=True),
        PlainColumn("event_kind", is_required=True, choices=("deploy", "scale_up", "restart")),
        PlainColumn("service"),
        PlainColumn("feature"),
        PlainColumn("replica_id"),
        PlainColumn("workload_ref"),
        PlainColumn("detail"),
    ),
)
