"""Traps of gateways and tracing tools: what they count, estimate, repeat, save and believe.

What belongs here: one test a trap, through the real connectors and, where money is at stake, the models. What must not:
other cases of a connector (`tests/contract`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.common.usage_payloads import merge_stream, read_usage
from tests.contract.gateway_company import GatewayCompany, classes, read_rows
from tests.contract.litellm_proxy import build_payload, build_spend_log
from tests.contract.test_helicone import build_row
from tests.contract.test_langfuse import build_observation
from tests.sql.harness import run_model
from tests.sql.small_bill import line, price, run, tokens

CACHE_READ = {"sku_meter": "USE1-Claude4.5Sonnet-cache-read-input-token-count"}


def build_call(
    number: int, uncached: int, cached: int = 0, output: int = 0, **changes: Any
) -> dict[str, Any]:
    """Return a SpendLogs row of a call on the first of November to a model on Bedrock."""
    usage = {
        "prompt_tokens": uncached + cached,
        "completion_tokens": output,
        "total_tokens": uncached + cached + output,
        "prompt_tokens_details": {"cached_tokens": cached},
    }
    row = build_spend_log(
        request_id=f"5f6b1f2e-0000-4000-8000-{number:012d}",
        litellm_call_id=f"5f6b1f2e-0000-4000-8000-{number:012d}",
        session_id=f"97311c60-9a61-4f48-a814-{number:012d}",
        startTime=f"2026-11-01T10:00:{number:02d}",
        endTime=f"2026-11-01T10:00:{number + 1:02d}",
        completionStartTime=None,
        custom_llm_provider="bedrock",
        model="bedrock/sonnet",
        prompt_tokens=uncached + cached,
        completion_tokens=output,
        total_tokens=uncached + cached + output,
        end_user=f"user{number}",
        metadata={"usage_object": usage},
        request_tags=[],
    )
    return row | changes


def land_litellm(root: Path, records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Land records of LiteLLM and return the rows of the lake."""
    root.mkdir(exist_ok=True)
    company = GatewayCompany(root, "litellm")
    company.deliver("a.jsonl", records)
    report = company.land()
    assert not report.has_fault, report.findings
    return read_rows(report)


def test_trap_06_cached_tokens_of_a_gateway_differ_from_the_bill_in_their_class_alone(tmp_path: Path) -> None:
    requests = land_litellm(tmp_path, [build_call(1, uncached=150_437, cached=49_563)])
    bill = [
        tokens("input", "0.404088", 134_696),
        tokens("cache", "0.0195912", 65_304, **CACHE_READ),
    ]
    found = run(
        "marts.reconciliation",
        "token_class, cause, billed_quantity, logged_quantity, difference_quantity",
        charges=bill,
        requests=requests,
        prices=[price(), price("cache_read_tokens", "0.3")],
        where="cause in ('unlogged', 'over_logged', 'cache_class')",
    )
    assert 134_696 + 65_304 == 150_437 + 49_563  # in sum nothing is missing
    assert found == [
        ("cache_read_tokens", "cache_class", "65304", "49563", "15741"),
        ("uncached_input_tokens", "cache_class", "134696", "150437", "-15741"),
    ]
    shares = run(
        "core.attributed_costs",
        "coalesce(residual_reason, 'user1') as what, sum(effective_cost) as cost",
        group="what",
        charges=bill,
        requests=requests,
        prices=[price(), price("cache_read_tokens", "0.3")],
    )
    assert shares == [("unlogged_usage", "0.0047223"), ("user1", "0.4189569")]


def test_trap_11_a_call_whose_client_went_away_is_unlogged_usage(tmp_path: Path) -> None:
    calls = [build_call(1, uncached=400), build_call(2, uncached=200)]  # the third, of 400, left no row
    requests = land_litellm(tmp_path, calls)
    found = run(
        "core.attributed_costs",
        "coalesce(residual_reason, 'logged') as what, sum(effective_cost) as cost",
        group="what",
        charges=[tokens("line", "10", 1_000)],
        requests=requests,
        prices=[price()],
    )
    assert found == [("logged", "6"), ("unlogged_usage", "4")]


def test_trap_12_an_estimate_never_replaces_a_reported_zero(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "request_files")
    company.options |= {
        "columns": {
            "started_at": "t",
            "input_tokens": "in",
            "output_tokens": "out",
            "estimated_input_tokens": "guess_in",
            "estimated_output_tokens": "guess_out",
        }
    }
    guess = {"guess_in": 500, "guess_out": 50}
    records = [
        {"t": "2026-11-19T10:00:00Z", "in": 0, "out": 0, **guess},
        {"t": "2026-11-19T10:00:01Z", "in": 7, "out": None, **guess},
        {"t": "2026-11-19T10:00:02Z", "in": None, "out": None, **guess},
        {"t": "2026-11-19T10:00:03Z", "in": None, "out": None},
    ]
    company.deliver("a.jsonl", records)
    found = [
        (row["uncached_input_tokens"], row["output_tokens"], row["usage_source"])
        for row in read_rows(company.land())
    ]
    assert found == [(0, 0, "reported"), (7, None, "reported"), (500, 50, "estimated"), (None, None, "none")]

    (tmp_path / "langfuse").mkdir()
    traced = GatewayCompany(tmp_path / "langfuse", "langfuse")
    guessed = {"input": 500, "output": 50, "total": 550}
    stated = build_observation(usage_details=guessed, provided_usage_details={"input": 0, "output": 0})
    counted = build_observation(id="guess", usage_details=guessed, provided_usage_details={}, metadata={})
    traced.deliver("p/observations/1.jsonl", [stated, counted])
    rows = {row["span_id"]: row for row in read_rows(traced.land())}
    assert classes(rows["b7ad6b7169203331"])[::4] == (0, 0)
    assert rows["b7ad6b7169203331"]["usage_source"] == "reported"
    assert classes(rows["guess"])[::4] == (500, 50) and rows["guess"]["usage_source"] == "estimated"


def test_trap_13_counts_of_a_stream_are_cumulative_and_the_last_one_counts(tmp_path: Path) -> None:
    start = {"input_tokens": 25, "cache_read_input_tokens": 1000, "output_tokens": 1}
    deltas = [{"output_tokens": count} for count in (12, 40, 57)]
    usage: dict[str, object] = dict(start)
    for delta in deltas:
        usage = merge_stream(usage, delta)
    reported = read_usage(usage, "anthropic")
    counts = ("input_tokens", "cache_read_tokens", "output_tokens")
    assert [reported[name] for name in counts] == [25, 1000, 57]

    company = GatewayCompany(tmp_path, "langfuse")
    versions = [
        build_observation(
            updated_at=f"2026-11-19 10:00:0{number}",
            usage_details={"input": 25, "cache_read_input_tokens": 1000, "output": delta["output_tokens"]},
        )
        for number, delta in enumerate(deltas)
    ]
    company.deliver("p/observations/1.jsonl", versions[:2])
    company.deliver("p/observations/2.jsonl", versions[1:])
    (row,) = read_rows(company.land())
    assert classes(row) == (25, 1000, None, None, 57)

    final = {"prompt_tokens": 1025, "completion_tokens": 57, "prompt_tokens_details": {"cached_tokens": 1000}}
    payload = build_payload(prompt_tokens=1025, completion_tokens=57, total_tokens=1082)
    payload["metadata"]["usage_object"] = final
    (streamed,) = land_litellm(tmp_path / "litellm", [payload])
    assert classes(streamed) == (25, 1000, None, None, 57)


def test_trap_24_an_answer_of_the_gateways_cache_is_saved_and_never_spent(tmp_path: Path) -> None:
    original = build_call(1, uncached=1_000)
    hit = build_call(2, uncached=1_000, cache_hit="True", spend=0.0)
    hit["request_id"] = f"{original['request_id']}_cache_hit1795082400.25"
    requests = land_litellm(tmp_path, [original, hit])
    assert [row["provider_request_id"] for row in requests] == [None, None]
    assert classes(requests[1]) == (0, None, None, None, 0)
    assert (requests[1]["saved_input_tokens"], requests[1]["status"]) == (1_000, "ok")
    found = run(
        "marts.traces",
        "calls, input_tokens, saved_input_tokens, inference_cost",
        charges=[tokens("line", "3", 1_000)],
        requests=requests,
        prices=[price()],
    )
    assert found == [(1, 0, 1_000, None), (1, 1_000, 0, "3")]

    (tmp_path / "helicone").mkdir()
    company = GatewayCompany(tmp_path / "helicone", "helicone")
    company.deliver("a.jsonl", [build_row(cache_reference_id="55555555-0000-4000-8000-000000000001")])
    (row,) = read_rows(company.land())
    assert classes(row)[::4] == (0, 0) and row["saved_input_tokens"] == 46 and row["reported_cost"] is None


def test_trap_28_float_money_ends_exact(tmp_path: Path) -> None:
    floats = [0.1 + 0.2, *[0.1] * 997, 1e-7, 2.25e-4, 1.1e-13]
    records = [build_call(1, 1, request_id=f"call-{n}", spend=spend) for n, spend in enumerate(floats)]
    rows = land_litellm(tmp_path, records)
    costs = [row["reported_cost"] for row in rows]
    assert len(costs) == len(floats) and Decimal("0.300000000000") in costs
    assert sum(costs) == Decimal("0.3") + Decimal("99.7") + Decimal("0.0000001") + Decimal("0.000225")
    assert float(sum(costs)) != sum(floats)  # which is why floats are never summed
    # Half of the last digit goes up, though the double lies below the half; what has more digits is not cut.
    halves = {2.5e-12: "0.000000000003", 4.5e-12: "0.000000000005", 1.9999e-12: "0.000000000002"}
    records = [build_call(1, 1, request_id=f"call-{spend}", spend=spend) for spend in halves]
    rounded = {row["reported_cost"] for row in land_litellm(tmp_path / "halves", records)}
    assert rounded == {Decimal(text) for text in halves.values()}


def test_trap_29_an_overshoot_is_told_by_the_bill_and_not_by_the_gateways_counter(tmp_path: Path) -> None:
    counter = {"user_api_key_spend": 80.0, "user_api_key_max_budget": 100.0}
    call = build_call(1, uncached=1_000, spend=80.0, team_id="search")
    call["metadata"] |= counter
    requests = land_litellm(tmp_path, [call])
    assert requests[0]["reported_cost"] == 80
    costs = run(
        "marts.cost_daily",
        "charge_date, charge_category, cost_driver, team, billing_currency, effective_cost",
        charges=[tokens("line", "120", 1_000), line("other", "5")],
        requests=requests,
        prices=[price()],
        where="cost_state <> 'estimated'",
    )
    names = ("charge_date", "charge_category", "cost_driver", "team", "billing_currency", "effective_cost")
    budget = {
        "budget_id": "search",
        "team": "search",
        "period_start": "2026-11-01",
        "period_end": "2026-12-01",
        "amount": "100",
        "currency": "USD",
        "measure": "effective_cost",
    }
    given = {
        "core.budgets": [budget],
        "marts.cost_daily": [dict(zip(names, row, strict=True)) for row in costs],
    }
    (status,) = run_model("marts.budget_status", given, {"today": "2026-11-10"})
    assert (status["actual"], status["status"]) == (Decimal(120), "over")


def test_trap_30_versions_and_repeats_of_an_export_count_once(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "langfuse")
    first = build_observation(event_ts="2026-11-19 10:00:03", total_cost=0.1)
    second = build_observation(event_ts="2026-11-19 10:00:04", total_cost=0.2)
    gone = build_observation(id="gone", event_ts="2026-11-19 10:00:03")
    company.deliver(
        "p/observations/late.jsonl",
        [second, second, gone | {"event_ts": "2026-11-19 11:00:00", "is_deleted": 1}],
    )
    assert len(read_rows(company.land())) == 1
    company.deliver("p/observations/early.jsonl", [first, gone, first])
    rows = read_rows(company.land())
    assert [row["reported_cost"] for row in rows] == [Decimal("0.2")]


def test_trap_34_a_count_that_nobody_knows_stays_beside_the_classes(tmp_path: Path) -> None:
    """The call's classes are as before, its new number lies in the lake under its name, and a finding counts it."""
    company = GatewayCompany(tmp_path, "litellm")
    call = build_call(1, uncached=100, cached=900, output=5)
    call["metadata"]["usage_object"]["prompt_tokens_details"]["cache_write_24h_tokens"] = 77
    company.deliver("a.jsonl", [call])
    report = company.land()
    (row,) = read_rows(report)
    assert classes(row) == (100, 900, None, None, 5)
    kept = json.loads(row["raw_usage"])
    assert kept["prompt_tokens_details.cache_write_24h_tokens"] == 77
    assert kept["prompt_tokens_details.cached_tokens"] == 900
    told = [finding for finding in report.findings if finding.kind == "unknown_count"]
    assert [(finding.severity.name, finding.count) for finding in told] == [("WARN", 1)]
