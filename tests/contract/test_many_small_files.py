"""A source of many small files: its records are packed, and nothing else than how many files are opened changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.common import packed_records, registry
from connectors.common.contract import LandingContext, SourceReport, TerminalError

HEAD = (
    "window_start,window_end,provider,account_id,traffic_kind,from_zone,to_zone,"
    "from_workload_ref,to_workload_ref,bytes\n"
)
_OPENED: list[str] = []
sys.addaudithook(lambda event, given: _OPENED.append(str(given[0])) if event == "open" else None)


def land(folder: Path, context: LandingContext) -> SourceReport:
    settings = registry.load_settings_class("transfer_files").model_validate(
        {"name": "flows", "connector": "transfer_files", "path": "in"}, context={"base_dir": folder}
    )
    return registry.land(settings, context)


def write(folder: Path, number: int, count: int) -> None:
    path = folder / "in" / f"{number:04d}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"{HEAD}2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,aws,{number},inter_az,a,b,i-1,i-2,{count}\n"
    )
    os.utime(path, (1_793_000_000 + number, 1_793_000_000 + number))


def tell(report: SourceReport, context: LandingContext) -> list[object]:
    """All that a report says, files by their place in the lake."""
    deliveries = [
        replace(
            d,
            typed_files=tuple(replace(f, path=f.path.relative_to(context.lake)) for f in d.typed_files),
        )
        for d in report.deliveries
    ]
    return [deliveries, report.findings]


def live(folder: Path, context: LandingContext, before_night: Callable[[int], None]) -> list[object]:
    """Four nights: files come, one is replaced, one vanishes, more come; then two questions about the past."""
    told = []
    for night in range(4):
        before_night(night)
        for number in range(night * 6, night * 6 + 6):
            write(folder, number, number + 1)
        if night == 1:
            write(folder, 2, 999)
        if night == 2:
            (folder / "in" / "0001.csv").unlink()
        at = replace(context, lake=folder / "lake", now=context.now + timedelta(days=night))
        told.append(tell(land(folder, at), at))
    for hours in (1, 25):
        moment = context.now + timedelta(hours=hours)
        at = replace(context, lake=folder / "lake", as_of=moment)
        told.append(tell(land(folder, at), at))
    return told


@pytest.mark.parametrize("packed_since", [0, 2])
def test_packed_records_say_the_same(
    tmp_path: Path, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch, packed_since: int
) -> None:
    def choose(night: int) -> None:
        monkeypatch.setattr(packed_records, "_PACKED_FROM", 4 if night >= packed_since else 500)

    plain = live(tmp_path / "plain", lake_context, lambda _: None)
    packed = live(tmp_path / "packed", lake_context, choose)
    assert packed == plain
    deliveries = tmp_path / "packed/lake/raw/flows/deliveries"
    assert len(list(deliveries.glob("*.json"))) == 0
    assert len(list((deliveries / "packed").iterdir())) == (4 if packed_since == 0 else 2)
    assert len(list((tmp_path / "plain/lake/raw/flows/deliveries").glob("*.json"))) == 25


def test_a_night_opens_few_records_whatever_the_history(
    tmp_path: Path, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_records, "_PACKED_FROM", 30)
    opened = {}
    for history in (40, 400):
        folder = tmp_path / str(history)
        context = replace(lake_context, lake=folder / "lake")
        for number in range(history):
            write(folder, number, number)
        land(folder, context)
        write(folder, history, 1)
        _OPENED.clear()
        report = land(folder, context)
        assert len(report.deliveries) == history + 1
        opened[history] = len([path for path in _OPENED if str(folder) in path])
    assert opened[400] == opened[40] < 20


def test_a_run_killed_while_packing_loses_nothing(
    tmp_path: Path, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        write(tmp_path, number, number)
    before = land(tmp_path, lake_context)
    monkeypatch.setattr(packed_records, "_PACKED_FROM", 4)
    unlink, removed = Path.unlink, []

    def fail_third(path: Path, missing_ok: bool = False) -> None:
        if len(removed) == 2:
            raise KeyboardInterrupt
        removed.append(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", fail_third)
    with pytest.raises(KeyboardInterrupt):
        land(tmp_path, lake_context)
    monkeypatch.setattr(Path, "unlink", unlink)
    assert len(list((lake_context.lake / "raw/flows/deliveries").glob("*.json"))) == 4
    assert land(tmp_path, lake_context) == before
    assert len(list((lake_context.lake / "raw/flows/deliveries").glob("*.json"))) == 0
    assert land(tmp_path, lake_context) == before


def test_a_damaged_packed_file_stops_the_source(
    tmp_path: Path, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_records, "_PACKED_FROM", 4)
    for number in range(6):
        write(tmp_path, number, number)
    land(tmp_path, lake_context)
    (path,) = (lake_context.lake / "raw/flows/deliveries/packed").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(TerminalError, match="damaged"):
        land(tmp_path, lake_context)
