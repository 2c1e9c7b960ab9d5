"""Bills that are asked for each night: reports and queries, as runs like those of an export.

What belongs here: from an answer to runs with files. What must not: the calls themselves.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.azure_cost_exports.bill_runs import BillRun
from connectors.azure_cost_exports.reports import Metric, ReportStore, fetch_report, list_months
from connectors.azure_cost_exports.settings import Settings
from connectors.azure_cost_exports.usage_query import fetch_usage
from connectors.common.contract import ConnectorError, Severity
from connectors.common.digests import read_file_sha256
from connectors.common.fetching import ArtifactFetcher
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

if TYPE_CHECKING:
    from azure.mgmt.costmanagement import CostManagementClient

_METRICS: tuple[tuple[Metric, str], ...] = (("AmortizedCost", "amortized"), ("ActualCost", "actual"))


def fetch_report_runs(
    landing: SourceLanding, settings: Settings, client: CostManagementClient
) -> list[BillRun]:
    """Return the reports of the last months, both metrics; one that Azure does not give is a finding."""
    today = landing.context.now.date()
    runs = []
    for month in list_months(today, settings.months):
        for metric, kind in _METRICS:
            try:
                report = fetch_report(client, settings, metric, month, today)
                store = ReportStore(settings.name, report)
                files = ArtifactFetcher(landing, store).fetch(list(store.list_objects()))
            except ConnectorError as error:
                landing.add(AZURE_COST_LINES.name, "unreachable_report", str(error), Severity.FAULT)
                continue
            runs.append(_build_run(landing, settings, kind, month, files))
    return runs


def fetch_usage_runs(
    landing: SourceLanding, settings: Settings, client: CostManagementClient
) -> list[BillRun]:
    """Return the daily totals of the last months; a month that Azure does not answer for is a finding."""
    today = landing.context.now.date()
    dimensions = " and ".join(settings.group_by) or "nothing"
    message = (
        f"{settings.name}: daily totals by {dimensions} only: no quantities, prices, resources or tags beyond these, "
        "so little can be attributed; use exports or `path: cost_details` where the account allows"
    )
    landing.add(AZURE_COST_LINES.name, "coarse_bill", message, Severity.INFO)
    runs = []
    for month in list_months(today, settings.months):
        try:
            content = fetch_usage(client, settings, month, today)
        except ConnectorError as error:
            landing.add(AZURE_COST_LINES.name, "unreachable_query", str(error), Severity.FAULT)
            continue
        file = _write_answer(landing, f"query/{month:%Y-%m}.csv", content)
        runs.append(_build_run(landing, settings, "query", month, [file]))
    return runs


def _build_run(
    landing: SourceLanding, settings: Settings, kind: str, month: date, files: Sequence[SourceFile]
) -> BillRun:
    return BillRun(
        kind=kind,
        billing_scope=(settings.scope or "").lower(),
        month=f"{month:%Y-%m}",
        delivered_at=landing.context.now,
        label=f"{kind} of {month:%Y-%m}",
        fetch=lambda: files,
        is_stated=False,
    )


def _write_answer(landing: SourceLanding, name: str, content: bytes) -> SourceFile:
    """Keep an answer as an artifact and return it as a file."""
    folder = landing.raw / "incoming"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{uuid.uuid4().hex}.csv"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    file = SourceFile(path, name, len(content), path.stat().st_mtime_ns, read_file_sha256(path))
    kept = landing.artifact_path(landing.keep_artifact(file))
    path.unlink()
    return SourceFile(Path(kept), name, len(content), file.mtime_ns, file.sha256)
