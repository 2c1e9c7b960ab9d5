"""Inventories: what exists, what it belongs to and since when, as rows of `workloads`, `zones` and `accounts`.

What belongs here: turning things with tags into rows, and landing what an interface listed.
What must not: a vendor's names of things (each connector's `client.py`).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from connectors.common.contract import ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.dataset_types import Dataset
from connectors.common.datasets import ACCOUNTS, WORKLOADS, ZONES
from connectors.common.digests import build_digest
from connectors.common.settings import SourceSettings
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import DeliveryFacts, SourceLanding

SERVICE_TAGS = ("service", "Service", "app.kubernetes.io/name", "app", "k8s-app", "Name")
"""Tags and labels that name a service where the settings of a source name no others; first match wins."""


class InventorySettings(SourceSettings):
    """Base of the settings of an inventory."""

    service_tags: tuple[str, ...] = Field(
        default=SERVICE_TAGS, description="Tags or labels that name a service, first match wins."
    )


_OWNED = ("feature", "endpoint", "team", "environment")
_ROWS = {dataset.name: dataset for dataset in (WORKLOADS, ZONES, ACCOUNTS)}
_STATED = ("ref_kind", "service", *_OWNED, "zone")


@dataclass(frozen=True)
class Thing:
    """Something that exists: its references (kind, text), its tags or labels, its zone, since and until when.

    `since` is when it began to exist, None when the vendor does not say. Only configured tags are kept.
    """

    references: tuple[tuple[str, str], ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    zone: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    service: str | None = None


@dataclass(frozen=True)
class Zone:
    """A zone name of an account, its provider-wide id and its region."""

    provider: str
    account_id: str | None
    zone_name: str
    zone_id: str | None
    region_id: str | None


@dataclass(frozen=True)
class Account:
    """A billing account, member account, subscription or project, with the name people know."""

    provider: str
    account_id: str
    account_name: str | None
    account_type: str | None = None
    parent_account_id: str | None = None


@dataclass
class Inventory:
    """What one look at a vendor's interface, or one file, listed."""

    things: list[Thing] = field(default_factory=list)
    zones: list[Zone] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)


InventoryFetch = Callable[[], Inventory]
"""Looks once at a vendor's interface. Raises ConnectorError in words for the source's owner."""


def build_workload_rows(
    things: Iterable[Thing], tag_keys: Mapping[str, tuple[str, ...]], service_tags: Sequence[str]
) -> list[dict[str, object]]:
    """Return the rows of `workloads` for these things: one a reference, owners by the configured tags."""
    rows: list[dict[str, object]] = []
    for thing in things:
        owners = {name: _first(thing.tags, tag_keys.get(name, ())) for name in _OWNED}
        service = thing.service or _first(thing.tags, service_tags)
        for kind, reference in thing.references:
            rows.append(
                {
                    "workload_ref": reference,
                    "ref_kind": kind,
                    "service": service,
                    **owners,
                    "zone": thing.zone,
                    "valid_from": thing.since,
                    "valid_to": thing.until,
                }
            )
    return rows


def build_rows(
    inventory: Inventory, tag_keys: Mapping[str, tuple[str, ...]], service_tags: Sequence[str]
) -> dict[str, list[dict[str, object]]]:
    """Return dataset name → rows, each once, in a stable order."""
    rows: dict[str, list[dict[str, object]]] = {
        WORKLOADS.name: build_workload_rows(inventory.things, tag_keys, service_tags),
        ZONES.name: [asdict(zone) for zone in inventory.zones],
        ACCOUNTS.name: [asdict(account) for account in inventory.accounts],
    }
    return {name: _distinct(found) for name, found in rows.items()}


def land_inventory(
    settings: InventorySettings, context: LandingContext, schema_version: int, fetch: InventoryFetch
) -> SourceReport:
    """Land what an interface lists now; what it listed before stays, for yesterday's traffic is yesterday's.

    Zones and accounts are replaced whole. Of workloads only what is new, changed or gone is added, one delivery a
    look: a thing first seen holds since it began to exist, a change holds since it was seen, and what is not listed
    any more has ended by then.
    """
    typing = {"schema": schema_version, "service_tags": list(settings.service_tags)}
    landing = SourceLanding(settings, context, typing=typing)
    if landing.is_reading_only:
        return landing.report()
    try:
        rows = build_rows(fetch(), context.tag_keys, settings.service_tags)
    except ConnectorError as error:
        landing.add(WORKLOADS.name, "unreachable", f"{landing.source}: {error}", Severity.FAULT)
        return landing.report()
    rows[WORKLOADS.name] = _news(landing, rows[WORKLOADS.name])
    for name, found in rows.items():
        if found or name != WORKLOADS.name:
            _record(landing, _ROWS[name], found)
    return landing.report()


def _first(tags: Mapping[str, str], keys: Sequence[str]) -> str | None:
    return next((tags[key] for key in keys if tags.get(key)), None)


def _distinct(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(
        {repr(row): row for row in rows}.values(), key=lambda row: [str(value) for value in row.values()]
    )


def _news(landing: SourceLanding, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows that say something that this source did not say before, and the ends of what is gone."""
    said = _read_said(landing)
    now = landing.context.now
    listed = _choose_statements(rows)
    news = []
    for key, row in listed.items():
        before = said.get(key)
        if before is None:
            news.append(row)
        elif before["valid_to"] is not None or any(before[name] != row[name] for name in _STATED):
            began, known = row["valid_from"], before["valid_to"] or before["valid_from"]
            is_another = isinstance(began, datetime) and isinstance(known, datetime) and began > known
            news.append(row if is_another else row | {"valid_from": now})
    names = WORKLOADS.schema.names
    for key, before in said.items():
        if key not in listed and before["valid_to"] is None:
            stated = {name: before[name] for name in names if not name.startswith("x_")}
            news.append(stated | {"valid_to": now})
    return news


def _read_said(landing: SourceLanding) -> dict[tuple[str, str], dict[str, Any]]:
    """The newest statement of this source about each thing."""
    said: dict[tuple[str, str], dict[str, Any]] = {}
    for record in sorted(landing.records, key=lambda record: record.file_name):
        for file in record.delivery.typed_files:
            if file.dataset == WORKLOADS.name and file.path.exists():
                for row in pq.read_table(file.path).to_pylist():
                    said[row["ref_kind"], row["workload_ref"]] = row
    return said


def _choose_statements(rows: list[dict[str, object]]) -> dict[tuple[str, str], dict[str, object]]:
    """One statement about each thing: of interface and machine, which share addresses, the one with a feature."""
    chosen: dict[tuple[str, str], dict[str, object]] = {}
    for row in sorted(rows, key=lambda row: (row["feature"] is None, row["service"] is None)):
        chosen.setdefault((str(row["ref_kind"]), str(row["workload_ref"])), row)
    return chosen


def _record(landing: SourceLanding, dataset: Dataset, rows: list[dict[str, object]]) -> None:
    """Keep the rows as an artifact and land them; zones and accounts have one scope, each look at workloads its own."""
    now = landing.context.now
    lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    content = sha256(lines).hexdigest()
    is_added = dataset.name == WORKLOADS.name
    scope = f"{dataset.name}|{now:%Y%m%dT%H%M%SZ}" if is_added else dataset.name
    facts = DeliveryFacts(dataset, scope, build_digest(dataset.name, content), now)
    current = landing.current_record(dataset.name, scope)
    if current is not None and current.delivery.snapshot_id == facts.snapshot_id:
        return
    file = _keep(landing, f"{scope}.jsonl", lines, content)
    facts = replace(facts, files=(file,))
    if not landing.needs_rows(facts):
        landing.record(facts, None)
        return
    writer = landing.open_writer(facts)
    if rows:
        names = [name for name in dataset.schema.names if not name.startswith("x_")]
        schema = pa.schema([dataset.schema.field(name) for name in names])
        writer.write(pa.Table.from_pylist(rows, schema=schema))
    landing.record(facts, writer)


def _keep(landing: SourceLanding, relative: str, content: bytes, digest: str) -> SourceFile:
    folder = landing.raw / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{digest}.jsonl"
    if not target.exists():
        temporary = folder / f"_tmp-{uuid.uuid4().hex}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(temporary, target)
    return SourceFile(Path(target), relative, len(content), 0, digest)
