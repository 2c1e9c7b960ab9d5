"""Metrics of SageMaker endpoints.

What belongs here: names. What must not: asking AWS.

Source: SageMaker Developer Guide, "Monitor Amazon SageMaker AI with Amazon CloudWatch".
"""

from __future__ import annotations

SCHEMA_VERSION = 1
INVOCATION_NAMESPACE = "AWS/SageMaker"
INSTANCE_NAMESPACE = "/aws/sagemaker/Endpoints"
INVOCATIONS = "Invocations"
MODEL_LATENCY = "ModelLatency"
"""Microseconds that a model took to answer."""
CPU = "CPUUtilization"
"""One sample a minute and instance: their number tells how long an endpoint was up."""
GPU = "GPUUtilization"
"""0 to 100 a GPU."""
ENDPOINT, VARIANT = "EndpointName", "VariantName"
