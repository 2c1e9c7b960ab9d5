"""`python -m simulator --out DIR`: writes the sample company's deliveries; same arguments, same bytes.

What belongs here: arguments. What must not: any fact about the company. `python -m simulator serve DIR [-- COMMAND …]`
answers OpenAI's and Anthropic's APIs from what was written (`serve`).
"""

from __future__ import annotations

import argparse
import sys
from datetime import date, timedelta
from pathlib import Path

from simulator import serve
from simulator.company import Period
from simulator.deliveries import write_company
from simulator.habits import Habits


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--end", type=date.fromisoformat, default=date(2026, 11, 16), help="last day, YYYY-MM-DD"
    )
    parser.add_argument("--days", type=int, default=60, help="how many days up to the last one")
    parser.add_argument("--requests", type=int, default=20_000, help="about how many model calls in total")
    parser.add_argument(
        "--seed", type=int, default=7, help="another seed is another history of the same company"
    )
    parser.add_argument("--clean", action="store_true", help="switch all habits of vendors off")
    parser.add_argument(
        "--habit",
        action="append",
        default=[],
        metavar="NAME=DOSE",
        help="dose of a habit, 0 to 1 (simulator/README.md)",
    )
    parser.add_argument("--truth", type=Path, help="write the answer key to this folder; default: none")
    arguments = parser.parse_args()
    if arguments.days < 1 or arguments.requests < 1:
        parser.error("--days and --requests must be at least 1")
    try:
        arguments.habits = (Habits.clean() if arguments.clean else Habits()).with_doses(arguments.habit)
    except ValueError as problem:
        parser.error(str(problem))
    return arguments


def main() -> int:
    """Read the arguments and write the sample, or serve one; return the exit code."""
    if sys.argv[1:2] == ["serve"]:
        return serve.main(sys.argv[2:])
    arguments = _read_arguments()
    period = Period(arguments.end - timedelta(days=arguments.days - 1), arguments.end)
    write_company(
        arguments.out, period, arguments.requests, arguments.seed, arguments.habits, arguments.truth
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
