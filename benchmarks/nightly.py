"""Measures whole nights of the sample company, from process start to exit: the first one, and one with nothing new.

`.venv/bin/python -m benchmarks.nightly`

What belongs here: starting the console script and its clock. What must not: running parts of a night in this process.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from simulator.serve import ENVIRONMENT, serve

ROOT = Path(__file__).resolve().parents[1]
EVERYCENT = Path(sys.executable).with_name("everycent")
TODAY = "2026-11-17"
EXIT_OK = 0


def main() -> None:
    """Makes the sample company in a temporary folder, runs its nights, prints the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nightly",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="nights with nothing new; the fastest counts (default 3)"
    )
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="everycent-nightly-") as folder:
        print(f"generating the sample company in {folder}")
        config = _make_company(Path(folder))
        night = [
            str(EVERYCENT),
            "nightly",
            "--config",
            str(config),
            "--home",
            f"{folder}/home",
            "--today",
            TODAY,
        ]
        with serve(Path(folder) / "sample"):
            first = _time("first night", night)
            again = [_time("night with nothing new", night) for _ in range(rounds)]
        shown = [_time("help", [str(EVERYCENT), "--help"]) for _ in range(rounds)]
    figures = {"first_seconds": first, "noop_seconds": min(again), "help_seconds": min(shown)}
    print(json.dumps({name: round(seconds, 3) for name, seconds in figures.items()}))


def _make_company(folder: Path) -> Path:
    """The sample's config reads ../../sample, so it stands as deep in the temporary folder as in the project."""
    subprocess.run([sys.executable, "-m", "simulator", "--out", folder / "sample"], cwd=ROOT, check=True)
    config = folder / "examples" / "sample" / "everycent.yml"
    config.parent.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "sample" / "everycent.yml", config)
    return config


def _time(what: str, command: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, env=_environment(), cwd=ROOT, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode != EXIT_OK:
        said = f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        raise SystemExit(f"{what} ended with exit code {done.returncode}:\n{said}")
    print(f"{what}: {seconds:.2f} s")
    return seconds


def _environment() -> Mapping[str, str]:
    """The demo key of the sample; the rest as it is."""
    return {"EVERYCENT_IDENTITY_KEY": "demo-key-of-the-sample-company"} | dict(os.environ) | ENVIRONMENT


if __name__ == "__main__":
    main()
