"""Landing LiteLLM's calls: from its database day by day, or from files that it wrote.

What belongs here: the order of the steps. What must not: what a field means (`schema.py`), the database's language
(`database.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import REQUESTS
from connectors.common.digests import build_digest
from connectors.common.file_listing import check_stored_files
from connectors.common.gateway_rows import GatewayRows
from connectors.common.landing import FileNotes
from connectors.common.record_files import RECORD_SUFFIXES, read_records
from connectors.common.record_versions import FileRecords, VersionedLanding
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.staged_rows import StagedRows
from connectors.litellm.database import SpendLogTable, build_record, list_metadata_paths, open_table
from connectors.litellm.schema import (
    SCHEMA_VERSION,
    build_fields,
    build_record_id,
    build_row,
    is_other_call,
    is_roll_up,
)
from connectors.litellm.settings import Settings

_DAY = timedelta(days=1)
_OTHER = "other_records"


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the calls that are new. Raises ConnectorError when the database or store cannot be read."""
    if settings.path is not None:
        landing = VersionedLanding(settings, context, (REQUESTS,), typing=_describe_typing(settings, context))
        return landing.run(partial(_read_file, settings=settings, context=context), RECORD_SUFFIXES)
    return _land_database(settings, context)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files, or the table and its columns, can be reached and read."""
    if settings.path is not None:
        yield from check_stored_files(settings, RECORD_SUFFIXES)
        return
    try:
        with open_table(settings) as table:
            yield CheckStep("connection", True, f"signed in with what {settings.connection_env} holds")
            table.check_columns()
            yield CheckStep("columns", True, f"{len(table.columns)} columns of {table.told_name} may be read")
            oldest = table.find_first_day()
            yield CheckStep(
                "rows", oldest is not None, f"the oldest call is of {oldest or 'no day: there is none'}"
            )
    except ConnectorError as error:
        yield CheckStep("database", False, str(error))


def _describe_typing(settings: Settings, context: LandingContext) -> dict[str, object]:
    return {
        "connector": "litellm",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "places": settings.places.model_dump(mode="json"),
        "trace_id_means": settings.trace_id_means,
    }


def _read_file(
    file: SourceFile, records: FileRecords, *, settings: Settings, context: LandingContext
) -> None:
    """Write the calls of one file. Raises FileFault for one that cannot be read, or holds daily roll-ups."""
    rows = GatewayRows(
        records,
        partial(records.write, REQUESTS.name),
        context,
        source=settings.name,
        scope=file.relative,
        has_versions=True,
    )
    for line, record in read_records(
        file, build_fields(settings), (("request_id", "id"),), records.quarantine
    ):
        if is_roll_up(record):
            message = (
                "holds LiteLLM's daily roll-ups, in which a call counts once a tag; export LiteLLM_SpendLogs"
            )
            raise FileFault("not_requests", message, line=line)
        _add(rows, line, record, settings, records)
    _finish(rows, records)


def _add(rows: GatewayRows, line: int, record: dict[str, Any], settings: Settings, notes: FileNotes) -> None:
    if is_other_call(record):
        rows.tally.counts[_OTHER] += 1
        return
    record_id, version = build_record_id(record)
    if record_id is None:
        notes.quarantine(line, "missing_id: neither request_id nor id names the call")
        return
    row, usage = build_row(record, settings)
    rows.add(line, row, usage, record_id=record_id, version=version)


def _finish(rows: GatewayRows, notes: FileNotes) -> None:
    rows.finish()
    passed_over = rows.tally.counts[_OTHER]
    if passed_over:
        message = f"{passed_over} rows are no model calls (tools, files, batch jobs) and are passed over"
        notes.add(_OTHER, message, Severity.INFO, count=passed_over)


def _land_database(settings: Settings, context: LandingContext) -> SourceReport:
    typing = _describe_typing(settings, context)
    landing = SourceLanding(settings, context, typing=typing, keeps_artifacts=False)
    if landing.is_reading_only:
        return landing.report()
    days = _choose_days(landing, settings)
    with open_table(settings) as table:
        table.check_columns()
        oldest = table.find_first_day()
        for day in days:
            if _is_pruned(landing, day, oldest):
                message = (
                    f"{landing.source}: {day} is no longer whole in the database; what was read of it stays"
                )
                landing.add(REQUESTS.name, "spend_logs_pruned", message, Severity.INFO, day=day)
            else:
                _land_day(landing, settings, context, table, day)
    return landing.report()


def _choose_days(landing: SourceLanding, settings: Settings) -> list[date]:
    """Return the whole UTC days that were never read, or not yet `overlap_days` after their end."""
    today = landing.context.now.date()
    first = settings.first_day or today - settings.history_days * _DAY
    days = (first + step * _DAY for step in range(max(0, (today - first).days)))
    return [day for day in days if _is_to_be_read(landing, settings, day)]


def _is_to_be_read(landing: SourceLanding, settings: Settings, day: date) -> bool:
    noted = landing.seen.notes.get(_note_key(landing, day))
    settled_at = datetime.combine(day + _DAY, time()) + settings.overlap_days * _DAY
    return noted is None or datetime.fromisoformat(noted) < settled_at


def _is_pruned(landing: SourceLanding, day: date, oldest: date | None) -> bool:
    """Tell whether LiteLLM's own retention has begun to remove a day that is here already."""
    record = landing.current_record(REQUESTS.name, day.isoformat())
    if record is None or not record.delivery.rows:
        return False
    if oldest is None or day < oldest:
        return True
    return day == oldest and any(
        r.delivery.scope < day.isoformat() and r.delivery.rows for r in landing.records
    )


def _land_day(
    landing: SourceLanding, settings: Settings, context: LandingContext, table: SpendLogTable, day: date
) -> None:
    """Replace a day by what the database holds of it now; nothing of it counts before its last row came."""
    scope = day.isoformat()
    place = SourceFile(Path(), f"{table.told_name} of {scope}", 0, 0, build_digest(table.told_name, scope))
    notes = FileNotes(landing, place, REQUESTS.name)
    staged = StagedRows(landing, REQUESTS)
    rows = GatewayRows(notes, staged.write, context, source=settings.name, scope=scope)
    paths = list_metadata_paths(settings)
    try:
        for line, row in enumerate(table.read_day(day), start=1):
            _add(rows, line, build_record(row, paths), settings, notes)
        _finish(rows, notes)
        notes.tell_refused()
        delivered_at = landing.choose_delivered_at(REQUESTS.name, scope, context.now)
        staged.deliver(scope, delivered_at, notes.findings)
    finally:
        staged.discard()
    landing.seen.write_note(_note_key(landing, day), context.now.isoformat())
    landing.seen.save()


def _note_key(landing: SourceLanding, day: date) -> str:
    return f"spend logs {day} {landing.typing_digest}"
