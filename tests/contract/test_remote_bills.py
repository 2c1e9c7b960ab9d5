"""FOCUS files in object stores: what lands is what lands from disk, and nothing is fetched twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import LandingContext, SourceReport, TerminalError
from connectors.common.lateness import find_lateness
from connectors.common.registry import check
from connectors.common.retention import plan_pruning, prune_snapshot
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import line, write_bill
from tests.servers.backends import Backend
from tests.servers.rest import Reply, Request, RestServer, Route, pass_on

StartRest = Callable[[Route], RestServer]


def build_settings(backend: Backend, url: str | None = None, **more: Any) -> Settings:
    values = dict(backend.build_values(url))
    path = values.pop("location") + more.pop("below", "")
    return Settings(name="bill", path=path, **values, **more)


def write_months(folder: Path, cost: str = "1.25") -> dict[str, bytes]:
    """Two months of two accounts, as files by relative path."""
    for month in ("10", "11"):
        period = {"BillingPeriodStart": f"2026-{month}-01T00:00:00Z"}
        lines = [line(BillingAccountId=account, BilledCost=cost, **period) for account in ("a", "b")]
        write_bill(folder / f"2026-{month}" / "bill.csv.gz", lines)
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.gz"))}


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: (row["x_snapshot_id"], row["charge_id"]))


def total(report: SourceReport) -> Decimal:
    return sum((row["billed_cost"] for row in read_rows(report)), Decimal(0))


def test_bills_of_a_store_land_as_those_of_a_folder(
    remote_store: Backend, rest: StartRest, tmp_path: Path, lake_context: LandingContext
) -> None:
    for key, content in write_months(tmp_path / "bills").items():
        remote_store.put(key, content)
    remote_store.put("notes.txt", b"not a bill")
    on_disk = land(
        Settings(name="bill", path=str(tmp_path / "bills")), replace(lake_context, lake=tmp_path / "disk")
    )
    front = rest(pass_on(remote_store.url))
    settings = build_settings(remote_store, front.url)
    report = land(settings, lake_context)
    assert read_rows(report) == read_rows(on_disk)
    assert len(read_rows(report)) == 4
    assert [finding.kind for finding in report.findings] == ["ignored_file"]
    front.log.clear()
    again = land(settings, replace(lake_context, now=lake_context.now + timedelta(days=1)))
    assert again.deliveries == report.deliveries
    assert len(front.log) == 1, "only the listing"


def test_an_object_that_is_replaced_supersedes_what_it_said(
    remote_store: Backend, tmp_path: Path, lake_context: LandingContext
) -> None:
    settings = build_settings(remote_store)
    now = datetime(2030, 1, 1)  # after what the server's clock says
    for key, content in write_months(tmp_path / "first").items():
        remote_store.put(key, content)
    first = land(settings, replace(lake_context, now=now))
    assert total(first) == Decimal("5.00")
    october = write_months(tmp_path / "second", cost="2.00")["2026-10/bill.csv.gz"]
    remote_store.put("2026-10/bill.csv.gz", october)
    second = land(settings, replace(lake_context, now=now + timedelta(days=1)))
    assert total(second) == Decimal("6.50")
    assert len(second.deliveries) == len(first.deliveries) + 2
    delivered = max(delivery.delivered_at for delivery in first.deliveries)
    assert delivered < now, "the store's own time of change"


def test_manifests_and_times_in_keys_say_when_it_was_delivered(
    remote_store: Backend, tmp_path: Path, lake_context: LandingContext
) -> None:
    contents = write_months(tmp_path / "bills")
    stated = {"delivered_at": "2026-11-05T06:00:00Z", "files": ["october.csv.gz"]}
    remote_store.put("m/october.csv.gz", contents["2026-10/bill.csv.gz"])
    remote_store.put("m/october.manifest.json", json.dumps(stated).encode())
    remote_store.put("t/20261106T070000/november.csv.gz", contents["2026-11/bill.csv.gz"])
    pattern = r"/(?P<delivered_at>\d{8}T\d{6})/"
    report = land(build_settings(remote_store, delivered_at_pattern=pattern), lake_context)
    assert {(delivery.period, delivery.delivered_at) for delivery in report.deliveries} == {
        ("2026-10", datetime(2026, 11, 5, 6)),
        ("2026-11", datetime(2026, 11, 6, 7)),
    }


def test_one_object_and_a_pattern_narrow_what_is_read(
    remote_store: Backend, tmp_path: Path, lake_context: LandingContext
) -> None:
    for key, content in write_months(tmp_path / "bills").items():
        remote_store.put(key, content)
    for name, narrowed in {
        "one": {"below": "/2026-10/bill.csv.gz"},
        "some": {"pattern": "2026-1[1]/*.gz"},
    }.items():
        context = replace(lake_context, lake=tmp_path / name)
        report = land(build_settings(remote_store, **narrowed), context)
        assert total(report) == Decimal("2.50")
        assert {delivery.period for delivery in report.deliveries} == {
            "2026-10" if name == "one" else "2026-11"
        }
        assert all(step.is_ok for step in check(build_settings(remote_store, **narrowed)))


def test_an_object_that_is_replaced_while_it_is_fetched_is_taken_as_it_is_now(
    remote_store: Backend, rest: StartRest, tmp_path: Path, lake_context: LandingContext
) -> None:
    remote_store.put("bill.csv.gz", write_months(tmp_path / "first")["2026-10/bill.csv.gz"])
    newer = write_months(tmp_path / "second", cost="2.00")["2026-10/bill.csv.gz"]
    behind = pass_on(remote_store.url)
    listed: list[Request] = []

    def replace_after_listing(request: Request) -> Reply:
        reply = behind(request)
        if request.method == "GET" and not listed:
            listed.append(request)
            remote_store.put("bill.csv.gz", newer)
        return reply

    report = land(build_settings(remote_store, rest(replace_after_listing).url), lake_context)
    assert total(report) == Decimal("4.00")
    assert report.findings == ()


def test_a_store_that_fails_leaves_what_landed_before(
    remote_store: Backend, rest: StartRest, tmp_path: Path, lake_context: LandingContext
) -> None:
    for key, content in write_months(tmp_path / "bills").items():
        remote_store.put(key, content)
    first = land(build_settings(remote_store), lake_context)
    with pytest.raises(TerminalError, match="'no-such-bucket'"):
        values = {**remote_store.build_values(bucket="no-such-bucket")}
        land(Settings(name="bill", path=values.pop("location"), **values), lake_context)
    known = land(build_settings(remote_store), replace(lake_context, as_of=datetime(2031, 1, 1)))
    assert read_rows(known) == read_rows(first)


def prune(context: LandingContext) -> list[str]:
    """Let go what is not the last of its day, however young; return the delivery times."""
    planned = plan_pruning(
        context.lake, "bill", find_lateness("focus_files"), datetime(2030, 1, 1), lambda record: False
    )
    for snapshot in planned:
        prune_snapshot(context.lake, snapshot, context.now)
    return [f"{snapshot.delivery.delivered_at:%H:%M}" for snapshot in planned]


def test_what_retention_let_go_is_not_fetched_again(
    remote_store: Backend, rest: StartRest, tmp_path: Path, lake_context: LandingContext
) -> None:
    """The bucket still lists it; changed settings do not bring it back, a changed delivery does."""
    for hour, cost in (("06", "1.00"), ("07", "2.00")):
        bill = write_months(tmp_path / hour, cost=cost)["2026-10/bill.csv.gz"]
        stated = {"delivered_at": f"2026-10-20T{hour}:00:00Z", "files": ["bill.csv.gz"]}
        remote_store.put(f"{hour}/bill.csv.gz", bill)
        remote_store.put(f"{hour}/bill.manifest.json", json.dumps(stated).encode())
    front = rest(pass_on(remote_store.url))
    settings = build_settings(remote_store, front.url)
    first = land(settings, lake_context)
    assert prune(lake_context) == ["06:00", "06:00"]
    front.log.clear()
    for context in (lake_context, replace(lake_context, tag_keys={"team": ("team",)})):
        again = land(settings, context)
        assert total(again) == total(first) == Decimal("4.00")
        assert len(again.deliveries) == 4
        assert len(front.log) == 1, "only the listing"
        front.log.clear()
    stated = {"delivered_at": "2026-10-21T06:00:00Z", "files": ["bill.csv.gz"]}
    remote_store.put("06/bill.manifest.json", json.dumps(stated).encode())
    changed = land(settings, lake_context)
    assert total(changed) == Decimal("2.00"), "delivered once more, later"
    assert len(changed.deliveries) == 6


def test_an_empty_place_is_a_fault(remote_store: Backend, lake_context: LandingContext) -> None:
    report = land(build_settings(remote_store), lake_context)
    assert [finding.kind for finding in report.findings] == ["empty_folder"]
    assert report.has_fault
    steps = list(check(build_settings(remote_store)))
    assert [step.is_ok for step in steps] == [True, False, None]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"path": "s3://bucket/x", "sas_token_env": "X"}, "sas_token_env says nothing about s3://"),
        ({"path": "bills", "region": "eu-west-1"}, "region says nothing about"),
        ({"path": "az://account"}, "is no location"),
    ],
)
def test_options_that_do_not_fit_the_path_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(name="bill", **values)  # type: ignore[arg-type]
