"""Vertex AI's inference request metadata log as a sink of Cloud Logging writes it: a LogEntry a line.

What belongs here: the entry, with Gemini's own names of usage, and the names of the shards. What must not: which
calls are logged.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.logs.json_text import number, record, stamp, text
from simulator.logs.line_files import write_lines

LOG = "aiplatform.googleapis.com/inference_requests"


def write_requests(root: Path, calls: pl.LazyFrame, *, hours_per_object: int = 24) -> None:
    """Write below `root` the shards of calls with the columns that the entry reads."""
    hour = pl.col("started_at").dt.truncate(f"{hours_per_object}h")
    last = (hour + pl.duration(hours=hours_per_object) - pl.duration(seconds=1)).dt.strftime("%H:%M:%S")
    file = pl.concat_str(pl.lit(f"{LOG}/"), hour.dt.strftime("%Y/%m/%d/%H:%M:%S_"), last, pl.lit("_S0.json"))
    write_lines(root, calls.select(file.alias("file"), _entry().alias("line"), "copies").collect())


def _entry() -> pl.Expr:
    model = pl.concat_str(
        pl.lit("projects/"),
        pl.col("account_id"),
        pl.lit("/locations/"),
        pl.col("region_id"),
        pl.lit("/publishers/google/models/"),
        pl.col("response_model"),
    )
    seconds = number((pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds())
    payload = record(
        {
            "model": text(model),
            "location": text(pl.col("region_id")),
            "usageMetadata": _usage(),
            "latencyMs": seconds,
            "errorCode": pl.when(pl.col("status") == "ok").then(pl.lit("0")).otherwise(pl.lit("429")),
            "responseId": text(pl.col("response_id")),
            "requestLabels": record(
                {"feature": text(pl.col("feature")), "user": text(pl.col("user_as_logged"))}
            ),
        }
    )
    resource = record(
        {
            "type": pl.lit('"aiplatform.googleapis.com/PublisherModel"'),
            "labels": record({"project_id": text(pl.col("account_id"))}),
        }
    )
    project = pl.concat_str(pl.lit("projects/"), pl.col("account_id"))
    return record(
        {
            "logName": text(
                pl.concat_str(project, pl.lit("/logs/aiplatform.googleapis.com%2Finference_requests"))
            ),
            "resource": resource,
            "timestamp": text(stamp(pl.col("started_at"))),
            "severity": pl.lit('"INFO"'),
            "trace": text(pl.concat_str(project, pl.lit("/traces/"), pl.col("trace_id"))),
            "spanId": text(pl.col("parent_span_id")),
            "jsonPayload": payload,
        }
    )


def _usage() -> pl.Expr:
    """Gemini's prompt holds cached tokens; its thoughts stand beside the answer."""
    thoughts = pl.col("reasoning_tokens").fill_null(0)
    return record(
        {
            "promptTokenCount": number(pl.col("input_tokens")),
            "cachedContentTokenCount": number(pl.col("cache_read_tokens")),
            "candidatesTokenCount": number(pl.col("output_tokens") - thoughts),
            "thoughtsTokenCount": number(thoughts),
            "totalTokenCount": number(pl.col("input_tokens") + pl.col("output_tokens")),
            "trafficType": pl.lit('"ON_DEMAND"'),
        }
    )
