"""The detector on shapes that bills have, day by day as a warehouse sees them, and the drill for causes."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from pipelines.domain.anomaly import AnomalySettings, Episode, find_episodes
from pipelines.domain.anomaly_cause import build_cause, printable, render_number
from pipelines.domain.anomaly_events import (
    ANOMALY_SCHEMA,
    build_anomaly_events,
    build_anomaly_id,
    build_daily_series,
)
from pipelines.night.outlook import ANOMALY_SCHEMA as ANOMALY_LEDGER_SCHEMA
from pipelines.night.outlook import find_anomalies

START = date(2026, 1, 1)
SEEN_AT = datetime(2026, 8, 1, 3)
SETTINGS = AnomalySettings()


def build_values(days: int, seed: int = 1, noise: float = 0.04) -> np.ndarray:
    """A weekly pattern around 100 with noise."""
    weekday = 1 + 0.25 * np.cos(2 * np.pi * np.arange(days) / 7)
    return 100 * weekday * np.exp(np.random.default_rng(seed).normal(0, noise, days))


def see(values: np.ndarray, completeness: dict[int, float] | None = None) -> list[Episode]:
    """Episodes of a series, all days whole but those in `completeness` (position from the end)."""
    shares = np.ones(len(values))
    for position, share in (completeness or {}).items():
        shares[position] = share
    arrived = values * shares
    return find_episodes(START, arrived, shares, SETTINGS)


def to_daily(values: np.ndarray, completeness: float = 1.0, feature: str = "chat") -> pl.DataFrame:
    """The series as the input table of events; the last day has `completeness`."""
    count = len(values)
    return pl.DataFrame(
        {
            "charge_date": [START + timedelta(days=position) for position in range(count)],
            "scope": ["feature_driver"] * count,
            "feature": [feature] * count,
            "cost_driver": ["inference"] * count,
            "metric": ["effective_cost"] * count,
            "currency": ["USD"] * count,
            "value": [Decimal(repr(round(float(value), 6))) for value in values],
            "completeness": [1.0] * (count - 1) + [completeness],
        },
        schema_overrides={"value": pl.Decimal(38, 12)},
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_weekly_pattern_is_silent(seed: int) -> None:
    assert see(build_values(200, seed)) == []


@pytest.mark.parametrize("seed", range(8))
def test_three_times_the_cost_is_caught_on_the_settled_day(seed: int) -> None:
    values = build_values(121, seed)
    values[120] *= 3
    episode = see(values)[-1]
    assert episode.started == START + timedelta(days=120)
    assert episode.ended is None
    assert episode.alerts[0].actual == pytest.approx(values[120])
    assert episode.alerts[0].expected == pytest.approx(values[120] / 3, rel=0.2)


def test_a_partial_day_above_the_bound_alerts_at_once() -> None:
    values = build_values(121)
    values[120] *= 4
    episode = see(values, {-1: 0.6})[-1]
    assert episode.alerts[-1].is_partial
    assert episode.alerts[-1].direction == 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.8])
def test_a_partial_day_never_alerts_downward(share: float) -> None:
    values = build_values(121)
    assert see(values, {-1: share}) == []
    values[119] = values[120] = 0.0
    assert see(values, {-1: share, -2: share}) == []


def test_a_settled_fall_does_alert() -> None:
    values = build_values(121)
    values[120] = 10
    assert see(values)[-1].alerts[0].direction == -1


def test_a_day_that_is_nearly_whole_is_scaled_up() -> None:
    assert see(build_values(121), {-1: 0.93}) == []


def test_a_monthly_fee_is_expected_after_two_months() -> None:
    values = build_values(240)
    fees = [position for position in range(240) if (START + timedelta(days=position)).day == 20]
    values[fees] += 150
    alerted: set[date] = set()
    for today in range(60, 240):
        alerted |= {episode.started for episode in see(values[: today + 1])}
    fee_days = {START + timedelta(days=position) for position in fees}
    assert START + timedelta(days=fees[2]) not in alerted
    assert not alerted & {day for day in fee_days if day >= START + timedelta(days=fees[2])}


def test_a_first_fee_is_an_alert() -> None:
    values = build_values(66)
    values[62] += 150
    assert [episode.started for episode in see(values)] == [START + timedelta(days=62)]


def test_series_of_every_scope_add_up() -> None:
    leaves = pl.DataFrame(
        {
            "charge_date": [START] * 3,
            "feature": ["chat", "chat", "search"],
            "cost_driver": ["inference", "egress", "inference"],
            "currency": ["USD"] * 3,
            "cost": [Decimal("1.5"), Decimal(2), Decimal(4)],
            "completeness": [1.0, 0.5, 1.0],
        }
    )
    daily = build_daily_series(leaves)
    found = {(row["scope"], row["feature"], row["cost_driver"]): row for row in daily.rows(named=True)}
    assert len(found) == daily.height == 6
    assert found[("total", None, None)]["value"] == Decimal("7.5")
    assert found[("feature", "chat", None)]["value"] == Decimal("3.5")
    assert found[("feature", "chat", None)]["completeness"] == 0.5
    assert found[("feature_driver", "search", "inference")]["completeness"] == 1.0


def test_a_retry_loop_of_one_day_is_one_closed_episode() -> None:
    values = build_values(130)
    values[120] *= 6
    (episode,) = see(values)
    assert (episode.started, episode.ended) == (START + timedelta(days=120),) * 2


def test_a_lasting_step_is_told_once() -> None:
    values = build_values(150)
    values[120:] *= 3
    ids = set()
    for today in range(120, 150):
        ids |= {episode.started for episode in see(values[: today + 1])}
    assert ids == {START + timedelta(days=120)}


def test_a_small_step_is_caught_within_days() -> None:
    caught = 0
    for seed in range(10):
        values = build_values(124, seed)
        values[120:] *= 1.35
        caught += any(episode.started >= START + timedelta(days=119) for episode in see(values))
    assert caught >= 8


def test_slow_drift_is_caught_within_three_weeks() -> None:
    for seed in range(5):
        values = build_values(141, seed)
        values[120:] *= 1.02 ** np.arange(21)
        found = [episode for episode in see(values) if episode.started >= START + timedelta(days=120)]
        assert found


def test_small_money_is_not_worth_an_alert() -> None:
    values = build_values(121) / 100
    values[120] *= 3
    assert see(values) == []


def test_quiet_dates_do_not_alert_downward() -> None:
    values = build_values(121)
    values[120] = 20
    quiet = AnomalySettings(quiet_dates=frozenset({START + timedelta(days=120)}))
    assert find_episodes(START, values, np.ones(121), quiet) == []


def test_flat_and_young_and_empty_days_do_not_break_it() -> None:
    assert see(np.full(100, 50.0)) == []
    assert see(np.zeros(100)) == []
    assert see(build_values(10)) == []
    assert see(build_values(1)) == []


def test_events_carry_money_identity_and_proof() -> None:
    values = build_values(121)
    values[120] *= 3
    events = build_anomaly_events(to_daily(values), SEEN_AT)
    assert dict(events.schema) == ANOMALY_SCHEMA
    event = events.row(0, named=True)
    assert event["impact_cost"] == event["actual"] - event["expected"] > 100
    assert event["state"] == "open"
    assert event["ended_date"] is None
    key = {name: event[name] for name in ("scope", "feature", "cost_driver", "metric", "currency")}
    assert event["anomaly_id"] == build_anomaly_id(key, date(2026, 5, 1))
    assert f"{event['actual']:,.2f} USD" in event["proof"]
    assert json.loads(json.dumps(event["proof"])) == event["proof"]
    assert build_anomaly_events(to_daily(values), SEEN_AT).equals(events)


def test_other_metrics_have_no_money() -> None:
    values = build_values(121)
    values[120] *= 3
    daily = to_daily(values).with_columns(metric=pl.lit("requests"), currency=pl.lit(None, pl.String))
    assert build_anomaly_events(daily, SEEN_AT)["impact_cost"].to_list() == [None]


def test_an_event_keeps_its_identity_and_closes() -> None:
    values = build_values(130)
    values[120] *= 3
    first = build_anomaly_events(to_daily(values[:121]), SEEN_AT)
    later = SEEN_AT + timedelta(days=9)
    second = build_anomaly_events(to_daily(values), later, previous=first)
    assert second["anomaly_id"].to_list() == first["anomaly_id"].to_list()
    assert second["detected_at"].to_list() == [SEEN_AT]
    assert second["state"].to_list() == ["closed"]


def test_a_rise_that_no_further_row_follows_is_closed_once_later_days_are_settled() -> None:
    values = build_values(100)
    values[80] *= 6
    stopped, going_on = to_daily(values[:81], feature="batch"), to_daily(build_values(100))
    for known_days, state in ((83, "open"), (84, "closed")):
        events = build_anomaly_events(pl.concat([stopped, going_on.head(known_days)]), SEEN_AT)
        assert [(row["feature"], row["state"]) for row in events.rows(named=True)] == [("batch", state)]


def test_a_fall_that_no_further_row_follows_stays_open() -> None:
    values = build_values(100)
    values[80] /= 6
    daily = pl.concat([to_daily(values[:81], feature="batch"), to_daily(build_values(100))])
    assert [row["state"] for row in build_anomaly_events(daily, SEEN_AT).rows(named=True)] == ["open"]


@pytest.mark.parametrize(
    ("charge_category", "found"),
    [("Purchase", 0), ("Credit", 0), ("Adjustment", 0), ("Usage", 3)],
)
def test_only_usage_is_unusual(charge_category: str, found: int) -> None:
    usage = to_daily(build_values(100)).select(
        "charge_date", pl.col("value").alias("effective_cost"), pl.lit("Usage").alias("charge_category")
    )
    fee = pl.DataFrame(
        {"charge_date": [START + timedelta(days=80)], "effective_cost": [Decimal("185")]},
        schema={"charge_date": pl.Date, "effective_cost": usage.schema["effective_cost"]},
    ).with_columns(pl.lit(charge_category).alias("charge_category"))
    text = {"currency": "USD", "feature": "chat", "cost_driver": "inference", "model": "m", "agent": "a"}
    daily = pl.concat([usage, fee]).with_columns(
        pl.lit("e").alias("endpoint"),
        pl.lit(1).alias("calls"),
        pl.lit(1).alias("tokens"),
        *(pl.lit(value).alias(name) for name, value in text.items()),
    )
    known = ANOMALY_LEDGER_SCHEMA.empty_table()
    events = find_anomalies(daily, START + timedelta(days=99), "run", SEEN_AT, known)
    assert [row["state"] for row in events.to_pylist()] == ["closed"] * found


def test_an_event_that_a_restatement_took_back_is_closed() -> None:
    values = build_values(121)
    spiked = values.copy()
    spiked[120] *= 3
    first = build_anomaly_events(to_daily(spiked), SEEN_AT)
    second = build_anomaly_events(to_daily(values), SEEN_AT + timedelta(days=1), previous=first)
    assert second["state"].to_list() == ["closed"]
    assert second["anomaly_id"].to_list() == first["anomaly_id"].to_list()


def test_two_rows_of_a_day_are_refused() -> None:
    daily = to_daily(build_values(60))
    with pytest.raises(ValueError, match="two rows of one day"):
        build_anomaly_events(pl.concat([daily, daily.tail(1)]), SEEN_AT)


def build_leaves(retry_calls: int) -> pl.DataFrame:
    """A breakdown of one mean day: two steps, two teams; the retry step has `retry_calls` calls."""
    calls = [100, 100, retry_calls, retry_calls]
    return pl.DataFrame(
        {
            "agent_step": ["plan", "plan", "retry", "retry"],
            "team": ["a", "b", "a", "b"],
            "cost": [Decimal(count) / 10 for count in calls],
            "actions": [50, 50, 10, 10],
            "calls": calls,
            "tokens": [count * 1000 for count in calls],
        }
    )


def test_the_cause_names_the_value_and_the_ratio() -> None:
    cause = build_cause(build_leaves(10), build_leaves(120), ["team", "agent_step"])
    assert cause is not None
    assert (cause.dimension, cause.value, cause.ratio) == ("agent_step", "retry", "calls per action")
    assert cause.excess_share == pytest.approx(1.0)
    assert cause.text == "agent step retry: calls per action 1 -> 12 (x12)"


def test_an_even_rise_blames_nobody() -> None:
    before = build_leaves(100)
    after = before.with_columns(
        pl.col("cost") * 3, pl.col("calls") * 3, pl.col("actions") * 3, pl.col("tokens") * 3
    )
    cause = build_cause(before, after, ["agent_step", "team"])
    assert cause is not None
    assert cause.dimension is None
    assert cause.ratio == "actions"
    assert cause.text == "no single part stands out, all changed alike: actions 120 -> 360 a day (x3)"
    assert build_cause(before, before, ["agent_step"]) is None


def test_events_explain_a_retry_loop_from_the_breakdown() -> None:
    values = build_values(121)
    loop = float(values[120]) * 3
    values[120] += loop
    rows = []
    for position, value in enumerate(values):
        extra = loop if position == 120 else 0.0
        day = START + timedelta(days=position)
        rows.append((day, "chat", "inference", "USD", "answer", value - extra, 100, 200, 2000))
        rows.append((day, "chat", "inference", "USD", "retry\n<b>", extra, 5, 5 if not extra else 400, 50))
    columns = [
        "charge_date",
        "feature",
        "cost_driver",
        "currency",
        "agent_step",
        "cost",
        "actions",
        "calls",
        "tokens",
    ]
    breakdown = pl.DataFrame(rows, schema=columns, orient="row")
    event = build_anomaly_events(to_daily(values), SEEN_AT, breakdown=breakdown).row(0, named=True)
    assert event["cause"] == "agent step retry <b>: calls per action 1 -> 80 (x80)"
    assert "\n" not in event["proof"]
    assert "94% of the difference" in event["proof"]


def price_leaves(cost: float, tokens: int, calls: int = 10, model: str | None = "m") -> pl.DataFrame:
    """One mean day of one model beside a small steady other one."""
    rows = [(model, cost, calls, tokens), ("steady", 10.0, 10, 1000)]
    return pl.DataFrame(rows, schema=["model", "cost", "calls", "tokens"], orient="row")


def test_a_ratio_that_fell_explains_no_rise() -> None:
    cheaper = build_cause(price_leaves(10, 2_000_000), price_leaves(30, 8_000_000, calls=40), ["model"])
    assert cheaper is not None
    assert (cheaper.ratio, cheaper.ratio_before, cheaper.ratio_after) == ("calls", 10, 40)
    only_fell = build_cause(price_leaves(10, 2_000_000), price_leaves(30, 60_000_000, calls=1), ["model"])
    assert only_fell is not None
    assert only_fell.ratio == "tokens per call"
    fall = build_cause(price_leaves(30, 2_000_000), price_leaves(10, 2_000_000), ["model"])
    assert fall is not None
    assert fall.ratio == "cost per token"


def test_prices_have_a_unit_and_no_power_of_ten() -> None:
    cause = build_cause(price_leaves(3.7, 1_000_000), price_leaves(7.4, 1_000_000), ["model"], "USD")
    assert cause is not None
    assert cause.text == "model m: cost per million tokens 3.7 -> 7.4 USD (x2)"
    assert [render_number(one) for one in (3.701e-06, 0.00001, 1234567.8, 12.3456)] == [
        "0.000003701",
        "0.00001",
        "1,234,568",
        "12.35",
    ]
    assert render_number(123.4, 2) == "120"


def test_a_missing_name_is_not_called_unknown() -> None:
    cause = build_cause(price_leaves(3, 100, model=None), price_leaves(9, 100, model=None), ["model"])
    assert cause is not None
    assert cause.text.startswith("without a model: ")


def test_a_credit_is_named_before_what_its_rows_have_in_common() -> None:
    schema = ["model", "charge_category", "cost"]
    before = pl.DataFrame([("m", "Usage", 60.0), (None, "Usage", 40.0)], schema=schema, orient="row")
    credit = pl.DataFrame([(None, "Credit", -59.5)], schema=schema, orient="row")
    cause = build_cause(before, pl.concat([before, credit]), ["model", "charge_category"])
    assert cause is not None
    assert cause.text == "credit"


@pytest.mark.parametrize(
    ("scope", "feature", "driver", "subject"),
    [
        ("total", None, None, "cost of everything"),
        ("feature", None, None, "cost without a feature"),
        ("feature", "chat", None, "cost of chat"),
        ("feature_driver", "chat", "inference", "cost of chat / inference"),
        ("feature_driver", None, "inference", "cost of inference without a feature"),
    ],
)
def test_the_proof_says_what_it_is_about(
    scope: str, feature: str | None, driver: str | None, subject: str
) -> None:
    values = build_values(123)
    values[120:] *= 3
    names = (pl.lit(name, pl.String) for name in (scope, feature, driver))
    columns = ("scope", "feature", "cost_driver")
    daily = to_daily(values).with_columns(
        name.alias(column) for name, column in zip(names, columns, strict=True)
    )
    proof = build_anomaly_events(daily, SEEN_AT).row(0, named=True)["proof"]
    assert proof.startswith(f"On 3 days from 2026-05-01 to 2026-05-03, {subject} came to ")
    assert "USD expected. Seen by an unusual day." in proof


def test_cost_without_a_feature_is_explained_by_its_own_rows() -> None:
    values = build_values(121)
    values[120] *= 3
    daily = to_daily(values).with_columns(
        scope=pl.lit("feature"), feature=pl.lit(None, pl.String), cost_driver=pl.lit(None, pl.String)
    )
    rows = []
    for position, value in enumerate(values):
        day = START + timedelta(days=position)
        extra = 200.0 if position == 120 else 0.0
        rows.append((day, None, "egress", "USD", 10.0 + extra))
        rows.append((day, None, "inference", "USD", value - 10.0 - extra))
        rows.append((day, "chat", "inference", "USD", 9000.0 * (1 + (position == 120))))
    schema = ["charge_date", "feature", "cost_driver", "currency", "cost"]
    breakdown = pl.DataFrame(rows, schema=schema, orient="row")
    event = build_anomaly_events(daily, SEEN_AT, breakdown=breakdown).row(0, named=True)
    assert event["cause"] == "cost driver egress"


def test_names_are_made_printable() -> None:
    assert printable(None) == "unknown"
    assert printable("a\x00b\u202ec") == "a b c"
    assert len(printable("x" * 500)) == 80
