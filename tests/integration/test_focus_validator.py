"""The official FOCUS validator on what `everycent export focus` writes, of the sample company and of real bills.

What it finds is compared with tests/validator/known_failures.csv: rules that fail because the validator checks
something else than the rule says (`validator`), or because the bill itself is so (`bill`). Each must still fail.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from simulator.serve import ENVIRONMENT, serve

ROOT = Path(__file__).resolve().parents[2]
VALIDATOR = ROOT / ".validator" / "bin" / "python"
KNOWN = ROOT / "tests" / "validator" / "known_failures.csv"
REAL_FILES = ("focus_1_0_sample.csv", "azure_llm_inference_trace_code_2023.csv")
CRITERIA = (
    "ACCOUNT_NAMING_SUPPORTED",
    "AVAILABILITY_ZONE_SUPPORTED",
    "BILLING_BASED_ON_PROVISIONED_RESOURCES_SUPPORTED",
    "CAPACITY_RESERVATION_SUPPORTED",
    "COMMITMENT_DISCOUNT_SUPPORTED",
    "MULTIPLE_PRICING_CATEGORIES_SUPPORTED",
    "NEGOTIATED_PRICING_SUPPORTED",
    "PRICING_BILLING_CURRENCY_DIFFERENCES_SUPPORTED",
    "PUBLIC_PRICE_LIST_SUPPORTED",
    "REGION_SUPPORTED",
    "RESOURCE_TYPE_ASSIGNMENT_SUPPORTED",
    "SUB_ACCOUNT_SUPPORTED",
    "TAGGING_SUPPORTED",
    "UNIT_PRICING_SUPPORTED",
    "USAGE_MEASUREMENT_SUPPORTED",
    "VIRTUAL_CURRENCY_SUPPORTED",
)
"""All of FOCUS 1.2 but two: bills in FOCUS 1.0 tell no type of a billing account or sub account, and Azure's are."""
CRITERIA_OF = {
    "1.2": CRITERIA,
    "1.3": (*CRITERIA, "CONTRACT_COMMITMENTS_SUPPORTED", "DATA_GENERATOR_SPLIT_COST_ALLOCATION_SUPPORTED"),
}

Rules = Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="session")
def validator() -> Path:
    """The Python of the validator's own environment; absent, tests skip with a reason, in CI they fail."""
    if not VALIDATOR.is_file():
        reason = f"{VALIDATOR} is not here; `make validator` makes it where there is a Python 3.12 or newer"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return VALIDATOR


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a night of a small sample company was published."""
    folder = tmp_path_factory.mktemp("validated")
    command = [sys.executable, "-m", "simulator", "--out", str(folder / "sample"), "--days", "20"]
    _run([*command, "--requests", "800"])
    config = folder / "examples" / "sample" / "everycent.yml"
    config.parent.mkdir(parents=True)
    text = (ROOT / "examples" / "sample" / "everycent.yml").read_text(encoding="utf-8")
    os.environ.update(ENVIRONMENT)
    with serve(folder / "sample", port=0) as server:
        config.write_text(text.replace("http://127.0.0.1:8790", server.url), encoding="utf-8")
        return _publish(config, folder / "home", "2026-11-21")


@pytest.fixture(scope="session")
def real_home(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a night of real bills of AWS, Microsoft and Oracle was published."""
    folder = tmp_path_factory.mktemp("validated_real")
    config = folder / "everycent" / "examples" / "real" / "everycent.yml"
    config.parent.mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "real" / "everycent.yml", config)
    (folder / "shared" / "data").mkdir(parents=True)
    for name in REAL_FILES:
        shutil.copy(shared_data / name, folder / "shared" / "data" / name)
    return _publish(config, folder / "home", "2024-10-02")


def _publish(config: Path, home: Path, today: str) -> Path:
    _everycent("nightly", "--config", str(config), "--home", str(home), "--today", today)
    return home


def _everycent(*arguments: str) -> None:
    _run([sys.executable, "-m", "pipelines.cli", *arguments])


def _run(command: list[str]) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def _validate(validator: Path, home: Path, version: str, out: Path, rules: Path | None) -> list[Rules]:
    """What every rule says of each file that is exported."""
    _everycent("export", "focus", "--home", str(home), "--version", version, "--out", str(out))
    script = ROOT / "tests" / "validator" / "run_validator.py"
    found = []
    for file in sorted(out.glob("*.parquet")):
        command = [str(validator), str(script), str(file), version, ",".join(CRITERIA_OF[version])]
        result = json.loads(_run([*command, *([] if rules is None else [str(rules)])]))
        assert result["rows"] > 0
        found.append(result["rules"])
    assert found, "nothing was exported"
    return found


def _failures(rules: Rules) -> set[str]:
    """The rules that fail by what they see in the data; a rule made of rules only if none of those fails."""
    failed = {rule for rule, said in rules.items() if not said["ok"] and not said["skipped"]}
    return {rule for rule in failed if not failed & set(rules[rule]["children"])}


def _known(bill: str, version: str) -> dict[str, str]:
    with KNOWN.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if (row["bill"], row["version"]) == (bill, version)]
    assert all(row["reason"] and row["cause"] in ("validator", "bill") for row in rows)
    return {row["rule"]: row["cause"] for row in rows}


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("bill", ["sample", "real"])
def test_only_the_known_rules_fail(
    validator: Path, request: pytest.FixtureRequest, tmp_path: Path, bill: str, version: str
) -> None:
    home = request.getfixturevalue(f"{bill}_home")
    shared = request.getfixturevalue("shared_data") if version == "1.3" else None
    results = _validate(validator, home, version, tmp_path / "focus", shared and shared / "focus_model")
    assert all(sum(not said["skipped"] for said in rules.values()) > 300 for rules in results)
    failed = set().union(*map(_failures, results))
    assert failed == set(_known(bill, version))


def test_nothing_of_the_sample_is_at_fault_but_names_that_no_bill_tells() -> None:
    untold = {rule for rule, cause in _known("sample", "1.2").items() if cause != "validator"}
    assert untold == {"BillingAccountName-C-003-C", "ResourceType-C-005-C", "SubAccountName-C-005-C"}


def test_a_broken_export_fails(validator: Path, sample_home: Path, tmp_path: Path) -> None:
    out = tmp_path / "focus"
    _everycent("export", "focus", "--home", str(sample_home), "--out", str(out))
    file = sorted(out.glob("*.parquet"))[-1]
    table = parquet.read_table(file)
    place = table.schema.get_field_index("ConsumedUnit")
    nothing = pa.nulls(table.num_rows, pa.string())
    parquet.write_table(table.set_column(place, "ConsumedUnit", nothing), file)
    script = ROOT / "tests" / "validator" / "run_validator.py"
    rules = json.loads(_run([str(validator), str(script), str(file), "1.2", ",".join(CRITERIA)]))["rules"]
    assert "ConsumedUnit-C-006-C" in _failures(rules)
