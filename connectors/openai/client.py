"""Landing an OpenAI organization: usage reports → `provider_usage`, costs → `charges`.

What belongs here: which days are asked for, in which requests, and what a failure of one does to the others. What
must not: what fields mean (`usage_rows.py`, `bill_format.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.common.apis.bucketed_reports import (
    Bucket,
    Params,
    fetch_days,
    keep_account,
    land_days,
    land_part,
    name_part,
    write_exact,
)
from connectors.common.apis.daily_bills import DailyBills
from connectors.common.apis.http_api import HttpApi, Patience, load_exact_json, read_api_key
from connectors.common.apis.report_rows import UnknownFields, build_table
from connectors.common.apis.trials import try_until_unreachable
from connectors.common.apis.windows import ApiWindows, Window
from connectors.common.contract import (
    CheckStep,
    ConnectorError,
    LandingContext,
    Severity,
    SourceReport,
)
from connectors.common.datasets import CHARGES, PROVIDER_USAGE
from connectors.common.identity import Identity
from connectors.common.source_landing import SourceLanding
from connectors.openai import schema
from connectors.openai.bill_format import KNOWN_FIELDS, build_format, build_lines, count_without_amount
from connectors.openai.settings import Settings
from connectors.openai.usage_rows import UsageRows, build_usage_rows

_REFUSALS = {
    401: "OpenAI does not know the key, or not as one of `organization_id`; set an Admin API key of that organization "
    "(sk-admin-…)",
    403: "the key may not read usage; make an Admin API key with the scope `api.usage.read` (an organization owner "
    "can), a project's key has no right to it",
    404: "OpenAI knows no such report; take it out of `usage`, or correct `endpoint`",
}


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days that are new or not final; what fails is a finding, and what was known before stays."""
    landing = SourceLanding(settings, context, typing={"openai_schema": schema.SCHEMA_VERSION})
    if not landing.is_reading_only:
        _OpenAILanding(landing, settings).run()
    return keep_account(landing.report(), settings.organization_id)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether there is a key, and whether one page of usage and one of costs can be read with it."""
    try:
        api = _open_api(settings, settings.trial_patience)
    except ConnectorError as error:
        yield CheckStep("key", False, str(error))
        yield CheckStep("usage", None, "not tried without a key")
        yield CheckStep("costs", None, "not tried without a key")
        return
    yield CheckStep("key", True, f"{settings.api_key_env} is set")
    now = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    window = Window(now - timedelta(days=1), now)
    tries: list[tuple[str, str, Params]] = [
        ("usage", *_usage_request(settings, endpoint, window)) for endpoint in settings.usage[:1]
    ]
    if settings.costs:
        tries.append(("costs", "/organization/costs", _cost_params(settings, window)))
    with api:
        yield from try_until_unreachable(
            [(name, partial(_try_page, api, path, params, window)) for name, path, params in tries]
        )


def _try_page(api: HttpApi, path: str, params: Params, window: Window) -> str:
    found = fetch_days(api, path, params, window, read_bucket)
    results = sum(len(bucket.results) for buckets in found.values() for bucket in buckets)
    return f"{path} answers: {results} rows of {window.start.date()}"


def _open_api(settings: Settings, patience: Patience) -> HttpApi:
    key = read_api_key(settings.api_key_env, "an Admin API key of the OpenAI organization")
    headers = {"Authorization": f"Bearer {key}", "OpenAI-Organization": settings.organization_id}
    return HttpApi(settings.endpoint, headers, refusals=_REFUSALS, patience=patience)


def read_bucket(entry: dict[str, Any]) -> Bucket:
    """Return a bucket of a page. Raises KeyError, TypeError, ValueError for what is none."""
    start, end = (_from_seconds(entry[name]) for name in ("start_time", "end_time"))
    results = entry["results"]
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise TypeError("results are no list of objects")
    return Bucket(start, end, tuple(results))


def _from_seconds(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a time in seconds")
    return datetime(1970, 1, 1) + timedelta(seconds=value)  # noqa: DTZ001 (times in the lake are naive UTC)


def _to_seconds(moment: datetime) -> str:
    return str(int(moment.replace(tzinfo=UTC).timestamp()))


def _usage_request(settings: Settings, endpoint: str, window: Window) -> tuple[str, list[tuple[str, str]]]:
    width = settings.bucket_width
    params = [
        ("start_time", _to_seconds(window.start)),
        ("end_time", _to_seconds(window.end)),
        ("bucket_width", width),
        ("limit", str(min(schema.MOST_BUCKETS[width], len(window.days) * schema.BUCKETS_A_DAY[width]))),
    ]
    params += [("group_by", name) for name in _find_dimensions(settings, endpoint)]
    return f"/organization/usage/{endpoint}", params


def _find_dimensions(settings: Settings, endpoint: str) -> list[str]:
    return [name for name in settings.group_by if name in schema.ENDPOINTS[endpoint].group_by]


def _cost_params(settings: Settings, window: Window) -> list[tuple[str, str]]:
    return [
        ("start_time", _to_seconds(window.start)),
        ("end_time", _to_seconds(window.end)),
        ("bucket_width", "1d"),
        ("limit", str(len(window.days))),
        *(("group_by", name) for name in settings.cost_group_by),
    ]


class _OpenAILanding:
    """One run over one organization."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._bills = DailyBills(landing, build_format(), settings.organization_id)

    def run(self) -> None:
        for endpoint in schema.ENDPOINTS:
            self._windows(endpoint).retype(PROVIDER_USAGE, self._rebuild(endpoint))
        self._bills.finish()
        try:
            api = _open_api(self._settings, self._settings.patience)
        except ConnectorError as error:
            dataset = CHARGES if self._settings.costs else PROVIDER_USAGE
            message = f"{self._landing.source}: {error}"
            self._landing.add(dataset.name, "missing_key", message, Severity.FAULT)
            return
        with api:
            if self._settings.costs:
                land_part(self._landing, CHARGES, lambda: self._land_costs(api))
            for endpoint in self._settings.usage:
                land_part(
                    self._landing, PROVIDER_USAGE, lambda endpoint=endpoint: self._land_usage(api, endpoint)
                )

    def _windows(self, part: str) -> ApiWindows:
        settings = self._settings
        first_day = settings.choose_first_day(self._landing.context.now)
        return ApiWindows(
            self._landing,
            first_day=first_day,
            overlap_days=settings.overlap_days,
            final_after_days=None,
            part=name_part(settings.organization_id, part),
        )

    def _land_usage(self, api: HttpApi, endpoint: str) -> None:
        settings, windows = self._settings, self._windows(endpoint)
        identity = self._landing.context.identity
        width = settings.bucket_width
        longest = schema.MOST_BUCKETS[width] // schema.BUCKETS_A_DAY[width]

        def fetch(window: Window) -> dict[date, list[Bucket]]:
            path, params = _usage_request(settings, endpoint, window)
            found = fetch_days(api, path, params, window, read_bucket)
            return {day: [mask_users(bucket, identity) for bucket in found[day]] for day in found}

        def deliver(day: date, buckets: list[Bucket]) -> None:
            is_final = windows.is_final(day)
            built = self._build(endpoint, buckets, is_final=is_final)
            findings = built.unknown.build_findings(self._landing.source, PROVIDER_USAGE, endpoint)
            windows.deliver(
                PROVIDER_USAGE,
                day,
                build_table(built.rows, PROVIDER_USAGE),
                is_final=is_final,
                pages=write_buckets(buckets),
                findings=tuple(findings),
            )

        land_days(self._landing, windows, PROVIDER_USAGE, longest, fetch, deliver)

    def _land_costs(self, api: HttpApi) -> None:
        settings, windows = self._settings, self._windows("costs")
        unknown = UnknownFields()

        def fetch(window: Window) -> dict[date, list[Bucket]]:
            return fetch_days(api, "/organization/costs", _cost_params(settings, window), window, read_bucket)

        def deliver(day: date, buckets: list[Bucket]) -> None:
            lines = list(build_lines(buckets, settings.organization_id))
            for result in (result for bucket in buckets for result in bucket.results):
                unknown.note(result, KNOWN_FIELDS)
            missing = count_without_amount(buckets)
            if missing:
                message = f"{self._landing.source}: {day}: {missing} costs have no amount and are left out; ask OpenAI"
                self._landing.add(
                    CHARGES.name, "cost_without_amount", message, Severity.WARN, count=missing, day=day
                )
            if self._bills.deliver(day, lines):
                windows.note_read(CHARGES, day, is_final=windows.is_final(day))

        land_days(self._landing, windows, CHARGES, schema.MOST_BUCKETS["1d"], fetch, deliver)
        self._landing.add_findings(unknown.build_findings(self._landing.source, CHARGES, "costs"))

    def _build(self, endpoint: str, buckets: list[Bucket], *, is_final: bool) -> UsageRows:
        organization = self._settings.organization_id
        return build_usage_rows(endpoint, buckets, organization, is_final=is_final)

    def _rebuild(self, endpoint: str) -> Callable[[date, Sequence[bytes], bool], pa.Table]:
        def build(day: date, pages: Sequence[bytes], is_final: bool) -> pa.Table:
            buckets = [read_bucket(load_exact_json(page)) for page in pages]
            return build_table(self._build(endpoint, buckets, is_final=is_final).rows, PROVIDER_USAGE)

        return build


def mask_users(bucket: Bucket, identity: Identity) -> Bucket:
    """Return a bucket with every user's id pseudonymised: nothing else of a user is kept, in no file."""
    masked = tuple(
        {**result, "user_id": identity.pseudonymise(str(result["user_id"]))}
        if result.get("user_id")
        else result
        for result in bucket.results
    )
    return Bucket(bucket.start, bucket.end, masked)


def write_buckets(buckets: list[Bucket]) -> list[bytes]:
    """Return buckets as they are kept: a line of JSON each, results in an order of their own."""
    return [
        write_exact(
            {
                "start_time": int(_to_seconds(bucket.start)),
                "end_time": int(_to_seconds(bucket.end)),
                "results": sorted(bucket.results, key=write_exact),
            }
        ).encode()
        for bucket in buckets
    ]
