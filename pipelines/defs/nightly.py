"""One nightly run from the command line or cron: the Dagster job in this process, without any daemon.

What belongs here: the order of landing and building, the outcome in words, the exit code. What must not: assets
(`assets`), Dagster's own files (`instance`).
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
from dagster import DagsterExecutionInterruptedError

from connectors.common.contract import Severity
from pipelines.config.model import Config
from pipelines.defs.assets import OUTLOOK_KEY, RELEASE_KEY, REPORT_KEY, source_key
from pipelines.defs.build import NIGHTLY_JOB, build_defs
from pipelines.defs.instance import HOME_TAG, HOME_VARIABLE, open_instance, tidy_runs
from pipelines.defs.metadata import asset_key
from pipelines.defs.partitions import build_range_tags
from pipelines.defs.plan import Plan, build_plan
from pipelines.defs.session import NightSession
from pipelines.night.run import Night, NightRequest, load_models
from pipelines.progress import Progress
from pipelines.results import ExitCode, NightlyResult
from pipelines.warehouse.errors import BuildError, StoppedError
from pipelines.warehouse.publish import read_current_manifest
from pipelines.warehouse.release import ReleaseStore

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_nightly(
    config: Config,
    *,
    home: Path,
    today: date | None,
    as_of: datetime | None,
    since: date | None,
    progress: Progress,
    now: datetime | None = None,
) -> NightlyResult:
    """Run a night and say how it went; `now` is the clock, in UTC without zone.

    A failed check of severity `fail` gives exit code 1 and leaves `current` as it was; any other error is raised
    as it came. Models that nothing changed for are no step of the run: Dagster shows what was made, not what
    was looked at. Raises StoppedError when a signal ended the run.
    """
    now = now or datetime.now(UTC).replace(tzinfo=None)
    request = NightRequest(config, home, today or (as_of or now).date(), now, as_of, since)
    started = time.monotonic()
    models = load_models(home)
    with Night(request, models) as night, _told_when_stopped(night):
        session = NightSession(night, progress)
        defs = build_defs(config, models, home=home, session=session)
        with open_instance(home) as instance:
            tidy_runs(instance, home, now)
            run = _Run(session, defs.resolve_job_def(NIGHTLY_JOB), instance)
            is_done = run.execute()
        if is_done:
            return night.result()
        return _explain_failure(session, time.monotonic() - started)


@contextmanager
def _told_when_stopped(night: Night) -> Iterator[None]:
    """Say in words that a signal ended the night; SIGTERM counts as Ctrl-C, so that the home is left in order."""
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if is_main else None
    try:
        yield
    except (KeyboardInterrupt, DagsterExecutionInterruptedError):
        if night.is_published:
            raise StoppedError(
                "stopped by a signal after the release was published; everycent report writes its weekly report"
            ) from None
        raise StoppedError("stopped by a signal; nothing was published; run it again") from None
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


class _Run:
    """The two halves of a night: landing says which days and models are due, then these are built."""

    def __init__(self, session: NightSession, job: dg.JobDefinition, instance: dg.DagsterInstance) -> None:
        self._session = session
        self._job = job
        self._instance = instance

    def execute(self) -> bool:
        """Run both halves; False when a check stopped the second. Raises what a step raised."""
        session, request = self._session, self._session.night.request
        sources = [source_key(source) for source in request.config.sources]
        session.progress.step("Land sources", len(sources))
        is_done = not sources or self._execute(sources, None)
        if not is_done:
            return False
        if session.is_known():
            session.write_report()
            return True
        previous = None if session.night.is_side_run else read_current_manifest(request.home)
        plan = build_plan(session.night.build, previous)
        session.progress.step("Build tables", len(plan.models))
        return self._execute(self._select(plan), plan.first_day)

    def _select(self, plan: Plan) -> list[dg.AssetKey]:
        """What is due, and what this Dagster instance was never shown, such as after its folder was removed."""
        shown = set(self._instance.all_asset_keys())
        models = self._session.night.models.order
        due = [asset_key(name) for name in models if name in plan.models or asset_key(name) not in shown]
        is_outlook_due = plan.is_outlook_due or OUTLOOK_KEY not in shown
        return [*due, *([OUTLOOK_KEY] if is_outlook_due else []), RELEASE_KEY, REPORT_KEY]

    def _execute(self, selection: list[dg.AssetKey], first_day: date | None) -> bool:
        request = self._session.night.request
        tags = build_range_tags(first_day, request.today)
        result = self._job.execute_in_process(
            run_config=_QUIET,
            instance=self._instance,
            asset_selection=selection,
            tags={**tags, HOME_TAG: str(request.home.resolve())},
            raise_on_error=False,
        )
        if self._session.error is not None:
            raise self._session.error
        if any(_is_interruption(event) for event in result.all_events):
            raise KeyboardInterrupt
        return result.success


def _is_interruption(event: dg.DagsterEvent) -> bool:
    """Dagster catches a signal itself: it cancels the run, or lets the step fail that was at work."""
    if event.event_type is dg.DagsterEventType.RUN_CANCELED:
        return True
    return event.is_failure and DagsterExecutionInterruptedError.__name__ in str(event.event_specific_data)


def _explain_failure(session: NightSession, seconds: float) -> NightlyResult:
    night = session.night
    failed_checks = night.build.failed_checks if session.is_gathered else ()
    failed = tuple(
        f"{model}: check {check.name} ({check.description}) has {check.violations} violating rows, first "
        f"{dict(check.sample[0]) if check.sample else 'unknown'}. Look into models_sql/{model.replace('.', '/')}.sql "
        "and what it reads; the release before stays current."
        for model, check in failed_checks
    )
    if not failed:
        folder = Path(os.environ.get(HOME_VARIABLE) or session.night.request.home / "dagster").absolute()
        raise BuildError(
            f"the run stopped without an error or a failed check; Dagster's run log below {folder}/history says "
            "what happened; nothing was published; run it again"
        )
    store = ReleaseStore(night.request.home)
    return NightlyResult(
        exit_code=ExitCode.NOTHING_PUBLISHED,
        release_path=store.current().path if store.pointer.is_symlink() else None,
        is_published=False,
        unchanged=False,
        source_faults=tuple(
            f"{f.source}: {f.message}" for f in night.findings if f.severity is Severity.FAULT
        ),
        failed_checks=failed,
        seconds=seconds,
    )
