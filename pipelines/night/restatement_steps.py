"""Which deliveries of a bill follow which, and of which of these the ledger does not know yet what they changed.

What belongs here: ordering deliveries and comparing them with the ledger. What must not: reading a bill's lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.common.contract import Delivery, SourceReport
from connectors.common.datasets import BILL_DATASETS
from connectors.common.lateness import find_lateness

Moment = tuple[str, datetime]
"""A delivery within its bill: content and time, as the same content may be delivered twice."""


@dataclass(frozen=True)
class Bill:
    """What deliveries restate: one billing period of an account, as one source delivers it."""

    source: str
    dataset: str
    billing_account_id: str | None
    period: str


@dataclass(frozen=True)
class Step:
    """One delivery of a bill against what was known before it.

    `previous` is the delivery before it; `replaced` is the one whose place it takes, None where its lines add up to
    what was there. `is_whole` tells that the bill is one snapshot, with nothing beside it.
    """

    bill: Bill
    delivery: Delivery
    previous: Delivery | None
    replaced: Delivery | None
    is_whole: bool
    complete_after_hours: int

    @property
    def moment(self) -> Moment:
        """The delivery within its bill."""
        return moment_of(self.delivery)

    @property
    def previous_moment(self) -> Moment | None:
        """The delivery before, within its bill."""
        return None if self.previous is None else moment_of(self.previous)

    @property
    def contents(self) -> tuple[Delivery, ...]:
        """The deliveries whose lines are to be compared."""
        return (self.delivery,) if self.replaced is None else (self.replaced, self.delivery)


Known = Mapping[Bill, Mapping[Moment, Moment | None]]
"""What the ledger holds: per bill and delivery the delivery that it was compared with."""


def moment_of(delivery: Delivery) -> Moment:
    """Return what tells a delivery from others of its bill."""
    return delivery.snapshot_id, delivery.delivered_at


def is_readable(delivery: Delivery) -> bool:
    """Tell whether a delivery's lines are still there: what was pruned has none, an empty bill needs none."""
    if not delivery.typed_files:
        return delivery.rows == 0
    return all(file.path.exists() for file in delivery.typed_files)


def find_steps(reports: Sequence[SourceReport]) -> dict[Bill, list[Step]]:
    """Return every bill that a source is the bill of record of, with its deliveries in order of delivery."""
    bills: dict[Bill, list[Delivery]] = {}
    hours: dict[str, int] = {}
    for report in reports:
        hours[report.name] = find_lateness(report.connector).complete_after_hours
        for delivery in report.deliveries:
            if delivery.dataset in BILL_DATASETS and delivery.period:
                bill = Bill(delivery.source, delivery.dataset, delivery.billing_account_id, delivery.period)
                bills.setdefault(bill, []).append(delivery)
    return {
        bill: list(_build_steps(bill, deliveries, hours[bill.source]))
        for bill, deliveries in sorted(bills.items(), key=lambda item: str(item[0]))
        if any(delivery.is_current for delivery in deliveries)
    }


def _build_steps(bill: Bill, deliveries: Sequence[Delivery], hours: int) -> Iterator[Step]:
    is_whole = len({delivery.scope for delivery in deliveries}) == 1
    previous: Delivery | None = None
    standing: dict[str, Delivery] = {}
    for delivery in sorted(deliveries, key=lambda d: (d.delivered_at, d.snapshot_id)):
        yield Step(bill, delivery, previous, standing.get(delivery.scope), is_whole, hours)
        standing[delivery.scope] = delivery
        previous = delivery


def find_missing(steps: Sequence[Step], known: Mapping[Moment, Moment | None]) -> list[Step]:
    """Return the steps that the ledger lacks, or knows with another delivery before them.

    A delivery that arrived late but was delivered early changes what the next one is compared with; where deliveries
    add up, it changes all that follow. Steps whose lines were pruned stay as they were told.
    """
    missing: list[Step] = []
    for step in steps:
        is_told = step.moment in known and known[step.moment] == step.previous_moment
        is_shifted = bool(missing) and not step.is_whole
        if (not is_told or is_shifted) and all(is_readable(content) for content in step.contents):
            missing.append(step)
    return missing
