"""Settings of the connector `helicone`: where the export lies, what its counts mean, who a call was for.

What belongs here: the config keys of this connector. What must not: field names with one fixed meaning (`schema.py`).
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from connectors.common.gateway_rows import Places
from connectors.common.stores.settings import StoredFileSettings


class RequestPlaces(Places):
    """Where a request says who and what it was for: dotted paths, the first that is there wins.

    `properties.NAME` is the custom property of that name, written in lower case here whatever its case there. What
    is given replaces the default list of that key.
    """

    user_id: tuple[str, ...] = ("user_id", "request_user_id", "helicone_user", "properties.user_id")
    tenant: tuple[str, ...] = ("properties.tenant", "properties.tenant_id")
    customer: tuple[str, ...] = ("properties.customer", "properties.customer_id")
    team: tuple[str, ...] = ("properties.team",)
    feature: tuple[str, ...] = ("properties.feature", "properties.app")
    endpoint: tuple[str, ...] = ("properties.endpoint",)
    workflow: tuple[str, ...] = ("properties.workflow", "properties.helicone-session-name")
    agent: tuple[str, ...] = ("properties.agent",)
    agent_step: tuple[str, ...] = ("properties.agent_step", "properties.step")
    environment: tuple[str, ...] = ("properties.environment", "properties.env")
    session_id: tuple[str, ...] = ("properties.helicone-session-id", "properties.session_id")
    api_key_id: tuple[str, ...] = ("proxy_key_id",)


class UsageSemantics(BaseModel):
    """What Helicone's counts hold of each other; its releases differ.

    Present ones take cached tokens out of `prompt_tokens` and reasoning out of `completion_tokens`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_includes_cached: bool = False
    output_includes_reasoning: bool = False


class Settings(StoredFileSettings):
    """One export of Helicone's requests, on disk or in a store."""

    connector: str = "helicone"
    places: RequestPlaces = Field(default_factory=RequestPlaces)
    semantics: UsageSemantics = Field(default_factory=UsageSemantics)
    cost_digits: int | None = Field(
        default=9,
        ge=0,
        le=12,
        description="Digits behind the point of the integer column `cost` (USD); null leaves the column alone.",
    )
