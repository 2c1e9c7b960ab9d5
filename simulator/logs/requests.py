"""The request logs of the gateway and of the clouds: the calls of the world in the columns that their writers read.

What belongs here: what gateway and clouds know of a call, and under which names. What must not: formats (`gateway`,
`bedrock`, `apim`, `vertex`), which calls they saw (`sightings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from simulator import company
from simulator.logs.apim import write_apim
from simulator.logs.bedrock import write_invocations
from simulator.logs.gateway import write_gateway
from simulator.logs.sightings import find_gateway_calls, find_provider_calls
from simulator.logs.vertex import write_requests
from simulator.world import World

_SERVING_REGIONS = {
    "us-east-1": ("us-east-1", "us-east-2", "us-west-2"),
    "eu-west-1": ("eu-west-1", "eu-central-1", "eu-north-1"),
}
"""Where an inference profile sends calls of a region."""


_PROVIDER_LOGS: dict[str, tuple[str, Callable[..., None]]] = {
    "aws.bedrock": ("bedrock", write_invocations),
    "azure.ai.openai": ("apim", write_apim),
    "gcp.vertex_ai": ("vertex", write_requests),
}


def write_request_logs(root: Path, world: World, *, hours_per_object: int = 24) -> None:
    """Write `gateway`, `bedrock`, `apim` and `vertex` below `root`; a log that saw no call is not there."""
    write_gateway(root / "gateway", _gateway_calls(world))
    for provider, (folder, write) in _PROVIDER_LOGS.items():
        write(root / folder, _provider_calls(world, provider), hours_per_object=hours_per_object)


def key_hash(name: str) -> str:
    """What the gateway keeps of a service's virtual key: its SHA-256. The key is a made-up name."""
    return hashlib.sha256(f"sk-quillworks-{name}".encode()).hexdigest()


def _usage() -> list[pl.Expr]:
    """Counts of answered calls; of others nothing is known."""
    is_answered = pl.col("provider_request_id").is_not_null()
    writes = pl.col("cache_write_5m_tokens") + pl.col("cache_write_1h_tokens")
    prompt = pl.col("uncached_input_tokens") + pl.col("cache_read_tokens") + writes
    counts = {
        "input_tokens": prompt,
        "cache_write_tokens": writes,
        "output_tokens": pl.col("output_tokens"),
        "reasoning_tokens": pl.when(pl.col("reasoning_tokens") > 0).then("reasoning_tokens"),
    }
    return [pl.when(is_answered).then(value).alias(name) for name, value in counts.items()]


def _gateway_calls(world: World) -> pl.LazyFrame:
    calls = find_gateway_calls(world)
    is_answered = pl.col("provider_request_id").is_not_null()
    is_bedrock = pl.col("provider") == "aws.bedrock"
    logical = pl.col("logical_call_id")
    trace = [logical.str.slice(0, 8), logical.str.slice(8, 4), pl.lit("4000-a000"), logical.str.slice(4, 12)]
    hashes = {name: key_hash(name) for name in company.SERVICES}
    fallbacks = pl.col("is_fallback").cast(pl.Int64)
    named = calls.with_columns(
        *_usage(),
        pl.when(is_answered).then(pl.lit("ok")).otherwise(pl.lit("error")).alias("status"),
        pl.when(is_bedrock & is_answered)
        .then(pl.concat_str(pl.lit("chatcmpl-"), pl.col("gateway_call_id")))
        .otherwise("provider_request_id")
        .alias("response_id"),
        pl.when(is_bedrock).then("provider_request_id").alias("provider_id"),
        pl.when(is_bedrock).then("request_model").otherwise("response_model").alias("response_model"),
        pl.concat_str(trace, separator="-").alias("gateway_trace_id"),
        pl.when(~is_answered).then(pl.lit("RateLimitError")).alias("error_type"),
        pl.when(~is_answered).then(pl.lit("429")).alias("error_code"),
        pl.col("service").replace_strict(hashes, return_dtype=pl.String).alias("api_key_hash"),
        fallbacks.alias("attempted_fallbacks"),
        (pl.col("attempt_number") - 1 - fallbacks).alias("attempted_retries"),
    ).rename(
        {"service": "api_key_alias", "user_id_as_logged": "user_as_logged", "logged_model": "model_group"}
    )
    return named.with_columns(pl.col("gateway_copies").alias("copies"))


def _provider_calls(world: World, provider: str) -> pl.LazyFrame:
    calls = find_provider_calls(world, provider)
    number = pl.col("call_index") % 3
    serving = pl.coalesce(
        [
            pl.when((pl.col("region") == region) & (number == index)).then(pl.lit(name))
            for region, names in _SERVING_REGIONS.items()
            for index, name in enumerate(names)
        ]
    )
    named = calls.with_columns(
        *_usage(),
        pl.lit("ok").alias("status"),
        pl.lit(None, pl.String).alias("error_type"),
        serving.alias("serving_region"),
        pl.col("provider_request_id").alias("provider_id"),
        pl.col("provider_request_id").alias("response_id"),
    ).rename(
        {
            "region": "region_id",
            "principal": "principal_arn",
            "user_id_as_logged": "user_as_logged",
            "logged_model": "bedrock_model_id",
        }
    )
    return named.with_columns(pl.col("provider_log_copies").alias("copies"))
