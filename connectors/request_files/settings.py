"""Settings of the connector `request_files`: which column of the file means what.

What belongs here: the config keys of this connector. What must not: reading files.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.common.settings import FileSourceSettings
from connectors.request_files.schema import CANONICAL_COLUMNS, CONSTANT_COLUMNS


class UsageSemantics(BaseModel):
    """What this file means by its token counts; providers differ, so it is stated, never guessed.

    `exclusive_providers` names those whose input is without cached tokens in an otherwise inclusive file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_includes_cached: bool = True
    output_includes_reasoning: bool = True
    exclusive_providers: tuple[str, ...] = ()


class Settings(FileSourceSettings):
    """One source of request files.

    `columns` maps a column of `requests` (or a reported token count, such as `input_tokens`) to the column of
    the file; in JSON lines a dotted name reaches into objects (`usage.prompt_tokens`). `constants` are values
    that hold for every row. `timestamp_format` is `auto` (ISO 8601, or Unix time in s, ms, µs or ns by its
    digits; no offset means UTC) or a strptime format.
    """

    columns: dict[str, str]
    constants: dict[str, str] = Field(default_factory=dict)
    semantics: UsageSemantics = Field(default_factory=UsageSemantics)
    timestamp_format: str = "auto"

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: dict[str, str]) -> dict[str, str]:
        _check_names(value, CANONICAL_COLUMNS, "columns")
        if "started_at" not in value:
            raise ValueError("columns: 'started_at' must be mapped; a call without a time cannot be billed")
        return value

    @field_validator("constants")
    @classmethod
    def _check_constants(cls, value: dict[str, str]) -> dict[str, str]:
        _check_names(value, CONSTANT_COLUMNS, "constants")
        return value

    @model_validator(mode="after")
    def _check_overlap(self) -> Self:
        twice = sorted(set(self.columns) & set(self.constants))
        if twice:
            raise ValueError(f"{twice[0]!r} stands in both columns and constants; keep one")
        return self


def _check_names(given: dict[str, str], allowed: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(allowed)}"
            raise ValueError(f"{where}: {name!r} is not a column that can be set here{hint}")
