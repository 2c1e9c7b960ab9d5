"""The YAML header of a model file: its keys, their meaning, and strict reading of them.

What belongs here: the header's grammar. What must not: SQL parsing (`models`) or running (`runner`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.warehouse.errors import ModelError

KEYS = frozenset(
    {
        "description",
        "grain",
        "order_by",
        "materialized",
        "partition_by",
        "reads",
        "columns",
        "overlap",
        "checks",
    },
)
AS_READ = "as_read"
"""`order_by: as_read`: a large partition keeps the order of the files read, for one scan with left joins.

Sorting millions of wide bill lines by a digest costs more than all other work on them, and the vendor's own order
compresses better. Small partitions are ordered by the grain like all others (`EngineSettings.sorted_rows`).
"""
UNITS = ("day", "month")
SEVERITIES = ("fail", "warn")
_HEADER = re.compile(r"\A\s*/\*(.*?)\*/(.*)\Z", re.DOTALL)


@dataclass(frozen=True)
class PartitionBy:
    """The DATE or TIMESTAMP column whose UTC day or month decides a row's partition."""

    column: str
    unit: str


@dataclass(frozen=True)
class Reading:
    """Which partitions of an input a partition of the model reads.

    `same`: those of the same time (a month holds its days); `all`: every one; `overlap`: the files whose
    rows' intervals touch the partition; `days`: from `days_before` days before it to `days_after` days
    after it.
    """

    mode: str = "same"
    days_before: int = 0
    days_after: int = 0


@dataclass(frozen=True)
class HeaderCheck:
    """A check as written in a header. With `by: partition` it holds for each partition alone, of all that it reads."""

    name: str
    severity: str
    description: str
    sql: str
    is_by_partition: bool = False


@dataclass(frozen=True)
class Header:
    """The header of one model."""

    description: str
    grain: tuple[str, ...]  # empty: rows have no key of their own; then order_by says how files are ordered
    order_by: tuple[str, ...]
    keeps_order: bool
    materialized: str
    partition_by: PartitionBy | None
    reads: Mapping[str, Reading]
    columns: Mapping[str, str | None]
    overlap: tuple[str, str] | None
    checks: tuple[HeaderCheck, ...]


def split_header(text: str, path: Path) -> tuple[str, str]:
    """The YAML text and the SELECT of a model file, the latter without a final semicolon."""
    match = _HEADER.match(text)
    if not match:
        raise ModelError(f"{path}: begin the file with a /* YAML */ header")
    return match.group(1), match.group(2).strip().removesuffix(";").rstrip()


def load_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML mapping; raises ModelError naming the place."""
    try:
        loaded = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe
    except yaml.YAMLError as error:
        raise ModelError(f"{where}: is not YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise ModelError(f"{where}: must be a YAML mapping")
    return loaded


def parse_header(text: str, path: Path) -> Header:
    """Reads a header strictly: unknown keys, units, severities and modes are errors that name the file."""
    raw = load_yaml(text, str(path))
    _reject_unknown(raw, KEYS, path, "header")
    for key in ("description", "columns"):
        if not raw.get(key):
            raise ModelError(f"{path}: the header needs {key}")
    materialized = raw.get("materialized", "table")
    keeps_order = raw.get("order_by") == AS_READ
    order_by = () if keeps_order else raw.get("order_by") or raw.get("grain") or ()
    if materialized == "table" and not (raw.get("grain") or order_by):
        raise ModelError(f"{path}: the header of a table needs grain, or order_by where rows have no key")
    if materialized not in ("table", "view"):
        raise ModelError(f"{path}: materialized is {materialized!r}; use table or view")
    columns = raw["columns"]
    if isinstance(columns, list):
        columns = dict.fromkeys(columns)
    return Header(
        description=" ".join(str(raw["description"]).split()),
        grain=tuple(raw.get("grain") or ()),
        order_by=tuple(order_by),
        keeps_order=keeps_order,
        materialized=materialized,
        partition_by=_partition_by(raw.get("partition_by"), path),
        reads={name: _reading(value, name, path) for name, value in (raw.get("reads") or {}).items()},
        columns=columns,
        overlap=_overlap(raw.get("overlap"), path),
        checks=tuple(_check(entry, path) for entry in raw.get("checks") or ()),
    )


def _reject_unknown(entry: Mapping[str, Any], known: Iterable[str], path: Path, what: str) -> None:
    unknown = sorted(set(entry) - set(known))
    if unknown:
        raise ModelError(f"{path}: {what}: unknown key {unknown[0]!r}; known are {sorted(known)}")


def _partition_by(entry: Any, path: Path) -> PartitionBy | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or set(entry) != {"column", "unit"} or entry["unit"] not in UNITS:
        raise ModelError(f"{path}: partition_by must be {{column: NAME, unit: day|month}}")
    return PartitionBy(entry["column"], entry["unit"])


def _reading(entry: Any, name: str, path: Path) -> Reading:
    if entry in ("same", "all", "overlap"):
        return Reading(entry)
    if isinstance(entry, dict) and entry and set(entry) <= {"days_before", "days_after"}:
        before, after = entry.get("days_before", 0), entry.get("days_after", 0)
        if all(isinstance(days, int) and days >= 0 for days in (before, after)):
            return Reading("days", before, after)
    raise ModelError(f"{path}: reads: {name}: use same, all, overlap or {{days_before: n, days_after: m}}")


def _overlap(entry: Any, path: Path) -> tuple[str, str] | None:
    if entry is None:
        return None
    if not isinstance(entry, dict) or set(entry) != {"start", "end"}:
        raise ModelError(f"{path}: overlap must be {{start: COLUMN, end: COLUMN}}")
    return entry["start"], entry["end"]


def _check(entry: Any, path: Path) -> HeaderCheck:
    if not isinstance(entry, dict) or not entry.get("name"):
        raise ModelError(f"{path}: a check needs name, severity, description and sql")
    _reject_unknown(entry, ("name", "severity", "description", "sql", "by"), path, f"check {entry['name']}")
    if entry.get("severity") not in SEVERITIES or not entry.get("sql"):
        raise ModelError(f"{path}: check {entry['name']} needs sql and severity fail or warn")
    if entry.get("by", "partition") != "partition":
        raise ModelError(f"{path}: check {entry['name']}: by must be `partition`, or left out")
    sql = str(entry["sql"]).strip().removesuffix(";").rstrip()
    return HeaderCheck(
        entry["name"],
        entry["severity"],
        " ".join(str(entry.get("description", "")).split()),
        sql,
        is_by_partition="by" in entry,
    )
