"""What a nightly run prints when it has ended.

What belongs here: `NightlyResult` for eyes, at 80 columns or more. What must not: any figure of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.results import ConservationLine, NightlyResult
from pipelines.terminal.console import count_text, exact_text, money_text, safe_text, sentence_text, table_of

_WIDE = 120
_MOST_WARNINGS = 8
_VERDICTS = {
    0: ("✓", "green", "Everything is published."),
    1: ("✗", "red", "Nothing was published."),
    2: ("!", "yellow", "Published, with a source at fault."),
}


def print_nightly(result: NightlyResult, console: Console) -> None:
    """Print the largest costs, the conservation proof, what is wrong, and where release and report lie."""
    if result.top_lines:
        console.print(_largest_lines(result, console.width))
    if result.conservation:
        console.print(_proof(result))
    _print_list("Failed checks", result.failed_checks, "red", console)
    _print_list("Sources at fault", result.source_faults, "yellow", console)
    _print_verdict(result, console)
    _print_warnings(result.warnings, console)
    if result.pruned:
        console.print(Text(f"  Pruned  {result.pruned}"), soft_wrap=True)
    _print_place("Release", result.release_path, console)
    _print_place("Report", result.report_path, console)
    if result.report_problem:
        console.print(f"No report: {result.report_problem}", markup=False, highlight=False, soft_wrap=True)


def _largest_lines(result: NightlyResult, width: int) -> Table:
    is_wide = width >= _WIDE
    columns = [("driver", "whole"), ("feature", "left"), ("model or service", "left"), ("days", "right")]
    columns += [("newest", "whole")]
    columns += [("requests", "right")] if is_wide else []
    columns += [("effective cost", "right")]
    rows = [_line_cells(line, is_wide) for line in result.top_lines]
    return table_of(
        columns, rows, title=f"The {len(rows)} largest costs of marts.cost_daily, their days together"
    )


def _line_cells(line: Mapping[str, Any], is_wide: bool) -> list[Any]:
    residual = line.get("residual_reason")
    day = safe_text(line.get("last_date"))
    cells = [
        line.get("cost_driver"),
        Text(f"({safe_text(residual)})", style="dim") if residual else line.get("feature") or "(unknown)",
        line.get("model") or line.get("service_name"),
        count_text(line.get("days")),
        day if is_wide else day[-5:],
    ]
    cells += [count_text(line.get("requests"))] if is_wide else []
    return [*cells, f"{money_text(line.get('effective_cost'))} {safe_text(line.get('billing_currency'))}"]


def _proof(result: NightlyResult) -> Table:
    columns = [
        ("", "whole"),
        ("", "whole"),
        ("billed", "right"),
        ("attributed", "right"),
        ("difference", "right"),
    ]
    rows = [_proof_cells(line) for line in result.conservation]
    return table_of(columns, rows, title="Conservation: every bill line is in the fact table")


def _proof_cells(line: ConservationLine) -> list[Any]:
    verdict = Text("✗", style="red") if line.difference else Text("✓", style="green")
    figures = (line.billed_total, line.attributed_total, line.difference)
    return [verdict, line.currency, *(exact_text(figure) for figure in figures)]


def _print_list(title: str, sentences: tuple[str, ...], style: str, console: Console) -> None:
    if not sentences:
        return
    console.print(Text(title, style=f"bold {style}"))
    for sentence in sentences:
        console.print(Padding(Text(sentence_text(sentence)), (0, 0, 0, 2)))
    console.print()


def _print_verdict(result: NightlyResult, console: Console) -> None:
    mark, style, words = _VERDICTS[int(result.exit_code)]
    if result.unchanged and result.exit_code == 0:
        is_side = result.release_path is not None and result.release_path.name.startswith("asof-")
        words = (
            "What was known then was built before and is used again."
            if is_side
            else "Nothing new; the release before stays current."
        )
    console.print(Text.assemble((f"{mark} {words}", f"bold {style}"), f"  {result.seconds:.1f} s"))


def _print_warnings(warnings: tuple[str, ...], console: Console) -> None:
    """Print one line a warning, cut at the terminal's width: `everycent sources` has them in full."""
    lines = [
        Text.assemble(("! ", "yellow"), sentence_text(sentence)) for sentence in warnings[:_MOST_WARNINGS]
    ]
    for line in lines:
        console.print(line, no_wrap=True, overflow="ellipsis")
    if len(warnings) > _MOST_WARNINGS:
        console.print(f"  and {len(warnings) - _MOST_WARNINGS} more; in full: everycent sources")
    elif any(line.cell_len > console.width for line in lines):
        console.print("  in full: everycent sources")


def _print_place(label: str, path: object, console: Console) -> None:
    if path is not None:
        console.print(Text(f"  {label:<8}{path}"), soft_wrap=True)
