"""Settings of a source of Bedrock's CloudWatch metrics.

What belongs here: what the config may say about it. What must not: asking AWS.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.metrics.cloudwatch import CloudWatchSettings


class Settings(CloudWatchSettings):
    """The metrics of one account, in the regions that it calls models in."""

    connector: str = "bedrock_metrics"
    model_ids: tuple[str, ...] = Field(
        default=(),
        description="Models to ask for besides those that CloudWatch lists: it forgets a model two weeks after its "
        "last call, which matters when older days are read.",
    )
