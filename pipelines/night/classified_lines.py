"""Where the classified lines of a bill's snapshots stand: in this build, in the release before, or nowhere yet.

What belongs here: finding files of `core.charges` that hold a snapshot's lines, and making those that no build has.
What must not: comparing snapshots (`restatement_lines`), or which ones are compared (`restatement_steps`).

The current snapshots are classified by the night itself, and those before them were by the night before: on most nights
no line is classified for a comparison alone. What is left, such as an account's old deliveries, goes through the
project's own models in a scratch build, each snapshot by itself, for two of one bill hold lines of one name.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connectors.common.contract import Delivery, TypedFile
from connectors.common.datasets import BILL_DATASETS, DATASETS
from pipelines.night.inputs import BILL_DELIVERY_SCHEMA, build_dataset_relation
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.manifest import RelationRecord
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.relations import Relation, duckdb_columns
from pipelines.warehouse.runner import Build

CLASSIFIED = "core.charges"
COLUMNS = (
    "x_snapshot_id",
    "x_line_key",
    "charge_category",
    "charge_class",
    "x_correction_cause",
    "service_name",
    "cost_driver",
    "billing_currency",
    "sku_id",
    "sku_meter",
    "charge_period_start",
    "charge_period_end",
    "billed_cost",
    "effective_cost",
    "line_quantity",
)
"""What a comparison reads of `core.charges`."""

_BILLS = frozenset(f"lake.{name}" for name in BILL_DATASETS)
_OTHER_COLUMNS = frozenset(
    {"lake.bill_deliveries", "lake.fx_rates", "lake.sku_prices", "lake.rate_cards", "reference.rate_card_days"}
)
"""Inputs of `core.charges` that none of these columns depends on."""


@dataclass(frozen=True)
class ClassifiedFiles:
    """Parquet files with the columns of a comparison, and the snapshots to be read of them."""

    files: tuple[Path, ...]
    snapshots: tuple[str, ...]


def find_classified(build: Build, contents: Iterable[Delivery], folder: Path) -> list[ClassifiedFiles]:
    """Return files that hold the classified lines of these deliveries; each snapshot stands in one of them.

    The build's own models are run as far as they are needed. `folder` takes what is made for the comparison alone.
    Raises BuildError when a model cannot be run.
    """
    wanted = {delivery.snapshot_id: delivery for delivery in contents if delivery.typed_files}
    current = [d for d in wanted.values() if _is_read(build.records, d)]
    if current:
        for name in find_needed_models(build.models):
            if name not in build.results:
                build.run(name)
    kept: list[Delivery] = []
    before = build.previous.relations if build.previous else {}
    if before and _is_classified_alike(build, before):
        kept = [d for d in wanted.values() if d not in current and _is_read(before, d)]
    found = [*_take(build.records, current), *_take(before, kept)]
    rest = [d for d in wanted.values() if d not in current and d not in kept]
    return [*found, *(_classify(build, part, folder, number) for number, part in enumerate(_rounds(rest)))]


def find_needed_models(models: ModelSet) -> list[str]:
    """The models that classified lines depend on, in the order they run."""
    needed: set[str] = set()
    waiting = [CLASSIFIED]
    while waiting:
        name = waiting.pop()
        if name in models.models and name not in needed:
            needed.add(name)
            waiting.extend(models[name].dependencies)
    return [name for name in models.order if name in needed]


def _is_read(records: Mapping[str, RelationRecord], delivery: Delivery) -> bool:
    """Tell whether a build reads the lines of this delivery."""
    record = records.get(f"lake.{delivery.dataset}")
    if record is None:
        return False
    files = record.relation.files
    return all(
        any(file.digest == known.digest for known in files.get(file.partition, ()))
        for file in delivery.typed_files
        if file.rows
    )


def _is_classified_alike(build: Build, before: Mapping[str, RelationRecord]) -> bool:
    """Tell whether the release before was made by the same models and rules: what they say holds today."""
    models = find_needed_models(build.models)
    if any(
        name not in before or before[name].code_digest != build.models[name].code_digest for name in models
    ):
        return False
    files = before[CLASSIFIED].relation.all_files
    inputs = {ref for name in models for ref in build.models[name].dependencies} - {*models}
    return all(file.path.exists() for file in files) and all(
        name in before and before[name].relation.digest == build.records[name].relation.digest
        for name in inputs - _BILLS - _OTHER_COLUMNS
    )


def _take(records: Mapping[str, RelationRecord], deliveries: Sequence[Delivery]) -> Iterator[ClassifiedFiles]:
    """The files of `core.charges` of the deliveries' months."""
    months: dict[str, list[str]] = {}
    for delivery in deliveries:
        for month in {file.partition for file in delivery.typed_files}:
            months.setdefault(month, []).append(delivery.snapshot_id)
    for month, snapshots in sorted(months.items()):
        files = tuple(file.path for file in records[CLASSIFIED].relation.files.get(month, ()))
        if files:
            yield ClassifiedFiles(files, tuple(sorted(snapshots)))


def _rounds(contents: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """All contents, so that no round holds two of one scope: their lines have the same names."""
    by_scope: dict[tuple[str, str, str], list[Delivery]] = {}
    for delivery in contents:
        by_scope.setdefault((delivery.source, delivery.dataset, delivery.scope), []).append(delivery)
    for number in range(max(map(len, by_scope.values()), default=0)):
        yield [queue[number] for queue in by_scope.values() if number < len(queue)]


def _classify(build: Build, contents: Sequence[Delivery], folder: Path, number: int) -> ClassifiedFiles:
    """Classify the lines of these contents with the models of the build, and write them as one file."""
    home = folder / str(number)
    target = folder / f"lines-{number}.parquet"
    inputs = _scratch_inputs(build, [file for delivery in contents for file in delivery.typed_files])
    settings: EngineSettings = replace(build.settings, temp_directory=home / "spill")
    with Build(home, build.models, inputs, build.parameters, engine=settings) as scratch:
        for name in find_needed_models(build.models):
            scratch.run(name)
        scratch.write(f"select {', '.join(COLUMNS)} from {CLASSIFIED}", target)  # noqa: S608 (names of our own)
    shutil.rmtree(home)
    return ClassifiedFiles((target,), tuple(delivery.snapshot_id for delivery in contents))


def _scratch_inputs(build: Build, files: Sequence[TypedFile]) -> Mapping[str, Relation]:
    """The build's own inputs, with the bills replaced by these files; old files may lack newer columns."""
    inputs = {name: r.relation for name, r in build.records.items() if r.kind == "input"}
    for name in BILL_DATASETS:
        own = [file for file in files if file.dataset == name]
        inputs[f"lake.{name}"] = replace(build_dataset_relation(DATASETS[name], own), is_by_name=True)
    deliveries = Relation("lake.bill_deliveries", duckdb_columns(BILL_DELIVERY_SCHEMA), "month", {})
    return {**inputs, "lake.bill_deliveries": deliveries}
