"""`python -m simulator --out DIR`: writes the sample company's deliveries; same arguments, same bytes.

What belongs here: arguments and the order of the work. What must not: any fact about the company.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from pathlib import Path

from simulator.legacy import bills_aws, bills_azure
from simulator.legacy.behaviour import build_actions, build_batch_calls
from simulator.legacy.company import Period, build_users
from simulator.legacy.side_files import write_side_files
from simulator.legacy.traces import write_traces
from simulator.legacy.volumes import Usage, build_emissions, build_flows


def write_sample(out: Path, period: Period, requests: int, seed: int) -> None:
    """Write all files of the sample company below `out`."""
    actions = build_actions(period, requests, seed, build_users(seed))
    flows = build_flows(period, actions, seed)
    emissions = build_emissions(period, actions, seed)
    calls = [call for action in actions for call in action.calls] + build_batch_calls(period, requests, seed)

    usage = Usage(period, calls, flows, emissions)
    bills_aws.write_bills(out / "bills" / "aws", usage.of_cloud("aws"))
    bills_azure.write_bills(out / "bills" / "azure", usage.of_cloud("azure"))
    write_traces(out / "traces", actions, seed)
    write_side_files(out, period, flows, emissions)


def main() -> None:
    """Read the arguments and write the sample."""
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
    arguments = parser.parse_args()
    if arguments.days < 1 or arguments.requests < 1:
        parser.error("--days and --requests must be at least 1")
    period = Period(arguments.end - timedelta(days=arguments.days - 1), arguments.end)
    write_sample(arguments.out, period, arguments.requests, arguments.seed)


if __name__ == "__main__":
    main()
