"""The release store on real DuckDB catalogues: current, going back, guarded queries, portable files."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.warehouse.errors import ArgumentError, LockedError, PublishError
from pipelines.warehouse.lock import writer_lock
from pipelines.warehouse.portable import export_duckdb
from pipelines.warehouse.query import QueryError, run_query
from pipelines.warehouse.release import ReleaseStore
from pipelines.warehouse.result_files import neutralise_cell, write_csv, write_json, write_parquet
from tests.unit.release_fixture import FIRST, HOSTILE_FEATURE, SECOND, SIDE, TABLES, THIRD, build_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return build_home(tmp_path / "it's home")


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> ReleaseStore:
    """A home that its tests only read."""
    return ReleaseStore(build_home(tmp_path_factory.mktemp("steady") / "it's home"))


@pytest.fixture
def store(home: Path) -> ReleaseStore:
    return ReleaseStore(home)


def rows_of(store: ReleaseStore, sql: str) -> list[tuple]:
    with run_query(store.current(), sql) as result:
        return list(result.rows())


def test_releases_are_listed_newest_first_with_one_current(store: ReleaseStore) -> None:
    releases = [release for release in store.list() if not release.is_side]
    assert [release.name for release in releases] == [THIRD, SECOND, FIRST]
    assert [release.is_current for release in releases] == [True, False, False]
    assert str(releases[0].published_at) == "2026-11-20 03:00:00"


def test_a_half_written_release_is_not_listed(store: ReleaseStore) -> None:
    (store.releases_folder / "20261121T030000Z-eeeeeeee").mkdir()
    assert [release.name for release in store.list()] == [THIRD, SECOND, FIRST, SIDE]
    assert store.current().name == THIRD


def test_no_release_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(PublishError, match="everycent nightly"):
        ReleaseStore(tmp_path).current()


def test_rollback_goes_one_back_each_time_and_stops_at_the_first(store: ReleaseStore) -> None:
    assert store.rollback().name == SECOND
    assert rows_of(store, "select name from marts.release_name") == [(SECOND,)]
    assert store.rollback().name == FIRST
    with pytest.raises(PublishError, match="no release before"):
        store.rollback()
    assert store.current().name == FIRST
    assert store.rollback(THIRD).name == THIRD
    assert store.current().name == THIRD


def test_rollback_refuses_unknown_and_side_releases(store: ReleaseStore) -> None:
    with pytest.raises(PublishError, match=SECOND):
        store.rollback("20260101T000000Z-nothing")
    with pytest.raises(PublishError, match="as-of"):
        store.rollback(SIDE)
    assert store.current().name == THIRD


def test_rollback_waits_for_no_writer(store: ReleaseStore) -> None:
    with writer_lock(store.home), pytest.raises(LockedError, match="Another run"):
        store.rollback()
    assert store.current().name == THIRD


def test_readers_never_see_a_missing_pointer_while_it_swaps(store: ReleaseStore) -> None:
    seen: set[str] = set()
    stop = threading.Event()
    failures: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(Path(os.readlink(store.pointer)).name)
            except OSError as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for name in [FIRST, SECOND, THIRD] * 100:
        store.rollback(name)
    stop.set()
    reader.join()
    assert not failures
    assert len(seen) > 1
    assert not store.pointer.with_name("current.next").is_symlink()


def test_an_open_reader_keeps_its_release(store: ReleaseStore) -> None:
    connection = store.open_read_only()
    store.rollback()
    assert connection.execute("select name from marts.release_name").fetchall() == [(THIRD,)]
    connection.close()


def test_a_home_behind_a_symlink_can_be_queried(store: ReleaseStore, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(store.home)
    assert rows_of(ReleaseStore(link), "select count(*) from core.charges") == [(3,)]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into marts.release_name values ('x')",
        "update marts.release_name set name = 'x'",
        "create temp table x as select 1",
        "attach '/tmp/other.duckdb' as other",
        "copy (select 1) to '/tmp/stolen.csv'",
        "export database '/tmp/stolen'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "reset lock_configuration",
        "pragma database_list",
        "/* a comment */ pragma database_list",
        "pragma threads = 4",
        "call pragma_version()",
        "explain select 1",
        "select 1; select 2",
        "select 1; drop table marts.release_name",
        "with x as (select 1) insert into marts.release_name select 'x'",
        "",
        "-- nothing",
        "selec 1",
        "select * from no_such_table",
    ],
)
def test_anything_but_one_select_is_refused(steady: ReleaseStore, sql: str) -> None:
    with pytest.raises(QueryError):
        rows_of(steady, sql)
    assert rows_of(steady, "select name from marts.release_name") == [(THIRD,)]


@pytest.mark.parametrize(
    "source",
    [
        "read_csv('/etc/passwd')",
        "read_text('/etc/passwd')",
        "read_blob('/etc/passwd')",
        "sniff_csv('/etc/passwd')",
        "glob('/etc/*')",
        "'/etc/passwd'",
        "'http://127.0.0.1:1/x.parquet'",
        "read_text('{tables}/../../../secret.txt')",
        "read_text('{tables}/leak/secret.txt')",
        "read_text('{home}/lake/raw/bill.csv')",
        "read_text('{home}/warehouse/releases/*/manifest.json')",
        "python_variable",
    ],
)
def test_nothing_but_the_release_can_be_read(steady: ReleaseStore, source: str) -> None:
    python_variable = duckdb.sql("select 42").arrow()
    assert python_variable is not None
    tables = steady.home / "warehouse" / "tables"
    (steady.home.parent / "secret.txt").write_text("secret")
    if not (tables / "leak").is_symlink():
        (tables / "leak").symlink_to(steady.home.parent)
    (steady.home / "lake" / "raw").mkdir(parents=True, exist_ok=True)
    (steady.home / "lake" / "raw" / "bill.csv").write_text("secret")
    quoted = source.format(tables=str(tables).replace("'", "''"), home=str(steady.home).replace("'", "''"))
    with pytest.raises(QueryError):
        rows_of(steady, f"select * from {quoted}")


def test_views_over_typed_lake_files_can_be_read(store: ReleaseStore) -> None:
    file = store.home / "lake" / "requests" / "logs" / "2026-11-19" / "x.parquet"
    file.parent.mkdir(parents=True)
    quoted = str(file).replace("'", "''")
    duckdb.sql(f"copy (select 7 as seven) to '{quoted}'")
    writer = duckdb.connect(str(store.current().catalogue))
    writer.execute(f"create view staging.sevens as select * from read_parquet(['{quoted}'])")
    writer.close()
    assert rows_of(store, "select seven from staging.sevens") == [(7,)]


def test_a_missing_file_of_the_release_is_named(store: ReleaseStore) -> None:
    file = store.home / "warehouse" / "tables" / "marts.cost_daily" / "all" / "0123.parquet"
    file.unlink()
    with pytest.raises(QueryError, match=r"0123\.parquet.*moved"):
        rows_of(store, "select * from marts.cost_daily")


def test_describe_and_a_trailing_semicolon_work(steady: ReleaseStore) -> None:
    assert rows_of(steady, "select 1;") == [(1,)]
    assert len(rows_of(steady, "describe marts.cost_daily")) == 4


RESULT = "select feature, effective_cost, requests, charge_date from marts.cost_daily order by effective_cost"


def test_csv_keeps_numbers_and_disarms_text(steady: ReleaseStore) -> None:
    stream = io.StringIO()
    with run_query(steady.current(), RESULT) as result:
        assert write_csv(result, result.rows(), stream) == 3
    rows = list(csv.reader(io.StringIO(stream.getvalue())))
    assert rows[1:] == [
        ["", "-1.500000000000", "0", "2026-11-19"],
        [f"'{HOSTILE_FEATURE}", "2.250000000000", "1", "2026-11-19"],
        ["search", "6.750000000000", "3", "2026-11-19"],
    ]


def test_json_keeps_every_digit(steady: ReleaseStore) -> None:
    stream = io.StringIO()
    sql = """select 12345678901234567890.123456789012::decimal(38, 12) as cost, null as nothing,
        [1, 2] as list, 'ä' as text"""
    with run_query(steady.current(), sql) as result:
        write_json(result, result.rows(), stream)
    expected = {
        "cost": Decimal("12345678901234567890.123456789012"),
        "nothing": None,
        "list": [1, 2],
        "text": "ä",
    }
    assert json.loads(stream.getvalue(), parse_float=Decimal) == [expected]


def test_an_empty_result_is_written_in_every_format(steady: ReleaseStore) -> None:
    sql = "select feature from marts.cost_daily where false"
    text = io.StringIO()
    with run_query(steady.current(), sql) as result:
        assert write_csv(result, result.rows(), text) == 0
    assert text.getvalue() == "feature\n"
    with run_query(steady.current(), sql) as result:
        assert write_json(result, result.rows(), text := io.StringIO()) == 0
    assert json.loads(text.getvalue()) == []


@pytest.mark.parametrize(("limit", "expected"), [(None, 3), (2, 2), (0, 0)])
def test_parquet_has_the_types_of_the_query(
    steady: ReleaseStore, tmp_path: Path, limit: int | None, expected: int
) -> None:
    file = tmp_path / "out.parquet"
    with run_query(steady.current(), RESULT) as result, file.open("wb") as stream:
        assert write_parquet(result, limit, stream) == expected
    read = duckdb.sql(f"select * from read_parquet('{file}')")
    assert [str(kind) for kind in read.types] == ["VARCHAR", "DECIMAL(38,12)", "BIGINT", "DATE"]
    assert len(read.fetchall()) == expected


@given(st.text())
def test_no_text_cell_starts_a_formula(text: str) -> None:
    cell = neutralise_cell(text)
    assert cell.removeprefix("'") == text.removeprefix("'")
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_large_sort_may_spill(steady: ReleaseStore) -> None:
    sql = "select count(*) from (select range as n from range(2000000) order by hash(range))"
    assert rows_of(steady, sql) == [(2_000_000,)]


def test_the_exported_file_holds_tables_and_comments_and_needs_nothing_else(
    store: ReleaseStore, tmp_path: Path
) -> None:
    out = tmp_path / "portable.duckdb"
    assert export_duckdb(store.current(), out) == len(TABLES) + 1
    os.rename(store.home / "warehouse" / "tables", store.home / "warehouse" / "gone")
    portable = duckdb.connect(str(out), read_only=True)
    assert portable.execute("select sum(effective_cost) from marts.cost_daily").fetchall() == [
        (Decimal("7.5"),)
    ]
    assert portable.execute("select count(*) from duckdb_views() where not internal").fetchall() == [(0,)]
    comment = "select comment from duckdb_tables() where table_name = 'cost_daily'"
    assert portable.execute(comment).fetchall() == [("Cost per day",)]
    portable.close()


def test_export_refuses_to_overwrite_and_leaves_nothing_half_done(
    store: ReleaseStore, tmp_path: Path
) -> None:
    out = tmp_path / "portable.duckdb"
    out.write_text("precious")
    with pytest.raises(ArgumentError, match="exists already"):
        export_duckdb(store.current(), out)
    assert out.read_text() == "precious"
    (store.home / "warehouse" / "tables" / "core.cells" / "all" / "0123.parquet").unlink()
    with pytest.raises(PublishError):
        export_duckdb(store.current(), tmp_path / "second.duckdb")
    assert sorted(path.name for path in tmp_path.iterdir()) == [store.home.name, "portable.duckdb"]
