"""Settings of the connector `request_files`: which column of the file means what.

What belongs here: the config keys of this connector. What must not: reading files.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.common.stores.settings import StoredFileSettings
from connectors.common.usage_payloads import UsageFlavour
from connectors.request_files.schema import (
    CANONICAL_COLUMNS,
    CONSTANT_COLUMNS,
    EMITTER_KINDS,
    USAGE_COLUMN,
    USAGE_SOURCES,
)


class UsageSemantics(BaseModel):
    """What this file means by its token counts; providers differ, so it is stated, never guessed.

    `exclusive_providers` names those whose input is without cached tokens in an otherwise inclusive file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_includes_cached: bool = True
    output_includes_reasoning: bool = True
    exclusive_providers: tuple[str, ...] = ()


class Settings(StoredFileSettings):
    """One source of request files, on disk or in an object store.

    `columns` maps a column of `requests` (or a reported token count, such as `input_tokens`) to the column of
    the file, or to several of which the first that holds something counts; in JSON lines a dotted name reaches into
    objects (`usage.prompt_tokens`). `usage` maps a provider's own usage object, which `usage_flavour` reads, or
    `usage_flavours` by provider. `constants` are values that hold for every row. `timestamp_format` is `auto` (ISO
    8601, or Unix time in s, ms, µs or ns by its digits; no offset means UTC) or a strptime format.
    """

    columns: dict[str, str | tuple[str, ...]]
    constants: dict[str, str] = Field(default_factory=dict)
    semantics: UsageSemantics = Field(default_factory=UsageSemantics)
    usage_flavour: UsageFlavour | None = None
    usage_flavours: dict[str, UsageFlavour] = Field(default_factory=dict)
    timestamp_format: str = "auto"

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: dict[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
        _check_names(value, CANONICAL_COLUMNS, "columns")
        if "started_at" not in value:
            raise ValueError("columns: 'started_at' must be mapped; a call without a time cannot be billed")
        empty = [name for name, source in value.items() if not source]
        if empty:
            raise ValueError(f"columns: {empty[0]!r} names no column of the file")
        return value

    @field_validator("constants")
    @classmethod
    def _check_constants(cls, value: dict[str, str]) -> dict[str, str]:
        _check_names(value, CONSTANT_COLUMNS, "constants")
        for name, allowed in (("emitter_kind", EMITTER_KINDS), ("usage_source", USAGE_SOURCES)):
            if value.get(name, allowed[0]) not in allowed:
                raise ValueError(f"constants: {name} is one of {', '.join(allowed)}")
        return value

    @model_validator(mode="after")
    def _check_overlap(self) -> Self:
        twice = sorted(set(self.columns) & set(self.constants))
        if twice:
            raise ValueError(f"{twice[0]!r} stands in both columns and constants; keep one")
        has_flavour = self.usage_flavour is not None or bool(self.usage_flavours)
        if (USAGE_COLUMN in self.columns) != has_flavour:
            raise ValueError("`usage` in columns and `usage_flavour` (or `usage_flavours`) belong together")
        return self

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Column of `requests` → columns of the file, the first that holds something counts."""
        return {name: (given,) if isinstance(given, str) else given for name, given in self.columns.items()}


def _check_names(given: Iterable[str], allowed: tuple[str, ...], where: str) -> None:
    for name in given:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(allowed)}"
            raise ValueError(f"{where}: {name!r} is not a column that can be set here{hint}")
