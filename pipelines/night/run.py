"""The state of one night and its steps, in the order they may be called.

What belongs here: holding the lock, the build and the findings of one run. What must not: dagster, printing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.common.bill_of_record import resolve_bill_of_record
from connectors.common.contract import (
    ConnectorError,
    Finding,
    LandingContext,
    LandingProgress,
    Severity,
    SourceReport,
)
from connectors.common.identity import Identity
from connectors.common.registry import land
from connectors.common.settings import SourceSettings
from connectors.common.shared_files import set_aside_shared_files
from pipelines.config.model import Config
from pipelines.night import restatements
from pipelines.night.as_of import check_something_known, find_side_release, take_day_ends
from pipelines.night.findings import (
    find_changed_identity,
    find_late_bills,
    find_removed_sources,
    find_silent_sources,
)
from pipelines.night.inputs import (
    billed_totals,
    build_delivery_table,
    build_finding_table,
    build_lake_relations,
    build_source_day_table,
    build_status_table,
    write_bill_deliveries,
    write_rate_card_days,
    write_recent_days,
)
from pipelines.night.outlook import LEDGER_SCHEMAS, Outlook, build_outlook, outlook_inputs
from pipelines.night.reference import (
    build_alias_table,
    build_budget_table,
    build_fx_table,
    build_price_table,
    build_reference_tables,
    find_unread_meters,
)
from pipelines.night.retention import prune_home
from pipelines.results import ConservationLine, ExitCode, NightlyResult
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.ledger import LedgerFile, new_run_id, read_ledger, recover, write_ledger
from pipelines.warehouse.lock import writer_lock
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.publish import is_changed, publish, read_current_manifest
from pipelines.warehouse.relations import DataFile, Relation, duckdb_columns
from pipelines.warehouse.release import Release, ReleaseStore
from pipelines.warehouse.runner import Build, ModelResult, Progress

MODELS_FOLDER = Path(__file__).resolve().parents[2] / "models_sql"
OUTLOOK_READS = ("marts.cost_daily", "core.cells", "core.bill_coverage", "staging.budgets")
"""What must be built before the night looks ahead; the ledger relations are read after it."""

_TOP_SQL = """
select cost_driver, provider, service_name, model, feature, residual_reason, billing_currency,
    count(distinct charge_date) as days, max(charge_date) as last_date,
    cast(sum(requests) as bigint) as requests, sum(effective_cost) as effective_cost
from marts.cost_daily
where charge_category <> 'Tax'
group by cost_driver, provider, service_name, model, feature, residual_reason, billing_currency
order by sum(effective_cost_reporting) desc nulls last, cost_driver, provider, service_name, model, feature,
    residual_reason, billing_currency
limit 10
"""
_WARNINGS_SQL = """
select finding, finding_count, message from marts.data_completeness
where severity = 'warn' order by finding <> 'missing_fx_rate', finding_count desc nulls last, finding, message
"""
_ATTRIBUTED_SQL = """
select billing_currency, cast(sum(billed_cost) as decimal(38, 12)) as total
from marts.cost_daily where cost_state <> 'estimated' group by billing_currency order by billing_currency
"""

_OWN_HARDWARE_SQL = """
select billing_currency, cast(sum(billed_cost) as decimal(38, 12)) as total
from staging.rate_card_charges group by billing_currency order by billing_currency
"""
"""What no bill delivers, and counts: own hardware."""


@dataclass(frozen=True)
class NightRequest:
    """What a night is asked for. `now` is the clock at the edge (UTC, naive); `as_of` limits knowledge."""

    config: Config
    home: Path
    today: date
    now: datetime
    as_of: datetime | None = None
    since: date | None = None


@dataclass
class Night:
    """One run. Use as a context manager: it holds the writer lock from `__enter__` on."""

    request: NightRequest
    models: ModelSet
    run_id: str = ""
    reports: dict[str, SourceReport] = field(default_factory=dict)
    release: Release | None = None
    is_published: bool = False
    report_path: Path | None = None
    report_problem: str | None = None
    transfers: LandingProgress | None = None

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self.run_id = self.run_id or new_run_id(self.request.now)
        self._build: Build | None = None
        identity = self.request.config.identity
        self._identity = Identity(identity.key_bytes(), identity.pseudonymise)
        self._ledger: list[LedgerFile] = []
        self._is_reused = False
        self._pruned: str | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Night:
        self.request.home.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(writer_lock(self.request.home))
        self._previous = read_current_manifest(self.request.home)
        recover(self.request.home, self._previous)
        return self

    def __exit__(self, *error: object) -> None:
        if self._build is not None:
            self._build.close()
        self._stack.close()

    @property
    def build(self) -> Build:
        """The build; it exists once `gather` ran."""
        if self._build is None:
            raise RuntimeError("the inputs were not gathered yet: call gather() first")
        return self._build

    @property
    def is_side_run(self) -> bool:
        """True for a run about the past: it publishes a side release and writes no ledger."""
        return self.request.as_of is not None

    def land(self, source: SourceSettings) -> SourceReport:
        """Land one source. What goes wrong is a fault of that source: its last good snapshot stays, others go on.

        Raises ConnectorError or OSError only where even what landed before cannot be read: to publish without it
        would lose the source's cost.
        """
        config = self.request.config
        context = LandingContext(
            lake=self.request.home / "lake",
            now=self.request.now,
            identity=self._identity,
            tag_keys=config.tags.by_attribution_key(),
            as_of=self.request.as_of,
            progress=self.transfers,
        )
        try:
            report = land(source, context)
        except (ConnectorError, OSError) as error:
            finding = Finding(
                source.name, source.connector, "source_failed", _describe_failure(error), Severity.FAULT
            )
            known = land(source, replace(context, as_of=self.request.as_of or datetime.max))  # noqa: DTZ901 (naive UTC: all that is known)
            report = replace(known, findings=(finding, *known.findings))
        self.reports[source.name] = self._at_day_ends(report, source, context)
        return self.reports[source.name]

    def _at_day_ends(
        self, report: SourceReport, source: SourceSettings, context: LandingContext
    ) -> SourceReport:
        """A run about the past, where snapshots were pruned, knows the last one of their day instead."""
        if not self.is_side_run:
            return report
        return take_day_ends(report, lambda moment: land(source, replace(context, as_of=moment)))

    def gather(self) -> None:
        """Decide the bill of record and give the build its inputs. All sources must have landed.

        Raises PublishError for a run about a time by which nothing had been delivered.
        """
        request, config = self.request, self.request.config
        if request.as_of is not None:
            check_something_known(self.reports.values(), request.as_of)
        order = [source.name for source in config.sources]
        resolved = resolve_bill_of_record([self.reports[name] for name in order], order)
        resolved = set_aside_shared_files(resolved, order)
        self.reports = {report.name: report for report in resolved}
        self._build = Build(
            home=request.home,
            models=self.models,
            inputs={},
            parameters={
                "as_of": request.as_of or request.now,
                "today": request.today,
                "reporting_currency": config.reporting_currency,
                "home": str(request.home.resolve()),
                "sources": ",".join(sorted(order)),
                "identity": self._identity_name,
            },
            previous=_forget(self._previous, request.since),
            engine=EngineSettings(
                **{key: value for key, value in config.engine.model_dump().items() if value is not None}
            ),
            code_version=code_version(self.models),
        )
        for name, table in build_reference_tables(config, MODELS_FOLDER / "reference").items():
            self.build.add_table(name, table)
        datasets = build_lake_relations(resolved)
        for relation in datasets.values():
            self._add_dataset(relation)
        cards = datasets["lake.rate_cards"]
        self.build.add_input(write_rate_card_days(self.build.tables, cards, request.today))
        self.build.add_input(write_recent_days(self.build.tables, resolved, request.today))
        known_at = request.as_of or request.now
        self.build.add_input(write_bill_deliveries(self.build.tables, resolved, known_at))
        self.build.add_table("lake.deliveries", build_delivery_table(resolved))
        self.build.add_table("lake.source_days", build_source_day_table(resolved))
        self.build.add_table("lake.findings", build_finding_table(self.findings))
        self.build.add_table("lake.source_status", build_status_table(resolved, known_at))
        self._add_restatements(resolved)

    def _add_restatements(self, reports: Sequence[SourceReport]) -> None:
        """Compare each new delivery of a bill with the one before it, once, and give what is known to the build.

        The models that a comparison needs are run for it, so the build must have all other inputs. A run about the past
        keeps what it compares to itself.
        """
        as_of = self.request.as_of
        ledger = read_ledger(self.request.home, restatements.KIND, duckdb_columns(restatements.SCHEMA), None)
        told = restatements.Told.read(ledger, as_of)
        untold = restatements.find_untold(reports, told)
        run_id = restatements.SIDE_RUN if self.is_side_run else self.run_id
        rows = restatements.build_restatements(self.build, untold, told, run_id)
        if self.is_side_run:
            self.build.add_table(restatements.RELATION, pa.concat_tables([told.rows, rows]))
            return
        if rows.num_rows:
            written = write_ledger(self.request.home, restatements.KIND, self.run_id, rows)
            self._ledger.append(written)
            ledger = self._with_file(ledger, written)
        self.build.add_input(restatements.as_relation(ledger))

    def _add_dataset(self, relation: Relation) -> None:
        """A dataset of the lake, joined by what the config itself states of it."""
        config, folder = self.request.config, MODELS_FOLDER / "reference"
        own: dict[str, Callable[[], pa.Table]] = {
            "lake.prices": lambda: build_price_table(config, folder, self.request.as_of),
            "lake.model_aliases": lambda: build_alias_table(config, folder),
            "lake.fx_rates": lambda: build_fx_table(config),
            "lake.budgets": lambda: build_budget_table(config),
        }
        if relation.name in own:
            written = self.build.add_table(relation.name, own[relation.name]())
            files = {**relation.files}
            for key, added in written.files.items():
                files[key] = (*files.get(key, ()), *added)
            relation = replace(relation, files=files)
        self.build.add_input(relation)

    @property
    def findings(self) -> list[Finding]:
        """What is wrong or worth knowing about the sources, in the order they are declared, and about this run."""
        known = self._previous.parameters if self._previous else {}
        names = [source.name for source in self.request.config.sources]
        return [
            *(finding for report in self.reports.values() for finding in report.findings),
            *find_changed_identity(known, self._identity_name),
            *find_removed_sources(known, names),
            *find_silent_sources(list(self.reports.values()), self.request.as_of),
            *find_late_bills(list(self.reports.values()), self.request.today),
            *find_unread_meters(self.request.config, MODELS_FOLDER / "reference"),
        ]

    @property
    def _identity_name(self) -> str:
        """What tells one identity key from another, without telling the key."""
        return self._identity.key_id if self.request.config.identity.pseudonymise else "none"

    def run_model(self, name: str, progress: Progress | None = None) -> ModelResult:
        """Bring one model up to date, unless this night did so before."""
        return self.build.results.get(name) or self.build.run(name, progress)

    def look_ahead(self) -> str:
        """Forecast and detect, unless nothing changed since the last time; give the ledger relations to the build."""
        inputs = outlook_inputs(self.build)
        if self.is_side_run:
            return self._look_ahead_from_the_past()
        known = {kind: self._read_ledger(kind) for kind in LEDGER_SCHEMAS}
        is_known = self._previous is not None and self._previous.parameters.get("outlook") == inputs
        said = "unchanged"
        if not is_known:
            outlook = self._build_outlook(self.run_id, self._known_anomalies(known["anomalies"]))
            for kind, table in outlook.tables.items():
                written = write_ledger(self.request.home, kind, self.run_id, table)
                self._ledger.append(written)
                known[kind] = self._with_file(known[kind], written)
            said = outlook.summary
        for relation in known.values():
            self.build.add_input(relation)
        self.build.parameters["outlook"] = inputs
        return said

    def _look_ahead_from_the_past(self) -> str:
        """What would have been expected with what was known then: it depends on no night that ran, or did not."""
        outlook = self._build_outlook(restatements.SIDE_RUN, LEDGER_SCHEMAS["anomalies"].empty_table())
        for kind, schema in LEDGER_SCHEMAS.items():
            self.build.add_table(f"lake.ledger_{kind}", outlook.tables.get(kind, schema.empty_table()))
        return outlook.summary

    def _build_outlook(self, run_id: str, known_anomalies: pa.Table) -> Outlook:
        request = self.request
        return build_outlook(self.build, run_id, request.as_of or request.now, request.today, known_anomalies)

    def _read_ledger(self, kind: str) -> Relation:
        columns = duckdb_columns(LEDGER_SCHEMAS[kind])
        return read_ledger(self.request.home, kind, columns)

    def _with_file(self, relation: Relation, written: LedgerFile) -> Relation:
        file = DataFile(self.request.home.resolve() / written.path, written.digest, written.rows, "all")
        return replace(relation, files={"all": (*relation.files.get("all", ()), file)})

    def _known_anomalies(self, relation: Relation) -> pa.Table:
        """The newest state of every episode told so far."""
        import pyarrow.parquet as pq

        schema = LEDGER_SCHEMAS["anomalies"]
        newest: dict[str, dict[str, object]] = {}
        for file in relation.all_files:  # files sort by commit, so later rows replace earlier ones
            for row in pq.read_table(file.path).to_pylist():
                newest[row["anomaly_id"]] = row
        return pa.Table.from_pylist(list(newest.values()), schema=schema)

    def publish(self) -> Release | None:
        """Publish what was built, unless a reader would see no difference. Raises PublishError on failed checks."""
        kind = "asof" if self.is_side_run else "release"
        if not self.is_side_run and not self._ledger and not self._is_changed():
            self.release = ReleaseStore(self.request.home).current()
            return None
        self.release = publish(self.build, self.run_id, self.request.now, kind, self._ledger)
        self.is_published = True
        return self.release

    def reuse_side_release(self) -> bool:
        """Take the side release that is there already, if it knows what this run about the past would know.

        Call it after `gather`; True when there is nothing to build.
        """
        if not self.is_side_run:
            return False
        self.release = find_side_release(self.build)
        self._is_reused = self.release is not None
        return self._is_reused

    def prune(self) -> None:
        """Let old snapshots go, once what they said is published."""
        if self.is_side_run:
            return
        pruned = prune_home(self.request.config, self.request.home, self.request.now)
        if pruned:
            freed = sum(snapshot.bytes for snapshot in pruned) / 1e6
            days = self.request.config.retention.every_snapshot_days
            self._pruned = f"{len(pruned)} bill snapshots older than {days} days, {freed:,.1f} MB"

    def _is_changed(self) -> bool:
        """Whether a reader would see a difference; a home that was moved has other paths in its catalogue."""
        previous = self._previous
        is_moved = previous is None or previous.parameters.get("home") != self.build.parameters["home"]
        return is_moved or is_changed(self.build, previous)

    def write_report(self) -> Path | None:
        """Render the weekly report of the newest settled week; what prevents it is kept in `report_problem`.

        Nothing published means nothing new to say: the report that is there stands.
        """
        from pipelines.weekly_report import write_weekly_report
        from reports.weekly.records import WeeklyReportError

        if self.release is None:
            return None
        folder = (
            self.release.path / "reports" if self.is_side_run else self.request.home / "reports" / "weekly"
        )
        written = sorted(folder.glob("weekly-*.html"))
        if written and not self.is_published:
            self.report_path = written[-1]
            return self.report_path
        try:
            self.report_path = write_weekly_report(
                self.release, None, folder, self.request.config.report, self._identity
            )
        except WeeklyReportError as error:
            self.report_problem = str(error)
        return self.report_path

    def result(self) -> NightlyResult:
        """What to tell whoever started the run, after `publish`."""
        said = (f"{f.source}: {f.message}" for f in self.findings if f.severity is Severity.FAULT)
        faults = tuple(dict.fromkeys(said))
        return NightlyResult(
            exit_code=ExitCode.SOURCE_AT_FAULT if faults else ExitCode.OK,
            release_path=self.release.path if self.release else None,
            is_published=self.is_published,
            unchanged=not self.is_published,
            source_faults=faults,
            warnings=tuple(_describe_warning(row) for row in self._fetch(_WARNINGS_SQL)),
            conservation=self._prove_conservation(),
            top_lines=tuple(self._fetch(_TOP_SQL)),
            pruned=self._pruned,
            report_path=self.report_path,
            report_problem=self.report_problem,
            seconds=time.monotonic() - self._started,
        )

    def _fetch(self, sql: str) -> list[dict[str, Any]]:
        """Rows of what was built, or of the release that is used again."""
        if not self._is_reused or self.release is None:
            return self.build.fetch(sql).to_pylist()
        with ReleaseStore(self.request.home).reading(self.release) as connection:
            return connection.execute(sql).to_arrow_table().to_pylist()

    def _prove_conservation(self) -> tuple[ConservationLine, ...]:
        billed = dict(billed_totals(list(self.reports.values())))
        for row in self._fetch(_OWN_HARDWARE_SQL):
            currency = row["billing_currency"]
            billed[currency] = billed.get(currency, Decimal(0)) + (row["total"] or Decimal(0))
        rows = self._fetch(_ATTRIBUTED_SQL)
        attributed = {row["billing_currency"]: row["total"] or Decimal(0) for row in rows}
        return tuple(
            ConservationLine(currency, billed.get(currency, Decimal(0)), attributed.get(currency, Decimal(0)))
            for currency in sorted({*billed, *attributed})
        )


def _describe_warning(row: Mapping[str, Any]) -> str:
    """Return a finding as a sentence; only a count of several says anything."""
    count = f" ×{row['finding_count']:,}" if (row["finding_count"] or 0) > 1 else ""
    return f"{row['finding']}{count}: {row['message']}"


def _describe_failure(error: ConnectorError | OSError) -> str:
    """Return in words why a source could not be landed: which file the system refused, and what to do."""
    if isinstance(error, ConnectorError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return (
        f"{where}{error.strerror or type(error).__name__}; make room or correct the permissions there. What landed "
        "before stays"
    )


def _forget(previous: ReleaseManifest | None, since: date | None) -> ReleaseManifest | None:
    """The manifest without what is known of partitions from `since` on, so that these are built again."""
    if previous is None or since is None:
        return previous
    day, month = since.isoformat(), since.isoformat()[:7]
    relations = {
        name: replace(
            record,
            fingerprints={
                key: value
                for key, value in record.fingerprints.items()
                if key < (month if len(key) == len(month) else day) and key != "all"
            },
        )
        for name, record in previous.relations.items()
    }
    return replace(previous, relations=relations)


def load_models(home: Path | None = None) -> ModelSet:
    """The project's models; `home` may keep what parsing found, which saves a second a night."""
    cache = None if home is None else home / "warehouse" / "cache"
    return ModelSet.load(MODELS_FOLDER, cache)


def code_version(models: ModelSet) -> str:
    """The package's version and a digest of all models: equal means equal figures from equal inputs."""
    digest = sha256("".join(model.code_digest for model in models.models.values()).encode())
    return f"{version('everycent')}+{digest.hexdigest()[:8]}"
