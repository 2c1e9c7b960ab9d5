"""Which field of a provider's usage object states which reported count: data, read by usage_payloads.

What belongs here: field names by API. What must not: code.
"""

from __future__ import annotations

CHAT = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "provider_total_tokens",
    "prompt_tokens_details.cached_tokens": "cache_read_tokens",
    "prompt_tokens_details.cache_write_tokens": "cache_write_tokens",
    "prompt_tokens_details.cache_creation_tokens": "cache_write_tokens",
    "prompt_tokens_details.audio_tokens": "audio_input_tokens",
    "prompt_tokens_details.image_tokens": "image_input_tokens",
    "prompt_tokens_details.web_search_requests": "web_search_count",
    "prompt_token_details.cached_tokens": "cache_read_tokens",
    "completion_tokens_details.reasoning_tokens": "reasoning_tokens",
    "completion_tokens_details.audio_tokens": "audio_output_tokens",
    "completion_tokens_details.image_tokens": "image_output_tokens",
    "prompt_cache_hit_tokens": "cache_read_tokens",
    "cached_tokens": "cache_read_tokens",
    "num_cached_tokens": "cache_read_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "server_tool_use.web_search_requests": "web_search_count",
    "service_tier": "service_tier",
    "inference_geo": "inference_geo",
    "speed": "speed",
    "cost": "reported_cost",
}
"""OpenAI's chat completions and all who answer in their shape. DeepSeek says `prompt_cache_hit_tokens`, Mistral
`num_cached_tokens`, Moonshot `cached_tokens`; OpenRouter adds `cost`; LiteLLM passes Anthropic's names on."""

RESPONSES = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "total_tokens": "provider_total_tokens",
    "input_tokens_details.cached_tokens": "cache_read_tokens",
    "input_tokens_details.cache_write_tokens": "cache_write_tokens",
    "input_tokens_details.audio_tokens": "audio_input_tokens",
    "input_tokens_details.image_tokens": "image_input_tokens",
    "input_tokens_details.cached_tokens_details.audio_tokens": "cache_read_audio_tokens",
    "input_tokens_details.cached_tokens_details.image_tokens": "cache_read_image_tokens",
    "input_token_details.cached_tokens": "cache_read_tokens",
    "input_token_details.audio_tokens": "audio_input_tokens",
    "input_token_details.image_tokens": "image_input_tokens",
    "input_token_details.cached_tokens_details.audio_tokens": "cache_read_audio_tokens",
    "input_token_details.cached_tokens_details.image_tokens": "cache_read_image_tokens",
    "output_tokens_details.reasoning_tokens": "reasoning_tokens",
    "output_tokens_details.audio_tokens": "audio_output_tokens",
    "output_tokens_details.image_tokens": "image_output_tokens",
    "output_token_details.audio_tokens": "audio_output_tokens",
    "output_token_details.image_tokens": "image_output_tokens",
    "cost": "reported_cost",
}
"""OpenAI's responses, images, transcriptions and realtime (singular `…_token_details`) APIs."""

ANTHROPIC = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cache_read_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "output_tokens_details.thinking_tokens": "reasoning_tokens",
    "server_tool_use.web_search_requests": "web_search_count",
    "service_tier": "service_tier",
    "inference_geo": "inference_geo",
    "speed": "speed",
    "model": "model",
}
"""The Messages API; input leaves cached tokens out."""

BEDROCK = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "totalTokens": "provider_total_tokens",
    "cacheReadInputTokens": "cache_read_tokens",
    "cacheReadInputTokenCount": "cache_read_tokens",
    "cacheWriteInputTokens": "cache_write_tokens",
    "cacheWriteInputTokenCount": "cache_write_tokens",
    "cacheDetails[5m]": "cache_write_5m_tokens",
    "cacheDetails[1h]": "cache_write_1h_tokens",
    "input.inputTokenCount": "input_tokens",
    "input.cacheReadInputTokenCount": "cache_read_tokens",
    "input.cacheWriteInputTokenCount": "cache_write_tokens",
    "output.outputTokenCount": "output_tokens",
    "inputTokenCount": "input_tokens",
    "outputTokenCount": "output_tokens",
}
"""Converse and the invocation log; input leaves cached tokens out, Converse's total holds them."""

GEMINI = {
    "promptTokenCount": "input_tokens",
    "candidatesTokenCount": "output_tokens",
    "responseTokenCount": "output_tokens",
    "thoughtsTokenCount": "reasoning_tokens",
    "toolUsePromptTokenCount": "tool_input_tokens",
    "cachedContentTokenCount": "cache_read_tokens",
    "totalTokenCount": "provider_total_tokens",
    "serviceTier": "service_tier",
    **{
        f"{holder}[{modality}]": f"{kind}_input_tokens"
        for holder in ("promptTokensDetails", "promptTokenDetails", "toolUsePromptTokensDetails")
        for modality, kind in (("audio", "audio"), ("image", "image"), ("document", "image"))
    },
    **{
        f"cacheTokensDetails[{modality}]": f"cache_read_{kind}_tokens"
        for modality, kind in (("audio", "audio"), ("image", "image"), ("document", "image"))
    },
    **{
        f"{holder}[{modality}]": f"{kind}_output_tokens"
        for holder in ("candidatesTokensDetails", "responseTokensDetails")
        for modality, kind in (("audio", "audio"), ("image", "image"))
    },
}
"""`usageMetadata`: the prompt holds cached content; thoughts and prompts of tools stand beside."""

COHERE = {
    "billed_units.input_tokens": "billed_input_tokens",
    "billed_units.output_tokens": "billed_output_tokens",
    "tokens.input_tokens": "input_tokens",
    "tokens.output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
}

LANGFUSE = {
    **dict.fromkeys(("input", "input_tokens", "prompt_tokens", "promptTokens"), "input_tokens"),
    **dict.fromkeys(("output", "output_tokens", "completion_tokens", "completionTokens"), "output_tokens"),
    **dict.fromkeys(("total", "total_tokens", "totalTokens"), "provider_total_tokens"),
    **dict.fromkeys(
        ("input_cached_tokens", "cache_read_input_tokens", "input_cache_read", "cached_tokens"),
        "cache_read_tokens",
    ),
    **dict.fromkeys(
        (
            "cache_creation_input_tokens",
            "input_cache_creation",
            "input_cache_write",
            "input_cache_write_tokens",
        ),
        "cache_write_tokens",
    ),
    **dict.fromkeys(
        ("input_cache_creation_5m", "cache_creation_5m", "ephemeral_5m_input_tokens"), "cache_write_5m_tokens"
    ),
    **dict.fromkeys(
        ("input_cache_creation_1h", "cache_creation_1h", "ephemeral_1h_input_tokens"), "cache_write_1h_tokens"
    ),
    **dict.fromkeys(("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"), "reasoning_tokens"),
    **dict.fromkeys(("input_audio_tokens", "input_audio"), "audio_input_tokens"),
    **dict.fromkeys(("output_audio_tokens", "output_audio"), "audio_output_tokens"),
    **dict.fromkeys(("input_image_tokens", "input_image"), "image_input_tokens"),
    **dict.fromkeys(("output_image_tokens", "output_image"), "image_output_tokens"),
}
"""Langfuse's `usage_details`: buckets that share no token, by the names that its integrations and prices use."""

HELICONE = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "prompt_cache_read_tokens": "cache_read_tokens",
    "prompt_cache_write_tokens": "cache_write_tokens",
    "prompt_cache_write_5m": "cache_write_5m_tokens",
    "prompt_cache_write_1h": "cache_write_1h_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "prompt_audio_tokens": "audio_input_tokens",
    "completion_audio_tokens": "audio_output_tokens",
}
"""Columns of Helicone's `request_response_rmt`; what they hold of each other is the source's to say."""

_UNPRICED_MODALITIES = ("text", "video", "modality_unspecified")

IGNORED = frozenset(
    {
        "prompt_time",
        "completion_time",
        "queue_time",
        "total_time",
        "is_byok",
        "cost_details.upstream_inference_cost",
        "cost_details.upstream_inference_prompt_cost",
        "cost_details.upstream_inference_completions_cost",
        "cost_details.upstream_inference_input_cost",
        "cost_details.upstream_inference_output_cost",
        "server_tool_use_details.tool_calls_executed",
        "server_tool_use_details.tool_calls_requested",
        "server_tool_use.web_fetch_requests",
        "pydantic_ai_gateway.cost_estimate",
        "prompt_cache_miss_tokens",
        "prompt_tokens_details.text_tokens",
        "prompt_tokens_details.video_tokens",
        "completion_tokens_details.text_tokens",
        "completion_tokens_details.accepted_prediction_tokens",
        "completion_tokens_details.rejected_prediction_tokens",
        "input_tokens_details.text_tokens",
        "input_tokens_details.cached_tokens_details.text_tokens",
        "input_token_details.text_tokens",
        "input_token_details.cached_tokens_details.text_tokens",
        "output_tokens_details.text_tokens",
        "output_token_details.text_tokens",
        "billed_units.image_tokens",
        "billed_units.images",
        "billed_units.search_units",
        "billed_units.classifications",
        *(
            f"{holder}[{modality}]"
            for holder in (
                "promptTokensDetails",
                "promptTokenDetails",
                "toolUsePromptTokensDetails",
                "cacheTokensDetails",
                "candidatesTokensDetails",
                "responseTokensDetails",
            )
            for modality in _UNPRICED_MODALITIES
        ),
    }
)
"""Known, and no count of tokens that another field does not hold: parts of a total, times, the emitter's costs."""
