"""What the config says about an AWS data export.

What belongs here: keys and their checks. What must not: asking AWS.
"""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.common.settings import SourceSettings
from connectors.common.stores.settings import StoreLocation, StoreSettings, parse_location

_ARN = re.compile(r"arn:aws[-a-z0-9]*:bcm-data-exports:[-a-z0-9]*:[0-9]{12}:export/([-A-Za-z0-9_]+)")
_EXPORT_NAME = re.compile(r"[0-9A-Za-z_-]{1,128}")
_RUN_ID = re.compile(r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

TableKind = Literal["cur_2_0", "focus"]


class Settings(SourceSettings):
    """One export of AWS Data Exports: CUR 2.0 or FOCUS with AWS columns, Parquet or CSV, in S3."""

    connector: str = "aws_data_exports"
    export: str = Field(description="Name of the export, or its ARN.")
    location: StoreLocation | None = Field(
        default=None,
        description=(
            "Where the export is delivered: s3://BUCKET/PREFIX, or a folder that holds a copy. Default: asked of the "
            "bcm-data-exports service."
        ),
    )
    region: str | None = Field(
        default=None, description="Region of the bucket. Default: that of the profile or environment."
    )
    profile: str | None = Field(
        default=None, description="Profile of the AWS config files. Default: the credentials chain."
    )
    endpoint: str | None = Field(
        default=None,
        description="Address of S3 where it is not AWS's usual one: private endpoints, S3-compatible stores.",
        pattern=r"^https?://[^\s@?#]+$",
    )
    exports_endpoint: str | None = Field(
        default=None,
        description="Address of the bcm-data-exports service where it is not AWS's usual one: private endpoints.",
        pattern=r"^https?://[^\s@?#]+$",
    )
    exports_region: str = Field(
        default="us-east-1",
        description="Region of the bcm-data-exports service; in China cn-northwest-1.",
    )
    table: TableKind | None = Field(
        default=None,
        description="What the export holds. Default: told by the columns that its manifest lists.",
    )
    months: int | None = Field(
        default=None,
        ge=1,
        description="Look at this many billing months only, the present one included. Default: all that are there.",
    )
    backfill: bool = Field(
        default=False,
        description=(
            "Land older deliveries too, each as known when it was made. Only exports that create new files keep them."
        ),
    )
    carries_cost: bool = Field(
        default=True,
        description=(
            "False for a CUR 2.0 export beside a FOCUS one of the same account: its lines then only enrich (pods and "
            "tasks), and the bill is the other one's."
        ),
    )

    @field_validator("export")
    @classmethod
    def _check_export(cls, value: str) -> str:
        if not _ARN.fullmatch(value) and not _EXPORT_NAME.fullmatch(value):
            raise ValueError("is neither the name of an export (letters, digits, - and _) nor its ARN")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.location is None and _ARN.fullmatch(self.export) is None and self.endpoint:
            raise ValueError("state the `location` too: a store at an own endpoint is not known to AWS")
        if not self.carries_cost and self.table == "focus":
            raise ValueError("a FOCUS export holds nothing that only enriches; leave `carries_cost` out")
        return self

    @property
    def export_arn(self) -> str | None:
        """The ARN, where the config states one."""
        return self.export if _ARN.fullmatch(self.export) else None

    @property
    def export_name(self) -> str:
        """The name of the export: AWS ends an ARN with it and an id of its own."""
        match = _ARN.fullmatch(self.export)
        return _RUN_ID.sub("", match[1]) if match else self.export

    def build_store_settings(self, location: str) -> StoreSettings:
        """Return how to reach the place where the export is delivered."""
        if parse_location(location).kind.value != "s3":
            return StoreSettings(location=location)
        return StoreSettings(
            location=location,
            endpoint=self.endpoint,
            region=self.region,
            profile=self.profile,
            offered_keys=frozenset({"endpoint", "region", "profile"}),
        )
