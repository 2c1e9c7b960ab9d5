"""Flow records summed to hours: what every flow log becomes as rows of `transfers`.

What belongs here: the columns of a summed flow, adding up in bounded memory. What must not: a vendor's log format,
or which of two sightings of a flow counts (`models_sql/core/transfers.sql`: they may lie in different files).

A record counts whole in the hour in which it starts. Clouds record for at most 15 minutes, so that what is moved to
the hour before is small, and the same whatever file a record comes in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import polars as pl
import pyarrow as pa

from connectors.common.dataset_types import INSTANT, SECONDS
from connectors.common.datasets import TRANSFERS
from connectors.common.landing import FileDelivery

HOUR_MICROSECONDS = 3_600_000_000
LARGEST_RECORD_BYTES = 10**15
"""More than any interface carries in the longest window (400 Gbit/s in 15 minutes are 4.5e13): refused."""

KEYS: dict[str, type[pl.DataType]] = {
    "window": pl.Int64,  # start of the hour, microseconds since 1970
    "account_id": pl.String,
    "traffic_kind": pl.String,
    "from_zone": pl.String,
    "to_zone": pl.String,
    "from_workload_ref": pl.String,
    "to_workload_ref": pl.String,
    "from_ref_kind": pl.String,
    "to_ref_kind": pl.String,
    "emitter_id": pl.String,
    "seen_from": pl.String,
    "seen_at": pl.String,
    "through_ref": pl.String,
}
"""What is told apart in a sum; absent columns are null."""

_BATCH_FLOWS = 50_000
_PENDING_ROWS = 200_000
_GROUPS_KEPT = 400_000


class FlowSums:
    """Adds flow records up; `add` takes any of KEYS with `bytes` and, where known, `round_trip_seconds`."""

    def __init__(self, delivery: FileDelivery, provider: str) -> None:
        self._delivery = delivery
        self._provider = provider
        self._pending: list[pl.DataFrame] = []
        self._pending_rows = 0

    def add(self, records: pl.DataFrame) -> None:
        """Add records; those without bytes say nothing about traffic and are left out."""
        counted = records.filter(pl.col("bytes") > 0)
        if counted.is_empty():
            return
        self._pending.append(_add_up(_complete(counted)))
        self._pending_rows += self._pending[-1].height
        if self._pending_rows > _PENDING_ROWS:
            self._fold()

    def add_flows(self, flows: Iterable[Mapping[str, object]]) -> None:
        """Add flows that are read one by one: each has the same of KEYS and the numbers."""
        rest = iter(flows)
        while batch := list(islice(rest, _BATCH_FLOWS)):
            known = {"bytes": pl.Int64, "round_trip_seconds": pl.Float64, **KEYS}
            self.add(pl.DataFrame(batch, schema={name: known[name] for name in batch[0]}))

    def finish(self) -> None:
        """Write what was added up."""
        self._fold(is_last=True)

    def _fold(self, is_last: bool = False) -> None:
        if not self._pending:
            return
        folded = _add_up(pl.concat(self._pending))
        if is_last or folded.height > _GROUPS_KEPT:
            self._delivery.write(TRANSFERS.name, self._build_rows(folded))
            self._pending, self._pending_rows = [], 0
            return
        self._pending, self._pending_rows = [folded], 0

    def _build_rows(self, folded: pl.DataFrame) -> pa.Table:
        sums = folded.sort(list(KEYS), nulls_last=True)
        window = sums.get_column("window")
        trips = sums.get_column("round_trip_seconds").round(6).to_arrow()
        texts = {
            name: sums.get_column(name).to_arrow().cast(pa.string()) for name in KEYS if name != "window"
        }
        return pa.table(
            {
                "window_start": window.to_arrow().cast(INSTANT),
                "window_end": (window + HOUR_MICROSECONDS).to_arrow().cast(INSTANT),
                "provider": pa.repeat(pa.scalar(self._provider, pa.string()), sums.height),
                "emitter_kind": pa.repeat(pa.scalar("flow_log", pa.string()), sums.height),
                **texts,
                "bytes": sums.get_column("bytes").to_arrow(),
                "min_round_trip_seconds": trips.cast(SECONDS),
            }
        )


def _complete(records: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of a sum, in order; those a vendor does not state are null."""
    present = set(records.columns)
    keys = [
        (pl.col(name) if name in present else pl.lit(None)).cast(kind).alias(name)
        for name, kind in KEYS.items()
    ]
    trip = pl.col("round_trip_seconds") if "round_trip_seconds" in present else pl.lit(None)
    return records.select(
        *keys, pl.col("bytes").cast(pl.Int64), trip.cast(pl.Float64).alias("round_trip_seconds")
    )


def _add_up(records: pl.DataFrame) -> pl.DataFrame:
    return records.group_by(list(KEYS)).agg(pl.col("bytes").sum(), pl.col("round_trip_seconds").min())
