"""Cost details reports: requested, waited for, and their files by the links that Azure gives out.

What belongs here: the long-running request and the files of one report. What must not: what a line means.

For accounts without exports. A report covers one month at most, and never a resource group or management group.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from azure.core.exceptions import AzureError

from connectors.azure_cost_exports.management import READER, describe_error, read_word
from connectors.azure_cost_exports.settings import Settings
from connectors.common.contract import TerminalError, TransientError
from connectors.common.digests import read_file_sha256
from connectors.common.stores.contract import ObjectAbsent, OnBytes, StoredObject

if TYPE_CHECKING:
    from azure.mgmt.costmanagement import CostManagementClient
    from azure.storage.blob import BlobClient

Metric = Literal["ActualCost", "AmortizedCost"]
_NO_DATA = "NoDataFound"


@dataclass(frozen=True)
class Report:
    """The files of one report, by links that hold for some hours; none when the month has no cost."""

    metric: Metric
    month: str
    links: tuple[str, ...]


def list_months(today: date, count: int) -> list[date]:
    """Return the first days of this month and those before it, the oldest first."""
    months = [today.replace(day=1)]
    while len(months) < count:
        months.append((months[-1] - timedelta(days=1)).replace(day=1))
    return months[::-1]


def last_day(month: date, today: date) -> date:
    """Return the last day of a month, or today where that is earlier."""
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return min(following - timedelta(days=1), today)


def fetch_report(
    client: CostManagementClient, settings: Settings, metric: Metric, month: date, today: date
) -> Report:
    """Request the report of one month and wait for it.

    Raises TransientError when it is not there within `wait_seconds`, TerminalError when Azure refuses or fails.
    """
    from azure.mgmt.costmanagement import models

    period = models.CostDetailsTimePeriod(start=month.isoformat(), end=last_day(month, today).isoformat())
    wanted = models.GenerateCostDetailsReportRequestDefinition(metric=metric, time_period=period)
    name = f"{month:%Y-%m}"
    action = f"request the {metric} report of {name}"
    try:
        poller = client.generate_cost_details_report.begin_create_operation(
            (settings.scope or "").strip("/"), wanted
        )
        deadline = time.monotonic() + settings.wait_seconds
        while not poller.done() and time.monotonic() < deadline:
            poller.wait(min(1.0, settings.wait_seconds))
        if not poller.done():
            message = f"{settings.name}: the {metric} report of {name} was not ready in {settings.wait_seconds} seconds"
            raise TransientError(f"{message}; the next night asks again")
        result = poller.result()
    except AzureError as error:
        raise describe_error(error, settings, action, READER) from error
    return _read_result(settings, metric, name, result)


def _read_result(settings: Settings, metric: Metric, month: str, result: object) -> Report:
    status = read_word(getattr(result, "status", None))
    if status == _NO_DATA:
        return Report(metric, month, ())
    manifest = getattr(result, "manifest", None)
    blobs = list(getattr(manifest, "blobs", None) or [])
    stated = getattr(manifest, "blob_count", None)
    if status != "Completed" or manifest is None or stated not in (None, len(blobs)):
        message = f"{settings.name}: Azure ended the {metric} report of {month} as {status or 'unknown'}"
        raise TerminalError(f"{message}; ask again, and open a support request when it stays")
    return Report(metric, month, tuple(str(blob.blob_link) for blob in blobs))


class ReportStore:
    """The files of one report as objects of a store. Their links are secrets: no message holds one."""

    def __init__(self, source: str, report: Report) -> None:
        self.location = f"the {report.metric} report of {report.month}"
        self._source = source
        self._links = {
            f"cost_details/{report.month}/{report.metric}/{number:04}.csv": link
            for number, link in enumerate(report.links)
        }

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the report's files in order."""
        for key, link in self._links.items():
            if key.startswith(prefix):
                yield self._find(key, link)

    def download(self, stored: StoredObject, target: Path, on_bytes: OnBytes) -> str:
        """Write a file to `target`, readable by its owner only; return its SHA-256."""
        target.unlink(missing_ok=True)
        target.touch(mode=0o600)
        try:
            with target.open("wb") as stream:
                for piece in self._open(self._links[stored.key]).download_blob().chunks():
                    stream.write(piece)
                    on_bytes(len(piece))
        except AzureError as error:
            raise self._describe(error) from error
        if target.stat().st_size != stored.size:
            raise TransientError(f"{self._source}: {self.location} ended early; the next night asks again")
        return read_file_sha256(target)

    def read_bytes(self, key: str, limit: int = 64 << 20) -> bytes:
        """Return a small file whole."""
        stored = self._find(key, self._links[key])
        if stored.size > limit:
            raise TerminalError(
                f"{self._source}: {self.location} holds {stored.size} bytes, more than {limit}"
            )
        return self.read_beginning(stored)

    def read_beginning(self, stored: StoredObject) -> bytes:
        """Return the content of a file."""
        try:
            return self._open(self._links[stored.key]).download_blob().readall()
        except AzureError as error:
            raise self._describe(error) from error

    def find_credentials(self) -> str:
        """The links carry their own."""
        return "the links of the report"

    def _find(self, key: str, link: str) -> StoredObject:
        try:
            properties = self._open(link).get_blob_properties()
        except AzureError as error:
            raise self._describe(error) from error
        modified = properties.last_modified or datetime(1970, 1, 1, tzinfo=UTC)
        version = f"{properties.etag}"
        return StoredObject(key, properties.size, modified.astimezone(UTC).replace(tzinfo=None), version)

    def _open(self, link: str) -> BlobClient:
        from azure.storage.blob import BlobClient

        return BlobClient.from_blob_url(link)

    def _describe(self, error: AzureError) -> TransientError | ObjectAbsent:
        status = getattr(error, "status_code", None)
        if status == 404:
            return ObjectAbsent(f"{self._source}: a file of {self.location} is not there; request it again")
        message = (
            f"{self._source}: a file of {self.location} cannot be read ({status or type(error).__name__})"
        )
        return TransientError(
            f"{message}; its links hold for some hours only, the next night asks for new ones"
        )
