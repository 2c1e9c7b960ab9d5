"""Settings of a source of Google Cloud asset exports.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.inventory import SERVICE_TAGS
from connectors.common.settings import FileSourceSettings


class Settings(FileSourceSettings):
    """A folder of exports, as `gcloud asset export --content-type=resource` writes them.

    `service_tags`: labels that name a service, first match wins.
    """

    connector: str = "google_asset_files"
    service_tags: tuple[str, ...] = SERVICE_TAGS
