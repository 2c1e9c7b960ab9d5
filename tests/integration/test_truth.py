"""A simulated company whose truth is known: clean, every figure is exact; with every habit of vendors, within the bar.

The nights read only what vendors would deliver, with the sample's own config; `benchmarks.truth` prints the same
figures for worlds of any size.
"""

from __future__ import annotations

import polars as pl
import pytest

from benchmarks import truth, truth_causes, truth_measures
from simulator.habits import Habits

DAYS = 9
REQUESTS = 2_500
SEED = 7


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> truth.World:
    """Nine days of a company whose vendors deliver everything, once, exactly and on time."""
    return truth.build_world(tmp_path_factory.mktemp("clean"), DAYS, REQUESTS, SEED, Habits.clean())


@pytest.fixture(scope="module")
def habitual(tmp_path_factory: pytest.TempPathFactory) -> truth.World:
    """The same with every habit at its default dose; no whole day of spans is lost, for there are only four."""
    habits = Habits().with_doses(["lost_log_days=0"])
    return truth.build_world(tmp_path_factory.mktemp("habits"), DAYS, REQUESTS, SEED, habits)


def worst(compared: pl.DataFrame) -> str:
    """The cells that differ most, for the message of a failing test."""
    with pl.Config(tbl_rows=20, tbl_cols=-1, tbl_width_chars=200):
        return str(compared.head(20))


def test_every_total_equals_the_bill(clean: truth.World, habitual: truth.World) -> None:
    for world in (clean, habitual):
        facts, known = world.read()
        compared = truth_measures.bill_difference(facts, known)
        assert set(compared["currency"]) == {"EUR", "USD"}
        assert truth_measures.sum_differences(compared) == 0, worst(compared)


def test_clean_cost_of_tokens_is_exact_by_user_feature_and_day(clean: truth.World) -> None:
    compared = truth_measures.compare_direct(*clean.read_settled())
    assert len(compared) > 300
    assert truth_measures.largest_error(compared) <= 1e-6, worst(compared)


def test_clean_cost_of_server_tools_is_exact_by_user_feature_and_day(clean: truth.World) -> None:
    compared = truth_measures.compare_searches(*clean.read_settled())
    assert len(compared) > 5
    assert truth_measures.largest_error(compared) <= 1e-6, worst(compared)


def test_clean_pools_go_by_use(clean: truth.World) -> None:
    compared = truth_measures.compare_pools(*clean.read_settled())
    assert set(compared["pool_kind"]) == {"capacity", "egress", "monitoring"}
    assert truth_measures.largest_error(compared) <= 1e-6, worst(compared)


def test_nothing_of_a_clean_world_is_unlogged(clean: truth.World) -> None:
    facts, known = clean.read_settled()
    assert truth_measures.measure_residual(facts, known) == (0.0, 0.0, 0.0)


def test_tokens_are_the_logged_ones_by_class_feature_and_user(
    clean: truth.World, habitual: truth.World
) -> None:
    for world in (clean, habitual):
        compared = truth_measures.compare_tokens(*world.read_settled())
        assert compared.is_empty(), worst(compared)
    facts, known = habitual.read_settled()
    assert truth_measures.measure_double_counted(facts, known) == 0
    assert known.sightings.group_by("call_index").len().filter(pl.col("len") > 1).height > 100


def test_habits_leave_attribution_within_the_bar(habitual: truth.World) -> None:
    facts, known = habitual.read_settled()
    assert len(truth_measures.covered_cells(known)) > 50
    assert truth_measures.measure_wape(facts, known, "feature") <= 0.01
    assert truth_measures.measure_wape(facts, known, "user_id") <= 0.05


def test_what_is_unlogged_is_a_residual(habitual: truth.World) -> None:
    error, residual, unlogged = truth_measures.measure_residual(*habitual.read_settled())
    assert unlogged > 1
    assert error <= 0.01, (residual, unlogged)


def test_no_user_pays_for_another(habitual: truth.World) -> None:
    dollars, cells = truth_measures.measure_wrong_users(*habitual.read_settled())
    assert dollars == 0, worst(cells)


def test_causes_are_the_true_ones(habitual: truth.World) -> None:
    facts, known = habitual.read_settled()
    compared = truth_causes.compare_causes(facts, known).filter("is_judged")
    assert set(compared["cause"]) >= {"bypass", "unlogged", "discount", "price_version", "tax", "credits"}
    limits = pl.when(pl.col("cause").is_in(truth_causes.GROUPS)).then(0.02).otherwise(0.05)
    beyond = compared.filter(pl.col("error") > limits)
    assert beyond.is_empty(), worst(beyond)
    assert truth_causes.measure_causes(facts, known)[1] <= 0.001
