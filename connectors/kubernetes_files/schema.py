"""From Kubernetes objects to things and zones.

What belongs here: names of fields (Kubernetes API v1: Pod, Service, Node). What must not: reading files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from connectors.common.inventory import Inventory, Thing, Zone
from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 2
"""Raise it when the same file would become other rows."""

_ZONE = "topology.kubernetes.io/zone"
_REGION = "topology.kubernetes.io/region"
_REPLICA_SET = re.compile(r"-[a-f0-9]{6,10}$")


def build_inventory(items: Iterable[Mapping[str, Any]], provider: str | None) -> Inventory:
    """Return the pods, services and zones of one list; a pod's zone is that of its node in the same list."""
    listed = list(items)
    nodes = {item["metadata"]["name"]: _labels(item) for item in listed if item.get("kind") == "Node"}
    inventory = Inventory()
    inventory.things = [_build_pod(item, nodes) for item in listed if item.get("kind") == "Pod"]
    inventory.things += [_build_service(item) for item in listed if item.get("kind") == "Service"]
    if provider is not None:
        found = {(labels[_ZONE], labels.get(_REGION)) for labels in nodes.values() if labels.get(_ZONE)}
        inventory.zones = [
            Zone(provider, None, zone, None, region) for zone, region in sorted(found, key=str)
        ]
    return inventory


def _build_pod(item: Mapping[str, Any], nodes: Mapping[str, Mapping[str, str]]) -> Thing:
    """A pod, known by namespace/name, its uid and its addresses; pods of the host's network have none of their own."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    references = [("pod", f"{metadata.get('namespace', 'default')}/{metadata['name']}")]
    if metadata.get("uid"):
        references.append(("pod", metadata["uid"]))
    if not spec.get("hostNetwork"):
        found = {address.get("ip") for address in status.get("podIPs") or ()} | {status.get("podIP")}
        references += [("address", address) for address in sorted(address for address in found if address)]
    labels = _labels(item)
    ended = metadata.get("deletionTimestamp") or _find_end(status)
    return Thing(
        references=tuple(references),
        tags={"Name": _owner(metadata), **labels},
        zone=nodes.get(spec.get("nodeName", ""), {}).get(_ZONE),
        since=_instant(status.get("startTime") or metadata.get("creationTimestamp")),
        until=_instant(ended),
    )


def _find_end(status: Mapping[str, Any]) -> str | None:
    """When the last container of a pod that ran to its end did: its address is free for others since."""
    if status.get("phase") not in ("Succeeded", "Failed"):
        return None
    ended = [
        ((container.get("state") or {}).get("terminated") or {}).get("finishedAt")
        for container in status.get("containerStatuses") or ()
    ]
    return max((time for time in ended if time), default=None)


def _build_service(item: Mapping[str, Any]) -> Thing:
    """A service, known by namespace/name and its cluster and load balancer addresses."""
    metadata, spec = item["metadata"], item.get("spec") or {}
    addresses = {address for address in spec.get("clusterIPs") or () if address != "None"}
    ingress = ((item.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    addresses |= {entry["ip"] for entry in ingress if entry.get("ip")}
    return Thing(
        references=(
            ("service", f"{metadata.get('namespace', 'default')}/{metadata['name']}"),
            *(("address", address) for address in sorted(addresses)),
        ),
        tags={"Name": metadata["name"], **_labels(item)},
        since=_instant(metadata.get("creationTimestamp")),
    )


def _owner(metadata: Mapping[str, Any]) -> str:
    """What a pod belongs to: the controller's name, a replica set's without its hash; else its own."""
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            name = owner["name"]
            return _REPLICA_SET.sub("", name) if owner.get("kind") == "ReplicaSet" else name
    return metadata["name"]


def _labels(item: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (item["metadata"].get("labels") or {}).items()}


def _instant(text: str | None) -> Any:
    return parse_instant(text) if text else None
