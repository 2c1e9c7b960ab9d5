"""Measures what one restated month of twelve costs, and proves that no request is read again for it.

`.venv/bin/python -m benchmarks.restatement --rows 3000000`

A year of requests and bills is generated and attributed: the project's own models up to the fact, with their checks,
in an empty warehouse. Then the bill of one month is delivered again, with other costs, and the files of all requests
are taken away. The build that follows knows what the first one made, as a night does; it can only succeed where nothing
reads a request. Both builds include what every night does whatever changed: opening inputs, taking fingerprints.

What belongs here: the two builds and the proof. What must not: how the data is made (`generated_lake`).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from benchmarks.core_build import FACT, find_core_models, open_core_build
from benchmarks.generated_lake import GeneratedLake, Shape, open_lake, restate_month
from benchmarks.measuring import Measured, empty_folder, measure
from pipelines.night.run import load_models
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import ModelSet

DAYS = 365
_DAYS_SQL = (
    f"select strftime(charge_date, '%Y-%m') as month, sum(billed_cost) as billed from {FACT} group by month"
)


@dataclass(frozen=True)
class Built:
    """One build of the fact: what it took, what stands in it, and what the next one may use again."""

    measured: Measured
    billed: dict[str, Decimal]
    rebuilt: dict[str, tuple[str, ...]]
    manifest: ReleaseManifest


def main() -> None:
    """Reads the arguments, attributes a year and one of its months again, prints the figures."""
    arguments = _parse_arguments()
    shape = Shape(arguments.rows, arguments.rollup_rows, DAYS)
    lake = open_lake(arguments.home, shape, print)
    settings = EngineSettings(memory_limit=arguments.memory_limit)
    models = load_models()
    month = sorted(lake.charges.files)[len(lake.charges.files) // 2]
    with empty_folder(arguments.home / "restated") as folder:
        first = _build(folder, lake, models, shape, settings, None)
        print(f"{DAYS} days in {first.measured.seconds:.2f} s, {first.measured.cpu_seconds:.2f} s of CPU")
        restated = restate_month(lake, month, folder / "charges")
        with _taken_away(lake):
            again = _build(folder, restated, models, shape, settings, first.manifest)
    print(f"{month} again in {again.measured.seconds:.2f} s, {again.measured.cpu_seconds:.2f} s of CPU")
    _check_only(month, first, again)
    print(json.dumps(_figures(first.measured, again.measured, lake)))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.restatement",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    home = Path(tempfile.gettempdir()) / "everycent-benchmarks"
    parser.add_argument("--rows", type=int, default=3_000_000, help="requests of the year (default 3000000)")
    parser.add_argument(
        "--rollup-rows", type=int, default=730_000, help="rows of core.request_usage (default 730000)"
    )
    parser.add_argument("--memory-limit", default="3GB", help="of DuckDB (default 3GB)")
    parser.add_argument(
        "--home", type=Path, default=home, help=f"keeps generated data between runs (default {home})"
    )
    return parser.parse_args()


def _build(
    folder: Path,
    lake: GeneratedLake,
    models: ModelSet,
    shape: Shape,
    settings: EngineSettings,
    previous: ReleaseManifest | None,
) -> Built:
    rebuilt = {}
    with (
        measure() as measured,
        open_core_build(folder, lake, models, shape.last_day, settings, previous) as build,
    ):
        for name in find_core_models(models):
            rebuilt[name] = build.run(name).partitions_built
        if build.failed_checks:
            raise SystemExit(f"a check failed, so the figures mean nothing: {build.failed_checks[:3]}")
        records = dict(build.records)
        rows = build.fetch(_DAYS_SQL).to_pylist()
    manifest = ReleaseManifest("benchmark", "release", shape.last_day.isoformat(), "", {}, records)
    return Built(measured, {row["month"]: row["billed"] for row in rows}, rebuilt, manifest)


@contextmanager
def _taken_away(lake: GeneratedLake) -> Iterator[None]:
    """While it lasts the files of requests are not where they are said to be."""
    folders = {file.path.parent for file in lake.reports.all_files}
    away = {folder: folder.with_name(f"{folder.name}-away") for folder in folders}
    for folder, hidden in away.items():
        folder.rename(hidden)
    try:
        yield
    finally:
        for folder, hidden in away.items():
            hidden.rename(folder)


def _check_only(month: str, first: Built, again: Built) -> None:
    """The restated month costs other money, all others the same, and no day of them was made again."""
    changed = sorted(key for key in first.billed if first.billed[key] != again.billed[key])
    if changed != [month]:
        raise SystemExit(f"{month} was restated, and the cost of {changed} differs: the figures mean nothing")
    others = {
        name: [key for key in keys if key != "all" and not key.startswith(month)]
        for name, keys in again.rebuilt.items()
    }
    strays = {name: keys for name, keys in others.items() if keys}
    if strays:
        raise SystemExit(f"{month} was restated, and these partitions were made again: {strays}")


def _figures(first: Measured, again: Measured, lake: GeneratedLake) -> dict[str, float | int]:
    return {
        "ratio_to_first": round(again.seconds / first.seconds, 4),
        "first_seconds": round(first.seconds, 3),
        "again_seconds": round(again.seconds, 3),
        "cpu_ratio_to_first": round(again.cpu_seconds / first.cpu_seconds, 4),
        "first_cpu_seconds": round(first.cpu_seconds, 3),
        "again_cpu_seconds": round(again.cpu_seconds, 3),
        "peak_rss_gb": round(max(first.rss_bytes, again.rss_bytes) / 1e9, 3),
        "rows": lake.requests.rows,
        "months": len(lake.charges.files),
    }


if __name__ == "__main__":
    main()
