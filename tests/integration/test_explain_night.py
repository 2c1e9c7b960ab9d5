"""`everycent explain` on a night's release: a line of any mart leads to bill lines, cells and calls, and adds up."""

from __future__ import annotations

import json
import re
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import cli
from pipelines.terminal.explanation import trace_words
from pipelines.warehouse.explain_marts import check_columns, check_words
from tests.conftest import ROOT
from tests.integration.mini_company import LINE, Company, span, write_csv

CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: bill, connector: focus_files, path: aws}
  - name: calls
    connector: request_files
    path: calls
    columns: {started_at: time, provider: provider, model: model, user_id: user, feature: feature,
              input_tokens: input, output_tokens: output}
  - {name: spans, connector: otel_genai, path: spans}
  - {name: flows, connector: transfer_files, path: flows}
  - {name: budgets, connector: budget_files, path: budgets}
tags: {feature: [feature]}
shared_costs:
  - {rule_id: all_share_support, match: {service: AWS Support (Business)}, split: proportional}
"""
MODEL = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOBODY = {"ResourceId": "", "Tags": "{}"}
INPUT = {
    **NOBODY,
    "ServiceName": "Amazon Bedrock",
    "ServiceCategory": "AI and Machine Learning",
    "SkuMeter": "USE1-Claude4.5Sonnet-input-tokens",
    "ConsumedQuantity": "1200",
    "ConsumedUnit": "Tokens",
}
MONTH = {"ChargePeriodEnd": "2026-12-01T00:00:00Z"}
LINES = [
    {},
    INPUT,
    {**INPUT, "SkuMeter": "USE1-Claude4.5Sonnet-output-tokens", "ConsumedQuantity": "500"},
    {**NOBODY, "SkuMeter": "USE1-DataTransfer-Regional-Bytes", "ResourceId": ""},
    {**NOBODY, "ServiceName": "AWS Support (Business)", "SkuMeter": "Support", **MONTH},
    {**NOBODY, "ChargeCategory": "Tax", "SkuMeter": "", "BilledCost": "1", "EffectiveCost": "1", **MONTH},
    {**NOBODY, "ChargeCategory": "Credit", "BilledCost": "-3", "EffectiveCost": "-3"},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A company whose bill has tokens, traffic, tax, a credit and support; its two users call from two features."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "everycent.yml").write_text(CONFIG)
    company = Company(folder)
    columns = [*LINE, "ConsumedQuantity", "ConsumedUnit"]
    company.write_bill("aws/bill.csv", LINES, columns)
    called = {"provider": "aws.bedrock", "model": MODEL}
    company.write_calls(
        [
            {**called, "input": "600", "output": "300"},
            {**called, "user": "[red]bob", "feature": "chat", "input": "300"},
        ]
    )
    traced = span("call", parent="root", model=MODEL, input=300, output=100)
    named = {"key": "gen_ai.provider.name", "value": {"stringValue": "aws.bedrock"}}
    traced["attributes"] = [named, *(item for item in traced["attributes"] if item["key"] != named["key"])]
    company.write_spans([span("root"), traced])
    flow = {
        "window_start": "2026-11-01T10:00:00Z",
        "window_end": "2026-11-01T11:00:00Z",
        "provider": "aws",
        "traffic_kind": "inter_az",
        "from_zone": "use1-az1",
        "to_zone": "use1-az2",
        "bytes": "5000",
    }
    write_csv(folder / "flows" / "flows.csv", [flow], flow)
    budget = {"budget_id": "all", "period_start": "2026-11-01", "period_end": "2026-12-01", "amount": "90"}
    write_csv(folder / "budgets" / "budgets.csv", [{**budget, "currency": "USD"}], [*budget, "currency"])
    company.night()
    return folder / "home"


@pytest.fixture(autouse=True)
def _columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def explain(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Run it with --json and return what it printed."""
    assert cli.run(["explain", *words, "--home", str(home), "--json"]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def total_of(rows: list[dict[str, Any]]) -> Decimal:
    """The effective cost of rows as printed."""
    return sum((Decimal(row["effective_cost"] or 0) for row in rows), Decimal(0))


LINES_ASKED_FOR = [
    ["--date", "2026-11-01"],
    ["cost_daily", "feature=search", "charge_date=2026-11-01"],
    ["cost_daily", "confidence=high"],
    ["--driver", "inference", "--model", f"regional.{MODEL}"],
    ["cost_daily", "charge_category=Tax"],
    ["cost_daily", "charge_category=Credit"],
    ["marts.cost_daily_fully_loaded", "charge_date=2026-11-01"],
    ["unit_economics_daily", "charge_date=2026-11-01", "feature=search"],
    ["inference_share_monthly", "charge_month=2026-11"],
    ["egress_pairs_daily", "from_zone=use1-az1"],
    ["monitoring_share_daily", "charge_date=2026-11-01"],
    ["reconciliation", "charge_date=2026-11-01"],
    ["budget_status", "budget_id=all"],
]


@pytest.mark.parametrize("words", LINES_ASKED_FOR, ids=" ".join)
def test_every_line_leads_to_cells_and_bill_lines_and_adds_up(
    home: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    told = explain(home, capsys, *words, "--limit", "1000")
    levels = {level["name"] for level in told["levels"]}
    assert levels >= {"lines", "cells", "bill_lines", "whole_bill_lines"}
    for level in told["levels"]:
        parts = sum((Decimal(part["amount"]) for part in level["parts"]), Decimal(0))
        assert parts == Decimal(level["sum"]) and Decimal(level["difference"]) == 0, level
    assert told["adds_up"] is True and len(told["cells"]) == told["cell_count"]
    assert any(Decimal(level["sum"]) != 0 for level in told["levels"] if level["name"] == "lines")
    selected = total_of(told["totals"])
    assert total_of(told["lines"]["rows"]) == total_of(told["classes"]) == selected
    for cell in told["cells"]:
        assert total_of(cell["bill_lines"]["rows"]) == total_of([cell["cell"]])
        assert total_of(cell["attributions"]["rows"]) == total_of([cell["cell"]])


def test_tokens_of_a_cell_are_those_of_its_calls(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explain(home, capsys, "--driver", "inference", "--provider", "aws")
    tokens = {level["measure"]: level["sum"] for level in told["levels"] if level["name"] == "tokens"}
    assert tokens == {"uncached_input_tokens": "1200", "output_tokens": "500"}
    assert told["calls"]["count"] == 3
    assert {row["x_sources"]: row["calls"] for row in told["calls"]["sources"]} == {"calls": 2, "spans": 1}
    only_bob = explain(home, capsys, "--user", "[red]bob", "--driver", "inference")
    assert [row["user_id"] for row in only_bob["calls"]["rows"]] == ["[red]bob"]


def test_a_trace_shows_its_agents_and_adds_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with duckdb.connect(str(home / "warehouse" / "current" / "everycent.duckdb"), read_only=True) as release:
        ((trace_id, total),) = release.execute(
            "select trace_id, total_cost from marts.traces where total_cost > 0 and trace_id not like 'row:%'"
        ).fetchall()
    told = explain(home, capsys, "traces", f"trace_id={trace_id[:20]}")
    sums = {
        level["name"]: Decimal(level["sum"]) for level in told["levels"] if level["name"].startswith("trace")
    }
    assert sums == {"trace_drivers": total, "trace_steps": total}
    assert cli.run(["explain", "trace_steps", f"trace_id={trace_id}", "--home", str(home)]) == 0
    shown = capsys.readouterr().out
    assert "Agents (self: own calls" in shown and "✓ trace, by agent" in shown
    own = shown.index("What this trace cost")
    assert own < shown.index("are all its own.") < shown.index("Selected:") < shown.index("What it pays for")


def test_a_trace_with_a_part_of_its_lines_says_what_the_larger_number_is() -> None:
    trace = {"total_cost": Decimal("0.259"), "reporting_currency": "USD"}
    whole = {"effective_cost": Decimal("0.826"), "billing_currency": "USD"}
    assert trace_words(trace, (whole,)).startswith(
        "Its own cost is 0.259 USD. What is selected below is the whole"
    )
    assert trace_words(trace, ({**whole, "effective_cost": Decimal("0.259")},)).endswith("are all its own.")


def test_tax_is_told_apart_from_what_it_is_raised_on(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explain(home, capsys, "--date", "2026-11-01")
    sums: dict[str, Decimal] = {}
    for row in told["classes"]:
        sums[row["charge_category"]] = sums.get(row["charge_category"], Decimal(0)) + total_of([row])
    assert sums["Tax"] == 1 and sums["Credit"] == -3 and sums["Usage"] > 0
    assert cli.run(["explain", "--date", "2026-11-01", "--home", str(home)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "charges usage " in shown and " · tax 1.00 USD" in shown and " · credit -3.00 USD" in shown
    assert cli.run(["explain", "cost_daily", "charge_category=Tax", "--home", str(home)]) == 0
    assert "charges  " not in capsys.readouterr().out


def test_what_follows_other_cost_says_which_and_in_what_parts(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["explain", "cost_daily", "charge_category=Tax", "--all", "--home", str(home)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "follows the taxed cost of its invoice" in shown and "It follows the cost of" in shown
    support = explain(home, capsys, "--service", "AWS Support (Business)", "--date", "2026-11-01")
    (cell,) = support["cells"]
    assert cell["cell"]["shared_cost_rule_id"] is not None and cell["shared_by"]["kind"] == "followed"
    (line,) = cell["bill_lines"]["rows"]
    assert line["line_days"] > 1 and Decimal(line["line_billed_cost"]) == 10
    (elsewhere,) = [
        Decimal(part["amount"])
        for level in support["levels"]
        for part in level["parts"]
        if (level["name"], level["measure"], part["name"]) == ("whole_bill_lines", "billed_cost", "elsewhere")
    ]
    assert elsewhere == 10 - Decimal(line["billed_cost"])


TAMPERED = {
    "lines": ("marts.cost_daily", "effective_cost + 0.000000000001 as effective_cost"),
    "cells": ("core.cells", "effective_cost + 1 as effective_cost"),
    "bill_lines": ("core.charge_cells", "effective_cost + 1 as effective_cost"),
    "whole_bill_lines": ("core.charges", "effective_cost + 1 as effective_cost"),
    "tokens": ("core.identified_requests", "output_tokens + 1 as output_tokens"),
}


@pytest.mark.parametrize("level", TAMPERED)
def test_a_level_that_does_not_add_up_is_told_and_ends_with_1(
    home: Path, tmp_path: Path, level: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "home"
    (release,) = (home / "warehouse" / "releases").iterdir()
    shutil.copytree(release, own / "warehouse" / "releases" / release.name)
    (own / "warehouse" / "current").symlink_to(Path("releases") / release.name)
    relation, change = TAMPERED[level]
    schema, name = relation.split(".")
    with duckdb.connect(str(own / "warehouse" / "current" / "everycent.duckdb")) as tampered:
        tampered.execute(f"alter view {relation} rename to whole_{name}")
        tampered.execute(f"create view {relation} as select * replace ({change}) from {schema}.whole_{name}")
    words = ["--driver", "inference", "--home", str(own)]
    assert cli.run(["explain", *words]) == 1
    shown = capsys.readouterr()
    assert "✗" in shown.out and "does not add up" in shown.err
    assert cli.run(["explain", *words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["adds_up"] is False
    assert level in {open_level["name"] for open_level in told["levels"] if Decimal(open_level["difference"])}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["egres_pairs_daily", "from_zone=x"], 3, "Did you mean 'egress_pairs_daily'"),
        (["egress_pairs_daily", "fromzone=x"], 3, "Did you mean 'from_zone'"),
        (["cost_daily", "charge_date=yesterday"], 3, "names no day"),
        (["cost_daily", "feature"], 3, "write COLUMN=VALUE"),
        (["cost_daily", "feature=serch"], 1, "Did you mean 'search'"),
        (["budget_status", "budget_id=al"], 1, "It knows all"),
        (["traces"], 3, "traces trace_id=ID"),
        (["cost_daily", "feature=\x1b[31m[bold]x"], 1, "\\x1b[31m[bold]x"),
    ],
)
def test_what_is_not_known_is_told_with_what_is(
    home: Path, words: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["explain", *words, "--home", str(home)]) == code
    told = capsys.readouterr().err
    assert sentence in " ".join(told.split()) and "\x1b" not in told


def test_each_example_of_the_page_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    examples = re.findall(r"^everycent explain (.+?)(?:  +#.*)?$", page, re.MULTILINE)
    assert len(examples) >= 6
    for example in examples:
        words = example.replace("2026-11-19", "2026-11-01").split()
        if "--all" in words or words[0].startswith("--"):
            assert cli.run(["explain", *words, "--home", str(home)]) == 0, example
            assert "✓ paid by" in capsys.readouterr().out
        else:
            mart, given = check_words(words)
            assert check_columns(mart, given) == given
