"""CloudWatch, as far as Bedrock's metrics need it.

What belongs here: the service's client, paging, its errors in words. What must not: what a metric means.
Permissions: `cloudwatch:ListMetrics`, `cloudwatch:GetMetricData` on `*` (neither can be narrowed).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from connectors.bedrock_metrics.schema import DIMENSION, METRICS, NAMESPACE
from connectors.bedrock_metrics.settings import Settings
from connectors.common.contract import TerminalError, TransientError

_DAY = timedelta(days=1)
_QUERIES_AT_ONCE = 500
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"})
_BUSY = frozenset(
    {"Throttling", "ThrottlingException", "InternalFailure", "InternalServiceFault", "ServiceUnavailable"}
)

Sums = dict[tuple[str, str, date], Decimal]
"""(model id, metric, UTC day) → sum."""


class RegionMetrics:
    """Bedrock's metrics of one region. Methods raise TransientError or TerminalError, in words."""

    def __init__(self, settings: Settings, region: str) -> None:
        self._region = region
        with self._in_words("sign in"):
            session = boto3.Session(profile_name=settings.profile, region_name=region)
            self._client: Any = session.client(
                "cloudwatch",
                endpoint_url=settings.endpoint,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 6},
                    connect_timeout=10,
                    read_timeout=60,
                    user_agent_extra="everycent",
                ),
            )

    def list_models(self) -> tuple[set[str], set[str]]:
        """Return the models that CloudWatch has sums of, and those it only has under further dimensions."""
        plain: set[str] = set()
        others: set[str] = set()
        with self._in_words("cloudwatch:ListMetrics"):
            for page in self._client.get_paginator("list_metrics").paginate(Namespace=NAMESPACE):
                for metric in page["Metrics"]:
                    names = {d["Name"]: d["Value"] for d in metric["Dimensions"]}
                    if metric["MetricName"] in METRICS and DIMENSION in names:
                        (plain if len(names) == 1 else others).add(names[DIMENSION])
        return plain, others - plain

    def read_sums(self, models: Sequence[str], first: date, last: date) -> Sums:
        """Return the sums of whole UTC days, `last` included; what nobody counted is absent."""
        wanted = [(model, metric) for model in sorted(models) for metric in METRICS]
        sums: Sums = {}
        for start in range(0, len(wanted), _QUERIES_AT_ONCE):
            sums |= self._read_some(wanted[start : start + _QUERIES_AT_ONCE], first, last)
        return sums

    def _read_some(self, wanted: Sequence[tuple[str, str]], first: date, last: date) -> Sums:
        queries = [_build_query(f"q{i}", model, metric) for i, (model, metric) in enumerate(wanted)]
        start = datetime.combine(first, time(), UTC)
        end = datetime.combine(last, time(), UTC) + _DAY
        sums: Sums = {}
        with self._in_words("cloudwatch:GetMetricData"):
            pages = self._client.get_paginator("get_metric_data").paginate(
                MetricDataQueries=queries, StartTime=start, EndTime=end, ScanBy="TimestampAscending"
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    model, metric = wanted[int(result["Id"][1:])]
                    for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                        day = moment.astimezone(UTC).date()
                        key = (model, metric, day)
                        sums[key] = sums.get(key, Decimal(0)) + Decimal(str(value))
        return sums

    @contextmanager
    def _in_words(self, action: str) -> Iterator[None]:
        try:
            yield
        except ProfileNotFound as error:
            raise TerminalError(f"{error}; correct `profile`, or add it to the AWS config files") from error
        except NoCredentialsError as error:
            raise TerminalError(
                "no AWS credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a `profile`, or "
                "run where a role is attached"
            ) from error
        except ClientError as error:
            raise self._explain(error, action) from error
        except BotoCoreError as error:
            raise TransientError(
                f"CloudWatch in {self._region} cannot be reached ({type(error).__name__}); look at the network, the "
                "region and `endpoint`, and run again"
            ) from error

    def _explain(self, error: ClientError, action: str) -> TerminalError | TransientError:
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        if code in _DENIED:
            return TerminalError(
                f"CloudWatch in {self._region}: {action} is not allowed ({code}); attach the policy of "
                "connectors/bedrock_metrics/README.md"
            )
        if code in _UNKNOWN_KEY:
            return TerminalError(
                f"CloudWatch in {self._region}: the credentials are not known there ({code}); look whether they are "
                "current, and whether the account has this region switched on"
            )
        if code in _BUSY:
            return TransientError(f"CloudWatch in {self._region} is busy ({code}); run again")
        return TerminalError(f"CloudWatch in {self._region}: {action} failed ({code}); check the settings")


def _build_query(query_id: str, model: str, metric: str) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": NAMESPACE,
                "MetricName": metric,
                "Dimensions": [{"Name": DIMENSION, "Value": model}],
            },
            "Period": 86400,
            "Stat": "Sum",
        },
        "ReturnData": True,
    }
