"""Landing CloudWatch's numbers: the UTC days of every region of an account that are new or not final.

What belongs here: the order of the steps, region by region, and trying them. What must not: what a metric means, or
the rows it becomes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from connectors.common.apis.windows import ApiWindows
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import Dataset
from connectors.common.metrics.cloudwatch import AwsRegion, CloudWatchSettings, MetricQuery
from connectors.common.source_landing import SourceLanding

_TRIED_AT = datetime(2026, 1, 1)
_TRIED_FOR = timedelta(days=1)


class RegionDays:
    """The days of one region that a run reads, and the region to read them from."""

    def __init__(
        self, landing: SourceLanding, windows: ApiWindows, days: list[date], aws: AwsRegion, dataset: Dataset
    ) -> None:
        self.landing = landing
        self.windows = windows
        self.days = days
        self.aws = aws
        self._dataset = dataset

    def add(self, kind: str, message: str, severity: Severity, *, count: int = 1) -> None:
        """Report a finding; `message` need not name the source, it is added."""
        told = f"{self.landing.source}: {message}"
        self.landing.add(self._dataset.name, kind, told, severity, count=count)

    def remember(self, what: str, names: set[str]) -> set[str]:
        """Return these names and those of earlier runs: CloudWatch forgets one two weeks after its last value."""
        key = f"{what} {self.aws.region}"
        known = names | set(self.landing.seen.notes.get(key, ()))
        self.landing.seen.write_note(key, sorted(known))
        return known


def land_regions(
    settings: CloudWatchSettings,
    context: LandingContext,
    dataset: Dataset,
    land_days: Callable[[RegionDays], None],
    *,
    typing: Mapping[str, object],
) -> SourceReport:
    """Land every region that has days to read; one that fails does not stop the others, and is told."""
    landing = SourceLanding(settings, context, typing=typing)
    if landing.is_reading_only:
        return landing.report()
    for region in settings.regions:
        try:
            windows = ApiWindows(
                landing,
                first_day=settings.choose_first_day(context.now),
                overlap_days=settings.overlap_days,
                final_after_days=None,
                part=region,
            )
            days = windows.days_to_read(dataset)
            if days:
                land_days(RegionDays(landing, windows, days, AwsRegion(settings, region), dataset))
        except ConnectorError as error:
            landing.add(dataset.name, "unreachable_api", f"{landing.source}: {error}", Severity.FAULT)
    return landing.report()


def check_regions(
    settings: CloudWatchSettings,
    what: str,
    find_names: Callable[[AwsRegion], set[str]],
    build_queries: Callable[[Sequence[str]], Sequence[MetricQuery]],
) -> Iterator[CheckStep]:
    """Try to sign in, list what there is (`what`: models, log groups) and read the metrics of every region."""
    for region in settings.regions:
        try:
            aws = AwsRegion(settings, region)
            names = find_names(aws)
        except ConnectorError as error:
            yield CheckStep(f"{region} list", False, str(error))
            yield CheckStep(f"{region} read", None, "not tried without a list")
            continue
        if not names:
            message = f"CloudWatch counted no {what} of {region} in the last two weeks; correct `regions`"
            yield CheckStep(f"{region} list", False, message)
            yield CheckStep(f"{region} read", None, "not tried, for there is nothing to read")
            continue
        yield CheckStep(f"{region} list", True, f"{len(names):,} {what}")
        try:
            aws.read_values(build_queries(sorted(names)[:1]), _TRIED_AT, _TRIED_AT + _TRIED_FOR)
        except ConnectorError as error:
            yield CheckStep(f"{region} read", False, str(error))
        else:
            yield CheckStep(f"{region} read", True, "sums may be read")
