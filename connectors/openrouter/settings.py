"""Settings of an OpenRouter account.

What belongs here: what the config may say about it. What must not: calling OpenRouter, or the key itself.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from connectors.common.apis.settings import HttpSettings, WindowSettings, check_variable


class Settings(HttpSettings, WindowSettings):
    """Activity of one OpenRouter account or organization."""

    connector: str = "openrouter"
    account_id: str = Field(
        pattern=r"^[A-Za-z0-9_.@-]{1,128}$",
        description="What you call the account: the billing account of its costs.",
    )
    api_key_env: str = Field(
        default="OPENROUTER_MANAGEMENT_KEY", description="Environment variable that holds a management key."
    )
    endpoint: str = Field(default="https://openrouter.ai/api/v1", description="Address of the API.")
    costs: bool = Field(
        default=True,
        description="Read the credits spent as a bill (`charges`); switch off where another source bills them.",
    )
    history_days: int = Field(
        default=29,
        ge=1,
        le=29,
        description="How many days back a first run goes; OpenRouter tells of 30 days.",
    )

    @field_validator("api_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        return check_variable(value)

    @model_validator(mode="after")
    def _check_overlap(self) -> Self:
        if self.overlap_days > self.history_days:
            raise ValueError("`overlap_days` reaches further back than OpenRouter tells")
        return self
