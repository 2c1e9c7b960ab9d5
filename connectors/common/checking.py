"""What `everycent sources check` tries for files and object stores, step by step, each told in words.

What belongs here: steps that several connectors share. What must not: a vendor's own (its connector's `check`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from connectors.common.contract import CheckStep, ConnectorError
from connectors.common.source_files import list_paths
from connectors.common.stores.contract import ObjectStore, StoredObject
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoreSettings

_ANY_FILE = ("",)
_LISTED_AT_MOST = 10_000


def check_files(path: Path, pattern: str, suffixes: tuple[str, ...] = _ANY_FILE) -> Iterator[CheckStep]:
    """Yield whether a source's folder is there, how many files match, and whether each can be opened."""
    if not path.exists():
        yield CheckStep("path", False, f"{path} does not exist; create it or correct `path`")
        yield CheckStep("files", None, "not tried without the path")
        return
    yield CheckStep("path", True, f"{path} is there")
    try:
        names, _ = list_paths(path, pattern, suffixes)
        size = sum(_read_size(path, name) for name in names)
    except OSError as error:
        message = f"{error.filename} cannot be read ({error.strerror}); let the user of everycent read it"
        yield CheckStep("files", False, message)
        return
    if not names:
        message = f"no file matches {pattern!r} below {path}; deliver one or correct `pattern`"
        yield CheckStep("files", False, message)
        return
    yield CheckStep(
        "files",
        True,
        f"{_count(names, 'file')} of {size / 1e6:,.1f} MB, all may be opened; a night reads what they hold",
    )


def check_store(
    settings: StoreSettings, is_wanted: Callable[[StoredObject], bool] = lambda stored: True
) -> Iterator[CheckStep]:
    """Yield whether credentials are found, objects can be listed, and one of those wanted can be read."""
    try:
        store = open_store(settings)
        yield CheckStep("credentials", True, store.find_credentials())
    except ConnectorError as error:
        yield CheckStep("credentials", False, str(error))
        yield CheckStep("list", None, "not tried without credentials")
        yield CheckStep("read", None, "not tried without credentials")
        return
    try:
        found = list(islice(filter(is_wanted, store.list_objects()), _LISTED_AT_MOST))
    except ConnectorError as error:
        yield CheckStep("list", False, str(error))
        yield CheckStep("read", None, "not tried, for nothing is listed")
        return
    yield from _check_found(store, found)


def _check_found(store: ObjectStore, found: list[StoredObject]) -> Iterator[CheckStep]:
    if not found:
        message = f"{store.location}: may be listed, but holds nothing that is wanted; correct the location or pattern"
        yield CheckStep("list", False, message)
        yield CheckStep("read", None, "not tried, for there is nothing to read")
        return
    size = sum(stored.size for stored in found)
    more = " or more" if len(found) == _LISTED_AT_MOST else ""
    newest = max(found, key=lambda stored: stored.modified_at)
    message = f"{_count(found, 'object')}{more} of {size / 1e6:,.1f} MB"
    yield CheckStep("list", True, f"{message}, the newest of {newest.modified_at:%Y-%m-%d %H:%M} UTC")
    try:
        store.read_beginning(newest)
    except ConnectorError as error:
        yield CheckStep("read", False, str(error))
    else:
        yield CheckStep("read", True, f"{newest.key} is readable")


def _read_size(root: Path, name: str) -> int:
    with (root / name if root.is_dir() else root).open("rb") as file:
        return file.seek(0, 2)


def _count(things: Iterable[object], noun: str) -> str:
    number = len(list(things))
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
