"""Landing allocations of OpenCost.

What belongs here: reading files, handing rows on. What must not: fields (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import CAPACITY
from connectors.common.file_listing import check_stored_files
from connectors.common.json_documents import read_document_file
from connectors.common.landing import FileDelivery, land_files
from connectors.common.source_files import FileFault, SourceFile
from connectors.opencost_files import schema
from connectors.opencost_files.settings import Settings

SUFFIXES = (".json", ".json.gz")
_COLUMNS = [CAPACITY.schema.field(name) for name in CAPACITY.schema.names if not name.startswith("x_")]


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all answers of a source; an allocation that is none is refused alone."""
    typing = {"version": schema.SCHEMA_VERSION, "resources": dict(sorted(settings.resources.items()))}
    read = partial(_read_file, settings=settings)
    return land_files(settings, context, (CAPACITY,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def _read_file(file: SourceFile, delivery: FileDelivery, *, settings: Settings) -> None:
    found: dict[tuple[datetime, datetime, str], schema.NodeWindow] = {}
    tells_idle = False
    try:
        for position, allocation in enumerate(schema.read_allocations(_read_sets(file)), start=1):
            tells_idle |= schema.IDLE in str(allocation["name"])
            try:
                schema.add_allocation(found, allocation)
            except (schema.BadAllocationError, AttributeError) as problem:
                delivery.quarantine(position, f"no allocation: {problem}")
    except schema.BadAllocationError as problem:
        message = f"is no answer of the allocation API ({problem}); ask as the README says"
        raise FileFault("unreadable_file", message) from problem
    if found and not tells_idle:
        message = "tells no idle time: how much of a node was reserved is unknown; ask with includeIdle and idleByNode"
        delivery.add("idle_not_told", message, Severity.WARN)
    if not found:
        delivery.add("empty_file", "tells of no node with GPUs; ask with aggregate=node,pod", Severity.INFO)
    rows = [
        row
        for key in sorted(found)
        for row in schema.build_rows(found[key], settings.resources, tells_idle=tells_idle)
    ]
    delivery.write(CAPACITY.name, pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)))


def _read_sets(file: SourceFile) -> list[Any]:
    content = read_document_file(file, "ask for shorter windows")
    sets = content.get("data") if isinstance(content, dict) else content
    if isinstance(sets, dict):
        sets = sets.get("sets") if "sets" in sets else [sets]
    if not isinstance(sets, list):
        raise FileFault("unreadable_file", "is no answer of the allocation API; ask as the README says")
    return sets
