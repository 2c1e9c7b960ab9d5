"""The simulated company's bills through the real connectors: what lands is what the simulator says, to the last digit.

What belongs here: files and APIs of the simulator, landed and classified. What must not: what is attributed to whom.
"""

from __future__ import annotations

import json
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
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
            "usage": ["completions", "web_search_calls"],
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


@pytest.fixture(scope="module", params=["all habits", "no habit"])
def landed(request: pytest.FixtureRequest, keys: None, tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """The company over the end of a month, with every habit at its dose and without any."""
    days, habits = (34, Habits()) if request.param == "all habits" else (18, Habits.clean())
    world = build_world(Period(END - timedelta(days=days - 1), END), 75 * days, 7, habits)
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
    assert len(told) >= 18
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


@pytest.mark.parametrize("bill", ["aws", "azure", "gcp", "openai"])
def test_quantities_are_tokens_whatever_the_unit(landed: Landed, bill: str) -> None:
    used = landed.said[bill].filter(pl.col("use") == "tokens")
    told = {
        (day, token_class): tokens
        for day, token_class, tokens in used.group_by("day", "token_class")
        .agg(pl.col("quantity").sum())
        .iter_rows()
    }
    found: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in landed.charges:
        if row["bill_of_record"] == bill and row["billed_quantity"]:
            found[row["charge_period_start"].date(), row["token_class"]] += row["billed_quantity"]
    assert told and found == told


def test_a_bill_holds_what_calls_cost_that_it_knows(landed: Landed) -> None:
    """Tokens × price of each call that the bill knows, added up: exact without habits, rounded by line with them."""
    keys = ["provider", "model", "service_tier", "context_band"]
    priced = (
        landed.world.calls.unpivot(
            TOKEN_CLASSES, index=[*keys, "cloud", "day", "started_at", "bill_lag_days"], value_name="tokens"
        )
        .join(landed.world.token_prices.rename({"token_class": "variable"}), on=[*keys, "variable"])
        .filter(pl.col("day").is_between("valid_from", "valid_to", closed="left"))
    )
    for bill in ("aws", "azure", "gcp", "openai", "anthropic"):
        known = priced.filter(pl.col("cloud") == bill)
        if bill in ("azure", "gcp"):
            known = known.filter(
                (pl.col("day") < pl.lit(END).dt.month_start()) & (bill == "azure")
                | (pl.col("day") + pl.duration(days="bill_lag_days") <= pl.lit(END))
            )
        if bill == "aws":
            known = known.filter(pl.col("day") < pl.lit(END).dt.month_start())
        told = int((known["tokens"] * known["contract_price"]).sum())
        days = set(known["day"])
        found = [
            units(row["billed_cost"])
            for row in landed.charges
            if row["bill_of_record"] == bill
            and row["token_class"]
            and row["charge_period_start"].date() in days
        ]
        off = 0 if landed.world.habits == Habits.clean() else len(found) * 500_000
        assert told > 0
        assert abs(sum(found) - told) <= off, bill


def test_a_closed_month_is_restated_where_restatements_are_on(landed: Landed) -> None:
    """The first delivery of October lacked the last evening; the second holds it."""
    deliveries = [
        delivery
        for delivery in landed.reports["aws"].deliveries
        if any(file.partition == "2026-10" for file in delivery.typed_files)
    ]
    costs = [
        sum(
            row["billed_cost"]
            for file in delivery.typed_files
            for row in pq.read_table(file.path, partitioning=None).to_pylist()
        )
        for delivery in sorted(deliveries, key=lambda delivery: delivery.delivered_at)
    ]
    if landed.world.habits.restatements:
        assert len(costs) == 2 and costs[0] < costs[1]
        assert [d.delivered_at.day for d in deliveries] == [5, 12]
    else:
        assert len(costs) == 1


@pytest.mark.parametrize(
    ("source", "classes"),
    [("openai", TOKEN_CLASSES[:2] + TOKEN_CLASSES[4:]), ("anthropic", TOKEN_CLASSES)],
)
def test_providers_count_every_call_with_its_key(
    landed: Landed, source: str, classes: tuple[str, ...]
) -> None:
    """Bypassing calls are the ones whose key no product has."""
    calls = landed.world.calls.filter(pl.col("cloud") == source)
    told = {
        (day, key, token_class): row[token_class]
        for row in calls.group_by("day", "api_key_id").agg(pl.col(classes).sum()).iter_rows(named=True)
        for day, key in [(row["day"], row["api_key_id"])]
        for token_class in classes
        if row[token_class]
    }
    found: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for row in landed.rows(source, "provider_usage"):
        if row["usage_kind"] == "tokens":
            key = (row["bucket_start"].date(), row["api_key_id"], row["token_class"])
            found[key] += int(row["quantity"])
    assert told and found == told
    bypass = set(calls.filter(pl.col("path") == "bypass")["api_key_id"])
    product = set(calls.filter(pl.col("path") == "product")["api_key_id"])
    assert not bypass & product
    assert bool(bypass) == bool(landed.world.habits.gateway_bypass)


def test_bedrock_tells_principals_apart(landed: Landed) -> None:
    lines = landed.rows("aws", "aws_cur_lines")
    principals = {row["line_item_iam_principal"] for row in lines} - {None}
    used = landed.said["aws"].filter(pl.col("use") == "tokens")["principal"]
    assert len(principals) == used.n_unique() >= 3


def test_the_same_arguments_give_the_same_bytes(landed: Landed, tmp_path: Path) -> None:
    bills.write_bills(tmp_path, landed.world)
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert again and all((landed.root / name).read_bytes() == content for name, content in again.items())


def test_deliveries_pile_up_morning_after_morning(landed: Landed, tmp_path: Path) -> None:
    """What was delivered one morning lies there unchanged the next: only AWS's newest manifests move on."""
    folders = [tmp_path / "one morning", tmp_path / "both"]
    for folder in folders:
        bills.write_bills(folder, landed.world, END - timedelta(days=1))
    bills.write_bills(folders[1], landed.world)
    earlier = {path.relative_to(folders[0]) for path in folders[0].rglob("*") if path.is_file()}
    changed = {
        name for name in earlier if (folders[0] / name).read_bytes() != (folders[1] / name).read_bytes()
    }
    newest = f"{aws_cur.EXPORT}/metadata/BILLING_PERIOD=2026-11/{aws_cur.EXPORT}-Manifest.json"
    assert changed == {Path("bills/aws") / newest}
    again = {path.relative_to(folders[1]) for path in folders[1].rglob("*") if path.is_file()}
    assert {name.parts[1] for name in again - earlier} == {"aws", "azure", "gcp"}


def ask(url: str, headers: Mapping[str, str]) -> tuple[int, Any]:
    reply = httpx.get(url, headers=headers, timeout=10)
    return reply.status_code, json.loads(reply.text, parse_float=Decimal)


OPENAI = {"Authorization": f"Bearer {serve.ENVIRONMENT['OPENAI_ADMIN_KEY']}"}
ANTHROPIC = {"x-api-key": serve.ENVIRONMENT["ANTHROPIC_ADMIN_KEY"], "anthropic-version": "2023-06-01"}


def test_pages_hold_what_one_answer_holds(landed: Landed) -> None:
    start = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
    with serve.serve(landed.root, port=0) as server:
        base = f"{server.url}/v1/organization/usage/completions?start_time={start}&end_time={start + 10 * 86_400}"
        base += "&group_by=model&group_by=api_key_id"
        _, whole = ask(f"{base}&limit=10", OPENAI)
        assert len(whole["data"]) == 10 and whole["next_page"] is None
        pages, cursor = [], ""
        while cursor is not None:
            _, page = ask(f"{base}&limit=3{cursor}", OPENAI)
            pages += page["data"]
            cursor = f"&page={page['next_page']}" if page["has_more"] else None
        assert pages == whole["data"]
        _, first = ask(f"{base}&limit=3", OPENAI)
        status, error = ask(f"{base}&limit=4&page={first['next_page']}", OPENAI)
        assert status == 400 and "page token" in error["error"]["message"]
        _, hours = ask(
            f"{base.replace('&group_by=model&group_by=api_key_id', '')}&bucket_width=1h&limit=168", OPENAI
        )
        by_hour = sum(result["input_tokens"] for bucket in hours["data"][:24] for result in bucket["results"])
        by_key = sum(result["input_tokens"] for result in whole["data"][0]["results"])
        assert by_hour == by_key > 0
        assert hours["data"][0]["results"] == [] or hours["data"][0]["results"][0]["model"] is None


def test_keys_parameters_and_limits_are_the_vendors(landed: Landed) -> None:
    with serve.serve(landed.root, port=0) as server:
        openai = f"{server.url}/v1/organization"
        anthropic = f"{server.url}/v1/organizations"
        day = "starting_at=2026-11-01T00:00:00Z&ending_at=2026-11-02T00:00:00Z"
        assert ask(f"{openai}/costs?start_time=0", {})[0] == 401
        assert ask(f"{openai}/costs?start_time=0&bucket_width=1h", OPENAI)[0] == 400
        assert ask(f"{openai}/usage/completions?start_time=0&limit=32", OPENAI)[0] == 400
        assert ask(f"{openai}/usage/completions?start_time=0&until=9", OPENAI)[0] == 400
        assert ask(f"{openai}/usage/thoughts?start_time=0", OPENAI)[0] == 404
        assert ask(f"{anthropic}/me", {"x-api-key": "sk-ant-api03"})[0] == 400
        assert ask(f"{anthropic}/me", {**ANTHROPIC, "x-api-key": "sk-ant-api03"})[0] == 401
        assert ask(f"{anthropic}/me", ANTHROPIC)[1]["id"] == ANTHROPIC_ORGANIZATION
        assert ask(f"{anthropic}/cost_report?{day}&bucket_width=1h", ANTHROPIC)[0] == 400
        assert ask(f"{anthropic}/usage_report/messages?{day}&group_by[]=speed", ANTHROPIC)[0] == 400
        _, plain = ask(f"{anthropic}/cost_report?{day}", ANTHROPIC)
        _, named = ask(f"{anthropic}/cost_report?{day}&group_by[]=description", ANTHROPIC)
        (total,), parts = plain["data"][0]["results"], named["data"][0]["results"]
        assert total["description"] is None and len(parts) > 1
        assert {part["cost_type"] for part in parts} >= {"tokens"}
        assert abs(Decimal(total["amount"]) - sum(Decimal(part["amount"]) for part in parts)) <= Decimal(
            "1e-4"
        )


def test_the_clock_hides_what_has_not_happened(landed: Landed) -> None:
    """At noon of the last day half of it is there; a late call is not, a day later it is."""
    start = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp())
    path = f"/v1/organization/usage/completions?start_time={start}&end_time={start + 86_400}"
    counts = []
    for now in (datetime(2026, 11, 16, 12), datetime(2026, 11, 17), None):
        with serve.serve(landed.root, port=0, now=now) as server:
            (bucket,) = ask(f"{server.url}{path}", OPENAI)[1]["data"]
            counts.append(sum(result["num_model_requests"] for result in bucket["results"]))
    assert 0 < counts[0] < counts[1] <= counts[2]
    calls = landed.world.calls.filter(
        (pl.col("cloud") == "openai") & (pl.col("day") == pl.lit(END)) & (pl.col("output_tokens") > 0)
    )
    assert counts[2] == len(calls)


def test_a_command_runs_while_the_apis_stand(landed: Landed) -> None:
    script = (
        "import os, sys, urllib.request as u;"
        "r = u.Request(sys.argv[1], headers={'x-api-key': os.environ['ANTHROPIC_ADMIN_KEY'],"
        "'anthropic-version': '2023-06-01'});"
        "sys.exit(7 if u.urlopen(r).status == 200 else 1)"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/v1/organizations/me"
    asked = [str(landed.root), "--port", str(port), "--", sys.executable, "-c", script, url]
    assert serve.main(asked) == 7
    with socket.socket() as after:
        assert after.connect_ex(("127.0.0.1", port)) != 0


def test_a_taken_port_and_a_missing_folder_are_told(
    landed: Landed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.main([str(landed.root), "--port", str(port), "--", "true"]) == 2
    assert f"port {port}" in capsys.readouterr().err
    assert serve.main([str(tmp_path), "--port", "0", "--", "true"]) == 2
    assert "python -m simulator --out" in capsys.readouterr().err
