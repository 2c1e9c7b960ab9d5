"""Oracle's FOCUS reports in an S3-compatible bucket: names of the preview, append, corrections, late lines."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.registry import check, land
from connectors.common.source_files import SourceFile
from connectors.oci_cost_reports.client import find_delivered_at
from connectors.oci_cost_reports.settings import Settings
from tests.servers.s3 import S3Server

LINE = {
    "AvailabilityZone": "NULL",
    "BilledCost": "1.250000000000",
    "BillingAccountId": "12345678",
    "BillingAccountName": "example",
    "BillingCurrency": "EUR",
    "BillingPeriodEnd": "2026-12-01T00:00Z",
    "BillingPeriodStart": "2026-11-01T00:00Z",
    "ChargeCategory": "Usage",
    "ChargeDescription": "Standard - E4 - OCPU",
    "ChargeFrequency": "Usage-Based",
    "ChargePeriodEnd": "2026-11-05T02:00Z",
    "ChargePeriodStart": "2026-11-05T01:00Z",
    "ChargeSubcategory": "On-Demand",
    "CommitmentDiscountCategory": "",
    "CommitmentDiscountId": "",
    "CommitmentDiscountName": "",
    "CommitmentDiscountType": "",
    "EffectiveCost": "",
    "InvoiceIssuer": "Oracle",
    "ListCost": "1.50",
    "ListUnitPrice": "0.03",
    "PricingCategory": "On-Demand",
    "PricingQuantity": "50",
    "PricingUnit": "OCPU HOURS",
    "Provider": "Oracle",
    "Publisher": "Oracle",
    "Region": "eu-frankfurt-1",
    "ResourceId": "ocid1.instance.oc1.eu-frankfurt-1.a",
    "ResourceName": "worker",
    "ResourceType": "instance",
    "ServiceCategory": "Compute",
    "ServiceName": "COMPUTE",
    "SkuId": "B93113",
    "SkuPriceId": "",
    "SubAccountId": "ocid1.tenancy.oc1..a",
    "SubAccountName": "example",
    "Tags": '{"Operations.feature": "search", "Oracle-Tags.CreatedBy": "ann@example.com"}',
    "UsageQuantity": "50",
    "UsageUnit": "OCPU HOURS",
    "oci_ReferenceNumber": "ref-1",
    "oci_CompartmentId": "ocid1.compartment.oc1..a",
    "oci_CompartmentName": "ml-platform",
    "oci_OverageFlag": "N",
    "oci_UnitPriceOverage": "",
    "oci_BilledQuantityOverage": "",
    "oci_CostOverage": "0.25",
    "oci_AttributedUsage": "",
    "oci_AttributedCost": "9.99",
    "oci_BackReferenceNumber": "",
}
"""The columns of a real report, in its order."""


def build_report(lines: Iterable[Mapping[str, str]], rename: Mapping[str, str] | None = None) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([(rename or {}).get(name, name) for name in LINE])
    writer.writerows([{**LINE, **line}[name] for name in LINE] for line in lines)
    return gzip.compress(text.getvalue().encode(), mtime=0)


@pytest.fixture
def context(lake_context: LandingContext) -> LandingContext:
    tag_keys = {"feature": ("Operations.feature",), "team": ("oci_CompartmentName",)}
    return replace(lake_context, tag_keys=tag_keys, now=datetime(2026, 11, 20, 3))


@pytest.fixture
def settings(s3_server: S3Server) -> Settings:
    s3_server.client().create_bucket(Bucket="cost-reports")
    return Settings(
        name="oracle", path="s3://cost-reports/FOCUS Reports", endpoint=s3_server.url, region="eu-frankfurt-1"
    )


def put(server: S3Server, key: str, content: bytes) -> None:
    server.client().put_object(Bucket="cost-reports", Key=key, Body=content)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["billing_period_start"], row["billed_cost"], row["charge_id"]))


def test_names_of_the_preview_become_those_of_focus(
    s3_server: S3Server, settings: Settings, context: LandingContext
) -> None:
    put(s3_server, "FOCUS Reports/2026/11/05/0001-00001.csv.gz", build_report([{}]))
    report = land(settings, context)
    (row,) = read_rows(report)
    expected = {
        "billed_cost": Decimal("1.25"),
        "effective_cost": Decimal("1.25"),
        "contracted_cost": None,
        "billing_currency": "EUR",
        "service_provider_name": "Oracle",
        "x_publisher_name": "Oracle",
        "invoice_issuer_name": "Oracle",
        "region_id": "eu-frankfurt-1",
        "consumed_quantity": Decimal(50),
        "consumed_unit": "OCPU HOURS",
        "charge_period_start": datetime(2026, 11, 5, 1),
        "availability_zone": None,
        "charge_class": None,
        "x_correction_cause": None,
        "x_tag_feature": "search",
        "x_tag_team": "ml-platform",
    }
    assert {name: row[name] for name in expected} == expected
    assert "ann@example.com" not in str(row)
    assert [(f.kind, f.count) for f in report.findings] == [("no_effective_cost", 1)]
    (delivery,) = report.deliveries
    assert (delivery.period, delivery.delivered_at) == ("2026-11", datetime(2026, 11, 5, 23, 59, 59, 999999))
    assert delivery.billed_totals == {"EUR": Decimal("1.25")}


def test_files_add_up_with_corrections_and_late_lines(
    s3_server: S3Server, settings: Settings, context: LandingContext
) -> None:
    put(
        s3_server,
        "FOCUS Reports/2026/11/05/0001-00001.csv.gz",
        build_report([{}, {"oci_ReferenceNumber": "ref-2"}]),
    )
    put(
        s3_server,
        "FOCUS Reports/2026/11/05/0001-00002.csv.gz",
        build_report([{"oci_ReferenceNumber": "ref-3"}]),
    )
    assert sum(row["billed_cost"] for row in read_rows(land(settings, context))) == Decimal("3.75")
    correction = {
        "BilledCost": "-0.25",
        "oci_ReferenceNumber": "ref-9",
        "oci_BackReferenceNumber": "ref-1",
    }
    late = {
        "BillingPeriodStart": "2026-10-01T00:00Z",
        "BillingPeriodEnd": "2026-11-01T00:00Z",
        "oci_ReferenceNumber": "ref-8",
    }
    put(s3_server, "FOCUS Reports/2026/11/09/0002-00001.csv.gz", build_report([correction, late]))
    report = land(settings, context)
    rows = read_rows(report)
    assert [row["billed_cost"] for row in rows] == [
        Decimal(text) for text in ("1.25", "-0.25", "1.25", "1.25", "1.25")
    ]
    (corrected,) = [row for row in rows if row["charge_class"] == "Correction"]
    assert (corrected["billed_cost"], corrected["x_correction_cause"]) == (Decimal("-0.25"), "other")
    assert {row["x_line_key"] for row in rows[1:]} == {corrected["x_line_key"]}, (
        "the same usage, whatever its cost"
    )
    assert {d.period: d.billed_totals["EUR"] for d in report.deliveries if d.delivered_at.day == 9} == {
        "2026-10": Decimal("1.25"),
        "2026-11": Decimal("-0.25"),
    }
    assert land(settings, context) == report


def test_credits_and_the_prefixed_spelling_are_read(
    s3_server: S3Server, settings: Settings, context: LandingContext
) -> None:
    own = {name: f"x_{name}" for name in LINE if name.startswith("oci_")}
    credit = {
        "ChargeCategory": "Adjustment",
        "ChargeSubcategory": "Credit",
        "BilledCost": "-2",
        "EffectiveCost": "-2",
    }
    fix = {"oci_BackReferenceNumber": "ref-1", "EffectiveCost": "1.25"}
    put(s3_server, "FOCUS Reports/2026/11/05/0001-00001.csv.gz", build_report([credit, fix], own))
    report = land(settings, context)
    assert [
        (row["charge_category"], row["charge_class"], row["x_tag_team"]) for row in read_rows(report)
    ] == [
        ("Credit", None, "ml-platform"),
        ("Usage", "Correction", "ml-platform"),
    ]
    assert report.findings == ()


def test_reports_in_oracles_own_format_are_passed_over(
    s3_server: S3Server, settings: Settings, context: LandingContext
) -> None:
    put(s3_server, "FOCUS Reports/2026/11/05/0001-00001.csv.gz", build_report([{"EffectiveCost": "1"}]))
    put(s3_server, "reports/cost-csv/0001-00001.csv.gz", gzip.compress(b"lineItem/referenceNo\n1\n"))
    whole_bucket = Settings(**{**settings.model_dump(), "path": "s3://cost-reports"})
    report = land(whole_bucket, context)
    assert len(read_rows(report)) == 1
    assert [(finding.kind, finding.count) for finding in report.findings] == [("ignored_file", 1)]
    assert [step.is_ok for step in check(whole_bucket)] == [True, True, True]


def test_a_bad_report_is_a_fault_and_the_others_stand(
    s3_server: S3Server, settings: Settings, context: LandingContext
) -> None:
    put(s3_server, "FOCUS Reports/2026/11/05/0001-00001.csv.gz", build_report([{"EffectiveCost": "1"}]))
    put(s3_server, "FOCUS Reports/2026/11/06/0002-00001.csv.gz", build_report([{"BilledCost": "a lot"}]))
    report = land(settings, context)
    assert sum(row["billed_cost"] for row in read_rows(report)) == Decimal("1.25")
    assert report.has_fault
    assert any("2026/11/06/0002-00001.csv.gz" in finding.message for finding in report.findings)


@pytest.mark.parametrize(
    ("relative", "modified_at", "expected"),
    [
        ("2026/11/05/1.csv.gz", datetime(2026, 11, 5, 7, 30), datetime(2026, 11, 5, 7, 30)),
        ("2026/11/05/1.csv.gz", datetime(2026, 11, 8), datetime(2026, 11, 5, 23, 59, 59, 999999)),
        (
            "FOCUS Reports/2026/11/05/1.csv.gz",
            datetime(2026, 11, 1),
            datetime(2026, 11, 5, 23, 59, 59, 999999),
        ),
        ("2026/13/05/1.csv.gz", datetime(2026, 11, 8), datetime(2026, 11, 8)),
        ("1.csv.gz", datetime(2026, 11, 8), datetime(2026, 11, 8)),
    ],
)
def test_the_path_says_when_oracle_delivered(
    relative: str, modified_at: datetime, expected: datetime
) -> None:
    seconds = int((modified_at - datetime(1970, 1, 1)).total_seconds())
    file = SourceFile(Path(relative), relative, 1, seconds * 10**9, "0")
    assert find_delivered_at(file) == expected
