"""The lines of snapshots, classified, and what changed from one snapshot to the next, by cause.

What belongs here: running the project's own models over the files of single snapshots, and the comparison. What must
not: which snapshots are compared (`restatement_steps`), or the ledger (`restatements`).

Every snapshot is classified by itself, for two snapshots of one bill hold lines of one name. Work is in proportion to
the lines of the snapshots compared, whatever else the lake holds.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.contract import Delivery, TypedFile
from connectors.common.datasets import BILL_DATASETS, DATASETS
from pipelines.night.inputs import BILL_DELIVERY_SCHEMA, build_dataset_relation
from pipelines.night.restatement_steps import Step
from pipelines.warehouse.engine import Engine, EngineSettings, quote_text
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.relations import Relation, duckdb_columns
from pipelines.warehouse.runner import Build

CLASSIFIED = "core.charges"
_DELIVERED = "staging.charges"

_LINES_SQL = f"""
select
    charges.x_snapshot_id as snapshot_id, charges.x_line_key as line_key, charges.charge_category,
    charges.charge_class, lines.x_correction_cause as correction_cause, charges.service_name,
    charges.cost_driver, charges.billing_currency, charges.sku_id, charges.sku_meter,
    charges.charge_period_start, charges.charge_period_end,
    cast(sum(charges.billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(charges.effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(coalesce(lines.pricing_quantity, lines.consumed_quantity)) as decimal(38, 12)) as quantity,
    count(*) as lines
from {CLASSIFIED} as charges
inner join {_DELIVERED} as lines
    on charges.charge_id = lines.charge_id and charges.x_snapshot_id = lines.x_snapshot_id
group by all
"""  # noqa: S608 (names of our own models)

_CHANGES_SQL = """
with sides as (
    select pairs.step_id, pairs.is_first, pairs.complete_until, true as is_new, lines.*
    from pairs inner join lines on pairs.snapshot_id = lines.snapshot_id
    union all
    select pairs.step_id, pairs.is_first, pairs.complete_until, false as is_new, lines.*
    from pairs inner join lines on pairs.replaced_snapshot_id = lines.snapshot_id
),
paired as (
    select
        step_id, is_first, complete_until, line_key, charge_category, charge_class, correction_cause, service_name,
        cost_driver, billing_currency, sku_id, sku_meter, charge_period_start, charge_period_end,
        coalesce(sum(lines) filter (where not is_new), 0) as previous_lines,
        coalesce(sum(lines) filter (where is_new), 0) as lines,
        coalesce(sum(billed_cost) filter (where not is_new), 0) as previous_billed_cost,
        coalesce(sum(billed_cost) filter (where is_new), 0) as billed_cost,
        coalesce(sum(effective_cost) filter (where not is_new), 0) as previous_effective_cost,
        coalesce(sum(effective_cost) filter (where is_new), 0) as effective_cost,
        sum(quantity) filter (where not is_new) as previous_quantity,
        sum(quantity) filter (where is_new) as quantity
    from sides
    group by all
),
marked as (
    select
        *,
        previous_lines > 0 and lines > 0 and billed_cost = previous_billed_cost
        and effective_cost = previous_effective_cost and quantity is not distinct from previous_quantity as is_equal
    from paired
),
moved as (
    select
        step_id, billing_currency, charge_category, service_name, sku_id, sku_meter, charge_period_start,
        charge_period_end,
        sum(billed_cost - previous_billed_cost) = 0 and sum(effective_cost - previous_effective_cost) = 0
        and sum(coalesce(quantity, 0) - coalesce(previous_quantity, 0)) = 0 as is_moved,
        sum(coalesce(quantity, 0)) = sum(coalesce(previous_quantity, 0)) and sum(previous_quantity) <> 0
            as is_repriced
    from marked
    where not is_equal
    group by all
),
caused as (
    select
        marked.*,
        case
            when marked.is_first then 'first'
            when marked.is_equal then 'unchanged'
            when moved.is_moved then 'reallocation'
            when marked.charge_category = 'Tax' then 'tax'
            when marked.charge_category = 'Credit' or marked.correction_cause in ('credit', 'refund') then 'credit'
            when marked.correction_cause = 'price' then 'price'
            when marked.correction_cause = 'usage' then 'late_usage'
            when marked.charge_class = 'Correction' or marked.charge_category = 'Adjustment' then 'correction'
            when moved.is_repriced then 'price'
            when marked.lines > 0 and marked.previous_lines > 0
                and marked.quantity is not distinct from marked.previous_quantity then 'price'
            when marked.charge_period_end > marked.complete_until then 'new_usage'
            when marked.lines = 0 then 'correction'
            else 'late_usage'
        end as cause
    from marked
    left join moved
        on marked.step_id = moved.step_id
        and marked.billing_currency is not distinct from moved.billing_currency
        and marked.charge_category is not distinct from moved.charge_category
        and marked.service_name is not distinct from moved.service_name
        and marked.sku_id is not distinct from moved.sku_id
        and marked.sku_meter is not distinct from moved.sku_meter
        and marked.charge_period_start is not distinct from moved.charge_period_start
        and marked.charge_period_end is not distinct from moved.charge_period_end
)
select
    step_id, service_name, cost_driver, billing_currency, cause,
    cast(sum(previous_lines) as bigint) as previous_lines,
    cast(sum(lines) as bigint) as lines,
    cast(sum(previous_billed_cost) as decimal(38, 12)) as previous_billed_cost,
    cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(previous_effective_cost) as decimal(38, 12)) as previous_effective_cost,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(greatest(billed_cost - previous_billed_cost, 0)) as decimal(38, 12)) as increase_billed_cost
from caused
group by all
order by all
"""

_PAIR_SCHEMA = pa.schema(
    [
        ("step_id", pa.int64()),
        ("is_first", pa.bool_()),
        ("snapshot_id", pa.string()),
        ("replaced_snapshot_id", pa.string()),
        ("complete_until", pa.timestamp("us")),
    ]
)


def build_changes(build: Build, steps: Sequence[Step], folder: Path) -> pa.Table:
    """Return what each step changed: one row a step (`step_id`: its place in `steps`), service, driver, currency and
    cause, with the lines and costs before and after. `folder` is scratch, and gone afterwards.

    Raises BuildError when a model cannot be run.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        files = [
            _write_lines(build, contents, folder, number) for number, contents in enumerate(_rounds(steps))
        ]
        return _compare(build, steps, files, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rounds(steps: Sequence[Step]) -> Iterator[list[Delivery]]:
    """All contents to be read, so that no round holds two of one scope: their lines have the same names."""
    by_scope: dict[tuple[str, str, str], dict[str, Delivery]] = {}
    for step in steps:
        for delivery in step.contents:
            scope = (delivery.source, delivery.dataset, delivery.scope)
            by_scope.setdefault(scope, {}).setdefault(delivery.snapshot_id, delivery)
    queues = [list(contents.values()) for contents in by_scope.values()]
    for number in range(max(map(len, queues), default=0)):
        yield [queue[number] for queue in queues if number < len(queue)]


def _write_lines(build: Build, contents: Sequence[Delivery], folder: Path, number: int) -> Path:
    """Classify the lines of these contents with the models of the build, and write them as one file."""
    files = [file for delivery in contents for file in delivery.typed_files]
    home = folder / str(number)
    target = folder / f"lines-{number}.parquet"
    inputs = _scratch_inputs(build, files)
    with Build(
        home, build.models, inputs, build.parameters, engine=_scratch_settings(build, home)
    ) as scratch:
        for name in find_needed_models(build.models):
            scratch.run(name)
        scratch.write(_LINES_SQL, target)
    shutil.rmtree(home)
    return target


def find_needed_models(models: ModelSet) -> list[str]:
    """The models that classified lines depend on, in the order they run."""
    needed: set[str] = set()
    waiting = [CLASSIFIED, _DELIVERED]
    while waiting:
        name = waiting.pop()
        if name in models.models and name not in needed:
            needed.add(name)
            waiting.extend(models[name].dependencies)
    return [name for name in models.order if name in needed]


def _scratch_inputs(build: Build, files: Sequence[TypedFile]) -> Mapping[str, Relation]:
    """The build's own inputs, with the bills replaced by these files; old files may lack newer columns."""
    inputs = {name: r.relation for name, r in build.records.items() if r.kind == "input"}
    for name in BILL_DATASETS:
        own = [file for file in files if file.dataset == name]
        inputs[f"lake.{name}"] = replace(build_dataset_relation(DATASETS[name], own), is_by_name=True)
    deliveries = Relation("lake.bill_deliveries", duckdb_columns(BILL_DELIVERY_SCHEMA), "month", {})
    return {**inputs, "lake.bill_deliveries": deliveries}


def _scratch_settings(build: Build, home: Path) -> EngineSettings:
    return replace(build.settings, temp_directory=home / "spill")


def _compare(build: Build, steps: Sequence[Step], files: Sequence[Path], folder: Path) -> pa.Table:
    pairs = folder / "pairs.parquet"
    pq.write_table(pa.Table.from_pylist([*_pair_rows(steps)], schema=_PAIR_SCHEMA), pairs)
    paths = ", ".join(quote_text(str(file)) for file in files)
    with Engine(_scratch_settings(build, folder)) as engine:
        for name, files_of in (("pairs", quote_text(str(pairs))), ("lines", paths)):
            engine.execute(f"create view {name} as select * from read_parquet([{files_of}])")  # noqa: S608 (our own files, quoted)
        return engine.run(_CHANGES_SQL).to_arrow_table()


def _pair_rows(steps: Sequence[Step]) -> Iterator[dict[str, object]]:
    for number, step in enumerate(steps):
        complete_until: datetime | None = None
        if step.previous is not None:
            complete_until = step.previous.delivered_at - timedelta(hours=step.complete_after_hours)
        yield {
            "step_id": number,
            "is_first": step.previous is None,
            "snapshot_id": step.delivery.snapshot_id,
            "replaced_snapshot_id": None if step.replaced is None else step.replaced.snapshot_id,
            "complete_until": complete_until,
        }
