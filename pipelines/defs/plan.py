"""What of a night will be built again, known once its sources have landed.

What belongs here: comparing the gathered inputs with the release before. What must not: deciding what is
rebuilt (the runner does, by fingerprint); a wrong plan costs a line in Dagster's history, never a figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pipelines.defs.session import LEDGER_PREFIX, find_ledger_readers
from pipelines.night.run import OUTLOOK_READS
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import WINDOW_PARAMETERS, Model
from pipelines.warehouse.runner import Build


@dataclass(frozen=True)
class Plan:
    """Models that something changed for, whether the look ahead is due, and the first day that changed."""

    models: tuple[str, ...]
    is_outlook_due: bool
    first_day: date | None


def build_plan(build: Build, previous: ReleaseManifest | None) -> Plan:
    """Follow every changed input, parameter and model file down the graph; all is due on a first run."""
    order = build.models.order
    if previous is None:
        return Plan(order, True, _first_changed_day(build, previous))
    changed = {
        name
        for name, record in build.records.items()
        if record.kind == "input" and _digest(previous, name) != record.relation.digest
    }
    due: set[str] = set()
    late = find_ledger_readers(build.models)
    for is_late in (False, True):
        is_outlook_due = bool((due | changed) & {*OUTLOOK_READS, "lake.budgets"})
        for name in order:
            if (name in late) is is_late and _is_due(build, previous, name, changed | due, is_outlook_due):
                due.add(name)
    return Plan(
        tuple(name for name in order if name in due), is_outlook_due, _first_changed_day(build, previous)
    )


def _is_due(
    build: Build, previous: ReleaseManifest, name: str, changed: set[str], is_outlook_due: bool
) -> bool:
    model = build.models[name]
    record = previous.relations.get(name)
    if record is None or record.code_digest != model.code_digest:
        return True
    if any(str(build.parameters.get(p)) != previous.parameters.get(p) for p in _parameters(model)):
        return True
    if is_outlook_due and any(ref.startswith(LEDGER_PREFIX) for ref in model.dependencies):
        return True
    return any(ref in changed for ref in model.dependencies)


def _parameters(model: Model) -> set[str]:
    statements = (model.statement, *(check.statement for check in model.checks))
    return {name for statement in statements for name in statement.parameters} - WINDOW_PARAMETERS


def _digest(previous: ReleaseManifest, name: str) -> str | None:
    record = previous.relations.get(name)
    return None if record is None else record.relation.digest


def _first_changed_day(build: Build, previous: ReleaseManifest | None) -> date | None:
    days = []
    for name, record in build.records.items():
        if record.kind != "input" or record.relation.unit is None:
            continue
        known = previous.relations.get(name) if previous else None
        for key in {*record.relation.files, *(known.relation.files if known else ())}:
            now = [file.digest for file in record.relation.files.get(key, ())]
            before = [file.digest for file in known.relation.files.get(key, ())] if known else []
            if now != before:
                days.append(date.fromisoformat(key if len(key) == 10 else f"{key}-01"))
    return min(days, default=None)
