"""A CUR 2.0 file as a bill format: what is taken over, and what is computed from a batch of lines.

What belongs here: billed cost, split rows, principals, and what comes out of AWS's map columns. What must not:
which files form a delivery; FOCUS (that is `models_sql/staging/aws_cur_charges.sql`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache, partial

import pyarrow as pa
import pyarrow.compute as pc

from connectors.aws_data_exports import schema
from connectors.aws_data_exports.cur_tags import SPLIT_COLUMNS, choose_tags, read_map, read_split_tag
from connectors.common.bills.columns import decode_text, encode_text, map_distinct
from connectors.common.bills.contract import BatchColumns, BillFormat, Derive, DerivedColumns
from connectors.common.bills.tags import TagReader
from connectors.common.contract import Severity
from connectors.common.dataset_types import MONEY
from connectors.common.identity import Identity
from connectors.common.vendor_lines.aws_cur import AWS_CUR_ENRICHMENT_LINES, AWS_CUR_LINES

_PRODUCT_KEYS = {
    "product_from_region_code": ("from_region_code",),
    "product_instance_type": ("instance_type",),
    "product_location": ("location",),
    "product_name": ("product_name",),
    "product_product_family": ("product_family",),
    "product_region_code": ("region_code", "region"),
    "product_service_name": ("servicename", "service_name"),
    "product_servicecode": ("servicecode",),
    "product_sku": ("sku",),
    "product_to_region_code": ("to_region_code",),
}
"""Column → keys of the map `product` that hold it where AWS's own column is absent or empty."""

_TAG_SEPARATOR = "\x1e"


def build_cur_format(
    tag_keys: Mapping[str, tuple[str, ...]], identity: Identity, *, carries_cost: bool = True
) -> BillFormat:
    """Return the format of a CUR 2.0 export; without `carries_cost` its lines stand beside another bill."""
    return BillFormat(
        dataset=AWS_CUR_LINES if carries_cost else AWS_CUR_ENRICHMENT_LINES,
        columns=schema.COLUMNS,
        required=schema.REQUIRED,
        not_null=schema.NOT_NULL,
        is_measure=schema.is_measure,
        schema_version=schema.SCHEMA_VERSION,
        costs=("line_item_unblended_cost",),
        json_columns=schema.MAP_COLUMNS,
        known_not_kept=schema.KNOWN_NOT_KEPT,
        derive=_build_derive(tag_keys, identity),
    )


def _build_derive(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> Derive:
    tag_reader = TagReader(tag_keys, identity)

    def derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        oddities = _find_unknown_commitments(typed) | _find_double_discounts(typed)
        oddities |= _find_unknown_types(typed)
        columns = _build_costs(typed) | _build_product_columns(delivered, typed)
        columns |= _build_split_columns(delivered)
        columns["line_item_iam_principal"] = _build_principals(delivered, typed, identity)
        tags = _build_tags(delivered, tag_keys)
        if tags is not None:
            columns |= tag_reader.build_columns(tags).columns
        return DerivedColumns(columns, oddities)

    return derive


def _build_costs(typed: BatchColumns) -> dict[str, pa.Array]:
    """Return the cost on the bill, net where AWS states it, and which rows are shares of another line.

    A discount that is a line of its own comes only in exports without net costs ("manual discount
    compatibility"), so taking net costs line by line counts no discount twice.
    """
    gross = typed["line_item_unblended_cost"]
    net = typed.get("line_item_net_unblended_cost")
    cost = gross if net is None else pc.coalesce(net, gross)
    zero = pa.scalar(0, MONEY)
    is_free = pc.equal(pc.coalesce(cost, zero), zero)
    is_split = pa.array([False] * len(gross), pa.bool_())
    if "line_item_operation" in typed:
        operations = typed["line_item_operation"]
        is_split = pc.is_in(operations, value_set=pa.array(schema.SPLIT_OPERATIONS, pa.string()))
    parents = typed.get("split_line_item_parent_resource_id")
    if parents is not None:
        is_split = pc.or_(is_split, pc.and_(pc.is_valid(parents), is_free))
    return {"billed_cost": pc.if_else(is_split, zero, cost), "is_split_allocation": is_split}


def _build_product_columns(delivered: BatchColumns, typed: BatchColumns) -> dict[str, pa.Array]:
    """Return the columns that AWS's map `product` holds, its own column first where there is one."""
    if "product" not in delivered:
        return {}
    products = delivered.encoded("product")
    columns = {}
    for name, keys in _PRODUCT_KEYS.items():
        stated = map_distinct(products, partial(_read_first, keys=keys))
        own = typed.get(name)
        columns[name] = stated if own is None else pc.coalesce(own, decode_text(stated))
    return columns


def _read_first(text: str, keys: tuple[str, ...]) -> str | None:
    content = read_map(text)
    return next((content[key] for key in keys if content.get(key)), None)


def _build_split_columns(delivered: BatchColumns) -> dict[str, pa.Array]:
    """Return cluster, namespace and workload as AWS tags the rows of pods and tasks."""
    if "resource_tags" not in delivered:
        return {}
    texts = delivered.encoded("resource_tags")
    return {name: map_distinct(texts, partial(read_split_tag, column=name)) for name in SPLIT_COLUMNS}


def _build_principals(delivered: BatchColumns, typed: BatchColumns, identity: Identity) -> pa.Array:
    """Return who called, pseudonymised like every user; null where the export does not tell."""
    if schema.PRINCIPAL not in delivered:
        return pa.nulls(len(typed["line_item_unblended_cost"]), pa.string())
    return map_distinct(delivered.encoded(schema.PRINCIPAL), identity.pseudonymise)


def _build_tags(delivered: BatchColumns, tag_keys: Mapping[str, tuple[str, ...]]) -> pa.Array | None:
    """Return configured tags as JSON text: of resources, cost categories, accounts and principals."""
    present = [name for name in ("resource_tags", "cost_category", "tags") if name in delivered]
    if not present:
        return None
    wanted = tuple(dict.fromkeys(key for keys in tag_keys.values() for key in keys))
    parts = [pc.fill_null(delivered[name], "") for name in present]
    joined = pc.binary_join_element_wise(*parts, _TAG_SEPARATOR)
    return map_distinct(encode_text(joined), partial(_choose_joined, wanted=wanted))


@lru_cache(maxsize=20_000)
def _choose_joined(text: str, wanted: tuple[str, ...]) -> str | None:
    chosen = choose_tags([read_map(part) for part in text.split(_TAG_SEPARATOR)], wanted)
    return json.dumps(chosen, sort_keys=True, ensure_ascii=False) if chosen else None


def _find_unknown_commitments(typed: BatchColumns) -> dict[tuple[str, str, str], int]:
    """Return how many lines of commitments lack what they really cost, by column."""
    kinds = typed["line_item_line_item_type"]
    found = {}
    for kind, column in schema.COMMITMENT_COSTS.items():
        concerned = pc.fill_null(pc.equal(kinds, kind), False)
        costs = typed.get(column)
        missing = concerned if costs is None else pc.and_(concerned, pc.is_null(costs))
        if missing.true_count:
            message = (
                f"{kind} lines without {column}: their effective cost is unknown; add the column to the "
                "export's query"
            )
            found["unknown_commitment_cost", str(Severity.WARN), message] = missing.true_count
    return found


def _find_double_discounts(typed: BatchColumns) -> dict[tuple[str, str, str], int]:
    """Return how many discount lines state no net cost beside lines whose net cost is discounted already."""
    net = typed.get("line_item_net_unblended_cost")
    if net is None:
        return {}
    is_discounted = pc.fill_null(pc.not_equal(net, typed["line_item_unblended_cost"]), False)
    is_discount = pc.fill_null(pc.ends_with(typed["line_item_line_item_type"], "Discount"), False)
    doubted = pc.and_(is_discount, pc.is_null(net))
    if not is_discounted.true_count or not doubted.true_count:
        return {}
    message = (
        "discounts stand in lines of their own and in net costs: they may count twice; leave out "
        "line_item_net_unblended_cost, or switch off INCLUDE_MANUAL_DISCOUNT_COMPATIBILITY"
    )
    return {("doubled_discount", str(Severity.WARN), message): doubted.true_count}


def _find_unknown_types(typed: BatchColumns) -> dict[tuple[str, str, str], int]:
    """Return how many lines are of a type that staging has no rule for."""
    kinds = typed["line_item_line_item_type"]
    is_known = pc.or_(
        pc.is_in(kinds, value_set=pa.array(sorted(schema.LINE_TYPES), pa.string())),
        pc.fill_null(pc.ends_with(kinds, "Discount"), False),
    )
    unknown = pc.invert(is_known).true_count
    if not unknown:
        return {}
    message = (
        "line_item_line_item_type is one that no rule knows: the lines count as adjustments; tell us what "
        "they are"
    )
    return {("unknown_charge_type", str(Severity.WARN), message): unknown}
