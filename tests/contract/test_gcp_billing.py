"""The Google Cloud connector against servers of Google's own types: reading, late rows, refusals, checks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.contract import LandingContext, SourceReport
from connectors.gcp_billing.client import check, land
from connectors.gcp_billing.settings import Settings
from tests.contract.google_export import (
    ACCOUNT,
    STANDARD_SCHEMA,
    TABLE,
    build_table,
    credit,
    labels,
    moment,
    row,
)
from tests.servers.google_bigquery import BigQueryServer


def settings(server: BigQueryServer, **values: Any) -> Settings:
    """A source of the table, at the addresses of the server."""
    endpoints = {"bigquery": server.rest.url, "bigquery_storage": server.storage_address}
    return Settings(
        **{"name": "gcp", "connector": "gcp_billing", "table": TABLE, "endpoints": endpoints, **values}
    )


def read_lines(report: SourceReport) -> list[dict[str, Any]]:
    """The lines that are current."""
    tables = [pq.read_table(file.path) for file in report.current_files if file.dataset == "gcp_cost_lines"]
    return sorted(
        (line for table in tables for line in table.to_pylist()), key=lambda line: line["charge_id"]
    )


def kinds(report: SourceReport) -> set[str]:
    """The kinds of the findings."""
    return {finding.kind for finding in report.findings}


def at(context: LandingContext, now: str) -> LandingContext:
    """The context of a run at another time."""
    return replace(context, now=datetime.fromisoformat(now))


ROWS = [
    row(1.25, labels=labels(team="search", owner="ada@example.com"), credits=[credit("FREE_TIER", -0.25)]),
    row(0.1, export_time=moment("2026-11-04T09:00:00"), price__list_price=Decimal("0.033174")),
    row(3.0, invoice__month="202610", usage_start_time=moment("2026-11-01T05:00:00")),
]


def test_storage_api_lands_lines_by_account_and_invoice_month(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    report = land(settings(google_server), lake_context)
    assert not report.has_fault, report.findings
    lines = read_lines(report)
    assert len(lines) == 3
    assert google_server.sessions and not google_server.queries
    first = next(line for line in lines if line["cost"] == Decimal("1.25"))
    assert (first["billed_cost"], first["free_tier_credit"]) == (Decimal(1), Decimal("-0.25"))
    assert (first["x_tag_team"], first["billing_account_id"]) == ("search", ACCOUNT)
    assert "ada@example.com" not in str(lines)
    assert first["billing_period_start"] == datetime(2026, 11, 1, 7)
    assert first["billing_period_end"] == datetime(2026, 12, 1, 8)
    assert {delivery.period for delivery in report.deliveries} == {"2026-10", "2026-11"}
    kept = list((lake_context.lake / "raw" / "gcp" / "artifacts").iterdir())
    assert kept and all(path.stat().st_mode & 0o777 == 0o600 for path in kept), "raw rows are their owner's"
    by_time = sorted({delivery.delivered_at for delivery in report.deliveries})
    assert by_time == [datetime(2026, 11, 3, 15), datetime(2026, 11, 4, 9)]


def test_second_run_reads_only_what_is_new_and_a_late_row_rebuilds_only_its_month(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    before = land(settings(google_server), lake_context)
    late = row(9.0, invoice__month="202610", export_time=moment("2026-11-05T01:00:00"))
    google_server.tables[TABLE] = build_table([*ROWS, late])
    google_server.sessions.clear()
    report = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    assert not report.has_fault, report.findings
    restrictions = [session.read_options.row_restriction for session in google_server.sessions]
    assert "export_time >= CAST('2026-11-04 00:00:00+00:00' AS TIMESTAMP)" in restrictions[0]
    assert len(read_lines(report)) == 4
    old = {file.path for file in before.current_files}
    assert {file.partition for file in report.current_files if file.path not in old} == {"2026-10"}


def test_rows_at_the_edge_of_two_runs_count_once(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    """The newest time of export was half written when it was read first; two of its rows are the same."""
    twin = row(2.0, export_time=moment("2026-11-04T09:00:00"))
    google_server.tables[TABLE] = build_table([*ROWS, twin])
    assert len(read_lines(land(settings(google_server), lake_context))) == 4
    google_server.tables[TABLE] = build_table([*ROWS, twin, twin])
    report = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    lines = read_lines(report)
    assert len(lines) == len({line["charge_id"] for line in lines}) == 5
    assert sum(line["billed_cost"] for line in lines) == Decimal("8.1")


def test_an_unchanged_table_adds_nothing(google_server: BigQueryServer, lake_context: LandingContext) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    before = land(settings(google_server), lake_context)
    raw = sorted(path.name for path in (lake_context.lake / "raw" / "gcp" / "artifacts").iterdir())
    google_server.tables[TABLE] = build_table(list(reversed(ROWS)))
    report = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    assert report.current_files == before.current_files
    assert raw == sorted(path.name for path in (lake_context.lake / "raw" / "gcp" / "artifacts").iterdir())


def test_what_was_known_at_a_time_comes_back(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    land(settings(google_server), lake_context)
    google_server.sessions.clear()
    report = land(settings(google_server), replace(lake_context, as_of=datetime(2026, 11, 4)))
    assert [line["cost"] for line in read_lines(report)] and not google_server.sessions
    assert sum(line["cost"] for line in read_lines(report)) == Decimal("4.25")


def test_query_over_rest_gives_the_same_charge_ids(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS * 4)
    by_storage = read_lines(land(settings(google_server), lake_context))
    assert not google_server.queries
    other = replace(lake_context, lake=lake_context.lake / "other")
    by_query = read_lines(land(settings(google_server, read_api="query"), other))
    assert google_server.queries and [line["charge_id"] for line in by_query] == [
        line["charge_id"] for line in by_storage
    ]
    assert len(by_query) == 12


def test_without_the_right_to_sessions_a_query_is_used_and_told(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    google_server.is_storage_denied = True
    report = land(settings(google_server), lake_context)
    assert len(read_lines(report)) == 3
    assert "storage_api_denied" in kinds(report) and not report.has_fault


def test_no_right_at_all_is_a_fault_in_words(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    google_server.is_storage_denied = google_server.is_query_denied = True
    report = land(settings(google_server), lake_context)
    (fault,) = [finding for finding in report.findings if finding.severity == "fault"]
    assert "roles/bigquery.jobUser" in fault.message and "not allowed" in fault.message
    assert not report.deliveries


def test_failing_services_are_asked_again(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table([row(float(number)) for number in range(1, 40)])
    google_server.rest_failures = [503, 429]
    google_server.session_failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED]
    google_server.broken_streams = [2, 1]
    report = land(settings(google_server, streams=2), lake_context)
    assert not report.has_fault, report.findings
    assert sum(line["cost"] for line in read_lines(report)) == sum(range(1, 40))
    assert max(google_server.offsets) > 0, "a broken stream is gone on with, not read from its beginning"


def test_months_of_history_land_step_by_step(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    rows = [row(1.0, export_time=moment(f"2026-{month:02}-05T00:00:00")) for month in range(1, 12)]
    rows.append(row(1.0, export_time=moment("2019-05-05T00:00:00")))
    google_server.tables[TABLE] = build_table(rows)
    report = land(settings(google_server), lake_context)
    assert len(read_lines(report)) == 12
    assert len({delivery.delivered_at for delivery in report.deliveries}) == 12


def test_full_reading_replaces_what_is_gone(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    land(settings(google_server), lake_context)
    google_server.tables[TABLE] = build_table(ROWS[:1])
    kept = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    assert len(read_lines(kept)) == 3, "an export only ever grows: an expired partition is no correction"
    report = land(settings(google_server, read="full"), at(lake_context, "2026-11-22T03:00:00"))
    assert sum(line["cost"] for line in read_lines(report)) == Decimal("1.25")
    assert "rows_gone" in kinds(report)


def test_standard_export_lands_and_says_what_it_lacks(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS, STANDARD_SCHEMA)
    report = land(settings(google_server), lake_context)
    assert len(read_lines(report)) == 3 and "standard_export" in kinds(report)
    assert "standard_export" not in kinds(land(settings(google_server, table_kind="standard"), lake_context))


def test_a_table_that_is_no_export_is_refused_and_bills_stay(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    before = land(settings(google_server), lake_context)
    google_server.tables[TABLE] = pa.table({"a": ["1"]})
    report = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    assert report.has_fault and "missing_column" in kinds(report)
    assert report.current_files == before.current_files


def test_a_stop_half_way_leaves_whole_days_and_the_next_run_goes_on(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    rows = [row(1.0, export_time=moment(f"2026-{month:02}-05T00:00:00")) for month in (9, 10, 11)]
    bad = row(1.0, export_time=moment("2026-10-06T00:00:00"), currency=None)
    google_server.tables[TABLE] = build_table([*rows, bad])
    report = land(settings(google_server), lake_context)
    assert report.has_fault
    assert {d.delivered_at.month for d in report.deliveries} == {9, 10}, "what follows a bad day waits for it"
    google_server.tables[TABLE] = build_table(rows)
    healed = land(settings(google_server), at(lake_context, "2026-11-21T03:00:00"))
    assert len(read_lines(healed)) == 3 and not healed.has_fault


def test_leftovers_of_a_killed_run_go_and_reading_shows_its_progress(
    google_server: BigQueryServer, lake_context: LandingContext
) -> None:
    class Progress:
        told: dict[str, list[int]]

        def __init__(self) -> None:
            self.told = {"start": [], "advance": []}

        def start(self, label: str, total_bytes: int) -> None:
            assert label == "gcp"
            self.told["start"].append(total_bytes)

        def advance(self, label: str, transferred_bytes: int) -> None:
            self.told["advance"].append(transferred_bytes)

    artifacts = lake_context.lake / "raw" / "gcp" / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "_tmp-0").write_bytes(b"half")
    google_server.tables[TABLE] = build_table(ROWS)
    progress = Progress()
    land(settings(google_server), replace(lake_context, progress=progress))
    assert not list(artifacts.glob("_tmp*")) and list(artifacts.iterdir())
    assert sum(progress.told["start"]) > 0 and sum(progress.told["advance"]) > 0


def test_check_tells_what_works_and_what_is_missing(google_server: BigQueryServer) -> None:
    google_server.tables[TABLE] = build_table(ROWS)
    google_server.modified_at = datetime.now().astimezone() - timedelta(hours=2)
    steps = {step.name: step for step in check(settings(google_server))}
    assert all(step.is_ok for step in steps.values()), steps
    assert "detailed" in steps["table"].message and "Storage Read" in steps["read rows"].message
    google_server.tables[TABLE] = build_table(ROWS, STANDARD_SCHEMA)
    google_server.is_storage_denied = True
    steps = {step.name: step for step in check(settings(google_server))}
    assert "no line names its resource" in steps["table"].message
    assert "roles/bigquery.readSessionUser" in steps["read rows"].message
    google_server.is_table_denied = True
    steps = {step.name: step for step in check(settings(google_server))}
    assert steps["table"].is_ok is False and "roles/bigquery.dataViewer" in steps["table"].message
    assert steps["read rows"].is_ok is None


def test_check_without_credentials_says_how_to_sign_in(no_credentials: Path) -> None:
    steps = list(check(Settings(name="gcp", connector="gcp_billing", table=TABLE)))
    assert steps[0].is_ok is False and "gcloud auth application-default login" in steps[0].message
    assert [step.is_ok for step in steps[1:]] == [None, None, None]
