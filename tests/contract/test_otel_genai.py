"""OTLP trace files: what lands, what is refused, and that no text of a prompt ever reaches the lake."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.identity import Identity
from connectors.otel_genai.client import land
from connectors.otel_genai.inheritance import INDEX_COLUMNS, resolve_spans
from connectors.otel_genai.settings import Settings

NOW = datetime(2026, 11, 20, 6, 0)
START = 1_795_000_000_000_000_000  # 2026-11-18T11:06:40Z
SECRET = "the secret recipe of my grandmother"
IDENTITY = Identity(key=b"a key for tests")
TRACE = "5b8efff798038103d269b633813fc60c"


def attribute(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    return {"key": key, "value": {"stringValue": value}}


def span(span_id: int, parent: int | None = None, *, trace: str = TRACE, **fields: Any) -> dict[str, Any]:
    """Return a span; `attributes` is a plain dict, times are one second from START unless given."""
    attributes = fields.pop("attributes", {})
    return {
        "traceId": trace,
        "spanId": f"{span_id:016x}",
        "parentSpanId": "" if parent is None else f"{parent:016x}",
        "name": "span",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 1_500_000_000),
        "attributes": [attribute(key, value) for key, value in attributes.items()],
        "status": {},
    } | fields


def chat(span_id: int, parent: int | None = None, *, trace: str = TRACE, **fields: Any) -> dict[str, Any]:
    """Return a model call in today's OTel names."""
    usual = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
    }
    return span(
        span_id, parent, trace=trace, **{**fields, "attributes": usual | fields.get("attributes", {})}
    )


def export(
    spans: Iterable[dict[str, Any]], resource: dict[str, Any] | None = None, scope: str = "scope"
) -> str:
    attributes = [attribute(key, value) for key, value in (resource or {}).items()]
    scoped = {"scope": {"name": scope}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scoped]}]})


class Company:
    """One folder of traces and the lake it lands in."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "traces"
        self.folder.mkdir()
        self.lake = root / "lake"
        self.options: dict[str, Any] = {}
        self.identity = IDENTITY

    def deliver(self, name: str, *lines: str, age_hours: int = 24) -> Path:
        path = self.folder / name
        content = "\n".join(lines) + "\n"
        path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
        moment = (NOW - timedelta(hours=age_hours)).timestamp()
        os.utime(path, (moment, moment))
        return path

    def land(self, now: datetime = NOW, as_of: datetime | None = None) -> SourceReport:
        config = {"name": "traces", "connector": "otel_genai", "path": "traces"} | self.options
        settings = Settings.model_validate(config, context={"base_dir": self.folder.parent})
        return land(settings, LandingContext(self.lake, now, self.identity, {}, as_of))


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def rows(report: SourceReport, dataset: str = "requests") -> list[dict[str, Any]]:
    files = [file.path for file in report.current_files if file.dataset == dataset]
    return pl.read_parquet(files).sort("span_id").to_dicts() if files else []


def kinds(report: SourceReport) -> dict[str, int]:
    return {finding.kind: finding.count for finding in report.findings}


def test_a_call_lands_with_all_that_it_states(company: Company) -> None:
    attributes = {
        "gen_ai.response.model": "gpt-5-2025-08-07",
        "gen_ai.response.id": "chatcmpl-1",
        "openai.response.service_tier": "default",
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_creation.input_tokens": 10,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "user.id": "Ada@Example.com",
        "app.feature": "search",
        "http.route": "/answer",
        "cloud.region": "us-east-2",
    }
    resource = {"cloud.availability_zone": "us-east-1c", "deployment.environment.name": "prod"}
    company.deliver("a.jsonl", export([chat(1, attributes=attributes)], resource))
    (row,) = rows(company.land())
    expected = {
        "request_id": "response:chatcmpl-1",
        "trace_id": TRACE,
        "span_id": "0000000000000001",
        "parent_span_id": None,
        "x_source": "traces",
        "started_at": datetime(2026, 11, 18, 11, 6, 40),
        "duration_seconds": Decimal("1.500000"),
        "provider": "openai",
        "sub_account_id": None,
        "region_id": "us-east-2",
        "request_model": "gpt-5",
        "model": "gpt-5-2025-08-07",
        "service_tier": "standard",
        "status": "ok",
        "uncached_input_tokens": 60,
        "cache_read_tokens": 30,
        "cache_write_5m_tokens": 10,
        "cache_write_1h_tokens": None,
        "output_tokens": 20,
        "reasoning_tokens": 5,
        "usage_source": "reported",
        "user_id": IDENTITY.pseudonymise("ada@example.com"),
        "feature": "search",
        "endpoint": "/answer",
        "environment": "prod",
        "from_zone": "us-east-1c",
        "attempt_number": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["ended_at"] - row["started_at"] == timedelta(seconds=1.5)


OLD_OPENLLMETRY = {
    "gen_ai.system": "Anthropic",
    "llm.request.type": "chat",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.prompt_tokens": 100,
    "gen_ai.usage.completion_tokens": 20,
    "gen_ai.usage.cache_read_input_tokens": 30,
    "gen_ai.usage.cache_creation_input_tokens": 10,
}
PYDANTIC_AI = {
    "gen_ai.operation.name": "chat",
    "gen_ai.system": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
    "gen_ai.usage.details.cache_read_tokens": 30,
    "gen_ai.usage.details.cache_write_tokens": 10,
}
OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.provider": "anthropic",
    "llm.model_name": "claude-sonnet-4-5",
    "llm.token_count.prompt": 100,
    "llm.token_count.completion": 20,
    "llm.token_count.total": 120,
    "llm.token_count.prompt_details.cache_read": 30,
    "llm.token_count.prompt_details.cache_write": 10,
}


@pytest.mark.parametrize("attributes", [OLD_OPENLLMETRY, PYDANTIC_AI, OPENINFERENCE])
def test_every_dialect_gives_the_same_call(company: Company, attributes: dict[str, Any]) -> None:
    company.deliver("a.jsonl", export([span(1, attributes=attributes)]))
    (row,) = rows(company.land())
    assert (row["provider"], row["model"]) == ("anthropic", "claude-sonnet-4-5")
    classes = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
    assert [row[name] for name in classes] == [60, 30, 10, 20]


def test_a_vllm_span_is_a_call_of_provider_vllm(company: Company) -> None:
    attributes = {
        "gen_ai.response.model": "llama-4",
        "gen_ai.request.id": "cmpl-7",
        "gen_ai.usage.prompt_tokens": 8,
        "gen_ai.usage.completion_tokens": 3,
    }
    company.deliver("a.jsonl", export([span(1, name="llm_request", attributes=attributes)]))
    (row,) = rows(company.land())
    assert (row["provider"], row["model"], row["request_id"]) == ("vllm", "llama-4", "response:cmpl-7")
    assert (row["uncached_input_tokens"], row["cache_read_tokens"], row["output_tokens"]) == (8, None, 3)


def test_an_emitter_can_be_declared_exclusive(company: Company) -> None:
    """Anthropic's own counts (input without cached) under an instrumentation that copies them as they are."""
    attributes = {"gen_ai.provider.name": "anthropic", "gen_ai.usage.cache_read.input_tokens": 500}
    company.deliver("a.jsonl", export([chat(1, attributes=attributes)], scope="My.Copying.Scope"))
    report = company.land()
    assert rows(report) == [] and kinds(report)["quarantined_row"] == 1
    company.options["semantics"] = {"exclusive_emitters": ["my.copying.scope"]}
    (row,) = rows(company.land())
    assert (row["uncached_input_tokens"], row["cache_read_tokens"]) == (100, 500)


def test_agents_tools_and_servers_are_skeleton_and_never_calls(company: Company) -> None:
    """An agent span repeats the usage of its calls: taking both would double the tokens."""
    agent = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "planner",
        "gen_ai.usage.input_tokens": 100,
    }
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    retriever = {"openinference.span.kind": "RETRIEVER"}
    spans = [
        span(1, kind=2),
        span(2, 1, attributes=agent),
        chat(3, 2),
        span(4, 2, attributes=tool),
        span(5, 4, attributes=retriever),
        span(6, 5),
    ]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["3"]
    skeleton = [(row["span_id"][-1], row["span_kind"], row["tool_name"]) for row in rows(report, "spans")]
    assert skeleton == [
        ("1", "server", None),
        ("2", "agent", None),
        ("4", "tool", "search"),
        ("5", "retrieval", None),
        ("6", "other", None),
    ]


def test_nested_model_calls_land_with_the_call_around_them(company: Company) -> None:
    """Which of them counts is decided over all files, in SQL: here each says which call is around it."""
    echo = chat(12, 11)
    echo["attributes"] = [a for a in echo["attributes"] if "usage" not in a["key"]]
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    spans = [span(1), chat(2, 1), span(20, 2, attributes=tool), chat(3, 20), chat(11, 77), echo]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    found = [
        (
            row["span_id"][-2:],
            row["enclosing_call_span_id"],
            row["unresolved_parent_span_id"],
            row["usage_source"],
        )
        for row in rows(report)
    ]
    assert found == [
        ("02", None, None, "reported"),
        ("03", "0000000000000002", None, "reported"),
        ("0b", None, f"{77:016x}", "reported"),
        ("0c", "000000000000000b", f"{77:016x}", "none"),
    ]
    assert kinds(report)["nested_call"] == 2
    skeleton = [(row["span_id"][-2:], row["enclosing_call_span_id"]) for row in rows(report, "spans")]
    assert skeleton == [("01", None), ("14", "0000000000000002")]


def test_identity_comes_from_the_nearest_ancestor_and_before_any_resource(company: Company) -> None:
    """Children are exported before their parents, so the file's order must not matter."""
    spans = [
        chat(3, 2),
        chat(5, 999),
        span(2, 1, attributes={"gen_ai.agent.name": "writer", "app.feature": "drafts"}),
        span(
            1,
            attributes={"user.id": "ada", "app.feature": "chat", "http.route": "/chat", "app.tenant": "acme"},
        ),
    ]
    resource = {"app.tenant": "of the emitter", "deployment.environment.name": "prod"}
    company.deliver("a.jsonl", *(export([one], resource) for one in spans))
    report = company.land()
    (deep, cut_off) = rows(report)
    keys = ("agent", "feature", "endpoint", "tenant", "environment", "resource_keys")
    assert [deep[key] for key in keys] == ["writer", "drafts", "/chat", "acme", "prod", ",environment,"]
    assert [cut_off[key] for key in keys] == [
        None, None, None, "of the emitter", "prod", ",tenant,environment,"
    ]  # fmt: skip
    assert deep["user_id"] == IDENTITY.pseudonymise("ada") and cut_off["user_id"] is None
    assert cut_off["unresolved_parent_span_id"] == f"{999:016x}"
    assert kinds(report)["orphan_span"] == 1


def test_a_trace_whose_root_is_elsewhere_keeps_nulls(company: Company) -> None:
    company.deliver("a.jsonl", export([chat(3, 2)]))
    company.deliver("b.jsonl", export([span(2, attributes={"app.feature": "chat"})]))
    report = company.land()
    (row,) = rows(report)
    assert row["feature"] is None and row["parent_span_id"] == "0000000000000002"
    assert [row["feature"] for row in rows(report, "spans")] == ["chat"]


def test_spans_that_are_their_own_ancestors_are_kept_and_reported(company: Company) -> None:
    spans = [chat(1, 2), span(2, 3), span(3, 1, attributes={"app.feature": "loop"}), chat(4, 4), chat(5, 1)]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1", "4", "5"]
    assert kinds(report)["span_loop"] == 5


def test_the_attribute_lists_are_configurable(company: Company) -> None:
    company.options["attributes"] = {"feature": ["shop.feature"], "sub_account_id": ["shop.project"]}
    attributes = {"shop.feature": "cart", "app.feature": "not this", "shop.project": "p-1"}
    company.deliver("a.jsonl", export([chat(1, attributes=attributes)]))
    (row,) = rows(company.land())
    assert (row["feature"], row["sub_account_id"]) == ("cart", "p-1")


def test_a_span_told_twice_lands_once(company: Company) -> None:
    same = {"gen_ai.response.id": "chatcmpl-1"}
    spans = [
        chat(1, attributes=same),
        chat(1, attributes=same),
        chat(2, attributes=same),
        chat(3),
        span(9),
        span(9),
    ]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    assert [row["request_id"] for row in rows(report)] == [
        "response:chatcmpl-1",
        "response:chatcmpl-1",
        f"span:{TRACE}:0000000000000003",
    ]
    assert len(rows(report, "spans")) == 1
    assert kinds(report)["duplicate_request"] == 2


def test_a_call_without_ids_is_its_own_trace(company: Company) -> None:
    first, second = chat(1), chat(2)
    for one in (first, second):
        one["traceId"], one["spanId"] = "", None
    company.deliver("a.jsonl", export([first]), export([second]))
    found = rows(company.land())
    assert len({row["request_id"] for row in found}) == 2
    assert all(row["trace_id"] == row["request_id"] for row in found)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"gen_ai.usage.input_tokens": -1}, "negative_tokens"),
        ({"gen_ai.usage.output_tokens": 1_000_000_001}, "absurd_tokens"),
        ({"gen_ai.usage.output_tokens": 10**30}, "absurd_tokens"),
        ({"gen_ai.usage.cache_read.input_tokens": 101}, "cached_exceeds_input"),
        ({"gen_ai.usage.input_tokens": "many"}, "not_a_count"),
        ({"gen_ai.usage.input_tokens": 1.5}, "not_a_count"),
        ({"gen_ai.usage.input_tokens": True}, "not_a_count"),
    ],
)
def test_impossible_counts_are_quarantined_row_by_row(
    company: Company, attributes: dict[str, Any], reason: str
) -> None:
    company.deliver("a.jsonl", export([chat(1, attributes=attributes)]), export([chat(2)]))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["2"]
    (finding,) = [finding for finding in report.findings if finding.kind == "quarantined_row"]
    assert reason in finding.message and finding.severity is Severity.WARN and finding.count == 1
    (entry,) = (company.lake / "raw" / "traces" / "quarantine").iterdir()
    assert [row["line"] for row in json.loads(entry.read_text())["rows"]] == [1]


def test_a_clock_in_the_future_is_quarantined(company: Company) -> None:
    late = int((NOW - datetime(1970, 1, 1)).total_seconds()) * 10**9
    spans = [
        chat(1, startTimeUnixNano=str(late + 301 * 10**9)),
        span(2, startTimeUnixNano=late + 301 * 10**9),
        chat(3, startTimeUnixNano=late + 299 * 10**9),
        chat(4, startTimeUnixNano="0"),
        chat(5, startTimeUnixNano="1"),
    ]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["3"]
    assert rows(report, "spans") == []
    assert kinds(report)["future_clock"] == 2
    assert sum(finding.count for finding in report.findings if finding.kind == "quarantined_row") == 4


MALFORMED = [
    "{",
    "[]",
    "null",
    '"text"',
    '{"resourceSpan": []}',
    "\x00\x01",
]


def test_malformed_lines_are_refused_and_the_others_load(company: Company) -> None:
    company.deliver("a.jsonl", export([chat(1)]), *MALFORMED, "", export([chat(2)]))
    report = company.land()
    assert len(rows(report)) == 2
    assert not report.has_fault
    (entry,) = (company.lake / "raw" / "traces" / "quarantine").iterdir()
    assert [row["line"] for row in json.loads(entry.read_text())["rows"]] == [2, 3, 4, 5, 6, 7]


JSON_GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resource",
                    "scopeSpans",
                    "spans",
                    "attributes",
                    "key",
                    "value",
                    "intValue",
                    "stringValue",
                    "scope",
                    "name",
                ]
                + [
                    "startTimeUnixNano",
                    "endTimeUnixNano",
                    "status",
                    "code",
                    "kind",
                    "traceId",
                    "spanId",
                    "parentSpanId",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@hypothesis_settings(max_examples=30, deadline=None)
@given(st.lists(JSON_GARBAGE, max_size=4))
def test_json_of_any_other_shape_never_raises(
    tmp_path_factory: pytest.TempPathFactory, groups: list[Any]
) -> None:
    company = Company(tmp_path_factory.mktemp("garbage"))
    wild = {"resourceSpans": [{"scopeSpans": [{"spans": groups}]}, *groups]}
    company.deliver("a.jsonl", json.dumps(wild), export([chat(1)]))
    assert len(rows(company.land())) == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "deep/a.jsonl.gz", "a.json.gz"])
def test_file_kinds(company: Company, name: str) -> None:
    (company.folder / name).parent.mkdir(exist_ok=True)
    company.deliver(name, export([chat(1)]))
    report = company.land()
    assert len(rows(report)) == 1
    assert {delivery.scope for delivery in report.deliveries} == {name}


def test_a_broken_gzip_or_no_otlp_at_all_is_a_fault_of_that_file_only(company: Company) -> None:
    whole = company.deliver("cut.jsonl.gz", *(export([chat(n)]) for n in range(200)))
    whole.write_bytes(whole.read_bytes()[:-20])
    company.deliver("no_gzip.jsonl.gz", "x").write_bytes(b"no gzip")
    company.deliver("pretty.json", "{", '"resourceSpans": []', "}")
    company.deliver("good.jsonl", export([chat(1)]))
    report = company.land()
    assert len(rows(report)) == 1
    faults = sorted((f.file or "", f.kind) for f in report.findings if f.severity is Severity.FAULT)
    assert faults == [
        (name, "unreadable_file") for name in ("cut.jsonl.gz", "no_gzip.jsonl.gz", "pretty.json")
    ]


def test_logs_and_metrics_beside_traces_are_left_out(company: Company) -> None:
    company.deliver("a.jsonl", '{"resourceLogs": []}', '{"resourceMetrics": []}', export([chat(1)]))
    report = company.land()
    assert len(rows(report)) == 1 and kinds(report)["other_signal"] == 2


def test_a_rewritten_file_replaces_and_reverts(company: Company) -> None:
    one, two = export([chat(1)]), export([chat(2), chat(3)])
    company.deliver("a.jsonl", one, age_hours=9)
    assert [row["span_id"][-1] for row in rows(company.land(NOW))] == ["1"]
    company.deliver("a.jsonl", two, age_hours=6)
    assert [row["span_id"][-1] for row in rows(company.land(NOW))] == ["2", "3"]
    company.deliver("a.jsonl", one, age_hours=3)
    assert [row["span_id"][-1] for row in rows(company.land(NOW))] == ["1"]
    as_of = company.land(NOW, as_of=NOW - timedelta(hours=5))
    assert [row["span_id"][-1] for row in rows(as_of)] == ["2", "3"]
    company.deliver("a.jsonl", "", age_hours=1)
    assert rows(company.land(NOW)) == []


def test_landing_again_adds_nothing(company: Company) -> None:
    company.deliver("a.jsonl", export([chat(1), chat(1)]), "{")
    first = company.land()
    before = {path: path.stat().st_mtime_ns for path in company.lake.rglob("*") if path.is_file()}
    second = company.land(NOW + timedelta(hours=1))
    assert {path: path.stat().st_mtime_ns for path in company.lake.rglob("*") if path.is_file()} == before
    assert second == first and kinds(first)["duplicate_request"] == 1


def _readable(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every byte of a folder, Parquet files also decoded, and the file names."""
    for path in folder.rglob("*"):
        yield path, str(path)
        if path.is_file():
            yield path, path.read_bytes().decode("latin-1")
            if path.suffix == ".parquet":
                yield path, json.dumps(pl.read_parquet(path).to_dicts(), default=str)


def test_the_canary_never_reaches_the_lake(company: Company) -> None:
    """A secret in every place where prompts, completions and careless instrumentation put text."""
    secret = {
        "gen_ai.input.messages": SECRET,
        "gen_ai.prompt.0.content": SECRET,
        "llm.input_messages.0.message.content": SECRET,
        f"key {SECRET}": "x",
        "gen_ai.tool.call.arguments": SECRET,
        "user.id": SECRET,
        "gen_ai.agent.name": SECRET * 40,
        "error.type": f"refused: {SECRET}",
        "gen_ai.response.id": f"id {SECRET}",
        "gen_ai.usage.input_tokens": 100,
    }
    nested = chat(2, 1, attributes=secret, name=f"chat {SECRET}", status={"code": 2, "message": SECRET})
    nested["attributes"].append(
        {"key": "app.feature", "value": {"arrayValue": {"values": [{"stringValue": SECRET}]}}}
    )
    nested["events"] = [{"name": SECRET, "attributes": [attribute("body", SECRET)]}]
    nested["links"] = [{"traceId": TRACE, "attributes": [attribute("link", SECRET)]}]
    refused = chat(3, attributes=secret | {"gen_ai.usage.input_tokens": SECRET})
    root = span(1, attributes=secret | {"gen_ai.usage.input_tokens": SECRET}, traceState=SECRET)
    lines = [export([nested, refused, root], {SECRET: SECRET, "app.body": SECRET}, scope=SECRET)]
    lines += [f'{{"{SECRET}": 1}}', f"{SECRET}", '{"resourceLogs": [{"body": "' + SECRET + '"}]}']
    company.deliver("a.jsonl", *lines)
    report = company.land()
    assert len(rows(report)) == 1 and len(rows(report, "spans")) == 2
    assert rows(report)[0]["agent"] is None
    assert kinds(report)["oversized_value"] >= 1
    found = list(_readable(company.lake))
    assert any("request_id" in text for _, text in found)
    assert [path for path, text in found if SECRET in text or "grandmother" in text] == []
    assert SECRET not in repr(report)


def test_without_pseudonymising_the_user_is_readable(company: Company) -> None:
    company.identity = Identity.switched_off()
    company.deliver("a.jsonl", export([chat(1, attributes={"user.id": "mailto:Ada@Example.com"})]))
    assert rows(company.land())[0]["user_id"] == "ada@example.com"


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(0, 24),
            st.none() | st.sampled_from("abc"),
            st.none() | st.sampled_from("xyz"),
            st.booleans(),
        ),
        min_size=1,
        max_size=20,
    ),
    st.data(),
)
@hypothesis_settings(max_examples=100, deadline=None)
def test_inheritance_agrees_with_walking_up_by_hand(
    tree: list[tuple[int | None, str | None, str | None, bool]], data: st.DataObject
) -> None:
    """Any graph of parents, loops and missing parents included, in any order of the file."""
    order = data.draw(st.permutations(range(len(tree))))
    nothing = {name: [None] * len(tree) for name in INDEX_COLUMNS}
    index = nothing | {
        "trace_id": ["t"] * len(tree),
        "span_id": [str(n) for n in order],
        "parent_span_id": [None if tree[n][0] is None else str(tree[n][0]) for n in order],
        "end_us": order,
        "is_call": [tree[n][3] for n in order],
        "has_usage": [False] * len(tree),
        "feature": [tree[n][1] for n in order],
        "given_feature": [tree[n][2] for n in order],
    }
    texts = {name: pl.String for name in INDEX_COLUMNS if name not in ("end_us", "is_call", "has_usage")}
    resolved = resolve_spans(pl.DataFrame(index, schema_overrides=texts).select(INDEX_COLUMNS))

    def walk(start: int) -> Iterator[int]:
        seen: set[int] = set()
        here: int | None = start
        while here is not None and here < len(tree) and here not in seen:
            yield here
            seen.add(here)
            here = tree[here][0]

    def first(values: Iterable[Any]) -> Any:
        return next((value for value in values if value is not None), None)

    def leaves(start: int) -> str | None:
        parent = tree[list(walk(start))[-1]][0]
        return str(parent) if parent is not None and parent >= len(tree) else None

    def around(start: int) -> str | None:
        above = list(walk(start))[1:]
        last = tree[[start, *above][-1]][0]
        above += (
            [last] if last is not None and last < len(tree) else []
        )  # a loop comes back to where it began
        return first(str(n) if tree[n][3] else None for n in above)

    own = [first(tree[n][1] for n in walk(start)) for start in order]
    given_by_resource = [first(tree[n][2] for n in walk(start)) for start in order]
    assert resolved.frame["feature"].to_list() == [
        a or b for a, b in zip(own, given_by_resource, strict=True)
    ]
    assert resolved.frame["resource_keys"].to_list() == [
        ",feature," if a is None and b is not None else None
        for a, b in zip(own, given_by_resource, strict=True)
    ]
    assert resolved.frame["unresolved_parent_span_id"].to_list() == [leaves(n) for n in order]
    assert resolved.frame["enclosing_call_span_id"].to_list() == [around(n) for n in order]
    missing = [n for n in range(len(tree)) if (parent := tree[n][0]) is not None and parent >= len(tree)]
    assert resolved.orphans == len(missing)


def test_several_processes_read_a_file_as_one_does(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts keep their order and line numbers; what each part notes adds up."""
    monkeypatch.setattr("connectors.otel_genai.parsing.PARALLEL_BYTES", 0)
    monkeypatch.setattr("connectors.otel_genai.parsing.PART_BYTES", 2000)
    lines = [
        export([span(n, n + 1), chat(n + 1000, n, attributes={"gen_ai.usage.new": 1})]) for n in range(1, 40)
    ]
    lines[20] = "{"
    company.options["workers"] = 1
    company.deliver("a.jsonl", *lines)
    alone = company.land()
    company.lake = company.folder.parent / "another lake"
    company.options["workers"] = 2
    together = company.land()
    for dataset in ("requests", "spans"):
        assert rows(together, dataset) == rows(alone, dataset) and len(rows(alone, dataset)) == 38
    assert together.findings == alone.findings
    assert kinds(together)["unknown_usage"] == 38 and kinds(together)["quarantined_row"] == 1


def test_several_processes_read_many_files_as_one_does(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files are parsed beside each other; one that is cut, empty or Parquet in between changes nothing."""
    monkeypatch.setattr("connectors.otel_genai.parsing.PARALLEL_BYTES", 0)
    monkeypatch.setattr("connectors.otel_genai.parsing.PART_BYTES", 2000)
    for number in range(12):
        first = 100 * number + 1
        lines = [export([span(n, n + 1), chat(n + 5000, n)]) for n in range(first, first + 5 * (number % 3))]
        company.deliver(f"{number:02}.jsonl", *lines, "{" if number == 7 else "")
    packed = [
        company.deliver(f"{name}.jsonl.gz", *(export([chat(n)]) for n in range(9000, 9300)))
        for name in ("03b", "04b")
    ]
    os.truncate(packed[0], packed[0].stat().st_size // 2)
    company.options["workers"] = 1
    alone = company.land()
    company.lake = company.folder.parent / "another lake"
    company.options["workers"] = 3
    together = company.land()
    for dataset in ("requests", "spans"):
        assert rows(together, dataset) == rows(alone, dataset)
    assert len(rows(alone, "requests")) == 20 * 3 + 300
    assert together.findings == alone.findings
    assert kinds(together)["unreadable_file"] == 1 and kinds(together)["quarantined_row"] == 1


def test_a_process_that_is_killed_costs_its_file_and_no_other(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is refused with what to do; those after it are read by new processes."""
    monkeypatch.setattr("connectors.otel_genai.parsing.PARALLEL_BYTES", 0)
    company.deliver("a.jsonl", export([chat(1)]))
    company.deliver("b.jsonl", export([chat(2)]))
    company.options["workers"] = 2
    killed: list[int] = []
    submit = ProcessPoolExecutor.submit

    def kill_first(pool: ProcessPoolExecutor, *work: Any) -> Any:
        future = submit(pool, *work)
        if not killed:
            killed.extend(pool._processes)
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        return future

    monkeypatch.setattr(ProcessPoolExecutor, "submit", kill_first)
    report = company.land()
    assert killed
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert fault.kind == "unreadable_file" and "set fewer `workers`" in fault.message
    assert len(rows(report, "requests")) == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_in_many_buckets_lands_as_in_one(
    company: Company, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Traces of any shape, spans told twice and loops: settled bucket by bucket they are what they are together."""
    lines = []
    for number in range(60):
        trace = f"{number + 1:032x}"
        first = 10 * number + 1
        user = {"user.id": f"user{number % 7}"} if number % 3 else {}
        spans = [
            span(first, trace=trace, attributes=user),
            chat(first + 1, first, trace=trace),
            chat(first + 2, first + 1, trace=trace),
            chat(first + 3, 9_999, trace=trace),
            span(first + 4, first + 5, trace=trace),
            span(first + 5, first + 4, trace=trace),
        ]
        lines += [export([each]) for each in (*spans[::-1], *spans[:2])]
    company.deliver(name, *lines[::2], *lines[1::2])
    whole = company.land()
    company.lake = company.folder.parent / "another lake"
    monkeypatch.setattr("connectors.otel_genai.aside.BUCKET_BYTES", 1000)
    monkeypatch.setattr("connectors.otel_genai.aside.BUFFER_ROWS", 3)
    parted = company.land()
    for dataset in ("requests", "spans"):
        assert rows(parted, dataset) == rows(whole, dataset)
    assert len(rows(whole)) == 180 and len(rows(whole, "spans")) == 180
    assert sorted(map(str, parted.findings)) == sorted(map(str, whole.findings))
    assert kinds(whole)["span_loop"] == 120 and kinds(whole)["orphan_span"] == 60
