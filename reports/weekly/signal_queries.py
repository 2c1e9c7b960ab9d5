"""Anomalies, agent cascades, reconciliation and completeness of one week, as released in their marts.

What belongs here: choosing, counting and adding up released rows. What must not: detecting or explaining.
"""

from __future__ import annotations

from datetime import datetime

import duckdb

from reports.weekly.records import (
    Anomaly,
    ReconciliationCause,
    SourceFinding,
    SourceState,
    Trace,
    TraceSummary,
    Week,
)

TOP_TRACES = 8
TOP_FINDINGS = 40
ALIKE_FINDINGS = 3


def read_anomalies(connection: duckdb.DuckDBPyConnection, week: Week, as_of: datetime) -> tuple[Anomaly, ...]:
    """Return the anomalies that were open on any day of the week, the largest impact first."""
    rows = connection.execute(
        """
        select
            anomaly_id, cast(detected_at as date), cast(started_date as date), cast(ended_date as date),
            scope, feature, cost_driver, metric,
            cast(expected as decimal(38, 12)), cast(actual as decimal(38, 12)),
            cast(impact_cost as decimal(38, 12)), currency, state, cause, proof
        from marts.anomalies
        where coalesce(started_date, cast(detected_at as date)) < $end
            and (ended_date is null or ended_date >= $start)
            and cast(detected_at as date) <= $today
        order by abs(impact_cost) desc nulls last, anomaly_id
        """,
        {"start": week.start, "end": week.end, "today": as_of.date()},
    ).fetchall()
    return tuple(Anomaly(*row) for row in rows)


def read_dearest_traces(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[Trace, ...]:
    """Return the week's dearest root actions with what they set off."""
    rows = connection.execute(
        """
        select
            trace_id, feature, endpoint, user_id, calls, attempts, depth, cast(agents as varchar),
            cast(duration_seconds as decimal(18, 3)), inference_cost, egress_cost, monitoring_cost,
            total_cost,
            coalesce(is_loop, false), status
        from marts.traces
        where root_started_at >= $start and root_started_at < $end and total_cost is not null
        order by total_cost desc, trace_id
        limit $top
        """,
        {"start": week.start, "end": week.end, "top": TOP_TRACES},
    ).fetchall()
    return tuple(Trace(*row) for row in rows)


def read_trace_summaries(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[TraceSummary, ...]:
    """Return how many root actions started in the week and what they cost, loops apart."""
    rows = connection.execute(
        """
        select
            reporting_currency,
            count(*),
            cast(coalesce(sum(calls), 0) as bigint),
            count(*) filter (coalesce(is_loop, false)),
            sum(total_cost),
            sum(total_cost) filter (coalesce(is_loop, false))
        from marts.traces
        where root_started_at >= $start and root_started_at < $end
        group by reporting_currency
        order by reporting_currency nulls last
        """,
        {"start": week.start, "end": week.end},
    ).fetchall()
    return tuple(TraceSummary(*row) for row in rows)


def read_reconciliation(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[ReconciliationCause, ...]:
    """Return the week's differences between bill and logs by cause, each currency with its total.

    A charge with several causes stands in the mart once per cause: the total counts it once.
    """
    rows = connection.execute(
        """
        with of_week as (
            select * from marts.reconciliation where charge_date >= $start and charge_date < $end
        ),
        charges as (
            select
                currency, max(billed_cost) as billed_cost,
                max(priced_cost) as priced_cost, sum(difference_cost) as difference_cost
            from of_week
            group by charge_date, provider, billing_account_id, model, token_class, currency
        ),
        lines as (
            select
                cause, currency, count(*) as row_count, sum(billed_cost) as billed_cost,
                sum(priced_cost) as priced_cost, sum(difference_cost) as difference, false as is_total
            from of_week
            group by cause, currency
            union all
            select
                null, currency, count(*), sum(billed_cost), sum(priced_cost),
                sum(difference_cost), true
            from charges
            group by currency
        )
        select cause, currency, row_count, billed_cost, priced_cost, difference, is_total
        from lines
        order by currency nulls last, is_total, abs(coalesce(difference, 0)) desc, cause nulls last
        """,
        {"start": week.start, "end": week.end},
    ).fetchall()
    return tuple(ReconciliationCause(*row) for row in rows)


_DATED = """
    with dated as (
        select
            *,
            max(date) over (partition by source, dataset) as newest_date,
            bool_or(row_kind = 'day' and date is not null) over (partition by source, dataset) as has_days,
            coalesce(date >= $start and date < $end, false) as is_in_week
        from marts.data_completeness
    ),
    relevant as (
        select *
        from dated
        where date is null or (date >= $start and date < $end) or date = newest_date
    )
"""


def read_sources(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[SourceState, ...]:
    """Return how fresh each dataset of each source is; several rows where its state changed in the week."""
    rows = connection.execute(
        f"""
        {_DATED}
        select
            source, dataset, max(date), state, cast(min(age_hours) as decimal(18, 2)),
            cast(
                case
                    when bool_or(has_days) then sum(rows) filter (row_kind = 'day' and is_in_week)
                    else max(rows)
                end as bigint
            ),
            cast(min(expected_share) filter (row_kind <> 'day' or is_in_week) as decimal(18, 12)),
            bool_or(has_days)
        from relevant
        where row_kind <> 'finding'
        group by source, dataset, state
        order by source, dataset nulls last, max(date) desc nulls last, state
        limit $top
        """,  # noqa: S608 - our own constant
        {"start": week.start, "end": week.end, "top": TOP_FINDINGS},
    ).fetchall()
    return tuple(SourceState(*row) for row in rows)


def read_findings(connection: duckdb.DuckDBPyConnection, week: Week) -> tuple[SourceFinding, ...]:
    """Return what is wrong with the sources: of the week, undated, and the newest; the gravest first.

    What a source says of more than `ALIKE_FINDINGS` files or days alike is one row: its largest, and how many more.
    """
    rows = connection.execute(
        f"""
        {_DATED},
        told as (
            select source, dataset, severity, finding, message, cast(sum(finding_count) as bigint) as found,
                count(*) over (partition by source, dataset, severity, finding) as alike,
                row_number() over (
                    partition by source, dataset, severity, finding
                    order by sum(finding_count) desc nulls last, message
                ) as turn,
                cast(sum(sum(finding_count)) over (partition by source, dataset, severity, finding) as bigint)
                    as found_in_all
            from relevant
            where finding <> ''
            group by source, dataset, severity, finding, message
        )
        select source, dataset, severity, finding,
            case when alike > $alike
                then message || ' (and ' || (alike - 1) || ' more like it: everycent sources)' else message
            end as message,
            case when alike > $alike then found_in_all else found end as finding_count
        from told
        where alike <= $alike or turn = 1
        order by
            case severity when 'fault' then 0 when 'warn' then 1 else 2 end,
            source, dataset nulls last, finding, message
        limit $top
        """,  # noqa: S608 - our own constant
        {"start": week.start, "end": week.end, "top": TOP_FINDINGS, "alike": ALIKE_FINDINGS},
    ).fetchall()
    return tuple(SourceFinding(*row) for row in rows)
