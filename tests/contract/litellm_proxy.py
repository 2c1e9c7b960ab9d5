"""LiteLLM's records as its proxy writes them: the table of SpendLogs, a row, a StandardLoggingPayload.

What belongs here: their shape, after LiteLLM's schema.prisma and example_standard_logging_payload.json. What must
not: what a test expects of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

CREATE_SPEND_LOGS = """
create table "LiteLLM_SpendLogs" (
    "request_id" text primary key, "call_type" text not null, "api_key" text not null default '',
    "spend" double precision not null default 0.0, "total_tokens" integer not null default 0,
    "prompt_tokens" integer not null default 0, "completion_tokens" integer not null default 0,
    "startTime" timestamp(3) not null, "endTime" timestamp(3) not null, "request_duration_ms" integer,
    "completionStartTime" timestamp(3), "model" text not null default '', "model_id" text default '',
    "model_group" text default '', "custom_llm_provider" text default '', "api_base" text default '',
    "user" text default '', "metadata" jsonb default '{}', "cache_hit" text default '', "cache_key" text default '',
    "request_tags" jsonb default '[]', "team_id" text, "organization_id" text, "end_user" text,
    "requester_ip_address" text, "messages" jsonb default '{}', "response" jsonb default '{}', "session_id" text,
    "status" text, "mcp_namespaced_tool_name" text, "agent_id" text, "proxy_server_request" jsonb default '{}',
    "litellm_call_id" text
)
"""

KEY_HASH = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b"


def build_spend_log(**changes: Any) -> dict[str, Any]:
    """Return one successful call of SpendLogs."""
    row: dict[str, Any] = {
        "request_id": "chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs",
        "call_type": "acompletion",
        "api_key": KEY_HASH,
        "spend": 0.00022500000000000002,
        "total_tokens": 130,
        "prompt_tokens": 110,
        "completion_tokens": 20,
        "startTime": "2026-11-19T10:00:00.250",
        "endTime": "2026-11-19T10:00:02.000",
        "completionStartTime": "2026-11-19T10:00:00.750",
        "model": "openai/gpt-4o",
        "model_group": "chat-large",
        "custom_llm_provider": "openai",
        "user": "dev@example.com",
        "metadata": {
            "user_api_key_team_alias": "search",
            "user_api_key_org_id": "acme",
            "usage_object": {
                "prompt_tokens": 110,
                "completion_tokens": 20,
                "total_tokens": 130,
                "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 8},
            },
            "attempted_retries": 0,
            "attempted_fallbacks": 0,
        },
        "cache_hit": "None",
        "request_tags": ["feature:search", "feature:other", "team-a", "User-Agent: python"],
        "team_id": "team-1",
        "organization_id": "",
        "end_user": "Bob@Example.com",
        "session_id": "97311c60-9a61-4f48-a814-70139ee57868",
        "status": "success",
        "litellm_call_id": "5f6b1f2e-0000-4000-8000-000000000001",
    }
    return row | changes


def build_insert(row: Mapping[str, Any]) -> str:
    """Return the statement that writes a row into the table."""
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(_literal(value) for value in row.values())
    return f'insert into "LiteLLM_SpendLogs" ({names}) values ({values})'  # noqa: S608 (a test's own values)


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return repr(value)
    text = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return "'" + text.replace("'", "''") + "'"


def build_payload(**changes: Any) -> dict[str, Any]:
    """Return one StandardLoggingPayload of a successful, streamed call."""
    usage = {
        "completion_tokens": 50,
        "prompt_tokens": 1200,
        "total_tokens": 1250,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 100,
        "prompt_tokens_details": {
            "cached_tokens": 1000,
            "cache_creation_tokens": 100,
            "cache_creation_token_details": {
                "ephemeral_5m_input_tokens": 60,
                "ephemeral_1h_input_tokens": 40,
            },
        },
    }
    payload: dict[str, Any] = {
        "id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f",
        "trace_id": "97311c60-9a61-4f48-a814-70139ee57868",
        "litellm_call_id": "5f6b1f2e-0000-4000-8000-000000000002",
        "call_type": "acompletion",
        "cache_hit": None,
        "stream": True,
        "status": "success",
        "custom_llm_provider": "anthropic",
        "saved_cache_cost": 0.0,
        "startTime": 1795082401.5,
        "endTime": 1795082403.75,
        "completionStartTime": 1795082402.0,
        "model": "claude-sonnet-4-5",
        "model_group": "assistant",
        "metadata": {
            "user_api_key_hash": KEY_HASH,
            "user_api_key_team_alias": "support",
            "user_api_key_user_id": "dev@example.com",
            "spend_logs_metadata": {"feature": "triage"},
            "usage_object": usage,
        },
        "response_cost": 0.0021,
        "total_tokens": 1250,
        "prompt_tokens": 1200,
        "completion_tokens": 50,
        "request_tags": ["environment:prod"],
        "end_user": "bob@example.com",
        "messages": [{"role": "user", "content": "Hello"}],
        "response": {"id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f", "model": "claude-sonnet-4-5-20250929"},
        "hidden_params": {"additional_headers": {}},
        "error_str": None,
        "error_information": {"error_code": "", "error_class": "", "error_message": ""},
        "cost_breakdown": {"service_tier": "standard"},
    }
    return payload | changes
