"""What every source is told in the config: its name and its connector; and, for files, where they lie.

What belongs here: settings that all sources, or all file sources, share. What must not: settings of one connector.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


class SourceSettings(BaseModel):
    """Base of every connector's `Settings`; unknown keys are errors.

    Config files are read with the pydantic validation context `{"base_dir": Path}`, the folder of the file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    connector: str

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            message = (
                "a source name becomes a folder name: use a-z, 0-9, '_' and '-', begin with a letter or digit"
            )
            raise ValueError(message)
        return value


class FileSourceSettings(SourceSettings):
    """Base of the settings of a source that is a folder of files, or one file.

    A relative `path` is resolved against the folder of the config file. `pattern` is a glob below `path`; a
    `path` that is a file is taken alone.
    """

    path: Path
    pattern: str = "**/*"

    @field_validator("path")
    @classmethod
    def _resolve_path(cls, value: Path, info: ValidationInfo) -> Path:
        return resolve_path(value, info)


def resolve_path(value: Path, info: ValidationInfo) -> Path:
    """Return a path of a config file, a relative one below the folder of the file, `~` expanded."""
    base = (info.context or {}).get("base_dir")
    expanded = value.expanduser()
    return expanded if base is None else Path(base) / expanded
