"""Settings of the connector `otel_genai`: where the files lie and which attributes carry identity.

What belongs here: the config keys of this connector. What must not: attribute names with one fixed meaning
(`schema.py`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connectors.common.stores.settings import StoredFileSettings


class IdentityAttributes(BaseModel):
    """Which attributes mean an attribution key; first match wins, on the span, then on its resource.

    What is given replaces the default list of that key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_id: tuple[str, ...] = (
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
        "metadata.user_id",
        "metadata.user_api_key_end_user_id",
        "metadata.user_api_key_user_id",
        "enduser.pseudo.id",
        "user.hash",
    )
    tenant: tuple[str, ...] = (
        "app.tenant",
        "tenant.id",
        "traceloop.association.properties.tenant_id",
        "ai.telemetry.metadata.tenant",
        "metadata.tenant",
    )
    customer: tuple[str, ...] = (
        "app.customer",
        "customer.id",
        "traceloop.association.properties.customer_id",
        "ai.telemetry.metadata.customer",
        "metadata.customer",
    )
    team: tuple[str, ...] = (
        "app.team",
        "team.name",
        "team",
        "metadata.user_api_key_team_alias",
        "metadata.user_api_key_team_id",
    )
    feature: tuple[str, ...] = (
        "app.feature",
        "feature.name",
        "traceloop.association.properties.feature",
        "ai.telemetry.metadata.feature",
        "metadata.feature",
        "ai.telemetry.functionId",
    )
    endpoint: tuple[str, ...] = ("app.endpoint", "http.route")
    workflow: tuple[str, ...] = ("gen_ai.workflow.name", "traceloop.workflow.name")
    agent: tuple[str, ...] = ("gen_ai.agent.name", "agent.name")
    agent_step: tuple[str, ...] = (
        "app.agent_step",
        "graph.node.name",
        "graph.node.id",
        "traceloop.association.properties.langgraph_node",
        "metadata.langgraph_node",
    )
    environment: tuple[str, ...] = ("deployment.environment.name", "deployment.environment")
    session_id: tuple[str, ...] = (
        "session.id",
        "gen_ai.conversation.id",
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
        "ai.telemetry.metadata.sessionId",
    )
    sub_account_id: tuple[str, ...] = ("cloud.account.id",)


class UsageSemantics(BaseModel):
    """What the emitters of this source mean by their token counts.

    OTel says that input holds the cached tokens. `exclusive_emitters` names those that break this: a provider
    (`anthropic`), an instrumentation scope (`my.instrumentation`) or one provider under one scope (`ai/anthropic`),
    compared as written, without case. `batch_attributes` names attributes that are true on a call of a batch job.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_includes_cached: bool = True
    exclusive_emitters: tuple[str, ...] = ()
    batch_attributes: tuple[str, ...] = ()


class Settings(StoredFileSettings):
    """One source of trace files, on disk or in an object store."""

    attributes: IdentityAttributes = Field(
        default_factory=IdentityAttributes, description="Which attributes mean an attribution key."
    )
    semantics: UsageSemantics = Field(
        default_factory=UsageSemantics, description="What the emitters mean by their token counts."
    )
    workers: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Processes that parse JSON lines together, of one file or several, from 64 MB on.",
    )
