"""Every rule of the portable subset catches what it is for, lets good SQL pass, and the models keep it."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from pipelines.warehouse.errors import ModelError
from pipelines.warehouse.portability import (
    EXCEPTIONS_FILE,
    MODELS,
    PortabilityException,
    check_models,
    check_portability,
    find_models,
    read_exceptions,
    render_spark,
)

VIOLATIONS = [
    ("syntax", "select x from t qualify row_number() over (order by x) = 1"),
    ("syntax", "select t.x from t asof join u on t.x >= u.x"),
    ("syntax", "select t.x from t positional join u"),
    ("syntax", "select t.x from t inner join u using (x)"),
    ("syntax", "with a as (select * exclude (x) from t) select a.y from a"),
    ("syntax", "with a as (select * replace (1 as x) from t) select a.x from a"),
    ("syntax", "select x, count(*) as n from t group by all"),
    ("syntax", "select x from t order by all"),
    ("syntax", "select x from (pivot t on x using sum(y)) as p"),
    ("syntax", "select columns('x.*') from t"),
    ("syntax", "select x from t using sample 3"),
    ("syntax", "select distinct on (x) x from t"),
    ("syntax", "select x from t union all by name select x from u"),
    ("syntax", "select x::date as y from t"),
    ("syntax", "select x as y from t where"),
    ("function", "select list(x) as y from t"),
    ("function", "select list_sum(x) as y from t"),
    ("function", "select [1, 2] as y from t"),
    ("function", "select {'a': x} as y from t"),
    ("function", "select x[1] as y from t"),
    ("function", "select unnest(x) as y from t"),
    ("function", "select list_transform(x, z -> z) as y from t"),
    ("function", "select any_value(x) as y from t"),
    ("function", "select arg_max(x, z) as y from t"),
    ("function", "select now() as y from t"),
    ("function", "select current_date as y from t"),
    ("function", "select today() as y from t"),
    ("function", "select hash(x) as y from t"),
    ("function", "select my_macro(x) as y from t"),
    ("function", "select percentile_disc(0.5) within group (order by x) as y from t"),
    ("function", "select percentile_cont(0.5) within group (order by x) as y from t"),
    ("function", "select quantile_cont(x, 0.5) as y from t"),
    ("function", "select approx_count_distinct(x) as y from t"),
    ("function", "select date_diff('month', x, z) as y from t"),
    ("function", "select extract(dow from x) as y from t"),
    ("function", "select date_trunc('month', x) as y from t"),
    ("function", "select regexp_replace(x, 'a', 'b') as y from t"),
    ("division", "select x / 2 as y from t"),
    ("division", "select x // 2 as y from t"),
    ("float", "select cast(x as double) as y from t"),
    ("float", "select try_cast(x as real) as y from t"),
    ("float", "select avg(x) as y from t"),
    ("window", "select row_number() over (partition by x) as y from t"),
    ("window", "select lag(x) over () as y from t"),
    ("window", "select sum(x) over (rows between unbounded preceding and current row) as y from t"),
    ("window", "select sum(x) over (order by z) as y from t"),
    (
        "window",
        "select sum(x) over (order by d range between interval 3 day preceding and current row) as y from t",
    ),
    ("star", "select * from t"),
    ("star", "select t.* from t"),
    ("star", "with a as (select * from t inner join u on t.x = u.x) select a.x from a"),
    ("star", "with a as (select *, 1 as y from t) select a.x from a"),
    (
        "star",
        "with a as (select 1 as x, 2 as y), b as (select 2 as y, 1 as x), "
        "c as (select * from a union all select * from b) select c.x from c",
    ),
    ("alias", "select x + 1 from t"),
    ("alias", "select x + 1 as y, y + 1 as z from t"),
    ("alias", "select x + 1 as y from t where y > 1"),
    ("alias", "select x + 1 as y, count(*) as n from t group by y"),
]

PORTABLE = """
/*
description: a header is a comment
*/
with

source as (select * from lake.requests where started_at >= $start and started_at < $end),

first_half as (select source.x, source.day, source.k from source where source.k = 1),

other_half as (select source.x, source.day, source.k from source where source.k <> 1),

both_halves as (
    select * from first_half
    union all
    select * from other_half
),

ranked as (
    select
        both_halves.*,
        row_number() over (partition by both_halves.day order by both_halves.x, both_halves.k) as x_rank,
        sum(both_halves.x) over (
            partition by both_halves.day order by both_halves.k
            rows between unbounded preceding and current row
        ) as x_cumulated
    from both_halves
)

select
    ranked.day as charge_date,
    cast(date_trunc('month', ranked.day) as date) as month_start_date,
    lower(ranked.k) as k,
    idiv(ranked.x * 7, 3) as x_part,
    cast(sum(cast(ranked.x as decimal(38, 0))) as decimal(38, 0)) as x_total,
    date_diff('day', date '2026-01-05', ranked.day) % 7 as weekday
from ranked
where ranked.x_rank = 1 and regexp_replace(ranked.k, '[-_ .]+', '-', 'g') <> ''
group by ranked.day, ranked.k, ranked.x
"""


@pytest.mark.parametrize(("rule", "sql"), VIOLATIONS)
def test_a_violation_is_found(rule: str, sql: str) -> None:
    assert rule in {finding.rule for finding in check_portability(sql, "core.m")}


def test_portable_sql_passes() -> None:
    assert check_portability(PORTABLE, "core.m") == []


def test_the_models_keep_the_subset() -> None:
    assert find_models(MODELS)
    findings = check_models(MODELS, read_exceptions(MODELS / EXCEPTIONS_FILE))
    assert not findings, "\n".join(map(str, findings))


def test_an_exception_covers_its_finding_and_an_idle_one_is_reported(tmp_path: Path) -> None:
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "m.sql").write_text("select t.x / 2 as y from t")
    covering = PortabilityException("core.m", "division", "x / 2", "a share, not money")
    idle = PortabilityException("core.m", "float", "y", "no longer there")
    assert [f.rule for f in check_models(tmp_path, ())] == ["division"]
    assert check_models(tmp_path, (covering,)) == []
    assert [f.rule for f in check_models(tmp_path, (covering, idle))] == ["float"]


def test_an_exception_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "exceptions.yml"
    path.write_text("- {model: core.m, rule: division, contains: x, reason: ' '}")
    with pytest.raises(ModelError, match="reason"):
        read_exceptions(path)


@pytest.mark.parametrize(
    ("dividend", "divisor"),
    [(7, 2), (-7, 2), (7, -2), (-7, -2), (0, 5), (6, 3), (10**22 * (10**15 - 1) + 1, 10**15 - 1)],
)
def test_the_macro_written_out_for_spark_truncates_like_the_macro(dividend: int, divisor: int) -> None:
    numbers = f"select cast({dividend} as decimal(38, 0)) as a, cast({divisor} as decimal(38, 0)) as b"
    spark = render_spark(f"select idiv(t.a, t.b) as c from ({numbers}) as t")
    assert "IDIV" not in spark.upper() and spark.count(" / ") == 1
    truncated = abs(dividend) // abs(divisor) * (1 if (dividend < 0) == (divisor < 0) else -1)
    connection = duckdb.connect()
    connection.execute("create macro idiv(a, b) as cast(a as hugeint) // cast(b as hugeint)")
    assert connection.execute(f"select idiv(a, b) from ({numbers})").fetchone() == (truncated,)
    # What Spark divides has no rest, so its decimal division is exact; in DuckDB `//` is the exact one.
    in_duckdb = spark.replace(" / ", " // ").replace("DECIMAL(38, 0)", "HUGEINT")
    assert connection.execute(in_duckdb).fetchone() == (truncated,)
    rest = spark.replace(" / ", " % ").replace("DECIMAL(38, 0)", "HUGEINT")
    assert connection.execute(rest).fetchone() == (0,)


def test_parameters_wide_integers_and_comments_are_rendered_for_spark() -> None:
    spark = render_spark("/* note */ select cast(t.x as hugeint) as y from t where t.day >= $start")
    assert spark == ("SELECT\n  CAST(t.x AS DECIMAL(38, 0)) AS y\nFROM t\nWHERE\n  t.day >= :start\n")


@pytest.mark.parametrize(
    "sql",
    [
        "select approx_quantile(x, 0.5) as y from t",
        "select approx_count_distinct(x) as y from t",
        "select approx_top_k(x, 3) as y from t",
    ],
)
def test_an_approximation_is_refused(sql: str) -> None:
    with pytest.raises(ModelError):
        render_spark(sql)


def test_an_exact_percentile_stays_exact() -> None:
    spark = render_spark("select percentile_disc(0.9) within group (order by x) as y from t")
    assert "APPROX" not in spark.upper()


def test_two_statements_are_refused() -> None:
    with pytest.raises(ModelError, match="one SELECT"):
        render_spark("select 1 as a; select 2 as b")
