"""The bill of record: no bill is carried twice, and nobody is silenced without being told."""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.common.bill_of_record import resolve_bill_of_record
from connectors.common.contract import Delivery, Severity, SourceReport


def report(name: str, *issuers: str | None, account: str = "acct-1", period: str = "2026-10") -> SourceReport:
    moment = datetime(2026, 11, 1)
    delivery = Delivery(
        source=name,
        dataset="charges",
        scope=f"{account}|{period}",
        period=period,
        snapshot_id="s",
        delivered_at=moment,
        fetched_at=moment,
        rows=3,
        typed_files=(),
        invoice_issuers=issuers,
        billing_account_id=account,
        is_current=True,
    )
    return SourceReport(name, "focus_files", (delivery,), ())


def carriers(*reports: SourceReport, order: tuple[str, ...] = ("a", "b")) -> list[str]:
    resolved = resolve_bill_of_record(reports, order)
    assert [r.name for r in resolved] == [r.name for r in reports]
    silenced = [r for r in resolved if not r.deliveries[0].is_current]
    assert all([f.kind for f in r.findings] == ["overlapping_bill"] and r.has_fault for r in silenced)
    assert all(not r.findings for r in resolved if r not in silenced)
    return [r.name for r in resolved if r.deliveries[0].is_current]


def test_the_first_declared_feed_carries_the_bill() -> None:
    assert carriers(report("b", "AWS"), report("a", "AWS")) == ["a"]
    assert carriers(report("a", "AWS"), report("b", "AWS"), order=("b", "a")) == ["b"]


@pytest.mark.parametrize(("first", "second"), [(None, "AWS"), ("AWS", None), (None, None)])
def test_an_unknown_issuer_overlaps_every_issuer(first: str | None, second: str | None) -> None:
    assert carriers(report("a", first), report("b", second)) == ["a"]


@pytest.mark.parametrize(
    "other",
    [
        report("b", "AWS EMEA"),
        report("b", "AWS", account="acct-2"),
        report("b", "AWS", period="2026-11"),
        report("b"),  # an empty bill carries nothing
    ],
)
def test_other_bills_do_not_overlap(other: SourceReport) -> None:
    assert carriers(report("a", "AWS"), other) == ["a", "b"]


def test_a_silenced_feed_silences_nobody() -> None:
    assert carriers(report("a", "X"), report("b", "X", "Y"), report("c", "Y"), order=("a", "b", "c")) == [
        "a",
        "c",
    ]


def test_the_message_says_what_to_do() -> None:
    (_, second) = resolve_bill_of_record([report("a", "AWS"), report("b", "AWS")], ["a", "b"])
    (finding,) = second.findings
    assert finding.severity is Severity.FAULT
    for words in ("b:", "acct-1", "2026-10", "carried by a", "Remove one"):
        assert words in finding.message
