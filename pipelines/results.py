"""What a nightly run hands back to whoever started it.

What belongs here: plain typed records, so that the command line needs nothing of the scheduler to print them.
What must not: computing any of the figures, or printing them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """What the exit code of every command means; the help text and docs/cli.md say the same."""

    OK = 0
    NOTHING_PUBLISHED = 1
    SOURCE_AT_FAULT = 2
    BAD_CONFIG = 3


@dataclass(frozen=True)
class ConservationLine:
    """The proof for one currency: what the bills say against what the fact table holds."""

    currency: str
    billed_total: Decimal
    attributed_total: Decimal

    @property
    def difference(self) -> Decimal:
        """Zero when no cent was lost or made up."""
        return self.billed_total - self.attributed_total


@dataclass(frozen=True)
class NightlyResult:
    """The outcome of one nightly run.

    `top_lines` are sums over `marts.cost_daily`, all days of a cost together, largest effective cost first.
    `source_faults` and `failed_checks` are sentences for the reader: what failed, where, what to do.
    `release_path` is the release that `current` points to after the run, also when this run published nothing new.
    """

    exit_code: ExitCode
    release_path: Path | None
    is_published: bool
    unchanged: bool  # nothing new was found, so that the release before stays current
    source_faults: tuple[str, ...] = ()
    failed_checks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()  # what may distort figures, largest count first
    conservation: tuple[ConservationLine, ...] = ()
    top_lines: tuple[Mapping[str, Any], ...] = ()
    report_path: Path | None = None
    pruned: str | None = None  # which old snapshots were let go
    report_problem: str | None = None  # why there is no report, and what to do
    seconds: float = 0.0
