"""How Bedrock names its log objects and writes a record; nothing besides ever leaves a record.

What belongs here: keys of objects, field names, forms of ARNs. What must not: reading files, arithmetic on tokens.

Source: "Monitor model invocation using CloudWatch Logs and Amazon S3" of the Bedrock user guide; the counts of cache
tokens, `inferenceRegion` and `errorCode` stand in records, not in that page. A file is gzipped JSON lines.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.common.logs.objects import LogGroup

SCHEMA_TYPE = "ModelInvocationLog"
PROVIDER = "aws.bedrock"

_KEY = re.compile(
    r"(?:.*/)?AWSLogs/(?P<account>\d{12})/BedrockModelInvocationLogs/(?P<region>[a-z0-9-]+)/"
    r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/(?P<hour>\d{2})/[^/]+\.json\.gz"
)
_PERMISSION_CHECK = "amazon-bedrock-logs-permission-check"
_SESSION = re.compile(r"arn:aws[a-z-]*:sts::\d{12}:assumed-role/(?P<role>[^/]+)/(?P<session>.+)")
_NAMED_MODEL = re.compile(
    r"arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/(?P<id>[^/]+)"
)


@dataclass(frozen=True)
class Layout:
    """`AWSLogs/<account>/BedrockModelInvocationLogs/<region>/YYYY/MM/DD/HH/*.json.gz`; large bodies lie deeper,
    under `data/`, and are no logs."""

    account_ids: Sequence[str] = ()
    regions: Sequence[str] = ()

    def list_prefixes(self, location: int, day: date) -> Sequence[str]:
        """The folder of a day, by account and region; everything where those are not stated."""
        folders = [
            f"AWSLogs/{account}/BedrockModelInvocationLogs/{region}/{day:%Y/%m/%d}/"
            for account in self.account_ids
            for region in self.regions
        ]
        return folders or ("",)

    def find_groups(self, key: str) -> Sequence[LogGroup]:
        """The objects of an account, region and hour are one delivery."""
        match = _KEY.fullmatch(key)
        if match is None or _PERMISSION_CHECK in key:
            return ()
        if self.account_ids and match["account"] not in self.account_ids:
            return ()
        if self.regions and match["region"] not in self.regions:
            return ()
        try:
            day = date(int(match["year"]), int(match["month"]), int(match["day"]))
        except ValueError:
            return ()
        return (LogGroup(key.rpartition("/")[0], day),)

    def order(self, location: int, key: str) -> str:
        """By key, which is by time."""
        return key


def read_model(model_id: str) -> str:
    """Return the model that an id names: the last part of an ARN of a model or of a profile of AWS's own
    (`us.anthropic.…`); the ARN itself of an application's profile, which only an alias can tell."""
    match = _NAMED_MODEL.fullmatch(model_id)
    return match["id"] if match else model_id


def read_session(arn: str) -> tuple[str, str] | None:
    """Return role and session name of an assumed role's ARN, None for other principals."""
    match = _SESSION.fullmatch(arn)
    return (match["role"], match["session"]) if match else None


@dataclass
class BodyNumbers:
    """What is taken of an answer's body: the provider's own usage object, times and tier. Never text of a message."""

    usage: dict[str, Any] | None = None
    start_usage: dict[str, Any] | None = None
    latency_milliseconds: Any = None
    first_byte_milliseconds: Any = None
    service_tier: Any = None


def read_body(body: object) -> BodyNumbers:
    """Return the numbers of a body: an answer, or the list of a stream's events.

    A stream of Claude tells the prompt in `message_start` and the answer in `message_delta`, cumulatively.
    """
    numbers = BodyNumbers()
    for part in body if isinstance(body, list) else [body]:
        if isinstance(part, Mapping):
            _read_part(part, numbers)
    return numbers


def _read_part(part: Mapping[str, Any], numbers: BodyNumbers) -> None:
    message, metadata = _object(part.get("message")), _object(part.get("metadata"))
    if "usage" in message:
        numbers.start_usage = _object(message["usage"])
    for holder in (part, metadata):
        if isinstance(holder.get("usage"), Mapping):
            numbers.usage = dict(holder["usage"])
        metrics = _object(holder.get("metrics"))
        numbers.latency_milliseconds = metrics.get("latencyMs", numbers.latency_milliseconds)
        tier = holder.get("serviceTier")
        numbers.service_tier = _object(tier).get("type", tier if isinstance(tier, str) else None) or (
            numbers.service_tier
        )
    invocation = _object(part.get("amazon-bedrock-invocationMetrics"))
    numbers.latency_milliseconds = invocation.get("invocationLatency", numbers.latency_milliseconds)
    numbers.first_byte_milliseconds = invocation.get("firstByteLatency", numbers.first_byte_milliseconds)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
