"""What AWS bills for use: tokens, machines, bytes, logs, storage and training, and the Savings Plan that pays for some.

What belongs here: usage types, descriptions and resources. What must not: what follows other cost (`aws_monthly`),
columns of a report (`aws_cur`), or anything that an invoice does not show.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from simulator.bills.aws_cur import HAIKU_SELLER, LOCATIONS, SAVINGS_PLAN
from simulator.bills.exact import DIGITS, multiply, scale
from simulator.bills.lines import build_lines, contract_lines, price_lines
from simulator.bills.metered import (
    Cut,
    Metered,
    as_gibibytes,
    as_quantities,
    meter,
    scale_volume,
    sum_bytes,
    write_tags,
)
from simulator.bills.tokens import build_token_lines, route_values
from simulator.company import ACCOUNTS
from simulator.habits import Habits
from simulator.prices import meter_price
from simulator.volumes import SAVINGS_PLAN_HOURLY, SAVINGS_PLAN_RATE
from simulator.world import World

COST_DIGITS = 10  # behind the point, where AWS rounds
_NAT_GATEWAY = "natgateway/nat-05b7d1e93ac2f8604"
_PREFIXES = {"us-east-1": "", "eu-west-1": "EU-"}
_LONG_PREFIXES = {"us-east-1": "USE1", "eu-west-1": "EU"}
_ARNS = {"AmazonES": "es", "AmazonRDS": "rds", "AmazonEKS": "eks", "AmazonSageMaker": "sagemaker"}
_MARKETPLACE_CLASSES = {
    "uncached_input_tokens": "InputTokenCount",
    "cache_read_tokens": "CacheReadInputTokenCount",
    "cache_write_5m_tokens": "CacheWriteInputTokenCount",
    "cache_write_1h_tokens": "CacheWrite1hInputTokenCount",
    "output_tokens": "OutputTokenCount",
}
_KINDS = {
    "inter_region": ("AWS-Out-Bytes", "RunInstances", "data transfer to"),
    "internet": ("DataTransfer-Out-Bytes", "RunInstances", "data transfer out"),
    "nat": ("NatGateway-Bytes", "NatGateway", "Data Processed by NAT Gateways"),
}
_EXTRAS = (
    ("AmazonCloudFront", "US-DataTransfer-Out-Bytes", "GB", "0.085", "22.4", "distribution/E2QW7DOCSITE"),
    ("AmazonVPC", "USE1-VpcEndpoint-Hours", "Hrs", "0.01", "48", "vpc-endpoint/vpce-0b61c8e2f94d7a350"),
    ("AmazonVPC", "USE1-VpcEndpoint-Bytes", "GB", "0.01", "35.2", "vpc-endpoint/vpce-0b61c8e2f94d7a350"),
)
"""What nothing in the company measures, a day: a content network and a private link."""


def build_usage_lines(world: World, cut: Cut) -> pl.DataFrame:
    """Return the priced lines of use of the days of `cut`."""
    use = meter(world, "aws", cut)
    days = [day for day in world.period.days if cut.first <= day <= cut.last]
    lines = pl.concat(
        [
            _token_lines(use),
            *_transfer_lines(use),
            _log_lines(use),
            _gpu_lines(use),
            _resource_lines(use),
            _extra_lines(days, cut),
        ]
    )
    digits = COST_DIGITS if world.habits.quantity_rounding else DIGITS
    priced = price_lines(contract_lines(lines, "aws", world.habits), digits)
    return _commit(priced, days, cut, world.habits)


def _token_lines(use: Metered) -> pl.DataFrame:
    """Sonnet under Bedrock's own code by the thousand, Haiku under a seller's code by the million, as AWS does both."""
    keys = [name for name in use.tokens.columns if name not in ("tokens", "bill_lag_days")]
    merged = use.tokens.group_by(keys).agg(pl.col("tokens").sum()).sort(keys)
    model = pl.concat_str(
        pl.lit("arn:aws:bedrock:"),
        pl.col("region"),
        pl.lit("::foundation-model/"),
        route_values("response_model"),
    )
    alias = route_values("alias")
    has_profile = alias.str.starts_with("arn:") & pl.lit(bool(use.habits.model_aliases))
    environment = pl.col("account").replace_strict({key: a.environment for key, a in ACCOUNTS.items()})
    place = pl.col("region").replace_strict(LOCATIONS)
    lines = build_token_lines(merged, "aws", use.habits).with_columns(
        pl.lit("AmazonBedrock").alias("service"),
        pl.lit("InvokeModelInference").alias("operation"),
        pl.when(has_profile).then(alias).otherwise(model).alias("resource"),
        pl.format("{} in {}", "meter", place).alias("description"),
        pl.concat_str(pl.lit('{"user_env":"'), environment, pl.lit('"}')).alias("tags"),
    )
    return _sell_by_million(lines) if use.habits.unit_blocks else lines


def _sell_by_million(lines: pl.DataFrame) -> pl.DataFrame:
    """Return lines with those of Haiku as AWS Marketplace writes them: units of a million tokens, a code of its own."""
    prefix = pl.col("region").replace_strict({"us-east-1": "USE1", "eu-west-1": "EUW1"})
    meter = pl.concat_str(
        pl.lit("MP:"),
        prefix,
        pl.lit("_"),
        pl.col("token_class").replace_strict(_MARKETPLACE_CLASSES),
        pl.lit("-Units"),
    )
    values = {
        "service": pl.lit(HAIKU_SELLER),
        "operation": pl.lit("Usage"),
        "meter": meter,
        "description": pl.format("AWS Marketplace software usage|{}|Million Tokens", "region"),
        "unit": pl.lit("Units"),
        "digits": pl.lit(6, dtype=pl.Int64),
        "list_price": pl.col("list_price") * 1000,
        "price": pl.col("price") * 1000,
    }
    is_sold = pl.col("model") == "claude-haiku-4-5"
    return lines.with_columns(
        pl.when(is_sold).then(value).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )


def _transfer_lines(use: Metered) -> list[pl.DataFrame]:
    """Bytes between zones twice, once where they leave and once where they arrive; all others once."""
    flows = use.transfers
    between = flows.filter(pl.col("traffic_kind") == "inter_az")
    lines = [
        _regional_lines(use, sum_bytes(between, f"{side}_region", f"{side}_zone"), side, operation)
        for side, operation in (("from", "InterZone-Out"), ("to", "InterZone-In"))
    ]
    for kind, (name, operation, words) in _KINDS.items():
        moved = sum_bytes(
            flows.filter(pl.col("traffic_kind") == kind), "from_region", "from_zone", "to_region"
        )
        region = pl.col("from_region")
        prefix = region.replace_strict(_PREFIXES)
        far = pl.col("to_region").replace("", None)
        if kind == "inter_region":
            long = (column.replace_strict(_LONG_PREFIXES, default="") for column in (region, far))
            prefix = pl.concat_str(*long, pl.lit(""), separator="-")
        measured = as_gibibytes(moved, "billed_bytes", use.habits).with_columns(
            region.alias("region"),
            pl.lit(None, dtype=pl.String).alias("zone")
            if kind == "nat"
            else pl.col("from_zone").alias("zone"),
            (far if kind == "inter_region" else pl.lit(None, dtype=pl.String)).alias("to_region"),
            pl.concat_str(prefix, pl.lit(name)).alias("meter"),
        )
        if kind == "nat":
            measured = _sum_quantities(measured)
        price = meter_price("aws", kind, "GiB")
        lines.append(
            build_lines(
                measured, bill="aws", use="bytes", days=1, kind="usage", currency="USD", service="AmazonEC2",
                operation=operation, unit="GB", list_price=price, description=_describe(price, "GB", words),
                resource=_nat_arn() if kind == "nat" else None,
            )
        )  # fmt: skip
    return lines


def _regional_lines(use: Metered, moved: pl.DataFrame, side: str, operation: str) -> pl.DataFrame:
    price = meter_price("aws", "inter_az", "GiB")
    words = "regional data transfer - in/out/between EC2 AZs or using elastic IPs or ELB"
    measured = as_gibibytes(moved, "billed_bytes", use.habits).with_columns(
        pl.col(f"{side}_region").alias("region"),
        pl.col(f"{side}_zone").alias("zone"),
        pl.lit(None, dtype=pl.String).alias("to_region"),
        pl.concat_str(
            pl.col(f"{side}_region").replace_strict(_PREFIXES), pl.lit("DataTransfer-Regional-Bytes")
        ).alias("meter"),
    )
    return build_lines(
        measured, bill="aws", use="bytes", days=1, kind="usage", currency="USD", service="AmazonEC2",
        operation=operation, unit="GB", list_price=price, description=_describe(price, "GB", words),
    )  # fmt: skip


def _sum_quantities(measured: pl.DataFrame) -> pl.DataFrame:
    """One gateway serves all zones."""
    keys = ["day", "account", "region", "zone", "to_region", "meter", "digits"]
    return measured.group_by(keys).agg(pl.col("quantity").sum()).sort("day", "account", "region")


def _nat_arn() -> str:
    return f"arn:aws:ec2:us-east-1:{ACCOUNTS['aws_production'].account_id}:{_NAT_GATEWAY}"


def _describe(price: int, unit: str, words: str) -> str:
    """`$0.010 per GB - regional data transfer`, as AWS words its descriptions."""
    dollars = f"{price // 10**12}.{price % 10**12:012d}".rstrip("0")
    return f"${dollars.ljust(5, '0')} per {unit} - {words}"


def _log_lines(use: Metered) -> pl.DataFrame:
    price = meter_price("aws", "log", "GiB")
    volumes = scale_volume(use.telemetry.filter(pl.col("signal") == "log"), "volume_bytes", use.cut)
    measured = as_gibibytes(volumes, "volume_bytes", use.habits).with_columns(
        pl.format("arn:aws:logs:{}:{}:log-group:{}", "region", "account_id", "workload_ref").alias(
            "resource"
        ),
        pl.concat_str(pl.col("region").replace_strict(_LONG_PREFIXES), pl.lit("-DataProcessing-Bytes")).alias(
            "meter"
        ),
    )
    return build_lines(
        measured.sort("day", "resource"), bill="aws", use="volume", days=1, kind="usage", currency="USD",
        service="AmazonCloudWatch", operation="PutLogEvents", unit="GB", list_price=price,
        description=_describe(price, "GB", "custom log data ingested in Standard log class"),
    )  # fmt: skip


def _gpu_lines(use: Metered) -> pl.DataFrame:
    hosts = (
        use.capacity.group_by("day", "account", "zone", "resource_id", "instance_type")
        .agg(pl.len().cast(pl.Int64).alias("quantity"))
        .sort("day", "resource_id")
        .with_columns(
            pl.format("BoxUsage:{}", "instance_type").alias("meter"),
            pl.format("On Demand Linux {} Instance Hour", "instance_type").alias("description"),
            pl.col("resource_id").alias("resource"),
        )
    )
    prices = [meter_price("aws", kind, "hours") for kind in hosts["instance_type"]]
    hosts = hosts.with_columns(pl.Series("list_price", prices, dtype=pl.Int64))
    return build_lines(
        hosts, bill="aws", use="hours", days=1, kind="usage", currency="USD", service="AmazonEC2",
        operation="RunInstances", unit="Hrs", digits=0, region="us-east-1",
        tags='{"user_app":"meeting_summaries","user_env":"production","user_team":"collaboration"}',
    )  # fmt: skip


def _resource_lines(use: Metered) -> pl.DataFrame:
    service, name = pl.col("service"), pl.col("resource_id")
    arn = pl.concat_str(
        pl.lit("arn:aws:"), service.replace_strict(_ARNS, default=""), pl.lit(":"), pl.col("region"), pl.lit(":"),
        pl.col("account_id"), pl.lit(":"), name,
    )  # fmt: skip
    log = pl.concat_str(
        pl.lit("arn:aws:logs:"), pl.col("region"), pl.lit(":"), pl.col("account_id"), pl.lit(":"), name
    )
    resource = (
        pl.when(service.is_in(list(_ARNS))).then(arn)
        .when(service == "AmazonCloudWatch").then(log)
        .when(name.str.starts_with("natgateway")).then(pl.lit(_nat_arn()))
        .otherwise(name)
    )  # fmt: skip
    measured = as_quantities(use.other, use.cut).with_columns(
        resource.alias("resource"),
        pl.col("zone").replace("", None),
        write_tags("user_"),
        pl.format("{} of {}", "meter", "service").alias("description"),
        pl.when(pl.col("is_covered") & pl.lit(bool(use.habits.commitments)))
        .then(pl.lit("covered"))
        .otherwise(pl.lit("usage"))
        .alias("kind"),
    )
    return build_lines(measured, bill="aws", use="other_usage", days=1, currency="USD", operation="")


def _extra_lines(days: list[date], cut: Cut) -> pl.DataFrame:
    account = ACCOUNTS["aws_production"]
    rows = [
        (day, service, name, unit, price, quantity, f"arn:aws:ec2:us-east-1:{account.account_id}:{resource}")
        for day in days
        for service, name, unit, price, quantity, resource in _EXTRAS
    ]
    names = ("day", "service", "meter", "unit", "list_price", "quantity", "resource")
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String) | {"day": pl.Date}, orient="row")
    quantities = as_quantities(frame, cut).with_columns(
        pl.format("{} of {}", "meter", "service").alias("description")
    )
    return build_lines(
        quantities, bill="aws", use="unmeasured", days=1, kind="usage", currency="USD",
        account="aws_production", region="us-east-1", operation="",
    )  # fmt: skip


def _commit(lines: pl.DataFrame, days: list[date], cut: Cut, habits: Habits) -> pl.DataFrame:
    """Return lines with the Savings Plan: what it covers costs nothing on the bill, its fee has no effective cost.

    What of a day's commitment no hour used is a line without a billed cost; AWS reports it as part of the fee.
    """
    if not habits.commitments:
        return lines
    is_covered = pl.col("kind") == "covered"
    rate = scale(SAVINGS_PLAN_RATE)
    effective = multiply(lines["quantity"], lines["digits"], [rate] * len(lines), COST_DIGITS)
    lines = lines.with_columns(
        pl.when(is_covered).then(0).otherwise(pl.col("billed")).alias("billed"),
        pl.when(is_covered).then(effective).otherwise(pl.col("effective")).alias("effective"),
    )
    used = dict(lines.filter(is_covered).group_by("day").agg(pl.col("effective").sum()).iter_rows())
    rows = []
    for day in days:
        hours, _ = cut.share(day)
        fee = scale(SAVINGS_PLAN_HOURLY) * hours
        rows.append((day, "plan_fee", fee, 0))
        rows.append((day, "plan_unused", 0, fee - used.get(day, 0)))
    plan = pl.DataFrame(rows, schema=("day", "kind", "billed", "effective"), orient="row")
    return pl.concat(
        [
            lines,
            build_lines(
                plan.with_columns(pl.col("billed").alias("list_cost")), bill="aws", use="commitment", days=1,
                account="aws_production", currency="USD", service="ComputeSavingsPlans",
                meter="ComputeSP:1yrNoUpfront", resource=SAVINGS_PLAN, unit="", digits=0, operation="",
                description="1 year No Upfront Compute Savings Plan",
            ),
        ]
    )  # fmt: skip
