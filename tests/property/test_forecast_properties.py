"""What must hold of every forecast, whatever the history: order, sums, no look ahead, same bytes."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.domain.forecast import QUANTILE_COLUMNS, build_forecasts
from pipelines.domain.period_totals import build_period_total_quantiles

ORIGIN = date(2026, 5, 31)
MADE_AT = datetime(2026, 6, 1, 3)
SCHEMA = {
    "charge_date": pl.Date,
    "feature": pl.String,
    "cost_driver": pl.String,
    "currency": pl.String,
    "cost": pl.Decimal(38, 12),
}
money = st.decimals(min_value=0, max_value=10**6, places=12)
signed_money = st.decimals(min_value=-(10**4), max_value=10**6, places=12)
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@st.composite
def histories(draw: st.DrawFn, costs: st.SearchStrategy[Decimal] = money) -> pl.DataFrame:
    """One to four series of one to seventy days with gaps, ending up to six days before the origin."""
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        feature, driver = (
            draw(st.sampled_from(["chat", "search", None])),
            draw(st.sampled_from(["inference", "egress"])),
        )
        currency, late = draw(st.sampled_from(["USD", "EUR"])), draw(st.integers(0, 6))
        base = draw(st.lists(costs, min_size=1, max_size=8))
        for back in range(draw(st.integers(1, 70))):
            if back == 0 or (back * 7 + len(base)) % 11:
                day = ORIGIN - timedelta(days=late + back)
                rows.append((day, feature, driver, currency, base[back % len(base)]))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@QUICK
@given(histories(signed_money))
def test_quantiles_are_in_order(history: pl.DataFrame) -> None:
    table = build_forecasts(history, ORIGIN, MADE_AT).table
    for row in table.select(QUANTILE_COLUMNS).rows():
        assert list(row) == sorted(row)


@QUICK
@given(histories())
def test_never_below_zero_when_history_is_not(history: pl.DataFrame) -> None:
    table = build_forecasts(history, ORIGIN, MADE_AT).table
    assert all(value >= 0 for value in table["p05"])


@QUICK
@given(histories(signed_money))
def test_totals_are_the_exact_sums_of_the_series(history: pl.DataFrame) -> None:
    table = build_forecasts(history, ORIGIN, MADE_AT).table
    for scope, keys in (("feature", ["currency", "feature"]), ("total", ["currency"])):
        by = [*keys, "target_date"]
        sums = (
            table.filter(pl.col("scope") == "feature_driver").group_by(by).agg(pl.col("p50").sum()).sort(by)
        )
        assert table.filter(pl.col("scope") == scope).select(*by, "p50").sort(by).rows() == sums.rows()


@QUICK
@given(histories(), histories(), st.randoms(use_true_random=False))
def test_days_after_the_origin_and_row_order_change_nothing(history, later, random) -> None:
    future = later.with_columns(pl.col("charge_date") + pl.duration(days=80))
    assert future["charge_date"].min() > ORIGIN
    mixed = pl.concat([history, future])
    order = list(range(mixed.height))
    random.shuffle(order)
    left = build_forecasts(history, ORIGIN, MADE_AT).table
    right = build_forecasts(mixed[order], ORIGIN, MADE_AT).table
    assert left.equals(right)


@QUICK
@given(histories(), st.integers(1, 90), money)
def test_landings_are_ordered_and_repeatable(history: pl.DataFrame, days: int, amount: Decimal) -> None:
    run = build_forecasts(history, ORIGIN, MADE_AT)
    period = (ORIGIN + timedelta(days=1), ORIGIN + timedelta(days=1 + days))
    for currency in ("USD", "EUR"):
        chosen = run.select(currency)
        landing = build_period_total_quantiles(run, chosen, {}, *period, amount)
        assert landing == build_period_total_quantiles(run, chosen, {}, *period, amount)
        assert landing.p10 <= landing.p50 <= landing.p90
        assert 0 <= landing.overrun_probability <= 1
        known = run.table.filter(
            (pl.col("scope") == "total")
            & (pl.col("currency") == currency)
            & (pl.col("target_date") < period[1])
        )
        if days <= (run.horizon_end - ORIGIN).days:
            assert landing.p50 == (known["p50"].sum() or Decimal(0))
