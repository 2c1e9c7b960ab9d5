"""Which connectors exist, and how to call one by the name that the config uses.

What belongs here: names, and lazy imports so that `--help` stays fast. What must not: connector logic.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from connectors.common.contract import ConnectorError, TerminalError
from connectors.common.defects import UNEXPECTED, describe_unexpected

if TYPE_CHECKING:
    from pydantic import BaseModel

    from connectors.common.contract import CheckStep, LandingContext, SourceReport

CONNECTORS: dict[str, str] = {
    name: f"connectors.{name}"
    for name in (
        "focus_files",
        "aws_data_exports",
        "oci_cost_reports",
        "otel_genai",
        "request_files",
        "litellm",
        "langfuse",
        "helicone",
        "transfer_files",
        "telemetry_files",
        "workload_files",
        "zone_files",
        "budget_files",
        "gcp_billing",
        "invoice_files",
        "billing_period_files",
        "aws_inventory",
        "azure_cost_exports",
        "azure_inventory",
        "google_asset_files",
        "kubernetes_files",
        "aws_flow_logs",
        "gcp_flow_logs",
        "azure_flow_logs",
        "capacity_files",
        "capacity_metrics",
        "cloudwatch_log_volumes",
        "datadog_usage",
        "otel_collector_counts",
        "sagemaker_capacity",
        "event_files",
        "kubernetes_events",
        "opencost_files",
        "azure_ptu_metrics",
        "rate_card_files",
        "openai",
        "anthropic",
        "bedrock_invocation_logs",
        "bedrock_metrics",
        "azure_apim_logs",
        "vertex_request_logs",
        "openrouter",
        "openrouter_generations",
    )
}
"""Connector name → package."""


def load_settings_class(connector: str) -> type[BaseModel]:
    """Return the `Settings` model of a connector; KeyError when there is no such connector."""
    return import_module(f"{CONNECTORS[connector]}.settings").Settings


def land(settings: BaseModel, context: LandingContext) -> SourceReport:
    """Land one source: call the client of the connector that its settings name.

    Raises ConnectorError or OSError, and nothing else: what a connector did not expect is a fault of its source.
    """
    connector: str = settings.connector  # type: ignore[attr-defined]
    try:
        return import_module(f"{CONNECTORS[connector]}.client").land(settings, context)
    except (ConnectorError, OSError):
        raise
    except UNEXPECTED as error:
        raise describe_defect(connector, error) from error


def check(settings: BaseModel) -> Iterator[CheckStep]:
    """Yield what came of trying a source's connection: by its connector's `check`, else that its files are there.

    Raises ConnectorError, and nothing else.
    """
    connector: str = settings.connector  # type: ignore[attr-defined]
    try:
        own = getattr(import_module(f"{CONNECTORS[connector]}.client"), "check", None)
        if own is not None:
            yield from own(settings)
            return
        from connectors.common.checking import check_files

        yield from check_files(settings.path, settings.pattern)  # type: ignore[attr-defined]
    except ConnectorError:
        raise
    except UNEXPECTED as error:
        raise describe_defect(connector, error) from error


def describe_defect(connector: str, error: BaseException) -> TerminalError:
    """Return an error that no connector expects in words: its kind and place, never its text: that may be content."""
    return TerminalError(
        f"{connector} met what it did not expect ({describe_unexpected(error)}): what it delivered before stays. Look "
        "at what changed in the delivery, and report this sentence as a defect of everycent"
    )
