"""From records of Azure flow logs to flows.

What belongs here: Azure's names of fields (virtual network flow logs, and network security group flow logs version 2),
what a flow tuple says about who sent bytes where. What must not: reading files, or which sighting of a flow counts.

The counts of a tuple are those since the tuple before of the same flow (states C and E), so they add up; B opens a
flow and D denies one: neither carries bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.common.flows.addresses import INSIDE, INVALID, AddressBook
from connectors.common.flows.sums import HOUR_MICROSECONDS, LARGEST_RECORD_BYTES

SCHEMA_VERSION = 1
"""Raise it when the same file would become other rows."""

_SUBSCRIPTION = re.compile(r"/subscriptions/([0-9a-f-]{36})(?:/|$)", re.IGNORECASE)
_FIELDS = 13
_FIRST_MILLISECONDS = 1_420_070_400_000  # 2015: Azure wrote none before


class NoFlow(ValueError):
    """A tuple or record that cannot be a flow; its text says why and holds nothing of it."""


def find_tuples(record: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """Yield the tuples of a record and whether they are of a virtual network's log. Raises NoFlow."""
    try:
        if "flowRecords" in record:
            for flow in record["flowRecords"]["flows"]:
                for group in flow["flowGroups"]:
                    yield from ((text, True) for text in group["flowTuples"])
            return
        for rule in record["properties"]["flows"]:
            for flow in rule["flows"]:
                yield from ((text, False) for text in flow["flowTuples"])
    except (KeyError, TypeError) as error:
        raise NoFlow("no record of a flow log") from error


def describe_record(record: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the subscription, the flow log and the network interface of a record."""
    resource = record.get("flowLogResourceID") or record.get("targetResourceID") or record.get("resourceId")
    text = resource if isinstance(resource, str) else ""
    subscription = _SUBSCRIPTION.search(text)
    mac = record.get("macAddress") or _first_mac(record)
    return {
        "account_id": subscription[1].lower() if subscription else None,
        "emitter_id": text.rpartition("/")[2].lower()[:256] or None,
        "seen_at": mac.lower()[:64] if isinstance(mac, str) else None,
    }


def _first_mac(record: Mapping[str, Any]) -> Any:
    try:
        return record["properties"]["flows"][0]["flows"][0]["mac"]
    except (KeyError, IndexError, TypeError):
        return None


def build_flows(
    text: str, is_network: bool, latest_milliseconds: int, book: AddressBook
) -> list[dict[str, Any]]:
    """Return the bytes of a tuple in each direction as columns of FlowSums. Raises NoFlow."""
    fields = text.split(",") if isinstance(text, str) else []
    if len(fields) != _FIELDS:
        raise NoFlow("a flow tuple without 13 fields")
    state = fields[7] if is_network else fields[8]
    is_denied = state == "D" or (not is_network and fields[7] == "D")
    if state not in ("B", "C", "E", "D"):
        raise NoFlow("a flow tuple of an unknown state")
    if fields[6] not in ("I", "O"):
        raise NoFlow("a flow tuple without direction")
    sent, received = _count(fields[10]), _count(fields[12])
    if is_denied or not (sent or received):
        return []
    window = _window(fields[0], is_network, latest_milliseconds)
    source, target = _locate(fields[1], book), _locate(fields[2], book)
    is_out = fields[6] == "O"
    flows = []
    if sent:
        flows.append(_flow(window, source, target, sent, "sender" if is_out else "receiver"))
    if received:
        flows.append(_flow(window, target, source, received, "receiver" if is_out else "sender"))
    return flows


def _flow(window: int, source: str | None, target: str | None, size: int, seen_from: str) -> dict[str, Any]:
    kind = "internet" if target is None else "inbound" if source is None else None
    return {
        "window": window,
        "traffic_kind": kind,
        "from_workload_ref": source,
        "from_ref_kind": None if source is None else "address",
        "to_workload_ref": target,
        "to_ref_kind": None if target is None else "address",
        "seen_from": seen_from,
        "bytes": size,
    }


def _count(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit():
        raise NoFlow("negative bytes" if re.fullmatch(r"-\d+", text) else "bytes are no whole number")
    size = int(text) if len(text) <= 19 else LARGEST_RECORD_BYTES + 1
    if size > LARGEST_RECORD_BYTES:
        raise NoFlow("more bytes than an interface can carry")
    return size


def _window(text: str, is_network: bool, latest_milliseconds: int) -> int:
    """Start of the hour in microseconds: virtual networks write milliseconds, security groups seconds."""
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise NoFlow("a flow tuple without time")
    number = int(text)
    milliseconds = number if is_network and number >= 10**11 else number * 1000
    if not _FIRST_MILLISECONDS <= milliseconds < latest_milliseconds:
        raise NoFlow("a time before Azure wrote flow logs or in the future")
    return milliseconds * 1000 // HOUR_MICROSECONDS * HOUR_MICROSECONDS


def _locate(text: str, book: AddressBook) -> str | None:
    found, scope = book.find(text)
    if scope == INVALID:
        raise NoFlow("no address")
    return found if scope == INSIDE else None
