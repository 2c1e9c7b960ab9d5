"""Settings of a `event_files` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.settings import FileSourceSettings


class Settings(FileSourceSettings):
    """A folder (or one file) of `event` rows; each file is replaced by its next version."""

    connector: str = "event_files"
