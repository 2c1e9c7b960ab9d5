"""Any sequence of restated answers and failures ends in the last truth, in whatever order things come.

What belongs here: the property over the real OpenAI client and a real server. What must not: single cases
(`tests/contract`).
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.openai.client import land
from connectors.openai.settings import Settings
from tests.servers.openai import OpenAIServer, completion, cost
from tests.servers.rest import Reply, run_rest

FIRST = datetime(2026, 11, 14)
KEY = "sk-admin-0123456789"
DAYS = 4
OVERLAP = 3


@dataclass(frozen=True)
class Answer:
    """What OpenAI says of a day at a time: cents of cost lines, and requests."""

    cents: tuple[int, ...]
    requests: int


ANSWERS = st.builds(Answer, st.lists(st.integers(-500, 500), max_size=3).map(tuple), st.integers(0, 3))
NIGHTS = st.lists(
    st.tuples(
        st.lists(ANSWERS, min_size=DAYS, max_size=DAYS),
        st.lists(st.sampled_from([None, None, 500, 410, 200]), max_size=4),
        st.sampled_from([1, 2, 31]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


def know(server: OpenAIServer, answers: list[Answer], *, is_reversed: bool) -> None:
    """Let the server say this of the days, its results in one order or the other."""
    costs, used = [], []
    for number, answer in enumerate(answers):
        at = FIRST + timedelta(days=number, hours=number)
        for place, cents in enumerate(answer.cents):
            costs.append((at, cost(str(Decimal(cents).scaleb(-2)), f"model-{place}, input")))
        if answer.requests:
            used.append((at, completion(num_model_requests=answer.requests)))
    server.data = {
        "costs": costs[::-1] if is_reversed else costs,
        "completions": used[::-1] if is_reversed else used,
    }


def fault(status: int | None) -> Reply | None:
    if status is None:
        return None
    return Reply(status, '{"da', {"Content-Type": "application/json"})


def read(report: SourceReport) -> list[tuple[Decimal, int]]:
    """Dollars and requests of each day, as they count now."""
    found = [[Decimal(0), 0] for _ in range(DAYS)]
    for file in report.current_files:
        for row in pq.read_table(file.path).to_pylist():
            if file.dataset == "charges":
                found[(row["charge_period_start"] - FIRST).days][0] += row["billed_cost"]
            elif row["usage_kind"] == "requests":
                found[(row["bucket_start"] - FIRST).days][1] += int(row["quantity"])
    return [(Decimal(dollars), int(requests)) for dollars, requests in found]


def truth(answers: list[Answer]) -> list[tuple[Decimal, int]]:
    return [(Decimal(sum(answer.cents)).scaleb(-2), answer.requests) for answer in answers]


@given(nights=NIGHTS, last=st.lists(ANSWERS, min_size=DAYS, max_size=DAYS))
@settings(max_examples=15, deadline=None)
def test_the_last_truth_wins_and_a_run_more_adds_nothing(
    nights: list[tuple[list[Answer], list[int | None], int, bool]], last: list[Answer]
) -> None:
    os.environ["OPENAI_ADMIN_KEY"] = KEY
    server = OpenAIServer(KEY)
    with tempfile.TemporaryDirectory() as folder, run_rest(server) as running:
        source = Settings(
            name="openai",
            organization_id="org-test",
            endpoint=f"{running.url}/v1",
            first_day=FIRST.date(),
            usage=("completions",),
            overlap_days=OVERLAP,
            attempts=1,
        )
        now = FIRST + timedelta(days=DAYS, hours=2)
        context = LandingContext(Path(folder), now, Identity(b"key"), {})
        for answers, faults, buckets, is_reversed in nights:
            know(server, answers, is_reversed=is_reversed)
            server.faults = [fault(status) for status in faults]
            server.buckets_a_page = buckets
            land(source, context)
        know(server, last, is_reversed=False)
        server.faults, server.buckets_a_page = [], None
        report = land(source, context)
        assert not report.has_fault, report.findings
        # the first day ended longer ago than the overlap: it is final as soon as it was read once
        assert read(report)[1:] == truth(last)[1:]
        told = [truth(answers)[0] for answers in [*(night[0] for night in nights), last]]
        dollars, requests = read(report)[0]
        assert dollars in {known[0] for known in told} and requests in {known[1] for known in told}
        know(server, last, is_reversed=True)
        again = land(source, context)
        assert read(again) == read(report)
        assert len(again.deliveries) == len(report.deliveries)
