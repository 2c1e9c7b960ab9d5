"""Lines of a detailed Google Cloud billing export, in Google's own terms.

What belongs here: the columns that staging needs to make FOCUS charges of them. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.dataset_types import (
    FLAG,
    INSTANT,
    LINE_COLUMNS,
    MONEY,
    QUANTITY,
    TAGGED_KEYS,
    TEXT,
    Dataset,
    build_schema,
)

CREDIT_TYPES: tuple[str, ...] = (
    "COMMITTED_USAGE_DISCOUNT",
    "COMMITTED_USAGE_DISCOUNT_DOLLAR_BASE",
    "FEE_UTILIZATION_OFFSET",
    "SUSTAINED_USAGE_DISCOUNT",
    "DISCOUNT",
    "FREE_TIER",
    "PROMOTION",
    "SUBSCRIPTION_BENEFIT",
    "RESELLER_MARGIN",
)
"""Values of `credits.type` that have a column of their own; every other type goes to `other_credit`."""


def credit_column(credit_type: str) -> str:
    """Return the column that sums the credits of one type."""
    return f"{credit_type.lower()}_credit"


CREDIT_COLUMNS: tuple[str, ...] = (*(credit_column(name) for name in CREDIT_TYPES), "other_credit")
"""Sums of a line's credits by type; each amount is negative where it lowers the invoice, and 0 where there is none."""

GCP_COST_LINES = Dataset(
    "gcp_cost_lines",
    build_schema(
        **LINE_COLUMNS,
        billing_account_id=TEXT,
        billing_period_start=INSTANT,
        billing_period_end=INSTANT,
        billing_currency=TEXT,
        billed_cost=MONEY,
        invoice_issuer_name=TEXT,
        invoice_month=TEXT,
        cost_type=TEXT,
        service_id=TEXT,
        service_name=TEXT,
        sku_id=TEXT,
        sku_description=TEXT,
        charge_period_start=INSTANT,
        charge_period_end=INSTANT,
        project_id=TEXT,
        project_number=TEXT,
        project_name=TEXT,
        project_ancestry_numbers=TEXT,
        location=TEXT,
        country=TEXT,
        region=TEXT,
        zone=TEXT,
        resource_name=TEXT,
        resource_global_name=TEXT,
        cost=MONEY,
        cost_at_list=MONEY,
        cost_at_effective_price_default=MONEY,
        cost_at_list_consumption_model=MONEY,
        currency_conversion_rate=QUANTITY,
        usage_amount=QUANTITY,
        usage_unit=TEXT,
        usage_amount_in_pricing_units=QUANTITY,
        pricing_unit=TEXT,
        **{name: MONEY for name in CREDIT_COLUMNS},
        credits=TEXT,
        promotion_names=TEXT,
        commitment_names=TEXT,
        adjustment_id=TEXT,
        adjustment_description=TEXT,
        adjustment_type=TEXT,
        adjustment_mode=TEXT,
        export_at=INSTANT,
        is_period_closed=FLAG,
        transaction_type=TEXT,
        seller_name=TEXT,
        subscription_instance_id=TEXT,
        price_effective=QUANTITY,
        price_tier_start_quantity=QUANTITY,
        price_unit=TEXT,
        price_unit_quantity=QUANTITY,
        price_list=QUANTITY,
        price_effective_default=QUANTITY,
        price_list_consumption_model=QUANTITY,
        consumption_model_id=TEXT,
        consumption_model_description=TEXT,
        instance_type=TEXT,
        sku_price_details=TEXT,
        tags=TEXT,
        **{f"x_tag_{key}": TEXT for key in TAGGED_KEYS},
    ),
    ("billing_period_start", "month"),
)
"""One row a row of the export, its credits as columns by type.

`billed_cost` is `cost` plus all credits. `is_period_closed` tells whether the usage's month was invoiced when
the row was exported; only then is an adjustment a correction in FOCUS's sense.
"""
