"""The files of a source that lies on disk or in an object store, in the same form.

What belongs here: listing either kind, bringing remote files here. What must not: the meaning of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from connectors.common.checking import check_files, check_store
from connectors.common.contract import CheckStep, Severity
from connectors.common.fetching import ArtifactFetcher
from connectors.common.settings import FileSourceSettings
from connectors.common.source_files import KNOWN_SUFFIXES, SourceFile, is_matching
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import ChangedObject, ObjectStore, StoredObject
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoredFileSettings, StoreSettings

_WILDCARD = re.compile(r"[*?\[]")


def list_source_files(
    landing: SourceLanding,
    settings: FileSourceSettings | StoredFileSettings,
    dataset: str,
    suffixes: tuple[str, ...],
) -> list[SourceFile]:
    """Return the matching files of a source, whether it may lie in an object store (`list_stored_files`) or not."""
    if isinstance(settings, StoredFileSettings):
        return list_stored_files(landing, settings, dataset, suffixes)
    return landing.list_folder(settings.path, settings.pattern, dataset, suffixes)


def list_stored_files(
    landing: SourceLanding, settings: StoredFileSettings, dataset: str, suffixes: tuple[str, ...]
) -> list[SourceFile]:
    """Return the matching files by relative path; those of an object store are fetched unless they are here.

    No file at all is a fault, told as a finding. Raises ConnectorError when the store cannot be listed or read.
    """
    if not settings.is_remote:
        return landing.list_folder(Path(settings.path), settings.pattern, dataset, suffixes)
    folder, pattern = _split_location(settings)
    store = open_store(folder)
    found = _list_objects(landing, store, settings, pattern, dataset, suffixes)
    try:
        return ArtifactFetcher(landing, store).fetch(found, spares_pruned=True)
    except ChangedObject:  # the vendor was writing: what is there now is wanted
        again = [stored for stored in _list_visible(store, pattern) if stored.key.lower().endswith(suffixes)]
        return ArtifactFetcher(landing, store).fetch(again, spares_pruned=True)


def list_stored_objects(
    landing: SourceLanding, settings: StoredFileSettings, dataset: str, suffixes: tuple[str, ...]
) -> tuple[ObjectStore, list[StoredObject]]:
    """Return a remote source's store and its matching objects, none of them fetched; none at all is a fault, told.

    Raises ConnectorError when the store cannot be listed.
    """
    folder, pattern = _split_location(settings)
    store = open_store(folder)
    return store, _list_objects(landing, store, settings, pattern, dataset, suffixes)


def _list_objects(
    landing: SourceLanding,
    store: ObjectStore,
    settings: StoredFileSettings,
    pattern: str,
    dataset: str,
    suffixes: tuple[str, ...],
) -> list[StoredObject]:
    """Return the objects that are wanted; findings tell of others, and of none."""
    visible = list(_list_visible(store, pattern))
    found = [stored for stored in visible if stored.key.lower().endswith(suffixes)]
    if len(visible) > len(found):
        wanted = ", ".join(suffixes)
        message = (
            f"{landing.source}: objects of other kinds in {settings.path} are passed over; wanted: {wanted}"
        )
        landing.add(dataset, "ignored_file", message, Severity.INFO, count=len(visible) - len(found))
    if not found:
        message = (
            f"{landing.source}: no object matches {pattern!r} in {settings.path}; deliver one or correct it"
        )
        landing.add(dataset, "empty_folder", message, Severity.FAULT)
    return found


def _list_visible(store: ObjectStore, pattern: str) -> Iterator[StoredObject]:
    objects = store.list_objects(_literal_folder(pattern))
    return (stored for stored in objects if _is_visible(stored, pattern))


def check_stored_files(settings: StoredFileSettings, suffixes: tuple[str, ...]) -> Iterator[CheckStep]:
    """Yield what came of trying to reach, list and read the files."""
    if not settings.is_remote:
        return check_files(Path(settings.path), settings.pattern, suffixes)
    folder, pattern = _split_location(settings)
    return check_store(
        folder,
        lambda stored: _is_visible(stored, pattern) and stored.key.lower().endswith(suffixes),
    )


def _split_location(settings: StoredFileSettings) -> tuple[StoreSettings, str]:
    """Return folder and pattern; a path that names one file is its folder and itself."""
    folder, _, name = settings.path.rpartition("/")
    if not settings.path.endswith("/") and name.lower().endswith(KNOWN_SUFFIXES) and not folder.endswith("/"):
        return settings.build_store_settings(folder), re.sub(r"([*?\[])", r"[\1]", name)
    return settings.build_store_settings(settings.path), settings.pattern


def _literal_folder(pattern: str) -> str:
    """Return the folders that a pattern begins with, so that no more is listed than needed."""
    plain = _WILDCARD.split(pattern, maxsplit=1)[0]
    return plain[: plain.rfind("/") + 1]


def _is_visible(stored: StoredObject, pattern: str) -> bool:
    is_hidden = any(part.startswith(".") for part in stored.key.split("/"))
    return not is_hidden and is_matching(stored.key, pattern)
