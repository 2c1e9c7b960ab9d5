"""Which deliveries of a bill follow which, and of which of these the ledger does not know yet what they changed.

What belongs here: ordering deliveries and comparing them with the ledger. What must not: reading a bill's lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.common.contract import Delivery, SourceReport
from connectors.common.datasets import BILL_DATASETS
from connectors.common.delivery_records import is_added, rank_delivery
from connectors.common.digests import build_digest
from connectors.common.lateness import Lateness, find_lateness

Moment = tuple[str, datetime]
"""A snapshot within its bill: content and time, as the same content may be delivered twice."""


@dataclass(frozen=True)
class Bill:
    """What deliveries restate: one billing period of an account, as one source delivers it."""

    source: str
    dataset: str
    billing_account_id: str | None
    period: str


@dataclass(frozen=True)
class Snapshot:
    """What was delivered of a bill at one time: one delivery, or one of each part (Azure's twins), ordered by scope."""

    deliveries: tuple[Delivery, ...]

    @property
    def moment(self) -> Moment:
        """What tells it from others of its bill."""
        ids = [delivery.snapshot_id for delivery in self.deliveries]
        return ids[0] if len(ids) == 1 else build_digest(*ids), self.delivered_at

    @property
    def delivered_at(self) -> datetime:
        """When it was delivered (UTC)."""
        return self.deliveries[0].delivered_at


@dataclass(frozen=True)
class Step:
    """One snapshot of a bill against what was known before it.

    `previous` is the snapshot before it; `replaced` are, by scope, the deliveries whose place its own take, none where
    their lines add up to what was there. `is_whole` tells that the bill is one part, with nothing beside it.
    """

    bill: Bill
    snapshot: Snapshot
    previous: Snapshot | None
    replaced: Mapping[str, Delivery]
    is_whole: bool
    lateness: Lateness

    @property
    def moment(self) -> Moment:
        """The snapshot within its bill."""
        return self.snapshot.moment

    @property
    def previous_moment(self) -> Moment | None:
        """The snapshot before, within its bill."""
        return None if self.previous is None else self.previous.moment

    @property
    def contents(self) -> tuple[Delivery, ...]:
        """The deliveries whose lines are to be compared."""
        return (*self.replaced.values(), *self.snapshot.deliveries)

    def is_first(self, delivery: Delivery) -> bool:
        """Tell whether a delivery of the snapshot is the first of its bill, or of a part that stands for itself."""
        if self.previous is None:
            return True
        return delivery.scope not in self.replaced and not self._adds_up(delivery)

    def find_complete_until(self, scope: str) -> datetime | None:
        """Return until when the days of a part were complete before this snapshot; None when it is the first."""
        known = self.replaced.get(scope)
        if known is not None and not self._adds_up(known):
            known_at = known.delivered_at
        elif self.previous is not None:
            known_at = self.previous.delivered_at
        else:
            return None
        return known_at - timedelta(hours=self.lateness.complete_after_hours)

    def _adds_up(self, delivery: Delivery) -> bool:
        return self.lateness.adds_up or is_added(delivery)


Known = Mapping[datetime, tuple[Moment, Moment | None]]
"""What the ledger holds of a bill: by time the snapshot that it tells, and the one that it was compared with."""


def is_readable(delivery: Delivery) -> bool:
    """Tell whether a delivery's lines are still there: what was pruned has none, an empty bill needs none."""
    if not delivery.typed_files:
        return delivery.rows == 0
    return all(file.path.exists() for file in delivery.typed_files)


def find_steps(reports: Sequence[SourceReport]) -> dict[Bill, list[Step]]:
    """Return every bill that a source is the bill of record of, with its deliveries in order of delivery."""
    bills: dict[Bill, list[Delivery]] = {}
    lateness: dict[str, Lateness] = {}
    for report in reports:
        lateness[report.name] = find_lateness(report.connector)
        for delivery in report.deliveries:
            if delivery.dataset in BILL_DATASETS and delivery.period:
                bill = Bill(delivery.source, delivery.dataset, delivery.billing_account_id, delivery.period)
                bills.setdefault(bill, []).append(delivery)
    return {
        bill: list(_build_steps(bill, deliveries, lateness[bill.source]))
        for bill, deliveries in sorted(bills.items(), key=lambda item: str(item[0]))
        if any(delivery.is_current for delivery in deliveries)
    }


def _build_steps(bill: Bill, deliveries: Sequence[Delivery], lateness: Lateness) -> Iterator[Step]:
    is_whole = len({delivery.scope for delivery in deliveries}) == 1
    previous: Snapshot | None = None
    standing: dict[str, Delivery] = {}
    for snapshot in _build_snapshots(deliveries):
        own = {delivery.scope: delivery for delivery in snapshot.deliveries}
        replaced = {scope: standing[scope] for scope in own if scope in standing}
        yield Step(bill, snapshot, previous, replaced, is_whole, lateness)
        standing |= own
        previous = snapshot


def _build_snapshots(deliveries: Sequence[Delivery]) -> Iterator[Snapshot]:
    """Snapshots in order of time; of two deliveries of one part at one time the one that is current counts."""
    times: dict[datetime, dict[str, Delivery]] = {}
    for delivery in sorted(deliveries, key=rank_delivery):
        times.setdefault(delivery.delivered_at, {})[delivery.scope] = delivery
    for _, parts in sorted(times.items()):
        yield Snapshot(tuple(parts[scope] for scope in sorted(parts)))


def find_missing(steps: Sequence[Step], known: Known) -> list[Step]:
    """Return the steps that the ledger lacks, knows with other parts, or with another snapshot before them.

    A delivery that arrived late but was delivered early changes what the next one is compared with; where deliveries
    add up, it changes all that follow. Steps whose lines were pruned stay as they were told.
    """
    missing: list[Step] = []
    for step in steps:
        is_told = known.get(step.snapshot.delivered_at) == (step.moment, step.previous_moment)
        is_shifted = bool(missing) and not step.is_whole
        if (not is_told or is_shifted) and all(is_readable(content) for content in step.contents):
            missing.append(step)
    return missing
