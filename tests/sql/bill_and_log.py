"""Bill and log of a few days as cells, and why they differ: the two models behind marts.reconciliation on given rows.

What belongs here: turning short rows into the tables that the models read, and running them. What must not:
expectations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.sql.harness import run_checks, run_model

DAY = date(2026, 11, 10)
WINDOW = {"start": "2026-11-01", "end": "2026-12-01", "reporting_currency": "USD"}
EPSILON_PPM = 500
MTOK = 1_000_000
TYPES: Mapping[str, Mapping[str, str]] = {
    "reference.settings": {"coverage_epsilon_ppm": "BIGINT", "coverage_band_ppm": "BIGINT"},
    "reference.logging_keys": {"key_id": "VARCHAR"},
    "reference.currency_subunits": {"currency": "VARCHAR", "subunit_units": "BIGINT"},
}
ZERO = Decimal(0)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """What one day's bill and log say of one model, class and tier; costs in the bill's currency, prices in USD."""

    billed: int | None = MTOK
    logged: int = MTOK
    price: Decimal | None = Decimal(10)
    cost: Decimal | None = (
        None  # None: the list price of what is billed; not billed at all where `billed` is 0
    )
    list_cost: Decimal | None = None
    billed_cost: Decimal | None = None
    day: int = 0
    model: str = "m"
    token_class: str = "output_tokens"
    tier: str = "standard"
    provider: str = "openai"
    account: str = "org"
    sub_account: str | None = None
    currency: str = "USD"
    rate: Decimal | None = Decimal(1)  # of the bill's currency in USD, as we know it
    state: str = "final"
    principal: str | None = None
    pricing_cost: Decimal | None = None  # in USD, as the bill itself states it

    @property
    def is_billed(self) -> bool:
        """Whether the bill names it."""
        return self.billed is None or self.billed > 0

    @property
    def paid(self) -> Decimal:
        """What it costs in effect."""
        if self.cost is not None:
            return self.cost
        assert self.billed is not None and self.price is not None
        return (self.price * self.billed / MTOK).quantize(Decimal("0.000000000001"))


@dataclass(frozen=True)
class Company:
    """Cells, and what else is told of their days."""

    cells: Sequence[Cell]
    keys: Sequence[Row] = ()
    counts: Sequence[Row] = ()
    failures: Sequence[Row] = ()
    logging_keys: Sequence[str] = ()
    other_cells: Sequence[Row] = ()
    open_days: Sequence[int] = ()
    served: Sequence[int] = field(default=())


def at(day: int) -> str:
    """The date of a day of the company."""
    return (DAY + timedelta(days=day)).isoformat()


def segment(cell: Cell, **more: Any) -> dict[str, Any]:
    """The columns that name what a cell is of, with more beside them."""
    named = {
        "charge_date": at(cell.day),
        "provider": cell.provider,
        "model": cell.model,
        "token_class": cell.token_class,
        "service_tier": cell.tier,
    }
    return {**named, **more}


def key_row(cell: Cell, key: str | None, counted: int | None = None, logged: int | None = None) -> Row:
    """What the provider counts, or the logs hold, of a cell under an API key."""
    account = cell.account if counted is not None else None
    told = {"provider_quantity": counted, "logged_quantity": logged}
    return segment(cell, key_kind="api_key", key_id=key, billing_account_id=account, **told)


def explain(company: Company) -> list[dict[str, Any]]:
    """The rows of core.reconciled_usage; the causes of every key add up to its difference."""
    rows = run_model("core.reconciled_usage", _give(company), WINDOW, TYPES)
    for key in {_key(row) for row in rows}:
        of_key = [row for row in rows if _key(row) == key]
        difference = (of_key[0]["billed_cost"] or ZERO) - (of_key[0]["priced_cost"] or ZERO)
        assert sum(row["difference_cost"] or ZERO for row in of_key) == difference, of_key
    return rows


def check(company: Company, changes: Row) -> dict[str, int]:
    """Violations of the checks of core.reconciled_usage where its first row is changed."""
    given = _give(company)
    rows = run_model("core.reconciled_usage", given, WINDOW, TYPES)
    rows[0].update(changes)
    return run_checks("core.reconciled_usage", {**given, "core.reconciled_usage": rows}, WINDOW, TYPES)


def _key(row: Row) -> tuple[Any, ...]:
    names = ("charge_date", "provider", "billing_account_id", "model", "token_class", "currency")
    return tuple(row[name] for name in names)


def _give(company: Company) -> dict[str, Sequence[Row]]:
    cells = [_bill(number, cell) for number, cell in enumerate(company.cells) if cell.is_billed]
    cells += [
        {
            "charge_date": at(day),
            "cell_id": f"estimated {day}",
            "provider": "openai",
            "cost_driver": "inference",
            "charge_category": "Usage",
            "cost_state": "estimated",
        }
        for day in company.open_days
    ]
    cells += list(company.other_cells)
    settings = {"coverage_epsilon_ppm": EPSILON_PPM, "coverage_band_ppm": 50_000}
    counts = [{"usage_kind": "tokens", "is_final": True, **count} for count in company.counts]
    given = {
        "core.cells": cells,
        "core.usage_costs": [
            _usage(number, cell) for number, cell in enumerate(company.cells) if cell.logged
        ],
        "core.provider_counts": counts,
        "core.key_usage": company.keys,
        "core.failed_usage": company.failures,
        "core.served_usage": [{"charge_date": at(0), "usage_id": str(number)} for number in company.served],
        "core.charge_cells": [
            _part(number, cell) for number, cell in enumerate(company.cells) if cell.is_billed
        ],
        "core.charge_origins": [
            _origin(number, cell)
            for number, cell in enumerate(company.cells)
            if cell.principal or cell.pricing_cost is not None
        ],
        "reference.settings": [settings],
        "reference.logging_keys": [{"key_id": key} for key in company.logging_keys],
    }
    met = run_model("core.reconciled_cells", given, WINDOW, TYPES)
    return {
        "core.reconciled_cells": met,
        "core.cells": cells,
        "core.provider_counts": counts,
        "reference.settings": [settings],
        "reference.currency_subunits": [{"currency": "*", "subunit_units": 10**10}],
    }


def causes_of(rows: Sequence[Row], *keys: str) -> dict[tuple[Any, ...], Decimal]:
    """Difference by cause, or by more columns; causes that come to nothing are left out."""
    found: dict[tuple[Any, ...], Decimal] = {}
    for row in rows:
        key = tuple(row[name] for name in (*keys, "cause"))
        found[key] = found.get(key, ZERO) + (row["difference_cost"] or ZERO)
    return {key: cost for key, cost in found.items() if cost}


def _bill(number: int, cell: Cell) -> Row:
    billed_cost = cell.paid if cell.billed_cost is None else cell.billed_cost
    costs = {
        "billed_cost": billed_cost,
        "effective_cost": cell.paid,
        "list_cost": cell.paid if cell.list_cost is None else cell.list_cost,
    }
    copies = {f"{name}_reporting": cell.rate and cost * cell.rate for name, cost in costs.items()}
    return segment(
        cell,
        cell_id=str(number),
        billing_account_id=cell.account,
        sub_account_id=cell.sub_account,
        billing_currency=cell.currency,
        cost_driver="inference",
        charge_category="Usage",
        billed_quantity=cell.billed,
        cost_state=cell.state,
        method_id="tokens",
        **costs,
        **copies,
    )


def _usage(number: int, cell: Cell) -> Row:
    cost = (
        None if cell.price is None else (cell.price * cell.logged / MTOK).quantize(Decimal("0.000000000001"))
    )
    return segment(
        cell,
        usage_id=str(number),
        quantity_tokens=cell.logged,
        list_cost=cost,
        list_cost_currency=None if cost is None else "USD",
    )


def _part(number: int, cell: Cell) -> Row:
    return {
        "charge_date": at(cell.day),
        "charge_id": str(number),
        "cell_id": str(number),
        "billed_quantity": cell.billed,
        "effective_cost_reporting": cell.rate and cell.paid * cell.rate,
        "before_day_weight": 0,
        "until_day_weight": 86400,
        "all_days_weight": 86400,
    }


def _origin(number: int, cell: Cell) -> Row:
    return {
        "charge_id": str(number),
        "x_principal_id": cell.principal,
        "pricing_currency": None if cell.pricing_cost is None else "USD",
        "pricing_currency_effective_cost": cell.pricing_cost,
    }
