"""Publishing: readers see whole releases only, a bad build publishes nothing, old files go, needed ones stay.

What belongs here: release folders, `current`, sweeping. What must not: how partitions are built.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from pipelines.warehouse import publish as publishing
from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.ledger import read_ledger, recover, write_ledger
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.publish import is_changed, publish, read_current_manifest, sweep
from pipelines.warehouse.release import Release, ReleaseStore
from tests.sql.home import DAILY, build_all, sales, write_models

NOW = datetime(2026, 1, 5, 3, 0, 0)
DAYS = {"2026-01-01": [("chat", "10"), ("search", "2")], "2026-01-02": [("chat", "88")]}
COPY = """/*
description: The sales again, in another table, for readers to compare.
grain: [charge_date, feature]
columns: {charge_date: null, feature: the name in the shop, billed_cost: null}
*/
select d.charge_date as charge_date, d.feature as feature, d.billed_cost as billed_cost from core.daily as d
"""
VIEW = """/*
description: Chat only.
grain: [charge_date]
materialized: view
partition_by: {column: charge_date, unit: day}
columns: [charge_date, billed_cost]
*/
select d.charge_date as charge_date, d.billed_cost as billed_cost
from core.daily as d
where d.feature = 'chat'
"""
MODELS = {"core.daily": DAILY, "marts.copy": COPY, "marts.chat": VIEW}


def _publish(home: Path, days: dict[str, list[tuple[str, str]]], run: str, now: datetime = NOW) -> Release:
    models = write_models(home / "models", MODELS)
    previous = read_current_manifest(home)
    with build_all(home, models, [sales(home / "lake", days)], previous, today=now.date()) as build:
        return publish(build, run, now)


def _read(home: Path, sql: str) -> list[tuple[Any, ...]]:
    path = (home / "warehouse/current").resolve() / "everycent.duckdb"
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_release_holds_tables_views_comments_and_a_manifest(tmp_path: Path) -> None:
    release = _publish(tmp_path, DAYS, "0123456789abcdef")
    assert release.name == "20260105T030000.000000Z-89abcdef"
    assert _read(tmp_path, "select sum(billed_cost)::varchar, count(*) from marts.copy") == [
        ("100.000000000000", 3)
    ]
    assert _read(tmp_path, "select count(*) from marts.chat") == [(2,)]
    assert _read(tmp_path, "select count(*) from lake.sales") == [(3,)]
    assert _read(tmp_path, "select idiv(-7, 2)") == [(-3,)]
    comments = dict(
        _read(tmp_path, "select column_name, comment from duckdb_columns() where table_name = 'copy'")
    )
    assert comments["feature"] == "what was sold the name in the shop"
    assert comments["billed_cost"] == "what was billed [billing currency]"
    schemas = {
        row[0] for row in _read(tmp_path, "select schema_name from duckdb_schemas() where not internal")
    }
    assert schemas >= {"staging", "reference", "core", "marts", "exports", "lake"}
    assert stat.S_IMODE(release.catalogue.stat().st_mode) == 0o444
    manifest = read_current_manifest(tmp_path)
    assert manifest is not None
    assert (manifest.run_id, manifest.today, manifest.kind) == ("0123456789abcdef", "2026-01-05", "release")
    assert set(manifest.relations["core.daily"].fingerprints) == set(DAYS)
    assert (release.path / "manifest.json").read_text().count(str(tmp_path)) == 0


def test_empty_tables_are_typed(tmp_path: Path) -> None:
    _publish(tmp_path, {}, "empty")
    assert _read(tmp_path, "select * from marts.copy") == []
    assert ("billed_cost", "DECIMAL(38,12)") in [row[:2] for row in _read(tmp_path, "describe core.daily")]


def test_nothing_new_is_not_a_change_but_any_visible_difference_is(tmp_path: Path) -> None:
    _publish(tmp_path, DAYS, "one")
    previous = read_current_manifest(tmp_path)

    def changed(days: dict[str, list[tuple[str, str]]], **texts: str) -> bool:
        models = write_models(
            tmp_path / f"models{len(texts)}", {**MODELS, **{f"marts.{k}": v for k, v in texts.items()}}
        )
        with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], previous) as build:
            return is_changed(build, previous)

    assert not changed(DAYS)
    assert changed({**DAYS, "2026-01-02": [("chat", "88"), ("chat", "0")]})
    assert changed({"2026-01-01": DAYS["2026-01-01"]})
    assert changed(DAYS, chat=VIEW.replace("'chat'", "'search'"))
    assert changed(DAYS, extra=COPY)


def test_failed_check_or_missing_model_publishes_nothing(tmp_path: Path) -> None:
    kept = _publish(tmp_path, DAYS, "one")
    bad = write_models(
        tmp_path / "bad", {**MODELS, "marts.copy": COPY.replace("[charge_date, feature]", "[charge_date]")}
    )
    with build_all(tmp_path, bad, [sales(tmp_path / "lake", DAYS)]) as build:
        with pytest.raises(PublishError, match=r"marts\.copy: grain_is_unique has 1 violations"):
            publish(build, "two", NOW)
        del build.records["marts.chat"]
        with pytest.raises(PublishError, match=r"not built, first marts\.chat"):
            publish(build, "two", NOW)
    assert [release.name for release in ReleaseStore(tmp_path).list()] == [kept.name]


def test_readers_never_see_a_torn_release(tmp_path: Path) -> None:
    """Value moves between two days in two tables; every read must find the same total in both."""
    _publish(tmp_path, DAYS, "start")
    seen: list[tuple[str, str]] = []
    errors: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        total = "(select sum(billed_cost)::varchar from {})"
        query = f"select {total.format('core.daily')}, {total.format('marts.copy')}"
        while not stop.is_set():
            try:
                seen.append(_read(tmp_path, query)[0])
            except Exception as error:  # noqa: BLE001 - any failure of a reader is what is tested
                errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(12):
        days = {"2026-01-01": [("chat", str(10 + step))], "2026-01-02": [("chat", str(90 - step))]}
        _publish(tmp_path, days, f"run{step}", NOW + timedelta(seconds=step))
    stop.set()
    reader.join()
    assert not errors
    assert len(seen) > 5
    assert set(seen) == {("100.000000000000", "100.000000000000")}


@pytest.mark.parametrize("died_in", ["write_catalogue", "write_manifest", "point_current"])
def test_killed_while_publishing_keeps_the_last_release(
    tmp_path: Path, died_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _publish(tmp_path, DAYS, "one")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    owner = ReleaseStore if died_in == "point_current" else publishing
    with monkeypatch.context() as patch:
        patch.setattr(owner, died_in, die)
        with pytest.raises(KeyboardInterrupt):
            _publish(tmp_path, {"2026-01-01": [("chat", "1")]}, "two")
    assert (tmp_path / "warehouse/current").resolve() == kept.path
    assert _read(tmp_path, "select count(*) from core.daily") == [(3,)]
    manifest = read_current_manifest(tmp_path)
    assert manifest is not None and manifest.run_id == "one"
    _publish(tmp_path, {"2026-01-01": [("chat", "1")]}, "three")
    assert _read(tmp_path, "select count(*) from core.daily") == [(1,)]


def test_rolled_back_release_is_whole(tmp_path: Path) -> None:
    first = _publish(tmp_path, DAYS, "one")
    second = _publish(tmp_path, {"2026-01-01": [("chat", "1")]}, "two", NOW + timedelta(days=1))
    assert second.name > first.name
    ReleaseStore(tmp_path).rollback()
    assert _read(tmp_path, "select count(*) from marts.copy") == [(3,)]


def test_names_sort_by_publishing_also_when_the_clock_goes_back(tmp_path: Path) -> None:
    names = [
        _publish(tmp_path, DAYS, run, NOW - timedelta(hours=hours)).name
        for run, hours in (("zz", 0), ("aa", 0), ("bb", 5))
    ]
    assert names == sorted(names)
    assert (tmp_path / "warehouse/current").resolve().name == names[-1]


def test_seven_releases_stay_and_unlisted_files_go(tmp_path: Path) -> None:
    for step in range(9):
        _publish(tmp_path, {"2026-01-01": [("chat", str(step))]}, f"run{step}", NOW + timedelta(days=step))
    store = ReleaseStore(tmp_path)
    assert len(store.list()) == 7
    tables = tmp_path / "warehouse/tables/core.daily/2026-01-01"
    assert len(list(tables.iterdir())) == 7
    being_written = tables / "_tmp-1.parquet"
    being_written.touch()
    sweep(tmp_path, younger_than=being_written.stat().st_mtime)
    assert being_written.exists()
    sweep(tmp_path, younger_than=time.time() + 60)
    assert len(list(tables.iterdir())) == 7 and not being_written.exists()
    oldest = store.list()[-1]
    store.rollback(oldest.name)
    assert _read(tmp_path, "select billed_cost::integer from core.daily") == [(2,)]
    sweep(tmp_path, younger_than=time.time() + 60, keep=1)
    assert {release.name for release in store.list()} == {oldest.name, f"{store.list()[0].name}"}
    assert _read(tmp_path, "select billed_cost::integer from core.daily") == [(2,)]


def test_as_of_release_is_never_current_and_writes_no_ledger(tmp_path: Path) -> None:
    kept = _publish(tmp_path, DAYS, "one")
    models = write_models(tmp_path / "models", MODELS)
    with build_all(tmp_path, models, [sales(tmp_path / "lake", {"2026-01-01": [("chat", "1")]})]) as build:
        entry = write_ledger(tmp_path, "forecasts", "two", pa.table({"x": [1]}))
        with pytest.raises(PublishError, match="no ledger"):
            publish(build, "two", NOW, kind="asof", ledger=[entry])
        side = publish(build, "two", NOW, kind="asof")
    assert side.name.startswith("asof-") and side.is_side
    assert (tmp_path / "warehouse/current").resolve() == kept.path
    with duckdb.connect(str(side.catalogue), read_only=True) as connection:
        assert connection.execute("select count(*) from core.daily").fetchall() == [(1,)]


def test_ledger_counts_with_the_swap_and_is_recovered_when_the_run_died_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = write_models(tmp_path / "models", MODELS)
    columns = {"feature": "VARCHAR", "requests": "BIGINT"}

    def rows() -> int:
        return read_ledger(tmp_path, "forecasts", columns).rows

    def run(name: str, before_publish: Callable[[], None]) -> None:
        with build_all(tmp_path, models, [sales(tmp_path / "lake", DAYS)]) as build:
            entry = write_ledger(
                tmp_path, "forecasts", name, pa.table({"feature": ["chat"], "requests": [1]})
            )
            before_publish()
            publish(build, name, NOW, ledger=[entry])

    run("one", lambda: None)
    assert rows() == 1

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        run("two", lambda: patch.setattr(publishing, "commit_run", die))
    assert rows() == 1
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        run("three", lambda: patch.setattr(publishing, "write_catalogue", die))
    current: ReleaseManifest | None = read_current_manifest(tmp_path)
    assert current is not None and current.run_id == "two"
    assert len(recover(tmp_path, current)) == 2
    assert rows() == 2
    assert sorted(os.listdir(tmp_path / "lake/ledger/forecasts")) == ["one.parquet", "two.parquet"]
    assert recover(tmp_path, current) == []
