"""Settings of a `capacity_files` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.settings import FileSourceSettings


class Settings(FileSourceSettings):
    """A folder (or one file) of `capacity` rows; each file is replaced by its next version."""

    connector: str = "capacity_files"
