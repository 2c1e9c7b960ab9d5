"""How fast VPC flow logs land, and in how much memory: one generated file of millions of records.

What belongs here: generating the file, landing it in this process, measuring. What must not: judging the result.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from connectors.aws_flow_logs.client import land
from connectors.aws_flow_logs.settings import Settings
from connectors.common.contract import LandingContext
from connectors.common.identity import Identity

_FIELDS = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
    "log-status instance-id pkt-srcaddr pkt-dstaddr az-id pkt-src-aws-service pkt-dst-aws-service flow-direction "
    "traffic-path"
)
_NAME = "111111111111_vpcflowlogs_us-east-1_fl-0a_20261101T0000Z_ab.log.gz"
_START = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
_MACHINES = 500


def generate_lines(records: int, outside_share: float) -> Iterator[str]:
    """Yield a header and records of flows between machines, and to as many outside addresses as records go there."""
    draw = random.Random(7)  # noqa: S311 (no secret: the same file every time)
    yield _FIELDS
    for number in range(records):
        machine = draw.randrange(_MACHINES)
        source = f"10.0.{machine >> 8}.{machine & 255}"
        if draw.random() < outside_share:
            target, path = f"{draw.randrange(11, 100)}.{draw.randrange(256)}.{draw.randrange(256)}.7", "8"
        else:
            other = draw.randrange(_MACHINES)
            target, path = f"10.0.{other >> 8}.{other & 255}", "1"
        start = _START + number * 86_000 // records
        yield (
            f"5 111111111111 eni-{machine:08x} {source} {target} 40000 443 6 10 {draw.randrange(40, 9_000_000)} "
            f"{start} {start + 59} ACCEPT OK i-{machine:08x} {source} {target} use1-az{machine % 3 + 1} - - egress "
            f"{path}"
        )


def main() -> None:
    """Generate, land, print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=5_000_000, help="records of the file")
    parser.add_argument(
        "--outside-share", type=float, default=0.3, help="share of records to outside addresses"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder) / "logs"
        logs.mkdir()
        with gzip.open(logs / _NAME, "wt", compresslevel=1) as stream:
            for line in generate_lines(arguments.records, arguments.outside_share):
                stream.write(line + "\n")
        size = (logs / _NAME).stat().st_size
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        context = LandingContext(Path(folder) / "lake", datetime(2026, 11, 20), Identity(b"key"), {})
        started, worked = time.perf_counter(), time.process_time()
        report = land(Settings(name="flows", path=str(logs)), context)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = {
        "records": arguments.records,
        "file_mb": round(size / 1e6, 1),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "records_per_second": round(arguments.records / seconds),
        "rows": sum(delivery.rows for delivery in report.deliveries),
        "findings": len(report.findings),
        "rss_before_gb": round(before / 1e6, 3),
        "peak_rss_gb": round(peak / 1e6, 3),
    }
    print(json.dumps(figures))  # noqa: T201 (a benchmark's last line)


if __name__ == "__main__":
    main()
