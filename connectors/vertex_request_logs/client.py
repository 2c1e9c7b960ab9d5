"""Land Vertex AI's request logs: the hours whose objects are new or changed → rows of `requests`.

What belongs here: the order of the steps. What must not: names of Google (`schema.py`), what an entry becomes
(`records.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.file_listing import check_stored_files
from connectors.common.gateway_values import read_seconds
from connectors.common.json_records import read_json_records
from connectors.common.logs.delivery import LogDelivery, LogFile, read_each
from connectors.common.logs.objects import land_logs
from connectors.common.logs.requests import LogRequests, find_text
from connectors.vertex_request_logs import schema
from connectors.vertex_request_logs.records import Entry, build_row, build_usage, read_entry
from connectors.vertex_request_logs.settings import Settings

SCHEMA_VERSION = 1
COUNTED = frozenset({"input_tokens", "output_tokens"})


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the hours that are new or changed; never raises for bad data."""
    typing: dict[str, object] = {
        "connector": "vertex_request_logs",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "attributes": settings.attributes.model_dump(mode="json"),
        "fields": settings.fields.model_dump(mode="json"),
        "output_includes_thoughts": settings.output_includes_thoughts,
    }
    read = partial(read_hour, settings=settings, context=context)
    return land_logs(settings, context, schema.Layout(settings.logs), read, typing=typing)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try credentials, the listing and one object."""
    yield from check_stored_files(settings, schema.SUFFIXES)


def read_hour(
    delivery: LogDelivery, files: Iterable[LogFile], *, settings: Settings, context: LandingContext
) -> None:
    """Write the calls of one hour; a file that cannot be read is left out. FileFault when none can."""
    _HourReader(delivery, settings, context).run(files)


class _HourReader:
    """One pass over the files of a group."""

    def __init__(self, delivery: LogDelivery, settings: Settings, context: LandingContext) -> None:
        self._delivery = delivery
        self._settings = settings
        self._requests = LogRequests(delivery, context, settings.name)
        self._entries: set[str] = set()
        self._others = self._unread = 0
        self._sampled: Decimal | None = None

    def run(self, files: Iterable[LogFile]) -> None:
        read_each(self._delivery, files, self._read_file)
        self._requests.finish()
        if self._others:
            message = f"{self._others} entries tell of no inference request and are passed over"
            self._delivery.add("other_log", message, Severity.INFO, count=self._others)
        if self._unread:
            message = (
                f"{self._unread} calls went well and no token count of theirs is found: look under which names the "
                "entries keep them, and state those in `fields`"
            )
            self._delivery.add("unread_tokens", message, Severity.WARN, count=self._unread)
        if self._sampled is not None:
            message = (
                f"logging keeps a sample of {self._sampled.normalize():f} of the requests: the others are in no log "
                "and show as unlogged usage; set samplingRate to 1, or use the inference request metadata log"
            )
            self._delivery.add("sampled_log", message, Severity.WARN)

    def _read_file(self, file: LogFile) -> None:
        for line, record in read_json_records(file.path, self._delivery.quarantine):
            found = read_entry(record, self._settings)
            if found is None or not found.is_request:
                self._note_other(found)
                continue
            self._note_sampling(found)
            if not self._is_repeated(record.get("insertId")):
                row, usage = build_row(found, self._settings), build_usage(found, self._settings)
                self._unread += row["status"] == "ok" and not usage.keys() & COUNTED
                self._requests.add(line, row, usage)

    def _is_repeated(self, insert_id: object) -> bool:
        """Cloud Logging may write an entry twice; its `insertId` names it."""
        if not isinstance(insert_id, str):
            return False
        if insert_id in self._entries:
            self._requests.tally.counts["duplicate_request"] += 1
            return True
        self._entries.add(insert_id)
        return False

    def _note_other(self, found: Entry | None) -> None:
        """A model's logging config, saved beside its log, is no request but tells the sampling."""
        if found is not None and "sampling_rate" in found.values:
            self._note_sampling(found)
        else:
            self._others += 1

    def _note_sampling(self, found: Entry) -> None:
        text = find_text(found.values, ("sampling_rate",))
        rate = read_seconds(text)
        if rate is not None and rate < 1 and (self._sampled is None or rate < self._sampled):
            self._sampled = rate
