"""What bill lines pay for: hand-labelled meters, the rules' own examples, a real bill, and the FOCUS specification."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from pipelines.config.model import Config
from pipelines.config.rows import ClassificationRule
from tests.sql.classify import classify, example_line, labelled_line, read_labels, read_rules

LABELS = Path(__file__).resolve().parents[1] / "golden" / "classification"
REFERENCE = Path(__file__).resolve().parents[2] / "models_sql" / "reference"
JUDGED = ("cost_driver", "traffic_kind", "token_class", "service_tier", "from_region_id", "to_region_id")
PATTERNS = (
    "provider_pattern",
    "service_pattern",
    "category_pattern",
    "operation_pattern",
    "meter_pattern",
    "account_pattern",
    "resource_pattern",
    "tag_pattern",
    "model_pattern",
    "from_pattern",
    "to_pattern",
)
NOT_ON_EVERY_ENGINE = re.compile(r"\(\?[=!<P>]|\\[QEGzZAKRXpPCNhHvVk1-9]|\[\[:|[*+?}]\+")
"""Look-around, named groups, quoting, classes and possessive quantifiers: RE2 and Java differ on them."""

Row = Mapping[str, Any]


def test_every_labelled_meter_is_right() -> None:
    """Labels say what a meter is, by the vendors' own documentation; a wrong rule is mended, never its label."""
    labels = read_labels(LABELS)
    assert len(labels) >= 300
    assert len({tuple(label.values())[:7] for label in labels}) == len(labels)
    wrong = []
    for label, row in zip(labels, classify([labelled_line(label) for label in labels]), strict=True):
        judged = (*JUDGED, "model") if label["model"] else JUDGED
        differences = {
            name: (label[name], row[name]) for name in judged if (label[name] or None) != row[name]
        }
        if differences:
            wrong.append(f"{label['line']} {label['meter']} by {row['rule_id']}: {differences}")
    assert not wrong, "\n".join(wrong)


def test_the_labels_cover_every_driver_traffic_and_token_class() -> None:
    labels = read_labels(LABELS)
    drivers = Counter(label["cost_driver"] for label in labels)
    assert set(drivers) == {rule["cost_driver"] for rule in read_rules()} - {"other"}
    assert min(drivers.values()) >= 5
    kinds = {label["traffic_kind"] for label in labels} - {""}
    assert kinds == {rule["traffic_kind"] for rule in read_rules()} - {""}
    assert len({label["token_class"] for label in labels}) == 6


def test_every_rule_decides_its_own_example() -> None:
    """So no rule is dead: none stands behind an earlier one that takes its example."""
    rules = read_rules()
    decided = classify([example_line(rule["example"]) for rule in rules])
    wrong = {
        rule["rule_id"]: row["rule_id"]
        for rule, row in zip(rules, decided, strict=True)
        if rule["rule_id"] != row["rule_id"]
    }
    assert not wrong


def test_rules_are_named_ordered_and_explained() -> None:
    rules = read_rules()
    for key in ("rule_id", "priority", "example"):
        assert len({rule[key] for rule in rules}) == len(rules), key
    assert [int(rule["priority"]) for rule in rules] == sorted(int(rule["priority"]) for rule in rules)
    assert all(rule["reason"].endswith(".") for rule in rules)
    assert [
        rule["rule_id"] for rule in rules if not any(rule[name] for name in (*PATTERNS, "charge_category"))
    ] == ["other"]


def test_patterns_mean_the_same_on_every_engine() -> None:
    """RE2 compiles them here; what Java reads otherwise is not used; all text is compared in lower case."""
    tiers = list(csv.DictReader((REFERENCE / "service_tiers.csv").open(encoding="utf-8", newline="")))
    patterns = [rule[name] for rule in [*read_rules(), *tiers] for name in PATTERNS if rule.get(name)]
    assert len(patterns) > 150
    connection = duckdb.connect()
    for pattern in patterns:
        connection.execute("select regexp_matches('text', ?)", [pattern])
        assert not NOT_ON_EVERY_ENGINE.search(pattern), pattern
        assert not re.search(r"(?<!\\)[A-Z]", pattern), pattern
    for rule in read_rules():
        for name in ("model_pattern", "from_pattern", "to_pattern"):
            assert not rule[name] or re.compile(rule[name]).groups >= 1, rule["rule_id"]


def test_tiers_decide_their_own_examples() -> None:
    tiers = list(csv.DictReader((REFERENCE / "service_tiers.csv").open(encoding="utf-8", newline="")))
    rows = classify(
        [
            {
                "service_provider_name": "Microsoft",
                "service_name": "Azure OpenAI",
                "sku_meter": tier["example"],
            }
            if "Gl" in tier["example"]
            else {
                "service_provider_name": "AWS",
                "service_name": "Amazon Bedrock",
                "sku_meter": tier["example"],
            }
            for tier in tiers
        ]
    )
    assert [row["service_tier"] for row in rows] == [tier["service_tier"] for tier in tiers]


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ({"tag_pattern": "feature=chat "}, ["tagged"]),
        ({"service_pattern": "lambda"}, ["function"]),
        ({"resource_pattern": "i-0abc$"}, ["resource"]),
        ({"account_pattern": "^payer 222$"}, ["account"]),
        ({"operation_pattern": "^runinstances"}, ["operation"]),
        ({"meter_pattern": "g6", "tag_pattern": "environment=lab "}, ["lab"]),
        ({"charge_category": "Credit"}, ["credit"]),
    ],
    ids=lambda value: str(value),
)
def test_a_rule_of_the_user_overrides_by_any_condition(condition: dict[str, str], taken: list[str]) -> None:
    """Each line meets one of the conditions; only the rule's own is taken, all others keep the shipped rule."""
    machine = {"service_provider_name": "AWS", "service_name": "Amazon EC2", "sku_meter": "BoxUsage:m5.large"}
    lines = {
        "tagged": machine | {"x_tag_feature": "Chat"},
        "function": machine | {"service_name": "AWS Lambda"},
        "resource": machine | {"resource_id": "arn:aws:ec2:us-east-1:111:instance/i-0ABC"},
        "account": machine | {"sub_account_id": "222"},
        "operation": machine | {"x_operation": "RunInstances:0002"},
        "lab": machine | {"sku_meter": "BoxUsage:g6.xlarge", "x_tag_environment": "lab"},
        "credit": machine | {"charge_category": "Credit"},
        "plain": machine,
    }
    rule = ClassificationRule.model_validate({"rule_id": "ours", "cost_driver": "training", **condition})
    rows = classify(list(lines.values()), Config(classification=(rule,)))
    found = [name for name, row in zip(lines, rows, strict=True) if row["rule_id"] == "ours"]
    assert found == taken
    assert {row["cost_driver"] for row in rows if row["rule_id"] == "ours"} == {"training"}
    assert {row["cost_driver"] for row in rows if row["rule_id"] != "ours"} <= {"compute"}


@pytest.mark.parametrize(
    ("unit", "description", "quantity", "tokens"),
    [
        ("1K tokens", None, "3", "3000"),
        ("1M tokens", None, "3", "3000000"),
        ("1000000 Tokens", None, "3", "3000000"),
        ("Tokens", None, "3", "3"),
        ("1K", None, "3", "3000"),
        ("1M", None, "3", "3000000"),
        ("Units", None, "3", "3"),
        ("Units", "AWS Marketplace software usage|us-east-1|Million Input Tokens", "3", "3000000"),
        ("Units", "AWS Marketplace software usage|us-east-1|Thousand Input Tokens", "3", "3000"),
        ("GB", None, "3", None),
    ],
)
def test_a_unit_is_counted_as_the_vendor_writes_it(
    unit: str, description: str | None, quantity: str, tokens: str | None
) -> None:
    line = {
        "service_provider_name": "AWS",
        "service_name": "Amazon Bedrock",
        "sku_meter": "USE1-Claude4.5Sonnet-input-tokens",
        "charge_description": description,
        "pricing_unit": unit,
        "pricing_quantity": Decimal(quantity),
    }
    (row,) = classify([line])
    assert row["billed_quantity"] == (Decimal(tokens) if tokens else None)


def test_a_prefix_alone_names_the_other_region() -> None:
    meter = {"service_provider_name": "AWS", "service_name": "Amazon EC2", "region_id": "us-east-1"}
    out, back = classify(
        [meter | {"sku_meter": "EUC1-AWS-Out-Bytes"}, meter | {"sku_meter": "EUC1-AWS-In-Bytes"}]
    )
    assert (out["from_region_id"], out["to_region_id"]) == ("us-east-1", "eu-central-1")
    assert (back["from_region_id"], back["to_region_id"]) == ("eu-central-1", "us-east-1")


# --- the real bill

TRANSFERS = [
    (r"data transfer (in|out).* cloudfront", "egress", "cdn"),
    (r"data transfer (to|from) |aws-(in|out)-bytes|inter-region", "egress", "inter_region"),
    (r"regional data transfer", "egress", "inter_az"),
    (r"data transfer out|datatransfer-out|outbound data transfer", "egress", "internet"),
    (r"data transfer in", "egress", "inbound"),
    (r"nat gateway", "egress", "nat"),
]
AZURE_ML = {
    "Bandwidth Inter-Region - Intra Continent Data Transfer Out - North America": ("egress", "inter_region"),
    "IP Addresses - Standard IPv4 Static Public IP - Dev/Test": ("networking", None),
    "Load Balancer - Standard Data Processed": ("egress", "load_balancer"),
    "Premium SSD Managed Disks - P6 LRS - US East 2": ("storage", None),
    "Rtn Preference: MGN - Standard Data Transfer Out": ("egress", "internet"),
    "Virtual Machines Dv2/DSv2 Series - D11 v2/DS11 v2 - US East 2": ("compute", None),
}


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[tuple[Row, Row]]:
    """Each line of the real bill with its row of core.charges."""
    with (shared_data / "focus_1_0_sample.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 1000
    return list(zip(lines, classify([_focus_line(line) for line in lines]), strict=True))


def _focus_line(line: Row) -> dict[str, Any]:
    """The columns of a FOCUS file that classification reads, in our names."""
    names = {
        "service_provider_name": line.get("ServiceProviderName") or line.get("ProviderName"),
        "invoice_issuer_name": line.get("InvoiceIssuerName"),
        "service_name": line.get("ServiceName"),
        "service_category": line.get("ServiceCategory"),
        "service_subcategory": line.get("ServiceSubcategory"),
        "charge_category": line.get("ChargeCategory"),
        "charge_description": line.get("ChargeDescription"),
        "region_id": line.get("RegionId"),
        "sku_id": line.get("SkuId"),
        "sku_meter": line.get("SkuMeter"),
        "sku_price_details": line.get("SkuPriceDetails"),
        "consumed_unit": line.get("ConsumedUnit"),
        "pricing_unit": line.get("PricingUnit"),
    }
    numbers = {
        "consumed_quantity": line.get("ConsumedQuantity"),
        "pricing_quantity": line.get("PricingQuantity"),
        "billed_cost": line.get("BilledCost"),
    }
    nulls = (None, "", "NULL")
    return {name: None if value in nulls else value for name, value in names.items()} | {
        name: None if value in nulls else round(Decimal(value), 12) for name, value in numbers.items()
    }


def test_the_real_bill_is_classified(real: list[tuple[Row, Row]]) -> None:
    """At most 5 % other and 5 % platform, of lines and of cost, credits counted by their size."""
    total = sum(abs(row["billed_cost"]) for _, row in real)
    assert total > 20
    for driver in ("other", "platform"):
        rows = [row for _, row in real if row["cost_driver"] == driver]
        assert len(rows) <= 50, driver
        assert sum(abs(row["billed_cost"]) for row in rows) <= total / 20, driver


def test_each_transfer_of_the_real_bill_is_right_by_its_meter(real: list[tuple[Row, Row]]) -> None:
    seen: Counter[str] = Counter()
    for line, row in real:
        text = line["ChargeDescription"].lower()
        kinds = [(driver, kind) for pattern, driver, kind in TRANSFERS if re.search(pattern, text)]
        if not kinds:
            continue
        expected = ("egress", "cdn") if line["ServiceName"] == "Amazon CloudFront" else kinds[0]
        assert (row["cost_driver"], row["traffic_kind"]) == expected, line["ChargeDescription"]
        seen[expected[1]] += 1
    assert set(seen) == {"cdn", "inter_region", "inter_az", "internet", "inbound", "nat"}
    assert sum(seen.values()) > 550


def test_cloudwatch_and_machine_learning_of_the_real_bill_are_right(real: list[tuple[Row, Row]]) -> None:
    watched = [row["cost_driver"] for line, row in real if line["ServiceName"] == "AmazonCloudWatch"]
    assert len(watched) == 63
    assert set(watched) == {"monitoring"}
    learning = {
        line["ChargeDescription"]: (row["cost_driver"], row["traffic_kind"])
        for line, row in real
        if line["ServiceName"] == "Azure Machine Learning"
    }
    assert learning == AZURE_ML


# --- the specification's own rows

SPEC_CLASSES = {
    "Input Tokens": "uncached_input_tokens",
    "Output Tokens": "output_tokens",
    "Cached Input Tokens": "cache_read_tokens",
    "Cache Read Input Tokens": "cache_read_tokens",
    "Cache Write Input Tokens": "cache_write_5m_tokens",
    "Context Cache Storage": None,
}


def test_the_specifications_ai_rows_land_and_classify(
    shared_data: Path, lake_context: LandingContext
) -> None:
    """Token class by meter, model by SkuPriceDetails, tokens by unit; the storage of a cache counts no tokens."""
    rows = []
    for path in sorted((shared_data / "focus_spec" / "ai").glob("*.csv")):
        rows += _landed(path, lake_context)
    usage = [row for row in rows if row["charge_category"] == "Usage"]
    assert len(usage) >= 15
    assert {row["sku_meter"] for row in usage} == set(SPEC_CLASSES)
    for line, row in zip(usage, classify([_in_november(line) for line in usage]), strict=True):
        token_class = SPEC_CLASSES[line["sku_meter"]]
        assert (row["cost_driver"], row["token_class"]) == ("inference", token_class), line["sku_meter"]
        assert row["billed_cost"] == line["billed_cost"]
        if token_class:
            assert re.search(rf'"{re.escape(row["model"])}"', line["sku_price_details"])
            assert row["billed_quantity"] == line["consumed_quantity"]
        else:
            assert row["billed_quantity"] is None


def test_the_specifications_token_purchase_is_inference_not_usage(
    shared_data: Path, lake_context: LandingContext
) -> None:
    rows = _landed(
        shared_data / "focus_spec" / "ai" / "drawdown_via_prepayment_foundation_model_api.csv", lake_context
    )
    found = [
        (row["charge_category"], row["cost_driver"], row["token_class"], row["billed_cost"])
        for row in classify([_in_november(row) for row in rows])
    ]
    assert sorted(found, key=str) == [
        ("Purchase", "inference", None, Decimal(500_000)),
        ("Usage", "inference", "output_tokens", Decimal(0)),
        ("Usage", "inference", "uncached_input_tokens", Decimal(0)),
    ]


def _landed(path: Path, context: LandingContext) -> list[Row]:
    """The rows of lake.charges that one FOCUS file lands as; each file is a source of its own."""
    report = land(Settings(name=path.stem, path=path), context)
    assert not report.has_fault, report.findings
    rows = [row for file in report.current_files for row in pq.read_table(file.path).to_pylist()]
    assert rows, path
    return rows


def _in_november(row: Row) -> Row:
    """The row in the month that these tests build."""
    return {
        name: value for name, value in row.items() if not name.startswith(("billing_period", "charge_period"))
    }
