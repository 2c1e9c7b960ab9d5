"""What a night showed of days that were not billed whole yet, for the ledger: so that estimates can be held against the
bill that came.

What belongs here: rows of the ledger. What must not: how estimates are made (`core.estimated_cells`), or how far they
were off (`marts.nowcast_accuracy`).
"""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa

from pipelines.warehouse.runner import Build

KIND = "estimates"
KEPT_DAYS = 62
"""A day that is not billed so long after it ended is kept no longer: its bill may never come."""

_MONEY, _TEXT = pa.decimal128(38, 12), pa.string()
SCHEMA = pa.schema(
    [
        ("run_id", _TEXT),
        ("nowcast_made_at", pa.timestamp("us")),
        ("charge_date", pa.date32()),
        ("age_days", pa.int64()),
        *(
            (name, _TEXT)
            for name in ("bill_of_record", "provider", "cost_driver", "model", "billing_currency")
        ),
        *((name, _MONEY) for name in ("estimated_effective_cost", "billed_effective_cost")),
        ("effective_per_list_ppm", pa.int64()),
    ]
)
_OPEN_SQL = """
with open_days as (
    select charge_date, bill_of_record, provider
    from core.cells
    where cost_state = 'estimated' and bill_of_record is not null
        and charge_date >= $first_date and charge_date <= $today
    group by charge_date, bill_of_record, provider
),
summed as (
    select cells.charge_date, cells.bill_of_record, cells.provider, cells.cost_driver,
        case when cells.cost_driver = 'inference' then cells.model end as model, cells.billing_currency,
        sum(case when cells.cost_state = 'estimated' then cells.effective_cost end) as estimated,
        sum(case when cells.cost_state <> 'estimated' then cells.effective_cost end) as billed,
        sum(case when cells.cost_state = 'estimated' and cells.list_cost is not null then cells.effective_cost end)
            as priced,
        sum(case when cells.cost_state = 'estimated' then cells.list_cost end) as listed
    from core.cells as cells
    inner join open_days
        on cells.charge_date = open_days.charge_date
        and cells.bill_of_record = open_days.bill_of_record
        and cells.provider = open_days.provider
    where cells.charge_category = 'Usage'
    group by all
)
select charge_date, bill_of_record, provider, cost_driver, model, billing_currency,
    cast(coalesce(estimated, 0) as decimal(38, 12)) as estimated_effective_cost,
    cast(coalesce(billed, 0) as decimal(38, 12)) as billed_effective_cost,
    case when listed > 0 then cast(idiv(
        cast(cast(priced as decimal(24, 6)) * 1000000 as decimal(24, 0)) * 1000000,
        cast(cast(listed as decimal(24, 6)) * 1000000 as decimal(24, 0))
    ) as bigint) end as effective_per_list_ppm
from summed
order by all
"""


def build_estimates(build: Build, run_id: str, now: datetime, today: date) -> pa.Table:
    """What this build shows of every day that a bill of record has not covered yet, up to `today`: per provider, cost
    driver and model the estimate, what is billed so far (both effective cost, in the billing currency), the ratio of
    estimates to list cost, and how many days ago the day ended (-1: it has not)."""
    first_date = date.fromordinal(today.toordinal() - KEPT_DAYS)
    rows = build.fetch(_OPEN_SQL, {"first_date": first_date, "today": today}).to_pylist()
    return pa.Table.from_pylist(
        [
            {
                **row,
                "run_id": run_id,
                "nowcast_made_at": now,
                "age_days": (today - row["charge_date"]).days - 1,
            }
            for row in rows
        ],
        schema=SCHEMA,
    )
