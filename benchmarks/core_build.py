"""Opens the project's own build over a generated lake, for what leads to the fact.

What belongs here: the inputs of such a build, and which models it runs. What must not: clocks, figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

from benchmarks.generated_lake import GeneratedLake, empty_relations
from connectors.common.contract import SourceReport
from pipelines.config.model import Config
from pipelines.night.inputs import write_bill_deliveries
from pipelines.night.reference import build_alias_table, build_price_table, build_reference_tables
from pipelines.night.run import MODELS_FOLDER
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.runner import Build

FACT = "core.attributed_costs"


def find_core_models(models: ModelSet, targets: Iterable[str] = (FACT,)) -> list[str]:
    """The targets and every model, of staging too, that they or a check of these read, in build order."""
    needed = {*targets}
    for name in reversed(models.order):
        if name in needed:
            needed.update(ref for ref in models[name].dependencies if ref in models.models)
    return [name for name in models.order if name in needed]


def open_core_build(
    folder: Path,
    lake: GeneratedLake,
    models: ModelSet,
    last_day: date,
    settings: EngineSettings,
    previous: ReleaseManifest | None = None,
) -> Build:
    """A build in `folder` that has all inputs of the fact; `previous` says what need not be made again."""
    config = Config()
    reference = MODELS_FOLDER / "reference"
    known_at = datetime.combine(last_day, datetime.min.time()) + timedelta(days=40)
    relations = empty_relations() | {"lake.requests": lake.reports, "lake.charges": lake.charges}
    own = ("lake.prices", "lake.model_aliases")
    build = Build(
        home=folder,
        models=models,
        inputs={name: relation for name, relation in relations.items() if name not in own},
        parameters={
            "as_of": known_at,
            "today": last_day,
            "reporting_currency": config.reporting_currency,
        },
        previous=previous,
        engine=settings,
    )
    report = SourceReport("generated", "generated", lake.bill_deliveries, ())
    build.add_input(write_bill_deliveries(build.tables, [report], known_at))
    build.add_table("lake.prices", build_price_table(config, reference))
    build.add_table("lake.model_aliases", build_alias_table(config, reference))
    for name, table in build_reference_tables(config, reference).items():
        build.add_table(name, table)
    return build
