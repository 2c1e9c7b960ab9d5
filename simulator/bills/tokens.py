"""Lines for tokens: what each vendor calls the meter of a model, class, tier and band, and the unit it counts in.

What belongs here: names and units of token meters, and the price of each cell. What must not: other meters, or a
vendor's columns.

A line is one day of one meter of one route to a model; a class without tokens has no line. Its billed cost is tokens ×
contracted price of a token, exactly, until a vendor rounds it.
"""

from __future__ import annotations

import polars as pl

from simulator.bills.exact import divide
from simulator.bills.lines import build_lines
from simulator.company import ROUTES, Period
from simulator.habits import Habits
from simulator.prices import (
    BILLING_CURRENCY,
    TOKEN_CLASSES,
    build_token_prices,
    find_euro_per_dollar_e4,
)

_AWS_MODELS = {"claude-sonnet-4-5": "Claude4.5Sonnet", "claude-haiku-4-5": "Claude4.5Haiku"}
_AWS_REGIONS = {"us-east-1": "USE1", "eu-west-1": "EUW1"}
_AWS_PLACES = {"us-east-1": "US East (N. Virginia)", "eu-west-1": "EU (Ireland)"}
_AWS_CLASSES = {
    "uncached_input_tokens": "input-tokens",
    "cache_read_tokens": "cache-read-input-token-count",
    "cache_write_5m_tokens": "cache-write-input-token-count",
    "cache_write_1h_tokens": "cache-write-1h-input-token-count",
    "output_tokens": "output-tokens",
}
_AZURE_CLASSES = {"uncached_input_tokens": "Inp", "cache_read_tokens": "cached Inp", "output_tokens": "Outp"}
_GOOGLE_CLASSES = {
    "uncached_input_tokens": "Text Input",
    "cache_read_tokens": "Cached Text Input",
    "output_tokens": "Text Output",
}
_OPENAI_CLASSES = {
    "uncached_input_tokens": "input",
    "cache_read_tokens": "cached input",
    "output_tokens": "output",
}
_ANTHROPIC_MODELS = {"claude-sonnet-4-5": "Claude Sonnet 4.5", "claude-haiku-4-5": "Claude Haiku 4.5"}
_ANTHROPIC_CLASSES = {
    "uncached_input_tokens": ("Input Tokens", "uncached_input_tokens"),
    "cache_read_tokens": ("Input Tokens, Cache Hit", "cache_read_input_tokens"),
    "cache_write_5m_tokens": ("Input Tokens, Cache Write", "cache_creation.ephemeral_5m_input_tokens"),
    "cache_write_1h_tokens": ("Input Tokens, Cache Write 1h", "cache_creation.ephemeral_1h_input_tokens"),
    "output_tokens": ("Output Tokens", "output_tokens"),
}
CELL = ("route", "provider", "cloud", "model", "service_tier", "context_band")


def sum_tokens(calls: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return tokens above 0 by CELL, `token_class` and the keys given: one row each."""
    by = [*CELL, *keys]
    return (
        calls.group_by(by)
        .agg(pl.col(list(TOKEN_CLASSES)).sum())
        .unpivot(list(TOKEN_CLASSES), index=by, variable_name="token_class", value_name="tokens")
        .filter(pl.col("tokens") > 0)
        .sort([*by, "token_class"])
    )


def price_tokens(use: pl.DataFrame, period: Period, habits: Habits) -> pl.DataFrame:
    """Return use with `list_price` (in the bill's currency) and `price` of a token; what has neither is left out."""
    prices = build_token_prices(period, habits).rename({"contract_price": "price"})
    listed = [
        divide(price * find_euro_per_dollar_e4(day), 10**4) if currency == "EUR" else price
        for price, day, currency in prices.select("list_price", "valid_from", "billing_currency").iter_rows()
    ]
    prices = prices.with_columns(pl.Series("list_price", listed, dtype=pl.Int64))
    keys = ["provider", "model", "service_tier", "context_band", "token_class"]
    return use.join(prices, on=keys, how="inner").filter(
        (pl.col("day") >= pl.col("valid_from")) & (pl.col("day") < pl.col("valid_to"))
    )


def route_values(name: str) -> pl.Expr:
    """Return a property of each row's route: its account, region, principal …"""
    return pl.col("route").replace_strict({key: getattr(route, name) for key, route in ROUTES.items()})


def build_token_lines(use: pl.DataFrame, cloud: str, habits: Habits) -> pl.DataFrame:
    """Return lines without costs of one cloud's priced use by `day`; quantities are whole tokens."""
    name, unit, digits = METERS[cloud]
    mine = use.filter(pl.col("cloud") == cloud)
    if not habits.unit_blocks and cloud != "gcp":
        unit, digits = "Tokens", 0
    named = mine.with_columns(
        route_values("account").alias("account"),
        route_values("region").replace("", None).alias("region"),
        route_values("principal").replace("", None).alias("principal"),
        route_values("api_key_id").replace("", None).alias("api_key_id"),
        pl.col("tokens").alias("quantity"),
        (pl.col("list_price") * 10**digits).alias("list_price"),
        (pl.col("price") * 10**digits).alias("price"),
        name(),
    )
    return build_lines(
        named, bill=cloud, use="tokens", days=1, kind="usage", unit=unit, digits=digits,
        currency=BILLING_CURRENCY[cloud],
    )  # fmt: skip


def _joined(*parts: pl.Expr | str) -> pl.Expr:
    return pl.concat_str([pl.lit(part) if isinstance(part, str) else part for part in parts])


def _is_long() -> pl.Expr:
    return pl.col("context_band") != "base"


def _text_if(condition: pl.Expr, text: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(text)).otherwise(pl.lit(""))


def _name_aws() -> pl.Expr:
    """`USE1-Claude4.5Sonnet-cache-read-input-token-count-long-context-batch`"""
    tier = (
        pl.when(pl.col("service_tier") == "standard")
        .then(pl.lit(""))
        .otherwise(_joined("-", pl.col("service_tier")))
    )
    return _joined(
        route_values("region").replace_strict(_AWS_REGIONS, default=""),
        "-",
        pl.col("model").replace_strict(_AWS_MODELS, default=""),
        "-",
        pl.col("token_class").replace_strict(_AWS_CLASSES),
        _text_if(_is_long(), "-long-context"),
        tier,
    ).alias("meter")


def _name_azure() -> pl.Expr:
    """`gpt 4.1 mini cached Inp glbl Tokens`"""
    model = pl.col("model").str.replace_all("-", " ", literal=True)
    batch = _text_if(pl.col("service_tier") == "batch", " Batch")
    token_class = pl.col("token_class").replace_strict(_AZURE_CLASSES, default="")
    return _joined(model, batch, " ", token_class, " glbl Tokens").alias("meter")


def _name_google() -> pl.Expr:
    """`Gemini 2.5 Pro GA Text Input (Long) - Predictions`"""
    model = pl.col("model").str.replace_all("-", " ", literal=True).str.to_titlecase()
    return _joined(
        model,
        " GA ",
        pl.col("token_class").replace_strict(_GOOGLE_CLASSES, default=""),
        _text_if(_is_long(), " (Long)"),
        _text_if(pl.col("service_tier") == "batch", " - Batch Predictions"),
        _text_if(pl.col("service_tier") != "batch", " - Predictions"),
    ).alias("meter")


def _name_openai() -> pl.Expr:
    """`batch | gpt-5-mini-2025-08-07, cached input`"""
    tier = (
        pl.when(pl.col("service_tier") == "standard")
        .then(pl.lit(""))
        .otherwise(_joined(pl.col("service_tier"), " | "))
    )
    return _joined(
        tier,
        route_values("response_model"),
        ", ",
        pl.col("token_class").replace_strict(_OPENAI_CLASSES, default=""),
    ).alias("meter")


def _name_anthropic() -> pl.Expr:
    """`Claude Sonnet 4.5 Usage - Input Tokens, Cache Hit, Batch`"""
    return _joined(
        pl.col("model").replace_strict(_ANTHROPIC_MODELS, default=""),
        " Usage - ",
        pl.col("token_class").replace_strict(
            {name: words for name, (words, _) in _ANTHROPIC_CLASSES.items()}
        ),
        _text_if(pl.col("service_tier") == "batch", ", Batch"),
    ).alias("meter")


def find_anthropic_token_type() -> pl.Expr:
    """Return what Anthropic's cost report calls a token class."""
    return pl.col("token_class").replace_strict(
        {name: kind for name, (_, kind) in _ANTHROPIC_CLASSES.items()}
    )


METERS = {
    "aws": (_name_aws, "1K tokens", 3),
    "azure": (_name_azure, "1K", 3),
    "gcp": (_name_google, "count", 0),
    "openai": (_name_openai, "1000_tokens", 3),
    "anthropic": (_name_anthropic, "tokens", 0),
}
"""Cloud → the name of a meter, the unit it is priced in, and how many zeros of tokens one of it has."""
