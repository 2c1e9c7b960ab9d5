"""Inventories in files: one file is one scope, its things, zones and accounts.

What belongs here: writing what a file lists. What must not: a format (each connector's `schema.py`).
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from connectors.common.bounded_reading import open_bytes, read_lines
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import ACCOUNTS, DATASETS, WORKLOADS, ZONES
from connectors.common.inventory import Inventory, build_rows
from connectors.common.landing import FileDelivery, land_files
from connectors.common.settings import FileSourceSettings
from connectors.common.source_files import FileFault, SourceFile

SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson")
_MAXIMUM_BYTES = 256 << 20
_TIME = re.compile(
    r"(?<!\d)(20\d\d)-?([01]\d)-?([0-3]\d)(?:[T_-]?([0-2]\d)[:-]?([0-5]\d)(?:[:-]?([0-5]\d))?Z?)?(?!\d)"
)

BuildInventory = Callable[[Iterator[dict[str, Any]]], Inventory]
"""The objects of a file → what they say. Raises KeyError, TypeError or ValueError for objects of another kind."""


def land_inventory_files(
    settings: FileSourceSettings,
    context: LandingContext,
    service_tags: Iterable[str],
    schema_version: int,
    build: BuildInventory,
) -> SourceReport:
    """Land a folder of inventory files; a file that cannot be understood is refused whole."""
    named_by = tuple(service_tags)

    def read(file: SourceFile, delivery: FileDelivery) -> None:
        try:
            tables = _build_tables(build(read_objects(file)), context, named_by, file)
        except ValueError as error:  # its text holds what the file states
            message = (
                f"states a time or text that is none ({type(error).__name__}); correct it and deliver again"
            )
            raise FileFault("unreadable_file", message) from error
        except (KeyError, TypeError, AttributeError) as error:
            message = f"is no such list ({type(error).__name__}: {error}); write it as the README says"
            raise FileFault("unreadable_file", message) from error
        if not tables:
            delivery.add("empty_file", "lists nothing that is known here", Severity.WARN)
        for name, table in tables.items():
            delivery.write(name, table)

    keys = {key: list(names) for key, names in sorted(context.tag_keys.items())}
    typing = {"schema": schema_version, "service_tags": list(named_by), "tag_keys": keys}
    datasets = (WORKLOADS, ZONES, ACCOUNTS)
    return land_files(settings, context, datasets, read, typing=typing, suffixes=SUFFIXES)


def _build_tables(
    inventory: Inventory, context: LandingContext, service_tags: Sequence[str], file: SourceFile
) -> dict[str, pa.Table]:
    """Return dataset name → its rows, where there are any. Raises ValueError for text that no file can hold."""
    tables = {}
    observed_at, series = find_observation(file)
    for name, found in build_rows(inventory, context.tag_keys, service_tags).items():
        if found:
            if name == WORKLOADS.name:
                found = [row | {"observed_at": observed_at, "inventory_series": series} for row in found]
            dataset = DATASETS[name]
            names = [column for column in dataset.schema.names if not column.startswith("x_")]
            schema = pa.schema([dataset.schema.field(column) for column in names])
            tables[name] = pa.Table.from_pylist(found, schema=schema)
    return tables


def find_observation(file: SourceFile) -> tuple[datetime, str]:
    """Return when a list was made (UTC), and the series of lists that it is one of.

    The last time in the relative path counts, as `20261101T1000Z` or `2026-11-01`; without one the file's own. Lists
    whose paths differ in nothing else follow one another: what the next one lacks has ended.
    """
    for match in reversed(list(_TIME.finditer(file.relative))):
        parts = [int(part) for part in match.groups() if part is not None]
        try:
            return datetime(*parts), file.relative[: match.start()] + file.relative[match.end() :]  # type: ignore[arg-type]
        except ValueError:
            continue
    return file.modified_at, file.relative


def read_objects(file: SourceFile) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a file: one a line, or the `items` of a list. Raises FileFault.

    A line that is an object by itself decides: asset exports write lines into a `.json`.
    """
    try:
        with open_bytes(file.path, is_packed=file.relative.endswith(".gz")) as stream:
            first = stream.readline(_MAXIMUM_BYTES + 1)
            found = _parse_line(first)
            if found is not None and "items" not in found:
                yield found
                further = (line for _, line in read_lines(stream))
                yield from (_parse_further(line) for line in further if line is None or line.strip())
                return
            rest = stream.read(_MAXIMUM_BYTES + 1 - len(first))
            if len(first) + len(rest) > _MAXIMUM_BYTES:
                message = "is one JSON value of more than 256 MiB; write one object a line"
                raise FileFault("unreadable_file", message)
            content = json.loads((first + rest).decode("utf-8"))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        message = f"is not readable JSON in UTF-8 ({type(error).__name__}); deliver it again"
        raise FileFault("unreadable_file", message) from error
    listed = content.get("items", [content]) if isinstance(content, dict) else content
    if not isinstance(listed, list):
        raise FileFault("unreadable_file", "is no list of objects; write it as the README says")
    yield from listed


def _parse_further(line: bytes | None) -> Any:
    if line is None:
        raise FileFault("unreadable_file", "has a line that is too long to be an object; deliver it again")
    return json.loads(line.decode("utf-8"))


def _parse_line(text: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(text.decode("utf-8"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
