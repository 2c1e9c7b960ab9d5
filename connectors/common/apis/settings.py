"""What every source that is an API of days is told: how far back it goes, how long days are read again, how patient.

What belongs here: settings that such sources share. What must not: a vendor's own, or calling anybody.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, Field, field_validator

from connectors.common.apis.http_api import Patience, check_endpoint
from connectors.common.settings import SourceSettings

_TRIAL_ATTEMPTS = 2
_TRIAL_WAIT_SECONDS = 5.0
_TRIAL_CONNECT_SECONDS = 5.0
_TRIAL_SILENCE_SECONDS = 30.0
_TRIAL_ANSWER_SECONDS = 60.0
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")


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


class HttpSettings(BaseModel):
    """Settings of a source that `HttpApi` asks."""

    endpoint: str = Field(description="Address of the API.")
    attempts: int = Field(
        default=6, ge=1, le=20, description="How often a request is sent while the API is busy."
    )
    longest_wait_seconds: Decimal = Field(
        default=Decimal(60),
        ge=0,
        le=3600,
        description="The longest wait between attempts, also when the API asks for more.",
    )
    silence_seconds: Decimal = Field(
        default=Decimal(60), gt=0, le=3600, description="The longest silence while an answer is read."
    )
    answer_seconds: Decimal = Field(
        default=Decimal(300), gt=0, le=7200, description="The longest that one answer may take as a whole."
    )

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str) -> str:
        return check_endpoint(value)

    @property
    def patience(self) -> Patience:
        """How long this source waits for answers."""
        return Patience(
            attempts=self.attempts,
            longest_wait_seconds=float(self.longest_wait_seconds),
            read_seconds=float(self.silence_seconds),
            total_seconds=float(self.answer_seconds),
        )

    @property
    def trial_patience(self) -> Patience:
        """How long `sources check` waits, where somebody looks on: never longer than a night does."""
        return Patience(
            attempts=min(self.attempts, _TRIAL_ATTEMPTS),
            longest_wait_seconds=min(float(self.longest_wait_seconds), _TRIAL_WAIT_SECONDS),
            connect_seconds=_TRIAL_CONNECT_SECONDS,
            read_seconds=min(float(self.silence_seconds), _TRIAL_SILENCE_SECONDS),
            total_seconds=min(float(self.answer_seconds), _TRIAL_ANSWER_SECONDS),
            is_trial=True,
        )


def check_variable(name: str) -> str:
    """Return the name of an environment variable that holds a key. Raises ValueError, never telling the value.

    Whoever writes the key itself into the config meets it here, before anything shows it.
    """
    if not _VARIABLE.fullmatch(name):
        raise ValueError("expected the name of an environment variable (A-Z, 0-9, _), not a key itself")
    return name
