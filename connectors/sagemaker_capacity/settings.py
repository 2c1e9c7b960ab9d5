"""Settings of a `sagemaker_capacity` source.

What belongs here: what the config may say about it. What must not: asking AWS.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.metrics.cloudwatch import CloudWatchSettings


class Settings(CloudWatchSettings):
    """The endpoints of one account, in the regions that have any."""

    connector: str = "sagemaker_capacity"
    provider: str = Field(default="aws.sagemaker", description="Provider as the request logs name it.")
    models: dict[str, str] = Field(
        default_factory=dict,
        description="What an endpoint serves, as the request logs name it: endpoint name → model. Without it calls "
        "find their endpoint by `replica_id`, the endpoint's name.",
    )
    history_days: int = Field(
        default=14,
        ge=1,
        le=15,
        description="Without `first_day`: how many days back a first run goes. CloudWatch keeps minutes for 15 days.",
    )
