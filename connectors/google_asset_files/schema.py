"""From Google Cloud assets to things, zones and accounts.

What belongs here: names of fields (Cloud Asset API v1 `Asset`, Compute Engine v1 resources).
What must not: reading files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.common.inventory import Account, Inventory, Thing, Zone
from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 2
"""Raise it when the same file would become other rows."""


def build_inventory(assets: Iterable[Mapping[str, Any]]) -> Inventory:
    """Return what the assets of one export say; snake_case and camelCase keys are both read."""
    inventory = Inventory()
    zones: set[str] = set()
    for asset in assets:
        kind = asset.get("assetType") or asset["asset_type"]
        resource = asset.get("resource") or {}
        data = resource.get("data") or {}
        if kind == "cloudresourcemanager.googleapis.com/Project":
            inventory.accounts.append(_build_project(data))
            continue
        thing = _build_thing(asset["name"], kind, resource, data)
        inventory.things.append(thing)
        if thing.zone:
            zones.add(thing.zone)
    inventory.zones = [Zone("gcp", None, zone, zone, zone.rpartition("-")[0]) for zone in sorted(zones)]
    return inventory


def _build_thing(name: str, kind: str, resource: Mapping[str, Any], data: Mapping[str, Any]) -> Thing:
    references = [("resource", name)]
    if kind == "compute.googleapis.com/Instance":
        references.append(("instance", str(data.get("id") or data.get("name"))))
    references += [("address", address) for address in _addresses(kind, data)]
    created = data.get("creationTimestamp") or data.get("createTime") or data.get("timeCreated")
    return Thing(
        references=tuple(references),
        tags=_labels(data),
        zone=_zone(resource, data),
        since=parse_instant(created) if created else None,
    )


def _addresses(kind: str, data: Mapping[str, Any]) -> list[str]:
    if kind in ("compute.googleapis.com/Address", "compute.googleapis.com/GlobalAddress"):
        return [data["address"]] if data.get("address") else []
    if kind == "compute.googleapis.com/ForwardingRule":
        return [data["IPAddress"]] if data.get("IPAddress") else []
    found: set[str] = set()
    for interface in data.get("networkInterfaces") or ():
        found.add(interface.get("networkIP") or "")
        found |= {access.get("natIP") or "" for access in interface.get("accessConfigs") or ()}
    return sorted(found - {""})


def _labels(data: Mapping[str, Any]) -> dict[str, str]:
    labels = (
        data.get("labels")
        or data.get("resourceLabels")
        or (data.get("settings") or {}).get("userLabels")
        or {}
    )
    return {str(key): str(value) for key, value in labels.items()} | (
        {"Name": str(data["name"]).rsplit("/", 1)[-1]} if data.get("name") else {}
    )


def _zone(resource: Mapping[str, Any], data: Mapping[str, Any]) -> str | None:
    """The zone of a zonal resource: a location with three parts, such as europe-west1-b."""
    text = str(data.get("zone") or resource.get("location") or "").rsplit("/", 1)[-1]
    return text if text.count("-") == 2 else None


def _build_project(data: Mapping[str, Any]) -> Account:
    parent = data.get("parent")
    parent_id = parent.get("id") if isinstance(parent, Mapping) else parent
    return Account(
        "gcp", data["projectId"], data.get("name") or data.get("displayName"), "Project", parent_id
    )
