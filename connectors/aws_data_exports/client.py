"""Landing an AWS data export: the newest manifest of each billing period → typed lines.

What belongs here: the order of the steps, and what a problem of one month does to the others. What must not: the
content of manifests (`manifests.py`), typing (`cur_format.py`, `connectors/common/bills`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.aws_data_exports import schema
from connectors.aws_data_exports.check import check_export
from connectors.aws_data_exports.cur_format import build_cur_format
from connectors.aws_data_exports.deliveries import (
    DeliveryUnderWay,
    ExportDeliveries,
    ExportDelivery,
    choose_manifests,
    describe_absence,
    find_first_period,
)
from connectors.aws_data_exports.exports import ExportService
from connectors.aws_data_exports.manifests import ManifestFault, ManifestObject
from connectors.aws_data_exports.settings import Settings, TableKind
from connectors.common.bills import focus_format
from connectors.common.bills.contract import BillDelivery, BillFormat
from connectors.common.bills.landing import BillLanding
from connectors.common.bills.readers import read_batches
from connectors.common.contract import (
    CheckStep,
    ConnectorError,
    Delivery,
    LandingContext,
    Severity,
    SourceReport,
    TransientError,
)
from connectors.common.datasets import CHARGES
from connectors.common.fetching import ArtifactFetcher
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ChangedObject
from connectors.common.stores.open import open_store
from connectors.common.vendor_lines.aws_cur import AWS_CUR_LINES

_TABLE_NOTE = "table "


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the newest delivery of every billing month; a month that cannot be taken over keeps its last good one."""
    typing = focus_format.describe_typing(context.tag_keys, context.identity)
    typing["cur_schema"] = schema.SCHEMA_VERSION
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        _ExportLanding(landing, settings).run()
    report = landing.report()
    tables = {
        key.removeprefix(_TABLE_NOTE): table
        for key, table in landing.seen.notes.items()
        if key.startswith(_TABLE_NOTE)
    }
    return replace(report, deliveries=keep_one_table(report.deliveries, tables))


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try credentials, the export's definition, its last run, its manifests and one file."""
    yield from check_export(settings)


def keep_one_table(deliveries: Sequence[Delivery], tables: Mapping[str, str]) -> tuple[Delivery, ...]:
    """Return deliveries of which, per account and month, only those of one dataset are current.

    `tables` says which one each month was last landed in. A source that changed from CUR 2.0 to FOCUS, or to
    `carries_cost: false`, would else bill a month twice.
    """
    there = {(d.billing_account_id, d.period, d.dataset) for d in deliveries if d.is_current}

    def is_left(delivery: Delivery) -> bool:
        table = tables.get(delivery.period or "", delivery.dataset)
        is_there = (delivery.billing_account_id, delivery.period, table) in there
        return delivery.is_current and table != delivery.dataset and is_there

    return tuple(
        replace(delivery, is_current=False) if is_left(delivery) else delivery for delivery in deliveries
    )


class _ExportLanding:
    """One run over one export."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._bills: dict[TableKind, BillLanding] = {}

    def run(self) -> None:
        try:
            deliveries, manifests = self._find_manifests()
        except ConnectorError as error:
            self._report("unreachable_export", str(error))
            return
        newest = {manifest.period: manifest for manifest in manifests}
        for manifest in manifests:
            if not self._try(deliveries, manifest, is_newest=newest[manifest.period] is manifest):
                break
        for bills in self._bills.values():
            bills.finish()

    def _try(self, deliveries: ExportDeliveries, manifest: ManifestObject, *, is_newest: bool) -> bool:
        """Land one delivery or report why not; return False when no other one need be tried."""
        typing = self._landing.typing_digest
        if not is_newest and deliveries.is_landed(manifest, typing):
            return True
        try:
            self._land(deliveries, manifest)
        except (ChangedObject, DeliveryUnderWay) as error:
            self._report("delivery_under_way", str(error), Severity.INFO)
        except ManifestFault as error:
            severity = Severity.FAULT if is_newest else Severity.INFO
            self._report("unusable_manifest", str(error), severity)
        except TransientError as error:
            self._report("unreachable_export", str(error))
            return False
        except ConnectorError as error:
            self._report("unreadable_object", str(error))
        return True

    def _find_manifests(self) -> tuple[ExportDeliveries, list[ManifestObject]]:
        settings, landing = self._settings, self._landing
        location = settings.location or ExportService(settings).find_export().location
        self._store = open_store(settings.build_store_settings(location))
        self._fetcher = ArtifactFetcher(landing, self._store)
        deliveries = ExportDeliveries(self._store, settings.export_name, landing.seen, landing.context.now)
        found = deliveries.list_manifests()
        if not found:
            self._report("no_manifest", describe_absence(location, settings.export_name))
        first = find_first_period(landing.context.now, settings.months)
        return deliveries, choose_manifests(found, first_period=first, backfill=settings.backfill)

    def _land(self, deliveries: ExportDeliveries, manifest: ManifestObject) -> None:
        delivery = deliveries.read(manifest)
        files = tuple(self._fetcher.fetch(delivery.objects, spares_pruned=True))
        kind = self._find_kind(delivery, files)
        if kind is None:
            return
        bill = BillDelivery(delivery.period, files, delivery.delivered_at, period=delivery.period)
        if self._open_bills(kind).deliver(bill):
            deliveries.remember(delivery, self._landing.typing_digest)
            dataset = self._build_format(kind).dataset.name
            self._landing.seen.write_note(f"{_TABLE_NOTE}{delivery.period}", dataset)

    def _find_kind(self, delivery: ExportDelivery, files: tuple[SourceFile, ...]) -> TableKind | None:
        """Return what the files hold: as the config says, else by their columns, else as before."""
        settings = self._settings
        columns = set(delivery.columns)
        if settings.table is None and not columns and files:
            self._landing.bring_back(files[:1])
            columns = set(next(read_batches(files[0])).columns)
        kind = settings.table or schema.find_kind(columns)
        if kind is None and not columns:
            known = [d.delivery for d in self._landing.records if d.delivery.period == delivery.period]
            kind = "focus" if known and known[-1].dataset == CHARGES.name else "cur_2_0" if known else None
            return kind
        if kind is None:
            raise ManifestFault(
                f"{delivery.manifest.key}: neither CUR 2.0 (line_item_line_item_type) nor FOCUS (BilledCost) by its "
                "columns; select them in the export's query, or correct `export`"
            )
        if kind == "focus" and not settings.carries_cost:
            raise ManifestFault(
                f"{delivery.manifest.key}: a FOCUS export only carries cost; leave out `carries_cost: false`"
            )
        return kind

    def _open_bills(self, kind: TableKind) -> BillLanding:
        if kind not in self._bills:
            self._bills[kind] = BillLanding(self._landing, self._build_format(kind))
        return self._bills[kind]

    def _build_format(self, kind: TableKind) -> BillFormat:
        context = self._landing.context
        if kind == "focus":
            return focus_format.build_focus_format(context.tag_keys, context.identity)
        return build_cur_format(context.tag_keys, context.identity, carries_cost=self._settings.carries_cost)

    def _report(self, kind: str, message: str, severity: Severity = Severity.FAULT) -> None:
        dataset = CHARGES.name if self._settings.table == "focus" else AWS_CUR_LINES.name
        self._landing.add(dataset, kind, f"{self._landing.source}: {message}", severity)
