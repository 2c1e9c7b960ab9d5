"""Every model gives the same rows whichever window it is run in: a day at a time or a month at once."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.night.run import Night, NightRequest, load_models
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.runner import Build

CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: aws_bill, connector: aws_data_exports, export: quillworks-cur, location: sample/bills/aws}
  - {name: azure_bill, connector: focus_files, path: sample/bills/azure}
  - {name: google_bill, connector: gcp_billing, location: sample/bills/gcp}
  - {name: own_hardware, connector: rate_card_files, path: sample/bills/own, pattern: "*.csv"}
  - {name: agent_traces, connector: otel_genai, path: sample/traces}
  - {name: gateway, connector: litellm, path: sample/gateway}
  - {name: bedrock_log, connector: bedrock_invocation_logs, path: sample/bedrock}
  - {name: flow_logs, connector: aws_flow_logs, path: sample/flow_logs}
  - {name: capacity, connector: capacity_files, path: sample/capacity, pattern: "*.csv"}
  - {name: flows, connector: transfer_files, path: sample/flows, pattern: "*.csv"}
  - {name: volumes, connector: telemetry_files, path: sample/telemetry, pattern: "*.csv"}
  - {name: workloads, connector: workload_files, path: sample/workloads.csv}
  - {name: zones, connector: zone_files, path: sample/zones.csv}
fx_rates: [{from_currency: EUR, to_currency: USD, rate_date: 2026-01-01, rate: "1.1"}]
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("windows")
    command = [
        sys.executable,
        "-m",
        "simulator",
        "--out",
        str(folder / "sample"),
        "--days",
        "8",
        "--requests",
        "300",
    ]
    subprocess.run([*command, "--end", "2026-11-05"], check=True, capture_output=True)
    (folder / "everycent.yml").write_text(CONFIG)
    config = load_config(folder / "everycent.yml")
    request = NightRequest(config, config.home, date(2026, 11, 6), datetime(2026, 11, 6, 8))
    with Night(request, load_models()) as running:
        for source in config.sources:
            assert not running.land(source).has_fault
        running.gather()
        yield running


def _build(night: Night, home: Path, max_days: int) -> dict[str, dict[str, list[str]]]:
    inputs = {name: record.relation for name, record in night.build.records.items() if record.kind == "input"}
    models = night.models
    with Build(
        home, models, inputs, night.build.parameters, engine=EngineSettings(max_days=max_days)
    ) as build:
        for kind in ("forecasts", "budget_forecasts", "anomalies", "estimates"):
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
    assert len(daily["core.direct_costs"]) >= 8
    assert {name: files for name, files in daily.items() if files != monthly[name]} == {}
