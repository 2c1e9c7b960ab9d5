"""The context bands of requests are those of the price book: else a price tier would be missed."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.sql.harness import MODELS_ROOT, run_model


def _read_bands(path: Path) -> list[int]:
    with path.open(encoding="utf-8", newline="") as stream:
        return sorted(int(row["context_min_tokens"]) for row in csv.DictReader(stream))


def test_a_request_at_each_edge_stands_in_its_own_band() -> None:
    bands = _read_bands(MODELS_ROOT / "reference" / "context_bands.csv")
    assert len(bands) >= 5
    sizes = sorted({size for edge in bands for size in (edge - 1, edge, edge + 1) if size >= 0})
    requests = [
        {
            "request_id": str(size),
            "x_source": "log",
            "x_snapshot_id": "1",
            "trace_id": "t",
            "started_at": "2026-11-01 10:00:00",
            "uncached_input_tokens": str(size),
        }
        for size in sizes
    ]
    rows = run_model("core.rooted_requests", {"staging.requests": requests})
    found = {int(row["request_id"]): row["context_min_tokens"] for row in rows}
    assert found == {size: max(edge for edge in bands if edge <= size) for size in sizes}
