"""Shards of Google's export extracted to Cloud Storage, and Google's FOCUS table."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.lateness import find_lateness
from connectors.common.retention import plan_pruning, prune_snapshot
from connectors.gcp_billing.client import check, land
from connectors.gcp_billing.settings import Settings
from tests.contract.google_export import (
    SCHEMA,
    TABLE,
    build_table,
    credit,
    labels,
    moment,
    row,
    write_json_lines,
)
from tests.servers.gcs import GcsServer
from tests.servers.google_bigquery import BigQueryServer

ROWS = [
    row(
        0.1 + 0.2,
        labels=labels(team="search", app="ä\\"),
        project__labels=labels(cost_center="7"),
        project__ancestors=[{"resource_name": "organizations/1", "display_name": "Org"}],
        system_labels=labels(**{"compute.googleapis.com/machine_spec": "n2-standard-4"}),
        tags=[{"key": "env", "value": "prod", "inherited": True, "namespace": "42"}],
        credits=[credit("PROMOTION", -1e-7, "Trial"), credit("FREE_TIER", -0.05)],
        usage={"amount": 1e7, "unit": "seconds", "amount_in_pricing_units": 1e-7, "pricing_unit": "hour"},
        price__list_price=Decimal("0.033174"),
        price__tier_start_amount=Decimal(100),
    ),
    row(
        -2.5,
        adjustment_info={
            "id": "a",
            "description": "d",
            "mode": "COMPLETE_NEGATION",
            "type": "USAGE_CORRECTION",
        },
    ),
    row(
        -2.5,
        adjustment_info={
            "id": "a",
            "description": "d",
            "mode": "COMPLETE_NEGATION",
            "type": "USAGE_CORRECTION",
        },
    ),
    row(7.0, invoice__month="202610", project=None, export_time=moment("2026-11-04T09:00:00")),
]


@pytest.fixture
def bucket(gcs_server: GcsServer) -> Any:
    """An empty bucket."""
    return gcs_server.client().create_bucket("exports")


def settings(server: GcsServer, **values: Any) -> Settings:
    """A source of extracted files in the bucket; it is public, as the server asks for no credentials."""
    made = {"name": "gcp", "connector": "gcp_billing", "location": "gs://exports/billing", "anonymous": True}
    return Settings(**{**made, "endpoints": {"storage": server.url}, **values})


def put(bucket: Any, name: str, content: bytes) -> None:
    """Write an object."""
    bucket.blob(f"billing/{name}").upload_from_string(content)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Rows as an extracted Parquet shard."""
    stream = io.BytesIO()
    pq.write_table(build_table(rows), stream)
    return stream.getvalue()


def read_lines(report: SourceReport, dataset: str = "gcp_cost_lines") -> list[dict[str, Any]]:
    """The current lines by charge id."""
    found = [pq.read_table(file.path).to_pylist() for file in report.current_files if file.dataset == dataset]
    return sorted((line for lines in found for line in lines), key=lambda line: line["charge_id"])


def costs(report: SourceReport) -> list[Decimal]:
    """The current costs, sorted."""
    return sorted(line["cost"] for line in read_lines(report))


def kinds(report: SourceReport) -> set[str]:
    """The kinds of the findings."""
    return {finding.kind for finding in report.findings}


def test_parquet_json_and_bigquery_give_the_same_lines(
    gcs_server: GcsServer, bucket: Any, google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    put(bucket, "parquet/a.parquet", parquet(ROWS[:2]))
    put(bucket, "parquet/b.parquet", parquet(ROWS[2:]))
    put(bucket, "json/a.json", write_json_lines(ROWS[:3]))
    put(bucket, "json/b.json.gz", gzip.compress(write_json_lines(ROWS[3:])))
    google_server.tables[TABLE] = build_table(ROWS)
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    table = Settings(name="gcp", connector="gcp_billing", table=TABLE, endpoints=endpoints)  # type: ignore[arg-type]
    found = []
    for number, wanted in enumerate(
        [
            settings(gcs_server, location="gs://exports/billing/parquet"),
            settings(gcs_server, location="gs://exports/billing/json"),
            table,
            table.model_copy(update={"read_api": "query"}),
        ]
    ):
        report = land(wanted, replace(lake_context, lake=lake_context.lake / str(number)))
        assert not report.has_fault, report.findings
        lines = read_lines(report)
        for line in lines:
            del line["x_source_file"], line["x_snapshot_id"]
        found.append(lines)
    assert len(found[0]) == 4
    assert found[0] == found[1] == found[2] == found[3]
    first = next(line for line in found[0] if line["x_tag_team"] == "search")
    assert (first["cost"], first["promotion_credit"]) == (Decimal("0.3"), Decimal("-0.0000001"))
    assert first["billed_cost"] == Decimal("0.2499999")
    assert first["instance_type"] == "n2-standard-4"


def test_a_folder_on_disk_is_a_location_too(tmp_path: Path, lake_context: LandingContext) -> None:
    """Relative to the config's folder; the endpoint of Cloud Storage says nothing about it."""
    folder = tmp_path / "google" / "2026-11-05"
    folder.mkdir(parents=True)
    (folder / "000.json").write_bytes(write_json_lines(ROWS[:3]))
    (folder / "001.parquet").write_bytes(parquet(ROWS[3:]))
    stated = {"name": "gcp", "location": "google", "endpoints": {"storage": "http://127.0.0.1:1"}}
    wanted = Settings.model_validate(stated, context={"base_dir": tmp_path})
    assert wanted.location == str(tmp_path / "google")
    (step,) = check(wanted)
    assert step.is_ok and "2 shards in 1 deliveries" in step.message and "on this machine" in step.message
    report = land(wanted, lake_context)
    assert not report.has_fault, report.findings
    assert costs(report) == [Decimal("-2.5"), Decimal("-2.5"), Decimal("0.3"), Decimal(7)]
    assert report.deliveries == land(wanted, lake_context).deliveries
    (folder / "000.json").write_bytes(write_json_lines([row(1.0)]))
    assert costs(land(wanted, lake_context)) == [Decimal(1), Decimal(7)]


@pytest.mark.parametrize("location", ["s3://bucket/prefix", "az://account/container/x", "gs://"])
def test_a_location_elsewhere_is_refused(location: str) -> None:
    with pytest.raises(ValidationError, match=r"gs://"):
        Settings(name="gcp", location=location)


def test_fields_that_are_missing_are_all_told_at_once(tmp_path: Path, lake_context: LandingContext) -> None:
    """In Parquet by the schema, in JSON lines, which leave out what is null, by what no line has."""
    wanted = Settings(name="gcp", location=str(tmp_path / "shards"))
    (tmp_path / "shards").mkdir()
    shard = tmp_path / "shards" / "000.parquet"
    pq.write_table(build_table(ROWS).drop_columns(["credits", "export_time"]), shard)
    (fault,) = [finding for finding in land(wanted, lake_context).findings if finding.severity == "fault"]
    assert fault.kind == "missing_column"
    assert "the required columns credits and export_time are missing" in fault.message
    shard.unlink()
    lines = [json.loads(line) for line in write_json_lines(ROWS).splitlines()]
    for line in lines:
        del line["export_time"], line["invoice"]
    shard.with_suffix(".json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (fault,) = [finding for finding in land(wanted, lake_context).findings if finding.severity == "fault"]
    assert fault.kind == "missing_column"
    assert "the required columns invoice.month and export_time are missing" in fault.message


def test_empty_shards_are_skipped(gcs_server: GcsServer, bucket: Any, lake_context: LandingContext) -> None:
    put(bucket, "run/000.parquet", parquet(ROWS))
    put(bucket, "run/001.parquet", parquet([]))
    put(bucket, "run/002.json", b"")
    report = land(settings(gcs_server), lake_context)
    assert len(read_lines(report)) == 4 and not report.has_fault
    (empty,) = [finding for finding in report.findings if finding.kind == "empty_shard"]
    assert empty.count == 2


def test_a_folder_replaces_itself_and_folders_add_up(
    gcs_server: GcsServer, bucket: Any, lake_context: LandingContext
) -> None:
    put(bucket, "day=1/000.json", write_json_lines(ROWS[:1]))
    put(bucket, "day=2/000.json", write_json_lines(ROWS[3:]))
    assert costs(land(settings(gcs_server), lake_context)) == [Decimal("0.3"), Decimal(7)]
    put(bucket, "day=1/000.json", write_json_lines([row(1.0)]))
    assert costs(land(settings(gcs_server), lake_context)) == [Decimal(1), Decimal(7)]
    before = land(settings(gcs_server), lake_context)
    assert land(settings(gcs_server), lake_context).deliveries == before.deliveries


def test_runs_of_a_month_replace_each_other_by_the_pattern(
    gcs_server: GcsServer, bucket: Any, lake_context: LandingContext
) -> None:
    wanted = settings(gcs_server, delivery_pattern=r"(?P<key>\d{6})/run-(\d+)/")
    put(bucket, "202611/run-1/0.json", write_json_lines([row(1.0), row(5.0)]))
    put(bucket, "202610/run-1/0.json", write_json_lines([row(2.0, invoice__month="202610")]))
    assert costs(land(wanted, lake_context)) == [Decimal(1), Decimal(2), Decimal(5)]
    put(bucket, "202611/run-2/0.json", write_json_lines([row(3.0)]))
    assert costs(land(wanted, lake_context)) == [Decimal(2), Decimal(3)]


def test_what_retention_let_go_is_not_made_again(
    gcs_server: GcsServer, bucket: Any, lake_context: LandingContext
) -> None:
    wanted = settings(gcs_server, delivery_pattern=r"(?P<key>\d{6})/run-(\d+)/")
    for number in (1, 2, 3):
        put(bucket, f"209911/run-{number}/0.json", write_json_lines([row(number, invoice__month="209911")]))
        assert costs(land(wanted, lake_context)) == [Decimal(number)]
    planned = plan_pruning(
        lake_context.lake, "gcp", find_lateness("gcp_billing"), datetime(2099, 1, 1), lambda record: False
    )
    assert [len(snapshot.files) for snapshot in planned] == [2, 2], "lines and flat rows, each stored once"
    for snapshot in planned:
        prune_snapshot(lake_context.lake, snapshot, lake_context.now)
    artifacts = lake_context.lake / "raw" / "gcp" / "artifacts"
    kept = sorted(artifacts.iterdir())
    assert costs(land(wanted, lake_context)) == [Decimal(3)]
    assert sorted(artifacts.iterdir()) == kept
    other_tags = replace(lake_context, tag_keys={"team": ("team",)})
    assert costs(land(wanted, other_tags)) == [Decimal(3)]
    assert sorted(artifacts.iterdir()) == kept


def test_appended_deliveries_add_up(gcs_server: GcsServer, bucket: Any, lake_context: LandingContext) -> None:
    wanted = settings(gcs_server, delivery="append", delivery_pattern=r"run-(\d+)")
    put(bucket, "run-1.json", write_json_lines([row(1.0)]))
    put(bucket, "run-2.json", write_json_lines([row(2.0)]))
    assert costs(land(wanted, lake_context)) == [Decimal(1), Decimal(2)]


def test_a_folder_without_its_marker_waits(
    gcs_server: GcsServer, bucket: Any, lake_context: LandingContext
) -> None:
    wanted = settings(gcs_server, success_marker=True)
    put(bucket, "run/0.json", write_json_lines([row(1.0)]))
    assert costs(land(wanted, lake_context)) == []
    put(bucket, "run/_SUCCESS", b"")
    assert costs(land(wanted, lake_context)) == [Decimal(1)]


def test_a_bad_shard_refuses_its_folder_and_what_was_good_stays(
    gcs_server: GcsServer, bucket: Any, lake_context: LandingContext
) -> None:
    put(bucket, "a/0.json", write_json_lines([row(1.0)]))
    put(bucket, "b/0.json", write_json_lines([row(2.0)]))
    land(settings(gcs_server), lake_context)
    put(bucket, "a/1.json", b'{"cost": "much", "secret": "prompt text"}\n')
    put(bucket, "b/0.json", write_json_lines([row(3.0)]))
    report = land(settings(gcs_server), lake_context)
    assert costs(report) == [Decimal(1), Decimal(3)]
    (fault,) = [finding for finding in report.findings if finding.severity == "fault"]
    assert "a/1.json" in fault.message and "column cost" in fault.message and "much" not in fault.message


def test_check_of_a_location(gcs_server: GcsServer, bucket: Any) -> None:
    wanted = settings(gcs_server)
    (step,) = [step for step in check(wanted) if step.name == "location"]
    assert step.is_ok is False and "no extracted shard" in step.message
    put(bucket, "a/0.json", write_json_lines([row(1.0)]))
    (step,) = [step for step in check(wanted) if step.name == "location"]
    assert step.is_ok and "1 shards in 1 deliveries" in step.message


def test_focus_table_lands_as_charges_and_months_replace_themselves(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    name = "finops.gcp_billing_immutable_x_eu.gcp_billing_export_focus_x"
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    wanted = Settings(name="focus", connector="gcp_billing", table=name, endpoints=endpoints, focus_months=1)  # type: ignore[arg-type]
    assert wanted.kind == "focus"
    google_server.tables[name] = _focus_table({8: "1.5", 9: "2", 10: "4"})
    report = land(wanted, lake_context)
    assert not report.has_fault, report.findings
    assert [line["billed_cost"] for line in _by_month(report)] == [Decimal("1.5"), Decimal(2), Decimal(4)]
    assert {delivery.delivered_at for delivery in report.deliveries} == {datetime(2026, 11, 20)}
    google_server.tables[name] = _focus_table({8: "1.5", 9: "2", 10: "5", 11: "6"})
    google_server.modified_at = datetime(2026, 11, 21, tzinfo=UTC)
    again = land(wanted, replace(lake_context, now=datetime(2026, 11, 22)))
    assert [line["billed_cost"] for line in _by_month(again)] == [
        Decimal("1.5"),
        Decimal(2),
        Decimal(5),
        Decimal(6),
    ]
    assert "2026-10-01" in google_server.sessions[-1].read_options.row_restriction


def test_a_view_is_read_by_query(google_server: BigQueryServer, lake_context: LandingContext) -> None:
    name = "finops.views.gcp_billing_export_focus_x"
    endpoints = {"bigquery": google_server.rest.url, "bigquery_storage": google_server.storage_address}
    wanted = Settings(name="focus", connector="gcp_billing", table=name, endpoints=endpoints)  # type: ignore[arg-type]
    google_server.tables[name] = _focus_table({8: "1.5"})
    google_server.table_type = "VIEW"
    report = land(wanted, lake_context)
    (charge,) = read_lines(report, "charges")
    assert (charge["billed_cost"], charge["x_tag_team"]) == (Decimal("1.5"), "search")
    assert google_server.queries and not google_server.sessions


def _by_month(report: SourceReport) -> list[dict[str, Any]]:
    return sorted(read_lines(report, "charges"), key=lambda line: line["billing_period_start"])


_COSTS = ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost")
_TIMES = ("BillingPeriodStart", "BillingPeriodEnd", "ChargePeriodStart", "ChargePeriodEnd")
_TEXTS = ("BillingAccountId", "BillingCurrency", "ChargeCategory", "ServiceName", "ProviderName")
_FOCUS_SCHEMA = pa.schema(
    [
        *((name, SCHEMA.field("export_time").type) for name in _TIMES),
        *((name, pa.decimal128(38, 9)) for name in _COSTS),
        *((name, pa.string()) for name in _TEXTS),
        ("Tags", SCHEMA.field("labels").type),
    ]
)


def _focus_table(costs_by_month: dict[int, str]) -> pa.Table:
    rows = []
    for month, cost in costs_by_month.items():
        edges = moment(f"2026-{month:02}-01T00:00:00"), moment(f"2026-{month + 1:02}-01T00:00:00")
        texts = ("01", "USD", "Usage", "Compute Engine", "Google Cloud")
        rows.append(
            {
                **dict(zip(_TIMES, edges * 2, strict=True)),
                **dict.fromkeys(_COSTS, Decimal(cost)),
                **dict(zip(_TEXTS, texts, strict=True)),
                "Tags": [{"key": "team", "value": "search"}],
            }
        )
    return pa.Table.from_pylist(rows, schema=_FOCUS_SCHEMA)
