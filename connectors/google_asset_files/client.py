"""Landing Google Cloud asset exports.

What belongs here: the call of the common lander. What must not: field names (`schema.py`).
"""

from __future__ import annotations

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.inventory_files import land_inventory_files
from connectors.google_asset_files import schema
from connectors.google_asset_files.settings import Settings


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all exports of a source; a file that is no such export is refused whole."""
    return land_inventory_files(
        settings,
        context,
        settings.service_tags,
        schema.SCHEMA_VERSION,
        schema.build_inventory,
    )
