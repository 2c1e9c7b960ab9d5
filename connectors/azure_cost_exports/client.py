"""Landing Azure's bills and budgets.

What belongs here: the order of the steps, by the path that the config chooses. What must not: files, calls, columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from connectors.azure_cost_exports import schema
from connectors.azure_cost_exports.bill_runs import BillRun, RunLanding
from connectors.azure_cost_exports.budgets import build_budget_rows
from connectors.azure_cost_exports.check import check_source
from connectors.azure_cost_exports.export_files import find_locations, find_runs
from connectors.azure_cost_exports.management import (
    build_client,
    fetch_budgets,
    fetch_exports,
    run_export,
)
from connectors.azure_cost_exports.requested import fetch_report_runs, fetch_usage_runs
from connectors.azure_cost_exports.settings import Settings
from connectors.azure_cost_exports.views import keep_counting_views
from connectors.common.azure_sign_in import build_credential
from connectors.common.bills import focus_format
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import BUDGETS
from connectors.common.digests import build_digest
from connectors.common.source_landing import DeliveryFacts, SourceLanding
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

if TYPE_CHECKING:
    from azure.mgmt.costmanagement import CostManagementClient


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the bill of a scope and, if asked, its budgets; what fails is a finding, the last good bill stays."""
    typing = {
        "schema": [schema.SCHEMA_VERSION, focus_format.SCHEMA_VERSION],
        "tag_keys": {key: list(names) for key, names in sorted(context.tag_keys.items())},
        "identity": context.identity.key_id,
    }
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        _AzureLanding(landing, settings).run()
    report = landing.report()
    scope = settings.scope.lower() if settings.scope else None
    return replace(report, deliveries=keep_counting_views(report.deliveries, scope))


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try the token, the exports, their last runs, and the files."""
    yield from check_source(settings)


class _AzureLanding:
    """One run over one source."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._client: CostManagementClient | None = None

    def run(self) -> None:
        runs = RunLanding(self._landing)
        try:
            runs.land(self._find_runs())
        except ConnectorError as error:
            self._report(AZURE_COST_LINES.name, "unreachable_bill", str(error))
        runs.describe_pairs()
        runs.type_again()
        if self._settings.budgets:
            try:
                self._land_budgets()
            except ConnectorError as error:
                self._report(BUDGETS.name, "unreachable_budgets", str(error))

    def _find_runs(self) -> list[BillRun]:
        settings, landing = self._settings, self._landing
        if settings.path == "cost_details":
            return fetch_report_runs(landing, settings, self._open_client())
        if settings.path == "query":
            return fetch_usage_runs(landing, settings, self._open_client())
        for name in settings.exports if settings.trigger else ():
            self._trigger(name)
        is_told = settings.location is None
        exports = fetch_exports(self._open_client(), settings) if is_told else []
        runs: list[BillRun] = []
        for location in find_locations(settings, exports):
            runs += find_runs(landing, settings, location)
        return runs

    def _trigger(self, name: str) -> None:
        try:
            state = run_export(self._open_client(), self._settings, name)
        except ConnectorError as error:
            self._report(AZURE_COST_LINES.name, "export_not_run", str(error))
            return
        if state != "Completed":
            message = f"export {name!r} ended as {state}: nothing new was there, it wrote no file"
            self._report(AZURE_COST_LINES.name, "export_without_data", message, Severity.INFO)

    def _land_budgets(self) -> None:
        """Land the budgets as they are now: a delivery of its own each time one of them changed."""
        landing, context = self._landing, self._landing.context
        budgets = fetch_budgets(self._open_client(), self._settings)
        rows, problems = build_budget_rows(budgets, context.tag_keys, context.now.date())
        for problem in problems:
            self._report(BUDGETS.name, problem.kind, problem.message, problem.severity)
        ordered = sorted(rows, key=lambda row: (row["budget_id"], row["period_start"]))
        content = build_digest(*(_write_row(row) for row in ordered))
        scope = (self._settings.scope or "").lower()
        facts = DeliveryFacts(BUDGETS, f"budgets of {scope}", content, context.now)
        writer = None
        if landing.needs_rows(facts):
            writer = landing.open_writer(facts)
            writer.write(pa.Table.from_pylist(ordered, schema=_budget_schema(ordered)))
        landing.record(facts, writer)

    def _open_client(self) -> CostManagementClient:
        if self._client is None:
            self._client = build_client(self._settings, build_credential(self._settings.name, self._settings))
        return self._client

    def _report(self, dataset: str, kind: str, message: str, severity: Severity = Severity.FAULT) -> None:
        text = (
            message
            if message.startswith(f"{self._landing.source}: ")
            else f"{self._landing.source}: {message}"
        )
        self._landing.add(dataset, kind, text, severity)


def _write_row(row: Mapping[str, object]) -> str:
    return "\n".join(f"{name}={value}" for name, value in sorted(row.items()))


def _budget_schema(rows: list[dict[str, object]]) -> pa.Schema:
    names = {name for row in rows for name in row}
    return pa.schema([field for field in BUDGETS.schema if field.name in names])
