"""Engine behaviour that we rely on or once were bitten by; a new DuckDB must pass these before it is let in.

What belongs here: plain DuckDB, no code of ours but the connection. What must not: models.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.warehouse.engine import EngineSettings, open_connection

ROWS = 1_000_000


@pytest.fixture
def connection(tmp_path: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the settings of a build."""
    return open_connection(":memory:", EngineSettings(threads=2, temp_directory=tmp_path))


def test_table_created_empty_before_it_is_filled_keeps_its_rows_findable(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """DuckDB 2.0.0 finds 0 rows when the table is made by `… limit 0` in the same transaction."""
    connection.execute(
        "create table source as select i, date '2026-10-01' + cast(i % 30 as integer) as charge_date "
        f"from range({ROWS}) r(i)"
    )
    connection.execute("create temp table target (i bigint, charge_date date)")
    connection.execute("begin")
    connection.execute("insert into target select i, charge_date from source")
    connection.execute("commit")
    fifth = "where charge_date = date '2026-10-05'"
    assert connection.execute(f"select count(*) from target {fifth}").fetchall() == [(33_334,)]
    assert connection.execute(f"select count(*) from source {fifth}").fetchall() == [(33_334,)]
    assert connection.execute("select min(charge_date) is not null from target").fetchall() == [(True,)]


def test_idiv_truncates_toward_zero_so_that_credits_mirror_charges(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    cases = [
        (7, 2, 3),
        (-7, 2, -3),
        (7, -2, -3),
        (-7, -2, 3),
        (0, 5, 0),
        (10**37, 3, 10**37 // 3),
        (-(10**37), 3, -(10**37 // 3)),
    ]
    for dividend, divisor, quotient in cases:
        assert connection.execute(f"select idiv({dividend}, {divisor})").fetchall() == [(quotient,)]
    assert connection.execute("select idiv(1, 0), typeof(idiv(1, 1))").fetchall() == [(None, "HUGEINT")]


def test_large_money_survives_parquet_to_the_last_digit(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    target = tmp_path / "money.parquet"
    money = "12345678901234567890123456.123456789012"
    connection.execute(f"copy (select cast('{money}' as decimal(38, 12)) as x) to '{target}'")
    found = connection.execute(
        f"select cast(x as varchar), typeof(x) from read_parquet('{target}')"
    ).fetchall()
    assert found == [(money, "DECIMAL(38,12)")]


def test_sum_of_bigint_is_cast_before_it_reaches_parquet(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """HUGEINT becomes DOUBLE in Parquet, silently; so the runner casts every column to its declared type."""
    target = tmp_path / "count.parquet"
    query = "select cast(sum(x) as bigint) as x from (values (9007199254740993::bigint)) v(x)"
    connection.execute(f"copy ({query}) to '{target}'")
    assert connection.execute(f"select x, typeof(x) from read_parquet('{target}')").fetchall() == [
        (9007199254740993, "BIGINT")
    ]


def test_no_extension_is_fetched_and_time_is_utc(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.Error):
        connection.execute("select * from sniff_csv('https://127.0.0.1:9/x.csv')")
    assert connection.execute("select current_setting('TimeZone')").fetchall() == [("UTC",)]
