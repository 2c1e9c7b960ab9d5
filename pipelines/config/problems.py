"""What can be wrong with a config file, in words for the person who wrote it.

What belongs here: the record of one problem, the error that carries all of them, and finding the nearest
known name. What must not: reading files or knowing any key.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

SEE_DOCS = "docs/config.md lists every key with its type, default and an example."
"""Where to look; told once, at the end, however many problems there are."""

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One thing to put right: where it stands, what is wrong, what to do."""

    path: KeyPath
    what: str
    remedy: str


class ConfigError(Exception):
    """The config cannot be used. Carries every problem found, so that one edit can mend them all."""

    def __init__(
        self, file: Path, problems: Iterable[Problem], lines: dict[KeyPath, int] | None = None
    ) -> None:
        self.file = file
        self.lines = lines or {}
        self.problems = tuple(
            sorted(problems, key=lambda p: (self.line_of(p.path) or 0, render_path(p.path)))
        )
        super().__init__(self._text())

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of the file on which the key stands, else that of its nearest parent."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def _text(self) -> str:
        count = len(self.problems)
        head = f"{self.file}: {count} {'problem' if count == 1 else 'problems'}"
        told = [self._problem_text(problem) for problem in self.problems]
        is_told = any(SEE_DOCS in problem.remedy for problem in self.problems)
        return "\n".join([head, *told, *([SEE_DOCS] if is_told else [])])

    def _problem_text(self, problem: Problem) -> str:
        line = self.line_of(problem.path)
        where = render_path(problem.path) or "the file"
        place = f"line {line}, {where}" if line else where
        remedy = problem.remedy.replace(SEE_DOCS, "").strip()
        return f"  {place}: {problem.what}" + (f"\n    {remedy}" if remedy else "")


def render_path(path: KeyPath) -> str:
    """Return `sources[2].path` for ('sources', 2, 'path')."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def nearest_name(unknown: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like the unknown one, or None when nothing is near."""
    candidates = sorted(known)
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in candidates}
    found = difflib.get_close_matches(unknown.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def render_choice(unknown: str, known: Iterable[str], noun: str) -> str:
    """Return what to write instead: the nearest name if there is one, then all of them."""
    names = sorted(known)
    nearest = nearest_name(unknown, names)
    hint = f"Did you mean {nearest!r}? " if nearest else ""
    return f"{hint}Known {noun}: {', '.join(names)}."
