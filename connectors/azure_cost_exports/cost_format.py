"""Azure's cost files as a bill format: lines in Azure's terms, one format for each view of the bill.

What belongs here: putting names, derivations and tags together. What must not: the rules themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.azure_cost_exports import schema
from connectors.azure_cost_exports.cost_columns import CostView, derive_cost_columns
from connectors.azure_cost_exports.details import build_detail_columns
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.tags import TagReader
from connectors.common.contract import Severity
from connectors.common.identity import Identity
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

_UNREADABLE_TAGS = (
    "Tags are no JSON object: these lines count as untagged; ask Azure support to correct the export"
)


def build_cost_format(
    view: CostView, tag_keys: Mapping[str, tuple[str, ...]], identity: Identity
) -> BillFormat:
    """Return the format of actual or amortized cost files, read as this view of the bill."""

    reader = TagReader(tag_keys, identity)

    def derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        found = derive_cost_columns(view, delivered, typed)
        columns, oddities = dict(found.columns), dict(found.oddities)
        if "AdditionalInfo" in delivered:
            columns |= build_detail_columns(delivered["AdditionalInfo"])
        if "Tags" in delivered:
            tags = reader.build_columns(delivered.encoded("Tags"))
            columns |= tags.columns
            if tags.unreadable_count:
                oddities["unreadable_tags", Severity.WARN.value, _UNREADABLE_TAGS] = tags.unreadable_count
        return DerivedColumns(columns, oddities)

    return BillFormat(
        dataset=AZURE_COST_LINES,
        columns=schema.COLUMNS,
        required=schema.REQUIRED,
        not_null=schema.NOT_NULL,
        is_measure=schema.is_measure,
        schema_version=schema.SCHEMA_VERSION,
        costs=schema.COSTS,
        json_columns=frozenset({"AdditionalInfo", "Tags"}),
        known_not_kept=schema.KNOWN_NOT_KEPT | frozenset(schema.DERIVED_FROM),
        renames=schema.RENAMES,
        derive=derive,
    )
