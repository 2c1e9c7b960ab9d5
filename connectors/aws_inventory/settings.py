"""Settings of an AWS inventory.

What belongs here: what the config may say about it. What must not: calling AWS.
"""

from __future__ import annotations

from pydantic import field_validator

from connectors.common.inventory import InventorySettings


class Settings(InventorySettings):
    """The accounts and regions to look at.

    `regions`: where to look, as `us-east-1`. `assume_roles`: ARNs of a read-only role in each further account;
    without any only the account of the credentials is looked at. `profile`: a profile of the AWS configuration
    files. `organization`: also read the member accounts' names from AWS Organizations (management account or a
    delegated administrator). `endpoint`: another address of the AWS interfaces, such as a VPC endpoint.
    """

    connector: str = "aws_inventory"
    regions: tuple[str, ...]
    assume_roles: tuple[str, ...] = ()
    profile: str | None = None
    organization: bool = False
    endpoint: str | None = None

    @field_validator("regions")
    @classmethod
    def _check_regions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one region, for example [us-east-1]")
        return value
