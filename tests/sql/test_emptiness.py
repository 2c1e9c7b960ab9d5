"""A model that the chain leaves out gives no rows when it runs; what could give a row is never left out."""

from __future__ import annotations

import duckdb
import pytest

from pipelines.warehouse.models import read_statement
from tests.property.companies import WINDOW, build_inputs
from tests.property.test_build_equals_chain import COMPANY
from tests.sql.chain import Chain, Inputs


@pytest.mark.parametrize("inputs", [build_inputs(COMPANY), Inputs({})], ids=["company", "nothing"])
def test_leaving_models_out_changes_no_table_and_no_check(inputs: Inputs) -> None:
    with Chain(inputs, WINDOW, runs_all=True) as whole, Chain(inputs, WINDOW) as shortened:
        assert {n: shortened.table(n) for n in shortened.ran} == {n: whole.table(n) for n in whole.ran}
        assert shortened.failed_checks() == whole.failed_checks()
        assert any(whole.must_be_empty(name) for name in whole.ran)


EMPTY = (
    "select a from t.none",
    "select a, count(*) from t.none group by a",
    "select sum(a) over () from t.none",
    "with c as (select a from t.none) select c.a from c inner join t.some using (a)",
    "select a from t.some inner join t.none using (a)",
    "select a from t.some semi join t.none using (a)",
    "select n.a from t.none as n left join t.some using (a)",
    "select s.a from t.none as n right join t.empty as s using (a)",
    "select a from t.none union all select a from t.empty",
    "select a from t.none except select a from t.some",
    "select q.a from (select a from t.none) as q, t.some",
    "with recursive c as (select a from t.none union all select a + 1 from c where a < 3) select a from c",
)
NOT_EMPTY = (
    "select 1 as a",
    "select a from t.some",
    "select count(*) from t.none",
    "select 1 + coalesce(sum(a), 0) from t.none",
    "select count(*) from t.none having count(*) = 0",
    "select a, count(*) from t.none group by rollup (a)",
    "select count(*) from t.none group by all",
    "select s.a from t.some as s left join t.none using (a)",
    "select s.a from t.none right join t.some as s using (a)",
    "select s.a from t.some as s full join t.none as n using (a)",
    "select s.a from t.some as s anti join t.none using (a)",
    "select a from t.none union all select a from t.some",
    "select a from t.some except select a from t.none",
    "with c as (select count(*) as a from t.none) select a from c",
    "with recursive c as (select 1 as a union all select a + 1 from c where a < 3) select a from c",
    "select a from (values (1)) as v(a)",
)


@pytest.mark.parametrize("sql", [*EMPTY, *NOT_EMPTY])
def test_what_is_called_empty_is_empty_in_the_engine(sql: str) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("create schema t")
        for name, end in (("none", "where false"), ("empty", "where false"), ("some", "")):
            connection.execute(f"create table t.{name} as select 1 as a {end}")
        rows = connection.execute(sql).fetchall()
    assert bool(rows) == (sql in NOT_EMPTY)
    assert read_statement(sql, "test").gives_no_rows({"t.none", "t.empty"}.__contains__) == (sql in EMPTY)
