"""From log entries of VPC flow logs to flows.

What belongs here: Google's names of fields ("About VPC Flow Logs records"), what they say about who sent bytes where.
What must not: reading files, or which of two sightings of a flow counts.

`bytes_sent` counts what was not captured too: Google makes up for its own and the configured sampling, so nothing is
scaled here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.common.flows.addresses import INSIDE, INVALID, AddressBook
from connectors.common.flows.sums import LARGEST_RECORD_BYTES
from connectors.common.parsing import build_whole_text, parse_instant

SCHEMA_VERSION = 1
"""Raise it when the same file would become other rows."""

_SEEN_FROM = {"SRC": "sender", "DEST": "receiver", "SRC_GATEWAY": "passing", "DEST_GATEWAY": "passing"}
_GATEWAYS = {"VPN_TUNNEL": "vpn", "INTERCONNECT_ATTACHMENT": "direct_connect"}
_LONGEST_TRIP_MILLISECONDS = 3_600_000


class NoFlow(ValueError):
    """A log entry that cannot be a flow; its text says why and holds nothing of the entry."""


def is_flow(entry: Mapping[str, Any]) -> bool:
    """Tell entries of VPC flow logs from those of other logs that lie in the same folder."""
    payload = entry.get("jsonPayload")
    return isinstance(payload, Mapping) and isinstance(payload.get("connection"), Mapping)


def build_flow(entry: Mapping[str, Any], book: AddressBook) -> tuple[datetime, dict[str, Any]]:
    """Return the start of a flow (UTC without zone) and its columns of FlowSums. Raises NoFlow."""
    payload = entry["jsonPayload"]
    seen_from = _SEEN_FROM.get(_text(payload, "reporter") or "")
    if seen_from is None:
        raise NoFlow("no known reporter")
    start, end = _instant(payload, "start_time"), _instant(payload, "end_time")
    if start is None:
        raise NoFlow("start_time is no time")
    if end is not None and end < start:
        raise NoFlow("ends before it starts")
    ends = {side: _describe_end(payload, side, book) for side in ("src", "dest")}
    source, target = ends["src"], ends["dest"]
    own = source if seen_from == "sender" else target
    flow = {
        "account_id": own["project"]
        or source["project"]
        or target["project"]
        or _resource(entry, "project_id"),
        "traffic_kind": _find_kind(payload, source, target),
        "from_zone": source["zone"],
        "to_zone": target["zone"],
        "from_workload_ref": source["ref"],
        "from_ref_kind": source["kind"],
        "to_workload_ref": target["ref"],
        "to_ref_kind": target["kind"],
        "emitter_id": _resource(entry, "subnetwork_id"),
        "seen_from": seen_from,
        "seen_at": own["machine"],
        "bytes": _bytes(payload),
        "round_trip_seconds": _round_trip(payload),
    }
    return start, flow


def _describe_end(payload: Mapping[str, Any], side: str, book: AddressBook) -> dict[str, str | None]:
    """Reference, kind, zone, machine and project of one end; an outside address is left out."""
    address = _text(payload["connection"], f"{side}_ip")
    found, scope = book.find(address or "")
    if scope == INVALID:
        raise NoFlow(f"{side}_ip is no address")
    instance = _part(payload, f"{side}_instance")
    network = _part(payload, f"{side}_vpc")
    service = _text(_part(payload, f"{side}_google_service"), "service_name") or _text(
        _part(payload, f"{side}_google_service"), "type"
    )
    name = _text(instance, "vm_name")
    reference, kind = found, "address"
    if reference is None and name is not None:  # by its public address, which the lake does not hold
        reference, kind = name, "instance"
    if reference is None and service is not None:
        reference, kind = f"gcp:{service.lower()}", "service"
    return {
        "ref": reference,
        "kind": kind if reference is not None else None,
        "zone": _text(instance, "zone"),
        "machine": name,
        "project": _text(instance, "project_id") or _text(network, "project_id"),
        "is_ours": "yes" if scope == INSIDE or name is not None else None,
        "service": service,
    }


def _find_kind(
    payload: Mapping[str, Any], source: Mapping[str, str | None], target: Mapping[str, str | None]
) -> str | None:
    """Kind of traffic as far as the entry tells; null: the zones of its ends decide."""
    for side in ("src", "dest"):
        gateway = _GATEWAYS.get(_text(_part(payload, f"{side}_gateway"), "type") or "")
        if gateway is not None:
            return gateway
    if target["is_ours"] is None:
        return "internet" if target["service"] is None else "other"
    return "inbound" if source["is_ours"] is None else None


def _part(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = payload.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(part: Mapping[str, Any], name: str) -> str | None:
    found = part.get(name)
    return build_whole_text(found) if isinstance(found, str) and 0 < len(found) <= 512 else None


def _resource(entry: Mapping[str, Any], name: str) -> str | None:
    return _text(_part(_part(entry, "resource"), "labels"), name)


def _instant(payload: Mapping[str, Any], name: str) -> datetime | None:
    text = _text(payload, name)
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise NoFlow(f"{name} is no time") from error


def _bytes(payload: Mapping[str, Any]) -> int:
    """Bytes of a flow; protocol buffers write 64-bit numbers as text."""
    stated = payload.get("bytes_sent", "0")
    try:
        size = stated if type(stated) is int else int(stated) if isinstance(stated, str) else -1
    except ValueError as error:
        raise NoFlow("bytes_sent is no whole number") from error
    if type(stated) is not int and not isinstance(stated, str):
        raise NoFlow("bytes_sent is no whole number")
    if size < 0:
        raise NoFlow("negative bytes")
    if size > LARGEST_RECORD_BYTES:
        raise NoFlow("more bytes than an interface can carry")
    return size


def _round_trip(payload: Mapping[str, Any]) -> float | None:
    """Seconds of the round trip that was measured, where it was."""
    stated = payload.get("rtt_msec")
    try:
        trip = float(stated) if isinstance(stated, int | float | str) else None
    except ValueError:
        return None
    return trip / 1000 if trip is not None and 0 < trip <= _LONGEST_TRIP_MILLISECONDS else None
