"""Azure's exports for tests: files and manifests as Cost Management writes them into a container.

What belongs here: writing runs. What must not: assertions, or code of the connector.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from tests.servers.azure_cost_management import STORAGE, SUBSCRIPTION

Line = Mapping[str, str]
FileFormat = Literal["csv", "csv.gz", "parquet"]
CONTAINER = "exports"


@dataclass(frozen=True)
class Run:
    """One run of an export; what a test does not say is as Azure does it by default."""

    lines: Sequence[Line]
    export: str = "bill"
    export_type: str = "FocusCost"
    month: str = "2026-10"
    submitted: str = "2026-11-03T02:11:45.1681265Z"
    run_id: str = "11111111-0000-0000-0000-000000000001"
    scope: str = SUBSCRIPTION
    root: str = "bills"
    files: int = 1
    file_format: FileFormat = "csv"
    is_range_first: bool = False
    """Microsoft's pages show both <export>/<date range>/… and <date range>/<export>/…."""
    overwrite: bool = True
    changes: dict[str, Any] = field(default_factory=dict)
    """Parts of the manifest that are otherwise."""
    left_out: frozenset[int] = frozenset()
    """Numbers of files that the manifest names and that are not there."""
    columns: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        """The run's folder below the container."""
        year, month = map(int, self.month.split("-"))
        last = {1: 31, 3: 31, 5: 31, 7: 31, 8: 31, 10: 31, 12: 31, 2: 28}.get(month, 30)
        days = f"{year}{month:02}01-{year}{month:02}{last}"
        names = [days, self.export] if self.is_range_first else [self.export, days]
        if not self.overwrite:
            names.append("".join(c for c in self.submitted[:16] if c.isdigit()))
        return "/".join([self.root, *names, self.run_id])


def write_run(client: Any, run: Run) -> str:
    """Put a run's files and then its manifest into the container; return the manifest's name."""
    container = client.get_container_client(CONTAINER)
    if not container.exists():
        container.create_container()
    files = build_files(run)
    for name, content in files.items():
        container.upload_blob(name, content, overwrite=True)
    return next(reversed(files))


def write_copy(folder: Path, run: Run) -> Path:
    """Put a run's files and its manifest into a folder, as a copy of the container has them; return the manifest."""
    files = {folder / name: content for name, content in build_files(run).items()}
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return next(reversed(files))


def build_files(run: Run) -> dict[str, bytes]:
    """Return a run's files by their names below the container, the manifest last."""
    columns = run.columns or tuple(dict.fromkeys(name for line in run.lines for name in line))
    parts = [list(run.lines)[number :: run.files] for number in range(run.files)]
    blobs, files = [], {}
    for number, part in enumerate(parts):
        name = f"{run.folder}/part_{number}_0001.{run.file_format}"
        content = write_lines(part, columns, run.file_format)
        blobs.append({"blobName": name, "byteCount": len(content), "dataRowCount": len(part)})
        if number not in run.left_out:
            files[name] = content
    files[f"{run.folder}/manifest.json"] = json.dumps(_build_manifest(run, blobs)).encode()
    return files


def _build_manifest(run: Run, blobs: list[dict[str, Any]]) -> dict[str, Any]:
    year, month = map(int, run.month.split("-"))
    return {
        "manifestVersion": "2024-04-01",
        "byteCount": sum(blob["byteCount"] for blob in blobs),
        "blobCount": len(blobs),
        "dataRowCount": len(run.lines),
        "exportConfig": {
            "exportName": run.export,
            "resourceId": f"{run.scope}/providers/Microsoft.CostManagement/exports/{run.export}",
            "dataVersion": "1.0",
            "apiVersion": "2023-07-01-preview",
            "type": run.export_type,
            "timeFrame": "MonthToDate",
            "granularity": "Daily",
        },
        "deliveryConfig": {
            "partitionData": True,
            "dataOverwriteBehavior": "OverwritePreviousReport" if run.overwrite else "CreateNewReport",
            "fileFormat": "Parquet" if run.file_format == "parquet" else "Csv",
            "compressionMode": {"csv": "None", "csv.gz": "Gzip", "parquet": "Snappy"}[run.file_format],
            "containerUri": f"{SUBSCRIPTION}/resourceGroups/bills/{STORAGE}/devstoreaccount1",
            "rootFolderPath": run.root,
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": run.submitted,
            "runId": run.run_id,
            "startDate": f"{year}-{month:02}-01T00:00:00",
            "endDate": f"{year}-{month:02}-28T00:00:00",
        },
        "blobs": blobs,
        **run.changes,
    }


def write_lines(lines: Sequence[Line], columns: Sequence[str], file_format: FileFormat) -> bytes:
    """Return a file of these lines as Azure writes it."""
    if file_format == "parquet":
        sink = io.BytesIO()
        table = {name: _type_column(name, [line.get(name, "") for line in lines]) for name in columns}
        pq.write_table(pa.table(table), sink)
        return sink.getvalue()
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(lines)
    content = ("\ufeff" + stream.getvalue()).encode()  # Azure begins its CSV files with a byte order mark
    return gzip.compress(content, mtime=0) if file_format == "csv.gz" else content


def _type_column(name: str, values: list[str]) -> pa.Array:
    """Azure's Parquet files hold doubles and timestamps, not text."""
    if re.search(r"(Cost|Price|Quantity|CostIn\w+|ToBilling)$", name, re.IGNORECASE):
        return pa.array([float(value) if value else None for value in values], pa.float64())
    if name.lower() == "date" or name.endswith(("StartDate", "EndDate")):
        days = [datetime.strptime(value, "%m/%d/%Y") if value else None for value in values]  # noqa: DTZ007
        return pa.array(days, pa.timestamp("ms"))
    if name.endswith(("PeriodStart", "PeriodEnd")):
        moments = [datetime.fromisoformat(value) if value else None for value in values]
        return pa.array(moments, pa.timestamp("ms", "UTC"))
    return pa.array(values, pa.string())


def parse_submitted(text: str) -> datetime:
    """Return a run's submitted time as the lake has it: UTC without zone, microseconds."""
    return datetime.fromisoformat(text).replace(tzinfo=None)


FOCUS_LINE = {
    "BilledCost": "1.25",
    "EffectiveCost": "1.20",
    "ListCost": "1.50",
    "ContractedCost": "1.25",
    "BillingAccountId": "/providers/Microsoft.Billing/billingAccounts/8611537",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "ChargeCategory": "Usage",
    "ServiceName": "Virtual Machines",
    "ProviderName": "Microsoft",
    "InvoiceIssuerName": "Microsoft",
    "ResourceId": "/subscriptions/S/resourceGroups/RG/providers/Microsoft.Compute/virtualMachines/VM1",
    "Tags": '{"feature": "search"}',
}
"""A line of a FocusCost export."""


def focus_line(**changes: str) -> dict[str, str]:
    """Return a line that differs in the given columns."""
    return FOCUS_LINE | changes
