"""What every source that is an API of days is told: how far back it goes, and how long days are read again.

What belongs here: settings that all such sources share. What must not: a vendor's own, or calling anybody.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from pydantic import Field

from connectors.common.settings import SourceSettings


class WindowSettings(SourceSettings):
    """Base of the settings of a source that is asked for UTC days (`ApiWindows`)."""

    first_day: date | None = Field(
        default=None, description="The oldest UTC day that is asked for. Default: by `history_days`."
    )
    history_days: int = Field(
        default=90, ge=1, le=1830, description="Without `first_day`: how many days back a first run goes."
    )
    overlap_days: int = Field(
        default=3, ge=0, le=90, description="How many days after its end a day is still read again every run."
    )

    def choose_first_day(self, now: datetime) -> date:
        """Return the oldest day that a run at this time asks for."""
        return self.first_day or now.date() - timedelta(days=self.history_days)
