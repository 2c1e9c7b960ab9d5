"""Rows of `requests` out of the records of a request log, in batches, each value looked at.

What belongs here: what every request log does with an id, a label, a user, a usage object. What must not: the names
that a vendor gives them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from connectors.common.api_keys import build_api_key_id
from connectors.common.contract import LandingContext, Severity
from connectors.common.datasets import REQUESTS
from connectors.common.identity import Identity
from connectors.common.landing import FileDelivery
from connectors.common.logs.delivery import LogDelivery
from connectors.common.parsing import parse_instant
from connectors.common.request_rows import RequestTally, build_requests
from connectors.common.request_values import Row, TextLimits, build_frame_schema, take_usage

BATCH_ROWS = 50_000

_COUNT_NAME = re.compile(r"(?i)(?=.{1,64}\Z)[a-z0-9_.]*(?:tokens?|counts?|requests|units|seconds|characters)")
"""What a vendor calls a count; any other name may be content, and is not told."""

_NAMES_TOLD = 20
_UNNAMED = "…"
_FROM_USAGE = ("web_search_count", "service_tier", "usage_problem", "reported_cost", "raw_usage")


class LabelNames(BaseModel, frozen=True):
    """Which labels (metadata keys) of a call mean an attribution key; first match wins, spelling as delivered.

    What is given replaces the default list of that key.
    """

    model_config = ConfigDict(extra="forbid")

    user_id: tuple[str, ...] = ("user_id", "user", "userId")
    tenant: tuple[str, ...] = ("tenant", "tenant_id", "tenantId")
    customer: tuple[str, ...] = ("customer", "customer_id", "customerId")
    team: tuple[str, ...] = ("team", "department")
    feature: tuple[str, ...] = ("feature", "application", "app")
    endpoint: tuple[str, ...] = ("endpoint", "route")
    workflow: tuple[str, ...] = ("workflow",)
    agent: tuple[str, ...] = ("agent", "agent_name", "agentName")
    agent_step: tuple[str, ...] = ("agent_step", "step")
    environment: tuple[str, ...] = ("environment", "env", "stage")
    session_id: tuple[str, ...] = ("session_id", "sessionId", "conversation_id")
    trace_id: tuple[str, ...] = ("trace_id", "traceId")
    span_id: tuple[str, ...] = ("span_id", "spanId")
    call_id: tuple[str, ...] = Field(
        default=(),
        description="An id of the call that a gateway or client states too, such as litellm_call_id.",
    )


def read_labels(labels: object, names: LabelNames) -> Row:
    """Return the columns that a call's labels give; other labels are not looked at."""
    if not isinstance(labels, Mapping):
        return {}
    known = _invert(names)
    ranks: dict[str, int] = {}
    found: Row = {}
    for label, value in labels.items():
        for column, rank in known.get(label, ()):
            if value and type(value) in (str, int) and rank < ranks.get(column, len(known)):
                ranks[column] = rank
                found[column] = str(value)
    return found


@lru_cache(maxsize=64)
def _invert(names: LabelNames) -> dict[str, tuple[tuple[str, int], ...]]:
    """Label → the columns that it may give, each with its rank among the labels of that column."""
    inverted: dict[str, tuple[tuple[str, int], ...]] = {}
    for column in type(names).model_fields:
        for rank, label in enumerate(getattr(names, column)):
            inverted[label] = (*inverted.get(label, ()), (column, rank))
    return inverted


@lru_cache(maxsize=50_000)
def pseudonymise(identity: Identity, value: str | None) -> str | None:
    """Return a user or principal as the lake may hold it; logs name the same few over and over."""
    return identity.pseudonymise(value)


@lru_cache(maxsize=10_000)
def _mask_key(identity: Identity, value: str | None) -> str | None:
    """Return the name of a key; what may be the key itself is hashed."""
    return build_api_key_id(value, identity)


def find_value(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the first value that is there under one of the names; a dotted name reaches into objects."""
    for name in names:
        here: Any = record
        if name in record:
            here = record[name]
        else:
            for part in name.split("."):
                here = here.get(part) if isinstance(here, Mapping) else None
        if here is not None and here != "":
            return here
    return None


def find_text(record: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """Return the first text or number under one of the names, as text; objects and lists are none."""
    value = find_value(record, names)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).strip() or None


@lru_cache(maxsize=10_000)
def read_instant(text: str | None) -> datetime | None:
    """Return a UTC time without zone; None for what is none."""
    if text is None:
        return None
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        return None


class LogRequests:
    """Collects the rows of one delivery and writes them in batches; an attempt that repeats is kept once."""

    def __init__(
        self, delivery: FileDelivery, context: LandingContext, source: str, *, provider: str | None = None
    ) -> None:
        self._delivery = delivery
        self._source = source
        self._context = context
        self._constants = {"provider": provider} if provider else {}
        self._rows: list[Row] = []
        self._attempts: set[str] = set()
        self._limits = TextLimits()
        self._unknown: Counter[str] = Counter()
        self.tally = RequestTally()

    def add(self, line: int, row: Row, usage: Mapping[str, Any]) -> None:
        """Add one attempt: its columns, and the usage that `read_usage` found. `user_id` comes as it is stated."""
        self.add_numbered(self._number(line), row, usage)

    def add_numbered(self, number: int, row: Row, usage: Mapping[str, Any]) -> None:
        """Add one attempt whose line has a `LogDelivery.number` already: it is written after its object was read."""
        taken = self._take_usage(usage)
        is_sound = "usage_problem" not in taken and row.get("started_at") is not None
        attempt = row.get("provider_request_id")
        if attempt is not None and is_sound:
            if attempt in self._attempts:
                self.tally.counts["duplicate_request"] += 1
                return
            self._attempts.add(attempt)
        complete = {"line": number, **self._constants, **taken}
        complete |= self._limits.take_row(row)
        if "user_id" in complete:
            complete["user_id"] = pseudonymise(self._context.identity, complete["user_id"])
        if "api_key_id" in complete:
            complete["api_key_id"] = _mask_key(self._context.identity, complete["api_key_id"])
        self._rows.append(complete)
        if len(self._rows) >= BATCH_ROWS:
            self._write()

    def finish(self) -> None:
        """Write what is left and tell what was odd."""
        self._write()
        self.tally.report(self._delivery)
        self._limits.report(self._delivery)
        for name, count in sorted(self._unknown.items()):
            message = f"{count} calls state a count {name!r} that is not known; it may be tokens that cost"
            self._delivery.add("unknown_count", message, Severity.WARN, count=count)

    def _number(self, line: int) -> int:
        return self._delivery.number(line) if isinstance(self._delivery, LogDelivery) else line

    def _take_usage(self, usage: Mapping[str, Any]) -> Row:
        for name in usage.get("unknown_counts", ()):
            told = name if _COUNT_NAME.fullmatch(name) else _UNNAMED
            self._unknown[
                told if told in self._unknown or len(self._unknown) < _NAMES_TOLD else _UNNAMED
            ] += 1
        return take_usage(usage, _FROM_USAGE)

    def _write(self) -> None:
        if not self._rows:
            return
        frame = pl.DataFrame(self._rows, schema=_FRAME)
        self._rows = []
        table = build_requests(
            frame,
            source=self._source,
            scope=self._delivery.file.relative,
            now=self._context.now,
            sink=self._delivery,
            tally=self.tally,
        )
        self._delivery.write(REQUESTS.name, table)


_FRAME = build_frame_schema(("raw_usage",))


def iterate_attempts(
    provider_id: str | None, usages: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Row, Mapping[str, Any]]]:
    """Yield (columns, usage) of each sampling of one response: several where it used several models.

    The first keeps the provider's id, so that it merges with what others saw of the call; each further one has an id
    of its own below it, and all share the logical call. So each is money at its own model's price, and one call.
    """
    for number, usage in enumerate(usages, start=1):
        row: Row = {"provider_request_id": provider_id}
        if len(usages) > 1 and provider_id is not None:
            row |= {
                "logical_call_id": provider_id,
                "attempt_number": number,
                "trace_id": f"response:{provider_id}",
            }
            if number > 1:
                row["provider_request_id"] = f"{provider_id}/iteration/{number}"
        if usage.get("model"):
            row["model"] = usage["model"]
        yield row, usage
