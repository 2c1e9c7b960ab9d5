"""How numbers, dates and names look in the report: half up, thousands separators, a real minus sign.

What belongs here: text for one value. What must not: HTML tags, choosing what is shown.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

BLANK = "–"
MINUS = "\u2212"
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_CENT = Decimal("0.01")
_TINY = Decimal("0.0001")
_LONGEST_NAME = 80
_LONGEST_TITLE = 400
_SHORT_HASH = 14


@dataclass(frozen=True)
class Name:
    """A name to show: `text` fits a cell, `full` is the whole of it when `text` is not."""

    text: str
    full: str | None = None


def _group(value: Decimal, step: Decimal) -> str:
    rounded = value.quantize(step, rounding=ROUND_HALF_UP)
    return f"{abs(rounded):,f}" if rounded >= 0 else f"{MINUS}{abs(rounded):,f}"


def format_amount(value: Decimal | None) -> str:
    """Format an amount with two decimals (four below a cent), rounded half up; a blank for None."""
    if value is None:
        return BLANK
    if 0 < abs(value) < _TINY:
        return f"<{_TINY}" if value > 0 else f"{MINUS}<{_TINY}"
    return _group(value, _TINY if 0 < abs(value) < _CENT else _CENT)


def format_signed(value: Decimal | None) -> str:
    """Format a difference with its sign; zero has none."""
    text = format_amount(value)
    return f"+{text}" if value is not None and value > 0 else text


def format_headline(value: Decimal | None, currency: str | None, is_signed: bool = False) -> str:
    """Format a card's amount: whole units from a thousand on, with the currency's sign or code."""
    if value is None:
        return BLANK
    text = _group(abs(value), Decimal(1)) if abs(value) >= 1000 else format_amount(abs(value))
    unit = _SYMBOLS.get(currency or "", f"{currency}\u00a0" if currency else "")
    sign = MINUS if value < 0 else "+" if is_signed and value > 0 else ""
    return f"{sign}{unit}{text}"


def format_share(share: Decimal | None, digits: int = 1) -> str:
    """Format a share (0..1) as per cent."""
    if share is None:
        return BLANK
    return f"{_group(share * 100, Decimal(1).scaleb(-digits))}\u00a0%"


def format_part(part: Decimal | None, whole: Decimal | None) -> str:
    """Format a part as per cent of a whole; a blank when the whole is nothing."""
    return format_share(part / whole) if part is not None and whole else BLANK


def format_growth(difference: Decimal | None, before: Decimal | None) -> str:
    """Format a difference as signed per cent of what was before; `new` when there was nothing."""
    if difference is None or not difference:
        return BLANK if difference is None else "0.0\u00a0%"
    if not before:
        return "new"
    share = difference / abs(before)
    if abs(share) >= 100:
        return f"×{_group((before + difference) / before, Decimal(1))}"
    return f"{'+' if share > 0 else ''}{format_share(share)}"


def format_count(value: int | None) -> str:
    """Format a whole number."""
    return BLANK if value is None else f"{value:,d}"


def format_duration(seconds: Decimal | None) -> str:
    """Format seconds as s, min or h."""
    if seconds is None:
        return BLANK
    if seconds < 90:
        return f"{_group(seconds, Decimal('0.1'))}\u00a0s"
    if seconds < 5400:
        return f"{_group(seconds / 60, Decimal('0.1'))}\u00a0min"
    return f"{_group(seconds / 3600, Decimal('0.1'))}\u00a0h"


def format_age(hours: Decimal | None) -> str:
    """Format an age in hours as h or days."""
    if hours is None:
        return BLANK
    if hours < 72:
        return f"{_group(hours, Decimal(1))}\u00a0h"
    return f"{_group(hours / 24, Decimal(1))}\u00a0days"


def format_day(day: date | None, with_year: bool = False) -> str:
    """Format a day as `16 Nov`, independent of the machine's locale."""
    if day is None:
        return BLANK
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    text = f"{day.day}\u00a0{months[day.month - 1]}"
    return f"{text}\u00a0{day.year}" if with_year else text


def format_days(first: date, last: date) -> str:
    """Format a span of days as `11–16 Nov`, `30 Oct – 2 Nov` or, for one day, `16 Nov`."""
    if first == last:
        return format_day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{format_day(last)}"
    return f"{format_day(first)} – {format_day(last)}"


def format_weekday(day: date) -> str:
    """Format a day's weekday as three letters."""
    return ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[day.weekday()]


def clean_text(text: str) -> str:
    """Replace characters that no name needs: controls, surrogates, and those that reorder text."""
    bad = {"Cc", "Cs", "Cn"}
    reordering = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    return "".join(
        "\ufffd" if unicodedata.category(character) in bad or character in reordering else character
        for character in text
    )


def build_name(value: str | None) -> Name | None:
    """Return a feature, model or other free text as it may be shown; very long ones are cut."""
    if value is None or value == "":
        return None
    text = clean_text(value)
    if len(text) <= _LONGEST_NAME:
        return Name(text)
    full = text if len(text) <= _LONGEST_TITLE else f"{text[:_LONGEST_TITLE]}…"
    return Name(f"{text[: _LONGEST_NAME - 1]}…", full)


def build_person(value: str | None, labels: Mapping[str, str]) -> Name | None:
    """Return a pseudonymous identifier: its label when there is one, else shortened, the whole beside it."""
    if value is None or value == "":
        return None
    if value in labels:
        named = build_name(labels[value])
        return Name(named.text, clean_text(value)) if named else Name(clean_text(value))
    text = clean_text(value)
    return (
        Name(f"{text[:_SHORT_HASH]}…", text[:_LONGEST_TITLE]) if len(text) > _SHORT_HASH + 2 else Name(text)
    )
