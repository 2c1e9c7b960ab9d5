"""The gateway's own log: LiteLLM StandardLoggingPayload objects, a call a line, a file a week of their start.

What belongs here: LiteLLM's fields, how it names a call, a retry, a key. What must not: which calls pass the gateway.

Shapes: `types/utils.py` and `example_standard_logging_payload.json` of LiteLLM. Prompts and answers are not logged.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.logs.json_text import joined, listed, number, record, text
from simulator.logs.line_files import write_lines

NAMES = {
    "aws.bedrock": "bedrock",
    "openai": "openai",
    "anthropic": "anthropic",
    "azure.ai.openai": "azure",
    "gcp.vertex_ai": "vertex_ai",
    "vllm": "hosted_vllm",
}
"""How LiteLLM names the providers that OpenTelemetry names otherwise."""


def write_gateway(root: Path, calls: pl.LazyFrame) -> None:
    """Write `<Monday>.jsonl` of calls with the columns that `_payload` reads, in the order given."""
    provider = pl.col("provider").replace(NAMES)
    lines = calls.with_columns(provider.alias("provider")).select(
        pl.col("started_at").dt.truncate("1w").dt.strftime("%Y-%m-%d.jsonl").alias("file"),
        _payload().alias("line"),
        "copies",
    )
    write_lines(root, lines.collect())


def _payload() -> pl.Expr:
    is_ok = pl.col("status") == "ok"
    status = pl.when(is_ok).then(pl.lit('"success"')).otherwise(pl.lit('"failure"'))
    stamp = {
        name: number(pl.col(column).dt.timestamp("ms").cast(pl.Float64) / 1000)
        for name, column in (("startTime", "started_at"), ("endTime", "ended_at"))
    }
    total = pl.col("input_tokens") + pl.col("output_tokens")
    answer = record({"id": text(pl.col("response_id")), "model": text(pl.col("response_model"))})
    return record(
        {
            "id": text(pl.coalesce("response_id", "gateway_call_id")),
            "trace_id": text(pl.col("gateway_trace_id")),
            "litellm_call_id": text(pl.col("gateway_call_id")),
            "call_type": pl.lit('"acompletion"'),
            "stream": pl.lit("true"),
            "status": status,
            "custom_llm_provider": text(pl.col("provider")),
            **stamp,
            "model": text(pl.concat_str(pl.col("provider"), pl.lit("/"), pl.col("request_model"))),
            "model_group": text(pl.col("model_group")),
            "cache_hit": pl.lit("null"),
            "prompt_tokens": number(pl.col("input_tokens").fill_null(0)),
            "completion_tokens": number(pl.col("output_tokens").fill_null(0)),
            "total_tokens": number(total.fill_null(0)),
            "end_user": text(pl.col("user_as_logged")),
            "request_tags": listed(_tags()),
            "metadata": _metadata(),
            "response": pl.when(is_ok).then(answer),
            "hidden_params": pl.when(pl.col("provider_id").is_not_null()).then(
                record(
                    {
                        "additional_headers": record(
                            {"llm_provider-x-amzn-requestid": text(pl.col("provider_id"))}
                        )
                    }
                )
            ),
            "error_information": pl.when(~is_ok).then(
                record({"error_class": text(pl.col("error_type")), "error_code": text(pl.col("error_code"))})
            ),
            "cost_breakdown": record({"service_tier": text(pl.col("service_tier"))}),
        }
    )


def _tags() -> pl.Expr:
    tags = [
        pl.concat_str(pl.lit(f'"{name}:'), pl.col(name), pl.lit('"'))
        for name in ("feature", "endpoint", "agent", "tenant", "environment")
    ]
    return joined(tags)


def _metadata() -> pl.Expr:
    usage = record(
        {
            "prompt_tokens": number(pl.col("input_tokens")),
            "completion_tokens": number(pl.col("output_tokens")),
            "total_tokens": number(pl.col("input_tokens") + pl.col("output_tokens")),
            "prompt_tokens_details": record({"cached_tokens": number(pl.col("cache_read_tokens"))}),
            "cache_read_input_tokens": number(pl.col("cache_read_tokens")),
            "cache_creation_input_tokens": number(pl.col("cache_write_tokens")),
            "cache_creation": pl.when(pl.col("cache_write_tokens") > 0).then(
                record(
                    {
                        "ephemeral_5m_input_tokens": number(pl.col("cache_write_5m_tokens")),
                        "ephemeral_1h_input_tokens": number(pl.col("cache_write_1h_tokens")),
                    }
                )
            ),
            "completion_tokens_details": pl.when(pl.col("reasoning_tokens").is_not_null()).then(
                record({"reasoning_tokens": number(pl.col("reasoning_tokens"))})
            ),
        }
    )
    return record(
        {
            "user_api_key_hash": text(pl.col("api_key_hash")),
            "user_api_key_alias": text(pl.col("api_key_alias")),
            "user_api_key_team_alias": text(pl.col("team")),
            "usage_object": pl.when(pl.col("input_tokens").is_not_null()).then(usage),
            "attempted_retries": number(pl.col("attempted_retries")),
            "attempted_fallbacks": number(pl.col("attempted_fallbacks")),
        }
    )
