"""Azure API Management's logs of model calls as diagnostic settings write them: GatewayLlmLogs and GatewayLogs.

What belongs here: the two records and the layout of the blobs. What must not: which calls pass it.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.logs.json_text import number, record, stamp, text
from simulator.logs.line_files import write_lines

SERVICE = (
    "/SUBSCRIPTIONS/B2F0A4C6-51D3-4F0E-9A7E-3C8D6E1F2A90/RESOURCEGROUPS/QW-EU/PROVIDERS/"
    "MICROSOFT.APIMANAGEMENT/SERVICE/QUILLWORKS-AI"
)
CALLS, GATEWAY = "insights-logs-gatewayllmlogs", "insights-logs-gatewaylogs"


def write_apim(root: Path, calls: pl.LazyFrame, *, hours_per_object: int = 24) -> None:
    """Write both containers below `root` for calls with the columns that the two records read."""
    hour = pl.col("started_at").dt.truncate(f"{hours_per_object}h") + pl.duration(
        hours=0 if hours_per_object == 1 else 12
    )
    name = hour.dt.strftime("/y=%Y/m=%m/d=%d/h=%H/m=00/PT1H.json")
    for container, line in ((CALLS, _call()), (GATEWAY, _gateway())):
        file = pl.concat_str(pl.lit(f"{container}/resourceId={SERVICE}"), name)
        write_lines(root, calls.select(file.alias("file"), line.alias("line"), "copies").collect())


def _envelope(category: str, properties: pl.Expr) -> pl.Expr:
    return record(
        {
            "time": text(stamp(pl.col("started_at"))),
            "category": pl.lit(f'"{category}"'),
            "resourceId": pl.lit(f'"{SERVICE}"'),
            "operationName": pl.lit(f'"Microsoft.ApiManagement/{category}"'),
            "correlationId": text(pl.col("gateway_call_id")),
            "location": text(pl.col("region_id")),
            "properties": properties,
        }
    )


def _call() -> pl.Expr:
    return _envelope(
        "GatewayLlmLogs",
        record(
            {
                "requestId": text(pl.col("response_id")),
                "operationName": pl.lit('"ChatCompletions_Create"'),
                "sequenceNumber": pl.lit("0"),
                "modelName": text(pl.col("response_model")),
                "deploymentName": text(pl.col("request_model")),
                "promptTokens": number(pl.col("input_tokens")),
                "completionTokens": number(pl.col("output_tokens")),
                "totalTokens": number(pl.col("input_tokens") + pl.col("output_tokens")),
                "promptCachedTokens": number(pl.col("cache_read_tokens")),
                "isStreamCompletion": pl.lit("false"),
            }
        ),
    )


def _gateway() -> pl.Expr:
    headers = record(
        {
            "x-user-id": text(pl.col("user_as_logged")),
            "x-feature": text(pl.col("feature")),
            "x-tenant-id": text(pl.col("tenant")),
            "x-team": text(pl.col("team")),
        }
    )
    code = pl.when(pl.col("status") == "ok").then(pl.lit("200")).otherwise(pl.lit("429"))
    return _envelope(
        "GatewayLogs",
        record(
            {
                "method": pl.lit('"POST"'),
                "responseCode": code,
                "totalTime": number((pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds()),
                "apiId": pl.lit('"openai"'),
                "productId": text(pl.col("feature")),
                "apimSubscriptionId": text(pl.col("team")),
                "cache": pl.lit('"none"'),
                "requestHeaders": headers,
            }
        ),
    )
