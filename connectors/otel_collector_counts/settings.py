"""Settings of an `otel_collector_counts` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from connectors.common.stores.settings import StoredFileSettings


class Settings(StoredFileSettings):
    """A folder of scrapes of collectors, of what Prometheus kept of them, or of their metrics as OTLP JSON lines."""

    connector: str = "otel_collector_counts"
    providers: dict[str, str] = Field(
        default_factory=dict,
        description="Who bills what an exporter sends: exporter (`otlphttp/grafana`, or its type) → provider as the "
        "bill has it. Exporters of CloudWatch, Datadog, Google Cloud and Azure Monitor are known.",
    )
    workload_labels: tuple[str, ...] = Field(
        default=("service_name", "service_instance_id", "k8s_pod_name", "pod", "instance"),
        description="Labels that name the emitter, first match wins; without any the folder of the file.",
    )
    longest_gap_seconds: int = Field(
        default=900,
        ge=1,
        le=86400,
        description="What a counter grew by over a longer time is not known by the hour.",
    )

    @property
    def longest_gap(self) -> timedelta:
        """The longest known time between two samples."""
        return timedelta(seconds=self.longest_gap_seconds)
