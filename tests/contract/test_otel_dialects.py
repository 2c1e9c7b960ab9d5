"""Spans as each library really writes them: every generation of attribute names gives the same columns."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.contract.test_otel_genai import IDENTITY, Company, chat, company, export, kinds, rows, span

__all__ = ["company"]

CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def land_one(company: Company, attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    resource = fields.pop("resource", {})
    scope = fields.pop("scope", "scope")
    company.deliver("a.jsonl", export([span(1, attributes=attributes, **fields)], resource, scope))
    (row,) = rows(company.land())
    return row


OTEL_1_36 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "az.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.openai.response.service_tier": "default",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 20,
}
OTEL_1_41 = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "azure.ai.openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "openai.response.service_tier": "default",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.cache_read.input_tokens": 30,
    "gen_ai.usage.cache_creation.input_tokens": 10,
    "gen_ai.usage.reasoning.output_tokens": 7,
    "gen_ai.response.time_to_first_chunk": 0.25,
}


@pytest.mark.parametrize(
    ("attributes", "classes"), [(OTEL_1_36, [100, None, None, 20, None]), (OTEL_1_41, [60, 30, 10, 20, 7])]
)
def test_the_oldest_and_the_newest_names_of_opentelemetry(
    company: Company, attributes: dict[str, Any], classes: list[int | None]
) -> None:
    row = land_one(company, attributes)
    assert [row[name] for name in CLASSES] == classes
    told = ("provider", "model", "service_tier", "provider_request_id", "emitter_kind")
    assert [row[name] for name in told] == [
        "azure.ai.openai", "gpt-4o-2024-08-06", "standard", "chatcmpl-1", "span"
    ]  # fmt: skip
    assert row["time_to_first_token_seconds"] == (Decimal("0.250000") if attributes is OTEL_1_41 else None)


def test_openllmetry(company: Company) -> None:
    """Its Anthropic instrumentation sums the cached tokens into the input, as OTel asks for."""
    attributes = {
        "llm.request.type": "chat",
        "gen_ai.system": "Anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.response.id": "msg_1",
        "gen_ai.usage.prompt_tokens": 100,
        "gen_ai.usage.completion_tokens": 20,
        "llm.usage.total_tokens": 120,
        "gen_ai.usage.cache_read_input_tokens": 30,
        "gen_ai.usage.cache_creation_input_tokens": 10,
        "gen_ai.usage.reasoning_tokens": 5,
        "traceloop.workflow.name": "checkout",
        "traceloop.association.properties.user_id": "ada",
        "traceloop.association.properties.tenant_id": "acme",
        "traceloop.association.properties.thread_id": "thread-7",
        "traceloop.association.properties.langgraph_node": "plan",
    }
    row = land_one(company, attributes)
    assert [row[name] for name in CLASSES] == [60, 30, 10, 20, 5]
    told = ("provider", "workflow", "user_id", "tenant", "session_id", "agent_step", "provider_total_tokens")
    assert [row[name] for name in told] == [
        "anthropic", "checkout", IDENTITY.pseudonymise("ada"), "acme", "thread-7", "plan", 120
    ]  # fmt: skip


@pytest.mark.parametrize("shape", ["ephemeral_{}_input_tokens", "ephemeral_{}.input_tokens"])
def test_lifetimes_of_cache_writes_that_some_emitters_add(company: Company, shape: str) -> None:
    """OTel names the total of cache writes only; what no lifetime tells counts as five minutes."""
    usage = "gen_ai.usage.cache_creation."
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        f"{usage}input_tokens": 30,
        f"{usage}{shape.format('5m')}": 4,
        f"{usage}{shape.format('1h')}": 25,
    }
    row = land_one(company, attributes)
    told = ("uncached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    assert [row[name] for name in told] == [70, 5, 25, 20]


def test_openinference(company: Company) -> None:
    """Its metadata is a JSON object as text, and it states a cost."""
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.system": "openai",
        "llm.model_name": "gpt-5",
        "llm.token_count.prompt": 100,
        "llm.token_count.completion": 20,
        "llm.token_count.total": 120,
        "llm.token_count.prompt_details.cache_read": 30,
        "llm.token_count.prompt_details.cache_write": 10,
        "llm.token_count.prompt_details.audio": 4,
        "llm.token_count.completion_details.reasoning": 5,
        "llm.token_count.completion_details.audio": 3,
        "llm.cost.total": 0.00123456789012345,
        "metadata": json.dumps(
            {"langgraph_node": "plan", "tenant": "acme", "note": "ignored", "deep": {"x": 1}}
        ),
        "user.id": "ada",
        "session.id": "s-1",
        "graph.node.id": "node",
    }
    row = land_one(company, attributes)
    assert [row[name] for name in CLASSES] == [60, 30, 10, 20, 5]
    assert (row["uncached_audio_tokens"], row["output_audio_tokens"]) == (4, 3)
    assert (row["reported_cost"], row["reported_cost_currency"]) == (Decimal("0.001234567890"), "USD")
    assert (row["tenant"], row["agent_step"], row["session_id"]) == ("acme", "node", "s-1")


def test_openinference_tools_and_chains_are_no_calls(company: Company) -> None:
    spans = [
        span(n, attributes={"openinference.span.kind": kind, "llm.token_count.prompt": 5})
        for n, kind in enumerate(["AGENT", "TOOL", "CHAIN", "RETRIEVER", "RERANKER", "GUARDRAIL"], start=1)
    ]
    company.deliver("a.jsonl", export([*spans, span(9, attributes={"openinference.span.kind": "EMBEDDING"})]))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["9"]
    assert [row["span_kind"] for row in rows(report, "spans")] == [
        "agent", "tool", "chain", "retrieval", "retrieval", "other"
    ]  # fmt: skip


def test_pydantic_ai(company: Company) -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "anthropic",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.details.cache_read_tokens": 30,
        "gen_ai.usage.details.cache_write_tokens": 10,
        "gen_ai.usage.details.reasoning_tokens": 5,
        "gen_ai.usage.details.input_audio_tokens": 6,
        "gen_ai.usage.details.output_audio_tokens": 2,
        "gen_ai.usage.details.web_search_requests": 2,
        "operation.cost": 0.0105,
        "gen_ai.agent.name": "support",
    }
    row = land_one(company, attributes)
    assert [row[name] for name in CLASSES] == [60, 30, 10, 20, 5]
    assert (row["web_search_count"], row["reported_cost"], row["agent"]) == (2, Decimal("0.0105"), "support")
    assert (row["uncached_audio_tokens"], row["output_audio_tokens"]) == (6, 2)


def test_vercel_ai_sdk(company: Company) -> None:
    """Its outer span repeats the usage of the call inside; its provider carries the API behind a dot."""
    call = {
        "ai.operationId": "ai.streamText.doStream",
        "ai.model.id": "gpt-4o",
        "ai.model.provider": "openai.responses",
        "ai.response.id": "resp_1",
        "ai.response.model": "gpt-4o-2024-08-06",
        "ai.response.msToFirstChunk": 145,
        "ai.usage.inputTokens": 100,
        "ai.usage.cachedInputTokens": 30,
        "ai.usage.outputTokens": 20,
        "ai.usage.reasoningTokens": 5,
        "ai.usage.totalTokens": 120,
        "ai.telemetry.functionId": "summarise",
        "ai.telemetry.metadata.userId": "ada",
        "ai.telemetry.metadata.sessionId": "s-1",
        "ai.prompt.messages": "never kept",
    }
    outer = {"ai.operationId": "ai.streamText", "ai.usage.inputTokens": 100, "ai.usage.outputTokens": 20}
    tool = {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search"}
    company.deliver(
        "a.jsonl",
        export([span(1, attributes=outer), span(2, 1, attributes=call), span(3, 1, attributes=tool)]),
    )
    report = company.land()
    (row,) = rows(report)
    assert [row[name] for name in CLASSES] == [70, 30, None, 20, 5]
    told = (
        "provider",
        "model",
        "provider_request_id",
        "feature",
        "session_id",
        "time_to_first_token_seconds",
    )
    assert [row[name] for name in told] == [
        "openai", "gpt-4o-2024-08-06", "resp_1", "summarise", "s-1", Decimal("0.145")
    ]  # fmt: skip
    assert row["user_id"] == IDENTITY.pseudonymise("ada")
    assert [(each["span_kind"], each["tool_name"]) for each in rows(report, "spans")] == [
        ("chain", None), ("tool", "search")
    ]  # fmt: skip


def test_vercel_ai_sdk_6_tells_uncached_tokens_apart(company: Company) -> None:
    attributes = {
        "ai.operationId": "ai.generateText.doGenerate",
        "gen_ai.system": "anthropic.messages",
        "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "ai.usage.inputTokenDetails.noCacheTokens": 60,
        "ai.usage.inputTokenDetails.cacheReadTokens": 30,
        "ai.usage.inputTokenDetails.cacheWriteTokens": 10,
        "ai.usage.outputTokenDetails.reasoningTokens": 5,
    }
    row = land_one(company, attributes)
    assert [row[name] for name in CLASSES] == [60, 30, 10, 20, 5]
    assert row["provider"] == "anthropic"


def test_one_provider_under_one_scope_can_be_declared_exclusive(company: Company) -> None:
    """Version 5 of the Vercel AI SDK copies Anthropic's input as it is, and sums OpenAI's."""
    company.options["semantics"] = {"exclusive_emitters": ["ai/anthropic"]}
    usage = {"ai.usage.inputTokens": 10, "ai.usage.cachedInputTokens": 5, "ai.usage.outputTokens": 1}
    spans = [
        span(
            n,
            attributes=usage
            | {"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": provider},
        )
        for n, provider in ((1, "anthropic.messages"), (2, "openai.chat"))
    ]
    company.deliver("a.jsonl", export(spans, scope="ai"))
    assert [row["uncached_input_tokens"] for row in rows(company.land())] == [10, 5]


LITELLM = {
    "llm.request.type": "acompletion",
    "gen_ai.system": "hosted_vllm",
    "gen_ai.request.model": "Qwen/Qwen2.5-0.5B-Instruct",
    "gen_ai.response.model": "qwen",
    "gen_ai.response.id": "chatcmpl-9",
    "llm.is_streaming": "False",
    "gen_ai.usage.prompt_tokens": 36,
    "gen_ai.usage.completion_tokens": 48,
    "gen_ai.usage.total_tokens": 84,
    "gen_ai.cost.total_cost": 0.00011300000000000001,
    "litellm.call_id": "0e03a76a-ef55-46e3-a494-27a9f94981ad",
    "metadata.user_api_key_hash": "99b46eb86b815a60" * 4,
    "metadata.user_api_key_user_id": "ada",
    "metadata.user_api_key_team_alias": "search team",
    "hidden_params": '{"model_id": "f6746e78", "cache_key": null, "response_cost": "0.0001"}',
}


def test_litellm(company: Company) -> None:
    row = land_one(company, LITELLM, name="litellm_request")
    told = (
        "provider",
        "call_id",
        "api_key_id",
        "team",
        "provider_request_id",
        "output_tokens",
        "saved_input_tokens",
    )
    assert [row[name] for name in told] == [
        "vllm", LITELLM["litellm.call_id"], LITELLM["metadata.user_api_key_hash"], "search team", "chatcmpl-9", 48, None
    ]  # fmt: skip
    assert row["reported_cost"] == Decimal("0.000113000000")
    assert row["user_id"] == IDENTITY.pseudonymise("ada")


def test_what_litellm_answered_from_its_own_cache_used_nothing(company: Company) -> None:
    """It exports the tokens, the id and the cost of the call that it replays."""
    row = land_one(company, LITELLM | {"hidden_params": '{"cache_key": "abc"}'}, name="litellm_request")
    assert (row["uncached_input_tokens"], row["output_tokens"]) == (0, 0)
    assert (row["saved_input_tokens"], row["saved_output_tokens"], row["status"]) == (36, 48, "ok")


def test_a_key_itself_never_lands(company: Company) -> None:
    secret = "sk-proj-0123456789abcdefABCDEF"
    row = land_one(company, LITELLM | {"metadata.user_api_key_hash": secret})
    assert row["api_key_id"] == IDENTITY.pseudonymise(secret)


def test_vllm_states_where_the_time_went(company: Company) -> None:
    attributes = {
        "gen_ai.response.model": "llama-4",
        "gen_ai.request.id": "cmpl-7",
        "gen_ai.usage.prompt_tokens": 8,
        "gen_ai.usage.completion_tokens": 3,
        "gen_ai.usage.num_sequences": 1,
        "gen_ai.latency.e2e": 1.5,
        "gen_ai.latency.time_in_queue": 0.1,
        "gen_ai.latency.time_to_first_token": 0.3,
        "gen_ai.latency.time_in_model_prefill": 0.1234567,
        "gen_ai.latency.time_in_model_decode": 1.0625,
    }
    row = land_one(company, attributes, name="llm_request", kind=2, resource={"service.instance.id": "pod-1"})
    told = (
        "provider",
        "model",
        "prefill_seconds",
        "decode_seconds",
        "time_to_first_token_seconds",
        "replica_id",
    )
    assert [row[name] for name in told] == [
        "vllm", "llama-4", Decimal("0.123457"), Decimal("1.062500"), Decimal("0.3"), "pod-1"
    ]  # fmt: skip


def test_bedrock_is_known_by_the_request_id_of_aws(company: Company) -> None:
    both = {
        "gen_ai.provider.name": "aws.bedrock",
        "aws.request_id": "79b9da39",
        "gen_ai.response.id": "msg_bdrk_1",
    }
    other = {
        "gen_ai.provider.name": "openai",
        "aws.request_id": "79b9da39",
        "gen_ai.response.id": "chatcmpl-1",
    }
    only = {"gen_ai.system": "bedrock", "gen_ai.response.id": "msg_bdrk_2"}
    company.deliver(
        "a.jsonl", export([chat(1, attributes=both), chat(2, attributes=other), chat(3, attributes=only)])
    )
    found = [row["provider_request_id"] for row in rows(company.land())]
    assert found == ["79b9da39", "chatcmpl-1", "msg_bdrk_2"]


def test_the_cloud_account_is_the_sub_account_of_that_clouds_models_only(company: Company) -> None:
    """The emitter's account says nothing about the project that an OpenAI bill names."""
    spans = [
        chat(1, attributes={"gen_ai.provider.name": "aws.bedrock"}),
        chat(2, attributes={"gen_ai.provider.name": "openai"}),
        chat(3, attributes={"gen_ai.provider.name": "openai", "cloud.account.id": "proj_1"}),
    ]
    company.deliver("a.jsonl", export(spans, {"cloud.account.id": "111122223333"}))
    assert [row["sub_account_id"] for row in rows(company.land())] == ["111122223333", None, "proj_1"]


def test_a_batch_job_is_what_the_config_says_it_is(company: Company) -> None:
    """OTel has no flag of batch jobs."""
    company.options["semantics"] = {"batch_attributes": ["shop.is_batch"]}
    spans = [chat(1, attributes={"shop.is_batch": True}), chat(2, attributes={"shop.is_batch": False})]
    company.deliver("a.jsonl", export(spans))
    assert [row["service_tier"] for row in rows(company.land())] == ["batch", None]


def test_a_usage_attribute_that_nobody_knows_is_told(company: Company) -> None:
    unknown = {"gen_ai.usage.video.input_tokens": 5, "gen_ai.usage.details.input_tokens": 5}
    company.deliver("a.jsonl", export([chat(1, attributes=unknown), chat(2, attributes=unknown)]))
    report = company.land()
    assert kinds(report)["unknown_usage"] == 2
    (finding,) = [f for f in report.findings if f.kind == "unknown_usage"]
    assert "gen_ai.usage.video.input_tokens" in finding.message


@pytest.mark.parametrize(
    ("fields", "adjusted"),
    [
        ({"traceState": "vendor=x,ot=rv:0123456789abcd;th:8"}, 4),
        ({"traceState": "ot=th:c"}, 8),
        ({"attributes": {"sampling.probability": 0.1}}, 20),
        ({"attributes": {"SampleRate": 5}}, 10),
        ({"attributes": {"microsoft.sample_rate": 25.0}}, 8),
    ],
)
def test_a_sample_is_told_with_the_calls_that_were_made(
    company: Company, fields: dict[str, Any], adjusted: int
) -> None:
    company.deliver("a.jsonl", export([chat(1, **fields), chat(2, **fields), span(3, **fields), chat(4)]))
    (finding,) = [f for f in company.land().findings if f.kind == "sampled_spans"]
    assert finding.count == 2
    assert f"about {adjusted} calls were made" in finding.message


@pytest.mark.parametrize(
    "fields",
    [
        {"traceState": "ot=th:0"},
        {"traceState": "ot=rv:00"},
        {"traceState": "notot=th:8"},
        {"attributes": {"sampling.probability": 1}},
        {"attributes": {"sampling.probability": "NaN"}},
        {"attributes": {"SampleRate": 0}},
    ],
)
def test_what_was_kept_whole_is_no_sample(company: Company, fields: dict[str, Any]) -> None:
    company.deliver("a.jsonl", export([chat(1, **fields)]))
    assert "sampled_spans" not in kinds(company.land())
