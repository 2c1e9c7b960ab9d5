"""Settings of a `cloudwatch_log_volumes` source.

What belongs here: what the config may say about it. What must not: asking AWS.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.metrics.cloudwatch import CloudWatchSettings


class Settings(CloudWatchSettings):
    """The log groups of one account, in the regions that have any."""

    connector: str = "cloudwatch_log_volumes"
    log_groups: tuple[str, ...] = Field(
        default=(),
        description="Log groups to ask for besides those that CloudWatch lists: it forgets one two weeks after its "
        "last event, which matters when older days are read.",
    )
