"""Metrics of Azure OpenAI deployments with provisioned throughput.

What belongs here: names of metrics and fields, pure functions. What must not: reading files.

Source: "Supported metrics for Microsoft.CognitiveServices/accounts" and the answer of `Microsoft.Insights/metrics`
(2023-10-01), which `az monitor metrics list` prints as it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.azure_ptu_metrics.settings import Settings
from connectors.common.parsing import parse_instant

SCHEMA_VERSION = 1
UTILISATION = "AzureOpenAIProvisionedManagedUtilizationV2"
COUNTED = {
    "AzureOpenAIRequests": "requests",
    "ProcessedPromptTokens": "input_tokens",
    "GeneratedTokens": "output_tokens",
}
"""Metric → column of `capacity`; totals."""
_METRICS_PATH = "/providers/microsoft.insights/metrics/"
_DEPLOYMENT = "modeldeploymentname"
_LARGEST = Decimal(10**15)


class BadMetricError(ValueError):
    """A metric that is none of the published shape; says the field."""


@dataclass
class Hour:
    """What was told of one deployment in one hour: use by the time it was told for, and counts."""

    used: dict[datetime, Decimal] = field(default_factory=dict)
    counted: dict[str, Decimal] = field(default_factory=dict)


Hours = dict[tuple[datetime, str, str], Hour]
"""(hour, account, deployment) → what was told."""


def add_metric(found: Hours, metric: Mapping[str, Any]) -> None:
    """Add a metric of an answer; others than those named here are passed over. Raises BadMetricError."""
    name = (metric.get("name") or {}).get("value")
    if name != UTILISATION and name not in COUNTED:
        return
    path = str(metric.get("id") or "")
    end = path.lower().rfind(_METRICS_PATH)
    if end <= 0:
        raise BadMetricError("id")
    for series in _list(metric, "timeseries"):
        deployment = next(
            (
                str(told["value"])
                for told in series.get("metadatavalues") or ()
                if str((told.get("name") or {}).get("value", "")).lower() == _DEPLOYMENT
            ),
            "",
        )
        for point in _list(series, "data"):
            _add_point(found, str(name), path[:end], deployment, point)


def _add_point(found: Hours, name: str, account: str, deployment: str, point: Mapping[str, Any]) -> None:
    value = point.get("average") if name == UTILISATION else point.get("total")
    if value is None:
        return
    try:
        at, amount = parse_instant(str(point["timeStamp"])), Decimal(str(value))
    except (KeyError, ValueError, InvalidOperation) as error:
        raise BadMetricError("data") from error
    if not amount.is_finite() or not 0 <= amount < _LARGEST:
        raise BadMetricError("data")
    hour = found.setdefault((at.replace(minute=0, second=0, microsecond=0), account, deployment), Hour())
    if name == UTILISATION:
        hour.used[at] = amount
    else:
        column = COUNTED[name]
        hour.counted[column] = hour.counted.get(column, Decimal(0)) + amount


def build_rows(found: Hours, interval: timedelta, settings: Settings) -> Iterable[dict[str, Any]]:
    """Yield a row an hour and deployment. Deployments of an account are parts of it by their size."""
    largest: dict[tuple[datetime, str], int] = {}
    for (hour, account, deployment), told in found.items():
        if told.used:
            size = _size(deployment, settings)
            largest[hour, account] = max(size, largest.get((hour, account), 0))
    for (hour, account, deployment), told in sorted(found.items(), key=lambda entry: entry[0]):
        if not told.used:
            continue
        measured = min(3600, int(interval.total_seconds()) * len(told.used))
        share = min(Decimal(1), sum(told.used.values(), Decimal(0)) / len(told.used) / 100)
        seconds = measured * _size(deployment, settings) // largest[hour, account]
        known = settings.deployments.get(deployment)
        yield {
            "hour_start": hour,
            "provider": settings.provider,
            "resource_id": account,
            "replica_id": deployment or None,
            "capacity_kind": "ptu",
            "model": known.model if known else None,
            "provisioned_seconds": seconds,
            "provisioned_units": known.ptu if known else None,
            "busy_seconds": int((Decimal(seconds) * share).to_integral_value()),
            "busy_basis": "utilisation",
            "utilisation_share": share.quantize(Decimal(1).scaleb(-12)),
            **{column: int(amount.to_integral_value()) for column, amount in told.counted.items()},
        }


def _size(deployment: str, settings: Settings) -> int:
    known = settings.deployments.get(deployment)
    return known.ptu if known else 1


def _list(content: Mapping[str, Any], name: str) -> Iterable[Mapping[str, Any]]:
    listed = content.get(name)
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadMetricError(name)
    return listed
