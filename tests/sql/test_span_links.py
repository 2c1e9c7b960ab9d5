"""staging.span_links and staging.spans: what spans of several files know from one another."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.common.datasets import ATTRIBUTION_KEYS
from tests.sql.harness import run_model

DAY = {"start": "2026-11-02", "end": "2026-11-03"}
MONTH = {"start": "2026-11-01", "end": "2026-12-01"}


def _row(span_id: str | None, **changes: Any) -> dict[str, Any]:
    return {
        "x_source": "traces",
        "x_snapshot_id": "file",
        "trace_id": "t",
        "span_id": span_id,
        "started_at": "2026-11-02 10:00:00",
        "ended_at": "2026-11-02 10:00:01",
    } | changes


def call(span_id: str, has_usage: bool = True, **changes: Any) -> dict[str, Any]:
    source = "reported" if has_usage else "none"
    return _row(span_id, emitter_kind="span", usage_source=source, **changes)


def other(span_id: str | None, **changes: Any) -> dict[str, Any]:
    return _row(span_id, **({"span_kind": "other", "status": "ok"} | changes))


def links(
    requests: list[dict[str, Any]], spans: list[dict[str, Any]] | None = None, window: dict[str, str] = DAY
) -> dict[str, dict[str, Any]]:
    found = run_model("staging.span_links", {"lake.requests": requests, "lake.spans": spans or []}, window)
    assert len({row["span_id"] for row in found}) == len(found)
    return {row["span_id"]: row for row in found}


def wrappers(
    requests: list[dict[str, Any]], spans: list[dict[str, Any]] | None = None, window: dict[str, str] = DAY
) -> list[str]:
    return sorted(name for name, row in links(requests, spans, window).items() if row["is_wrapper"])


def test_spans_that_are_settled_are_not_here() -> None:
    settled = [
        call("1"),
        call("2", parent_span_id="9", feature="search"),
        call("3", unresolved_parent_span_id="gone"),
    ]
    assert links(settled, [other("9", feature="search")]) == {}


def test_a_call_around_a_call_with_usage_is_a_wrapper_whether_it_states_usage_or_not() -> None:
    assert wrappers([call("1"), call("2", enclosing_call_span_id="1")]) == ["1"]
    assert wrappers([call("1", False), call("2", enclosing_call_span_id="1")]) == ["1"]


def test_a_call_without_usage_inside_one_with_usage_is_its_echo() -> None:
    assert wrappers([call("1"), call("2", False, enclosing_call_span_id="1")]) == ["2"]
    assert wrappers([call("1", False), call("2", False, enclosing_call_span_id="1")]) == []


def test_a_failed_attempt_beside_one_that_worked_stays() -> None:
    """The call around both is a wrapper, so the failed one is no echo of it."""
    attempts = [call("2", enclosing_call_span_id="1"), call("3", False, enclosing_call_span_id="1")]
    assert wrappers([call("1"), *attempts]) == ["1"]


def test_only_the_deepest_of_many_counts() -> None:
    chain = [call("1"), call("2", enclosing_call_span_id="1"), call("3", False, enclosing_call_span_id="2")]
    assert wrappers([*chain, call("4", enclosing_call_span_id="3")]) == ["1", "2", "3"]


def test_the_call_around_may_be_in_another_file_above_spans_of_a_third() -> None:
    spans = [other("5", unresolved_parent_span_id="4"), other("4", enclosing_call_span_id="1")]
    assert wrappers([call("1"), call("2", unresolved_parent_span_id="5")], spans) == ["1"]


def test_calls_that_are_their_own_ancestors_all_count() -> None:
    ring = [call("1", unresolved_parent_span_id="2"), call("2", unresolved_parent_span_id="1")]
    below = [call("3", unresolved_parent_span_id="1"), call("4", False, unresolved_parent_span_id="1")]
    assert wrappers([*ring, *below]) == []
    assert wrappers([call("1", enclosing_call_span_id="1")]) == []


@pytest.mark.parametrize("levels", [63, 64, 65, 200])
def test_a_chain_of_calls_longer_than_is_followed_loses_no_money(levels: int) -> None:
    """Up to 64 calls around one: it is the one. Beyond, what is not certain to be a wrapper counts, and it is told."""
    chain = [call("000", False)] + [
        call(f"{n:03d}", n == levels, enclosing_call_span_id=f"{n - 1:03d}") for n in range(1, levels + 1)
    ]
    found = links(chain)
    assert found.get(f"{levels:03d}", {}).get("is_wrapper", False) is False
    if levels <= 64:
        assert sorted(name for name, row in found.items() if row["is_wrapper"]) == [
            f"{n:03d}" for n in range(levels)
        ]
        assert not any(row["is_cut"] for row in found.values())
    else:
        assert not any(row["is_wrapper"] for row in found.values())
        assert found[f"{levels:03d}"]["is_cut"]


@pytest.mark.parametrize(
    ("files", "feature", "is_cut"), [(64, "search", False), (65, None, True), (500, None, True)]
)
def test_a_chain_over_many_files_is_followed_so_far(files: int, feature: str | None, is_cut: bool) -> None:
    """Every span alone in a file: as many crossings as parents."""
    chain = [other(f"s{n}", unresolved_parent_span_id=f"s{n + 1}") for n in range(1, files)]
    found = links(
        [call("c", unresolved_parent_span_id="s1")],
        [*chain, other(f"s{files}", feature="search", span_kind="server")],
    )
    assert (found["c"]["feature"], found["c"]["is_cut"]) == (feature, is_cut)


def test_a_loop_over_files_ends_and_gives_what_it_has() -> None:
    ring = [
        other("a", unresolved_parent_span_id="b"),
        other("b", unresolved_parent_span_id="a", tenant="acme"),
    ]
    found = links([call("c", unresolved_parent_span_id="a")], ring)
    assert (found["c"]["tenant"], found["c"]["is_cut"]) == ("acme", True)


def test_a_value_of_any_ancestor_comes_before_one_of_a_resource() -> None:
    """Span, parents, then resources, the nearest of each; across three files."""
    mine = call(
        "c",
        unresolved_parent_span_id="b",
        feature="of the span",
        tenant="of its resource",
        team="of its resource",
        resource_keys=",tenant,team,",
    )
    spans = [
        other(
            "b",
            unresolved_parent_span_id="a",
            agent="writer",
            environment="dev",
            resource_keys=",environment,",
        ),
        other(
            "a", feature="of a", tenant="of a", environment="prod", endpoint="/x", resource_keys=",endpoint,"
        ),
    ]
    found = links([mine], spans)["c"]
    told = {key: found[key] for key in ATTRIBUTION_KEYS if found[key] is not None}
    assert told == {
        "feature": "of the span",
        "tenant": "of a",
        "team": "of its resource",
        "agent": "writer",
        "environment": "prod",
        "endpoint": "/x",
    }
    assert found["resource_keys"] == ",team,endpoint,"


def test_a_chain_may_cross_one_midnight_whatever_the_window() -> None:
    """A day at a time says the same as a month at once: what needs a third day is followed by neither."""
    days = ["2026-11-01 23:59:00", "2026-11-02 00:01:00", "2026-11-03 00:01:00"]
    spans = [other("r", started_at=days[0], feature="search")]
    requests = [
        call("1", started_at=days[1], unresolved_parent_span_id="r"),
        call("2", started_at=days[2], unresolved_parent_span_id="1"),
        call("3", started_at=days[2], unresolved_parent_span_id="r"),
    ]
    monthly = links(requests, spans, MONTH)
    assert {name: (row["feature"], row["is_wrapper"]) for name, row in monthly.items()} == {
        "1": ("search", True)
    }
    for day, following in (("01", "02"), ("02", "03"), ("03", "04")):
        window = {"start": f"2026-11-{day}", "end": f"2026-11-{following}"}
        expected = {name: row for name, row in monthly.items() if str(row["span_date"]) == window["start"]}
        assert links(requests, spans, window) == expected


def test_a_span_of_two_files_has_one_link() -> None:
    """In one file its parent is there, in the other it is not; both say the same in the end."""
    twice = [
        call("c", x_snapshot_id="f1", parent_span_id="p", unresolved_parent_span_id="p"),
        call("c", x_snapshot_id="f2", parent_span_id="p", feature="search"),
    ]
    found = links(twice, [other("p", x_snapshot_id="f2", feature="search")])
    assert found["c"]["feature"] == "search"


def spans_of(given: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return run_model("staging.spans", given, DAY)


def test_a_span_is_one_row_however_often_it_came() -> None:
    early = other("a", x_snapshot_id="f1", ended_at=None)
    late = other("a", x_snapshot_id="f2", status="error")
    for delivered in ([early, late], [late, early], [early, late, late | {"x_snapshot_id": "f3"}]):
        (row,) = spans_of({"lake.spans": [*delivered, other(None), other("b", trace_id=None)]})
        assert (row["status"], row["x_snapshot_id"]) == ("error", "f2")


def test_a_wrapper_is_a_chain_of_the_tree() -> None:
    found = spans_of(
        {
            "lake.spans": [other("a", feature="own")],
            "lake.requests": [call("1", status="ok"), call("2", status="ok")],
            "staging.span_links": [
                {"span_date": "2026-11-02", "trace_id": "t", "span_id": "1", "is_wrapper": True},
                {
                    "span_date": "2026-11-02",
                    "trace_id": "t",
                    "span_id": "a",
                    "is_wrapper": False,
                    "agent": "writer",
                },
            ],
        }
    )
    told = [(row["span_id"], row["span_kind"], row["feature"], row["agent"]) for row in found]
    assert told == [("1", "chain", None, None), ("a", "other", "own", "writer")]
