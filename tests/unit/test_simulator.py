"""The sample company: same arguments same bytes, bills that cover the logs, a spike, vendors' columns.

Reads the written files as any consumer would, and nothing from the generator but its entry point.
"""

from __future__ import annotations

import ast
import csv
import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.__main__ import write_sample
from simulator.legacy.company import Period

ROOT = Path(__file__).parents[2]
PERIOD = Period(date(2026, 10, 12), date(2026, 11, 20))
OURS = {"connectors", "pipelines", "reports", "models_sql", "benchmarks", "genai_prices"}
MANDATORY = {
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
}
NOT_NULL = MANDATORY - {"BillingAccountName", "ChargeClass", "PricingQuantity", "PricingUnit"}
METERS = {
    "anthropic.claude-sonnet-4-5-20250929-v1:0": "USE1-Claude4.5Sonnet-",
    "anthropic.claude-haiku-4-5-20251001-v1:0": "USE1-Claude4.5Haiku-",
    "gpt-4.1-mini-2025-04-14": "gpt 4.1 mini ",
}
TOKEN_CLASSES = {
    "input-tokens": "uncached",
    "cache-read-input-token-count": "read",
    "cache-write-input-token-count": "write",
    "output-tokens": "output",
    "Inp glbl Tokens": "uncached",
    "cached Inp glbl Tokens": "read",
    "Outp glbl Tokens": "output",
}
TokenKey = tuple[str, str, str]  # day, model, class


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shorter history of the company: 40 days, 4000 calls."""
    out = tmp_path_factory.mktemp("sample")
    write_sample(out, PERIOD, 4_000, 7)
    return out


def read_bill(path: Path) -> list[dict[str, str]]:
    """Lines of a delivered bill; fails on an empty one."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    lines = list(csv.DictReader(text.splitlines()))
    assert lines, path
    return lines


def bills(sample: Path) -> dict[Path, list[dict[str, str]]]:
    """Every delivered bill by path, oldest delivery first."""
    paths = [*sample.glob("bills/aws/*/*/*.csv.gz"), *sample.glob("bills/azure/*/*/*.csv")]
    assert len(paths) == 5
    return {path: read_bill(path) for path in sorted(paths)}


def current_lines(sample: Path) -> list[dict[str, str]]:
    """The lines of the newest delivery of each billing period and cloud."""
    newest = {(path.parts[-4], path.parts[-3]): lines for path, lines in bills(sample).items()}
    return [line for lines in newest.values() for line in lines]


def spans(sample: Path) -> Iterator[dict[str, Any]]:
    """Every span, its attributes as a plain dict."""
    for path in sorted(sample.glob("traces/*.jsonl")):
        for batch in path.read_text().splitlines():
            for resource in json.loads(batch)["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    for span in scope["spans"]:
                        values = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
                        yield span | {"attributes": values}


def day_of(span: dict[str, Any]) -> str:
    """UTC day on which a span started."""
    return str(datetime.fromtimestamp(int(span["startTimeUnixNano"]) // 10**9, UTC).date())


def logged_tokens(sample: Path) -> Counter[TokenKey]:
    """Tokens by day, model and disjoint class as the spans report them."""
    tokens: Counter[TokenKey] = Counter()
    for span in spans(sample):
        values = span["attributes"]
        if values.get("gen_ai.operation.name") != "chat" or "gen_ai.response.model" not in values:
            continue
        read = int(values.get("gen_ai.usage.cache_read.input_tokens", 0))
        write = int(values.get("gen_ai.usage.cache_creation.input_tokens", 0))
        day, model = day_of(span), values["gen_ai.response.model"]
        tokens[day, model, "uncached"] += int(values["gen_ai.usage.input_tokens"]) - read - write
        tokens[day, model, "read"] += read
        tokens[day, model, "write"] += write
        tokens[day, model, "output"] += int(values["gen_ai.usage.output_tokens"])
    assert min(tokens.values()) >= 0
    return +tokens


def billed_tokens(sample: Path) -> Counter[TokenKey]:
    """Tokens by day, model and class as the newest bills count them."""
    tokens: Counter[TokenKey] = Counter()
    for line in current_lines(sample):
        meter = line.get("SkuMeter") or line.get("x_SkuMeterName") or ""
        for model, prefix in METERS.items():
            if meter.startswith(prefix):
                key = (line["ChargePeriodStart"][:10], model, TOKEN_CLASSES[meter.removeprefix(prefix)])
                tokens[key] += int(line["ConsumedQuantity"])
                assert Decimal(line["PricingQuantity"]) * 1000 == Decimal(line["ConsumedQuantity"])
    return tokens


def test_same_arguments_give_the_same_bytes(sample: Path, tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    write_sample(tmp_path / "again", PERIOD, 4_000, 7)
    write_sample(tmp_path / "other", PERIOD, 4_000, 8)
    assert len(digests(sample)) > 100
    assert digests(tmp_path / "again") == digests(sample)
    assert digests(tmp_path / "other") != digests(sample)


def test_bills_cover_what_was_logged_but_for_hours_not_yet_metered(sample: Path) -> None:
    billed, logged = billed_tokens(sample), logged_tokens(sample)
    assert len(logged) > 300
    assert {model for _, model, _ in logged} == set(METERS)
    last_day = str(PERIOD.end)
    missing = {key for key, tokens in logged.items() if billed[key] < tokens}
    assert missing
    assert {(day, model.startswith("anthropic")) for day, model, _ in missing} == {(last_day, True)}
    complete = [key for key in billed if key[0] != last_day]
    share = Decimal(sum(logged[key] for key in complete)) / sum(billed[key] for key in complete)
    assert Decimal("0.93") < share < Decimal("0.99")


def test_the_restated_month_brings_late_usage(sample: Path) -> None:
    first, restated = [
        lines for path, lines in bills(sample).items() if "billing_period=2026-10" in path.parts
    ]
    totals = defaultdict(Decimal)
    for sign, lines in ((-1, first), (1, restated)):
        for line in lines:
            if line["ChargeCategory"] == "Usage":
                totals[line["ChargePeriodStart"][:10]] += sign * Decimal(line["BilledCost"])
    assert {day for day, total in totals.items() if total > 0} == {"2026-10-30", "2026-10-31"}
    assert min(totals.values()) == 0


def test_every_bill_has_the_mandatory_focus_columns(sample: Path) -> None:
    for path, lines in bills(sample).items():
        assert set(lines[0]) >= MANDATORY, path
        assert not [(path, column) for line in lines for column in NOT_NULL if line[column] == ""]
        manifest = json.loads(path.with_name(path.name.split(".")[0] + ".manifest.json").read_text())
        assert manifest["files"] == [path.name]
        assert datetime.fromisoformat(manifest["delivered_at"]).tzinfo is UTC


def test_usage_is_billed_below_list_and_costs_follow_prices(sample: Path) -> None:
    checked = 0
    for line in current_lines(sample):
        if (
            line["ChargeCategory"] == "Usage"
            and line["PricingQuantity"]
            and line["PricingCategory"] == "Standard"
        ):
            quantity = Decimal(line["PricingQuantity"])
            assert abs(Decimal(line["ListUnitPrice"]) * quantity - Decimal(line["ListCost"])) <= Decimal(
                "1e-10"
            )
            unit_price = Decimal(line["ContractedUnitPrice"])
            assert abs(unit_price * quantity - Decimal(line["ContractedCost"])) <= Decimal("1e-10")
            assert line["BilledCost"] == line["EffectiveCost"] == line["ContractedCost"]
            assert unit_price < Decimal(line["ListUnitPrice"])
            checked += 1
    assert checked > 1_000


def test_the_savings_plan_moves_cost_but_makes_none(sample: Path) -> None:
    lines = [line for line in current_lines(sample) if line.get("CommitmentDiscountId")]
    assert {(line["ChargeCategory"], line["CommitmentDiscountStatus"]) for line in lines} == {
        ("Purchase", ""),
        ("Usage", "Used"),
        ("Usage", "Unused"),
    }
    billed: defaultdict[str, Decimal] = defaultdict(Decimal)
    effective: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        billed[line["ChargePeriodStart"]] += Decimal(line["BilledCost"])
        effective[line["ChargePeriodStart"]] += Decimal(line["EffectiveCost"])
        assert Decimal(line["EffectiveCost"]) >= 0
    assert billed == effective
    assert len(billed) == len(PERIOD.days)
    own = [line for line in lines if line["CommitmentDiscountStatus"] != "Used"]
    assert {line["PricingUnit"] for line in own} == {"Hours"}
    for line in own:
        assert line["ListUnitPrice"] == line["ContractedUnitPrice"] == line["PricingCurrencyListUnitPrice"]
        price = Decimal(line["ListUnitPrice"]) * Decimal(line["PricingQuantity"])
        assert price == Decimal(line["ListCost"]) == Decimal(line["BilledCost"])


def test_bills_hold_credits_tax_refund_and_identical_lines(sample: Path) -> None:
    lines = current_lines(sample)
    credits = [line for line in lines if line["ChargeCategory"] == "Credit"]
    assert credits
    assert all(Decimal(line["BilledCost"]) < 0 for line in credits)
    refund = [line for line in lines if line["ChargeClass"] == "Correction"]
    assert [line["ChargePeriodStart"][:7] < line["BillingPeriodStart"][:7] for line in refund] == [True]
    closed_tax = [x for x in lines if x["ChargeCategory"] == "Tax" and x["BillingPeriodStart"] < "2026-11"]
    assert closed_tax
    assert all(line["InvoiceId"] for line in closed_tax)
    assert max(Counter(tuple(line.values()) for line in lines).values()) == 2


def test_the_retry_loop_shows_from_its_first_day(sample: Path) -> None:
    reviews: Counter[bool] = Counter()
    calls: Counter[bool] = Counter()
    root_day: dict[str, bool] = {}
    all_spans = list(spans(sample))
    for span in all_spans:
        if span["attributes"].get("http.route") == "/v1/reviews":
            root_day[span["traceId"]] = day_of(span) >= str(PERIOD.spike_start)
            reviews[day_of(span) >= str(PERIOD.spike_start)] += 1
    for span in all_spans:
        if span["attributes"].get("gen_ai.operation.name") == "chat" and span["traceId"] in root_day:
            calls[root_day[span["traceId"]]] += 1
    assert reviews[True] > 10
    assert 2.5 < (calls[True] / reviews[True]) / (calls[False] / reviews[False]) < 3.5


def test_traces_hold_the_shapes_that_consumers_must_survive(sample: Path) -> None:
    roots: set[str] = set()
    days: defaultdict[str, set[str]] = defaultdict(set)
    errors, inherited = 0, 0
    for span in spans(sample):
        values = span["attributes"]
        days[span["traceId"]].add(day_of(span))
        if "http.route" in values:
            roots.add(span["traceId"])
        if values.get("gen_ai.operation.name") == "chat":
            errors += span["status"] == {"code": 2}
            inherited += "app.feature" not in values
    assert 0 < len(days.keys() - roots) < len(days) * 0.02
    assert any(len(touched) > 1 for touched in days.values())
    assert errors > 5
    assert inherited > 1_000


def test_one_workload_of_the_flows_is_in_no_inventory(sample: Path) -> None:
    with (sample / "workloads.csv").open() as file:
        known = {row["workload_ref"] for row in csv.DictReader(file)}
    used: set[str] = set()
    for path in [*sample.glob("flows/*.csv"), *sample.glob("telemetry/*.csv")]:
        with path.open() as file:
            for row in csv.DictReader(file):
                refs = {row.get(c) for c in ("from_workload_ref", "to_workload_ref", "workload_ref")}
                used |= {ref for ref in refs if ref}
    assert len(used - known) == 1
    assert len(used & known) > 15


def test_the_simulator_imports_nothing_of_ours() -> None:
    modules = sorted((ROOT / "simulator").rglob("*.py"))
    assert len(modules) > 5
    imported: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, module
                imported.add((node.module or "").split(".")[0])
    assert "simulator" in imported
    assert not imported & OURS
