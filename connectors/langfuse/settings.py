"""Settings of the connector `langfuse`: where the export lies, and where a call says who it was for.

What belongs here: the config keys of this connector. What must not: field names with one fixed meaning (`schema.py`).
"""

from __future__ import annotations

from pydantic import Field

from connectors.common.gateway_rows import Places
from connectors.common.stores.settings import StoredFileSettings


class ObservationPlaces(Places):
    """Where an observation, or the trace that it belongs to, says who and what it was for; the first wins.

    A place is a dotted path (`metadata.feature`) or `tag:KEY`, which reads `KEY:value` among the trace's tags. What
    is given replaces the default list of that key. An observation's own value goes before its trace's.
    """

    user_id: tuple[str, ...] = ("user_id", "metadata.user_id")
    tenant: tuple[str, ...] = ("tag:tenant", "metadata.tenant", "metadata.tenant_id")
    customer: tuple[str, ...] = ("tag:customer", "metadata.customer", "metadata.customer_id")
    team: tuple[str, ...] = ("tag:team", "metadata.team")
    feature: tuple[str, ...] = ("tag:feature", "metadata.feature")
    endpoint: tuple[str, ...] = ("tag:endpoint", "metadata.endpoint")
    workflow: tuple[str, ...] = ("tag:workflow", "metadata.workflow", "trace_name")
    agent: tuple[str, ...] = ("tag:agent", "metadata.agent", "metadata.agent_name")
    agent_step: tuple[str, ...] = ("metadata.agent_step", "metadata.langgraph_node")
    environment: tuple[str, ...] = ("environment", "metadata.environment")
    session_id: tuple[str, ...] = ("session_id",)
    api_key_id: tuple[str, ...] = ("metadata.user_api_key_hash",)


class Settings(StoredFileSettings):
    """One Langfuse project's export, as its blob storage integration writes it, on disk or in a store."""

    connector: str = "langfuse"
    places: ObservationPlaces = Field(default_factory=ObservationPlaces)
    provider: str | None = Field(
        default=None,
        description="Provider of all calls where observations do not say it (OTel `gen_ai.provider.name`).",
    )
    provider_places: tuple[str, ...] = Field(
        default=(
            "metadata.attributes.gen_ai.provider.name",
            "metadata.attributes.gen_ai.system",
            "metadata.gen_ai.system",
            "metadata.ls_provider",
            "metadata.provider",
        ),
        description="Where an observation names its provider.",
    )
    response_id_places: tuple[str, ...] = Field(
        default=(
            "metadata.attributes.gen_ai.response.id",
            "metadata.gen_ai.response.id",
            "metadata.response_id",
        ),
        description="Where an observation holds the provider's own id of the response.",
    )
    call_id_places: tuple[str, ...] = Field(
        default=("metadata.litellm_call_id", "metadata.attributes.litellm.call_id"),
        description="Where an observation holds a gateway's id of the call.",
    )
