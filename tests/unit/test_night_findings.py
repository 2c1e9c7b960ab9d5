"""What a run finds by itself: another identity key, a source that is gone, sources silent at a time."""

from __future__ import annotations

from datetime import datetime

from connectors.common.contract import Delivery, SourceReport
from pipelines.night.findings import find_changed_identity, find_removed_sources, find_silent_sources

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
    reports = [SourceReport("bill", "focus_files", (spoke,), ()), SourceReport("log", "otlp_files", (), ())]
    assert find_silent_sources(reports, None) == []
    (finding,) = find_silent_sources(reports, NOON)
    assert "1 of 2 sources" in finding.message
    assert "log" in finding.message
    assert find_silent_sources(reports[:1], NOON) == []
