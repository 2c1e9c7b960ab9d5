"""AWS data exports from a real S3 server: deliveries in both modes, and what goes wrong with them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.aws_data_exports.client import check, land
from connectors.aws_data_exports.manifests import ManifestFault, read_manifest
from connectors.aws_data_exports.settings import Settings
from connectors.common.bill_of_record import resolve_bill_of_record
from connectors.common.contract import CheckStep, Delivery, Finding, LandingContext, Severity, SourceReport
from connectors.common.lateness import find_lateness
from connectors.common.retention import plan_pruning, prune_snapshot
from tests.contract.aws_exports import CUR_COLUMNS, ExportBucket, Line, cur_line
from tests.contract.focus_bills import LINE as FOCUS_LINE
from tests.servers.aws_bcm_data_exports import FakeExports
from tests.servers.rest import Reply, RestServer, answer_in_turn, pass_on
from tests.servers.s3 import S3Server
from tests.sql.harness import run_model

Land = Callable[..., SourceReport]
FOCUS_COLUMNS = {name: pa.string() for name in FOCUS_LINE}
NOVEMBER = {
    "bill_billing_period_start_date": datetime(2026, 11, 1),
    "bill_billing_period_end_date": datetime(2026, 12, 1),
    "line_item_usage_start_date": datetime(2026, 11, 2),
    "line_item_usage_end_date": datetime(2026, 11, 3),
}


@pytest.fixture
def bucket(s3_server: S3Server) -> ExportBucket:
    return ExportBucket(s3_server.client())


@pytest.fixture
def land_now(s3_server: S3Server, lake_context: LandingContext) -> Land:
    def run(
        bucket: ExportBucket, *, name: str = "aws", now: datetime | None = None, **settings: Any
    ) -> SourceReport:
        context = replace(lake_context, now=now or lake_context.now)
        stated = {
            "name": name,
            "export": bucket.export,
            "location": bucket.location,
            "endpoint": s3_server.url,
        }
        return land(Settings(**stated | settings), context)

    return run


def usage(cost: float, **values: Any) -> Line:
    return cur_line(line_item_unblended_cost=cost, **values)


def current(report: SourceReport) -> list[Delivery]:
    return sorted((d for d in report.deliveries if d.is_current), key=lambda d: (d.period or "", d.scope))


def totals(report: SourceReport) -> dict[str | None, Decimal]:
    return {d.period: d.billed_totals.get("USD", Decimal(0)) for d in current(report)}


def find(report: SourceReport, kind: str) -> Finding:
    found = [finding for finding in report.findings if finding.kind == kind]
    assert len(found) == 1, [(finding.kind, finding.message) for finding in report.findings]
    return found[0]


def rows(report: SourceReport) -> list[dict[str, Any]]:
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("partition", ["BILLING_PERIOD", "billing_period"])
@pytest.mark.parametrize("output_format", ["parquet", "csv"])
@pytest.mark.parametrize("run", [None, "2026-11-03T04:05:06.789Z-8d7c6b5a-1111-2222-3333-444455556666"])
def test_a_month_lands_in_every_form(
    s3_server: S3Server, land_now: Land, partition: str, output_format: Any, run: str | None
) -> None:
    bucket = ExportBucket(s3_server.client(), partition=partition, output_format=output_format)
    bucket.deliver("2026-10", [[usage(1.5)], [usage(2.25), usage(2.25)]], run=run)
    report = land_now(bucket)
    assert not report.has_fault
    (delivery,) = current(report)
    assert (delivery.dataset, delivery.rows, delivery.scope) == ("aws_cur_lines", 3, "111122223333|2026-10")
    assert delivery.billed_totals == {"USD": Decimal(6)}
    assert delivery.invoice_issuers == ("Amazon Web Services, Inc.",)
    if run:
        assert delivery.delivered_at == datetime(2026, 11, 3, 4, 5, 6, 789000)
    assert len({row["charge_id"] for row in rows(report)}) == 3


def test_formats_give_the_same_lines(s3_server: S3Server, lake_context: LandingContext) -> None:
    ids = []
    for output_format in ("parquet", "csv"):
        bucket = ExportBucket(s3_server.client(), export=output_format, output_format=output_format)
        bucket.deliver("2026-10", [[usage(0.1, resource_tags={"b": "2", "a": "1"}), usage(1e-7)]])
        settings = Settings(
            name="aws", export=output_format, location=bucket.location, endpoint=s3_server.url
        )
        report = land(settings, replace(lake_context, lake=lake_context.lake / output_format))
        ids.append(sorted(row["charge_id"] for row in rows(report)))
    assert len(ids[0]) == 2 and ids[0] == ids[1]


def test_an_export_that_shrinks_leaves_no_empty_chunk_behind(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)], [usage(2)], [usage(4)]])
    assert totals(land_now(bucket)) == {"2026-10": Decimal(7)}
    keys = bucket.deliver("2026-10", [[usage(3)]], surplus=2)
    assert (
        len(bucket.client.list_objects_v2(Bucket=bucket.bucket, Prefix=f"{bucket.root}/data/")["Contents"])
        == 3
    )
    report = land_now(bucket)
    assert totals(report) == {"2026-10": Decimal(3)}
    assert {row["x_source_file"] for row in rows(report)} == {keys[0].removeprefix(f"{bucket.prefix}/")}


def test_only_named_files_count(bucket: ExportBucket, land_now: Land) -> None:
    keys = bucket.deliver("2026-10", [[usage(1)], [usage(2)]])
    bucket.write_manifest("2026-10", keys[:1])
    assert totals(land_now(bucket)) == {"2026-10": Decimal(1)}


def test_a_restated_month_replaces_only_itself(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    bucket.deliver("2026-11", [[usage(10, **NOVEMBER)]])
    first = land_now(bucket)
    bucket.deliver("2026-10", [[usage(1), usage(0.5)]])
    second = land_now(bucket)
    assert totals(second) == {"2026-10": Decimal("1.5"), "2026-11": Decimal(10)}
    assert current(first)[1] == current(second)[1]
    assert len(second.deliveries) == 3


def test_a_month_restated_to_nothing_is_empty(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    land_now(bucket)
    bucket.deliver("2026-10", [])
    report = land_now(bucket)
    assert totals(report) == {"2026-10": Decimal(0)}
    assert current(report)[0].invoice_issuers == ("Amazon Web Services, Inc.",)
    bucket.deliver("2026-10", [[usage(2)]])
    assert totals(land_now(bucket)) == {"2026-10": Decimal(2)}


def test_a_month_with_a_header_only_is_empty_too(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    land_now(bucket)
    bucket.deliver("2026-10", [[]])
    assert totals(land_now(bucket)) == {"2026-10": Decimal(0)}


def test_a_missing_file_keeps_the_delivery_waiting(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    bucket.deliver("2026-11", [[usage(10, **NOVEMBER)]])
    land_now(bucket)
    keys = bucket.deliver("2026-10", [[usage(1)], [usage(2)]])
    body = bucket.client.get_object(Bucket=bucket.bucket, Key=keys[1])["Body"].read()
    bucket.client.delete_object(Bucket=bucket.bucket, Key=keys[1])
    bucket.deliver("2026-11", [[usage(11, **NOVEMBER)]])
    report = land_now(bucket)
    assert totals(report) == {"2026-10": Decimal(1), "2026-11": Decimal(11)}
    fault = find(report, "unusable_manifest")
    assert fault.severity is Severity.FAULT and "00002" in fault.message and "waits" in fault.message
    bucket.put(keys[1], body)
    bucket.write_manifest("2026-10", keys)
    healed = land_now(bucket)
    assert not healed.has_fault
    assert totals(healed) == {"2026-10": Decimal(3), "2026-11": Decimal(11)}


def test_a_delivery_under_way_waits(bucket: ExportBucket, land_now: Land) -> None:
    keys = bucket.deliver("2026-10", [[usage(1)], [usage(2)]])
    land_now(bucket)
    bucket.deliver("2026-10", [[usage(1)], [usage(8)]])
    time.sleep(1.05)  # S3 tells times by the second
    body = bucket.client.get_object(Bucket=bucket.bucket, Key=keys[1])["Body"].read()
    bucket.put(keys[0], body)
    report = land_now(bucket)
    assert totals(report) == {"2026-10": Decimal(3)}
    assert find(report, "delivery_under_way").severity is Severity.INFO
    later = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=3)
    assert totals(land_now(bucket, now=later)) == {"2026-10": Decimal(16)}


def test_unchanged_manifests_cost_one_listing(
    s3_server: S3Server, bucket: ExportBucket, lake_context: LandingContext, rest: Callable[..., RestServer]
) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    bucket.deliver("2026-11", [[usage(10, **NOVEMBER)]])
    proxy = rest(pass_on(s3_server.url))
    settings = Settings(name="aws", export=bucket.export, location=bucket.location, endpoint=proxy.url)
    first = land(settings, lake_context)
    proxy.log.clear()
    again = land(settings, lake_context)
    assert [(r.method, r.query.get("prefix")) for r in proxy.log] == [("GET", f"{bucket.root}/metadata/")]
    assert again == first


def test_s3_that_is_busy_is_asked_again(
    s3_server: S3Server, bucket: ExportBucket, lake_context: LandingContext, rest: Callable[..., RestServer]
) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    busy = Reply(503, "<Error><Code>SlowDown</Code></Error>", {"Content-Type": "application/xml"})
    proxy = rest(answer_in_turn([busy, busy], pass_on(s3_server.url)))
    settings = Settings(name="aws", export=bucket.export, location=bucket.location, endpoint=proxy.url)
    assert totals(land(settings, lake_context)) == {"2026-10": Decimal(1)}


def test_older_deliveries_are_filled_in_with_their_own_times(
    bucket: ExportBucket, land_now: Land, s3_server: S3Server, lake_context: LandingContext
) -> None:
    runs = [f"2026-11-0{day}T01:02:03Z-0000000{day}-1111-2222-3333-444455556666" for day in (2, 3, 4)]
    for cost, run in zip((1, 2, 3), runs, strict=True):
        bucket.deliver("2026-10", [[usage(cost)]], run=run)
    newest = land_now(bucket)
    assert [d.delivered_at for d in newest.deliveries] == [datetime(2026, 11, 4, 1, 2, 3)]
    report = land_now(bucket, backfill=True)
    told = sorted((d.delivered_at, d.billed_totals["USD"], d.is_current) for d in report.deliveries)
    assert told == [
        (datetime(2026, 11, 2, 1, 2, 3), Decimal(1), False),
        (datetime(2026, 11, 3, 1, 2, 3), Decimal(2), False),
        (datetime(2026, 11, 4, 1, 2, 3), Decimal(3), True),
    ]
    settings = Settings(name="aws", export=bucket.export, location=bucket.location, endpoint=s3_server.url)
    known = land(settings, replace(lake_context, as_of=datetime(2026, 11, 3, 12)))
    assert totals(known) == {"2026-10": Decimal(2)}


def test_filling_in_reads_every_delivery_once(
    s3_server: S3Server, bucket: ExportBucket, lake_context: LandingContext, rest: Callable[..., RestServer]
) -> None:
    runs = [f"2026-11-0{day}T01:02:03Z-0000000{day}-1111-2222-3333-444455556666" for day in (2, 3, 4)]
    keys = [
        bucket.deliver("2026-10", [[usage(cost)]], run=run) for cost, run in zip((1, 2, 3), runs, strict=True)
    ]
    proxy = rest(pass_on(s3_server.url))
    stated = {"export": bucket.export, "location": bucket.location, "endpoint": proxy.url, "backfill": True}
    first = land(Settings(name="aws", **stated), lake_context)
    proxy.log.clear()
    assert land(Settings(name="aws", **stated), lake_context) == first
    assert [(r.method, r.query.get("prefix")) for r in proxy.log] == [("GET", f"{bucket.root}/metadata/")]
    bucket.client.delete_object(Bucket=bucket.bucket, Key=keys[0][0])
    late = land(Settings(name="late", **stated), lake_context)
    assert find(late, "unusable_manifest").severity is Severity.INFO
    assert [d.billed_totals["USD"] for d in late.deliveries] == [Decimal(2), Decimal(3)]


def test_what_retention_let_go_is_not_filled_in_again(
    s3_server: S3Server, bucket: ExportBucket, lake_context: LandingContext, rest: Callable[..., RestServer]
) -> None:
    """Not when settings change either: only what is current is typed anew, from its kept files."""
    for hour in (1, 2, 3):
        run = f"2026-10-20T0{hour}:02:03Z-0000000{hour}-1111-2222-3333-444455556666"
        bucket.deliver("2026-10", [[usage(hour)]], run=run)
    proxy = rest(pass_on(s3_server.url))
    stated = {"export": bucket.export, "location": bucket.location, "endpoint": proxy.url, "backfill": True}
    first = land(Settings(name="aws", **stated), lake_context)
    lateness = find_lateness("aws_data_exports")
    planned = plan_pruning(lake_context.lake, "aws", lateness, datetime(2030, 1, 1), lambda record: False)
    assert [snapshot.delivery.delivered_at.hour for snapshot in planned] == [1, 2]
    for snapshot in planned:
        prune_snapshot(lake_context.lake, snapshot, lake_context.now)
    proxy.log.clear()
    again = land(Settings(name="aws", **stated), replace(lake_context, tag_keys={"team": ("team",)}))
    assert not again.has_fault, again.findings
    assert totals(again) == totals(first) == {"2026-10": Decimal(3)}
    assert len(again.deliveries) == 3
    assert [request.path for request in proxy.log if "/data/" in request.path] == []


def test_months_limit_what_is_looked_at(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    bucket.deliver("2026-11", [[usage(10, **NOVEMBER)]])
    assert totals(land_now(bucket, months=1)) == {"2026-11": Decimal(10)}
    assert totals(land_now(bucket, months=2)) == {"2026-10": Decimal(1), "2026-11": Decimal(10)}


def test_a_replicated_bucket_is_read_under_its_own_name(
    s3_server: S3Server, bucket: ExportBucket, land_now: Land
) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    copy = ExportBucket(s3_server.client(), bucket="copy-of-bills", prefix="from/eu")
    for entry in bucket.client.list_objects_v2(Bucket=bucket.bucket)["Contents"]:
        body = bucket.client.get_object(Bucket=bucket.bucket, Key=entry["Key"])["Body"].read()
        copy.put(entry["Key"].replace("exports/", "from/eu/", 1), body)
        bucket.client.delete_object(Bucket=bucket.bucket, Key=entry["Key"])
    assert totals(land_now(copy)) == {"2026-10": Decimal(1)}
    assert totals(land_now(copy, name="direct", location=f"{copy.location}/{copy.export}")) == {
        "2026-10": Decimal(1)
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "no JSON"),
        (b"[]", "no manifest"),
        (b'{"exportName": "x"}', "names no data files"),
        (b'{"dataFiles": [{"size": 1}]}', "names no file"),
        (b'{"dataFiles": ["s3://b/p/other/data/BILLING_PERIOD=2026-10/x.parquet"]}', "outside"),
        (b'{"dataFiles": ["s3://b/p/monthly-cur/data/../../secret.parquet"]}', "outside"),
        (b'{"dataFiles": ["s3://b/p/not-monthly-cur/data/x.parquet"]}', "outside"),
    ],
)
def test_manifests_that_are_none_are_refused(content: bytes, words: str) -> None:
    with pytest.raises(ManifestFault, match=words):
        read_manifest(content, "there", "monthly-cur", "monthly-cur/")


@pytest.mark.parametrize(
    "content",
    [
        {"dataFiles": ["s3://b/p/monthly-cur/data/x.parquet"], "columns": [{"name": "BilledCost"}]},
        {"DataFiles": ["p/monthly-cur/data/x.parquet"], "Columns": ["BilledCost"]},
        {
            "dataFiles": [{"s3Uri": "s3://b/monthly-cur/data/x.parquet"}],
            "columns": [{"Name": "BilledCost", "Type": "x"}],
        },
    ],
)
def test_manifests_are_read_in_all_their_spellings(content: dict[str, Any]) -> None:
    manifest = read_manifest(json.dumps(content).encode(), "there", "monthly-cur", "monthly-cur/")
    assert manifest.files == ("monthly-cur/data/x.parquet",)
    assert manifest.columns == ("BilledCost",)


def test_a_bad_month_leaves_the_others(bucket: ExportBucket, land_now: Land) -> None:
    bucket.deliver("2026-10", [[usage(1)]])
    bucket.deliver("2026-11", [[usage(10, **NOVEMBER)]])
    bucket.put(f"{bucket.root}/metadata/BILLING_PERIOD=2026-10/{bucket.export}-Manifest.json", b"{")
    report = land_now(bucket)
    assert totals(report) == {"2026-11": Decimal(10)}
    assert "no JSON" in find(report, "unusable_manifest").message


def test_column_selection_may_leave_out_what_is_optional(s3_server: S3Server, land_now: Land) -> None:
    needed = (
        "bill_billing_period_start_date", "bill_payer_account_id", "line_item_currency_code",
        "line_item_line_item_type", "line_item_product_code", "line_item_unblended_cost",
        "line_item_usage_account_id", "line_item_usage_end_date", "line_item_usage_start_date",
        "line_item_usage_type",
    )  # fmt: skip
    columns = {name: CUR_COLUMNS[name] for name in needed}
    bucket = ExportBucket(s3_server.client(), columns=columns)
    bucket.deliver("2026-10", [[usage(1.25), usage(0.5, line_item_line_item_type="SavingsPlanCoveredUsage")]])
    report = land_now(bucket)
    assert not report.has_fault
    assert find(report, "unknown_commitment_cost").severity is Severity.WARN
    charges = run_model("staging.aws_cur_charges", {"lake.aws_cur_lines": rows(report)})
    assert sorted(
        (row["billed_cost"], row["effective_cost"]) for row in charges if row["effective_cost"]
    ) == [
        (Decimal("0.5"), Decimal("0.5")),
        (Decimal("1.25"), Decimal("1.25")),
    ]
    assert [row["billed_cost"] for row in charges if row["effective_cost"] is None] == [Decimal(0)]
    bucket = ExportBucket(
        s3_server.client(), export="short", columns={k: v for k, v in columns.items() if k != needed[4]}
    )
    bucket.deliver("2026-10", [[usage(1)]])
    fault = find(land_now(bucket, name="short"), "missing_column")
    assert fault.severity is Severity.FAULT and "line_item_product_code" in fault.message


def test_discounts_that_may_count_twice_are_told(s3_server: S3Server, land_now: Land) -> None:
    bucket = ExportBucket(
        s3_server.client(), columns={**CUR_COLUMNS, "line_item_net_unblended_cost": pa.float64()}
    )
    discount = usage(-1, line_item_line_item_type="EdpDiscount")
    bucket.deliver("2026-10", [[usage(10, line_item_net_unblended_cost=9.0), discount]])
    told = find(land_now(bucket), "doubled_discount")
    assert (told.severity, told.count) == (Severity.WARN, 1)
    bucket.deliver("2026-10", [[usage(10, line_item_net_unblended_cost=10.0), discount]])
    report = land_now(bucket)
    assert totals(report) == {"2026-10": Decimal(9)}
    assert "doubled_discount" not in {finding.kind for finding in report.findings}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"user_team": "a"}, "a"),
        ({"user:team": "a"}, "a"),
        ({"resourceTags/user:team": "a"}, "a"),
        ({"iamPrincipal/team": "a"}, "a"),
        ({"accountTag/team": "b", "user_team": "a"}, "a"),
        ({"iamPrincipal/team": "b", "team": "a"}, "a"),
        ({"user_business_unit": "a"}, "a"),
        ({"Business-Unit": "a"}, "a"),
        ({"user_steam": "b"}, None),
    ],
)
def test_a_configured_tag_is_found_in_every_spelling(
    bucket: ExportBucket, land_now: Land, tags: dict[str, str], expected: str | None
) -> None:
    bucket.deliver("2026-10", [[usage(1, resource_tags=tags)]])
    assert [row["x_tag_team"] for row in rows(land_now(bucket))] == [expected]


def test_cost_categories_are_tags_and_users_are_pseudonymised(bucket: ExportBucket, land_now: Land) -> None:
    line = usage(
        1, cost_category={"feature": "search"}, resource_tags={"user_owner": "Ann@Example.org", "x": "canary"}
    )
    bucket.deliver("2026-10", [[line]])
    (row,) = rows(land_now(bucket))
    assert row["x_tag_feature"] == "search"
    assert str(row["x_tag_user_id"]).startswith("u_")
    assert "ann@example.org" not in str(row).lower() and "canary" not in str(row)


def test_a_focus_export_lands_as_charges(s3_server: S3Server, land_now: Land) -> None:
    bucket = ExportBucket(
        s3_server.client(), export="focus", columns=FOCUS_COLUMNS, partition="billing_period"
    )
    bucket.deliver("2026-10", [[{**FOCUS_LINE, "BilledCost": "1.25"}, {**FOCUS_LINE, "BilledCost": "2.50"}]])
    report = land_now(bucket)
    assert not report.has_fault
    (delivery,) = current(report)
    assert (delivery.dataset, delivery.billed_totals) == ("charges", {"USD": Decimal("3.75")})


def test_two_exports_of_one_account_bill_once_and_enrich(s3_server: S3Server, land_now: Land) -> None:
    focus = ExportBucket(s3_server.client(), export="focus", columns=FOCUS_COLUMNS)
    account = {"BillingAccountId": "111122223333", "InvoiceIssuerName": "Amazon Web Services, Inc."}
    focus.deliver("2026-10", [[{**FOCUS_LINE, **account, "BilledCost": "5"}]])
    cur = ExportBucket(s3_server.client())
    pod = usage(
        0, line_item_operation="EKSPod-EC2", split_line_item_parent_resource_id="i-1", split_line_item_split_cost=3.0,
        split_line_item_split_usage=1.0,
    )  # fmt: skip
    cur.deliver("2026-10", [[usage(5), pod]])
    bill = land_now(focus, name="bill")
    doubled = resolve_bill_of_record([bill, land_now(cur, name="cur")], ["bill", "cur"])
    assert doubled[1].has_fault and not current(doubled[1])
    enriching = land_now(cur, name="cur", carries_cost=False)
    reports = resolve_bill_of_record([bill, enriching], ["bill", "cur"])
    assert not any(report.has_fault for report in reports), reports[1].findings
    assert [d.dataset for d in current(reports[1])] == ["aws_cur_enrichment_lines"]
    lines = {"lake.aws_cur_enrichment_lines": rows(enriching)}
    (split,) = run_model("staging.split_allocations", lines)
    assert (split["resource_id"], split["split_cost"]) == ("i-1", Decimal(3))
    assert run_model("staging.aws_cur_charges", {}) == []
    again = land_now(cur, name="cur")
    assert [d.dataset for d in current(again)] == ["aws_cur_lines"]


def test_no_manifest_and_no_bucket_are_faults_in_words(bucket: ExportBucket, land_now: Land) -> None:
    assert "24 hours" in find(land_now(bucket), "no_manifest").message
    fault = find(land_now(bucket, name="wrong", location="s3://no-such-bucket/x"), "unreachable_export")
    assert "no bucket" in fault.message


@pytest.fixture
def exports() -> FakeExports:
    return FakeExports()


@pytest.fixture
def service(exports: FakeExports, rest: Callable[..., RestServer]) -> RestServer:
    return rest(exports.route)


def check_now(
    bucket: ExportBucket, s3_server: S3Server, service: RestServer, **settings: Any
) -> dict[str, CheckStep]:
    stated = {
        "name": "aws",
        "export": bucket.export,
        "exports_endpoint": service.url,
        "endpoint": s3_server.url,
    }
    return {step.name: step for step in check(Settings(**stated | {"location": bucket.location} | settings))}


def test_the_location_is_asked_of_the_service(
    bucket: ExportBucket,
    exports: FakeExports,
    service: RestServer,
    s3_server: S3Server,
    lake_context: LandingContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(4):
        exports.add(f"other-{number}", bucket="elsewhere", prefix="x")
    arn = exports.add(bucket.export, bucket=bucket.bucket, prefix=bucket.prefix)
    bucket.deliver("2026-10", [[usage(1)]])
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.url)
    for export in (bucket.export, arn):
        settings = Settings(name="aws", export=export, exports_endpoint=service.url)
        assert totals(land(settings, lake_context)) == {"2026-10": Decimal(1)}
    assert exports.calls == ["ListExports"] * 3 + ["GetExport"] * 2


def test_check_tells_a_healthy_export(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    options = {
        "TIME_GRANULARITY": "DAILY",
        "INCLUDE_RESOURCES": "TRUE",
        "INCLUDE_IAM_PRINCIPAL_DATA": "TRUE",
        "INCLUDE_SPLIT_COST_ALLOCATION_DATA": "TRUE",
    }
    statement = f"SELECT {', '.join(CUR_COLUMNS)} FROM COST_AND_USAGE_REPORT"
    arn = exports.add(
        bucket.export, bucket=bucket.bucket, prefix=bucket.prefix, properties=options, statement=statement
    )
    exports.add_execution(arn, "QUERY_FAILURE", datetime(2026, 11, 1), "INTERNAL_FAILURE")
    exports.add_execution(arn, "DELIVERY_SUCCESS", datetime(2026, 11, 2))
    bucket.deliver("2026-10", [[usage(1)]])
    steps = check_now(bucket, s3_server, service)
    assert list(steps) == [
        *("export", "table", "last run", "credentials", "manifests", "files", "delivered columns")
    ]
    assert all(step.is_ok for step in steps.values())
    assert "DELIVERY_SUCCESS" in steps["last run"].message
    assert exports.calls == ["ListExports", "GetExport", "ListExecutions", "GetExecution"]


def test_check_tells_what_is_missing(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    statement = (
        "SELECT line_item_unblended_cost FROM COST_AND_USAGE_REPORT WHERE line_item_unblended_cost > 1"
    )
    options = {"TIME_GRANULARITY": "MONTHLY", "INCLUDE_RESOURCES": "FALSE"}
    arn = exports.add(
        bucket.export, bucket="other-bucket", prefix="x", statement=statement, properties=options
    )
    exports.add_execution(arn, "DELIVERY_FAILURE", datetime(2026, 11, 2), "INSUFFICIENT_PERMISSION")
    steps = check_now(bucket, s3_server, service)
    assert "s3:PutObject" in steps["last run"].message
    assert "WHERE" in steps["filter"].message
    assert "line_item_line_item_type" in steps["columns"].message
    failed = {name for name, step in steps.items() if step.is_ok is False}
    assert failed == {"columns", "filter", "time granularity", "last run", "manifests"}
    for option in ("include_resources", "include_iam_principal_data", "include_split_cost_allocation_data"):
        assert "is off" in steps[option].message
    assert "s3://other-bucket/x" in steps["location"].message


def test_missing_columns_are_all_told_at_once_by_check_and_by_landing(
    s3_server: S3Server, exports: FakeExports, service: RestServer, land_now: Land
) -> None:
    left_out = ("bill_payer_account_id", "line_item_currency_code", "line_item_usage_type")
    columns = {name: kind for name, kind in CUR_COLUMNS.items() if name not in left_out}
    bucket = ExportBucket(s3_server.client(), columns=columns)
    bucket.deliver("2026-10", [[usage(1)]])
    told = "bill_payer_account_id, line_item_currency_code and line_item_usage_type"
    step = check_now(bucket, s3_server, service)["delivered columns"]
    assert step.is_ok is False and f"CUR 2.0: the manifest does not list {told}," in step.message
    report = land_now(bucket)
    (fault,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert fault.kind == "missing_column"
    assert f"the required columns {told} are missing; deliver it again with these columns" in fault.message
    assert report.deliveries == ()


def test_a_manifest_that_lists_no_bill_is_told(
    s3_server: S3Server, exports: FakeExports, service: RestServer
) -> None:
    bucket = ExportBucket(s3_server.client(), columns={"line_item_unblended_cost": pa.float64()})
    bucket.deliver("2026-10", [[usage(1)]])
    step = check_now(bucket, s3_server, service)["delivered columns"]
    assert step.is_ok is False and "neither line_item_line_item_type" in step.message


def test_check_names_the_exports_there_are(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    exports.add("quarterly", bucket="b", prefix="x")
    steps = check_now(bucket, s3_server, service, location=None, endpoint=None)
    assert steps["export"].is_ok is False and "quarterly" in steps["export"].message
    assert steps["files"].is_ok is None


def test_a_table_without_a_bill_is_told(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    statement = "SELECT * FROM COST_OPTIMIZATION_RECOMMENDATIONS"
    exports.add(
        bucket.export, bucket="b", prefix="x", statement=statement, table="COST_OPTIMIZATION_RECOMMENDATIONS"
    )
    assert "holds no bill" in check_now(bucket, s3_server, service)["table"].message


def test_an_unhealthy_export_and_an_unread_compression_are_told(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    zipped = {"Compression": "ZIP"}
    arn = exports.add(
        bucket.export, bucket=bucket.bucket, prefix=bucket.prefix, output_format="TEXT_OR_CSV", output=zipped
    )
    exports.statuses[arn] = {"StatusCode": "UNHEALTHY", "StatusReason": "BILL_OWNER_CHANGED"}
    steps = check_now(bucket, s3_server, service)
    assert steps["compression"].is_ok is False and "GZIP" in steps["compression"].message
    assert steps["health"].is_ok is False and "payer" in steps["health"].message


def test_throttling_is_waited_out(
    bucket: ExportBucket, exports: FakeExports, service: RestServer, s3_server: S3Server
) -> None:
    exports.add(bucket.export, bucket=bucket.bucket, prefix=bucket.prefix)
    exports.refusals["ListExports"] = ["ThrottlingException", "ThrottlingException"]
    assert check_now(bucket, s3_server, service)["export"].is_ok
    assert exports.calls.count("ListExports") == 3


@pytest.mark.parametrize(
    ("operation", "step", "is_ok"),
    [("ListExports", "export", None), ("GetExport", "export", None), ("ListExecutions", "last run", None)],
)
def test_a_missing_permission_is_named(
    bucket: ExportBucket,
    exports: FakeExports,
    service: RestServer,
    s3_server: S3Server,
    operation: str,
    step: str,
    is_ok: bool | None,
) -> None:
    exports.add(bucket.export, bucket=bucket.bucket, prefix=bucket.prefix)
    exports.refusals[operation] = ["AccessDeniedException"]
    bucket.deliver("2026-10", [[usage(1)]])
    steps = check_now(bucket, s3_server, service)
    assert steps[step].is_ok is is_ok
    assert f"bcm-data-exports:{operation}" in steps[step].message
    assert steps["files"].is_ok


def test_without_credentials_every_step_says_so(
    bucket: ExportBucket, service: RestServer, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    steps = check_now(bucket, s3_server, service)
    assert "no AWS credentials" in steps["export"].message
    assert steps["credentials"].is_ok is False and steps["files"].is_ok is None


@pytest.mark.parametrize(
    "settings",
    [
        {"export": "has blanks"},
        {"export": "arn:aws:s3:::bucket"},
        {"export": "cur", "months": 0},
        {"export": "cur", "endpoint": "http://127.0.0.1:1"},
        {"export": "cur", "endpoint": "https://user:secret@host", "location": "s3://b/p"},
        {"export": "cur", "table": "focus", "carries_cost": False},
        {"export": "cur", "surprise": 1},
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Settings(name="aws", **settings)
