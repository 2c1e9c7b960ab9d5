"""Meters of AWS, Azure and Google as lines of their own bills, from delivered rows to classified charges.

What belongs here: that a vendor's own columns reach the rules, with quantities in tokens. What must not: cases of
single rules (`tests/sql/test_classification.py`, on lines in FOCUS terms).

Every line is 3000 units of its meter.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from connectors.azure_cost_exports.client import land as land_azure
from connectors.common.contract import LandingContext
from connectors.gcp_billing.client import land as land_google
from connectors.gcp_billing.settings import Settings as GoogleSettings
from pipelines.config.model import Config
from pipelines.night.reference import build_alias_table
from tests.contract.aws_exports import cur_line
from tests.contract.azure_month import EA_LINE
from tests.contract.google_export import TABLE, build_table, row
from tests.contract.test_azure_cost_exports import azure, pair, put, rows, settings
from tests.golden.aws.test_aws_month import land_month
from tests.servers.azurite import AzuriteServer
from tests.servers.google_bigquery import BigQueryServer
from tests.servers.s3 import S3Server
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.harness import MODELS_ROOT

__all__ = ["azure"]

FOLDER = Path(__file__).parent / "vendor_lines"
AUTUMN = Window(date(2026, 10, 1), date(2026, 12, 1), datetime(2026, 11, 20))
CLASS = ("cost_driver", "traffic_kind", "token_class", "service_tier", "model", "billed_quantity")
QUANTITY = 3000

Labels = Sequence[Mapping[str, str]]


def read_labels(vendor: str) -> Labels:
    with (FOLDER / f"{vendor}.csv").open(encoding="utf-8", newline="") as stream:
        labels = list(csv.DictReader(stream))
    assert len(labels) >= 30
    return labels


def check_classes(dataset: str, lines: Sequence[Mapping[str, Any]], labels: Labels) -> None:
    """Hold each line's class against its label; a line's cost tells which one it is."""
    aliases = build_alias_table(Config(), MODELS_ROOT / "reference").to_pylist()
    with Chain(Inputs({dataset: lines, "model_aliases": aliases}), AUTUMN, ("core.charges",)) as chain:
        assert chain.failed_checks() == {}
        found = chain.rows(f"select {', '.join(CLASS)} from core.charges order by billed_cost")
    assert len(found) == len(labels)
    wrong = [
        (dict(label), charge)
        for label, charge in zip(labels, found, strict=True)
        if any(_read(label, column) != charge[column] for column in CLASS)
    ]
    assert wrong == []


def _read(label: Mapping[str, str], column: str) -> Any:
    text = label[column] or None
    return Decimal(text) if text and column == "billed_quantity" else text


def test_lines_of_a_cost_and_usage_report(s3_server: S3Server, lake_context: LandingContext) -> None:
    labels = read_labels("aws")
    lines = [
        cur_line(
            line_item_product_code=label["product_code"],
            line_item_usage_type=label["usage_type"],
            line_item_operation=label["operation"],
            line_item_usage_amount=float(QUANTITY),
            line_item_unblended_cost=float(number),
            line_item_line_item_description=label["description"] or f"USD 0.5 per {label['pricing_unit']}",
            pricing_unit=label["pricing_unit"],
            product={"product_name": label["product_name"]},
            product_servicecode=label["product_code"],
        )
        for number, label in enumerate(labels, start=1)
    ]
    check_classes("aws_cur_lines", land_month(s3_server, lake_context, lines), labels)


def test_lines_of_azure_cost_files(azure: AzuriteServer, lake_context: LandingContext) -> None:
    labels = read_labels("azure")

    def of_view(_view: str) -> list[dict[str, str]]:
        return [_azure_line(label, number) for number, label in enumerate(labels, start=1)]

    put(azure, *pair(of_view))
    report = land_azure(settings(), lake_context)
    assert not report.has_fault, report.findings
    check_classes("azure_cost_lines", rows(report, "azure_cost_lines"), labels)


def _azure_line(label: Mapping[str, str], number: int) -> dict[str, str]:
    names = [label["meter_category"], label["meter_subcategory"], label["meter_name"]]
    return EA_LINE | {
        "MeterCategory": names[0],
        "MeterSubCategory": names[1],
        "MeterName": names[2],
        "ProductName": " - ".join(name for name in names if name),
        "UnitOfMeasure": label["unit_of_measure"],
        "ConsumedService": label["resource"].partition("/")[0],
        "ResourceId": f"/subscriptions/S-1/resourceGroups/Prod/providers/{label['resource']}",
        "ResourceName": "",
        "AdditionalInfo": "",
        "Quantity": str(QUANTITY),
        "CostInBillingCurrency": str(number),
    }


def test_rows_of_googles_export(google_server: BigQueryServer, lake_context: LandingContext) -> None:
    labels = read_labels("google")
    made = [
        row(
            float(number),
            label["sku"],
            service={"id": label["service"], "description": label["service"]},
            usage={
                "amount": float(QUANTITY),
                "unit": label["usage_unit"],
                "amount_in_pricing_units": float(QUANTITY),
                "pricing_unit": label["pricing_unit"],
            },
        )
        for number, label in enumerate(labels, start=1)
    ]
    google_server.tables[TABLE] = build_table(made)
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    chosen = GoogleSettings.model_validate(
        {"name": "gcp", "connector": "gcp_billing", "table": TABLE, "endpoints": endpoints}
    )
    report = land_google(chosen, lake_context)
    assert not report.has_fault, report.findings
    lines = [line for file in report.current_files for line in pq.read_table(file.path).to_pylist()]
    check_classes("gcp_cost_lines", lines, labels)
