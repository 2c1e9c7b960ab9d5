"""What counts where several reports describe one call, and what is told of reports that cannot meet."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from pipelines.config.model import Config
from pipelines.night.reference import REUSED_ID_REPORTS
from tests.sql.reported_calls import merge, report
from tests.sql.small_bill import ALIASES, DAY, price

P: dict[str, Any] = {"provider_request_id": "p"}
S: dict[str, Any] = {"trace_id": "t", "span_id": "s"}
TOKENS = "uncached_input_tokens, output_tokens, usage_source, emitter_kind"


def _linked(reports: list[dict[str, Any]], columns: str, **link: Any) -> list[tuple[Any, ...]]:
    """The call `s` hangs in the tree of another file, whose agent span says what the link shall hold."""
    owner = {"trace_id": "t", "x_source": "traces", "x_snapshot_id": "traces-2", "span_id": "agent"}
    agent = owner | {"started_at": DAY + timedelta(hours=10), "span_kind": "agent"} | link
    return merge(reports, columns, spans=[agent])


def test_one_report_stands_as_it_is() -> None:
    found = merge(
        [report("traces", "span", **P, **S, output_tokens=3)], "request_id, x_sources, reports, output_tokens"
    )
    assert found == [("response:p", "traces", 1, 3)]


def test_counts_come_whole_from_one_report() -> None:
    """The provider's log says no input: that stays unknown, and the gateway's is not put beside its output."""
    reports = [
        report("gateway", "gateway", **P, uncached_input_tokens=9, output_tokens=4),
        report("log", "provider_log", **P, output_tokens=5),
    ]
    assert merge(reports, TOKENS) == [(None, 5, "reported", "provider_log")]


def test_a_report_with_counts_comes_before_a_higher_one_with_estimates_or_none() -> None:
    estimate = report("gateway", "gateway", **P, output_tokens=9) | {"usage_source": "estimated"}
    counted = report("file", "file", **P, output_tokens=4)
    silent = report("log", "provider_log", **P)
    assert merge([estimate, silent, counted], TOKENS) == [(None, 4, "reported", "file")]
    assert merge([estimate, silent], TOKENS) == [(None, 9, "estimated", "gateway")]


def test_the_config_ranks() -> None:
    reports = [
        report("gateway", "gateway", **P, output_tokens=4, user_id="key"),
        report("log", "provider_log", **P, output_tokens=5, user_id="role"),
    ]
    config = Config.model_validate(
        {"requests": {"ranks": {"usage": ["gateway"], "identity": ["provider_log"]}}}
    )
    assert merge(reports, "output_tokens, user_id", config=config) == [(4, "role")]
    assert merge(reports, "output_tokens, user_id") == [(5, "key")]


def test_the_gateways_own_cache_bills_nothing_whatever_the_client_saw() -> None:
    hit = report("gateway", "gateway", **S, saved_input_tokens=100, saved_output_tokens=7, output_tokens=0)
    client = report("traces", "span", **S, uncached_input_tokens=100, output_tokens=7)
    columns = "uncached_input_tokens, output_tokens, saved_input_tokens, saved_output_tokens"
    assert merge([client, hit], columns) == [(None, 0, 100, 7)]


def test_a_value_of_the_resource_ranks_behind_any_other() -> None:
    span = report(
        "traces", "span", **P, **S, environment="default", team="core", resource_keys=",environment,"
    )
    gateway = report("gateway", "gateway", **P, environment="production", team="gateway")
    assert merge([span, gateway], "environment, team") == [("production", "core")]
    assert merge([span], "environment, team") == [("default", "core")]


def test_start_and_end_are_of_one_report_that_knows_the_end() -> None:
    reports = [
        report("traces", "span", DAY + timedelta(hours=10), **P, ended_at=None),
        report("log", "provider_log", DAY + timedelta(hours=10, seconds=1), **P),
    ]
    moment = DAY + timedelta(hours=10, seconds=1)
    assert merge(reports, "started_at, ended_at") == [(moment, moment + timedelta(seconds=2))]


def test_what_an_emitter_believes_is_kept_with_its_currency() -> None:
    reports = [
        report("gateway", "gateway", **P, reported_cost=Decimal("0.5"), reported_cost_currency="EUR"),
        report("log", "provider_log", **P, output_tokens=5),
        report("traces", "span", **P, reported_cost=Decimal("0.6"), reported_cost_currency="USD"),
    ]
    assert merge(reports, "reported_cost, reported_cost_currency") == [(Decimal("0.5"), "EUR")]


def test_a_wrapper_is_no_call_and_its_tokens_never_count() -> None:
    outer = report("traces", "span", **S, output_tokens=50, user_id="ann")
    inner = report(
        "traces",
        "span",
        trace_id="t",
        span_id="in",
        enclosing_call_span_id="s",
        output_tokens=20,
        user_id="ann",
    )
    assert merge([outer, inner], "span_id, output_tokens") == [("in", 20)]


def test_a_wrapper_that_shares_an_id_keeps_what_it_knows() -> None:
    outer = report("traces", "span", **S, **P, output_tokens=50, user_id="ann")
    inner = report(
        "traces", "span", trace_id="t", span_id="in", enclosing_call_span_id="s", **P, output_tokens=20
    )
    found = merge([outer, inner], "output_tokens, user_id, reports")
    assert found == [(20, "ann", 2)]


def test_a_call_has_what_the_tree_of_another_file_says() -> None:
    call = report(
        "traces",
        "span",
        **S,
        parent_span_id="agent",
        unresolved_parent_span_id="agent",
        resource_keys=",environment,",
        environment="default",
        output_tokens=5,
    )
    found = _linked([call], "user_id, environment, output_tokens", user_id="ann", environment="production")
    assert found == [("ann", "production", 5)]


@pytest.mark.parametrize("count", [REUSED_ID_REPORTS, REUSED_ID_REPORTS + 1])
def test_an_id_that_stands_on_too_many_calls_is_ignored(count: int) -> None:
    """Up to the limit they are taken as reports of one call; above it, as calls that share a constant."""
    reports = [
        report("traces", "span", DAY + timedelta(minutes=n), provider_request_id="constant", output_tokens=1)
        for n in range(count)
    ]
    is_reused = count > REUSED_ID_REPORTS
    assert len(merge(reports)) == (count if is_reused else 1)
    told = merge(reports, "finding, x_sources, reused_id, requests", table="core.request_findings")
    assert told == ([("reused_id", "traces", "response:constant", count)] if is_reused else [])


def test_calls_of_a_reused_id_are_told_apart_by_their_spans_and_delivered_twice_count_once() -> None:
    reports = [
        report(
            "traces",
            "span",
            DAY + timedelta(minutes=n),
            provider_request_id="constant",
            trace_id="t",
            span_id=f"s{n % 25}",
            output_tokens=n,
        )
        for n in range(50)
    ]
    again = [row | {"x_snapshot_id": "traces-2"} for row in reports]
    names = merge([*reports, *again], "request_id, reports, provider_request_id")
    assert names == sorted((f"span:t:s{n}", 4, None) for n in range(25))


def test_reports_that_contradict_each_other_are_told_of_and_one_counts() -> None:
    reports = [
        report("log-a", "provider_log", **P, output_tokens=5),
        report("log-b", "provider_log", **P, output_tokens=6),
        report("gateway", "gateway", **P, output_tokens=7),
    ]
    ((tokens, sources),) = merge(reports, "output_tokens, x_sources")
    assert tokens in (5, 6) and sources == "gateway,log-a,log-b"
    assert merge(reports, "finding, x_sources, requests", table="core.request_findings") == [
        ("contradicting_reports", "gateway,log-a,log-b", 1)
    ]


def test_reports_of_different_rank_may_differ() -> None:
    reports = [
        report("log", "provider_log", **P, output_tokens=5),
        report("gateway", "gateway", **P, output_tokens=7),
    ]
    assert merge(reports, "finding", table="core.request_findings") == []


def test_a_report_that_may_be_one_of_several_calls_is_told_of() -> None:
    reports = [
        report("gateway", "gateway", provider_request_id="p", call_id="c", output_tokens=1),
        report("gateway", "gateway", provider_request_id="q", call_id="c", output_tokens=2),
        report("file", "file", call_id="c", output_tokens=3),
    ]
    assert merge(reports, "finding, x_sources, requests", table="core.request_findings") == [
        ("ambiguous_reports", "file", 1)
    ]


@pytest.mark.parametrize(
    ("ids", "kind", "is_told"),
    [
        ({"call_id": "c"}, "gateway", True),
        ({"provider_request_id": "q"}, "gateway", False),
        ({"call_id": "c"}, "span", False),
        ({"call_id": "c", "model": "other"}, "gateway", False),
    ],
    ids=["no kind of id in common", "the same kind of id", "the same kind of emitter", "another model"],
)
def test_sources_that_cannot_meet_are_told_of(ids: dict[str, str], kind: str, is_told: bool) -> None:
    reports = [report("traces", "span", **P, **S), report("gateway", kind, **ids)]
    columns = "finding, x_sources, provider, model, requests"
    names: dict[str, Any] = {"model_aliases": ALIASES}
    found = merge(reports, columns, table="core.request_findings", prices=[price()], **names)
    assert found == (
        [("unmergeable_overlap", "gateway,traces", "aws", "claude-sonnet-4-5", 1)] if is_told else []
    )


@pytest.mark.parametrize(
    ("alone", "requests"), [(0, None), (1, 1), (2, 2)], ids=["all merged", "one left", "two left"]
)
def test_sources_that_a_third_brings_together_are_told_of_what_is_left(
    alone: int, requests: int | None
) -> None:
    """Calls of the gateway and reports of the exporter meet in the spans; the gateway names another provider."""
    met = [
        report("gateway", "gateway", call_id="c", provider="anthropic"),
        report("traces", "span", **P, **S, call_id="c"),
        report("export", "file", **P),
    ]
    apart = [
        row
        for n in range(alone)
        for row in (
            report("gateway", "gateway", call_id=f"g{n}", provider="anthropic"),
            report("export", "file", provider_request_id=f"e{n}"),
        )
    ]
    columns = "x_sources, model, requests"
    told = merge([*met, *apart], columns, table="core.request_findings")
    assert told == ([] if requests is None else [("export,gateway", "sonnet", requests)])


def test_what_a_third_source_gave_an_id_that_could_meet_is_not_told_of() -> None:
    reports = [
        report("langfuse", "gateway", **S),
        report("traces", "span", **S, **P),
        report("export", "file", provider_request_id="q"),
    ]
    assert merge(reports, "finding", table="core.request_findings") == []


def test_the_owner_of_an_api_key_is_asked_last() -> None:
    key = {"api_key_id": "key_1", "user_id": "bot", "team": "search", "feature": "batch"}
    config = Config.model_validate({"identity": {"pseudonymise": False}, "requests": {"api_keys": [key]}})
    reports = [
        report(
            "gateway", "gateway", provider_request_id="p", api_key_id="key_1", user_id="ann", output_tokens=1
        ),
        report("gateway", "gateway", provider_request_id="q", api_key_id="key_1", output_tokens=2),
        report("gateway", "gateway", provider_request_id="r", api_key_id="key_2", output_tokens=4),
    ]
    expected = [("ann", "search", "batch", 1), ("bot", "search", "batch", 2), (None, None, None, 4)]
    columns = "user_id, team, feature, output_tokens"
    for table in ("core.identified_requests", "core.request_usage", "core.trace_usage"):
        assert merge(reports, columns, table=table, config=config) == expected


def test_saved_tokens_are_seen_and_cost_nothing() -> None:
    hit = report(
        "gateway", "gateway", call_id="c", saved_input_tokens=100, saved_output_tokens=7, output_tokens=0
    )
    columns = "requests, output_tokens, saved_input_tokens, saved_output_tokens"
    assert merge([hit], columns, table="core.request_usage") == [(1, 0, 100, 7)]
    told = "attempts, calls, saved_input_tokens, saved_output_tokens, total_cost"
    assert merge([hit], told, table="core.traces") == [(1, 1, 100, 7, None)]


FIRST: dict[str, Any] = {"trace_id": "t", "span_id": "first"}
AGAIN: dict[str, Any] = {"trace_id": "t", "span_id": "again"}
SAVED: dict[str, Any] = {"saved_input_tokens": 9, "saved_output_tokens": 4, "output_tokens": 0}
MONEY = "request_id, provider_request_id, reports, output_tokens, saved_output_tokens"


@pytest.mark.parametrize("where", [AGAIN, AGAIN | {"call_id": "c"}, {"call_id": "c"}])
def test_an_answer_of_the_gateways_cache_leaves_the_call_that_filled_it_alone(where: dict[str, Any]) -> None:
    """The client sees the saved answer, and so the provider's id of the call that filled the cache."""
    filled = [
        report("gateway", "gateway", **P, **FIRST, output_tokens=4),
        report("traces", "span", **P, **FIRST, output_tokens=4),
    ]
    hit = report("gateway", "gateway", **where, **SAVED)
    client = report("traces", "span", **P, **AGAIN | where, output_tokens=4)
    log = report("log", "provider_log", **P, output_tokens=4)
    assert merge([*filled, log, hit, client], MONEY) == [
        ("response:p", "p", 3, 4, None),
        ("span:t:again", None, 2, 0, 4),
    ]


def test_an_answer_of_the_cache_beside_a_call_of_one_span_is_no_part_of_it() -> None:
    called = report("gateway", "gateway", **P, **S, call_id="c", output_tokens=4)
    hit = report("gateway", "gateway", **S, call_id="d", **SAVED)
    client = report("traces", "span", **P, **S, output_tokens=4)
    assert merge([called, hit, client], MONEY) == [
        ("response:p", "p", 2, 4, None),
        ("span:t:s", None, 1, 0, 4),
    ]


OWN: dict[str, Any] = {"provider_request_id": "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f"}
C: dict[str, Any] = {"call_id": "c"}


def test_an_id_that_a_gateway_made_for_the_client_joins_its_reports() -> None:
    """Two names of the provider, no call id: the gateway says which provider and model it was."""
    reports = [
        report("traces", "span", **OWN, **S, provider="openai", output_tokens=4),
        report("gateway", "gateway", **OWN, **C, provider="anthropic", output_tokens=4),
        report("gateway", "gateway", trace_id="u", status="error"),
    ]
    found = merge(reports, "x_sources, provider, status, output_tokens")
    assert found == [("gateway", "aws.bedrock", "error", None), ("gateway,traces", "anthropic", "ok", 4)]


@pytest.mark.parametrize("named", [P | C, {"provider_request_id": "msg_1"} | C])
def test_a_gateways_own_id_stands_for_the_providers_that_its_call_leads_to(named: dict[str, Any]) -> None:
    reports = [
        report("traces", "span", **OWN, **S, **C, output_tokens=4),
        report("langfuse", "file", **OWN, output_tokens=4),
        report("gateway", "gateway", **named, output_tokens=5),
        report("log", "provider_log", provider_request_id=named["provider_request_id"], output_tokens=5),
    ]
    expected = [(named["provider_request_id"], "gateway,langfuse,log,traces", 5)]
    assert merge(reports, "provider_request_id, x_sources, output_tokens") == expected
    assert merge(reports[::-1], "provider_request_id, x_sources, output_tokens") == expected


def test_a_gateways_own_id_whose_calls_lead_to_two_stands_for_none() -> None:
    reports = [
        report("traces", "span", **OWN, **S, **C),
        report("gateway", "gateway", **P, **C),
        report("gateway", "gateway", provider_request_id="q", **C),
    ]
    assert len(merge(reports)) == 3
