"""Settings of a Google Cloud billing source.

What belongs here: what the config may say about it. What must not: calling Google.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.common.settings import SourceSettings
from connectors.common.stores.settings import StoreKind, StoreLocation, StoreSettings, parse_location

TableKind = Literal["detailed", "standard", "focus"]

_TABLE = re.compile(r"(?P<project>[a-z0-9.:-]+)\.(?P<dataset>\w+)\.(?P<table>[\w-]+)")


class Endpoints(BaseModel):
    """Addresses of Google's services where they are not the usual ones: Private Service Connect, proxies.

    REST services take a URL (`https://bigquery-xyz.p.googleapis.com`), `bigquery_storage` is gRPC over TLS and
    takes `host:port`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bigquery: str | None = Field(default=None, description="BigQuery: tables and queries.")
    bigquery_storage: str | None = Field(default=None, description="BigQuery Storage Read API, `host:port`.")
    storage: str | None = Field(default=None, description="Cloud Storage.")
    billing: str | None = Field(default=None, description="Cloud Billing: prices, accounts, projects.")
    budgets: str | None = Field(default=None, description="Cloud Billing Budgets.")


class Settings(SourceSettings):
    """A billing export in BigQuery, or extracted to files; prices, accounts and budgets beside it."""

    connector: str = "gcp_billing"
    table: str | None = Field(default=None, description="The export's table: project.dataset.table.")
    table_kind: TableKind | None = Field(
        default=None,
        description="What the table holds: detailed, standard, or focus (Google's FOCUS export). Default: by its name.",
    )
    location: StoreLocation | None = Field(
        default=None,
        description=(
            "Instead of a table: gs://BUCKET/PREFIX of extracted Parquet or JSON lines (.json, .json.gz), or a folder "
            "with a copy."
        ),
    )
    dataset_location: str | None = Field(
        default=None,
        description="Where the dataset lies (US, EU, europe-west1): for queries. Default: asked.",
    )
    quota_project: str | None = Field(
        default=None, description="Project that reads and queries run in. Default: the table's."
    )
    read_api: Literal["storage", "query"] = Field(
        default="storage",
        description="The BigQuery Storage Read API; without the right to it, or if stated, a query read over REST.",
    )
    read: Literal["incremental", "full"] = Field(
        default="incremental",
        description="Rows exported since the last run, or every row: what it gives replaces what was read before.",
    )
    overlap_hours: int = Field(
        default=6, ge=0, le=240, description="How far before the newest row known a run begins to read again."
    )
    since: date | None = Field(
        default=None, description="Rows exported before this day (UTC) are not read. Default: all."
    )
    streams: int = Field(default=4, ge=1, le=32, description="How many streams are read at once.")
    focus_months: int = Field(
        default=3, ge=1, description="FOCUS table: how many of the newest billing months a run reads again."
    )
    delivery: Literal["replace", "append"] = Field(
        default="replace",
        description="Extracted files: a newer delivery of the same key replaces the older, or each delivery adds rows.",
    )
    delivery_pattern: str | None = Field(
        default=None,
        description=(
            "Extracted files: regular expression on an object's path; files that agree on its groups are one "
            "delivery; the group `key` says what a newer one replaces. Default: a folder is a delivery and a key."
        ),
    )
    anonymous: bool = Field(
        default=False, description="Extracted files: read without credentials; public buckets only."
    )
    success_marker: bool = Field(
        default=False, description="Extracted files: a delivery counts once `_SUCCESS` lies in its folder."
    )
    catalog: bool = Field(
        default=False, description="Read list prices of the billed services (`sku_prices`)."
    )
    accounts: bool = Field(
        default=False, description="Read names of billing accounts and projects (`accounts`)."
    )
    budgets: bool = Field(default=False, description="Read the budgets of the billing account (`budgets`).")
    billing_account: str | None = Field(
        default=None,
        description="Billing account (as 01ABCD-234567-89EF01) of accounts and budgets. Default: all that are seen.",
        pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$",
    )
    endpoints: Endpoints = Field(default=Endpoints(), description="Other addresses of Google's services.")

    @field_validator("table")
    @classmethod
    def _check_table(cls, value: str | None) -> str | None:
        if value is not None and not _TABLE.fullmatch(value):
            raise ValueError("expected project.dataset.table")
        return value

    @field_validator("location")
    @classmethod
    def _check_location(cls, value: str | None) -> str | None:
        if value is not None and parse_location(value).kind not in (StoreKind.GCS, StoreKind.LOCAL):
            raise ValueError("Google's extracts lie in Cloud Storage: write gs://BUCKET/PREFIX, or a folder")
        return value

    @field_validator("delivery_pattern")
    @classmethod
    def _check_pattern(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"not a regular expression: {error}") from error
            if not groups:
                raise ValueError("needs a group, for example (?P<key>\\d{6})")
        return value

    @model_validator(mode="after")
    def _check_something_to_read(self) -> Self:
        if self.table and self.location:
            raise ValueError("name `table` or `location`, not both: the same lines would count twice")
        if not (self.table or self.location or self.catalog or self.accounts or self.budgets):
            raise ValueError("nothing to read: name `table` or `location`")
        if self.location and self.kind == "focus":
            raise ValueError("FOCUS files are a `focus_files` source")
        return self

    @property
    def kind(self) -> TableKind:
        """What the table holds, as stated or as Google names such tables."""
        if self.table_kind is not None:
            return self.table_kind
        name = (self.table or "").rpartition(".")[2]
        if "focus" in name:
            return "focus"
        return "standard" if name.startswith("gcp_billing_export_v1") else "detailed"

    @property
    def table_parts(self) -> tuple[str, str, str]:
        """Project, dataset and table. Raises ValueError without a table."""
        match = _TABLE.fullmatch(self.table or "")
        if match is None:
            raise ValueError("no table is stated")
        return match["project"], match["dataset"], match["table"]

    @property
    def reading_project(self) -> str:
        """The project that reads and queries run in."""
        return self.quota_project or self.table_parts[0]

    def build_store_settings(self) -> StoreSettings:
        """Return how the location of extracted files is reached. Raises ValueError without a location."""
        if self.location is None:
            raise ValueError("no location is stated")
        if parse_location(self.location).kind is StoreKind.LOCAL:
            return StoreSettings(location=self.location)
        endpoint = self.endpoints.storage
        return StoreSettings(location=self.location, endpoint=endpoint, anonymous=self.anonymous)
