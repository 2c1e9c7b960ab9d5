"""Settings of a `kubernetes_events` source.

What belongs here: what the config may say about it. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.settings import FileSourceSettings


class Settings(FileSourceSettings):
    """A folder of JSON lists, as `kubectl get events,replicasets -A -o json` writes them."""

    connector: str = "kubernetes_events"
