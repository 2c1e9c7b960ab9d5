"""Land Bedrock's CloudWatch metrics: a region's daily sums by model → rows of `provider_usage`.

What belongs here: the order of the steps. What must not: names of metrics (`schema.py`), asking AWS
(`common/metrics/cloudwatch.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.bedrock_metrics.schema import DIMENSION, METRICS, NAMESPACE, PROVIDER
from connectors.bedrock_metrics.settings import Settings
from connectors.common.apis.windows import build_windows
from connectors.common.contract import CheckStep, LandingContext, Severity, SourceReport
from connectors.common.datasets import PROVIDER_USAGE
from connectors.common.metrics.cloudwatch import DAY_SECONDS, AwsRegion, MetricQuery
from connectors.common.metrics.cloudwatch_days import RegionDays, check_regions, land_regions

SCHEMA_VERSION = 1
_DAY = timedelta(days=1)
_DAYS_AT_ONCE = 100
_COLUMNS = (
    "bucket_start", "bucket_end", "provider", "billing_account_id", "sub_account_id", "region_id", "model",
    "usage_kind", "token_class", "quantity", "unit", "is_final",
)  # fmt: skip
_SCHEMA = pa.schema([PROVIDER_USAGE.schema.field(name) for name in _COLUMNS])
Sums = Mapping[MetricQuery, Mapping[datetime, Decimal]]


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days of every region that are new or not final; a region that fails does not stop the others."""
    typing = {"connector": "bedrock_metrics", "version": SCHEMA_VERSION, "account": settings.account_id}
    return land_regions(settings, context, PROVIDER_USAGE, partial(_land_days, settings), typing=typing)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to sign in, list and read the metrics of every region."""
    yield from check_regions(
        settings, "models", lambda aws: _list_models(aws)[0] | set(settings.model_ids), _build_queries
    )


def _land_days(settings: Settings, work: RegionDays) -> None:
    models, only_detailed = _list_models(work.aws)
    if only_detailed:
        message = (
            f"{len(only_detailed)} models in {work.aws.region} have metrics under further dimensions only, and are not "
            "counted"
        )
        work.add("uncounted_model", message, Severity.WARN, count=len(only_detailed))
    queries = _build_queries(sorted(work.remember("models", models | set(settings.model_ids))))
    has_cache_writes = False
    for window in build_windows(work.days, _DAYS_AT_ONCE):
        sums = work.aws.read_values(queries, window.start, window.end)
        for day in window.days:
            is_final = work.windows.is_final(day)
            rows = build_rows(sums, day, settings.account_id, work.aws.region, is_final=is_final)
            has_cache_writes |= "cache_write_5m_tokens" in {row["token_class"] for row in rows}
            table = pa.Table.from_pylist(rows, _SCHEMA)
            work.windows.deliver(PROVIDER_USAGE, day, table, is_final=is_final)
    if has_cache_writes:
        message = (
            "CloudWatch sums cache writes of five minutes and of an hour; they count as five-minute writes, the "
            "invocation log tells them apart"
        )
        work.add("cache_lifetime_assumed", message, Severity.INFO)


def _list_models(aws: AwsRegion) -> tuple[set[str], set[str]]:
    """The models that CloudWatch has sums of, and those it only has under further dimensions."""
    plain: set[str] = set()
    others: set[str] = set()
    for metric in METRICS:
        for dimensions in aws.list_metrics(NAMESPACE, metric):
            names = dict(dimensions)
            if DIMENSION in names:
                (plain if len(names) == 1 else others).add(names[DIMENSION])
    return plain, others - plain


def _build_queries(models: Sequence[str]) -> list[MetricQuery]:
    return [
        MetricQuery(NAMESPACE, metric, ((DIMENSION, model),), period_seconds=DAY_SECONDS)
        for model in models
        for metric in METRICS
    ]


def build_rows(
    sums: Sums, day: date, account_id: str, region: str, *, is_final: bool
) -> list[dict[str, Any]]:
    """Return the rows of one UTC day: one a model and metric that counted anything."""
    start = datetime.combine(day, time())
    counted = sorted(
        (dict(query.dimensions)[DIMENSION], query.metric, values[start])
        for query, values in sums.items()
        if values.get(start)
    )
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
        for model, metric, value in counted
    ]
