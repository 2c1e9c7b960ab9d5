"""Landing Google Cloud billing: the export's rows, and prices, accounts and budgets beside them.

What belongs here: the order of the steps, and what a problem of one does to the others. What must not: how rows
are read (`exported_rows.py`, `extracted_files.py`), or what they mean (`bill_format.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from connectors.common.bills import focus_format
from connectors.common.contract import (
    CheckStep,
    ConnectorError,
    Delivery,
    LandingContext,
    Severity,
    SourceReport,
)
from connectors.common.datasets import (
    ACCOUNTS,
    BILL_DATASETS,
    BUDGETS,
    CHARGES,
    GCP_COST_LINES,
    SKU_PRICES,
    Dataset,
)
from connectors.common.digests import build_digest
from connectors.common.source_landing import DeliveryFacts, SourceLanding
from connectors.common.stores.open import open_store
from connectors.gcp_billing import prices_and_accounts, schema
from connectors.gcp_billing.bill_format import build_format
from connectors.gcp_billing.check import check_source
from connectors.gcp_billing.exported_rows import ExportedRows
from connectors.gcp_billing.extracted_files import ExtractedFiles
from connectors.gcp_billing.google_clients import GoogleClients
from connectors.gcp_billing.settings import Settings
from connectors.gcp_billing.snapshots import remove_leftovers
from connectors.gcp_billing.table_reader import TableReader


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land what is new; what fails is a finding, and what was known before stays."""
    typing = focus_format.describe_typing(context.tag_keys, context.identity)
    typing["gcp_schema"] = schema.SCHEMA_VERSION
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        _GoogleLanding(landing, settings).run()
    report = landing.report()
    return replace(report, deliveries=keep_stated_origin(report.deliveries, settings))


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try credentials, the table or location, the right to read rows, and what else the settings ask for."""
    yield from check_source(settings)


def keep_stated_origin(deliveries: Sequence[Delivery], settings: Settings) -> tuple[Delivery, ...]:
    """Return deliveries of which only those of the table or location that the settings name are current.

    A source that moved to another table would else bill its months twice.
    """
    origin = f"{settings.table or settings.location} "
    return tuple(
        replace(delivery, is_current=False)
        if delivery.dataset in BILL_DATASETS and not (delivery.delivery_key or origin).startswith(origin)
        else delivery
        for delivery in deliveries
    )


class _GoogleLanding:
    """One run over one source."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._clients = GoogleClients(settings)

    def run(self) -> None:
        settings = self._settings
        remove_leftovers(self._landing.raw / "artifacts")
        dataset = CHARGES if settings.kind == "focus" else GCP_COST_LINES
        if settings.table:
            self._try(dataset, self._land_table)
        if settings.location:
            self._try(dataset, self._land_location)
        if settings.accounts:
            self._try(ACCOUNTS, self._land_accounts)
        if settings.budgets:
            self._try(BUDGETS, self._land_budgets)
        if settings.catalog:
            self._try(SKU_PRICES, self._land_prices)

    def _try(self, dataset: Dataset, step: Callable[[], None]) -> None:
        """Run a step; its failure is a fault of its dataset and leaves the other steps alone."""
        try:
            step()
        except ConnectorError as error:
            kind = getattr(error, "kind", "unreachable_source")
            message = f"{self._landing.source}: {error}"
            self._landing.add(dataset.name, kind, message, Severity.FAULT)

    def _land_table(self) -> None:
        context = self._landing.context
        is_focus = self._settings.kind == "focus"
        build = focus_format.build_focus_format if is_focus else build_format
        bill_format = build(context.tag_keys, context.identity)
        reader = TableReader(self._clients, self._settings, context.progress)
        ExportedRows(self._landing, self._settings, reader, bill_format).run()

    def _land_location(self) -> None:
        context = self._landing.context
        store = open_store(self._settings.build_store_settings())
        bill_format = build_format(context.tag_keys, context.identity)
        ExtractedFiles(self._landing, self._settings, store, bill_format).run()

    def _land_accounts(self) -> None:
        found = prices_and_accounts.find_billing_accounts(self._clients, self._settings.billing_account)
        self._land_rows(ACCOUNTS, prices_and_accounts.fetch_accounts(self._clients, found))

    def _land_budgets(self) -> None:
        context = self._landing.context
        found = prices_and_accounts.find_billing_accounts(self._clients, self._settings.billing_account)
        today = prices_and_accounts.pacific_day(context.now)
        budgets = prices_and_accounts.fetch_budgets(self._clients, found, context.tag_keys, today)
        for reason, count in sorted(budgets.left_out.items()):
            message = f"{self._landing.source}: a budget is left out: {reason}"
            self._landing.add(BUDGETS.name, "budget_left_out", message, Severity.INFO, count=count)
        self._land_rows(BUDGETS, budgets.rows)

    def _land_prices(self) -> None:
        """Read the prices of the services, and in the currencies, that the bill has."""
        notes = [note for note in self._landing.seen.notes.values() if isinstance(note, dict)]
        services = sorted({name for note in notes for name in note.get("services", ())})
        currencies = sorted({name for note in notes for name in note.get("currencies", ())})
        if not services:
            message = f"{self._landing.source}: no service is billed yet, so no list price is read"
            self._landing.add(SKU_PRICES.name, "no_service", message, Severity.INFO)
            return
        rows = prices_and_accounts.fetch_sku_prices(self._clients, services, currencies)
        self._land_rows(SKU_PRICES, rows)

    def _land_rows(self, dataset: Dataset, rows: Iterable[dict[str, Any]]) -> None:
        """Deliver all rows of a dataset; equal content adds nothing, an empty answer replaces too."""
        ordered = sorted(rows, key=_row_text)
        content = build_digest(*(_row_text(row) for row in ordered))
        facts = DeliveryFacts(dataset, dataset.name, content, self._landing.context.now)
        if not self._landing.needs_rows(facts):
            self._landing.record(facts, None)
            return
        names = [name for name in dataset.schema.names if not name.startswith("x_")]
        schema_of = pa.schema([dataset.schema.field(name) for name in names])
        writer = self._landing.open_writer(facts)
        try:
            writer.write(pa.Table.from_pylist(ordered, schema=schema_of))
        except BaseException:
            writer.discard()
            raise
        self._landing.record(facts, writer)


def _row_text(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, default=str)
