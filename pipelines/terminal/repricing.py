"""What `everycent reprice` prints: list cost as booked beside what another price book says.

What belongs here: lines for eyes at 100 columns, and the same as JSON. What must not: queries, prices.
"""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.terminal.console import money_text, table_of
from pipelines.warehouse.reprice import RepricedLine, Repricing

_CLASS_WORDS = {
    "uncached_input_tokens": "input",
    "cache_read_tokens": "cache read",
    "cache_write_5m_tokens": "cache write 5m",
    "cache_write_1h_tokens": "cache write 1h",
    "output_tokens": "output",
}
_COLUMNS = (
    ("provider", "left"),
    ("model", "left"),
    ("tokens of", "left"),
    ("MTok", "right"),
    ("booked", "right"),
    ("this book", "right"),
    ("difference", "right"),
)


def print_repricing(repricing: Repricing, limit: int, console: Console) -> None:
    """Print the lines with the largest differences, then the totals per currency and what has no price."""
    book = repricing.books[-1]
    console.print(
        Text(
            f"Release {repricing.release_name}, {repricing.since} to {repricing.until}\n"
            f"Price book of {repricing.price_book}: {book.price_source}, published {book.published_at:%Y-%m-%d}",
            style="dim",
        )
    )
    shown = repricing.lines[:limit]
    console.print(table_of(_COLUMNS, [_cells(line) for line in shown]))
    if len(repricing.lines) > len(shown):
        more = len(repricing.lines) - len(shown)
        console.print(Text(f"and {more:,} lines with smaller differences; --limit shows more", style="dim"))
    for currency, (booked, repriced, difference) in sorted(_totals(repricing).items()):
        console.print(
            Text(
                f"List cost {currency}: booked {money_text(booked)}, by this book {money_text(repriced)}; "
                f"difference {_signed(difference)} where both have a price",
                style="bold",
            )
        )
    for words, tokens in (
        ("as booked", sum(line.booked_unpriced_tokens for line in repricing.lines)),
        ("by this book", sum(line.repriced_unpriced_tokens for line in repricing.lines)),
    ):
        if tokens:
            console.print(Text(f"{tokens:,} tokens have no price {words}: not in that sum", style="yellow"))
    console.print(Text("Nothing was changed: every call keeps the price of its own time.", style="dim"))


def render_json(repricing: Repricing) -> str:
    """The same as one JSON object; money is text with every digit."""
    return json.dumps(
        {
            "release": repricing.release_name,
            "price_book": repricing.price_book.isoformat(),
            "published_at": repricing.books[-1].published_at.isoformat(),
            "price_source": repricing.books[-1].price_source,
            "since": repricing.since.isoformat(),
            "until": repricing.until.isoformat(),
            "lines": [
                {name: _plain(value) for name, value in vars(line).items()} for line in repricing.lines
            ],
        },
        indent=2,
    )


def _cells(line: RepricedLine) -> list[str | None]:
    return [
        line.provider or "–",
        line.model or "–",
        _CLASS_WORDS.get(line.token_class, line.token_class),
        f"{Decimal(line.quantity_tokens) / 1_000_000:,.3f}",
        money_text(line.booked_list_cost),
        money_text(line.repriced_list_cost),
        _signed(line.difference),
    ]


def _signed(amount: Decimal | None) -> str:
    if amount is None:
        return "–"
    return f"+{money_text(amount)}" if amount > 0 else money_text(amount)


def _totals(repricing: Repricing) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    totals: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 3)
    for line in repricing.lines:
        if line.currency is not None:
            parts = (line.booked_list_cost, line.repriced_list_cost, line.difference)
            totals[line.currency] = [
                so_far + (part or Decimal(0))
                for so_far, part in zip(totals[line.currency], parts, strict=True)
            ]
    return {currency: (booked, new, difference) for currency, (booked, new, difference) in totals.items()}


def _plain(value: Any) -> Any:
    return (
        format(value, "f")
        if isinstance(value, Decimal)
        else value or None
        if isinstance(value, str)
        else value
    )
