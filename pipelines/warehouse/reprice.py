"""List cost as it was booked beside what another price book would have said; nothing is changed.

What belongs here: running the release's own pricing models on its roll-up of usage with the price book of a
day. What must not: a second rule of pricing, the request log, words for people (`terminal/repricing.py`).

The book of a day is the newest list published by then of each model, taken to have held at all times, with the
validity that it states itself; own prices and contracts count when they were known by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.engine import (
    EngineSettings,
    open_connection,
    quote_relation,
    quote_text,
    render_typed,
)
from pipelines.warehouse.errors import ArgumentError
from pipelines.warehouse.models import read_dictionary, read_model
from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    import duckdb

_INPUTS = ("core.request_usage", "core.model_names")
_MODELS = ("core.dated_prices", "core.usage_costs")
_BOOK_SQL = """
    create table staging.prices as
    select prices.*
    from release.staging.prices as prices
    inner join release.core.dated_prices as dated on prices.price_id = dated.price_id
    where prices.published_at <= $as_of
        and (dated.price_rank <= 2 or dated.applies_to is null or dated.applies_to > $as_of)
"""
_COMPARED_SQL = """
    select
        coalesce(booked.provider, '') as provider,
        coalesce(booked.model, request_usage.model, '') as model,
        booked.token_class,
        coalesce(booked.list_cost_currency, repriced.list_cost_currency) as currency,
        cast(sum(booked.quantity_tokens) as bigint) as quantity_tokens,
        sum(booked.list_cost) as booked_list_cost,
        sum(repriced.list_cost) as repriced_list_cost,
        sum(
            case
                when booked.list_cost_currency = repriced.list_cost_currency
                    then repriced.list_cost - booked.list_cost
            end
        ) as difference,
        cast(
            coalesce(sum(case when booked.list_cost is null then booked.quantity_tokens end), 0) as bigint
        ) as booked_unpriced_tokens,
        cast(
            coalesce(sum(case when repriced.list_cost is null then booked.quantity_tokens end), 0) as bigint
        ) as repriced_unpriced_tokens
    from release.core.usage_costs as booked
    inner join core.usage_costs as repriced using (charge_date, usage_id, token_class)
    inner join core.request_usage as request_usage using (charge_date, usage_id)
    where booked.quantity_tokens > 0
    group by all
    order by abs(coalesce(difference, 0)) desc, quantity_tokens desc, provider, model, token_class, currency
"""


@dataclass(frozen=True)
class RepricedLine:
    """One provider, model and token class. Costs are Σ of what has a price; `difference` of what has both."""

    provider: str
    model: str
    token_class: str
    currency: str | None
    quantity_tokens: int
    booked_list_cost: Decimal | None
    repriced_list_cost: Decimal | None
    difference: Decimal | None
    booked_unpriced_tokens: int
    repriced_unpriced_tokens: int


@dataclass(frozen=True)
class PriceBook:
    """A list that the release knows: where it is from and since when."""

    published_at: datetime
    price_source: str


@dataclass(frozen=True)
class Repricing:
    """Both sides of every line, and the books that the second side used."""

    release_name: str
    price_book: date
    since: date
    until: date
    books: tuple[PriceBook, ...]
    lines: tuple[RepricedLine, ...]


def build_repricing(
    release: Release, price_book: date, since: date | None, until: date | None, models_folder: Path
) -> Repricing:
    """Price the release's usage of [since, until] (UTC days, both included) by the book of `price_book`.

    Raises ArgumentError when no book was published by then, or the window holds no usage.
    """
    as_of = datetime.combine(price_book, time.max)
    connection = open_connection(":memory:", EngineSettings(threads=2))
    with connection, ReleaseStore(release.home).reading(release):
        connection.execute(f"attach {quote_text(str(release.catalogue))} as release (read_only)")
        books = _find_books(connection, as_of)
        first, last = _find_window(connection, since, until)
        _run_models(connection, models_folder, as_of, first, last)
        found = connection.execute(_COMPARED_SQL)
        names = [column[0] for column in found.description]
        lines = tuple(RepricedLine(**dict(zip(names, row, strict=True))) for row in found.fetchall())
    return Repricing(release.name, price_book, first, last, books, lines)


def _find_books(connection: duckdb.DuckDBPyConnection, as_of: datetime) -> tuple[PriceBook, ...]:
    """The shipped books by publication; the last one published by then is the book of the day."""
    found = connection.execute(
        "select published_at, min(price_source) from release.staging.prices "
        "where coalesce(price_rank, 4) > 2 group by all order by all"
    ).fetchall()
    known = tuple(
        PriceBook(moment, " ".join(source.split()[:2])) for moment, source in found if moment <= as_of
    )
    if not known:
        dates = ", ".join(f"{moment:%Y-%m-%d}" for moment, _ in found) or "none"
        raise ArgumentError(
            f"--price-book {as_of:%Y-%m-%d}: no price book had been published by then; there are books of {dates}"
        )
    return known


def _find_window(
    connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None
) -> tuple[date, date]:
    first, last = connection.execute(
        "select min(charge_date), max(charge_date) from release.core.request_usage"
    ).fetchall()[0]
    if first is None:
        raise ArgumentError("The release holds no usage of models: there is nothing to price")
    start, end = max(since or first, first), min(until or last, last)
    if start > end:
        raise ArgumentError(
            f"No usage of models between {since} and {until}: the release has {first} to {last}"
        )
    return start, end


def _run_models(
    connection: duckdb.DuckDBPyConnection, folder: Path, as_of: datetime, first: date, last: date
) -> None:
    """Make core.usage_costs anew, from the release's usage and the prices of the book."""
    connection.execute("create schema core; create schema staging")
    for name in _INPUTS:
        schema, table = name.split(".")
        connection.execute(f"create view {quote_relation(name)} as select * from release.{schema}.{table}")
    connection.execute(_BOOK_SQL, {"as_of": as_of})
    window: dict[str, Any] = {"start": first, "end": last + timedelta(days=1)}
    dictionary = read_dictionary(folder / "dictionary.yml")
    for name in _MODELS:
        model = read_model(folder / f"{name.replace('.', '/')}.sql", dictionary)
        used = {parameter: window[parameter] for parameter in model.statement.parameters}
        sql = render_typed(model.sql, model.columns)
        connection.execute(f"create table {quote_relation(name)} as {sql}", used or None)
