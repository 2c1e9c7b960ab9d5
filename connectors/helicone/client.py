"""Landing Helicone's requests: files of any size and order in, UTC days of the newest versions out.

What belongs here: the order of the steps. What must not: what a field means (`schema.py`), which version counts
(`common/record_versions.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.datasets import REQUESTS
from connectors.common.file_listing import check_stored_files
from connectors.common.gateway_rows import GatewayRows
from connectors.common.gateway_values import read_text
from connectors.common.record_files import RECORD_SUFFIXES, read_records
from connectors.common.record_versions import FileRecords, VersionedLanding
from connectors.common.source_files import SourceFile
from connectors.helicone.schema import SCHEMA_VERSION, build_fields, build_row, read_version
from connectors.helicone.settings import Settings


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land what is new of the export. Raises ConnectorError when its store cannot be read."""
    typing = {
        "connector": "helicone",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "settings": settings.model_dump(mode="json", include={"places", "semantics", "cost_digits"}),
    }
    landing = VersionedLanding(settings, context, (REQUESTS,), typing=typing)
    return landing.run(partial(_read_file, settings=settings, context=context), RECORD_SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the export can be reached, listed and read."""
    return check_stored_files(settings, RECORD_SUFFIXES)


def _read_file(
    file: SourceFile, records: FileRecords, *, settings: Settings, context: LandingContext
) -> None:
    """Write the requests of one file; FileFault for one that cannot be read."""
    rows = GatewayRows(
        records,
        partial(records.write, REQUESTS.name),
        context,
        source=settings.name,
        scope=file.relative,
        has_versions=True,
    )
    required = ("request_id", "request_created_at")
    for line, record in read_records(file, build_fields(settings), required, records.quarantine):
        record_id = read_text(record.get("request_id"))
        if record_id is None:
            records.quarantine(line, "missing_id: no request_id names the call")
            continue
        row, usage = build_row(record, settings)
        rows.add(line, row, usage, record_id=record_id, version=read_version(record))
    rows.finish()
