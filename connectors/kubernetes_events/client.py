"""Landing lists of Kubernetes events.

What belongs here: writing what a file lists. What must not: fields and reasons (`schema.py`).
"""

from __future__ import annotations

import pyarrow as pa

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import EVENTS
from connectors.common.inventory_files import SUFFIXES, read_objects
from connectors.common.landing import FileDelivery, land_files
from connectors.common.parsing import build_whole_text
from connectors.common.source_files import FileFault, SourceFile
from connectors.kubernetes_events.schema import SCHEMA_VERSION, build_events
from connectors.kubernetes_events.settings import Settings

_COLUMNS = [EVENTS.schema.field(name) for name in EVENTS.schema.names if not name.startswith("x_")]


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all lists of a source; a file that is no such list is refused whole, an object that is none alone."""
    typing = {"version": SCHEMA_VERSION}
    return land_files(
        settings, context, (EVENTS,), _read_file, typing=typing, keeps_artifacts=False, suffixes=SUFFIXES
    )


def _read_file(file: SourceFile, delivery: FileDelivery) -> None:
    rows = []
    known = 0
    for position, item in enumerate(read_objects(file), start=1):
        if not isinstance(item, dict):
            raise FileFault("unreadable_file", "is no list of objects; write it as the README says")
        known += item.get("kind") in ("Event", "ReplicaSet")
        try:
            rows += [
                {k: build_whole_text(v) if isinstance(v, str) else v for k, v in row.items()}
                for row in build_events([item])
            ]
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError):
            delivery.quarantine(position, "no event of Kubernetes")
    if not known:
        delivery.add("empty_file", "lists no events and no replica sets", Severity.WARN)
    delivery.write(EVENTS.name, pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)))
