"""Attribution of a simulated company beside what it truly cost: a clean world, and one with every habit of vendors.

What belongs here: making both worlds, running their nights, printing the figures. What must not: how a figure is
computed (`truth_measures`), or thresholds (`tests/integration/test_truth.py`).

`python -m benchmarks.truth [--requests N] [--days N] [--seed N] [--folder DIR]`; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks import truth_causes, truth_measures
from pipelines.config import load_config
from pipelines.defs.nightly import run_nightly
from pipelines.progress import SilentProgress
from pipelines.results import NightlyResult
from pipelines.warehouse.release import ReleaseStore
from simulator.company import Period
from simulator.deliveries import write_company
from simulator.habits import Habits
from simulator.serve import ENVIRONMENT, serve

ROOT = Path(__file__).parents[1]
SAMPLE_CONFIG = ROOT / "examples" / "sample" / "everycent.yml"
SAMPLE_ENDPOINT = "http://127.0.0.1:8790"
END = date(2026, 11, 16)


@dataclass(frozen=True)
class World:
    """One simulated company after its night: where its release and its answer key are."""

    folder: Path
    result: NightlyResult

    @property
    def release(self) -> Path:
        """The catalogue of the night's release."""
        return ReleaseStore(self.folder / "home" / "sample").current().catalogue

    def read(self) -> tuple[truth_measures.Facts, truth_measures.Truth]:
        """What the release says, and what is true, of all days."""
        return truth_measures.read_facts(self.release), truth_measures.read_truth(self.folder / "truth")

    def read_settled(self) -> tuple[truth_measures.Facts, truth_measures.Truth]:
        """The same of the days whose bills are whole."""
        return truth_measures.keep_settled(*self.read())

    def bill_difference(self) -> float:
        """What the fact and the delivered bills differ by, all days."""
        return truth_measures.sum_differences(truth_measures.bill_difference(*self.read()))


def build_world(folder: Path, days: int, requests: int, seed: int, habits: Habits) -> World:
    """Simulate a company below `folder` and run one night on all that it delivered.

    The config is the sample's own, but for the keyed hash of user ids: the answer key holds them as they are.
    """
    period = Period(END - timedelta(days=days - 1), END)
    write_company(folder / "sample", period, requests, seed, habits, truth=folder / "truth")
    file = folder / "examples" / "sample" / "everycent.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = SAMPLE_CONFIG.read_text(encoding="utf-8")
    with serve(folder / "sample", port=0) as server:
        text = text.replace(SAMPLE_ENDPOINT, server.url).replace("pseudonymise: true", "pseudonymise: false")
        file.write_text(text, encoding="utf-8")
        os.environ.update(ENVIRONMENT)
        config = load_config(file, environment=os.environ)
        result = run_nightly(
            config,
            home=folder / "home" / "sample",
            today=END + timedelta(days=1),
            as_of=None,
            since=None,
            progress=SilentProgress(),
        )
    if not result.is_published:
        raise SystemExit(f"the night below {folder} published nothing: {result}")
    return World(folder, result)


@dataclass(frozen=True)
class Figures:
    """The figures of the issue, and a few that say where they come from."""

    clean_max_relative_error: float
    wape_feature_day: float
    wape_user_day: float
    residual_dollar_error: float
    wrong_user_dollars: float
    double_counted_tokens: int
    worst_cause_error: float
    unexplained_share: float
    clean_pooled_max_relative_error: float
    clean_search_max_relative_error: float
    tokens_that_differ: int
    bill_difference: float
    requests: int


def measure(clean: World, habitual: World) -> Figures:
    """All figures of both worlds."""
    facts, truth = clean.read_settled()
    direct = truth_measures.compare_direct(facts, truth)
    pools = truth_measures.compare_pools(facts, truth)
    searches = truth_measures.compare_searches(facts, truth)
    facts, truth = habitual.read_settled()
    worst, unexplained = truth_causes.measure_causes(facts, truth)
    return Figures(
        clean_max_relative_error=truth_measures.largest_error(direct),
        wape_feature_day=truth_measures.measure_wape(facts, truth, "feature"),
        wape_user_day=truth_measures.measure_wape(facts, truth, "user_id"),
        residual_dollar_error=truth_measures.measure_residual(facts, truth)[0],
        wrong_user_dollars=truth_measures.measure_wrong_users(facts, truth)[0],
        double_counted_tokens=truth_measures.measure_double_counted(facts, truth),
        worst_cause_error=worst,
        unexplained_share=unexplained,
        clean_pooled_max_relative_error=truth_measures.largest_error(pools),
        clean_search_max_relative_error=truth_measures.largest_error(searches),
        tokens_that_differ=int(truth_measures.compare_tokens(facts, truth)["difference"].abs().sum()),
        bill_difference=clean.bill_difference() + habitual.bill_difference(),
        requests=len(truth.calls),
    )


def main() -> None:
    """Build both worlds and print their figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.truth", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000, help="about how many model calls a world has")
    parser.add_argument("--days", type=int, default=20, help="how many days")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--folder", type=Path, help="keep both worlds here; default: a folder that is removed"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        shape = (arguments.days, arguments.requests, arguments.seed)
        clean = build_world(folder / "clean", *shape, Habits.clean())
        habitual = build_world(folder / "habits", *shape, Habits())
        figures = measure(clean, habitual)
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
