"""How good past forecasts were, once their days are known.

Here: scores of stored forecasts against actual money. Not here: making forecasts.
Skill is measured against the seasonal naive model made at the same origin, the bar that is hard to beat.
"""

import math
from decimal import ROUND_HALF_UP, Decimal

import polars as pl

SHARE = pl.Decimal(18, 12)
SERIES_KEYS: tuple[str, ...] = ("scope", "feature", "cost_driver", "zone", "measure", "currency")
SCORE_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(SERIES_KEYS, pl.String()),
    "scored_days_count": pl.Int64(),
    "wape_share": SHARE,
    "naive_wape_share": SHARE,
    "skill_share": SHARE,
    "coverage_80_share": SHARE,
    "coverage_90_share": SHARE,
    "width_80_share": SHARE,
    "bias_share": SHARE,
}


def score_forecasts(forecasts: pl.DataFrame, actuals: pl.DataFrame) -> pl.DataFrame:
    """Score every series of `forecasts` over all its days that `actuals` knows, and each scope pooled.

    `forecasts` has the columns of `forecast.FORECAST_SCHEMA`, from any number of origins. `actuals`:
    target_date, scope, feature, cost_driver, zone, measure, currency, cost (Decimal), settled days only,
    including the week before each origin (else that forecast has no naive bar and counts for coverage and
    WAPE only). Output columns: `SCORE_SCHEMA`. WAPE = sum |actual - p50| / sum |actual|; skill = 1 - its
    error / the naive error on the days where both exist; coverage = share of actuals inside p10…p90 or
    p05…p95; width = mean band / mean |actual|; bias = sum (p50 - actual) / sum |actual|. The row with scope
    `all_<scope>` pools the series of a scope after dividing each by its own mean |actual|, so that large
    series do not hide small ones. Null where undefined.
    """
    scored = _join_actuals(forecasts, actuals)
    keys = list(SERIES_KEYS)
    each = _score(scored, keys)
    level = pl.col("actual").abs().mean().over(keys)
    money = ["actual", "p05", "p10", "p50", "p90", "p95", "naive"]
    pooled = (
        scored.with_columns(level.alias("level"))
        .filter(pl.col("level") > 0)
        .with_columns(pl.col(name) / pl.col("level") for name in money)
        .with_columns(
            pl.format("all_{}", "scope").alias("scope"),
            *(pl.lit(None, pl.String).alias(name) for name in ("feature", "cost_driver", "zone", "currency")),
        )
    )
    rows = pl.concat([each, _score(pooled, keys)]).sort(keys, nulls_last=False)
    return pl.DataFrame(
        [{name: _to_share(value) for name, value in row.items()} for row in rows.iter_rows(named=True)],
        schema=SCORE_SCHEMA,
        orient="row",
    )


def _join_actuals(forecasts: pl.DataFrame, actuals: pl.DataFrame) -> pl.DataFrame:
    """Forecast days with their actual and the seasonal naive forecast of the same origin, as floats."""
    known = actuals.group_by(*SERIES_KEYS, "target_date").agg(pl.col("cost").sum().cast(pl.Float64))
    first = pl.col("target_date").min().over([*SERIES_KEYS, "forecast_made_at"])
    days_ahead = (pl.col("target_date") - first).dt.total_days()
    weeks_back = days_ahead // 7 + 1
    quantiles = ("p05", "p10", "p50", "p90", "p95")
    return (
        forecasts.with_columns(pl.col(name).cast(pl.Float64) for name in quantiles)
        .with_columns((pl.col("target_date") - pl.duration(days=weeks_back * 7)).alias("naive_date"))
        .join(
            known.rename({"cost": "actual"}),
            on=[*SERIES_KEYS, "target_date"],
            how="inner",
            nulls_equal=True,
            validate="m:1",
        )
        .join(
            known.rename({"cost": "naive", "target_date": "naive_date"}),
            on=[*SERIES_KEYS, "naive_date"],
            how="left",
            nulls_equal=True,
            validate="m:1",
        )
    )


def _score(scored: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The formulas of `score_forecasts`, one row a group, as floats (NaN where a divisor is zero)."""
    actual, p50, naive = pl.col("actual"), pl.col("p50"), pl.col("naive")
    size = actual.abs().sum()
    has_naive = naive.is_not_null()
    naive_error = (actual - naive).abs().sum()
    return (
        scored.group_by(keys)
        .agg(
            pl.len().cast(pl.Int64).alias("scored_days_count"),
            ((actual - p50).abs().sum() / size).alias("wape_share"),
            (naive_error / actual.filter(has_naive).abs().sum()).alias("naive_wape_share"),
            (1 - (actual - p50).filter(has_naive).abs().sum() / naive_error).alias("skill_share"),
            actual.is_between(pl.col("p10"), pl.col("p90")).mean().alias("coverage_80_share"),
            actual.is_between(pl.col("p05"), pl.col("p95")).mean().alias("coverage_90_share"),
            ((pl.col("p90") - pl.col("p10")).sum() / size).alias("width_80_share"),
            ((p50 - actual).sum() / size).alias("bias_share"),
        )
        .sort(keys)
    )


def _to_share(value: object) -> object:
    """Floats as shares, half up at 12 digits; undefined ones as null."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return Decimal(repr(value)).quantize(Decimal("0.000000000001"), rounding=ROUND_HALF_UP)
