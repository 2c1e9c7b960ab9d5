"""What a CUR 2.0 file holds: AWS's column names, which must be there, which are measures.

What belongs here: names of AWS's table dictionary of CUR 2.0 and what is done with them. What must not:
reading files; FOCUS columns (`connectors/common/bills`).

Source: AWS Data Exports user guide, table dictionary "CUR 2.0", and "Understanding export delivery".
"""

from __future__ import annotations

import re
from collections.abc import Collection

from connectors.aws_data_exports.settings import TableKind

SCHEMA_VERSION = 1
"""Counts up when typing a CUR file changes, so that current deliveries are typed anew."""

_RENAMED = {
    "bill_payer_account_id": "billing_account_id",
    "bill_payer_account_name": "billing_account_name",
    "bill_billing_period_start_date": "billing_period_start",
    "bill_billing_period_end_date": "billing_period_end",
    "line_item_currency_code": "billing_currency",
    "bill_invoicing_entity": "invoice_issuer_name",
    "bill_invoice_id": "invoice_id",
    "capacity_reservation_capacity_reservation_arn": "capacity_reservation_id",
    "capacity_reservation_capacity_reservation_status": "capacity_reservation_status",
}
_SAME = (
    "bill_bill_type",
    "bill_billing_entity",
    "line_item_availability_zone",
    "line_item_legal_entity",
    "line_item_line_item_description",
    "line_item_line_item_type",
    "line_item_net_unblended_cost",
    "line_item_operation",
    "line_item_product_code",
    "line_item_resource_id",
    "line_item_tax_type",
    "line_item_unblended_cost",
    "line_item_usage_account_id",
    "line_item_usage_account_name",
    "line_item_usage_amount",
    "line_item_usage_end_date",
    "line_item_usage_start_date",
    "line_item_usage_type",
    "pricing_public_on_demand_cost",
    "pricing_public_on_demand_rate",
    "pricing_rate_code",
    "pricing_unit",
    "product_from_region_code",
    "product_instance_type",
    "product_location",
    "product_product_family",
    "product_region_code",
    "product_servicecode",
    "product_sku",
    "product_to_region_code",
    "reservation_effective_cost",
    "reservation_net_effective_cost",
    "reservation_net_unused_amortized_upfront_fee_for_billing_period",
    "reservation_net_unused_recurring_fee",
    "reservation_reservation_a_r_n",
    "reservation_unused_amortized_upfront_fee_for_billing_period",
    "reservation_unused_quantity",
    "reservation_unused_recurring_fee",
    "savings_plan_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_amortized_upfront_commitment_for_billing_period",
    "savings_plan_net_recurring_commitment_for_billing_period",
    "savings_plan_net_savings_plan_effective_cost",
    "savings_plan_recurring_commitment_for_billing_period",
    "savings_plan_savings_plan_a_r_n",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
    "split_line_item_actual_usage",
    "split_line_item_net_split_cost",
    "split_line_item_net_unused_cost",
    "split_line_item_parent_resource_id",
    "split_line_item_public_on_demand_split_cost",
    "split_line_item_public_on_demand_unused_cost",
    "split_line_item_reserved_usage",
    "split_line_item_split_cost",
    "split_line_item_split_usage",
    "split_line_item_split_usage_ratio",
    "split_line_item_unused_cost",
)
COLUMNS: dict[str, str] = {**_RENAMED, **{name: name for name in _SAME}}
"""Delivered name → column of `aws_cur_lines`, for columns that are taken over as they are."""

MAP_COLUMNS = frozenset({"product", "resource_tags", "cost_category", "discount", "tags"})
"""Maps in Parquet, JSON text in CSV. `tags` is the newer map that also holds account and principal tags."""

PRINCIPAL = "line_item_iam_principal"
"""Pseudonymised, never taken over as it is; delivered with INCLUDE_IAM_PRINCIPAL_DATA."""

REQUIRED = (
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_currency_code",
    "line_item_line_item_type",
    "line_item_product_code",
    "line_item_unblended_cost",
    "line_item_usage_account_id",
    "line_item_usage_end_date",
    "line_item_usage_start_date",
    "line_item_usage_type",
)
"""An export whose column selection lacks one of these is refused."""

NOT_NULL = (
    "bill_billing_period_start_date",
    "bill_payer_account_id",
    "line_item_currency_code",
    "line_item_line_item_type",
    "line_item_usage_start_date",
)

COMMITMENT_COSTS = {
    "SavingsPlanCoveredUsage": "savings_plan_savings_plan_effective_cost",
    "SavingsPlanRecurringFee": "savings_plan_total_commitment_to_date",
    "DiscountedUsage": "reservation_effective_cost",
    "RIFee": "reservation_unused_recurring_fee",
}
"""Line item type → the column without which what its commitment really cost is unknown."""

LINE_TYPES = frozenset(
    {
        "Credit",
        "DiscountedUsage",
        "Fee",
        "FlatRateSubscription",
        "RIFee",
        "Refund",
        "SavingsPlanCoveredUsage",
        "SavingsPlanNegation",
        "SavingsPlanRecurringFee",
        "SavingsPlanUpfrontFee",
        "Tax",
        "Usage",
    }
)
"""What staging knows to map, beside everything that ends in `Discount`; another type becomes an adjustment."""

SPLIT_OPERATIONS = ("EKSPod-EC2", "ECSTask-EC2")
"""Rows of split cost allocation: their money is on the line of the instance that they ran on.

Fargate lines (FargatePod, FargateTask) carry their own cost and are no such rows, even where they have
split columns.
"""

_MEASURE = re.compile(
    r"(_cost|_rate|_amount|_fee|_value|_quantity|_usage|_usage_ratio|_commitment(_to_date)?|_factor"
    r"|_for_billing_period|_for_usage|_units|_discount|^discount)$"
)
_PER_DELIVERY = frozenset({"identity_line_item_id", "bill_invoice_id"})


def is_measure(name: str) -> bool:
    """Return whether a restatement may change a column: costs, quantities, prices.

    Beside these AWS gives every line a new identity in each refresh, and an invoice id once the bill is
    final: neither names what was bought.
    """
    return name in _PER_DELIVERY or _MEASURE.search(name) is not None


def find_kind(columns: Collection[str]) -> TableKind | None:
    """Return which table has such columns, None for one that holds no bill."""
    if "line_item_line_item_type" in columns:
        return "cur_2_0"
    return "focus" if "BilledCost" in columns else None


KNOWN_NOT_KEPT = frozenset(
    {
        "capacity_reservation_capacity_reservation_type",
        "discount_bundled_discount",
        "discount_total_discount",
        "identity_line_item_id",
        "identity_time_interval",
        "line_item_blended_cost",
        "line_item_blended_rate",
        "line_item_net_unblended_rate",
        "line_item_normalization_factor",
        "line_item_normalized_usage_amount",
        "line_item_unblended_rate",
        "pricing_currency",
        "pricing_lease_contract_length",
        "pricing_offering_class",
        "pricing_purchase_option",
        "pricing_rate_id",
        "pricing_term",
        "product_comment",
        "product_fee_code",
        "product_fee_description",
        "product_from_location",
        "product_from_location_type",
        "product_instance_family",
        "product_instancesku",
        "product_instanceSKU",
        "product_location_type",
        "product_operation",
        "product_pricing_unit",
        "product_to_location",
        "product_to_location_type",
        "product_usagetype",
        "reservation_amortized_upfront_cost_for_usage",
        "reservation_amortized_upfront_fee_for_billing_period",
        "reservation_availability_zone",
        "reservation_end_time",
        "reservation_modification_status",
        "reservation_net_amortized_upfront_cost_for_usage",
        "reservation_net_amortized_upfront_fee_for_billing_period",
        "reservation_net_recurring_fee_for_usage",
        "reservation_net_upfront_value",
        "reservation_normalized_units_per_reservation",
        "reservation_number_of_reservations",
        "reservation_recurring_fee_for_usage",
        "reservation_start_time",
        "reservation_subscription_id",
        "reservation_total_reserved_normalized_units",
        "reservation_total_reserved_units",
        "reservation_units_per_reservation",
        "reservation_unused_normalized_unit_quantity",
        "reservation_upfront_value",
        "savings_plan_end_time",
        "savings_plan_instance_type_family",
        "savings_plan_offering_type",
        "savings_plan_payment_option",
        "savings_plan_purchase_term",
        "savings_plan_region",
        "savings_plan_savings_plan_rate",
        "savings_plan_start_time",
        *MAP_COLUMNS,
        PRINCIPAL,
    }
)
"""Columns of CUR 2.0 that no charge needs; they stay in the artifact and in the line's digest."""
