"""The same file delivered by two sources: the later declared one does not count it again.

What belongs here: comparing reports of several sources. What must not: reading or writing anything; bills, whose
overlap is decided by what they bill (`bill_of_record`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.common.contract import Delivery, Finding, Severity, SourceReport


def set_aside_shared_files(
    reports: Sequence[SourceReport], declared_order: Sequence[str]
) -> list[SourceReport]:
    """Return the reports, in their order, so that every file of requests, spans or weights counts once.

    Where two sources deliver the same bytes for the same dataset, the source declared first keeps them; the
    other's delivery is not current any more and its report warns.
    """
    rank = {name: position for position, name in enumerate(declared_order)}
    owners: dict[tuple[str, str], str] = {}
    settled: dict[str, SourceReport] = {}
    for report in sorted(reports, key=lambda report: (rank.get(report.name, len(rank)), report.name)):
        deliveries: list[Delivery] = []
        shared: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in report.deliveries:
            owner = _claim(delivery, owners) if delivery.is_current else None
            if owner is not None and owner != report.name:
                shared.setdefault((owner, delivery.dataset), []).append(delivery)
                delivery = replace(delivery, is_current=False)
            deliveries.append(delivery)
        findings = [
            _build_finding(report.name, owner, dataset, found) for (owner, dataset), found in shared.items()
        ]
        settled[report.name] = replace(
            report, deliveries=tuple(deliveries), findings=(*report.findings, *findings)
        )
    return [settled[report.name] for report in reports]


def _claim(delivery: Delivery, owners: dict[tuple[str, str], str]) -> str | None:
    if delivery.file_sha256 is None or not delivery.rows:
        return None
    return owners.setdefault((delivery.dataset, delivery.file_sha256), delivery.source)


def _build_finding(source: str, owner: str, dataset: str, deliveries: Sequence[Delivery]) -> Finding:
    message = (
        f"{source}: {len(deliveries)} files of {dataset} are also delivered by {owner}, which is declared first, and "
        "are not counted again; remove one of the two sources, or narrow its path"
    )
    return Finding(source, dataset, "duplicate_delivery", message, Severity.WARN, len(deliveries))
