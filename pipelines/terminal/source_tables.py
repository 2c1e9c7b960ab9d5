"""The tables of `everycent sources` and `everycent releases`.

What belongs here: their columns and words. What must not: reading sources or releases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from pipelines.source_overview import SourceOverview, SourceState
from pipelines.terminal.console import count_text, safe_text, sentence_text, table_of
from pipelines.warehouse.release import Release

_WIDE = 100
_SEVERITY_STYLES = {"fault": "red", "warn": "yellow", "info": "dim"}


def print_sources(overview: SourceOverview, console: Console) -> None:
    """Print a line per source and dataset, then every finding below the name of its source."""
    knowledge = (
        f"as release {overview.release_name} knows them" if overview.release_name else "nothing landed yet"
    )
    columns = (
        _SOURCE_COLUMNS if console.width >= _WIDE else [c for c in _SOURCE_COLUMNS if c[0] not in _ONLY_WIDE]
    )
    rows = [[read(state) for _, _, read in columns] for state in overview.states]
    headings = [(heading, side) for heading, side, _ in columns]
    console.print(table_of(headings, rows, title=f"Sources ({len(rows)}), {knowledge}"))
    if any(state.expected_share is not None for state in overview.states):
        console.print(Text(_SHARE_NOTE, style="dim"))
    for source, findings in groupby(overview.findings, key=lambda finding: finding["source"]):
        console.print(Text(f"\n{safe_text(source)}", style="bold"))
        for finding in findings:
            _print_finding(source, finding, console)


_SHARE_NOTE = (
    "vs usual: rows of the newest whole day against the mean of the same weekday in the four weeks before; "
    "above 100 % is more than usual."
)


def _print_finding(source: str, finding: Mapping[str, Any], console: Console) -> None:
    severity = safe_text(finding["severity"])
    count = f" ×{finding['finding_count']:,}" if (finding["finding_count"] or 1) > 1 else ""
    newest = f", newest {finding['finding_date']}" if finding["finding_date"] else ""
    head = f"  {severity:<5} {safe_text(finding['dataset'])} {safe_text(finding['kind'])}{count}{newest}"
    console.print(Text(head, style=_SEVERITY_STYLES.get(severity, "")))
    message = sentence_text(finding["message"] or "").removeprefix(f"{safe_text(source)}: ")
    console.print(Padding(Text(message), (0, 0, 0, 8)))


_SOURCE_COLUMNS: list[tuple[str, str, Callable[[SourceState], Any]]] = [
    ("source", "left", lambda state: state.source),
    ("connector", "left", lambda state: state.connector),
    ("dataset", "left", lambda state: state.dataset or "–"),
    ("state", "whole", lambda state: state.state),
    ("newest day", "whole", lambda state: state.last_date.isoformat() if state.last_date else "–"),
    (
        "delivered",
        "whole",
        lambda state: f"{state.last_delivered_at:%m-%d %H:%M}" if state.last_delivered_at else "–",
    ),
    ("snapshot", "whole", lambda state: (state.snapshot_id or "–")[:8]),
    ("rows", "right", lambda state: count_text(state.rows)),
    (
        "vs usual",
        "right",
        lambda state: "–" if state.expected_share is None else f"{state.expected_share * 100:.0f} %",
    ),
]
_ONLY_WIDE = ("connector", "snapshot")


def print_releases(releases: Sequence[Release], console: Console) -> None:
    """Print the releases, newest first, with a mark on the current one."""
    rows = [_release_cells(release) for release in releases]
    columns = [("", "left"), ("release", "whole"), ("published (UTC)", "whole"), ("", "left")]
    console.print(table_of(columns, rows, title=f"Releases ({len(rows)})"))


def _release_cells(release: Release) -> list[Any]:
    published = f"{release.published_at:%Y-%m-%d %H:%M:%S}" if release.published_at else "–"
    mark = Text("→", style="bold green") if release.is_current else ""
    kind = "current" if release.is_current else "as of a past moment" if release.is_side else ""
    return [mark, release.name, published, kind]
