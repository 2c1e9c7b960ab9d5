"""Which connectors exist, and how to call one by the name that the config uses.

What belongs here: names, and lazy imports so that `--help` stays fast. What must not: connector logic.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import BaseModel

    from connectors.common.contract import CheckStep, LandingContext, SourceReport

CONNECTORS: dict[str, str] = {
    name: f"connectors.{name}"
    for name in (
        "focus_files",
        "aws_data_exports",
        "oci_cost_reports",
        "otlp_files",
        "request_files",
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
    )
}
"""Connector name → package."""


def load_settings_class(connector: str) -> type[BaseModel]:
    """Return the `Settings` model of a connector; KeyError when there is no such connector."""
    return import_module(f"{CONNECTORS[connector]}.settings").Settings


def land(settings: BaseModel, context: LandingContext) -> SourceReport:
    """Land one source: call the client of the connector that its settings name."""
    connector: str = settings.connector  # type: ignore[attr-defined]
    return import_module(f"{CONNECTORS[connector]}.client").land(settings, context)


def check(settings: BaseModel) -> Iterator[CheckStep]:
    """Yield what came of trying a source's connection: by its connector's `check`, else that its files are there."""
    connector: str = settings.connector  # type: ignore[attr-defined]
    own = getattr(import_module(f"{CONNECTORS[connector]}.client"), "check", None)
    if own is not None:
        return own(settings)
    from connectors.common.checking import check_files

    return check_files(settings.path, settings.pattern)  # type: ignore[attr-defined]
