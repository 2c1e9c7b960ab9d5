"""What all assets of one Dagster run share: one night, whose steps are taken in order and once each.

What belongs here: the order of steps, so that any selection of assets works, also a single one from the web
interface: a step first takes the steps that it needs. What must not: dagster, or what a step does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from connectors.common.contract import SourceReport
from connectors.common.settings import SourceSettings
from pipelines.night.run import OUTLOOK_READS, Night
from pipelines.progress import Progress, SilentProgress
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.release import Release, ReleaseStore
from pipelines.warehouse.runner import ModelResult

LEDGER_PREFIX = "lake.ledger_"
COUNTED_ROWS = 1_000_000
"""A view that reads more rows than this is not counted: a night does not read the whole history for a number."""


def find_ledger_readers(models: ModelSet) -> frozenset[str]:
    """The models that read the ledger, directly or not: they come after the look ahead."""
    late: set[str] = set()
    for name in models.order:
        if any(ref in late or ref.startswith(LEDGER_PREFIX) for ref in models[name].dependencies):
            late.add(name)
    return frozenset(late)


class NightSession:
    """One night, lazily: each method does its step once, after the steps that it depends on."""

    def __init__(self, night: Night, progress: Progress | None = None) -> None:
        self.night = night
        self.progress = progress or SilentProgress()
        night.transfers = self.progress.transfers
        self.error: Exception | None = None
        self.outlook: str | None = None
        self._landed: dict[str, SourceReport] = {}
        self._is_gathered = False
        self._is_settled = False

    @cached_property
    def ledger_readers(self) -> frozenset[str]:
        """Models that wait for the look ahead."""
        return find_ledger_readers(self.night.models)

    @property
    def is_gathered(self) -> bool:
        """Whether all sources have landed and the build has its inputs."""
        return self._is_gathered

    @contextmanager
    def keep_error(self) -> Iterator[None]:
        """Remember the first error as it was raised, for whoever started the run; Dagster only keeps its text."""
        try:
            yield
        except Exception as error:
            self.error = self.error or error
            raise

    def land(self, source: SourceSettings) -> SourceReport:
        """Land a source, or say again what landing it gave."""
        if source.name not in self._landed:
            self._landed[source.name] = self.night.land(source)
        return self._landed[source.name]

    def gather(self) -> None:
        """Land what has not landed yet and give the build its inputs."""
        if self._is_gathered:
            return
        for source in self.night.request.config.sources:
            self.land(source)
        self.night.gather()
        self._is_gathered = True

    def build_model(self, name: str) -> ModelResult:
        """Bring a model up to date after all that it reads."""
        self.gather()
        build = self.night.build
        if name in build.results:
            return build.results[name]
        if name in self.ledger_readers:
            self.look_ahead()
        for ref in self.night.models[name].dependencies:
            if ref in self.night.models.models:
                self.build_model(ref)
        return self.night.run_model(name)

    def count_rows(self, result: ModelResult) -> int | None:
        """Rows of a model; those of a view only where what it reads is small, as counting reads it all."""
        if result.rows is not None:
            return result.rows
        if self._rows_read(result.name) > COUNTED_ROWS:
            return None
        if self.night.build.must_be_empty(result.name):
            return 0
        counted = f"select count(*) as rows_count from {result.name}"  # noqa: S608 (a model's own name)
        return self.night.build.fetch(counted)["rows_count"][0].as_py()

    def _rows_read(self, name: str) -> int:
        build = self.night.build
        if name in build.models.models and build.models[name].is_view:
            return sum(self._rows_read(ref) for ref in build.models[name].refs)
        return build.records[name].relation.rows

    def look_ahead(self) -> str:
        """Forecast and detect; says what was added to the ledger."""
        if self.outlook is None:
            self.gather()
            for name in OUTLOOK_READS:
                self.build_model(name)
            self.outlook = self.night.look_ahead()
        return self.outlook

    def publish(self) -> Release | None:
        """Build what is not built yet and publish; the release that is current afterwards."""
        if not self._is_settled and not self.is_known():
            for name in self.night.models.order:
                self.build_model(name)
            self.look_ahead()
            self.night.publish()
            self.night.prune()
            self._is_settled = True
        return self.night.release

    def is_known(self) -> bool:
        """Gather; True when a run about the past was made before and its side release is used again."""
        self.gather()
        self._is_settled = self._is_settled or self.night.reuse_side_release()
        return self._is_settled

    def write_report(self) -> Path | None:
        """Write the weekly report, of the current release when this run publishes none."""
        if self.night.release is None and not self.night.is_side_run:
            self.night.release = ReleaseStore(self.night.request.home).current()
        return self.night.write_report()
