"""Answers of the allocation API of OpenCost and Kubecost, and what hours of nodes they state.

What belongs here: names of fields, pure functions. What must not: reading files.

Source: https://www.opencost.io/docs/integrations/api (`/allocation/compute`), Kubecost's `/model/allocation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 1
IDLE = "__idle__"
_HOUR = timedelta(hours=1)
_LONGEST_WINDOW = timedelta(days=32)
_MOST_GPU_HOURS = Decimal(10**9)
_PROVIDER_ID = re.compile(r"(?:^|/)(i-[0-9a-f]{8,17})$")


@dataclass
class NodeWindow:
    """GPU hours of a node in a window: of pods, and idle ones where the answer tells them."""

    start: datetime
    end: datetime
    node: str
    resource_id: str | None = None
    used: Decimal = Decimal(0)
    idle: Decimal | None = None


class BadAllocationError(ValueError):
    """An allocation that is none; says the field."""


def read_allocations(sets: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the allocations of an answer's sets, each with its name. Raises BadAllocationError for another shape."""
    for one in sets:
        if one is None:
            continue
        if not isinstance(one, dict):
            raise BadAllocationError("data")
        for name, allocation in one.items():
            if not isinstance(allocation, dict):
                raise BadAllocationError("data")
            yield {"name": name, **allocation}


def add_allocation(
    found: dict[tuple[datetime, datetime, str], NodeWindow], allocation: Mapping[str, Any]
) -> None:
    """Add one allocation to its node's window; those without GPUs or node say nothing. Raises BadAllocationError."""
    hours = _read_hours(allocation)
    properties = allocation.get("properties") or {}
    node = properties.get("node") or _find_node(str(allocation["name"]))
    if not node or hours == 0:
        return
    window = allocation.get("window") or {}
    try:
        start, end = parse_instant(str(window["start"])), parse_instant(str(window["end"]))
    except (KeyError, ValueError) as error:
        raise BadAllocationError("window") from error
    if not timedelta(0) < end - start <= _LONGEST_WINDOW:
        raise BadAllocationError("window")
    one = found.setdefault((start, end, node), NodeWindow(start, end, node))
    match = _PROVIDER_ID.search(str(properties.get("providerID") or ""))
    one.resource_id = one.resource_id or (match[1] if match else properties.get("providerID") or None)
    if IDLE in str(allocation["name"]):
        one.idle = (one.idle or Decimal(0)) + hours
    else:
        one.used += hours


def build_rows(
    window: NodeWindow, resources: Mapping[str, str], *, tells_idle: bool
) -> Iterator[dict[str, Any]]:
    """Yield a row an hour of a node's window: of a longer window each hour has the same share."""
    total = window.used + (window.idle or Decimal(0))
    resource = resources.get(window.node) or window.resource_id or window.node
    at = window.start.replace(minute=0, second=0, microsecond=0)
    while at < window.end:
        covered = min(window.end, at + _HOUR) - max(window.start, at)
        seconds = int(covered.total_seconds())
        busy = (
            int((Decimal(seconds) * window.used / total).to_integral_value())
            if tells_idle and total
            else None
        )
        yield {
            "hour_start": at,
            "resource_id": resource,
            "capacity_kind": "gpu_host",
            "provisioned_seconds": seconds,
            "busy_seconds": busy,
            "busy_basis": "allocation",
        }
        at += _HOUR


def _read_hours(allocation: Mapping[str, Any]) -> Decimal:
    try:
        hours = Decimal(str(allocation.get("gpuHours") or 0))
    except InvalidOperation as error:
        raise BadAllocationError("gpuHours") from error
    if not hours.is_finite() or not 0 <= hours < _MOST_GPU_HOURS:
        raise BadAllocationError("gpuHours")
    return hours


def _find_node(name: str) -> str | None:
    """The node in a name as `cluster/node/__idle__` or `node/__idle__`."""
    parts = name.split("/")
    return parts[-2] if len(parts) > 1 and parts[-1] == IDLE else None
