"""The simulated company: same arguments same frames, habits that can be dosed, an answer key that adds up.

`tests/contract/test_simulated_vendors.py` and `test_simulated_logs.py` read the delivered files with the connectors.
"""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from simulator.bills import lines
from simulator.company import FEATURES, PTU_DEPLOYMENT, ROUTES, ZONES, Period
from simulator.deliveries import write_company
from simulator.habits import Habits
from simulator.prices import TOKEN_CLASSES
from simulator.truth import build_call_costs, build_habit_costs
from simulator.world import World, build_world

ROOT = Path(__file__).parents[2]
PERIOD = Period(date(2026, 10, 12), date(2026, 11, 20))
SHORT = Period(date(2026, 11, 14), date(2026, 11, 20))
OURS = {"connectors", "pipelines", "reports", "models_sql", "benchmarks", "genai_prices"}


@pytest.fixture(scope="module")
def world() -> World:
    """40 days with 6000 calls and every habit."""
    return build_world(PERIOD, 6_000, 7, Habits())


@pytest.fixture(scope="module")
def clean() -> World:
    """The same without habits."""
    return build_world(PERIOD, 6_000, 7, Habits.clean())


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder and its digest."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        write_company(tmp_path / name, SHORT, 800, seed, Habits(), truth=tmp_path / f"{name}.truth")
    assert len(digests(tmp_path / "one")) > 40
    assert digests(tmp_path / "again") == digests(tmp_path / "one")
    assert digests(tmp_path / "again.truth") == digests(tmp_path / "one.truth")
    assert digests(tmp_path / "other") != digests(tmp_path / "one")


def test_without_being_asked_it_writes_no_answer_key(tmp_path: Path) -> None:
    write_company(tmp_path / "out", SHORT, 300, 7, Habits())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not [path for path in (tmp_path / "out").rglob("*") if "truth" in path.name]


def test_the_readme_lists_every_habit_with_its_dose() -> None:
    page = (ROOT / "simulator" / "README.md").read_text(encoding="utf-8")
    told = {
        name: float(dose) for name, dose in re.findall(r"^\| `([a-z_]+)` \| ([0-9.]+) \|", page, re.MULTILINE)
    }
    assert told == {field.name: getattr(Habits(), field.name) for field in fields(Habits)}
    assert set(vars(Habits.clean()).values()) == {0.0}


def test_a_dose_is_read_or_refused() -> None:
    assert Habits().with_doses(["tax=0", "late_bill_rows=0.5"]).late_bill_rows == 0.5
    with pytest.raises(ValueError, match="no habit is called 'taxes'"):
        Habits().with_doses(["taxes=1"])
    with pytest.raises(ValueError, match="from 0 to 1"):
        Habits().with_doses(["tax=2"])


def test_the_company_is_as_wide_as_it_says(world: World) -> None:
    calls = world.calls
    assert set(calls["feature"].drop_nulls()) == set(FEATURES)
    assert set(calls["provider"]) == {route.provider for route in ROUTES.values()}
    assert (len({zone.region for zone in ZONES}), len({zone.zone_id for zone in ZONES})) == (5, 12)
    sonnet = calls.filter((pl.col("model") == "claude-sonnet-4-5") & (pl.col("cloud") == "aws"))
    assert sonnet["account_id"].n_unique() == 2
    assert set(calls["service_tier"]) == {"standard", "batch", "flex", "priority"}
    assert set(calls["context_band"]) == {"base", "over_200k"}
    assert calls["web_search_requests"].sum() > 20
    assert all(calls[name].sum() > 0 for name in TOKEN_CLASSES)
    assert {"lost_after_deploy", "lost_after_scale_up"} < set(calls["cache_state"])
    assert calls["is_fallback"].sum() > 0


def test_calls_hang_in_the_tree_of_their_trace(world: World) -> None:
    product = world.calls.filter(pl.col("path") == "product")
    parents = world.spans.select("span_id", parent_trace="trace_id", begin="started_at", end="ended_at")
    found = product.join(parents, left_on="parent_span_id", right_on="span_id", how="left")
    assert found.select((pl.col("trace_id") == pl.col("parent_trace")).all()).item()
    inside = (pl.col("started_at") >= pl.col("begin")) & (pl.col("ended_at") <= pl.col("end"))
    assert found.select(inside.all()).item()
    assert world.calls["span_id"].n_unique() == len(world.calls)
    days = pl.concat([world.spans.select("trace_id", "started_at"), product.select("trace_id", "started_at")])
    touched = days.group_by("trace_id").agg(pl.col("started_at").dt.date().n_unique().alias("days"))
    assert (touched["days"] > 1).sum() > 0


def test_agents_repeat_the_sum_of_what_they_ran(clean: World) -> None:
    root = clean.spans.filter((pl.col("kind") == "agent") & (pl.col("agent") == "classifier"))
    below = clean.calls.filter(pl.col("agent") == "classifier")
    assert root["output_tokens"].sum() == below["output_tokens"].sum() > 0
    outer = clean.spans.filter(pl.col("agent") == "planner", pl.col("kind") == "agent")
    reviews = clean.calls.filter(pl.col("feature") == "code_review", pl.col("agent") != "repository_reader")
    assert outer["output_tokens"].sum() == reviews["output_tokens"].sum() > 0


def test_the_retry_loop_shows_from_its_first_day(world: World) -> None:
    reviews = world.calls.filter((pl.col("feature") == "code_review") & (pl.col("model") != "gemini-2.5-pro"))
    sizes = reviews.group_by("trace_id").agg(pl.len().alias("calls"), pl.col("day").min())
    is_late = pl.col("day") >= PERIOD.spike_start
    late, early = sizes.filter(is_late)["calls"].mean(), sizes.filter(~is_late)["calls"].mean()
    assert isinstance(late, float) and isinstance(early, float)
    assert 2.4 < late / early < 3.2


def test_every_unlogged_call_has_its_reason_and_its_dose(world: World) -> None:
    calls = world.calls
    seen = pl.col("in_span") | pl.col("in_gateway") | pl.col("in_provider_log")
    assert calls.filter(seen == pl.col("unlogged_reason").is_not_null()).is_empty()
    shares = {
        reason: len(calls.filter(pl.col("unlogged_reason") == reason)) / len(calls)
        for reason in ("aborted", "bypass", "sampled", "lost_day")
    }
    assert 0.002 < shares["aborted"] < 0.008
    assert 0.025 < shares["bypass"] < 0.035
    triage = calls.filter(pl.col("feature") == "ticket_triage")
    assert 0.4 < len(triage.filter(pl.col("unlogged_reason") == "sampled")) / len(triage) < 0.6
    assert shares["lost_day"] > 0
    lost = calls.filter(pl.col("unlogged_reason") == "lost_day")["ended_at"].dt.date().unique().to_list()
    assert lost == [PERIOD.lost_log_day]


def test_a_clean_world_is_logged_once_and_billed_on_time(clean: World) -> None:
    calls = clean.calls
    assert calls["in_span"].all()
    assert not calls["in_gateway"].any() and not calls["in_provider_log"].any()
    assert calls.select(pl.col("span_copies").max(), pl.col("clock_skew_ms").abs().max()).row(0) == (1, 0)
    assert calls["bill_lag_days"].sum() == 0
    assert calls["unlogged_reason"].null_count() == len(calls)
    assert calls.filter(
        pl.col("user_id").is_not_null() & (pl.col("user_id") != pl.col("user_id_as_logged"))
    ).is_empty()
    assert clean.transfers.select((pl.col("bytes") == pl.col("billed_bytes")).all()).item()


def test_the_clean_bill_is_the_sum_of_what_calls_truly_cost(clean: World) -> None:
    costs = build_call_costs(clean).filter(pl.col("cost").is_not_null())
    true = costs.group_by("cloud").agg((pl.col("cost") - pl.col("web_search_cost")).sum())
    billed = lines(clean)
    tokens = {
        bill: frame.filter(pl.col("use") == "tokens")["billed"].sum()
        for bill, frame in billed.items()
        if bill != "own"
    }
    assert dict(true.iter_rows()) == tokens
    assert min(tokens.values()) > 0


def test_the_answer_key_prices_every_call_and_names_what_habits_took(world: World) -> None:
    costs = build_call_costs(world)
    assert len(costs) == len(world.calls)
    unpriced = costs.filter(pl.col("cost").is_null())
    assert set(unpriced["model"]) == {"meta-llama/Llama-3.1-8B-Instruct", "gpt-4.1-nano"}
    habits = build_habit_costs(costs, world)
    assert habits["cost"].min() is not None and not habits.filter(pl.col("tokens") <= 0).height
    bypass = costs.filter(pl.col("unlogged_reason") == "bypass")
    assert habits.filter(pl.col("habit") == "unlogged:bypass")["cost"].sum() == bypass["cost"].sum() > 0


def test_capacity_is_busy_only_while_calls_run(world: World) -> None:
    hours = world.capacity_hours
    assert hours.select((pl.col("busy_us") <= pl.col("provisioned_us")).all()).item()
    ptu = hours.filter(pl.col("replica_id") == PTU_DEPLOYMENT)
    assert set(ptu["hour"].dt.weekday()) == {1, 2, 3, 4, 5}
    served = world.calls.filter(pl.col("replica_id").is_not_null() & (pl.col("outcome") != "error"))
    busy, use = (
        hours["busy_us"].sum(),
        served.select(pl.sum_horizontal("prefill_us", "decode_us").sum()).item(),
    )
    assert 0 < busy <= use
    assert hours["output_tokens"].sum() == served["output_tokens"].sum()


def test_one_interface_is_unknown_and_another_moves(world: World, clean: World) -> None:
    unlisted = world.workloads.filter(~pl.col("is_listed"))["workload_ref"].to_list()
    assert len(unlisted) == 1
    assert clean.workloads["is_listed"].all()
    half = PERIOD.start + timedelta(days=len(PERIOD.days) // 2)
    moved = world.workloads.filter(pl.col("valid_to").is_not_null())["workload_ref"].item()
    flows = world.transfers.filter(pl.col("from_workload_ref") == moved)
    before, after = (
        set(flows.filter((pl.col("window_start").dt.date() >= half) == is_after)["feature"])
        for is_after in (False, True)
    )
    assert (before, after) == ({"support_chat"}, {"doc_search"})


def test_the_simulator_imports_nothing_of_ours() -> None:
    modules = sorted((ROOT / "simulator").rglob("*.py"))
    assert len(modules) > 20
    imported: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, module
                imported.add((node.module or "").split(".")[0])
    assert "simulator" in imported
    assert not imported & OURS
