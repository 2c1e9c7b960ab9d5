"""Settings of an AWS inventory.

What belongs here: what the config may say about it. What must not: calling AWS.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from connectors.common.inventory import InventorySettings


class Settings(InventorySettings):
    """The AWS accounts and regions to look at."""

    connector: str = "aws_inventory"
    regions: tuple[str, ...] = Field(description="Where to look, as [us-east-1, eu-central-1].")
    assume_roles: tuple[str, ...] = Field(
        default=(),
        description="ARNs of a read-only role in each further account. Default: the account of the credentials only.",
    )
    profile: str | None = Field(
        default=None, description="Profile of the AWS config files. Default: the credentials chain."
    )
    organization: bool = Field(
        default=False,
        description="Read the member accounts' names too (management account, or a delegated administrator).",
    )
    endpoint: str | None = Field(
        default=None,
        description="Address of the AWS interfaces where it is not the usual one: VPC endpoints.",
    )

    @field_validator("regions")
    @classmethod
    def _check_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one region, for example [us-east-1]")
        return value
