"""October 2026 of a small AWS account, line by line, with what each line is worth, worked out by hand.

What belongs here: delivered lines, expected charges, and why. What must not: the product's code.

The invoice: Σ BilledCost = 177.07475 USD. Beside it, the effective cost: of the bill, 150.00 are paid upfront for later
(a Savings Plan for 100.00, a reservation for 50.00) and count when used; of what was paid upfront, October's share is
0.27397260274 (Savings Plan B: 100.00 / 365) + 0.45 (reservation): 177.07475 - 150 + 0.72397260274 = 27.79872260274.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.contract.aws_exports import Line, cur_line

INVOICE = "INV-2026-10"
INVOICE_TOTAL = Decimal("177.07475")
EFFECTIVE_TOTAL = Decimal("27.79872260274")

PLAN_A = "arn:aws:savingsplans::111122223333:savingsplan/aaaa"
PLAN_B = "arn:aws:savingsplans::111122223333:savingsplan/bbbb"
RESERVATION = "arn:aws:ec2:us-west-2:111122223333:reserved-instances/cccc"
NODE = "i-0aaaabbbbccccdddd"
CALLER = "arn:aws:sts::444455556666:assumed-role/chat/session"


@dataclass(frozen=True)
class GoldenLine:
    """A delivered line, and the charges made of it: (suffix of the charge id, category, billed, effective, list)."""

    name: str
    why: str
    line: Line
    charges: tuple[tuple[str, str, str, str, str], ...]


def _golden(name: str, why: str, *charges: tuple[str, str, str, str, str], **values: Any) -> GoldenLine:
    line = cur_line(**{"bill_invoice_id": INVOICE, "line_item_line_item_description": name} | values)
    return GoldenLine(name, why, line, charges)


def _cost(unblended: float, public: float | None = None) -> dict[str, Any]:
    return {"line_item_unblended_cost": unblended, "pricing_public_on_demand_cost": public}


MONTH: tuple[GoldenLine, ...] = (
    _golden(
        "on demand",
        "10 h at 0.096: what is billed is what it costs.",
        ("", "Usage", "0.96", "0.96", "0.96"),
        **_cost(0.96, 0.96),
        line_item_usage_amount=10.0,
        line_item_resource_id="i-0ondemand",
        product_instance_type="m5.large",
        resource_tags={"user_team": "chat", "user_secret": "s3cret"},
        pricing_rate_code="SKU1.JRTCKXETXF.6YS6EN2CT7",
        product_sku="SKU1",
    ),
    _golden(
        "spot",
        "A spot price is billed as it is; its list price is the one on demand.",
        ("", "Usage", "0.30", "0.30", "0.96"),
        **_cost(0.30, 0.96),
        line_item_usage_type="USW2-SpotUsage:m5.large",
    ),
    _golden(
        "covered by plan A",
        "24 h at 0.096 on demand, at 0.06 by the plan: nothing on the bill, 1.44 in effect.",
        ("", "Usage", "0", "1.44", "2.304"),
        **_cost(2.304, 2.304),
        line_item_line_item_type="SavingsPlanCoveredUsage",
        line_item_usage_amount=24.0,
        line_item_resource_id="i-0covered",
        savings_plan_savings_plan_a_r_n=PLAN_A,
        savings_plan_savings_plan_effective_cost=1.44,
    ),
    _golden(
        "negation of plan A",
        "Takes back the on-demand cost of the covered usage: 2.304 - 2.304 = 0, so no row is left.",
        **_cost(-2.304),
        line_item_line_item_type="SavingsPlanNegation",
        savings_plan_savings_plan_a_r_n=PLAN_A,
    ),
    _golden(
        "fee of plan A",
        "A day at 0.10 an hour: 2.40 billed, of which 1.44 stand on covered usage and 0.96 nobody used.",
        ("-purchase", "Purchase", "2.40", "0", "0"),
        ("-unused", "Usage", "0", "0.96", "0"),
        **_cost(2.40),
        line_item_line_item_type="SavingsPlanRecurringFee",
        line_item_product_code="ComputeSavingsPlans",
        product={"product_name": "Savings Plans for AWS Compute usage"},
        line_item_usage_type="ComputeSP:1yrNoUpfront",
        savings_plan_savings_plan_a_r_n=PLAN_A,
        savings_plan_recurring_commitment_for_billing_period=2.40,
        savings_plan_amortized_upfront_commitment_for_billing_period=0.0,
        savings_plan_total_commitment_to_date=2.40,
        savings_plan_used_commitment=1.44,
    ),
    _golden(
        "upfront of plan B",
        "Paid for a year: all on this bill, nothing in effect until it is used.",
        ("-purchase", "Purchase", "100.00", "0", "0"),
        **_cost(100.00),
        line_item_line_item_type="SavingsPlanUpfrontFee",
        line_item_product_code="ComputeSavingsPlans",
        product={"product_name": "Savings Plans for AWS Compute usage"},
        line_item_usage_type="ComputeSP:1yrAllUpfront",
        savings_plan_savings_plan_a_r_n=PLAN_B,
    ),
    _golden(
        "covered by plan B",
        "0.30 on demand, 0.20 by the plan.",
        ("", "Usage", "0", "0.20", "0.30"),
        **_cost(0.30, 0.30),
        line_item_line_item_type="SavingsPlanCoveredUsage",
        savings_plan_savings_plan_a_r_n=PLAN_B,
        savings_plan_savings_plan_effective_cost=0.20,
    ),
    _golden(
        "negation of plan B",
        "0.30 - 0.30 = 0.",
        **_cost(-0.30),
        line_item_line_item_type="SavingsPlanNegation",
        savings_plan_savings_plan_a_r_n=PLAN_B,
    ),
    _golden(
        "fee of plan B",
        "All upfront: nothing recurs, but its day costs 100 / 365 = 0.27397260274, of which 0.07397260274 are unused.",
        ("-purchase", "Purchase", "0", "0", "0"),
        ("-unused", "Usage", "0", "0.07397260274", "0"),
        **_cost(0.0),
        line_item_line_item_type="SavingsPlanRecurringFee",
        line_item_product_code="ComputeSavingsPlans",
        product={"product_name": "Savings Plans for AWS Compute usage"},
        line_item_usage_type="ComputeSP:1yrAllUpfront",
        savings_plan_savings_plan_a_r_n=PLAN_B,
        savings_plan_recurring_commitment_for_billing_period=0.0,
        savings_plan_amortized_upfront_commitment_for_billing_period=0.27397260274,
        savings_plan_total_commitment_to_date=0.27397260274,
        savings_plan_used_commitment=0.20,
    ),
    _golden(
        "reserved instance",
        "10 h covered: nothing on the bill; 0.30 of the upfront and 0.50 of the recurring fee in effect.",
        ("", "Usage", "0", "0.80", "1.26"),
        **_cost(0.0, 1.26),
        line_item_line_item_type="DiscountedUsage",
        line_item_usage_amount=10.0,
        reservation_reservation_a_r_n=RESERVATION,
        reservation_effective_cost=0.80,
    ),
    _golden(
        "fee of the reservation",
        "15 h at 0.05 billed; 5 h were not used: 0.25 recurring + 0.15 of the upfront.",
        ("-purchase", "Purchase", "0.75", "0", "0"),
        ("-unused", "Usage", "0", "0.40", "0"),
        **_cost(0.75),
        line_item_line_item_type="RIFee",
        line_item_usage_amount=15.0,
        line_item_usage_start_date=datetime(2026, 10, 1),
        line_item_usage_end_date=datetime(2026, 11, 1),
        reservation_reservation_a_r_n=RESERVATION,
        reservation_unused_recurring_fee=0.25,
        reservation_unused_amortized_upfront_fee_for_billing_period=0.15,
        reservation_unused_quantity=5.0,
    ),
    _golden(
        "upfront of the reservation",
        "Paid for later use, as the plan's.",
        ("-purchase", "Purchase", "50.00", "0", "0"),
        **_cost(50.00),
        line_item_line_item_type="Fee",
        reservation_reservation_a_r_n=RESERVATION,
    ),
    _golden(
        "marketplace contract",
        "A one-time fee that covers no usage of this bill costs when it is billed.",
        ("", "Purchase", "12.00", "12.00", "12.00"),
        **_cost(12.00),
        line_item_line_item_type="Fee",
        bill_billing_entity="AWS Marketplace",
        line_item_legal_entity="Example Seller, Inc.",
        line_item_product_code="abcdefghijklmnop",
        line_item_usage_type="Global-SoftwareContract",
        product={"product_name": "Example Observability"},
    ),
    _golden(
        "marketplace model",
        "Third-party models on Bedrock come through the Marketplace, without a public price: list is what is billed.",
        ("", "Usage", "6.00", "6.00", "6.00"),
        **_cost(6.00, 0.0),
        bill_billing_entity="AWS Marketplace",
        line_item_legal_entity="Anthropic, PBC",
        line_item_product_code="qrstuvwxyz123456",
        line_item_usage_type="USW2-MP:USW2_InputTokenCount-Units",
        line_item_usage_amount=2.0,
        pricing_unit="Units",
        product={"product_name": "Claude Sonnet 4.5 (Amazon Bedrock Edition)"},
        line_item_iam_principal=CALLER,
    ),
    _golden(
        "own model",
        "1,000 units of a thousand tokens at 0.00006.",
        ("", "Usage", "0.06", "0.06", "0.06"),
        **_cost(0.06, 0.06),
        line_item_product_code="AmazonBedrock",
        line_item_usage_type="USW2-NovaLite-input-tokens",
        line_item_operation="InvokeModelInference",
        line_item_usage_amount=1000.0,
        pricing_unit="1K tokens",
        product={"product_name": "Amazon Bedrock"},
        line_item_iam_principal=CALLER,
    ),
    _golden(
        "between zones",
        "100 GB at 0.01.",
        ("", "Usage", "1.00", "1.00", "1.00"),
        **_cost(1.00, 1.00),
        line_item_usage_type="USW2-DataTransfer-Regional-Bytes",
        line_item_operation="InterZone-In",
        line_item_usage_amount=100.0,
        pricing_unit="GB",
    ),
    _golden(
        "between regions",
        "50 GB at 0.02, from Oregon to Ireland.",
        ("", "Usage", "1.00", "1.00", "1.00"),
        **_cost(1.00, 1.00),
        line_item_usage_type="USW2-EUW1-AWS-Out-Bytes",
        line_item_usage_amount=50.0,
        pricing_unit="GB",
        product_from_region_code="us-west-2",
        product_to_region_code="eu-west-1",
    ),
    _golden(
        "node",
        "The instance that two pods ran on is billed here, once.",
        ("", "Usage", "2.00", "2.00", "2.00"),
        **_cost(2.00, 2.00),
        line_item_resource_id=NODE,
    ),
    _golden(
        "pod search",
        "1.20 of the node's 2.00 and 0.20 of what nobody used: no charge, for the node's line has it.",
        **_cost(0.0),
        line_item_operation="EKSPod-EC2",
        line_item_usage_type="USW2-EKS-EC2-vCPU-Hours",
        line_item_resource_id="arn:aws:eks:us-west-2:444455556666:pod/prod/search/search-1/uid-1",
        resource_tags={
            "aws_eks_cluster_name": "prod",
            "aws_eks_namespace": "search",
            "aws_eks_workload_name": "search",
            "aws_eks_workload_type": "Deployment",
        },
        split_line_item_parent_resource_id=NODE,
        split_line_item_split_cost=1.20,
        split_line_item_unused_cost=0.20,
        split_line_item_split_usage=12.0,
        split_line_item_reserved_usage=12.0,
        split_line_item_actual_usage=9.0,
        split_line_item_split_usage_ratio=0.6,
    ),
    _golden(
        "pod chat",
        "The other 0.50 + 0.10.",
        **_cost(0.0),
        line_item_operation="EKSPod-EC2",
        line_item_usage_type="USW2-EKS-EC2-vCPU-Hours",
        line_item_resource_id="arn:aws:eks:us-west-2:444455556666:pod/prod/chat/chat-1/uid-2",
        resource_tags={"aws_eks_cluster_name": "prod", "aws_eks_namespace": "chat"},
        split_line_item_parent_resource_id=NODE,
        split_line_item_split_cost=0.50,
        split_line_item_unused_cost=0.10,
        split_line_item_split_usage=5.0,
        split_line_item_split_usage_ratio=0.25,
    ),
    _golden(
        "Fargate task",
        "Has split columns, but is billed by itself.",
        ("", "Usage", "0.40475", "0.40475", "0.40475"),
        **_cost(0.40475, 0.40475),
        line_item_operation="FargateTask",
        line_item_product_code="AmazonECS",
        line_item_usage_type="USW2-Fargate-vCPU-Hours:perCPU",
        line_item_resource_id="arn:aws:ecs:us-west-2:444455556666:task/prod/abc",
        product={"product_name": "Amazon Elastic Container Service"},
        split_line_item_split_usage=10.0,
        split_line_item_actual_usage=4.0,
        split_line_item_split_cost=0.40475,
    ),
    _golden(
        "private discount",
        "A discount that is a line of its own lowers what is billed, not the list price.",
        ("", "Adjustment", "-0.50", "-0.50", "0"),
        **_cost(-0.50),
        line_item_line_item_type="EdpDiscount",
    ),
    _golden(
        "bundled discount",
        "Likewise.",
        ("", "Adjustment", "-0.10", "-0.10", "0"),
        **_cost(-0.10),
        line_item_line_item_type="BundledDiscount",
    ),
    _golden(
        "credit",
        "Promotional credit.",
        ("", "Credit", "-3.00", "-3.00", "-3.00"),
        **_cost(-3.00, 0.0),
        line_item_line_item_type="Credit",
    ),
    _golden(
        "refund of September",
        "Of usage in a period that is closed: a correction.",
        ("", "Usage", "-1.50", "-1.50", "-1.50"),
        **_cost(-1.50),
        line_item_line_item_type="Refund",
        line_item_usage_start_date=datetime(2026, 9, 20),
        line_item_usage_end_date=datetime(2026, 9, 21),
    ),
    _golden(
        "refund of October",
        "Of usage in this very period: no correction in FOCUS's sense.",
        ("", "Usage", "-0.25", "-0.25", "-0.25"),
        **_cost(-0.25),
        line_item_line_item_type="Refund",
    ),
    _golden(
        "tax",
        "As billed.",
        ("", "Tax", "5.55", "5.55", "5.55"),
        **_cost(5.55),
        line_item_line_item_type="Tax",
        line_item_tax_type="VAT",
        line_item_usage_type="",
        line_item_usage_start_date=datetime(2026, 10, 1),
        line_item_usage_end_date=datetime(2026, 11, 1),
    ),
)
