"""What the flat rows of the export mean as `gcp_cost_lines`.

What belongs here: the bill format, and columns computed from several fields. What must not: reading rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import decode_text
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.tags import TagReader
from connectors.common.contract import Severity
from connectors.common.dataset_types import INSTANT, MONEY
from connectors.common.identity import Identity
from connectors.common.lateness import find_lateness
from connectors.common.parsing import EXACT, round_decimal
from connectors.common.source_files import FileFault
from connectors.common.vendor_lines.gcp_billing import (
    CREDIT_COLUMNS,
    CREDIT_TYPES,
    GCP_COST_LINES,
    credit_column,
)
from connectors.gcp_billing import schema

PACIFIC = ZoneInfo("America/Los_Angeles")
"""Google's invoice months are months in this zone."""

_CLOSED_AFTER = timedelta(days=find_lateness("gcp_billing").closed_after_days)
_COMMITMENTS = ("COMMITTED_USAGE_DISCOUNT", "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE")
_SUMMABLE = pa.decimal128(36, 12)
_MACHINE = "compute.googleapis.com/machine_spec"
_CORES = "compute.googleapis.com/cores"
_MEMORY = "compute.googleapis.com/memory"
_Row = dict[str, Any]


def build_format(tag_keys: Mapping[str, tuple[str, ...]], identity: Identity) -> BillFormat:
    """Return how flat rows become lines, with these tag keys taken over and users pseudonymised."""
    tags = TagReader(tag_keys, identity)

    def derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
        return _derive(delivered, typed, tags)

    return BillFormat(
        dataset=GCP_COST_LINES,
        columns=schema.COLUMNS,
        required=tuple(schema.KINDS),
        not_null=schema.NOT_NULL,
        is_measure=schema.is_measure,
        schema_version=schema.SCHEMA_VERSION,
        costs=("cost",),
        json_columns=frozenset(schema.LIST_FIELDS),
        known_not_kept=frozenset(schema.LIST_FIELDS),
        derive=derive,
    )


def pacific_month(month: str) -> tuple[datetime, datetime]:
    """Return start and end of an invoice month (YYYYMM) in UTC: Pacific midnights, 07:00 or 08:00 UTC.

    Raises ValueError for anything else.
    """
    if len(month) != 6 or not month.isdigit():
        raise ValueError("not a month as YYYYMM")
    first = datetime(int(month[:4]), int(month[4:]), 1, tzinfo=PACIFIC)
    following = (first + timedelta(days=32)).replace(day=1)
    return _to_utc(first), _to_utc(following)


def _to_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _derive(delivered: BatchColumns, typed: BatchColumns, tags: TagReader) -> DerivedColumns:
    columns = _build_periods(typed.encoded("invoice_month"))
    columns["is_period_closed"] = _is_closed(typed["charge_period_start"], typed["export_at"])
    credit_columns, unknown = _build_credits(delivered.encoded("credits"))
    columns |= credit_columns
    columns["billed_cost"] = _sum([typed["cost"], *(columns[name] for name in CREDIT_COLUMNS)])
    columns |= _build_machine(delivered["system_labels"], decode_text(typed["consumption_model_description"]))
    columns |= tags.build_columns(_merge_labels(delivered)).columns
    issuer = pa.repeat(pa.scalar(schema.ISSUER, pa.string()), len(typed["cost"]))
    columns["invoice_issuer_name"] = issuer
    message = "credits of a type that is not known lower the cost of their line (other_credit)"
    oddities = {("unknown_credit_type", Severity.INFO.value, message): unknown} if unknown else {}
    return DerivedColumns(columns, oddities)


def _map_distinct(
    column: pa.Array, build: Callable[[Any], _Row], kinds: Mapping[str, pa.DataType]
) -> dict[str, pa.Array]:
    """Return one array a name of `kinds`: what `build` says about each distinct value, nulls left out."""
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    rows = [build(value) for value in encoded.dictionary.to_pylist()]
    return {
        name: pa.array([row.get(name) for row in rows], kind).take(encoded.indices)
        for name, kind in kinds.items()
    }


def _build_periods(months: pa.Array) -> dict[str, pa.Array]:
    def build(month: str) -> _Row:
        try:
            start, end = pacific_month(month)
        except ValueError as error:
            message = "column invoice.month is no month as YYYYMM; export it again"
            raise FileFault("unparsable_value", message, column="invoice.month") from error
        return {"billing_period_start": start, "billing_period_end": end}

    return _map_distinct(months, build, {"billing_period_start": INSTANT, "billing_period_end": INSTANT})


def _is_closed(started: pa.Array, exported: pa.Array) -> pa.Array:
    """Tell whether the month of the usage was invoiced when its row was exported."""

    def build(moment: datetime) -> _Row:
        month = moment.replace(tzinfo=UTC).astimezone(PACIFIC)
        end = pacific_month(f"{month:%Y%m}")[1]
        return {"closes": end + _CLOSED_AFTER}

    closes = _map_distinct(started, build, {"closes": INSTANT})["closes"]
    return pc.greater_equal(exported, closes)


def _build_credits(credits: pa.Array) -> tuple[dict[str, pa.Array], int]:
    """Return the sums of the credits by type, their JSON, the names of some, and how many types are unknown."""
    unknown = 0

    def build(text: str) -> _Row:
        nonlocal unknown
        sums: dict[str, Decimal] = {}
        promotions: set[str] = set()
        commitments: set[str] = set()
        for credit in json.loads(text):
            kind = credit.get("type", "")
            column = credit_column(kind) if kind in CREDIT_TYPES else "other_credit"
            amount = round_decimal(Decimal(credit.get("amount", "0")))
            sums[column] = EXACT.add(sums.get(column, Decimal(0)), amount)
            unknown += kind not in (*CREDIT_TYPES, "CREDIT_TYPE_UNSPECIFIED", "")
            if kind == "PROMOTION":
                promotions.add(_credit_name(credit, kind))
            elif kind in _COMMITMENTS:
                commitments.add(_credit_name(credit, kind))
        return {**sums, "credits": text, **_joined(promotion_names=promotions, commitment_names=commitments)}

    texts = dict.fromkeys(("credits", "promotion_names", "commitment_names"), pa.string())
    kinds = {**dict.fromkeys(CREDIT_COLUMNS, MONEY), **texts}
    columns = _map_distinct(credits, build, kinds)
    for name in CREDIT_COLUMNS:
        columns[name] = pc.fill_null(columns[name], Decimal(0))
    return columns, unknown


def _credit_name(credit: Mapping[str, str], kind: str) -> str:
    return credit.get("full_name") or credit.get("name") or credit.get("id") or kind


def _joined(**names: set[str]) -> dict[str, str | None]:
    return {column: "; ".join(sorted(found)) or None for column, found in names.items()}


def _sum(columns: list[pa.Array]) -> pa.Array:
    total = columns[0]
    for column in columns[1:]:
        total = pc.add(total.cast(_SUMMABLE), column.cast(_SUMMABLE)).cast(MONEY)
    return total


def _build_machine(system_labels: pa.Array, models: pa.Array) -> dict[str, pa.Array]:
    """Return the machine type, and what FOCUS calls details of the price: machine and consumption model."""

    def build(text: str) -> _Row:
        labels_text, _, model = text.partition("\x1f")
        labels = {item["key"]: item.get("value") for item in json.loads(labels_text or "[]")}
        details: dict[str, object] = {}
        if str(labels.get(_CORES) or "").isdigit():
            details["CoreCount"] = int(labels[_CORES])
        if labels.get(_MACHINE):
            details["InstanceType"] = labels[_MACHINE]
        if str(labels.get(_MEMORY) or "").isdigit():
            megabytes = int(labels[_MEMORY])
            details["MemorySize"] = megabytes // 1024 if megabytes % 1024 == 0 else megabytes / 1024
        if model:
            details["x_ConsumptionModel"] = model
        written = json.dumps(details, sort_keys=True, ensure_ascii=False) if details else None
        return {"instance_type": labels.get(_MACHINE), "sku_price_details": written}

    signature = pc.binary_join_element_wise(pc.fill_null(system_labels, ""), pc.fill_null(models, ""), "\x1f")
    return _map_distinct(signature, build, {"instance_type": pa.string(), "sku_price_details": pa.string()})


def _merge_labels(delivered: BatchColumns) -> pa.Array:
    """Return all labels and tags of each line as one JSON object.

    Labels keep their key; labels of the project are `project/<key>`, system labels `system/<key>`, tags of
    the resource manager `tag/<namespace>/<key>`.
    """

    def build(signature: str) -> _Row:
        texts = [json.loads(text or "[]") for text in signature.split("\x1f")]
        own, project, system, tags = texts
        merged = {f"system/{item['key']}": item.get("value", True) for item in system if "key" in item}
        merged |= {f"project/{item['key']}": item.get("value", True) for item in project if "key" in item}
        merged |= {_tag_key(item): item.get("value", True) for item in tags if "key" in item}
        merged |= {item["key"]: item.get("value", True) for item in own if "key" in item}
        return {"labels": json.dumps(merged, sort_keys=True, ensure_ascii=False) if merged else None}

    names = ("labels", "project.labels", "system_labels", "tags")
    signature = pc.binary_join_element_wise(*(pc.fill_null(delivered[name], "") for name in names), "\x1f")
    return _map_distinct(signature, build, {"labels": pa.string()})["labels"]


def _tag_key(item: Mapping[str, str]) -> str:
    return "/".join(part for part in ("tag", item.get("namespace"), item["key"]) if part)
