"""What OpenAI and Anthropic count and bill: the tables that their simulated APIs answer from.

What belongs here: usage by minute, costs by hour, and since when the vendors know of each. What must not: how an API
answers (`simulator.apis`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl

from simulator.apis.store import ANTHROPIC_COSTS, ANTHROPIC_USAGE, OPENAI_COSTS, OPENAI_USAGE
from simulator.bills.exact import round_units
from simulator.bills.lines import build_lines, price_lines
from simulator.bills.tokens import (
    build_token_lines,
    find_anthropic_token_type,
    price_tokens,
    route_values,
    sum_tokens,
)
from simulator.company import (
    ACCOUNTS,
    ANTHROPIC_ORGANIZATION,
    COMPANY,
    OPENAI_ORGANIZATION,
    Period,
)
from simulator.habits import Habits
from simulator.prices import BAND_LIMIT_TOKENS, TOKEN_CLASSES, contract_price, meter_price

CENT_DIGITS = 7  # of a dollar: Anthropic states cents with five digits behind the point
_DELAY_MINUTES = 10
_SEARCHES = "web_searches"


def build_tables(
    calls: pl.DataFrame, period: Period, habits: Habits
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Return the tables of the API store, and who the organizations are."""
    used = calls.filter(pl.col("cloud").is_in(["openai", "anthropic"])).with_columns(
        pl.col("started_at").dt.truncate("1m").alias("at")
    )
    used = used.filter(pl.sum_horizontal(TOKEN_CLASSES) > 0)
    costs = price_tokens(sum_tokens(_by_hour(used), "at", "day", "bill_lag_days"), period, habits)
    tables = {
        OPENAI_USAGE: _build_openai_usage(used),
        OPENAI_COSTS: _build_openai_costs(costs, habits),
        ANTHROPIC_USAGE: _build_anthropic_usage(used),
        ANTHROPIC_COSTS: pl.concat(
            [_build_anthropic_costs(costs, habits), _build_search_costs(_by_hour(used), habits)]
        ),
    }
    organizations = {
        "openai": {"organization_id": OPENAI_ORGANIZATION, "name": COMPANY},
        "anthropic": {
            "organization_id": ANTHROPIC_ORGANIZATION,
            "name": COMPANY,
            "dollar_digits": CENT_DIGITS if habits.cent_rounding else 12,
        },
        "ends_at": (period.end + timedelta(days=1)).isoformat(),
    }
    return {name: _add_known_at(table) for name, table in tables.items()}, organizations


def _by_hour(used: pl.DataFrame) -> pl.DataFrame:
    return used.with_columns(pl.col("at").dt.truncate("1h"))


def _add_known_at(table: pl.DataFrame) -> pl.DataFrame:
    """Minutes after the use; of late calls days after it."""
    delay = pl.duration(days="bill_lag_days", minutes=_DELAY_MINUTES)
    return table.with_columns((pl.col("at") + delay).alias("known_at")).drop("bill_lag_days").sort(pl.all())


def _build_openai_usage(used: pl.DataFrame) -> pl.DataFrame:
    tier = pl.col("service_tier")
    return (
        used.filter(pl.col("cloud") == "openai")
        .group_by(
            "at",
            "bill_lag_days",
            pl.lit("completions").alias("endpoint"),
            pl.col("account_id").alias("project_id"),
            pl.format("user-{}", pl.col("api_key_id").str.strip_prefix("key_")).alias("user_id"),
            "api_key_id",
            route_values("response_model").alias("model"),
            (tier == "batch").alias("batch"),
            pl.when(tier.is_in(["standard", "batch"]))
            .then(pl.lit("default"))
            .otherwise(tier)
            .alias("service_tier"),
        )
        .agg(
            pl.col("uncached_input_tokens").sum().alias("uncached_tokens"),
            pl.col("cache_read_tokens").sum().alias("cached_tokens"),
            (pl.col("cache_write_5m_tokens") + pl.col("cache_write_1h_tokens"))
            .sum()
            .alias("cache_write_tokens"),
            pl.col("output_tokens").sum(),
            pl.len().cast(pl.Int64).alias("requests"),
        )
    )


def _build_openai_costs(costs: pl.DataFrame, habits: Habits) -> pl.DataFrame:
    lines = build_token_lines(costs, "openai", habits)
    return (
        pl.concat(
            [lines, costs.filter(pl.col("cloud") == "openai").select("at", "bill_lag_days")], how="horizontal"
        )
        .group_by(
            "at",
            "bill_lag_days",
            pl.col("account").replace_strict(_account_ids(), default=None).alias("project_id"),
            "api_key_id",
            pl.col("meter").alias("line_item"),
            pl.lit("1000_tokens" if habits.unit_blocks else "tokens").alias("quantity_unit"),
        )
        .agg(
            (pl.col("quantity") * (pl.col("price") // pl.lit(10, dtype=pl.Int64) ** pl.col("digits")))
            .sum()
            .alias("amount"),
            pl.col("quantity").sum(),
        )
    )


def _account_ids() -> dict[str, str]:
    return {key: account.account_id for key, account in ACCOUNTS.items()}


def _build_anthropic_usage(used: pl.DataFrame) -> pl.DataFrame:
    nothing = pl.lit(None, dtype=pl.String)
    prompt = pl.sum_horizontal(TOKEN_CLASSES[:4])
    return (
        used.filter(pl.col("cloud") == "anthropic")
        .group_by(
            "at",
            "bill_lag_days",
            nothing.alias("account_id"),
            "api_key_id",
            pl.when(prompt > BAND_LIMIT_TOKENS)
            .then(pl.lit("200k-1M"))
            .otherwise(pl.lit("0-200k"))
            .alias("context_window"),
            pl.lit("not_available").alias("inference_geo"),
            route_values("response_model").alias("model"),
            nothing.alias("service_account_id"),
            "service_tier",
            nothing.alias("speed"),
            pl.col("account_id").alias("workspace_id"),
        )
        .agg(
            pl.col("uncached_input_tokens").sum().alias("uncached_tokens"),
            pl.col(
                "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "output_tokens"
            ).sum(),
            pl.col("web_search_requests").sum().alias(_SEARCHES),
        )
    )


_COST_KEYS = (
    "at",
    "bill_lag_days",
    "workspace_id",
    "description",
    "context_window",
    "cost_type",
    "model",
    "service_tier",
    "token_type",
    "inference_geo",
)


def _build_anthropic_costs(costs: pl.DataFrame, habits: Habits) -> pl.DataFrame:
    mine = costs.filter(pl.col("cloud") == "anthropic")
    lines = build_token_lines(costs, "anthropic", habits)
    return (
        mine.select(
            "at",
            "bill_lag_days",
            lines["account"].replace_strict(_account_ids()).alias("workspace_id"),
            lines["meter"].alias("description"),
            pl.lit("0-200k").alias("context_window"),
            pl.lit("tokens").alias("cost_type"),
            route_values("response_model").alias("model"),
            "service_tier",
            find_anthropic_token_type().alias("token_type"),
            pl.lit("not_available").alias("inference_geo"),
            (pl.col("tokens") * pl.col("price")).alias("amount"),
        )
        .group_by(_COST_KEYS)
        .agg(pl.col("amount").sum())
    )


def _build_search_costs(used: pl.DataFrame, habits: Habits) -> pl.DataFrame:
    """Web searches: 10 USD a thousand; the report tells them by their cost type alone."""
    nothing = pl.lit(None, dtype=pl.String)
    listed = meter_price("anthropic", "web_search", "requests")
    return (
        used.filter((pl.col("cloud") == "anthropic") & (pl.col("web_search_requests") > 0))
        .with_columns(
            pl.col("account_id").alias("workspace_id"),
            pl.lit("Web Search Usage").alias("description"),
            nothing.alias("context_window"),
            pl.lit("web_search").alias("cost_type"),
            nothing.alias("model"),
            nothing.alias("service_tier"),
            nothing.alias("token_type"),
            nothing.alias("inference_geo"),
        )
        .group_by([*_COST_KEYS, "day"])
        .agg(pl.col("web_search_requests").sum())
        .with_columns(
            pl.struct("day", "web_search_requests")
            .map_elements(
                lambda row: (
                    row["web_search_requests"] * contract_price(listed, "anthropic", row["day"], habits)
                ),
                return_dtype=pl.Int64,
            )
            .alias("amount")
        )
        .select(*_COST_KEYS, "amount")
    )


def build_lines_of_apis(
    calls: pl.DataFrame, period: Period, habits: Habits
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines that OpenAI and Anthropic bill, by day, priced and rounded as their APIs state them."""
    costs = price_tokens(sum_tokens(calls, "day"), period, habits)
    openai = _cost(build_token_lines(costs, "openai", habits), 12)
    anthropic = build_token_lines(costs, "anthropic", habits)
    digits = CENT_DIGITS if habits.cent_rounding else 12
    return openai, _round_groups(pl.concat([_cost(anthropic, 12), _search_lines(calls, habits)]), digits)


def _cost(lines: pl.DataFrame, digits: int) -> pl.DataFrame:
    return price_lines(lines, digits).with_columns(pl.col("billed").alias("list_cost"))


def _search_lines(calls: pl.DataFrame, habits: Habits) -> pl.DataFrame:
    listed = meter_price("anthropic", "web_search", "requests")
    searches = (
        calls.filter((pl.col("cloud") == "anthropic") & (pl.col("web_search_requests") > 0))
        .group_by("day", "route")
        .agg(pl.col("web_search_requests").sum().alias("quantity"))
        .with_columns(
            route_values("account").alias("account"), route_values("api_key_id").alias("api_key_id")
        )
        .sort("day", "route")
    )
    prices = [contract_price(listed, "anthropic", day, habits) for day in searches["day"]]
    lines = build_lines(
        searches.with_columns(pl.Series("price", prices, dtype=pl.Int64)),
        bill="anthropic", use="web_searches", days=1, kind="usage", meter="Web Search Usage", unit="requests",
        digits=0, list_price=listed, currency="USD",
    )  # fmt: skip
    return _cost(lines, 12)


def _round_groups(lines: pl.DataFrame, digits: int) -> pl.DataFrame:
    """Round what Anthropic states as one amount, day × workspace × description; the routes in it share the rest.

    The first route of a group takes what rounding adds or takes.
    """
    groups = ["day", "account", "meter"]
    totals = lines.group_by(groups).agg(pl.col("billed").sum().alias("total"))
    off = [round_units(total, digits) - total for total in totals["total"]]
    moved = lines.sort([*groups, "api_key_id", "model"]).join(
        totals.with_columns(pl.Series("off", off, dtype=pl.Int64)).drop("total"), on=groups, how="left"
    )
    is_first = pl.struct(groups).is_first_distinct()
    billed = pl.col("billed") + pl.when(is_first).then(pl.col("off")).otherwise(0)
    return moved.with_columns(
        billed.alias("billed"), billed.alias("effective"), billed.alias("list_cost")
    ).drop("off")
