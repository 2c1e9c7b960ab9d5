"""Azure's FOCUS files: FOCUS, with what Azure's own export is known to get wrong put right or told.

What belongs here: faults of Azure's exports (Microsoft's conformance summary, FinOps toolkit). What must not: FOCUS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.azure_cost_exports.cost_columns import first_of_month, first_of_next_month, map_instants
from connectors.common.bills.columns import decode_text, map_distinct
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.focus_format import build_focus_format
from connectors.common.contract import Severity
from connectors.common.dataset_types import MONEY
from connectors.common.identity import Identity

PLACEHOLDERS = frozenset({"-2", "unassigned"})
"""What Azure writes for nothing."""

_NAMES = (
    "availability_zone",
    "billing_account_name",
    "commitment_discount_id",
    "commitment_discount_name",
    "invoice_id",
    "region_id",
    "region_name",
    "resource_id",
    "resource_name",
    "resource_type",
    "service_name",
    "sku_id",
    "sku_meter",
    "sku_price_id",
    "sub_account_id",
    "sub_account_name",
    "x_publisher_name",
)
_LOWERED = frozenset({"resource_id", "commitment_discount_id"})
_ZERO = pa.scalar(Decimal(0), MONEY)


def build_azure_focus_format(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> BillFormat:
    """Return the format of the files of a FocusCost export (1.0 to 1.2)."""
    base = build_focus_format(tag_keys, identity)

    def derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        found = DerivedColumns({}) if base.derive is None else base.derive(delivered, typed)
        columns = dict(found.columns)
        oddities = {**found.oddities, **_find_zero_costs(typed)}
        columns |= _clean_names(typed, columns)
        columns |= _fill_service(delivered, typed, columns)
        columns |= _straighten_periods(typed, oddities)
        return DerivedColumns(columns, oddities)

    return replace(base, derive=derive)


def _clean_names(typed: BatchColumns, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    """Take out placeholders; ids that Azure spells in several ways get one spelling."""
    cleaned = {}
    for name in _NAMES:
        values = columns[name] if name in columns else typed.get(name)
        if values is not None:
            is_lowered = name in _LOWERED
            cleaned[name] = map_distinct(values, lambda text, low=is_lowered: _clean(text, is_lowered=low))
    return cleaned


def _clean(text: str, *, is_lowered: bool) -> str | None:
    if text.strip().lower() in PLACEHOLDERS:
        return None
    return text.lower() if is_lowered else text


def _fill_service(
    delivered: BatchColumns, typed: BatchColumns, columns: Mapping[str, pa.Array]
) -> dict[str, pa.Array]:
    """Some purchases name no service; their meter category does."""
    services = columns.get("service_name", typed.get("service_name"))
    if services is None or "x_SkuMeterCategory" not in delivered:
        return {}
    return {"service_name": pc.coalesce(decode_text(services), delivered["x_SkuMeterCategory"])}


def _straighten_periods(
    typed: BatchColumns, oddities: dict[tuple[str, str, str], int]
) -> dict[str, pa.Array]:
    """Billing periods are whole months, whatever day Azure writes."""
    starts, ends = typed["billing_period_start"], typed["billing_period_end"]
    straight = map_instants(starts, first_of_month)
    following = map_instants(starts, first_of_next_month)
    is_off = pc.or_(pc.not_equal(starts, straight), pc.not_equal(ends, following))
    if is_off.true_count:
        message = (
            "BillingPeriodStart or BillingPeriodEnd is no first of a month: the month of the start is taken"
        )
        oddities["billing_period_straightened", Severity.INFO.value, message] = is_off.true_count
    return {"billing_period_start": straight, "billing_period_end": following}


def _find_zero_costs(typed: BatchColumns) -> dict[tuple[str, str, str], int]:
    found = {}
    effective = typed.get("effective_cost")
    for column, name in (("contracted_cost", "ContractedCost"), ("list_cost", "ListCost")):
        values = typed.get(column)
        if values is None or effective is None:
            continue
        is_zero = pc.and_(pc.equal(values, _ZERO), pc.not_equal(effective, _ZERO))
        if is_zero.true_count:
            message = (
                f"{name} is 0 where EffectiveCost is not (Azure states none for Marketplace and for usage under a "
                "reservation): kept, so savings cannot be told from it"
            )
            found["zero_reference_cost", Severity.INFO.value, message] = is_zero.true_count
    return found
