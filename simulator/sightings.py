"""Which log saw which call, how often, under which name and clock: where the habits of logs are drawn.

What belongs here: the columns that `logs` renders beside a call's true ones, and the reason where no log holds it.
What must not: true use (`calls`), formats.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from simulator import company
from simulator.habits import Habits

SKEWED_ZONES = {("review-agents", "us-east-1c"): 1_900, ("triage", "westeurope-2"): -740}  # milliseconds
LATE_DAYS = 4


def _draws(rng: np.random.Generator, rows: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {f"_{name}": rng.random(rows) for name in names}


def _skew(habits: Habits) -> pl.Expr:
    """Milliseconds that a replica's clock is ahead."""
    skew = pl.lit(0)
    for (service, zone), milliseconds in SKEWED_ZONES.items():
        is_there = (pl.col("service") == service) & (pl.col("caller_zone") == zone)
        skew = pl.when(is_there).then(round(milliseconds * habits.clock_skew)).otherwise(skew)
    return skew.cast(pl.Int64)


def find_sampled_traces(identity: pl.DataFrame, habits: Habits, seed: int) -> pl.DataFrame:
    """One row an action: `is_sampled_out` where the head sampler of one feature dropped its trace."""
    draw = np.random.default_rng([seed, 10]).random(len(identity))
    is_out = (pl.col("feature") == company.SAMPLED_FEATURE) & (pl.col("_draw") < habits.sampled_spans)
    return identity.with_columns(_draw=draw).with_columns(is_sampled_out=is_out).drop("_draw")


def add_span_sightings(
    spans: pl.DataFrame, period: company.Period, habits: Habits, seed: int
) -> pl.DataFrame:
    """Steps around calls: whether their span was delivered, how often, and how wrong its clock was."""
    rng = np.random.default_rng([seed, 11])
    is_lost = (pl.col("ended_at").dt.date() == period.lost_log_day) & (habits.lost_log_days > 0)
    is_lost_root = pl.col("is_root_lost") & (pl.col("kind") == "server")
    return (
        spans.with_columns(_copy=rng.random(len(spans)))
        .with_columns(
            in_span=~(is_lost | is_lost_root | pl.col("is_sampled_out")),
            span_copies=pl.when(pl.col("_copy") < habits.duplicates).then(2).otherwise(1).cast(pl.Int64),
            clock_skew_ms=_skew(habits),
        )
        .drop("_copy")
    )


def _names(habits: Habits) -> pl.Expr:
    aliases = {key: route.alias for key, route in company.ROUTES.items() if route.alias}
    plain = {key: route.request_model for key, route in company.ROUTES.items()}
    names = plain | aliases if habits.model_aliases > 0 else plain
    return pl.col("route").replace_strict(names)


def add_call_sightings(
    calls: pl.DataFrame, period: company.Period, habits: Habits, seed: int
) -> pl.DataFrame:
    """Every call with what each log says of it; `unlogged_reason` is null where some log holds it."""
    rng = np.random.default_rng([seed, 12])
    draws = _draws(rng, len(calls), ("several", "span", "gateway", "provider", "late", "lag"))
    is_lost = (pl.col("ended_at").dt.date() == period.lost_log_day) & (habits.lost_log_days > 0)
    is_product = (pl.col("path") == "product") & (pl.col("outcome") != "aborted")
    is_extra = is_product & (pl.col("_several") < habits.several_emitters)
    is_gateway = pl.col("feature").is_in(company.GATEWAY_FEATURES)
    logged_accounts = [company.ACCOUNTS[key].account_id for key in company.PROVIDER_LOG_ACCOUNTS]
    is_provider = pl.col("account_id").is_in(logged_accounts) & pl.col("provider_request_id").is_not_null()
    is_provider &= pl.col("provider") != "vllm"
    in_span = is_product & ~is_lost & ~pl.col("is_sampled_out").fill_null(value=False)

    def copies(draw: str) -> pl.Expr:
        return pl.when(pl.col(draw) < habits.duplicates).then(2).otherwise(1).cast(pl.Int64)

    is_logged = pl.col("in_span") | pl.col("in_gateway") | pl.col("in_provider_log")
    reason = (
        pl.when(is_logged)
        .then(None)
        .when(pl.col("path") == "bypass")
        .then(pl.lit("bypass"))
        .when(pl.col("outcome") == "aborted")
        .then(pl.lit("aborted"))
        .when(is_lost)
        .then(pl.lit("lost_day"))
        .otherwise(pl.lit("sampled"))
    )
    names = {key: route.request_model for key, route in company.ROUTES.items()}
    answers = {key: route.response_model for key, route in company.ROUTES.items()}
    return (
        calls.with_columns(**draws)
        .with_columns(
            in_span=in_span,
            in_gateway=is_extra & is_gateway,
            in_provider_log=is_extra & is_provider,
            span_copies=copies("_span"),
            gateway_copies=copies("_gateway"),
            provider_log_copies=copies("_provider"),
            clock_skew_ms=_skew(habits),
            logged_model=_names(habits),
            request_model=pl.col("route").replace_strict(names),
            response_model=pl.col("route").replace_strict(answers),
            bill_lag_days=pl.when(pl.col("_late") < habits.late_bill_rows)
            .then(1 + (pl.col("_lag") * LATE_DAYS).cast(pl.Int64))
            .otherwise(0),
        )
        .with_columns(unlogged_reason=reason)
        .drop(*draws)
    )
