"""Measures landing and classifying a bill against the least that any tool must do with the same file.

`.venv/bin/python -m benchmarks.charges --rows 5000000`

The floor is DuckDB's own `create table as select *` of the same Parquet file into a file-backed database, with the same
threads and memory. Against it stand the connector (the file becomes typed lines with content digests in the lake) and
the project's own models up to `core.charges`, run and checked by its own build: `ratio_to_ctas`.
Then a year: twelve months are landed and built, and one of them is delivered again with other costs. `restate_ratio` is
the time of that ÷ the time of the first build; the run fails if any file of another month was written again.
Last, a separate process lands the same kind of bill as CSV.gz and tells its peak memory.

What belongs here: what is run and what is measured. What must not: how the data is made (`focus_bill`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.focus_bill import BillShape, write_bill
from benchmarks.generated_lake import empty_relations
from benchmarks.land_bill import CLOCK, land_bill
from benchmarks.measuring import Measured, empty_folder, measure
from connectors.common.contract import SourceReport
from pipelines.config.model import Config
from pipelines.night.inputs import build_lake_relations, write_bill_deliveries
from pipelines.night.reference import build_alias_table, build_price_table, build_reference_tables
from pipelines.night.run import MODELS_FOLDER, load_models
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.runner import Build

TARGET = "core.charges"
"""The last model that is run: every bill line, classified."""

_MONTH = "2026-10"
_YEAR = [f"2026-{number:02d}" for number in range(1, 13)]
_BYTES_A_CSV_LINE = 90
"""What a generated line takes in a CSV.gz, roughly."""


@dataclass(frozen=True)
class BuiltYear:
    """What one run over a home did: seconds of landing and models, and what was written."""

    land_seconds: float
    model_seconds: float
    rows: int
    files: dict[str, dict[str, tuple[str, ...]]]
    manifest: ReleaseManifest


def main() -> None:
    """Reads the arguments, runs floor, bill and year in turn, prints the figures."""
    arguments = _parse_arguments()
    data = arguments.home / "bills"
    bill = write_bill(data, BillShape(_MONTH, arguments.rows))
    _say(f"{bill.name}: {arguments.rows:,} lines, {bill.stat().st_size / 1e6:,.0f} MB")
    engine = EngineSettings(memory_limit=arguments.memory_limit, threads=arguments.threads)
    models = load_models()
    figures: dict[str, float | int] = {}
    floors = [_run_ctas(arguments.home, bill, engine) for _ in range(arguments.rounds)]
    ctas = min(floors, key=lambda run: run.seconds)
    _say(f"create table as select: {ctas.seconds:.2f} s, {ctas.cpu_seconds:.2f} s of CPU")
    with empty_folder(arguments.home / "charges") as folder:
        _deliver(folder, {_MONTH: bill})
        with measure() as measured:
            built = _build(folder, models, engine, None)
        _check_rows(built, arguments.rows)
    figures |= _bill_figures(built, measured, ctas)
    _say(f"landed in {built.land_seconds:.2f} s, modelled in {built.model_seconds:.2f} s")
    figures |= _run_year(arguments, data, models, engine)
    figures |= _run_csv(arguments, data)
    print(json.dumps(figures))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.charges",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default_home = Path(tempfile.gettempdir()) / "everycent-benchmarks"
    parser.add_argument("--rows", type=int, default=5_000_000, help="lines of the month (default 5000000)")
    parser.add_argument("--months", type=int, default=12, help="months of the year, 2 to 12 (default 12)")
    parser.add_argument(
        "--month-rows", type=int, default=300_000, help="lines of each month of the year (default 300000)"
    )
    parser.add_argument(
        "--csv-gb", type=float, default=0.05, help="size of the CSV.gz that is landed (default 0.05)"
    )
    parser.add_argument(
        "--rounds", type=int, default=1, help="times the floor runs; the fastest counts (default 1)"
    )
    parser.add_argument("--memory-limit", default="3GB", help="of DuckDB, for floor and models (default 3GB)")
    parser.add_argument(
        "--threads", type=int, default=None, help="of DuckDB, for floor and models (default all)"
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=default_home,
        help=f"keeps generated data between runs (default {default_home})",
    )
    return parser.parse_args()


def _run_ctas(home: Path, bill: Path, engine: EngineSettings) -> Measured:
    with empty_folder(home / "ctas") as folder, measure() as measured:
        with duckdb.connect(str(folder / "bill.duckdb")) as connection:
            connection.execute("set enable_progress_bar = false")
            connection.execute(f"set memory_limit = '{engine.memory_limit}'")
            if engine.threads is not None:
                connection.execute(f"set threads = {engine.threads}")
            connection.execute(f"create table bill as select * from read_parquet('{bill}')")
    return measured


def _run_year(
    arguments: argparse.Namespace, data: Path, models: ModelSet, engine: EngineSettings
) -> dict[str, float | int]:
    """Build some months, restate one of them, and assert that nothing else was written."""
    months = _YEAR[-arguments.months :]
    restated = months[len(months) // 2]
    bills = {month: write_bill(data, BillShape(month, arguments.month_rows)) for month in months}
    other = write_bill(data, BillShape(restated, arguments.month_rows, version=1))
    with empty_folder(arguments.home / "year") as folder:
        _deliver(folder, bills)
        first = _build(folder, models, engine, None)
        _check_rows(first, arguments.month_rows * len(months))
        _deliver(folder, {restated: other})
        again = _build(folder, models, engine, first.manifest)
        _check_rows(again, arguments.month_rows * len(months))
        _check_only(restated, first, again)
    seconds = [built.land_seconds + built.model_seconds for built in (first, again)]
    told = f"{len(months)} months of {arguments.month_rows:,} lines in {seconds[0]:.2f} s"
    _say(f"{told}, one again in {seconds[1]:.2f} s")
    return {
        "restate_ratio": round(seconds[1] / seconds[0], 4),
        "year_seconds": round(seconds[0], 3),
        "restate_seconds": round(seconds[1], 3),
        "restate_land_seconds": round(again.land_seconds, 3),
        "months": len(months),
        "month_rows": arguments.month_rows,
    }


def _deliver(folder: Path, bills: dict[str, Path]) -> None:
    """Put files where the source looks for them, one a month; a month's newer file takes the older one's name."""
    target = folder / "delivered"
    target.mkdir(exist_ok=True)
    for month, bill in bills.items():
        shutil.copyfile(bill, target / f"{month}{bill.suffix}")


def _build(
    folder: Path, models: ModelSet, engine: EngineSettings, previous: ReleaseManifest | None
) -> BuiltYear:
    started = time.perf_counter()
    report = land_bill(folder / "delivered", folder / "lake")
    land_seconds = time.perf_counter() - started
    if report.has_fault:
        raise SystemExit(f"the bill did not land: {report.findings[0].message}")
    started = time.perf_counter()
    with _open_build(folder, models, engine, [report], previous) as build:
        for name in _needed(models):
            build.run(name)
        if build.failed_checks:
            raise SystemExit(f"a check failed, so the figures mean nothing: {build.failed_checks[:3]}")
        seconds = time.perf_counter() - started
        files = {
            name: {
                key: tuple(str(file.path) for file in listed) for key, listed in record.relation.files.items()
            }
            for name, record in build.records.items()
        }
        manifest = ReleaseManifest("benchmark", "release", CLOCK.isoformat(), "", {}, dict(build.records))
        return BuiltYear(land_seconds, seconds, build.results[TARGET].rows or 0, files, manifest)


def _open_build(
    folder: Path,
    models: ModelSet,
    engine: EngineSettings,
    reports: list[SourceReport],
    previous: ReleaseManifest | None,
) -> Build:
    config = Config()
    reference = MODELS_FOLDER / "reference"
    own = ("lake.prices", "lake.model_aliases")
    relations = empty_relations() | build_lake_relations(reports)
    build = Build(
        home=folder,
        models=models,
        inputs={name: relation for name, relation in relations.items() if name not in own},
        parameters={
            "as_of": CLOCK,
            "today": CLOCK.date(),
            "reporting_currency": config.reporting_currency,
        },
        previous=previous,
        engine=engine,
    )
    build.add_input(write_bill_deliveries(build.tables, reports, CLOCK))
    build.add_table("lake.prices", build_price_table(config, reference))
    build.add_table("lake.model_aliases", build_alias_table(config, reference))
    for name, table in build_reference_tables(config, reference).items():
        build.add_table(name, table)
    return build


def _needed(models: ModelSet) -> Iterable[str]:
    needed = {TARGET}
    for name in reversed(models.order):
        if name in needed:
            needed.update(ref for ref in models[name].dependencies if ref in models.models)
    return [name for name in models.order if name in needed]


def _check_rows(built: BuiltYear, lines: int) -> None:
    if built.rows != lines:
        raise SystemExit(
            f"{TARGET} has {built.rows:,} rows, {lines:,} lines were delivered: the figures mean nothing"
        )


def _check_only(restated: str, first: BuiltYear, again: BuiltYear) -> None:
    """Assert that of the lines' files, in the lake and as charges, exactly the restated month's are new."""
    for name in ("lake.charges", TARGET):
        before, after = first.files[name], again.files[name]
        changed = [month for month in after if after[month] != before.get(month)]
        if changed != [restated] or before.keys() != after.keys():
            raise SystemExit(
                f"{name}: {restated} was restated, and the files of {changed} were written again"
            )


def _bill_figures(built: BuiltYear, measured: Measured, ctas: Measured) -> dict[str, float | int]:
    seconds = built.land_seconds + built.model_seconds
    return {
        "ratio_to_ctas": round(seconds / ctas.seconds, 3),
        "cpu_ratio_to_ctas": round(measured.cpu_seconds / ctas.cpu_seconds, 3),
        "ctas_seconds": round(ctas.seconds, 3),
        "ctas_cpu_seconds": round(ctas.cpu_seconds, 3),
        "land_seconds": round(built.land_seconds, 3),
        "model_seconds": round(built.model_seconds, 3),
        "cpu_seconds": round(measured.cpu_seconds, 3),
        "peak_rss_gb": round(measured.rss_bytes / 1e9, 3),
        "rows": built.rows,
    }


def _run_csv(arguments: argparse.Namespace, data: Path) -> dict[str, float | int]:
    """Land a CSV.gz in a process of its own, whose peak memory is then its own, too."""
    lines = int(arguments.csv_gb * 1e9 / _BYTES_A_CSV_LINE)
    bill = write_bill(data, BillShape(_MONTH, lines), ".csv.gz")
    started = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.land_bill", str(bill)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 (our own module)
    figures = json.loads(done.stdout.splitlines()[-1])
    return {
        "land_csv_gz_rss_mb": figures["peak_rss_mb"],
        "land_csv_gz_seconds": round(time.perf_counter() - started, 3),
        "csv_gz_bytes": bill.stat().st_size,
        "csv_gz_rows": figures["rows"],
    }


_say: Callable[[str], None] = print


if __name__ == "__main__":
    main()
