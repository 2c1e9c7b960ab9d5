"""What a connector takes and gives back: the one interface between the outside world and the lake.

What belongs here: plain typed records. What must not: reading or writing anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from connectors.common.identity import Identity


class Severity(StrEnum):
    """How much a finding matters: `info` is worth knowing, `warn` may distort numbers, `fault` stopped the source."""

    INFO = "info"
    WARN = "warn"
    FAULT = "fault"


@dataclass(frozen=True)
class Finding:
    """Something about a source that its owner should know; `count` says how many rows or files it concerns."""

    source: str
    dataset: str
    kind: (
        str  # snake_case, stable: missing_file, unreadable_file, missing_column, type_flip, quarantined_row …
    )
    message: str  # what, where, what to do; never request text or secrets
    severity: Severity
    count: int = 1
    file: str | None = None
    date: date | None = None


@dataclass(frozen=True)
class TypedFile:
    """One immutable Parquet file of the lake, in the schema of its dataset."""

    dataset: str
    partition: str  # '2026-11-19', '2026-11' or 'all'
    path: Path  # absolute
    rows: int
    digest: str  # decides whether a model that read it must run again


@dataclass(frozen=True)
class Delivery:
    """One delivery of one scope: which content arrived when. The same content may be delivered twice (A, B, A)."""

    source: str
    dataset: str
    scope: str  # within a scope the newest delivery replaces; across scopes they add up
    period: str | None  # billing period 'YYYY-MM' where it has one
    snapshot_id: str  # digest of the content
    delivered_at: datetime  # UTC, naive: when the vendor delivered it
    fetched_at: datetime  # UTC, naive: when we first saw it
    rows: int
    typed_files: tuple[TypedFile, ...]
    billed_totals: Mapping[str, Decimal] = field(
        default_factory=dict
    )  # currency → Σ billed_cost (charges only)
    invoice_issuers: tuple[str | None, ...] = ()  # charges only: who issued, for the bill of record
    billing_account_id: str | None = None
    content: str | None = None  # digest of the lines, whatever files carry them (bills only)
    delivery_key: str | None = None  # what a newer delivery of the source replaces whole (bills only)
    file_sha256: str | None = None  # of the one file it came from; None for bills and for several files
    is_current: bool = False


@dataclass(frozen=True)
class BillReading:
    """A bill that was asked for, whether or not it had changed: until when (UTC, naive) its days are known since."""

    part: str  # what was asked for on its own: another account's bill is another part
    read_at: datetime
    read_until: datetime  # `read_at`, or the start of the first day that could not be read


@dataclass(frozen=True)
class SourceReport:
    """All that a source has delivered as known at one moment, and what is wrong with it."""

    name: str
    connector: str
    deliveries: tuple[Delivery, ...]
    findings: tuple[Finding, ...]
    bill_readings: tuple[BillReading, ...] = ()  # oldest first; of sources that are asked day by day only

    @property
    def has_fault(self) -> bool:
        """True when some data of this source could not be taken over."""
        return any(finding.severity is Severity.FAULT for finding in self.findings)

    @property
    def current_files(self) -> tuple[TypedFile, ...]:
        """The files that carry the source's present truth."""
        return tuple(f for d in self.deliveries if d.is_current for f in d.typed_files)


class LandingProgress(Protocol):
    """Told what a landing does, so that somebody who waits sees it move. Called from several threads."""

    def start(self, label: str, total_bytes: int) -> None:
        """A transfer of this size begins; totals of one label add up."""
        ...

    def advance(self, label: str, transferred_bytes: int) -> None:
        """So many bytes more have arrived."""
        ...


@dataclass(frozen=True)
class CheckStep:
    """One thing that `everycent sources check` tried: what it was, whether it worked, and what to do if not.

    `is_ok` is None for a step that could not be tried because an earlier one failed, or that landing does not need.
    """

    name: str
    is_ok: bool | None
    message: str


@dataclass(frozen=True)
class LandingContext:
    """What every connector is told by the run.

    `now` is the run's clock (UTC, naive). `as_of` limits knowledge: deliveries after it are not seen; when it
    is set nothing is fetched and nothing is written. `tag_keys` maps an attribution key of
    `datasets.TAGGED_KEYS` to the bill tag keys that mean it, first match wins.
    """

    lake: Path
    now: datetime
    identity: Identity
    tag_keys: Mapping[str, tuple[str, ...]]
    as_of: datetime | None = None
    progress: LandingProgress | None = None


class ConnectorError(Exception):
    """A source problem, in words for its owner: what failed, where, and what to do next."""


class TransientError(ConnectorError):
    """May succeed if tried again."""


class TerminalError(ConnectorError):
    """Will fail again until somebody changes something."""
