"""The config of examples/real on real bills of three clouds and real LLM requests, through the command line."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGITS = Decimal("0.000000000001")
BILL = "focus_1_0_sample.csv"
REQUESTS = "azure_llm_inference_trace_code_2023.csv"


@pytest.fixture(scope="module")
def lines(shared_data: Path) -> list[dict[str, str]]:
    with (shared_data / BILL).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 1000
    return rows


@pytest.fixture(scope="module")
def release(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A release of examples/real/everycent.yml; the config is copied, so that its relative paths hold anywhere."""
    base = tmp_path_factory.mktemp("real")
    config = base / "everycent" / "examples" / "real" / "everycent.yml"
    config.parent.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "real" / "everycent.yml", config)
    (base / "shared" / "data").mkdir(parents=True)
    for name in (BILL, REQUESTS):
        shutil.copy(shared_data / name, base / "shared" / "data" / name)
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "nightly",
        "--config",
        str(config),
        "--today",
        "2024-10-02",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    path = base / "everycent" / "home" / "real" / "warehouse" / "current" / "everycent.duckdb"
    return duckdb.connect(str(path), read_only=True)


def _sum(lines: list[dict[str, str]], column: str, provider: str) -> Decimal:
    values = [line[column] for line in lines if line["ProviderName"] == provider]
    return sum(
        (Decimal(v).quantize(DIGITS, ROUND_HALF_UP) for v in values if v not in ("", "NULL")), Decimal(0)
    )


@pytest.mark.parametrize("column", ["BilledCost", "EffectiveCost", "ListCost"])
@pytest.mark.parametrize(("provider", "name"), [("AWS", "aws"), ("Microsoft", "azure"), ("Oracle", "oci")])
def test_attributed_totals_equal_the_file_to_the_last_digit(
    lines: list[dict[str, str]], release: duckdb.DuckDBPyConnection, provider: str, name: str, column: str
) -> None:
    measure = {"BilledCost": "billed_cost", "EffectiveCost": "effective_cost", "ListCost": "list_cost"}[
        column
    ]
    for table in (
        "core.attributed_costs as f join core.cells as c using (charge_date, cell_id)",
        "marts.cost_daily",
    ):
        alias = "f." if "join" in table else ""
        state = f"{alias}cost_state"
        found = release.execute(
            f"select sum({alias}{measure}) from {table} where provider = $name and {state} <> 'estimated'",
            {"name": name},
        ).fetchone()
        assert found == (_sum(lines, column, provider),)


def test_every_line_stands_in_the_warehouse_once(release: duckdb.DuckDBPyConnection) -> None:
    assert release.execute("select count(*), count(distinct charge_id) from core.charges").fetchone() == (
        1000,
        1000,
    )


def test_tags_of_the_bill_name_owners(
    lines: list[dict[str, str]], release: duckdb.DuckDBPyConnection
) -> None:
    tags = {
        line["Id"]: json.loads(line["Tags"]) if line["Tags"] not in ("", "NULL") else {} for line in lines
    }
    tagged = sum(
        Decimal(line["BilledCost"])
        for line in lines
        if {"application", "Project"} & tags[line["Id"]].keys()
        and {"environment", "env"} & tags[line["Id"]].keys()
    )
    assert tagged > 20
    found = release.execute(
        "select sum(billed_cost) from core.charges where tag_feature is not null and tag_environment is not null"
    ).fetchone()
    assert found is not None
    assert found[0] == Decimal(tagged).quantize(DIGITS)
    teams = release.execute(
        "select count(distinct team), count(distinct environment) from marts.cost_daily"
    ).fetchone()
    assert teams is not None
    assert teams[0] > 3
    assert teams[1] >= 2


def test_prices_in_the_zone_column_are_no_zones(release: duckdb.DuckDBPyConnection) -> None:
    assert release.execute(
        "select count(*) from core.charges where provider = 'azure' and availability_zone is not null"
    ).fetchone() == (0,)
    assert release.execute(
        "select finding_count from marts.data_completeness where finding = 'zone_is_number'"
    ).fetchone() == (51,)


def test_requests_without_user_and_feature_are_visible(release: duckdb.DuckDBPyConnection) -> None:
    found = release.execute(
        "select sum(requests), sum(input_tokens), sum(output_tokens), min(cost_state), max(evidence), sum(billed_cost) "
        "from marts.cost_daily where requests > 0 or input_tokens > 0"
    ).fetchone()
    assert found == (8819, 18_059_974, 245_896, "estimated", "priced", None)
    assert release.execute(
        "select finding_count from marts.data_completeness where finding = 'requests_without_feature'"
    ).fetchone() == (8819,)


def test_totals_by_provider_and_month_equal_the_file(
    lines: list[dict[str, str]], release: duckdb.DuckDBPyConnection
) -> None:
    """To the last digit, and of that at most 5 % is under other and 5 % under platform."""
    names = {"AWS": "aws", "Microsoft": "azure", "Oracle": "oci"}
    expected: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        key = (names[line["ProviderName"]], line["BillingPeriodStart"][:7])
        cost = Decimal(line["BilledCost"]).quantize(DIGITS, ROUND_HALF_UP)
        expected[key] = expected.get(key, Decimal(0)) + cost
    assert len(expected) >= 3
    found = release.execute(
        "select provider, strftime(billing_period_start, '%Y-%m'), sum(billed_cost) from core.charges group by all"
    ).fetchall()
    assert {(provider, month): cost for provider, month, cost in found} == expected


@pytest.mark.parametrize("driver", ["other", "platform"])
def test_the_bill_is_classified(release: duckdb.DuckDBPyConnection, driver: str) -> None:
    shares = release.execute(
        "select count(*) filter (where cost_driver = $driver), "
        "20 * sum(abs(billed_cost)) filter (where cost_driver = $driver) <= sum(abs(billed_cost)) from core.charges",
        {"driver": driver},
    ).fetchone()
    assert shares is not None
    assert shares[0] <= 50
    assert shares[1] in (True, None)
