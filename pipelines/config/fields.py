"""Kinds of values that config keys share: paths, currencies, money, moments.

What belongs here: annotated types and the base of every section. What must not: a key of the config.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo


class Section(BaseModel):
    """A part of the config: immutable, and a key it does not know is an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        coerce_numbers_to_str=True,
        arbitrary_types_allowed=False,
        hide_input_in_errors=True,
    )


def _below_config_file(value: Path, info: ValidationInfo) -> Path:
    base = (info.context or {}).get("base_dir")
    expanded = value.expanduser()
    return expanded if base is None else Path(os.path.normpath(Path(base) / expanded))


def _without_zone(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _exact_number(value: object) -> object:
    if isinstance(value, bool | float):
        raise ValueError("must be a plain decimal number such as 1.25")  # noqa: TRY004 (pydantic catches ValueError)
    return value


def _currency_code(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{3}", value):
        raise ValueError("must be an ISO currency code in capitals, such as USD")
    return value


def _memory_size(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", value):
        raise ValueError("must be an amount of memory, such as 2GB or 512MB")
    return value


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"must be a regular expression: {error}") from None
    if re.search(r"[A-Z]", re.sub(r"\\.", "", value)):
        raise ValueError("must be in lower case, as the text that it searches is")
    return value


ConfigPath = Annotated[Path, AfterValidator(_below_config_file)]
"""A path; a relative one is relative to the folder of the config file."""

Currency = Annotated[str, AfterValidator(_currency_code)]
"""An ISO 4217 code, such as USD."""

MemorySize = Annotated[str, AfterValidator(_memory_size)]
"""An amount of memory in the engine's own words, such as 2GB."""

Money = Annotated[Decimal, BeforeValidator(_exact_number), Field(max_digits=26, decimal_places=12)]
"""An amount of money, exact, in at most 12 decimals."""

Rate = Annotated[Decimal, BeforeValidator(_exact_number), Field(ge=0, max_digits=18, decimal_places=12)]
"""A price or share, exact, in at most 12 decimals."""

FxRateNumber = Annotated[
    Decimal, BeforeValidator(_exact_number), Field(gt=0, max_digits=18, decimal_places=9)
]
"""How many units of the one currency a unit of the other buys, in at most 9 decimals."""

Moment = Annotated[datetime, AfterValidator(_without_zone)]
"""A moment in UTC; a value with an offset is converted."""

Text = Annotated[str, Field(min_length=1)]
"""Text that is not empty."""

Pattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]
"""A regular expression that searches text in lower case."""
