"""Prices found by our rule equal the package's for any request, and order or age of rows changes nothing."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from genai_prices import Usage
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common.datasets import TOKEN_CLASSES
from connectors.price_book.build import TIER_CONTEXTS
from connectors.price_book.client import read_price_book
from connectors.price_book.schema import round_rate
from connectors.price_book.settings import Settings
from tests.price_rule import PricedUse, PriceRow, build_list_cost, find_price
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.small_bill import ALIASES, call, price

BOOKS = Path(__file__).parents[2] / "models_sql" / "reference" / "price_books"
BY_MODEL: dict[tuple[str, str], list[PriceRow]] = defaultdict(list)
NEWEST = max(path.name for path in BOOKS.iterdir())
for _row in read_price_book(Settings(path=BOOKS)).to_pylist():
    if _row["published_at"] == datetime.fromisoformat(NEWEST) and _row["region_id"] is None:
        BY_MODEL[_row["provider"], _row["model"]].append(PriceRow(**_row))

MODELS = [
    (provider, model)
    for provider in providers
    for model in provider.models
    if (provider.id, model.id) in BY_MODEL and "reasoning" not in str(model.prices)
]
DATED = [pair for pair in MODELS if isinstance(pair[1].prices, list) or pair[1].price_variants]
assert len(DATED) > 200

moments = st.datetimes(datetime(2025, 1, 1), datetime(2027, 6, 1))
counts = st.one_of(st.integers(0, 5_000), st.integers(95_000, 600_000))


@given(
    st.sampled_from(DATED) | st.sampled_from(MODELS),
    st.sampled_from(sorted(TIER_CONTEXTS)),
    moments,
    st.tuples(*[counts for _ in TOKEN_CLASSES]),
)
@settings(max_examples=400, deadline=None)
def test_every_priced_request_costs_what_the_package_says(pair, tier: str, moment: datetime, tokens) -> None:
    provider, model = pair
    uncached, cached, five_minutes, one_hour, output = tokens
    total = uncached + cached + five_minutes + one_hour
    rows = BY_MODEL[provider.id, model.id]
    found = {
        name: find_price(rows, PricedUse(moment, provider.id, model.id, name, tier, total))
        for name in TOKEN_CLASSES
    }
    if found["uncached_input_tokens"] is None:
        return
    usage = Usage(
        input_tokens=total,
        cache_read_tokens=cached,
        cache_write_tokens=five_minutes + one_hour,
        cache_write_5m_tokens=five_minutes,
        cache_write_1h_tokens=one_hour,
        output_tokens=output if found["output_tokens"] else 0,
    )
    expected = model.get_prices(moment.replace(tzinfo=UTC), TIER_CONTEXTS[tier]).calc_price(usage)
    cost = sum(
        (
            build_list_cost(n, row.price_per_mtok)
            for n, row in zip(tokens, found.values(), strict=True)
            if row
        ),
        Decimal(0),
    )
    requests = getattr(model.get_prices(moment.replace(tzinfo=UTC)), "requests_kcount", None)
    exact = expected["total_price"] - (requests / 1000 if isinstance(requests, Decimal) else 0)
    assert abs(cost - exact) <= Decimal("0.000000000005") * (1 + sum(tokens) // 1_000_000)


def _row(
    published: int, price: int, *, is_override: bool = False, is_wrong_from_start: bool = False
) -> PriceRow:
    return PriceRow(
        price_id=f"{published}-{price}-{is_override}-{is_wrong_from_start}",
        snapshot_id=str(published),
        published_at=datetime(2026, 1, 1) + timedelta(days=published),
        valid_from=None,
        valid_to=None,
        provider="p",
        model="m",
        token_class="output_tokens",  # noqa: S106 (a token class, not a secret)
        service_tier="standard",
        context_min_tokens=0,
        region_id=None,
        time_of_day_start=None,
        time_of_day_end=None,
        price_per_mtok=round_rate(Decimal(price)),
        currency="USD",
        price_rank=1 if is_override else 4,
        is_override=is_override,
        is_wrong_from_start=is_wrong_from_start,
        price_source="test",
    )


@given(st.sets(st.integers(0, 60), min_size=1, max_size=6), st.integers(-5, 70), st.randoms())
def test_a_later_snapshot_never_changes_an_earlier_request(published: set[int], day: int, random) -> None:
    use = PricedUse(datetime(2026, 1, 1) + timedelta(days=day), "p", "m", "output_tokens", "standard", 10)
    rows = [_row(number, number) for number in sorted(published)]
    known = [number for number in published if number <= day]
    expected = max(known) if known else min(published)
    random.shuffle(rows)
    found = find_price(rows, use)
    assert found is not None and found.price_per_mtok == expected
    later = _row(max(*published, day) + 1, 999)
    assert find_price([*rows, later], use) == found
    corrected = find_price([*rows, replace(later, is_wrong_from_start=True)], use)
    assert corrected is not None and corrected.price_per_mtok == 999


@given(st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_an_override_wins_from_its_day_on_or_from_the_start(
    published: int, day: int, is_wrong_from_start: bool
) -> None:
    use = PricedUse(datetime(2026, 1, 1) + timedelta(days=day), "p", "m", "output_tokens", "standard", 10)
    override = _row(published, 7, is_override=True, is_wrong_from_start=is_wrong_from_start)
    found = find_price([_row(0, 5), override], use)
    assert found is not None
    assert found.price_per_mtok == (7 if is_wrong_from_start or published <= day else 5)


def test_an_unknown_model_or_tier_has_no_price() -> None:
    use = PricedUse(datetime(2026, 2, 1), "p", "m", "output_tokens", "standard", 10)
    assert find_price([_row(0, 5)], use) is not None
    assert find_price([_row(0, 5)], replace(use, model="other")) is None
    assert find_price([_row(0, 5)], replace(use, service_tier="batch")) is None
    assert find_price([], use) is None


FIRST_DAY = datetime(2026, 11, 1)
hours = st.sampled_from([0, 6, 12, 24, 30, 48, 60, 72])
bounds = st.one_of(st.none(), hours.map(lambda hour: FIRST_DAY + timedelta(hours=hour)))
halves = st.sampled_from([(None, None), ("00:00", "08:30"), ("08:30", "24:00")])


@st.composite
def stated_prices(draw: st.DrawFn) -> dict[str, Any]:
    """A price row of the one model, of any kind, with any mix of what a price may depend on."""
    day_start, day_end = draw(halves)
    rank = draw(st.integers(1, 4))
    valid_from, valid_to = draw(bounds), draw(bounds)
    if valid_from and valid_to and valid_from >= valid_to:
        valid_to = None
    return price(
        published_at=FIRST_DAY + timedelta(hours=draw(st.sampled_from([-48, 0, 12, 24, 60]))),
        valid_from=valid_from,
        valid_to=valid_to,
        service_tier=draw(st.sampled_from(["standard", "batch"])),
        region_id=draw(st.sampled_from([None, None, "us"])),
        context_min_tokens=draw(st.sampled_from([0, 0, 200_001])),
        time_of_day_start=day_start,
        time_of_day_end=day_end,
        price_rank=rank,
        is_override=rank <= 2,
        is_wrong_from_start=draw(st.integers(0, 4)) == 0,
        price_source="test",
    )


@st.composite
def model_calls(draw: st.DrawFn) -> dict[str, Any]:
    """A call at any minute of three days, on either side of the long context."""
    return {
        "started_at": FIRST_DAY + timedelta(minutes=draw(st.integers(0, 3 * 24 * 60 - 1))),
        "service_tier": draw(st.sampled_from([None, "standard", "batch", "flex"])),
        "region_id": draw(st.sampled_from([None, "us", "eu"])),
        "tokens": draw(st.sampled_from([1, 199_999, 200_000, 200_001, 1_000_000])),
    }


def expected_price(rows: list[dict[str, Any]], made: dict[str, Any]) -> dict[str, Any] | None:
    """The rule of docs/prices.md, kind by kind, written without looking at the code."""
    at, tier = made["started_at"], made["service_tier"] or "standard"
    minute = f"{at.hour:02d}:{at.minute:02d}"
    for rank in (1, 2, 3, 4):
        usable = []
        for row in (row for row in rows if row["price_rank"] == rank and row["service_tier"] == tier):
            siblings = [
                other["published_at"]
                for other in rows
                if all(other[n] == row[n] for n in ("price_rank", "service_tier", "region_id"))
            ]
            past = sorted(moment for moment in siblings if moment <= at)
            in_force = past[-1] if past else min(siblings)
            if rank <= 2:
                counts = row["published_at"] <= at or row["is_wrong_from_start"]
            else:
                is_correction = row["is_wrong_from_start"] and row["published_at"] > at
                counts = row["published_at"] == in_force or is_correction
            starts = row["valid_from"] is None or row["valid_from"] <= at
            ends = row["valid_to"] is not None and row["valid_to"] <= at
            open_now = row["time_of_day_start"] is None or (
                row["time_of_day_start"] <= minute < row["time_of_day_end"]
            )
            here = row["region_id"] in (None, made["region_id"])
            if counts and starts and not ends and open_now and here:
                if made["tokens"] >= row["context_min_tokens"]:
                    usable.append(row)
        regional = [row for row in usable if row["region_id"] is not None] or usable
        if regional:
            newest = max(row["published_at"] for row in regional)
            latest = [row for row in regional if row["published_at"] == newest]
            longest = max(row["context_min_tokens"] for row in latest)
            return min(
                (row for row in latest if row["context_min_tokens"] == longest), key=lambda r: r["price_id"]
            )
    return None


@given(st.lists(stated_prices(), min_size=1, max_size=8), st.lists(model_calls(), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_the_models_and_the_reference_price_by_the_rule(
    rows: list[dict[str, Any]], calls: list[dict[str, Any]]
) -> None:
    prices = [row | {"price_id": f"{n:02d}", "price_per_mtok": Decimal(n + 1)} for n, row in enumerate(rows)]
    reference = [PriceRow(**row) for row in prices]
    expected = {}
    for number, made in enumerate(calls):
        found = expected_price(prices, made)
        use = PricedUse(
            made["started_at"],
            "aws",
            "claude-sonnet-4-5",
            "uncached_input_tokens",
            made["service_tier"] or "standard",
            made["tokens"],
            made["region_id"],
        )
        by_reference = find_price(reference, use)
        assert (by_reference and by_reference.price_id) == (found and found["price_id"])
        cost = build_list_cost(made["tokens"], found["price_per_mtok"]) if found else None
        expected[str(number)] = (found and found["price_id"], cost)
    requests = [
        call(str(n), made["tokens"], **{k: v for k, v in made.items() if k != "tokens"})
        for n, made in enumerate(calls)
    ]
    window = Window(date(2026, 11, 1), date(2026, 11, 4), datetime(2026, 11, 5))
    lake = {"requests": requests, "prices": prices, "model_aliases": list(ALIASES)}
    with Chain(Inputs(lake), window, ("core.priced_requests",)) as chain:
        assert not chain.failed_checks()
        found_rows = chain.rows(
            "select requests.user_id, priced.price_id, priced.list_cost from core.priced_requests as priced "
            "inner join core.identified_requests as requests using (request_id)"
        )
    assert {row["user_id"]: (row["price_id"], row["list_cost"]) for row in found_rows} == expected
