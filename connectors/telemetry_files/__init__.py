"""Log, metric and trace volume by emitter, from plain files to `telemetry`."""
