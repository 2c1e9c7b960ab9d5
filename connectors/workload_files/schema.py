"""Columns of a `workloads` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import WORKLOADS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

REF_KINDS = ("address", "eni", "pod", "instance", "log_group", "index", "resource", "service")
"""What a workload reference can be, as `workloads.ref_kind` holds it."""

FORMAT = PlainFormat(
    WORKLOADS,
    (
        PlainColumn("workload_ref", is_required=True),
        PlainColumn("ref_kind", is_required=True, choices=REF_KINDS),
        PlainColumn("service"),
        PlainColumn("feature"),
        PlainColumn("endpoint"),
        PlainColumn("team"),
        PlainColumn("environment"),
        PlainColumn("zone"),
        PlainColumn("valid_from", Kind.INSTANT),
        PlainColumn("valid_to", Kind.INSTANT),
    ),
    interval=("valid_from", "valid_to"),
)
