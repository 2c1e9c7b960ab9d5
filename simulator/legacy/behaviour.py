"""What happens: every user action as a tree of steps, down to each model call with its tokens.

What belongs here: agents, retries, aborted calls, the batch job nobody instrumented, the retry loop.
What must not: money, or how a span or a bill line is written.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from simulator.legacy import company
from simulator.legacy.company import (
    GPT_MINI,
    HAIKU,
    PRODUCTION,
    SONNET,
    STAGING,
    Account,
    Feature,
    Model,
    Period,
    User,
)

WEEKDAY_FACTORS = (1.12, 1.2, 1.18, 1.14, 1.0, 0.34, 0.28)
GROWTH_PER_DAY = 0.004
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 8, 12, 15, 16, 15, 13, 15, 17, 17, 15, 12, 9, 7, 6, 5, 4, 3)
BATCH_JOB_SHARE = 0.03
ABORTED_SHARE = 0.008
ERROR_SHARE = 0.006
LOST_ROOT_SHARE = 0.006
IDENTITY_ON_EVERY_SPAN_SHARE = 0.3
NO_USER_SHARE = 0.025
STAGING_SHARE = 0.05


@dataclass
class Call:
    """One attempt of one model call; the three input counts are disjoint."""

    model: Model
    account: Account
    started_at: datetime
    ended_at: datetime
    uncached_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    outcome: str  # ok | error | aborted | bypass

    @property
    def input_tokens(self) -> int:
        """All input tokens, cached ones included, as OTel counts them."""
        return self.uncached_tokens + self.cache_read_tokens + self.cache_write_tokens


@dataclass
class Step:
    """One step of an action: the root, an agent, a tool or a model call, with the steps below it."""

    kind: str  # server | agent | tool | chat
    name: str
    service: str
    zone: str
    started_at: datetime
    ended_at: datetime
    is_error: bool = False
    call: Call | None = None
    children: list[Step] = field(default_factory=list)


@dataclass
class Action:
    """What one user asked for once, and everything that the agents did for it."""

    feature: Feature
    user: User | None
    user_id_as_logged: str | None
    tenant: str
    account: Account
    session: str
    root: Step
    has_identity_everywhere: bool
    is_root_lost: bool

    @property
    def calls(self) -> list[Call]:
        """Every model call of the action, aborted ones included."""
        return [step.call for step in walk(self.root) if step.call is not None]


def walk(step: Step) -> Iterator[Step]:
    """`step` and all steps below it, parents first."""
    yield step
    for child in step.children:
        yield from walk(child)


class Script:
    """Writes one action step by step; a clock moves forward with each step."""

    def __init__(self, rng: random.Random, feature: Feature, account: Account, started_at: datetime) -> None:
        self.rng = rng
        self.account = account
        self.now = started_at
        self.service = feature.agents_service
        self.root = self._step("server", f"POST {feature.endpoint}", company.EDGE_SERVICE)
        self._open = [self.root]

    def _step(self, kind: str, name: str, service: str) -> Step:
        is_staging = self.account is STAGING and service != company.AZURE_SERVICE
        zones = company.STAGING_ZONES if is_staging else company.SERVICE_ZONES[service]
        return Step(kind, name, service, self.rng.choice(zones), self.now, self.now)

    def _wait(self, seconds: float) -> None:
        self.now += timedelta(milliseconds=round(seconds * 1000))

    @contextmanager
    def agent(self, name: str, service: str | None = None) -> Iterator[None]:
        """All steps written inside the `with` belong to the agent `name`."""
        step = self._step("agent", name, service or self.service)
        self._open[-1].children.append(step)
        self._open.append(step)
        self._wait(0.02)
        yield
        self._wait(0.01)
        step.ended_at = self.now
        self._open.pop()

    def tool(self, name: str, *, is_error: bool = False) -> None:
        """One tool call of 0.05 to 3 seconds."""
        parent = self._open[-1]
        step = self._step("tool", name, parent.service)
        self._wait(self.rng.triangular(0.05, 3.0, 0.3))
        step.ended_at = self.now
        step.is_error = is_error
        parent.children.append(step)

    def chat(
        self, model: Model, fresh: tuple[int, int], output: tuple[int, int], read: int = 0, write: int = 0
    ) -> None:
        """One model call: `fresh` uncached input and `output` tokens by range; cached tokens as given."""
        if self.rng.random() < ERROR_SHARE:
            self._attempt(model, (0, 0, 0, 0), "error")
            self._wait(1.0)
        fresh_tokens, output_tokens = self._between(fresh), self._between(output)
        read = read // 128 * 128 if model is GPT_MINI else read
        outcome = "aborted" if self.rng.random() < ABORTED_SHARE else "ok"
        self._attempt(model, (fresh_tokens, read, write, output_tokens), outcome)

    def _between(self, bounds: tuple[int, int]) -> int:
        low, high = bounds
        return int(self.rng.triangular(low, high, low + (high - low) * 0.35))

    def _attempt(self, model: Model, tokens: tuple[int, int, int, int], outcome: str) -> None:
        parent = self._open[-1]
        step = self._step("chat", model.request_model, parent.service)
        step.zone = parent.zone
        self._wait(0.4 + tokens[3] * self.rng.uniform(0.011, 0.019))
        step.ended_at = self.now
        step.is_error = outcome == "error"
        account = company.AZURE_SUBSCRIPTION if model is GPT_MINI else self.account
        step.call = Call(model, account, step.started_at, step.ended_at, *tokens, outcome)
        parent.children.append(step)

    def close(self) -> Step:
        """End the root and give it back."""
        self._wait(0.05)
        self.root.ended_at = self.now
        return self.root


def _support_chat(script: Script) -> None:
    rng = script.rng
    with script.agent("router", company.AZURE_SERVICE):
        script.chat(GPT_MINI, (9_000, 40_000), (60, 400), read=rng.choice((0, 6_400, 14_000)))
    prefix = rng.randrange(6_000, 16_000)
    with script.agent("support_agent"):
        is_warm = rng.random() < 0.7
        script.chat(
            HAIKU, (900, 4_000), (150, 700), read=prefix if is_warm else 0, write=0 if is_warm else prefix
        )
        for turn in range(rng.choice((0, 1, 1, 2, 3))):
            script.tool(("lookup_order", "search_kb", "lookup_order")[turn])
            script.chat(HAIKU, (600, 3_500), (200, 900), read=prefix + 800 * turn)
        if rng.random() < 0.55:
            with script.agent("escalation_writer"):
                script.chat(SONNET, (9_000, 26_000), (500, 1_600), read=2_200)


def _doc_search(script: Script) -> None:
    rng = script.rng
    with script.agent("query_rewriter", company.AZURE_SERVICE):
        script.chat(GPT_MINI, (8_000, 30_000), (80, 500), read=rng.choice((0, 4_900)))
    with script.agent("answer_writer"):
        for _hop in range(rng.choice((1, 1, 2))):
            script.tool("vector_search")
            with script.agent("reranker"):
                script.chat(HAIKU, (18_000, 52_000), (80, 400), read=1_300)
        script.chat(SONNET, (30_000, 60_000), (900, 3_200), read=2_600)
        if rng.random() < 0.05:
            script.chat(SONNET, (24_000, 57_000), (600, 2_200), read=2_600)


def _code_review(script: Script, repeats: int) -> None:
    rng = script.rng
    prefix = rng.randrange(22_000, 44_000)
    with script.agent("planner"):
        script.tool("fetch_diff")
        script.chat(SONNET, (12_000, 30_000), (1_500, 4_500), write=prefix)
        for _file in range(rng.choice((2, 3, 3, 4))):
            with script.agent("file_reviewer"):
                for _round in range(repeats):
                    script.chat(SONNET, (24_000, 58_000), (2_000, 6_200), read=prefix)
                    script.tool("run_tests", is_error=repeats > 1)
                    script.chat(SONNET, (26_000, 60_000), (1_400, 4_200), read=prefix)
        with script.agent("test_writer"):
            for _round in range(repeats):
                script.chat(HAIKU, (16_000, 50_000), (1_200, 4_200))
        for _round in range(repeats):
            script.chat(SONNET, (10_000, 28_000), (800, 2_600), read=prefix)
        for _round in range(repeats):
            with script.agent("summariser"):
                script.chat(HAIKU, (5_000, 16_000), (300, 900))


def _start_of_action(rng: random.Random, day: date, feature: Feature) -> datetime:
    """A time of day; some reviews are queued by the merge train just before midnight."""
    if feature.name == "code_review" and rng.random() < 0.04:
        return company.midnight(day) + timedelta(hours=23, minutes=57, milliseconds=rng.randrange(180_000))
    hour = rng.choices(range(24), HOUR_WEIGHTS)[0]
    return company.midnight(day) + timedelta(hours=hour, milliseconds=rng.randrange(3_600_000))


def _user_id_as_logged(rng: random.Random, user: User) -> str | None:
    """Most services log the id as it is; a few keep the case or the link that they were given."""
    draw = rng.random()
    if draw < NO_USER_SHARE:
        return None
    if draw < NO_USER_SHARE + 0.02:
        return user.user_id.title()
    return f"mailto:{user.user_id}" if draw < NO_USER_SHARE + 0.03 else user.user_id


def build_action(
    rng: random.Random, feature: Feature, day: date, period: Period, users: list[User]
) -> Action:
    """One action of `feature` that starts on `day`."""
    user = rng.choices(users, [user.weight for user in users])[0]
    account = STAGING if feature.name == "code_review" and rng.random() < STAGING_SHARE else PRODUCTION
    script = Script(rng, feature, account, _start_of_action(rng, day, feature))
    if feature.name == "support_chat":
        _support_chat(script)
    elif feature.name == "doc_search":
        _doc_search(script)
    else:
        _code_review(script, 3 if day >= period.spike_start else 1)
    return Action(
        feature=feature,
        user=user,
        user_id_as_logged=_user_id_as_logged(rng, user),
        tenant=user.tenant,
        account=account,
        session=f"s-{rng.getrandbits(40):010x}",
        root=script.close(),
        has_identity_everywhere=rng.random() < IDENTITY_ON_EVERY_SPAN_SHARE,
        is_root_lost=rng.random() < LOST_ROOT_SHARE,
    )


def _day_weights(period: Period) -> dict[date, float]:
    return {
        day: WEEKDAY_FACTORS[day.weekday()] * (1 + GROWTH_PER_DAY * index)
        for index, day in enumerate(period.days)
    }


def build_actions(period: Period, requests: int, seed: int, users: list[User]) -> list[Action]:
    """All actions of the run, about `requests` model calls in total, ordered by start.

    The retry loop multiplies the calls of an action, not the actions, so its days stand out.
    """
    weights = _day_weights(period)
    loop_days = sum(weight for day, weight in weights.items() if day >= period.spike_start)
    total = (
        sum(weights.values())
        + 2 * next(f for f in company.FEATURES if f.name == "code_review").share_of_calls * loop_days
    )
    actions: list[Action] = []
    for day, weight in weights.items():
        for feature in company.FEATURES:
            rng = random.Random(f"{seed}:{day}:{feature.name}")
            calls = requests * weight / total * feature.share_of_calls
            count = int(calls / feature.calls_per_action * rng.uniform(0.92, 1.08) + rng.random())
            actions.extend(build_action(rng, feature, day, period, users) for _ in range(count))
    return sorted(actions, key=lambda action: (action.root.started_at, action.session))


def build_batch_calls(period: Period, requests: int, seed: int) -> list[Call]:
    """Calls of the nightly digest job, which writes no span: only the bill knows of them."""
    rng = random.Random(f"{seed}:batch")
    calls: list[Call] = []
    per_day = requests * BATCH_JOB_SHARE / len(period.days)
    for day in period.days:
        at = company.midnight(day) + timedelta(hours=2, minutes=10)
        for _ in range(int(per_day + rng.random())):
            at += timedelta(seconds=rng.randrange(4, 20))
            fresh, output = rng.randrange(20_000, 60_000), rng.randrange(400, 1_500)
            calls.append(
                Call(HAIKU, PRODUCTION, at, at + timedelta(seconds=9), fresh, 0, 0, output, "bypass")
            )
    return calls
