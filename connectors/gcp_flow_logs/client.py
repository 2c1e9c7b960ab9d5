"""Landing VPC flow logs of Google Cloud from the JSON lines of a log sink, summed to hours.

What belongs here: reading entries, refusing those that are none. What must not: what fields mean (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import TRANSFERS
from connectors.common.file_listing import check_stored_files
from connectors.common.flows.addresses import AddressBook
from connectors.common.flows.sums import HOUR_MICROSECONDS, FlowSums
from connectors.common.json_records import read_json_records
from connectors.common.landing import FileDelivery
from connectors.common.source_files import SourceFile
from connectors.common.stored_landing import land_stored_files
from connectors.gcp_flow_logs import schema
from connectors.gcp_flow_logs.settings import Settings

SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
_FIRST = datetime(2018, 1, 1)
"""Google wrote no flow logs before."""


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all flow log files that are new; nothing of them is kept but sums between addresses of our own."""
    book = AddressBook(settings.own_networks)
    latest = context.now + timedelta(days=1)

    def read(file: SourceFile, delivery: FileDelivery) -> None:
        sums = FlowSums(delivery, "gcp")
        sums.add_flows(_read_flows(file, delivery, book, latest))
        sums.finish()

    typing = {"schema": schema.SCHEMA_VERSION, "own_networks": sorted(settings.own_networks)}
    return land_stored_files(settings, context, (TRANSFERS,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def _read_flows(
    file: SourceFile, delivery: FileDelivery, book: AddressBook, latest: datetime
) -> Iterator[dict[str, Any]]:
    others = 0
    for line, entry in read_json_records(file.path, delivery.quarantine):
        if not schema.is_flow(entry):
            others += 1
            continue
        try:
            start, flow = schema.build_flow(entry, book)
        except schema.NoFlow as error:
            delivery.quarantine(line, str(error))
            continue
        if not _FIRST <= start < latest:
            delivery.quarantine(line, "start_time is before Google wrote flow logs or in the future")
            continue
        microseconds = (start.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
            microseconds=1
        )
        yield flow | {"window": microseconds // HOUR_MICROSECONDS * HOUR_MICROSECONDS}
    if others:
        message = (
            f"{others} entries are of other logs and are passed over; narrow the sink's filter or `pattern`"
        )
        delivery.add("other_log", message, Severity.INFO, count=others)
