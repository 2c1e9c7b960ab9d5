"""The schema contract of a delivered file: what must be there, what is new, what is gone.

What belongs here: comparing column names, in words for the source's owner. What must not: reading files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from connectors.common.source_files import FileFault

_NAMES_SHOWN = 8
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:./ -]{0,59}")


def find_missing_columns(
    present: Iterable[str], required: Iterable[str | tuple[str, ...]]
) -> list[tuple[str, ...]]:
    """Return the required columns that are absent, each with the names that would do.

    An entry that is a tuple is met by any of its names.
    """
    names = set(present)
    choices = [(entry,) if isinstance(entry, str) else entry for entry in required]
    return [choice for choice in choices if names.isdisjoint(choice)]


def check_required_columns(
    present: Iterable[str], required: Iterable[str | tuple[str, ...]], *, known: Iterable[str] = ()
) -> None:
    """Raise FileFault `missing_column` that names every required column that is absent.

    The message names columns that look like renamed ones, which none of the `known` names is; the fault's own
    column is the first.
    """
    names, wanted = set(present), tuple(required)
    missing = find_missing_columns(names, wanted)
    if not missing:
        return
    own = ((entry,) if isinstance(entry, str) else entry for entry in wanted)
    others = sorted(names.difference(known, *own))
    told = join_words([_describe_missing(choices, others) for choices in missing])
    words = ("column", "is", "this column") if len(missing) == 1 else ("columns", "are", "these columns")
    message = f"the required {words[0]} {told} {words[1]} missing; deliver it again with {words[2]}"
    raise FileFault("missing_column", message, line=1, column=missing[0][0])


def join_words(words: list[str]) -> str:
    """Return words as a sentence has them: 'a', 'a and b', 'a, b and c'."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _describe_missing(choices: tuple[str, ...], names: list[str]) -> str:
    near = _closest(choices[0], names)
    hint = f" ({near!r} looks like it: was it renamed?)" if near else ""
    return " or ".join(choices) + hint


def check_type(
    column: str, expected: str, bad_rows: tuple[int, ...], *, present_count: int, first_line: int = 2
) -> None:
    """Raise FileFault when text stands where a number or time must be; `type_flip` when no value fits."""
    if not bad_rows:
        return
    line = bad_rows[0] + first_line
    if len(bad_rows) >= present_count:
        message = f"column {column} changed its type: no value is {expected}; deliver it again as {expected}"
        raise FileFault("type_flip", message, line=line, column=column)
    count = len(bad_rows)
    message = f"line {line}, column {column}: not {expected} ({count} such values); correct and deliver again"
    raise FileFault("unparsable_value", message, line=line, column=column)


def describe_columns(columns: Iterable[str]) -> str:
    """Return column names for a message: a few, and only those that look like names."""
    listed = sorted(columns)
    plain = [repr(name) if _NAME.fullmatch(name) else "(no plain name)" for name in listed]
    shown = ", ".join(plain[:_NAMES_SHOWN])
    return shown if len(listed) <= _NAMES_SHOWN else f"{shown} and {len(listed) - _NAMES_SHOWN} more"


def _closest(wanted: str, names: list[str]) -> str | None:
    plain = {_plain(name): name for name in names}
    if _plain(wanted) in plain:
        return plain[_plain(wanted)]
    near = get_close_matches(_plain(wanted), plain, n=1, cutoff=0.8)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
