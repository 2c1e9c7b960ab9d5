"""Landing an Anthropic organization: the usage report → `provider_usage`, the cost report → `charges`.

What belongs here: which days are asked for, in which requests, and what a failure of one does to the other. What
must not: what fields mean (`usage_rows.py`, `bill_format.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from connectors.anthropic import schema
from connectors.anthropic.bill_format import KNOWN_FIELDS, build_format, build_lines
from connectors.anthropic.check import check_source
from connectors.anthropic.reports import (
    fetch_costs,
    fetch_organization,
    fetch_usage,
    open_api,
    read_bucket,
    write_instant,
)
from connectors.anthropic.settings import Settings
from connectors.anthropic.usage_rows import UsageRows, build_usage_rows
from connectors.common.apis.bucketed_reports import (
    Bucket,
    keep_account,
    land_days,
    land_part,
    name_part,
    write_exact,
)
from connectors.common.apis.daily_bills import DailyBills
from connectors.common.apis.http_api import HttpApi, load_exact_json
from connectors.common.apis.report_rows import UnknownFields, build_table
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
from connectors.common.source_files import FileFault
from connectors.common.source_landing import SourceLanding

_ORGANIZATION_NOTE = "organization"
_GAP_NOTE = "gap "


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days that are new or not final; what fails is a finding, and what was known before stays."""
    landing = SourceLanding(settings, context, typing={"anthropic_schema": schema.SCHEMA_VERSION})
    if not landing.is_reading_only:
        _AnthropicLanding(landing, settings).run()
    return keep_account(landing.report(), _find_known(landing, settings))


def _find_known(landing: SourceLanding, settings: Settings) -> str | None:
    """The organization as stated, else as the API said it before."""
    return settings.organization_id or landing.seen.notes.get(_ORGANIZATION_NOTE)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try the key, whose it is, and a page of each report."""
    yield from check_source(settings)


class _AnthropicLanding:
    """One run over one organization."""

    def __init__(self, landing: SourceLanding, settings: Settings) -> None:
        self._landing = landing
        self._settings = settings
        self._first_day = settings.choose_first_day(landing.context.now)

    def run(self) -> None:
        self._type_anew()
        try:
            api = open_api(self._settings)
        except ConnectorError as error:
            dataset = CHARGES if self._settings.costs else PROVIDER_USAGE
            message = f"{self._landing.source}: {error}"
            self._landing.add(dataset.name, "missing_key", message, Severity.FAULT)
            return
        with api:
            if self._settings.costs:
                land_part(self._landing, CHARGES, lambda: self._land_costs(api))
            if self._settings.usage:
                land_part(self._landing, PROVIDER_USAGE, lambda: self._land_usage(api))
        self._report_gaps()

    def _type_anew(self) -> None:
        """Type what is kept anew where settings changed; nobody is asked."""
        organization = _find_known(self._landing, self._settings)
        if organization is not None:
            self._windows(organization, "messages").retype(PROVIDER_USAGE, _rebuild(organization))
            DailyBills(self._landing, build_format(), organization).finish()

    def _windows(self, organization: str, report: str) -> ApiWindows:
        return ApiWindows(
            self._landing,
            first_day=self._first_day,
            overlap_days=self._settings.overlap_days,
            final_after_days=None,
            part=name_part(organization, report),
        )

    def _find_organization(self, api: HttpApi) -> str:
        """The organization as stated, as known, or as the API says. Another one than before is refused."""
        stated = self._settings.organization_id
        if stated is not None:
            return stated
        found = fetch_organization(api)
        known = self._landing.seen.notes.get(_ORGANIZATION_NOTE)
        if known is not None and known != found:
            raise FileFault(
                "other_organization",
                f"the key is of organization {found}, this source was of {known}: its days would be counted beside "
                "those; give the other organization a source of its own",
            )
        self._landing.seen.write_note(_ORGANIZATION_NOTE, found)
        return found

    def _land_usage(self, api: HttpApi) -> None:
        settings, landing = self._settings, self._landing
        organization = self._find_organization(api)
        windows = self._windows(organization, "messages")
        width = settings.bucket_width
        longest = schema.MOST_BUCKETS[width] // schema.BUCKETS_A_DAY[width]

        def fetch(window: Window) -> dict[date, list[Bucket]]:
            found = fetch_usage(api, settings, window)
            return {
                day: [mask_users(bucket, landing.context.identity) for bucket in found[day]] for day in found
            }

        def deliver(day: date, buckets: list[Bucket]) -> None:
            is_final = windows.is_final(day)
            built = build_usage_rows(buckets, settings.group_by, organization, is_final=is_final)
            windows.deliver(
                PROVIDER_USAGE,
                day,
                build_table(built.rows, PROVIDER_USAGE),
                is_final=is_final,
                pages=write_buckets(buckets, settings.group_by),
                findings=tuple(built.unknown.build_findings(landing.source, PROVIDER_USAGE, "usage_report")),
            )
            self._note_gap("priority_tokens", day, built.priority_tokens)

        land_days(landing, windows, PROVIDER_USAGE, longest, fetch, deliver)

    def _land_costs(self, api: HttpApi) -> None:
        organization = self._find_organization(api)
        windows = self._windows(organization, "costs")
        bills = DailyBills(self._landing, build_format(), organization)
        unknown = UnknownFields()

        def deliver(day: date, buckets: list[Bucket]) -> None:
            lines = list(build_lines(buckets, organization))
            for result in (result for bucket in buckets for result in bucket.results):
                unknown.note(result, KNOWN_FIELDS)
            if bills.deliver(day, lines):
                windows.note_read(CHARGES, day, is_final=windows.is_final(day))
                unused = [line for line in lines if line["cost_type"] in schema.COST_TYPES_WITHOUT_USAGE]
                dollars = sum((Decimal(line["amount_usd"]) for line in unused), Decimal(0))
                self._note_gap("dollars_without_usage", day, dollars)

        land_days(
            self._landing,
            windows,
            CHARGES,
            schema.MOST_BUCKETS["1d"],
            lambda window: fetch_costs(api, window),
            deliver,
        )
        self._landing.add_findings(unknown.build_findings(self._landing.source, CHARGES, "cost_report"))

    def _note_gap(self, name: str, day: date, amount: Decimal) -> None:
        """Remember how much of a day one report has and the other has not."""
        key = f"{_GAP_NOTE}{name}\n{day.isoformat()}"
        if amount or key in self._landing.seen.notes:
            self._landing.seen.write_note(key, str(amount))

    def _report_gaps(self) -> None:
        """Say what Anthropic's two reports leave out of each other, of the days that this source asks for."""
        source = self._landing.source
        tokens, days = self._sum_gap("priority_tokens")
        if tokens:
            message = (
                f"{source}: {tokens:,.0f} tokens of Priority Tier on {days} days are in no cost report: their cost is "
                "in the commitment's invoice alone; deliver it as FOCUS file, or they show as used and unbilled"
            )
            self._landing.add(PROVIDER_USAGE.name, "priority_tier_unbilled", message, Severity.WARN)
        dollars, days = self._sum_gap("dollars_without_usage")
        if dollars:
            message = (
                f"{source}: {dollars:,.2f} USD of code execution and sessions on {days} days have no usage in any "
                "report: they are billed, and no count says who caused them"
            )
            self._landing.add(CHARGES.name, "cost_without_usage", message, Severity.INFO)

    def _sum_gap(self, name: str) -> tuple[Decimal, int]:
        prefix, first = f"{_GAP_NOTE}{name}\n", self._first_day.isoformat()
        amounts = [
            Decimal(value)
            for key, value in self._landing.seen.notes.items()
            if key.startswith(prefix) and key.removeprefix(prefix) >= first
        ]
        amounts = [amount for amount in amounts if amount]
        return sum(amounts, Decimal(0)), len(amounts)


def _rebuild(organization: str) -> Callable[[date, Sequence[bytes], bool], pa.Table]:
    def build(day: date, pages: Sequence[bytes], is_final: bool) -> pa.Table:
        rows: list[dict[str, Any]] = []
        for page in pages:
            entry = load_exact_json(page)
            built: UsageRows = build_usage_rows(
                [read_bucket(entry)], entry["group_by"], organization, is_final=is_final
            )
            rows += built.rows
        return build_table(rows, PROVIDER_USAGE)

    return build


def mask_users(bucket: Bucket, identity: Identity) -> Bucket:
    """Return a bucket with every account's id pseudonymised: nothing else of a user is kept, in no file."""
    masked = tuple(
        {**result, "account_id": identity.pseudonymise(str(result["account_id"]))}
        if result.get("account_id")
        else result
        for result in bucket.results
    )
    return Bucket(bucket.start, bucket.end, masked)


def write_buckets(buckets: list[Bucket], grouped: Sequence[str]) -> list[bytes]:
    """Return buckets as they are kept: a line of JSON each, with what they were grouped by, which nulls depend on."""
    return [
        write_exact(
            {
                "starting_at": write_instant(bucket.start),
                "ending_at": write_instant(bucket.end),
                "group_by": list(grouped),
                "results": sorted(bucket.results, key=write_exact),
            }
        ).encode()
        for bucket in buckets
    ]
