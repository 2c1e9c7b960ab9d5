"""Bringing objects of a store into a source's artifacts: in parallel, each version once, none half.

What belongs here: which objects are still to be fetched, and where their content goes. What must not: what an
object means, or a vendor's client.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, timedelta
from pathlib import Path
from threading import Event

from connectors.common.delivery_records import Artifact
from connectors.common.digests import build_digest
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import DamagedContent, ObjectStore, StoredObject

_PARALLEL_TRANSFERS = 4
_SAVE_INTERVAL_SECONDS = 1.0
_KEEP_PARTS = timedelta(days=7)


class ArtifactFetcher:
    """Fetches objects of one store for one source.

    Content lies below `lake/raw/<source>/artifacts` under its SHA-256, stored once however many objects have
    it. `seen.json` knows which version of which object has which content, so that none is fetched twice. What
    is not complete lies in `incoming` and is gone on with by the next run.
    """

    def __init__(
        self,
        landing: SourceLanding,
        store: ObjectStore,
        parallel_transfers: int = _PARALLEL_TRANSFERS,
        *,
        saves_in_passing: bool = False,
    ) -> None:
        """Make a fetcher; `saves_in_passing` for a caller that fetches a few at a time and saves the index itself."""
        self._landing = landing
        self._store = store
        self._parallel = parallel_transfers
        self._saves_in_passing = saves_in_passing
        self._incoming = landing.raw / "incoming"

    def fetch(self, objects: Sequence[StoredObject], *, spares_pruned: bool = False) -> list[SourceFile]:
        """Return the objects as files, in the order given; `relative` is the key.

        `spares_pruned`: content that retention let go is not fetched again; its file is absent until
        `SourceLanding.bring_back` is asked for it. Raises the first ConnectorError; what is complete by then is
        kept. Raises ValueError in a run that only asks what was known.
        """
        if self._landing.is_reading_only:
            raise ValueError(f"{self._landing.source}: a run as of a time fetches nothing")
        known = {stored: self._find_known(stored, spares_pruned) for stored in objects}
        absent = [stored for stored, file in known.items() if file is None]
        if absent:
            known |= self._fetch_all(absent)
        return [file for stored in objects if (file := known[stored]) is not None]

    def find_sha256(self, stored: StoredObject) -> str | None:
        """Return the digest of a version that some run fetched, whether its content is kept or not."""
        note = self._landing.seen.notes.get(self._note_key(stored))
        return None if note is None else note["sha256"]

    def build_file(self, stored: StoredObject, sha256: str) -> SourceFile:
        """Return the file that an object of this content is, or was, here."""
        return self._build_file(stored, sha256)

    def _find_known(self, stored: StoredObject, spares_pruned: bool) -> SourceFile | None:
        """The file of a version fetched before, unless its content is lost, or let go and wanted nevertheless."""
        note = self._landing.seen.notes.get(self._note_key(stored))
        if note is None:
            return None
        file = self._build_file(stored, note["sha256"])
        if file.path.exists():
            return file
        if spares_pruned and self._landing.is_pruned(file.sha256):
            self._landing.put_off(file, lambda: self._fetch_all([stored]))
            return file
        return None

    def _fetch_all(self, absent: Sequence[StoredObject]) -> dict[StoredObject, SourceFile]:
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._landing.raw / "artifacts").mkdir(parents=True, exist_ok=True)
        self._remove_old_parts()
        progress = self._landing.context.progress
        if progress is not None:
            progress.start(self._landing.source, sum(stored.size for stored in absent))
        stopping = Event()

        def on_bytes(count: int) -> None:
            if stopping.is_set():
                raise _Stopped
            if progress is not None:
                progress.advance(self._landing.source, count)

        pool = ThreadPoolExecutor(self._parallel, thread_name_prefix=f"fetch-{self._landing.source}")
        waiting = {pool.submit(self._fetch_one, stored, on_bytes): stored for stored in absent}
        try:
            return self._gather(waiting)
        finally:
            stopping.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if self._saves_in_passing:
                self._landing.seen.save_in_passing()
            else:
                self._landing.seen.save()

    def _gather(self, waiting: dict[Future[str], StoredObject]) -> dict[StoredObject, SourceFile]:
        """Note each object as it is complete; raise the first problem."""
        fetched: dict[StoredObject, SourceFile] = {}
        saved_at = time.monotonic()
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            problems = []
            for future in done:
                stored = waiting.pop(future)
                problem = future.exception()
                if problem is not None:
                    problems.append(problem)
                    continue
                fetched[stored] = self._build_file(stored, future.result())
                self._landing.seen.write_note(
                    self._note_key(stored), {"sha256": future.result(), "bytes": stored.size}
                )
            if problems:
                raise problems[0]
            if time.monotonic() - saved_at > _SAVE_INTERVAL_SECONDS:
                self._landing.seen.save()
                saved_at = time.monotonic()
        return fetched

    def _fetch_one(self, stored: StoredObject, on_bytes: Callable[[int], None]) -> str:
        """Bring one object to its place among the artifacts; return its SHA-256. A damaged one is tried twice."""
        part = self._incoming / f"{build_digest(self._store.location, stored.key, stored.version)}.part"
        try:
            digest = self._store.download(stored, part, on_bytes)
        except DamagedContent:
            digest = self._store.download(stored, part, on_bytes)
        os.replace(part, self._artifact_path(stored, digest))
        return digest

    def _artifact_path(self, stored: StoredObject, sha256: str) -> Path:
        return self._landing.artifact_path(Artifact(stored.key, sha256, stored.size))

    def _build_file(self, stored: StoredObject, sha256: str) -> SourceFile:
        modified_ns = int(stored.modified_at.replace(tzinfo=UTC).timestamp()) * 10**9
        modified_ns += stored.modified_at.microsecond * 1000
        return SourceFile(self._artifact_path(stored, sha256), stored.key, stored.size, modified_ns, sha256)

    def _note_key(self, stored: StoredObject) -> str:
        return f"object {self._store.location}\n{stored.key}\n{stored.version}"

    def _remove_old_parts(self) -> None:
        """Throw away what nobody went on with for a week: its object was replaced."""
        oldest = (self._landing.context.now.replace(tzinfo=UTC) - _KEEP_PARTS).timestamp()
        for part in self._incoming.glob("*.part"):
            if part.stat().st_mtime < oldest:
                part.unlink()


class _Stopped(Exception):
    """Another transfer failed, or the run was stopped: this one ends where it is."""
