"""Spans as the OpenTelemetry collector's file exporter writes them: OTLP JSON, one batch per line.

What belongs here: GenAI semantic convention names (v1.41) and how a step becomes a span. What must
not: prompts or completions, money, or calls that no instrumentation saw.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import date, datetime
from pathlib import Path
from typing import Any

from simulator.legacy import company
from simulator.legacy.behaviour import Action, Call, Step, walk

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
SCOPE = {"name": "quillworks.agents", "version": "2.3.1"}
SPANS_PER_BATCH = 60
KIND_INTERNAL, KIND_SERVER, KIND_CLIENT = 1, 2, 3
EPOCH = datetime(1970, 1, 1)

Json = dict[str, Any]
ResourceKey = tuple[str, str, str]


def _attributes(values: dict[str, str | int | list[str] | None]) -> list[Json]:
    """OTLP key/value pairs; integers travel as strings, absent values not at all."""
    pairs = []
    for key, value in values.items():
        if value is None:
            continue
        if isinstance(value, int):
            pairs.append({"key": key, "value": {"intValue": str(value)}})
        elif isinstance(value, list):
            pairs.append(
                {"key": key, "value": {"arrayValue": {"values": [{"stringValue": item} for item in value]}}}
            )
        else:
            pairs.append({"key": key, "value": {"stringValue": value}})
    return pairs


def _nanoseconds(value: datetime) -> str:
    delta = value - EPOCH
    return str((delta.days * 86_400 + delta.seconds) * 10**9 + delta.microseconds * 1000)


def _resource(key: ResourceKey) -> Json:
    service, zone, environment = key
    is_azure = service == company.AZURE_SERVICE
    account = company.STAGING if environment == "staging" else company.PRODUCTION
    account = company.AZURE_SUBSCRIPTION if is_azure else account
    values: dict[str, str | int | list[str] | None] = {
        "service.name": service,
        "service.namespace": "quillworks",
        "cloud.provider": "azure" if is_azure else "aws",
        "cloud.account.id": account.account_id,
        "cloud.region": company.AZURE_REGION if is_azure else company.AWS_REGION,
        "cloud.availability_zone": zone,
        "deployment.environment.name": environment,
    }
    return {"attributes": _attributes(values)}


def _identity(action: Action) -> dict[str, str | int | list[str] | None]:
    return {
        "app.feature": action.feature.name,
        "app.tenant": action.tenant,
        "user.id": action.user_id_as_logged,
        "session.id": action.session,
    }


def _usage(calls: list[Call]) -> dict[str, str | int | list[str] | None]:
    """Token counts; `input_tokens` includes the cached ones, as the convention demands."""
    read = sum(call.cache_read_tokens for call in calls)
    written = sum(call.cache_write_tokens for call in calls)
    return {
        "gen_ai.usage.input_tokens": sum(call.input_tokens for call in calls),
        "gen_ai.usage.cache_read.input_tokens": read or None,
        "gen_ai.usage.cache_creation.input_tokens": written or None,
        "gen_ai.usage.output_tokens": sum(call.output_tokens for call in calls),
    }


def _chat_attributes(
    call: Call, action: Action, rng: random.Random
) -> dict[str, str | int | list[str] | None]:
    values: dict[str, str | int | list[str] | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.model.provider,
        "gen_ai.request.model": call.model.request_model,
        "gen_ai.conversation.id": action.session,
    }
    if call.outcome == "error":
        return values | {"error.type": "ThrottlingException" if call.model.has_cache_writes else "429"}
    prefix = "msg_bdrk_" if call.model.has_cache_writes else "chatcmpl-"
    return values | {
        "gen_ai.response.model": call.model.response_model,
        "gen_ai.response.id": f"{prefix}{rng.getrandbits(96):024x}",
        "gen_ai.response.finish_reasons": ["stop"],
        **_usage([call]),
    }


def _step_attributes(
    step: Step, action: Action, rng: random.Random
) -> dict[str, str | int | list[str] | None]:
    if step.kind == "server":
        return {
            "http.request.method": "POST",
            "http.route": action.feature.endpoint,
            "http.response.status_code": 200,
            **_identity(action),
        }
    if step.call is not None:
        values = _chat_attributes(step.call, action, rng)
    elif step.kind == "agent":
        calls = [below.call for below in walk(step) if below.call is not None and below.call.outcome == "ok"]
        values = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": step.name,
            "gen_ai.workflow.name": action.feature.workflow,
            **_usage(calls),
        }
    else:
        values = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": step.name,
            "gen_ai.tool.type": "function",
            "error.type": "tool_error" if step.is_error else None,
        }
    return values | (_identity(action) if action.has_identity_everywhere else {})


SPAN_NAMES = {"server": "{}", "agent": "invoke_agent {}", "tool": "execute_tool {}", "chat": "chat {}"}
SPAN_KINDS = {"server": KIND_SERVER, "agent": KIND_INTERNAL, "tool": KIND_INTERNAL, "chat": KIND_CLIENT}


def _span(
    step: Step, action: Action, trace_id: str, span_id: str, parent_id: str, rng: random.Random
) -> Json:
    span: Json = {"traceId": trace_id, "spanId": span_id}
    if parent_id:
        span["parentSpanId"] = parent_id
    return span | {
        "name": SPAN_NAMES[step.kind].format(step.name),
        "kind": SPAN_KINDS[step.kind],
        "startTimeUnixNano": _nanoseconds(step.started_at),
        "endTimeUnixNano": _nanoseconds(step.ended_at),
        "attributes": _attributes(_step_attributes(step, action, rng)),
        "status": {"code": 2} if step.is_error else {},
    }


Exported = tuple[datetime, ResourceKey, Json]


def build_spans(action: Action, rng: random.Random) -> list[Exported]:
    """All spans of one action that reach the collector: not the aborted calls, not a lost root."""
    trace_id = f"{rng.getrandbits(128):032x}"
    spans: list[Exported] = []

    def visit(step: Step, parent_id: str) -> None:
        span_id = f"{rng.getrandbits(64):016x}"
        is_seen = step.call is None or step.call.outcome != "aborted"
        if is_seen and not (step is action.root and action.is_root_lost):
            environment = "staging" if action.account is company.STAGING else "production"
            span = _span(step, action, trace_id, span_id, parent_id, rng)
            spans.append((step.ended_at, (step.service, step.zone, environment), span))
        for child in step.children:
            visit(child, span_id)

    visit(action.root, "")
    return spans


def _batch_line(batch: list[Exported]) -> str:
    by_resource: defaultdict[ResourceKey, list[Json]] = defaultdict(list)
    for _, key, span in batch:
        by_resource[key].append(span)
    resource_spans = [
        {
            "resource": _resource(key),
            "scopeSpans": [{"scope": SCOPE, "spans": spans, "schemaUrl": SCHEMA_URL}],
            "schemaUrl": SCHEMA_URL,
        }
        for key, spans in sorted(by_resource.items())
    ]
    return json.dumps({"resourceSpans": resource_spans}, separators=(",", ":"))


def write_traces(root: Path, actions: list[Action], seed: int) -> None:
    """Write one file per UTC day; a span stands in the file of the day on which it ended."""
    by_day: defaultdict[date, list[Exported]] = defaultdict(list)
    for index, action in enumerate(actions):
        for exported in build_spans(action, random.Random(f"{seed}:trace:{index}")):
            by_day[exported[0].date()].append(exported)
    root.mkdir(parents=True, exist_ok=True)
    for day, spans in sorted(by_day.items()):
        spans.sort(key=lambda exported: (exported[0], exported[2]["spanId"]))
        starts = range(0, len(spans), SPANS_PER_BATCH)
        lines = [_batch_line(spans[start : start + SPANS_PER_BATCH]) for start in starts]
        (root / f"{day}.jsonl").write_text("\n".join(lines) + "\n")
