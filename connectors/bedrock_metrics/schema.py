"""What each CloudWatch metric of Bedrock counts.

What belongs here: names of metrics and what they mean. What must not: asking AWS.

Source: "Monitor bedrock-runtime inference using CloudWatch metrics" of the Bedrock user guide. Input leaves cached
tokens out, as the invocation log does.
"""

from __future__ import annotations

from dataclasses import dataclass

NAMESPACE = "AWS/Bedrock"
DIMENSION = "ModelId"
PROVIDER = "aws.bedrock"


@dataclass(frozen=True)
class Metric:
    """What the daily sum of a metric is."""

    usage_kind: str
    unit: str
    token_class: str | None = None


METRICS: dict[str, Metric] = {
    "InputTokenCount": Metric("tokens", "tokens", "uncached_input_tokens"),
    "CacheReadInputTokenCount": Metric("tokens", "tokens", "cache_read_tokens"),
    "CacheWriteInputTokenCount": Metric("tokens", "tokens", "cache_write_5m_tokens"),
    "OutputTokenCount": Metric("tokens", "tokens", "output_tokens"),
    "OutputImageCount": Metric("images", "images"),
    "Invocations": Metric("requests", "requests"),
    "InvocationClientErrors": Metric("client_errors", "requests"),
    "InvocationServerErrors": Metric("server_errors", "requests"),
    "InvocationThrottles": Metric("throttled_requests", "requests"),
}
"""Cache writes of both lifetimes come in one sum: it counts as five-minute writes, and a finding tells so."""
