"""Where objects lie and how they are reached, as the config says it.

What belongs here: the keys that every object store shares, and reading a location. What must not: a client.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from connectors.common.settings import SourceSettings, resolve_path

_AZURE_HOST = re.compile(r"([a-z0-9]{3,24})\.(?:blob|dfs)\.([a-z0-9.-]+)")
_EXPECTED = "s3://BUCKET/PREFIX, az://ACCOUNT/CONTAINER/PREFIX, gs://BUCKET/PREFIX or a folder"
_KEY_NAMES = ("connection_string_env", "account_key_env", "sas_token_env")


class StoreKind(StrEnum):
    """What kind of store a location is in."""

    LOCAL = "local"
    S3 = "s3"
    AZURE_BLOB = "azure_blob"
    GCS = "gcs"


@dataclass(frozen=True)
class Place:
    """A location taken apart: `container` is a bucket or container, `prefix` ends in '/' unless it is empty."""

    kind: StoreKind
    container: str
    prefix: str
    account: str | None = None
    account_url: str | None = None


def is_remote(location: str) -> bool:
    """Tell a location in an object store from a path on disk."""
    return re.match(r"[a-z][a-z0-9+.-]+://", location) is not None


def parse_location(location: str) -> Place:
    """Return what a location names. Raises ValueError, in words, for one that names nothing."""
    if not is_remote(location):
        return Place(StoreKind.LOCAL, location, "")
    parts = urlsplit(location)
    if parts.username or parts.query or parts.fragment:
        raise ValueError("a location holds no password, token or query; name them by their own keys")
    host = parts.netloc
    names = [name for name in parts.path.split("/") if name]
    if parts.scheme in ("s3", "gs") and host:
        kind = StoreKind.S3 if parts.scheme == "s3" else StoreKind.GCS
        return Place(kind, host, _build_prefix(names))
    if parts.scheme == "az" and host and names:
        return Place(StoreKind.AZURE_BLOB, names[0], _build_prefix(names[1:]), account=host)
    match = _AZURE_HOST.fullmatch(host)
    if parts.scheme == "https" and match and names:
        url = f"https://{match[1]}.blob.{match[2]}"
        return Place(StoreKind.AZURE_BLOB, names[0], _build_prefix(names[1:]), match[1], url)
    raise ValueError(f"is no location; expected {_EXPECTED}")


def _build_prefix(names: list[str]) -> str:
    return "".join(f"{name}/" for name in names)


class StoreOptions(BaseModel):
    """How a store is reached; a connector's settings take these keys over by naming this class as a base."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: str | None = Field(
        default=None,
        description=(
            "Address of the store where it is not the vendor's usual one: S3-compatible stores (Oracle, MinIO), "
            "private endpoints, sovereign clouds. For Azure the address of the account."
        ),
        pattern=r"^https?://[^\s@?#]+$",
    )
    region: str | None = Field(
        default=None,
        description="S3 only: region of the bucket. Default: that of the profile or environment.",
    )
    profile: str | None = Field(
        default=None, description="S3 only: profile of the AWS config files. Default: the credentials chain."
    )
    anonymous: bool = Field(default=False, description="Read without credentials: public buckets only.")
    connection_string_env: str | None = Field(
        default=None,
        description="Azure only: environment variable that holds the account's connection string.",
    )
    account_key_env: str | None = Field(
        default=None, description="Azure only: environment variable that holds the account's key."
    )
    sas_token_env: str | None = Field(
        default=None, description="Azure only: environment variable that holds a SAS token (read, list)."
    )

    @model_validator(mode="after")
    def _check_one_credential(self) -> Self:
        named = [name for name in _KEY_NAMES if getattr(self, name)]
        if len(named) > 1 or (named and self.anonymous):
            raise ValueError(f"name one way to sign in: {' or '.join([*named, 'anonymous'][:2])}")
        return self

    def build_store_settings(self, location: str) -> StoreSettings:
        """Return these options for one location."""
        options: dict[str, Any] = {name: getattr(self, name) for name in StoreOptions.model_fields}
        return StoreSettings(location=location, **options)


def _check_location(value: str, info: ValidationInfo) -> str:
    if parse_location(value).kind is StoreKind.LOCAL:
        return str(resolve_path(Path(value), info))
    return value


StoreLocation = Annotated[str, Field(min_length=1), AfterValidator(_check_location)]
"""A location in an object store, or a folder."""


_OPTIONS: dict[StoreKind, frozenset[str]] = {
    StoreKind.LOCAL: frozenset(),
    StoreKind.S3: frozenset({"endpoint", "region", "profile", "anonymous"}),
    StoreKind.AZURE_BLOB: frozenset({"endpoint", "anonymous", *_KEY_NAMES}),
    StoreKind.GCS: frozenset({"endpoint", "anonymous"}),
}


class StoreSettings(StoreOptions):
    """A location with the way to reach it."""

    location: StoreLocation = Field(description=f"Where the objects lie: {_EXPECTED}.")
    offered_keys: frozenset[str] = Field(
        default=frozenset(StoreOptions.model_fields),
        description="Which of the keys the source's config may state; advice names no others.",
    )

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        kind = parse_location(self.location).kind
        stated = [name for name in StoreOptions.model_fields if getattr(self, name) not in (None, False)]
        foreign = [name for name in stated if name not in _OPTIONS[kind]]
        if foreign:
            raise ValueError(f"{foreign[0]} says nothing about {self.location}; remove it")
        return self


class StoredFileSettings(SourceSettings, StoreOptions):
    """Base of the settings of a source that is a folder of files, on disk or in an object store, or one file."""

    path: StoreLocation = Field(description=f"Where the files lie: {_EXPECTED}; or one file.")
    pattern: str = Field(default="**/*", description="Which files below it.")

    @field_validator("path", mode="before")
    @classmethod
    def _take_paths(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @model_validator(mode="after")
    def _check_store(self) -> Self:
        self.build_store_settings(self.path)
        return self

    @property
    def is_remote(self) -> bool:
        """Whether the files lie in an object store."""
        return is_remote(self.path)

    def describe_typing(self) -> dict[str, Any]:
        """Return what the rows of the files depend on: all but where they lie and how they are reached."""
        places = {"name", "path", "pattern", *StoreOptions.model_fields}
        return self.model_dump(mode="json", exclude=places)
