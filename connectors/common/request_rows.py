"""The last step of every request connector: read rows become rows of the dataset `requests`, or are refused.

What belongs here: token classes, identity of an attempt, impossible times, provider and tier spellings.
What must not: reading a format, attribute or column names of a vendor.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl
import pyarrow as pa

from connectors.common.contract import Severity
from connectors.common.datasets import REQUESTS
from connectors.common.digests import build_digest
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST, PROBLEMS, normalise_usage

CLOCK_TOLERANCE = timedelta(minutes=5)
EARLIEST_START = datetime.fromisoformat("2015-01-01")

MAX_TEXT_CHARACTERS = 512
"""A longer value is no name or id; it may be a prompt that went astray, so it is dropped and counted."""

PROVIDER_NAMES = {
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "az.ai.openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google": "gcp.gen_ai",
    "xai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
}
"""Older and shorter spellings → OTel's `gen_ai.provider.name`; other names stay, in lower case."""

TIER_NAMES = {"default": "standard", "on_demand": "standard", "on-demand": "standard"}
"""Provider spellings of a service tier → ours; other tiers stay, in lower case."""


WITHHELD = "text_withheld"
"""Stands where a code belongs and text stood."""

_CODE = r"^[A-Za-z0-9_*&$][A-Za-z0-9_.:/*&$`<>\[\],+-]{0,127}$"
"""A word of ASCII, as classes of errors, HTTP statuses and tiers are; text of a language without blanks is none."""

PLACEHOLDERS = ("unknown", "none", "null", "nil", "undefined", "n/a", "na", "test", "default")
"""Words that emitters write where an id should be; many calls would share them."""


class RowSink(Protocol):
    """Where findings and refused rows of a file go (a `FileDelivery` is one)."""

    def add(self, kind: str, message: str, severity: Severity, *, count: int = 1) -> None:
        """Report a finding about the file."""

    def quarantine(self, line: int | None, reason: str, column: str | None = None) -> None:
        """Refuse one row."""


@dataclass
class RequestTally:
    """What was odd over all batches of one file."""

    counts: Counter[str] = field(default_factory=Counter)

    def report(self, sink: RowSink) -> None:
        """Add one finding a kind to the file's delivery."""
        for kind, (severity, message) in _TALLIED.items():
            if self.counts[kind]:
                sink.add(kind, f"{self.counts[kind]} {message}", severity, count=self.counts[kind])


_TALLIED = {
    "duplicate_request": (Severity.INFO, "records repeat an attempt of this file; the first is kept"),
    "token_total_mismatch": (
        Severity.WARN,
        "requests whose token classes do not add up to the provider's own total; check `semantics`",
    ),
    "cache_lifetime_assumed": (
        Severity.INFO,
        "requests with cache writes of unstated lifetime, counted as five-minute writes",
    ),
    "usage_missing": (Severity.INFO, "requests without any token count; they count as calls without usage"),
    "future_clock": (
        Severity.WARN,
        "rows begin in the future and are refused; correct the clock of the emitter",
    ),
}


def build_provider_name(text: str | None) -> str | None:
    """Return OTel's name of a provider, None for None."""
    if text is None:
        return None
    lowered = text.strip().lower()
    return PROVIDER_NAMES.get(lowered, lowered) or None


def find_time_problems(frame: pl.DataFrame, now: datetime) -> pl.Series:
    """Return per row why its `started_at` cannot be (missing_time, early_clock, future_clock), else null."""
    return frame.select(
        pl.when(pl.col("started_at").is_null())
        .then(pl.lit("missing_time"))
        .when(pl.col("started_at") > now + CLOCK_TOLERANCE)
        .then(pl.lit("future_clock"))
        .when(pl.col("started_at") < EARLIEST_START)
        .then(pl.lit("early_clock"))
        .alias("time_problem")
    ).to_series()


REASONS = PROBLEMS | {
    "missing_time": "the start time is missing or cannot be read",
    "future_clock": "the start time lies more than five minutes in the future",
    "early_clock": f"the start time lies before {EARLIEST_START:%Y}",
}
"""Problem → what the owner reads."""


def refuse_rows(frame: pl.DataFrame, problem: str, sink: RowSink, tally: RequestTally) -> pl.DataFrame:
    """Quarantine the rows whose column `problem` is not null and return the others without that column."""
    for line, kind in frame.filter(pl.col(problem).is_not_null()).select("line", problem).iter_rows():
        sink.quarantine(line, f"{kind}: {REASONS[kind]}")
        tally.counts[kind] += 1
    return frame.filter(pl.col(problem).is_null()).drop(problem)


def build_requests(
    frame: pl.DataFrame,
    *,
    source: str,
    scope: str,
    now: datetime,
    sink: RowSink,
    tally: RequestTally,
    extra: tuple[str, ...] = (),
) -> pa.Table:
    """Return rows of the dataset `requests`.

    The frame has `line` (number in the file, names the row), `started_at` (naive UTC), and any of the
    dataset's columns and of the reported token counts. Impossible times or counts are quarantined. `extra`
    names columns of the frame that stay beside those of the dataset.
    """
    timed = refuse_rows(frame.with_columns(find_time_problems(frame, now)), "time_problem", sink, tally)
    sound = refuse_rows(normalise_usage(timed), "usage_problem", sink, tally)
    tally.counts["token_total_mismatch"] += int(sound["is_total_mismatch"].sum())
    tally.counts["cache_lifetime_assumed"] += int(sound["is_cache_lifetime_assumed"].sum())
    tally.counts["usage_missing"] += int((sound["usage_source"] == "none").sum())
    named = _with_attempt_identity(_with_spellings(_with_absent(sound)), source, scope)
    columns = [*(name for name in REQUESTS.schema.names if name in named.columns), *extra]
    table = named.select(columns).to_arrow()
    durations = _build_durations(named)
    position = table.schema.get_field_index("duration_seconds")
    return table.set_column(position, "duration_seconds", durations)


def _with_absent(frame: pl.DataFrame) -> pl.DataFrame:
    times = ("ended_at",)
    texts = (
        "error_type",
        "provider_request_id",
        "call_id",
        "trace_id",
        "span_id",
        "parent_span_id",
        "provider",
        "emitter_kind",
        "service_tier",
        "status",
        "model",
        "request_model",
    )
    absent = [pl.lit(None, pl.String).alias(name) for name in texts if name not in frame.columns]
    absent += [pl.lit(None, pl.Datetime("us")).alias(name) for name in times if name not in frame.columns]
    saved = ("saved_input_tokens", "saved_output_tokens")
    absent += [pl.lit(None, pl.Int64).alias(name) for name in saved if name not in frame.columns]
    return frame.with_columns(*absent, pl.lit(None, pl.Int64).alias("duration_seconds"))


def _with_spellings(frame: pl.DataFrame) -> pl.DataFrame:
    provider = pl.col("provider").str.strip_chars().str.to_lowercase()
    tier = pl.col("service_tier").str.strip_chars().str.to_lowercase()
    return frame.with_columns(
        provider.replace(PROVIDER_NAMES),
        pl.when(tier.str.contains(_CODE))
        .then(tier.replace(TIER_NAMES))
        .when(tier.is_not_null())
        .then(pl.lit(WITHHELD))
        .alias("service_tier"),
        _as_code("error_type"),
        _as_saved("saved_input_tokens"),
        _as_saved("saved_output_tokens"),
        pl.coalesce("model", "request_model").alias("model"),
        pl.coalesce("status", pl.lit("ok")).alias("status"),
        pl.coalesce("emitter_kind", pl.lit("file")).alias("emitter_kind"),
    )


def _as_code(name: str) -> pl.Expr:
    """A code as it is; a sentence where a code belongs is somebody's text and does not enter the lake."""
    text = pl.col(name).str.strip_chars()
    return (
        pl.when(text.str.contains(_CODE))
        .then(text)
        .when(text.is_not_null())
        .then(pl.lit(WITHHELD))
        .alias(name)
    )


def _as_saved(name: str) -> pl.Expr:
    """A count of tokens that a cache saved; null where no call could have had so many."""
    count = pl.col(name)
    return pl.when(count.is_between(0, MAX_TOKENS_PER_REQUEST)).then(count).alias(name)


def _with_attempt_identity(frame: pl.DataFrame, source: str, scope: str) -> pl.DataFrame:
    """Name the report: provider's id, else trace and span, else call id, else source, file and line; give it a trace.

    A gateway that answers from its own cache repeats the id of the call that filled it, which is another call's: such
    a report has no provider's id.
    """
    own = f"row:{source}:{build_digest(scope)}:"
    is_saved = pl.col("saved_input_tokens").is_not_null() | pl.col("saved_output_tokens").is_not_null()
    told = frame.with_columns(
        *(
            _lower_hex(_drop_placeholder(name)).alias(name)
            for name in ("trace_id", "span_id", "parent_span_id")
        ),
        _drop_placeholder("call_id"),
        pl.when(~is_saved).then(_drop_placeholder("provider_request_id")).alias("provider_request_id"),
    )
    named = told.with_columns(
        pl.coalesce(
            pl.concat_str(pl.lit("response:"), "provider_request_id"),
            pl.concat_str(pl.lit("span:"), "trace_id", pl.lit(":"), "span_id"),
            pl.concat_str(pl.lit("call:"), "call_id"),
            pl.concat_str(pl.lit(own), pl.col("line").cast(pl.String)),
        ).alias("request_id")
    )
    return named.with_columns(pl.coalesce("trace_id", "request_id").alias("trace_id"))


def _drop_placeholder(name: str) -> pl.Expr:
    """An id, null where the emitter only says that it has none."""
    text = pl.col(name).str.strip_chars()
    is_real = (text != "") & ~text.str.to_lowercase().is_in(PLACEHOLDERS) & ~text.str.contains(r"^[0-]+$")
    return pl.when(is_real).then(text).alias(name)


def _lower_hex(text: pl.Expr) -> pl.Expr:
    """W3C's trace and span ids in lower case, as OTel writes them; ids of another form as they are."""
    is_hex = text.str.contains(r"^[0-9A-Fa-f]{16}(?:[0-9A-Fa-f]{16})?$")
    return pl.when(is_hex).then(text.str.to_lowercase()).otherwise(text)


def _build_durations(frame: pl.DataFrame) -> pa.Array:
    """Return seconds as DECIMAL(18,6); null where there is no end, or an end before its start."""
    elapsed = (frame["ended_at"] - frame["started_at"]).dt.total_microseconds()
    whole = elapsed.set(elapsed < 0, None).cast(pl.Decimal(18, 0)).to_arrow()
    return pa.Array.from_buffers(
        pa.decimal128(18, 6), len(whole), whole.buffers(), whole.null_count, whole.offset
    )
