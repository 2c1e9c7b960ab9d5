"""Traps of token classes and prices, one test a trap: each states the figure that the trap makes wrong.

What belongs here: traps 1, 3, 4, 7, 15, 16, 17, 18 and 27 on our own reading and pricing. What must not: spans,
gateways, provider reports (they have files of their own).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from connectors.common.token_usage import REPORTED_COUNTS, normalise_usage
from connectors.common.usage_payloads import UsageFlavour, merge_stream, read_usage, read_usages
from connectors.price_book.client import read_price_book
from connectors.price_book.settings import Settings
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.small_bill import call, price, run

BOOKS = Path(__file__).parents[2] / "models_sql" / "reference" / "price_books"
CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
NOVEMBER_BOOK = datetime(2026, 11, 1, 12)


def _normalise(*usages: Mapping[str, Any]) -> list[dict[str, Any]]:
    flags = ("input_includes_cached", "output_includes_reasoning")
    schema: dict[str, Any] = dict.fromkeys(REPORTED_COUNTS, pl.Int64) | dict.fromkeys(flags, pl.Boolean)
    schema["usage_problem"] = pl.String
    return normalise_usage(
        pl.DataFrame([{name: usage.get(name) for name in schema} for usage in usages], schema=schema)
    ).to_dicts()


def _classes(usage: Mapping[str, Any], flavour: UsageFlavour) -> tuple[int, ...]:
    (row,) = _normalise(read_usage(usage, flavour))
    assert row["usage_problem"] is None and not row["is_total_mismatch"]
    return tuple(row[name] or 0 for name in CLASSES)


def _cost(usage: Mapping[str, Any], flavour: UsageFlavour, model: str, provider: str, **more: Any) -> Decimal:
    """What the shipped books and the models make of one call, in dollars."""
    (row,) = _normalise(read_usage(usage, flavour))
    return _priced(provider, model, row, **more)


def _priced(provider: str, model: str, tokens: Mapping[str, Any], **more: Any) -> Decimal:
    names = [name for name in tokens if name.endswith("_tokens") and name != "provider_total_tokens"]
    made = {"started_at": NOVEMBER_BOOK} | more
    calls = [call("ann", **{n: tokens[n] for n in names}, model=model, provider=provider, **made)]
    prices = read_price_book(Settings(path=BOOKS)).to_pylist()
    kept = [row for row in prices if row["model"].endswith(model) or model.endswith(row["model"])]
    found = run(
        "core.usage_costs", "list_cost, unpriced_reason", requests=calls, prices=kept, model_aliases=[]
    )
    assert all(cost is not None for cost, _ in found), found
    return sum((Decimal(cost) for cost, _ in found), Decimal(0))


def test_trap_01_cached_tokens_are_not_charged_twice() -> None:
    """The same 1,000 tokens, 900 of them cached: OpenAI counts them in, Anthropic and Bedrock beside."""
    chat = {
        "prompt_tokens": 1000,
        "completion_tokens": 0,
        "total_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 900},
    }
    anthropic = {"input_tokens": 100, "cache_read_input_tokens": 900, "output_tokens": 0}
    bedrock = {"inputTokens": 100, "cacheReadInputTokens": 900, "outputTokens": 0, "totalTokens": 1000}
    gemini = {"promptTokenCount": 1000, "cachedContentTokenCount": 900, "totalTokenCount": 1000}
    assert _classes(chat, "openai_chat") == (100, 900, 0, 0, 0)
    assert _classes(anthropic, "anthropic") == (100, 900, 0, 0, 0)
    assert _classes(bedrock, "bedrock_converse") == (100, 900, 0, 0, 0)
    assert _classes(gemini, "gemini") == (100, 900, 0, 0, 0)
    assert _cost(anthropic, "anthropic", "claude-sonnet-4-5", "anthropic") == Decimal("0.00057")


def test_trap_01_a_wrong_flavour_is_refused_not_clamped() -> None:
    """Anthropic's exclusive count read as inclusive: cached exceeds input, so the row is refused."""
    usage = {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 9511}, "output_tokens": 1944}
    (row,) = _normalise(read_usage(usage, "openai_responses"))
    assert row["usage_problem"] == "cached_exceeds_input" and row["uncached_input_tokens"] is None


def test_trap_03_tokens_that_create_a_cache_are_not_charged_as_input_too() -> None:
    usage = {
        "prompt_tokens": 4020,
        "completion_tokens": 4,
        "total_tokens": 4024,
        "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 4012},
    }
    assert _classes(usage, "openai_chat") == (8, 0, 4012, 0, 4)
    litellm = {
        "prompt_tokens": 4020,
        "completion_tokens": 4,
        "total_tokens": 4024,
        "cache_creation_input_tokens": 4012,
        "cache_read_input_tokens": 0,
    }
    assert _classes(litellm, "litellm") == (8, 0, 4012, 0, 4)
    assert (
        _cost(usage, "openai_chat", "claude-sonnet-4-5", "anthropic")
        == (8 * Decimal("3") + 4012 * Decimal("3.75") + 4 * Decimal("15")) / 10**6
    )


def test_trap_04_no_class_is_ignored_and_a_class_without_price_is_not_free() -> None:
    usage = {
        "input_tokens": 10,
        "cache_read_input_tokens": 200_000,
        "cache_creation": {"ephemeral_5m_input_tokens": 3_000, "ephemeral_1h_input_tokens": 4_000},
        "cache_creation_input_tokens": 7_000,
        "output_tokens": 5,
    }
    assert _classes(usage, "anthropic") == (10, 200_000, 3_000, 4_000, 5)
    tokens = dict(zip(CLASSES, (10, 200_000, 3_000, 4_000, 5), strict=True))
    calls = [call("ann", **tokens)]
    priced_apart = [price(), price("output_tokens", "15")]
    found = run(
        "core.usage_costs", "token_class, list_cost, unpriced_reason", requests=calls, prices=priced_apart
    )
    assert {row[0]: row[1:] for row in found} == {
        "uncached_input_tokens": ("0.00003", None),
        "cache_read_tokens": (None, "no_price"),
        "cache_write_5m_tokens": (None, "no_price"),
        "cache_write_1h_tokens": (None, "no_price"),
        "output_tokens": ("0.000075", None),
    }


def test_trap_07_reasoning_is_charged_once() -> None:
    """OpenAI counts it within the answer, Gemini and xAI beside; Google's chat shape in the total alone."""
    openai = {
        "input_tokens": 45,
        "output_tokens": 1719,
        "output_tokens_details": {"reasoning_tokens": 1408},
        "total_tokens": 1764,
    }
    gemini = {
        "promptTokenCount": 45,
        "candidatesTokenCount": 311,
        "thoughtsTokenCount": 1408,
        "totalTokenCount": 1764,
    }
    beside = {
        "prompt_tokens": 45,
        "completion_tokens": 311,
        "completion_tokens_details": {"reasoning_tokens": 1408},
        "total_tokens": 1764,
    }
    silent = {"prompt_tokens": 45, "completion_tokens": 311, "total_tokens": 1764}
    for usage, flavour in (
        (openai, "openai_responses"),
        (gemini, "gemini"),
        (beside, "xai"),
        (silent, "gemini_chat"),
    ):
        assert _classes(usage, flavour) == (45, 0, 0, 0, 1719), flavour
        (row,) = _normalise(read_usage(usage, flavour))
        assert row["reasoning_tokens"] == 1408
    tools = gemini | {"toolUsePromptTokenCount": 100, "totalTokenCount": 1864}
    assert _classes(tools, "gemini") == (145, 0, 0, 0, 1719)


def test_trap_15_the_tier_that_answered_sets_the_price() -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 0}
    at = {"started_at": datetime(2026, 11, 12)}
    standard = _cost(usage, "anthropic", "claude-haiku-4-5", "anthropic", **at)
    batch = _cost(usage, "anthropic", "claude-haiku-4-5", "anthropic", service_tier="batch", **at)
    assert (standard, batch) == (Decimal(1), Decimal("0.5"))
    assert read_usage({"service_tier": "priority", **usage}, "anthropic")["service_tier"] == "priority"
    assert read_usage({"serviceTier": "flex", "promptTokenCount": 1}, "gemini")["service_tier"] == "flex"


@pytest.mark.parametrize(("size", "cost"), [(200_000, "0.6"), (200_001, "1.200006")])
def test_trap_16_crossing_the_context_tier_prices_the_whole_request_again(size: int, cost: str) -> None:
    usage = {"input_tokens": size, "cache_read_input_tokens": 0, "output_tokens": 0}
    assert _cost(usage, "anthropic", "claude-sonnet-4-5", "anthropic") == Decimal(cost)


def test_trap_16_each_iteration_of_a_response_has_its_own_context() -> None:
    """Two iterations of 150k tokens are not one request of 300k."""
    part = {"input_tokens": 150_000, "output_tokens": 10, "type": "message"}
    usage = {"input_tokens": 300_000, "output_tokens": 20, "iterations": [part, part]}
    rows = _normalise(*read_usages(usage, "anthropic"))
    assert [row["uncached_input_tokens"] for row in rows] == [150_000, 150_000]
    costs = [_priced("anthropic", "claude-sonnet-4-5", row) for row in rows]
    assert sum(costs) == (300_000 * Decimal(3) + 20 * Decimal(15)) / 10**6


def test_trap_17_history_keeps_the_price_of_its_own_time() -> None:
    """o3 cost $10 until 2025-06-10 and $2 since; a list of today does not change what June cost."""
    usage = {"input_tokens": 1_000_000, "output_tokens": 0, "total_tokens": 1_000_000}

    def cost(moment: datetime) -> Decimal:
        (row,) = _normalise(read_usage(usage, "openai_responses"))
        prices = [r for r in read_price_book(Settings(path=BOOKS)).to_pylist() if r["model"] == "o3"]
        calls = [call("ann", 1_000_000, model="o3", provider="openai", started_at=moment)]
        assert row["uncached_input_tokens"] == 1_000_000
        inputs = Inputs({"requests": calls, "prices": prices})
        window = Window(moment.date(), moment.date() + timedelta(days=1), datetime(2026, 12, 1))
        with Chain(inputs, window, ("core.usage_costs",)) as chain:
            (found,) = chain.rows("select list_cost from core.usage_costs")
        return found["list_cost"]

    assert (cost(datetime(2025, 6, 9, 23, 59)), cost(datetime(2025, 6, 10))) == (10, 2)
    book = [
        price(per_mtok="3", published_at=datetime(2026, 8, 19)),
        price(per_mtok="2", published_at=datetime(2026, 11, 10)),
    ]
    early, late = datetime(2026, 11, 9, 23, 59), datetime(2026, 11, 10)
    calls = [call("ann", 1_000_000, started_at=early), call("bob", 1_000_000, started_at=late)]
    assert run("core.usage_costs", "list_cost", requests=calls, prices=book) == [("2",), ("3",)]


def test_trap_18_the_region_of_a_call_is_part_of_its_price() -> None:
    """Bedrock's regional profile costs a tenth more than the global one, Anthropic's US-only inference too."""
    tokens = {"uncached_input_tokens": 1_000_000}
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert _bedrock(f"us.{model}") == Decimal("3.3")
    assert _bedrock(f"global.{model}") == Decimal(3)
    usage = {"input_tokens": 1_000_000, "output_tokens": 0, "inference_geo": "us"}
    read = read_usage(usage, "anthropic")
    assert read["region_id"] == "us"
    assert read_usage(usage | {"inference_geo": "global"}, "anthropic").get("region_id") is None
    american = _priced("anthropic", "claude-opus-5", tokens, region_id=read["region_id"])
    assert american == _priced("anthropic", "claude-opus-5", tokens) * Decimal("1.1")


def _bedrock(model: str) -> Decimal:
    prices = read_price_book(Settings(path=BOOKS)).to_pylist()
    kept = [row for row in prices if row["provider"] == "aws" and "claude-sonnet-4-5" in row["model"]]
    calls = [call("ann", 100_000, model=model, started_at=NOVEMBER_BOOK)]
    found = run("core.usage_costs", "list_cost", requests=calls, prices=kept, model_aliases=[])
    return Decimal(found[0][0]) * 10


def test_trap_27_modality_and_cache_are_a_matrix() -> None:
    """600 of 1,000 tokens are audio, 500 are cached, 400 of these audio: 200 are uncached audio, not 600."""
    usage = {
        "input_tokens": 1000,
        "input_token_details": {
            "text_tokens": 400,
            "audio_tokens": 600,
            "cached_tokens": 500,
            "cached_tokens_details": {"text_tokens": 100, "audio_tokens": 400},
        },
        "output_tokens": 50,
        "output_token_details": {"text_tokens": 10, "audio_tokens": 40},
        "total_tokens": 1050,
    }
    (row,) = _normalise(read_usage(usage, "openai_responses"))
    assert row["usage_problem"] is None
    assert [row[name] for name in ("uncached_input_tokens", "cache_read_tokens", "output_tokens")] == [
        500,
        500,
        50,
    ]
    modal = ("uncached_audio_tokens", "cache_read_audio_tokens", "output_audio_tokens")
    assert [row[name] for name in modal] == [200, 400, 40]
    prices = [
        price(per_mtok="4"),
        price("uncached_audio_tokens", "32"),
        price("cache_read_tokens", "0.4"),
        price("cache_read_audio_tokens", "0.4"),
        price("output_tokens", "16"),
        price("output_audio_tokens", "64"),
    ]
    calls = [call("ann", **{name: row[name] for name in (*CLASSES, *modal)})]
    found = run("core.usage_costs", "token_class, list_cost", requests=calls, prices=prices)
    assert dict(found) == {
        "uncached_input_tokens": "0.0076",
        "cache_read_tokens": "0.0002",
        "output_tokens": "0.00272",
    }


def test_trap_27_cached_images_of_gemini_are_not_images_twice() -> None:
    usage = {
        "promptTokenCount": 373,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 115},
            {"modality": "IMAGE", "tokenCount": 258},
        ],
        "cachedContentTokenCount": 204,
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": 63},
            {"modality": "IMAGE", "tokenCount": 141},
        ],
        "candidatesTokenCount": 89,
        "thoughtsTokenCount": 167,
        "totalTokenCount": 629,
    }
    assert _classes(usage, "gemini") == (169, 204, 0, 0, 256)
    (row,) = _normalise(read_usage(usage, "gemini"))
    assert (row["uncached_image_tokens"], row["cache_read_image_tokens"]) == (117, 141)


def test_more_of_a_modality_than_of_its_class_is_refused() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"audio_tokens": 11}}
    (row,) = _normalise(read_usage(usage, "openai_chat"))
    assert row["usage_problem"] == "modality_exceeds_class"


def test_a_stream_counts_its_last_word() -> None:
    start = {"input_tokens": 50, "output_tokens": 1, "cache_read_input_tokens": 7}
    merged = merge_stream(start, {"output_tokens": 80, "cache_read_input_tokens": None})
    assert _classes(merged, "anthropic") == (50, 7, 0, 0, 80)


def test_a_count_of_a_kind_never_seen_is_named() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"dream_tokens": 3}}
    assert read_usage(usage, "openai_chat")["unknown_counts"] == ["completion_tokens_details.dream_tokens"]
    assert read_usage({"inputTokens": 1, "outputTokens": 1, "smellTokens": 2}, "bedrock_converse")[
        "unknown_counts"
    ] == ["smellTokens"]


@pytest.mark.parametrize("value", [1.5, "many", True, float("nan"), float("inf")])
def test_what_is_no_count_is_refused(value: object) -> None:
    assert read_usage({"inputTokens": value, "outputTokens": 1}, "bedrock_converse")["usage_problem"]


def test_a_count_that_is_stated_twice_and_differs_is_refused() -> None:
    usage = {"inputTokens": 5, "cacheReadInputTokens": 1, "cacheReadInputTokenCount": 2}
    assert read_usage(usage, "bedrock_converse")["usage_problem"] == "stated_twice"
