"""Settings of a source of OpenRouter's generation records.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder of generation records: answers of `GET /generation`, or their `data`, a record a line or in an array."""

    connector: str = "openrouter_generations"
    pattern: str = Field(default="**/*.json*", description="Which files below it.")
