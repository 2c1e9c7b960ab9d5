"""Dagster's own files: where they are, what a killed run left in them, and what is old.

What belongs here: opening and tidying the instance. What must not: runs of ours or assets.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import event
from sqlalchemy.engine import Engine

HOME_VARIABLE = "DAGSTER_HOME"
HOME_TAG = "everycent/home"
KEPT_DAYS = 90
SETTINGS = Path(__file__).resolve().parents[2] / "dagster_home" / "dagster.yaml"
_MINIMAL_SETTINGS = "telemetry:\n  enabled: false\n"
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.NOT_STARTED]


@contextmanager
def open_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """The instance in $DAGSTER_HOME, else in `<home>/dagster`, made with the project's dagster.yaml."""
    folder = Path(os.environ.get(HOME_VARIABLE) or home / "dagster").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "dagster.yaml"
    if not settings.exists():
        if SETTINGS.exists():
            shutil.copyfile(SETTINGS, settings)
        else:
            settings.write_text(_MINIMAL_SETTINGS)
    with _quick_writes(), dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


@contextmanager
def _quick_writes() -> Iterator[None]:
    """Do not wait for the disk at each of thousands of events: a power cut may cost the last of them, no more.

    Dagster opens a connection an event. When the last one to a file is closed, SQLite writes its log back, waits for
    the disk and removes the log; so one more is held open to each file until the run is over.
    """
    held: dict[str, sqlite3.Connection] = {}

    def prepare(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous = normal")
        path = connection.execute("pragma database_list").fetchone()[2]
        if path and path not in held and connection.execute("pragma journal_mode").fetchone()[0] == "wal":
            held[path] = sqlite3.connect(path, check_same_thread=False)
            held[path].execute("select count(*) from sqlite_master").fetchall()

    event.listen(Engine, "connect", prepare)
    try:
        yield
    finally:
        event.remove(Engine, "connect", prepare)
        for connection in held.values():
            connection.close()


def tidy_runs(instance: dg.DagsterInstance, home: Path, now: datetime) -> None:
    """Mark runs of this home that never ended as failed, and remove runs older than `KEPT_DAYS` with their files.

    The caller holds the home's writer lock, so no run of it is alive. Dagster's own retention knows only ticks,
    and deleting a run leaves its event file behind.
    """
    tags = {HOME_TAG: str(home.resolve())}
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED, tags=tags)):
        instance.report_run_failed(run, "The process ended before the run did.")
    before = now.replace(tzinfo=UTC) - timedelta(days=KEPT_DAYS)
    events = Path(instance.root_directory) / "history" / "runs"
    for record in instance.get_run_records(dg.RunsFilter(created_before=before)):
        run_id = record.dagster_run.run_id
        instance.delete_run(run_id)
        for suffix in (".db", ".db-wal", ".db-shm"):
            (events / f"{run_id}{suffix}").unlink(missing_ok=True)
