"""Plain files of all five datasets: typed rows, rows refused one by one, files replaced."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.dataset_types import TRAFFIC_KINDS
from connectors.common.datasets import DATASETS

FLOWS = """window_start,window_end,provider,account_id,traffic_kind,from_zone,to_zone,\
from_workload_ref,to_workload_ref,bytes
2026-11-01T00:00:00Z,2026-11-01T01:00:00Z,aws,1,inter_az,use1-az1,use1-az2,i-1,i-2,1024
2026-11-02 00:00:00,2026-11-02 01:00:00,aws,1,internet,use1-az1,NULL,i-1,,2e3
"""


def land(connector: str, path: Path, context: LandingContext) -> SourceReport:
    settings = registry.load_settings_class(connector).model_validate(
        {"name": "plain", "connector": connector, "path": path.name}, context={"base_dir": path.parent}
    )
    return registry.land(settings, context)


def read_rows(report: SourceReport) -> list[dict[str, object]]:
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    return [row for table in tables for row in table.to_pylist()]


def kinds(report: SourceReport) -> list[str]:
    return [finding.kind for finding in report.findings]


def test_flows_are_split_by_day(tmp_path: Path, lake_context: LandingContext) -> None:
    path = tmp_path / "flows.csv"
    path.write_text(FLOWS)
    report = land("transfer_files", path, lake_context)
    assert report.findings == ()
    assert [file.partition for file in report.current_files] == ["2026-11-01", "2026-11-02"]
    rows = read_rows(report)
    assert [row["bytes"] for row in rows] == [1024, 2000]
    assert [row["to_zone"] for row in rows] == ["use1-az2", None]
    assert pq.read_schema(report.current_files[0].path).equals(DATASETS["transfers"].schema)


def test_rows_that_cannot_be_are_refused_alone(tmp_path: Path, lake_context: LandingContext) -> None:
    good = "2026-11-01,2026-11-02,aws,1,inter_az,a,b,i-1,i-2,5"
    lines = [
        good,
        good.replace(",5", ",-5"),
        good.replace(",5", ",many"),
        good.replace("inter_az", "teleport"),
        good.replace(",5", ","),
        good.replace("2026-11-02", "2026-11-01"),
        good.replace(",5", ",1.5"),
    ]
    path = tmp_path / "flows.csv"
    path.write_text(FLOWS.splitlines()[0] + "\n" + "\n".join(lines) + "\n")
    report = land("transfer_files", path, lake_context)
    assert len(read_rows(report)) == 1
    refused = {
        f.message.split("): ")[1].split(";")[0]: f.count
        for f in report.findings
        if f.kind == "quarantined_row"
    }
    assert refused == {
        "negative": 1,
        "not a whole number, not negative": 2,
        f"not one of {', '.join(TRAFFIC_KINDS)}": 1,
        "empty": 1,
        "not after window_start": 1,
    }
    assert {f.severity for f in report.findings} == {Severity.WARN}
    (note,) = (lake_context.lake / "raw" / "plain" / "quarantine").iterdir()
    content = note.read_text()
    assert json.loads(content)["count"] == 6
    assert "teleport" not in content and "many" not in content


@pytest.mark.parametrize("form", ["csv.gz", "jsonl", "parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, lake_context: LandingContext, form: str) -> None:
    row = {"window_start": "2026-11-01", "window_end": "2026-11-02", "provider": "aws", "signal": "log"}
    row |= {"workload_ref": "/aws/lambda/chat", "volume_bytes": 12345678901}
    path = tmp_path / f"volumes.{form}"
    if form == "csv.gz":
        path.write_bytes(
            gzip.compress((",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n").encode())
        )
    elif form == "jsonl":
        path.write_text(json.dumps(row) + "\n\n{broken\n")
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    report = land("telemetry_files", path, lake_context)
    (landed,) = read_rows(report)
    assert landed["volume_bytes"] == 12345678901
    assert landed["window_end"] == datetime(2026, 11, 2)
    assert kinds(report) == (["quarantined_row"] if form == "jsonl" else [])


def test_budgets_from_yaml_are_exact_and_owners_hidden(tmp_path: Path, lake_context: LandingContext) -> None:
    path = tmp_path / "budgets.yml"
    path.write_text(
        "- budget_id: search-nov\n  owner: Ann@X.org\n  feature: search\n  period_start: 2026-11-01\n"
        "  period_end: 2026-12-01\n  amount: 1000.10\n  currency: USD\n"
    )
    (row,) = read_rows(land("budget_files", path, lake_context))
    assert row["amount"] == Decimal("1000.10")
    assert (row["period_start"], row["period_end"]) == (date(2026, 11, 1), date(2026, 12, 1))
    assert row["owner"] == lake_context.identity.pseudonymise("ann@x.org")
    assert row["measure"] == "effective_cost"


def test_workloads_and_zones(tmp_path: Path, lake_context: LandingContext) -> None:
    (tmp_path / "workloads.csv").write_text(
        "workload_ref,ref_kind,service,feature,valid_from,colour\ni-1,instance,api,search,2026-01-01,red\n"
    )
    report = land("workload_files", tmp_path / "workloads.csv", lake_context)
    (row,) = read_rows(report)
    assert (row["feature"], row["valid_from"], row["valid_to"]) == ("search", datetime(2026, 1, 1), None)
    assert kinds(report) == ["new_column"]
    (tmp_path / "zones.csv").write_text(
        "provider,account_id,zone_name,zone_id,region_id\naws,1,us-east-1a,use1-az4,us-east-1\n"
    )
    other = replace(lake_context, lake=tmp_path / "lake2")
    (zone,) = read_rows(land("zone_files", tmp_path / "zones.csv", other))
    assert zone["zone_id"] == "use1-az4"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("zone_name,zone_id\na,b\n", "missing_column"),
        ("", "empty_file"),
        ("provider,zone_name,zone_name\na,b,c\n", "duplicate_column"),
        ("provider,zone_name\na,b,c\n", "malformed_row"),
    ],
)
def test_a_bad_file_keeps_its_last_version(
    tmp_path: Path, lake_context: LandingContext, content: str, kind: str
) -> None:
    path = tmp_path / "zones.csv"
    path.write_text("provider,zone_name\naws,us-east-1a\n")
    land("zone_files", path, lake_context)
    path.write_text(content)
    report = land("zone_files", path, replace(lake_context, now=lake_context.now + timedelta(days=1)))
    assert kinds(report) == [kind]
    assert report.has_fault
    assert [row["zone_name"] for row in read_rows(report)] == ["us-east-1a"]


def test_a_type_flip_stops_the_file(tmp_path: Path, lake_context: LandingContext) -> None:
    path = tmp_path / "flows.csv"
    path.write_text(FLOWS.replace("1024", "1 KB").replace("2e3", "2 KB"))
    report = land("transfer_files", path, lake_context)
    assert kinds(report) == ["type_flip"]
    assert "bytes" in report.findings[0].message and "plain: flows.csv" in report.findings[0].message


def test_files_add_up_and_replace_one_by_one(tmp_path: Path, lake_context: LandingContext) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "one.csv").write_text(FLOWS)
    (folder / "two.csv").write_text(FLOWS.replace("2026-11-02", "2026-11-03"))
    assert len(read_rows(land("transfer_files", folder, lake_context))) == 4
    (folder / "two.csv").write_text(FLOWS.splitlines()[0] + "\n")
    later = replace(lake_context, now=lake_context.now + timedelta(days=1))
    report = land("transfer_files", folder, later)
    assert len(read_rows(report)) == 2
    assert kinds(report) == ["header_only"]
    assert len(read_rows(land("transfer_files", folder, replace(later, as_of=lake_context.now)))) == 4


def test_a_file_copied_under_another_name_adds_nothing(tmp_path: Path, lake_context: LandingContext) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "one.csv").write_text(FLOWS)
    before = read_rows(land("transfer_files", folder, lake_context))
    (folder / "two.csv").write_text(FLOWS)
    report = land("transfer_files", folder, lake_context)
    assert read_rows(report) == before
    assert kinds(report) == ["duplicate_delivery"]
    (folder / "one.csv").unlink()
    assert read_rows(land("transfer_files", folder, lake_context)) == before


def test_refused_rows_of_a_file_that_is_gone_warn_no_more(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "one.csv").write_text(FLOWS)
    (folder / "half.csv").write_text(FLOWS.replace(FLOWS.splitlines()[1], "never" + FLOWS.splitlines()[1]))
    (folder / "bad.csv").write_text("\n".join(FLOWS.splitlines()[:2]).replace("2026", "never"))
    before = land("transfer_files", folder, lake_context)
    assert {finding.file for finding in before.findings} == {"bad.csv", "half.csv"}
    (folder / "half.csv").unlink()
    (folder / "bad.csv").unlink()
    report = land("transfer_files", folder, lake_context)
    assert read_rows(report) == read_rows(before)
    [told] = report.findings
    assert (told.kind, told.severity, told.file) == ("quarantined_row", Severity.INFO, "half.csv")
    assert "correct and deliver again" not in told.message
    assert "gone from the source, and the rows that it delivered besides count" in told.message
    (folder / "half.csv").write_text(FLOWS.splitlines()[0] + "\n")
    assert kinds(land("transfer_files", folder, lake_context)) == ["header_only"]


def test_keys_of_json_lines_are_not_repeated(tmp_path: Path, lake_context: LandingContext) -> None:
    path = tmp_path / "zones.jsonl"
    path.write_text(
        json.dumps({"provider": "aws", "zone_name": "a", "my prompt zebra-7": "zebra-7"}) + "\n[zebra-7\n"
    )
    report = land("zone_files", path, lake_context)
    assert sorted(kinds(report)) == ["new_column", "quarantined_row"]
    assert "zebra-7" not in str(report) + str(read_rows(report))
    for manifest in lake_context.lake.rglob("*.json"):
        assert "zebra-7" not in manifest.read_text()


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(ValueError, match="colour"):
        registry.load_settings_class("zone_files").model_validate({"name": "z", "path": "x", "colour": "red"})
