"""The two streams of the command line, and making values fit to be shown.

What belongs here: consoles, safe text, numbers for eyes. What must not: what a command prints.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.warehouse.result_files import render_plain

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_DOUBLED_NAME = re.compile(r"^([^\s:]+: )\1+")
_SHORTEST_PIPE_WIDTH = 100


def output_console() -> Console:
    """Return the console of results; in a pipe it is 100 columns wide unless COLUMNS says otherwise."""
    return _console(is_error=False)


def error_console() -> Console:
    """Return the console of progress and errors."""
    return _console(is_error=True)


def _console(*, is_error: bool) -> Console:
    console = Console(stderr=is_error, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _SHORTEST_PIPE_WIDTH
    return console


def safe_text(value: Any) -> str:
    """Return a value as one line of text that cannot move the cursor or turn the reading direction."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", render_plain(value))


def sentence_text(sentence: str) -> str:
    """Return a finding's sentence as safe text, the name it begins with ("bill: bill: …") only once."""
    return safe_text(_DOUBLED_NAME.sub(r"\1", sentence))


def money_text(amount: Decimal | None, places: int = 2) -> str:
    """Return an amount for reading: grouped, `places` decimals half up; an en dash when there is none."""
    if amount is None:
        return "–"
    return f"{amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP):,f}"


def exact_text(amount: Decimal | None) -> str:
    """Return an amount with every digit that carries information, at least two decimals."""
    if amount is None:
        return "–"
    whole, _, decimals = f"{amount:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def count_text(count: int | Decimal | None) -> str:
    """Return a count for reading: grouped; an en dash when it is unknown."""
    return "–" if count is None else f"{int(count):,}"


def table_of(
    columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> Table:
    """Return a table; a column is (heading, 'left' | 'right' | 'whole'); cells are plain, hostile text."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for heading, side in columns:
        table.add_column(
            Text(heading),
            justify="right" if side == "right" else "left",
            no_wrap=side != "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(safe_text(cell)) for cell in row))
    return table
