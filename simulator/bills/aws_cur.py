"""How AWS writes lines: a Cost and Usage Report 2.0 as csv.gz, every delivery of a month kept beside the older ones.

What belongs here: columns of CUR 2.0, manifests and folders of AWS Data Exports. What must not: what is billed (`aws`).
"""

from __future__ import annotations

import gzip
import json
import os
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from simulator.bills.exact import write_decimal
from simulator.company import ACCOUNTS, AWS_BILLING_ACCOUNT, COMPANY, midnight, next_month

EXPORT = "quillworks-cur"
ISSUER = "Amazon Web Services, Inc."
SAVINGS_PLAN = f"arn:aws:savingsplans::{AWS_BILLING_ACCOUNT}:savingsplan/5d0f3c1e-9a44-4b1f-8c51-2f6a7cbe0d18"
LOCATIONS = {"us-east-1": "US East (N. Virginia)", "eu-west-1": "EU (Ireland)"}
REGION_CODES = {"us-east-1": "USE1", "eu-west-1": "EUW1"}
SELLER = "8vnd2x5h3k0qw1y7"
HAIKU_SELLER = "c2m7p9x1h4k8w0t5"
SERVICES = {
    "AmazonBedrock": "Amazon Bedrock",
    "AmazonEC2": "Amazon Elastic Compute Cloud",
    "AmazonVPC": "Amazon Virtual Private Cloud",
    "AmazonS3": "Amazon Simple Storage Service",
    "AmazonES": "Amazon OpenSearch Service",
    "AmazonRDS": "Amazon Relational Database Service",
    "AmazonEKS": "Amazon Elastic Container Service for Kubernetes",
    "AmazonCloudWatch": "AmazonCloudWatch",
    "AmazonCloudFront": "Amazon CloudFront",
    "AmazonSageMaker": "Amazon SageMaker",
    "AWSXRay": "AWS X-Ray",
    "ComputeSavingsPlans": "Savings Plans for AWS Compute usage",
    "AWSSupportBusiness": "AWS Support (Business)",
    HAIKU_SELLER: "Claude Haiku 4.5 (Amazon Bedrock Edition)",
    SELLER: "Vantage Vector Guard",
}
"""Product codes and names; the last two are sold on the marketplace."""

LINE_TYPES = {
    "usage": "Usage",
    "covered": "SavingsPlanCoveredUsage",
    "negation": "SavingsPlanNegation",
    "plan_fee": "SavingsPlanRecurringFee",
    "fee": "Fee",
    "seller_fee": "Fee",
    "credit": "Credit",
    "refund": "Refund",
    "tax": "Tax",
}
_NUMBERS = (
    "savings_plan_recurring_commitment_for_billing_period",
    "savings_plan_savings_plan_effective_cost",
    "savings_plan_total_commitment_to_date",
    "savings_plan_used_commitment",
)


def render(lines: pl.DataFrame, month: date, invoice: str, *, has_net_costs: bool) -> pl.DataFrame:
    """Return the CUR 2.0 columns of a month's lines, text throughout; net costs only where there are discounts."""
    starts, ends = midnight(month), midnight(next_month(month))
    is_plan = pl.col("kind").is_in(["covered", "negation", "plan_fee"])
    begin = pl.col("day").cast(pl.Datetime("us"))
    finish = (pl.col("day") + pl.duration(days=pl.col("days"))).cast(pl.Datetime("us"))
    net = {"line_item_net_unblended_cost": write_decimal("billed")} if has_net_costs else {}
    columns = {
        "bill_bill_type": pl.lit("Anniversary"),
        "bill_billing_entity": pl.when(pl.col("service").is_in([SELLER, HAIKU_SELLER]))
        .then(pl.lit("AWS Marketplace"))
        .otherwise(pl.lit("AWS")),
        "bill_billing_period_start_date": pl.lit(_instant(starts)),
        "bill_billing_period_end_date": pl.lit(_instant(ends)),
        "bill_invoice_id": pl.lit(invoice),
        "bill_invoicing_entity": pl.lit(ISSUER),
        "bill_payer_account_id": pl.lit(AWS_BILLING_ACCOUNT),
        "bill_payer_account_name": pl.lit(COMPANY),
        "line_item_availability_zone": pl.col("zone"),
        "line_item_currency_code": pl.col("currency"),
        "line_item_iam_principal": pl.col("principal"),
        "line_item_legal_entity": pl.lit(ISSUER),
        "line_item_line_item_description": pl.col("description"),
        "line_item_line_item_type": pl.col("kind").replace_strict(LINE_TYPES),
        "line_item_operation": pl.col("operation"),
        "line_item_product_code": pl.col("service"),
        "line_item_resource_id": pl.when(pl.col("kind") == "plan_fee")
        .then(None)
        .otherwise(pl.col("resource")),
        "line_item_tax_type": pl.when(pl.col("kind") == "tax").then(pl.lit("US Sales Tax")),
        "line_item_unblended_cost": write_decimal("list_cost"),
        **net,
        "line_item_usage_account_id": pl.col("account").replace_strict(
            {key: account.account_id for key, account in ACCOUNTS.items()}, default=""
        ),
        "line_item_usage_account_name": pl.col("account").replace_strict(
            {key: account.name for key, account in ACCOUNTS.items()}, default=""
        ),
        "line_item_usage_amount": write_decimal("quantity", "digits"),
        "line_item_usage_start_date": begin.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "line_item_usage_end_date": finish.dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "line_item_usage_type": pl.col("meter"),
        "pricing_public_on_demand_cost": pl.when(pl.col("kind").is_in(["usage", "covered"])).then(
            write_decimal("list_cost")
        ),
        "pricing_public_on_demand_rate": pl.when(pl.col("kind").is_in(["usage", "covered"])).then(
            write_decimal("list_price")
        ),
        "pricing_unit": pl.col("unit"),
        "product": pl.concat_str(
            pl.lit('{"product_name":"'), pl.col("service").replace_strict(SERVICES), pl.lit('"}')
        ),
        "product_instance_type": pl.col("instance_type"),
        "product_location": pl.col("region").replace_strict(LOCATIONS, default=None),
        "product_region_code": pl.col("region"),
        "product_from_region_code": pl.when(pl.col("to_region").is_not_null()).then(pl.col("region")),
        "product_to_region_code": pl.col("to_region"),
        "product_servicecode": pl.col("service"),
        "resource_tags": pl.col("tags").fill_null("{}"),
        "savings_plan_savings_plan_a_r_n": pl.when(is_plan).then(pl.lit(SAVINGS_PLAN)),
        **{name: write_decimal(name) for name in _NUMBERS},
    }
    return _as_reported(lines).select(expression.alias(name) for name, expression in columns.items())


def _as_reported(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines as a CUR counts a Savings Plan: covered use at the public price, and a line that takes it back.

    The fee says how much of the commitment was used; what was not has no line of its own.
    """
    is_covered, is_fee = pl.col("kind") == "covered", pl.col("kind") == "plan_fee"
    unused = lines.filter(pl.col("kind") == "plan_unused").select("day", pl.col("effective").alias("unused"))
    negations = lines.filter(is_covered).with_columns(
        pl.lit("negation").alias("kind"), -pl.col("list_cost"), -pl.col("list_cost").alias("billed")
    )
    covered = pl.when(is_covered).then(pl.col("list_cost")).otherwise(pl.col("billed")).alias("billed")
    kept = lines.filter(pl.col("kind") != "plan_unused").with_columns(covered)
    return pl.concat([kept, negations]).join(unused, on="day", how="left").with_columns(
        pl.when(is_fee).then(pl.col("billed")).alias("savings_plan_recurring_commitment_for_billing_period"),
        pl.when(is_fee).then(pl.col("billed")).alias("savings_plan_total_commitment_to_date"),
        pl.when(is_fee).then(pl.col("billed") - pl.col("unused")).alias("savings_plan_used_commitment"),
        pl.when(is_covered).then(pl.col("effective")).alias("savings_plan_savings_plan_effective_cost"),
    )  # fmt: skip


def write_delivery(root: Path, month: date, delivered_at: datetime, table: pl.DataFrame) -> None:
    """Write a delivery of an export that keeps older ones: the file, then the manifests that name it."""
    partition = f"BILLING_PERIOD={month:%Y-%m}"
    execution = uuid.uuid5(uuid.NAMESPACE_URL, f"{EXPORT}/{partition}/{delivered_at:%Y%m%dT%H%M%S}")
    run = f"{delivered_at:%Y-%m-%dT%H:%M:%SZ}-{execution}"
    name = f"{EXPORT}-00001.csv.gz"
    base = root / EXPORT
    content = gzip.compress(table.write_csv(null_value="").encode(), 6, mtime=0)
    _write(base / "data" / partition / run / name, content, delivered_at)
    manifest = {
        "executionId": str(execution),
        "exportArn": f"arn:aws:bcm-data-exports:us-east-1:{AWS_BILLING_ACCOUNT}:export/{EXPORT}",
        "columns": [{"name": column} for column in table.columns],
        "dataFiles": [f"s3://quillworks-bills/exports/{EXPORT}/data/{partition}/{run}/{name}"],
    }
    body = (json.dumps(manifest, indent=1) + "\n").encode()
    metadata = base / "metadata" / partition
    _write(metadata / run / f"{EXPORT}-Manifest.json", body, delivered_at)
    _write(metadata / f"{EXPORT}-Manifest.json", body, delivered_at)


def _write(path: Path, content: bytes, written_at: datetime) -> None:
    """Write a file with the time of its delivery, as a copy of a bucket has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    seconds = written_at.replace(tzinfo=UTC).timestamp()
    os.utime(path, (seconds, seconds))


def _instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
