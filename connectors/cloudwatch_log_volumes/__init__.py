"""Bytes and events that log groups took in, from CloudWatch to `telemetry`."""
