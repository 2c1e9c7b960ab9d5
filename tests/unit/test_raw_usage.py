"""What is kept of a provider's own usage object: every number under the provider's name, and no text.

What belongs here: what the writer keeps and refuses, and that read objects carry it. What must not: connectors.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.raw_usage import MOST_NUMBERS, UNNAMED, is_plain_name, join_raw_usage, write_raw_usage
from connectors.common.token_usage import normalise_usage
from connectors.common.usage_payloads import FLAVOURS, read_usage, read_usages


def test_an_object_is_kept_under_the_names_of_its_provider() -> None:
    usage = {
        "prompt_tokens": 1000,
        "completion_tokens": "50",
        "prompt_tokens_details": {"cached_tokens": 900.0, "cache_write_24h_tokens": 7},
        "cost": 0.0125,
        "service_tier": "flex",
        "is_byok": True,
    }
    read = read_usage(usage, "openrouter")
    assert json.loads(read["raw_usage"], parse_float=Decimal) == {
        "prompt_tokens": 1000,
        "completion_tokens": 50,
        "prompt_tokens_details.cached_tokens": 900,
        "prompt_tokens_details.cache_write_24h_tokens": 7,
        "cost": Decimal("0.0125"),
    }
    assert read["unknown_counts"] == ["prompt_tokens_details.cache_write_24h_tokens"]


def test_the_normaliser_hands_it_on_beside_the_classes() -> None:
    read = read_usage({"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 3}, "anthropic")
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "input_includes_cached", "raw_usage")
    (row,) = normalise_usage(pl.DataFrame([{name: read[name] for name in names}])).to_dicts()
    assert json.loads(row["raw_usage"]) == {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_input_tokens": 3,
    }
    assert (row["uncached_input_tokens"], row["cache_read_tokens"]) == (10, 3)


def test_each_sampling_keeps_its_own() -> None:
    parts = [{"input_tokens": n, "output_tokens": 1, "type": "message"} for n in (5, 6)]
    read = read_usages({"input_tokens": 11, "output_tokens": 2, "iterations": parts}, "anthropic")
    assert [json.loads(part["raw_usage"])["input_tokens"] for part in read] == [5, 6]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_name_that_may_be_anything_is_not_kept_and_its_number_is(flavour: Any) -> None:
    canary = "CanaryOfMyGrandmother"
    usage = {
        canary: 7,
        f"{canary}_tokens": 8,
        "tokens of my grandmother": 9,
        "details": {f"{canary}_count": 10},
        "promptTokensDetails": [{"modality": canary, "tokenCount": 11}],
        "text": canary,
        "5551234567_tokens": 12,
    }
    raw = read_usage(usage, flavour)["raw_usage"]
    assert canary.lower() not in raw.lower() and "grandmother" not in raw and "5551234567" not in raw
    assert json.loads(raw) == {UNNAMED: [7, 8, 9, 10, 11, 12]}


def test_what_is_no_number_is_left_out_and_what_is_endless_is_cut() -> None:
    odd = [float("nan"), float("inf"), "1e400", "9" * 10**6, 1e-300, True, None, [], "many", 10**40]
    assert write_raw_usage([("input_tokens", value) for value in odd], ()) is None
    many = [(f"input_{n % 999}_tokens", n) for n in range(10_000)]
    assert len(json.loads(write_raw_usage(many, ()) or "")) <= MOST_NUMBERS
    hostile = [(f"'; drop table {n}", n) for n in range(10_000)]
    assert len(json.loads(write_raw_usage(hostile, ()) or "")[UNNAMED]) == MOST_NUMBERS
    assert write_raw_usage([], ()) is None


@given(st.dictionaries(st.text(), st.one_of(st.integers(), st.floats(), st.text(), st.none()), max_size=20))
def test_any_object_gives_json_of_numbers(usage: dict[str, Any]) -> None:
    raw = write_raw_usage(usage.items(), ())
    for name, value in json.loads(raw or "{}").items():
        assert name == UNNAMED or is_plain_name(name)
        numbers = value if name == UNNAMED else [value]
        assert all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)


def test_parts_of_one_call_are_one_object() -> None:
    assert json.loads(join_raw_usage('{"a":1}', None, '{"b":2}') or "") == {"a": 1, "b": 2}
    assert join_raw_usage(None, None) is None


def test_recorded_bodies_lose_no_number(shared_data: Path) -> None:
    """1,577 real bodies: all their counts have names that are kept."""
    payloads = json.loads((shared_data / "genai_prices_usages.json").read_text(encoding="utf-8"))
    usages = [p["body"].get("usage") or p["body"].get("usageMetadata") for p in payloads]
    objects = [usage for usage in usages if isinstance(usage, dict)]
    assert len(objects) > 1500
    for usage in objects:
        flavour = "gemini" if "promptTokenCount" in usage else "openai_chat"
        raw = json.loads(read_usage(usage, flavour)["raw_usage"])
        assert UNNAMED not in raw, (usage, raw)
        stated = {
            name: value
            for name, value in usage.items()
            if isinstance(value, int) and not isinstance(value, bool)
        }
        assert stated.items() <= raw.items()
