"""The same ten thousand calls reported by four emitters at once, in their own formats, are ten thousand attempts.

The application's spans, LiteLLM's payloads, Bedrock's invocation log and a plain export of the company's own all saw
every call. They know it by different ids: some spans do not know AWS's request id, and the export knows LiteLLM's call
id only.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.litellm_proxy import KEY_HASH, build_payload
from tests.integration.mini_company import LINE, Company, Outcome, write_csv

CALLS = 10_000
FIRST = datetime(2026, 11, 19, 12, 0, 1)
SECONDS = 7
"""Between two calls: one starts at 23:59:58, and the provider saw it on the next day."""

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: bill, connector: focus_files, path: bill}
  - {name: traces, connector: otel_genai, path: traces}
  - {name: gateway, connector: litellm, path: gateway}
  - {name: bedrock, connector: bedrock_invocation_logs, path: bedrock, first_day: 2026-11-18}
  - name: export
    connector: request_files
    path: export
    constants: {emitter_kind: file}
    columns: {started_at: time, provider: provider, model: model, call_id: call, trace_id: trace, span_id: span,
              customer: customer, user_id: user, input_tokens: input, output_tokens: output}
"""


def _started(number: int) -> datetime:
    return FIRST + timedelta(seconds=SECONDS * number)


def _aws_id(number: int) -> str:
    return f"0a1b2c3d-1111-4222-8333-{number:012d}"


def _call_id(number: int) -> str:
    return f"5f6b1f2e-0000-4000-8000-{number:012d}"


def _trace_id(number: int) -> str:
    return f"{number // 4 + 1:032x}"


def _tokens(number: int) -> tuple[int, int]:
    """What the provider counted."""
    return 1_000 + number % 700, 50 + number % 90


def _nanoseconds(moment: datetime) -> str:
    return str(int(moment.replace(tzinfo=UTC).timestamp()) * 10**9)


def _attribute(key: str, value: str | int) -> dict[str, Any]:
    kind = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": key, "value": kind}


def _span(number: int) -> dict[str, Any]:
    """Two tokens more than were counted; every third knows no request id of AWS."""
    spent, made = _tokens(number)
    told: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": MODEL,
        "gen_ai.usage.input_tokens": spent + 2,
        "gen_ai.usage.output_tokens": made + 2,
        "user.id": f"user-{number % 50}",
        "app.feature": f"feature-{number % 5}",
    }
    if number % 3:
        told["aws.request_id"] = _aws_id(number)
    started = _started(number)
    return {
        "traceId": _trace_id(number),
        "spanId": f"{number + 1:016x}",
        "name": "chat",
        "startTimeUnixNano": _nanoseconds(started),
        "endTimeUnixNano": _nanoseconds(started + timedelta(seconds=3)),
        "attributes": [_attribute(key, value) for key, value in told.items()],
    }


def _payload(number: int) -> dict[str, Any]:
    """One token more than were counted; the user is hidden behind the application's key."""
    spent, made = (count + 1 for count in _tokens(number))
    usage = {"prompt_tokens": spent, "completion_tokens": made, "total_tokens": spent + made}
    started = _started(number).replace(tzinfo=UTC).timestamp() + 1
    return build_payload(
        id=f"chatcmpl-{_call_id(number)}",
        litellm_call_id=_call_id(number),
        trace_id=None,
        custom_llm_provider="bedrock",
        model=f"bedrock/{MODEL}",
        hidden_params={"additional_headers": {"llm_provider-x-amzn-requestid": _aws_id(number)}},
        response={},
        startTime=started,
        endTime=started + 1.5,
        completionStartTime=started + 0.5,
        metadata={
            "user_api_key_hash": KEY_HASH,
            "user_api_key_user_id": "application",
            "usage_object": usage,
        },
        end_user=None,
        request_tags=[],
        response_cost=9.5,
        **usage,
    )


def _record(number: int) -> dict[str, Any]:
    spent, made = _tokens(number)
    return {
        "timestamp": f"{_started(number) + timedelta(seconds=2):%Y-%m-%dT%H:%M:%SZ}",
        "accountId": "111122223333",
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/gateway/gateway"},
        "region": "us-east-1",
        "requestId": _aws_id(number),
        "operation": "Converse",
        "modelId": MODEL,
        "input": {"inputContentType": "application/json", "inputTokenCount": spent},
        "output": {"outputContentType": "application/json", "outputTokenCount": made},
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
    }


def _row(number: int) -> dict[str, str]:
    """Three tokens more; every third, whose span does not know AWS's id either, states the span too."""
    spent, made = _tokens(number)
    is_bridge = number % 3 == 0
    return {
        "time": f"{_started(number):%Y-%m-%dT%H:%M:%SZ}",
        "provider": "aws.bedrock",
        "model": MODEL,
        "call": _call_id(number),
        "trace": _trace_id(number) if is_bridge else "",
        "span": f"{number + 1:016x}" if is_bridge else "",
        "customer": f"customer-{number % 7}",
        "user": "export",
        "input": str(spent + 3),
        "output": str(made + 3),
    }


def _halves() -> Iterator[tuple[int, range]]:
    """Every emitter cuts its files elsewhere; each call is in one of the two."""
    yield 0, range(0, CALLS // 2)
    yield 1, range(CALLS // 2, CALLS)


def _write_reports(folder: Path) -> None:
    for number, calls in _halves():
        spans = {"scope": {"name": "app"}, "spans": [_span(call) for call in calls]}
        content = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [spans]}]}
        _write(folder / "traces" / f"{number}.jsonl", json.dumps(content) + "\n")
        _write(folder / "gateway" / f"{number}.jsonl", "".join(json.dumps(_payload(c)) + "\n" for c in calls))
        rows = [_row(call) for call in calls]
        write_csv(folder / "export" / f"{number}.csv", rows, rows[0])
    hours: dict[str, list[str]] = {}
    for call in range(CALLS):
        record = _record(call)
        hours.setdefault(record["timestamp"][:13].replace("-", "/").replace("T", "/"), []).append(
            json.dumps(record)
        )
    for hour, records in hours.items():
        path = (
            folder / "bedrock/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1" / hour / "a.json.gz"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress("\n".join(records).encode()))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _totals() -> tuple[int, int]:
    counted = [_tokens(number) for number in range(CALLS)]
    return sum(spent for spent, _ in counted), sum(made for _, made in counted)


def _lines() -> list[Mapping[str, str]]:
    """The bill of the two days that the calls lie on: each class's tokens, as counted."""
    lines = []
    for day in sorted({_started(number).date() for number in range(CALLS)}):
        counted = [_tokens(number) for number in range(CALLS) if _started(number).date() == day]
        for meter, tokens, cost in (
            ("input-tokens", sum(spent for spent, _ in counted), "30"),
            ("output-tokens", sum(made for _, made in counted), "12"),
        ):
            lines.append(
                {
                    "ChargePeriodStart": f"{day}T00:00:00Z",
                    "ChargePeriodEnd": f"{day + timedelta(days=1)}T00:00:00Z",
                    "ServiceName": "Amazon Bedrock",
                    "ServiceCategory": "AI and Machine Learning",
                    "SkuMeter": f"USE1-Claude4.5Sonnet-{meter}",
                    "ConsumedQuantity": str(tokens),
                    "ConsumedUnit": "Tokens",
                    "BilledCost": cost,
                    "EffectiveCost": cost,
                    "Tags": "",
                    "ResourceId": "",
                }
            )
    return lines


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("four")
    (folder / "everycent.yml").write_text(CONFIG)
    company = Company(folder)
    _write_reports(folder)
    company.write_bill("bill/bill.csv", _lines(), [*LINE, "ConsumedQuantity", "ConsumedUnit"])
    return company.night()


def test_four_emitters_delivered_every_call(outcome: Outcome) -> None:
    rows = outcome.query(
        "select source, sum(rows) as rows from staging.source_days where dataset = 'requests' "
        "group by source order by source"
    )
    assert [(row["source"], row["rows"]) for row in rows] == [
        (source, CALLS) for source in ("bedrock", "export", "gateway", "traces")
    ]


def test_each_call_is_one_attempt_with_the_providers_tokens(outcome: Outcome) -> None:
    (row,) = outcome.query(
        "select count(*) as rows, count(distinct request_id) as ids, min(x_sources) as first, max(x_sources) as last, "
        "sum(uncached_input_tokens) as spent, sum(output_tokens) as made, min(emitter_kind) as kind, "
        "min(usage_source) as usage from staging.requests"
    )
    spent, made = _totals()
    assert row == {
        "rows": CALLS,
        "ids": CALLS,
        "first": "bedrock,export,gateway,traces",
        "last": "bedrock,export,gateway,traces",
        "spent": spent,
        "made": made,
        "kind": "provider_log",
        "usage": "reported",
    }


def test_who_called_is_as_the_spans_say_and_the_others_fill_in(outcome: Outcome) -> None:
    rows = outcome.query(
        "select provider_request_id, user_id, feature, customer, api_key_id, trace_id, started_at, reported_cost "
        "from staging.requests order by started_at"
    )
    told = [tuple(row.values()) for row in rows]
    assert told == [
        (
            _aws_id(number),
            f"user-{number % 50}",
            f"feature-{number % 5}",
            f"customer-{number % 7}",
            KEY_HASH,
            _trace_id(number),
            _started(number),
            Decimal("9.5"),
        )
        for number in range(CALLS)
    ]


def test_the_bill_is_attributed_once(outcome: Outcome) -> None:
    rows = outcome.query(
        "select cast(sum(billed_cost) as decimal(38, 12)) as billed, min(residual_reason) as residual, "
        "min(user_id) is not null as is_known, sum(requests) as requests from marts.cost_daily"
    )
    assert rows == [{"billed": Decimal(84), "residual": None, "is_known": True, "requests": CALLS}]


def test_the_logs_hold_what_was_billed_and_nothing_is_told_of(outcome: Outcome) -> None:
    cells = outcome.query("select distinct coverage_share, is_over_logged from core.cells")
    assert cells == [{"coverage_share": Decimal(1), "is_over_logged": False}]
    assert outcome.query("select * from core.request_findings") == []


def test_a_call_that_the_provider_saw_after_midnight_is_there() -> None:
    """The fixture is what it says."""
    late = [
        number
        for number in range(CALLS)
        if _started(number).hour == 23 and _record(number)["timestamp"][11:13] == "00"
    ]
    assert len(late) == 1


def test_the_export_is_a_list_of_calls(tmp_path: Path) -> None:
    """The fixture is what it says: the export of a call names LiteLLM's id, and no id of AWS."""
    write_csv(tmp_path / "a.csv", [_row(1)], _row(1))
    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert row["call"] == _call_id(1) and _aws_id(1) not in row.values()
