"""What changed from one snapshot of a bill to the next, by cause, line by line.

What belongs here: the comparison of classified lines. What must not: where these lines come from (`classified_lines`),
which snapshots are compared (`restatement_steps`), or the ledger (`restatements`).

Work is in proportion to the lines of the snapshots compared, whatever else the lake holds. Of a first snapshot, whose
lines all have one cause, only totals are made, but for lines that share their key with a negative one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.night.classified_lines import CLASSIFIED, COLUMNS, ClassifiedFiles, find_classified
from pipelines.night.restatement_steps import Step
from pipelines.warehouse.engine import Engine, quote_text, render_empty
from pipelines.warehouse.runner import Build

_CHANGES_SQL = """
with paired as (
    select
        roles.step_id, roles.complete_until, lines.x_line_key as line_key, lines.charge_category,
        lines.charge_class, lines.x_correction_cause as correction_cause, lines.service_name, lines.cost_driver,
        lines.billing_currency, lines.sku_id, lines.sku_meter, lines.charge_period_start, lines.charge_period_end,
        count(*) filter (where not roles.is_new) as previous_lines,
        count(*) filter (where roles.is_new) as lines,
        coalesce(sum(lines.billed_cost) filter (where not roles.is_new), 0) as previous_billed_cost,
        coalesce(sum(lines.billed_cost) filter (where roles.is_new), 0) as billed_cost,
        coalesce(sum(lines.effective_cost) filter (where not roles.is_new), 0) as previous_effective_cost,
        coalesce(sum(lines.effective_cost) filter (where roles.is_new), 0) as effective_cost,
        sum(lines.line_quantity) filter (where not roles.is_new) as previous_quantity,
        sum(lines.line_quantity) filter (where roles.is_new) as quantity
    from lines
    inner join roles on lines.x_snapshot_id = roles.snapshot_id
    where not roles.is_first
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
),
first_lines as (
    select roles.step_id, lines.*
    from lines
    inner join roles on lines.x_snapshot_id = roles.snapshot_id
    where roles.is_first
),
falling as (select distinct step_id, x_line_key from first_lines where billed_cost < 0),
said_first as (
    select
        step_id, service_name, cost_driver, billing_currency, count(*) as lines, sum(billed_cost) as billed_cost,
        sum(effective_cost) as effective_cost, sum(billed_cost) as increase_billed_cost
    from first_lines
    anti join falling using (step_id, x_line_key)
    group by step_id, service_name, cost_driver, billing_currency
    union all
    select
        step_id, service_name, cost_driver, billing_currency, count(*), sum(billed_cost), sum(effective_cost),
        greatest(sum(billed_cost), 0)
    from first_lines
    semi join falling using (step_id, x_line_key)
    group by
        step_id, service_name, cost_driver, billing_currency, x_line_key, charge_category, charge_class,
        x_correction_cause, sku_id, sku_meter, charge_period_start, charge_period_end
),
told as (
    select
        step_id, service_name, cost_driver, billing_currency, cause, previous_lines, lines, previous_billed_cost,
        billed_cost, previous_effective_cost, effective_cost,
        greatest(billed_cost - previous_billed_cost, 0) as increase_billed_cost
    from caused
    union all
    select
        step_id, service_name, cost_driver, billing_currency, 'first', 0, lines, 0, billed_cost, 0, effective_cost,
        increase_billed_cost
    from said_first
)
select
    step_id, service_name, cost_driver, billing_currency, cause,
    cast(sum(previous_lines) as bigint) as previous_lines,
    cast(sum(lines) as bigint) as lines,
    cast(sum(previous_billed_cost) as decimal(38, 12)) as previous_billed_cost,
    cast(sum(billed_cost) as decimal(38, 12)) as billed_cost,
    cast(sum(previous_effective_cost) as decimal(38, 12)) as previous_effective_cost,
    cast(sum(effective_cost) as decimal(38, 12)) as effective_cost,
    cast(sum(increase_billed_cost) as decimal(38, 12)) as increase_billed_cost
from told
group by all
order by all
"""

_ROLE_SCHEMA = pa.schema(
    [
        ("step_id", pa.int64()),
        ("is_first", pa.bool_()),
        ("is_new", pa.bool_()),
        ("snapshot_id", pa.string()),
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
        contents = [delivery for step in steps for delivery in step.contents]
        return _compare(build, steps, find_classified(build, contents, folder), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _compare(
    build: Build, steps: Sequence[Step], classified: Sequence[ClassifiedFiles], folder: Path
) -> pa.Table:
    roles = folder / "roles.parquet"
    pq.write_table(pa.Table.from_pylist([*_role_rows(steps)], schema=_ROLE_SCHEMA), roles)
    types = build.models[CLASSIFIED].columns
    scans = [render_empty({name: types[name] for name in COLUMNS}), *map(_render_scan, classified)]
    with Engine(replace(build.settings, temp_directory=folder / "spill")) as engine:
        engine.execute(f"create view roles as from read_parquet({quote_text(str(roles))})")
        engine.execute(f"create view lines as {' union all '.join(scans)}")
        return engine.run(_CHANGES_SQL).to_arrow_table()


def _render_scan(classified: ClassifiedFiles) -> str:
    paths = ", ".join(quote_text(str(file)) for file in classified.files)
    snapshots = ", ".join(map(quote_text, classified.snapshots))
    columns = ", ".join(COLUMNS)
    return f"select {columns} from read_parquet([{paths}]) where x_snapshot_id in ({snapshots})"  # noqa: S608 (quoted)


def _role_rows(steps: Sequence[Step]) -> Iterator[dict[str, object]]:
    """The part that each snapshot has in each step: what is told, or what it took the place of."""
    for number, step in enumerate(steps):
        for delivery in step.contents:
            is_new = delivery in step.snapshot.deliveries
            yield {
                "step_id": number,
                "is_first": is_new and step.is_first(delivery),
                "is_new": is_new,
                "snapshot_id": delivery.snapshot_id,
                "complete_until": step.find_complete_until(delivery.scope),
            }
