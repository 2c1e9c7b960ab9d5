"""From what Azure Resource Graph answers to things, zones and accounts.

What belongs here: the queries and Azure's names of fields (Resource Graph tables `resources` and
`resourcecontainers`, Subscriptions API 2022-12-01). What must not: calling Azure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.common.inventory import Account, Thing, Zone
from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 1
"""Raise it when the same answers would become other rows."""

RESOURCES = (
    "resources | where type !in~ ('microsoft.network/networkinterfaces') "
    "| project id, name, type, location, subscriptionId, tags, zones, createdTime = properties.timeCreated "
    "| order by id asc"
)
INTERFACES = (
    "resources | where type =~ 'microsoft.network/networkinterfaces' "
    "| project id, name, location, subscriptionId, tags, configurations = properties.ipConfigurations, "
    "machine = tolower(properties.virtualMachine.id) | order by id asc"
)
SUBSCRIPTIONS = (
    "resourcecontainers | where type =~ 'microsoft.resources/subscriptions' "
    "| project subscriptionId, name | order by subscriptionId asc"
)


def build_resource(row: Mapping[str, Any]) -> Thing:
    """Return a resource, known by its id in lower case: bills write it so."""
    created = row.get("createdTime")
    return Thing(
        references=(("resource", row["id"].lower()),),
        tags=_tags(row),
        zone=_zone(row),
        since=parse_instant(created) if created else None,
    )


def build_interface(row: Mapping[str, Any], machines: Mapping[str, Mapping[str, Any]]) -> Thing:
    """Return a network interface with its addresses, its machine's tags below its own, and its machine's zone."""
    machine = machines.get((row.get("machine") or "").lower(), {})
    addresses = [
        (configuration.get("properties") or {}).get("privateIPAddress")
        for configuration in row.get("configurations") or ()
    ]
    return Thing(
        references=(
            ("eni", row["id"].lower()),
            *(("address", address) for address in addresses if address),
        ),
        tags={**_tags(machine), **_tags(row)},
        zone=_zone(machine) if machine else None,
    )


def build_zones(subscription_id: str, locations: Iterable[Mapping[str, Any]]) -> list[Zone]:
    """Return the logical zones of a subscription ('eastus-1') and the physical zones that they are."""
    return [
        Zone(
            "azure",
            subscription_id,
            f"{location['name']}-{mapping['logicalZone']}",
            mapping["physicalZone"],
            location["name"],
        )
        for location in locations
        for mapping in location.get("availabilityZoneMappings") or ()
    ]


def build_account(row: Mapping[str, Any]) -> Account:
    """Return a subscription and its name."""
    return Account("azure", row["subscriptionId"], row.get("name"), "Subscription")


def _tags(row: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in (row.get("tags") or {}).items()}


def _zone(row: Mapping[str, Any]) -> str | None:
    zones = row.get("zones") or []
    return f"{row.get('location')}-{zones[0]}" if len(zones) == 1 else None
