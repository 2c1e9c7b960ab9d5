"""The ledger: rows count when their run is committed, files are never changed, names are plain.

What belongs here: ledger files and markers alone. What must not: publishing (tests/sql/test_publish.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.warehouse.engine import render_scan
from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.ledger import commit_run, new_run_id, read_ledger, recover, write_ledger

NOW = datetime(2026, 1, 5, 3, 0, 0)
COLUMNS = {"feature": "VARCHAR", "requests": "BIGINT"}
ROWS = pa.table({"feature": ["chat", "search"], "requests": [1, 2]})


def _rows(
    home: Path, kind: str, columns: dict[str, str], as_of: datetime | None = None
) -> list[tuple[object, ...]]:
    relation = read_ledger(home, kind, columns, as_of)
    with duckdb.connect() as connection:
        return sorted(connection.execute(render_scan(relation, relation.all_files)).fetchall(), key=str)


def test_rows_count_only_once_their_run_is_committed(tmp_path: Path) -> None:
    first = write_ledger(tmp_path, "forecasts", "run-1", ROWS)
    assert _rows(tmp_path, "forecasts", COLUMNS) == []
    commit_run(tmp_path, "run-1", [first], NOW)
    write_ledger(tmp_path, "forecasts", "run-2", ROWS)
    assert _rows(tmp_path, "forecasts", COLUMNS) == [("chat", 1), ("search", 2)]
    assert recover(tmp_path, None) == ["removed run-2.parquet of forecasts: its run published nothing"]
    assert _rows(tmp_path, "forecasts", COLUMNS) == [("chat", 1), ("search", 2)]


def test_as_of_sees_only_what_was_committed_by_then(tmp_path: Path) -> None:
    for number in range(3):
        name = f"run-{number}"
        entry = write_ledger(tmp_path, "run_log", name, pa.table({"requests": [number]}))
        commit_run(tmp_path, name, [entry], NOW + timedelta(days=number))
    assert _rows(tmp_path, "run_log", {"requests": "BIGINT"}, NOW + timedelta(days=1)) == [(0,), (1,)]


def test_committing_twice_changes_nothing(tmp_path: Path) -> None:
    entry = write_ledger(tmp_path, "ratios", "run-1", ROWS)
    commit_run(tmp_path, "run-1", [entry], NOW)
    commit_run(tmp_path, "run-1", [], NOW + timedelta(days=1))
    assert len(_rows(tmp_path, "ratios", COLUMNS)) == 2


def test_acks_count_at_once_and_may_come_often(tmp_path: Path) -> None:
    write_ledger(tmp_path, "acks", "cli", ROWS.slice(0, 1))
    write_ledger(tmp_path, "acks", "cli", ROWS.slice(1, 1))
    assert recover(tmp_path, None) == []
    assert len(_rows(tmp_path, "acks", COLUMNS)) == 2


def test_columns_that_came_later_read_as_null(tmp_path: Path) -> None:
    old = write_ledger(tmp_path, "forecasts", "run-1", ROWS.select(["feature"]))
    commit_run(tmp_path, "run-1", [old], NOW)
    assert _rows(tmp_path, "forecasts", COLUMNS) == [("chat", None), ("search", None)]
    new = write_ledger(tmp_path, "forecasts", "run-2", ROWS.slice(0, 1))
    commit_run(tmp_path, "run-2", [new], NOW)
    assert ("chat", 1) in _rows(tmp_path, "forecasts", COLUMNS)


def test_nothing_is_overwritten_and_names_are_plain(tmp_path: Path) -> None:
    write_ledger(tmp_path, "forecasts", "run-1", ROWS)
    with pytest.raises(PublishError, match="append-only"):
        write_ledger(tmp_path, "forecasts", "run-1", ROWS.slice(0, 1))
    for kind, run in (("../x", "run"), ("forecasts", "../run"), ("committed", "run"), ("forecasts", "")):
        with pytest.raises(PublishError, match="plain name"):
            write_ledger(tmp_path, kind, run, ROWS)
    assert not list((tmp_path / "lake/ledger/forecasts").glob("_tmp*"))


def test_a_later_run_stands_after_all_earlier_ones(tmp_path: Path) -> None:
    for number in range(12):
        run_id = new_run_id(NOW + timedelta(days=number))
        entry = write_ledger(tmp_path, "anomalies", run_id, pa.table({"requests": [number]}))
        commit_run(tmp_path, run_id, [entry], NOW + timedelta(days=number))
    relation = read_ledger(tmp_path, "anomalies", {"requests": "BIGINT"})
    assert [pq.read_table(file.path)["requests"][0].as_py() for file in relation.all_files] == list(range(12))
