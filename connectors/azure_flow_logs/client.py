"""Landing Azure flow logs: the growing blob of an hour and interface is a scope, summed to hours.

What belongs here: finding the records of a blob in bounded memory, refusing what is none. What must not: what a tuple
means (`schema.py`).
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import orjson

from connectors.azure_flow_logs import schema
from connectors.azure_flow_logs.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, SourceReport
from connectors.common.datasets import TRANSFERS
from connectors.common.file_listing import check_stored_files
from connectors.common.flows.addresses import AddressBook
from connectors.common.flows.sums import FlowSums
from connectors.common.landing import FileDelivery
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.stored_landing import land_stored_files

SUFFIXES = (".json", ".json.gz")
_CHUNK = 1 << 20
_LARGEST_RECORD = 64 << 20
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}"]', re.DOTALL)
_GZIP_MAGIC = b"\x1f\x8b"


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all flow log blobs that are new or grew; nothing is kept but sums between addresses of our own."""
    book = AddressBook(settings.own_networks)
    latest = int((context.now + timedelta(days=1)).replace(tzinfo=UTC).timestamp() * 1000)

    def read(file: SourceFile, delivery: FileDelivery) -> None:
        sums = FlowSums(delivery, "azure")
        sums.add_flows(_read_flows(file, delivery, book, latest))
        sums.finish()

    typing = {"schema": schema.SCHEMA_VERSION, "own_networks": sorted(settings.own_networks)}
    return land_stored_files(settings, context, (TRANSFERS,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the blobs can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def _read_flows(
    file: SourceFile, delivery: FileDelivery, book: AddressBook, latest: int
) -> Iterator[dict[str, Any]]:
    """Yield the flows of a blob; a refused tuple is told by the number of its record."""
    number = 0
    for number, record in enumerate(read_records(file.path), start=1):
        try:
            described = schema.describe_record(record)
            for text, is_network in schema.find_tuples(record):
                try:
                    flows = schema.build_flows(text, is_network, latest, book)
                except schema.NoFlow as error:
                    delivery.quarantine(number, str(error))
                    continue
                yield from (flow | described for flow in flows)
        except schema.NoFlow as error:
            delivery.quarantine(number, str(error))
    if not number:
        message = "holds no records of a flow log; take it out of the folder, or narrow `pattern`"
        raise FileFault("unknown_format", message)


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of the `records` list of a blob, one at a time in memory. Raises FileFault.

    A blob that Azure is still writing ends as it stands: every append closes the list again.
    """
    try:
        with path.open("rb") as stream:
            is_packed = stream.read(2) == _GZIP_MAGIC
        with gzip.open(path, "rb") if is_packed else path.open("rb") as stream:
            chunks = iter(lambda: stream.read(_CHUNK), b"")
            for content in _split_records(chunks):
                yield orjson.loads(content)
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        message = f"is no complete flow log ({type(error).__name__}); it is read again when it changes"
        raise FileFault("unreadable_file", message) from error


def _split_records(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the text of each object one level below the outermost. Raises FileFault."""
    buffer, scanned, depth, start = b"", 0, 0, 0
    for chunk in chunks:
        buffer += chunk
        for match in _TOKENS.finditer(buffer, scanned):
            if match[0] == b'"':  # a text that goes on in the next chunk
                scanned = match.start()
                break
            scanned = match.end()
            if match[0] == b"{":
                depth += 1
                start = match.start() if depth == 2 else start
            elif match[0] == b"}":
                depth -= 1
                if depth == 1:
                    yield buffer[start:scanned]
        cut = start if depth >= 2 else scanned
        buffer, start, scanned = buffer[cut:], 0, scanned - cut
        if len(buffer) > _LARGEST_RECORD:
            message = f"holds a record of more than {_LARGEST_RECORD >> 20} MiB; deliver it again"
            raise FileFault("unreadable_file", message)
    if depth:
        raise FileFault("unreadable_file", "is cut off; it is read again when it changes")
