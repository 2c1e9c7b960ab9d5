"""Values as gateways write them: nested fields, tags, money, times, names; whatever the format made of them.

What belongs here: reading one value. What must not: which field of which gateway means what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson

from connectors.common.parsing import build_whole_text, parse_decimal, parse_instant, round_decimal

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UNITS = {10: 6, 13: 3, 16: 0, 19: -3}
_NUMBER = re.compile(r"\d{10}(?:\d{3}){0,3}(?:\.\d+)?")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,99}")
_LARGEST_COUNT = 10**18
_LONGEST_SECONDS = 10**7
_NULL_TEXTS = frozenset({"", "null", "NULL", "None", "none", "undefined", "\\N"})
_TAG = re.compile(r"([^:=]+)[:=](.*)", re.DOTALL)


def read_mapping(value: object) -> Mapping[str, Any]:
    """Return an object: as it is, out of its JSON, or out of the pairs of a Parquet map; {} for anything else."""
    if value is None or isinstance(value, dict):
        return value or {}
    if isinstance(value, str | bytes):
        found = _load(value)
        return found if isinstance(found, dict) else {}
    if isinstance(value, list | tuple):
        pairs = [item for item in value if isinstance(item, tuple) and len(item) == 2]
        return {str(key): item for key, item in pairs} if len(pairs) == len(value) else {}
    return {}


def read_list(value: object) -> list[Any]:
    """Return a list: as it is, or out of its JSON; [] for anything else."""
    found = _load(value) if isinstance(value, str | bytes) else value
    return list(found) if isinstance(found, list | tuple) else []


def _load(text: str | bytes) -> Any:
    stripped = text.strip()
    if stripped[:1] not in ("{", "[", b"{", b"["):
        return None
    try:
        return orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return None


def read_tags(value: object) -> dict[str, str]:
    """Return `key:value` (or `key=value`) tags by their key; the first of a key wins, a bare word is no value."""
    tags: dict[str, str] = {}
    for tag in read_list(value):
        match = _TAG.fullmatch(tag) if isinstance(tag, str) else None
        if match and match[2].strip():
            tags.setdefault(match[1].strip(), match[2].strip())
    return tags


def reach(record: Mapping[str, Any], path: str) -> object:
    """Return the value at a dotted path, None when absent.

    A key may hold dots itself (`metadata.app.feature`), and an object may be written as JSON in a text.
    """
    found = record.get(path)
    start = -1 if found is not None else path.find(".")
    while start > 0:
        inner = record.get(path[:start])
        if inner is not None:
            found = reach(inner if isinstance(inner, dict) else read_mapping(inner), path[start + 1 :])
            if found is not None:
                return found
        start = path.find(".", start + 1)
    return found


def find_text(record: Mapping[str, Any], places: Sequence[str], tags: Mapping[str, str]) -> str | None:
    """Return the first text at the places: dotted paths, or `tag:KEY`. Objects, lists and null words are none."""
    for place in places:
        found = tags.get(place[4:]) if place.startswith("tag:") else reach(record, place)
        if found is not None and (text := read_text(found)) is not None:
            return text
    return None


def read_text(value: object) -> str | None:
    """Return a text or number as trimmed text; None for what means nothing."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    text = str(value).strip()
    if text in _NULL_TEXTS:
        return None
    return text if text.isascii() else build_whole_text(text)


def read_plain_name(value: object) -> str | None:
    """Return a name such as of an error class; None for text that may be anything else."""
    text = read_text(value)
    return text if text is not None and _PLAIN_NAME.fullmatch(text) else None


def read_money(value: object) -> Decimal | None:
    """Return an amount at 12 digits, half up; a double by its shortest decimal. None for what is no finite number."""
    text = repr(value) if isinstance(value, float) else read_text(value)
    try:
        return None if text is None else round_decimal(parse_decimal(text))
    except ValueError:
        return None


def read_count(value: object) -> int | None:
    """Return a whole number that is not negative and that columns can hold; None for anything else."""
    amount = read_money(value)
    if amount is None or not 0 <= amount <= _LARGEST_COUNT or amount != amount.to_integral_value():
        return None
    return int(amount)


def read_seconds(value: object, *, digits: int = 0) -> Decimal | None:
    """Return a duration in seconds at 6 digits; `digits=3` reads milliseconds. None when none, negative or absurd."""
    amount = read_money(value)
    if amount is None or not 0 <= amount.scaleb(-digits) < _LONGEST_SECONDS:
        return None
    return amount.scaleb(-digits).quantize(Decimal("0.000001"))


def read_instant(value: object) -> datetime | None:
    """Return a UTC time without zone: from a time, ISO text, or Unix time in s, ms, µs or ns by its digits."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    text = repr(value) if isinstance(value, float) else read_text(value)
    if text is None or len(text) > 64:
        return None
    if _NUMBER.fullmatch(text):
        whole, _, fraction = text.partition(".")
        micros = Decimal(f"{whole}.{fraction or 0}").scaleb(_EPOCH_UNITS[len(whole)])
        return _EPOCH + timedelta(microseconds=int(micros))
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        return None


def find_first(record: Mapping[str, Any], names: Iterable[str]) -> object:
    """Return the first value that is there and not null."""
    return next((record[name] for name in names if record.get(name) is not None), None)
