"""A provider's costs of a UTC day as a bill: each day is a delivery that replaces itself, also by nothing.

What belongs here: keeping a day's cost lines as they came, and handing them to the bill engine. What must not: what
a vendor's fields mean (its `BillFormat`).
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.apis.bucketed_reports import write_exact
from connectors.common.apis.windows import write_whole
from connectors.common.bills.contract import BillDelivery, BillFormat
from connectors.common.bills.landing import BillLanding
from connectors.common.dataset_types import INSTANT
from connectors.common.delivery_records import Artifact
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding


class DailyBills:
    """The bill of one account, put together from days; `account` is its id, `name` what its answers are called."""

    def __init__(
        self, landing: SourceLanding, bill_format: BillFormat, account: str, name: str = "costs"
    ) -> None:
        self._landing = landing
        self._bills = BillLanding(landing, bill_format)
        self._account = account
        self._name = name

    def deliver(self, day: date, lines: Iterable[Mapping[str, object]]) -> bool:
        """Replace the lines of a day; return whether they landed (else a finding says why, and the old ones stay).

        The order of the lines does not matter: the same lines are the same delivery.
        """
        texts = sorted(write_exact(line) for line in lines)
        files = (self._keep(day, texts),) if texts else ()
        delivery = BillDelivery(
            f"{self._name} {self._account} {day.isoformat()}",
            files,
            self._landing.context.now,
            is_stated=False,
            part=day.isoformat(),
        )
        return self._bills.deliver(delivery)

    def finish(self) -> None:
        """Type days anew, from what is kept, where settings changed."""
        self._bills.finish()

    def _keep(self, day: date, texts: list[str]) -> SourceFile:
        relative = f"{self._name}/{day.isoformat()}.jsonl.gz"
        packed = gzip.compress("".join(f"{text}\n" for text in texts).encode(), mtime=0)
        sha256 = hashlib.sha256(packed).hexdigest()
        path = self._landing.artifact_path(Artifact(relative, sha256, len(packed)))
        if not path.exists():
            write_whole(path, packed)
        return SourceFile(path, relative, len(packed), 0, sha256)


def build_period(start: pa.Array) -> dict[str, pa.Array]:
    """Return the billing period of each line: the UTC month of its charge period."""
    months = pc.floor_temporal(start, unit="month").cast(INSTANT)
    distinct = months.dictionary_encode()
    ends = [
        None if month is None else (month + timedelta(days=32)).replace(day=1)
        for month in distinct.dictionary.to_pylist()
    ]
    return {
        "billing_period_start": months,
        "billing_period_end": pa.array(ends, INSTANT).take(distinct.indices),
    }
