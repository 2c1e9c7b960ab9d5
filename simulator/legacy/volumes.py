"""What is metered: bytes per day, zone pair and log group, and all of it per cloud.

What belongs here: the physical volumes behind egress and monitoring lines, which the flow summaries and
telemetry files report and the clouds bill. What must not: prices or file formats.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from simulator.legacy.behaviour import Action, Call
from simulator.legacy.company import AZURE_SUBSCRIPTION, PRODUCTION, STAGING, Account, Period

MEGABYTE = 1_000_000
WEEKEND_SHARE = 0.45


@dataclass(frozen=True)
class Route:
    """Traffic that flows every day; `per_action` megabytes are added for each action of `feature`."""

    provider: str
    account: Account
    traffic_kind: str  # inter_az | internet | nat
    from_zone: str
    to_zone: str
    from_ref: str
    to_ref: str
    base_megabytes: int
    feature: str = ""
    per_action_megabytes: int = 0


@dataclass(frozen=True)
class Emitter:
    """A log group or Log Analytics table that is written every day."""

    provider: str
    account: Account
    signal: str  # log | metric | trace
    workload_ref: str
    base_megabytes: int
    feature: str = ""
    per_call_kilobytes: int = 0


@dataclass(frozen=True)
class Flow:
    """Bytes that one route moved on one day, as the workloads' hosts counted them."""

    day: date
    route: Route
    bytes: int


@dataclass(frozen=True)
class Emission:
    """Bytes that one emitter wrote on one day."""

    day: date
    emitter: Emitter
    bytes: int


@dataclass(frozen=True)
class Usage:
    """All that one cloud metered in the run."""

    period: Period
    calls: list[Call]
    flows: list[Flow]
    emissions: list[Emission]

    def of_cloud(self, cloud: str) -> Usage:
        """The part that `cloud` (`aws` or `azure`) meters."""
        return Usage(
            self.period,
            [call for call in self.calls if (call.model.provider == "azure.ai.openai") == (cloud == "azure")],
            [flow for flow in self.flows if flow.route.provider == cloud],
            [emission for emission in self.emissions if emission.emitter.provider == cloud],
        )


DOMAIN = "quillworks-docs"
UNKNOWN_REF = "eni-0c41d7a9b3e8f5162"
MOVED_REF = "eni-07b2e6f01d94ac38e"


def _route(account: Account, kind: str, source: str, target: str, refs: str, base: int, *extra: Any) -> Route:
    """A route; `refs` is `from>to`, `extra` a feature and the megabytes that each of its actions adds."""
    from_ref, _, to_ref = refs.partition(">")
    provider = "azure" if account is AZURE_SUBSCRIPTION else "aws"
    return Route(provider, account, kind, source, target, from_ref, to_ref, base, *extra)


_aws = partial(_route, PRODUCTION)
_staging = partial(_route, STAGING)
_azure = partial(_route, AZURE_SUBSCRIPTION)

ROUTES = (
    _aws("inter_az", "us-east-1b", "us-east-1a", f"search-agents>{DOMAIN}", 38_000, "doc_search", 900),
    _aws("inter_az", "us-east-1a", "us-east-1b", f"{DOMAIN}>search-agents", 96_000, "doc_search", 4_200),
    _aws("inter_az", "us-east-1a", "us-east-1c", f"{DOMAIN}>search-agents", 88_000, "doc_search", 3_900),
    _aws("inter_az", "us-east-1a", "us-east-1b", "public-api>search-agents", 21_000, "doc_search", 120),
    _aws("inter_az", "us-east-1b", "us-east-1c", "public-api>support-agents", 34_000, "support_chat", 90),
    _aws(
        "inter_az", "us-east-1c", "us-east-1a", "support-agents>conversations-db", 47_000, "support_chat", 210
    ),
    _aws(
        "inter_az", "us-east-1a", "us-east-1c", "review-agents>review-sandbox", 52_000, "code_review", 1_900
    ),
    _aws("inter_az", "us-east-1c", "us-east-1a", "review-sandbox>review-agents", 24_000, "code_review", 800),
    _aws("inter_az", "us-east-1b", "us-east-1a", f"{MOVED_REF}>conversations-db", 18_000),
    _aws("inter_az", "us-east-1c", "us-east-1b", f"{UNKNOWN_REF}>{DOMAIN}", 33_000),
    _aws("internet", "us-east-1a", "internet", "public-api>", 64_000, "support_chat", 60),
    _aws("internet", "us-east-1b", "internet", "public-api>", 41_000, "doc_search", 240),
    _aws("nat", "us-east-1c", "internet", "review-sandbox>", 58_000, "code_review", 700),
    _aws("nat", "us-east-1a", "internet", "support-agents>", 26_000, "support_chat", 40),
    _staging("inter_az", "us-east-1a", "us-east-1b", "review-agents-staging>review-sandbox-staging", 9_000),
    _azure("inter_az", "westeurope-1", "westeurope-2", "triage>triage-cache", 19_000, "support_chat", 45),
    _azure("internet", "westeurope-1", "internet", "triage>", 22_000, "support_chat", 30),
)

EMITTERS = (
    Emitter("aws", PRODUCTION, "log", "/ecs/public-api", 7_400),
    Emitter("aws", PRODUCTION, "log", "/ecs/support-agents", 3_200, "support_chat", 9_000),
    Emitter("aws", PRODUCTION, "log", "/ecs/search-agents", 2_800, "doc_search", 14_000),
    Emitter("aws", PRODUCTION, "log", "/ecs/review-agents", 3_900, "code_review", 38_000),
    Emitter("aws", PRODUCTION, "log", "/aws/eks/quillworks/cluster", 4_600),
    Emitter("aws", PRODUCTION, "log", "/aws/opensearch/quillworks-docs", 2_100, "doc_search", 2_000),
    Emitter("aws", STAGING, "log", "/ecs/review-agents-staging", 900),
    Emitter("azure", AZURE_SUBSCRIPTION, "log", "triage-app-logs", 1_500, "support_chat", 4_000),
    Emitter("azure", AZURE_SUBSCRIPTION, "trace", "triage-app-traces", 700, "support_chat", 2_000),
)


def count_activity(actions: list[Action]) -> tuple[Counter[tuple[date, str]], Counter[tuple[date, str]]]:
    """Actions and model calls per (day, feature), by the day on which the action started."""
    action_counts: Counter[tuple[date, str]] = Counter()
    call_counts: Counter[tuple[date, str]] = Counter()
    for action in actions:
        key = (action.root.started_at.date(), action.feature.name)
        action_counts[key] += 1
        call_counts[key] += len(action.calls)
    return action_counts, call_counts


def _day_factor(day: date, rng: random.Random) -> float:
    return (WEEKEND_SHARE if day.weekday() >= 5 else 1.0) * rng.uniform(0.93, 1.07)


def build_flows(period: Period, actions: list[Action], seed: int) -> list[Flow]:
    """One flow per day and route."""
    counts, _ = count_activity(actions)
    flows = []
    for day in period.days:
        rng = random.Random(f"{seed}:flows:{day}")
        for route in ROUTES:
            base = route.base_megabytes * MEGABYTE * _day_factor(day, rng)
            extra = (
                counts[(day, route.feature)] * route.per_action_megabytes * MEGABYTE * rng.uniform(0.9, 1.1)
            )
            flows.append(Flow(day, route, int(base + extra)))
    return flows


def build_emissions(period: Period, actions: list[Action], seed: int) -> list[Emission]:
    """One emission per day and emitter."""
    _, calls = count_activity(actions)
    emissions = []
    for day in period.days:
        rng = random.Random(f"{seed}:telemetry:{day}")
        for emitter in EMITTERS:
            base = emitter.base_megabytes * MEGABYTE * _day_factor(day, rng)
            extra = (
                calls[(day, emitter.feature)] * emitter.per_call_kilobytes * 1000 * rng.uniform(0.95, 1.05)
            )
            emissions.append(Emission(day, emitter, int(base + extra)))
    return emissions
