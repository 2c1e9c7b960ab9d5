"""The frame `calls`: one row an attempt of a model call, true in every column; and `spans`, the steps around them.

What belongs here: who caused a call, where it ran, what it used, how it ended. What must not: which log saw it
(`sightings`), prices, files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from simulator import behaviour, company
from simulator.behaviour import CACHE_STATES, DAY, NODES, Actions, Steps
from simulator.habits import Habits
from simulator.identifiers import as_uuid, build_hex
from simulator.prices import BAND_LIMIT_TOKENS, BANDED_MODELS, CLOUD_OF_PROVIDER, TOKEN_CLASSES
from simulator.scripts import CALL, KINDS, SLOTS

Array = np.ndarray
ROUTES = tuple(company.ROUTES.values())
ROUTE_KEYS = tuple(company.ROUTES)
FEATURES = tuple(company.FEATURES.values())
SERVICES = tuple(company.SERVICES.values())
HOST_WEIGHTS = (0.4, 0.35, 0.25)
BYPASS_ROUTES = ("digest_haiku", "notebook_sonnet", "notebook_mini")
BYPASS_WEIGHTS = (0.5, 0.25, 0.25)


def _gather(values: Sequence[str] | Array, index: Array) -> pl.Series:
    """`values[index]` as a text column, null where the index is negative."""
    series = pl.Series(values=list(values), dtype=pl.String)
    picked = pl.Series(np.where(index < 0, 0, index)).cast(pl.UInt32)
    gathered = series.gather(picked)
    if (index < 0).any():
        gathered = gathered.set(pl.Series(index < 0), None)
    return gathered


def _time(values: Array) -> pl.Series:
    return pl.Series(values).cast(pl.Datetime("us"))


@dataclass(frozen=True)
class Places:
    """Where each service of an action runs: indexes into `company.ZONES` by row."""

    zone: Array
    service: Array


def _find_places(actions: Actions, action: Array, service: Array) -> Places:
    draw = actions.zone_draw[action, service]
    zone = np.zeros(len(action), dtype=np.int64)
    for index, entry in enumerate(SERVICES):
        rows = service == index
        options = np.array(
            [company.ZONES.index(company.find_zone(entry.account, name)) for name in entry.zones]
        )
        zone[rows] = options[(draw[rows] * len(options)).astype(int)]
    return Places(zone, service)


def _place_columns(places: Places) -> dict[str, pl.Series]:
    zones = company.ZONES
    return {
        "service": _gather([service.name for service in SERVICES], places.service),
        "caller_cloud": _gather([company.ACCOUNTS[z.account].cloud for z in zones], places.zone),
        "caller_account_id": _gather([company.ACCOUNTS[z.account].account_id for z in zones], places.zone),
        "caller_region": _gather([zone.region for zone in zones], places.zone),
        "caller_zone": _gather([zone.name for zone in zones], places.zone),
        "caller_zone_id": _gather([zone.zone_id for zone in zones], places.zone),
    }


def build_identity(actions: Actions, users: company.Users, habits: Habits, seed: int) -> pl.DataFrame:
    """One row an action: who asked, as it is and as it is logged, and what the trace is called."""
    rng = np.random.default_rng([seed, 5])
    rows = len(actions.started)
    is_batch = actions.feature == behaviour.FEATURE_NAMES.index("catalog_enrichment")
    draw = rng.random(rows)
    odd = [user.title() if index % 3 else f"mailto:{user}" for index, user in enumerate(users.user_ids)]
    names = [feature.name for feature in FEATURES]
    is_staging = np.array([v.service == "review-agents-staging" for v in behaviour.VARIANTS])[actions.variant]
    logged = pl.when(pl.col("draw") < habits.no_user).then(None)
    logged = logged.when(pl.col("draw") < habits.no_user + habits.odd_user_ids).then(pl.col("odd"))
    return (
        pl.DataFrame(
            {
                "trace_id": build_hex(rng, rows, 32),
                "session_id": build_hex(rng, rows, 10),
                "user_id": _gather(users.user_ids, np.where(is_batch, -1, actions.user)),
                "odd": _gather(odd, np.where(is_batch, -1, actions.user)),
                "tenant": _gather(users.tenants, actions.user),
                "feature": _gather(names, actions.feature),
                "endpoint": _gather([f.endpoint for f in FEATURES], actions.feature),
                "workflow": _gather([f.workflow for f in FEATURES], actions.feature),
                "team": _gather([f.team for f in FEATURES], actions.feature),
                "environment": np.where(is_staging, "staging", "production").astype(object),
                "has_identity_everywhere": rng.random(rows) >= habits.identity_on_root_only,
                "is_root_lost": rng.random(rows) < habits.lost_roots,
                "draw": draw,
            }
        )
        .with_columns(logged.otherwise(pl.col("user_id")).alias("user_id_as_logged"))
        .drop("draw", "odd")
        .select(pl.all())
    )


def _pick_routes(steps: Steps, rows: Array, actions: Actions, seed: int) -> tuple[Array, Array]:
    """Route and serving host of each call; the host is -1 but for the summariser."""
    rng = np.random.default_rng([seed, 6])
    slot_routes = np.array([ROUTE_KEYS.index(slot.route) for slot in SLOTS])
    route = slot_routes[steps.slot[rows]]
    for source, target in behaviour.FALLBACKS.items():
        is_moved = steps.is_fallback[rows] & (route == ROUTE_KEYS.index(source))
        route = np.where(is_moved, ROUTE_KEYS.index(target), route)
    host_of_action = rng.choice(len(company.GPU_HOSTS), len(actions.started), p=HOST_WEIGHTS)
    is_gpu = route == ROUTE_KEYS.index("summary_gpu")
    host = np.where(is_gpu, host_of_action[steps.action[rows]], -1)
    is_own = np.array([h.account == "own_oslo" for h in company.GPU_HOSTS])[np.maximum(host, 0)] & is_gpu
    return np.where(is_own, ROUTE_KEYS.index("summary_own"), route), host


def _tiers(steps: Steps, rows: Array) -> Array:
    tier = np.full(len(rows), "standard", dtype=object)
    draw, slot = steps.tier_draw[rows], steps.slot[rows]
    for index, entry in enumerate(SLOTS):
        edges = np.cumsum([share for _, share in entry.tiers])
        names = np.array([name for name, _ in entry.tiers], dtype=object)
        mine = slot == index
        tier[mine] = names[np.minimum(np.searchsorted(edges, draw[mine], side="right"), len(names) - 1)]
    return tier


def _usage_columns(tokens: Array, reasoning: Array, rng: np.random.Generator) -> dict[str, pl.Series]:
    columns = {name: pl.Series(tokens[index]) for index, name in enumerate(TOKEN_CLASSES)}
    columns["reasoning_tokens"] = pl.Series(reasoning)
    prompt = tokens[:4].sum(axis=0)
    rows = len(prompt)
    columns["request_bytes"] = pl.Series(prompt * 4 + rng.integers(900, 2_400, rows))
    columns["response_bytes"] = pl.Series(tokens[4] * 5 + rng.integers(500, 1_500, rows))
    columns["log_bytes"] = pl.Series(1_200 + (prompt + tokens[4]) * 4)
    return columns


def _route_columns(route: Array, host: Array) -> dict[str, pl.Series]:
    accounts = [company.ACCOUNTS[entry.account] for entry in ROUTES]
    hosts = company.GPU_HOSTS
    is_ptu = route == ROUTE_KEYS.index("triage_ptu")
    resource, replica = (
        _gather([*(getattr(h, name) for h in hosts), ptu], np.where(is_ptu, len(hosts), host))
        for name, ptu in (("resource_id", company.PTU_RESOURCE), ("replica_id", company.PTU_DEPLOYMENT))
    )
    return {
        "route": _gather(list(ROUTE_KEYS), route),
        "provider": _gather([entry.provider for entry in ROUTES], route),
        "cloud": _gather([account.cloud for account in accounts], route),
        "billing_account_id": _gather([account.billing_account_id for account in accounts], route),
        "account_id": _gather([account.account_id for account in accounts], route),
        "region": _gather([entry.region for entry in ROUTES], route),
        "model": _gather([entry.model for entry in ROUTES], route),
        "api_key_id": _gather([entry.api_key_id for entry in ROUTES], route),
        "principal": _gather([entry.principal for entry in ROUTES], route),
        "resource_id": resource,
        "replica_id": replica,
    }


def build_action_calls(
    actions: Actions, steps: Steps, identity: pl.DataFrame, step_ids: pl.Series, seed: int
) -> pl.DataFrame:
    """The calls of all actions: failed attempts and the ones that answered, without ids of the provider."""
    rng = np.random.default_rng([seed, 7])
    call_rows = np.flatnonzero(NODES.kind[steps.node] == CALL)
    route, host = _pick_routes(steps, call_rows, actions, seed)
    tier = _tiers(steps, call_rows)
    failed = steps.failed_attempts[call_rows]
    # An attempt that answered comes last; those that failed come before it, each its part of the time lost.
    repeat = failed + 1
    index = np.repeat(np.arange(len(call_rows)), repeat)
    number = np.arange(len(index)) - np.repeat(np.cumsum(repeat) - repeat, repeat) + 1
    is_last = number == repeat[index]
    rows = call_rows[index]
    part = steps.failed_us[rows] // np.maximum(steps.failed_attempts[rows], 1)
    started = steps.started[rows] + np.where(is_last, steps.failed_us[rows], (number - 1) * part)
    ended = np.where(is_last, steps.ended[rows], started + part // 2)
    slot_route = np.array([ROUTE_KEYS.index(slot.route) for slot in SLOTS])[steps.slot[rows]]
    first_route = np.where(slot_route == ROUTE_KEYS.index("summary_gpu"), route[index], slot_route)
    tokens = np.where(is_last, steps.tokens[:, rows], 0)
    node = steps.node[rows]
    who = steps.action[rows]
    wasted = steps.is_wasted[rows] & is_last
    aborted = steps.is_aborted[rows] & is_last
    step_id = step_ids.gather(pl.Series(rows).cast(pl.UInt32))
    span_id = pl.select(
        pl.when(pl.Series(is_last)).then(step_id).otherwise(build_hex(rng, len(rows), 16))
    ).to_series()
    columns = {
        "span_id": span_id,
        "parent_span_id": step_ids.gather(pl.Series(steps.parent[rows]).cast(pl.UInt32)),
        "logical_call_id": step_id,
        "attempt_number": pl.Series(number),
        "is_retry": pl.Series((number > 1) & ~steps.is_fallback[rows]),
        "is_fallback": pl.Series(steps.is_fallback[rows] & is_last),
        "agent": _gather(NODES.agent, node),
        "agent_step": _gather([name.removesuffix("_fallback") for name in NODES.name], node),
        **_place_columns(_find_places(actions, who, NODES.service[node])),
        **_route_columns(np.where(is_last, route[index], first_route), host[index]),
        "service_tier": pl.Series(tier[index], dtype=pl.String),
        "cache_state": _gather(list(CACHE_STATES), np.where(is_last, steps.cache_state[rows], 0)),
        **_usage_columns(tokens, np.where(is_last, steps.reasoning[rows], 0), rng),
        "web_search_requests": pl.Series(np.where(is_last, steps.web_searches[rows], 0)),
        "queue_us": pl.Series(np.where(is_last, steps.queue_us[rows], 0)),
        "prefill_us": pl.Series(np.where(is_last, steps.prefill_us[rows], 0)),
        "decode_us": pl.Series(np.where(is_last, steps.decode_us[rows], 0)),
        "started_at": _time(started),
        "ended_at": _time(ended),
        "outcome": _gather(["error", "ok", "aborted"], np.where(aborted, 2, (is_last & ~wasted) * 1)),
        "error_type": _gather(["rate_limit_exceeded", "invalid_output"], np.where(wasted, 1, is_last * -1)),
        "path": pl.Series(["product"]).new_from_index(0, len(rows)),
    }
    calls = pl.DataFrame(columns)
    action_columns = identity[who] if len(who) else identity.clear()
    return pl.concat([action_columns, calls], how="horizontal")


def build_bypass_calls(period: company.Period, requests: int, habits: Habits, seed: int) -> pl.DataFrame:
    """Calls that no gateway and no span knows: the digest job of every night, and notebooks in office hours."""
    rng = np.random.default_rng([seed, 8])
    days = len(period.days)
    count = int(requests * habits.gateway_bypass)
    choice = rng.choice(len(BYPASS_ROUTES), count, p=BYPASS_WEIGHTS)
    route = np.array([ROUTE_KEYS.index(key) for key in BYPASS_ROUTES])[choice]
    is_job = choice == 0
    first = np.datetime64(period.start, "us").astype(np.int64)
    hour = np.where(is_job, rng.uniform(2.2, 4.5, count), rng.uniform(8, 18, count))
    started = first + rng.integers(0, days, count) * DAY + (hour * 3_600_000).astype(np.int64) * 1000
    tokens = np.zeros((5, count), dtype=np.int64)
    tokens[0] = rng.integers(6_000, 40_000, count)
    tokens[4] = rng.integers(400, 1_800, count)
    zone = company.ZONES.index(company.find_zone("aws_data", "us-east-1a"))
    places = Places(np.full(count, zone), np.zeros(count, dtype=np.int64))
    prefill, decode = tokens[0] * 30, tokens[4] * 14_000
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, count)
    service = np.where(is_job, "nightly-digest", "notebooks").astype(object)
    return pl.DataFrame(
        {
            **dict.fromkeys(("trace_id", "session_id", "user_id", "tenant", "feature"), nothing),
            **dict.fromkeys(("endpoint", "workflow", "user_id_as_logged", "parent_span_id"), nothing),
            **dict.fromkeys(("agent", "agent_step", "error_type"), nothing),
            "team": pl.Series(["knowledge"]).new_from_index(0, count),
            "environment": pl.Series(
                np.where(is_job, "production", "research").astype(object), dtype=pl.String
            ),
            "has_identity_everywhere": np.zeros(count, dtype=bool),
            "is_root_lost": np.zeros(count, dtype=bool),
            "span_id": build_hex(rng, count, 16),
            "logical_call_id": build_hex(rng, count, 16),
            "attempt_number": np.ones(count, dtype=np.int64),
            "is_retry": np.zeros(count, dtype=bool),
            "is_fallback": np.zeros(count, dtype=bool),
            **(_place_columns(places) | {"service": pl.Series(service, dtype=pl.String)}),
            **_route_columns(route, np.full(count, -1)),
            "service_tier": pl.Series(["standard"]).new_from_index(0, count),
            "cache_state": pl.Series(["none"]).new_from_index(0, count),
            **_usage_columns(tokens, np.zeros(count, dtype=np.int64), rng),
            "web_search_requests": np.zeros(count, dtype=np.int64),
            "queue_us": np.full(count, 200_000),
            "prefill_us": prefill,
            "decode_us": decode,
            "started_at": _time(started),
            "ended_at": _time(started + 200_000 + (prefill + decode) // 1000 * 1000),
            "outcome": pl.Series(["ok"]).new_from_index(0, count),
            "path": pl.Series(["bypass"]).new_from_index(0, count),
        }
    )


def add_ids(calls: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Sort by start and name each attempt as its provider and the gateway do; failed ones have no provider id."""
    rng = np.random.default_rng([seed, 9])
    calls = calls.sort("started_at", "span_id")
    provider = pl.col("provider")
    own = (
        pl.when(provider == "anthropic")
        .then(pl.format("msg_01{}", pl.col("_id").str.slice(0, 22)))
        .when(provider == "aws.bedrock")
        .then(as_uuid("_id"))
        .when(provider == "gcp.vertex_ai")
        .then(pl.col("_id").str.slice(0, 22))
        .otherwise(pl.format("chatcmpl-{}", pl.col("_id").str.slice(0, 29)))
    )
    has_answer = pl.col("outcome").is_in(["ok", "aborted"]) | (pl.col("error_type") == "invalid_output")
    prompt = pl.sum_horizontal(TOKEN_CLASSES[:4])
    band = pl.when(pl.col("model").is_in(BANDED_MODELS) & (prompt > BAND_LIMIT_TOKENS)).then(
        pl.lit("over_200k")
    )
    return (
        calls.with_columns(_id=build_hex(rng, len(calls), 32), _gateway=build_hex(rng, len(calls), 32))
        .with_columns(
            pl.when(has_answer).then(own).alias("provider_request_id"),
            as_uuid("_gateway").alias("gateway_call_id"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("call_index"),
            pl.col("started_at").dt.date().alias("day"),
            band.otherwise(pl.lit("base")).alias("context_band"),
            pl.col("provider").replace_strict(CLOUD_OF_PROVIDER).alias("price_cloud"),
        )
        .drop("_id", "_gateway")
    )


def build_spans(actions: Actions, steps: Steps, identity: pl.DataFrame, step_ids: pl.Series) -> pl.DataFrame:
    """Servers, agents and tools; agents repeat the sum of the calls below them, as their frameworks write it.

    Of a call that was cut off the agent never saw what it used.
    """
    rows = np.flatnonzero(NODES.kind[steps.node] != CALL)
    node = steps.node[rows]
    base = rows - (node - NODES.start[actions.variant[steps.action[rows]]])
    seen = np.where(steps.is_aborted, 0, steps.tokens)
    prompt = np.concatenate([[0], np.cumsum(seen[:4].sum(axis=0))])
    output = np.concatenate([[0], np.cumsum(seen[4])])
    first, last = base + NODES.first_leaf[node], base + NODES.last_leaf[node] + 1
    is_agent = NODES.kind[node] == KINDS.index("agent")
    who = steps.action[rows]
    return pl.concat(
        [
            identity[who] if len(who) else identity.clear(),
            pl.DataFrame(
                {
                    "span_id": step_ids.gather(pl.Series(rows).cast(pl.UInt32)),
                    "parent_span_id": pl.select(
                        pl.when(pl.Series(steps.parent[rows] >= 0)).then(
                            step_ids.gather(pl.Series(np.maximum(steps.parent[rows], 0)).cast(pl.UInt32))
                        )
                    ).to_series(),
                    "kind": _gather(list(KINDS), NODES.kind[node]),
                    "name": _gather(NODES.name, node),
                    "agent": _gather(NODES.agent, node),
                    **_place_columns(_find_places(actions, who, NODES.service[node])),
                    "started_at": _time(steps.started[rows]),
                    "ended_at": _time(steps.ended[rows]),
                    "is_error": NODES.is_error[node],
                    "input_tokens": np.where(is_agent, prompt[last] - prompt[first], 0),
                    "output_tokens": np.where(is_agent, output[last] - output[first], 0),
                }
            ),
        ],
        how="horizontal",
    )
