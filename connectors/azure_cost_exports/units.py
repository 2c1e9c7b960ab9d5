"""Azure's units of measure: '10 GB' is a block of ten GB, '1K' a thousand units, '1M' a million.

What belongs here: the rule that reads a unit. What must not: quantities of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext

_UNIT = re.compile(r"^\s*(?P<count>\d[\d,]*(?:\.\d+)?)?\s*(?P<scale>[KkM](?=$|[\s/]))?\s*(?P<name>.*?)\s*$")
_SCALES = {"k": Decimal(1_000), "m": Decimal(1_000_000)}
_PLURALS = {
    "hour": "Hours",
    "day": "Days",
    "month": "Months",
    "minute": "Minutes",
    "second": "Seconds",
    "unit": "Units",
    "token": "Tokens",
    "": "Units",
}
_TWELVE_DIGITS = Decimal(1).scaleb(-12)


@dataclass(frozen=True)
class Unit:
    """A unit without its block: how many blocks one of it is (1 of '10 GB' is 0.1), and its name."""

    name: str | None
    per_block: Decimal | None


def parse_unit(text: str | None) -> Unit:
    """Return the unit of a unit of measure; both parts None when there is none.

    The share of a block is rounded half up at 12 digits: exact for every block of twos, fives and tens.
    """
    if text is None:
        return Unit(None, None)
    match = _UNIT.match(text)
    if match is None or not (match["count"] or match["name"]):
        return Unit(None, None)
    block = Decimal((match["count"] or "1").replace(",", ""))
    block *= _SCALES.get((match["scale"] or "").lower(), Decimal(1))
    if block <= 0:
        return Unit(_name_unit(match["name"]), None)
    with localcontext() as context:
        context.prec = 40
        share = (Decimal(1) / block).quantize(_TWELVE_DIGITS, ROUND_HALF_UP)
    return Unit(_name_unit(match["name"]), share)


def _name_unit(name: str) -> str:
    if name.startswith("/"):
        return "Units" + name
    return _PLURALS.get(name.lower().removesuffix("s"), name)
