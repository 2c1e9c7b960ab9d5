"""What OpenTelemetry collectors sent, by their own metrics, to `telemetry`."""
