"""Landing of request logs on disk or in an object store: each file is read once, and none is kept.

What belongs here: bringing remote files here for as long as they are read. What must not: reading a format.

A request log may hold prompts. What is fetched lies below `lake/raw/<source>` only while it is read; a run that was
killed in between is cleaned up after by the next one. What stays is the manifest and the typed projection.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.datasets import Dataset
from connectors.common.delivery_records import finding_from_json
from connectors.common.fetching import ArtifactFetcher
from connectors.common.file_listing import list_stored_objects
from connectors.common.landing import FileDelivery, land_file, note_outcome, retype_missing
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ObjectStore, StoredObject
from connectors.common.stores.settings import StoredFileSettings

_FETCHED_AT_ONCE = 4
"""So many objects lie here together, at most."""

Expect = Callable[[Sequence[SourceFile]], None]
"""Is told of files that are here and will be read next, in this order: what reads them may begin before."""


def land_stored_files(
    settings: StoredFileSettings,
    context: LandingContext,
    datasets: tuple[Dataset, ...],
    read: Callable[[SourceFile, FileDelivery], None],
    *,
    typing: Mapping[str, object],
    suffixes: tuple[str, ...],
    expect: Expect | None = None,
) -> SourceReport:
    """Land independent request logs (see `landing.land_files`) from a folder, S3, Blob storage or Cloud Storage.

    Raises ConnectorError when the store cannot be listed or read; what was read by then stays read.
    """
    landing = SourceLanding(settings, context, typing=typing, keeps_artifacts=False)
    if landing.is_reading_only:
        return landing.report()
    present: set[str] = set()
    with open_files(landing, settings, datasets[0].name, suffixes, expect) as files:
        for file in files:
            present.add(file.relative)
            outcome = landing.seen.read_outcome(file, landing.typing_digest)
            if outcome is None:
                outcome = land_file(landing, file, datasets, read)
                note_outcome(landing, file, outcome)
            landing.add_findings(finding_from_json(f) for f in outcome["findings"])
    if present:
        landing.note_gone(present)
    retype_missing(landing, present, datasets, read)
    return landing.report()


@contextmanager
def open_files(
    landing: SourceLanding,
    settings: StoredFileSettings,
    dataset: str,
    suffixes: tuple[str, ...],
    expect: Expect | None = None,
) -> Iterator[Iterator[SourceFile]]:
    """Give the files of a source by relative path, each of them readable until the next is asked for.

    A file that was read before under the same settings (`SeenIndex.read_outcome`) is given without content. What was
    fetched is removed at the end, whatever happens. Raises ConnectorError when the store cannot be listed or read.
    """
    if not settings.is_remote:
        files = landing.list_folder(Path(settings.path), settings.pattern, dataset, suffixes)
        if expect is not None:
            expect([f for f in files if landing.seen.read_outcome(f, landing.typing_digest) is None])
        yield iter(files)
        return
    _remove_fetched(landing)
    store, objects = list_stored_objects(landing, settings, dataset, suffixes)
    try:
        yield _fetch_in_turn(landing, store, objects, expect)
    finally:
        _remove_fetched(landing)
        landing.seen.save()


def _fetch_in_turn(
    landing: SourceLanding, store: ObjectStore, objects: Sequence[StoredObject], expect: Expect | None
) -> Iterator[SourceFile]:
    fetcher = ArtifactFetcher(landing, store, saves_in_passing=True)
    waiting: list[StoredObject] = []
    for stored in objects:
        sha256 = fetcher.find_sha256(stored)
        known = None if sha256 is None else fetcher.build_file(stored, sha256)
        if known is not None and landing.seen.read_outcome(known, landing.typing_digest) is not None:
            yield known
            continue
        waiting.append(stored)
        if len(waiting) == _FETCHED_AT_ONCE:
            yield from _fetch(landing, fetcher, waiting, expect)
            waiting = []
    yield from _fetch(landing, fetcher, waiting, expect)


def _fetch(
    landing: SourceLanding,
    fetcher: ArtifactFetcher,
    objects: Sequence[StoredObject],
    expect: Expect | None,
) -> Iterator[SourceFile]:
    """Fetch a few objects, give them one by one, then remove them: two may have the same content."""
    if not objects:
        return
    files = list(fetcher.fetch(objects))
    if expect is not None:
        expect(files)
    yield from files
    _remove_fetched(landing)


def _remove_fetched(landing: SourceLanding) -> None:
    for name in ("artifacts", "incoming"):
        shutil.rmtree(landing.raw / name, ignore_errors=True)
