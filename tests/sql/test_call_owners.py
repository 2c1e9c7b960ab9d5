"""Who owns a call: span, parents, root, emitter as a whole, API key; and further parts of a response."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from pipelines.config.model import Config
from tests.sql.reported_calls import merge, report
from tests.sql.small_bill import DAY

ROOT = {
    "trace_id": "t",
    "span_id": "root",
    "x_source": "traces",
    "x_snapshot_id": "traces-1",
    "span_kind": "server",
    "status": "ok",
    "started_at": DAY + timedelta(hours=9),
}
CONFIG = Config.model_validate({"requests": {"api_keys": [{"api_key_id": "k", "environment": "of key"}]}})
PLACES = ("core.request_usage", "core.identified_requests", "core.trace_usage")
"""Where a call's owner is worked out: all must say the same."""


@pytest.mark.parametrize("table", PLACES)
@pytest.mark.parametrize(
    ("call", "root", "expected"),
    [
        ({"environment": "own"}, {"environment": "of root"}, "own"),
        ({"environment": "given", "resource_keys": ",environment,"}, {"environment": "of root"}, "of root"),
        ({"environment": "given", "resource_keys": ",environment,"}, {}, "given"),
        ({"environment": "given", "resource_keys": ",environment,"}, None, "given"),
        (
            {"environment": "given", "resource_keys": ",environment,"},
            {"environment": "given to root", "resource_keys": ",environment,"},
            "given",
        ),
        ({}, {"environment": "given to root", "resource_keys": ",environment,"}, "given to root"),
        ({}, {}, "of key"),
        ({"environment": "own", "resource_keys": ",team,"}, {"environment": "of root"}, "own"),
    ],
)
def test_the_emitter_as_a_whole_is_asked_after_the_root(
    table: str, call: dict[str, Any], root: dict[str, Any] | None, expected: str
) -> None:
    """The span between the call and its root never came, so landing could not know."""
    span = {"trace_id": "t", "span_id": "s", "parent_span_id": "lost", "unresolved_parent_span_id": "lost"}
    calls = [report("traces", "span", output_tokens=1, api_key_id="k", **span, **call)]
    spans = [] if root is None else [ROOT | root]
    assert merge(calls, "environment", table=table, spans=spans, config=CONFIG) == [(expected,)]


@pytest.mark.parametrize("table", PLACES)
def test_what_a_merged_call_has_from_its_emitter_is_asked_after_the_root_too(table: str) -> None:
    told = {"environment": "given", "team": "given", "resource_keys": ",environment,team,"}
    span = report("traces", "span", provider_request_id="p", trace_id="t", span_id="s", **told)
    gateway = report("gateway", "gateway", provider_request_id="p", team="of gateway", output_tokens=1)
    root = ROOT | {"environment": "of root", "team": "of root"}
    found = merge([span, gateway], "environment, team", table=table, spans=[root])
    assert found == [("of root", "of gateway")]


def _part(number: int, **changes: Any) -> dict[str, Any]:
    """A part of one response, as a provider's log states it."""
    own = {"provider_request_id": "p", "logical_call_id": "p", "attempt_number": number}
    if number > 1:
        own["provider_request_id"] = f"p/iteration/{number}"
    row = report("log", "provider_log", output_tokens=number, **own)
    return row | {"trace_id": "response:p"} | changes


def test_further_parts_of_a_response_have_the_trace_and_owner_of_the_first() -> None:
    parts = [_part(1), _part(2, team="of log"), _part(3)]
    seen = {"user_id": "ann", "team": "core", "environment": "given", "resource_keys": ",environment,"}
    span = report("traces", "span", provider_request_id="p", trace_id="t", span_id="s", **seen)
    columns = "request_id, trace_id, user_id, team, environment, resource_keys, output_tokens"
    assert merge([*parts, span], columns) == [
        ("response:p", "t", "ann", "core", "given", ",environment,", 1),
        ("response:p/iteration/2", "t", "ann", "of log", "given", ",environment,", 2),
        ("response:p/iteration/3", "t", "ann", "core", "given", ",environment,", 3),
    ]


def test_further_parts_keep_a_trace_of_their_own() -> None:
    parts = [_part(1), _part(2), _part(3, trace_id="stated")]
    assert merge(parts, "trace_id") == [("response:p",), ("response:p",), ("stated",)]
    span = report("traces", "span", provider_request_id="p", trace_id="t", span_id="s")
    assert merge([*parts, span], "trace_id") == [("stated",), ("t",), ("t",)]


def test_parts_of_a_response_are_one_call_of_its_trace() -> None:
    span = report("traces", "span", provider_request_id="p", trace_id="t", span_id="s")
    columns = "trace_id, cast(sum(calls) as bigint), cast(sum(requests) as bigint)"
    reports = [_part(1), _part(2), span]
    assert merge(reports, columns, table="core.trace_usage", where="true group by 1") == [("t", 1, 2)]
