"""The moving form of `Progress`, for people who watch.

What belongs here: rich's bar behind the `Progress` interface, and choosing between it and plain lines.
What must not: knowing any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from pipelines.progress import PlainProgress, Progress
from pipelines.terminal.console import error_console, safe_text


class BarProgress:
    """Shows the current step with a bar; steps that are done stay as one line with their time."""

    def __init__(self, bar: Bar, console: Console) -> None:
        self._bar = bar
        self._console = console
        self._task: TaskID | None = None

    def step(self, name: str, total: int | None = None) -> None:
        """End the step before and begin this one."""
        self.finish()
        self._task = self._bar.add_task(safe_text(name), total=total)

    def advance(self, count: int = 1) -> None:
        """Move the bar of the current step."""
        if self._task is not None:
            self._bar.advance(self._task, count)

    def note(self, text: str) -> None:
        """Show a line above the bar."""
        self._console.print(Text(f"  {safe_text(text)}", style="dim"))

    def finish(self) -> None:
        """Mark the current step as done."""
        if self._task is None:
            return
        task = self._bar.tasks[self._bar.task_ids.index(self._task)]
        self._bar.update(self._task, total=task.total or 1, completed=task.total or 1)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Give a bar on a terminal, plain lines in a log or pipe; both on the error stream."""
    console = error_console()
    if not console.is_terminal:
        yield PlainProgress()
        return
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=console) as bar:
        progress = BarProgress(bar, console)
        yield progress
        progress.finish()
