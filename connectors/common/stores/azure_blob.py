"""Azure Blob Storage behind the interface of `contract.py`.

What belongs here: azure-storage-blob and azure-identity, and their errors in words. What must not: what the
blobs mean. Role: Storage Blob Data Reader on the container; a SAS token needs the permissions read and list.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from azure.core import MatchConditions
from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import ContainerClient, ExponentialRetry

from connectors.common.contract import ConnectorError, TerminalError, TransientError
from connectors.common.stores.contract import ChangedObject, ObjectAbsent, StoredObject
from connectors.common.stores.ranged import RangedStore
from connectors.common.stores.settings import StoreSettings, parse_location
from connectors.common.stores.transfer import PIECE_BYTES, BrokenTransfer

_SCOPE = "https://storage.azure.com/.default"
_CODE = re.compile(r"[A-Za-z.]{1,60}|\d{3}")
_REFUSED = frozenset(
    {
        "AuthenticationFailed",
        "InvalidAuthenticationInfo",
        "KeyBasedAuthenticationNotPermitted",
        "AccountIsDisabled",
    }
)
_NOT_SIGNED_IN = frozenset({"NoAuthenticationInformation", "PublicAccessNotPermitted"})
_SIGN_IN = (
    "Run `az login`, or set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or give this machine a managed "
    "identity; or name a key by `connection_string_env`, `account_key_env` or `sas_token_env`"
)


_ATTEMPTS = 5
_LONGEST_WAIT_SECONDS = 60.0


class _PatientRetry(ExponentialRetry):
    """The client's retry, also for 429: what gateways, and services behind an own `endpoint`, say of too many calls.

    The client's own policy takes every answer below 500 but 408 for final.
    """

    def send(self, request: Any) -> Any:
        """Ask again after the wait that the answer asks for, else after a growing one."""
        for attempt in range(_ATTEMPTS):
            response: Any = super().send(request)
            if response.http_response.status_code != 429:
                return response
            request.context.transport.sleep(self._find_wait(response.http_response.headers, attempt))
        return super().send(request)

    def _find_wait(self, headers: Mapping[str, str], attempt: int) -> float:
        asked = headers.get("Retry-After", "")
        wait = float(asked) if asked.isdecimal() else self.get_backoff_time({"count": attempt})
        return min(wait, _LONGEST_WAIT_SECONDS)


class AzureBlobStore(RangedStore):
    """The blobs below a prefix of a container."""

    def __init__(self, settings: StoreSettings) -> None:
        place = parse_location(settings.location)
        self.location = settings.location
        self._account, self._container, self._prefix = place.account or "", place.container, place.prefix
        self._settings = settings
        self._credential: Any = None
        default = place.account_url or f"https://{self._account}.blob.core.windows.net"
        self._account_url = (settings.endpoint or default).rstrip("/")
        with self._in_words("sign in"):
            self._client = self._build_client()

    def _build_client(self) -> ContainerClient:
        settings = self._settings
        options: dict[str, Any] = {
            "retry_policy": _PatientRetry(
                initial_backoff=1, increment_base=2, retry_total=5, random_jitter_range=1
            ),
            "max_single_get_size": PIECE_BYTES,
            "max_chunk_get_size": PIECE_BYTES,
            "connection_timeout": 10,
            "read_timeout": 60,
            "user_agent": "everycent",
        }
        if settings.connection_string_env:
            text = self._read_variable(settings.connection_string_env)
            client = ContainerClient.from_connection_string(text, self._container, **options)
            if client.account_name != self._account:
                raise TerminalError(
                    f"{self.location}: {settings.connection_string_env} is for the account {client.account_name!r}; "
                    "correct one of the two"
                )
            return client
        if settings.account_key_env:
            key = self._read_variable(settings.account_key_env)
            self._credential = AzureNamedKeyCredential(self._account, key)
        elif settings.sas_token_env:
            self._credential = AzureSasCredential(self._read_variable(settings.sas_token_env).lstrip("?"))
        elif not settings.anonymous:
            from azure.identity import DefaultAzureCredential

            self._credential = DefaultAzureCredential()
        return ContainerClient(self._account_url, self._container, credential=self._credential, **options)

    def _read_variable(self, name: str) -> str:
        value = os.environ.get(name, "").strip()
        if not value:
            raise TerminalError(
                f"{self.location}: the environment variable {name} is not set or empty; set it"
            )
        return value

    def find_credentials(self) -> str:
        """Return how the store is signed in to; the credential chain is asked for a token."""
        settings = self._settings
        named = settings.connection_string_env or settings.account_key_env or settings.sas_token_env
        if named:
            return f"the value of {named}"
        if settings.anonymous:
            return "no credentials, as the config asks"
        with self._in_words("sign in"):
            self._credential.get_token(_SCOPE)
        return "the default credential chain of Azure"

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the blobs below the location, by name; folders of a hierarchical namespace are none."""
        with self._in_words("list"):
            start = self._prefix + prefix
            for blob in self._client.list_blobs(name_starts_with=start or None, include=["metadata"]):
                key = blob.name.removeprefix(self._prefix)
                is_folder = (blob.metadata or {}).get("hdi_isfolder") == "true"
                if key and not key.endswith("/") and not is_folder:
                    yield _describe(key, blob)

    def _describe(self, key: str) -> StoredObject:
        return _describe(key, self._client.get_blob_client(self._prefix + key).get_blob_properties())

    def _find_checksums(self, stored: StoredObject) -> Mapping[str, str]:
        blob = self._client.get_blob_client(self._prefix + stored.key)
        properties = blob.get_blob_properties(
            etag=f'"{stored.version}"', match_condition=MatchConditions.IfNotModified
        )
        content_md5 = properties.content_settings.content_md5
        return {"md5": base64.b64encode(bytes(content_md5)).decode()} if content_md5 else {}

    def _read(self, stored: StoredObject, offset: int) -> Iterator[bytes]:
        try:
            downloader = self._client.download_blob(
                self._prefix + stored.key,
                offset=offset,
                length=stored.size - offset,
                etag=f'"{stored.version}"',
                match_condition=MatchConditions.IfNotModified,
                max_concurrency=1,
                decompress=False,
            )
            yield from downloader.chunks()
        except (ServiceRequestError, ServiceResponseError) as error:
            raise BrokenTransfer(type(error).__name__) from error
        except HttpResponseError as error:
            if error.status_code in (None, 200, 206):  # the answer began well
                raise BrokenTransfer(type(error).__name__) from error
            raise

    @contextmanager
    def _in_words(self, action: str, key: str = "") -> Iterator[None]:
        """Turn the client's errors into those of a connector."""
        try:
            yield
        except ConnectorError:
            raise
        except HttpResponseError as error:
            if isinstance(error, ClientAuthenticationError) and error.status_code is None:
                raise self._without_credentials(error) from error
            raise self._explain(error, action, key) from error
        except (ServiceRequestError, ServiceResponseError) as error:
            message = f"{self.location}: {self._account_url} cannot be reached ({type(error).__name__})"
            raise TransientError(
                f"{message}; check the account's name, `endpoint` and the network"
            ) from error
        except (AzureError, ValueError) as error:
            raise self._without_credentials(error) from error

    def _without_credentials(self, error: Exception) -> TerminalError:
        if isinstance(error, ValueError) and "HTTPS" in str(error):
            return TerminalError(
                f"{self.location}: a token is sent over HTTPS only; give an https `endpoint`"
            )
        what = f"{self.location}: no Azure credentials that could be used ({type(error).__name__})"
        return TerminalError(f"{what}. {_SIGN_IN}")

    def _explain(self, error: HttpResponseError, action: str, key: str) -> ConnectorError:
        status = error.status_code or 0
        code = str(getattr(error, "error_code", None) or status)
        code = code if _CODE.fullmatch(code) else str(status)  # anything else is text of whoever answered
        where = self._where(key)
        if status == 412:
            return ChangedObject(f"{where} changed since it was listed; the next run takes the new one")
        if status in (408, 429) or status >= 500:
            return TransientError(f"{where}: the storage account is too busy ({code}); try again later")
        if code == "ContainerNotFound":
            name, account = self._container, self._account
            return TerminalError(f"{where}: {account} has no container {name!r}; correct the location")
        if code in ("BlobArchived", "BlobBeingRehydrated"):
            return TerminalError(
                f"{where} is in the archive tier; rehydrate it, or move it out of the location"
            )
        if status == 404:
            return ObjectAbsent(f"{where} does not exist")
        if code in _REFUSED:
            return TerminalError(f"{where}: the account refuses these credentials ({code}); renew them")
        if code in _NOT_SIGNED_IN or (status == 401 and self._credential is None):
            return TerminalError(
                f"{where}: the account takes nobody without credentials ({code}). {_SIGN_IN}"
            )
        if status in (401, 403, 409):
            return TerminalError(
                f"{where}: access denied to {action} ({code}). The credentials need the role Storage Blob Data Reader "
                f"on the container {self._container} (a SAS token: read and list), and the account's firewall must let "
                "this machine in"
            )
        return TerminalError(f"{where}: the storage account refused to {action} ({code})")


def _describe(key: str, blob: Any) -> StoredObject:
    modified_at: datetime = blob.last_modified.astimezone(UTC).replace(tzinfo=None)
    return StoredObject(key, blob.size, modified_at, blob.etag.strip('"'))
