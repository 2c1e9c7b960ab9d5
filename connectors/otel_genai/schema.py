"""Where a GenAI span keeps what we take: the attribute names, and nothing else ever leaves a span.

What belongs here: the allow-list of attributes, oldest and newest names side by side, and what the values of
kind-telling attributes mean. What must not: reading files, arithmetic on tokens, configuration.

Names: OTel GenAI v1.36 to v1.44, OpenInference, OpenLLMetry, pydantic-ai, vLLM. First match wins.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from connectors.common.datasets import ATTRIBUTION_KEYS

INHERITED_KEYS = (*ATTRIBUTION_KEYS, "session_id")
"""What a span without a value of its own takes from its parents, then from the root of its trace."""

COUNT_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    "audio_tokens": ("llm.token_count.prompt_details.audio",),
    "provider_total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
}

SIZE_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "request_bytes": ("http.request.body.size", "http.request_content_length"),
    "response_bytes": ("http.response.body.size", "http.response_content_length"),
    "resend_count": ("http.request.resend_count",),
}

TEXT_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "provider_request_id": ("gen_ai.response.id", "gen_ai.request.id"),
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"),
    "request_model": ("gen_ai.request.model",),
    "response_model": ("gen_ai.response.model", "llm.model_name"),
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "aws.bedrock.response.service_tier",
    ),
    "error_type": ("error.type",),
    "tool_name": ("gen_ai.tool.name", "tool.name"),
    "region_id": ("cloud.region",),  # on a call span: of its destination
    "to_zone": ("cloud.availability_zone",),
    "operation": ("gen_ai.operation.name",),
    "openinference_kind": ("openinference.span.kind",),
    "openllmetry_request": ("llm.request.type",),
    "openllmetry_kind": ("traceloop.span.kind",),
}
"""Text read from the span's own attributes."""

RESOURCE_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "from_zone": ("cloud.availability_zone", "cloud.region"),  # on a resource: of the emitter
    "replica_id": ("service.instance.id", "k8s.pod.name"),
}
"""Text read from the resource only."""

CALL_OPERATIONS = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
CALL_OPENINFERENCE_KINDS = frozenset({"llm", "embedding"})
CALL_OPENLLMETRY_REQUESTS = frozenset({"chat", "completion", "embedding"})
VLLM_SPAN_NAME = "llm_request"
VLLM_PROVIDER = "vllm"

SPAN_KIND_OF_OPERATION = {
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "chain",
    "execute_tool": "tool",
    "retrieval": "retrieval",
}
SPAN_KIND_OF_OPENINFERENCE = {
    "agent": "agent",
    "chain": "chain",
    "tool": "tool",
    "retriever": "retrieval",
    "reranker": "retrieval",
}
SPAN_KIND_OF_OPENLLMETRY = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}
SERVER_KINDS = frozenset({2, 5, "SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER"})
ERROR_CODES = frozenset({2, "STATUS_CODE_ERROR"})
ABORTED_ERRORS = frozenset(
    {"aborted", "cancelled", "canceled", "client_disconnected", "asyncio.CancelledError"}
)

_TEXT_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "span_kind",
    "status",
    "provider_request_id",
    "provider",
    "sub_account_id",
    "region_id",
    "request_model",
    "model",
    "service_tier",
    "error_type",
    "tool_name",
    "from_zone",
    "to_zone",
    "replica_id",
    "usage_problem",
    *INHERITED_KEYS,
)
_COUNT_COLUMNS = ("line", "start_us", "end_us", *COUNT_ATTRIBUTES, *SIZE_ATTRIBUTES)

ROW_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(_TEXT_COLUMNS, pl.String),
    **dict.fromkeys(_COUNT_COLUMNS, pl.Int64),
    "is_call": pl.Boolean,
    "input_includes_cached": pl.Boolean,
}
"""One parsed span, before inheritance and before calls are told from the skeleton."""
