"""Settings of a source of Bedrock invocation logs.

What belongs here: what the config may say about it. What must not: reading logs.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from connectors.common.logs.objects import LogSettings
from connectors.common.logs.requests import LabelNames


class Settings(LogSettings):
    """Invocation logs below `path`: the place that holds the folder `AWSLogs`."""

    connector: str = "bedrock_invocation_logs"
    pattern: str = Field(default="**/*.json.gz", description="Which objects below it.")
    account_ids: tuple[str, ...] = Field(
        default=(),
        description="Accounts whose logs lie there. Stated with `regions`, only the days that matter are listed.",
    )
    regions: tuple[str, ...] = Field(default=(), description="Regions whose logs lie there.")
    attributes: LabelNames = Field(
        default_factory=LabelNames,
        description="Which keys of `requestMetadata` mean an attribution key.",
    )
    session_user_roles: tuple[str, ...] = Field(
        default=(),
        description=(
            "Roles (names or globs, `*` for all) whose session name is the user: those that a gateway or IAM Identity "
            "Center assumes for one person. Request metadata wins over it."
        ),
    )

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        if bool(self.account_ids) != bool(self.regions):
            raise ValueError(
                "state `account_ids` and `regions` together: both are in the names of the objects"
            )
        return self
