"""Publishes a build: writes a release folder, swaps `current`, makes the run's ledger count, sweeps old
files.

What belongs here: everything between a finished build and its readers. What must not: building, rendering
reports.

Order matters, since a run may be killed anywhere: files are durable before the manifest names them, the
folder is complete before it gets its name, the swap is one rename, the ledger's marker follows it
(`ledger.recover` writes it if the run dies in between).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.warehouse.catalogue import write_catalogue
from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.ledger import LedgerFile, commit_run
from pipelines.warehouse.manifest import (
    RelationRecord,
    ReleaseManifest,
    read_file_paths,
    read_manifest,
    write_manifest,
)
from pipelines.warehouse.release import CATALOGUE_NAME, MANIFEST_NAME, SIDE_PREFIX, Release, ReleaseStore
from pipelines.warehouse.runner import Build

KEPT_RELEASES = 7
_STAMP = "%Y%m%dT%H%M%S.%fZ"


def read_current_manifest(home: Path) -> ReleaseManifest | None:
    """The manifest of the current release, or None where nothing was published yet."""
    store = ReleaseStore(home)
    if not store.pointer.is_symlink():
        return None
    return read_manifest(store.current().path / MANIFEST_NAME, home.resolve())


def is_changed(build: Build, previous: ReleaseManifest | None) -> bool:
    """True when a reader would see any difference: a file, a column, a view, a check's outcome, the code
    version."""
    if previous is None or previous.code_version != build.code_version:
        return True
    if set(previous.relations) != set(build.records):
        return True
    return any(_seen(record) != _seen(previous.relations[name]) for name, record in build.records.items())


def publish(
    build: Build,
    run_id: str,
    now: datetime,
    kind: str = "release",
    ledger: Sequence[LedgerFile] = (),
    reports: Sequence[Mapping[str, Any]] = (),
) -> Release:
    """Writes the release and, unless `kind` is `asof`, makes it current. The caller holds the writer lock.

    Raises PublishError when a model is missing or a check of severity `fail` has violations; `current`
    then stays.
    """
    _refuse_unfit(build, kind, ledger)
    store = ReleaseStore(build.home)
    name = _release_name(store, run_id, now, kind, build)
    manifest = ReleaseManifest(
        run_id=run_id,
        kind=kind,
        created_at=now.isoformat(),
        code_version=build.code_version,
        parameters={key: str(value) for key, value in build.parameters.items()},
        relations=build.records,
        ledger=[asdict(file) for file in ledger],
        reports=list(reports),
    )
    _write_folder(store, name, build, manifest)
    if kind == "release":
        store.point_current(name)
        commit_run(build.home, run_id, ledger, now)
    sweep(build.home, younger_than=build.started)
    return Release(store.releases_folder / name, is_current=kind == "release")


def sweep(home: Path, younger_than: float, keep: int = KEPT_RELEASES) -> list[Path]:
    """Removes releases beyond the `keep` newest of each kind and files that no kept release lists; returns
    both.

    The target of `current` is always kept, and so is any file changed at or after the POSIX time
    `younger_than`.
    """
    store = ReleaseStore(home)
    releases = store.list()
    kept = {release.path for release in releases if release.is_current}
    for is_side in (False, True):
        kept.update([release.path for release in releases if release.is_side == is_side][:keep])
    removed = [release.path for release in releases if release.path not in kept]
    listed = {path for folder in kept for path in read_file_paths(folder / MANIFEST_NAME, home.resolve())}
    for folder in removed:
        shutil.rmtree(folder)
    for path in _files(home.resolve() / "warehouse" / "tables"):
        if path not in listed and os.stat(path).st_mtime < younger_than:
            os.unlink(path)
            removed.append(Path(path))
    return removed


def _refuse_unfit(build: Build, kind: str, ledger: Sequence[LedgerFile]) -> None:
    if kind not in ("release", "asof"):
        raise PublishError(f"kind of release {kind!r}: use release or asof")
    if kind == "asof" and ledger:
        raise PublishError("an as-of release writes no ledger")
    missing = [name for name in build.models.order if name not in build.records]
    if missing:
        raise PublishError(f"not published: {len(missing)} models were not built, first {missing[0]}")
    if build.failed_checks:
        failed = "; ".join(
            f"{name}: {check.name} has {check.violations} violations, first {dict(check.sample[0])}"
            for name, check in build.failed_checks
        )
        raise PublishError(f"not published, checks failed: {failed}")


def _release_name(store: ReleaseStore, run_id: str, now: datetime, kind: str, build: Build) -> str:
    """A name that sorts after every release of its kind, also when the clock went back."""
    prefix = SIDE_PREFIX if kind == "asof" else ""
    names = [r.name.removeprefix(SIDE_PREFIX) for r in store.list() if r.is_side == (kind == "asof")]
    stamp = now
    if names:
        newest = datetime.strptime(max(names).split("-")[0], _STAMP)  # noqa: DTZ007 (UTC without zone, as everywhere)
        stamp = max(now, newest + timedelta(microseconds=1))
    return f"{prefix}{stamp.strftime(_STAMP)}-{run_id[-8:]}"


def _write_folder(store: ReleaseStore, name: str, build: Build, manifest: ReleaseManifest) -> None:
    store.releases_folder.mkdir(parents=True, exist_ok=True)
    draft = build.home / "warehouse" / "tmp" / f"release-{name}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _fsync_all(_written_files(build))
    write_catalogue(draft / CATALOGUE_NAME, build.models, build.records)
    write_manifest(draft / MANIFEST_NAME, manifest, build.home)
    _fsync_all((draft / CATALOGUE_NAME, draft / MANIFEST_NAME, draft))
    (draft / CATALOGUE_NAME).chmod(0o444)
    draft.rename(store.releases_folder / name)
    _fsync_all((store.releases_folder,))


def _written_files(build: Build) -> Iterable[Path]:
    for name, result in build.results.items():
        files = build.records[name].relation.files
        for key in result.partitions_built:
            for file in files.get(key, ()):
                yield file.path
                yield file.path.parent


def _fsync_all(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _files(folder: Path) -> list[str]:
    found = []
    for root, _, names in os.walk(folder):
        found += [f"{root}/{name}" for name in names]
    return found


def _seen(record: RelationRecord) -> tuple[object, ...]:
    relation = record.relation
    code = record.code_digest if record.kind == "view" else ""
    files = {key: [file.digest for file in files] for key, files in relation.files.items() if files}
    checks = sorted((check.name, check.severity, check.violations) for check in record.checks)
    return (record.kind, dict(relation.columns), relation.unit, files, code, checks)
