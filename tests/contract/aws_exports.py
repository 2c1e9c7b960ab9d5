"""AWS data exports as AWS delivers them: CUR 2.0 and FOCUS files, manifests, both delivery modes.

What belongs here: writing files and manifests into a bucket. What must not: assertions, or the product's code.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

TEXT, DOUBLE, TIME = pa.string(), pa.float64(), pa.timestamp("ms")
MAP = pa.map_(pa.string(), pa.string())

CUR_COLUMNS: dict[str, pa.DataType] = {
    "bill_bill_type": TEXT,
    "bill_billing_entity": TEXT,
    "bill_billing_period_end_date": TIME,
    "bill_billing_period_start_date": TIME,
    "bill_invoice_id": TEXT,
    "bill_invoicing_entity": TEXT,
    "bill_payer_account_id": TEXT,
    "bill_payer_account_name": TEXT,
    "cost_category": MAP,
    "identity_line_item_id": TEXT,
    "identity_time_interval": TEXT,
    "line_item_availability_zone": TEXT,
    "line_item_currency_code": TEXT,
    "line_item_iam_principal": TEXT,
    "line_item_legal_entity": TEXT,
    "line_item_line_item_description": TEXT,
    "line_item_line_item_type": TEXT,
    "line_item_operation": TEXT,
    "line_item_product_code": TEXT,
    "line_item_resource_id": TEXT,
    "line_item_tax_type": TEXT,
    "line_item_unblended_cost": DOUBLE,
    "line_item_usage_account_id": TEXT,
    "line_item_usage_account_name": TEXT,
    "line_item_usage_amount": DOUBLE,
    "line_item_usage_end_date": TIME,
    "line_item_usage_start_date": TIME,
    "line_item_usage_type": TEXT,
    "pricing_public_on_demand_cost": DOUBLE,
    "pricing_public_on_demand_rate": TEXT,
    "pricing_rate_code": TEXT,
    "pricing_unit": TEXT,
    "product": MAP,
    "product_from_region_code": TEXT,
    "product_instance_type": TEXT,
    "product_location": TEXT,
    "product_product_family": TEXT,
    "product_region_code": TEXT,
    "product_servicecode": TEXT,
    "product_sku": TEXT,
    "product_to_region_code": TEXT,
    "reservation_effective_cost": DOUBLE,
    "reservation_reservation_a_r_n": TEXT,
    "reservation_unused_amortized_upfront_fee_for_billing_period": DOUBLE,
    "reservation_unused_quantity": DOUBLE,
    "reservation_unused_recurring_fee": DOUBLE,
    "resource_tags": MAP,
    "savings_plan_amortized_upfront_commitment_for_billing_period": DOUBLE,
    "savings_plan_recurring_commitment_for_billing_period": DOUBLE,
    "savings_plan_savings_plan_a_r_n": TEXT,
    "savings_plan_savings_plan_effective_cost": DOUBLE,
    "savings_plan_total_commitment_to_date": DOUBLE,
    "savings_plan_used_commitment": DOUBLE,
    "split_line_item_actual_usage": DOUBLE,
    "split_line_item_parent_resource_id": TEXT,
    "split_line_item_public_on_demand_split_cost": DOUBLE,
    "split_line_item_public_on_demand_unused_cost": DOUBLE,
    "split_line_item_reserved_usage": DOUBLE,
    "split_line_item_split_cost": DOUBLE,
    "split_line_item_split_usage": DOUBLE,
    "split_line_item_split_usage_ratio": DOUBLE,
    "split_line_item_unused_cost": DOUBLE,
}
NET_COLUMNS: dict[str, pa.DataType] = {
    "line_item_net_unblended_cost": DOUBLE,
    "reservation_net_effective_cost": DOUBLE,
    "reservation_net_unused_amortized_upfront_fee_for_billing_period": DOUBLE,
    "reservation_net_unused_recurring_fee": DOUBLE,
    "savings_plan_net_amortized_upfront_commitment_for_billing_period": DOUBLE,
    "savings_plan_net_recurring_commitment_for_billing_period": DOUBLE,
    "savings_plan_net_savings_plan_effective_cost": DOUBLE,
    "split_line_item_net_split_cost": DOUBLE,
    "split_line_item_net_unused_cost": DOUBLE,
}
"""Columns that AWS adds where the account has a discount."""

Line = Mapping[str, Any]
Format = Literal["parquet", "csv"]


def cur_line(**values: Any) -> dict[str, Any]:
    """Return one line of a CUR 2.0 export: an hour of EC2 in October 2026, unless said otherwise.

    What AWS leaves empty is the empty string in text columns, as in real files.
    """
    line: dict[str, Any] = {name: "" if kind == TEXT else None for name, kind in CUR_COLUMNS.items()}
    line |= {
        "bill_bill_type": "Anniversary",
        "bill_billing_entity": "AWS",
        "bill_billing_period_end_date": datetime(2026, 11, 1),
        "bill_billing_period_start_date": datetime(2026, 10, 1),
        "bill_invoicing_entity": "Amazon Web Services, Inc.",
        "bill_payer_account_id": "111122223333",
        "bill_payer_account_name": "Payer",
        "identity_time_interval": "2026-10-05T00:00:00Z/2026-10-06T00:00:00Z",
        "line_item_currency_code": "USD",
        "line_item_legal_entity": "Amazon Web Services, Inc.",
        "line_item_line_item_type": "Usage",
        "line_item_product_code": "AmazonEC2",
        "line_item_unblended_cost": 0.0,
        "line_item_usage_account_id": "444455556666",
        "line_item_usage_account_name": "Production",
        "line_item_usage_amount": 1.0,
        "line_item_usage_start_date": datetime(2026, 10, 5),
        "line_item_usage_end_date": datetime(2026, 10, 6),
        "line_item_usage_type": "USW2-BoxUsage:m5.large",
        "pricing_unit": "Hrs",
        "product": {"product_name": "Amazon Elastic Compute Cloud", "region": "us-west-2"},
        "product_region_code": "us-west-2",
        "product_servicecode": "AmazonEC2",
        "resource_tags": {},
        "cost_category": {},
    }
    unknown = set(values) - set(CUR_COLUMNS) - set(NET_COLUMNS)
    assert not unknown, f"CUR 2.0 has no columns {sorted(unknown)}"
    return line | values


def write_table(lines: Sequence[Line], columns: Mapping[str, pa.DataType], output_format: Format) -> bytes:
    """Return a data file as AWS writes it: snappy Parquet with maps, or CSV.gz with maps as JSON."""
    if output_format == "parquet":
        arrays = {
            name: pa.array([_typed(line.get(name), kind) for line in lines], kind)
            for name, kind in columns.items()
        }
        target = pa.BufferOutputStream()
        pq.write_table(pa.table(arrays), target, compression="snappy")
        return target.getvalue().to_pybytes()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_as_text(line.get(name)) for name in columns] for line in lines])
    return gzip.compress(text.getvalue().encode(), mtime=0)


def _typed(value: Any, kind: pa.DataType) -> Any:
    if kind == MAP and isinstance(value, Mapping):
        return list(value.items())
    return float(value) if kind == DOUBLE and value is not None else value


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return json.dumps(value)
    return value.strftime("%Y-%m-%dT%H:%M:%S.000Z") if isinstance(value, datetime) else str(value)


@dataclass
class ExportBucket:
    """A bucket into which one export is delivered; `client` is a boto3 client of S3."""

    client: Any
    bucket: str = "company-bills"
    prefix: str = "exports"
    export: str = "monthly-cur"
    columns: Mapping[str, pa.DataType] = field(default_factory=lambda: CUR_COLUMNS)
    output_format: Format = "parquet"
    partition: str = "BILLING_PERIOD"

    def __post_init__(self) -> None:
        existing = [entry["Name"] for entry in self.client.list_buckets()["Buckets"]]
        if self.bucket not in existing:
            self.client.create_bucket(Bucket=self.bucket)

    @property
    def location(self) -> str:
        """The location as the config states it."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def root(self) -> str:
        """Key of the export's folder."""
        return f"{self.prefix}/{self.export}"

    def deliver(
        self, period: str, chunks: Sequence[Sequence[Line]], *, run: str | None = None, surplus: int = 0
    ) -> list[str]:
        """Deliver a month: data files, then the manifest. Returns the keys of the files.

        `run` (`<timestamp>-<execution id>`) makes it a delivery of a create-new export. `surplus` chunks beyond the
        list are overwritten with empty data, as AWS does when an overwritten export shrinks.
        """
        self._wait_for_the_next_second(period)
        folder = f"{self.partition}={period}" + (f"/{run}" if run else "")
        keys = [self._key(folder, number) for number in range(1, len(chunks) + 1)]
        for key, lines in zip(keys, chunks, strict=True):
            self.put(key, write_table(lines, self.columns, self.output_format))
        for number in range(len(chunks) + 1, len(chunks) + surplus + 1):
            self.put(self._key(folder, number), write_table([], self.columns, self.output_format))
        self.write_manifest(period, keys, run=run)
        return keys

    def write_manifest(self, period: str, keys: Sequence[str], *, run: str | None = None) -> None:
        """Write the newest manifest of a month, and in create-new mode its copy beside the run."""
        content = {
            "executionId": run.split("Z-", 1)[-1] if run else "11111111-2222-3333-4444-555555555555",
            "exportArn": f"arn:aws:bcm-data-exports:us-east-1:111122223333:export/{self.export}",
            "billingPeriod": period,
            "columns": [{"name": name, "type": str(kind)} for name, kind in self.columns.items()],
            "dataFiles": [f"s3://{self.bucket}/{key}" for key in keys],
        }
        body = json.dumps(content).encode()
        folder = f"{self.root}/metadata/{self.partition}={period}"
        self.put(f"{folder}/{self.export}-Manifest.json", body)
        if run:
            self.put(f"{folder}/{run}/{self.export}-Manifest.json", body)

    def put(self, key: str, body: bytes) -> None:
        """Write one object."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def _wait_for_the_next_second(self, period: str) -> None:
        """S3 tells times by the second: two deliveries of a month within one could not be told apart."""
        key = f"{self.root}/metadata/{self.partition}={period}/{self.export}-Manifest.json"
        there = self.client.list_objects_v2(Bucket=self.bucket, Prefix=key).get("Contents", ())
        for entry in there:
            passed = datetime.now(UTC) - entry["LastModified"].replace(microsecond=0)
            time.sleep(max(0.0, 1.05 - passed.total_seconds()))

    def _key(self, folder: str, number: int) -> str:
        suffix = "snappy.parquet" if self.output_format == "parquet" else "csv.gz"
        return f"{self.root}/data/{folder}/{self.export}-{number:05d}.{suffix}"
