"""What vendors charge the company: the price of a token, and of the other meters that several parts need.

What belongs here: list prices as vendors publish them, the company's discounts, Azure's monthly exchange rates,
and the one price change of the run, all as integers of 1e-12 of a currency. What must not: quantities, or how
a bill writes a price. It is typed in by hand from public price lists; it reads no price book.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from simulator.company import LLAMA, Period, next_month
from simulator.habits import Habits

UNIT = 10**12  # money is an integer of this part of a currency
TOKEN_CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
# USD per million tokens in the order of TOKEN_CLASSES; None: the vendor does not bill that class.
_LIST: tuple[tuple[str, str, str, str, tuple[str | None, ...]], ...] = (
    ("aws.bedrock", "claude-sonnet-4-5", "standard", "base", ("3.3", "0.33", "4.125", "6.6", "16.5")),
    ("aws.bedrock", "claude-haiku-4-5", "standard", "base", ("1.1", "0.11", "1.375", "2.2", "5.5")),
    ("anthropic", "claude-sonnet-4-5", "standard", "base", ("3", "0.3", "3.75", "6", "15")),
    ("anthropic", "claude-haiku-4-5", "standard", "base", ("1", "0.1", "1.25", "2", "5")),
    ("anthropic", "claude-haiku-4-5", "batch", "base", ("0.5", "0.05", "0.625", "1", "2.5")),
    ("azure.ai.openai", "gpt-4.1-mini", "standard", "base", ("0.4", "0.1", None, None, "1.6")),
    ("openai", "gpt-5-mini", "standard", "base", ("0.25", "0.025", None, None, "2")),
    ("openai", "gpt-5-mini", "batch", "base", ("0.125", "0.0125", None, None, "1")),
    ("openai", "gpt-5-mini", "flex", "base", ("0.125", "0.0125", None, None, "1")),
    ("openai", "gpt-5-mini", "priority", "base", ("0.45", "0.045", None, None, "3.6")),
    ("openai", "gpt-5-nano", "standard", "base", ("0.05", "0.005", None, None, "0.4")),
    ("gcp.vertex_ai", "gemini-2.5-flash", "standard", "base", ("0.3", "0.03", None, None, "2.5")),
    ("gcp.vertex_ai", "gemini-2.5-pro", "standard", "base", ("1.25", "0.125", None, None, "10")),
    ("gcp.vertex_ai", "gemini-2.5-pro", "standard", "over_200k", ("2.5", "0.25", None, None, "15")),
)
BANDED_MODELS = ("gemini-2.5-pro",)
BAND_LIMIT_TOKENS = 200_000
CHANGED_PRICE = ("azure.ai.openai", "gpt-4.1-mini")
# Own capacity has no price by the token: (provider, model) that are paid by the hour.
CAPACITY_MODELS = (("vllm", LLAMA), ("azure.ai.openai", "gpt-4.1-nano"))
DISCOUNT_PERCENT = {"aws": 5, "azure": 5, "gcp": 8, "openai": 0, "anthropic": 4, "own": 0}
CLOUD_OF_PROVIDER = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "gcp.vertex_ai": "gcp",
    "openai": "openai",
    "anthropic": "anthropic",
    "vllm": "own",
}
BILLING_CURRENCY = {
    "aws": "USD",
    "azure": "EUR",
    "gcp": "USD",
    "openai": "USD",
    "anthropic": "USD",
    "own": "USD",
}
_EURO_PER_DOLLAR_E4 = {date(2026, 9, 1): 8613, date(2026, 10, 1): 8631, date(2026, 11, 1): 8596}
_EURO_PER_DOLLAR_E4_ELSE = 8600

# Meters that carriers and loggers bill by volume, and hours of capacity: USD per unit, list.
METER_PRICES = {
    ("aws", "inter_az", "GiB"): "0.01",
    ("aws", "inter_region", "GiB"): "0.02",
    ("aws", "internet", "GiB"): "0.09",
    ("aws", "nat", "GiB"): "0.045",
    ("azure", "inter_az", "GiB"): "0.01",
    ("azure", "internet", "GiB"): "0.08",
    ("gcp", "inter_az", "GiB"): "0.01",
    ("gcp", "internet", "GiB"): "0.12",
    ("aws", "log", "GiB"): "0.50",
    ("aws", "metric", "metrics"): "0.30",
    ("aws", "trace", "traces"): "0.000005",
    ("azure", "log", "GiB"): "2.76",
    ("azure", "trace", "GiB"): "2.76",
    ("gcp", "log", "GiB"): "0.50",
    ("aws", "g6.xlarge", "hours"): "0.8048",
    ("azure", "ptu", "PTU hours"): "1",
    ("own", "1xL4", "hours"): "0.93",
    ("anthropic", "web_search", "requests"): "0.01",
}


def as_units(amount: str) -> int:
    """A decimal text in 1e-12 of its currency. Raises `ValueError` for more than twelve digits."""
    whole, _, fraction = amount.partition(".")
    if len(fraction) > 12:
        raise ValueError(f"{amount} has more than twelve digits after the point")
    return int(whole) * UNIT + int(fraction.ljust(12, "0") or "0")


def round_half_up(amount: int, divisor: int) -> int:
    """`amount / divisor`, halves away from zero."""
    sign = -1 if amount < 0 else 1
    return sign * ((2 * abs(amount) + divisor) // (2 * divisor))


def find_euro_per_dollar_e4(day: date) -> int:
    """Azure's exchange rate of the month of `day`, in 1e-4 EUR per USD."""
    return _EURO_PER_DOLLAR_E4.get(day.replace(day=1), _EURO_PER_DOLLAR_E4_ELSE)


def discount_basis_points(cloud: str, habits: Habits) -> int:
    """What `cloud` takes off its list prices, in 1e-4."""
    return round(DISCOUNT_PERCENT[cloud] * 100 * habits.negotiated_discounts)


def contract_price(list_price: int, cloud: str, day: date, habits: Habits) -> int:
    """A list price in USD as the company pays it: discounted, in the bill's currency, half up."""
    paid = list_price * (10_000 - discount_basis_points(cloud, habits))
    if BILLING_CURRENCY[cloud] == "EUR":
        return round_half_up(paid * find_euro_per_dollar_e4(day), 10**8)
    return round_half_up(paid, 10**4)


def meter_price(cloud: str, meter: str, unit: str) -> int:
    """List price of one unit of a meter, in 1e-12 USD."""
    return as_units(METER_PRICES[cloud, meter, unit])


def _segments(period: Period, is_changing: bool) -> list[tuple[date, date]]:
    """Half-open spans of days in which a price stands: by month, cut at the day of the change."""
    cuts = {period.start, *(month for month in period.months if month > period.start)}
    if is_changing:
        cuts.add(period.price_change_day)
    ordered = sorted(cuts)
    return list(zip(ordered, [*ordered[1:], period.end + timedelta(days=1)], strict=True))


def build_token_prices(period: Period, habits: Habits) -> pl.DataFrame:
    """One row a provider, model, tier, band, token class and span of days; see `simulator/README.md`."""
    rows = []
    for provider, model, tier, band, amounts in _LIST:
        cloud = CLOUD_OF_PROVIDER[provider]
        is_changing = (provider, model) == CHANGED_PRICE and habits.price_change > 0
        for start, end in _segments(period, is_changing):
            for token_class, amount in zip(TOKEN_CLASSES, amounts, strict=True):
                if amount is None:
                    continue
                price = as_units(amount) // 10**6
                if is_changing and start >= period.price_change_day:
                    price += round(price * habits.price_change)
                paid = contract_price(price, cloud, start, habits)
                currency = BILLING_CURRENCY[cloud]
                rows.append((provider, model, tier, band, token_class, start, end, price, currency, paid))
    return pl.DataFrame(
        rows,
        orient="row",
        schema={
            "provider": pl.String,
            "model": pl.String,
            "service_tier": pl.String,
            "context_band": pl.String,
            "token_class": pl.String,
            "valid_from": pl.Date,
            "valid_to": pl.Date,
            "list_price": pl.Int64,
            "billing_currency": pl.String,
            "contract_price": pl.Int64,
        },
    )


def month_hours(day: date) -> int:
    """Hours of the month of `day`: monthly storage is billed by them."""
    month = day.replace(day=1)
    return (next_month(month) - month).days * 24
