"""CloudWatch: which metrics there are, and their values by day, hour or minute.

What belongs here: the service's client, paging, its errors in words. What must not: what a metric means.
Permissions: `cloudwatch:ListMetrics`, `cloudwatch:GetMetricData` on `*` (neither can be narrowed).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from pydantic import Field

from connectors.common.apis.settings import WindowSettings
from connectors.common.contract import TerminalError, TransientError

QUERIES_AT_ONCE = 500
HOUR_SECONDS = 3600
DAY_SECONDS = 86_400
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
_UNKNOWN_KEY = frozenset({"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch"})
_BUSY = frozenset(
    {"Throttling", "ThrottlingException", "InternalFailure", "InternalServiceFault", "ServiceUnavailable"}
)

Region = Annotated[str, Field(pattern=r"^[a-z]{2,5}(-[a-z]+)+-\d$")]
Dimensions = tuple[tuple[str, str], ...]


class CloudWatchSettings(WindowSettings):
    """Base of the settings of a source that is metrics of one AWS account."""

    account_id: str = Field(pattern=r"^\d{12}$", description="The account whose metrics these are.")
    regions: tuple[Region, ...] = Field(min_length=1, description="Regions that are asked.")
    profile: str | None = Field(
        default=None, description="Profile of the AWS config files. Default: the credentials chain."
    )
    endpoint: str | None = Field(
        default=None,
        description="Address of AWS where it is not the usual one: private endpoints.",
        pattern=r"^https?://[^\s@?#]+$",
    )
    history_days: int = Field(
        default=14, ge=1, le=455, description="Without `first_day`: how many days back a first run goes."
    )


@dataclass(frozen=True)
class MetricQuery:
    """One metric with all of its dimensions, and how its samples of a period become one number."""

    namespace: str
    metric: str
    dimensions: Dimensions
    statistic: str = "Sum"
    period_seconds: int = HOUR_SECONDS


class AwsRegion:
    """One region of one account. Methods raise TransientError or TerminalError, in words."""

    def __init__(self, settings: CloudWatchSettings, region: str) -> None:
        self._settings = settings
        self.region = region
        with self.in_words("sign in"):
            self._session = boto3.Session(profile_name=settings.profile, region_name=region)
        self._metrics = self.open("cloudwatch")

    def open(self, service: str) -> Any:
        """Return a client of another service of the region."""
        with self.in_words("sign in"):
            return self._session.client(
                service,
                endpoint_url=self._settings.endpoint,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 6},
                    connect_timeout=10,
                    read_timeout=60,
                    user_agent_extra="everycent",
                ),
            )

    def list_metrics(self, namespace: str, metric: str) -> set[Dimensions]:
        """Return the dimensions of a metric's series, sorted by name; CloudWatch forgets one two weeks after its last
        value.
        """
        found: set[Dimensions] = set()
        with self.in_words("cloudwatch:ListMetrics"):
            pages = self._metrics.get_paginator("list_metrics").paginate(
                Namespace=namespace, MetricName=metric
            )
            for page in pages:
                for listed in page["Metrics"]:
                    found.add(tuple(sorted((d["Name"], d["Value"]) for d in listed["Dimensions"])))
        return found

    def read_values(
        self, queries: Sequence[MetricQuery], start: datetime, end: datetime
    ) -> Mapping[MetricQuery, dict[datetime, Decimal]]:
        """Return time → number of each query, periods without any absent; times are UTC without zone."""
        found: dict[MetricQuery, dict[datetime, Decimal]] = {query: {} for query in queries}
        for first in range(0, len(queries), QUERIES_AT_ONCE):
            self._read_some(queries[first : first + QUERIES_AT_ONCE], start, end, found)
        return found

    def _read_some(
        self,
        queries: Sequence[MetricQuery],
        start: datetime,
        end: datetime,
        found: dict[MetricQuery, dict[datetime, Decimal]],
    ) -> None:
        asked = [_build_query(f"q{number}", query) for number, query in enumerate(queries)]
        with self.in_words("cloudwatch:GetMetricData"):
            pages = self._metrics.get_paginator("get_metric_data").paginate(
                MetricDataQueries=asked,
                StartTime=start.replace(tzinfo=UTC),
                EndTime=end.replace(tzinfo=UTC),
                ScanBy="TimestampAscending",
            )
            for page in pages:
                for result in page["MetricDataResults"]:
                    values = found[queries[int(result["Id"][1:])]]
                    for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                        values[moment.astimezone(UTC).replace(tzinfo=None)] = Decimal(str(value))

    @contextmanager
    def in_words(self, action: str) -> Iterator[None]:
        """Raise what AWS refuses while the block runs as what to do about it."""
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
                f"AWS in {self.region} cannot be reached ({type(error).__name__}); look at the network, the region and "
                "`endpoint`, and run again"
            ) from error

    def _explain(self, error: ClientError, action: str) -> TerminalError | TransientError:
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        if code in _DENIED:
            return TerminalError(
                f"AWS in {self.region}: {action} is not allowed ({code}); attach the policy of the connector's README"
            )
        if code in _UNKNOWN_KEY:
            return TerminalError(
                f"AWS in {self.region}: the credentials are not known there ({code}); look whether they are current, "
                "and whether the account has this region switched on"
            )
        if code in _BUSY:
            return TransientError(f"AWS in {self.region} is busy ({code}); run again")
        return TerminalError(f"AWS in {self.region}: {action} failed ({code}); check the settings")


def _build_query(query_id: str, query: MetricQuery) -> dict[str, Any]:
    return {
        "Id": query_id,
        "MetricStat": {
            "Metric": {
                "Namespace": query.namespace,
                "MetricName": query.metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in query.dimensions],
            },
            "Period": query.period_seconds,
            "Stat": query.statistic,
        },
        "ReturnData": True,
    }
