"""Land Datadog's usage: hours of a UTC day by emitter → `telemetry`.

What belongs here: requests, pages, the order of the steps. What must not: fields of answers (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from connectors.common.apis.http_api import ApiRefusedError, HttpApi, Patience, read_api_key
from connectors.common.apis.windows import ApiWindows
from connectors.common.contract import (
    CheckStep,
    ConnectorError,
    LandingContext,
    Severity,
    SourceReport,
    TerminalError,
)
from connectors.common.datasets import TELEMETRY
from connectors.common.source_landing import SourceLanding
from connectors.datadog_usage import schema
from connectors.datadog_usage.settings import Settings

_FORBIDDEN = 403
_PAGE = "500"
_MOST_PAGES = 10_000
_REFUSALS = {
    401: "the API key is not known at this site; look at the key and at `endpoint`",
    403: "the application key may not read usage; give it the scope `usage_read`",
}
_SCHEMA = pa.schema(
    [TELEMETRY.schema.field(name) for name in TELEMETRY.schema.names if not name.startswith("x_")]
)


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days that are new or not final; what was read before a failure stays."""
    typing = {"connector": settings.connector, "version": schema.SCHEMA_VERSION}
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        try:
            _land_days(landing, settings)
        except ConnectorError as error:
            landing.add(TELEMETRY.name, "unreachable_api", f"{landing.source}: {error}", Severity.FAULT)
    return landing.report()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try the keys, the totals of an hour, and usage attribution."""
    try:
        with _open(settings, settings.trial_patience) as api:
            yield CheckStep("keys", True, "both keys are set")
            hour = datetime(2026, 1, 1)  # noqa: DTZ001 (naive UTC)
            _read_totals(api, hour, hour + timedelta(hours=1))
            yield CheckStep("usage", True, "usage may be read")
            if settings.tag is None:
                return
            try:
                _read_parts(api, settings, hour, hour + timedelta(hours=1))
            except ApiRefusedError as error:
                yield CheckStep("attribution", None, f"{error}; totals of the organisation are landed")
            else:
                yield CheckStep("attribution", True, f"usage by {settings.tag} may be read")
    except ConnectorError as error:
        yield CheckStep("usage", False, str(error))


def _land_days(landing: SourceLanding, settings: Settings) -> None:
    windows = ApiWindows(
        landing,
        first_day=settings.choose_first_day(landing.context.now),
        overlap_days=settings.overlap_days,
        final_after_days=None,
    )
    days = windows.days_to_read(TELEMETRY)
    if not days:
        return
    with _open(settings, settings.patience) as api:
        for day in days:
            rows = _read_day(landing, api, settings, day)
            windows.deliver(
                TELEMETRY, day, pa.Table.from_pylist(rows, _SCHEMA), is_final=windows.is_final(day)
            )


def _read_day(landing: SourceLanding, api: HttpApi, settings: Settings, day: date) -> list[dict[str, Any]]:
    start = datetime.combine(day, time())
    end = start + timedelta(days=1)
    totals = _read_totals(api, start, end)
    parts: schema.Amounts = {}
    if settings.tag is not None:
        try:
            parts = _read_parts(api, settings, start, end)
        except ApiRefusedError as error:
            if error.status != _FORBIDDEN:
                raise
            message = (
                f"{landing.source}: usage attribution is not allowed, so volumes are of the whole organisation; switch "
                "it on in Datadog's plan and usage settings, or set `tag` to null"
            )
            landing.add(TELEMETRY.name, "usage_not_attributed", message, Severity.WARN, day=day)
    if settings.logs_by == "index":
        parts = {key: amount for key, amount in parts.items() if key[2] != "log"}
        params = [("start_hr", _hour(start)), ("end_hr", _hour(end))]
        with _reading(schema.LOGS_BY_INDEX):
            schema.read_indexes(api.fetch(schema.LOGS_BY_INDEX, params).content, parts)
    return schema.build_rows(totals, parts, day)


def _read_totals(api: HttpApi, start: datetime, end: datetime) -> schema.Amounts:
    amounts: schema.Amounts = {}
    params = [
        ("filter[timestamp][start]", _hour(start)),
        ("filter[timestamp][end]", _hour(end)),
        ("filter[product_families]", schema.FAMILIES),
        ("page[limit]", _PAGE),
    ]
    _read_pages(
        api,
        schema.HOURLY_USAGE,
        params,
        "page[next_record_id]",
        lambda answer: schema.read_totals(answer, amounts),
    )
    return amounts


def _read_parts(api: HttpApi, settings: Settings, start: datetime, end: datetime) -> schema.Amounts:
    amounts: schema.Amounts = {}
    tag = settings.tag or ""
    for usage_type, counted in schema.ATTRIBUTED.items():
        params = [
            ("start_hr", _hour(start)),
            ("end_hr", _hour(end)),
            ("usage_type", usage_type),
            ("tag_breakdown_keys", tag),
        ]

        def read(answer: Mapping[str, Any], counted: schema.Counted = counted) -> str | None:
            return schema.read_attribution(answer, amounts, counted, tag)

        _read_pages(api, schema.ATTRIBUTION, params, "next_record_id", read)
    return amounts


def _read_pages(
    api: HttpApi,
    path: str,
    params: Sequence[tuple[str, str]],
    cursor: str,
    read: Callable[[Mapping[str, Any]], str | None],
) -> None:
    """Read all pages; a cursor that comes again would go on for ever."""
    following: str | None = None
    seen: set[str] = set()
    for _ in range(_MOST_PAGES):
        asked = [*params, *([(cursor, following)] if following else [])]
        with _reading(path):
            following = read(api.fetch(path, asked).content)
        if following is None:
            return
        if following in seen:
            raise TerminalError(f"{path}: the pages come again; report this to Datadog, and run again")
        seen.add(following)
    raise TerminalError(f"{path}: more than {_MOST_PAGES:,} pages; ask for fewer tags")


def _open(settings: Settings, patience: Patience) -> HttpApi:
    headers = {
        "DD-API-KEY": read_api_key(settings.api_key_env, "an API key of Datadog"),
        "DD-APPLICATION-KEY": read_api_key(settings.application_key_env, "an application key of Datadog"),
    }
    return HttpApi(settings.endpoint, headers, refusals=_REFUSALS, patience=patience)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except (schema.BadAnswerError, AttributeError, TypeError) as error:
        what = str(error) if isinstance(error, schema.BadAnswerError) else type(error).__name__
        raise TerminalError(
            f"{path}: the answer is not of the published shape ({what}); what was read before stays. Look whether a "
            "proxy answers in the API's place, and report this as a defect of everycent"
        ) from error


def _hour(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H}"
