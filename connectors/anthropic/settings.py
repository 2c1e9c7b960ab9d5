"""Settings of an Anthropic organization.

What belongs here: what the config may say about it. What must not: calling Anthropic, or the key itself.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.anthropic.schema import UsageDimension
from connectors.common.apis.settings import HttpSettings, WindowSettings, check_variable

BucketWidth = Literal["1m", "1h", "1d"]
_MOST_DIMENSIONS_HINT = "`speed` also sends the beta header that Anthropic asks for"


class Settings(HttpSettings, WindowSettings):
    """Usage and costs of one Anthropic organization."""

    connector: str = "anthropic"
    organization_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{1,128}$",
        description="The organization: the billing account of its costs. Default: asked of the API.",
    )
    overlap_days: int = Field(
        default=7, ge=0, le=90, description="How many days after its end a day is still read again every run."
    )
    api_key_env: str = Field(
        default="ANTHROPIC_ADMIN_KEY", description="Environment variable that holds an Admin API key."
    )
    endpoint: str = Field(default="https://api.anthropic.com", description="Address of the API.")
    usage: bool = Field(default=True, description="Read the usage report of messages (`provider_usage`).")
    costs: bool = Field(
        default=True,
        description="Read the cost report as a bill (`charges`); switch off where another source bills it.",
    )
    bucket_width: BucketWidth = Field(
        default="1d",
        description="Width of a usage bucket; the tables count by day, so hours only help looking.",
    )
    group_by: tuple[UsageDimension, ...] = Field(
        default=(
            "workspace_id",
            "api_key_id",
            "account_id",
            "model",
            "service_tier",
            "context_window",
            "inference_geo",
        ),
        description=f"What usage is told apart by; {_MOST_DIMENSIONS_HINT}.",
    )

    @field_validator("api_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        return check_variable(value)

    @model_validator(mode="after")
    def _check_something_to_read(self) -> Self:
        if not self.usage and not self.costs:
            raise ValueError("nothing to read: set `usage: true` or `costs: true`")
        return self
