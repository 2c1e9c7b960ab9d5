"""Settings of a `capacity_metrics` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder of scrapes of vLLM, SGLang or DCGM, or of what Prometheus kept of them."""

    connector: str = "capacity_metrics"
    resource_labels: tuple[str, ...] = Field(
        default=("resource_id", "node", "Hostname", "hostname", "instance"),
        description="Labels that name the host or endpoint, first match wins; without any the folder of the file.",
    )
    replica_labels: tuple[str, ...] = Field(
        default=("pod", "exported_pod", "pod_name", "instance"),
        description="Labels that name the pod or process, as requests call it.",
    )
    zone_labels: tuple[str, ...] = Field(
        default=("zone", "topology_kubernetes_io_zone"), description="Labels that name the zone."
    )
    resources: dict[str, str] = Field(
        default_factory=dict,
        description="What a host is called on the bill or rate card: value of its label → resource id.",
    )
    capacity_kind: str = Field(
        default="gpu_host", pattern="^(gpu_host|endpoint)$", description="What is measured."
    )
    provider: str | None = Field(
        default=None,
        description="Provider as the request logs name it. Default: `vllm` or `sglang`, as its metrics are.",
    )
    longest_gap_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="Time between two samples that is still known; what lies in a longer gap is unknown, not idle.",
    )

    @property
    def longest_gap(self) -> timedelta:
        """The longest known time between two samples."""
        return timedelta(seconds=self.longest_gap_seconds)
