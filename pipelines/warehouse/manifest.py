"""The manifest of a release: every relation's files, what they were made from, and the checks they passed.

What belongs here: the record and its JSON. What must not: deciding what to build or publish.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.relations import DataFile, Relation

VERSION = 1


@dataclass(frozen=True)
class CheckResult:
    """How one check of a model went. `sample` holds up to five violating rows as text."""

    name: str
    severity: str
    passed: bool
    violations: int
    sample: tuple[Mapping[str, str | None], ...]
    description: str
    fingerprint: str = ""

    @property
    def is_blocking(self) -> bool:
        """True when it failed and so forbids a release."""
        return not self.passed and self.severity == "fail"


@dataclass(frozen=True)
class RelationRecord:
    """One relation of a release. `kind` is `table`, `view` (no files) or `input`; fingerprints are by
    partition."""

    relation: Relation
    kind: str
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    checks: tuple[CheckResult, ...] = ()
    code_digest: str = ""


@dataclass(frozen=True)
class ReleaseManifest:
    """All that is needed to say how a release came about, and to skip what would come out equal next time."""

    run_id: str
    kind: str  # release | asof
    created_at: str  # ISO, UTC
    code_version: str
    parameters: Mapping[str, str]
    relations: Mapping[str, RelationRecord]
    ledger: Sequence[Mapping[str, Any]] = ()  # kind, path, digest, rows of the run's ledger files
    reports: Sequence[Mapping[str, Any]] = ()

    @property
    def as_of(self) -> str | None:
        """ISO time up to which deliveries were known."""
        return self.parameters.get("as_of")

    @property
    def today(self) -> str | None:
        """The business day of the run."""
        return self.parameters.get("today")


def write_manifest(path: Path, manifest: ReleaseManifest, home: Path) -> None:
    """Writes the manifest as JSON, files below `home` by relative path; the caller makes it durable."""
    relations = {name: _record_json(record, home) for name, record in sorted(manifest.relations.items())}
    document = {
        "version": VERSION,
        "run_id": manifest.run_id,
        "kind": manifest.kind,
        "created_at": manifest.created_at,
        "code_version": manifest.code_version,
        "parameters": dict(manifest.parameters),
        "ledger": list(manifest.ledger),
        "reports": list(manifest.reports),
        "relations": relations,
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def read_manifest(path: Path, home: Path) -> ReleaseManifest:
    """Reads a manifest that `write_manifest` wrote; raises PublishError naming a file that is no manifest."""
    try:
        document = orjson.loads(path.read_bytes())
        if document["version"] != VERSION:
            raise PublishError(f"{path}: manifest version {document['version']}, this code reads {VERSION}")
        return ReleaseManifest(
            run_id=document["run_id"],
            kind=document["kind"],
            created_at=document["created_at"],
            code_version=document["code_version"],
            parameters=document["parameters"],
            relations={
                name: _read_record(name, entry, home) for name, entry in document["relations"].items()
            },
            ledger=document["ledger"],
            reports=document["reports"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"{path}: not a readable release manifest ({error!r}); roll back or rebuild"
        ) from error


def read_file_paths(path: Path, home: Path) -> set[str]:
    """Absolute paths of all files that a manifest lists."""
    document = orjson.loads(path.read_bytes())
    # Texts are joined as texts: a year's releases list hundreds of thousands of files.
    return {
        file["path"] if file["path"].startswith("/") else f"{home}/{file['path']}"
        for relation in document["relations"].values()
        for partition in relation["partitions"].values()
        for file in partition["files"]
    }


def _record_json(record: RelationRecord, home: Path) -> dict[str, Any]:
    relation = record.relation
    return {
        "kind": record.kind,
        "unit": relation.unit,
        "is_by_name": relation.is_by_name,
        "code_digest": record.code_digest,
        "columns": dict(relation.columns),
        "partitions": {
            key: {
                "fingerprint": record.fingerprints.get(key),
                "files": [_file_json(file, home) for file in relation.files.get(key, ())],
            }
            for key in sorted({*relation.files, *record.fingerprints})
        },
        "checks": [
            {
                "name": check.name,
                "severity": check.severity,
                "passed": check.passed,
                "violations": check.violations,
                "sample": [dict(row) for row in check.sample],
                "description": check.description,
                "fingerprint": check.fingerprint,
            }
            for check in record.checks
        ],
    }


def _file_json(file: DataFile, home: Path) -> dict[str, Any]:
    path = str(file.path)
    prefix = f"{home}/"
    entry: dict[str, Any] = {
        "path": path.removeprefix(prefix),
        "digest": file.digest,
        "rows": file.rows,
    }
    if file.stats:
        entry["stats"] = dict(file.stats)
    return entry


def _read_record(name: str, entry: Mapping[str, Any], home: Path) -> RelationRecord:
    partitions = entry["partitions"]
    files = {
        key: tuple(
            DataFile(Path(home, file["path"]), file["digest"], file["rows"], key, file.get("stats", {}))
            for file in partition["files"]
        )
        for key, partition in partitions.items()
    }
    return RelationRecord(
        relation=Relation(name, entry["columns"], entry["unit"], files, entry["is_by_name"]),
        kind=entry["kind"],
        fingerprints={key: p["fingerprint"] for key, p in partitions.items() if p["fingerprint"]},
        checks=tuple(CheckResult(**{**check, "sample": tuple(check["sample"])}) for check in entry["checks"]),
        code_digest=entry["code_digest"],
    )
