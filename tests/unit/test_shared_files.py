"""One file under two sources counts once; different files, bills and empty files are left alone."""

from __future__ import annotations

from datetime import datetime

from connectors.common.contract import Delivery, SourceReport
from connectors.common.shared_files import set_aside_shared_files

NOON = datetime(2026, 11, 1, 12)


def _report(name: str, *files: tuple[str, str | None, int]) -> SourceReport:
    deliveries = tuple(
        Delivery(
            name, dataset, f"{number}", None, "s", NOON, NOON, rows, (), file_sha256=sha, is_current=True
        )
        for number, (dataset, sha, rows) in enumerate(files)
    )
    return SourceReport(name, "otel_genai", deliveries, ())


def _current(reports: list[SourceReport]) -> dict[str, list[bool]]:
    return {report.name: [delivery.is_current for delivery in report.deliveries] for report in reports}


def test_the_source_declared_first_keeps_the_file_whatever_the_order_of_landing() -> None:
    reports = [
        _report("copy", ("requests", "abc", 3), ("requests", "new", 1)),
        _report("log", ("requests", "abc", 3)),
    ]
    settled = set_aside_shared_files(reports, ["log", "copy"])
    assert _current(settled) == {"copy": [False, True], "log": [True]}
    (finding,) = settled[0].findings
    assert (finding.kind, finding.count) == ("duplicate_delivery", 1)
    assert "log" in finding.message
    assert not settled[1].findings


def test_other_datasets_bills_and_empty_files_are_no_copies() -> None:
    reports = [
        _report("a", ("requests", "abc", 3), ("charges", None, 5), ("transfers", "zero", 0)),
        _report("b", ("spans", "abc", 3), ("charges", None, 5), ("transfers", "zero", 0)),
    ]
    assert _current(set_aside_shared_files(reports, ["a", "b"])) == {"a": [True] * 3, "b": [True] * 3}
