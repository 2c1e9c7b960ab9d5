"""Settings of Google Cloud VPC flow logs.

What belongs here: what the config may say about them. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.flows.settings import FlowLogSettings


class Settings(FlowLogSettings):
    """A folder of VPC flow logs as a log sink writes them: `path: gs://BUCKET/compute.googleapis.com/vpc_flows`."""

    connector: str = "gcp_flow_logs"
