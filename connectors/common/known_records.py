"""The delivery records of one source in memory, found by scope or by content without going through all of them.

What belongs here: finding records. What must not: reading or writing them (`delivery_records.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from connectors.common.delivery_records import DeliveryRecord


class KnownRecords:
    """The records of a source; one that is written anew stands last, under its own name."""

    def __init__(self, records: Iterable[DeliveryRecord]) -> None:
        self._by_name: dict[str, DeliveryRecord] = {}
        self._by_scope: dict[tuple[str, str], dict[str, DeliveryRecord]] = defaultdict(dict)
        self._by_snapshot: dict[str, dict[str, DeliveryRecord]] = defaultdict(dict)
        for record in records:
            self.put(record)

    def put(self, record: DeliveryRecord) -> None:
        """Add a record, or replace the one of its name."""
        name, delivery = record.file_name, record.delivery
        for index in (
            self._by_name,
            self._by_scope[delivery.dataset, delivery.scope],
            self._by_snapshot[delivery.snapshot_id],
        ):
            index.pop(name, None)
            index[name] = record

    def list(self) -> list[DeliveryRecord]:
        """Return all records, the one written last at the end."""
        return list(self._by_name.values())

    def find_of_scope(self, dataset: str, scope: str) -> list[DeliveryRecord]:
        """Return the records of one scope of a dataset."""
        return list(self._by_scope.get((dataset, scope), {}).values())

    def find_of_snapshot(self, snapshot_id: str) -> list[DeliveryRecord]:
        """Return the records of one content; the same content may have been delivered more than once."""
        return list(self._by_snapshot.get(snapshot_id, {}).values())

    def scopes(self) -> set[str]:
        """Return the scopes of all datasets."""
        return {scope for _, scope in self._by_scope}
