"""Token usage: classes add up to what was reported, whatever the emitter's habit; nonsense is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST, PROBLEMS, REPORTED_COUNTS, normalise_usage

COUNT = st.integers(0, 10_000_000)
CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


def normalise(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    schema: dict[str, Any] = dict.fromkeys(REPORTED_COUNTS, pl.Int64)
    schema |= {"input_includes_cached": pl.Boolean, "output_includes_reasoning": pl.Boolean}
    return normalise_usage(pl.DataFrame(list(rows), schema=schema)).to_dicts()


@given(st.tuples(COUNT, COUNT, COUNT, COUNT, COUNT, COUNT), st.booleans(), st.booleans(), st.booleans())
def test_every_habit_of_reporting_gives_the_same_classes(
    truth: tuple[int, int, int, int, int, int], holds_cached: bool, holds_reasoning: bool, has_split: bool
) -> None:
    """One call, told the way each emitter would tell it, comes out as what really happened."""
    uncached, read, write_5m, write_1h, answer, reasoning = truth
    row: dict[str, Any] = {
        "input_tokens": uncached + (read + write_5m + write_1h if holds_cached else 0),
        "cache_read_tokens": read,
        "cache_write_1h_tokens": write_1h,
        "output_tokens": answer + (reasoning if holds_reasoning else 0),
        "reasoning_tokens": reasoning,
        "provider_total_tokens": sum(truth),
        "input_includes_cached": holds_cached,
        "output_includes_reasoning": holds_reasoning,
    }
    row |= {"cache_write_5m_tokens": write_5m} if has_split else {"cache_write_tokens": write_5m + write_1h}
    (result,) = normalise([row])
    assert result["usage_problem"] is None
    assert [result[name] for name in CLASSES] == [uncached, read, write_5m, write_1h, answer + reasoning]
    assert result["reasoning_tokens"] == reasoning
    assert not result["is_total_mismatch"]
    assert result["is_cache_lifetime_assumed"] is (not has_split and write_5m > 0)


@given(st.dictionaries(st.sampled_from(REPORTED_COUNTS), st.integers(-(2**62), 2**62)), st.booleans())
def test_a_row_is_sound_or_refused_never_clamped(counts: dict[str, int], holds_cached: bool) -> None:
    (result,) = normalise([{**counts, "input_includes_cached": holds_cached}])
    if result["usage_problem"] is not None:
        assert result["usage_problem"] in PROBLEMS
        assert all(result[name] is None for name in CLASSES)
        return
    assert all(0 <= value <= MAX_TOKENS_PER_REQUEST for value in counts.values())
    assert all(result[name] is None or result[name] >= 0 for name in CLASSES)
    assert json.loads(result["raw_usage"] or "{}") == counts
    if holds_cached and "input_tokens" in counts and "uncached_input_tokens" not in counts:
        assert sum(result[name] or 0 for name in CLASSES[:4]) == counts["input_tokens"]


@given(st.integers(-(2**62), 2**62), st.sampled_from(REPORTED_COUNTS))
def test_impossible_counts_are_named(value: int, name: str) -> None:
    (result,) = normalise([{name: value, "input_includes_cached": False, "output_includes_reasoning": False}])
    if value < 0:
        assert result["usage_problem"] == "negative_tokens"
    elif value > MAX_TOKENS_PER_REQUEST:
        assert result["usage_problem"] == "absurd_tokens"
    else:
        assert result["usage_problem"] is None


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"input_tokens": 9, "cache_read_tokens": 10}, "cached_exceeds_input"),
        ({"input_tokens": 9, "cache_read_tokens": 5, "cache_write_tokens": 5}, "cached_exceeds_input"),
        ({"input_tokens": 9, "cache_read_tokens": 10, "input_includes_cached": False}, None),
        (
            {"input_tokens": 99, "cache_write_tokens": 5, "cache_write_1h_tokens": 6},
            "cache_write_split_exceeds_total",
        ),
        ({"output_tokens": 5, "reasoning_tokens": 6}, "reasoning_exceeds_output"),
        ({"output_tokens": 5, "reasoning_tokens": 6, "output_includes_reasoning": False}, None),
    ],
)
def test_contradictions_are_refused(row: dict[str, Any], problem: str | None) -> None:
    (result,) = normalise([row])
    assert result["usage_problem"] == problem


def test_what_is_not_reported_is_null_and_not_zero() -> None:
    (silent, partial) = normalise([{}, {"input_tokens": 7, "output_tokens": 2}])
    assert (silent["usage_source"], silent["raw_usage"], silent["output_tokens"]) == ("none", None, None)
    assert (partial["usage_source"], partial["uncached_input_tokens"]) == ("reported", 7)
    assert partial["cache_read_tokens"] is None and partial["cache_write_5m_tokens"] is None


def test_a_total_that_does_not_add_up_is_flagged_and_kept() -> None:
    (result,) = normalise([{"input_tokens": 7, "output_tokens": 2, "provider_total_tokens": 10}])
    assert result["is_total_mismatch"] and result["uncached_input_tokens"] == 7


def _openai_row(usage: dict[str, Any]) -> dict[str, Any] | None:
    details = usage.get("prompt_tokens_details") or {}
    if "prompt_tokens" not in usage or "cached_tokens" not in details or "total_tokens" not in usage:
        return None
    return {
        "input_tokens": usage["prompt_tokens"],
        "cache_read_tokens": details["cached_tokens"],
        "output_tokens": usage.get("completion_tokens"),
        "provider_total_tokens": usage["total_tokens"],
    }


def _bedrock_row(usage: dict[str, Any]) -> dict[str, Any] | None:
    if "cacheReadInputTokens" not in usage or "totalTokens" not in usage:
        return None
    return {
        "input_tokens": usage["inputTokens"],
        "cache_read_tokens": usage["cacheReadInputTokens"],
        "cache_write_tokens": usage.get("cacheWriteInputTokens"),
        "output_tokens": usage["outputTokens"],
        "provider_total_tokens": usage["totalTokens"],
        "input_includes_cached": False,
    }


@pytest.mark.parametrize(("shape", "at_least"), [(_openai_row, 100), (_bedrock_row, 15)])
def test_real_payloads_add_up(shared_data: Path, shape: Any, at_least: int) -> None:
    bodies = [entry["body"] for entry in json.loads((shared_data / "genai_prices_usages.json").read_text())]
    usages = [body["usage"] for body in bodies if isinstance(body.get("usage"), dict)]
    rows = [row for row in map(shape, usages) if row is not None]
    assert len(rows) >= at_least
    results = normalise(rows)
    assert [result for result in results if result["usage_problem"]] == []
    mismatches = [result for result in results if result["is_total_mismatch"]]
    assert len(mismatches) <= len(rows) // 50
