"""The moving form of `Progress`, for people who watch.

What belongs here: rich's bar behind the `Progress` interface, and choosing between it and plain lines.
What must not: knowing any step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from pipelines.progress import PlainProgress, Progress
from pipelines.terminal.console import error_console, safe_text


class TransferBars:
    """Shows what is fetched: a bar a label, in bytes. Called from several threads."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._tasks: dict[str, TaskID] = {}
        self._lock = Lock()

    def start(self, label: str, total_bytes: int) -> None:
        """Begin a transfer; totals of one label add up."""
        with self._lock:
            known = self._tasks.get(label)
            if known is None:
                name = f"  Fetch {safe_text(label)}"
                self._tasks[label] = self._bar.add_task(name, total=total_bytes, is_transfer=True)
            else:
                task = next(task for task in self._bar.tasks if task.id == known)
                self._bar.update(known, total=(task.total or 0) + total_bytes)

    def advance(self, label: str, transferred_bytes: int) -> None:
        """Move the bar of a label."""
        self._bar.advance(self._tasks[label], transferred_bytes)


class _AmountColumn(ProgressColumn):
    """How far a task is: steps are counted, transfers are measured in bytes."""

    def __init__(self) -> None:
        super().__init__()
        self._count, self._size = MofNCompleteColumn(), DownloadColumn()

    def render(self, task: Task) -> Text:
        return (self._size if task.fields.get("is_transfer") else self._count).render(task)


class BarProgress:
    """Shows the current step with a bar; steps that are done stay as one line with their time."""

    def __init__(self, bar: Bar, console: Console) -> None:
        self._bar = bar
        self.transfers = TransferBars(bar)
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


def make_bar(console: Console) -> Bar:
    """Return the bars of a terminal, not yet shown."""
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        _AmountColumn(),
        TimeElapsedColumn(),
    )
    return Bar(*columns, console=console)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Give a bar on a terminal, plain lines in a log or pipe; both on the error stream."""
    console = error_console()
    if not console.is_terminal:
        yield PlainProgress()
        return
    with make_bar(console) as bar:
        progress = BarProgress(bar, console)
        yield progress
        progress.finish()
