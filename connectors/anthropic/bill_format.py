"""What a day's cost lines of Anthropic mean as FOCUS `charges`. Its amounts are cents.

What belongs here: the bill format and the lines as they are kept. What must not: calling Anthropic, or what a meter
pays for (`models_sql/reference/classification_rules.csv` says that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.anthropic import schema
from connectors.common.apis.bucketed_reports import Bucket
from connectors.common.apis.daily_bills import build_period
from connectors.common.apis.report_rows import read_number, read_text, set_aside_unknown
from connectors.common.bills.columns import map_distinct, repeat_text
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.contract import Severity
from connectors.common.datasets import CHARGES
from connectors.common.parsing import EXACT, round_decimal
from connectors.common.source_files import FileFault

KNOWN_FIELDS = frozenset({*schema.COST_FIELDS, "description"})
"""Fields of a cost that are known, used or not."""

_MEASURES = frozenset({"amount", "amount_usd", "other"})
_WHERE = "cost_report"


def build_format() -> BillFormat:
    """Return how kept cost lines become charges."""
    return BillFormat(
        dataset=CHARGES,
        columns=schema.COST_COLUMNS,
        required=("bucket_start", "bucket_end", "organization_id", "amount_usd", "currency"),
        not_null=("bucket_start", "bucket_end", "organization_id", "amount_usd", "currency"),
        is_measure=_MEASURES.__contains__,
        schema_version=schema.SCHEMA_VERSION,
        costs=("amount_usd",),
        known_not_kept=schema.COST_FIELDS | {"meter", "other"},
        derive=_derive,
    )


def build_lines(buckets: list[Bucket], organization_id: str) -> Iterator[dict[str, Any]]:
    """Yield a day's costs as lines: as they came, with dollars, workspace, meter, bucket and organization beside.

    `amount` is a decimal string in the currency's lowest unit, "123.45" is 1.2345 dollars; it must be US dollars,
    whose lowest unit is known. Raises FileFault for another currency, and for an amount that is no number.
    """
    for bucket in buckets:
        for result in bucket.results:
            amount = read_number(result, "amount", _WHERE)
            if amount is None:
                raise FileFault("missing_field", f"{_WHERE}: a cost of {bucket.day} has no amount")
            yield {
                **dict.fromkeys((*schema.COST_FIELDS, "description")),
                **set_aside_unknown(result, KNOWN_FIELDS),
                "bucket_start": _instant(bucket.start),
                "bucket_end": _instant(bucket.end),
                "organization_id": organization_id,
                "workspace": read_text(result, "workspace_id") or schema.DEFAULT_WORKSPACE,
                "amount_usd": f"{round_decimal(build_dollars(amount, result)):f}",
                "meter": build_meter(result),
            }


def build_dollars(amount: Decimal, result: Mapping[str, Any]) -> Decimal:
    """Return cents as dollars, exactly. Raises FileFault for a currency whose lowest unit is not known."""
    currency = read_text(result, "currency")
    if currency is None or currency.upper() != "USD":
        raise FileFault(
            "unknown_currency",
            f"{_WHERE}: a cost is not in USD, and nothing says what its lowest unit is; what is known of the day stays",
            column="currency",
        )
    return EXACT.scaleb(amount, -2)


def build_meter(result: Mapping[str, Any]) -> str:
    """Return what a cost is for, from its own fields: model, token type, tier and context; else its description."""
    token_type = read_text(result, "token_type")
    model = read_text(result, "model")
    if token_type is None or model is None:
        named = read_text(result, "cost_type")
        return named.replace("_", " ") if named else read_text(result, "description") or "unnamed"
    parts = [model, schema.TOKEN_TYPE_WORDS.get(token_type, token_type)]
    tier, context = read_text(result, "service_tier"), read_text(result, "context_window")
    parts += [tier] if tier not in (None, "standard") else []
    parts += [f"context {context}"] if context not in (None, "0-200k") else []
    return ", ".join(part for part in parts if part)


def _instant(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat()


_CONSTANTS = {
    "billing_account_type": "Organization",
    "sub_account_type": "Workspace",
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


def _derive(delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
    start = typed["charge_period_start"]
    rows = len(start)
    cost = typed["billed_cost"]
    meters = delivered.encoded("meter")
    columns: dict[str, pa.Array] = {
        **{name: repeat_text(text, rows) for name, text in _CONSTANTS.items()},
        **build_period(start),
        **dict.fromkeys(("effective_cost", "list_cost", "contracted_cost"), cost),
        "billing_currency": map_distinct(delivered.encoded("currency"), str.upper),
        "sku_id": meters,
        "sku_meter": meters,
        "region_id": map_distinct(
            delivered.encoded("inference_geo"), lambda geo: None if geo == "not_available" else geo
        ),
    }
    unnamed = sum(meter == "unnamed" for meter in meters.to_pylist())
    message = "costs without a description: nothing says what they are for"
    oddities = {("unnamed_cost", Severity.WARN.value, message): unnamed} if unnamed else {}
    return DerivedColumns(columns, oddities)
