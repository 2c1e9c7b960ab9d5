"""The look ahead of a night: forecasts, where budgets will land, what was unusual, and what stands of days that are not
billed yet, from what was built.

What belongs here: reading the build, calling the domain, rows for the ledger. What must not: models or detectors.
Libraries that take seconds to import are imported only when there is something new to forecast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa

from pipelines.night import estimates
from pipelines.warehouse.relations import digest_of
from pipelines.warehouse.runner import Build

if TYPE_CHECKING:
    import polars as pl

OUTLOOK_VERSION = 4
STALE_DAYS = 14
"""Spend that ended longer ago than this is not forecast: the answer would be about a bill that stopped arriving."""
PARTIAL_COMPLETENESS = 0.5

_MONEY, _TEXT = pa.decimal128(38, 12), pa.string()
FORECAST_SCHEMA = pa.schema(
    [
        ("run_id", _TEXT),
        ("forecast_made_at", pa.timestamp("us")),
        ("target_date", pa.date32()),
        *((name, _TEXT) for name in ("scope", "feature", "cost_driver", "zone", "measure", "currency")),
        *((name, _MONEY) for name in ("p05", "p10", "p25", "p50", "p75", "p90", "p95")),
        ("model_name", _TEXT),
        ("model_version", _TEXT),
        ("is_low_history", pa.bool_()),
    ]
)
BUDGET_SCHEMA = pa.schema(
    [
        ("run_id", _TEXT),
        ("forecast_made_at", pa.timestamp("us")),
        ("budget_id", _TEXT),
        ("period_start", pa.date32()),
        ("currency", _TEXT),
        *((name, _MONEY) for name in ("forecast_p10", "forecast_p50", "forecast_p90")),
        ("overrun_probability", pa.decimal128(18, 12)),
        ("overrun_date", pa.date32()),
    ]
)
ANOMALY_SCHEMA = pa.schema(
    [
        ("run_id", _TEXT),
        ("anomaly_id", _TEXT),
        ("detected_at", pa.timestamp("us")),
        ("started_date", pa.date32()),
        ("ended_date", pa.date32()),
        *((name, _TEXT) for name in ("scope", "feature", "cost_driver", "metric")),
        *((name, _MONEY) for name in ("expected", "actual", "impact_cost")),
        *((name, _TEXT) for name in ("currency", "state", "cause", "proof")),
    ]
)
LEDGER_SCHEMAS: Mapping[str, pa.Schema] = {
    "forecasts": FORECAST_SCHEMA,
    "budget_forecasts": BUDGET_SCHEMA,
    "anomalies": ANOMALY_SCHEMA,
    estimates.KIND: estimates.SCHEMA,
}
"""What a night may add to the ledger, by kind."""

_DAILY_SQL = """
select charge_date, feature, cost_driver, team, environment, charge_category, model, agent, endpoint,
    reporting_currency as currency,
    cast(sum(effective_cost_reporting) as decimal(38, 12)) as effective_cost,
    cast(sum(billed_cost_reporting) as decimal(38, 12)) as billed_cost,
    cast(sum(list_cost_reporting) as decimal(38, 12)) as list_cost,
    cast(sum(requests) as bigint) as calls,
    cast(sum(input_tokens) + sum(output_tokens) as bigint) as tokens
from marts.cost_daily
where charge_date < $today and charge_category <> 'Tax'
group by all
order by all
"""
_SETTLED_SQL = """
select cast(min(watermark_at) as date) as settled
from (
    select bill_of_record, max(watermark_at) as watermark_at, max(billing_period_start) as last_period
    from core.bill_coverage group by bill_of_record
)
where last_period >= (select max(billing_period_start) from core.bill_coverage)
"""


@dataclass(frozen=True)
class Outlook:
    """Rows for the ledger by kind; `inputs` names what they were made from, so that nothing is made twice."""

    inputs: str
    tables: Mapping[str, pa.Table]

    @property
    def summary(self) -> str:
        """How many rows of which kind, in words."""
        counted = [f"{table.num_rows} {kind}" for kind, table in self.tables.items()]
        return ", ".join(counted) or "nothing to say"


def outlook_inputs(build: Build) -> str:
    """A digest of what the outlook depends on: the costs, the budgets, and this code's version."""
    relations = build.records
    digests = [
        relations[name].relation.digest for name in ("marts.cost_daily", "core.bill_coverage", "lake.budgets")
    ]
    return digest_of((OUTLOOK_VERSION, digests))


def build_outlook(
    build: Build, run_id: str, now: datetime, today: date, known_anomalies: pa.Table
) -> Outlook:
    """Forecasts, budget landings and anomaly events as of `today`, and the estimates that stand; empty where there is
    nothing to go by."""
    import polars as pl

    daily = pl.from_arrow(build.fetch(_DAILY_SQL, {"today": today}))
    assert isinstance(daily, pl.DataFrame)  # noqa: S101 (narrows the type: a table never becomes a series)
    tables: dict[str, pa.Table] = {}
    origin = _find_origin(build, daily, today)
    if origin is not None:
        tables.update(_forecast(build, daily, origin, run_id, now))
        tables["anomalies"] = find_anomalies(daily, origin, run_id, now, known_anomalies)
    tables[estimates.KIND] = estimates.build_estimates(build, run_id, now, today)
    return Outlook(outlook_inputs(build), {kind: table for kind, table in tables.items() if table.num_rows})


def _find_origin(build: Build, daily: pl.DataFrame, today: date) -> date | None:
    """The last day that is complete in every bill that still arrives; None when spend is unknown or long over."""
    if daily.is_empty():
        return None
    newest = daily["charge_date"].max()
    settled = build.fetch(_SETTLED_SQL).column("settled")[0].as_py()
    candidates = [newest, today - timedelta(days=1)]
    if settled is not None:
        candidates.append(settled - timedelta(days=1))
    origin = min(candidates)  # type: ignore[type-var]
    return origin if (today - origin).days <= STALE_DAYS else None


def _forecast(
    build: Build, daily: pl.DataFrame, origin: date, run_id: str, now: datetime
) -> dict[str, pa.Table]:
    import polars as pl

    from pipelines.domain.forecast import build_forecasts

    keys = ["charge_date", "feature", "cost_driver", "team", "environment", "currency"]
    history = (
        daily.with_columns(pl.col("effective_cost").alias("cost")).select(*keys, "cost").drop_nulls("cost")
    )
    if history.is_empty():
        return {}
    run = build_forecasts(history, origin, now)
    tables = {"forecasts": _to_ledger(run.table, run_id, FORECAST_SCHEMA)}
    budgets = pl.from_arrow(build.fetch("select * from staging.budgets"))
    assert isinstance(budgets, pl.DataFrame)  # noqa: S101
    landings = [
        landing
        for measure in ("effective_cost", "billed_cost", "list_cost")
        if (landing := _land_budgets(daily, budgets, measure, origin, now)) is not None
    ]
    if landings:
        tables["budget_forecasts"] = _to_ledger(pl.concat(landings), run_id, BUDGET_SCHEMA)
    return tables


def _land_budgets(
    daily: pl.DataFrame, budgets: pl.DataFrame, measure: str, origin: date, now: datetime
) -> pl.DataFrame | None:
    """Landings of the budgets of one measure whose period is not over; None when there are none."""
    import polars as pl

    from pipelines.domain.period_totals import build_budget_forecasts

    keys = ["charge_date", "feature", "cost_driver", "team", "environment", "currency"]
    wanted = budgets.filter(
        (pl.col("measure") == measure)
        & (pl.col("period_end") > origin)
        & pl.col("currency").is_in(daily["currency"].unique().to_list())
        & (pl.col("period_start") <= origin + timedelta(days=62))
    ).with_columns(
        pl.col("budget_id").alias("name"),
        (pl.col("budget_id") + "\x1f" + pl.col("period_start").cast(pl.String)).alias("budget_id"),
    )
    history = daily.with_columns(pl.col(measure).alias("cost")).select(*keys, "cost").drop_nulls("cost")
    if wanted.is_empty() or history.is_empty():
        return None
    landed = build_budget_forecasts(history, wanted, origin, now)
    names = wanted.select("budget_id", "name", "period_start", "currency")
    return (
        landed.join(names, on="budget_id", how="inner")
        .drop("budget_id")
        .rename({"name": "budget_id"})
        .with_columns(pl.lit(now).cast(pl.Datetime("us")).alias("forecast_made_at"))
    )


def find_anomalies(
    daily: pl.DataFrame, origin: date, run_id: str, now: datetime, known: pa.Table
) -> pa.Table:
    """Rows of `ANOMALY_SCHEMA`: unusual days of usage, days after `origin` counted as still arriving.

    Fees, purchases, credits, refunds and adjustments are not judged: they stand on the one day that they were
    charged, and nobody did anything on it. `daily` has the columns of `_DAILY_SQL`, `known` those of the ledger.
    """
    import polars as pl

    from pipelines.domain.anomaly_events import build_anomaly_events, build_daily_series

    usage = daily.filter(pl.col("charge_category") == "Usage")
    costs = usage.with_columns(pl.col("effective_cost").alias("cost")).drop_nulls("cost")
    is_settled = pl.when(pl.col("charge_date") <= origin).then(1.0).otherwise(PARTIAL_COMPLETENESS)
    series = build_daily_series(costs.with_columns(is_settled.alias("completeness")))
    breakdown = costs.select(
        "charge_date",
        "feature",
        "cost_driver",
        "currency",
        "cost",
        "calls",
        "tokens",
        "charge_category",
        "model",
        "agent",
        "endpoint",
    )
    previous = pl.from_arrow(known)
    assert isinstance(previous, pl.DataFrame)  # noqa: S101
    events = build_anomaly_events(series, now, breakdown=breakdown, previous=previous.drop("run_id"))
    return _to_ledger(events, run_id, ANOMALY_SCHEMA)


def _to_ledger(frame: pl.DataFrame, run_id: str, schema: pa.Schema) -> pa.Table:
    import polars as pl

    table = frame.with_columns(pl.lit(run_id).alias("run_id")).select(schema.names).to_arrow()
    return table.cast(schema)
