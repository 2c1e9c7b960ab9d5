"""core.charges and core.charge_cells: what a line pays for, in which currency, on which days."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import pytest

from pipelines.config.model import Config
from pipelines.config.rows import ClassificationRule
from pipelines.night.reference import build_alias_table
from tests.sql.harness import MODELS_ROOT
from tests.sql.small_bill import DAY, SONNET_INPUT, Window, line, run, tokens

EURO = {"billing_currency": "EUR"}
RATES = [
    {"from_currency": "EUR", "to_currency": "USD", "rate_date": date(2026, 10, 1), "rate": Decimal("1.5")},
    {"from_currency": "EUR", "to_currency": "USD", "rate_date": date(2026, 11, 2), "rate": Decimal("2")},
    {"from_currency": "USD", "to_currency": "EUR", "rate_date": date(2026, 10, 1), "rate": Decimal("9")},
]


@pytest.mark.parametrize(
    ("meter", "driver", "token_class", "rule"),
    [
        ("USE1-Claude4.5Sonnet-input-tokens", "inference", "uncached_input_tokens", "aws_bedrock_input"),
        (
            "USE1-Claude4.5Sonnet-cache-read-input-token-count",
            "inference",
            "cache_read_tokens",
            "aws_bedrock_cache_read",
        ),
        (
            "USE1-Claude4.5Sonnet-input-tokens-batch",
            "inference",
            "uncached_input_tokens",
            "aws_bedrock_input",
        ),
        ("USE1-NovaPro-customization-training", "training", None, "aws_bedrock_training"),
        ("USE1-Guardrail", "inference", None, "aws_bedrock_guardrail"),
    ],
)
def test_the_narrower_rule_comes_before_the_wider(
    meter: str, driver: str, token_class: str | None, rule: str
) -> None:
    """Cache reads also say input, batch input also says input: the first rule in order decides, once."""
    charges = [line(**SONNET_INPUT | {"sku_meter": meter})]
    assert run("core.charges", "cost_driver, token_class, rule_id", charges=charges) == [
        (driver, token_class, rule)
    ]


def test_a_rule_of_the_user_comes_first() -> None:
    rule = ClassificationRule(rule_id="ours", service_pattern="bedrock", cost_driver="retrieval")
    config = Config(classification=(rule,))
    charges = [line("a", **SONNET_INPUT), line("b")]
    found = run("core.charges", "charge_id, cost_driver, rule_id", charges=charges, config=config)
    assert found == [("a", "retrieval", "ours"), ("b", "compute", "compute_services")]


def test_a_line_that_no_rule_knows_is_other_not_lost() -> None:
    charges = [line(service_name="Mystery", sku_meter=None, service_category=None)]
    assert run("core.charges", "cost_driver, rule_id, billed_cost", charges=charges) == [
        ("other", "other", "10")
    ]


def test_a_name_of_the_model_becomes_the_price_books() -> None:
    assert run("core.charges", "model", charges=[tokens("a", "1", 5)]) == [("claude-sonnet-4-5",)]


@pytest.mark.parametrize(
    ("quantity", "unit", "expected"),
    [
        ("12", "Tokens", "12"),
        ("12", "1K tokens", "12000"),
        ("0.000012", "1M tokens", "12"),
        ("40000000000", "Tokens", "40000000000"),
        ("12", "GB", None),
        (None, "Tokens", None),
    ],
)
def test_quantities_are_counted_in_tokens(quantity: str | None, unit: str, expected: str | None) -> None:
    charges = [tokens("a", "1", quantity, consumed_unit=unit)]
    assert run("core.charges", "billed_quantity", charges=charges) == [(expected,)]


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ("0.000000000001", "0.000000000002"),
        ("-0.000000000001", "-0.000000000002"),
        ("10", "15"),
        ("0", "0"),
        (None, None),
    ],
)
def test_a_cost_is_converted_once_half_away_from_zero(cost: str | None, expected: str | None) -> None:
    """1.5 units of 1e-12 round to 2, minus 1.5 to minus 2; an unknown cost stays unknown."""
    columns = "billed_cost_reporting, fx_date"
    charges = [line(cost=cost, **EURO)]
    assert run("core.charges", columns, charges=charges, fx_rates=RATES) == [(expected, date(2026, 10, 1))]


def test_the_rate_of_the_charge_date_counts_and_rates_do_not_multiply_lines() -> None:
    charges = [line("a", **EURO), line("b", charge_period_start=datetime(2026, 11, 2), **EURO), line("c")]
    found = run("core.charges", "charge_id, billed_cost_reporting, fx_date", charges=charges, fx_rates=RATES)
    assert found == [
        ("a", "15", date(2026, 10, 1)),
        ("b", "20", date(2026, 11, 2)),
        ("c", "10", None),
    ]


def test_without_a_rate_the_copy_is_unknown_not_zero() -> None:
    charges = [line(billing_currency="JPY"), line("before", charge_period_start=datetime(2026, 9, 1), **EURO)]
    found = run(
        "core.charges", "charge_id, billed_cost, billed_cost_reporting", charges=charges, fx_rates=RATES
    )
    assert found == [("before", "10", None), ("line", "10", None)]


def test_a_line_is_split_over_its_days_by_seconds() -> None:
    """Six hours of the first day, eighteen of the second: no day of UTC has 23 or 25 hours."""
    charges = [line(cost="4", hours=24, charge_period_start=datetime(2026, 11, 1, 18))]
    assert run("core.charge_cells", "charge_date, billed_cost", charges=charges) == [
        (date(2026, 11, 1), "1"),
        (date(2026, 11, 2), "3"),
    ]


def test_days_of_a_line_sum_to_the_line_to_the_last_digit() -> None:
    charges = [line(cost="0.00000000001", hours=72)]
    assert run("core.charge_cells", "charge_date, billed_cost", charges=charges) == [
        (date(2026, 11, 1), "0.000000000003"),
        (date(2026, 11, 2), "0.000000000003"),
        (date(2026, 11, 3), "0.000000000004"),
    ]


def test_a_recurring_fee_stands_over_its_whole_month_whatever_is_delivered() -> None:
    charges = [line(cost="60", hours=24 * 30, charge_frequency="Recurring")]
    found = run(
        "core.charge_cells", "charge_date, billed_cost", charges=charges, watermark=datetime(2026, 11, 4)
    )
    assert len(found) == 30
    assert {cost for _, cost in found} == {"2"}


def test_open_usage_ends_at_the_watermark() -> None:
    """A month's line delivered on the fourth is usage so far: nothing of it belongs to days that did not happen."""
    charges = [line(cost="60", hours=24 * 30, charge_frequency="Usage-Based")]
    found = run(
        "core.charge_cells", "charge_date, billed_cost", charges=charges, watermark=datetime(2026, 11, 4)
    )
    assert found == [(date(2026, 11, day), "20") for day in (1, 2, 3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"charge_frequency": "One-Time"},
        {"charge_category": "Tax"},
        {"charge_category": "Credit"},
        {"charge_category": "Purchase", "charge_frequency": "Usage-Based"},
        {"charge_period_end": DAY},
    ],
    ids=["one-time", "tax", "credit", "purchase", "no length"],
)
def test_what_has_no_duration_stands_on_its_start_day(changes: dict[str, object]) -> None:
    charges = [line(cost="60", hours=24 * 30, **changes)]
    assert run("core.charge_cells", "charge_date, billed_cost", charges=charges) == [
        (date(2026, 11, 1), "60")
    ]


def test_a_year_is_split_into_all_its_days() -> None:
    """Also into days of months that no bill of its own covers."""
    charges = [line(cost="36.5", hours=24 * 365, charge_frequency="Recurring")]
    year = Window(date(2026, 11, 1), date(2027, 11, 1), datetime(2026, 12, 10))
    found = run("core.charge_cells", "charge_date, billed_cost", charges=charges, window=year)
    assert len(found) == 365
    assert {cost for _, cost in found} == {"0.1"}


def test_tokens_of_a_line_are_split_with_its_cost() -> None:
    charges = [tokens("a", "3", 300, hours=72)]
    found = run("core.charge_cells", "billed_cost, billed_quantity", charges=charges)
    assert found == [("1", "100")] * 3


@pytest.mark.parametrize(
    ("provider", "meter", "model", "token_class"),
    [
        ("OpenAI", "gpt-4o-2024-08-06, input", "gpt-4o", "uncached_input_tokens"),
        ("OpenAI", "gpt-4o input tokens", "gpt-4o", "uncached_input_tokens"),
        ("OpenAI", "gpt-4o-mini-2024-07-18, cached input", "gpt-4o-mini", "cache_read_tokens"),
        ("OpenAI", "o3 output", "o3", "output_tokens"),
        ("Anthropic", "Claude Sonnet 4.5 Usage - Input Tokens", "claude-sonnet-4-5", "uncached_input_tokens"),
        ("Anthropic", "claude-haiku-4-5 prompt caching write", "claude-haiku-4-5", "cache_write_5m_tokens"),
        ("Anthropic", "Mystery input", None, "uncached_input_tokens"),
    ],
    ids=lambda value: str(value),
)
def test_a_providers_own_bill_names_its_model(
    provider: str, meter: str, model: str | None, token_class: str
) -> None:
    """By the shipped rules, aliases and the price book's own patterns, as a night has them."""
    folder = MODELS_ROOT / "reference"
    aliases = build_alias_table(Config(), folder).to_pylist()
    bill = line(service_provider_name=provider, service_name="API", sku_meter=meter, charge_description=None)
    found = run("core.charges", "model, token_class", charges=[bill], model_aliases=aliases)
    assert found == [(model, token_class)]
