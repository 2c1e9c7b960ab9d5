"""Which billing periods are closed: as their issuers say (dataset `billing_periods`), else by their age.

What belongs here: the statements, the one that holds for a bill, and what holds without one. What must not: what
follows from it (`core.charges`), or how late a vendor is (`connectors.common.lateness`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pyarrow.parquet as pq

from connectors.common.contract import Delivery, SourceReport
from connectors.common.datasets import BILLING_PERIODS
from connectors.common.delivery_records import is_added
from connectors.common.lateness import Lateness

_COLUMNS = (
    "invoice_issuer_name",
    "billing_account_id",
    "billing_period_start",
    "billing_period_status",
    "billing_period_last_updated_at",
    "x_snapshot_id",
)


Bill = tuple[str | None, str]
"""Billing account and period 'YYYY-MM' of a source."""


@dataclass(frozen=True)
class PeriodStatements:
    """The newest statement per issuer, billing account (None: all of the issuer's) and period 'YYYY-MM'."""

    statuses: Mapping[tuple[str, str | None, str], str] = field(default_factory=dict)

    def find_status(self, delivery: Delivery) -> str | None:
        """Return open or closed for a bill, None where its issuer says nothing.

        What is said of an account wins over what is said of all. Of several issuers in one bill a single open one
        keeps it open, and it is closed once all of them closed it.
        """
        said = [self._find(issuer, delivery) for issuer in delivery.invoice_issuers if issuer is not None]
        if "open" in said:
            return "open"
        is_closed = bool(said) and len(said) == len(delivery.invoice_issuers) and set(said) == {"closed"}
        return "closed" if is_closed else None

    def _find(self, issuer: str, delivery: Delivery) -> str | None:
        period = delivery.period or ""
        of_account = self.statuses.get((issuer, delivery.billing_account_id, period))
        return of_account or self.statuses.get((issuer, None, period))


def read_period_statements(reports: Sequence[SourceReport]) -> PeriodStatements:
    """Return what the current files of `billing_periods` say; the statement updated last holds, ties go to the
    larger digest of the file."""
    statuses: dict[tuple[str, str | None, str], tuple[tuple[str, str], str]] = {}
    for report in reports:
        for file in report.current_files:
            if file.dataset == BILLING_PERIODS.name:
                for row in pq.read_table(file.path, columns=list(_COLUMNS)).to_pylist():
                    _take(row, statuses)
    return PeriodStatements({key: status for key, (_, status) in statuses.items()})


def _take(
    row: Mapping[str, object], statuses: dict[tuple[str, str | None, str], tuple[tuple[str, str], str]]
) -> None:
    key = (
        str(row["invoice_issuer_name"]),
        None if row["billing_account_id"] is None else str(row["billing_account_id"]),
        str(row["billing_period_start"])[:7],
    )
    rank = (str(row["billing_period_last_updated_at"] or ""), str(row["x_snapshot_id"] or ""))
    known = statuses.get(key)
    if known is None or rank > known[0]:
        statuses[key] = (rank, str(row["billing_period_status"]).lower())


def find_period_end(period: str) -> datetime:
    """Return the end of a period 'YYYY-MM', exclusive."""
    start = datetime.strptime(period, "%Y-%m")  # noqa: DTZ007 (naive UTC)
    return (start + timedelta(days=32)).replace(day=1)


def find_known_at(report: SourceReport, bills: Sequence[Delivery]) -> datetime | None:
    """Return until when the bills of a source are known: as it was asked last, else as the newest was delivered."""
    if report.bill_readings:
        return max(reading.read_until for reading in report.bill_readings)
    return max((bill.delivered_at for bill in bills), default=None)


def find_period_statuses(
    deliveries: Sequence[Delivery],
    statements: PeriodStatements,
    lateness: Lateness,
    known_at: datetime,
    newest: datetime | None,
) -> dict[Bill, str]:
    """Return open or closed for each bill of one source; `deliveries` are those that count, whatever parts they are of.

    Without a word of its issuer a bill is closed `closed_after_days` after its period's end, by the clock of the run
    (`known_at`), if what counts of it was delivered after that end: a bill that nobody delivered since is not whole.
    `newest`: when all bills of a source whose deliveries add up were known last, None where they do not add up.
    """
    bills: dict[Bill, list[Delivery]] = {}
    for delivery in deliveries:
        bills.setdefault((delivery.billing_account_id, delivery.period or ""), []).append(delivery)
    statuses = {}
    for bill, parts in bills.items():
        issuers = tuple(dict.fromkeys(issuer for part in parts for issuer in part.invoice_issuers))
        said = statements.find_status(replace(parts[0], invoice_issuers=issuers))
        end = find_period_end(bill[1])
        delivered_at = newest or _find_whole_since(parts)
        is_past = known_at >= end + timedelta(days=lateness.closed_after_days) and delivered_at >= end
        statuses[bill] = said or ("closed" if is_past else "open")
    return statuses


def _find_whole_since(parts: Sequence[Delivery]) -> datetime:
    """Return when all that counts of a bill was delivered: parts that replace each other only count together."""
    if any(is_added(part) for part in parts):
        return max(part.delivered_at for part in parts)
    return min(part.delivered_at for part in [part for part in parts if part.rows] or parts)
