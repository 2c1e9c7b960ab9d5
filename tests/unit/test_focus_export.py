"""`everycent export focus` on tiny releases: what is written, what is refused, and what stays when it fails."""

from __future__ import annotations

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from pyarrow import parquet

from pipelines import cli
from pipelines.warehouse import focus_export
from pipelines.warehouse.errors import ArgumentError, PublishError
from pipelines.warehouse.focus_export import export_focus
from pipelines.warehouse.release import Release, ReleaseStore

NAME = "20261119T030000Z-bbbbbbbb"
COLUMNS = "charge_id, period, currency, cost, tags, description"
LINES = (
    ("a", "2026-10-01", "USD", "1.5", '{"k": "a \\"b\\", c"}', "=SUM(A1)"),
    ("b", "2026-10-01", "EUR", "-0.25", None, "refund,\nof two lines"),
    ("c", "2026-11-01", "USD", "0", None, "nothing"),
    ("d", "2026-11-01 07:00", "USD", "0.000000000001", None, "Pacific month"),
)
EXPORT = """
    select billed_cost as "BilledCost", billing_currency as "BillingCurrency",
        billing_period_start as "BillingPeriodStart", description as "ChargeDescription",
        effective_cost as "EffectiveCost", tags as "Tags", charge_id as "x_ChargeId",
        cast(billing_period_start as date) as "x_ChargeDate", 'c' as "x_CellId", 'r' as "x_RowId"
    from staging.charges
"""


def _build(home: Path, lines: tuple[tuple[str | None, ...], ...] = LINES, export: str = EXPORT) -> Release:
    """A home whose current release holds these bill lines and gives them back so."""
    folder = home / "warehouse" / "releases" / NAME
    folder.mkdir(parents=True)
    with duckdb.connect(str(folder / "everycent.duckdb")) as connection:
        connection.execute("create schema staging")
        connection.execute("create schema exports")
        connection.execute(
            """
            create table staging.charges (charge_id varchar, billing_period_start timestamp,
                billing_period_end timestamp, billing_currency varchar, billed_cost decimal(38, 12),
                effective_cost decimal(38, 12), tags varchar, description varchar)
            """
        )
        for charge, period, currency, cost, tags, description in lines:
            connection.execute(
                "insert into staging.charges select ?, cast(? as timestamp), "
                "date_trunc('month', cast(? as timestamp) + interval 32 day), ?, ?, ?, ?, ?",
                [charge, period, period, currency, cost, cost, tags, description],
            )
        if export:
            connection.execute(f"create view exports.focus_1_2 as {export}")
    (folder / "manifest.json").write_text("{}")
    (home / "warehouse" / "current").symlink_to(folder, target_is_directory=True)
    return ReleaseStore(home).current()


def _manifest(out: Path) -> dict[str, dict[str, object]]:
    content = json.loads((out / "manifest.json").read_text())
    return {file["name"]: file for file in content["files"]}


def test_each_period_is_a_file_and_the_manifest_tells_their_sums(tmp_path: Path) -> None:
    release, out = _build(tmp_path / "home"), tmp_path / "out"
    announced: list[tuple[date, int]] = []
    files = export_focus(release, out, "1.2", announce=lambda *said: announced.append(said))
    names = ["focus-1.2-2026-10-01.parquet", "focus-1.2-2026-11-01.parquet"]
    assert [(file.name, file.rows) for file in files] == [(names[0], 2), (names[1], 2)]
    assert announced == [(date(2026, 10, 1), 2), (date(2026, 11, 1), 2)]
    assert sorted(path.name for path in out.iterdir()) == [*names, "manifest.json"]
    october = _manifest(out)[names[0]]
    assert [(total["currency"], Decimal(total["billed_cost"])) for total in october["totals"]] == [  # type: ignore
        ("EUR", Decimal("-0.25")),
        ("USD", Decimal("1.5")),
    ]
    table = parquet.read_table(out / names[1])
    assert str(table.schema.field("BillingPeriodStart").type) == "timestamp[ms, tz=UTC]"
    assert str(table.schema.field("BilledCost").type) == "decimal128(38, 12)"
    assert table["BillingPeriodStart"].to_pylist()[1] == datetime(2026, 11, 1, 7, tzinfo=UTC)
    assert table["BilledCost"].to_pylist() == [Decimal("0E-12"), Decimal("1E-12")]


def test_csv_is_as_focus_and_rfc_4180_want_it(tmp_path: Path) -> None:
    release, out = _build(tmp_path / "home"), tmp_path / "out"
    export_focus(release, out, "1.2", "csv")
    content = (out / "focus-1.2-2026-10-01.csv").read_bytes()
    assert content.startswith(b"BilledCost,BillingCurrency,")
    assert content.count(b"\r\n") == 3
    with (out / "focus-1.2-2026-10-01.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["BilledCost"], first["BillingPeriodStart"]) == ("1.5", "2026-10-01T00:00:00Z")
    assert json.loads(first["Tags"]) == {"k": 'a "b", c'}
    assert first["ChargeDescription"] == "'=SUM(A1)"
    assert (second["BilledCost"], second["Tags"]) == ("-0.25", "")
    assert second["ChargeDescription"] == "refund,\nof two lines"


def test_an_export_takes_the_place_of_the_one_before_whole(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_focus(_build(tmp_path / "home"), out, "1.2")
    export_focus(_build(tmp_path / "restated", LINES[:2]), out, "1.2")
    assert sorted(_manifest(out)) == ["focus-1.2-2026-10-01.parquet"]
    assert len(list(out.iterdir())) == 2
    export_focus(_build(tmp_path / "empty", ()), out, "1.2")
    assert [path.name for path in out.iterdir()] == ["manifest.json"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_since_and_until_choose_periods(tmp_path: Path) -> None:
    release, out = _build(tmp_path / "home"), tmp_path / "out"
    export_focus(release, out, "1.2", since=date(2026, 11, 1))
    assert sorted(_manifest(out)) == ["focus-1.2-2026-11-01.parquet"]
    export_focus(release, out, "1.2", until=date(2026, 10, 31))
    assert sorted(_manifest(out)) == ["focus-1.2-2026-10-01.parquet"]
    export_focus(release, out, "1.2", since=date(2026, 10, 31), until=date(2026, 11, 1))
    assert len(_manifest(out)) == 2
    with pytest.raises(ArgumentError, match="before --since"):
        export_focus(release, out, "1.2", since=date(2026, 11, 1), until=date(2026, 10, 1))


@pytest.mark.parametrize(
    "broken",
    [
        EXPORT.replace("billed_cost as", "billed_cost + 0.000000000001 as"),
        EXPORT + "where charge_id <> 'a'",
        EXPORT + "where billing_period_start < timestamp '2026-11-01'",
        EXPORT + "union all " + EXPORT + "where charge_id = 'd'",
    ],
)
def test_what_does_not_sum_to_the_bill_is_not_put_in_place(tmp_path: Path, broken: str) -> None:
    out = tmp_path / "out"
    export_focus(_build(tmp_path / "home"), out, "1.2")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(PublishError, match="Nothing was written"):
        export_focus(_build(tmp_path / "broken", export=broken), out, "1.2")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "home", "out"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    release, out = _build(tmp_path / "home"), tmp_path / "out"
    out.mkdir()
    (out / "letters.txt").write_text("mine")
    for _ in range(2):
        with pytest.raises(ArgumentError, match="something else"):
            export_focus(release, out, "1.2")
        (out / "manifest.json").write_text('{"kind": "everycent focus export", "files": []}')
    assert (out / "letters.txt").read_text() == "mine"
    with pytest.raises(ArgumentError, match="something else"):
        export_focus(release, out / "letters.txt", "1.2")


def test_a_release_without_the_views_says_what_to_do(tmp_path: Path) -> None:
    release = _build(tmp_path / "home", export="")
    with pytest.raises(PublishError, match="everycent nightly"):
        export_focus(release, tmp_path / "out", "1.2")
    assert not (tmp_path / "out").exists()


def test_small_batches_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = _build(tmp_path / "home")
    export_focus(release, tmp_path / "large", "1.2", "csv")
    monkeypatch.setattr(focus_export, "_BATCH_ROWS", 1)
    export_focus(release, tmp_path / "small", "1.2", "csv")
    for path in (tmp_path / "large").iterdir():
        assert path.read_bytes() == (tmp_path / "small" / path.name).read_bytes()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    _build(home)
    arguments = ["export", "focus", "--home", str(home), "--out", str(out)]
    assert cli.run(arguments) == 0
    assert f"FOCUS 1.2 of release {NAME}, 2 billing periods, 4 rows" in capsys.readouterr().out
    assert cli.run([*arguments, "--version", "1.1"]) == 3
    assert "Invalid value for '--version': '1.1' is not one of '1.2'" in capsys.readouterr().err
    assert cli.run([*arguments, "--since", "2027-01-01"]) == 0
    captured = capsys.readouterr()
    assert "0 billing periods" in captured.out
    assert "no bill of these days" in captured.err
    assert cli.run(["export", "focus", "--home", str(home), "--out", str(home)]) == 3
    assert "holds something else" in capsys.readouterr().err
    assert cli.run([*arguments, "--version", "1.4"]) == 1
    assert "before FOCUS 1.4 could be written" in capsys.readouterr().err
    assert cli.run(["export", "focus", "--home", str(tmp_path / "none"), "--out", str(out)]) == 1
