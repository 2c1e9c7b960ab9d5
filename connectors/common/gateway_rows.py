"""Rows of `requests` out of what a gateway, or a tracing tool, says of single calls: in batches, each value looked at.

What belongs here: what every gateway connector does with names, users, keys and usage. What must not: the field names
of a gateway, or formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from connectors.common.api_keys import build_api_key_id
from connectors.common.contract import LandingContext, Severity
from connectors.common.datasets import ATTRIBUTION_KEYS
from connectors.common.gateway_values import find_text
from connectors.common.record_batches import RECORD_COLUMNS
from connectors.common.request_rows import (
    CLOCK_TOLERANCE,
    EARLIEST_START,
    MAX_TEXT_CHARACTERS,
    RequestTally,
    RowSink,
    build_requests,
)
from connectors.common.request_values import Row, TextLimits, build_frame_schema, polars_type, take_usage

BATCH_ROWS = 50_000
PLACED_COLUMNS = (*ATTRIBUTION_KEYS, "session_id", "sub_account_id", "region_id", "api_key_id", "replica_id")
"""Columns whose place in a record is the config's to say."""

_FROM_USAGE = ("web_search_count", "service_tier", "region_id", "usage_problem", "raw_usage")
_VERSION_COLUMNS = ("record_id", "record_version", "is_deleted")


class Places(BaseModel):
    """Where a call's record says who and what it was for: dotted paths or `tag:KEY`, the first that is there wins.

    What is given replaces the default list of that key; an empty list takes the key from nowhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: tuple[str, ...] = ()
    tenant: tuple[str, ...] = ()
    customer: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    feature: tuple[str, ...] = ()
    endpoint: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    agent_step: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    session_id: tuple[str, ...] = ()
    sub_account_id: tuple[str, ...] = ()
    region_id: tuple[str, ...] = ()
    api_key_id: tuple[str, ...] = ()
    replica_id: tuple[str, ...] = ()

    def read(self, record: Mapping[str, Any], tags: Mapping[str, str]) -> Row:
        """Return the columns that a record gives."""
        return {name: find_text(record, getattr(self, name), tags) for name in PLACED_COLUMNS}


class GatewayRows:
    """Collects the calls of one file, or of one day, and hands them on as rows of `requests`.

    With `has_versions` the tables also hold the columns of `record_batches.RECORD_COLUMNS` but the file's position.
    """

    def __init__(
        self,
        sink: RowSink,
        write: Callable[[pa.Table], None],
        context: LandingContext,
        *,
        source: str,
        scope: str,
        has_versions: bool = False,
    ) -> None:
        self._sink = sink
        self._write = write
        self._context = context
        self._source = source
        self._scope = scope
        self._extra = _VERSION_COLUMNS if has_versions else ()
        self._rows: list[Row] = []
        self._limits = TextLimits()
        self._unknown = 0
        self.tally = RequestTally()
        self.rows = 0

    def add(
        self,
        line: int,
        row: Row,
        usage: Mapping[str, Any],
        *,
        record_id: str | None = None,
        version: datetime | None = None,
    ) -> None:
        """Add one attempt: its columns as stated, and the usage that `read_usage` found."""
        self.rows += 1
        self._unknown += bool(usage.get("unknown_counts"))  # their names are not told: they may be anything
        complete = {"line": line, **take_usage(usage, _FROM_USAGE), **self._limits.take_row(row)}
        identity = self._context.identity
        for name in ("user_id", "principal_id"):
            if name in complete:
                complete[name] = identity.pseudonymise(complete[name])
        complete["api_key_id"] = build_api_key_id(complete.get("api_key_id"), identity)
        complete |= {"record_id": record_id, "record_version": version, "is_deleted": False}
        self._rows.append(complete)
        if len(self._rows) >= BATCH_ROWS:
            self._flush()

    def finish(self) -> None:
        """Write what is left and tell what was odd."""
        self._flush()
        self.tally.report(self._sink)
        self._limits.report(self._sink, "; check the config")
        if self._unknown:
            message = (
                f"{self._unknown} calls state kinds of usage that are not known; they may be tokens that cost"
            )
            self._sink.add("unknown_count", message, Severity.WARN, count=self._unknown)

    def _flush(self) -> None:
        if not self._rows:
            return
        frame = pl.DataFrame(self._rows, schema=_FRAME)
        self._rows = []
        table = build_requests(
            frame,
            source=self._source,
            scope=self._scope,
            now=self._context.now,
            sink=self._sink,
            tally=self.tally,
            extra=self._extra,
        )
        if self._extra:
            table = table.append_column("record_at", table.column("started_at"))
        self._write(table)


def is_possible_time(moment: datetime, now: datetime) -> bool:
    """Tell whether a call can have begun at a time; a record of another time never counted, nor does its deletion."""
    return EARLIEST_START <= moment <= now + CLOCK_TOLERANCE


def build_deleted(record_id: str, version: datetime | None, at: datetime) -> pa.Table:
    """Return the version of a record that says that it is gone."""
    values = {"record_id": record_id, "record_version": version, "record_at": at, "is_deleted": True}
    return pa.table({name: pa.array([value], RECORD_COLUMNS[name]) for name, value in values.items()})


def build_frame(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pl.DataFrame:
    """Return other records than calls as a frame: `line`, a schema's columns, and the columns of its versions.

    Texts that are too long to be a name are dropped.
    """
    columns: dict[str, Any] = {
        "line": pl.Int64,
        "started_at": pl.Datetime("us"),
        "record_at": pl.Datetime("us"),
    }
    columns |= {field.name: polars_type(field.type) for field in schema}
    columns |= {name: polars_type(RECORD_COLUMNS[name]) for name in _VERSION_COLUMNS}
    frame = pl.DataFrame(rows, schema=columns)
    return frame.with_columns(
        pl.when(pl.col(pl.String).str.len_chars() <= MAX_TEXT_CHARACTERS).then(pl.col(pl.String))
    )


_FRAME = build_frame_schema(("usage_source", "raw_usage")) | {
    name: polars_type(RECORD_COLUMNS[name]) for name in _VERSION_COLUMNS
}
