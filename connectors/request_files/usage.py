"""The usage object of a row, and counts of somebody's own tokenizer: what is taken where no column states a count.

What belongs here: which of several statements about usage counts. What must not: what a provider's field means
(`common/usage_payloads.py`), or arithmetic between counts (`common/token_usage.py`).
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl

from connectors.common.gateway_values import read_mapping
from connectors.common.request_rows import build_provider_name
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST, REPORTED_COUNTS
from connectors.common.usage_payloads import UsageFlavour, read_usage
from connectors.request_files.schema import ESTIMATED_COLUMNS, USAGE_COLUMN
from connectors.request_files.settings import Settings

FLAGS = ("input_includes_cached", "output_includes_reasoning")
_TEXTS = ("service_tier", "usage_problem", "raw_usage")
_SCHEMA: dict[str, Any] = {
    **dict.fromkeys(REPORTED_COUNTS, pl.Int64),
    **dict.fromkeys(FLAGS, pl.Boolean),
    **dict.fromkeys(_TEXTS, pl.String),
    "web_search_count": pl.Int64,
}


def add_usage(frame: pl.DataFrame, objects: pl.Series, settings: Settings) -> pl.DataFrame:
    """Return the frame with what the rows' usage objects state where its own columns state nothing.

    The object's flavour says what its counts mean, so its flags go before the source's `semantics`.
    """
    flavours: dict[str | None, UsageFlavour] = {
        build_provider_name(name): flavour for name, flavour in settings.usage_flavours.items()
    }
    providers = (
        frame["provider"].to_list() if flavours and "provider" in frame.columns else [None] * len(frame)
    )
    found: list[dict[str, Any]] = []
    for content, provider in zip(objects.to_list(), providers, strict=True):
        flavour = flavours.get(build_provider_name(provider)) or settings.usage_flavour
        found.append(_read_object(content, flavour))
    stated = pl.DataFrame(found, schema=_SCHEMA).select(pl.all().name.prefix(f"{USAGE_COLUMN}."))
    joined = frame.hstack(stated.get_columns())
    filled = []
    for name in _SCHEMA:
        given = pl.col(f"{USAGE_COLUMN}.{name}")
        own = pl.col(name) if name in frame.columns else None
        if name in FLAGS or own is None:
            filled.append(given.alias(name))
        else:
            filled.append(pl.coalesce(own, given).alias(name))
    return joined.with_columns(filled).drop(stated.columns)


def add_estimates(frame: pl.DataFrame) -> pl.DataFrame:
    """Take estimated counts where nothing was reported at all: an explicit 0 is a report, and stays one."""
    names = {estimate: name for estimate, name in ESTIMATED_COLUMNS.items() if estimate in frame.columns}
    if not names:
        return frame
    reported = [
        pl.col(name).is_not_null()
        for name in ("input_tokens", "uncached_input_tokens", "output_tokens")
        if name in frame.columns
    ]
    is_reported = pl.any_horizontal(reported) if reported else pl.lit(False)
    has_estimate = pl.any_horizontal([pl.col(estimate).is_not_null() for estimate in names])
    is_estimated = ~is_reported & has_estimate
    source = pl.col("usage_source") if "usage_source" in frame.columns else pl.lit(None, pl.String)
    counts = [
        pl.when(is_reported)
        .then(pl.col(name) if name in frame.columns else pl.lit(None, pl.Int64))
        .otherwise(pl.col(estimate))
        .alias(name)
        for estimate, name in names.items()
    ]
    told = pl.when(is_estimated).then(pl.lit("estimated")).otherwise(source).alias("usage_source")
    return frame.with_columns(*counts, told).drop(list(names))


def build_choice(column: str, choices: tuple[str, ...]) -> pl.Expr:
    """Return a column's words in lower case where they are of the choices; null (as if nothing was said) elsewhere."""
    text = pl.col(column).str.to_lowercase()
    return pl.when(text.is_in(choices)).then(text).alias(column)


def _read_object(content: object, flavour: UsageFlavour | None) -> dict[str, Any]:
    if isinstance(content, str):
        try:
            content = orjson.loads(content)
        except orjson.JSONDecodeError:
            return {"usage_problem": "not_a_count"}
    elif isinstance(content, list):  # a map of Parquet, as polars gives it
        content = {pair["key"]: pair["value"] for pair in content if isinstance(pair, dict) and "key" in pair}
    stated = read_mapping(content)
    if not stated or flavour is None:
        return {}
    usage = read_usage(stated, flavour)
    for name in REPORTED_COUNTS:
        count = usage.get(name)
        if count is not None and abs(count) > MAX_TOKENS_PER_REQUEST:
            usage[name] = None
            usage["usage_problem"] = "negative_tokens" if count < 0 else "absurd_tokens"
    return {name: usage[name] for name in _SCHEMA if name in usage}
