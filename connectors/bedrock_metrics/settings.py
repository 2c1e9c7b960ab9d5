"""Settings of a source of Bedrock's CloudWatch metrics.

What belongs here: what the config may say about it. What must not: asking AWS.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.common.api_settings import WindowSettings

Region = Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]+)+-\d$")]


class Settings(WindowSettings):
    """The metrics of one account, in the regions that it calls models in."""

    connector: str = "bedrock_metrics"
    account_id: str = Field(pattern=r"^\d{12}$", description="The account whose metrics these are.")
    regions: tuple[Region, ...] = Field(min_length=1, description="Regions that models are called in.")
    profile: str | None = Field(
        default=None, description="Profile of the AWS config files. Default: the credentials chain."
    )
    endpoint: str | None = Field(
        default=None,
        description="Address of CloudWatch where it is not AWS's usual one: private endpoints.",
        pattern=r"^https?://[^\s@?#]+$",
    )
    model_ids: tuple[str, ...] = Field(
        default=(),
        description="Models to ask for besides those that CloudWatch lists: it forgets a model two weeks after its "
        "last call, which matters when older days are read.",
    )
    history_days: int = Field(
        default=14, ge=1, le=455, description="Without `first_day`: how many days back a first run goes."
    )
