"""How Oracle's FOCUS reports become `charges`.

What belongs here: what Oracle states in other columns or words than FOCUS. What must not: files and deliveries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import map_distinct
from connectors.common.bills.contract import BatchColumns, BillFormat, Derive, DerivedColumns
from connectors.common.bills.focus_format import build_focus_format, describe_typing
from connectors.common.bills.tags import read_tags
from connectors.common.contract import Severity
from connectors.common.identity import Identity
from connectors.oci_cost_reports import schema

_SEPARATOR = "\x1f"
_NO_EFFECTIVE_COST = (
    "EffectiveCost is empty: taken as BilledCost, for Oracle's reports spread no purchase over other lines"
)


def describe_oracle_typing(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> dict[str, object]:
    """Return the settings that decide how a report is typed, for `SourceLanding(typing=…)`."""
    return {**describe_typing(tag_keys, identity), "oracle_schema": schema.SCHEMA_VERSION}


def build_oracle_format(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> BillFormat:
    """Return the format of Oracle's reports: that of FOCUS files, with Oracle's names and corrections."""
    focus = build_focus_format(tag_keys, identity)
    if focus.derive is None:
        raise ValueError("the format of FOCUS files derives nothing")
    configured = {key for keys in tag_keys.values() for key in keys}
    return replace(
        focus,
        required=schema.REQUIRED,
        is_measure=schema.is_measure,
        costs=("BilledCost", "ListCost"),
        known_not_kept=focus.known_not_kept | schema.KNOWN_NOT_KEPT,
        renames=schema.RENAMES,
        derive=_OracleDerivation(
            focus.derive, tuple(name for name in schema.COMPARTMENT_COLUMNS if name in configured)
        ).derive,
    )


class _OracleDerivation:
    """What FOCUS files derive, and what only Oracle's reports need."""

    def __init__(self, derive_focus: Derive, compartment_tags: tuple[str, ...]) -> None:
        self._derive_focus = derive_focus
        self._compartment_tags = compartment_tags

    def derive(self, delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        names = [name for name in self._compartment_tags if name in delivered]
        focus = self._derive_focus(_WithCompartments(delivered, names) if names else delivered, typed)
        columns, oddities = dict(focus.columns), dict(focus.oddities)
        columns |= _mark_corrections(delivered, typed)
        columns |= _read_credits(delivered, typed)
        effective, filled = _fill_effective_cost(typed)
        columns["effective_cost"] = effective
        oddities["no_effective_cost", Severity.INFO.value, _NO_EFFECTIVE_COST] = filled
        return DerivedColumns(columns, oddities)


class _WithCompartments(BatchColumns):
    """The columns as delivered, but for compartments that stand among the tags."""

    def __init__(self, delivered: BatchColumns, names: list[str]) -> None:
        self._delivered = delivered
        self._names = names

    def encoded(self, name: str) -> pa.DictionaryArray:
        if name != "Tags":
            return self._delivered.encoded(name)
        parts = [self._delivered[part] for part in self._names]
        parts.append(
            self._delivered["Tags"] if "Tags" in self._delivered else pa.nulls(len(parts[0]), pa.string())
        )
        joined = pc.binary_join_element_wise(
            *(pc.fill_null(part, "") for part in parts), _SEPARATOR, null_handling="skip"
        )
        return map_distinct(joined, self._join)

    def _join(self, text: str) -> str:
        *compartments, tags = text.split(_SEPARATOR, len(self._names))
        content = read_tags(tags) if tags else {}
        if content is None:
            return tags
        own = {name: value for name, value in zip(self._names, compartments, strict=True) if value}
        return json.dumps({**content, **own}, ensure_ascii=False)

    def __getitem__(self, name: str) -> pa.Array:
        return self.encoded(name).dictionary_decode() if name == "Tags" else self._delivered[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._delivered, "Tags"]))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _mark_corrections(delivered: BatchColumns, typed: BatchColumns) -> dict[str, pa.Array]:
    """A line that refers back to another corrects it; both stand, and add up to what is owed."""
    if schema.BACK_REFERENCE not in delivered:
        return {}
    is_correction = pc.is_valid(delivered[schema.BACK_REFERENCE])
    nothing = pa.nulls(len(is_correction), pa.string())
    stated = typed["charge_class"] if "charge_class" in typed else nothing
    return {
        "charge_class": pc.if_else(is_correction, "Correction", stated),
        "x_correction_cause": pc.if_else(is_correction, "other", nothing),
    }


def _read_credits(delivered: BatchColumns, typed: BatchColumns) -> dict[str, pa.Array]:
    """FOCUS's preview had credits as adjustments of a subcategory; since 1.0 they are a category."""
    names = [name for name in ("ChargeSubcategory", "ChargeSubCategory") if name in delivered]
    if not names or "charge_category" not in typed:
        return {}
    is_credit = pc.equal(pc.fill_null(delivered[names[0]], ""), "Credit")
    is_adjustment = pc.equal(pc.fill_null(typed["charge_category"], ""), "Adjustment")
    return {
        "charge_category": pc.if_else(pc.and_(is_credit, is_adjustment), "Credit", typed["charge_category"])
    }


def _fill_effective_cost(typed: BatchColumns) -> tuple[pa.Array, int]:
    """Return the effective cost, the billed where none is stated, and on how many lines that was."""
    billed = typed["billed_cost"]
    if "effective_cost" not in typed:
        return billed, len(billed)
    stated = typed["effective_cost"]
    filled = pc.coalesce(stated, billed)
    return filled, stated.null_count - filled.null_count
