"""Days as Dagster partitions, and how a run is told which days it covers.

What belongs here: the partitions definition, its mappings, the tags of a range. What must not: assets.
"""

from __future__ import annotations

import warnings
from datetime import date, timedelta

import dagster as dg

from pipelines.warehouse.headers import Reading

# Dagster is pinned to one version, so that its warnings about later ones say nothing to whoever runs a night.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

FIRST_DAY = date(2024, 1, 1)
DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)
"""Days up to and with today: bills and logs of today are there before it has ended."""

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"

MARKED_DAYS = 7
"""How many days a run marks at most in Dagster's history. Dagster writes one event for each asset and day, at
about 11 ms of CPU: 91 days of 40 assets took 45 s. Older days that a run rebuilt, as a first run or a restated
month does, are rebuilt all the same; which files each of them holds is in the release's manifest, not here."""


def build_range_tags(first_day: date | None, today: date) -> dict[str, str]:
    """Run tags of the partitions from the first changed day to today, both included, `MARKED_DAYS` at most.

    `execute_in_process` and a schedule's RunRequest read the same two tags; a run without a changed day covers
    today.
    """
    end = max(today, FIRST_DAY)
    start = min(first_day or end, end)
    start = max(start, end - timedelta(days=MARKED_DAYS - 1), FIRST_DAY)
    return {RANGE_START_TAG: start.isoformat(), RANGE_END_TAG: end.isoformat()}


def build_mapping(reading: Reading, is_upstream_daily: bool) -> dg.PartitionMapping | None:
    """How a model by day depends on the days of what it reads; None where Dagster's own answer is right."""
    if not is_upstream_daily or reading.mode == "same":
        return None
    if reading.mode == "days":
        return dg.TimeWindowPartitionMapping(
            start_offset=-reading.days_before,
            end_offset=reading.days_after,
            allow_nonexistent_upstream_partitions=True,
        )
    return dg.AllPartitionMapping()
