"""How `everycent explain` says that a cost adds up, level by level; and the tree of a trace.

What belongs here: words and layout of levels and trees. What must not: queries, or the sums themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from pipelines.terminal.console import count_text, exact_text, safe_text
from pipelines.warehouse.explain_levels import Level
from pipelines.warehouse.explain_rows import Row

LEVEL_WORDS = {
    "lines": "lines of the mart",
    "cells": "their cells, whole",
    "bill_lines": "paid by",
    "whole_bill_lines": "bill lines, whole",
    "trace_drivers": "trace, by driver",
    "trace_steps": "trace, by agent",
    "causes": "billed less priced",
}
PART_WORDS = {
    "facts": "selected",
    "idle": "idle capacity laid on it",
    "others": "of others in the same cells",
    "bill_lines": "bill lines",
    "estimated": "estimated, no bill yet",
    "here": "in these cells",
    "elsewhere": "in other cells or on other days",
    "calls": "in the logged calls",
}
_SPELLED_OUT = ("causes", "trace_drivers", "trace_steps")
_MOST_PARTS = 6


def print_levels(levels: Sequence[Level], console: Console) -> None:
    """Print each sum beside its parts, with a mark whether they add up; billed cost only where it says more."""
    told = _worth_telling(levels)
    if not told:
        return
    console.print(
        Text(
            "Does it add up? Each sum is that of the step above, or of the whole it is part of.", style="bold"
        )
    )
    for level in told:
        mark = Text("✗ ", style="red") if level.difference else Text("✓ ", style="green")
        console.print(mark + Text(_sentence(level)))
        if level.difference:
            told_difference = (
                f"  {exact_text(level.difference)} {safe_text(level.unit)} apart: this does not add up."
            )
            console.print(Text(told_difference, style="red"))


def describe_open(levels: Iterable[Level], open_cells: int) -> str:
    """Return what to say when something does not add up, and what to do."""
    names = [
        f"{_name(level)} (by {exact_text(level.difference)} {safe_text(level.unit)})" for level in levels
    ]
    if open_cells:
        names.append(f"{open_cells:,} cell{'' if open_cells == 1 else 's'}")
    return (
        f"this cost does not add up: {'; '.join(names)}. The release was changed after it was published, or it is "
        "damaged. Run everycent nightly again, or everycent rollback to an earlier release."
    )


def _worth_telling(levels: Sequence[Level]) -> list[Level]:
    effective = {(level.name, level.unit, level.parts) for level in levels if "effective" in level.measure}
    return [
        level
        for level in levels
        if level.difference
        or not level.measure.startswith("billed_cost")
        or (level.whole and (level.name, level.unit, level.parts) not in effective)
    ]


def _name(level: Level) -> str:
    if level.name == "tokens":
        return f"{safe_text(level.measure).replace('_', ' ')}"
    is_billed = level.measure.startswith("billed_cost")
    return f"{LEVEL_WORDS[level.name]}{' (billed cost)' if is_billed else ''}"


def _sentence(level: Level) -> str:
    spell = count_text if level.name == "tokens" else exact_text
    unit = "" if level.name == "tokens" else f" {safe_text(level.unit)}"
    parts = [
        f"{spell(amount)} {safe_text(label) if level.name in _SPELLED_OUT else PART_WORDS[label]}"
        for label, amount in level.parts
        if amount or len(level.parts) == 1
    ]
    if len(parts) > _MOST_PARTS:
        parts = [*parts[:_MOST_PARTS], f"{len(parts) - _MOST_PARTS} more"]
    return f"{_name(level)}: {spell(level.whole)}{unit} = {' + '.join(parts) or '0'}"


def print_steps(steps: Sequence[Row], console: Console) -> None:
    """Print the agents of a trace as a tree: what each cost itself, and what those that it called cost."""
    if not steps:
        return
    tree = Tree(Text("Agents (self: own calls; delegated: those of the agents that it called)", style="bold"))
    _grow(tree, None, steps, frozenset())
    console.print(tree)


def _grow(tree: Tree, parent: str | None, steps: Sequence[Row], above: frozenset[str | None]) -> None:
    known = {row["agent"] for row in steps}
    for row in steps:
        is_root = parent is None and (row["parent_agent"] is None or row["parent_agent"] not in known)
        if (
            not is_root
            and row["parent_agent"] != parent
            or (parent is not None and row["parent_agent"] is None)
        ):
            continue
        branch = tree.add(Text(_step_text(row)))
        if row["agent"] is not None and row["agent"] not in above and row["agent"] != parent:
            _grow(branch, row["agent"], steps, above | {row["agent"]})


def _step_text(row: Row) -> str:
    names = [safe_text(row[name]) for name in ("agent", "agent_step") if row[name] is not None]
    delegated = f", delegated {exact_text(row['delegated_cost'])}" if row["delegated_cost"] else ""
    retries = f", of it retries {exact_text(row['retry_cost'])}" if row["retry_cost"] else ""
    calls = f"{count_text(row['calls'])} call{'' if row['calls'] == 1 else 's'}"
    failed = f", {count_text(row['error_requests'])} failed" if row["error_requests"] else ""
    own = f"self {exact_text(row['self_cost'])}{retries}"
    return f"{' / '.join(names) or 'no agent'}: {own}{delegated} ({calls}{failed})"
