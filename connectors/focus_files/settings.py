"""Settings of a FOCUS file source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import field_validator

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder (or one file) of FOCUS bills, on disk or in an object store.

    `delivery`: `replace` when a newer delivery of a billing account and period supersedes the older one
    (AWS, Azure, most vendors), `append` when every file adds lines. `delivered_at_pattern`: a regular
    expression with a group `delivered_at`, searched in the relative path, for vendors that put the delivery
    time there (`20241101`, `2024-11-01`, `20241101T120000Z`): files of one such time are one delivery.
    """

    connector: str = "focus_files"
    delivery: Literal["replace", "append"] = "replace"
    delivered_at_pattern: str | None = None

    @field_validator("delivered_at_pattern")
    @classmethod
    def _check_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "delivered_at" not in groups:
            raise ValueError("needs a named group, for example (?P<delivered_at>\\d{8})")
        return value
