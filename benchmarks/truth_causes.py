"""Whether the causes that reconciliation names are the true ones, in dollars.

What belongs here: what each cause truly came to, by the answer key, and how far `marts.reconciliation` is from it.
What must not: reading either side (`truth_measures`).

What is missing in the logs is worth what the bill charges for it; discounts and price changes are those of the calls
that logs hold; retries and failed work are told beside the difference (`included_cost`), not as part of it. Only the
gateway's log says which attempt a call was.
"""

from __future__ import annotations

import polars as pl

from benchmarks.truth_measures import Facts, Truth

UNIT = 1e12
SMALL_DOLLARS = 1.0  # a cause that is off by less is right
OWN = ("bypass", "discount", "price_version", "tax", "credits", "retries", "failed_attempts")
GROUPS = ("unlogged",)  # aborted, sampled and lost calls leave the same trace
INCLUDED = ("retries", "failed_attempts")


def true_causes(truth: Truth) -> pl.DataFrame:
    """One row a cause and currency: what it truly came to."""
    paid = truth.calls.filter(pl.col("cost").is_not_null()).with_columns(
        tokens_cost=pl.col("cost") - pl.col("web_search_cost")
    )
    reason, is_logged = pl.col("unlogged_reason"), pl.col("is_logged")
    amounts = {
        "bypass": (reason == "bypass", pl.col("tokens_cost")),
        "unlogged": (reason.is_in(["aborted", "sampled", "lost_day"]), pl.col("tokens_cost")),
        "discount": (is_logged, pl.col("tokens_cost") - pl.col("list_cost")),
        "price_version": (is_logged, pl.col("list_cost") - pl.col("book_cost")),
        "retries": (pl.col("in_gateway") & (pl.col("attempt_number") > 1), pl.col("tokens_cost")),
        "failed_attempts": (is_logged & (pl.col("outcome") == "error"), pl.col("tokens_cost")),
    }
    frames = [
        paid.filter(rows)
        .group_by("currency")
        .agg(amount.sum().alias("true"))
        .with_columns(cause=pl.lit(cause))
        for cause, (rows, amount) in amounts.items()
    ]
    kinds = {"tax": "tax", "credits": "credit"}
    frames += [
        truth.bills.filter(pl.col("kind") == kind)
        .group_by("currency")
        .agg(pl.col("billed").sum().alias("true"))
        .with_columns(cause=pl.lit(cause))
        for cause, kind in kinds.items()
    ]
    return pl.concat(frames).select("cause", "currency", pl.col("true").cast(pl.Float64) / UNIT)


def stated_causes(facts: Facts) -> pl.DataFrame:
    """One row a cause and currency: what the release says it came to, and how much of that it cannot explain."""
    rows = facts.reconciliation.filter(
        pl.col("charge_date").is_not_null() & (pl.col("cost_state") != "estimated")
    )
    amount = (
        pl.when(pl.col("cause").is_in(INCLUDED))
        .then(pl.col("included_cost"))
        .otherwise(pl.col("difference_cost"))
    )
    return rows.group_by("cause", "currency").agg(amount.cast(pl.Float64).sum().alias("stated"))


def compare_causes(facts: Facts, truth: Truth) -> pl.DataFrame:
    """True and stated amount of each cause by currency; `error` is relative, 0 where it is off by a dollar at most."""
    joined = true_causes(truth).join(
        stated_causes(facts), on=["cause", "currency"], how="full", coalesce=True
    )
    off = (pl.col("stated") - pl.col("true")).abs()
    relative = off / pl.col("true").abs().clip(lower_bound=1e-9)
    return (
        joined.with_columns(pl.col("true", "stated").fill_null(0))
        .with_columns(
            off=off,
            relative=relative,
            error=pl.when(off <= SMALL_DOLLARS).then(0.0).otherwise(relative),
            is_judged=pl.col("cause").is_in([*OWN, *GROUPS]),
        )
        .sort("off", descending=True)
    )


def measure_causes(facts: Facts, truth: Truth) -> tuple[float, float]:
    """The largest error of a cause, and the share of billed model usage whose difference nothing explains."""
    judged = compare_causes(facts, truth).filter("is_judged")
    rows = facts.reconciliation.filter(pl.col("charge_date").is_not_null())
    keys = ["charge_date", "provider", "billing_account_id", "model", "token_class", "currency"]
    usage = rows.group_by(keys).agg(pl.col("billed_cost").cast(pl.Float64).max())
    unexplained = rows.filter(pl.col("cause") == "unexplained")
    lost = unexplained.select(pl.col("difference_cost_absolute").cast(pl.Float64).sum()).item()
    billed = usage.select(pl.col("billed_cost").sum()).item()
    return judged.select(pl.col("error").max()).item() or 0.0, (lost or 0.0) / (billed or 1.0)
