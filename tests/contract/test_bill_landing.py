"""The landing engine: what a delivery replaces, what refuses it, and what costs nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.common.contract import Severity
from connectors.focus_files.client import land
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import LINE, line
from tests.property.test_bill_landing import Feed, read_state, read_totals


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    return Feed(tmp_path)


def test_accounts_that_a_newer_delivery_has_not_are_empty(feed: Feed) -> None:
    feed.land(feed.deliver(0, [line(), line(BillingAccountId="acct-2", BilledCost="5")]))
    report = feed.land(feed.deliver(1, [line(BilledCost="2")]))
    assert read_totals(report) == {"acct-1|2026-10": Decimal(2)}
    gone = next(d for d in report.deliveries if d.is_current and d.scope == "acct-2|2026-10")
    assert (gone.rows, dict(gone.billed_totals), gone.typed_files) == (0, {}, ())
    assert gone.invoice_issuers == ("Amazon Web Services, Inc.",)
    assert gone.delivery_key == "bill"


def test_what_is_absent_from_a_part_of_a_bill_stays(feed: Feed) -> None:
    feed.land(feed.deliver(0, [line(), line(BillingAccountId="acct-2", BilledCost="5")]))
    report = feed.land(replace(feed.deliver(1, [line(BilledCost="2")]), is_complete=False))
    assert read_totals(report) == {"acct-1|2026-10": Decimal(2), "acct-2|2026-10": Decimal(5)}


def test_parts_of_one_bill_add_up_and_replace_apart(feed: Feed) -> None:
    subscriptions = [
        replace(feed.deliver(0, [line(BilledCost="1")], key=key), part=key) for key in ("a", "b")
    ]
    assert sum(read_totals(feed.land(*subscriptions)).values()) == 2
    report = feed.land(replace(feed.deliver(1, [line(BilledCost="7")], key="b"), part="b"))
    assert read_totals(report) == {"acct-1|2026-10|a": Decimal(1), "acct-1|2026-10|b": Decimal(7)}


def test_appended_deliveries_of_equal_lines_have_ids_of_their_own(feed: Feed) -> None:
    deliveries = [replace(feed.deliver(0, [line()], key=key), mode="append") for key in ("one", "two")]
    report = feed.land(*deliveries)
    assert len(read_state(report)) == 2
    assert sum(read_totals(report).values()) == Decimal("2.50")


def test_a_manifest_that_counts_other_lines_refuses_the_delivery(feed: Feed) -> None:
    first = feed.land(feed.deliver(0, [line()]))
    landing, bills = feed.open()
    assert not bills.deliver(replace(feed.deliver(1, [line(), line()]), expected_rows=3))
    report = landing.report()
    (finding,) = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert finding.kind == "row_count_mismatch"
    assert "hold 2 lines, the manifest states 3" in finding.message
    assert read_state(report) == read_state(first)
    assert not list(feed.folder.rglob("_tmp*"))


def test_one_bad_file_refuses_all_of_its_delivery(feed: Feed) -> None:
    first = feed.land(feed.deliver(0, [line()]))
    landing, bills = feed.open()
    other = line(BillingAccountId="acct-2")
    assert not bills.deliver(feed.deliver(1, [other], [line(BilledCost="many"), line()]))
    report = landing.report()
    assert read_totals(report) == read_totals(first)
    assert [finding.kind for finding in report.findings] == ["unparsable_value"]
    assert "many" not in str(report)
    assert not list(feed.folder.rglob("_tmp*"))


def test_an_unchanged_delivery_is_not_read_again(feed: Feed) -> None:
    delivery = feed.deliver(0, [line()])
    first = feed.land(delivery)
    delivery.files[0].path.unlink()
    assert feed.land(delivery) == first


def test_the_same_lines_in_other_files_add_nothing(feed: Feed) -> None:
    bill = [line(SkuId=str(number)) for number in range(3)]
    first = feed.land(replace(feed.deliver(0, bill), is_stated=False))
    again = feed.land(replace(feed.deliver(1, bill[2:], bill[:2]), is_stated=False))
    assert again.deliveries == first.deliveries


def test_the_same_lines_delivered_later_are_known_since_then(feed: Feed) -> None:
    feed.land(feed.deliver(0, [line()]))
    again = feed.land(feed.deliver(1, [line()]))
    before, after = again.deliveries
    assert (before.is_current, after.is_current) == (False, True)
    assert after.delivered_at > before.delivered_at
    assert after.typed_files == before.typed_files


def test_doubles_maps_and_json_lines_give_the_ids_of_text(feed: Feed, tmp_path: Path) -> None:
    bill = [line(SkuId=str(number), BilledCost=f"{number}.1") for number in range(3)]
    columns = {name: pa.array([row[name] for row in bill]) for name in LINE}
    columns["BilledCost"] = pa.array([float(row["BilledCost"]) for row in bill])
    tags = [[("secret", "s3cret"), ("feature", "search")]] * 3
    columns["Tags"] = pa.array(tags, pa.map_(pa.string(), pa.string()))
    pq.write_table(pa.table(columns), tmp_path / "bill.parquet")
    expected = read_state(feed.land(feed.deliver(0, bill)))
    other = Feed(tmp_path / "other")
    other.folder.mkdir()
    (other.folder / "in").mkdir()
    (tmp_path / "bill.parquet").rename(other.folder / "in" / "bill.parquet")
    context = other.open()[0].context
    report = land(Settings(name="feed", path=str(other.folder / "in")), context)
    assert read_state(report) == expected
