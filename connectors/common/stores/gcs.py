"""Google Cloud Storage behind the interface of `contract.py`.

What belongs here: google-cloud-storage, and its errors in words. What must not: what the objects mean.
Role: Storage Object Viewer on the bucket (`storage.objects.list`, `storage.objects.get`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import Any

from google.api_core.exceptions import GoogleAPICallError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.auth.exceptions import TransportError as AuthTransportError
from google.cloud.storage import Client
from google.cloud.storage.exceptions import InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.exceptions import RequestException

from connectors.common.contract import ConnectorError, TerminalError, TransientError
from connectors.common.stores.contract import ChangedObject, ObjectAbsent, StoredObject
from connectors.common.stores.ranged import RangedStore
from connectors.common.stores.settings import StoreSettings, parse_location
from connectors.common.stores.transfer import PIECE_BYTES, BrokenTransfer

# the client would ask for the bucket itself too, for its tracing; that needs a permission more (storage.buckets.get)
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

_RETRY = DEFAULT_RETRY.with_delay(initial=0.5, maximum=20, multiplier=2).with_timeout(90)
_TIMEOUT: Any = (10, 60)  # seconds to connect and to read; the client hands it on as it is
_FIELDS = "items(name,size,updated,generation),nextPageToken"
_SIGN_IN = (
    "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS, or give this machine a "
    "service account; or state `anonymous: true` for a public bucket"
)


class GcsStore(RangedStore):
    """The objects below a prefix of a bucket."""

    def __init__(self, settings: StoreSettings) -> None:
        place = parse_location(settings.location)
        self.location = settings.location
        self._settings = settings
        self._prefix = place.prefix
        with self._in_words("sign in"):
            self._client = Client(
                project=None,  # type: ignore[arg-type] (objects are read without a project)
                credentials=AnonymousCredentials() if settings.anonymous else None,
                client_options={"api_endpoint": settings.endpoint} if settings.endpoint else None,
            )
        self._bucket: Any = self._client.bucket(place.container)

    def find_credentials(self) -> str:
        """Return which credentials Google's chain found; they are asked for a token."""
        if self._settings.anonymous:
            return "no credentials, as the config asks"
        from google.auth.transport.requests import Request

        credentials: Any = self._client._credentials
        with self._in_words("sign in"):
            if not credentials.valid:
                credentials.refresh(Request())
        account = getattr(credentials, "service_account_email", None)
        return f"application default credentials{f' of {account}' if account else ''}"

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects below the location, by name."""
        with self._in_words("list"):
            found = self._client.list_blobs(
                self._bucket, prefix=self._prefix + prefix, fields=_FIELDS, retry=_RETRY, timeout=_TIMEOUT
            )
            for blob in found:
                key = blob.name.removeprefix(self._prefix)
                if key and not key.endswith("/"):
                    yield _describe(key, blob)

    def _describe(self, key: str) -> StoredObject:
        blob = self._bucket.get_blob(self._prefix + key, retry=_RETRY, timeout=_TIMEOUT)
        if blob is None:
            raise ObjectAbsent(f"{self._where(key)} does not exist")
        return _describe(key, blob)

    def _find_checksums(self, stored: StoredObject) -> Mapping[str, str]:
        blob = self._bucket.get_blob(self._prefix + stored.key, retry=_RETRY, timeout=_TIMEOUT)
        if blob is None:
            raise ObjectAbsent(f"{self._where(stored.key)} does not exist")
        if str(blob.generation) != stored.version:
            raise self._changed(stored.key)
        stated = {"crc32c": blob.crc32c, "md5": blob.md5_hash}
        return {name: value for name, value in stated.items() if value}

    def _read(self, stored: StoredObject, offset: int) -> Iterator[bytes]:
        """Read range by range: the client keeps each in memory, and asks again for one that broke."""
        try:
            while offset < stored.size:
                blob = self._bucket.blob(self._prefix + stored.key)  # one that was read names its generation
                piece: bytes = blob.download_as_bytes(
                    start=offset,
                    end=min(offset + PIECE_BYTES, stored.size) - 1,
                    raw_download=True,
                    checksum=None,
                    if_generation_match=int(stored.version),
                    retry=_RETRY,
                    timeout=_TIMEOUT,
                )
                if not piece:
                    raise BrokenTransfer("an empty answer")
                offset += len(piece)
                yield piece
        except NotFound as error:  # the generation that was listed is gone
            raise self._changed(stored.key) from error
        except (RequestException, ConnectionError) as error:
            raise BrokenTransfer(type(error).__name__) from error

    @contextmanager
    def _in_words(self, action: str, key: str = "") -> Iterator[None]:
        """Turn the client's errors into those of a connector."""
        try:
            yield
        except ConnectorError:
            raise
        except GoogleAPICallError as error:
            raise self._explain(int(error.code or 0), action, key) from error
        except InvalidResponse as error:
            raise self._explain(error.response.status_code, action, key) from error
        except RetryError as error:
            raise TransientError(f"{self._where(key)}: the store is too busy; try again later") from error
        except AuthTransportError as error:
            message = f"{self.location}: Google's sign-in cannot be reached ({type(error).__name__})"
            raise TransientError(f"{message}; check the network") from error
        except (RequestException, ConnectionError) as error:
            endpoint = self._settings.endpoint or "Google Cloud Storage"
            message = f"{self.location}: {endpoint} cannot be reached ({type(error).__name__})"
            raise TransientError(f"{message}; check `endpoint` and the network") from error
        except (GoogleAuthError, ValueError) as error:
            what = f"{self.location}: no Google credentials that could be used ({type(error).__name__})"
            raise TerminalError(f"{what}. {_SIGN_IN}") from error

    def _changed(self, key: str) -> ChangedObject:
        return ChangedObject(
            f"{self._where(key)} changed since it was listed; the next run takes the new one"
        )

    def _explain(self, status: int, action: str, key: str) -> ConnectorError:
        where = self._where(key)
        if status == 412:
            return self._changed(key)
        if status in (408, 429) or status >= 500:
            return TransientError(f"{where}: the store is too busy ({status}); try again later")
        if status == 404 and not key:
            bucket = self._bucket.name
            return TerminalError(f"{where}: there is no bucket {bucket!r}; correct the location")
        if status == 404:
            return ObjectAbsent(f"{where} does not exist")
        if status == 401:
            return TerminalError(f"{where}: Google does not accept these credentials ({status}). {_SIGN_IN}")
        if status == 403:
            permission = "storage.objects.list" if action == "list" else "storage.objects.get"
            return TerminalError(
                f"{where}: access denied ({status}). The credentials need {permission} on the bucket "
                f"{self._bucket.name}: grant them the role Storage Object Viewer (roles/storage.objectViewer) there"
            )
        return TerminalError(f"{where}: Google Cloud Storage refused to {action} ({status})")


def _describe(key: str, blob: Any) -> StoredObject:
    modified_at = blob.updated.astimezone(UTC).replace(tzinfo=None)
    return StoredObject(key, blob.size, modified_at, str(blob.generation))
