"""Lines of an Azure actual or amortized cost file, in Azure's own terms.

What belongs here: the columns that staging needs to make FOCUS charges of them. What must not: reading files.

EA and MCA files name the same things differently; they meet here. Some columns are derived when a file lands,
because their arithmetic must be exact: block sizes of units, prices in the billing currency, and which of two
files (actual and amortized) a line counts from.
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

AZURE_COST_LINES = Dataset(
    "azure_cost_lines",
    build_schema(
        **LINE_COLUMNS,
        cost_view=TEXT,  # amortized | actual (beside an amortized file) | actual_alone | query
        is_counted=FLAG,  # false: the amortized file of the same month has this line
        billing_account_id=TEXT,  # EA enrollment, MCA billing profile
        billing_account_name=TEXT,
        billing_account_type=TEXT,
        billing_period_start=INSTANT,  # first of the month, whatever day the agreement's period begins
        billing_period_end=INSTANT,
        billing_currency=TEXT,
        charge_period_start=INSTANT,
        charge_period_end=INSTANT,
        billed_cost=MONEY,  # 0 for covered usage, and for lines that are not counted
        effective_cost=MONEY,
        list_cost=MONEY,
        contracted_cost=MONEY,
        list_unit_price=QUANTITY,  # in the billing currency, per pricing unit
        contracted_unit_price=QUANTITY,
        cost=MONEY,  # as delivered, in the billing currency
        cost_in_pricing_currency=MONEY,
        pricing_currency=TEXT,
        exchange_rate=QUANTITY,  # pricing to billing currency
        effective_price=QUANTITY,
        unit_price=QUANTITY,
        payg_price=QUANTITY,
        payg_cost=MONEY,
        quantity=QUANTITY,
        unit_of_measure=TEXT,
        pricing_quantity=QUANTITY,  # quantity in units of measure: 24 of '10 Hours' are 2.4
        consumed_unit=TEXT,  # the unit of measure without its block size
        charge_type=TEXT,
        pricing_model=TEXT,
        frequency=TEXT,
        term=TEXT,
        invoice_id=TEXT,
        previous_invoice_id=TEXT,
        invoice_issuer_name=TEXT,
        invoice_section_id=TEXT,
        invoice_section_name=TEXT,
        cost_center=TEXT,
        subscription_id=TEXT,
        subscription_name=TEXT,
        resource_group=TEXT,
        resource_id=TEXT,
        resource_name=TEXT,
        resource_type=TEXT,
        region_id=TEXT,
        region_name=TEXT,
        availability_zone=TEXT,
        consumed_service=TEXT,
        service_family=TEXT,
        product_id=TEXT,
        product_name=TEXT,
        part_number=TEXT,
        offer_id=TEXT,
        meter_id=TEXT,
        meter_name=TEXT,
        meter_category=TEXT,
        meter_subcategory=TEXT,
        meter_region=TEXT,
        publisher_type=TEXT,
        publisher_name=TEXT,
        commitment_id=TEXT,
        commitment_name=TEXT,
        commitment_kind=TEXT,  # reservation | savings_plan
        cost_allocation_rule_name=TEXT,
        instance_type=TEXT,
        sku_price_details=TEXT,
        tags=TEXT,
        **{f"x_tag_{key}": TEXT for key in TAGGED_KEYS},
    ),
    ("billing_period_start", "month"),
)
"""One row a line of an actual or an amortized file, or of a coarse daily total of the query API."""
