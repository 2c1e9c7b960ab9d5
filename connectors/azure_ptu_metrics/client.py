"""Landing answers of Azure Monitor about provisioned throughput.

What belongs here: reading files, handing rows on. What must not: fields (`schema.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.azure_ptu_metrics import schema
from connectors.azure_ptu_metrics.settings import Settings
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import CAPACITY
from connectors.common.file_listing import check_stored_files
from connectors.common.json_documents import read_document_file
from connectors.common.landing import FileDelivery, land_files
from connectors.common.source_files import FileFault, SourceFile

SUFFIXES = (".json", ".json.gz")
_INTERVAL = re.compile(r"PT(\d{1,4})([MH])")
_COLUMNS = [CAPACITY.schema.field(name) for name in CAPACITY.schema.names if not name.startswith("x_")]


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all answers of a source; a metric that is none is refused alone."""
    typing = {"version": schema.SCHEMA_VERSION, **settings.describe_typing()}
    read = partial(_read_file, settings=settings)
    return land_files(settings, context, (CAPACITY,), read, typing=typing, suffixes=SUFFIXES)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the files can be reached, listed and read."""
    return check_stored_files(settings, SUFFIXES)


def _read_file(file: SourceFile, delivery: FileDelivery, *, settings: Settings) -> None:
    rows: list[dict[str, Any]] = []
    for answer in _read_answers(file):
        found: schema.Hours = {}
        for position, metric in enumerate(answer["value"], start=1):
            try:
                schema.add_metric(found, metric)
            except (schema.BadMetricError, AttributeError, TypeError, KeyError) as problem:
                delivery.quarantine(position, f"no metric: {problem}" if str(problem) else "no metric")
        rows += schema.build_rows(found, _read_interval(answer), settings)
    if not rows:
        delivery.add("empty_file", f"tells no {schema.UTILISATION}", Severity.INFO)
    unknown = {row["replica_id"] or "" for row in rows} - set(settings.deployments)
    if unknown and len({row["replica_id"] for row in rows}) > 1:
        message = f"{len(unknown)} deployments have no size in `deployments` and count alike"
        delivery.add("unknown_deployment_size", message, Severity.WARN, count=len(unknown))
    delivery.write(CAPACITY.name, pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)))


def _read_answers(file: SourceFile) -> Iterator[Mapping[str, Any]]:
    content = read_document_file(file, "ask for shorter times")
    for answer in content if isinstance(content, list) else [content]:
        if not isinstance(answer, dict) or not isinstance(answer.get("value"), list):
            raise FileFault("unreadable_file", "is no answer of Azure Monitor; ask as the README says")
        yield answer


def _read_interval(answer: Mapping[str, Any]) -> timedelta:
    match = _INTERVAL.fullmatch(str(answer.get("interval") or "PT1H"))
    if match is None:
        raise FileFault(
            "unreadable_file", "has an interval that is no part of an hour; ask with --interval PT1H"
        )
    length = timedelta(minutes=int(match[1])) if match[2] == "M" else timedelta(hours=int(match[1]))
    if not timedelta(0) < length <= timedelta(hours=1):
        raise FileFault("unreadable_file", "has an interval longer than an hour; ask with --interval PT1H")
    return length
