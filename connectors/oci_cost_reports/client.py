"""Landing Oracle's cost reports: every file is a delivery of its own, and all of them add up.

What belongs here: which files are reports, and when Oracle delivered each. What must not: their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.common.bills.contract import BillDelivery
from connectors.common.bills.landing import BillLanding
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import CHARGES
from connectors.common.file_listing import check_stored_files, list_stored_files
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.oci_cost_reports.oracle_format import build_oracle_format, describe_oracle_typing
from connectors.oci_cost_reports.settings import Settings

_SUFFIXES = (".csv", ".csv.gz")
_DAY = re.compile(r"(?:^|/)(\d{4})/(\d{2})/(\d{2})/")
_PROPRIETARY = re.compile(r"(?:^|/)(?:reports/)?(?:cost|usage)-csv/")
_ONE_DAY = timedelta(days=1)


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the reports that are new; one that cannot be read is a finding, the others stand."""
    landing = SourceLanding(
        settings, context, typing=describe_oracle_typing(context.tag_keys, context.identity)
    )
    if landing.is_reading_only:
        return landing.report()
    files = list_stored_files(landing, settings, CHARGES.name, _SUFFIXES)
    bills = BillLanding(landing, build_oracle_format(context.tag_keys, context.identity))
    reports = [file for file in files if not _PROPRIETARY.search(file.relative)]
    _tell_passed_over(landing, settings, len(files) - len(reports))
    for file in sorted(reports, key=lambda file: (find_delivered_at(file), file.relative)):
        bills.deliver(
            BillDelivery(
                key=file.relative,
                files=(file,),
                delivered_at=find_delivered_at(file),
                mode="append",
                is_stated=_DAY.search(file.relative) is not None,
            )
        )
    bills.finish()
    return landing.report()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether the reports can be reached, listed and read."""
    return check_stored_files(settings, _SUFFIXES)


def find_delivered_at(file: SourceFile) -> datetime:
    """Return when Oracle delivered a report (UTC): on the day in its path, else when the file last changed.

    A copy is younger than its original: when it is of another day, the end of the path's day counts.
    """
    match = _DAY.search(file.relative)
    if match is None:
        return file.modified_at
    try:
        day = datetime(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return file.modified_at
    is_of_that_day = day <= file.modified_at < day + _ONE_DAY
    return file.modified_at if is_of_that_day else day + _ONE_DAY - timedelta(microseconds=1)


def _tell_passed_over(landing: SourceLanding, settings: Settings, count: int) -> None:
    if count:
        message = (
            f"{landing.source}: reports in Oracle's own format are passed over in {settings.path}; only those of the "
            "folder `FOCUS Reports` are bills here"
        )
        landing.add(CHARGES.name, "ignored_file", message, Severity.INFO, count=count)
