"""What a run itself finds, beside what its sources report: changes since the release before, and silence.

What belongs here: pure comparisons. What must not: reading files, or deciding what a finding leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connectors.common.contract import Finding, Severity, SourceReport


def find_changed_identity(known: Mapping[str, str], identity: str) -> list[Finding]:
    """A new identity key gives every user a new id, so that history and budgets no longer meet."""
    before = known.get("identity")
    if before is None or before == identity:
        return []
    message = (
        "identity: the key differs from that of the release before, so every user has another id from now on; "
        "go back to the old key unless that is meant"
    )
    return [Finding("identity", "requests", "identity_key_changed", message, Severity.WARN)]


def find_removed_sources(known: Mapping[str, str], names: Sequence[str]) -> list[Finding]:
    """Sources that the release before had and the config does not name any more."""
    before = {name for name in known.get("sources", "").split(",") if name}
    return [
        Finding(
            name,
            "config",
            "source_removed",
            f"{name}: the config does not name this source any more, so all it delivered is out of the release",
            Severity.WARN,
        )
        for name in sorted(before - set(names))
    ]


def find_silent_sources(reports: Sequence[SourceReport], as_of: datetime | None) -> list[Finding]:
    """Sources of which a run about the past knows nothing: its figures lack what they say."""
    silent = [report.name for report in reports if not any(d.is_current for d in report.deliveries)]
    if as_of is None or not silent:
        return []
    message = (
        f"{len(silent)} of {len(reports)} sources had delivered nothing by {as_of}: {', '.join(silent)}; "
        "files that state no delivery time count from their time of change"
    )
    return [Finding("as_of", "deliveries", "nothing_delivered_by_then", message, Severity.WARN, len(silent))]
