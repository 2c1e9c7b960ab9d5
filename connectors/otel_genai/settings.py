"""Settings of the connector `otel_genai`: where the files lie and which attributes carry identity.

What belongs here: the config keys of this connector. What must not: attribute names with one fixed meaning
(`schema.py`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connectors.common.settings import FileSourceSettings


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
        "enduser.pseudo.id",
        "user.hash",
    )
    tenant: tuple[str, ...] = ("app.tenant", "tenant.id", "traceloop.association.properties.tenant_id")
    customer: tuple[str, ...] = (
        "app.customer",
        "customer.id",
        "traceloop.association.properties.customer_id",
    )
    team: tuple[str, ...] = ("app.team", "team.name", "team")
    feature: tuple[str, ...] = ("app.feature", "feature.name", "traceloop.association.properties.feature")
    endpoint: tuple[str, ...] = ("app.endpoint", "http.route")
    workflow: tuple[str, ...] = ("gen_ai.workflow.name", "traceloop.workflow.name")
    agent: tuple[str, ...] = ("gen_ai.agent.name", "agent.name")
    agent_step: tuple[str, ...] = ("app.agent_step", "graph.node.name", "graph.node.id")
    environment: tuple[str, ...] = ("deployment.environment.name", "deployment.environment")
    session_id: tuple[str, ...] = ("session.id", "gen_ai.conversation.id")
    sub_account_id: tuple[str, ...] = ()


class UsageSemantics(BaseModel):
    """What the emitters of this source mean by their token counts.

    OTel says that input holds the cached tokens. `exclusive_emitters` names those that break this: a provider
    (`anthropic`) or an instrumentation scope (`my.instrumentation`), compared as written, without case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_includes_cached: bool = True
    exclusive_emitters: tuple[str, ...] = ()


class Settings(FileSourceSettings):
    """One source of OTLP trace files."""

    pattern: str = "**/*.json*"
    attributes: IdentityAttributes = Field(default_factory=IdentityAttributes)
    semantics: UsageSemantics = Field(default_factory=UsageSemantics)
