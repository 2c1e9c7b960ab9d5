"""Names of a collector's own metrics, and which provider an exporter sends to.

What belongs here: names and meanings. What must not: reading files, arithmetic.

Source: opentelemetry-collector `exporter/exporterhelper/documentation.md`. With `_total` since Prometheus'
naming is kept, without it before; the same counter is never exposed under both.
"""

from __future__ import annotations

SCHEMA_VERSION = 1

SIGNALS = {"log_records": "log", "metric_points": "metric", "spans": "trace"}
"""What a counter counts → the signal."""
SENT = {
    f"otelcol_exporter_sent_{what}{suffix}": signal
    for what, signal in SIGNALS.items()
    for suffix in ("", "_total", "__records__total", "__datapoints__total", "__spans__total")
}
SENT_BYTES = frozenset(
    {"otelcol_exporter_queue_batch_send_size_bytes_sum", "otelcol_exporter_queue_batch_send_size_bytes"}
)
"""Bytes of batches by exporter (detailed metrics), all signals that it sends together unless `data_type` tells."""
DATA_TYPES = {"logs": "log", "metrics": "metric", "traces": "trace"}
WANTED = frozenset({*SENT, *SENT_BYTES})

PROVIDERS = {
    "datadog": "datadog",
    "awscloudwatchlogs": "aws",
    "awsemf": "aws",
    "awsxray": "aws",
    "googlecloud": "google",
    "azuremonitor": "azure",
}
"""Type of an exporter → provider as bills are classified."""
