"""The numbers of a provider's own usage object, as the lake may keep them: under the provider's names, and no text.

What belongs here: which names may be kept, and how the numbers are written. What must not: what a field means
(`usage_payloads.py`), or arithmetic.

A name that nobody listed may be anything, a prompt too. It is kept when it is made of the words of which vendors make
the names of counts; else its number alone is kept, under UNNAMED.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable
from decimal import Decimal, InvalidOperation
from functools import lru_cache

UNNAMED = "…"
"""What numbers stand under whose names are not kept."""

MOST_NUMBERS = 64
"""So many numbers of one usage object are kept."""

_MOST_DIGITS = 30
_NAME = re.compile(r"[A-Za-z0-9_.\[\]]{1,100}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d{1,3}[a-z]?(?![a-z0-9])")
_WORDS = frozenset(
    "accepted answer audio batch billed cache cached candidates character characters code completion compute content "
    "cost count counts creation day details document duration ephemeral execution fetch file flex h hit hits hour "
    "image images input iterations k m message messages millis minute minutes miss ms native num output page pages "
    "prediction priority prompt queries read reasoning rejected request requests response result s search searches "
    "second seconds server session sessions standard storage summary text think thinking thoughts tier time token "
    "tokens tool tools total uncached unit units usage use used video voice web write".split()
)


def write_raw_usage(stated: Iterable[tuple[str, object]], known: Container[str]) -> str | None:
    """Return numbers by their dotted paths as a JSON object; None where there is none.

    `known` holds paths whose names are listed anywhere. Whole numbers are written as such, whatever their spelling;
    what is no finite number is left out.
    """
    named: dict[str, int | Decimal] = {}
    unnamed: list[int | Decimal] = []
    for path, value in stated:
        number = None if path == UNNAMED else _read_number(value)
        if number is None or len(named) + len(unnamed) >= MOST_NUMBERS:
            continue
        if path in known or is_plain_name(path):
            named[path] = number
        else:
            unnamed.append(number)
    parts = [f"{json.dumps(path)}:{_write(number)}" for path, number in named.items()]
    if unnamed:
        parts.append(f'"{UNNAMED}":[{",".join(map(_write, unnamed))}]')
    return f"{{{','.join(parts)}}}" if parts else None


def join_raw_usage(*parts: str | None) -> str | None:
    """Return what several objects of one call stated, as one JSON object; their names must differ."""
    inner = [part[1:-1] for part in parts if part]
    return f"{{{','.join(inner)}}}" if inner else None


@lru_cache(maxsize=10_000)
def is_plain_name(path: str) -> bool:
    """Return whether a path is made of words of counts alone, with at most one number (`input_write_24h_tokens`)."""
    if not _NAME.fullmatch(path):
        return False
    parts = [part for part in re.split(r"[_.\[\]]+", path) if part]
    words = [word for part in parts for word in _WORD.findall(part)]
    if "".join(words) != "".join(parts):
        return False
    numbers = [word for word in words if word[0].isdigit()]
    return len(numbers) <= 1 and all(word.lower() in _WORDS for word in words if not word[0].isdigit())


def _read_number(value: object) -> int | Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**_MOST_DIGITS else None
    if isinstance(value, str) and len(value) > _MOST_DIGITS + 10:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if not number.is_finite() or (number and abs(number.adjusted()) > _MOST_DIGITS):
        return None
    return int(number) if number == number.to_integral_value() else number


def _write(number: int | Decimal) -> str:
    return str(number) if isinstance(number, int) else format(number, "f")
