"""Landing an OpenRouter account: daily activity → `provider_usage`, and its credits → `charges`.

What belongs here: which days are asked for, and what a failure does. What must not: what an item means (`activity.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from connectors.common.apis.bucketed_reports import write_exact
from connectors.common.apis.daily_bills import DailyBills
from connectors.common.apis.http_api import HttpApi, Patience, load_exact_json, read_api_key
from connectors.common.apis.report_rows import build_table
from connectors.common.apis.windows import ApiWindows
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import CHARGES, PROVIDER_USAGE
from connectors.common.identity import Identity
from connectors.common.source_landing import SourceLanding
from connectors.openrouter import schema
from connectors.openrouter.activity import (
    Item,
    build_format,
    build_lines,
    build_usage_rows,
    mask_user,
    read_items,
)
from connectors.openrouter.settings import Settings

_PATH = "/activity"
_REFUSALS = {
    401: "OpenRouter does not know the key; make a management key (Settings, Management keys)",
    403: "the key may not read activity: an ordinary API key cannot; make a management key",
    400: "OpenRouter does not tell of that day: it tells of 30 completed UTC days",
}


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days that are new or not final; what fails is a finding, and what was known before stays."""
    typing = {"openrouter_schema": schema.SCHEMA_VERSION, "account": settings.account_id}
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        _ActivityLanding(landing, settings).run()
    return landing.report()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether there is a key, and whether yesterday's activity can be read with it."""
    try:
        api = _open_api(settings, settings.trial_patience)
    except ConnectorError as error:
        yield CheckStep("key", False, str(error))
        yield CheckStep("activity", None, "not tried without a key")
        return
    yield CheckStep("key", True, f"{settings.api_key_env} is set")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    with api:
        try:
            items = fetch_day(api, yesterday, Identity.switched_off())
        except ConnectorError as error:
            yield CheckStep("activity", False, str(error))
        else:
            yield CheckStep("activity", True, f"{len(items)} items of {yesterday}")


def fetch_day(api: HttpApi, day: date, identity: Identity) -> list[Item]:
    """Return the items of one UTC day, in an order of their own, users pseudonymised. Raises ConnectorError."""
    items = read_items(api.fetch(_PATH, [("date", day.isoformat())]).content, day)
    return sorted((mask_user(item, identity) for item in items), key=write_exact)


def _open_api(settings: Settings, patience: Patience) -> HttpApi:
    key = read_api_key(settings.api_key_env, "a management key of the OpenRouter account")
    headers = {"Authorization": f"Bearer {key}"}
    return HttpApi(settings.endpoint, headers, refusals=_REFUSALS, patience=patience)


class _ActivityLanding:
    """One run over one account."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._bills = DailyBills(landing, build_format(), settings.account_id)
        now = landing.context.now
        oldest = now.date() - timedelta(days=schema.TOLD_DAYS)
        self._windows = ApiWindows(
            landing,
            first_day=max(settings.choose_first_day(now), oldest),
            overlap_days=settings.overlap_days,
            final_after_days=None,
        )

    def run(self) -> None:
        self._windows.retype(PROVIDER_USAGE, self._rebuild)
        self._bills.finish()
        days = self._windows.days_to_read(PROVIDER_USAGE)
        try:
            with _open_api(self._settings, self._settings.patience) as api:
                for day in days:
                    self._deliver(day, fetch_day(api, day, self._landing.context.identity))
        except ConnectorError as error:
            kind = getattr(error, "kind", "unreachable_source")
            dataset = CHARGES if self._settings.costs else PROVIDER_USAGE
            self._landing.add(dataset.name, kind, f"{self._landing.source}: {error}", Severity.FAULT)
        finally:
            if self._settings.costs:
                self._windows.note_bill_reading(PROVIDER_USAGE, days)

    def _deliver(self, day: date, items: Sequence[Item]) -> None:
        """Replace a day: its bill first, for usage says that the day was read."""
        account, windows = self._settings.account_id, self._windows
        is_final = windows.is_final(day)
        rows, unknown = build_usage_rows(items, day, account, is_final=is_final)
        if self._settings.costs and not self._bills.deliver(day, build_lines(items, day, account)):
            return
        windows.deliver(
            PROVIDER_USAGE,
            day,
            build_table(rows, PROVIDER_USAGE),
            is_final=is_final,
            pages=[write_exact(item).encode() for item in items],
            findings=tuple(unknown.build_findings(self._landing.source, PROVIDER_USAGE, _PATH)),
        )

    def _rebuild(self, day: date, pages: Sequence[bytes], is_final: bool) -> pa.Table:
        items = [load_exact_json(page) for page in pages]
        rows, _ = build_usage_rows(items, day, self._settings.account_id, is_final=is_final)
        return build_table(rows, PROVIDER_USAGE)
