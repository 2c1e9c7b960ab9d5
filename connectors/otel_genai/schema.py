"""Where a GenAI span keeps what we take: the attribute names, and nothing else ever leaves a span.

What belongs here: the allow-list of attributes, oldest and newest names side by side, and what the values of
kind-telling attributes mean. What must not: reading files, arithmetic on tokens, configuration.

Names: OTel GenAI v1.36 to v1.44, OpenInference, OpenLLMetry, pydantic-ai, Vercel AI SDK, LiteLLM, vLLM. First
match wins.
"""

from __future__ import annotations

from connectors.common.datasets import ATTRIBUTION_KEYS

INHERITED_KEYS = (*ATTRIBUTION_KEYS, "session_id")
"""What a span without a value of its own takes from its parents, then (in SQL) from the root of its trace."""

Names = dict[str, tuple[str, ...]]

COUNT_ATTRIBUTES: Names = {
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "uncached_input_tokens": ("ai.usage.inputTokenDetails.noCacheTokens",),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cache_read_input_tokens",
        "llm.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "gen_ai.usage.details.cache_creation_input_tokens",
        "llm.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "cache_write_5m_tokens": (
        "gen_ai.usage.cache_creation.ephemeral_5m_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_5m.input_tokens",
    ),
    "cache_write_1h_tokens": (
        "gen_ai.usage.cache_creation.ephemeral_1h_input_tokens",
        "gen_ai.usage.cache_creation.ephemeral_1h.input_tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "gen_ai.usage.details.thinking_tokens",
        "llm.token_count.completion_details.reasoning",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "audio_input_tokens": (
        "gen_ai.usage.audio.input_tokens",
        "gen_ai.usage.details.input_audio_tokens",
        "llm.token_count.prompt_details.audio",
    ),
    "cache_read_audio_tokens": ("gen_ai.usage.details.cache_audio_read_tokens",),
    "audio_output_tokens": (
        "gen_ai.usage.audio.output_tokens",
        "gen_ai.usage.details.output_audio_tokens",
        "llm.token_count.completion_details.audio",
    ),
    "image_input_tokens": ("gen_ai.usage.image.input_tokens",),
    "image_output_tokens": ("gen_ai.usage.image.output_tokens",),
    "provider_total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
}
"""Token counts that `token_usage.normalise_usage` reads."""

SIZE_ATTRIBUTES: Names = {
    "request_bytes": ("http.request.body.size", "http.request_content_length"),
    "response_bytes": ("http.response.body.size", "http.response_content_length"),
    "resend_count": ("http.request.resend_count",),
    "web_search_count": (
        "gen_ai.usage.server_tool_use.web_search_requests",
        "gen_ai.usage.details.web_search_requests",
        "gen_ai.usage.details.web_searches",
    ),
}
"""Counts that are no token counts: what is none of a count is left out, the row stays."""

SECONDS_ATTRIBUTES: dict[str, tuple[tuple[str, int], ...]] = {
    "time_to_first_token_seconds": (
        ("gen_ai.latency.time_to_first_token", 1),
        ("gen_ai.response.time_to_first_chunk", 1),
        ("ai.response.msToFirstChunk", 1000),
    ),
    "prefill_seconds": (("gen_ai.latency.time_in_model_prefill", 1),),
    "decode_seconds": (("gen_ai.latency.time_in_model_decode", 1),),
}
"""Durations, each attribute with how many of its units make a second."""

COST_ATTRIBUTES = (
    "gen_ai.usage.cost",
    "gen_ai.cost.total_cost",
    "litellm.cost.total",
    "llm.cost.total",
    "operation.cost",
)
"""What the emitter believes the call cost, in US dollars."""

TEXT_ATTRIBUTES: Names = {
    "response_id": ("gen_ai.response.id", "ai.response.id", "gen_ai.request.id"),
    "aws_request_id": ("aws.request_id",),
    "call_id": ("litellm.call_id", "litellm_call_id", "metadata.litellm_call_id"),
    "provider": (
        "gen_ai.provider.name",
        "gen_ai.system",
        "llm.provider",
        "llm.system",
        "ai.model.provider",
    ),
    "request_model": ("gen_ai.request.model", "llm.request.model", "ai.model.id"),
    "response_model": ("gen_ai.response.model", "ai.response.model", "llm.response.model", "llm.model_name"),
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "aws.bedrock.response.service_tier",
    ),
    "error_type": ("error.type",),
    "tool_name": ("gen_ai.tool.name", "tool.name", "ai.toolCall.name"),
    "region_id": ("cloud.region",),  # on a call span: of its destination
    "to_zone": ("cloud.availability_zone",),
    "api_key_id": ("metadata.user_api_key_hash", "litellm.user_api_key_hash"),
    "operation": ("gen_ai.operation.name",),
    "openinference_kind": ("openinference.span.kind",),
    "vercel_operation": ("ai.operationId",),
    "openllmetry_request": ("llm.request.type",),
    "openllmetry_kind": ("traceloop.span.kind",),
    "gateway_cache_key": ("hidden_params.cache_key",),
}
"""Text read from the span's own attributes."""

RESOURCE_ATTRIBUTES: Names = {
    "from_zone": ("cloud.availability_zone", "cloud.region"),  # on a resource: of the emitter
    "replica_id": ("service.instance.id", "k8s.pod.name"),
}
"""Text read from the resource only."""

SAMPLING_ATTRIBUTES: dict[str, str] = {
    "sampling.probability": "share",
    "SampleRate": "one_in",
    "microsoft.sample_rate": "percent",
}
"""How likely a span was to be kept: a share, one in so many (Honeycomb), or percent (Azure Monitor)."""

OBJECT_ATTRIBUTES = ("metadata", "hidden_params")
"""Attributes that may hold a JSON object as text (OpenInference, LiteLLM): `metadata.team` is its key `team`."""

USAGE_PREFIXES = ("gen_ai.usage.", "llm.token_count.", "llm.usage.", "ai.usage.")
"""Attributes that begin so count something; one that is not listed above is reported."""

KNOWN_USAGE = frozenset(
    {
        "gen_ai.usage.num_sequences",
        "gen_ai.usage.details.input_tokens",
        "gen_ai.usage.details.output_tokens",
        "gen_ai.usage.details.text_prompt_tokens",
        "gen_ai.usage.details.text_candidates_tokens",
        "gen_ai.usage.details.accepted_prediction_tokens",
        "gen_ai.usage.details.rejected_prediction_tokens",
        "gen_ai.usage.text.input_tokens",
        "gen_ai.usage.text.output_tokens",
        "ai.usage.outputTokenDetails.textTokens",
    }
)
"""Usage attributes that are left out on purpose: part of, or equal to, what is read."""

PROVIDER_ENDINGS = r"\.(chat|completion|completions|responses|messages|embedding|image|generative-ai)$"
"""Which of its APIs a Vercel AI SDK provider names behind its own name: `openai.chat`."""

VERCEL_PROVIDERS = {
    "amazon-bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google.vertex": "gcp.vertex_ai",
    "google.vertex.chat": "gcp.vertex_ai",
    "vertex.anthropic": "gcp.vertex_ai",
    "azure-openai": "azure.ai.openai",
    "hosted_vllm": "vllm",
}
"""Spellings of frameworks → OTel's name, after the ending is gone."""

CALL_OPERATIONS = frozenset(
    {"chat", "text_completion", "completion", "generate_content", "embeddings", "embedding", "responses"}
)
CALL_OPENINFERENCE_KINDS = frozenset({"llm", "embedding"})
CALL_VERCEL_ENDINGS = r"\.(dogenerate|dostream|doembed)$"
CALL_OPENLLMETRY_REQUESTS = frozenset(
    {
        "chat",
        "completion",
        "embedding",
        "acompletion",
        "aembedding",
        "text_completion",
        "atext_completion",
        "responses",
        "aresponses",
        "anthropic_messages",
    }
)
"""OpenLLMetry's kinds of request, and LiteLLM's call types, which it writes under the same attribute."""
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
SPAN_KIND_OF_VERCEL = {
    "ai.toolcall": "tool",
    "ai.generatetext": "chain",
    "ai.streamtext": "chain",
    "ai.generateobject": "chain",
    "ai.streamobject": "chain",
    "ai.embed": "chain",
    "ai.embedmany": "chain",
}
SERVER_KINDS = ("2", "5", "SPAN_KIND_SERVER", "SPAN_KIND_CONSUMER", "Server", "Consumer")
ERROR_CODES = ("2", "STATUS_CODE_ERROR", "Error")
ABORTED_ERRORS = ("aborted", "cancelled", "canceled", "client_disconnected", "asyncio.CancelledError")

CLOUD_OF_PROVIDER = ("aws.", "azure.", "gcp.")
"""Providers whose account is the cloud account that an emitter's resource states."""
