"""Rows of a Google Cloud billing export, in the types that BigQuery delivers, and as its extracts write them.

What belongs here: building rows. What must not: cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

ACCOUNT = "01ABCD-234567-89EF01"
TABLE = "finops.billing.gcp_billing_export_resource_v1_01ABCD_234567_89EF01"

_TEXT, _FLOAT, _NUMERIC = pa.string(), pa.float64(), pa.decimal128(38, 9)
_TIME = pa.timestamp("us", "UTC")


def _record(kind: pa.DataType, *names: str) -> pa.DataType:
    return pa.struct([(name, kind) for name in names])


_LABELS = pa.list_(_record(_TEXT, "key", "value"))

SCHEMA = pa.schema(
    [
        ("billing_account_id", _TEXT),
        ("service", _record(_TEXT, "id", "description")),
        ("sku", _record(_TEXT, "id", "description")),
        ("usage_start_time", _TIME),
        ("usage_end_time", _TIME),
        (
            "project",
            pa.struct(
                [
                    ("id", _TEXT),
                    ("number", _TEXT),
                    ("name", _TEXT),
                    ("labels", _LABELS),
                    ("ancestry_numbers", _TEXT),
                    ("ancestors", pa.list_(_record(_TEXT, "resource_name", "display_name"))),
                ]
            ),
        ),
        ("labels", _LABELS),
        ("system_labels", _LABELS),
        ("location", _record(_TEXT, "location", "country", "region", "zone")),
        ("resource", _record(_TEXT, "name", "global_name")),
        (
            "tags",
            pa.list_(
                pa.struct([("key", _TEXT), ("value", _TEXT), ("inherited", pa.bool_()), ("namespace", _TEXT)])
            ),
        ),
        (
            "price",
            pa.struct(
                [
                    ("effective_price", _NUMERIC),
                    ("tier_start_amount", _NUMERIC),
                    ("unit", _TEXT),
                    ("pricing_unit_quantity", _NUMERIC),
                    ("list_price", _NUMERIC),
                    ("effective_price_default", _NUMERIC),
                    ("list_price_consumption_model", _NUMERIC),
                ]
            ),
        ),
        ("cost", _FLOAT),
        ("currency", _TEXT),
        ("currency_conversion_rate", _FLOAT),
        (
            "usage",
            pa.struct(
                [
                    ("amount", _FLOAT),
                    ("unit", _TEXT),
                    ("amount_in_pricing_units", _FLOAT),
                    ("pricing_unit", _TEXT),
                ]
            ),
        ),
        (
            "credits",
            pa.list_(
                pa.struct(
                    [
                        ("name", _TEXT),
                        ("amount", _FLOAT),
                        ("full_name", _TEXT),
                        ("id", _TEXT),
                        ("type", _TEXT),
                    ]
                )
            ),
        ),
        ("invoice", _record(_TEXT, "month", "publisher_type")),
        ("cost_type", _TEXT),
        ("adjustment_info", _record(_TEXT, "id", "description", "mode", "type")),
        ("export_time", _TIME),
        ("seller_name", _TEXT),
        ("transaction_type", _TEXT),
        ("subscription", _record(_TEXT, "instance_id")),
        ("cost_at_list", _FLOAT),
        ("cost_at_effective_price_default", _FLOAT),
        ("cost_at_list_consumption_model", _FLOAT),
        ("consumption_model", _record(_TEXT, "id", "description")),
    ]
)
"""The detailed export as the BigQuery Storage Read API types it."""

STANDARD_SCHEMA = pa.schema([column for column in SCHEMA if column.name != "resource"])


def moment(text: str) -> datetime:
    """Return a UTC time of an ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(
    cost: float, description: str = "N2 Instance Core running in Americas", **values: Any
) -> dict[str, Any]:
    """A row of the export; dotted keys with `__` for the dot (`usage__amount=3`) set one field of a record."""
    made: dict[str, Any] = {
        "billing_account_id": ACCOUNT,
        "service": {"id": "6F81-5844-456A", "description": "Compute Engine"},
        "sku": {"id": f"SKU-{abs(hash_text(description)):06d}", "description": description},
        "usage_start_time": moment("2026-11-03T10:00:00"),
        "usage_end_time": moment("2026-11-03T11:00:00"),
        "project": {"id": "shop", "number": "42", "name": "Shop", "labels": [], "ancestors": []},
        "labels": [],
        "system_labels": [],
        "location": {
            "location": "us-central1",
            "country": "US",
            "region": "us-central1",
            "zone": "us-central1-a",
        },
        "resource": {"name": None, "global_name": None},
        "tags": [],
        "price": {"tier_start_amount": Decimal(0), "pricing_unit_quantity": Decimal(1)},
        "cost": cost,
        "currency": "USD",
        "currency_conversion_rate": 1.0,
        "usage": {},
        "credits": [],
        "invoice": {"month": "202611", "publisher_type": "GOOGLE"},
        "cost_type": "regular",
        "adjustment_info": None,
        "export_time": moment("2026-11-03T15:00:00"),
        "transaction_type": "GOOGLE",
        "cost_at_list": cost,
    }
    for name, value in values.items():
        top, _, inner = name.partition("__")
        if inner:
            made[top] = {**(made.get(top) or {}), inner: value}
        else:
            made[top] = value
    return made


def hash_text(text: str) -> int:
    """A small number that a text always has."""
    return sum(place * code for place, code in enumerate(text.encode(), start=1)) % 1_000_000


def credit(kind: str, amount: float, name: str | None = None) -> dict[str, Any]:
    """One credit of a row."""
    return {"name": name or kind.lower(), "amount": amount, "full_name": name, "id": None, "type": kind}


def labels(**values: str) -> list[dict[str, str]]:
    """Labels as the export writes them."""
    return [{"key": key, "value": value} for key, value in values.items()]


def build_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema = SCHEMA) -> pa.Table:
    """Return rows as BigQuery's Arrow."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def write_json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return rows as a BigQuery extract to JSON writes them: nulls left out, numerics as text, times with a blank."""
    table = build_table(rows)
    return b"".join(json.dumps(_drop_nulls(row)).encode() + b"\n" for row in table.to_pylist())


def _drop_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _drop_nulls(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_drop_nulls(inner) for inner in value]
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return str(value) if isinstance(value, Decimal) else value
