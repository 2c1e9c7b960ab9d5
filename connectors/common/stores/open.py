"""Opening the store that a location names; the vendor's client is imported only then.

What belongs here: the choice. What must not: anything of one vendor.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from connectors.common.stores.contract import ObjectStore
from connectors.common.stores.settings import StoreKind, StoreSettings, parse_location

_CLASSES = {
    StoreKind.LOCAL: "LocalStore",
    StoreKind.S3: "S3Store",
    StoreKind.AZURE_BLOB: "AzureBlobStore",
    StoreKind.GCS: "GcsStore",
}


def open_store(settings: StoreSettings) -> ObjectStore:
    """Return the store of a location; nothing is asked of it yet. Raises TerminalError without credentials."""
    kind = parse_location(settings.location).kind
    module = import_module(f"connectors.common.stores.{kind.value}")
    return cast("ObjectStore", getattr(module, _CLASSES[kind])(settings))
