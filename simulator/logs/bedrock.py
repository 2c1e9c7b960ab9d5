"""Amazon Bedrock's model invocation logs as it delivers them to S3: gzipped JSON lines by account, region and hour.

What belongs here: the record (schema 1.0) and the layout of the keys. What must not: which calls are logged.

Input leaves cached tokens out, as Bedrock counts. Bodies are not logged but for what Converse measured.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.logs.json_text import joined, listed, number, record, stamp, text
from simulator.logs.line_files import write_lines


def write_invocations(root: Path, calls: pl.LazyFrame, *, hours_per_object: int = 1) -> None:
    """Write below `root` the objects of calls with the columns that `_record` reads.

    `hours_per_object` packs several hours into the first one's folder: fewer and larger objects for quick runs.
    """
    hour = pl.col("started_at").dt.truncate(f"{hours_per_object}h")
    file = pl.concat_str(
        pl.lit("AWSLogs/"),
        pl.col("account_id"),
        pl.lit("/BedrockModelInvocationLogs/"),
        pl.col("region_id"),
        hour.dt.strftime("/%Y/%m/%d/%H/%Y%m%dT%H%M%S000Z_6f1d0c2b9a7e4835.json.gz"),
    )
    write_lines(root, calls.select(file.alias("file"), _record().alias("line"), "copies").collect())


def _record() -> pl.Expr:
    return record(
        {
            "schemaType": pl.lit('"ModelInvocationLog"'),
            "schemaVersion": pl.lit('"1.0"'),
            "timestamp": text(stamp(pl.col("started_at"))),
            "accountId": text(pl.col("account_id")),
            "identity": record({"arn": text(pl.col("principal_arn"))}),
            "region": text(pl.col("region_id")),
            "requestId": text(pl.col("provider_id")),
            "operation": pl.lit('"Converse"'),
            "modelId": text(pl.col("bedrock_model_id")),
            "requestMetadata": record(
                {
                    name: text(pl.col(column))
                    for name, column in (("user", "user_as_logged"), ("feature", "feature"))
                }
            ),
            "inferenceRegion": text(pl.col("serving_region")),
            "errorCode": text(pl.col("error_type")),
            "input": _input(),
            "output": _output(),
        }
    )


def _input() -> pl.Expr:
    return record(
        {
            "inputContentType": pl.lit('"application/json"'),
            "inputTokenCount": number(pl.col("uncached_input_tokens")),
            "cacheReadInputTokenCount": number(pl.col("cache_read_tokens")),
            "cacheWriteInputTokenCount": number(pl.col("cache_write_tokens")),
        }
    )


def _output() -> pl.Expr:
    details = [
        record({"inputTokens": number(pl.col(f"cache_write_{ttl}_tokens")), "ttl": pl.lit(f'"{ttl}"')})
        for ttl in ("5m", "1h")
    ]
    usage = record(
        {
            "inputTokens": number(pl.col("uncached_input_tokens")),
            "outputTokens": number(pl.col("output_tokens")),
            "totalTokens": number(pl.col("input_tokens") + pl.col("output_tokens")),
            "cacheReadInputTokens": number(pl.col("cache_read_tokens")),
            "cacheWriteInputTokens": number(pl.col("cache_write_tokens")),
            "cacheDetails": pl.when(pl.col("cache_write_tokens") > 0).then(listed(joined(details))),
        }
    )
    body = record(
        {
            "metrics": record(
                {"latencyMs": number((pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds())}
            ),
            "usage": usage,
        }
    )
    return record(
        {
            "outputContentType": pl.lit('"application/json"'),
            "outputTokenCount": number(pl.col("output_tokens")),
            "outputBodyJson": pl.when(pl.col("input_tokens").is_not_null()).then(body),
        }
    )
