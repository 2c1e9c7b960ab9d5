"""From Kubernetes events and replica sets to deploys, scale-ups and restarts.

What belongs here: names of fields and reasons (core/v1 and events.k8s.io/v1 Event, apps/v1 ReplicaSet). What must not:
reading files. Messages are read for numbers and names, and not kept: they may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 1
"""Raise it when the same file would become other rows."""

_REVISION = "deployment.kubernetes.io/revision"
_SCALED_UP = re.compile(
    r"Scaled up replica set (\S{1,253}) (?:from (\d{1,6}) )?to (\d{1,6})(?: from (\d{1,6}))?"
)
_CREATED_POD = re.compile(r"create Pod (\S{1,253}) in StatefulSet \S{1,253} successful")
_HASHES = re.compile(r"-[a-z0-9]{6,10}-[a-z0-9]{5}$")
_ORDINAL = re.compile(r"-\d{1,6}$")
_SET_HASH = re.compile(r"-[a-z0-9]{6,10}$")
_RESTARTED = "will be restarted"
_CRASHED = "restarting failed container"

Row = dict[str, Any]


def build_events(items: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the rows of a list's objects; objects of other kinds are passed over. Raises KeyError, ValueError."""
    for item in items:
        kind = item.get("kind")
        if kind == "ReplicaSet":
            yield from _read_replica_set(item)
        elif kind == "Event":
            yield from _read_event(item)


def _read_replica_set(item: Mapping[str, Any]) -> Iterator[Row]:
    """A replica set of a deployment is a revision of it: it was deployed when the set was created."""
    metadata = item["metadata"]
    revision = (metadata.get("annotations") or {}).get(_REVISION)
    owner = next((o for o in metadata.get("ownerReferences") or () if o.get("kind") == "Deployment"), None)
    if revision is None or owner is None:
        return
    detail = f"revision {revision}" if str(revision).isdigit() else None
    yield _build(
        metadata["creationTimestamp"], "deploy", owner["name"], metadata, owner["name"], None, detail
    )


def _read_event(item: Mapping[str, Any]) -> Iterator[Row]:
    about = item.get("involvedObject") or item.get("regarding") or {}
    message = str(item.get("message") or item.get("note") or "")
    kind, reason, name = about.get("kind"), item.get("reason"), about.get("name")
    if not name:
        return
    at = _find_time(item)
    if kind == "Deployment" and reason == "ScalingReplicaSet":
        match = _SCALED_UP.search(message)
        if match and int(match[3]) > int(match[2] or match[4] or 0):
            detail = f"{match[2] or match[4] or '?'} to {match[3]}"
            yield _build(at, "scale_up", name, about, name, None, detail)
    elif kind == "StatefulSet" and reason == "SuccessfulCreate":
        match = _CREATED_POD.search(message)
        if match:
            yield _build(at, "scale_up", name, about, match[1], match[1], None)
    elif kind == "Pod" and _is_restart(reason, message, _find_count(item)):
        yield _build(at, "restart", find_service(name), about, name, name, str(reason))


def _is_restart(reason: object, message: str, count: int) -> bool:
    return (
        (reason == "Killing" and _RESTARTED in message)
        or (reason == "BackOff" and _CRASHED in message)
        or (reason == "Started" and count > 1)
    )


def find_service(pod: str) -> str:
    """What a pod belongs to, by its name: a deployment's without its hashes, a stateful set's without its number."""
    for pattern in (_HASHES, _ORDINAL, _SET_HASH):
        shorter = pattern.sub("", pod)
        if shorter != pod:
            return shorter
    return pod


def _find_time(item: Mapping[str, Any]) -> str:
    """The last time that it happened: Kubernetes folds what repeats."""
    series = item.get("series") or {}
    for found in (
        series.get("lastObservedTime"),
        item.get("lastTimestamp"),
        item.get("deprecatedLastTimestamp"),
        item.get("eventTime"),
        item.get("firstTimestamp"),
        (item.get("metadata") or {}).get("creationTimestamp"),
    ):
        if found:
            return str(found)
    raise KeyError("lastTimestamp")


def _find_count(item: Mapping[str, Any]) -> int:
    found = (item.get("series") or {}).get("count") or item.get("count") or item.get("deprecatedCount") or 1
    return int(found)


def _build(
    at: str,
    kind: str,
    service: str,
    about: Mapping[str, Any],
    name: str,
    replica: str | None,
    detail: str | None,
) -> Row:
    moment: datetime = parse_instant(at)
    return {
        "event_at": moment,
        "event_kind": kind,
        "service": service,
        "replica_id": replica,
        "workload_ref": f"{about.get('namespace', 'default')}/{name}",
        "detail": detail,
    }
