"""Which snapshots of a bill may go: the rule, on delivery records as a landing writes them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from connectors.common.contract import Delivery, TypedFile
from connectors.common.delivery_records import Artifact, DeliveryRecord, read_records, write_records
from connectors.common.lateness import find_lateness
from connectors.common.retention import plan_pruning, prune_snapshot
from pipelines.terminal.pruning import print_pruning

NOW = datetime(2026, 12, 31)
OLDER_THAN = NOW - timedelta(days=35)


def write_deliveries(lake: Path, moments: dict[str, datetime], dataset: str = "charges") -> None:
    """One delivery of October's bill a name, each with a typed file and an artifact of its own."""
    for name, moment in moments.items():
        typed = lake / dataset / "aws" / "2026-10" / f"{name}.parquet"
        artifact = lake / "raw/aws/artifacts" / f"{name}.csv"
        for path in (typed, artifact):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x" * 1000)
        file = TypedFile(dataset, "2026-10", typed, 1, name)
        delivery = Delivery(
            "aws",
            dataset,
            "acct|2026-10",
            "2026-10",
            name,
            moment,
            moment,
            1,
            (file,),
            billing_account_id="acct",
        )
        record = DeliveryRecord(delivery, (Artifact("bill.csv", name, 1000),), (), (), {"typing": (file,)})
        write_records(lake / "raw/aws/deliveries", [record], lake)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Days in October and November with several deliveries, the last of them in December."""
    write_deliveries(
        tmp_path,
        {
            "a": datetime(2026, 10, 20, 6),
            "b": datetime(2026, 10, 20, 12),
            "c": datetime(2026, 10, 20, 18),
            "d": datetime(2026, 11, 15, 1),  # the first one when the month is closed: 14 days after its end
            "e": datetime(2026, 11, 15, 2),
            "f": datetime(2026, 11, 15, 3),
            "g": datetime(2026, 12, 20, 1),
            "h": datetime(2026, 12, 20, 2),
        },
    )
    return tmp_path


def plan(lake: Path, needed: frozenset[str] = frozenset()) -> list[str]:
    lateness = find_lateness("aws_data_exports")
    planned = plan_pruning(
        lake, "aws", lateness, OLDER_THAN, lambda record: record.delivery.snapshot_id in needed
    )
    return [snapshot.delivery.snapshot_id for snapshot in planned]


def test_the_last_of_a_day_the_closing_and_young_ones_stay(lake: Path) -> None:
    assert plan(lake) == ["a", "b", "e"]


def test_what_somebody_needs_stays(lake: Path) -> None:
    assert plan(lake, frozenset({"a"})) == ["b", "e"]


def test_what_is_no_bill_stays(tmp_path: Path) -> None:
    moments = {name: datetime(2026, 10, 20, hour) for hour, name in enumerate("abc")}
    write_deliveries(tmp_path, moments, "requests")
    assert plan(tmp_path) == []


def test_content_that_a_kept_delivery_shares_stays(lake: Path) -> None:
    write_deliveries(lake, {"a": datetime(2026, 12, 22)})
    assert plan(lake) == ["b", "e"]


def test_pruning_removes_files_keeps_records_and_is_done_once(lake: Path) -> None:
    planned = plan_pruning(lake, "aws", find_lateness("aws_data_exports"), OLDER_THAN, lambda _: False)
    assert [snapshot.bytes for snapshot in planned] == [2000, 2000, 2000]
    for snapshot in planned:
        prune_snapshot(lake, snapshot, NOW)
    assert sorted(path.stem for path in (lake / "charges").glob("*/*/*")) == ["c", "d", "f", "g", "h"]
    assert sorted(path.stem for path in (lake / "raw/aws/artifacts").iterdir()) == ["c", "d", "f", "g", "h"]
    records = read_records(lake / "raw/aws/deliveries", lake, "typing")
    assert len(records) == 8
    assert [r.delivery.snapshot_id for r in records if not r.delivery.typed_files] == ["a", "b", "e"]
    assert plan(lake) == []


def test_the_list_fits_a_terminal(lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned = plan_pruning(lake, "aws", find_lateness("aws_data_exports"), OLDER_THAN, lambda _: False)
    print_pruning(planned, True, Console(width=80))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("2026-10-20 06:00" in line for line in lines) == 1
    assert lines[-1] == "3 snapshots would go, 0.0 MB. The record of each delivery stays."
