"""A day of activity → rows of `provider_usage`, and the lines of its bill.

What belongs here: what an item means. What must not: calling OpenRouter, files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from connectors.common.apis.daily_bills import build_period
from connectors.common.apis.report_rows import UnknownFields, read_count, read_number, read_text
from connectors.common.bills.columns import map_distinct, repeat_text
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.datasets import CHARGES
from connectors.common.identity import Identity
from connectors.common.source_files import FileFault
from connectors.openrouter import schema

_DAY = timedelta(days=1)
_MEASURES = frozenset({"usage"})
Item = Mapping[str, Any]


def read_items(content: object, day: date) -> list[dict[str, Any]]:
    """Return the items of an answer. Raises FileFault for what is no activity, or of another day than asked for."""
    items = content.get("data") if isinstance(content, Mapping) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise FileFault(
            "damaged_answer", "/activity: the answer has no list `data` of objects: it is no activity"
        )
    for item in items:
        stated = item.get("date")
        if not isinstance(stated, str) or stated[:10] != day.isoformat():
            raise FileFault(
                "damaged_answer", f"/activity: an item is of another day than {day}; it would count twice"
            )
        read_number(item, "usage", "/activity")
    return items


def mask_user(item: dict[str, Any], identity: Identity) -> dict[str, Any]:
    """Return an item with its user, where it names one, pseudonymised: nothing else of a user is kept, in no file."""
    if item.get("user_id") is None:
        return item
    return {**item, "user_id": identity.pseudonymise(str(item["user_id"]))}


def build_usage_rows(
    items: Sequence[Item], day: date, account_id: str, *, is_final: bool
) -> tuple[list[dict[str, Any]], UnknownFields]:
    """Return the rows of a day and the fields that nobody knows; zeros are left out. FileFault for a bad count."""
    start = datetime.combine(day, time())
    unknown = UnknownFields()
    rows: list[dict[str, Any]] = []
    for item in items:
        unknown.note(item, schema.FIELDS)
        common = {
            "bucket_start": start,
            "bucket_end": start + _DAY,
            "provider": schema.PROVIDER,
            "billing_account_id": account_id,
            "sub_account_id": read_text(item, "workspace_id"),
            "api_key_id": read_text(item, "api_key_hash"),
            "user_id": read_text(item, "user_id"),
            "model": read_text(item, "model_permaslug") or read_text(item, "model"),
            "is_final": is_final,
        }
        for name, kind, token_class, unit in schema.COUNTS:
            read = read_number if unit == schema.CURRENCY else read_count
            quantity = read(item, name, "/activity")
            if quantity:
                counted = {"usage_kind": kind, "token_class": token_class, "quantity": quantity, "unit": unit}
                rows.append({**common, **counted})
    return rows, unknown


def build_lines(items: Sequence[Item], day: date, account_id: str) -> Iterator[dict[str, Any]]:
    """Yield a day's credits as lines; an item without credits (all of it paid with an own key) is no cost."""
    start = datetime.combine(day, time(), UTC)
    for item in items:
        if item.get("usage") is not None:
            absent = dict.fromkeys(("model", "model_permaslug", "endpoint_id", "provider_name"))
            own = {"account_id": account_id, "day_start": start, "day_end": start + _DAY}
            yield {
                **absent,
                **item,
                **{k: v.isoformat() if isinstance(v, datetime) else v for k, v in own.items()},
            }


def build_format() -> BillFormat:
    """Return how kept lines become charges."""
    needed = ("account_id", "day_start", "day_end", "usage")
    return BillFormat(
        dataset=CHARGES,
        columns=schema.COST_COLUMNS,
        required=needed,
        not_null=needed,
        is_measure=_MEASURES.__contains__,
        schema_version=schema.SCHEMA_VERSION,
        costs=("usage",),
        known_not_kept=schema.COST_FIELDS,
        derive=_derive,
    )


def _derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
    start = typed["charge_period_start"]
    models = delivered.encoded("model_permaslug")
    columns: dict[str, pa.Array] = {
        **{name: repeat_text(text, len(start)) for name, text in _CONSTANTS.items()},
        **build_period(start),
        **dict.fromkeys(("effective_cost", "list_cost", "contracted_cost"), typed["billed_cost"]),
        "charge_description": models,
        "sku_id": models,
        "x_publisher_name": map_distinct(models, lambda slug: slug.partition("/")[0]),
        "resource_type": map_distinct(delivered.encoded("endpoint_id"), lambda text: "Endpoint"),
    }
    return DerivedColumns(columns)


_CONSTANTS = {
    "billing_account_type": "Account",
    "billing_currency": schema.CURRENCY,
    "charge_category": "Usage",
    "charge_frequency": "Usage-Based",
    "invoice_issuer_name": schema.ISSUER,
    "service_provider_name": schema.ISSUER,
    "service_name": schema.ISSUER,
    "service_category": "AI and Machine Learning",
    "service_subcategory": "Generative AI",
    "pricing_category": "Standard",
}
