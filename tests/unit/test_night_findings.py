"""What a run finds by itself: another identity key, a source that is gone, sources silent at a time, late bills."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from connectors.common.contract import Delivery, Severity, SourceReport
from pipelines.night.findings import (
    find_changed_identity,
    find_late_bills,
    find_removed_sources,
    find_silent_sources,
)

NOON = datetime(2026, 11, 1, 12)


def test_another_identity_key_is_told_once_it_differs() -> None:
    assert find_changed_identity({}, "ab12") == []
    assert find_changed_identity({"identity": "ab12"}, "ab12") == []
    (finding,) = find_changed_identity({"identity": "ab12"}, "cd34")
    assert finding.kind == "identity_key_changed"


def test_a_source_that_left_the_config_is_named() -> None:
    assert find_removed_sources({}, ["bill"]) == []
    assert [f.source for f in find_removed_sources({"sources": "bill,log,old"}, ["log", "bill", "new"])] == [
        "old"
    ]


def test_a_run_about_the_past_names_who_had_said_nothing() -> None:
    spoke = Delivery("bill", "charges", "a", None, "s", NOON, NOON, 1, (), is_current=True)
    reports = [SourceReport("bill", "focus_files", (spoke,), ()), SourceReport("log", "otel_genai", (), ())]
    assert find_silent_sources(reports, None) == []
    (finding,) = find_silent_sources(reports, NOON)
    assert "1 of 2 sources" in finding.message
    assert "log" in finding.message
    assert find_silent_sources(reports[:1], NOON) == []


def bills(*periods: str, delivered: datetime = NOON, name: str = "aws", account: str = "a") -> SourceReport:
    found = [
        Delivery(
            name,
            "charges",
            period,
            period,
            "s",
            delivered,
            delivered,
            1,
            (),
            billing_account_id=account,
            is_current=True,
        )
        for period in periods
    ]
    return SourceReport(name, "aws_data_exports", tuple(found), ())


@pytest.mark.parametrize(
    ("today", "kinds"),
    [
        (date(2026, 11, 1), []),
        (date(2026, 11, 5), []),  # a day and three more after the delivery
        (date(2026, 11, 6), ["bill_is_late"]),
        (date(2027, 2, 1), ["bill_is_late"]),
    ],
)
def test_a_bill_that_stopped_coming_is_late(today: date, kinds: list[str]) -> None:
    found = find_late_bills([bills("2026-09", "2026-10")], today)
    assert [finding.kind for finding in found] == kinds
    assert all(finding.severity is Severity.WARN and "2026-11-01" in finding.message for finding in found)
    assert all("its newest month is 2026-10" in finding.message for finding in found)


def test_months_that_nobody_delivered_are_named() -> None:
    report = bills("2025-11", "2026-01", "2026-04", delivered=datetime(2026, 5, 4, 6))
    (finding,) = find_late_bills([report], date(2026, 5, 4))
    assert (finding.kind, finding.count) == ("missing_period", 3)
    assert "2025-12, 2026-02, 2026-03" in finding.message
    (later,) = find_late_bills([report], date(2026, 5, 6))  # the first days of a month may come late
    assert (later.kind, later.count) == ("missing_period", 4)
    late = find_late_bills([report], date(2026, 7, 1))
    assert [(finding.kind, finding.count) for finding in late] == [("bill_is_late", 1), ("missing_period", 3)]


def test_an_account_that_moved_to_another_source_is_not_late() -> None:
    old = bills("2026-08", "2026-09", delivered=datetime(2026, 9, 30))
    new = bills("2026-10", delivered=datetime(2026, 10, 31), name="new")
    assert find_late_bills([old, new], date(2026, 11, 1)) == []
    other = bills("2026-10", delivered=datetime(2026, 10, 31), name="new", account="b")
    assert [(f.source, f.kind) for f in find_late_bills([old, other], date(2026, 11, 1))] == [
        ("aws", "bill_is_late")
    ]


def test_what_is_no_bill_is_never_late() -> None:
    spoke = Delivery("log", "requests", "a", None, "s", NOON, NOON, 1, (), is_current=True)
    assert find_late_bills([SourceReport("log", "otel_genai", (spoke,), ())], date(2027, 1, 1)) == []
