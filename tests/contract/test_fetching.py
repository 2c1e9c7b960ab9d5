"""Fetching: each version once, in parallel, whole or not at all, and gone on with after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event

import pytest

from connectors.common.contract import LandingContext, TerminalError
from connectors.common.fetching import ArtifactFetcher
from connectors.common.settings import SourceSettings
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import DamagedContent, StoredObject
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoreSettings
from tests.servers.backends import Backend
from tests.servers.rest import Reply, Request, RestServer, Route, pass_on

LARGE = Random(11).randbytes(20_000_001)
StartRest = Callable[[Route], RestServer]
SETTINGS = SourceSettings(name="cloud-bill", connector="focus_files")


def open_landing(context: LandingContext) -> SourceLanding:
    return SourceLanding(SETTINGS, context, typing={})


def list_artifacts(context: LandingContext) -> dict[str, bytes]:
    folder = context.lake / "raw" / "cloud-bill" / "artifacts"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}


def list_parts(context: LandingContext) -> list[Path]:
    return sorted((context.lake / "raw" / "cloud-bill" / "incoming").glob("*"))


def is_get_of(request: Request, name: str) -> bool:
    is_media = request.query.get("alt") == "media" or "/storage/v1/" not in request.path
    return request.method == "GET" and request.path.endswith(name) and is_media


class CountingProgress:
    """Adds up what it is told."""

    def __init__(self) -> None:
        self.total = self.transferred = 0

    def start(self, label: str, total_bytes: int) -> None:
        assert label == "cloud-bill"
        self.total += total_bytes

    def advance(self, label: str, transferred_bytes: int) -> None:
        self.transferred += transferred_bytes


def test_each_version_is_fetched_once_and_kept_under_its_digest(
    remote_store: Backend, rest: StartRest, lake_context: LandingContext
) -> None:
    contents = {
        "2026/a.csv.gz": LARGE,
        "2026/b.csv": b"cost\n1\n",
        "2026/copy.csv": b"cost\n1\n",
        "c.parquet": b"",
    }
    for key, content in contents.items():
        remote_store.put(key, content)
    front = rest(pass_on(remote_store.url))
    store = open_store(remote_store.settings(front.url))
    progress = CountingProgress()
    context = replace(lake_context, progress=progress)
    objects = list(store.list_objects())
    files = ArtifactFetcher(open_landing(context), store).fetch(objects)
    assert [file.relative for file in files] == [stored.key for stored in objects] == list(contents)
    for file, stored in zip(files, objects, strict=True):
        assert file.path.read_bytes() == contents[file.relative]
        assert file.sha256 == sha256(contents[file.relative]).hexdigest()
        assert file.path.name == f"{file.sha256}{''.join(Path(file.relative).suffixes)}"
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert (file.size, file.modified_at) == (stored.size, stored.modified_at)
    assert len(list_artifacts(context)) == 3
    assert list_parts(context) == []
    assert progress.total == progress.transferred == sum(len(content) for content in contents.values())
    front.log.clear()
    assert ArtifactFetcher(open_landing(context), store).fetch(objects) == files
    assert front.log == []


def test_a_new_version_and_a_lost_artifact_are_fetched(
    any_store: Backend, lake_context: LandingContext
) -> None:
    any_store.put("a.csv", b"first")
    store = open_store(any_store.settings())
    (first,) = ArtifactFetcher(open_landing(lake_context), store).fetch(list(store.list_objects()))
    any_store.put("a.csv", b"second!")
    (second,) = ArtifactFetcher(open_landing(lake_context), store).fetch(list(store.list_objects()))
    assert (first.path.read_bytes(), second.path.read_bytes()) == (b"first", b"second!")
    second.path.unlink()
    (again,) = ArtifactFetcher(open_landing(lake_context), store).fetch(list(store.list_objects()))
    assert again == second
    assert again.path.read_bytes() == b"second!"


_FETCH_ONE = """
import sys
from datetime import datetime
from pathlib import Path
from connectors.common.contract import LandingContext
from connectors.common.fetching import ArtifactFetcher
from connectors.common.identity import Identity
from connectors.common.settings import SourceSettings
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoreSettings
settings = StoreSettings.model_validate_json(sys.argv[2])
context = LandingContext(Path(sys.argv[1]), datetime(2026, 11, 20, 3), Identity(b"test key"), {})
landing = SourceLanding(SourceSettings(name="cloud-bill", connector="focus_files"), context, typing={})
store = open_store(settings)

def read_peak_kb():  # of this process alone; what getrusage says begins with the parent's
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

objects = list(store.list_objects())
before = read_peak_kb()
files = ArtifactFetcher(landing, store).fetch(objects)
print(len(files), read_peak_kb() - before)
"""


def start_fetch(backend: Backend, lake: Path, url: str | None = None) -> subprocess.Popen[str]:
    values = json.dumps(backend.build_values(url))
    command = [sys.executable, "-c", _FETCH_ONE, str(lake), values]
    environment = {**os.environ, **backend.environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_a_killed_fetch_shows_nothing_half_and_is_gone_on_with(
    remote_store: Backend, rest: StartRest, lake_context: LandingContext
) -> None:
    remote_store.put("large.csv", LARGE)
    behind = pass_on(remote_store.url)
    is_stalled, is_over = Event(), Event()
    requested: list[int] = []

    def stall(request: Request) -> Reply:
        reply = behind(request)
        if not is_get_of(request, "large.csv"):
            return reply
        text = request.headers.get("Range") or request.headers.get("x-ms-range") or "bytes=0-"
        start = int(text.removeprefix("bytes=").split("-")[0])
        requested.append(start)
        if is_over.is_set() or start + len(reply.body) < 12_000_000:
            return reply

        def body():  # noqa: ANN202
            yield reply.body[: 12_000_000 - start]
            is_stalled.set()
            is_over.wait(60)

        return Reply(reply.status, body(), {**reply.headers, "Content-Length": str(len(reply.body))})

    front = rest(stall)
    process = start_fetch(remote_store, lake_context.lake, front.url)
    try:
        assert is_stalled.wait(60)
        wait_for_part(lake_context, 8_000_000)
    finally:
        process.kill()
        process.wait(10)
        is_over.set()
    assert list_artifacts(lake_context) == {}
    (part,) = list_parts(lake_context)
    kept = part.stat().st_size
    assert LARGE[:kept] == part.read_bytes()
    requested.clear()
    store = open_store(remote_store.settings(front.url))
    (file,) = ArtifactFetcher(open_landing(lake_context), store).fetch(list(store.list_objects()))
    assert file.path.read_bytes() == LARGE
    assert list_parts(lake_context) == []
    assert min(requested) == kept >= 8_000_000


def wait_for_part(context: LandingContext, size: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if any(part.stat().st_size >= size for part in list_parts(context)):
            return
        time.sleep(0.02)
    raise AssertionError("no part of that size came")


def test_memory_is_bounded_whatever_the_size(any_store: Backend, lake_context: LandingContext) -> None:
    content = bytes(72 << 20)
    any_store.put("large.csv", content)
    process = start_fetch(any_store, lake_context.lake)
    said, _ = process.communicate(timeout=120)
    count, growth_kb = map(int, said.split())
    assert count == 1
    assert 0 < growth_kb < 48 << 10
    assert [len(kept) for kept in list_artifacts(lake_context).values()] == [len(content)]


class ScriptedStore:
    """A store whose downloads do what the test says, in turn."""

    location = "scripted"

    def __init__(self, *outcomes: bytes | Exception) -> None:
        self._outcomes = list(outcomes)

    def download(self, stored: StoredObject, target: Path, on_bytes: Callable[[int], None]) -> str:
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        target.write_bytes(outcome)
        on_bytes(len(outcome))
        return sha256(outcome).hexdigest()


def build_object(key: str, size: int = 1) -> StoredObject:
    return StoredObject(key, size, datetime(2026, 11, 19), "v1")


def fetch_scripted(context: LandingContext, store: ScriptedStore, *keys: str) -> list[bytes]:
    fetcher = ArtifactFetcher(open_landing(context), store, parallel_transfers=1)  # type: ignore[arg-type]
    return [file.path.read_bytes() for file in fetcher.fetch([build_object(key) for key in keys])]


def test_what_was_damaged_on_its_way_is_tried_once_more(lake_context: LandingContext) -> None:
    assert fetch_scripted(lake_context, ScriptedStore(DamagedContent("bad"), b"x"), "a.csv") == [b"x"]
    with pytest.raises(DamagedContent, match="worse"):
        fetch_scripted(lake_context, ScriptedStore(DamagedContent("bad"), DamagedContent("worse")), "b.csv")


def test_what_is_complete_when_another_fails_is_kept(lake_context: LandingContext) -> None:
    store = ScriptedStore(b"x", TerminalError("denied"), b"never")
    with pytest.raises(TerminalError, match="denied"):
        fetch_scripted(lake_context, store, "a.csv", "b.csv", "c.csv")
    assert fetch_scripted(lake_context, ScriptedStore(b"y"), "a.csv", "b.csv") == [b"x", b"y"]


def test_parts_that_nobody_goes_on_with_are_removed_after_a_week(lake_context: LandingContext) -> None:
    folder = lake_context.lake / "raw" / "cloud-bill" / "incoming"
    folder.mkdir(parents=True)
    ages = {"old.part": 8, "new.part": 6}
    for name, days in ages.items():
        (folder / name).write_bytes(b"x")
        moment = datetime(2026, 11, 20 - days, 4).timestamp() - time.timezone
        os.utime(folder / name, (moment, moment))
    fetch_scripted(lake_context, ScriptedStore(b"x"), "a.csv")
    assert [part.name for part in list_parts(lake_context)] == ["new.part"]


def test_a_run_as_of_a_time_fetches_nothing(lake_context: LandingContext) -> None:
    context = replace(lake_context, as_of=datetime(2026, 11, 19))
    with pytest.raises(ValueError, match="fetches nothing"):
        fetch_scripted(context, ScriptedStore(), "a.csv")
    assert not lake_context.lake.exists()


def test_settings_of_a_store_survive_json(remote_store: Backend) -> None:
    settings = remote_store.settings()
    assert StoreSettings.model_validate_json(settings.model_dump_json()) == settings
