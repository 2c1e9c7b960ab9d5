"""The record of a delivery: a JSON manifest in `lake/raw/<source>/deliveries/`, and which is current.

What belongs here: writing, reading and ordering records. What must not: reading the delivered content.
"""

from __future__ import annotations

import gzip
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from connectors.common.contract import Delivery, Finding, Severity, TerminalError, TypedFile
from connectors.common.datasets import WORKLOADS
from connectors.common.packed_records import read_packed

_LOOKS = frozenset({WORKLOADS.name})
"""Datasets whose rows hold for a time: an equal list made later says that all is still, or again, there."""


@dataclass(frozen=True)
class Artifact:
    """One delivered file: its path relative to the source's folder, its content's digest and size."""

    relative: str
    sha256: str
    bytes: int
    rows: int | None = None


@dataclass(frozen=True)
class DeliveryRecord:
    """A delivery with what its manifest knows beyond the contract: artifacts, schema seen, typed variants.

    `typed` maps a typing digest to the files written under those settings; `delivery.typed_files` is the
    variant that was asked for when the record was read.
    """

    delivery: Delivery
    artifacts: tuple[Artifact, ...] = ()
    schema_seen: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    typed: Mapping[str, tuple[TypedFile, ...]] = field(default_factory=dict)

    @cached_property
    def file_name(self) -> str:
        """Name of the manifest: delivery time, then snapshot."""
        return f"{self.delivery.delivered_at:%Y%m%dT%H%M%S.%fZ}-{self.delivery.snapshot_id}.json"


def write_json(path: Path, content: object) -> None:
    """Write JSON as a whole or not at all, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"_tmp-{uuid.uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
            stream.flush()
            os.fsync(stream.fileno())  # else a power cut may leave the new name with no content
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_records(folder: Path, records: Iterable[DeliveryRecord], lake: Path) -> None:
    """Write several manifests so that all of them count or none, whenever the process is killed.

    They first stand together in one file beside the folder; who reads the records completes it.
    """
    listed = {record.file_name: _record_to_json(record, lake) for record in records}
    if len(listed) > 1:
        write_json(_pending_path(folder), listed)
    for name, content in listed.items():
        write_json(folder / name, content)
    if len(listed) > 1:
        _pending_path(folder).unlink()


def complete_records(folder: Path) -> None:
    """Write the manifests of a delivery whose writing was cut off."""
    pending = _pending_path(folder)
    if pending.exists():
        for name, content in orjson.loads(pending.read_bytes()).items():
            write_json(folder / name, content)
        pending.unlink()


def _pending_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-pending.json")


def _record_to_json(record: DeliveryRecord, lake: Path) -> dict[str, Any]:
    delivery = record.delivery
    return {
        "source": delivery.source,
        "dataset": delivery.dataset,
        "scope": delivery.scope,
        "period": delivery.period,
        "snapshot_id": delivery.snapshot_id,
        "delivered_at": delivery.delivered_at.isoformat(),
        "fetched_at": delivery.fetched_at.isoformat(),
        "rows": delivery.rows,
        "billed_totals": {currency: str(total) for currency, total in delivery.billed_totals.items()},
        "invoice_issuers": list(delivery.invoice_issuers),
        "billing_account_id": delivery.billing_account_id,
        "content": delivery.content,
        "delivery_key": delivery.delivery_key,
        "artifacts": [
            {"relative": a.relative, "sha256": a.sha256, "bytes": a.bytes, "rows": a.rows}
            for a in record.artifacts
        ],
        "schema_seen": list(record.schema_seen),
        "findings": [finding_to_json(finding) for finding in record.findings],
        "typed": [
            {"typing": typing, "files": [_typed_file_to_json(file, lake) for file in files]}
            for typing, files in record.typed.items()
        ],
    }


def read_records(folder: Path, lake: Path, typing_digest: str) -> list[DeliveryRecord]:
    """Read all manifests of a source, oldest first; typed files of the wanted, else the newest typing.

    Those of a delivery whose writing was cut off are among them (`write_records`). Raises TerminalError for a
    damaged one: to go on without it would lose what it delivered.
    """
    return [*read_named_records(folder, lake, typing_digest).values()]


def read_named_records(
    folder: Path, lake: Path, typing_digest: str, *, with_packed: bool = True
) -> dict[str, DeliveryRecord]:
    """Return file name → record as `read_records` does; without the packed ones, among which is no bill, if wished."""
    pending = _pending_path(folder)
    cut_off = orjson.loads(pending.read_bytes()) if pending.exists() else {}
    found = {entry.name for entry in os.scandir(folder)} if folder.is_dir() else set()
    records: dict[str, DeliveryRecord] = {}
    for name in {name for name in found if name.endswith(".json")} | cut_off.keys():
        with suppress(FileNotFoundError):  # packed since it was listed
            records[name] = _read_record(folder / name, lake, typing_digest, cut_off.get(name))
    if with_packed:
        with _damage_in_words(folder / "packed"):
            for name, content in read_packed(folder, frozenset(records)):
                records[name] = _build_record(content, lake, typing_digest)
    return dict(sorted(records.items()))


def _read_record(
    path: Path, lake: Path, typing_digest: str, content: dict[str, Any] | None
) -> DeliveryRecord:
    with _damage_in_words(path):
        return _build_record(
            orjson.loads(path.read_bytes()) if content is None else content, lake, typing_digest
        )


@contextmanager
def _damage_in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, gzip.BadGzipFile) as error:
        message = (
            f"{path}: the record of a delivery is damaged ({type(error).__name__}). Restore it from a backup; or "
            "remove it together with seen.json beside its folder: what still lies in the source lands again"
        )
        raise TerminalError(message) from error


def mark_current(records: Iterable[DeliveryRecord], as_of: datetime | None = None) -> list[DeliveryRecord]:
    """Return the records known by `as_of`, each told whether it is the current one of its dataset and scope.

    Within a scope the newest delivery is current; a tie goes to the larger digest (of its lines where known).
    """
    known = [r for r in records if as_of is None or r.delivery.delivered_at <= as_of]
    ranks = [rank_delivery(record.delivery) for record in known]
    newest: dict[tuple[str, str], tuple[datetime, bool, str, str]] = {}
    for record, rank in zip(known, ranks, strict=True):
        d = record.delivery
        newest[d.dataset, d.scope] = max(rank, newest.get((d.dataset, d.scope), rank))
    marked = []
    for record, rank in zip(known, ranks, strict=True):
        d = record.delivery
        is_current = rank == newest[d.dataset, d.scope]
        is_marked = d.is_current == is_current
        marked.append(record if is_marked else replace(record, delivery=replace(d, is_current=is_current)))
    return marked


def find_file_sha256(period: str | None, artifacts: Sequence[Artifact]) -> str | None:
    """Return the digest of the one file that a delivery is; None for bills and for several files."""
    return artifacts[0].sha256 if period is None and len(artifacts) == 1 else None


def rank_delivery(delivery: Delivery) -> tuple[datetime, bool, str, str]:
    """Return what orders the deliveries of a scope: the largest is current."""
    content = delivery.content
    return delivery.delivered_at, content is not None, content or "", delivery.snapshot_id


def is_added(delivery: Delivery) -> bool:
    """Tell whether a bill's delivery adds up with others (`BillDelivery.mode`): it then has a scope of its own."""
    return delivery.delivery_key is not None and delivery.scope.endswith(f"|{delivery.delivery_key}")


def set_aside_copies(records: Iterable[DeliveryRecord]) -> tuple[list[DeliveryRecord], list[Finding]]:
    """Let a file that lies twice under two names count once: the first name stays current.

    Only for deliveries that are one file each; bills decide by their lines what is a second delivery.
    """
    kept: dict[tuple[str, str], str] = {}
    sorted_out, findings = [], []
    for record in sorted(records, key=lambda r: (r.delivery.dataset, r.delivery.scope)):
        d = record.delivery
        if not d.is_current or d.period is not None or len(record.artifacts) != 1 or d.dataset in _LOOKS:
            sorted_out.append(record)
            continue
        artifact = record.artifacts[0]
        first = kept.setdefault((d.dataset, artifact.sha256), artifact.relative)
        if first == artifact.relative:
            sorted_out.append(record)
            continue
        sorted_out.append(replace(record, delivery=replace(d, is_current=False)))
        message = f"{d.source}: {artifact.relative} has the same content as {first} and is not counted again"
        findings.append(
            Finding(
                d.source, d.dataset, "duplicate_delivery", message, Severity.INFO, d.rows, artifact.relative
            )
        )
    return sorted_out, findings


def finding_to_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain JSON values."""
    return {
        "source": finding.source,
        "dataset": finding.dataset,
        "kind": finding.kind,
        "message": finding.message,
        "severity": finding.severity.value,
        "count": finding.count,
        "file": finding.file,
        "date": finding.date.isoformat() if finding.date else None,
    }


def finding_from_json(content: Mapping[str, Any]) -> Finding:
    """Return the finding that `finding_to_json` wrote."""
    day = content["date"]
    return Finding(
        **{key: content[key] for key in ("source", "dataset", "kind", "message", "count", "file")},
        severity=Severity(content["severity"]),
        date=date.fromisoformat(day) if day else None,
    )


def _typed_file_to_json(file: TypedFile, lake: Path) -> dict[str, Any]:
    return {
        "dataset": file.dataset,
        "partition": file.partition,
        "rows": file.rows,
        "digest": file.digest,
        "path": str(file.path.relative_to(lake)),
    }


def _build_record(content: dict[str, Any], lake: Path, typing_digest: str) -> DeliveryRecord:
    typed = {
        variant["typing"]: tuple(
            TypedFile(f["dataset"], f["partition"], Path(f"{lake}/{f['path']}"), f["rows"], f["digest"])
            for f in variant["files"]
        )
        for variant in content["typed"]
    }
    chosen = typed.get(typing_digest)
    if chosen is None:
        chosen = next(reversed(typed.values()), ())
    artifacts = tuple(Artifact(**a) for a in content["artifacts"])
    delivery = Delivery(
        source=content["source"],
        dataset=content["dataset"],
        scope=content["scope"],
        period=content["period"],
        snapshot_id=content["snapshot_id"],
        delivered_at=datetime.fromisoformat(content["delivered_at"]),
        fetched_at=datetime.fromisoformat(content["fetched_at"]),
        rows=content["rows"],
        typed_files=chosen,
        billed_totals={currency: Decimal(total) for currency, total in content["billed_totals"].items()},
        invoice_issuers=tuple(content["invoice_issuers"]),
        billing_account_id=content["billing_account_id"],
        content=content.get("content"),
        delivery_key=content.get("delivery_key"),
        file_sha256=find_file_sha256(content["period"], artifacts),
    )
    return DeliveryRecord(
        delivery=delivery,
        artifacts=artifacts,
        schema_seen=tuple(content["schema_seen"]),
        findings=tuple(finding_from_json(f) for f in content["findings"]),
        typed=typed,
    )
