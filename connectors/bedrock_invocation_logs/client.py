"""Land Bedrock invocation logs: the hours whose objects are new or changed → rows of `requests`.

What belongs here: the order of the steps. What must not: names of AWS (`schema.py`), what a record becomes
(`records.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from connectors.bedrock_invocation_logs import schema
from connectors.bedrock_invocation_logs.records import read_record
from connectors.bedrock_invocation_logs.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.file_listing import check_stored_files
from connectors.common.json_records import read_json_records
from connectors.common.logs.delivery import LogDelivery, LogFile, read_each
from connectors.common.logs.objects import land_logs
from connectors.common.logs.requests import LogRequests

SCHEMA_VERSION = 1


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the hours that are new or changed; never raises for bad data."""
    layout = schema.Layout(settings.account_ids, settings.regions)
    typing: dict[str, object] = {
        "connector": "bedrock_invocation_logs",
        "version": SCHEMA_VERSION,
        "identity": context.identity.key_id,
        "attributes": settings.attributes.model_dump(mode="json"),
        "session_user_roles": settings.session_user_roles,
    }
    read = partial(read_hour, settings=settings, context=context)
    return land_logs(settings, context, layout, read, typing=typing)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try credentials, the listing and one object."""
    yield from check_stored_files(settings, (".json.gz",))


def read_hour(
    delivery: LogDelivery, files: Iterable[LogFile], *, settings: Settings, context: LandingContext
) -> None:
    """Write the calls of one hour; an object that cannot be read is left out. FileFault when none can."""
    requests = LogRequests(delivery, context, settings.name, provider=schema.PROVIDER)

    def read(file: LogFile) -> None:
        for line, record in read_json_records(file.path, delivery.quarantine):
            if record.get("schemaType", schema.SCHEMA_TYPE) != schema.SCHEMA_TYPE:
                delivery.quarantine(line, "other_record: not a model invocation")
                continue
            for row, usage in read_record(record, settings, context.identity):
                requests.add(line, row, usage)

    read_each(delivery, files, read)
    requests.finish()
