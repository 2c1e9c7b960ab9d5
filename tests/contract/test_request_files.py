"""Request files: any column names by mapping, times and counts exact, bad rows refused one by one."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.identity import Identity
from connectors.request_files.client import land
from connectors.request_files.settings import Settings
from connectors.request_files.values import build_instants
from tests.sql.reported_calls import merge

NOW = datetime(2026, 11, 20, 6, 0)
SECRET = "the secret recipe of my grandmother"
IDENTITY = Identity(key=b"a key for tests")
COLUMNS = {"started_at": "time", "input_tokens": "tokens_in", "output_tokens": "tokens_out"}


class Company:
    """One folder of request files and the lake it lands in."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "logs"
        self.folder.mkdir()
        self.lake = root / "lake"
        self.options: dict[str, Any] = {"columns": dict(COLUMNS)}

    def deliver(self, name: str, content: str | bytes, age_hours: int = 24) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        moment = (NOW - timedelta(hours=age_hours)).timestamp()
        os.utime(path, (moment, moment))
        return path

    def settings(self) -> Settings:
        config = {"name": "logs", "connector": "request_files", "path": "logs"} | self.options
        return Settings.model_validate(config, context={"base_dir": self.folder.parent})

    def land(self, now: datetime = NOW) -> SourceReport:
        return land(self.settings(), LandingContext(self.lake, now, IDENTITY, {}))


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


def rows(report: SourceReport) -> list[dict[str, Any]]:
    files = [file.path for file in report.current_files]
    return pl.read_parquet(files).sort("started_at", "request_id").to_dicts() if files else []


def kinds(report: SourceReport) -> dict[str, int]:
    return {finding.kind: finding.count for finding in report.findings}


def csv(*lines: str, header: str = "time,tokens_in,tokens_out") -> str:
    return "\n".join((header, *lines)) + "\n"


def test_the_real_azure_trace_lands_whole(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "azure_llm_inference_trace_code_2023.csv"
    config = {
        "name": "azure",
        "connector": "request_files",
        "path": source,
        "columns": {
            "started_at": "TIMESTAMP",
            "input_tokens": "ContextTokens",
            "output_tokens": "GeneratedTokens",
        },
        "constants": {"provider": "azure", "model": "gpt-4"},
    }
    report = land(Settings.model_validate(config), LandingContext(tmp_path / "lake", NOW, IDENTITY, {}))
    frame = pl.read_parquet([file.path for file in report.current_files])
    delivered = pl.read_csv(source)
    assert len(frame) == len(delivered) == 8819
    assert frame["uncached_input_tokens"].sum() == delivered["ContextTokens"].sum()
    assert frame["output_tokens"].sum() == delivered["GeneratedTokens"].sum()
    first = frame.sort("started_at").to_dicts()[0]
    assert first["started_at"] == datetime(2023, 11, 16, 18, 17, 3, 979960)
    assert (first["provider"], first["model"]) == ("azure.ai.openai", "gpt-4")
    assert frame["request_id"].n_unique() == 8819 and frame["trace_id"].null_count() == 0
    for name in ("user_id", "feature", "duration_seconds", "cache_read_tokens"):
        assert frame[name].null_count() == 8819
    assert not report.has_fault and kinds(report) == {}


ALL_COLUMNS = {
    "started_at": "start",
    "ended_at": "end",
    "provider_request_id": "id",
    "trace_id": "trace",
    "span_id": "span",
    "provider": "vendor",
    "model": "model",
    "service_tier": "tier",
    "status": "status",
    "input_tokens": "usage.in",
    "cache_read_tokens": "usage.cached",
    "output_tokens": "usage.out",
    "user_id": "who",
    "feature": "feature",
    "attempt_number": "try",
}
RECORD = {
    "start": "2026-11-18T10:00:00.5+02:00",
    "end": "2026-11-18T08:00:02Z",
    "id": "chatcmpl-1",
    "trace": "ABC",
    "span": "1",
    "vendor": "OpenAI",
    "model": "gpt-5",
    "tier": "default",
    "status": "Success",
    "usage": {"in": 100, "cached": 30, "out": 20.0},
    "who": "mailto:Ada@Example.com",
    "feature": "search",
    "try": 2,
    "prompt": SECRET,
}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    usage = {f"usage.{name}": value for name, value in record["usage"].items()}
    return {name: value for name, value in record.items() if name != "usage"} | usage


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same_row(company: Company, kind: str) -> None:
    company.options["columns"] = ALL_COLUMNS
    path = company.folder / f"a.{kind}"
    flat = pl.DataFrame([_flat(RECORD)])
    if kind == "parquet":
        flat.write_parquet(path)
    else:
        text = flat.write_csv() if kind.startswith("csv") else json.dumps(RECORD) + "\n"
        path.write_bytes(gzip.compress(text.encode()) if kind.endswith("gz") else text.encode())
    (row,) = rows(company.land())
    expected = {
        "request_id": "response:chatcmpl-1",
        "trace_id": "abc",
        "span_id": "1",
        "started_at": datetime(2026, 11, 18, 8, 0, 0, 500_000),
        "ended_at": datetime(2026, 11, 18, 8, 0, 2),
        "duration_seconds": Decimal("1.500000"),
        "provider": "openai",
        "model": "gpt-5",
        "service_tier": "standard",
        "status": "ok",
        "uncached_input_tokens": 70,
        "cache_read_tokens": 30,
        "output_tokens": 20,
        "user_id": IDENTITY.pseudonymise("ada@example.com"),
        "feature": "search",
        "attempt_number": 2,
        "team": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["raw_usage"]) == {"input_tokens": 100, "cache_read_tokens": 30, "output_tokens": 20}


def _read_instants(texts: Sequence[str | None], timestamp_format: str = "auto") -> list[datetime | None]:
    return build_instants(pl.Series(texts, dtype=pl.String), timestamp_format).to_list()


def test_times_are_read_in_all_common_spellings() -> None:
    noon = datetime(2026, 11, 18, 12, 0)
    spellings = [
        "2026-11-18 12:00:00",
        "2026-11-18T12:00:00Z",
        "2026-11-18T12:00:00.0000000",
        " 2026-11-18 12:00:00 UTC ",
        "2026-11-18T12:00",
        "2026-11-18T14:30:00+02:30",
        "2026-11-18T04:00:00.000-0800",
        "1795003200",
        "1795003200000",
        "1795003200000000",
        "1795003200000000000",
        "1795003200.0",
    ]
    assert _read_instants(spellings) == [noon] * len(spellings)
    assert _read_instants(["2026-11-18", "1795003200.25"]) == [
        datetime(2026, 11, 18),
        datetime(2026, 11, 18, 12, 0, 0, 250_000),
    ]
    assert _read_instants(["noon", "2026-13-01", "12", "", None, "NULL", "2026-11-18T25:00:00"]) == [None] * 7
    assert _read_instants(["18/11/2026 12:00"], "%d/%m/%Y %H:%M") == [noon]
    assert _read_instants(["18/11/2026 13:00 +0100"], "%d/%m/%Y %H:%M %z") == [noon]


@given(st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_any_written_time_reads_back(moment: datetime, offset: int) -> None:
    sign, minutes = ("-" if offset < 0 else "+"), abs(offset)
    local = (moment + timedelta(minutes=offset)).isoformat()
    written = [f"{local}{sign}{minutes // 60:02d}:{minutes % 60:02d}", f"{moment.isoformat()}Z", str(moment)]
    micros = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    spellings = [*written, str(micros)]
    for first in range(4):
        assert _read_instants(spellings[first:] + spellings[:first]) == [moment] * 4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("2026-11-18,-5,1", "negative_tokens"),
        ("2026-11-18,5,1000000001", "absurd_tokens"),
        ("2026-11-18,99999999999999999999999,1", "absurd_tokens"),
        ("2026-11-18,five,1", "not_a_count"),
        ("2026-11-18,1.5,1", "not_a_count"),
        ("yesterday,5,1", "missing_time"),
        (",5,1", "missing_time"),
        ("2026-11-20T06:05:01,5,1", "future_clock"),
        ("1970-01-01,5,1", "early_clock"),
        ("2026-11-18,5", "malformed_row"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_others_load(company: Company, values: str, reason: str) -> None:
    company.deliver("a.csv", csv("2026-11-18,7,1", values, "2026-11-20T06:05:00,8.0,1"))
    report = company.land()
    assert [row["uncached_input_tokens"] for row in rows(report)] == [7, 8]
    assert not report.has_fault
    (finding,) = [finding for finding in report.findings if finding.kind == "quarantined_row"]
    assert reason in finding.message and finding.severity is Severity.WARN
    (entry,) = (company.lake / "raw" / "logs" / "quarantine").iterdir()
    assert [row["line"] for row in json.loads(entry.read_text())["rows"]] == [3]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("", "empty_file"),
        (csv(header="time,tokens_in"), "missing_column"),
        (csv("2026-11-18,1,2", header="time,TokensIn,tokens_out"), "missing_column"),
        (csv("2026-11-18,1,2,3", header="time,tokens_in,tokens_out,tokens_out"), "duplicate_column"),
        (csv("2026-11-18,many,2", "2026-11-18,few,2"), "type_flip"),
        (csv("1,1,2", "2,1,2"), "type_flip"),
        (b"\xff\xfe\x00time", "unreadable_file"),
    ],
)
def test_a_broken_file_stops_alone_and_keeps_its_last_good_content(
    company: Company, content: str | bytes, kind: str
) -> None:
    company.deliver("a.csv", csv("2026-11-17,7,1"), age_hours=30)
    company.deliver("b.csv", csv("2026-11-18,8,1"))
    assert len(rows(company.land())) == 2
    company.deliver("a.csv", content, age_hours=20)
    report = company.land()
    assert [row["uncached_input_tokens"] for row in rows(report)] == [7, 8]
    assert [(f.kind, f.file) for f in report.findings if f.severity is Severity.FAULT] == [(kind, "a.csv")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "a.csv",
            "time,TokensIn,tokens_out,feature\n2026-11-18,1,2,x\n",
            "the required column tokens_in ('TokensIn' looks like it: was it renamed?) is missing; deliver it again "
            "with this column, or correct `columns` of the source; the columns there are: time, TokensIn, "
            "tokens_out, feature",
        ),
        (
            "a.csv",
            "2026-11-18,what is love,2\n2026-11-19,what is war,3\n",
            "or correct `columns` of the source; what stands in the place of names is not shown, for it may be content",
        ),
        (
            "a.jsonl",
            '{"prompt_size": 1, "tokens_in": 2, "tokens_out": 3}\n',
            "the required column time is missing in every row; deliver it again with this column, or correct "
            "`columns` of the source; the columns there are: prompt_size, tokens_in, tokens_out",
        ),
    ],
)
def test_a_missing_column_is_told_with_what_there_is(
    company: Company, name: str, content: str, told: str
) -> None:
    company.deliver(name, content)
    (fault,) = [f for f in company.land().findings if f.kind == "missing_column"]
    assert told in fault.message
    assert "love" not in fault.message


def test_a_missing_folder_and_a_broken_gzip_are_faults(company: Company, tmp_path: Path) -> None:
    company.deliver("a.csv.gz", gzip.compress(csv(*["2026-11-18,7,1"] * 999).encode())[:-9])
    assert kinds(company.land()) == {"unreadable_file": 1}
    company.options["path"] = "elsewhere"
    assert company.land().has_fault


def test_header_only_is_an_empty_delivery_that_replaces(company: Company) -> None:
    company.deliver("a.csv", csv("2026-11-18,7,1"), age_hours=30)
    assert len(rows(company.land())) == 1
    company.deliver("a.csv", csv(), age_hours=20)
    report = company.land()
    assert rows(report) == [] and kinds(report) == {"no_rows": 1}


def test_a_rewritten_file_replaces_reverts_and_adds_nothing_twice(company: Company) -> None:
    one, two = csv("2026-11-18,1,1"), csv("2026-11-18,2,1", "2026-11-19,3,1")
    for content, age, expected in ((one, 9, [1]), (two, 6, [2, 3]), (one, 3, [1])):
        company.deliver("a.csv", content, age)
        assert [row["uncached_input_tokens"] for row in rows(company.land())] == expected
    before = {path: path.stat().st_mtime_ns for path in company.lake.rglob("*") if path.is_file()}
    company.land(NOW + timedelta(hours=1))
    assert {path: path.stat().st_mtime_ns for path in company.lake.rglob("*") if path.is_file()} == before
    assert not (company.lake / "raw" / "logs" / "artifacts").exists()


def test_identical_rows_without_an_id_are_two_calls(company: Company) -> None:
    company.deliver("a.csv", csv("2026-11-18,7,1", "2026-11-18,7,1"))
    company.deliver("b.csv", csv("2026-11-18,7,1"))
    assert len({row["request_id"] for row in rows(company.land())}) == 3


def test_an_attempt_told_twice_counts_once(company: Company) -> None:
    company.options["columns"] = COLUMNS | {
        "provider_request_id": "id",
        "trace_id": "trace",
        "span_id": "span",
    }
    lines = ["2026-11-18,1,1,x,,", "2026-11-18,2,1,x,t,2", "2026-11-18,3,1,,t,3", "2026-11-18,4,1,,T,3"]
    lines += ["2026-11-18,5,1,,t,", "2026-11-18,6,1,,t,"]
    company.deliver("a.csv", csv(*lines, header="time,tokens_in,tokens_out,id,trace,span"))
    landed = rows(company.land())
    assert sorted(row["uncached_input_tokens"] for row in landed) == [1, 2, 3, 4, 5, 6]
    merged = merge(landed, "provider_request_id, span_id, reports")
    assert sorted(merged, key=str) == [("x", "2", 2), (None, "3", 2), (None, None, 1), (None, None, 1)]


def test_what_input_means_is_stated_per_source_and_provider(company: Company) -> None:
    company.options["columns"] = COLUMNS | {"cache_read_tokens": "cached", "provider": "vendor"}
    content = csv(
        "2026-11-18,100,1,30,openai",
        "2026-11-19,100,1,300,Bedrock",
        header="time,tokens_in,tokens_out,cached,vendor",
    )
    company.deliver("a.csv", content)
    assert [row["uncached_input_tokens"] for row in rows(company.land())] == [70]
    company.options["semantics"] = {"exclusive_providers": ["aws.bedrock"]}
    assert [row["uncached_input_tokens"] for row in rows(company.land())] == [70, 100]
    company.options["semantics"] = {"input_includes_cached": False}
    assert [row["uncached_input_tokens"] for row in rows(company.land())] == [100, 100]


def test_a_duration_gives_the_end(company: Company) -> None:
    company.options["columns"] = COLUMNS | {"duration_seconds": "seconds"}
    company.deliver(
        "a.csv", csv("2026-11-18,1,1,0.25", "2026-11-19,1,1,-3", header="time,tokens_in,tokens_out,seconds")
    )
    first, second = rows(company.land())
    assert first["ended_at"] == datetime(2026, 11, 18, 0, 0, 0, 250_000)
    assert (first["duration_seconds"], second["duration_seconds"]) == (Decimal("0.250000"), None)


def test_the_canary_never_reaches_the_lake(company: Company) -> None:
    company.options["columns"] = COLUMNS | {"user_id": "user", "feature": "feature", "agent": "agent"}
    good = {
        "time": "2026-11-18",
        "tokens_in": 1,
        "tokens_out": 1,
        "user": SECRET,
        "feature": {"text": SECRET},
    }
    lines = [
        json.dumps(good | {"prompt": SECRET, SECRET: 1, "agent": SECRET * 20}),
        f"{{{SECRET}",
        f'["{SECRET}"]',
    ]
    lines += [json.dumps(good | {"tokens_in": SECRET}), json.dumps(good | {"time": SECRET})]
    company.deliver("a.jsonl", "\n".join(lines))
    header = f"time,tokens_in,tokens_out,user,feature,agent,{SECRET},{SECRET}"
    company.deliver(
        "b.csv", csv(f"2026-11-18,1,1,u,f,a,{SECRET}", f"2026-11-18,1,1,u,f,a,{SECRET},2", header=header)
    )
    company.deliver("c.csv", csv(f"{SECRET},{SECRET}", header=f"{SECRET},{SECRET}"))
    company.deliver("d.csv", csv("x", header=f'"{SECRET}'))
    report = company.land()
    assert len(rows(report)) == 2
    assert SECRET not in repr(report)
    files = [path for path in company.lake.rglob("*") if path.is_file()]
    texts = [path.read_bytes().decode("latin-1") for path in files]
    texts += [json.dumps(pl.read_parquet(p).to_dicts(), default=str) for p in files if p.suffix == ".parquet"]
    assert any("request_id" in text for text in texts)
    assert [text for text in texts if "grandmother" in text] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"columns": {"input_tokens": "x"}}, "started_at"),
        ({"columns": COLUMNS | {"input_token": "x"}}, "did you mean 'input_tokens'"),
        ({"columns": COLUMNS | {"x_source": "x"}}, "not a column"),
        ({"constants": {"started_at": "x"}}, "constants"),
        ({"columns": COLUMNS | {"model": "m"}, "constants": {"model": "x"}}, "both"),
        ({"colums": {}}, "colums"),
    ],
)
def test_a_wrong_mapping_is_a_config_error(company: Company, change: dict[str, Any], message: str) -> None:
    company.options |= change
    with pytest.raises(ValidationError, match=message):
        company.settings()


@hypothesis_settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-10, 10**10), st.integers(-10, 10**10)), min_size=1, max_size=30))
def test_every_row_is_kept_exactly_or_refused(
    tmp_path_factory: pytest.TempPathFactory, counts: list[tuple[int, int]]
) -> None:
    company = Company(tmp_path_factory.mktemp("rows"))
    company.deliver("a.csv", csv(*(f"2026-11-18,{given},{made}" for given, made in counts)))
    report = company.land()
    sound = [pair for pair in counts if all(0 <= count <= 10**9 for count in pair)]
    landed = [(row["uncached_input_tokens"], row["output_tokens"]) for row in rows(report)]
    assert sorted(landed) == sorted(sound)
    refused = sum(finding.count for finding in report.findings if finding.kind == "quarantined_row")
    assert refused == len(counts) - len(sound)
