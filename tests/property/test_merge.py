"""Reports of the same calls give the same attempts, however they are cut into files, ordered and repeated.

What belongs here: random reports with hostile ids, and laws of merging. What must not: worked cases (tests/sql).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.common.datasets import REQUESTS
from pipelines.warehouse.engine import (
    EngineSettings,
    open_connection,
    quote_relation,
    render_empty,
    render_typed,
)
from tests.sql.chain import Inputs, load_models
from tests.sql.reported_calls import KINDS, report

MIDNIGHT = datetime(2026, 11, 2)
ONE_DAY = timedelta(days=1)
PROVENANCE = "x_snapshot_id"
OWN_ID = "chatcmpl-2299b6a2-82a3-465a-b47c-04e685a2227f"
"""An id as gateways make for clients, which may stand for a provider's."""
IDS = st.one_of(
    st.none(),
    st.sampled_from(("a", "b", "c", "a'; drop table x --", "span:t:s", "response:a", " ", "é\u202e", OWN_ID)),
)
MOMENTS = st.sampled_from(
    (
        -3600 * 5,
        -3601,
        -3600,
        -1800,
        -2,
        -1,
        0,
        1,
        2,
        1800,
        3599,
        3600,
        3601,
        3600 * 9,
        3600 * 24,
        3600 * 23 + 1,
    )
)
TOKENS = st.one_of(st.none(), st.integers(0, 3))

Report = Mapping[str, Any]
Attempt = dict[str, Any]


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """One report of a call: few ids, so that many meet; seconds around a midnight, so that many cross it."""
    kind = draw(st.sampled_from(KINDS))
    tokens = draw(TOKENS)
    ids = {"provider_request_id": draw(IDS), "call_id": draw(IDS), "logical_call_id": draw(IDS)}
    span = (
        {"trace_id": draw(st.sampled_from(("t", "u"))), "span_id": draw(IDS)} if draw(st.booleans()) else {}
    )
    if not (ids["provider_request_id"] or ids["call_id"] or span.get("span_id")):
        ids["call_id"] = "a"
    told = {
        "user_id": draw(st.sampled_from((None, "ann", "ben"))),
        "feature": draw(st.sampled_from((None, "search", "|chat"))),
        "status": draw(st.sampled_from(("ok", "error"))),
        "region_id": draw(st.sampled_from((None, "eu-west-1"))),
        "reported_cost": draw(st.sampled_from((None, "0.25"))),
        "attempt_number": draw(st.sampled_from((None, 1, 2))),
    }
    given = [key for key in ("user_id", "feature") if told[key] and draw(st.booleans())]
    told["resource_keys"] = f",{','.join(given)}," if given else None
    at = MIDNIGHT + timedelta(seconds=draw(MOMENTS))
    usage = {} if tokens is None else {"output_tokens": tokens, "uncached_input_tokens": tokens * 2}
    return report(f"source-{kind}", kind, at, **ids, **span, **told, **usage)


class Merger:
    """The models of merging over one connection: lake in, attempts out, a day at a time or all days at once."""

    def __init__(self) -> None:
        self._models = load_models()
        self._connection = open_connection(":memory:", EngineSettings(threads=1))
        tables = Inputs({}).tables()
        for name in ("lake.requests", "reference.settings", "reference.request_ranks"):
            self._create(name, tables[name])
        self._create_empty("staging.span_links")

    def merge(self, rows: Sequence[Report], *, is_by_day: bool = False) -> list[Attempt]:
        """Attempts without the snapshot they are from, in an order of their own."""
        table = pa.Table.from_pylist([_typed(row) for row in rows], schema=REQUESTS.schema)
        days = sorted({row["started_at"].date() for row in rows})
        spans = [(day, day + ONE_DAY) for day in days] if is_by_day else [(days[0], days[-1] + ONE_DAY)]
        identities = pa.concat_tables([self._identities(table, *span) for span in spans])
        attempts = pa.concat_tables([self._attempts(table, identities, *span) for span in spans])
        self._create("lake.requests", table)
        self._create("staging.shared_identities", identities)
        self._create("staging.shared_attempts", attempts)
        found = self._connection.execute(self._models["staging.requests"].sql).to_arrow_table().to_pylist()
        attempts_found = [{key: row[key] for key in row if key != PROVENANCE} for row in found]
        return sorted(attempts_found, key=repr)

    def _identities(self, table: pa.Table, start: date, end: date) -> pa.Table:
        self._create("lake.requests", _between(table, "started_at", start - ONE_DAY, end + ONE_DAY))
        return self._run("staging.shared_identities", start, end)

    def _attempts(self, table: pa.Table, identities: pa.Table, start: date, end: date) -> pa.Table:
        before, after = start - ONE_DAY, end + ONE_DAY
        self._create("lake.requests", _between(table, "started_at", before, after))
        self._create("staging.shared_identities", _between(identities, "report_date", before, after))
        return self._run("staging.shared_attempts", start, end)

    def _run(self, name: str, start: date, end: date) -> pa.Table:
        model = self._models[name]
        sql = render_typed(model.sql, model.columns)
        return self._connection.execute(sql, {"start": start, "end": end}).to_arrow_table()

    def _create(self, name: str, table: pa.Table) -> None:
        self._connection.execute(f"create schema if not exists {name.split('.')[0]}")
        self._connection.register("given_rows", table)
        self._connection.execute(
            f"create or replace table {quote_relation(name)} as select * from given_rows"
        )
        self._connection.unregister("given_rows")

    def _create_empty(self, name: str) -> None:
        columns = render_empty(self._models[name].columns)
        self._connection.execute(f"create schema if not exists {name.split('.')[0]}")
        self._connection.execute(f"create or replace table {quote_relation(name)} as {columns}")


def _between(table: pa.Table, column: str, start: date, end: date) -> pa.Table:
    """The rows of the days from `start` to before `end`: what the files of those days hold."""
    days = table[column].cast(pa.date32())
    return table.filter(pc.and_(pc.greater_equal(days, start), pc.less(days, end)))


def _typed(row: Report) -> dict[str, Any]:
    money = row["reported_cost"]
    return {**row, "reported_cost": None if money is None else Decimal(money)}


MERGER = Merger()


def _into_files(rows: Sequence[Report], files: Sequence[int]) -> list[Report]:
    """The same reports from other files: their snapshots differ, nothing else."""
    return [
        {**row, "x_snapshot_id": f"{row['x_source']}-{file}"} for row, file in zip(rows, files, strict=True)
    ]


def _without_counts(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Attempts without the number of their reports, which counts deliveries."""
    return [{key: attempt[key] for key in attempt if key != "reports"} for attempt in attempts]


SLOW = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(st.data(), st.lists(reports(), min_size=1, max_size=9))
def test_files_order_and_repeats_change_nothing(data: st.DataObject, rows: list[Report]) -> None:
    files = data.draw(st.lists(st.integers(1, 3), min_size=len(rows), max_size=len(rows)))
    again = data.draw(st.lists(st.integers(4, 6), min_size=len(rows), max_size=len(rows)))
    delivered = data.draw(st.permutations([*_into_files(rows, files), *_into_files(rows, again)]))
    assert _without_counts(MERGER.merge(delivered)) == _without_counts(MERGER.merge(rows))


@SLOW
@given(st.lists(reports(), min_size=1, max_size=9))
def test_a_day_alone_equals_all_days_at_once(rows: list[Report]) -> None:
    assert MERGER.merge(rows, is_by_day=True) == MERGER.merge(rows)


@SLOW
@given(st.lists(reports(), min_size=1, max_size=9))
def test_every_report_is_in_exactly_one_attempt(rows: list[Report]) -> None:
    merged = MERGER.merge(rows)
    assert sum(attempt["reports"] for attempt in merged) == len(rows)
    keys = [(attempt["started_at"].date(), attempt["request_id"]) for attempt in merged]
    assert len(set(keys)) == len(keys)


def _told(kind: str, hours: float, **ids: str) -> Report:
    at = MIDNIGHT + timedelta(hours=hours)
    stated = {"provider_request_id": None, "reported_cost": None}
    return {**stated, **report(f"source-{kind}", kind, at, **ids, output_tokens=1)}


KNOWN_BEFORE = [
    _told("gateway", -5, provider_request_id="a"),
    _told("span", -1, call_id="b"),
    _told("gateway", 0, provider_request_id="a", call_id="b"),
]
"""An id of the day before that a report after midnight leads a call of the hour before it to."""

UNKNOWN_BEFORE = KNOWN_BEFORE[1:]

HIDDEN_BEFORE = [
    _told("gateway", -4, provider_request_id=OWN_ID),
    _told("gateway", -0.5, provider_request_id=OWN_ID, call_id="b"),
    _told("provider_log", 0.5, provider_request_id="a", call_id="b"),
]

TWO_NAMES = [
    _told("gateway", -6, provider_request_id="c", call_id="b"),
    _told("span", -1, call_id="b"),
    _told("gateway", 0, provider_request_id="a", call_id="b"),
]


@SLOW
@given(st.lists(reports(), min_size=1, max_size=9))
@example(KNOWN_BEFORE)
@example(UNKNOWN_BEFORE)
@example(HIDDEN_BEFORE)
@example(TWO_NAMES)
def test_ids_of_the_provider_are_one_attempt_a_day_each(rows: list[Report]) -> None:
    told = [
        (attempt["provider_request_id"], attempt["started_at"].date())
        for attempt in MERGER.merge(rows)
        if attempt["provider_request_id"] is not None
    ]
    assert len(set(told)) == len(told)
    stated = {row["provider_request_id"] for row in rows} - {None}
    assert stated - {OWN_ID} <= {name for name, _ in told} <= stated


@SLOW
@given(st.lists(reports(), min_size=1, max_size=9))
def test_tokens_are_those_of_a_report(rows: list[Report]) -> None:
    told = {(row.get("uncached_input_tokens"), row.get("output_tokens")) for row in rows}
    merged = MERGER.merge(rows)
    assert {(attempt["uncached_input_tokens"], attempt["output_tokens"]) for attempt in merged} <= told
    assert (sum(attempt["output_tokens"] is not None for attempt in merged) > 0) == any(
        "output_tokens" in row for row in rows
    )


def test_an_id_brought_after_midnight_names_the_attempts_of_the_day_before() -> None:
    for rows, reports_of in ((KNOWN_BEFORE, 3), (UNKNOWN_BEFORE, 2), (HIDDEN_BEFORE, 3)):
        for is_by_day in (False, True):
            (attempt,) = MERGER.merge(rows, is_by_day=is_by_day)
            assert (attempt["request_id"], attempt["reports"]) == ("response:a", reports_of)
            assert attempt["started_at"] < MIDNIGHT


def test_a_call_of_two_ids_follows_the_one_that_came_last() -> None:
    told = {(attempt["request_id"], attempt["reports"]) for attempt in MERGER.merge(TWO_NAMES)}
    assert told == {("response:a", 2), ("response:c", 1)}


def test_four_reports_of_one_id_are_one_attempt() -> None:
    """The laws above would hold of a merge that never merged: here four reports are one attempt."""
    rows = [
        {**report(f"source-{kind}", kind, provider_request_id="a", call_id="b"), "reported_cost": None}
        for kind in KINDS
    ]
    (attempt,) = MERGER.merge(rows)
    assert (attempt["reports"], attempt["x_sources"]) == (
        4,
        "source-file,source-gateway,source-provider_log,source-span",
    )
