"""The one normaliser of token usage: what an emitter reports becomes disjoint token classes.

What belongs here: the arithmetic between reported counts and disjoint classes, and the checks that refuse a
count. What must not: which attribute or column a count is read from (a connector's schema), or prices.

Emitters disagree on whether "input tokens" holds the cached ones (OpenAI, Gemini and OTel: yes; Anthropic and
Bedrock as they answer: no), and on whether output holds reasoning. So every row says which it means;
nothing is clamped and nothing is guessed: a row that contradicts itself is refused with a reason.
"""

from __future__ import annotations

import polars as pl

MAX_TOKENS_PER_REQUEST = 1_000_000_000
"""No model reads or writes more in one call; a larger count is a defect of the emitter."""

REPORTED_COUNTS = (
    "input_tokens",
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_tokens",
    "image_tokens",
    "audio_input_tokens",
    "cache_read_audio_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "cache_read_image_tokens",
    "image_output_tokens",
    "provider_total_tokens",
)
"""What an emitter may report. `cache_write_tokens` is the total of both lifetimes; `audio_input_tokens` and
`image_input_tokens` hold their cached ones where `input_tokens` does; null = not reported."""

MODALITY_COUNTS = REPORTED_COUNTS[REPORTED_COUNTS.index("audio_input_tokens") : -1]
"""The reported counts of one modality and direction."""

MODALITY_PARTS = ("uncached", "cache_read", "output")
MODALITIES = ("audio", "image")
"""Kinds of token that a price book prices apart from text; each is part of a token class, never beside it."""

USAGE_COLUMNS = {
    "uncached_input_tokens": pl.Int64,
    "cache_read_tokens": pl.Int64,
    "cache_write_5m_tokens": pl.Int64,
    "cache_write_1h_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "reasoning_tokens": pl.Int64,
    "audio_tokens": pl.Int64,
    "image_tokens": pl.Int64,
    "uncached_audio_tokens": pl.Int64,
    "cache_read_audio_tokens": pl.Int64,
    "output_audio_tokens": pl.Int64,
    "uncached_image_tokens": pl.Int64,
    "cache_read_image_tokens": pl.Int64,
    "output_image_tokens": pl.Int64,
    "provider_total_tokens": pl.Int64,
    "usage_source": pl.String,
    "raw_usage": pl.String,
}
"""The columns of the dataset `requests` that this module fills."""

PROBLEMS = {
    "not_a_count": "a token count is not a whole number",
    "stated_twice": "a token count is stated twice with different values",
    "negative_tokens": "a token count is negative",
    "absurd_tokens": f"a token count is above {MAX_TOKENS_PER_REQUEST} for one request",
    "cached_exceeds_input": (
        "cached tokens exceed the input tokens that should hold them; if this emitter reports input without "
        "cached tokens, say so in the source's `semantics`"
    ),
    "cache_write_split_exceeds_total": "cache writes by lifetime exceed the total of cache writes",
    "reasoning_exceeds_output": (
        "reasoning tokens exceed the output tokens that should hold them; if this emitter reports output "
        "without reasoning, say so in the source's `semantics`"
    ),
    "modality_exceeds_class": "audio and image tokens exceed the token class that should hold them",
}
"""Why a row is refused, in words for its owner."""


def normalise_usage(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with disjoint token classes in place of the reported counts.

    Reads any of REPORTED_COUNTS (a missing column means not reported), the flags `input_includes_cached` and
    `output_includes_reasoning` (default true), and `usage_problem` where the reader already refused a count.
    Adds USAGE_COLUMNS and `usage_problem` (a key of PROBLEMS or null; then the classes are null),
    `is_total_mismatch` (the classes do not add up to the provider's own total) and
    `is_cache_lifetime_assumed` (cache writes of unstated lifetime, counted as five minutes).
    A `usage_source` of the reader (`estimated`) is kept where there is usage, and its `raw_usage` (the numbers of the
    source's own object); where it gave none, the reported counts are the raw usage. Audio and image tokens are part
    of the classes: their columns say how much of a class they are.
    """
    reported = _with_modalities(_with_defaults(frame))
    computed = reported.with_columns(_problem().alias("usage_problem"), **_classes())
    is_sound = pl.col("usage_problem").is_null()
    total = pl.sum_horizontal(
        "uncached_input_tokens_",
        "cache_read_tokens",
        "cache_write_5m_tokens_",
        "cache_write_1h_tokens",
        "output_tokens_",
    )
    has_both = pl.col("uncached_input_tokens_").is_not_null() & pl.col("output_tokens_").is_not_null()
    stated = pl.col("cache_write_5m_tokens").fill_null(0) + pl.col("cache_write_1h_tokens").fill_null(0)
    flags = {
        "is_total_mismatch": is_sound & has_both & (total != pl.col("provider_total_tokens")),
        "is_cache_lifetime_assumed": is_sound & (pl.col("cache_write_tokens") > stated),
        "usage_source": pl.when(_is_reported())
        .then(pl.coalesce("usage_source", pl.lit("reported")))
        .otherwise(pl.lit("none")),
        "raw_usage": _raw_usage(),
    }
    flagged = computed.with_columns(**flags).with_columns(
        pl.col("is_total_mismatch", "is_cache_lifetime_assumed").fill_null(False)
    )
    return _finish(flagged, is_sound)


def _with_defaults(frame: pl.DataFrame) -> pl.DataFrame:
    defaults: dict[str, pl.Expr] = {name: pl.lit(None, pl.Int64) for name in REPORTED_COUNTS}
    defaults |= {"input_includes_cached": pl.lit(True), "output_includes_reasoning": pl.lit(True)}
    defaults |= {name: pl.lit(None, pl.String) for name in ("usage_problem", "usage_source", "raw_usage")}
    missing = [value.alias(name) for name, value in defaults.items() if name not in frame.columns]
    return frame.with_columns(missing).with_columns(
        pl.col(list(REPORTED_COUNTS)).cast(pl.Int64),
        pl.col("input_includes_cached", "output_includes_reasoning").fill_null(True),
    )


def _with_modalities(reported: pl.DataFrame) -> pl.DataFrame:
    """Add how much of each class is audio and image, and `modality_excess` where that is more than the class.

    Cached tokens of unstated modality are text as far as the counts allow: what exceeds the uncached input must
    have come from the cache.
    """
    columns = [_modality_column(part, kind) for part in MODALITY_PARTS for kind in MODALITIES]
    stated = [name for name in MODALITY_COUNTS if reported[name].null_count() < reported.height]
    if not stated:
        absent = [pl.lit(None, pl.Int64).alias(name) for name in columns]
        return reported.with_columns(*absent, pl.lit(False).alias("modality_excess"))
    for kind in MODALITIES:
        given = pl.col(f"{kind}_input_tokens")
        uncached = _classes()["uncached_input_tokens_"]
        forced = pl.when(given > uncached).then(given - uncached)
        whole = pl.when("input_includes_cached").then(given)
        cached = pl.coalesce(f"cache_read_{kind}_tokens", pl.when(whole.is_not_null()).then(forced))
        reported = reported.with_columns(cached.alias(f"cache_read_{kind}_tokens_")).with_columns(
            pl.when("input_includes_cached")
            .then(given - pl.col(f"cache_read_{kind}_tokens_").fill_null(0))
            .otherwise(given)
            .alias(f"uncached_{kind}_tokens"),
            pl.col(f"{kind}_output_tokens").alias(f"output_{kind}_tokens"),
        )
    return reported.with_columns(_modality_excess().alias("modality_excess"))


def _modality_column(part: str, kind: str) -> str:
    """The column of one cell of the matrix; a trailing underscore where a reported count has its name."""
    return f"{part}_{kind}_tokens" + ("_" if part == "cache_read" else "")


def _modality_excess() -> pl.Expr:
    classes = _classes()
    uncached = classes["uncached_input_tokens_"]
    holders = {
        "uncached": uncached,
        "cache_read": pl.coalesce("cache_read_tokens", pl.when(uncached.is_not_null()).then(0)),
        "output": classes["output_tokens_"],
    }
    parts = {part: [pl.col(_modality_column(part, kind)) for kind in MODALITIES] for part in MODALITY_PARTS}
    over = [pl.sum_horizontal(columns) > holders[part] for part, columns in parts.items()]
    below = [pl.col(f"uncached_{kind}_tokens") < 0 for kind in MODALITIES]
    return pl.any_horizontal([test.fill_null(False) for test in (*over, *below)])


def _cache_writes() -> pl.Expr:
    split = pl.col("cache_write_5m_tokens").fill_null(0) + pl.col("cache_write_1h_tokens").fill_null(0)
    return pl.coalesce("cache_write_tokens", split)


def _cached() -> pl.Expr:
    return pl.col("cache_read_tokens").fill_null(0) + _cache_writes()


def _classes() -> dict[str, pl.Expr]:
    """Return the disjoint classes that are reported counts too, under names with a trailing underscore."""
    inclusive = pl.col("input_tokens") - _cached()
    from_input = pl.when("input_includes_cached").then(inclusive).otherwise(pl.col("input_tokens"))
    rest = pl.col("cache_write_tokens") - pl.col("cache_write_1h_tokens").fill_null(0)
    with_reasoning = pl.col("output_tokens") + pl.col("reasoning_tokens").fill_null(0)
    return {
        "uncached_input_tokens_": pl.coalesce("uncached_input_tokens", from_input),
        "cache_write_5m_tokens_": pl.coalesce(rest, "cache_write_5m_tokens"),
        "output_tokens_": pl.when("output_includes_reasoning")
        .then("output_tokens")
        .otherwise(with_reasoning),
    }


def _problem() -> pl.Expr:
    counts = [pl.col(name) for name in REPORTED_COUNTS]
    split = pl.col("cache_write_5m_tokens").fill_null(0) + pl.col("cache_write_1h_tokens").fill_null(0)
    is_inclusive = pl.col("input_includes_cached") & pl.col("uncached_input_tokens").is_null()
    refusals = {
        "negative_tokens": pl.any_horizontal([count < 0 for count in counts]),
        "absurd_tokens": pl.any_horizontal([count > MAX_TOKENS_PER_REQUEST for count in counts]),
        "cache_write_split_exceeds_total": split > pl.col("cache_write_tokens"),
        "cached_exceeds_input": is_inclusive & (_cached() > pl.col("input_tokens")),
        "reasoning_exceeds_output": pl.col("output_includes_reasoning")
        & (pl.col("reasoning_tokens") > pl.col("output_tokens")),
        "modality_exceeds_class": pl.col("modality_excess"),
    }
    reasons = [pl.when(test.fill_null(False)).then(pl.lit(name)) for name, test in refusals.items()]
    return pl.coalesce("usage_problem", *reasons)


def _is_reported() -> pl.Expr:
    return pl.any_horizontal(
        [pl.col(name).is_not_null() for name in ("input_tokens", "uncached_input_tokens", "output_tokens")]
    )


def _raw_usage() -> pl.Expr:
    parts = [pl.concat_str(pl.lit(f'"{name}":'), pl.col(name).cast(pl.String)) for name in REPORTED_COUNTS]
    joined = pl.concat_str(parts, separator=",", ignore_nulls=True)
    counts = pl.when(joined != "").then(pl.concat_str(pl.lit("{"), joined, pl.lit("}")))
    return pl.coalesce("raw_usage", counts)


def _finish(flagged: pl.DataFrame, is_sound: pl.Expr) -> pl.DataFrame:
    renamed = {"uncached_input_tokens_", "cache_write_5m_tokens_", "output_tokens_"}
    renamed |= {_modality_column("cache_read", kind) for kind in MODALITIES}
    sound = [
        pl.when(is_sound).then(pl.col(f"{name}_" if f"{name}_" in renamed else name)).alias(name)
        for name in USAGE_COLUMNS
        if USAGE_COLUMNS[name] == pl.Int64
    ]
    dropped = [
        *renamed,
        "input_tokens",
        "cache_write_tokens",
        "input_includes_cached",
        "output_includes_reasoning",
        "modality_excess",
        *(f"{kind}_{side}_tokens" for kind in MODALITIES for side in ("input", "output")),
    ]
    return flagged.with_columns(sound).drop(dropped)
