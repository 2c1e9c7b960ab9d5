"""What only we know, append-only: forecasts made, anomaly events, ratios used, acks, the alert outbox, run
logs.

What belongs here: files `lake/ledger/<kind>/…parquet` and the markers that make a run's files count. What
must not: what the rows mean.

A run's files count once `lake/ledger/committed/<run>.json` stands, which is written right after the
release of that run became current. Acks and outbox entries count at once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.periods import ALL
from pipelines.warehouse.relations import DataFile, Relation, read_digest

IMMEDIATE_KINDS = frozenset({"acks", "outbox"})
_KIND = re.compile(r"[a-z][a-z_]*")
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class LedgerFile:
    """One file of the ledger; `path` is relative to the home."""

    kind: str
    path: str
    digest: str
    rows: int


def new_run_id(now: datetime) -> str:
    """A name for a run at `now` (UTC, naive) that sorts after earlier runs': of two rows about one thing, the later
    run's counts."""
    return f"{now:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}"


def write_ledger(home: Path, kind: str, run_id: str, table: pa.Table) -> LedgerFile:
    """Appends rows of one kind. Give the result to `publish`, which makes it count; acks and outbox count
    at once.

    Raises PublishError when the run has already written this kind (a kind that counts at once may be
    written often).
    """
    if not _KIND.fullmatch(kind) or kind == "committed" or not _RUN.fullmatch(run_id):
        raise PublishError(f"ledger kind {kind!r} or run {run_id!r} is not a plain name")
    folder = _folder(home) / kind
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f"_tmp-{run_id}-{os.getpid()}"
    pq.write_table(table.combine_chunks(), temporary, compression="zstd")
    _fsync(temporary)
    digest = read_digest(temporary)
    suffix = f"-{digest[:12]}" if kind in IMMEDIATE_KINDS else ""
    path = folder / f"{run_id}{suffix}.parquet"
    if path.exists() and kind not in IMMEDIATE_KINDS:
        temporary.unlink()
        raise PublishError(f"{path} exists: the ledger is append-only; use a new run id")
    os.replace(temporary, path)
    _fsync(folder)
    return LedgerFile(kind, str(path.relative_to(home)), digest, table.num_rows)


def commit_run(home: Path, run_id: str, files: Sequence[LedgerFile], now: datetime) -> None:
    """Makes the run's files count from `now` on (UTC, naive). Doing it again changes nothing."""
    folder = _folder(home) / "committed"
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / f"{run_id}.json"
    if marker.exists():
        return
    temporary = folder / f"_tmp-{run_id}"
    document = {"run_id": run_id, "committed_at": now.isoformat(), "files": [asdict(file) for file in files]}
    temporary.write_text(json.dumps(document, indent=1))
    _fsync(temporary)
    os.replace(temporary, marker)
    _fsync(folder)


def recover(home: Path, current: ReleaseManifest | None) -> list[str]:
    """Finishes what a killed run left: commits the run of the current release, removes what never counted.

    Call it at the start of a run, under the writer lock. Returns what it did, in words.
    """
    done = []
    marker = _folder(home) / "committed" / f"{current.run_id}.json" if current else None
    if current and current.kind == "release" and marker and not marker.exists():
        files = [LedgerFile(**entry) for entry in current.ledger]
        commit_run(home, current.run_id, files, datetime.fromisoformat(current.created_at))
        done.append(f"committed the ledger of run {current.run_id}")
    counted = {file.path for file, _ in _committed(home)}
    for path in sorted(_folder(home).glob("*/*")):
        is_pending = path.suffix == ".parquet" and path.parent.name not in IMMEDIATE_KINDS
        if path.name.startswith("_tmp-") or (is_pending and str(path.relative_to(home)) not in counted):
            path.unlink()
            done.append(f"removed {path.name} of {path.parent.name}: its run published nothing")
    return done


def read_ledger(home: Path, kind: str, columns: Mapping[str, str], as_of: datetime | None = None) -> Relation:
    """The relation `lake.ledger_<kind>` of all rows that count (by `as_of`, if given), with these DuckDB
    columns."""
    if kind in IMMEDIATE_KINDS:
        files = [
            DataFile(path, read_digest(path), pq.read_metadata(path).num_rows, ALL)
            for path in sorted((_folder(home) / kind).glob("[!_]*.parquet"))
        ]
    else:
        files = [
            DataFile(home / file.path, file.digest, file.rows, ALL)
            for file, committed_at in _committed(home)
            if file.kind == kind and file.rows and (as_of is None or committed_at <= as_of)
        ]
    by_partition = {ALL: tuple(files)} if files else {}
    return Relation(f"lake.ledger_{kind}", columns, None, by_partition, is_by_name=True)


def _committed(home: Path) -> Iterator[tuple[LedgerFile, datetime]]:
    for marker in sorted((_folder(home) / "committed").glob("[!_]*.json")):
        document = json.loads(marker.read_text())
        committed_at = datetime.fromisoformat(document["committed_at"])
        for entry in document["files"]:
            yield LedgerFile(**entry), committed_at


def _folder(home: Path) -> Path:
    return home / "lake" / "ledger"


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
