"""What AWS bills by the month, and what follows from other lines: support, a seller, credits, a refund and tax.

What belongs here: fixed amounts, and the days on which a month is delivered. What must not: use (`aws`), or columns of
a report (`aws_cur`).
"""

from __future__ import annotations

from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from simulator.bills import aws_cur
from simulator.bills.aws import build_usage_lines
from simulator.bills.exact import DIGITS, divide, round_units
from simulator.bills.lines import build_lines
from simulator.bills.metered import Cut
from simulator.company import Period, midnight, next_month
from simulator.prices import as_units
from simulator.volumes import SUPPORT_FEE_MONTHLY
from simulator.world import World

METERED_HOURS = 18  # of the newest day have reached a bill
TAX_PERCENT = 6
BEDROCK_CREDIT, OTHER_CREDIT, REFUND, MARKETPLACE_FEE = "-60", "-37.5", "-41.2", "48"
_DELIVERED = timedelta(hours=6, minutes=20)


def build_month(world: World, cut: Cut) -> pl.DataFrame:
    """Return AWS's lines of the days of `cut`, which lie in one month, with all that follows from them."""
    month = cut.first.replace(day=1)
    lines = pl.concat([build_usage_lines(world, cut), *_fixed_lines(world, month)])
    return pl.concat([lines, *_tax_lines(world, lines, month)])


def _fixed(day: date, days: int, amount: str, **values: Any) -> pl.DataFrame:
    """One line that has no price."""
    units = -as_units(amount[1:]) if amount.startswith("-") else as_units(amount)
    frame = pl.DataFrame({"day": [day], "list_cost": [units], "billed": [units], "effective": [units]})
    return build_lines(frame, bill="aws", days=days, currency="USD", **values)


def _fixed_lines(world: World, month: date) -> list[pl.DataFrame]:
    first, habits = max(month, world.period.start), world.habits
    days = (next_month(month) - first).days
    lines = []
    if habits.support_fee:
        lines += [
            _fixed(
                first, days, SUPPORT_FEE_MONTHLY, use="support", kind="fee", account="aws_production",
                service="AWSSupportBusiness", meter="Dollar", description="AWS Support (Business) monthly fee",
            ),
            _fixed(
                first, days, MARKETPLACE_FEE, use="marketplace", kind="seller_fee", account="aws_production",
                service=aws_cur.SELLER, meter="MP:month-Units", description="Vantage Vector Guard, monthly contract",
            ),
        ]  # fmt: skip
    if habits.credits:
        lines += [
            _fixed(
                first, days, BEDROCK_CREDIT, use="credit", kind="credit", account="aws_production",
                service="AmazonBedrock",
                description="AWS Promotional Credits: Bedrock Builder Programme QW-2026-14",
            ),
            _fixed(
                first, days, OTHER_CREDIT, use="credit", kind="credit", service="AmazonEC2",
                description="AWS Promotional Credits: Activate Portfolio",
            ),
        ]  # fmt: skip
        lines += _refund_lines(world.period, month)
    return lines


def _refund_lines(period: Period, month: date) -> list[pl.DataFrame]:
    """A refund in the newest month for a failure in the month before, which is closed."""
    incident = (month - timedelta(days=1)).replace(day=14)
    if month != period.months[-1] or incident < period.start:
        return []
    return [
        _fixed(
            incident, 1, REFUND, use="refund", kind="refund", account="aws_production", service="AmazonES",
            region="eu-west-1", meter="EU-ESInstance:r6g.xlarge.search",
            description="Refund: Amazon OpenSearch Service SLA credit",
        )
    ]  # fmt: skip


def _tax_lines(world: World, lines: pl.DataFrame, month: date) -> list[pl.DataFrame]:
    """Tax per account and service on what it is billed."""
    if not world.habits.tax:
        return []
    first = max(month, world.period.start)
    taxed = (
        lines.filter(~pl.col("kind").is_in(["credit", "tax"]) & pl.col("account").is_not_null())
        .group_by("account", "service")
        .agg(pl.col("billed").sum())
        .sort("account", "service")
    )
    digits = 2 if world.habits.cent_rounding else DIGITS
    amounts = [round_units(divide(billed * TAX_PERCENT, 100), digits) for billed in taxed["billed"]]
    costs = {name: pl.Series(amounts, dtype=pl.Int64) for name in ("list_cost", "billed", "effective")}
    tax = taxed.with_columns(
        pl.lit(first).alias("day"),
        pl.format("Tax for product code {}", "service").alias("description"),
        **costs,
    ).filter(pl.col("billed") != 0)
    days = (next_month(month) - first).days
    return [build_lines(tax, bill="aws", use="tax", kind="tax", days=days, currency="USD")]


def find_cut(world: World, month: date, today: date, *, is_final: bool) -> Cut:
    """Return what a delivery on the morning of `today` knows of a month.

    With restatements the last evening of what is known comes with the final delivery only.
    """
    yesterday = today - timedelta(days=1)
    last = min(next_month(month) - timedelta(days=1), world.period.end, yesterday)
    is_partial = world.habits.restatements > 0 and not is_final
    return Cut(max(month, world.period.start), last, METERED_HOURS if is_partial else 24, yesterday)


def _find_deliveries(world: World, month: date, today: date) -> list[tuple[date, bool, bool]]:
    """Return the days on which a month was delivered, whether its invoice was there, and whether it was final."""
    closed, restated = next_month(month) + timedelta(days=4), next_month(month) + timedelta(days=11)
    if today < closed:
        return [(today, False, False)]
    if not world.habits.restatements:
        return [(closed, True, True)]
    return [(closed, True, False), *([(restated, True, True)] if restated <= today else [])]


def _find_months(period: Period, today: date) -> list[date]:
    return [month for month in period.months if max(month, period.start) < today]


def write_bills(root: Path, world: World, today: date) -> None:
    """Write every delivery up to the morning of `today`: closed months on the 5th and the 12th, the open one now."""
    has_net_costs = world.habits.negotiated_discounts > 0
    for month in _find_months(world.period, today):
        for day, has_invoice, is_final in _find_deliveries(world, month, today):
            lines = build_month(world, find_cut(world, month, day, is_final=is_final))
            invoice = _number_invoice(month) if has_invoice else ""
            table = aws_cur.render(lines, month, invoice, has_net_costs=has_net_costs)
            aws_cur.write_delivery(root, month, midnight(day) + _DELIVERED, table)


def _number_invoice(month: date) -> str:
    return f"{month:%y%m}{int(sha256(str(month).encode()).hexdigest()[:8], 16) % 10**7:07d}"


def build_lines_known(world: World, today: date) -> pl.DataFrame:
    """Return all lines as the newest deliveries up to the morning of `today` state them."""
    newest = [
        (month, _find_deliveries(world, month, today)[-1]) for month in _find_months(world.period, today)
    ]
    return pl.concat(
        [
            build_month(world, find_cut(world, month, day, is_final=is_final))
            for month, (day, _, is_final) in newest
        ]
    )
