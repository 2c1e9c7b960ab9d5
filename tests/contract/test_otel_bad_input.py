"""Trace files that are broken, hostile or absurd: what is wrong is told with file and line, the rest lands."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from connectors.common.contract import Severity, SourceReport
from connectors.otel_genai import inheritance, lines, otlp_lines
from tests.contract.test_otel_genai import (
    SECRET,
    START,
    Company,
    attribute,
    chat,
    company,
    export,
    kinds,
    rows,
    span,
)

__all__ = ["company"]


def quarantined(company: Company) -> dict[str, list[tuple[int | None, str]]]:
    """File → (line, reason without its explanation) of what was refused."""
    found: dict[str, list[tuple[int | None, str]]] = {}
    for path in (company.lake / "raw" / "traces" / "quarantine").iterdir():
        entry = json.loads(path.read_text())
        found[entry["file"]] = [(row["line"], row["reason"].split(":")[0]) for row in entry["rows"]]
    return found


def faults(report: SourceReport) -> dict[str | None, str]:
    return {f.file: f.message for f in report.findings if f.severity is Severity.FAULT}


def write(company: Company, name: str, content: bytes) -> None:
    company.deliver(name, "").write_bytes(content)


GOOD = export([chat(1)])


def test_a_cut_gzip_is_refused_whole_and_its_neighbour_lands(company: Company) -> None:
    whole = gzip.compress("\n".join(export([chat(n)]) for n in range(2, 500)).encode())
    write(company, "cut.jsonl.gz", whole[: len(whole) // 2])
    company.deliver("good.jsonl", GOOD)
    report = company.land()
    assert list(faults(report)) == ["cut.jsonl.gz"]
    assert [row["span_id"][-1] for row in rows(report)] == ["1"]


def test_half_a_line_is_refused_and_the_others_land(company: Company) -> None:
    half = export([chat(2)])
    write(company, "a.jsonl", f"{GOOD}\n{half[: len(half) // 2]}\n{export([chat(3)])}\n{half[:40]}".encode())
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1", "3"]
    assert quarantined(company) == {"a.jsonl": [(2, "malformed_line"), (4, "malformed_line")]}


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_line_of_50_megabytes_is_refused_without_being_held(
    company: Company, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    add = lines._BegunLine.add

    def watch(self: lines._BegunLine, part: bytes) -> None:
        add(self, part)
        held.append(sum(map(len, self._parts)))

    monkeypatch.setattr(lines._BegunLine, "add", watch)
    long = export([chat(2, attributes={"gen_ai.input.messages": "x" * 50_000_000})])
    content = f"{GOOD}\n{long}\n{export([chat(3)])}\n".encode()
    write(company, name, gzip.compress(content, 1) if name.endswith(".gz") else content)
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1", "3"]
    assert quarantined(company) == {name: [(2, "malformed_line")]}
    assert 0 < max(held) <= lines.MAX_LINE_BYTES


def test_binary_junk_is_a_fault_of_its_file(company: Company) -> None:
    write(company, "junk.jsonl", bytes(range(256)) * 1000)
    write(company, "nul.jsonl", b"\x00" * 100_000)
    write(company, "junk.parquet", b"PAR1" + bytes(range(256)) * 100 + b"PAR1")
    company.deliver("good.jsonl", GOOD)
    report = company.land()
    assert sorted(map(str, faults(report))) == ["junk.jsonl", "junk.parquet", "nul.jsonl"]
    assert len(rows(report)) == 1


def test_a_message_of_protobuf_says_what_to_set(company: Company) -> None:
    message = b"\x0a\x10" + b"\x12\x0e" * 8
    write(company, "traces.json", struct.pack(">I", len(message)) + message)
    zstd = b"\x28\xb5\x2f\xfd" + bytes(40)
    write(company, "packed.json", struct.pack(">I", len(zstd)) + zstd)
    found = faults(company.land())
    assert "`format: json`" in found["traces.json"]
    assert "`compression`" in found["packed.json"]


def test_wrong_encodings(company: Company) -> None:
    """UTF-16 is no JSON lines at all; a line of Latin-1 is refused, its neighbours and a byte order mark are not."""
    write(company, "wide.jsonl", export([chat(2)]).encode("utf-16"))
    latin = export([chat(3, attributes={"app.feature": "KEY"})]).replace("KEY", "caf\xe9").encode("latin-1")
    write(company, "latin.jsonl", b"\xef\xbb\xbf" + GOOD.encode() + b"\n" + latin + b"\n")
    report = company.land()
    assert "UTF-8" in faults(report)["wide.jsonl"]
    assert [row["span_id"][-1] for row in rows(report)] == ["1"]
    assert quarantined(company)["latin.jsonl"] == [(2, "malformed_line")]


def test_numbers_that_are_none(company: Company) -> None:
    """NaN and 1e400 are no JSON; as OTLP's text they are no count. Neither becomes a number."""
    raw = export([chat(2, attributes={"gen_ai.usage.input_tokens": "NUMBER"})])
    company.deliver(
        "a.jsonl",
        raw.replace('{"stringValue": "NUMBER"}', '{"doubleValue": NaN}'),
        raw.replace('{"stringValue": "NUMBER"}', '{"doubleValue": 1e400}'),
        raw.replace('{"stringValue": "NUMBER"}', '{"doubleValue": "NaN"}'),
        raw.replace('{"stringValue": "NUMBER"}', '{"doubleValue": "Infinity"}').replace(
            f"{2:016x}", f"{4:016x}"
        ),
        raw.replace('{"stringValue": "NUMBER"}', '{"doubleValue": 1e300}').replace(f"{2:016x}", f"{5:016x}"),
        GOOD,
    )
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1"]
    assert sorted(quarantined(company)["a.jsonl"], key=str) == [
        (1, "malformed_line"), (2, "malformed_line"), (3, "not_a_count"), (4, "not_a_count"), (5, "absurd_tokens")
    ]  # fmt: skip


def test_a_refused_call_stays_in_the_tree(company: Company) -> None:
    """Its children keep what they inherit through it, in this file and in others."""
    negative = chat(2, 1, attributes={"gen_ai.usage.output_tokens": -5})
    spans = [span(1, attributes={"app.feature": "search"}), negative, chat(3, 2)]
    company.deliver("a.jsonl", export(spans))
    report = company.land()
    assert [(row["span_id"][-1], row["feature"]) for row in rows(report)] == [("3", "search")]
    assert [(row["span_id"][-1], row["span_kind"]) for row in rows(report, "spans")] == [
        ("1", "other"), ("2", "chain")
    ]  # fmt: skip
    assert quarantined(company) == {"a.jsonl": [(1, "negative_tokens")]}


def test_a_child_that_begins_before_its_parent_inherits_and_has_no_negative_duration(
    company: Company,
) -> None:
    early = chat(2, 1, startTimeUnixNano=str(START - 10**9), endTimeUnixNano=str(START - 2 * 10**9))
    company.deliver("a.jsonl", export([early, span(1, attributes={"app.feature": "search"})]))
    (row,) = rows(company.land())
    assert (row["feature"], row["duration_seconds"]) == ("search", None)


@contextmanager
def counted_gathers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Collect how many rows each step of finding ancestors looks at."""
    looked_at: list[int] = []
    steps = inheritance._ancestor_steps

    def watch(parent: pl.Series) -> tuple[list[pl.Series], pl.Series]:
        found = steps(parent)
        looked_at.extend(len(step) for step in found[0])
        return found

    monkeypatch.setattr(inheritance, "_ancestor_steps", watch)
    yield looked_at


def test_a_chain_of_100000_parents_is_followed_in_a_few_steps(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = 100_000
    deep = [span(n, n - 1) for n in range(2, depth)]
    spans = [span(1, attributes={"app.feature": "search"}), *deep, chat(depth, depth - 1)]
    company.deliver("a.jsonl", *(export(spans[n : n + 5000]) for n in range(0, depth, 5000)))
    with counted_gathers(monkeypatch) as looked_at:
        report = company.land()
    assert [row["feature"] for row in rows(report)] == ["search"]
    assert sum(looked_at) <= 18 * depth


def test_a_cycle_ends(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 10_000
    ring = [chat(n, n % count + 1) for n in range(1, count + 1)]
    company.deliver("a.jsonl", export(ring))
    with counted_gathers(monkeypatch) as looked_at:
        report = company.land()
    assert len(rows(report)) == count
    assert kinds(report)["span_loop"] == count
    assert sum(looked_at) <= 16 * count


@pytest.mark.parametrize(
    "key", ["__proto__", "'; drop table requests; --", "@line", "^line", "", "\u0000", "a" * 100_000]
)
def test_attribute_keys_are_data(company: Company, key: str) -> None:
    hostile = chat(2, attributes={"app.feature": "search"})
    hostile["attributes"] += [
        attribute(key, SECRET),
        {"key": {"__class__": 1}, "value": {"stringValue": "x"}},
    ]
    company.deliver("a.jsonl", export([hostile], {key: SECRET}), GOOD)
    report = company.land()
    assert [row["feature"] for row in rows(report)] == [None, "search"]
    assert not report.has_fault and SECRET not in repr(report)


def test_an_attribute_name_of_the_config_cannot_collide_with_a_column(company: Company) -> None:
    company.options["attributes"] = {"feature": ["line"], "tenant": ["trace_id"]}
    company.deliver("a.jsonl", export([chat(1, attributes={"line": "cart", "trace_id": "acme"})]))
    (row,) = rows(company.land())
    assert (row["feature"], row["tenant"], row["span_id"]) == ("cart", "acme", f"{1:016x}")


def test_ten_thousand_attribute_names_become_no_columns(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    take = otlp_lines.OtlpReader.take

    def watch(self: otlp_lines.OtlpReader) -> pl.DataFrame:
        frame = take(self)
        widths.append(frame.width)
        return frame

    monkeypatch.setattr(otlp_lines.OtlpReader, "take", watch)
    names = {f"app.name.{n}": "x" for n in range(10_000)} | {
        f"gen_ai.usage.made_up_{n}": 1 for n in range(10_000)
    }
    company.deliver("a.jsonl", export([chat(1, attributes=names)]), export([chat(2, attributes=names)]))
    report = company.land()
    assert len(rows(report)) == 2
    assert max(widths) < 40
    (finding,) = [f for f in report.findings if f.kind == "unknown_usage"]
    assert len(finding.message) < 2000
    assert finding.count == 40


@pytest.mark.parametrize("depth", [500, 100_000])
def test_deeply_nested_json_is_no_recursion(company: Company, depth: int) -> None:
    deep = GOOD.replace('"status": {}', '"status": ' + "[" * depth + "]" * depth)
    inside = chat(3)
    inside["attributes"].append(attribute("metadata", '{"user_id":' + "[" * 5000 + "]" * 5000 + "}"))
    company.deliver("a.jsonl", deep, export([chat(2)]), export([inside]))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == (["1"] if depth == 500 else []) + ["2", "3"]
    assert not report.has_fault


def test_the_same_line_a_hundred_times_is_one_span(company: Company) -> None:
    company.deliver("a.jsonl", *[GOOD] * 100)
    report = company.land()
    assert len(rows(report)) == 1 and kinds(report)["duplicate_request"] == 99


def test_broken_parts_of_a_line_do_not_cost_its_other_spans(company: Company) -> None:
    """Whatever stands where a span, a scope or a resource belongs."""
    content: dict[str, Any] = orjson.loads(export([chat(1)]))
    scopes = content["resourceSpans"][0]["scopeSpans"]
    scopes[0]["spans"] += [
        None,
        [],
        "x",
        1,
        {},
        {"startTimeUnixNano": "9" * 40},
        {"startTimeUnixNano": "١٢٣"},
    ]
    scopes += [
        None,
        {"spans": {}},
        {"scope": [], "spans": [chat(2)]},
        {"scope": {"name": 5}, "spans": [chat(3)]},
    ]
    content["resourceSpans"] += [None, 7, {"resource": [], "scopeSpans": [{"spans": [chat(4)]}]}]
    company.deliver("a.jsonl", json.dumps(content))
    report = company.land()
    assert [row["span_id"][-1] for row in rows(report)] == ["1", "2", "3", "4"]
    assert quarantined(company) == {"a.jsonl": [(1, "missing_time")] * 3}
    assert Path(company.lake).exists()
