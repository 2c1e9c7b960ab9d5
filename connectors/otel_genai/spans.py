"""What a span says: raw attributes become typed columns, and spans of model calls are told from the others.

What belongs here: ranking attribute names, telling kinds of spans apart, whole columns at once. What must not:
files, what spans know from one another, token arithmetic, messages that quote content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import polars as pl

from connectors.common.api_keys import build_api_key_id
from connectors.common.identity import Identity
from connectors.common.parsing import round_decimal
from connectors.common.request_rows import MAX_TEXT_CHARACTERS, PROVIDER_NAMES
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST
from connectors.otel_genai import schema
from connectors.otel_genai.raw_spans import RESOURCE, SPAN
from connectors.otel_genai.settings import Settings

GIVEN = "given_"
"""What the column of a key's value begins with that the emitter's resource gives, and no span."""

_LARGEST_COST = Decimal(10) ** 12


@dataclass
class SpanTyper:
    """Types the spans of one file, frame by frame, and counts the values that are too long to be names."""

    settings: Settings
    identity: Identity
    oversized: Counter[str] = field(default_factory=Counter)

    def build_frame(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Return typed spans, one row a raw span, in its order; `usage_problem` names an impossible count."""
        raw = self._clean(raw)
        texts = raw.select(
            _first(raw, SPAN, names).alias(column) for column, names in schema.TEXT_ATTRIBUTES.items()
        )
        typed = raw.select(
            "line", "trace_id", "span_id", "parent_span_id", "start_us", "end_us", "is_vllm", "scope"
        )
        typed = typed.with_columns(
            pl.from_epoch("start_us", time_unit="us").alias("started_at"),
            pl.from_epoch("end_us", time_unit="us").alias("ended_at"),
            self._kept_share(raw),
        )
        typed = typed.hstack(self._identity(raw, texts)).hstack(
            raw.select(
                _first(raw, RESOURCE, names).alias(column)
                for column, names in schema.RESOURCE_ATTRIBUTES.items()
            )
        )
        typed = typed.hstack(_build_kinds(raw, texts)).hstack(self._build_call(raw, texts))
        return _blank_others(self._with_usage(typed, raw, texts))

    def _clean(self, raw: pl.DataFrame) -> pl.DataFrame:
        """Trim every attribute; empty is none, and what is too long to be a name is left out and counted."""
        columns = [name for name in raw.columns if name[0] in (SPAN, RESOURCE)]
        if not columns:
            return raw
        raw = raw.with_columns(pl.col(columns).str.strip_chars())
        long = raw.select(pl.col(columns).str.len_chars() > MAX_TEXT_CHARACTERS)
        for name, count in zip(columns, long.sum().row(0), strict=True):
            if count:
                self.oversized[name[1:]] += count
        return raw.with_columns(
            pl.when(pl.col(name).str.len_chars().is_between(1, MAX_TEXT_CHARACTERS))
            .then(pl.col(name))
            .alias(name)
            for name in columns
        )

    def _kept_share(self, raw: pl.DataFrame) -> pl.Expr:
        stated = [pl.lit(raw["kept_share"])]
        for name, meaning in schema.SAMPLING_ATTRIBUTES.items():
            if SPAN + name in raw.columns:
                value = raw[SPAN + name].cast(pl.Float64, strict=False)
                share = {"share": value, "percent": value / 100, "one_in": 1 / value}[meaning]
                stated.append(pl.lit(share))
        share = pl.coalesce(pl.when(each.is_between(0, 1) & (each > 0)).then(each) for each in stated)
        return share.alias("kept_share")

    def _identity(self, raw: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
        """Return each attribution key as the span states it, and as its resource gives it."""
        attributes = self.settings.attributes
        columns: list[pl.Series] = []
        for key in schema.INHERITED_KEYS:
            for prefix, column in ((SPAN, key), (RESOURCE, GIVEN + key)):
                values = raw.select(_first(raw, prefix, getattr(attributes, key)).alias(column)).to_series()
                columns.append(self.identity.pseudonymise_series(values) if key == "user_id" else values)
        names = attributes.sub_account_id
        provider = _build_provider(texts["provider"])
        is_clouds = pl.lit(provider).str.starts_with(schema.CLOUD_OF_PROVIDER[0])
        for beginning in schema.CLOUD_OF_PROVIDER[1:]:
            is_clouds = is_clouds | pl.lit(provider).str.starts_with(beginning)
        given = _first(raw, RESOURCE, tuple(name for name in names if name != "cloud.account.id"))
        clouds = _first(raw, RESOURCE, tuple(name for name in names if name == "cloud.account.id"))
        account = pl.coalesce(_first(raw, SPAN, names), given, pl.when(is_clouds).then(clouds))
        columns.append(raw.select(account.alias("sub_account_id")).to_series())
        return pl.DataFrame(columns)

    def _build_call(self, raw: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
        named = _build_provider(texts["provider"])
        is_bedrock = pl.lit(named) == "aws.bedrock"
        own_id = pl.coalesce(
            pl.when(is_bedrock).then(pl.lit(texts["aws_request_id"])), pl.lit(texts["response_id"])
        )
        tier = pl.lit(texts["service_tier"])
        batch = [
            pl.col(SPAN + name).str.to_lowercase().is_in(["true", "1"])
            for name in self.settings.semantics.batch_attributes
            if SPAN + name in raw.columns
        ]
        if batch:
            tier = pl.when(pl.any_horizontal(batch).fill_null(False)).then(pl.lit("batch")).otherwise(tier)
        return raw.select(
            pl.coalesce(pl.lit(named), pl.when("is_vllm").then(pl.lit(schema.VLLM_PROVIDER))).alias(
                "provider"
            ),
            _as_id(own_id).alias("provider_request_id"),
            _as_id(pl.lit(texts["call_id"])).alias("call_id"),
            pl.lit(self._mask_keys(texts["api_key_id"])).alias("api_key_id"),
            pl.lit(texts["request_model"]).alias("request_model"),
            pl.coalesce(pl.lit(texts["response_model"]), pl.lit(texts["request_model"])).alias("model"),
            _as_code(tier).alias("service_tier"),
            _as_code(pl.lit(texts["error_type"])).alias("error_type"),
            *(pl.lit(texts[name]).alias(name) for name in ("tool_name", "region_id", "to_zone")),
        )

    def _mask_keys(self, stated: pl.Series) -> pl.Series:
        """Ids and digests of keys stay; what may be the key itself is hashed."""
        named = {text: build_api_key_id(text, self.identity) for text in stated.unique() if text is not None}
        return stated.replace_strict(named, default=None, return_dtype=pl.String) if named else stated

    def _with_usage(self, typed: pl.DataFrame, raw: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
        counts: list[pl.Series] = []
        problems: list[pl.Expr] = []
        for column, names in schema.COUNT_ATTRIBUTES.items():
            stated = raw.select(_first(raw, SPAN, names).alias(column)).to_series()
            count, problem = _read_counts(stated)
            counts.append(count)
            if problem.null_count() < len(problem):
                problems.append(pl.lit(problem))
        for column, names in schema.SIZE_ATTRIBUTES.items():
            count, _ = _read_counts(raw.select(_first(raw, SPAN, names).alias(column)).to_series())
            counts.append(count)
        typed = typed.with_columns(*counts, *_read_seconds(raw), _read_costs(raw))
        problem = pl.coalesce(problems) if problems else pl.lit(None, pl.String)
        typed = typed.with_columns(
            problem.alias("usage_problem"),
            pl.when(pl.col("reported_cost").is_not_null())
            .then(pl.lit("USD"))
            .alias("reported_cost_currency"),
            self._includes_cached().alias("input_includes_cached"),
        )
        return _set_saved_apart(typed, pl.lit(texts["gateway_cache_key"]).is_not_null())

    def _includes_cached(self) -> pl.Expr:
        semantics = self.settings.semantics
        exclusive = [name.lower() for name in semantics.exclusive_emitters]
        pair = pl.concat_str("scope", pl.lit("/"), "provider")
        is_exclusive = pl.any_horizontal(
            each.is_in(exclusive).fill_null(False) for each in (pl.col("scope"), pl.col("provider"), pair)
        )
        return pl.lit(semantics.input_includes_cached) & ~is_exclusive


def _first(raw: pl.DataFrame, prefix: str, names: Iterable[str]) -> pl.Expr:
    """The value of the highest ranking attribute that has one."""
    present = [pl.col(prefix + name) for name in names if prefix + name in raw.columns]
    return pl.coalesce(present) if present else pl.repeat(None, len(raw), dtype=pl.String)


def _build_provider(stated: pl.Series) -> pl.Series:
    """Return OTel's names of providers: spelt in lower case, without the API that some frameworks add."""
    lowered = stated.str.to_lowercase()
    plain = lowered.str.replace(schema.PROVIDER_ENDINGS, "")
    return plain.replace(schema.VERCEL_PROVIDERS).replace(PROVIDER_NAMES)


def _build_kinds(raw: pl.DataFrame, texts: pl.DataFrame) -> pl.DataFrame:
    """Return `is_call`, `span_kind` and `status`: the newest convention that says anything decides."""
    lowered = (
        texts.select(
            pl.col(
                "operation",
                "openinference_kind",
                "vercel_operation",
                "openllmetry_request",
                "openllmetry_kind",
            ).str.to_lowercase()
        )
        .hstack(raw.select("kind", "status_code", "is_vllm"))
        .hstack(texts.select("error_type"))
    )
    operation, kind = pl.col("operation"), pl.col("openinference_kind")
    vercel, request = pl.col("vercel_operation"), pl.col("openllmetry_request")
    is_call = (
        pl.when(operation.is_not_null())
        .then(operation.is_in(list(schema.CALL_OPERATIONS)))
        .when(kind.is_not_null())
        .then(kind.is_in(list(schema.CALL_OPENINFERENCE_KINDS)))
        .when(vercel.is_not_null())
        .then(vercel.str.contains(schema.CALL_VERCEL_ENDINGS))
        .when(request.is_not_null())
        .then(request.is_in(list(schema.CALL_OPENLLMETRY_REQUESTS)))
        .otherwise("is_vllm")
    )
    named = pl.coalesce(
        _replace(operation, schema.SPAN_KIND_OF_OPERATION),
        _replace(kind, schema.SPAN_KIND_OF_OPENINFERENCE),
        _replace(vercel, schema.SPAN_KIND_OF_VERCEL),
        _replace(pl.col("openllmetry_kind"), schema.SPAN_KIND_OF_OPENLLMETRY),
        pl.when(pl.col("kind").is_in(list(schema.SERVER_KINDS)))
        .then(pl.lit("server"))
        .otherwise(pl.lit("other")),
    )
    is_error = pl.col("status_code").is_in(list(schema.ERROR_CODES)).fill_null(False)
    status = (
        pl.when(pl.col("error_type").is_in(list(schema.ABORTED_ERRORS)))
        .then(pl.lit("aborted"))
        .when(is_error | pl.col("error_type").is_not_null())
        .then(pl.lit("error"))
        .otherwise(pl.lit("ok"))
    )
    return lowered.select(
        is_call.fill_null(False).alias("is_call"), named.alias("span_kind"), status.alias("status")
    )


def _replace(column: pl.Expr, names: Mapping[str, str]) -> pl.Expr:
    return column.replace_strict(names, default=None, return_dtype=pl.String)


def _as_code(text: pl.Expr) -> pl.Expr:
    """A code as it is; a sentence where a code belongs is somebody's text and does not enter the lake."""
    return pl.when(text.str.contains(r"\s")).then(pl.lit("text_withheld")).otherwise(text)


def _as_id(text: pl.Expr) -> pl.Expr:
    """An id as it is; a text with blanks is none, for calls that share an id are one call."""
    return pl.when(~text.str.contains(r"\s")).then(text)


def _read_counts(stated: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return counts, null where the text is none, and the problem's name (token_usage.PROBLEMS) there."""
    if stated.null_count() == len(stated):
        return stated.cast(pl.Int64), stated
    frame = stated.to_frame("text").with_columns(pl.col("text").cast(pl.Int64, strict=False).alias("count"))
    if frame["count"].null_count() > frame["text"].null_count():
        real = pl.col("text").cast(pl.Float64, strict=False)
        is_whole = real.is_finite() & (real == real.floor())
        frame = frame.with_columns(
            real.alias("real"),
            pl.when(pl.col("count").is_null() & is_whole)
            .then(real.clip(-(2.0**60), 2.0**60).cast(pl.Int64, strict=False))
            .otherwise("count")
            .alias("count"),
        )
    count = pl.col("count")
    problem = (
        pl.when(pl.col("text").is_null())
        .then(None)
        .when(count.is_null())
        .then(pl.lit("not_a_count"))
        .when(count > MAX_TOKENS_PER_REQUEST)
        .then(pl.lit("absurd_tokens"))
        .when(count < 0)
        .then(pl.lit("negative_tokens"))
    )
    read = frame.select(
        pl.when(count.is_between(0, MAX_TOKENS_PER_REQUEST)).then(count).alias(stated.name),
        problem.cast(pl.String).alias("problem"),
    )
    return read[stated.name], read["problem"]


def _read_seconds(raw: pl.DataFrame) -> list[pl.Expr]:
    """Return durations in whole microseconds; what is negative, or longer than a week, is none."""
    columns = []
    for column, names in schema.SECONDS_ATTRIBUTES.items():
        scaled = [
            pl.col(SPAN + name).cast(pl.Float64, strict=False) / units
            for name, units in names
            if SPAN + name in raw.columns
        ]
        seconds = pl.lit(raw.select(pl.coalesce(scaled)).to_series()) if scaled else pl.lit(None, pl.Float64)
        microseconds = (seconds * 1_000_000).round().cast(pl.Int64, strict=False)
        columns.append(pl.when(seconds.is_between(0, 604_800)).then(microseconds).alias(column))
    return columns


def _read_costs(raw: pl.DataFrame) -> pl.Series:
    """Return stated costs, rounded half up at 12 digits; what is no amount of money is none."""
    stated = raw.select(_first(raw, SPAN, schema.COST_ATTRIBUTES)).to_series()
    kind = pl.Decimal(38, 12)
    if stated.null_count() == len(stated):
        return pl.Series("reported_cost", [None] * len(stated), dtype=kind)
    return pl.Series("reported_cost", [_read_cost(text) for text in stated], dtype=kind)


def _read_cost(text: str | None) -> Decimal | None:
    if text is None or len(text) > 40:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return round_decimal(amount) if amount.is_finite() and 0 <= amount < _LARGEST_COST else None


def _set_saved_apart(typed: pl.DataFrame, is_saved: pl.Expr) -> pl.DataFrame:
    """A call that the gateway answered from its own cache used nothing: what it would have is apart."""
    zeroed = [name for name in schema.COUNT_ATTRIBUTES if name != "reasoning_tokens"]
    typed = typed.with_columns(is_saved.alias("is_saved"))
    return typed.with_columns(
        pl.when("is_saved").then("input_tokens").alias("saved_input_tokens"),
        pl.when("is_saved").then("output_tokens").alias("saved_output_tokens"),
        *(
            pl.when(pl.col("is_saved") & pl.col(name).is_not_null())
            .then(0)
            .otherwise(pl.col(name))
            .alias(name)
            for name in zeroed
        ),
    ).drop("is_saved")


def _blank_others(typed: pl.DataFrame) -> pl.DataFrame:
    """Only calls have usage: an agent span that repeats the tokens of its calls states nothing."""
    counts = (
        *schema.COUNT_ATTRIBUTES,
        *schema.SECONDS_ATTRIBUTES,
        "web_search_count",
        "usage_problem",
        "reported_cost",
        "reported_cost_currency",
        "saved_input_tokens",
        "saved_output_tokens",
    )
    return typed.with_columns(pl.when("is_call").then(pl.col(name)).alias(name) for name in counts)
