"""What a run itself finds, beside what its sources report: changes since the release before, and silence.

What belongs here: pure comparisons. What must not: reading files, or deciding what a finding leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from connectors.common.contract import Delivery, Finding, Severity, SourceReport
from connectors.common.datasets import BILL_DATASETS
from connectors.common.lateness import OVERDUE_AFTER, find_lateness


def find_changed_identity(known: Mapping[str, str], identity: str) -> list[Finding]:
    """A new identity key gives every user a new id, so that history and budgets no longer meet."""
    before = known.get("identity")
    if before is None or before == identity:
        return []
    message = (
        "identity: the key differs from that of the release before, so every user has another id from now on; "
        "go back to the old key unless that is meant"
    )
    return [Finding("identity", "requests", "identity_key_changed", message, Severity.WARN)]


def find_removed_sources(known: Mapping[str, str], names: Sequence[str]) -> list[Finding]:
    """Sources that the release before had and the config does not name any more."""
    before = {name for name in known.get("sources", "").split(",") if name}
    return [
        Finding(
            name,
            "config",
            "source_removed",
            f"{name}: the config does not name this source any more, so all it delivered is out of the release",
            Severity.WARN,
        )
        for name in sorted(before - set(names))
    ]


def find_silent_sources(reports: Sequence[SourceReport], as_of: datetime | None) -> list[Finding]:
    """Sources of which a run about the past knows nothing: its figures lack what they say."""
    silent = [report.name for report in reports if not any(d.is_current for d in report.deliveries)]
    if as_of is None or not silent:
        return []
    message = (
        f"{len(silent)} of {len(reports)} sources had delivered nothing by {as_of}: {', '.join(silent)}; "
        "files that state no delivery time count from their time of change"
    )
    return [Finding("as_of", "deliveries", "nothing_delivered_by_then", message, Severity.WARN, len(silent))]


def find_late_bills(reports: Sequence[SourceReport], today: date) -> list[Finding]:
    """Bills that stopped coming, and months that were left out, each once a source.

    An account's bill may move from one source to another: what any of them delivers of it counts. A bill that was asked
    for is not late, and a month of which it says nothing had no use.
    """
    bills = [d for report in reports for d in report.deliveries if d.is_current and _is_bill(d)]
    return [finding for report in reports for finding in _find_late_bill(report, bills, today)]


def _is_bill(delivery: Delivery) -> bool:
    return delivery.dataset in BILL_DATASETS and delivery.period is not None


def _find_late_bill(report: SourceReport, bills: Sequence[Delivery], today: date) -> Iterator[Finding]:
    own = [bill for bill in bills if bill.source == report.name]
    if not own:
        return
    accounts = {bill.billing_account_id for bill in own}
    known = [bill for bill in bills if bill.source == report.name or bill.billing_account_id in accounts]
    allowed = timedelta(hours=find_lateness(report.connector).complete_after_hours) + OVERDUE_AFTER
    readings = [reading.read_until for reading in report.bill_readings]
    newest = max([*(bill.delivered_at for bill in known), *readings])
    periods = {bill.period for bill in known if bill.period is not None}
    is_late = today > (newest + allowed).date()
    last = max(periods) if is_late else f"{today - allowed - timedelta(days=1):%Y-%m}"
    if is_late:
        message = (
            f"{report.name}: its bill was delivered last on {newest:%Y-%m-%d} and its newest month is {max(periods)}: "
            f"see whether the export still runs and its files arrive; `everycent sources check {report.name}` tries it"
        )
        yield Finding(report.name, own[0].dataset, "bill_is_late", message, Severity.WARN)
    missing = [month for month in _months_between(min(periods), last) if month not in periods]
    if missing and not readings:
        message = (
            f"{report.name}: no bill was delivered of {', '.join(missing)}, though one was of {min(periods)}: "
            "deliver these months, or have the vendor export them again"
        )
        yield Finding(report.name, own[0].dataset, "missing_period", message, Severity.WARN, len(missing))


def _months_between(first: str, last: str) -> Iterator[str]:
    """The months from one 'YYYY-MM' to another, both included."""
    year, month = map(int, first.split("-"))
    while (name := f"{year:04d}-{month:02d}") <= last:
        yield name
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
