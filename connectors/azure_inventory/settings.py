"""Settings of an Azure inventory.

What belongs here: what the config may say about it. What must not: calling Azure.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from connectors.common.azure_sign_in import AzureSignIn
from connectors.common.inventory import InventorySettings


class Settings(InventorySettings, AzureSignIn):
    """The subscriptions to look at, by Azure Resource Graph."""

    connector: str = "azure_inventory"
    subscriptions: tuple[str, ...] = Field(description="Ids of the subscriptions.")

    @field_validator("subscriptions")
    @classmethod
    def _check_subscriptions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one subscription id")
        return value
