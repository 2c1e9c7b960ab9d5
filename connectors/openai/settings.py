"""Settings of an OpenAI organization.

What belongs here: what the config may say about it. What must not: calling OpenAI, or the key itself.
"""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from connectors.common.apis.settings import HttpSettings, WindowSettings, check_variable
from connectors.openai.schema import ENDPOINTS

BucketWidth = Literal["1m", "1h", "1d"]
UsageDimension = Literal[
    "project_id",
    "user_id",
    "api_key_id",
    "model",
    "batch",
    "service_tier",
    "size",
    "source",
    "vector_store_id",
    "context_level",
]
CostDimension = Literal["project_id", "line_item", "api_key_id"]


class Settings(HttpSettings, WindowSettings):
    """Usage and costs of one OpenAI organization."""

    connector: str = "openai"
    organization_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,128}$",
        description="The organization (org-…): the billing account of its costs.",
    )
    overlap_days: int = Field(
        default=7, ge=0, le=90, description="How many days after its end a day is still read again every run."
    )
    api_key_env: str = Field(
        default="OPENAI_ADMIN_KEY", description="Environment variable that holds an Admin API key."
    )
    endpoint: str = Field(default="https://api.openai.com/v1", description="Address of the API.")
    usage: tuple[str, ...] = Field(
        default=tuple(ENDPOINTS), description="Which usage reports are read (`provider_usage`). Default: all."
    )
    costs: bool = Field(
        default=True,
        description="Read costs as a bill (`charges`); switch off where another source bills them.",
    )
    bucket_width: BucketWidth = Field(
        default="1d",
        description="Width of a usage bucket; the tables count by day, so hours only help looking.",
    )
    group_by: tuple[UsageDimension, ...] = Field(
        default=get_args(UsageDimension),
        description="What usage is told apart by, as far as a report can.",
    )
    cost_group_by: tuple[CostDimension, ...] = Field(
        default=("project_id", "line_item", "api_key_id"),
        description="What costs are told apart by; without `line_item` nothing says what they are for.",
    )

    @field_validator("api_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        return check_variable(value)

    @field_validator("usage")
    @classmethod
    def _check_usage(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - ENDPOINTS.keys())
        if unknown:
            raise ValueError(f"there is no usage report {unknown[0]!r}; known: {', '.join(ENDPOINTS)}")
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _check_something_to_read(self) -> Self:
        if not self.usage and not self.costs:
            raise ValueError("nothing to read: name reports in `usage`, or set `costs: true`")
        if self.costs and "line_item" not in self.cost_group_by:
            raise ValueError("`cost_group_by` needs line_item: else nothing says what a cost is for")
        return self
