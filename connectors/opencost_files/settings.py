"""Settings of an `opencost_files` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder of answers of the allocation API, by node and with idle by node."""

    connector: str = "opencost_files"
    resources: dict[str, str] = Field(
        default_factory=dict,
        description="What a node is called on the bill or rate card, where its provider id does not say: node → "
        "resource id.",
    )
