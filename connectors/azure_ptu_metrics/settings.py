"""Settings of an `azure_ptu_metrics` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connectors.common.stores.settings import StoredFileSettings


class Deployment(BaseModel):
    """A deployment with provisioned throughput."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ptu: int = Field(ge=1, le=1_000_000, description="Throughput units that it has.")
    model: str | None = Field(default=None, description="What it serves, as the request logs name it.")


class Settings(StoredFileSettings):
    """A folder of answers of Azure Monitor."""

    connector: str = "azure_ptu_metrics"
    deployments: dict[str, Deployment] = Field(
        default_factory=dict,
        description="Deployment → its size and model. The deployments of an account count by their size; without one "
        "all alike.",
    )
    provider: str = Field(default="azure.ai.openai", description="Provider as the request logs name it.")
