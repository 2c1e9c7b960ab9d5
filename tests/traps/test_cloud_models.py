"""Traps of models that clouds host: lifetimes of cache writes, names without a price, several models in one answer,
several log rows of one call.

What belongs here: one test a trap, through the real connectors and the project's own models. What must not: other cases
of a connector (`tests/contract`).
"""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.azure_apim_logs import client as apim
from connectors.azure_apim_logs.settings import Settings as ApimSettings
from connectors.bedrock_invocation_logs import client as bedrock
from connectors.bedrock_invocation_logs.settings import Settings as BedrockSettings
from connectors.common.contract import SourceReport
from connectors.otel_genai import client as otel
from connectors.otel_genai.settings import Settings as OtelSettings
from pipelines.config.model import Config
from pipelines.night.reference import build_alias_table
from tests.contract.request_logs import build_context, kinds, read_rows
from tests.contract.test_azure_apim_logs import call as apim_call
from tests.contract.test_azure_apim_logs import gateway as apim_gateway
from tests.contract.test_bedrock_invocation_logs import ACCOUNT, REGION, SONNET, record
from tests.sql.harness import MODELS_ROOT, run_model
from tests.sql.small_bill import price, run

NOW = datetime(2026, 11, 20, 6, 0)
REGIONAL_SONNET = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
REGIONAL_HAIKU = "regional.anthropic.claude-haiku-4-5-20251001-v1:0"
CLASSES = {
    "uncached_input_tokens": "3",
    "cache_read_tokens": "0.3",
    "cache_write_5m_tokens": "3.75",
    "cache_write_1h_tokens": "6",
    "output_tokens": "15",
}
PRICES = [
    *(price(name, dollars, model=REGIONAL_SONNET) for name, dollars in CLASSES.items()),
    price("uncached_input_tokens", "1", model=REGIONAL_HAIKU),
    price("output_tokens", "5", model=REGIONAL_HAIKU),
    price("uncached_input_tokens", "2.5", provider="azure", model="gpt-4o"),
    price("cache_read_tokens", "1.25", provider="azure", model="gpt-4o"),
    price("output_tokens", "10", provider="azure", model="gpt-4o"),
]
"""Dollars a million tokens."""

_SETTINGS = {
    "reference.calendar": {"calendar_date": "DATE"},
    "reference.classification_rules": {"priority": "BIGINT"},
    "reference.settings": {"coverage_epsilon_ppm": "BIGINT"},
}


def land_bedrock(root: Path, *records: dict[str, Any]) -> SourceReport:
    folder = root / f"AWSLogs/{ACCOUNT}/BedrockModelInvocationLogs/{REGION}/2026/11/19/10"
    folder.mkdir(parents=True)
    (folder / "a.json.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    settings = BedrockSettings.model_validate({"name": "bedrock", "path": str(root)})
    return bedrock.land(settings, build_context(root / "home", NOW))


def land_apim(root: Path, *lines: str) -> SourceReport:
    folder = root / "logs/resourceId=/SERVICE/y=2026/m=11/d=19/h=10/m=00"
    folder.mkdir(parents=True)
    (folder / "PT1H.json").write_text("\n".join(lines))
    settings = ApimSettings.model_validate({"name": "apim", "path": str(root / "logs")})
    return apim.land(settings, build_context(root / "home", NOW))


def answer(usage: dict[str, Any], output: int) -> dict[str, Any]:
    """The `output` of a record whose body states its usage."""
    return {"outputBodyJson": {"usage": usage}, "outputTokenCount": output}


def costs(
    *reports: SourceReport, columns: str = "token_class, quantity_tokens, list_cost", **lake: Any
) -> list[Any]:
    requests = [row for report in reports for row in read_rows(report)]
    assert requests
    return run("core.usage_costs", columns, requests=requests, prices=PRICES, **lake)


def build_table(name: str, columns: str, *reports: SourceReport) -> list[dict[str, Any]]:
    """Rows of a table that the models make of what landed, with these columns."""
    requests = [row for report in reports for row in read_rows(report)]
    found = run(name, columns, requests=requests, prices=PRICES)
    return [dict(zip(columns.split(", "), row, strict=True)) for row in found]


def aliases(**names: tuple[str, str]) -> list[dict[str, Any]]:
    """The shipped aliases and a config's: alias → (provider, model)."""
    config = Config.model_validate(
        {"model_aliases": [{"alias": a, "provider": p, "model": m} for a, (p, m) in names.items()]}
    )
    return build_alias_table(config, MODELS_ROOT / "reference").to_pylist()


@pytest.mark.parametrize(
    ("split", "fives", "hours", "flagged"),
    [
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 400000, "ephemeral_1h_input_tokens": 600000}},
            4,
            6,
            0,
        ),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 600000}}, 4, 6, 1),
        (
            {"cacheDetails": [{"ttl": "1h", "inputTokens": 1000000}], "inputTokens": 0, "outputTokens": 0},
            0,
            10,
            0,
        ),
        ({}, 10, 0, 1),
    ],
    ids=["both lifetimes", "less than the total", "Converse", "no body"],
)
def test_trap_05_one_hour_cache_writes_are_priced_as_such(
    tmp_path: Path, split: dict[str, Any], fives: int, hours: int, flagged: int
) -> None:
    """The log counts both lifetimes in one; what the answer does not tell apart is five minutes, and flagged."""
    counts = {"inputTokenCount": 0, "cacheReadInputTokenCount": 0, "cacheWriteInputTokenCount": 1000000}
    report = land_bedrock(tmp_path, record(1, input=counts, output=answer(split, 0)))
    found = {name: (tokens, cost) for name, tokens, cost in costs(report) if tokens}
    expected = {
        "cache_write_5m_tokens": (fives * 100000, f"{3.75 * fives / 10:g}"),
        "cache_write_1h_tokens": (hours * 100000, f"{6 * hours / 10:g}"),
    }
    assert found == {name: told for name, told in expected.items() if told[0]}
    assert kinds(report).get("cache_lifetime_assumed", 0) == flagged


PROFILE = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc123def456"


def test_trap_19_a_name_without_a_price_is_loud_and_never_free(tmp_path: Path) -> None:
    """An application's inference profile and a deployment name no model: their tokens have no price until aliased."""
    plain = {"inputTokenCount": 1000000}
    profile = land_bedrock(tmp_path, record(1, modelId=PROFILE, input=plain, output=answer({}, 0)))
    unnamed = apim_call(modelName="", deploymentName="chat-prod", promptCachedTokens=0)
    deployment = land_apim(tmp_path / "azure", unnamed, apim_gateway())
    columns = "provider, quantity_tokens, list_cost, unpriced_reason"
    silent = costs(profile, deployment, columns=columns)
    assert [row for row in silent if row[1]] == [
        ("aws", 1000000, None, "unknown_model"),
        ("azure", 50, None, "unknown_model"),
        ("azure", 1000, None, "unknown_model"),
    ]
    unpriced = "charge_date, usage_id, provider, model, token_class, quantity_tokens, requests, likely_cost"
    given = {"core.unpriced_usage": build_table("core.unpriced_usage", unpriced, profile, deployment)}
    parameters = {"today": "2026-11-20", "as_of": "2026-11-20 06:00:00", "reporting_currency": "USD"}
    told = {
        (row["finding_count"], row["message"].partition(" tokens")[0])
        for row in run_model("marts.data_completeness", given, parameters, _SETTINGS)
        if row["finding"] == "unpriced_requests"
    }
    assert told == {
        (1, f"Requests of aws without a model or list price ({PROFILE}, 1000000"),
        (1, "Requests of azure without a model or list price (chat-prod, 1050"),
    }
    names = {PROFILE: ("aws", REGIONAL_SONNET), "chat-prod": ("azure", "gpt-4o")}
    priced = costs(profile, deployment, columns=columns, model_aliases=aliases(**names))
    assert [row for row in priced if row[1]] == [
        ("aws", 1000000, "3", None),
        ("azure", 50, "0.0005", None),
        ("azure", 1000, "0.0025", None),
    ]


def test_trap_32_each_model_within_an_answer_is_its_own_money(tmp_path: Path) -> None:
    """An advisor of another model, and a second sampling of the first: three rows of money, one call, counts once."""
    iterations = [
        {"type": "message", "input_tokens": 100000, "output_tokens": 20000},
        {
            "type": "advisor_message",
            "model": "claude-haiku-4-5-20251001",
            "input_tokens": 1000000,
            "output_tokens": 5000,
        },
        {"type": "message", "input_tokens": 120000, "output_tokens": 30000},
    ]
    usage = {"input_tokens": 220000, "output_tokens": 50000, "iterations": iterations}
    counts = {"inputTokenCount": 220000}
    stated = {"input": counts, "output": answer(usage, 50000), "requestMetadata": {}}
    report = land_bedrock(tmp_path, record(1, **stated))
    rows = sorted(read_rows(report), key=lambda row: row["attempt_number"])
    first = rows[0]["provider_request_id"]
    assert [row["provider_request_id"] for row in rows] == [
        first,
        f"{first}/iteration/2",
        f"{first}/iteration/3",
    ]
    assert {row["logical_call_id"] for row in rows} == {first}
    assert [row["model"] for row in rows] == [SONNET, "claude-haiku-4-5-20251001", SONNET]
    columns = "model, token_class, cast(sum(quantity_tokens) as bigint) as tokens, sum(list_cost) as cost"
    found = costs(report, columns=columns, group="model, token_class")
    assert [row for row in found if row[2]] == [
        (REGIONAL_HAIKU, "output_tokens", 5000, "0.025"),
        (REGIONAL_HAIKU, "uncached_input_tokens", 1000000, "1"),
        (REGIONAL_SONNET, "output_tokens", 50000, "0.75"),
        (REGIONAL_SONNET, "uncached_input_tokens", 220000, "0.66"),
    ]
    traces = run("marts.traces", "calls, attempts", requests=rows, prices=PRICES)
    assert traces == [(1, 3)]


NO_TOKENS: dict[str, Any] = {
    "promptTokens": 0,
    "completionTokens": 0,
    "totalTokens": 0,
    "modelName": "",
    "deploymentName": "",
}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)])
def test_trap_33_several_log_rows_of_one_call_are_one_call(tmp_path: Path, order: tuple[int, ...]) -> None:
    """A long message is cut into rows; only one of them counts tokens, wherever it stands, and however often."""
    parts = [
        apim_call(sequenceNumber=1, **NO_TOKENS),
        apim_call(sequenceNumber=0),
        apim_call(request="", sequenceNumber=2, **NO_TOKENS),
        apim_call(sequenceNumber=0),
    ]
    report = land_apim(tmp_path, *(parts[position] for position in order), apim_gateway())
    found = costs(report, model_aliases=aliases(**{"gpt-4o-2024-08-06": ("azure", "gpt-4o")}))
    assert [row for row in found if row[1]] == [
        ("cache_read_tokens", 600, "0.00075"),
        ("output_tokens", 50, "0.0005"),
        ("uncached_input_tokens", 400, "0.001"),
    ]
    assert len(read_rows(report)) == 1


def test_a_call_that_log_and_span_saw_is_one_attempt(tmp_path: Path) -> None:
    """The span knows the feature and the trace, the provider's log the tokens: one row has both."""
    stated = {"requestMetadata": {}, "output": answer({}, 900)}
    log = land_bedrock(tmp_path, record(7, **stated))
    (request,) = read_rows(log)
    start = 1_795_082_850_000_000_000 - 1_795_082_850_000_000_000 % 10**9
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": SONNET,
        "gen_ai.response.id": "msg_bdrk_1",
        "aws.request_id": request["provider_request_id"],
        "app.feature": "search",
    }
    numbers = {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 850}
    span = {
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "00000000000000aa",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 2_000_000_000),
        "attributes": [
            *({"key": key, "value": {"stringValue": value}} for key, value in attributes.items()),
            *({"key": key, "value": {"intValue": str(value)}} for key, value in numbers.items()),
        ],
    }
    (tmp_path / "traces").mkdir()
    exported = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}
    (tmp_path / "traces/a.jsonl").write_text(json.dumps(exported))
    settings = OtelSettings.model_validate(
        {"name": "traces", "connector": "otel_genai", "path": "traces"}, context={"base_dir": tmp_path}
    )
    spans = otel.land(settings, build_context(tmp_path / "home", NOW))
    (seen,) = read_rows(spans)
    assert seen["started_at"].date() == request["started_at"].date()
    columns = "request_id, x_sources, reports, feature, span_id, trace_id, cache_read_tokens, output_tokens"
    merged = run("staging.requests", columns, requests=[request, seen])
    assert merged == [
        (
            f"response:{request['provider_request_id']}",
            "bedrock,traces",
            2,
            "search",
            "00000000000000aa",
            "5b8efff798038103d269b633813fc60c",
            238604,
            900,
        )
    ]


def test_a_record_that_two_hours_hold_is_one_attempt(tmp_path: Path) -> None:
    """A delivery that AWS tried again lies in the next hour's folder: its money counts once."""
    stated = {"requestMetadata": {"feature": "search"}, "output": answer({}, 900)}
    first = land_bedrock(tmp_path / "a", record(7, **stated))
    again = land_bedrock(tmp_path / "b", record(7, **stated), record(8, **stated))
    merged = run(
        "staging.requests",
        "provider_request_id, output_tokens",
        requests=[*read_rows(first), *read_rows(again)],
    )
    assert merged == [(record(number)["requestId"], 900) for number in (7, 8)]
