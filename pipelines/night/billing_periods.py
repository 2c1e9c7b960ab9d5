"""What issuers say about their billing periods: open or closed, from the dataset `billing_periods`.

What belongs here: reading the statements and finding the one that holds for a bill. What must not: what follows from
it (`core.charges`), or how late a vendor is when nobody says (`connectors.common.lateness`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow.parquet as pq

from connectors.common.contract import Delivery, SourceReport
from connectors.common.datasets import BILLING_PERIODS

_COLUMNS = (
    "invoice_issuer_name",
    "billing_account_id",
    "billing_period_start",
    "billing_period_status",
    "billing_period_last_updated_at",
    "x_snapshot_id",
)


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
