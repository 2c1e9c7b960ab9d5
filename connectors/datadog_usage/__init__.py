"""Hourly usage of Datadog by service or index, from its usage metering API to `telemetry`."""
