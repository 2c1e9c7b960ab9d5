"""FOCUS files: what lands from good bills, and what bad or repeated deliveries do."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from connectors.common.contract import Delivery, Finding, LandingContext, Severity, SourceReport
from connectors.common.datasets import CHARGES
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import LINE, line, write_bill

Land = Callable[..., SourceReport]


@pytest.fixture
def bills(tmp_path: Path) -> Path:
    folder = tmp_path / "bills"
    folder.mkdir()
    return folder


@pytest.fixture
def land_bills(bills: Path, lake_context: LandingContext) -> Land:
    def land_now(days: int = 0, **settings: object) -> SourceReport:
        context = replace(lake_context, now=lake_context.now + timedelta(days=days))
        return land(Settings(**{"name": "aws", "path": bills} | settings), context)

    return land_now


def read_rows(report: SourceReport) -> list[dict[str, object]]:
    """Return the current rows of a report, ordered by charge id."""
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted(rows, key=lambda row: row["charge_id"])


def current(report: SourceReport) -> list[Delivery]:
    return [delivery for delivery in report.deliveries if delivery.is_current]


def find(report: SourceReport, kind: str) -> Finding:
    found = [finding for finding in report.findings if finding.kind == kind]
    assert len(found) == 1, [finding.kind for finding in report.findings]
    return found[0]


def test_a_line_lands_typed_with_configured_tags_only(bills: Path, land_bills: Land) -> None:
    tags = (
        '{"application": "chat", "feature": "search", "user": "Ann@X.org", "secret": "s3cret", "env": true}'
    )
    write_bill(bills / "oct.csv", [line(Tags=tags, BilledCost="-0.000000000001", ConsumedQuantity="")])
    report = land_bills()
    (row,) = read_rows(report)
    assert pq.read_schema(report.current_files[0].path).equals(CHARGES.schema)
    assert row["billed_cost"] == Decimal("-0.000000000001")
    assert row["consumed_quantity"] is None
    assert row["resource_id"] is None
    assert row["service_provider_name"] == "AWS"
    assert row["charge_period_start"] == datetime(2026, 10, 5)
    assert (row["x_tag_feature"], row["x_tag_environment"], row["x_tag_team"]) == ("search", "true", None)
    assert str(row["x_tag_user_id"]).startswith("u_")
    kept = json.loads(str(row["tags"]))
    assert list(kept) == ["application", "env", "feature", "user"]
    assert kept["user"] == row["x_tag_user_id"]
    assert "s3cret" not in str(row)
    (delivery,) = current(report)
    assert (delivery.scope, delivery.period, delivery.billing_account_id) == (
        "acct-1|2026-10",
        "2026-10",
        "acct-1",
    )
    assert delivery.invoice_issuers == ("Amazon Web Services, Inc.",)


def test_raw_bill_is_kept_as_delivered_and_private(
    bills: Path, land_bills: Land, lake_context: LandingContext
) -> None:
    path = write_bill(bills / "oct.csv.gz", [line()])
    land_bills()
    (artifact,) = (lake_context.lake / "raw" / "aws" / "artifacts").iterdir()
    assert artifact.read_bytes() == path.read_bytes()
    assert stat.S_IMODE(artifact.stat().st_mode) == 0o600
    (manifest,) = (lake_context.lake / "raw" / "aws" / "deliveries").iterdir()
    assert json.loads(manifest.read_bytes())["artifacts"][0]["bytes"] == path.stat().st_size


def test_csv_gzip_and_parquet_of_one_bill_give_the_same_lines(
    tmp_path: Path, lake_context: LandingContext
) -> None:
    lines = [line(SkuId=f"sku-{number}", BilledCost=f"{number}.10") for number in range(3)]
    typed = {name: [row[name] for row in lines] for name in LINE}
    for name in ("BilledCost", "EffectiveCost", "ListCost", "ContractedCost", "ConsumedQuantity"):
        typed[name] = [float(value) for value in typed[name]]
    for name in ("BillingPeriodStart", "ChargePeriodStart"):
        moments = [datetime.fromisoformat(value) for value in typed[name]]
        typed[name] = pa.array(moments, pa.timestamp("ms", "America/Los_Angeles"))
    typed["Tags"] = pa.array(
        [[("feature", "search"), ("secret", "s3cret")]] * 3, pa.map_(pa.string(), pa.string())
    )
    write_bill(tmp_path / "a" / "bill.csv", lines)
    write_bill(tmp_path / "b" / "bill.csv.gz", lines)
    (tmp_path / "c").mkdir()
    pq.write_table(pa.table(typed), tmp_path / "c" / "bill.parquet")
    ids = []
    for folder in "abc":
        context = replace(lake_context, lake=tmp_path / f"lake-{folder}")
        ids.append(
            [
                row["charge_id"]
                for row in read_rows(land(Settings(name="aws", path=tmp_path / folder), context))
            ]
        )
    assert len(ids[0]) == 3
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-10-05 07:08:09", datetime(2026, 10, 5, 7, 8, 9)),
        ("2026-10-05T07:08:09Z", datetime(2026, 10, 5, 7, 8, 9)),
        ("2026-10-05T00:08:09-07:00", datetime(2026, 10, 5, 7, 8, 9)),
        ("2026-10-05", datetime(2026, 10, 5)),
    ],
)
def test_times_are_read_through_utc(bills: Path, land_bills: Land, text: str, moment: datetime) -> None:
    write_bill(bills / "oct.csv", [line(ChargePeriodStart=text)])
    assert read_rows(land_bills())[0]["charge_period_start"] == moment


def test_azure_tags_without_braces(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line(Tags='"env": "prod","application": "chat"')])
    (row,) = read_rows(land_bills())
    assert (row["x_tag_environment"], row["x_tag_feature"]) == ("prod", "chat")


def test_costs_are_rounded_half_up_at_12_digits_and_the_difference_is_told(
    bills: Path, land_bills: Land
) -> None:
    write_bill(bills / "oct.csv", [line(BilledCost="0.0000000000005"), line(BilledCost="-0.00000000000251")])
    report = land_bills()
    assert sorted(row["billed_cost"] for row in read_rows(report)) == [Decimal("-3E-12"), Decimal("1E-12")]
    assert current(report)[0].billed_totals == {"USD": Decimal("-2E-12")}
    assert "-0.00000000000001" in find(report, "rounded_cost").message


def test_scientific_notation_is_exact(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line(BilledCost="1.5E-7")])
    assert read_rows(land_bills())[0]["billed_cost"] == Decimal("0.00000015")


def test_null_cost_stays_null_and_is_told(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line(BilledCost="NULL"), line(BilledCost="2", ContractedCost="")])
    report = land_bills()
    assert {row["billed_cost"] for row in read_rows(report)} == {None, Decimal(2)}
    nulls = [f for f in report.findings if f.kind == "null_cost"]
    assert [(f.count, f.severity) for f in nulls] == [(1, Severity.WARN), (1, Severity.WARN)]
    assert current(report)[0].billed_totals == {"USD": Decimal(2)}


def test_zone_that_is_a_price_becomes_unknown(bills: Path, land_bills: Land) -> None:
    lines = [line(AvailabilityZone="0.05"), line(AvailabilityZone="use1-az1"), line(AvailabilityZone="NULL")]
    write_bill(bills / "oct.csv", lines, columns=["AvailabilityZone", *LINE])
    report = land_bills()
    assert sorted(str(row["availability_zone"]) for row in read_rows(report)) == ["None", "None", "use1-az1"]
    assert find(report, "zone_is_number").count == 1


def test_identical_lines_are_kept_and_told(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line(), line(), line(SkuId="other")])
    report = land_bills()
    rows = read_rows(report)
    assert sorted(row["x_occurrence"] for row in rows) == [1, 1, 2]
    assert len({row["charge_id"] for row in rows}) == 3
    assert find(report, "identical_lines").count == 1
    assert current(report)[0].billed_totals == {"USD": Decimal("3.75")}


def test_line_key_pairs_a_restated_line(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line()])
    (before,) = read_rows(land_bills())
    write_bill(bills / "oct.csv", [line(BilledCost="9", ConsumedQuantity="4")])
    (after,) = read_rows(land_bills(1))
    assert after["billed_cost"] == 9
    assert before["x_line_key"] == after["x_line_key"]
    assert before["charge_id"] != after["charge_id"]


def test_periods_and_accounts_of_one_file_are_scopes_of_their_own(bills: Path, land_bills: Land) -> None:
    september = line(BillingPeriodStart="2026-09-01", BillingPeriodEnd="2026-10-01")
    write_bill(bills / "all.csv", [line(), september, line(BillingAccountId="acct-2", BillingCurrency="EUR")])
    report = land_bills()
    totals = {delivery.scope: dict(delivery.billed_totals) for delivery in current(report)}
    assert totals == {
        "acct-1|2026-10": {"USD": Decimal("1.25")},
        "acct-1|2026-09": {"USD": Decimal("1.25")},
        "acct-2|2026-10": {"EUR": Decimal("1.25")},
    }
    assert sorted(file.partition for file in report.current_files) == ["2026-09", "2026-10", "2026-10"]


def test_landing_again_adds_nothing(bills: Path, land_bills: Land, lake_context: LandingContext) -> None:
    write_bill(bills / "oct.csv", [line(ContractedCost="")])
    first = land_bills()
    before = {path: path.stat().st_mtime_ns for path in lake_context.lake.rglob("*") if path.is_file()}
    again = land_bills(1)
    assert again == first
    assert find(again, "null_cost").count == 1
    assert before == {
        path: path.stat().st_mtime_ns for path in lake_context.lake.rglob("*") if path.is_file()
    }


def test_the_same_content_under_a_touched_file_adds_nothing(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line()], modified_at=datetime(2026, 11, 1))
    first = land_bills()
    write_bill(bills / "oct.csv", [line()], modified_at=datetime(2026, 11, 2))
    assert land_bills(1).deliveries == first.deliveries


def test_vendor_that_reverts_is_followed(bills: Path, land_bills: Land) -> None:
    for day, cost in enumerate(["1", "2", "1"]):
        write_bill(bills / "oct.csv", [line(BilledCost=cost)])
        report = land_bills(day)
    assert [d.is_current for d in report.deliveries] == [False, False, True]
    assert report.deliveries[0].snapshot_id == report.deliveries[2].snapshot_id
    assert current(report)[0].billed_totals == {"USD": Decimal(1)}


def test_knowledge_as_of_a_time_reads_the_record_and_writes_nothing(
    bills: Path, land_bills: Land, lake_context: LandingContext
) -> None:
    for day, cost in enumerate(["1", "2"]):
        modified = datetime(2026, 11, 1 + day)
        write_bill(bills / "oct.csv", [line(BilledCost=cost)], modified_at=modified)
        land_bills(day)
    files = sorted(lake_context.lake.rglob("*"))
    write_bill(bills / "oct.csv", [line(BilledCost="3")])
    past = replace(lake_context, as_of=datetime(2026, 11, 1, 12))
    report = land(Settings(name="aws", path=bills), past)
    assert [d.billed_totals["USD"] for d in current(report)] == [Decimal(1)]
    assert len(report.deliveries) == 1
    assert sorted(lake_context.lake.rglob("*")) == files


def test_deliveries_dated_in_the_path_replace_by_that_date(bills: Path, land_bills: Land) -> None:
    pattern = r"run-(?P<delivered_at>\d{8})"
    write_bill(bills / "run-20261103" / "a.csv", [line(BilledCost="5")], modified_at=datetime(2026, 11, 3))
    write_bill(bills / "run-20261103" / "b.csv", [line(BilledCost="6", SkuId="b")])
    write_bill(bills / "run-20261102" / "a.csv", [line(BilledCost="4")], modified_at=datetime(2026, 11, 9))
    report = land_bills(delivered_at_pattern=pattern)
    (delivery,) = current(report)
    assert delivery.billed_totals == {"USD": Decimal(11)}
    assert delivery.delivered_at == datetime(2026, 11, 3)
    write_bill(bills / "run-20261101" / "a.csv", [line(BilledCost="1")])
    late = land_bills(1, delivered_at_pattern=pattern)
    assert len(late.deliveries) == 3
    assert current(late) == current(report)


def test_sidecar_manifest_groups_files_and_waits_for_all_of_them(bills: Path, land_bills: Land) -> None:
    manifest = {"delivered_at": "2026-11-02T06:00:00+01:00", "files": ["a.csv", "b.csv"]}
    (bills / "oct.manifest.json").write_text(json.dumps(manifest))
    write_bill(bills / "a.csv", [line()])
    waiting = land_bills()
    assert find(waiting, "missing_file").severity is Severity.FAULT
    assert waiting.deliveries == ()
    write_bill(bills / "b.csv", [line()])
    report = land_bills(1)
    (delivery,) = current(report)
    assert (delivery.rows, delivery.delivered_at) == (2, datetime(2026, 11, 2, 5))
    assert not report.has_fault


def test_two_undated_files_of_the_same_lines_are_an_ambiguous_delivery(bills: Path, land_bills: Land) -> None:
    lines = [line(SkuId=str(number)) for number in range(4)]
    write_bill(bills / "day1.csv", lines)
    land_bills()
    write_bill(bills / "day2.csv", [*lines, line(SkuId="new")])
    report = land_bills(1)
    assert find(report, "ambiguous_delivery").severity is Severity.FAULT
    assert current(report)[0].rows == 4
    assert find(land_bills(2), "ambiguous_delivery").file == "day2.csv"
    (bills / "day1.csv").unlink()
    healed = land_bills(3)
    assert not healed.has_fault
    assert current(healed)[0].rows == 5


def test_two_undated_files_seen_first_together_leave_the_first_by_name(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "b.csv", [line(BilledCost="2")])
    write_bill(bills / "a.csv", [line(BilledCost="1")])
    report = land_bills()
    assert find(report, "ambiguous_delivery").file == "b.csv"
    assert current(report)[0].billed_totals == {"USD": Decimal(1)}


def test_append_adds_up(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "part1.csv", [line(BilledCost="1")])
    land_bills(delivery="append")
    write_bill(bills / "part2.csv", [line(BilledCost="2")])
    report = land_bills(1, delivery="append")
    assert sum(d.billed_totals["USD"] for d in current(report)) == 3
    assert len(current(report)) == 2


def test_header_only_file_replaces_what_its_path_delivered(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line()])
    land_bills()
    write_bill(bills / "oct.csv", [])
    report = land_bills(1)
    (delivery,) = current(report)
    assert (delivery.rows, delivery.typed_files, delivery.scope) == (0, (), "acct-1|2026-10")
    assert find(report, "header_only").severity is Severity.INFO
    assert not report.has_fault


def test_header_only_file_without_a_past_is_a_warning(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [])
    report = land_bills()
    assert find(report, "header_only").severity is Severity.WARN
    assert report.deliveries == ()


def test_an_overwritten_file_of_the_next_month_leaves_the_last_month(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "current.csv", [line()])
    land_bills()
    november = line(BillingPeriodStart="2026-11-01", BillingPeriodEnd="2026-12-01")
    write_bill(bills / "current.csv", [november])
    assert sorted(d.period or "" for d in current(land_bills(1))) == ["2026-10", "2026-11"]


WITHOUT_BILLED = [name for name in LINE if name != "BilledCost"]


def _bad_gzip(path: Path) -> None:
    path.with_suffix(".csv.gz").write_bytes(b"\x1f\x8b\x08 not gzip")
    path.unlink()


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        (lambda p: write_bill(p, [line()], WITHOUT_BILLED), "missing_column", ["BilledCost"]),
        (
            lambda p: p.write_text(p.read_text().replace("BilledCost", "billed_cost")),
            "missing_column",
            ["BilledCost", "'billed_cost'", "renamed"],
        ),
        (lambda p: write_bill(p, [line(BilledCost="n/a")] * 2), "type_flip", ["BilledCost", "a number"]),
        (
            lambda p: write_bill(p, [line(), line(BilledCost="n/a")]),
            "unparsable_value",
            ["line 3", "BilledCost"],
        ),
        (lambda p: write_bill(p, [line(), line(ListCost="NaN")]), "unparsable_value", ["line 3", "ListCost"]),
        (
            lambda p: write_bill(p, [line(), line(ChargePeriodStart="5/10/26")]),
            "unparsable_value",
            ["line 3", "ChargePeriodStart"],
        ),
        (lambda p: write_bill(p, [line(), line(BillingCurrency="")]), "missing_value", ["BillingCurrency"]),
        (lambda p: write_bill(p, [line(BillingCurrency="dollars")]), "unparsable_value", ["ISO 4217"]),
        (lambda p: p.write_text(""), "empty_file", ["header"]),
        (lambda p: p.write_text(p.read_text() + "one,two\n"), "malformed_row", ["line 4"]),
        (lambda p: p.write_bytes(p.read_bytes() + b"\xff\xfe"), "unreadable_file", ["deliver it again"]),
        (_bad_gzip, "unreadable_file", ["gzip"]),
    ],
)
def test_a_bad_file_stops_alone_and_the_last_good_bill_stays(
    bills: Path,
    land_bills: Land,
    lake_context: LandingContext,
    damage: Callable[[Path], object],
    kind: str,
    words: list[str],
) -> None:
    path = write_bill(bills / "oct.csv", [line(), line(SkuId="two")])
    land_bills()
    other = line(BillingPeriodStart="2026-11-01", BillingPeriodEnd="2026-12-01", BilledCost="7")
    write_bill(bills / "nov.csv", [other])
    damage(path)
    report = land_bills(1)
    finding = next(f for f in report.findings if f.kind in (kind, "malformed_row", "unreadable_file"))
    assert finding.severity is Severity.FAULT
    assert finding.message.startswith("aws: oct.csv")
    for word in words:
        assert word in finding.message
    totals = {d.period: d.billed_totals["USD"] for d in current(report)}
    assert totals == {"2026-10": Decimal("2.5"), "2026-11": Decimal(7)}
    noted = [json.loads(p.read_bytes()) for p in (lake_context.lake / "raw" / "aws" / "quarantine").iterdir()]
    assert [note["file"] for note in noted] == [finding.file]
    assert land_bills(2).findings == report.findings


def test_a_bad_half_of_a_bill_stops_the_whole_scope(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "a.csv", [line(BilledCost="1", SkuId="a")])
    write_bill(bills / "b.csv", [line(BilledCost="2", SkuId="b")])
    land_bills()
    write_bill(bills / "a.csv", [line(BilledCost="10", SkuId="a")])
    write_bill(bills / "b.csv", [line(BilledCost="many", SkuId="b")])
    report = land_bills(1)
    assert report.has_fault
    assert current(report)[0].billed_totals == {"USD": Decimal(3)}
    write_bill(bills / "b.csv", [line(BilledCost="20", SkuId="b")])
    healed = land_bills(2)
    assert not healed.has_fault
    assert current(healed)[0].billed_totals == {"USD": Decimal(30)}


@pytest.mark.parametrize(("name", "kind"), [("nowhere", "missing_path"), ("", "empty_folder")])
def test_missing_and_empty_folder_are_faults(bills: Path, land_bills: Land, name: str, kind: str) -> None:
    report = land_bills(path=bills / name)
    assert find(report, kind).severity is Severity.FAULT
    assert str(bills / name) in find(report, kind).message


def test_a_folder_that_vanished_keeps_its_last_snapshot(bills: Path, land_bills: Land) -> None:
    path = write_bill(bills / "oct.csv", [line()])
    land_bills()
    path.unlink()
    report = land_bills(1)
    assert report.has_fault
    assert len(current(report)) == 1


def test_gone_and_new_columns_are_told(bills: Path, land_bills: Land) -> None:
    write_bill(bills / "oct.csv", [line()])
    land_bills()
    columns = [name for name in LINE if name != "InvoiceIssuerName"]
    write_bill(bills / "oct.csv", [line(x_Team="a")], columns=[*columns, "x_Team"])
    report = land_bills(1)
    assert "InvoiceIssuerName" in find(report, "column_gone").message
    assert "x_Team" in find(report, "new_column").message
    assert current(report)[0].invoice_issuers == (None,)


def test_nothing_but_the_artifact_holds_what_tags_and_bad_lines_say(
    bills: Path, land_bills: Land, lake_context: LandingContext
) -> None:
    canary = "zebra-7"
    tags = json.dumps({canary: "x", "note": canary, "feature": "search"})
    write_bill(bills / "good.csv", [line(Tags=tags)])
    write_bill(bills / "bad.csv", [line(BilledCost=canary, Tags=canary, BillingPeriodStart="2026-11-01")])
    (bills / "broken.csv").write_text(",".join(LINE) + f"\n{canary},{canary}\n")
    report = land_bills()
    assert len(read_rows(report)) == 1
    assert canary not in str(read_rows(report)) + str(report)
    for path in lake_context.lake.rglob("*.json"):
        assert canary not in path.read_text()
    holders = [
        p.parent.name
        for p in lake_context.lake.rglob("*")
        if p.is_file() and canary.encode() in p.read_bytes()
    ]
    assert holders == ["artifacts"]


def test_changed_tag_settings_type_the_same_bill_again(
    bills: Path, land_bills: Land, lake_context: LandingContext
) -> None:
    path = write_bill(bills / "oct.csv", [line()])
    first = land_bills()
    path.unlink()
    write_bill(bills / "other.csv", [line(BillingAccountId="acct-2")])
    changed = replace(lake_context, tag_keys={"team": ("secret",)})
    report = land(Settings(name="aws", path=bills), changed)
    assert len(report.deliveries) == 2
    assert {row["x_tag_team"] for row in read_rows(report)} == {"s3cret"}
    assert current(first)[0].typed_files[0].path.exists()


def test_real_bill_lands_to_the_last_digit(shared_data: Path, lake_context: LandingContext) -> None:
    path = shared_data / "focus_1_0_sample.csv"
    report = land(Settings(name="real", path=path), lake_context)
    with path.open(newline="", encoding="utf-8") as stream:
        delivered = list(csv.DictReader(stream))
    assert len(delivered) == 1000
    rows = read_rows(report)
    for column, name in (
        ("BilledCost", "billed_cost"),
        ("ListCost", "list_cost"),
        ("EffectiveCost", "effective_cost"),
    ):
        total = sum(Decimal(row[column]) for row in delivered)
        assert sum(row[name] for row in rows) == total  # type: ignore[misc]
    assert len({row["charge_id"] for row in rows}) == 1000
    assert sum(row["billed_cost"] < 0 for row in rows) == 13  # type: ignore[operator]
    billed = sum(Decimal(row["BilledCost"]) for row in delivered)
    assert sum(d.billed_totals["USD"] for d in current(report)) == billed
    assert find(report, "zone_is_number").count == 51
    assert find(report, "null_cost").count == 7
    assert {row["service_provider_name"] for row in rows} == {"AWS", "Microsoft", "Oracle"}
    assert pc.count_distinct(pa.array([row["x_tag_feature"] for row in rows])).as_py() > 5
    assert not report.has_fault


def test_specification_examples_with_a_byte_order_mark_land(
    shared_data: Path, lake_context: LandingContext
) -> None:
    report = land(Settings(name="spec", path=shared_data / "focus_spec" / "ai"), lake_context)
    assert sum(d.rows for d in current(report)) > 0
    assert all(f.kind in ("new_column", "ambiguous_delivery", "identical_lines") for f in report.findings)
