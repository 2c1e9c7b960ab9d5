"""What the fakes of OpenAI and Anthropic share: buckets by width, cursors bound to what was asked, faults on demand.

What belongs here: paging and faults. What must not: a vendor's parameters, fields or error bodies.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.servers.rest import Reply, Request

WIDTHS = {"1m": timedelta(minutes=1), "1h": timedelta(hours=1), "1d": timedelta(days=1)}


class Refused(Exception):
    """The vendor refuses a request: status, and its words."""

    def __init__(self, status: int, message: str, code: str = "invalid_request_error") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass
class ReportServer:
    """What a fake vendor knows, and the faults that are to come: each reply of `faults` is given once, in turn.

    `data` maps a path to its results: the moment of use, and its fields. Grouping, bucketing and paging follow the
    request as the vendor's would.
    """

    key: str
    data: dict[str, list[tuple[datetime, dict[str, Any]]]] = field(default_factory=dict)
    faults: list[Reply | None] = field(default_factory=list)
    buckets_a_page: int | None = None
    """The most buckets that a page gets, whatever limit is asked for."""
    expires_after_pages: int | None = None
    """How many pages follow a first one before its cursors expire; once."""
    omits_empty: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take_fault(self) -> Reply | None:
        """Return the next fault, None when there is none for this request."""
        with self._lock:
            return self.faults.pop(0) if self.faults else None

    def build_page(
        self,
        asked: list[tuple[str, str]],
        start: datetime,
        end: datetime,
        width: str,
        limit: int,
        build_bucket: Callable[[datetime, datetime], dict[str, Any]],
    ) -> dict[str, Any]:
        """Return a page of buckets; its cursor is opaque and good for these very parameters only."""
        bound = _digest([pair for pair in asked if pair[0] != "page"])
        cursor = dict(asked).get("page")
        at, pages = (start, 0) if cursor is None else self._read_cursor(cursor, bound)
        if self.expires_after_pages is not None and pages > self.expires_after_pages:
            self.expires_after_pages = None
            raise Refused(410, "This page token has expired. Restart from the first page.", "expired_page")
        size = min(limit, self.buckets_a_page or limit)
        data = []
        while at < end and len(data) < size:
            bucket = build_bucket(at, at + WIDTHS[width])
            if bucket["results"] or not self.omits_empty:
                data.append(bucket)
            at += WIDTHS[width]
        has_more = at < end
        following = _write_cursor(at, pages + 1, bound) if has_more else None
        return {"data": data, "has_more": has_more, "next_page": following}

    def _read_cursor(self, cursor: str, bound: str) -> tuple[datetime, int]:
        try:
            at, pages, known = json.loads(base64.urlsafe_b64decode(cursor))
        except ValueError as error:
            raise Refused(400, "Invalid page token.") from error
        if known != bound:
            raise Refused(400, "The page token was made for other parameters.")
        return datetime.fromisoformat(at), pages


def group_results(
    rows: Iterator[dict[str, Any]], dimensions: tuple[str, ...], group_by: list[str]
) -> list[dict[str, Any]]:
    """Return rows added up by the dimensions asked for; the others are null, numbers add up (also nested ones)."""
    groups: dict[str, dict[str, Any]] = {}
    for row in rows:
        named = {name: (row.get(name) if name in group_by else None) for name in dimensions}
        counted = {name: value for name, value in row.items() if name not in dimensions}
        key = json.dumps(named, sort_keys=True)
        groups[key] = _add(groups.get(key, named), counted)
    return list(groups.values())


def _add(total: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    result = dict(total)
    for name, value in more.items():
        known = result.get(name)
        if isinstance(value, dict):
            result[name] = _add(known or {}, value)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool) and known is not None:
            result[name] = known + value
        else:
            result[name] = value
    return result


def read_query(request: Request) -> list[tuple[str, str]]:
    """Return all parameters in order, a repeated one as often as it stands; `name[]` is `name`."""
    pairs = parse_qsl(urlsplit(request.target).query, keep_blank_values=True)
    return [(name.removesuffix("[]"), value) for name, value in pairs]


def write_exact_reply(content: Any) -> Reply:
    """Return a JSON answer whose fractions are written digit by digit."""
    return Reply(200, _dump(content), {"Content-Type": "application/json"})


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_dump(v) for v in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _digest(pairs: list[tuple[str, str]]) -> str:
    return hashlib.sha256(json.dumps(sorted(pairs)).encode()).hexdigest()[:16]


def _write_cursor(at: datetime, pages: int, bound: str) -> str:
    return base64.urlsafe_b64encode(json.dumps([at.isoformat(), pages, bound]).encode()).decode()
