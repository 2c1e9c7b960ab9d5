"""Land Bedrock's CloudWatch metrics: a region's daily sums by model → rows of `provider_usage`.

What belongs here: the order of the steps. What must not: names of metrics (`schema.py`), asking AWS (`metrics.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from connectors.bedrock_metrics.metrics import RegionMetrics, Sums
from connectors.bedrock_metrics.schema import METRICS, PROVIDER
from connectors.bedrock_metrics.settings import Settings
from connectors.common.api_windows import ApiWindows, build_windows
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, Severity, SourceReport
from connectors.common.datasets import PROVIDER_USAGE
from connectors.common.source_landing import SourceLanding

SCHEMA_VERSION = 1
_DAY = timedelta(days=1)
_DAYS_AT_ONCE = 100
_COLUMNS = (
    "bucket_start", "bucket_end", "provider", "billing_account_id", "sub_account_id", "region_id", "model",
    "usage_kind", "token_class", "quantity", "unit", "is_final",
)  # fmt: skip
_SCHEMA = pa.schema([PROVIDER_USAGE.schema.field(name) for name in _COLUMNS])


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days of every region that are new or not final; a region that fails does not stop the others."""
    typing = {"connector": "bedrock_metrics", "version": SCHEMA_VERSION, "account": settings.account_id}
    landing = SourceLanding(settings, context, typing=typing)
    if not landing.is_reading_only:
        for region in settings.regions:
            try:
                _land_region(landing, settings, region)
            except ConnectorError as error:
                landing.add(
                    PROVIDER_USAGE.name, "unreachable_api", f"{landing.source}: {error}", Severity.FAULT
                )
    return landing.report()


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to sign in, list and read the metrics of every region."""
    for region in settings.regions:
        try:
            metrics = RegionMetrics(settings, region)
            models = metrics.list_models()[0] | set(settings.model_ids)
        except ConnectorError as error:
            yield CheckStep(f"{region} list", False, str(error))
            yield CheckStep(f"{region} read", None, "not tried without a list")
            continue
        if not models:
            message = f"Bedrock counted nothing in {region} in the last two weeks; correct `regions`"
            yield CheckStep(f"{region} list", False, message)
            yield CheckStep(f"{region} read", None, "not tried, for there is nothing to read")
            continue
        yield CheckStep(f"{region} list", True, f"{len(models)} models")
        try:
            metrics.read_sums(sorted(models)[:1], date(2026, 1, 1), date(2026, 1, 1))
        except ConnectorError as error:
            yield CheckStep(f"{region} read", False, str(error))
        else:
            yield CheckStep(f"{region} read", True, "sums may be read")


def _land_region(landing: SourceLanding, settings: Settings, region: str) -> None:
    windows = ApiWindows(
        landing,
        first_day=settings.choose_first_day(landing.context.now),
        overlap_days=settings.overlap_days,
        final_after_days=None,
        part=region,
    )
    days = windows.days_to_read(PROVIDER_USAGE)
    if not days:
        return
    metrics = RegionMetrics(settings, region)
    models = _find_models(landing, settings, region, metrics)
    has_cache_writes = False
    for window in build_windows(days, _DAYS_AT_ONCE):
        sums = metrics.read_sums(sorted(models), window.days[0], window.days[-1])
        for day in window.days:
            is_final = windows.is_final(day)
            rows = build_rows(sums, day, settings.account_id, region, is_final=is_final)
            has_cache_writes |= "cache_write_5m_tokens" in {row["token_class"] for row in rows}
            windows.deliver(PROVIDER_USAGE, day, pa.Table.from_pylist(rows, _SCHEMA), is_final=is_final)
    if has_cache_writes:
        message = (
            f"{landing.source}: CloudWatch sums cache writes of five minutes and of an hour; they count as five-minute "
            "writes, the invocation log tells them apart"
        )
        landing.add(PROVIDER_USAGE.name, "cache_lifetime_assumed", message, Severity.INFO)


def _find_models(landing: SourceLanding, settings: Settings, region: str, metrics: RegionMetrics) -> set[str]:
    """The models listed now, listed by an earlier run, and configured; CloudWatch forgets one after two weeks."""
    listed, only_detailed = metrics.list_models()
    if only_detailed:
        message = (
            f"{landing.source}: {len(only_detailed)} models in {region} have metrics under further dimensions only, "
            "and are not counted"
        )
        landing.add(PROVIDER_USAGE.name, "uncounted_model", message, Severity.WARN, count=len(only_detailed))
    key = f"models {region}"
    models = listed | set(landing.seen.notes.get(key, ())) | set(settings.model_ids)
    landing.seen.write_note(key, sorted(models))
    return models


def build_rows(
    sums: Sums, day: date, account_id: str, region: str, *, is_final: bool
) -> list[dict[str, Any]]:
    """Return the rows of one UTC day: one a model and metric that counted anything."""
    start = datetime.combine(day, time())
    counted: Iterable[Any] = sorted((key, value) for key, value in sums.items() if key[2] == day and value)
    return [
        {
            "bucket_start": start,
            "bucket_end": start + _DAY,
            "provider": PROVIDER,
            "billing_account_id": None,
            "sub_account_id": account_id,
            "region_id": region,
            "model": model,
            "usage_kind": METRICS[metric].usage_kind,
            "token_class": METRICS[metric].token_class,
            "quantity": value,
            "unit": METRICS[metric].unit,
            "is_final": is_final,
        }
        for (model, metric, _), value in counted
    ]
