"""Lands one FOCUS file in a process of its own and prints the most memory that it held.

`.venv/bin/python -m benchmarks.land_bill bill.csv.gz`

What belongs here: the landing alone, so that nothing else is in the figure. What must not: models.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import datetime
from pathlib import Path

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings

CLOCK = datetime(2027, 1, 20)  # noqa: DTZ001 (times in the lake are naive UTC)
_TAG_KEYS = {"team": ("team",), "feature": ("feature",)}


def land_bill(path: Path, lake: Path) -> SourceReport:
    """Land a file, or a folder of files, as a company of this benchmark would."""
    context = LandingContext(lake, CLOCK, Identity.switched_off(), _TAG_KEYS)
    return land(Settings(name="aws_bill", path=str(path)), context)


def main() -> None:
    """Lands the file into a temporary lake and prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.land_bill", description=__doc__)
    parser.add_argument("file", type=Path, help="a FOCUS bill: .parquet, .csv or .csv.gz")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started, cpu_started = time.perf_counter(), time.process_time()
        report = land_bill(arguments.file, Path(folder) / "lake")
        figures = {
            "land_seconds": round(time.perf_counter() - started, 3),
            "land_cpu_seconds": round(time.process_time() - cpu_started, 3),
            "peak_rss_mb": round(_read_peak_bytes() / 1e6, 1),
            "rows": sum(delivery.rows for delivery in report.deliveries),
            "has_fault": report.has_fault,
        }
    print(json.dumps(figures))


def _read_peak_bytes() -> int:
    """The high-water mark of this process since it began (what `getrusage` tells holds the parent's, too)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main()
