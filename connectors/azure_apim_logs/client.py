"""Land API Management's logs: the days whose blobs are new or grew → rows of `requests`.

What belongs here: the order of the steps, file formats. What must not: names of Azure (`schema.py`), what a call
becomes (`calls.py`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from connectors.azure_apim_logs import schema
from connectors.azure_apim_logs.calls import Calls, build_attempts
from connectors.azure_apim_logs.settings import Settings
from connectors.common.bounded_reading import read_header_text
from connectors.common.checking import check_store
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.file_listing import check_stored_files
from connectors.common.json_records import read_json_records
from connectors.common.logs.delivery import LogDelivery, LogFile, read_each
from connectors.common.logs.objects import land_logs
from connectors.common.logs.requests import LogRequests
from connectors.common.source_files import FileFault

SCHEMA_VERSION = 1
_BLOCK_BYTES = 16 << 20


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days that are new or changed; never raises for bad data."""
    typing: dict[str, object] = {
        "connector": "azure_apim_logs",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "provider": settings.provider,
        "sub_account_id": settings.sub_account_id,
        "region_id": settings.region_id,
        "attributes": settings.attributes.model_dump(mode="json"),
    }
    read = partial(read_day, settings=settings, context=context)
    locations = () if settings.gateway_path is None else (settings.gateway_path,)
    layout = schema.Layout(settings.resource_ids)
    return land_logs(settings, context, layout, read, typing=typing, locations=locations)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try credentials, the listing and one object of both logs."""
    yield from check_stored_files(settings, schema.SUFFIXES)
    if settings.gateway_path is not None:
        for step in check_store(settings.build_store_settings(settings.gateway_path)):
            yield CheckStep(f"gateway {step.name}", step.is_ok, step.message)


def read_day(
    delivery: LogDelivery, files: Iterable[LogFile], *, settings: Settings, context: LandingContext
) -> None:
    """Write the calls of one day (or folder); a file that cannot be read is left out. FileFault when none can."""
    _DayReader(delivery, settings, context).run(files)


class _DayReader:
    """One pass over the files of a group, in the order of their hours."""

    def __init__(self, delivery: LogDelivery, settings: Settings, context: LandingContext) -> None:
        self._delivery = delivery
        self._settings = settings
        self._calls = Calls()
        self._requests = LogRequests(delivery, context, settings.name, provider=settings.provider)
        self._day = _read_day(delivery.file.relative)
        self._hour = ""
        self._without_gateway = self._without_cache = 0

    def run(self, files: Iterable[LogFile]) -> None:
        read_each(self._delivery, files, self._read_file)
        self._write(None)
        self._requests.finish()
        self._report()

    def _read_file(self, file: LogFile) -> None:
        hour = schema.read_hour(file.key)
        if hour > self._hour:
            self._write(self._hour)
            self._hour = hour
        for line, record in _read_records(file, self._delivery):
            for row in schema.unfold(record):
                flat = schema.flatten(row)
                if not self._calls.add(self._delivery.number(line), hour, flat):
                    self._delivery.quarantine(line, "other_record: no call of a model or of the gateway")

    def _write(self, before: str | None) -> None:
        """Write the calls that are complete: those which began before an hour, for their last rows may lie in it."""
        for correlation, call in self._calls.take_before(before):
            for line, row, usage, is_unknown in build_attempts(correlation, call, self._settings, self._day):
                self._requests.add_numbered(line, row, usage)
                self._without_gateway += call.gateway is None
                self._without_cache += is_unknown

    def _report(self) -> None:
        if self._without_gateway:
            message = (
                f"{self._without_gateway} calls are not in the gateway's log: who called, status and duration are "
                "unknown; switch the category GatewayLogs on and name it in `gateway_path`"
            )
            self._delivery.add("gateway_log_missing", message, Severity.WARN, count=self._without_gateway)
        if self._without_cache:
            message = (
                f"{self._without_cache} calls whose log does not tell all cached tokens: their input counts as "
                "uncached, so their priced cost can be too high (or, for Claude's cache writes, too low)"
            )
            self._delivery.add("cache_class_unknown", message, Severity.WARN, count=self._without_cache)


def _read_day(scope: str) -> date | None:
    try:
        return date.fromisoformat(scope.rpartition("/")[2])
    except ValueError:
        return None


def _read_records(file: LogFile, delivery: LogDelivery) -> Iterator[tuple[int, dict[str, Any]]]:
    if file.key.lower().endswith((".csv", ".csv.gz")):
        return _read_csv(file, delivery)
    return read_json_records(file.path, delivery.quarantine)


def _read_csv(file: LogFile, delivery: LogDelivery) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a CSV with the wanted columns only: others are not even read."""
    compression = "gzip" if file.key.lower().endswith(".gz") else None

    def refuse(row: Any) -> str:
        delivery.quarantine(row.number, "malformed_row: the number of fields differs from the header")
        return "skip"

    try:
        wanted = _find_columns(file, compression)
        with pa.input_stream(str(file.path), compression=compression) as stream:
            reader = pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=wanted,
                    column_types=dict.fromkeys(wanted, pa.string()),
                    strings_can_be_null=False,
                ),
            )
            line = 2
            for batch in reader:
                for record in batch.to_pylist():
                    yield line, record
                    line += 1
    except (OSError, EOFError, pa.ArrowException, UnicodeDecodeError) as error:
        message = f"is not readable CSV ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error


def _find_columns(file: LogFile, compression: str | None) -> list[str]:
    text = read_header_text(file.path, is_packed=compression is not None)
    try:
        header = next(csv.reader(io.StringIO(text, newline="")), [])
    except csv.Error as error:
        raise FileFault("unreadable_file", "has a header that is no CSV; deliver it again") from error
    wanted = [name for name in header if name.lower() in schema.CALL_FIELDS | schema.GATEWAY_FIELDS]
    if not {"correlationid"} <= {name.lower() for name in wanted}:
        raise FileFault("missing_column", "has no column CorrelationId; query it too", line=1)
    return wanted
