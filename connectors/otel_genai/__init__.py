"""OTLP trace files (JSON lines of the OpenTelemetry collector) → the datasets `requests` and `spans`."""
