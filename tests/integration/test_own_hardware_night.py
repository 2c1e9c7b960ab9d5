"""Own hardware end to end: rate card, metrics and calls of a self-hosted model become cost per feature and user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mini_company import LINE, Company, Outcome, write_csv

DAY = datetime(2026, 12, 1)
CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: cards, connector: rate_card_files, path: cards}
  - {name: metrics, connector: capacity_metrics, path: metrics}
  - {name: spans, connector: otel_genai, path: spans}
  - {name: aws_bill, connector: focus_files, path: aws}
  - {name: hours, connector: capacity_files, path: hours}
"""
CARD = {
    "resource_id": "rack1-h100",
    "resource_kind": "gpu_host",
    "zone": "ber-1",
    "site": "berlin",
    "currency": "USD",
    "valid_from": "2026-11-30T12:00:00Z",
    "valid_to": "",
    "capex_amount": "87600",
    "life_hours": "43800",
    "power_watts": "1000",
    "pue": "1.5",
    "price_per_kwh": "0.2",
}
PER_HOUR = {"capex hours": Decimal(2), "power hours": Decimal("0.3")}


def llm_span(
    name: str, user: str, feature: str, *, prefill: float, decode: float, output: int
) -> dict[str, Any]:
    """A span as vLLM writes it, under an application's names."""
    start = int((DAY + timedelta(hours=1)).replace(tzinfo=UTC).timestamp()) * 10**9
    texts = {
        "gen_ai.response.model": "llama-70b",
        "user.id": user,
        "app.feature": feature,
        "gen_ai.request.id": name,
    }
    numbers = {
        "gen_ai.latency.time_in_model_prefill": prefill,
        "gen_ai.latency.time_in_model_decode": decode,
    }
    counts = {"gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": output}
    return {
        "traceId": name.encode().hex()[:32].ljust(32, "0"),
        "spanId": name.encode().hex()[:16].ljust(16, "0"),
        "parentSpanId": "",
        "name": "llm_request",
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**9),
        "attributes": [
            *({"key": k, "value": {"stringValue": v}} for k, v in texts.items()),
            *({"key": k, "value": {"doubleValue": v}} for k, v in numbers.items()),
            *({"key": k, "value": {"intValue": str(v)}} for k, v in counts.items()),
        ],
    }


def write_metrics(folder: Path, *, hours: int, busy_hours: int) -> None:
    """A day of samples, five minutes apart: busy for the first hours, then idle, then nobody looked."""
    points = [DAY + timedelta(minutes=5 * n) for n in range(12 * hours + 1)]
    labels = 'model_name="llama-70b",engine="0"'
    for at in points:
        done = min(1.0, (at - DAY) / timedelta(hours=busy_hours))
        path = folder / "rack1-h100" / f"{at:%Y%m%dT%H%M%SZ}.prom"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"vllm:num_requests_running{{{labels}}} {int(at < DAY + timedelta(hours=busy_hours))}\n"
            f"vllm:prompt_tokens_total{{{labels}}} {int(2000 * done)}\n"
            f"vllm:generation_tokens_total{{{labels}}} {int(400 * done)}\n"
        )


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return write_company(tmp_path)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """A night that several tests ask."""
    return write_company(tmp_path_factory.mktemp("company")).night()


def write_company(tmp_path: Path) -> Company:
    """Write the whole company."""
    (tmp_path / "everycent.yml").write_text(CONFIG)
    company = Company(tmp_path)
    write_csv(tmp_path / "cards" / "cards.csv", [CARD], CARD)
    write_metrics(tmp_path / "metrics", hours=20, busy_hours=6)
    company.write_spans(
        [
            llm_span("call-1", "ann", "search", prefill=1.0, decode=5.0, output=300),
            llm_span("call-2", "bob", "chat", prefill=0.5, decode=1.5, output=100),
        ]
    )
    write_csv(tmp_path / "aws" / "bill.csv", [LINE], LINE)
    hour = {
        "hour_start": "2026-11-01T00:00:00Z",
        "resource_id": "i-1",
        "capacity_kind": "gpu_host",
        "provisioned_seconds": "3600",
        "busy_seconds": "0",
    }
    write_csv(tmp_path / "hours" / "hours.csv", [hour], hour)
    return company


def costs_of(outcome: Outcome, day: datetime) -> dict[tuple[Any, ...], Decimal]:
    rows = outcome.query(
        "select sku_meter, feature, user_id, residual_reason, sum(billed_cost) as cost from marts.cost_daily "
        f"where charge_date = date '{day:%Y-%m-%d}' and service_name like 'Own hardware%' group by all"
    )
    names = ("sku_meter", "feature", "user_id", "residual_reason")
    return {tuple(row[name] for name in names): row["cost"] for row in rows}


def test_a_host_is_paid_by_those_who_kept_it_busy(night: Outcome) -> None:
    """24 hours: 6 busy (ann 6 of 8 seconds, bob 2), 14 idle, 4 that nobody measured."""
    expected: dict[tuple[Any, ...], Decimal] = {}
    for meter, cost in PER_HOUR.items():
        expected[meter, "search", "ann", None] = 6 * cost * 3 / 4
        expected[meter, "chat", "bob", None] = 6 * cost / 4
        expected[meter, None, None, "idle_capacity"] = 14 * cost
        expected[meter, None, None, "unmeasured_capacity"] = 4 * cost
    assert costs_of(night, DAY) == expected


def test_it_conserves_is_assumed_and_waits_for_no_bill(night: Outcome) -> None:
    rows = night.query(
        "select evidence, cost_state, cost_driver, provider, billing_account_id, sum(billed_cost) as cost "
        "from marts.cost_daily where provider = 'own hardware' group by all"
    )
    days = (datetime(2026, 12, 20) - datetime(2026, 11, 30, 12)) / timedelta(hours=1)
    assert rows == [
        {
            "evidence": "assumed",
            "cost_state": "provisional",
            "cost_driver": "inference",
            "provider": "own hardware",
            "billing_account_id": "own-hardware",
            "cost": Decimal(int(days)) * sum(PER_HOUR.values()),
        }
    ]
    (line,) = night.result.conservation
    assert line.billed_total == line.attributed_total == Decimal(10) + rows[0]["cost"]
    found = night.query("select finding from marts.data_completeness where finding = 'unpriced_requests'")
    assert found == []
    estimates = night.query(
        "select count(*) as n from marts.cost_daily where cost_state = 'estimated' and provider = 'own hardware'"
    )
    assert estimates == [{"n": 0}]
    assert night.query("select count(*) as n from marts.reconciliation where cause like '%invoice%'") == [
        {"n": 0}
    ]


def test_calls_and_tokens_count_once(night: Outcome) -> None:
    (row,) = night.query(
        "select sum(requests) as requests, sum(input_tokens) as input, sum(output_tokens) as output "
        "from marts.cost_daily where provider = 'own hardware'"
    )
    assert row == {"requests": 2, "input": 2000, "output": 400}


def test_the_first_and_the_last_day_cost_their_hours_only(night: Outcome) -> None:
    first = costs_of(night, datetime(2026, 11, 30))
    assert first == {
        (meter, None, None, "unmeasured_capacity"): 12 * cost for meter, cost in PER_HOUR.items()
    }
    assert costs_of(night, datetime(2026, 12, 19)) != {}
    assert costs_of(night, datetime(2026, 12, 20)) == {}


def test_a_changed_card_restates_its_days_and_says_so(company: Company) -> None:
    before = company.night()
    write_csv(company.folder / "cards" / "cards.csv", [{**CARD, "price_per_kwh": "0.4"}], CARD)
    after = company.night()
    for key, cost in costs_of(before, DAY).items():
        assert costs_of(after, DAY)[key] == (cost * 2 if key[0] == "power hours" else cost)
    assert after.told("rate_card_changed").count == 1
    assert costs_of(after, datetime(2026, 12, 20)) != {}


def test_a_gpu_host_on_a_clouds_bill_is_shared_alike(company: Company) -> None:
    """One of 24 hours was measured, and idle; the tag of the line names the owner of what nobody used."""
    (company.folder / "everycent.yml").write_text(CONFIG + "tags: {feature: [feature]}\n")
    outcome = company.night()
    rows: list[Mapping[str, Any]] = outcome.query(
        "select residual_reason, feature, evidence, effective_cost from marts.cost_daily "
        "where provider = 'aws' and cost_state <> 'estimated' order by residual_reason"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("idle_capacity", "search", "allocated", Decimal("0.375")),
        ("unmeasured_capacity", "search", "allocated", Decimal("8.625")),
    ]
