"""Reports in time buckets and pages, as model providers give them: pages become whole UTC days.

What belongs here: following pages, telling buckets apart by day, and what a damaged answer is. What must not: a
vendor's parameters or fields.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from connectors.common.apis.http_api import ApiRefusedError, HttpApi
from connectors.common.apis.windows import ApiWindows, Window, build_windows
from connectors.common.contract import ConnectorError, Delivery, Severity, SourceReport
from connectors.common.datasets import BILL_DATASETS, Dataset
from connectors.common.parsing import build_whole_text
from connectors.common.source_files import FileFault
from connectors.common.source_landing import SourceLanding

EXPIRED = 410
"""What a cursor is answered with that is too old: the window is asked for again from its first page."""

_MOST_RESTARTS = 3
_MOST_PAGES = 100_000
Params = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Bucket:
    """One bucket of a report: UTC, half open, within one day; `results` as they came, numbers exact."""

    start: datetime
    end: datetime
    results: tuple[dict[str, Any], ...]

    @property
    def day(self) -> date:
        """The UTC day that the bucket is of."""
        return self.start.date()


def fetch_days(
    api: HttpApi,
    path: str,
    params: Params,
    window: Window,
    read_bucket: Callable[[dict[str, Any]], Bucket],
    *,
    headers: Mapping[str, str] | None = None,
) -> dict[date, list[Bucket]]:
    """Return the buckets of a window by day, in order; a day of which the API says nothing is absent.

    Begins again at the first page when a cursor expired. Raises ConnectorError (FileFault `damaged_answer` for
    what is no report).
    """
    for _ in range(_MOST_RESTARTS):
        try:
            return _gather(_fetch_pages(api, path, params, headers), path, window, read_bucket)
        except ApiRefusedError as error:
            if error.status != EXPIRED:
                raise
    message = (
        f"{path}: the cursor expired {_MOST_RESTARTS} times; ask for fewer days (a wider bucket), or later"
    )
    raise FileFault("expired_cursor", message)


def _fetch_pages(
    api: HttpApi, path: str, params: Params, headers: Mapping[str, str] | None
) -> Iterator[list[Any]]:
    """Yield the buckets of each page; a page that names itself, or nothing, as its next is a damaged answer."""
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        asked = [*params, ("page", cursor)] if cursor is not None else list(params)
        page = api.fetch(path, asked, headers=headers).content
        if not isinstance(page, dict) or not isinstance(page.get("data"), list):
            raise FileFault("damaged_answer", f"{path}: the answer has no list `data`: it is no report")
        yield page["data"]
        if not page.get("has_more"):
            return
        cursor = page.get("next_page")
        if not isinstance(cursor, str) or not cursor or cursor in seen:
            raise FileFault(
                "damaged_answer", f"{path}: the answer has more pages and names no new one; it is incomplete"
            )
        seen.add(cursor)
    raise FileFault("damaged_answer", f"{path}: more than {_MOST_PAGES:,} pages")


def _gather(
    pages: Iterator[list[Any]], path: str, window: Window, read_bucket: Callable[[dict[str, Any]], Bucket]
) -> dict[date, list[Bucket]]:
    """Put buckets together by day. One that comes on two pages is one; what lies outside of the window is not ours."""
    found: dict[datetime, Bucket] = {}
    for page in pages:
        for entry in page:
            bucket = _read(entry, path, read_bucket)
            if bucket.start < window.start or bucket.end > window.end:
                continue
            known = found.get(bucket.start)
            found[bucket.start] = bucket if known is None else _join(known, bucket, path)
    days: dict[date, list[Bucket]] = {}
    for start in sorted(found):
        days.setdefault(start.date(), []).append(found[start])
    return days


def _read(entry: Any, path: str, read_bucket: Callable[[dict[str, Any]], Bucket]) -> Bucket:
    try:
        bucket = read_bucket(entry)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FileFault(
            "damaged_answer", f"{path}: a bucket cannot be read ({type(error).__name__}); it is no report"
        ) from error
    midnight = datetime.combine(bucket.day, time()) + timedelta(days=1)
    if not bucket.start < bucket.end <= midnight:
        raise FileFault(
            "misaligned_bucket",
            f"{path}: the bucket from {bucket.start} to {bucket.end} UTC is not within one UTC day; its numbers "
            "cannot be told apart by day",
        )
    return bucket


def _join(known: Bucket, again: Bucket, path: str) -> Bucket:
    """A bucket that was cut by a page goes on with other results; the same ones are not counted twice."""
    if known.end != again.end:
        raise FileFault("damaged_answer", f"{path}: two buckets begin at {known.start} and end apart")
    texts = {write_exact(result) for result in known.results}
    rest = tuple(result for result in again.results if write_exact(result) not in texts)
    return Bucket(known.start, known.end, (*known.results, *rest))


def land_days(
    landing: SourceLanding,
    windows: ApiWindows,
    dataset: Dataset,
    longest_days: int,
    fetch: Callable[[Window], dict[date, list[Bucket]]],
    deliver: Callable[[date, list[Bucket]], None],
) -> None:
    """Read the days that are to be read, window by window, and deliver each; what failed is left for the next run.

    A damaged answer is a fault of its window, or of its day, and the others go on. A day that the API answers without
    any bucket is no empty day: what is known of it stays. Raises ConnectorError when the API answers no more, after
    the days before it were delivered. Of a bill it is written down until when it is known now.
    """
    days = windows.days_to_read(dataset)
    try:
        _land_windows(landing, windows, dataset, build_windows(days, longest_days), fetch, deliver)
    finally:
        if dataset.name in BILL_DATASETS:
            windows.note_bill_reading(dataset, days)


def _land_windows(
    landing: SourceLanding,
    windows: ApiWindows,
    dataset: Dataset,
    asked: Sequence[Window],
    fetch: Callable[[Window], dict[date, list[Bucket]]],
    deliver: Callable[[date, list[Bucket]], None],
) -> None:
    for window in asked:
        try:
            found = fetch(window)
        except FileFault as fault:
            _add_fault(landing, dataset, fault, window.start.date())
            continue
        for day in window.days:
            if day not in found and windows.has_rows(dataset, day):
                _add_missing(landing, windows.part or dataset.name, dataset, day)
                continue
            try:
                deliver(day, found.get(day, []))
            except FileFault as fault:
                _add_fault(landing, dataset, fault, day)
        windows.save()


def _add_fault(landing: SourceLanding, dataset: Dataset, fault: FileFault, day: date) -> None:
    landing.add(dataset.name, fault.kind, f"{landing.source}: {day}: {fault}", Severity.FAULT, day=day)


def _add_missing(landing: SourceLanding, part: str, dataset: Dataset, day: date) -> None:
    message = (
        f"{landing.source}: {part}: the API answered without a bucket for {day}, of which it had numbers before; these "
        "stay, and the day is asked for again"
    )
    landing.add(dataset.name, "missing_bucket", message, Severity.WARN, day=day)


def name_part(account: str, report: str) -> str:
    """Return the part of `ApiWindows` that a report of an account is: another account's days are other days."""
    return f"{account}/{report}"


def keep_account(report: SourceReport, account: str | None) -> SourceReport:
    """Return a report of which only the days of the account that a source is of now count.

    Whoever points a source at another organization would else count two of them as one.
    """
    if account is None:
        return report
    kept = tuple(
        delivery if _is_of(delivery, account) else replace(delivery, is_current=False)
        for delivery in report.deliveries
    )
    readings = tuple(r for r in report.bill_readings if r.part.startswith(name_part(account, "")))
    return replace(report, deliveries=kept, bill_readings=readings)


def _is_of(delivery: Delivery, account: str) -> bool:
    if delivery.period is not None:
        return delivery.billing_account_id == account
    return delivery.scope.startswith(name_part(account, ""))


def write_exact(content: Any) -> str:
    """Return JSON on one line, the same for the same content; exact fractions are written as text."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return build_whole_text(text)


def land_part(landing: SourceLanding, dataset: Dataset, step: Callable[[], None]) -> None:
    """Run one part of a landing; its failure is a fault of its dataset and leaves the other parts alone."""
    try:
        step()
    except ConnectorError as error:
        kind = getattr(error, "kind", "unreachable_source")
        landing.add(dataset.name, kind, f"{landing.source}: {error}", Severity.FAULT)
