"""A weight below zero never lands: it would make one owner pay for another's credit.

Random files of bytes and volumes, some below zero: what lands is the rest, row for row, and the refused are counted.
"""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity
from connectors.common.identity import Identity

WEIGHTS = st.lists(
    st.one_of(st.sampled_from([0, -1, 1, -(2**62), 2**62]), st.integers(-(10**9), 10**9)),
    min_size=1,
    max_size=12,
)
FILES = {
    "transfer_files": ("bytes", "from_workload_ref", "traffic_kind", "inter_az"),
    "telemetry_files": ("volume_bytes", "workload_ref", "signal", "log"),
}


@pytest.mark.parametrize("connector", FILES)
@settings(max_examples=25, deadline=None)
@given(weights=WEIGHTS)
def test_weights_below_zero_are_refused_and_the_rest_lands(connector: str, weights: list[int]) -> None:
    weight, reference, kind, said = FILES[connector]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "volumes.csv"
        rows = [
            f"2026-11-01,2026-11-02,aws,{said},i-{number},{value}" for number, value in enumerate(weights)
        ]
        path.write_text(
            "\n".join([f"window_start,window_end,provider,{kind},{reference},{weight}", *rows]) + "\n"
        )
        chosen = registry.load_settings_class(connector).model_validate(
            {"name": "plain", "connector": connector, "path": path.name}, context={"base_dir": path.parent}
        )
        context = LandingContext(
            Path(folder) / "lake", datetime(2026, 11, 20, 3), Identity.switched_off(), {}
        )
        report = registry.land(chosen, context)
        landed = {
            row[reference]: row[weight]
            for file in report.current_files
            for row in pq.ParquetFile(file.path).read().to_pylist()
        }
    assert landed == {f"i-{number}": value for number, value in enumerate(weights) if value >= 0}
    refused = sum(
        finding.count or 0
        for finding in report.findings
        if finding.severity is not Severity.INFO and "negative" in finding.message
    )
    assert refused == sum(value < 0 for value in weights)
