"""The tables of docs/focus_mapping.md, made from the bill schema, the column dictionary and the export models.

What belongs here: since which FOCUS version a column exists, and rendering it as Markdown. Run it to write
them anew: `python -m pipelines.focus_mapping docs/focus_mapping.md`. What must not: reading bills (that is
`connectors.focus_files`), prose (it stands in the page itself).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.billing_period_files.schema import FORMAT as BILLING_PERIOD
from connectors.common.datasets import CHARGES
from connectors.common.plain_files import PlainFormat
from connectors.focus_files.schema import COLUMNS, KNOWN_NOT_KEPT, REQUIRED
from connectors.invoice_files.schema import FORMAT as INVOICE_DETAIL
from pipelines.focus_given import NOTES, PASSED_THROUGH
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.relations import duckdb_columns
from pipelines.warehouse.table_docs import read_models, replace_part

FIRST_VERSION = "1.0"
ADDED: Mapping[str, tuple[str, ...]] = {
    "1.1": (
        "CapacityReservationId",
        "CapacityReservationStatus",
        "CommitmentDiscountQuantity",
        "CommitmentDiscountUnit",
        "ServiceSubcategory",
        "SkuMeter",
        "SkuPriceDetails",
    ),
    "1.2": (
        "BillingAccountType",
        "InvoiceId",
        "PricingCurrency",
        "PricingCurrencyContractedUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
        "SubAccountType",
    ),
    "1.3": (
        "AllocatedMethodDetails",
        "AllocatedMethodId",
        "AllocatedResourceId",
        "AllocatedResourceName",
        "AllocatedTags",
        "ContractApplied",
        "HostProviderName",
        "ServiceProviderName",
    ),
    "1.4": ("CommitmentProgramEligibilityDetails", "InvoiceDetailId"),
}
"""FOCUS columns of Cost and Usage by the version that added them; every other column is in 1.0."""

REMOVED: Mapping[str, str] = {"ProviderName": "1.4", "PublisherName": "1.4"}
"""FOCUS columns that a version took away; both are deprecated since 1.3."""

EXPORTED = ("1.2", "1.3", "1.4")
"""Versions that are given back, oldest first; each is a model `exports.focus_<version>`."""

_INSTEAD = {
    "ProviderName": "`service_provider_name` where the bill has no ServiceProviderName",
    "Tags": "`tags` and `x_tag_*`, of the configured keys only",
}


def added_in(column: str) -> str:
    """The FOCUS version that first had a column."""
    return next((version for version, names in ADDED.items() if column in names), FIRST_VERSION)


def columns_of(version: str) -> frozenset[str]:
    """The columns of Cost and Usage in a FOCUS version, of those that are known here."""
    known = {*COLUMNS, *KNOWN_NOT_KEPT}
    return frozenset(
        column
        for column in known
        if _order(added_in(column)) <= _order(version)
        and not (column in REMOVED and _order(REMOVED[column]) <= _order(version))
    )


def _order(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def render_mapping(models: ModelSet) -> str:
    """Tables of the columns taken over one to one, FOCUS columns that are not, those of the two datasets beside the
    bill, columns of our own, and what is given back."""
    types = duckdb_columns(CHARGES.schema)
    taken = [
        (f"`{ours}`", f"`{focus}`", _versions(focus), types[ours], _without(focus))
        for focus, ours in sorted(COLUMNS.items())
    ]
    kept_out = [(f"`{focus}`", _versions(focus), _INSTEAD.get(focus, "")) for focus in sorted(KNOWN_NOT_KEPT)]
    own = [
        (f"`{name}`", types[name], models.dictionary[name].meaning)
        for name in CHARGES.schema.names
        if name not in COLUMNS.values()
    ]
    return "\n\n".join(
        [
            "## Taken over one to one",
            _table(("our column", "FOCUS column", "in versions", "type", "a bill without it"), taken),
            "## Known, and not a column of `charges`",
            _table(("FOCUS column", "in versions", "instead"), kept_out),
            "## Invoice Detail",
            _render_plain(INVOICE_DETAIL),
            "## Billing Period",
            _render_plain(BILLING_PERIOD),
            "## Our own columns",
            _table(("our column", "type", "meaning"), own),
            "## Given back",
            _table(("FOCUS column", "in", "from `core.charge_parts`", "how"), _render_given(models)),
            "## Given back beside FOCUS",
            _table(("column", "from `core.charge_parts`", "meaning"), _render_given_own(models)),
        ]
    )


def _render_plain(plain: PlainFormat) -> str:
    """The columns of a FOCUS dataset that a plain file may have, and their plain names."""
    types = duckdb_columns(plain.dataset.schema)
    rows = []
    for column in plain.columns:
        focus = [f"`{alias}`" for alias in column.aliases if alias[0].isupper()]
        other = [f"`{alias}`" for alias in column.aliases if not alias[0].isupper()]
        without = "is refused" if column.is_required else f"is read; {column.default or 'null'}"
        rows.append(
            (f"`{column.name}`", *(", ".join(names) for names in (focus, other)), types[column.name], without)
        )
    return _table(("our column", "FOCUS column", "or", "type", "a file without it"), rows)


def exported_columns(models: ModelSet, version: str) -> dict[str, str]:
    """Column of an export → the column of core.charge_parts that it is, as its SELECT says."""
    sql = models[f"exports.focus_{version.replace('.', '_')}"].sql
    return {column: source for source, column in re.findall(r'parts\.(\w+) as "(\w+)"', sql)}


def _render_given(models: ModelSet) -> list[tuple[str, str, str, str]]:
    by_version = {version: exported_columns(models, version) for version in EXPORTED}
    sources = {column: source for columns in by_version.values() for column, source in columns.items()}
    return [
        (
            f"`{column}`",
            ", ".join(version for version in EXPORTED if column in by_version[version]),
            f"`{source}`",
            NOTES.get(column, PASSED_THROUGH),
        )
        for column, source in sorted(sources.items())
        if not column.startswith("x_")
    ]


def _render_given_own(models: ModelSet) -> list[tuple[str, str, str]]:
    own = exported_columns(models, EXPORTED[-1]).items()
    return [
        (f"`{column}`", f"`{source}`", models.dictionary[source].meaning)
        for column, source in own
        if column.startswith("x_")
    ]


def _without(column: str) -> str:
    for names in REQUIRED:
        if column == names:
            return "is refused"
        if column in names and not isinstance(names, str):
            others = ", ".join(f"`{name}`" for name in names if name != column)
            return f"is refused, unless it has {others}"
    return "is read; null"


def _versions(column: str) -> str:
    first, gone = added_in(column), REMOVED.get(column)
    if gone:
        return f"{first} until before {gone}"
    return first if first == "1.4" else f"{first}–1.4"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def render_page(page: str, models: ModelSet) -> str:
    """The page with its tables made anew."""
    return replace_part(page, "mapping", "pipelines/focus_mapping.py", render_mapping(models))


def main(arguments: Sequence[str]) -> None:
    """Write the tables into the page named."""
    page = Path(arguments[0])
    page.write_text(render_page(page.read_text(encoding="utf-8"), read_models()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
