"""Settings of a source of Kubernetes lists.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.inventory import SERVICE_TAGS
from connectors.common.settings import FileSourceSettings


class Settings(FileSourceSettings):
    """A folder of JSON lists, as `kubectl get pods,services,nodes -A -o json` writes them.

    `service_tags`: labels that name a service, first match wins; without any the pod's owner names it.
    `provider`: the cloud whose zones the node labels name.
    """

    connector: str = "kubernetes_files"
    service_tags: tuple[str, ...] = SERVICE_TAGS
    provider: str | None = None
