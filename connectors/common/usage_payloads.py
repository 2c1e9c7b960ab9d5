"""A provider's own usage object → the reported counts that `token_usage.normalise_usage` reads.

What belongs here: which field of which API states which count, and what that API means by it. What must not:
arithmetic between counts (token_usage), where a connector finds the object, or prices.

A field nobody told us about is named (`unknown_counts`), so that a new kind of token shows before it costs.
A count that is stated twice and differs, or is no whole number, is a `usage_problem`, never a guess.
Sources of the shapes: each vendor's API reference, and the 1,577 recorded bodies of tests/golden/payloads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

from connectors.common.parsing import build_whole_text
from connectors.common.raw_usage import write_raw_usage
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST
from connectors.common.usage_fields import (
    ANTHROPIC,
    BEDROCK,
    CHAT,
    COHERE,
    GEMINI,
    HELICONE,
    IGNORED,
    LANGFUSE,
    RESPONSES,
)

UsageFlavour = Literal[
    "openai_chat",
    "openai_responses",
    "openai_embeddings",
    "openai_images",
    "openai_audio",
    "anthropic",
    "bedrock_converse",
    "bedrock_log",
    "gemini",
    "gemini_chat",
    "openrouter",
    "litellm",
    "cohere",
    "mistral",
    "groq",
    "deepseek",
    "xai",
    "moonshot",
    "cerebras",
    "huggingface",
    "langfuse",
    "helicone",
]
"""An API's way to state usage. `gemini_chat` is Google behind OpenAI's chat shape; `bedrock_log` is the part
`{"input": {…TokenCount}, "output": {…}}` of an invocation log record."""

ANYWHERE = ("global", "not_available")
"""Values of Anthropic's `inference_geo` that name no region; others are part of the price."""

FLAVOURS: tuple[str, ...] = get_args(UsageFlavour)

ReportedUsage = dict[str, Any]
"""Reported counts (token_usage.REPORTED_COUNTS), the two flags of their meaning, and where stated
`service_tier`, `inference_geo` (and `region_id` where it names one), `speed`, `model`, `web_search_count`,
`reported_cost` (Decimal dollars), `usage_problem` (a key of token_usage.PROBLEMS), `raw_usage` (JSON of the
object's own numbers), `unknown_counts` (list of field names)."""


@dataclass(frozen=True)
class _Shape:
    """Which field states what: dotted path → name of the reported count or text."""

    fields: Mapping[str, str]
    flags: Mapping[str, bool] = field(default_factory=dict)


_SHAPES: dict[str, _Shape] = {
    **dict.fromkeys(
        (
            "openai_chat",
            "openrouter",
            "litellm",
            "mistral",
            "groq",
            "deepseek",
            "xai",
            "moonshot",
            "cerebras",
            "huggingface",
            "gemini_chat",
            "openai_embeddings",
        ),
        _Shape(CHAT | RESPONSES),
    ),
    **dict.fromkeys(("openai_responses", "openai_images", "openai_audio"), _Shape(RESPONSES | CHAT)),
    "anthropic": _Shape(ANTHROPIC, {"input_includes_cached": False}),
    "bedrock_converse": _Shape(BEDROCK, {"input_includes_cached": False}),
    "bedrock_log": _Shape(BEDROCK, {"input_includes_cached": False}),
    "gemini": _Shape(GEMINI, {"output_includes_reasoning": False}),
    "cohere": _Shape(COHERE),
    "langfuse": _Shape(LANGFUSE, {"input_includes_cached": False, "output_includes_reasoning": False}),
    "helicone": _Shape(HELICONE, {"input_includes_cached": False, "output_includes_reasoning": False}),
}


def read_usage(usage: Mapping[str, object], flavour: UsageFlavour) -> ReportedUsage:
    """Return what one usage object reports; an object without counts gives only its flags.

    A streamed Anthropic answer states cumulative counts: hand in the last `message_delta` (merged over
    `message_start`), never a sum. Raises ValueError for a flavour that is not one of FLAVOURS.
    """
    if flavour not in _SHAPES:
        raise ValueError(f"Usage flavour {flavour!r} is not known; known: {', '.join(FLAVOURS)}")
    shape = _SHAPES[flavour]
    found = _Found()
    leaves = list(_leaves(usage))
    for path, value in leaves:
        _read_field(path, value, shape.fields, found)
    reported = {**found.values, **shape.flags}
    if flavour in _FINISH:
        _FINISH[flavour](reported, usage)
    if reported.get("inference_geo") not in (None, *ANYWHERE):
        reported["region_id"] = reported["inference_geo"]
    if found.problem is not None:
        reported["usage_problem"] = found.problem
    reported["unknown_counts"] = sorted(found.unknown)
    raw = write_raw_usage(leaves, shape.fields.keys() | IGNORED)
    return reported if raw is None else {**reported, "raw_usage": raw}


def read_usages(usage: Mapping[str, object], flavour: UsageFlavour) -> list[ReportedUsage]:
    """Return one usage a sampling of a model: several where one response used several, else one.

    Anthropic lists `iterations`, each with its own counts and, where it differs from the response's, its own
    `model` (advisor, fallback); the top level leaves compaction and advisors out, so iterations replace it.
    Each iteration keeps its own prompt, which decides its context price. What is stated once for the response
    (web searches, tier, geography) stands on the first, or on all.
    """
    iterations = usage.get("iterations")
    if flavour != "anthropic" or not isinstance(iterations, list) or not iterations:
        return [read_usage(usage, flavour)]
    if not all(isinstance(part, Mapping) for part in iterations):
        return [{**read_usage(usage, flavour), "usage_problem": "not_a_count"}]
    whole = read_usage(usage, flavour)
    common = {name: whole[name] for name in ("service_tier", "inference_geo", "speed") if name in whole}
    parts = [{**common, **read_usage(part, flavour)} for part in iterations]
    for name in ("web_search_count", "usage_problem"):
        if name in whole and len(parts) > 0:
            parts[0].setdefault(name, whole[name])
    if whole["unknown_counts"]:
        parts[0]["unknown_counts"] = sorted({*parts[0]["unknown_counts"], *whole["unknown_counts"]})
    if len(parts) == 1 and "reasoning_tokens" in whole:
        parts[0].setdefault("reasoning_tokens", whole["reasoning_tokens"])
    return parts


def merge_stream(start: Mapping[str, object], delta: Mapping[str, object]) -> dict[str, object]:
    """Return Anthropic's `message_start` usage with the last `message_delta` over it: deltas are cumulative."""
    return {**start, **{name: value for name, value in delta.items() if value is not None}}


@dataclass
class _Found:
    values: dict[str, Any] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    problem: str | None = None


_DEEPEST = 8
"""No provider nests counts deeper; what lies below is not looked at, and told as one unknown count."""


def _leaves(usage: Mapping[str, object], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, object]]:
    """Every value that is no object, by its dotted path; lists of {modality|ttl, count} by what they name."""
    for name, value in usage.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping) and depth == _DEEPEST:
            yield "…", 1
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{path}.", depth + 1)
        elif isinstance(value, list):
            yield from _list_leaves(path, value)
        else:
            yield path, value


def _list_leaves(path: str, items: list[object]) -> Iterator[tuple[str, object]]:
    sums: dict[str, object] = {}
    for item in items:
        if not isinstance(item, Mapping):
            continue
        label = item.get("modality") or item.get("ttl")
        count = item.get("tokenCount", item.get("inputTokens"))
        if isinstance(label, str) and count is not None:
            key = f"{path}[{label.lower()}]"
            earlier = sums.get(key)
            both_count = isinstance(earlier, int) and isinstance(count, int)
            sums[key] = earlier + count if both_count else count  # type: ignore[operator]
    yield from sums.items()


def _read_field(path: str, value: object, fields: Mapping[str, str], found: _Found) -> None:
    name = fields.get(path)
    if value is None or path in IGNORED or path.startswith("iterations"):
        return
    if name is None:
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            found.unknown.add(path)
        return
    read = _READERS.get(name, _read_count)(value)
    if read is None:
        found.problem = found.problem or "not_a_count"
    elif name in _SUMMED and name in found.values:
        found.values[name] += read
    elif found.values.setdefault(name, read) != read:
        found.problem = found.problem or "stated_twice"


_LARGEST_EXPONENT = 30
"""Text such as 1e999999999 is a whole number that no memory holds."""


def _read_count(value: object) -> int | None:
    """A whole number, also written as text or with a zero fraction; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or number.adjusted() > _LARGEST_EXPONENT:
        return None
    return int(number) if number == number.to_integral_value() else None


def _read_searches(value: object) -> int | None:
    count = _read_count(value)
    return count if count is not None and 0 <= count <= MAX_TOKENS_PER_REQUEST else None


_LONGEST_TEXT = 512
"""A tier, region or model has no longer name; what has is somebody's text, and is not kept."""


def _read_text(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return build_whole_text(value) if len(value) <= _LONGEST_TEXT else "text_withheld"


def _read_money(value: object) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() else None


_READERS = {
    "service_tier": _read_text,
    "inference_geo": _read_text,
    "speed": _read_text,
    "model": _read_text,
    "reported_cost": _read_money,
    "web_search_count": _read_searches,
}
_SUMMED = frozenset({"image_input_tokens", "cache_read_image_tokens", "image_output_tokens"})
"""Gemini counts documents as it counts images, under a modality of their own."""


def _finish_chat(reported: ReportedUsage, usage: Mapping[str, object]) -> None:
    """Tell by the provider's own total whether the answer holds the reasoning (xAI, Gemini: beside it)."""
    total, prompt, answer = (
        reported.get(name) for name in ("provider_total_tokens", "input_tokens", "output_tokens")
    )
    reasoning = reported.get("reasoning_tokens")
    if total is not None and prompt is not None and answer is not None and reasoning:
        if total == prompt + answer + reasoning:
            reported["output_includes_reasoning"] = False


def _finish_gemini_chat(reported: ReportedUsage, usage: Mapping[str, object]) -> None:
    """Google's chat shape leaves thoughts out of the answer and states them in the total alone."""
    total, prompt, answer = (
        reported.get(name) for name in ("provider_total_tokens", "input_tokens", "output_tokens")
    )
    if total is not None and prompt is not None and answer is not None and total > prompt + answer:
        reported.setdefault("reasoning_tokens", total - prompt - answer)
    _finish_chat(reported, usage)


def _finish_gemini(reported: ReportedUsage, usage: Mapping[str, object]) -> None:
    """Prompts of tools are input beside the prompt; thoughts are output beside the answer, also without one."""
    tools = reported.pop("tool_input_tokens", None)
    if tools is not None:
        reported["input_tokens"] = reported.get("input_tokens", 0) + tools
    if "reasoning_tokens" in reported:
        reported.setdefault("output_tokens", 0)


def _finish_cohere(reported: ReportedUsage, usage: Mapping[str, object]) -> None:
    """Cohere bills `billed_units`; `tokens` (and `cached_tokens`) count the whole prompt with its preamble."""
    billed = {
        name: reported.pop(f"billed_{name}")
        for name in ("input_tokens", "output_tokens")
        if f"billed_{name}" in reported
    }
    if billed:
        reported.pop("cache_read_tokens", None)
        reported.update(billed)


def _finish_langfuse(reported: ReportedUsage, usage: Mapping[str, object]) -> None:
    """Put audio and image buckets into the input and output that hold them elsewhere.

    Where the total is input and output alone, the emitter broke the rule: they hold what stands beside them.
    """
    total = reported.get("provider_total_tokens")
    whole = reported.get("input_tokens", 0) + reported.get("output_tokens", 0)
    parts = sum(reported.get(name, 0) for name in _LANGFUSE_PARTS)
    if total is not None and parts and total == whole:
        reported["input_includes_cached"] = reported["output_includes_reasoning"] = True
        return
    for side in ("input", "output"):
        beside = [
            reported[name] for kind in ("audio", "image") if (name := f"{kind}_{side}_tokens") in reported
        ]
        if beside:
            reported[f"{side}_tokens"] = reported.get(f"{side}_tokens", 0) + sum(beside)


_LANGFUSE_PARTS = ("cache_read_tokens", "cache_write_tokens", "reasoning_tokens")

_FINISH = {
    **dict.fromkeys(
        (name for name, shape in _SHAPES.items() if "prompt_tokens" in shape.fields), _finish_chat
    ),
    "gemini_chat": _finish_gemini_chat,
    "gemini": _finish_gemini,
    "cohere": _finish_cohere,
    "langfuse": _finish_langfuse,
    "helicone": _finish_langfuse,
}
