"""The bill of record: of two feeds that bill the same thing, which one carries cost.

What belongs here: finding overlaps between reports. What must not: reading or writing anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.common.contract import Delivery, Finding, Severity, SourceReport
from connectors.common.datasets import BILL_DATASETS


def resolve_bill_of_record(
    reports: Sequence[SourceReport], declared_order: Sequence[str]
) -> list[SourceReport]:
    """Return the reports, in their order, so that every bill is carried by exactly one feed.

    A bill is (invoice issuer, billing account, billing period); an unknown issuer overlaps every issuer of
    that account and period. Where two feeds deliver the same bill the one declared first carries it. The
    other's delivery of that scope is not current any more and its report gets a fault, for summing both
    would double the bill with every other check still green. A feed not in `declared_order` comes last.
    """
    rank = {name: position for position, name in enumerate(declared_order)}
    carried: dict[tuple[str | None, str | None], list[tuple[str, frozenset[str | None]]]] = {}
    resolved: dict[str, SourceReport] = {}
    for report in sorted(reports, key=lambda report: (rank.get(report.name, len(rank)), report.name)):
        resolved[report.name] = _resolve_report(report, carried)
        for delivery in resolved[report.name].deliveries:
            if _is_bill(delivery):
                key = (delivery.billing_account_id, delivery.period)
                carried.setdefault(key, []).append((report.name, frozenset(delivery.invoice_issuers)))
    return [resolved[report.name] for report in reports]


def _is_bill(delivery: Delivery) -> bool:
    return delivery.is_current and delivery.dataset in BILL_DATASETS and bool(delivery.invoice_issuers)


def _resolve_report(
    report: SourceReport,
    carried: dict[tuple[str | None, str | None], list[tuple[str, frozenset[str | None]]]],
) -> SourceReport:
    deliveries, findings = [], list(report.findings)
    for delivery in report.deliveries:
        issuers = frozenset(delivery.invoice_issuers)
        known = carried.get((delivery.billing_account_id, delivery.period), ())
        first = next((name for name, others in known if _is_overlapping(issuers, others)), None)
        if first is None or not _is_bill(delivery):
            deliveries.append(delivery)
            continue
        deliveries.append(replace(delivery, is_current=False))
        findings.append(_build_finding(report.name, first, delivery))
    return replace(report, deliveries=tuple(deliveries), findings=tuple(findings))


def _is_overlapping(some: frozenset[str | None], others: frozenset[str | None]) -> bool:
    return None in some or None in others or bool(some & others)


def _build_finding(source: str, first: str, delivery: Delivery) -> Finding:
    message = (
        f"{source}: the bill of account {delivery.billing_account_id}, period {delivery.period}, is already "
        f"carried by {first}, which is declared first; this feed's {delivery.rows} lines do not count. "
        "Remove one of the two sources, or narrow its path to what the other does not deliver"
    )
    return Finding(source, delivery.dataset, "overlapping_bill", message, Severity.FAULT, delivery.rows)
