"""What happens: every user action as a tree of steps, down to each attempt of each model call.

What belongs here: when actions start, which variant they go, tokens, durations, cache hits and losses, retries
and fallbacks. What must not: money, which log sees a call (`sightings`), or how anything is written.
All of it is drawn for all actions at once in numpy arrays; a row of `Steps` is a step of an action.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from simulator.company import FEATURES, PTU_HOURS, SERVICES, Period, Users
from simulator.events import Events, find_cold_calls
from simulator.scripts import AGENT, CALL, SLOTS, TOOL, VARIANTS, Slot, Variant

WEEKDAY_FACTORS = (1.12, 1.2, 1.18, 1.14, 1.0, 0.34, 0.28)
GROWTH_PER_DAY = 0.004
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 8, 12, 15, 16, 15, 13, 15, 17, 17, 15, 12, 9, 7, 6, 5, 4, 3)
MERGE_TRAIN_SHARE = 0.04  # of code reviews start in the last three minutes of the day
ERROR_SHARE = 0.006  # of calls are throttled at first
FALLBACK_SHARE = 0.4  # of throttled calls go to another provider, where there is one
WASTED_SHARE = 0.002  # of calls answer with something that the agent cannot use: paid, and an error
FALLBACKS = {"support_haiku": "support_haiku_fallback", "review_sonnet": "review_sonnet_fallback"}
GPU_ROUTES = ("summary_gpu", "summary_own")
FEATURE_NAMES = tuple(FEATURES)
STREAMED_FEATURES = [FEATURE_NAMES.index(name) for name in ("support_chat", "doc_search", "code_review")]
STREAMED_SHARE = sum(tuple(FEATURES.values())[index].share_of_calls for index in STREAMED_FEATURES)
SERVICE_NAMES = tuple(SERVICES)
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

Array = np.ndarray


@dataclass(frozen=True)
class Actions:
    """One row an action: what one user asked for once. Times are microseconds since 1970."""

    started: Array
    variant: Array
    feature: Array
    user: Array
    zone_draw: Array
    prefix_draw: Array


@dataclass(frozen=True)
class Steps:
    """One row a step, actions one after another and parents first. `*_us` are microseconds."""

    action: Array
    node: Array
    parent: Array
    started: Array
    ended: Array
    failed_attempts: Array
    failed_us: Array
    is_fallback: Array
    slot: Array
    cache_state: Array
    tokens: Array
    reasoning: Array
    tier_draw: Array
    web_searches: Array
    queue_us: Array
    prefill_us: Array
    decode_us: Array
    is_wasted: Array
    is_aborted: Array


CACHE_STATES = ("none", "hit", "cold", "lost_after_deploy", "lost_after_scale_up")


@dataclass(frozen=True)
class NodeTable:
    """The steps of all variants one below the other; `start` and `count` find a variant's."""

    start: Array
    count: Array
    kind: Array
    parent: Array
    slot: Array
    service: Array
    name: Array
    is_error: Array
    first_leaf: Array
    last_leaf: Array
    agent: Array
    feature: Array


def _agent_of(variant: Variant, index: int) -> str:
    """The name of the agent that a step is, or that runs it."""
    while index != -1:
        node = variant.nodes[index]
        if node.kind == AGENT:
            return node.name
        index = node.parent
    return ""


def build_node_table() -> NodeTable:
    """All variants' steps as arrays."""
    counts = np.array([len(variant.nodes) for variant in VARIANTS])
    nodes = [node for variant in VARIANTS for node in variant.nodes]
    agents = [_agent_of(variant, index) for variant in VARIANTS for index in range(len(variant.nodes))]
    features = [FEATURE_NAMES.index(variant.feature) for variant in VARIANTS]
    return NodeTable(
        start=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        count=counts,
        kind=np.array([node.kind for node in nodes]),
        parent=np.array([node.parent for node in nodes]),
        slot=np.array([node.slot for node in nodes]),
        service=np.array([SERVICE_NAMES.index(node.service) for node in nodes]),
        name=np.array([node.name for node in nodes], dtype=object),
        is_error=np.array([node.is_error for node in nodes]),
        first_leaf=np.array([node.first_leaf for node in nodes]),
        last_leaf=np.array([node.last_leaf for node in nodes]),
        agent=np.array(agents, dtype=object),
        feature=np.repeat(np.array(features), counts),
    )


NODES = build_node_table()


def _mean_calls(feature: str) -> float:
    usual = [v for v in VARIANTS if v.feature == feature and not v.in_spike and v.weight]
    return sum(v.calls * v.weight for v in usual) / sum(v.weight for v in usual)


def count_actions(period: Period, requests: float, rng: np.random.Generator) -> Array:
    """Actions by day and feature, so that about `requests` calls come of them.

    The retry loop multiplies the calls of an action, not the actions, so its days stand out.
    """
    weights = np.array([WEEKDAY_FACTORS[day.weekday()] for day in period.days])
    weights = weights * (1 + GROWTH_PER_DAY * np.arange(len(weights)))
    loops = sum(w for w, day in zip(weights, period.days, strict=True) if day >= period.spike_start)
    total = weights.sum() + 1.6 * FEATURES["code_review"].share_of_calls * loops
    shares = np.array([feature.share_of_calls for feature in FEATURES.values()])
    means = np.array([_mean_calls(name) for name in FEATURES])
    expected = requests * weights[:, None] / total * (shares / means)[None, :]
    return np.floor(expected * rng.uniform(0.92, 1.08, expected.shape) + rng.random(expected.shape)).astype(
        int
    )


def _choose_variants(rng: np.random.Generator, feature: Array, is_spike: Array, is_ptu_time: Array) -> Array:
    chosen = np.zeros(len(feature), dtype=np.int64)
    draw = rng.random(len(feature))
    for index, name in enumerate(FEATURE_NAMES):
        has_spike = any(v.in_spike for v in VARIANTS if v.feature == name)
        for spike in (False, True):
            rows = (feature == index) & (is_spike == spike)
            options = [
                i
                for i, v in enumerate(VARIANTS)
                if v.feature == name and (not has_spike or v.in_spike == spike or v.calls == 2)
            ]
            weights = np.cumsum([VARIANTS[i].weight for i in options])
            chosen[rows] = np.array(options)[np.searchsorted(weights / weights[-1], draw[rows], side="right")]
    ptu, nano = (
        next(i for i, v in enumerate(VARIANTS) if v.nodes[-1].name == route)
        for route in ("triage_ptu", "triage_nano")
    )
    return np.where((chosen == ptu) & ~is_ptu_time, nano, chosen)


def build_actions(period: Period, requests: float, seed: int, users: Users) -> Actions:
    """All actions of the run, ordered by start."""
    rng = np.random.default_rng([seed, 2])
    counts = count_actions(period, requests, rng)
    days, features = np.indices(counts.shape)
    day, feature = (np.repeat(values.ravel(), counts.ravel()) for values in (days, features))
    hours = np.array(HOUR_WEIGHTS) / sum(HOUR_WEIGHTS)
    hour = rng.choice(24, len(day), p=hours)
    within = (hour * 3_600_000 + rng.integers(0, 3_600_000, len(day))) * 1000
    is_train = (feature == FEATURE_NAMES.index("code_review")) & (rng.random(len(day)) < MERGE_TRAIN_SHARE)
    within = np.where(is_train, DAY - 180 * SECOND + rng.integers(0, 180_000, len(day)) * 1000, within)
    # Nothing of the run is left for the day after it: what would start late on the last day starts earlier.
    is_late = (day == len(period.days) - 1) & (within > DAY - 2 * HOUR)
    within = np.where(is_late, within - 3 * HOUR, within)
    first = np.datetime64(period.start, "us").astype(np.int64)
    started = first + day * DAY + within
    order = np.argsort(started, kind="stable")
    started, day, feature = started[order], day[order], feature[order]
    is_weekday = np.array([d.weekday() < 5 for d in period.days])[day]
    within = started % DAY
    is_ptu_time = (
        is_weekday & (within >= PTU_HOURS.start * HOUR) & (within < PTU_HOURS.stop * HOUR - 300 * SECOND)
    )
    is_spike = day >= (period.spike_start - period.start) // timedelta(days=1)
    return Actions(
        started=started,
        variant=_choose_variants(rng, feature, is_spike, is_ptu_time),
        feature=feature,
        user=rng.choice(len(users.weights), len(day), p=users.weights),
        zone_draw=rng.random((len(day), len(SERVICE_NAMES))),
        prefix_draw=rng.random(len(day)),
    )


def _slot_values(name: str, index: int | None = None) -> Array:
    values = [getattr(slot, name) for slot in SLOTS]
    return np.array([value[index] for value in values] if index is not None else values)


def _between(rng: np.random.Generator, slot: Array, name: str) -> Array:
    low, high = _slot_values(name, 0)[slot], _slot_values(name, 1)[slot]
    return np.floor(rng.triangular(low, low + (high - low) * 0.35, high + 1)).astype(np.int64)


def _draw_tokens(rng: np.random.Generator, slot: Array, prefix_draw: Array, cache_state: Array) -> Array:
    """Five disjoint token classes (rows as in `prices.TOKEN_CLASSES`) of each call."""
    fresh, output = _between(rng, slot, "fresh"), _between(rng, slot, "output")
    low, high = _slot_values("prefix", 0)[slot], _slot_values("prefix", 1)[slot]
    prefix = np.floor(low + prefix_draw * (high - low)).astype(np.int64)
    cache = _slot_values("cache")[slot]
    is_hit = cache_state == CACHE_STATES.index("hit")
    is_auto, is_none = cache == "auto", cache == "none"
    read = np.where(is_hit, np.where(is_auto, prefix // 128 * 128, prefix), 0)
    tokens = np.zeros((5, len(slot)), dtype=np.int64)
    tokens[0] = fresh + np.where(is_auto | is_none, prefix - read, 0)
    tokens[1] = read
    tokens[2] = np.where(~is_hit & (cache == "5m"), prefix, 0)
    tokens[3] = np.where(~is_hit & (cache == "1h"), prefix, 0)
    tokens[4] = output
    return tokens


def _draw_speeds(rng: np.random.Generator, slot: Array, tokens: Array) -> tuple[Array, Array, Array]:
    """Microseconds in the queue, of prefill and of decode; provisioned throughput is linear in tokens."""
    routes = _slot_values("route")[slot]
    is_gpu, is_ptu = np.isin(routes, GPU_ROUTES), routes == "triage_ptu"
    rows = len(slot)
    worked = tokens[0] + tokens[2] + tokens[3]
    prefill = worked * np.where(is_gpu, rng.integers(90, 140, rows), rng.integers(20, 50, rows))
    decode = tokens[4] * np.where(
        is_gpu, rng.integers(24_000, 34_000, rows), rng.integers(11_000, 19_000, rows)
    )
    prefill, decode = np.where(is_ptu, worked * 100, prefill), np.where(is_ptu, tokens[4] * 200, decode)
    return rng.integers(150_000, 600_000, rows), prefill, decode


def build_steps(actions: Actions, events: Events, aborted_share: float, seed: int) -> Steps:
    """Every step of every action with its tokens and times; `aborted_share` of all calls are cut off."""
    rng = np.random.default_rng([seed, 3])
    counts = NODES.count[actions.variant]
    action = np.repeat(np.arange(len(counts)), counts)
    base = np.repeat(np.cumsum(counts) - counts, counts)
    position = np.arange(len(action)) - base
    node = NODES.start[actions.variant][action] + position
    kind, slot = NODES.kind[node], NODES.slot[node]
    calls = np.flatnonzero(kind == CALL)
    rows = len(calls)

    route = _slot_values("route")[slot[calls]]
    failed = (rng.random(rows) < ERROR_SHARE).astype(np.int64) * rng.choice((1, 2), rows, p=(0.85, 0.15))
    has_fallback = np.isin(route, list(FALLBACKS))
    is_fallback = (failed > 0) & has_fallback & (rng.random(rows) < FALLBACK_SHARE)

    # Times are needed to know what a deploy made cold, tokens to know times: an action's start stands for its calls.
    cold = find_cold_calls(
        events, NODES.service[node[calls]], actions.started[action[calls]], rng.random(rows)
    )
    has_prefix = _slot_values("cache")[slot[calls]] != "none"
    is_cold = (rng.random(rows) < _slot_values("cold_share")[slot[calls]]) | is_fallback
    state = np.where(cold > 0, cold + 2, np.where(is_cold, 2, 1))
    state = np.where(has_prefix, state, 0)
    tokens = _draw_tokens(rng, slot[calls], actions.prefix_draw[action[calls]], state)
    is_aborted = rng.random(rows) < aborted_share / STREAMED_SHARE
    is_aborted &= np.isin(NODES.feature[node[calls]], STREAMED_FEATURES)
    tokens[4] = np.where(is_aborted, tokens[4] * rng.uniform(0.1, 0.9, rows), tokens[4])
    queue, prefill, decode = _draw_speeds(rng, slot[calls], tokens)

    failed_us = failed * (SECOND + rng.integers(400_000, 1_400_000, rows) // 1000 * 1000)
    spent = np.zeros(len(action), dtype=np.int64)
    spent[calls] = (failed_us + queue + prefill + decode) // 1000 * 1000
    tools = np.flatnonzero(kind == TOOL)
    spent[tools] = (rng.triangular(0.05, 0.3, 3.0, len(tools)) * 1000).astype(np.int64) * 1000
    spent += 5_000  # every step begins a little after the one before it
    after = np.cumsum(spent)
    before = after - spent
    offset = actions.started[action] - before[base]
    is_leaf = (kind == CALL) | (kind == TOOL)
    started = np.where(is_leaf, before + 5_000, before) + offset
    ended = after[np.where(is_leaf, base + position, base + NODES.last_leaf[node])] + offset
    ended += np.where(is_leaf, 0, np.where(kind == AGENT, 2_000, 50_000))

    wide = np.zeros(len(action), dtype=np.int64)

    def widen(values: Array) -> Array:
        result = wide.astype(values.dtype)
        result[calls] = values
        return result

    slots: list[Slot] = SLOTS
    most_searches = np.array([s.web_searches for s in slots])[slot[calls]]
    reasoning = np.array([s.reasoning_share for s in slots])[slot[calls]]
    all_tokens = np.zeros((5, len(action)), dtype=np.int64)
    all_tokens[:, calls] = tokens
    return Steps(
        action=action,
        node=node,
        parent=np.where(position == 0, -1, base + NODES.parent[node]),
        started=started,
        ended=ended,
        failed_attempts=widen(failed),
        failed_us=widen(failed_us),
        is_fallback=widen(is_fallback),
        slot=slot,
        cache_state=widen(state),
        tokens=all_tokens,
        reasoning=widen((tokens[4] * reasoning * rng.uniform(0.6, 1.0, rows)).astype(np.int64)),
        tier_draw=widen(rng.random(rows)),
        web_searches=widen(rng.integers(0, most_searches + 1)),
        queue_us=widen(queue),
        prefill_us=widen(prefill),
        decode_us=widen(decode),
        is_wasted=widen((rng.random(rows) < WASTED_SHARE) & ~is_aborted),
        is_aborted=widen(is_aborted),
    )
