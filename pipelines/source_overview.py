"""What is configured and what a release knows about each source, side by side.

What belongs here: reading and joining the two. What must not: judging freshness (the marts do), or printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    from pipelines.config import Config

_STATUS = """
    with newest as (
        select source, dataset, max(date) as date from marts.data_completeness
        where expected_share is not null group by source, dataset
    ), completeness as (
        select c.source, c.dataset, min(c.expected_share) as expected_share
        from marts.data_completeness as c
        inner join newest on c.source = newest.source and c.dataset = newest.dataset and c.date = newest.date
        group by c.source, c.dataset
    ), snapshots as (
        select source, dataset, arg_max(snapshot_id, (delivered_at, snapshot_id)) as snapshot_id
        from staging.deliveries where is_current group by source, dataset
    )
    select status.source, status.connector, status.dataset, status.state, status.last_delivered_at,
        snapshots.snapshot_id, status.last_date, status.rows, status.age_hours, completeness.expected_share
    from core.source_status as status
    left join snapshots on status.source = snapshots.source and status.dataset = snapshots.dataset
    left join completeness on status.source = completeness.source and status.dataset = completeness.dataset
    order by status.source, status.dataset
"""
_FINDINGS = """
    with findings as (
        select source, dataset, severity, finding as kind, message, finding_count, date as finding_date,
            case severity when 'fault' then 0 when 'warn' then 1 else 2 end as urgency
        from marts.data_completeness where finding is not null
    )
    select source, dataset, severity, kind, message, finding_count, finding_date from findings
    order by min(urgency) over (partition by source), source, urgency, dataset, kind, message
"""


@dataclass(frozen=True)
class SourceState:
    """One source and dataset: what the config says, and what the release knows."""

    source: str
    connector: str
    dataset: str | None
    state: str
    last_delivered_at: datetime | None = None
    snapshot_id: str | None = None
    last_date: date | None = None
    rows: int | None = None
    age_hours: Decimal | None = None
    expected_share: Decimal | None = None


@dataclass(frozen=True)
class SourceOverview:
    """All sources, and what was found wrong: grouped by source, the source with the worst first."""

    release_name: str | None
    states: tuple[SourceState, ...]
    findings: tuple[Mapping[str, Any], ...]

    @property
    def is_at_fault(self) -> bool:
        """True when a source delivered something that could not be used."""
        states = any(state.state.startswith("fault") for state in self.states)
        return states or any(finding["severity"] == "fault" for finding in self.findings)


def read_source_overview(settings: Config | None, release: Release | None) -> SourceOverview:
    """Join the configured sources with those of a release; either may be absent."""
    known = _rows(release, _STATUS) if release else ()
    states = [SourceState(**row) for row in known]
    landed = {state.source for state in states}
    configured = {source.name: source.connector for source in settings.sources} if settings else {}
    for name, connector in configured.items():
        if name not in landed:
            states.append(SourceState(name, connector, None, "not landed yet"))
    if settings:
        states = [state if state.source in configured else _without_config(state) for state in states]
        order = list(configured)
        states.sort(key=lambda state: order.index(state.source) if state.source in configured else len(order))
    findings = _rows(release, _FINDINGS) if release else ()
    return SourceOverview(release.name if release else None, tuple(states), findings)


def _without_config(state: SourceState) -> SourceState:
    return SourceState(**{**state.__dict__, "state": f"{state.state} (not configured)"})


def _rows(release: Release, sql: str) -> tuple[dict[str, Any], ...]:
    with ReleaseStore(release.home).reading(release) as connection:
        cursor = connection.execute(sql)
        names = [column[0] for column in cursor.description or []]
        return tuple(dict(zip(names, values, strict=True)) for values in cursor.fetchall())
