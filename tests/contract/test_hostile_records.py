"""One hostile record stops no file, one hostile file no source: values that no gateway would write, in every format.

What belongs here: what all request logs must survive. What must not: what a record of one vendor becomes.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.exceptions import PanicException

from connectors.common import bounded_reading, json_records, registry
from connectors.common.contract import SourceReport, TerminalError
from connectors.common.registry import load_settings_class
from connectors.common.usage_payloads import read_usage
from tests.contract.gateway_company import NOW, GatewayCompany, read_rows
from tests.contract.litellm_proxy import build_spend_log
from tests.contract.request_logs import CANARY, build_context, kinds
from tests.contract.test_helicone import build_row
from tests.contract.test_langfuse import build_observation

HUGE = 10**25
DEEP = "@deep@"
GENERATION = {
    "id": "gen-1",
    "created_at": "2026-11-19T10:00:00Z",
    "model": "openai/gpt-4o",
    "native_tokens_prompt": 10,
    "native_tokens_completion": 5,
    "total_cost": 0.001,
}
REQUEST = {"time": "2026-11-19T10:00:00Z", "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
MAPPING = {"columns": {"started_at": "time", "usage": "usage"}, "usage_flavour": "openrouter"}

HOSTILE: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "attempts": ("litellm", build_spend_log(), {"metadata": {"attempted_retries": HUGE}}, {}),
    "attempts that overflow": (
        "litellm",
        build_spend_log(),
        {"metadata": {"attempted_fallbacks": 2**63 - 1}},
        {},
    ),
    "deep usage of litellm": ("litellm", build_spend_log(), {"metadata": {"usage_object": {"a": DEEP}}}, {}),
    "deep usage of langfuse": ("langfuse", build_observation(), {"usage_details": {"input": DEEP}}, {}),
    "no amount": ("openrouter_generations", GENERATION, {"total_cost": "NaN"}, {}),
    "reason that is a list": ("openrouter_generations", GENERATION, {"finish_reason": ["stop"]}, {}),
    "searches": (
        "request_files",
        REQUEST,
        {"usage": {"prompt_tokens": 1, "server_tool_use": {"web_search_requests": HUGE}}},
        MAPPING,
    ),
    "deep usage of a file": ("request_files", REQUEST, {"usage": {"prompt_tokens": DEEP}}, MAPPING),
}


def write(record: dict[str, Any]) -> bytes:
    """Return a record as JSON; DEEP stands for objects in objects, as deep as orjson reads them."""
    return json.dumps(record).replace(f'"{DEEP}"', '{"a":' * 1000 + "1" + "}" * 1000).encode()


@pytest.mark.parametrize("case", list(HOSTILE))
def test_a_hostile_record_leaves_its_neighbours_alone(case: str, tmp_path: Path) -> None:
    connector, sound, change, options = HOSTILE[case]
    company = GatewayCompany(tmp_path, connector)
    company.options |= options
    names = ("id", "request_id", "litellm_call_id")
    records = [
        write(sound | part | {name: f"gen-abcdef{number}" for name in names if name in sound})
        for number, part in enumerate(({}, change, {}))
    ]
    company.deliver("rows.jsonl", b"\n".join(records))
    report = company.land()
    assert not report.has_fault
    refused = kinds(report).get("quarantined_row", 0)
    assert len(read_rows(report)) == 3 - refused >= 2


@pytest.mark.parametrize(
    "value",
    [pa.array([2**62]).cast(pa.timestamp("us")), pa.array([1]).cast(pa.timestamp("us", "Mars/Phobos"))],
    ids=["a year that is none", "a zone that is none"],
)
def test_a_parquet_value_that_is_none_is_a_fault_of_its_file(value: pa.Array, tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "helicone")
    company.deliver("good.jsonl", [build_row()])
    pq.write_table(
        pa.table({"request_id": ["a"], "request_created_at": value}), company.folder / "bad.parquet"
    )
    report = company.land()
    assert len(read_rows(report)) == 1
    assert [(f.kind, f.file) for f in report.findings if f.severity.name == "FAULT"] == [
        ("unreadable_file", "bad.parquet")
    ]


def test_what_makes_polars_panic_is_a_fault_of_its_file_and_is_tried_again(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "request_files")
    company.options |= {"columns": {"started_at": "time", "input_tokens": "n"}}
    company.deliver("good.jsonl", [{"time": "2026-11-19T10:00:00Z", "n": 1}])
    table = pa.table({"time": pa.array([None], pa.decimal256(76, 2)), "n": [1]})
    pq.write_table(table, company.folder / "bad.parquet")
    for _ in range(2):
        report = company.land()
        assert len(read_rows(report)) == 1
        (fault,) = [f for f in report.findings if f.severity.name == "FAULT"]
        assert (fault.kind, fault.file) == ("unreadable_file", "bad.parquet")
        assert "PanicException at request_files/reading.py" in fault.message


def test_a_panic_is_a_fault_of_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def land(settings: Any, context: Any) -> SourceReport:
        raise PanicException(CANARY)

    monkeypatch.setattr("connectors.request_files.client.land", land)
    settings = load_settings_class("request_files").model_validate(
        {"name": "s", "connector": "request_files", "path": str(tmp_path), **MAPPING}
    )
    with pytest.raises(TerminalError, match="PanicException") as raised:
        registry.land(settings, build_context(tmp_path, NOW))
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize("name", ["rows.jsonl.gz", "rows.csv.gz"])
@pytest.mark.parametrize("connector", ["litellm", "helicone", "request_files"])
def test_a_line_that_never_ends_is_not_held(
    connector: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 1 << 20
    for module in (bounded_reading, json_records):
        for constant in ("LONGEST_LINE_BYTES", "MAX_LINE_BYTES", "MAX_DOCUMENT_BYTES"):
            if hasattr(module, constant):
                monkeypatch.setattr(module, constant, limit)
    monkeypatch.setattr(bounded_reading.read_lines, "__defaults__", (limit,))
    held: list[int] = []
    whole = gzip.GzipFile.readline

    def readline(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        line = whole(self, size)
        held.append(len(line))
        return line

    monkeypatch.setattr(gzip.GzipFile, "readline", readline)
    company = GatewayCompany(tmp_path, connector)
    company.options |= MAPPING if connector == "request_files" else {}
    company.deliver(name, gzip.compress(b"request_id" + b"x" * (64 << 20), compresslevel=1))
    report = company.land()
    assert report.findings and read_rows(report) == []
    assert max(held, default=0) <= limit


def test_a_packed_table_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_reading, "LARGEST_FILE_BYTES", 4 << 20)
    path = tmp_path / "zones.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * (8 << 20)))
    settings = load_settings_class("zone_files").model_validate(
        {"name": "z", "connector": "zone_files", "path": str(tmp_path)}
    )
    report = registry.land(settings, build_context(tmp_path / "home", NOW))
    assert [finding.kind for finding in report.findings] == ["oversized_file"]


def test_refused_rows_are_counted_and_the_first_are_kept(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "helicone")
    company.deliver("rows.jsonl", write(build_row()) + b"\n" + b"junk\n" * 5000)
    report = company.land()
    assert kinds(report)["quarantined_row"] == 5000
    (kept,) = (company.lake / "raw" / "gateway" / "quarantine").iterdir()
    told = json.loads(kept.read_bytes())
    assert (told["count"], len(told["rows"])) == (5000, 1000)


def test_a_pretty_printed_document_of_many_lines_is_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_records, "_MOST_WAITING", 50)
    company = GatewayCompany(tmp_path, "helicone")
    rows = [build_row(request_id=f"r-{number}") for number in range(20)]
    company.deliver("rows.json", json.dumps(rows, indent=1).encode())
    assert len(read_rows(company.land())) == 20


@pytest.mark.parametrize("text", ["tell me " + CANARY, "秘密のレシピ" + CANARY, CANARY * 20])
def test_no_text_enters_by_an_error_or_a_tier(text: str, tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "request_files")
    company.options |= {
        "columns": {"started_at": "time", "usage": "usage", "error_type": "error"},
        "usage_flavour": "openai_chat",
    }
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "service_tier": text}
    company.deliver("rows.jsonl", [REQUEST | {"error": text, "usage": usage}])
    (row,) = read_rows(company.land())
    assert row["service_tier"] == "text_withheld"
    assert row["error_type"] in (None, "text_withheld")


@pytest.mark.parametrize(
    "code", ["openai.RateLimitError", "http_429", "*url.Error", "std::io::Error", "_OTHER", "Foo`1", "a/b<C>"]
)
def test_codes_of_errors_stay(code: str, tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "request_files")
    company.options |= {"columns": {"started_at": "time", "error_type": "error"}}
    company.deliver("rows.jsonl", [{"time": "2026-11-19T10:00:00Z", "error": code}])
    (row,) = read_rows(company.land())
    assert row["error_type"] == code


def test_a_usage_object_is_not_walked_without_end() -> None:
    nested: dict[str, Any] = {"prompt_tokens": 1}
    for _ in range(2000):
        nested = {"a": nested}
    usage = read_usage({"prompt_tokens": 3, "more": nested}, "openai_chat")
    assert (usage["input_tokens"], usage["unknown_counts"]) == (3, ["…"])


def test_a_deletion_of_an_impossible_time_is_no_day(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "langfuse")
    gone = [
        build_observation(id=f"{number:016x}", start_time=f"{year:04d}-01-01 00:00:00", is_deleted=1)
        for number, year in enumerate((1, 1600, 9999))
    ]
    company.deliver("rows.jsonl", [build_observation(), *gone])
    report = company.land()
    assert len(read_rows(report)) == 1
    assert {delivery.scope for delivery in report.deliveries} <= {"2026-11-18", "2026-11-19", "2026-11-20"}


def test_a_file_of_junk_lines_is_given_up_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_records, "_MOST_WAITING", 50)
    monkeypatch.setattr(json_records, "MAX_DOCUMENT_BYTES", 1000)
    tried: list[bytes] = []
    whole = json_records._parse_line

    def parse(text: bytes) -> Any:
        tried.append(text)
        return whole(text)

    monkeypatch.setattr(json_records, "_parse_line", parse)
    company = GatewayCompany(tmp_path, "helicone")
    company.deliver("rows.jsonl.gz", gzip.compress(b"junk\n" * 10_000))
    (fault,) = company.land().findings
    assert (fault.kind, len(tried)) == ("unreadable_file", 50)
