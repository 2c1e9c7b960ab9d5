"""Columns of a capacity file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import CAPACITY
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

FORMAT = PlainFormat(
    CAPACITY,
    (
        PlainColumn("hour_start", Kind.HOUR, is_required=True),
        PlainColumn("resource_id", is_required=True),
        PlainColumn("replica_id"),
        PlainColumn("provider"),
        PlainColumn("account_id"),
        PlainColumn("capacity_kind", is_required=True, choices=("gpu_host", "endpoint", "ptu")),
        PlainColumn("model"),
        PlainColumn("zone"),
        PlainColumn("provisioned_seconds", Kind.WEIGHT, is_required=True, at_most=3600),
        PlainColumn("provisioned_units", Kind.WEIGHT),
        PlainColumn("busy_seconds", Kind.WEIGHT),
        PlainColumn(
            "busy_basis", choices=("requests", "stated", "utilisation", "allocation"), default="stated"
        ),
        PlainColumn("requests", Kind.WEIGHT),
        PlainColumn("input_tokens", Kind.WEIGHT),
        PlainColumn("cache_read_tokens", Kind.WEIGHT),
        PlainColumn("output_tokens", Kind.WEIGHT),
    ),
    part=("busy_seconds", "provisioned_seconds"),
)
