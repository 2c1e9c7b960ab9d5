"""The tables of `everycent sources` and `everycent releases`.

What belongs here: their columns and words. What must not: reading sources or releases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from pipelines.source_overview import SourceOverview, SourceState
from pipelines.terminal.console import count_text, safe_text, table_of
from pipelines.warehouse.release import Release

_WIDE = 100
_SEVERITY_STYLES = {"fault": "red", "warn": "yellow", "info": "dim"}


def print_sources(overview: SourceOverview, console: Console) -> None:
    """Print a line per source and dataset, then every finding."""
    knowledge = (
        f"as release {overview.release_name} knows them" if overview.release_name else "nothing landed yet"
    )
    columns = (
        _SOURCE_COLUMNS if console.width >= _WIDE else [c for c in _SOURCE_COLUMNS if c[0] not in _ONLY_WIDE]
    )
    rows = [[read(state) for _, _, read in columns] for state in overview.states]
    headings = [(heading, side) for heading, side, _ in columns]
    console.print(table_of(headings, rows, title=f"Sources ({len(rows)}), {knowledge}"))
    for finding in overview.findings:
        severity = safe_text(finding["severity"])
        count = f" ×{finding['finding_count']:,}" if (finding["finding_count"] or 1) > 1 else ""
        head = f"{severity:<5} {safe_text(finding['source'])}/{safe_text(finding['dataset'])}"
        console.print(
            Text(f"{head} {safe_text(finding['kind'])}{count}", style=_SEVERITY_STYLES.get(severity, ""))
        )
        console.print(Text(f"      {safe_text(finding['message'])}"))


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
        "complete",
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
