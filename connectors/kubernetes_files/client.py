"""Landing Kubernetes lists.

What belongs here: the call of the common lander. What must not: field names (`schema.py`).
"""

from __future__ import annotations

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.inventory_files import land_inventory_files
from connectors.kubernetes_files import schema
from connectors.kubernetes_files.settings import Settings


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all lists of a source; a file that is no such list is refused whole."""
    return land_inventory_files(
        settings,
        context,
        settings.service_tags,
        schema.SCHEMA_VERSION,
        lambda items: schema.build_inventory(items, settings.provider),
    )
