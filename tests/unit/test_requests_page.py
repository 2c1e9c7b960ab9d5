"""The worked cases of docs/requests.md, run through the real models.

What belongs here: reading the page's tables and comparing them with what the SQL gives. What must not: numbers of its
own; a figure that is wrong is corrected on the page or in the model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.config.requests import RequestRanks
from pipelines.night.reference import REUSED_ID_REPORTS
from tests.sql.reported_calls import merge, report
from tests.sql.small_bill import price

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "requests.md").read_text(encoding="utf-8")
KINDS_OF_SLOTS = ("span", "gateway", "file")


def _tables(heading: str) -> list[list[dict[str, str]]]:
    """The tables below a heading, each as rows by column name; code marks taken off."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/requests.md has no heading {heading!r}"
    tables: list[list[dict[str, str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", found[1], re.MULTILINE):
        cells = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        tables.append([dict(zip(cells[0], row, strict=True)) for row in cells[2:]])
    assert tables, f"there is no table below {heading!r}"
    return tables


IDENTITIES = _tables("Which reports are one attempt")[0]
DAYS = _tables("Which day")[0]
RANKS, SEEN = _tables("Whom to believe")
CALLS = _tables("Attempts and calls")[0]


def _ids(text: str) -> dict[str, Any]:
    names = {"id": "provider_request_id", "span": "span_id", "call": "call_id"}
    told = {names[part.split()[0]]: part.split()[1] for part in text.split(", ") if part}
    return told | ({"trace_id": "t"} if "span_id" in told else {})


@pytest.mark.parametrize("row", IDENTITIES, ids=[row["case"] for row in IDENTITIES])
def test_which_reports_are_one_attempt(row: Mapping[str, str]) -> None:
    slots = [row[f"report {number}"] for number in (1, 2, 3)]
    given = [slot for slot in slots if slot] if any(slots) else slots
    reports = [
        report(f"source-{kind}", kind, **_ids(slot))
        for kind, slot in zip(KINDS_OF_SLOTS, given, strict=False)
    ]
    assert len(merge(reports)) == int(row["attempts"])


@pytest.mark.parametrize("row", DAYS, ids=[row["case"] for row in DAYS])
def test_which_day(row: Mapping[str, str]) -> None:
    moments = [datetime.fromisoformat(f"2026-{row[f'report {number}']}") for number in (1, 2)]
    reports = [
        report("logs", "file", moments[0], provider_request_id="p"),
        report("traces", "span", moments[1], provider_request_id="p"),
    ]
    found = merge(reports, "started_at")
    assert len(found) == int(row["attempts"])
    assert found[0] == (datetime.fromisoformat(f"2026-{row['starts']}"),)


def test_the_ranks_are_those_of_the_config() -> None:
    shown = {row["group"]: tuple(row["first to last"].split(", ")) for row in RANKS}
    assert shown == RequestRanks().model_dump()


def test_the_reports_that_make_an_id_reused_are_as_many_as_the_page_says() -> None:
    assert f"more than {REUSED_ID_REPORTS} different reports" in PAGE
    assert f"that {REUSED_ID_REPORTS} reports or fewer" in PAGE


def _count(text: str) -> int | None:
    return int(text.replace(",", "")) if text else None


def _seen(row: Mapping[str, str]) -> dict[str, Any]:
    ids = {"provider_request_id": row["id"], "call_id": row["call"], "span_id": row["span"]}
    told = {"user_id": row["user"], "feature": row["feature"], "region_id": row["region"]}
    usage = {"uncached_input_tokens": _count(row["input"]), "output_tokens": _count(row["output"])}
    given: dict[str, Any] = {
        name: value for name, value in {**ids, **told, **usage}.items() if value not in ("", None)
    }
    trace: dict[str, Any] = {"trace_id": "t"} if "span_id" in given else {}
    started = datetime.fromisoformat(f"2026-11-01 {row['starts']}")
    return report(row["source"], row["kind"], started, **given, **trace)


def test_one_call_seen_by_four() -> None:
    *seen, merged = SEEN
    columns = (
        "provider_request_id, call_id, span_id, user_id, feature, uncached_input_tokens, output_tokens, region_id, "
        "started_at, x_sources"
    )
    names = ("id", "call", "span", "user", "feature", "input", "output", "region", "starts")
    expected: list[Any] = [merged[name] for name in names]
    expected[5:7] = [_count(merged["input"]), _count(merged["output"])]
    expected[8] = datetime.fromisoformat(f"2026-11-01 {merged['starts']}")
    sources = ",".join(sorted(row["source"] for row in seen))
    assert merge([_seen(row) for row in seen], columns) == [(*expected, sources)]


@pytest.mark.parametrize("row", CALLS, ids=[row["attempts of a trace"] for row in CALLS])
def test_attempts_and_calls(row: Mapping[str, str]) -> None:
    reports = []
    for number, told in enumerate(row["attempts of a trace"].split(", ")):
        status, _, logical = told.partition(" of ")
        ids: dict[str, Any] = {"provider_request_id": f"p{number}", "trace_id": "t"}
        ids["logical_call_id"] = logical or None
        reports.append(report("gateway", "gateway", status=status, output_tokens=5, **ids))
    found = merge(reports, "attempts, calls", table="core.traces", prices=[price("output_tokens")])
    assert found == [(int(row["attempts"]), int(row["calls"]))]
