"""A bill that restates a month makes that month again, whatever the history, and reads no request for it.

What belongs here: what `benchmarks.restatement` measures, proven on two small months. What must not: seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from benchmarks.core_build import FACT, find_core_models, open_core_build
from benchmarks.generated_lake import GeneratedLake, Shape, open_lake, restate_month
from pipelines.night.run import load_models
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.errors import BuildError
from pipelines.warehouse.manifest import ReleaseManifest

SHAPE = Shape(rows=61 * 12, rollup_rows=61 * 6, days=61)
"""October and November 2026."""
MONTHS = ("2026-10", "2026-11")
TARGETS = (FACT, "marts.cost_daily", "marts.reconciliation")
MODELS = load_models()
MONTHS_SQL = (
    "select strftime(charge_date, '%Y-%m') as month, sum(billed_cost) as billed from {} group by month"
)


@dataclass(frozen=True)
class Built:
    """What one build made, and what it says of each month."""

    rebuilt: Mapping[str, tuple[str, ...]]
    billed: Mapping[str, Mapping[str, Decimal]]
    manifest: ReleaseManifest


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> GeneratedLake:
    return open_lake(tmp_path_factory.mktemp("company"), SHAPE, lambda _: None)


@pytest.fixture(scope="module")
def first(lake: GeneratedLake, home: Path) -> Built:
    return _build(home, lake)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def again(
    lake: GeneratedLake, home: Path, first: Built, tmp_path_factory: pytest.TempPathFactory
) -> Built:
    """The build after the second month's bill was restated, while no file of requests is where the lake says."""
    restated = restate_month(lake, MONTHS[1], tmp_path_factory.mktemp("restated") / "charges")
    with _hidden(lake):
        return _build(home, restated, previous=first.manifest)


@contextmanager
def _hidden(lake: GeneratedLake) -> Iterator[None]:
    folder = lake.requests.all_files[0].path.parent
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        yield
    finally:
        hidden.rename(folder)


def test_a_restated_month_is_attributed_without_reading_a_request(
    lake: GeneratedLake, first: Built, again: Built
) -> None:
    for table in (FACT, "marts.cost_daily"):
        assert again.billed[table] == {
            MONTHS[0]: first.billed[table][MONTHS[0]],
            MONTHS[1]: _exactly_higher(lake, MONTHS[1]),
        }
    assert again.rebuilt["core.direct_costs"] == _of_month(again)["core.direct_costs"]
    assert len(again.rebuilt["core.direct_costs"]) == 30
    neighbours = {name: keys for name, keys in again.rebuilt.items() if keys != _of_month(again)[name]}
    assert neighbours == {"core.reconciled_usage": ("2026-10-30", "2026-10-31", *_november())}


def test_without_its_requests_a_first_build_fails(lake: GeneratedLake, tmp_path: Path) -> None:
    with _hidden(lake), pytest.raises(BuildError, match="cannot read a file"):
        _build(tmp_path, lake)


def test_what_is_made_again_does_not_depend_on_the_history(
    lake: GeneratedLake, again: Built, tmp_path: Path
) -> None:
    short = _since(lake, MONTHS[1])
    before = _build(tmp_path / "home", short, (FACT,))
    restated = restate_month(short, MONTHS[1], tmp_path / "charges")
    short_again = _build(tmp_path / "home", restated, (FACT,), before.manifest)
    made = _of_month(again)
    assert short_again.rebuilt == {name: made[name] for name in short_again.rebuilt}
    assert short_again.billed[FACT] == {MONTHS[1]: again.billed[FACT][MONTHS[1]]}


def _build(
    home: Path,
    lake: GeneratedLake,
    targets: Sequence[str] = TARGETS,
    previous: ReleaseManifest | None = None,
) -> Built:
    settings = EngineSettings(threads=1)
    with open_core_build(home, lake, MODELS, SHAPE.last_day, settings, previous) as build:
        rebuilt = {name: build.run(name).partitions_built for name in find_core_models(MODELS, targets)}
        assert not build.failed_checks
        billed = {
            table: {row["month"]: row["billed"] for row in build.fetch(MONTHS_SQL.format(table)).to_pylist()}
            for table in (FACT, "marts.cost_daily")
            if table in rebuilt
        }
        records = dict(build.records)
    return Built(rebuilt, billed, ReleaseManifest("test", "release", "2026-12-01", "", {}, records))


def _since(lake: GeneratedLake, month: str) -> GeneratedLake:
    """The same company, whose history begins with this month."""
    return replace(
        lake,
        reports=replace(
            lake.reports, files={key: files for key, files in lake.reports.files.items() if key >= month}
        ),
        charges=replace(
            lake.charges, files={key: files for key, files in lake.charges.files.items() if key >= month}
        ),
        bill_deliveries=tuple(d for d in lake.bill_deliveries if (d.period or "") >= month),
    )


def _exactly_higher(lake: GeneratedLake, month: str) -> Decimal:
    """A tenth more than what the month's bill said, by its lines."""
    (file,) = lake.charges.files[month]
    lines = duckdb.execute(f"select billed_cost from read_parquet('{file.path}')").fetchall()
    assert lines
    return sum((cost * Decimal("1.1") for (cost,) in lines), Decimal(0))


def _of_month(built: Built) -> dict[str, tuple[str, ...]]:
    """What was made again of the second month, and of tables that have no days."""
    return {
        name: tuple(key for key in keys if key == "all" or key.startswith(MONTHS[1]))
        for name, keys in built.rebuilt.items()
    }


def _november() -> tuple[str, ...]:
    return tuple(f"{MONTHS[1]}-{day:02}" for day in range(1, 31))
