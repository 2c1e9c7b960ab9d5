"""The simulated company's bills through the real connectors: what lands is what the simulator says, to the last digit.

What belongs here: files and APIs of the simulator, landed and classified. What must not: what is attributed to whom.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.identity import Identity
from pipelines.config.model import Config
from pipelines.night.reference import build_alias_table
from simulator import bills, serve
from simulator.bills import aws_cur
from simulator.company import ANTHROPIC_ORGANIZATION, OPENAI_ORGANIZATION, Period
from simulator.habits import Habits
from simulator.prices import TOKEN_CLASSES
from simulator.world import World, build_world
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.harness import MODELS_ROOT

END = date(2026, 11, 16)
NOW = datetime(2026, 11, 17, 9)
MODELS = {
    "claude-sonnet-4-5": "regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "claude-haiku-4-5": "regional.anthropic.claude-haiku-4-5-20251001-v1:0",
}
"""Canonical names of Bedrock's models; the others keep theirs."""


@dataclass(frozen=True)
class Landed:
    """A world, what its bills are said to be, and what every connector made of them."""

    world: World
    root: Path
    said: Mapping[str, pl.DataFrame]
    reports: Mapping[str, SourceReport]
    charges: list[dict[str, Any]]

    def rows(self, source: str, dataset: str) -> list[dict[str, Any]]:
        """The rows of a source that count now."""
        return read_rows(self.reports[source], dataset)


def read_rows(report: SourceReport, dataset: str) -> list[dict[str, Any]]:
    files = [file for file in report.current_files if file.dataset == dataset]
    return [row for file in files for row in pq.read_table(file.path, partitioning=None).to_pylist()]


def build_settings(root: Path, url: str) -> dict[str, dict[str, Any]]:
    """Each bill's source as a config states it."""
    since = {"first_day": str(END - timedelta(days=40))}
    return {
        "aws": {
            "connector": "aws_data_exports",
            "export": aws_cur.EXPORT,
            "location": str(root / "bills/aws"),
            "backfill": True,
        },
        "azure": {"connector": "focus_files", "path": str(root / "bills/azure")},
        "gcp": {"connector": "gcp_billing", "location": str(root / "bills/gcp")},
        "own": {"connector": "rate_card_files", "path": str(root / "bills/own")},
        "openai": {
            "connector": "openai",
            "organization_id": OPENAI_ORGANIZATION,
            "endpoint": f"{url}/v1",
            "attempts": 1,
            **since,
        },
        "anthropic": {"connector": "anthropic", "endpoint": url, "attempts": 1, **since},
    }


def land_all(world: World, folder: Path) -> Landed:
    """Write the company's bills and land them all."""
    bills.write_bills(folder, world)
    context = LandingContext(
        lake=folder / "lake",
        now=NOW,
        identity=Identity(b"test key"),
        tag_keys={"feature": ("app",), "team": ("team",), "environment": ("env",)},
    )
    reports = {}
    with serve.serve(folder, port=0) as server:
        for name, values in build_settings(folder, server.url).items():
            settings = registry.load_settings_class(values["connector"]).model_validate(
                {"name": name, **values}
            )
            reports[name] = registry.land(settings, context)
    return Landed(world, folder, bills.lines(world), reports, build_charges(reports, world.period))


def build_charges(reports: Mapping[str, SourceReport], period: Period) -> list[dict[str, Any]]:
    """`core.charges` of all that landed."""
    lake: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for name, report in reports.items():
        for dataset in ("charges", "aws_cur_lines", "gcp_cost_lines", "rate_cards"):
            lake[dataset] += [
                {"x_source": name, "x_snapshot_id": "s1", **row} for row in read_rows(report, dataset)
            ]
    lake["model_aliases"] = build_alias_table(Config(), MODELS_ROOT / "reference").to_pylist()
    window = Window(date(2026, 9, 1), date(2026, 12, 1), NOW)
    with Chain(Inputs(lake, own_hardware_days=period.days), window, ("core.charges",)) as chain:
        assert not chain.failed_checks()
        return chain.rows("select * from core.charges")


@pytest.fixture(scope="module")
def keys() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, key in serve.ENVIRONMENT.items():
            patch.setenv(name, key)
        yield


@pytest.fixture(scope="module", params=["all habits", "none"])
def landed(request: pytest.FixtureRequest, keys: None, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Forty days of the company, with every habit at its dose and without any."""
    habits = Habits() if request.param == "all habits" else Habits.clean()
    world = build_world(Period(END - timedelta(days=39), END), 3_000, 7, habits)
    return land_all(world, tmp_path_factory.mktemp("company"))


def units(value: Decimal) -> int:
    """An amount in 1e-12, exactly."""
    whole = value.scaleb(12)
    assert whole == whole.to_integral_value(), value
    return int(whole)


def test_nothing_is_refused(landed: Landed) -> None:
    for name, report in landed.reports.items():
        faults = [finding for finding in report.findings if finding.severity is Severity.FAULT]
        assert not faults, (name, faults)


@pytest.mark.parametrize("bill", ["aws", "azure", "gcp", "openai", "anthropic", "own"])
def test_costs_land_by_day_to_the_last_digit(landed: Landed, bill: str) -> None:
    told: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for day, currency, billed, effective in (
        landed.said[bill].select("day", "currency", "billed", "effective").iter_rows()
    ):
        told[day, currency][0] += billed
        told[day, currency][1] += effective
    found: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for row in landed.charges:
        if row["bill_of_record"] == bill:
            key = (row["charge_period_start"].date(), row["billing_currency"])
            found[key][0] += units(row["billed_cost"])
            found[key][1] += units(row["effective_cost"])
    assert len(told) >= 38
    assert {key: values for key, values in found.items() if any(values)} == {
        key: values for key, values in told.items() if any(values)
    }


@pytest.mark.parametrize("bill", ["aws", "azure", "gcp", "openai", "anthropic"])
def test_token_meters_are_known_for_what_they_are(landed: Landed, bill: str) -> None:
    told: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in landed.said[bill].filter(pl.col("use") == "tokens").iter_rows(named=True):
        model = MODELS.get(row["model"], row["model"]) if bill == "aws" else row["model"]
        long = 200_001 if row["context_band"] == "over_200k" else None
        told[model, row["token_class"], row["service_tier"], long] += row["billed"]
    found: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in landed.charges:
        if row["bill_of_record"] == bill and row["cost_driver"] == "inference" and row["token_class"]:
            long = row["context_min_tokens"] or None
            found[row["model"], row["token_class"], row["service_tier"], long] += units(row["billed_cost"])
    assert told and found == told
