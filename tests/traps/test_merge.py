"""Traps of reports, calls and owners: 14, 23, 25, 26 and 31 of the table of facts.

What belongs here: one test a trap, named after it, through connectors or models. What must not: other traps.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipelines.config.model import Config
from tests.contract.gateway_company import GatewayCompany, read_rows
from tests.contract.litellm_proxy import build_spend_log
from tests.sql.reported_calls import merge
from tests.sql.small_bill import DAY, call, line, price, run, tokens

STARTED = "2026-11-01T10:00:00"


def _land(folder: Path, *records: dict[str, Any]) -> list[dict[str, Any]]:
    company = GatewayCompany(folder, "litellm")
    company.deliver("calls.jsonl", records)
    report = company.land()
    assert not report.has_fault, report.findings
    return read_rows(report)


def _spend(number: int, model: str = "bedrock/sonnet", **changes: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 0, "total_tokens": 1_000_000}
    metadata = {"usage_object": usage} | changes.pop("metadata", {})
    return build_spend_log(
        request_id=f"0000000{number}-0000-4000-8000-00000000000{number}",
        litellm_call_id=f"call-{number}",
        custom_llm_provider="bedrock",
        model=model,
        startTime=STARTED,
        endTime=STARTED,
        completionStartTime=STARTED,
        metadata=metadata,
        **usage,
        **changes,
    )


def test_trap_14_retries_and_fallbacks_are_one_call_and_each_costs(tmp_path: Path) -> None:
    """LiteLLM writes three rows: a failed attempt, a failed retry, and the fallback that answered."""
    trace = "97311c60-9a61-4f48-a814-70139ee57868"
    attempts = [
        _spend(1, status="failure", session_id=trace, metadata={"attempted_retries": 0, "trace_id": trace}),
        _spend(2, status="failure", session_id=trace, metadata={"attempted_retries": 1, "trace_id": trace}),
        _spend(3, session_id=trace, metadata={"attempted_retries": 1, "attempted_fallbacks": 1}),
    ]
    rows = [row | {"trace_id": "t"} for row in _land(tmp_path, *attempts)]
    assert len({row["logical_call_id"] for row in rows if row["logical_call_id"]}) == 1
    # All three reached the provider and were billed: the money is that of the attempts, the count that of calls.
    billed = [row | {"uncached_input_tokens": 1_000_000, "usage_source": "reported"} for row in rows]
    (found,) = run(
        "core.traces", "attempts, calls, error_requests, total_cost", requests=billed, prices=[price()]
    )
    assert found == (3, 1, 2, "9")


def test_trap_14_a_hedged_call_that_was_answered_twice_is_one_call() -> None:
    answered = [
        call("ann", 1_000_000, minute=n, span_id=str(n), trace_id="t", logical_call_id="l") for n in range(2)
    ]
    found = run("core.traces", "attempts, calls, total_cost", requests=answered, prices=[price()])
    assert found == [(2, 1, "6")]


def test_trap_23_many_tags_of_a_call_never_sum_above_the_total(tmp_path: Path) -> None:
    """A call of two features, in two teams' tags and twice in the log: its tokens and its cost stand once."""
    tags = ["feature:search", "feature:chat", "team-a", "team-b", "tenant:acme", "tenant:globex"]
    rows = _land(tmp_path, _spend(1, request_tags=tags), _spend(2, request_tags=["feature:chat"]))
    columns = "feature, tenant, billed_cost, requests"
    bill = [tokens("line", "20", 2_000_000)]
    found = run("marts.cost_daily", columns, charges=bill, requests=rows, where="billed_cost <> 0")
    assert sum(Decimal(row[2]) for row in found) == 20
    assert [row[0] for row in found] == ["chat", "search"]
    assert [(row[2], row[3]) for row in found] == [("10", 1), ("10", 1)]


def test_trap_25_a_gateway_that_hides_its_users_gives_nobody_their_cost() -> None:
    """Seven tenths of the tokens came through a role that all share: no known user pays for them."""
    hidden = call(None, 700, principal_id="role", api_key_id="key_1", feature="search")
    calls = [call("ann", 300, feature="search"), hidden]
    bill = [tokens("line", "10", 1000)]
    columns = "user_id, team, billed_cost"
    assert run("marts.cost_daily", columns, charges=bill, requests=calls) == [
        ("ann", None, "3"),
        (None, None, "7"),
    ]
    assert merge([hidden], "principal_id, user_id") == [("role", None)]
    keys = [{"api_key_id": "key_1", "team": "platform"}]
    config = Config.model_validate({"requests": {"api_keys": keys}, "identity": {"pseudonymise": False}})
    assert run("marts.cost_daily", columns, charges=bill, requests=calls, config=config) == [
        ("ann", None, "3"),
        (None, "platform", "7"),
    ]


def _tool(charge_id: str, service: str, meter: str, unit: str, vendor: str) -> dict[str, Any]:
    return line(
        charge_id,
        "10",
        service_provider_name=vendor,
        service_name=service,
        service_category="AI and Machine Learning",
        sku_meter=meter,
        charge_description=meter,
        consumed_quantity=Decimal(100),
        consumed_unit=unit,
    )


def test_trap_26_what_no_request_caused_is_not_spread_over_tokens() -> None:
    """Server tools, storage, code execution and provisioned hours: callers use these providers' tokens that day."""
    bills = [
        _tool("web", "OpenAI API", "web search tool calls", "Requests", "OpenAI"),
        _tool("store", "OpenAI API", "file search storage", "GiB-hours", "OpenAI"),
        _tool("code", "OpenAI API", "code interpreter sessions", "Sessions", "OpenAI"),
        _tool("execution", "Anthropic API", "Code Execution Usage", "Hours", "Anthropic"),
        _tool("hours", "Azure OpenAI", "Provisioned Managed Regional Unit", "Hours", "Microsoft"),
    ]
    callers = [
        call("ann", 100, provider=provider, model=model)
        for provider, model in (
            ("openai", "gpt-4o"),
            ("azure.ai.openai", "gpt-4o"),
            ("anthropic", "claude-sonnet-4-5"),
        )
    ]
    found = run(
        "marts.cost_daily",
        "cost_driver, service_name, user_id, residual_reason is not null, sum(billed_cost) as billed",
        group="cost_driver, service_name, user_id, residual_reason is not null",
        where="billed_cost is not null",
        charges=bills,
        requests=callers,
    )
    assert found == [
        ("inference", "Anthropic API", None, True, "10"),
        ("inference", "Azure OpenAI", None, True, "10"),
        ("inference", "OpenAI API", None, True, "10"),
        ("retrieval", "OpenAI API", None, True, "20"),
    ]
    drivers = run("core.charges", "charge_id, token_class", charges=bills)
    assert [token_class for _, token_class in drivers] == [None] * len(bills)


def test_trap_31_what_an_emitter_believes_is_never_a_bill(tmp_path: Path) -> None:
    """LiteLLM believes 999 dollars a call: without a bill the cost is the price book's, with one the bill's."""
    rows = _land(tmp_path, _spend(1, spend=999.0, request_tags=[]))
    assert [row["reported_cost"] for row in rows] == [Decimal(999)]
    columns = "cost_state, evidence, billed_cost, effective_cost, list_cost"
    unbilled = run("marts.cost_daily", columns, requests=rows, prices=[price()])
    assert unbilled == [("estimated", "priced", None, "3", "3")]
    bill = [tokens("line", "2.5", 1_000_000, list_cost=Decimal(3))]
    billed = run("marts.cost_daily", columns, charges=bill, requests=rows, prices=[price()])
    assert [row[2:] for row in billed] == [("2.5", "2.5", "3")]
    assert merge(rows, "reported_cost", where=f"started_at > '{DAY + timedelta(hours=1)}'") == [
        (Decimal(999),)
    ]
