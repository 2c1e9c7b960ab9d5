"""What a user says about prices, night by night: contracts, corrections that restate, and history that stays."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.integration.mini_company import CONFIG, Company, Outcome, write_company

INPUT = "uncached_input_tokens"


@pytest.fixture
def company(tmp_path) -> Company:
    company = write_company(tmp_path / "company")
    company.write_calls(
        {"time": f"2026-11-{day}T10:00:00Z", "model": "gpt-4o", "input": "1000000", "output": "0"}
        for day in ("01", "12")
    )
    (company.folder / "spans" / "spans.jsonl").unlink()
    return company


def _night(company: Company, prices: str = "{}") -> Outcome:
    (company.folder / "everycent.yml").write_text(f"{CONFIG}\nprices: {prices}\n")
    return company.night()


def _list_costs(outcome: Outcome) -> list[tuple[str, Decimal]]:
    rows = outcome.query(
        "select cast(charge_date as varchar) as day, list_cost from core.usage_costs "
        f"where token_class = '{INPUT}' order by all"
    )
    return [(row["day"][-2:], row["list_cost"]) for row in rows]


def _corrections(outcome: Outcome) -> list[str]:
    rows = outcome.query("select message from marts.data_completeness where finding = 'corrected_price'")
    return [row["message"] for row in rows]


def test_a_correction_restates_and_says_so_and_other_news_does_not(company: Company) -> None:
    first = _night(company)
    assert _list_costs(first) == [("01", Decimal("2.5")), ("12", Decimal("2.5"))]
    row = f"provider: openai, model: gpt-4o, token_class: {INPUT}, price_per_mtok: 2, valid_from: 2026-11-01"
    news = _night(company, f"{{overrides: [{{{row}, published_at: 2026-11-10}}]}}")
    assert _list_costs(news) == [("01", Decimal("2.5")), ("12", Decimal(2))], "the first call keeps its price"
    assert _corrections(news) == []
    corrected = _night(
        company, f"{{overrides: [{{{row}, published_at: 2026-12-20, wrong_from_start: true}}]}}"
    )
    assert _list_costs(corrected) == [("01", Decimal(2)), ("12", Decimal(2))]
    assert _corrections(corrected) == [
        "2000000 tokens of openai gpt-4o from 2026-11-01 to 2026-11-12 are priced anew by a correction of "
        "2026-12-20: list cost 4.00 USD. What was said before: everycent reprice --price-book 2026-12-19"
    ]


def test_a_contract_takes_its_percentage_off_while_it_runs_and_below_own_prices(company: Company) -> None:
    contract = "{name: c1, provider: openai, discount_pct: 20, valid_from: 2026-11-10}"
    outcome = _night(company, f"{{contracts: [{contract}]}}")
    assert _list_costs(outcome) == [("01", Decimal("2.5")), ("12", Decimal(2))]
    sources = outcome.query(
        "select prices.price_source from core.usage_costs inner join staging.prices using (price_id) "
        f"where usage_costs.token_class = '{INPUT}' and charge_date = '2026-11-12'"
    )
    assert sources == [{"price_source": "contract c1: 20 % off genai-prices 0.2.3 input_mtok"}]
    own = f"{{provider: openai, model: gpt-4o, token_class: {INPUT}, price_per_mtok: 1, valid_from: 2026-11-01}}"
    both = _night(company, f"{{contracts: [{contract}], overrides: [{own}]}}")
    assert _list_costs(both) == [("01", Decimal(1)), ("12", Decimal(1))]
