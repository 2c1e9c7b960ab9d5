"""Running models over real files: which partitions are built, reused, replaced, and what is written.

What belongs here: the runner's promises on tiny models. What must not: the models of models_sql/.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.publish import publish, read_current_manifest
from pipelines.warehouse.relations import Relation, write_table
from tests.sql.home import (
    DAILY,
    FEES,
    SALES,
    build_all,
    digests,
    manifest_of,
    sales,
    write_input,
    write_models,
)

MONTHLY = """/*
description: Sales of a month.
grain: [charge_month]
partition_by: {column: charge_month, unit: month}
columns: [charge_month, requests]
*/
select cast(date_trunc('month', d.charge_date) as date) as charge_month, sum(d.requests) as requests
from core.daily as d
where d.charge_date >= $start and d.charge_date < $end
group by cast(date_trunc('month', d.charge_date) as date)
"""
TOTAL = """/*
description: All sales.
grain: [feature]
columns: [feature, billed_cost]
*/
select d.feature as feature, sum(d.billed_cost) as billed_cost from core.daily as d group by d.feature
"""
ROLLING = """/*
description: Requests of two days.
grain: [charge_date]
partition_by: {column: charge_date, unit: day}
reads: {core.daily: {days_before: 1}}
columns: [charge_date, requests]
*/
with days as (
    select distinct d.charge_date as charge_date from core.daily as d
    where d.charge_date >= $start and d.charge_date < $end
)
select x.charge_date as charge_date, sum(d.requests) as requests
from days as x
inner join core.daily as d
    on d.charge_date <= x.charge_date and date_diff('day', d.charge_date, x.charge_date) < 2
group by x.charge_date
"""
FEES_MODEL = """/*
description: Fees as billed.
grain: [fee_id]
columns: [fee_id, start_at, end_at, billed_cost]
overlap: {start: start_at, end: end_at}
*/
select f.fee_id as fee_id, f.start_at as start_at, f.end_at as end_at, f.billed_cost as billed_cost
from lake.fees as f
"""
FEE_DAYS = """/*
description: Days that a fee covers, whole or not.
grain: [charge_date, fee_id]
partition_by: {column: charge_date, unit: day}
reads: {core.fees: overlap}
columns: [charge_date, fee_id]
*/
select cast(g.x as date) as charge_date, f.fee_id as fee_id
from core.fees as f
inner join
    generate_series(cast($start as timestamp), cast($end as timestamp) - interval 1 day, interval 1 day) g(x)
    on f.start_at < g.x + interval 1 day and (f.end_at > g.x or f.start_at = g.x)
"""
CHECKED = DAILY.replace(
    "columns: [charge_date, feature, requests, billed_cost]",
    """columns: [charge_date, feature, requests, billed_cost]
checks:
    - name: few_requests
      severity: warn
      description: at most two sales a day and feature
      sql: >
        select * from core.daily where charge_date >= $start and charge_date < $end and requests > 2
    - name: every_sale_counted
      severity: fail
      description: the table holds every sale
      sql: >
        select a.n as sold, b.n as counted
        from (select count(*) as n from lake.sales) as a
        cross join (select sum(requests) as n from core.daily) as b
        where a.n <> b.n""",
)
THREE_DAYS = {
    "2026-01-01": [("chat", "1.5"), ("search", "-0.25")],
    "2026-01-02": [("chat", "2")],
    "2026-01-03": [("chat", "3"), ("chat", "0.000000000001")],
}


def test_day_partitions_hold_their_rows_and_nothing_runs_twice(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": DAILY, "marts.total": TOTAL})
    given = sales(tmp_path / "lake", THREE_DAYS)
    with build_all(tmp_path, models, [given]) as first:
        assert first.results["core.daily"].partitions_built == tuple(THREE_DAYS)
        assert first.results["core.daily"].rows == 4
        total = first.fetch("select * from marts.total order by feature").to_pylist()
    assert total == [
        {"feature": "chat", "billed_cost": Decimal("6.500000000001")},
        {"feature": "search", "billed_cost": Decimal("-0.250000000000")},
    ]
    with build_all(tmp_path, models, [given], manifest_of(first)) as second:
        assert [result.partitions_built for result in second.results.values()] == [(), ()]
        assert second.results["core.daily"].partitions_reused == 3
    assert digests(first, "core.daily") == digests(second, "core.daily")


def test_changed_day_rebuilds_only_what_reads_it(tmp_path: Path) -> None:
    models = write_models(
        tmp_path / "models", {"core.daily": DAILY, "marts.monthly": MONTHLY, "marts.rolling": ROLLING}
    )
    days = {**THREE_DAYS, "2026-02-01": [("chat", "1")]}
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)]) as first:
        pass
    days["2026-01-02"] = [("chat", "2"), ("search", "1")]
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], manifest_of(first)) as second:
        built = {name: result.partitions_built for name, result in second.results.items()}
        rolling = (
            second.fetch("select requests from marts.rolling order by charge_date").column(0).to_pylist()
        )
        monthly = (
            second.fetch("select requests from marts.monthly order by charge_month").column(0).to_pylist()
        )
    assert built == {
        "core.daily": ("2026-01-02",),
        "marts.monthly": ("2026-01",),
        "marts.rolling": ("2026-01-02", "2026-01-03"),
    }
    assert rolling == [2, 4, 4, 1]
    assert monthly == [6, 1]


def test_result_depends_neither_on_windows_nor_on_what_was_reused(tmp_path: Path) -> None:
    models = write_models(
        tmp_path / "models", {"core.daily": DAILY, "marts.rolling": ROLLING, "marts.monthly": MONTHLY}
    )
    given = [
        sales(tmp_path / "lake", {f"2026-01-{d:02}": [("chat", str(d)), ("x", "1")] for d in range(1, 32)})
    ]
    builds = []
    for home, settings in (
        ("whole", EngineSettings()),
        ("daily", EngineSettings(max_days=1)),
        ("rows", EngineSettings(max_rows=7)),
    ):
        with build_all(tmp_path / home, models, given, settings=settings) as build:
            builds.append({name: digests(build, name) for name in models.order})
    assert len(builds[0]["core.daily"]) == 31
    assert builds[0] == builds[1] == builds[2]


def test_bytes_are_equal_on_every_run_also_for_many_row_groups(tmp_path: Path) -> None:
    by_sale = """/*
description: Sales one by one.
grain: [sale_id]
partition_by: {column: charge_date, unit: day}
columns: [charge_date, sale_id, billed_cost]
*/
select cast(s.sold_at as date) as charge_date, s.sale_id as sale_id, s.billed_cost as billed_cost
from lake.sales as s
where s.sold_at >= $start and s.sold_at < $end
"""
    models = write_models(tmp_path / "models", {"core.by_sale": by_sale})
    rows = 300_000
    table = pa.table(
        {
            "sale_id": [f"{(i * 7919) % rows:09}" for i in range(rows)],
            "sold_at": pa.array([datetime(2026, 1, 1 + i % 2) for i in range(rows)], pa.timestamp("us")),
            "feature": ["a"] * rows,
            "billed_cost": pa.array(range(rows)).cast(pa.decimal128(38, 12)),
        },
        schema=SALES,
    )
    written = write_table(tmp_path / "lake", "lake.sales", table)
    month = Relation("lake.sales", written.columns, "month", {"2026-01": written.all_files})
    results = []
    for threads in (1, 2, 2):
        home = tmp_path / f"home{len(results)}"
        with build_all(home, models, [month], settings=EngineSettings(threads=threads)) as build:
            results.append(digests(build, "core.by_sale"))
            assert build.results["core.by_sale"].rows == rows
    assert results[0] == results[1] == results[2]


AS_READ = """/*
description: Every sale with its feature's name in full.
grain: [sold_at, sale_id]
order_by: as_read
partition_by: {column: sold_at, unit: day}
columns: [sold_at, sale_id, feature]
*/
select s.sold_at as sold_at, s.sale_id as sale_id, names.fee_id as feature
from lake.sales as s
left join lake.fees as names on s.feature is not distinct from names.fee_id
where s.sold_at >= $start and s.sold_at < $end
"""


@pytest.mark.parametrize(("sorted_rows", "is_sorted"), [(1_000, False), (1_000_000, True)])
def test_large_partitions_stay_as_read_where_the_header_says_so(
    tmp_path: Path, sorted_rows: int, is_sorted: bool
) -> None:
    """The file holds its rows backwards; what is written keeps that, in the same bytes on every run."""
    entries = [
        {"sale_id": f"{n:06}", "sold_at": datetime(2026, 11, 1), "feature": f"f{n % 7}"}
        for n in reversed(range(300_000))
    ]
    given = write_input(tmp_path / "lake", "lake.sales", SALES, "day", {"2026-11-01": entries})
    names = [{"fee_id": f"f{n}"} for n in range(7)]
    fees = write_input(tmp_path / "lake", "lake.fees", FEES, None, {"all": names})
    models = write_models(tmp_path / "models", {"core.named": AS_READ})
    settings = EngineSettings(threads=2, sorted_rows=sorted_rows)
    written = []
    for home in ("one", "two"):
        with build_all(tmp_path / home, models, [given, fees], settings=settings) as build:
            (file,) = build.records["core.named"].relation.files["2026-11-01"]
            found = pq.read_table(file.path)["sale_id"].to_pylist()
            written.append(file.digest)
        read = [entry["sale_id"] for entry in entries]
        assert found == (sorted(read) if is_sorted else read)
    assert written[0] == written[1]


def test_rows_outside_the_window_are_an_error(tmp_path: Path) -> None:
    unfiltered = DAILY.replace("where s.sold_at >= $start and s.sold_at < $end", "")
    models = write_models(tmp_path / "models", {"core.daily": unfiltered})
    early = sales(tmp_path / "lake", {"2026-01-01": [("chat", "1")] * 25})
    with pytest.raises(BuildError, match=r"daily\.sql.*2026-01-02.*outside 2026-01-01\.\.2026-01-01"):
        build_all(tmp_path, models, [early])


def test_vanished_partition_is_gone_and_an_empty_result_replaces(tmp_path: Path) -> None:
    positive = DAILY.replace("< $end", "< $end and s.billed_cost > 0")
    models = write_models(tmp_path / "models", {"core.daily": positive, "marts.total": TOTAL})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as first:
        pass
    days = {"2026-01-01": [("chat", "-1")], "2026-01-03": THREE_DAYS["2026-01-03"]}
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], manifest_of(first)) as second:
        result = second.results["core.daily"]
        assert result.partitions_built == ("2026-01-01",)
        assert set(digests(second, "core.daily")) == {"2026-01-03"}
        assert second.fetch("select feature, billed_cost from marts.total").to_pylist() == [
            {"feature": "chat", "billed_cost": Decimal("3.000000000001")}
        ]
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], manifest_of(second)) as third:
        assert third.results["core.daily"].partitions_built == ()
    with build_all(tmp_path, models, [sales(tmp_path / "lake", {})], manifest_of(third)) as fourth:
        assert fourth.results["marts.total"].rows == 0
        assert fourth.fetch("select * from marts.total").num_rows == 0


def _fees(folder: Path, *fees: tuple[str, str, str]) -> Relation:
    rows = [
        {
            "fee_id": name,
            "start_at": datetime.fromisoformat(start),
            "end_at": datetime.fromisoformat(end),
            "billed_cost": Decimal(1),
        }
        for name, start, end in fees
    ]
    return write_input(folder, "lake.fees", FEES, None, {"all": rows})


def test_overlap_makes_the_partitions_that_intervals_touch(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.fees": FEES_MODEL, "core.fee_days": FEE_DAYS})
    given = _fees(tmp_path / "lake", ("a", "2026-01-30", "2026-02-02"), ("once", "2026-02-02", "2026-02-02"))
    with build_all(tmp_path, models, [given]) as build:
        rows = build.fetch(
            "select cast(charge_date as varchar) as d, fee_id as f from core.fee_days order by 1, 2"
        )
        assert [tuple(row.values()) for row in rows.to_pylist()] == [
            ("2026-01-30", "a"),
            ("2026-01-31", "a"),
            ("2026-02-01", "a"),
            ("2026-02-02", "once"),
        ]
        assert build.results["core.fee_days"].partitions_total == 4
    shorter = _fees(tmp_path / "lake", ("a", "2026-01-30", "2026-02-01"))
    with build_all(tmp_path, models, [shorter], manifest_of(build)) as build:
        assert set(digests(build, "core.fee_days")) == {"2026-01-30", "2026-01-31"}
    with build_all(tmp_path, models, [shorter], manifest_of(build)) as build:
        assert build.results["core.fee_days"].partitions_built == ()


def test_overlap_with_an_absurd_date_is_an_error_that_names_the_input(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.fees": FEES_MODEL, "core.fee_days": FEE_DAYS})
    given = _fees(tmp_path / "lake", ("a", "2026-01-30", "9999-12-31"))
    with pytest.raises(BuildError, match=r"core\.fees.*wrong date"):
        build_all(tmp_path, models, [given])


def test_views_expand_to_the_files_of_the_partition(tmp_path: Path) -> None:
    view = """/*
description: Sales without refunds.
grain: [sale_id]
materialized: view
partition_by: {column: sold_at, unit: day}
columns: [sale_id, sold_at, feature, billed_cost]
*/
select s.sale_id as sale_id, s.sold_at as sold_at, s.feature as feature, s.billed_cost as billed_cost
from lake.sales as s
where s.billed_cost > 0
"""
    models = write_models(
        tmp_path / "models",
        {"staging.sales": view, "core.daily": DAILY.replace("lake.sales", "staging.sales")},
    )
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as first:
        assert first.results["staging.sales"].rows is None
        assert first.results["core.daily"].rows == 3
        refunds = {**THREE_DAYS, "2026-01-02": [("chat", "2"), ("chat", "-1")]}
    with build_all(tmp_path, models, [sales(tmp_path / "lake", refunds)], manifest_of(first)) as second:
        assert second.results["core.daily"].partitions_built == ("2026-01-02",)
        assert digests(first, "core.daily") == digests(second, "core.daily")
    write_models(tmp_path / "models", {"staging.sales": view.replace("> 0", ">= 0")})
    models = write_models(tmp_path / "models", {})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", refunds)], manifest_of(second)) as third:
        assert len(third.results["core.daily"].partitions_built) == 3


def test_a_parameter_rebuilds_only_models_that_use_it(tmp_path: Path) -> None:
    late = TOTAL.replace("group by", "where d.charge_date < $today group by")
    models = write_models(
        tmp_path / "models", {"core.daily": DAILY, "marts.total": TOTAL, "marts.late": late}
    )
    given = [sales(tmp_path / "lake", THREE_DAYS)]
    with build_all(tmp_path, models, given, today=datetime(2026, 1, 3).date()) as first:
        pass
    with build_all(tmp_path, models, given, manifest_of(first), today=datetime(2026, 1, 4).date()) as second:
        built = [name for name, result in second.results.items() if result.partitions_built]
    assert built == ["marts.late"]
    with pytest.raises(BuildError, match=r"marts\.late uses \$today"):
        build_all(tmp_path, models, given)


def test_header_comment_does_not_rebuild_but_code_and_types_do(tmp_path: Path) -> None:
    given = [sales(tmp_path / "lake", THREE_DAYS)]
    models = write_models(tmp_path / "models", {"core.daily": DAILY})
    with build_all(tmp_path, models, given) as first:
        pass
    for text, built in (
        (DAILY.replace("Sales of a day", "Sold in a day"), 0),
        (DAILY.replace("count(*)", "count(s.sale_id)"), 3),
        (DAILY.replace("[charge_date, feature]", "[feature, charge_date]"), 3),
    ):
        models = write_models(tmp_path / "models", {"core.daily": text})
        with build_all(tmp_path, models, given, manifest_of(first)) as build:
            assert len(build.results["core.daily"].partitions_built) == built


def test_checks_find_violations_and_rerun_only_when_needed(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": CHECKED})
    days = {**THREE_DAYS, "2026-01-01": [("chat", "1")] * 3}
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)]) as first:
        checks = {check.name: check for check in first.results["core.daily"].checks}
    assert [*checks] == ["grain_is_unique", "grain_is_not_null", "few_requests", "every_sale_counted"]
    assert (checks["few_requests"].violations, checks["few_requests"].passed) == (1, False)
    assert checks["few_requests"].sample[0]["requests"] == "3"
    assert not first.failed_checks
    days["2026-01-02"] = [("chat", "1")] * 4
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], manifest_of(first)) as second:
        checks = {check.name: check for check in second.results["core.daily"].checks}
    assert second.results["core.daily"].partitions_built == ("2026-01-02",)
    assert checks["few_requests"].violations == 2
    with build_all(tmp_path, models, [sales(tmp_path / "lake", days)], manifest_of(second)) as third:
        assert third.results["core.daily"].checks == second.results["core.daily"].checks


def test_a_check_by_partition_looks_at_what_changed_in_the_other_tables_that_it_reads(tmp_path: Path) -> None:
    checked = DAILY.replace(
        "columns: [charge_date, feature, requests, billed_cost]",
        """columns: [charge_date, feature, requests, billed_cost]
checks:
    - name: orders_are_counted
      severity: fail
      by: partition
      sql: >
        select o.sale_id from lake.orders as o
        left join core.daily as d on cast(o.sold_at as date) = d.charge_date and o.feature = d.feature
        where d.charge_date is null""",
    )
    models = write_models(tmp_path / "models", {"core.daily": checked})
    sold = sales(tmp_path / "lake", THREE_DAYS)

    def orders(days: Mapping[str, Sequence[tuple[str, str]]]) -> Relation:
        return replace(sales(tmp_path / "orders", days), name="lake.orders")

    given = orders(THREE_DAYS)
    with build_all(tmp_path, models, [sold, given]) as first:
        assert not first.failed_checks
    for key in ("2026-01-01", "2026-01-02"):
        given.files[key][0].path.unlink()
    again = replace(given, files={**given.files, **orders({"2026-01-04": [("chat", "1")]}).files})
    with build_all(tmp_path, models, [sold, again], manifest_of(first)) as second:
        assert second.results["core.daily"].partitions_built == ()
        assert [check.sample for _, check in second.failed_checks] == [({"sale_id": "2026-01-04/0"},)]


def test_lost_and_doubled_rows_block(tmp_path: Path) -> None:
    lossy = CHECKED.replace("< $end\ngroup", "< $end and s.billed_cost <> 2\ngroup")
    models = write_models(tmp_path / "models", {"core.daily": lossy})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as build:
        assert [(name, check.name) for name, check in build.failed_checks] == [
            ("core.daily", "every_sale_counted")
        ]
    doubled = DAILY.replace("grain: [charge_date, feature]", "grain: [charge_date]")
    models = write_models(tmp_path / "models", {"core.daily": doubled})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as build:
        assert [check.name for _, check in build.failed_checks] == ["grain_is_unique"]
        assert build.failed_checks[0][1].sample[0]["charge_date"] == "2026-01-01"


def test_errors_name_model_and_column(tmp_path: Path) -> None:
    given = [sales(tmp_path / "lake", THREE_DAYS)]
    double = DAILY.replace("sum(s.billed_cost)", "cast(sum(s.billed_cost) as double)")
    with pytest.raises(BuildError, match=r"daily\.sql: column billed_cost comes out as DOUBLE"):
        build_all(tmp_path, write_models(tmp_path / "a", {"core.daily": double}), given)
    with pytest.raises(BuildError, match=r"daily\.sql.*no_such"):
        wrong = DAILY.replace("s.feature as", "s.no_such as")
        build_all(tmp_path, write_models(tmp_path / "b", {"core.daily": wrong}), given)
    with pytest.raises(BuildError, match=r"core\.daily reads lake\.sales, which is not there yet"):
        build_all(tmp_path, write_models(tmp_path / "c", {"core.daily": DAILY}), [])


def test_input_of_another_type_than_declared_is_an_error(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": DAILY})
    given = sales(tmp_path / "lake", THREE_DAYS)
    claimed = Relation(given.name, {**given.columns, "billed_cost": "DOUBLE"}, given.unit, given.files)
    with pytest.raises(
        BuildError, match=r"lake\.sales: column billed_cost is DECIMAL\(38,12\).*declared DOUBLE"
    ):
        build_all(tmp_path, models, [claimed])


def test_python_made_relations_and_columns_that_came_later(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": DAILY, "marts.total": TOTAL})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as build:
        build.add_table("lake.forecasts", pa.table({"feature": ["chat"], "requests": [3]}))
        joined = (
            "select d.requests from core.daily as d inner join lake.forecasts as f on f.feature = d.feature"
        )
        assert build.fetch(joined + " where d.requests < $most", {"most": 2}).num_rows == 2
        with pytest.raises(BuildError, match="already read"):
            build.add_input(sales(tmp_path / "lake", {}))
        old = build.records["lake.forecasts"].relation
        later = Relation("lake.old", {**old.columns, "billed_cost": "DECIMAL(38,12)"}, None, old.files, True)
        build.add_input(later)
        assert build.fetch("select * from lake.old").to_pylist() == [
            {"feature": "chat", "requests": 3, "billed_cost": None}
        ]


def test_a_killed_run_leaves_nothing_visible(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": DAILY})
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)]) as build:
        published = publish(build, "first", datetime(2026, 1, 4))
    script = f"""
import os, sys
from datetime import datetime
from pathlib import Path
from pipelines.warehouse import writer
from tests.sql.home import build_all, sales, write_models
keep = writer.keep_file
def die_at_the_second(temporary, rows, key, stats=None):
    if key == "2026-01-02":
        os.kill(os.getpid(), 9)
    return keep(temporary, rows, key, stats)
writer.keep_file = die_at_the_second
home = Path({str(tmp_path)!r})
days = {{key: [("chat", "9"), ("new", "1")] for key in ("2026-01-01", "2026-01-02", "2026-01-03")}}
build_all(home, write_models(home / "models", {{}}), [sales(home / "lake", days)])
"""
    root = Path(__file__).resolve().parents[2]
    died = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)  # noqa: S603 - our own script
    assert died.returncode == -9
    left = [path.name for path in (tmp_path / "warehouse/tables").rglob("_tmp-*")]
    assert left, "the run was to die with a half-written partition"
    manifest = read_current_manifest(tmp_path)
    assert manifest is not None and manifest.run_id == "first"
    assert (tmp_path / "warehouse/current").resolve() == published.path
    with build_all(tmp_path, models, [sales(tmp_path / "lake", THREE_DAYS)], manifest) as again:
        assert again.results["core.daily"].partitions_built == ()
        publish(again, "second", datetime(2026, 1, 5))
    assert not list((tmp_path / "warehouse/tables").rglob("_tmp-*"))


def test_a_vanished_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    models = write_models(tmp_path / "models", {"core.daily": DAILY})
    given = sales(tmp_path / "lake", THREE_DAYS)
    gone = given.all_files[1].path
    gone.unlink()
    with pytest.raises(BuildError, match=f"(?s){gone.name}.*Restore it from a backup"):
        build_all(tmp_path, models, [given])
