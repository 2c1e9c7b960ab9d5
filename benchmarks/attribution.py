"""Measures the attribution core against the least that any tool must do with the same requests.

`.venv/bin/python -m benchmarks.attribution --rows 10000000`

The floor reads the same request files, groups them to the rows of the fact (day, owner, zones, model, tier, token
class: the class is a key of the one `group by`) and writes these as daily Parquet: plain DuckDB, same threads and
memory. The lean floor gives the same rows with the least work we know: it groups the requests without token classes
and makes classes of the groups. Both ratios are printed.
The core is the project's own models, run and checked by its own build, from charges and requests to
`core.attributed_costs`. All run in this process, in turn; of each the fastest run counts. Generating is not timed.

What belongs here: what is run and what is measured. What must not: how the data is made (`generated_lake`).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.core_build import find_core_models, open_core_build
from benchmarks.generated_lake import GeneratedLake, Shape, open_lake
from benchmarks.measuring import Measured, empty_folder, measure
from pipelines.night.run import load_models
from pipelines.warehouse.engine import EngineSettings, open_connection
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.runner import Build

_FLOOR_KEYS = (
    "user_id, tenant, customer, team, feature, endpoint, workflow, agent, agent_step, environment, "
    "from_zone, to_zone, provider, model, service_tier"
)
_CLASS_COLUMNS = (
    "uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens"
)
_LEAN_FLOOR_SQL = """
    with grouped as (
        select
            cast(started_at as date) as charge_date,
            {keys},
            count(*) as requests,
            sum(uncached_input_tokens) as uncached_input_tokens,
            sum(cache_read_tokens) as cache_read_tokens,
            sum(cache_write_5m_tokens) as cache_write_5m_tokens,
            sum(cache_write_1h_tokens) as cache_write_1h_tokens,
            sum(output_tokens) as output_tokens
        from read_parquet([{files}])
        group by all
    ),
    by_class as (
        unpivot grouped on {token_classes} into name token_class value quantity_tokens
    )
    select * replace (cast(quantity_tokens as bigint) as quantity_tokens) from by_class where quantity_tokens > 0
"""
_FLOOR_SQL = """
    with by_class as (
        unpivot (
            select cast(started_at as date) as charge_date, {keys}, {token_classes} from read_parquet([{files}])
        ) on {token_classes} into name token_class value quantity_tokens
    )
    select
        charge_date, {keys}, token_class, count(*) as requests, cast(sum(quantity_tokens) as bigint) as quantity_tokens
    from by_class
    where quantity_tokens > 0
    group by all
"""


def main() -> None:
    """Reads the arguments, runs floor and core in turn, prints the figures."""
    arguments = _parse_arguments()
    shape = Shape(arguments.rows, arguments.rollup_rows, arguments.days)
    lake = open_lake(arguments.home, shape, _say, is_seen_twice=arguments.seen_twice)
    settings = EngineSettings(memory_limit=arguments.memory_limit, threads=arguments.threads)
    models = load_models()
    floors, lean_floors, cores = [], [], []
    for number in range(1, arguments.rounds + 1):
        floors.append(_run_floor(arguments.home, lake, settings, _FLOOR_SQL))
        _say(f"round {number}: floor {_describe(floors[-1])}, {floors[-1].rows['floor']:,} rows written")
        lean_floors.append(_run_floor(arguments.home, lake, settings, _LEAN_FLOOR_SQL))
        _say(f"round {number}: lean floor {_describe(lean_floors[-1])}")
        cores.append(_run_core(arguments.home, lake, models, shape, settings))
        _say(f"round {number}: core  {_describe(cores[-1])}, {_fact_rows(cores[-1]):,} rows written")
    core, floor, lean_floor = (
        min(runs, key=lambda run: run.seconds) for runs in (cores, floors, lean_floors)
    )
    _show_models(core)
    figures = _figures(shape, core, floor, max(run.rss_bytes for run in cores))
    figures["ratio_to_lean_floor"] = round(core.seconds / lean_floor.seconds, 3)
    figures["lean_floor_seconds"] = round(lean_floor.seconds, 3)
    figures["lean_floor_cpu_seconds"] = round(lean_floor.cpu_seconds, 3)
    print(json.dumps(figures))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.attribution",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default_home = Path(tempfile.gettempdir()) / "everycent-benchmarks"
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="requests to attribute (default 10000000)"
    )
    parser.add_argument(
        "--rollup-rows", type=int, default=200_000, help="rows of core.request_usage (default 200000)"
    )
    parser.add_argument("--days", type=int, default=30, help="days that the requests cover (default 30)")
    parser.add_argument(
        "--rounds", type=int, default=2, help="times that floor and core run in turn (default 2)"
    )
    parser.add_argument(
        "--seen-twice",
        action="store_true",
        help="the provider's log reports every call too, so that the core merges all of them; the floor does not",
    )
    parser.add_argument("--memory-limit", default="3GB", help="of DuckDB, for floor and core (default 3GB)")
    parser.add_argument(
        "--threads", type=int, default=None, help="of DuckDB, for floor and core (default all)"
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home,
        help=f"keeps generated data between runs (default {default_home})",
    )
    return parser.parse_args()


def _run_floor(home: Path, lake: GeneratedLake, settings: EngineSettings, select: str) -> Measured:
    files = ", ".join(f"'{file.path}'" for file in lake.requests.all_files)
    with empty_folder(home / "floor") as folder:
        rows = select.format(keys=_FLOOR_KEYS, files=files, token_classes=_CLASS_COLUMNS)
        sql = f"copy ({rows}) to '{folder / 'rows'}' (format parquet, compression zstd, partition_by (charge_date))"
        with measure() as measured, open_connection(":memory:", settings) as connection:
            measured.rows["floor"] = connection.execute(sql).fetchall()[0][0]
    return measured


def _run_core(
    home: Path, lake: GeneratedLake, models: ModelSet, shape: Shape, settings: EngineSettings
) -> Measured:
    with (
        empty_folder(home / "core") as folder,
        open_core_build(folder, lake, models, shape.last_day, settings) as build,
    ):
        with measure() as measured:
            for name in find_core_models(models):
                result = build.run(name)
                measured.seconds_by_model[name] = result.seconds
                measured.rows[name] = result.rows or 0
        if build.failed_checks:
            raise SystemExit(f"a check failed, so the figures mean nothing: {build.failed_checks[:3]}")
        _show_shares(build)
    return measured


def _show_shares(build: Build) -> None:
    rows = build.fetch(
        "select method_id, residual_reason, count(*) as fact_rows, sum(billed_cost) as cost "
        "from core.attributed_costs group by method_id, residual_reason order by fact_rows desc"
    ).to_pylist()
    for row in rows:
        reason = row["residual_reason"] or "attributed"
        _say(
            f"    {row['method_id']:>18} {reason:<20} {row['fact_rows']:>10,} rows {row['cost'] or 0:>16,.2f} USD"
        )


def _figures(shape: Shape, core: Measured, floor: Measured, rss_bytes: int) -> dict[str, float | int]:
    return {
        "ratio_to_floor": round(core.seconds / floor.seconds, 3),
        "seconds": round(core.seconds, 3),
        "floor_seconds": round(floor.seconds, 3),
        "cpu_ratio_to_floor": round(core.cpu_seconds / floor.cpu_seconds, 3),
        "cpu_seconds": round(core.cpu_seconds, 3),
        "floor_cpu_seconds": round(floor.cpu_seconds, 3),
        "peak_rss_gb": round(rss_bytes / 1e9, 3),
        "rows": shape.rows_a_day * shape.days,
        "rollup_rows": core.rows["core.request_usage"],
        "fact_rows": _fact_rows(core),
        "floor_rows": floor.rows["floor"],
    }


def _fact_rows(core: Measured) -> int:
    return core.rows["core.direct_costs"] + core.rows["core.shared_costs"]


def _show_models(core: Measured) -> None:
    for name, seconds in sorted(core.seconds_by_model.items(), key=lambda item: -item[1]):
        if seconds >= 0.05:
            print(f"{seconds:8.2f} s  {name} ({core.rows[name]:,} rows)", file=sys.stderr)


def _describe(run: Measured) -> str:
    return f"{run.seconds:.2f} s, {run.cpu_seconds:.2f} s of CPU, {run.rss_bytes / 1e9:.2f} GB"


_say: Callable[[str], None] = print


if __name__ == "__main__":
    main()
