"""Columns of a `zones` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import ZONES
from connectors.common.plain_files import PlainColumn, PlainFormat

FORMAT = PlainFormat(
    ZONES,
    (
        PlainColumn("provider", is_required=True),
        PlainColumn("account_id"),
        PlainColumn("zone_name", is_required=True),
        PlainColumn("zone_id"),
        PlainColumn("region_id"),
    ),
)
