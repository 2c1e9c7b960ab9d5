"""Landing `events` files.

What belongs here: the call of the common lander. What must not: columns (`schema.py`).
"""

from __future__ import annotations

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.plain_files import land_plain_files
from connectors.event_files.schema import FORMAT
from connectors.event_files.settings import Settings


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all files of a `events` source; bad rows are refused one by one and counted."""
    return land_plain_files(settings, context, FORMAT)
