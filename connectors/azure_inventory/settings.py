"""Settings of an Azure inventory.

What belongs here: what the config may say about it. What must not: calling Azure.
"""

from __future__ import annotations

from pydantic import field_validator

from connectors.common.inventory import InventorySettings


class Settings(InventorySettings):
    """The subscriptions to look at, by Azure Resource Graph.

    `subscriptions`: their ids. `endpoint`: the management address, another one in a sovereign cloud.
    """

    connector: str = "azure_inventory"
    subscriptions: tuple[str, ...]
    endpoint: str = "https://management.azure.com"

    @field_validator("subscriptions")
    @classmethod
    def _check_subscriptions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("name at least one subscription id")
        return value
