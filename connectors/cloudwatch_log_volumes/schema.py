"""Metrics of CloudWatch Logs.

What belongs here: names. What must not: asking AWS.

Source: CloudWatch Logs User Guide, "Monitoring with CloudWatch metrics", namespace `AWS/Logs`.
"""

from __future__ import annotations

SCHEMA_VERSION = 1
NAMESPACE = "AWS/Logs"
DIMENSION = "LogGroupName"
BYTES = "IncomingBytes"
EVENTS = "IncomingLogEvents"
PROVIDER = "aws"
SIGNAL = "log"
