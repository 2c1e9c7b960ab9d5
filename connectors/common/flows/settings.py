"""Settings that every source of flow logs shares.

What belongs here: what is ours in the network. What must not: a vendor's own keys.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from connectors.common.flows.addresses import check_network
from connectors.common.stores.settings import StoredFileSettings


class FlowLogSettings(StoredFileSettings):
    """A folder of flow logs, on disk or in an object store."""

    own_networks: tuple[str, ...] = Field(
        default=(),
        description=(
            "Networks of yours besides the private ones, as [203.0.113.0/24, 2001:db8::/32]: public ranges, IPv6 of "
            "your VPCs. Any other public address is left out of the lake."
        ),
    )

    @field_validator("own_networks")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_network(text) for text in value)
