"""What `everycent sources check` shows: each step as it is done, then which sources are not ready.

What belongs here: marks and words. What must not: trying a connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from connectors.common.contract import CheckStep
from pipelines.source_check import is_all_well
from pipelines.terminal.console import safe_text

_NAME_WIDTH = 20
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}


def print_source(name: str, connector: str, steps: Iterable[CheckStep], console: Console) -> list[CheckStep]:
    """Print the steps of one source while they are done, and return them."""
    console.print(Text(safe_text(name), style="bold") + Text(f" ({safe_text(connector)})", style="dim"))
    done: list[CheckStep] = []
    following = iter(steps)
    while True:
        with console.status("trying the connection …"):
            step = next(following, None)
        if step is None:
            return done
        mark, style = _MARKS[step.is_ok]
        line = Table.grid(padding=(0, 1, 0, 0))
        for width in (3, _NAME_WIDTH, None):
            line.add_column(width=width, overflow="fold")
        line.add_row(Text(f"  {mark}", style=style), safe_text(step.name), Text(safe_text(step.message)))
        console.print(line)
        done.append(step)


def print_conclusion(results: Mapping[str, Sequence[CheckStep]], console: Console) -> None:
    """Print which sources are not ready, or that all are."""
    failed = {
        name: [step for step in steps if step.is_ok is False]
        for name, steps in results.items()
        if not is_all_well(steps)
    }
    if not failed:
        console.print(Text("\nAll is well: the next night can land from here.", style="green"))
        return
    names = ", ".join(
        f"{safe_text(name)} ({', '.join(safe_text(step.name) for step in steps)})"
        for name, steps in failed.items()
    )
    console.print(Text("\nNot ready: ", style="bold") + Text(names) + Text(". Each ✗ above says what to do."))


def render_json(results: Mapping[str, Sequence[CheckStep]], connectors: Mapping[str, str]) -> str:
    """Return the steps as JSON: a list of sources, each with its steps; a step's `is_ok` is null when not tried."""
    listed: list[dict[str, Any]] = [
        {
            "source": name,
            "connector": connectors[name],
            "is_ok": is_all_well(steps),
            "steps": [{"name": step.name, "is_ok": step.is_ok, "message": step.message} for step in steps],
        }
        for name, steps in results.items()
    ]
    return json.dumps(listed, ensure_ascii=False, indent=2)
