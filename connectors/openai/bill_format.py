"""What a day's cost lines of OpenAI mean as FOCUS `charges`.

What belongs here: the bill format and the lines as they are kept. What must not: calling OpenAI, or what a line item
pays for (`models_sql/reference/classification_rules.csv` says that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.apis.bucketed_reports import Bucket
from connectors.common.apis.daily_bills import build_period
from connectors.common.apis.report_rows import read_number, set_aside_unknown
from connectors.common.bills.columns import map_distinct, repeat_text
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.values import read_decimals
from connectors.common.contract import Severity
from connectors.common.dataset_types import MONEY
from connectors.common.datasets import CHARGES
from connectors.common.parsing import round_decimal
from connectors.openai import schema

KNOWN_FIELDS = frozenset({*schema.COST_COLUMNS, *schema.COST_FIELDS})
"""Fields of a cost that are known, used or not."""

_WHERE = "costs"
_MEASURES = frozenset({"amount", "amount_value", "other", "quantity"})


def build_format() -> BillFormat:
    """Return how kept cost lines become charges."""
    return BillFormat(
        dataset=CHARGES,
        columns=schema.COST_COLUMNS,
        required=("bucket_start", "bucket_end", "organization_id", "amount_value", "amount_currency"),
        not_null=("bucket_start", "bucket_end", "organization_id", "amount_value", "amount_currency"),
        is_measure=_MEASURES.__contains__,
        schema_version=schema.SCHEMA_VERSION,
        costs=("amount_value",),
        known_not_kept=schema.COST_FIELDS | {"other"},
        derive=_derive,
    )


def build_lines(buckets: list[Bucket], organization_id: str) -> Iterator[dict[str, Any]]:
    """Yield a day's costs as lines: as they came, with the amount in fields of its own, bucket and organization.

    Amounts are doubles that OpenAI computed: half up at 12 digits. A result without an amount is no cost, and is left
    out. Raises FileFault for an amount that is no number.
    """
    for bucket in buckets:
        for result in bucket.results:
            amount = _read_amount(result)
            value = None if amount is None else read_number(amount, "value", _WHERE)
            if amount is None or value is None:
                continue
            yield {
                **dict.fromkeys(("project_id", "api_key_id", "line_item", "quantity", "quantity_unit")),
                **set_aside_unknown(result, KNOWN_FIELDS),
                "bucket_start": _instant(bucket.start),
                "bucket_end": _instant(bucket.end),
                "organization_id": organization_id,
                "amount_value": f"{round_decimal(value):f}",
                "amount_currency": amount.get("currency"),
            }


def count_without_amount(buckets: list[Bucket]) -> int:
    """Return how many results are no cost, for they have no amount."""
    amounts = (_read_amount(result) for bucket in buckets for result in bucket.results)
    return sum(amount is None or amount.get("value") is None for amount in amounts)


def _read_amount(result: Mapping[str, Any]) -> Mapping[str, Any] | None:
    amount = result.get("amount")
    return amount if isinstance(amount, Mapping) else None


def _instant(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat()


def _derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
    start = typed["charge_period_start"]
    rows = len(start)
    cost = typed["billed_cost"]
    oddities: dict[tuple[str, str, str], int] = {}
    columns: dict[str, pa.Array] = {
        **{name: repeat_text(text, rows) for name, text in _CONSTANTS.items()},
        **build_period(start),
        **dict.fromkeys(("effective_cost", "list_cost", "contracted_cost"), cost),
        "billing_currency": map_distinct(delivered.encoded("amount_currency"), str.upper),
        "charge_description": delivered.encoded("line_item"),
        "sku_id": delivered.encoded("line_item"),
        "sub_account_type": label_present(delivered.encoded("project_id"), "Project"),
        "resource_type": label_present(delivered.encoded("api_key_id"), "API key"),
    }
    columns |= _read_quantities(delivered, oddities)
    unnamed = delivered.encoded("line_item").null_count
    message = "costs without a line item: nothing says what they are for"
    oddities["unnamed_cost", Severity.WARN.value, message] = unnamed
    return DerivedColumns(columns, {key: count for key, count in oddities.items() if count})


_CONSTANTS = {
    "billing_account_type": "Organization",
    "charge_category": "Usage",
    "charge_frequency": "Usage-Based",
    "invoice_issuer_name": schema.ISSUER,
    "service_provider_name": schema.ISSUER,
    "host_provider_name": schema.ISSUER,
    "service_name": schema.SERVICE_NAME,
    "service_category": "AI and Machine Learning",
    "service_subcategory": "Generative AI",
    "pricing_category": "Standard",
}


def label_present(column: pa.DictionaryArray, label: str) -> pa.Array:
    """Return the label where the column has a value, null where it has none."""
    return map_distinct(column, lambda text: label)


def _read_quantities(
    delivered: BatchColumns, oddities: dict[tuple[str, str, str], int]
) -> dict[str, pa.Array]:
    """A quantity counts where its unit is stated: a unit is never guessed."""
    units = map_distinct(delivered.encoded("quantity_unit"), lambda text: schema.UNITS.get(text, text))
    parsed = read_decimals(delivered.encoded("quantity"))
    has_unit = pc.is_valid(units.dictionary_decode())
    quantity = pc.if_else(has_unit, parsed.values, pa.scalar(None, MONEY))
    unit = pc.if_else(pc.is_valid(quantity), units.dictionary_decode(), pa.scalar(None, pa.string()))
    message = "a quantity of a cost is no number: taken as unknown"
    oddities["bad_quantity", Severity.WARN.value, message] = len(parsed.bad)
    return {
        "consumed_quantity": quantity,
        "pricing_quantity": quantity,
        "consumed_unit": unit,
        "pricing_unit": unit,
    }
