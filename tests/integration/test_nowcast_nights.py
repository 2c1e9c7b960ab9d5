"""Nights on which a bill grows: what stood for days that were not billed yet is told in the ledger, and held against
the bill once it came."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mini_company import Outcome, write_csv
from tests.integration.restating_company import Restating, charge, write_restating

CALLS = """
  - name: calls
    connector: request_files
    path: calls
    columns: {started_at: time, provider: provider, model: model, user_id: user, input_tokens: input,
              output_tokens: output}
"""
TOKENS = {
    "ServiceName": "Amazon Bedrock",
    "SkuMeter": "USE1-Claude4.5Sonnet-input-tokens",
    "ConsumedUnit": "Tokens",
    "ResourceId": "",
    "Tags": "{}",
}
CENTS = Decimal("0.01")
FIRST_NIGHT = datetime(2026, 11, 10, 3)
COLUMNS = "charge_date, age_days, cost_driver, estimated_effective_cost, billed_effective_cost"
ACCURACY = (
    "select cost_driver, age_days, scored_days_count, nowcast_cost, actual_effective_cost, bias_share, worst_date "
    "from marts.nowcast_accuracy where scope = 'cost_driver' order by all"
)


def _lines(days: int, hours: int = 0) -> list[dict[str, str]]:
    """A machine for ten dollars a day, and a million tokens: 2.64 a day, 3.30 from the ninth on. Of the day
    after the last one `hours` are billed."""
    found = []
    for number in range(1, days + 2):
        share = Decimal(1) if number <= days else Decimal(hours) / 24
        end = {"ChargePeriodEnd": f"2026-11-{number:02}T{hours:02}:00:00Z"} if number > days else {}
        if share:
            tokens = Decimal("3.3" if number >= 9 else "2.64") * share
            found.append(charge(f"{10 * share:f}", "24", number, **end))
            found.append(charge(f"{tokens:f}", f"{1_000_000 * share:f}", number, **TOKENS, **end))
    return found


def _log(company: Restating, first: date, last: date) -> None:
    """A call of a million tokens a day, in a file of its own."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    calls = [
        {
            "time": f"{day}T01:00:00Z",
            "provider": "aws.bedrock",
            "model": model,
            "user": "ann",
            "input": "1000000",
            "output": "0",
        }
        for day in days
    ]
    write_csv(company.folder / "calls" / f"until-{last}.csv", calls, calls[0])


def _nights(folder: Path) -> tuple[Restating, list[Outcome]]:
    """Two nights; the bill comes a day before each, and is complete until a day before that."""
    company = write_restating(folder, {"aws": "replace"}, CALLS)
    nights = []
    first = date(2026, 11, 1)
    for days_later, days, hours in ((0, 7, 12), (3, 10, 0)):
        now = FIRST_NIGHT + timedelta(days=days_later)
        _log(company, first, now.date())
        first = now.date() + timedelta(days=1)
        company.deliver("aws", now - timedelta(hours=25), _lines(days, hours))
        nights.append(company.night(now))
    return company, nights


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Restating, list[Outcome]]:
    """The company after its two nights."""
    return _nights(tmp_path_factory.mktemp("grown"))


def _told(night: Outcome, made: date) -> list[tuple[Any, ...]]:
    rows = night.query(
        f"select {COLUMNS} from core.ledger_estimates "  # noqa: S608 (names of this module)
        f"where cast(nowcast_made_at as date) = date '{made}' order by all"
    )
    return [tuple(row.values()) for row in rows]


def test_each_night_tells_what_it_showed_of_open_days(grown: tuple[Restating, list[Outcome]]) -> None:
    _, nights = grown
    told = _told(nights[0], date(2026, 11, 10))
    eighth, ninth = date(2026, 11, 8), date(2026, 11, 9)
    assert [row for row in told if row[0] < date(2026, 11, 10)] == [
        (eighth, 1, "compute", 5, 5),
        (eighth, 1, "inference", CENTS * 132, CENTS * 132),
        (ninth, 0, "compute", 10, 0),
        (ninth, 0, "inference", CENTS * 264, 0),
    ]
    assert _told(nights[1], date(2026, 11, 10)) == told


def test_a_day_shows_the_same_whether_nothing_or_half_of_it_is_billed(
    grown: tuple[Restating, list[Outcome]],
) -> None:
    _, nights = grown
    shown = (
        "select charge_date, sum(effective_cost) as shown, sum(billed_cost) as billed from marts.cost_daily "
        "where charge_date between '2026-11-07' and '2026-11-09' group by all order by all"
    )
    full, dear = CENTS * 1264, CENTS * 1330
    rows = [[tuple(row.values())[1:] for row in night.query(shown)] for night in nights]
    assert rows[0] == [(full, full), (full, full / 2), (full, None)]
    assert rows[1] == [(full, full), (full, full), (dear, dear)]


def test_the_bill_that_came_says_how_far_estimates_were_off(grown: tuple[Restating, list[Outcome]]) -> None:
    """On the ninth tokens became dearer: its estimate was 66 cents short. A machine is expected of days that are
    over, so of the day itself it is missing."""
    _, nights = grown
    assert nights[0].query(ACCURACY) == []
    rows = {(row["cost_driver"], row["age_days"]): row for row in nights[1].query(ACCURACY)}
    assert {
        key: (row["scored_days_count"], row["nowcast_cost"], row["actual_effective_cost"])
        for key, row in rows.items()
    } == {
        ("compute", -1): (1, 0, 10),
        ("compute", 0): (1, 10, 10),
        ("compute", 1): (1, 10, 10),
        ("inference", -1): (1, CENTS * 264, CENTS * 330),
        ("inference", 0): (1, CENTS * 264, CENTS * 330),
        ("inference", 1): (1, CENTS * 264, CENTS * 264),
    }
    assert rows["inference", 0]["bias_share"] == Decimal("-0.2")
    assert rows["inference", 0]["worst_date"] == date(2026, 11, 9)


def test_a_run_about_the_past_writes_nothing_and_tells_what_was_known(
    grown: tuple[Restating, list[Outcome]],
) -> None:
    """The log is as old as its files, so of that time the bill alone is known."""
    company, nights = grown
    ledger = sorted((company.folder / "home/lake/ledger/estimates").iterdir())
    assert len(ledger) == 2
    past = company.night(FIRST_NIGHT + timedelta(days=5), FIRST_NIGHT)
    assert sorted((company.folder / "home/lake/ledger/estimates").iterdir()) == ledger
    of_machines = [row for row in _told(nights[0], FIRST_NIGHT.date()) if row[2] == "compute"]
    assert [row for row in _told(past, FIRST_NIGHT.date()) if row[2] == "compute"] == of_machines != []
