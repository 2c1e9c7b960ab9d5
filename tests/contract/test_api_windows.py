"""Days of an API: which are asked for, what replaces what, what is kept, and what a lost index costs."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.common.apis.settings import WindowSettings
from connectors.common.apis.windows import ApiWindows, Window, build_windows
from connectors.common.contract import LandingContext, SourceReport, TerminalError
from connectors.common.datasets import TELEMETRY
from connectors.common.source_landing import SourceLanding

SETTINGS = WindowSettings(name="metrics", connector="telemetry_files")
DAYS = [date(2026, 11, day) for day in range(16, 20)]


def open_landing(context: LandingContext, version: int = 1) -> SourceLanding:
    return SourceLanding(SETTINGS, context, typing={"version": version})


def windows_of(landing: SourceLanding, **values: Any) -> ApiWindows:
    given = {"first_day": DAYS[0], "overlap_days": 2, "final_after_days": None, **values}
    return ApiWindows(landing, **given)


def table(day: date, *volumes: int) -> pa.Table:
    start = datetime(day.year, day.month, day.day)
    rows = [
        {
            "window_start": start,
            "window_end": start + timedelta(days=1),
            "signal": "log",
            "volume_bytes": volume,
        }
        for volume in volumes
    ]
    schema = pa.schema(
        [TELEMETRY.schema.field(name) for name in ("window_start", "window_end", "signal", "volume_bytes")]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def volumes(report: SourceReport) -> dict[str, list[int]]:
    """Bytes of each day that counts."""
    found: dict[str, list[int]] = {}
    for file in report.current_files:
        for row in pq.read_table(file.path).to_pylist():
            found.setdefault(row["window_start"].date().isoformat(), []).append(row["volume_bytes"])
    return {day: sorted(found[day]) for day in sorted(found)}


def at(context: LandingContext, moment: str) -> LandingContext:
    return replace(context, now=datetime.fromisoformat(moment))


def night(
    context: LandingContext, answers: dict[date, Sequence[int]], **values: Any
) -> tuple[list[date], SourceReport]:
    """One run that delivers an answer for every day that it is to read; what it has none for is empty."""
    landing = open_landing(context)
    windows = windows_of(landing, **values)
    days = windows.days_to_read(TELEMETRY)
    for day in days:
        windows.deliver(TELEMETRY, day, table(day, *answers.get(day, ())), is_final=windows.is_final(day))
    return days, landing.report()


def test_a_first_run_asks_for_every_whole_day_since_the_first(lake_context: LandingContext) -> None:
    days, _ = night(lake_context, {})
    assert days == DAYS, "the clock is 2026-11-20 03:00: that day is not over"
    fresh = windows_of(open_landing(lake_context), first_day=date(2026, 12, 1))
    assert fresh.days_to_read(TELEMETRY) == []


def test_a_day_is_asked_for_until_it_was_read_after_the_overlap(lake_context: LandingContext) -> None:
    night(lake_context, {})
    days, _ = night(at(lake_context, "2026-11-20T04:00:00"), {})
    assert days == DAYS[2:], "the 17th ended two days before the first run"
    days, _ = night(at(lake_context, "2026-11-30T03:00:00"), {})
    assert days == [*DAYS[2:], *(date(2026, 11, day) for day in range(20, 30))], "also after a pause"
    days, _ = night(at(lake_context, "2026-11-30T03:00:00"), {})
    assert days == [date(2026, 11, 28), date(2026, 11, 29)]


def test_what_is_final_later_is_asked_for_once_more_then(lake_context: LandingContext) -> None:
    final = {"final_after_days": 10, "first_day": DAYS[3]}
    asked = []
    for day in range(20, 34):
        moment = datetime(2026, 11, 20, 3) + timedelta(days=day - 20)
        landing = open_landing(replace(lake_context, now=moment))
        windows = windows_of(landing, **final)
        if DAYS[3] in windows.days_to_read(TELEMETRY):
            asked.append((moment.date().isoformat(), windows.is_final(DAYS[3])))
            windows.deliver(TELEMETRY, DAYS[3], table(DAYS[3], 1), is_final=windows.is_final(DAYS[3]))
        landing.report()
    assert asked == [
        ("2026-11-20", False),
        ("2026-11-21", False),
        ("2026-11-22", False),
        ("2026-11-30", True),
    ]


def test_the_providers_word_is_final_at_once(lake_context: LandingContext) -> None:
    landing = open_landing(lake_context)
    windows_of(landing).deliver(TELEMETRY, DAYS[3], table(DAYS[3], 1), is_final=True)
    landing.report()
    assert DAYS[3] not in windows_of(open_landing(lake_context)).days_to_read(TELEMETRY)


def test_the_newest_replaces_also_by_nothing_and_equal_adds_nothing(lake_context: LandingContext) -> None:
    _, first = night(lake_context, {DAYS[2]: [5, 6], DAYS[3]: [7]})
    assert volumes(first) == {"2026-11-18": [5, 6], "2026-11-19": [7]}
    _, same = night(lake_context, {DAYS[2]: [6, 5], DAYS[3]: [7]})
    assert len(same.deliveries) == len(first.deliveries), "whatever order rows come in"
    _, less = night(lake_context, {DAYS[2]: [5]})
    assert volumes(less) == {"2026-11-18": [5]}
    _, back = night(lake_context, {DAYS[2]: [5, 6], DAYS[3]: [7]})
    assert volumes(back) == volumes(first)


def test_empty_days_of_two_parts_are_no_copies_of_each_other(lake_context: LandingContext) -> None:
    landing = open_landing(lake_context)
    for part in ("logs", "metrics"):
        windows = windows_of(landing, part=part)
        for day in DAYS:
            windows.deliver(TELEMETRY, day, table(day), is_final=False, pages=[b'{"results":[]}'])
    assert landing.report().findings == ()
    kept = list((lake_context.lake / "raw" / "metrics" / "artifacts").iterdir())
    assert len(kept) == 8


def test_kept_answers_are_typed_anew_and_keep_their_delivery(lake_context: LandingContext) -> None:
    landing = open_landing(lake_context)
    windows = windows_of(landing, part="logs")
    windows.deliver(
        TELEMETRY, DAYS[2], table(DAYS[2], 5), is_final=True, pages=[b'{"bytes":5}', b'{"bytes":1}']
    )
    windows.deliver(TELEMETRY, DAYS[3], table(DAYS[3]), is_final=False)
    before = landing.report()
    asked: list[tuple[date, list[bytes], bool]] = []

    def build(day: date, pages: Sequence[bytes], is_final: bool) -> pa.Table:
        asked.append((day, list(pages), is_final))
        return table(day, *(len(pages) * [100]))

    again = open_landing(at(lake_context, "2026-12-24T00:00:00"), version=2)
    windows_of(again, part="logs").retype(TELEMETRY, build)
    windows_of(again, part="other").retype(TELEMETRY, build)
    report = again.report()
    assert sorted(asked) == [(DAYS[2], [b'{"bytes":5}', b'{"bytes":1}'], True), (DAYS[3], [], False)]
    assert volumes(report) == {"2026-11-18": [100, 100]}
    assert report.findings == ()
    assert [d.delivered_at for d in report.deliveries] == [d.delivered_at for d in before.deliveries]
    assert {d.snapshot_id for d in report.deliveries} == {d.snapshot_id for d in before.deliveries}


def test_a_day_whose_answers_are_not_kept_says_that_it_stays_as_it_is(lake_context: LandingContext) -> None:
    _, before = night(lake_context, {DAYS[3]: [7]})
    landing = open_landing(lake_context, version=2)
    windows_of(landing).retype(TELEMETRY, lambda day, pages, is_final: table(day))
    report = landing.report()
    assert {finding.kind for finding in report.findings} == {"old_typing"}
    assert volumes(report) == volumes(before)


def test_kept_answers_are_packed_the_owners_alone_and_made_once(lake_context: LandingContext) -> None:
    landing = open_landing(lake_context)
    windows = windows_of(landing)
    for _ in range(2):
        windows.deliver(TELEMETRY, DAYS[3], table(DAYS[3], 1), is_final=False, pages=[b'{"a":1}'])
    (path,) = (lake_context.lake / "raw" / "metrics" / "artifacts").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert gzip.decompress(path.read_bytes()).split(b"\n")[1:] == [b'{"a":1}']
    with pytest.raises(ValueError, match="one line"):
        windows.deliver(TELEMETRY, DAYS[3], table(DAYS[3], 1), is_final=False, pages=[b"a\nb"])


def test_rows_of_another_day_are_refused(lake_context: LandingContext) -> None:
    windows = windows_of(open_landing(lake_context))
    with pytest.raises(TerminalError, match="rows of 2026-11-18 came with 2026-11-19"):
        windows.deliver(TELEMETRY, DAYS[3], table(DAYS[2], 1), is_final=False)


def test_a_lost_index_asks_again_and_loses_nothing(lake_context: LandingContext) -> None:
    _, before = night(lake_context, {day: [1] for day in DAYS})
    (lake_context.lake / "raw" / "metrics" / "seen.json").write_text("torn")
    days, after = night(lake_context, {day: [1] for day in DAYS})
    assert days == DAYS[2:], "the records say when the others were read"
    assert volumes(after) == volumes(before)


def test_a_run_as_of_a_time_reads_and_writes_nothing(lake_context: LandingContext) -> None:
    _, before = night(lake_context, {DAYS[3]: [7]})
    night(at(lake_context, "2026-11-21T03:00:00"), {DAYS[3]: [9]})
    files = {path for path in lake_context.lake.rglob("*")}
    landing = open_landing(replace(lake_context, as_of=datetime(2026, 11, 20, 12)))
    windows = windows_of(landing)
    assert windows.days_to_read(TELEMETRY) == []
    windows.deliver(TELEMETRY, DAYS[3], table(DAYS[3], 1), is_final=False)
    assert volumes(landing.report()) == volumes(before)
    assert {path for path in lake_context.lake.rglob("*")} == files


def test_windows_are_neighbouring_days_and_no_longer_than_asked() -> None:
    days = [date(2026, 11, day) for day in (1, 2, 3, 4, 6, 9, 10)]
    found = [(w.start.day, w.end.day, len(w.days)) for w in build_windows(reversed(days), 3)]
    assert found == [(1, 4, 3), (4, 5, 1), (6, 7, 1), (9, 11, 2)]
    assert build_windows([], 3) == []
    window = Window(datetime(2026, 2, 28), datetime(2026, 3, 2))
    assert window.days == [date(2026, 2, 28), date(2026, 3, 1)]


def test_history_is_days_back_or_a_stated_day(tmp_path: Path) -> None:
    now = datetime(2026, 11, 20, 3)
    assert SETTINGS.choose_first_day(now) == date(2026, 8, 22)
    stated = SETTINGS.model_copy(update={"first_day": date(2025, 1, 1)})
    assert stated.choose_first_day(now) == date(2025, 1, 1)
