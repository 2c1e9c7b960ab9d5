"""Runs about the past: which side release can be used again, and what stands in for pruned snapshots.

What belongs here: comparing a run with releases, replacing deliveries. What must not: building or publishing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time

from connectors.common.contract import Delivery, Finding, Severity, SourceReport
from pipelines.night.restatement_steps import is_readable
from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.manifest import ReleaseManifest, read_manifest
from pipelines.warehouse.release import MANIFEST_NAME, Release, ReleaseStore
from pipelines.warehouse.runner import Build

DAY_END = "known_at_end_of_day"
"""Kind of the finding that tells that a pruned snapshot is answered with the last one of its day."""
AS_OF_FINDINGS = (DAY_END, "nothing_delivered_by_then")
"""What somebody who asks about the past must be told with the answer."""


def find_side_release(build: Build) -> Release | None:
    """Return the newest side release made by this code, about the same time, from the same inputs.

    What a run about the past expects of the future follows from these, so it is not compared.
    """
    wanted = {name: record.relation.digest for name, record in build.records.items()}
    for release in ReleaseStore(build.home).list():
        if release.is_side:
            try:
                manifest = read_manifest(release.path / MANIFEST_NAME, build.home)
            except PublishError:
                continue
            if _is_equal(build, manifest, wanted):
                return release
    return None


def _is_equal(build: Build, manifest: ReleaseManifest, wanted: Mapping[str, str]) -> bool:
    inputs = {
        name: record.relation.digest
        for name, record in manifest.relations.items()
        if record.kind == "input" and not name.startswith("lake.ledger_")
    }
    is_same_question = all(
        manifest.parameters.get(name) == str(value) for name, value in build.parameters.items()
    )
    is_whole = all(file.path.exists() for r in manifest.relations.values() for file in r.relation.all_files)
    return manifest.code_version == build.code_version and is_same_question and inputs == wanted and is_whole


def check_something_known(reports: Iterable[SourceReport], as_of: datetime) -> None:
    """Raise PublishError when no source had delivered anything by then: there is nothing to answer with."""
    if any(delivery.is_current for report in reports for delivery in report.deliveries):
        return
    raise PublishError(
        f"No source had delivered anything by {as_of:%Y-%m-%d %H:%M} UTC, so nothing was known then. Ask about a later "
        "time; staging.deliveries lists what was delivered when."
    )


def take_day_ends(report: SourceReport, land_as_of: Callable[[datetime], SourceReport]) -> SourceReport:
    """Return the report with each current delivery whose content was pruned replaced by the last one of its day.

    `land_as_of` reads what the source had delivered by a moment. A delivery that nothing stands in for is a fault.
    """
    pruned = [delivery for delivery in report.deliveries if delivery.is_current and not is_readable(delivery)]
    if not pruned:
        return report
    ends = {datetime.combine(d.delivered_at.date(), time.max) for d in pruned}
    known = {
        (delivery.dataset, delivery.scope, end): delivery
        for end in sorted(ends)
        for delivery in land_as_of(end).deliveries
        if delivery.is_current and is_readable(delivery)
    }
    deliveries, taken = [], []
    for delivery in report.deliveries:
        if delivery not in pruned:
            deliveries.append(delivery)
            continue
        deliveries.append(replace(delivery, is_current=False))
        end = datetime.combine(delivery.delivered_at.date(), time.max)
        stand_in = known.get((delivery.dataset, delivery.scope, end))
        if stand_in is not None:
            deliveries.append(stand_in)
        taken.append(_say(delivery, stand_in))
    return replace(report, deliveries=tuple(deliveries), findings=(*report.findings, *taken))


def _say(delivery: Delivery, stand_in: Delivery | None) -> Finding:
    what = f"{delivery.source}: {delivery.scope}: the snapshot of {delivery.delivered_at:%Y-%m-%d %H:%M} UTC was pruned"
    if stand_in is None:
        message = f"{what} and none of its day is left: its lines are missing; ask for another time"
        return Finding(
            delivery.source, delivery.dataset, "snapshot_pruned", message, Severity.FAULT, delivery.rows
        )
    message = f"{what}; shown is that day's last one, of {stand_in.delivered_at:%H:%M}"
    return Finding(delivery.source, delivery.dataset, DAY_END, message, Severity.WARN, stand_in.rows)
