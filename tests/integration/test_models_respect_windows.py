"""Every model gives the same rows whichever window it is run in: a day at a time or a month at once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.night.run import LEDGER_SCHEMAS, Night, NightRequest, load_models
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.runner import Build
from simulator.serve import ENVIRONMENT, serve

ROOT = Path(__file__).resolve().parents[2]
SHARED_COSTS = """
shared_costs:
  - {rule_id: all_share_monitoring, match: {cost_driver: monitoring}, split: proportional}
"""
"""The sample has no such rule, and without one the models of shared cost hold nothing but credits."""
FILLED = frozenset(
    {
        "core.bill_run_rates",
        "core.charge_origins",
        "core.cold_usage",
        "core.daily_usage",
        "core.direct_costs",
        "core.direct_owners",
        "core.estimated_cells",
        "core.failed_usage",
        "core.idle_shares",
        "core.key_usage",
        "core.measured_use",
        "core.reconciled_cells",
        "core.reconciled_usage",
        "core.shared_cells",
        "core.shared_costs",
        "core.shared_owners",
        "core.shared_weights",
        "core.span_steps",
        "core.tax_costs",
        "core.tax_weights",
        "core.trace_steps",
        "core.usage_costs",
        "core.usage_pools",
        "marts.cache_economics_daily",
        "marts.cost_daily",
        "marts.egress_pairs_daily",
        "marts.monitoring_share_daily",
        "marts.unit_economics_daily",
    }
)
"""What must have rows in this sample: an empty table is the same in every window."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory):
    """A night of four days over the end of a month, landed from every source of the sample."""
    folder = tmp_path_factory.mktemp("windows")
    command = [sys.executable, "-m", "simulator", "--out", str(folder / "sample"), "--end", "2026-11-02"]
    subprocess.run([*command, "--days", "4", "--requests", "200"], cwd=ROOT, check=True, capture_output=True)
    file = folder / "examples" / "sample" / "everycent.yml"
    file.parent.mkdir(parents=True)
    text = (ROOT / "examples" / "sample" / "everycent.yml").read_text(encoding="utf-8") + SHARED_COSTS
    with pytest.MonkeyPatch.context() as patch, serve(folder / "sample", port=0) as server:
        for name, key in ENVIRONMENT.items():
            patch.setitem(os.environ, name, key)
        file.write_text(text.replace("http://127.0.0.1:8790", server.url), encoding="utf-8")
        config = load_config(file)
        request = NightRequest(config, config.home, date(2026, 11, 4), datetime(2026, 11, 4, 8))
        with Night(request, load_models()) as running:
            for source in config.sources:
                assert not running.land(source).has_fault, source.name
            running.gather()
            yield running


def _build(night: Night, home: Path, max_days: int) -> dict[str, dict[str, list[str]]]:
    inputs = {name: record.relation for name, record in night.build.records.items() if record.kind == "input"}
    models = night.models
    with Build(
        home, models, inputs, night.build.parameters, engine=EngineSettings(max_days=max_days)
    ) as build:
        for kind in LEDGER_SCHEMAS:
            build.add_input(night._read_ledger(kind))
        for name in models.order:
            assert not [check for check in build.run(name).checks if check.is_blocking], name
        return {
            name: {
                key: [file.digest for file in files] for key, files in record.relation.files.items() if files
            }
            for name, record in build.records.items()
            if record.kind == "table"
        }


def test_a_day_at_a_time_equals_a_month_at_once(night: Night, tmp_path: Path) -> None:
    daily = _build(night, tmp_path / "daily", 1)
    monthly = _build(night, tmp_path / "monthly", 31)
    assert len(daily["core.direct_costs"]) >= 4
    assert {name for name in FILLED if not daily.get(name)} == set()
    assert {name: files for name, files in daily.items() if files != monthly[name]} == {}
