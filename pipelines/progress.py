"""How a long step tells the person at the terminal where it stands.

What belongs here: the `Progress` interface that every long step takes, and its two plain forms.
What must not: rich or any other terminal library at import; the bar is in `pipelines.terminal`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from connectors.common.contract import LandingProgress


class Progress(Protocol):
    """A step has a name and perhaps a total; within it work advances, and notes may be made."""

    @property
    def transfers(self) -> LandingProgress | None:
        """Who is told of bytes that are fetched; None where nobody watches."""
        ...

    def step(self, name: str, total: int | None = None) -> None:
        """Begin a step, which ends the one before. `total` counts what `advance` will add up to."""
        ...

    def advance(self, count: int = 1) -> None:
        """Say that `count` more units of the current step are done."""
        ...

    def note(self, text: str) -> None:
        """Show one line that stays."""
        ...


class SilentProgress:
    """Says nothing: for tests, schedulers and callers that do not watch."""

    transfers: LandingProgress | None = None

    def step(self, name: str, total: int | None = None) -> None:
        """Ignore the step."""

    def advance(self, count: int = 1) -> None:
        """Ignore the work done."""

    def note(self, text: str) -> None:
        """Ignore the note."""


class PlainProgress:
    """One line a step: for logs and pipes, where a moving bar would be noise."""

    transfers: LandingProgress | None = None

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def step(self, name: str, total: int | None = None) -> None:
        """Write the name of the step, with its total if there is one."""
        self._write(f"{name} ({total})" if total else name)

    def advance(self, count: int = 1) -> None:
        """Write nothing: a line for every unit would drown the log."""

    def note(self, text: str) -> None:
        """Write the note, indented below its step."""
        self._write(f"  {text}")

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
