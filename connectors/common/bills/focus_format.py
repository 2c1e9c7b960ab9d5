"""How FOCUS 1.0 to 1.4 files become `charges`, whoever delivers them.

What belongs here: FOCUS column names, and the native `x_` columns that clouds add to them. What must not: reading
files, or which of them belong together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import map_distinct, spread_distinct
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.tags import TagReader
from connectors.common.contract import Severity
from connectors.common.datasets import CHARGES
from connectors.common.identity import Identity
from connectors.common.parsing import load_json

SCHEMA_VERSION = 2
"""Raise it when the same bill would be typed differently; every bill is then typed again."""

_OWN = {"charge_id", "tags"}


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


COLUMNS: dict[str, str] = {
    _pascal(name): name for name in CHARGES.schema.names if not name.startswith("x_") and name not in _OWN
}
"""FOCUS column → column of `charges`, for columns that are taken over one to one."""

REQUIRED: tuple[str | tuple[str, ...], ...] = (
    "BilledCost",
    "EffectiveCost",
    "ListCost",
    "ContractedCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
    "ChargeCategory",
    "ServiceName",
    ("ServiceProviderName", "ProviderName"),
)
"""Without these a bill cannot be attributed; a tuple is met by any of its names."""

NOT_NULL = (
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodStart",
    "BillingPeriodEnd",
    "ChargePeriodStart",
    "ChargePeriodEnd",
)
"""A line without one of these has no place in any period: the file is refused."""

COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
"""May be null in a line (reported, kept null, never 0)."""

JSON_COLUMNS = frozenset(
    {
        "AllocatedMethodDetails",
        "AllocatedTags",
        "CommitmentProgramEligibilityDetails",
        "ContractApplied",
        "SkuPriceDetails",
        "Tags",
    }
)
"""Columns of JSON text or nested values: compared, and kept, with sorted keys."""

KNOWN_NOT_KEPT = frozenset({"ProviderName", "PublisherName", "Tags"})
"""FOCUS columns that have no column of their name in `charges`; they are used (see `_FocusDerivation`)."""

NATIVE = frozenset(
    {
        "ConsumedService",
        "PrincipalId",
        "x_ConsumedService",
        "x_InstanceType",
        "x_Operation",
        "x_ResourceType",
        "x_ServiceCode",
        "x_SkuMeterCategory",
        "x_SkuMeterName",
        "x_SkuMeterSubCategory",
    }
)
"""Clouds' own columns that are used (see `_FocusDerivation`); others are reported once and stay in the artifact."""

_MEASURE = re.compile(r"(Cost|Quantity|UnitPrice)$")
_MEASURE_DETAILS = frozenset({"ContractApplied", "AllocatedMethodDetails"})
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*")
_INSTANCE_TYPE = ("InstanceType", "instanceType", "x_InstanceType", "ServiceType")


def is_measure(column: str) -> bool:
    """Tell whether a delivered column holds costs, quantities or prices: what a restatement may change."""
    return column in _MEASURE_DETAILS or _MEASURE.search(column) is not None


def describe_typing(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> dict[str, object]:
    """Return the settings that decide how FOCUS content is typed, for `SourceLanding(typing=…)`."""
    return {
        "schema": SCHEMA_VERSION,
        "tag_keys": {key: list(names) for key, names in sorted(tag_keys.items())},
        "identity": identity.key_id,
    }


def build_focus_format(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> BillFormat:
    """Return the format of FOCUS files; `tag_keys` and `identity` decide what of their tags is kept."""
    return BillFormat(
        dataset=CHARGES,
        columns=COLUMNS,
        required=REQUIRED,
        not_null=NOT_NULL,
        is_measure=is_measure,
        schema_version=SCHEMA_VERSION,
        costs=COSTS,
        json_columns=JSON_COLUMNS,
        known_not_kept=KNOWN_NOT_KEPT | NATIVE,
        derive=_FocusDerivation(TagReader(tag_keys, identity), identity).derive,
    )


class _FocusDerivation:
    """Columns of `charges` that FOCUS files state in another column or shape."""

    def __init__(self, tags: TagReader, identity: Identity) -> None:
        self._tags = tags
        self._identity = identity

    def derive(self, delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        columns: dict[str, pa.Array] = {}
        oddities: dict[tuple[str, str, str], int] = {}
        columns |= _copy_native(delivered)
        columns |= _choose_provider(delivered)
        columns |= _group_skus(delivered)
        columns |= _find_instance_types(delivered)
        columns |= _fill_meter_and_type(delivered)
        _clear_zone_numbers(delivered, columns, oddities)
        if "PrincipalId" in delivered:  # drafts of FOCUS 1.5
            principals = delivered.encoded("PrincipalId")
            columns["x_principal_id"] = map_distinct(principals, self._identity.pseudonymise)
        if "Tags" in delivered:
            tags = self._tags.build_columns(delivered.encoded("Tags"))
            columns |= tags.columns
            message = "Tags are not a JSON object: these lines count as untagged; ask the vendor to correct the export"
            oddities["unreadable_tags", Severity.WARN.value, message] = tags.unreadable_count
        return DerivedColumns(columns, oddities)


def _copy_native(delivered: BatchColumns) -> dict[str, pa.Array]:
    names = {
        "PublisherName": "x_publisher_name",
        "x_ServiceCode": "x_service_code",
        "x_Operation": "x_operation",
    }
    return {target: delivered.encoded(name) for name, target in names.items() if name in delivered}


def _choose_provider(delivered: BatchColumns) -> dict[str, pa.Array]:
    """FOCUS 1.3 renamed ProviderName to ServiceProviderName: older files have the one, some both."""
    if "ProviderName" not in delivered:
        return {}
    return {"service_provider_name": _coalesce(delivered, "ServiceProviderName", "ProviderName")}


def _group_skus(delivered: BatchColumns) -> dict[str, pa.Array]:
    """Azure's meter category and subcategory, as one text."""
    names = [name for name in ("x_SkuMeterCategory", "x_SkuMeterSubCategory") if name in delivered]
    if not names:
        return {}
    joined = pc.binary_join_element_wise(*(delivered[name] for name in names), " / ", null_handling="skip")
    is_empty = pc.equal(pc.binary_length(joined), 0)
    return {"x_sku_group": pc.if_else(is_empty, pa.scalar(None, pa.string()), joined)}


def _find_instance_types(delivered: BatchColumns) -> dict[str, pa.Array]:
    if "x_InstanceType" in delivered:
        return {"x_instance_type": delivered.encoded("x_InstanceType")}
    if "SkuPriceDetails" not in delivered:
        return {}
    return {"x_instance_type": map_distinct(delivered.encoded("SkuPriceDetails"), _read_instance_type)}


@lru_cache(maxsize=20_000)
def _read_instance_type(details: str) -> str | None:
    if not any(name in details for name in _INSTANCE_TYPE):
        return None
    try:
        content = load_json(details)
    except ValueError:
        return None
    values = (content.get(name) for name in _INSTANCE_TYPE) if isinstance(content, dict) else ()
    return next((value for value in values if isinstance(value, str) and value), None)


def _fill_meter_and_type(delivered: BatchColumns) -> dict[str, pa.Array]:
    """Vendors' own columns where FOCUS's are absent or empty."""
    columns: dict[str, pa.Array] = {}
    own = {"sku_meter": ("SkuMeter", "x_SkuMeterName"), "resource_type": ("ResourceType", "x_ResourceType")}
    for target, names in own.items():
        if names[1] in delivered:
            columns[target] = _coalesce(delivered, *names)
    for name in ("x_ConsumedService", "ConsumedService"):
        if name in delivered and "x_ServiceCode" not in delivered:
            columns["x_service_code"] = delivered.encoded(name)
    return columns


def _coalesce(delivered: BatchColumns, *names: str) -> pa.Array:
    present = [name for name in names if name in delivered]
    if len(present) == 1 or delivered.encoded(present[0]).null_count == 0:
        return delivered.encoded(present[0])
    return pc.coalesce(*(delivered[name] for name in present))


def _clear_zone_numbers(
    delivered: BatchColumns, columns: dict[str, pa.Array], oddities: dict[tuple[str, str, str], int]
) -> None:
    """Take out availability zones that are numbers (some exports write a price there)."""
    if "AvailabilityZone" not in delivered:
        return
    zones = delivered.encoded("AvailabilityZone")
    values = zones.dictionary.to_pylist()
    is_number = [_NUMBER.fullmatch(value) is not None for value in values]
    if not any(is_number):
        return
    cleared = pa.array(
        [None if bad else value for value, bad in zip(values, is_number, strict=True)], pa.string()
    )
    columns["availability_zone"] = spread_distinct(cleared, zones.indices)
    message = (
        "AvailabilityZone holds a number, not a zone: taken as unknown; ask the vendor to correct the export"
    )
    count = columns["availability_zone"].null_count - zones.null_count
    oddities["zone_is_number", Severity.WARN.value, message] = count
