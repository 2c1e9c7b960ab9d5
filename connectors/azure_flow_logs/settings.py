"""Settings of Azure flow logs.

What belongs here: what the config may say about them. What must not: reading files.
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.flows.settings import FlowLogSettings


class Settings(FlowLogSettings):
    """A container of virtual network flow logs: `path: az://ACCOUNT/insights-logs-flowlogflowevent`."""

    connector: str = "azure_flow_logs"
    pattern: str = Field(default="**/PT1H.json", description="Which files below it.")
