"""Settings of a `datadog_usage` source.

What belongs here: what the config may say about it. What must not: asking Datadog.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from connectors.common.apis.settings import HttpSettings, WindowSettings, check_variable


class Settings(WindowSettings, HttpSettings):
    """The usage of one Datadog organisation."""

    connector: str = "datadog_usage"
    endpoint: str = Field(
        default="https://api.datadoghq.com",
        description="Address of the API of your Datadog site, as https://api.datadoghq.eu.",
    )
    api_key_env: str = Field(default="DD_API_KEY", description="Environment variable that holds the API key.")
    application_key_env: str = Field(
        default="DD_APPLICATION_KEY",
        description="Environment variable that holds an application key with the scope `usage_read`.",
    )
    tag: str | None = Field(
        default="service",
        pattern=r"^[a-z][a-z0-9_.\-/]{0,199}$",
        description="Tag that names the emitter, one that usage attribution breaks down by; null: totals only.",
    )
    logs_by: Literal["tag", "index"] = Field(
        default="tag", description="What the volume of logs is told by: bytes by tag, or events by index."
    )
    overlap_days: int = Field(
        default=4, ge=0, le=90, description="How many days after its end a day is still read again every run."
    )

    @field_validator("api_key_env", "application_key_env")
    @classmethod
    def _check_variable(cls, value: str) -> str:
        return check_variable(value)
