"""Lines of an AWS Cost and Usage Report 2.0, in AWS's own terms.

What belongs here: the columns that staging needs to make FOCUS charges of them. What must not: reading files.

Columns keep AWS's names (table dictionary of CUR 2.0) but for those that every bill has. `product_name`,
`product_service_name` come out of the map column `product`; `tags` holds configured keys only.
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

_LINES = build_schema(
    **LINE_COLUMNS,
    billing_account_id=TEXT,
    billing_account_name=TEXT,
    billing_period_start=INSTANT,
    billing_period_end=INSTANT,
    billing_currency=TEXT,
    billed_cost=MONEY,  # net where AWS states it; 0 on split rows, whose money is on their parent's line
    invoice_issuer_name=TEXT,
    invoice_id=TEXT,
    bill_bill_type=TEXT,
    bill_billing_entity=TEXT,
    capacity_reservation_id=TEXT,
    capacity_reservation_status=TEXT,
    is_split_allocation=FLAG,  # a pod's or task's share of an instance that is billed on another line
    line_item_availability_zone=TEXT,
    line_item_iam_principal=TEXT,  # pseudonymised
    line_item_legal_entity=TEXT,
    line_item_line_item_description=TEXT,
    line_item_line_item_type=TEXT,
    line_item_net_unblended_cost=MONEY,
    line_item_operation=TEXT,
    line_item_product_code=TEXT,
    line_item_resource_id=TEXT,
    line_item_tax_type=TEXT,
    line_item_unblended_cost=MONEY,
    line_item_usage_account_id=TEXT,
    line_item_usage_account_name=TEXT,
    line_item_usage_amount=QUANTITY,
    line_item_usage_end_date=INSTANT,
    line_item_usage_start_date=INSTANT,
    line_item_usage_type=TEXT,
    pricing_public_on_demand_cost=MONEY,
    pricing_public_on_demand_rate=QUANTITY,
    pricing_rate_code=TEXT,
    pricing_unit=TEXT,
    product_from_region_code=TEXT,
    product_instance_type=TEXT,
    product_location=TEXT,
    product_name=TEXT,
    product_product_family=TEXT,
    product_region_code=TEXT,
    product_service_name=TEXT,
    product_servicecode=TEXT,
    product_sku=TEXT,
    product_to_region_code=TEXT,
    reservation_effective_cost=MONEY,
    reservation_net_effective_cost=MONEY,
    reservation_net_unused_amortized_upfront_fee_for_billing_period=MONEY,
    reservation_net_unused_recurring_fee=MONEY,
    reservation_reservation_a_r_n=TEXT,
    reservation_unused_amortized_upfront_fee_for_billing_period=MONEY,
    reservation_unused_quantity=QUANTITY,
    reservation_unused_recurring_fee=MONEY,
    savings_plan_amortized_upfront_commitment_for_billing_period=MONEY,
    savings_plan_net_amortized_upfront_commitment_for_billing_period=MONEY,
    savings_plan_net_recurring_commitment_for_billing_period=MONEY,
    savings_plan_net_savings_plan_effective_cost=MONEY,
    savings_plan_recurring_commitment_for_billing_period=MONEY,
    savings_plan_savings_plan_a_r_n=TEXT,
    savings_plan_savings_plan_effective_cost=MONEY,
    savings_plan_total_commitment_to_date=MONEY,
    savings_plan_used_commitment=MONEY,
    split_line_item_actual_usage=QUANTITY,
    split_line_item_net_split_cost=MONEY,
    split_line_item_net_unused_cost=MONEY,
    split_line_item_parent_resource_id=TEXT,
    split_line_item_public_on_demand_split_cost=MONEY,
    split_line_item_public_on_demand_unused_cost=MONEY,
    split_line_item_reserved_usage=QUANTITY,
    split_line_item_split_cost=MONEY,
    split_line_item_split_usage=QUANTITY,
    split_line_item_split_usage_ratio=QUANTITY,
    split_line_item_unused_cost=MONEY,
    split_namespace=TEXT,  # Kubernetes namespace, as AWS tags the split row
    split_cluster=TEXT,
    split_workload=TEXT,
    split_workload_kind=TEXT,
    tags=TEXT,
    **{f"x_tag_{key}": TEXT for key in TAGGED_KEYS},
)

AWS_CUR_LINES = Dataset("aws_cur_lines", _LINES, ("billing_period_start", "month"))
"""One row a line item of a report that carries cost."""

AWS_CUR_ENRICHMENT_LINES = Dataset("aws_cur_enrichment_lines", _LINES, ("billing_period_start", "month"))
"""One row a line item of a report that only enriches another feed of the account: no bill of its own."""
