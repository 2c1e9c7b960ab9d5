"""The four kinds of object store behind one face, so that one test body holds for all.

What belongs here: putting objects, and the settings by which the product reaches them. What must not: cases.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.common.stores.settings import StoreSettings
from tests.servers.azurite import AzuriteServer
from tests.servers.gcs import GcsServer
from tests.servers.s3 import S3Server

BUCKET = "company-exports"


class Backend(ABC):
    """A store with one bucket; everything lies below the prefix `bills/`."""

    kind: str
    url: str

    @abstractmethod
    def put(self, key: str, content: bytes) -> None:
        """Put an object below the prefix."""

    @abstractmethod
    def build_values(self, url: str | None = None, bucket: str = BUCKET) -> dict[str, Any]:
        """The settings as a config has them; `url`: by way of a server in front."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process of its own needs to sign in."""
        return {}

    def settings(self, url: str | None = None, bucket: str = BUCKET) -> StoreSettings:
        """The settings of the prefix."""
        return StoreSettings(**self.build_values(url, bucket))


class LocalBackend(Backend):
    """A folder."""

    kind = "local"
    url = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, content: bytes) -> None:
        path = self._folder / BUCKET / "bills" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def build_values(self, url: str | None = None, bucket: str = BUCKET) -> dict[str, Any]:
        return {"location": str(self._folder / bucket / "bills")}


class S3Backend(Backend):
    """moto's S3."""

    kind = "s3"

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self.url = server.url
        self.client = server.client()
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=f"bills/{key}", Body=content)

    def build_values(self, url: str | None = None, bucket: str = BUCKET) -> dict[str, Any]:
        return {"location": f"s3://{bucket}/bills", "endpoint": url or self.url}

    @property
    def environment(self) -> Mapping[str, str]:
        return self._server.environment


class AzureBackend(Backend):
    """Azurite, signed in to by the account's key."""

    kind = "azure_blob"

    def __init__(self, server: AzuriteServer, monkeypatch: Any) -> None:
        self.url = server.url
        self._server = server
        self.client = server.client().create_container(BUCKET)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def put(self, key: str, content: bytes) -> None:
        self.client.upload_blob(f"bills/{key}", content, overwrite=True)

    def build_values(self, url: str | None = None, bucket: str = BUCKET) -> dict[str, Any]:
        return {
            "location": f"az://{self._server.account}/{bucket}/bills",
            "endpoint": f"{url or self.url}/{self._server.account}",
            "account_key_env": "EXPORTS_ACCOUNT_KEY",
        }

    @property
    def environment(self) -> Mapping[str, str]:
        return {"EXPORTS_ACCOUNT_KEY": self._server.key}


class GcsBackend(Backend):
    """fake-gcs-server."""

    kind = "gcs"

    def __init__(self, server: GcsServer) -> None:
        self.url = server.url
        self.client = server.client().create_bucket(BUCKET)

    def put(self, key: str, content: bytes) -> None:
        self.client.blob(f"bills/{key}").upload_from_string(content)

    def build_values(self, url: str | None = None, bucket: str = BUCKET) -> dict[str, Any]:
        return {"location": f"gs://{bucket}/bills", "endpoint": url or self.url, "anonymous": True}
