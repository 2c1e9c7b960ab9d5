"""Land the hours of SageMaker endpoints: up, busy, calls → `capacity`.

What belongs here: the order of the steps, what busy means. What must not: names of metrics (`schema.py`), asking AWS
(`common/metrics/cloudwatch.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.common.apis.windows import build_windows
from connectors.common.contract import CheckStep, ConnectorError, LandingContext, SourceReport
from connectors.common.datasets import CAPACITY
from connectors.common.metrics.cloudwatch import HOUR_SECONDS, AwsRegion, Dimensions, MetricQuery
from connectors.common.metrics.cloudwatch_days import RegionDays, land_regions
from connectors.sagemaker_capacity import schema
from connectors.sagemaker_capacity.settings import Settings

_MINUTE_SECONDS = 60
_MICROSECONDS = 1_000_000
_SCHEMA = pa.schema(
    [CAPACITY.schema.field(name) for name in CAPACITY.schema.names if not name.startswith("x_")]
)
_SHARE = Decimal(1).scaleb(-12)
Values = Mapping[MetricQuery, Mapping[datetime, Decimal]]


@dataclass
class _Hour:
    calls: Decimal = Decimal(0)
    latency_by_minute: dict[datetime, Decimal] = field(default_factory=dict)
    samples: Decimal = Decimal(0)
    gpu: list[Decimal] = field(default_factory=list)


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land the days of every region that are new or not final; a region that fails does not stop the others."""
    typing = {
        "connector": settings.connector,
        "version": schema.SCHEMA_VERSION,
        "account": settings.account_id,
        "provider": settings.provider,
        "models": dict(sorted(settings.models.items())),
    }
    return land_regions(settings, context, CAPACITY, partial(_land_days, settings), typing=typing)


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try to sign in, list the endpoints of every region and their metrics."""
    for region in settings.regions:
        try:
            aws = AwsRegion(settings, region)
            endpoints = _count_instances(aws)
            yield CheckStep(f"{region} endpoints", True, f"{len(endpoints):,} endpoints")
            series = aws.list_metrics(schema.INVOCATION_NAMESPACE, schema.INVOCATIONS)
        except ConnectorError as error:
            yield CheckStep(f"{region} metrics", False, str(error))
            continue
        yield CheckStep(f"{region} metrics", True, f"{len(series):,} series of calls")


def build_rows(
    values: Values, day: date, region: str, instances: Mapping[str, int], settings: Settings
) -> list[dict[str, Any]]:
    """Return the rows of one UTC day: one an endpoint and hour that it was up."""
    hours: dict[tuple[datetime, str], _Hour] = {}
    for query, found in values.items():
        name = dict(query.dimensions)[schema.ENDPOINT]
        for moment, value in found.items():
            if moment.date() == day:
                hour = hours.setdefault((moment.replace(minute=0, second=0, microsecond=0), name), _Hour())
                _add(hour, query.metric, moment, value)
    return [
        _build_row(start, name, hour, region, max(1, instances.get(name, 1)), settings)
        for (start, name), hour in sorted(hours.items(), key=lambda entry: entry[0])
        if hour.samples > 0 or hour.calls > 0
    ]


def _add(hour: _Hour, metric: str, moment: datetime, value: Decimal) -> None:
    if metric == schema.INVOCATIONS:
        hour.calls += value
    elif metric == schema.MODEL_LATENCY:
        hour.latency_by_minute[moment] = hour.latency_by_minute.get(moment, Decimal(0)) + value
    elif metric == schema.CPU:
        hour.samples += value
    else:
        hour.gpu.append(value)


def _build_row(
    start: datetime, name: str, hour: _Hour, region: str, instances: int, settings: Settings
) -> dict[str, Any]:
    """Busy: of every minute as much as calls took in it, and no more than the minute, for calls overlap."""
    busy = sum(
        (
            min(Decimal(_MINUTE_SECONDS), latency / _MICROSECONDS)
            for latency in hour.latency_by_minute.values()
        ),
        Decimal(0),
    )
    up = (
        min(HOUR_SECONDS, -(-int(hour.samples) // instances) * _MINUTE_SECONDS)
        if hour.samples
        else HOUR_SECONDS
    )
    share = sum(hour.gpu, Decimal(0)) / len(hour.gpu) / 100 if hour.gpu else None
    return {
        "hour_start": start,
        "provider": settings.provider,
        "account_id": settings.account_id,
        "resource_id": f"arn:aws:sagemaker:{region}:{settings.account_id}:endpoint/{name.lower()}",
        "replica_id": name,
        "capacity_kind": "endpoint",
        "model": settings.models.get(name),
        "provisioned_seconds": up,
        "busy_seconds": min(up, int(busy.to_integral_value())),
        "busy_basis": "requests",
        "requests": int(hour.calls.to_integral_value()),
        "utilisation_share": None if share is None else min(Decimal(1), share).quantize(_SHARE),
    }


def _land_days(settings: Settings, work: RegionDays) -> None:
    aws = work.aws
    instances = _count_instances(aws)
    queries = [
        query
        for namespace, metric, statistic, period in _ASKED
        for query in _build_queries(aws, namespace, metric, statistic, period)
    ]
    for window in build_windows(work.days, 1):
        values = aws.read_values(queries, window.start, window.end)
        for day in window.days:
            rows = pa.Table.from_pylist(build_rows(values, day, aws.region, instances, settings), _SCHEMA)
            work.windows.deliver(CAPACITY, day, rows, is_final=work.windows.is_final(day))


_ASKED = (
    (schema.INVOCATION_NAMESPACE, schema.INVOCATIONS, "Sum", HOUR_SECONDS),
    (schema.INVOCATION_NAMESPACE, schema.MODEL_LATENCY, "Sum", _MINUTE_SECONDS),
    (schema.INSTANCE_NAMESPACE, schema.CPU, "SampleCount", HOUR_SECONDS),
    (schema.INSTANCE_NAMESPACE, schema.GPU, "Average", HOUR_SECONDS),
)


def _build_queries(
    aws: AwsRegion, namespace: str, metric: str, statistic: str, period: int
) -> Iterable[MetricQuery]:
    """One query a variant of an endpoint; series by further dimensions (containers) are parts of these."""
    wanted = {schema.ENDPOINT, schema.VARIANT}
    listed: Sequence[Dimensions] = sorted(aws.list_metrics(namespace, metric))
    return [
        MetricQuery(namespace, metric, one, statistic, period)
        for one in listed
        if {name for name, _ in one} == wanted
    ]


def _count_instances(aws: AwsRegion) -> dict[str, int]:
    """Endpoint name → instances that it has now."""
    client = aws.open("sagemaker")
    found: dict[str, int] = {}
    with aws.in_words("sagemaker:ListEndpoints"):
        names = [
            endpoint["EndpointName"]
            for page in client.get_paginator("list_endpoints").paginate()
            for endpoint in page["Endpoints"]
        ]
    for name in names:
        with aws.in_words("sagemaker:DescribeEndpoint"):
            variants = client.describe_endpoint(EndpointName=name).get("ProductionVariants") or ()
        found[name] = sum(variant.get("CurrentInstanceCount") or 0 for variant in variants)
    return found
