"""Random companies in which the causes of a difference are known: each is found exactly, alone and together.

What belongs here: drawing causes, the bill and log that they make, and what must be found. What must not: the models'
rules a second time; a cause's cost is what it was made of.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sql.bill_and_log import MTOK, Cell, Company, Row, at, causes_of, explain, key_row

GATEWAY, STRANGER = "gateway", "notebook"
D = Decimal


@dataclass
class Built:
    """Cells and counts of a company, and the cost of each cause in it by model."""

    cells: list[Cell] = field(default_factory=list)
    keys: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)
    causes: dict[tuple[str | None, str], Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def add(self, cell: Cell, bypassing: int = 0) -> None:
        """A cell with what the provider counts of it under the gateway's key and under another one."""
        self.cells.append(cell)
        if cell.billed and cell.currency == "USD":
            self.keys.append(key_row(cell, GATEWAY, counted=cell.billed - bypassing))
            if bypassing:
                self.keys.append(key_row(cell, STRANGER, counted=bypassing))


def cents(least: str, most: str) -> st.SearchStrategy[Decimal]:
    """Decimals of two places: whatever they are multiplied with stays within twelve digits."""
    return st.decimals(D(least), D(most), places=2)


TOKENS = st.integers(1_000, 200_000)
PRICES = cents("1", "60")


def _lose(draw: st.DrawFn, built: Built, base: Cell) -> None:
    """Bypass, loss, a price that the book does not have, and a discount, all in one cell."""
    bypass, lost = draw(st.integers(0, 200_000)), draw(TOKENS)
    listed = base.price * draw(st.sampled_from([D(1), D("1.1"), D("0.75")])) if base.price else D(0)
    share = draw(st.sampled_from([D(1), D("0.95"), D("0.8")]))
    logged = MTOK - bypass - lost
    built.add(replace(base, logged=logged, cost=listed * share, list_cost=listed), bypass)
    built.causes[base.model, "bypass"] += listed * share * bypass / MTOK
    built.causes[base.model, "unlogged"] += listed * share * lost / MTOK
    built.causes[base.model, "discount"] += listed * (share - 1) * logged / MTOK
    built.causes[base.model, "price_version"] += (listed - (base.price or D(0))) * logged / MTOK


def _repeat(draw: st.DrawFn, built: Built, base: Cell) -> None:
    """More is logged than billed, and some of what is billed bypassed the logs."""
    bypass, surplus = draw(st.integers(0, 200_000)), draw(TOKENS)
    built.add(replace(base, logged=MTOK - bypass + surplus), bypass)
    built.causes[base.model, "bypass"] += (base.price or D(0)) * bypass / MTOK
    built.causes[base.model, "over_logged"] -= (base.price or D(0)) * surplus / MTOK


def _swap_class(draw: st.DrawFn, built: Built, base: Cell) -> None:
    moved, cheap = draw(TOKENS), draw(cents("0.1", "0.9"))
    built.add(replace(base, logged=MTOK + moved, token_class="uncached_input_tokens"))
    built.add(replace(base, logged=MTOK - moved, price=cheap, token_class="cache_read_tokens"))
    built.causes[base.model, "cache_class"] += (cheap - (base.price or D(0))) * moved / MTOK


def _swap_tier(draw: st.DrawFn, built: Built, base: Cell) -> None:
    moved, batch = draw(TOKENS), draw(cents("0.1", "0.9"))
    built.add(replace(base, logged=MTOK + moved))
    built.add(replace(base, logged=MTOK - moved, price=batch, tier="batch"))
    built.causes[base.model, "tier"] += (batch - (base.price or D(0))) * moved / MTOK


def _shift(draw: st.DrawFn, built: Built, base: Cell) -> None:
    """Tokens stand a day later in the log than on the bill, on days with different prices on the bill."""
    moved = draw(TOKENS)
    later = base.price * 2 if base.price else D(0)
    built.add(replace(base, logged=MTOK - moved))
    built.add(replace(base, logged=MTOK + moved, day=1, price=later))
    built.causes[base.model, "timing"] += ((base.price or D(0)) - later) * moved / MTOK


def _convert(draw: st.DrawFn, built: Built, base: Cell) -> None:
    """A bill in euros, whose own rate is not ours; at its own rate it is the list price."""
    rate = draw(st.sampled_from([D("1.25"), D("1.6"), D("0.8")]))
    stated = base.price or D(0)
    euros = (stated / D("1.28")).quantize(D("0.0001"))
    cell = replace(base, cost=euros, list_cost=euros, currency="EUR", rate=rate, pricing_cost=stated)
    built.add(replace(cell, provider="azure"))
    built.causes[base.model, "fx"] += euros * rate - stated


def _credit(draw: st.DrawFn, built: Built, base: Cell) -> None:
    built.add(base)
    line = {"charge_date": at(base.day), "provider": base.provider, "billing_account_id": base.account}
    line |= {"billing_currency": "USD", "cost_state": "final", "cost_driver": "other"}
    for category, cause in (("Credit", "credits"), ("Tax", "tax")):
        cost = draw(cents("-9", "9"))
        cell = {"cell_id": f"{base.model} {cause}", "charge_category": category, "billed_cost": str(cost)}
        built.others.append(line | cell)
        built.causes[None, cause] += cost


KINDS: tuple[Callable[[st.DrawFn, Built, Cell], None], ...] = (
    _lose,
    _repeat,
    _swap_class,
    _swap_tier,
    _shift,
    _convert,
    _credit,
)


@st.composite
def companies(draw: st.DrawFn) -> Built:
    """From one kind of difference alone to many beside each other, each at a model of its own."""
    built = Built()
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=7))):
        kind(draw, built, Cell(price=draw(PRICES), model=f"model {number}"))
    return built


def _build(built: Built, seed: int) -> Company:
    rows = random.Random(seed)  # noqa: S311 - an order of rows, no secret

    def shuffled(values: list[Any]) -> list[Any]:
        return rows.sample(values, len(values))

    return Company(
        shuffled(built.cells),
        shuffled(built.keys),
        logging_keys=[GATEWAY],
        other_cells=shuffled(built.others),
    )


@settings(max_examples=6, deadline=None, derandomize=True)
@given(companies())
def test_every_cause_is_found_exactly_whatever_else_there_is_and_in_whatever_order(built: Built) -> None:
    rows = explain(_build(built, 1))
    assert causes_of(rows, "model") == {key: cost for key, cost in built.causes.items() if cost}
    assert explain(_build(built, 2)) == rows
