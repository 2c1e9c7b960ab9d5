"""Settings of a source of Azure API Management's logs.

What belongs here: what the config may say about it. What must not: reading logs.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from connectors.common.logs.objects import LogSettings
from connectors.common.logs.requests import LabelNames
from connectors.common.stores.settings import StoreLocation


class CallerNames(LabelNames, frozen=True):
    """Which fields of the gateway's log, or logged request headers, mean an attribution key; first match wins.

    Fields: ApimSubscriptionId, ProductId, UserId (who owns the subscription in the developer portal), ApiId,
    OperationId, BackendId. Headers: as the diagnostic setting logs them. Compared without case.
    """

    user_id: tuple[str, ...] = ("x-user-id",)
    tenant: tuple[str, ...] = ("x-tenant-id",)
    customer: tuple[str, ...] = ("x-customer-id",)
    team: tuple[str, ...] = ("x-team",)
    feature: tuple[str, ...] = ("x-feature", "ProductId")
    endpoint: tuple[str, ...] = ()
    workflow: tuple[str, ...] = ("x-workflow",)
    agent: tuple[str, ...] = ("x-agent",)
    agent_step: tuple[str, ...] = ("x-agent-step",)
    environment: tuple[str, ...] = ("x-environment",)
    session_id: tuple[str, ...] = ("x-session-id",)
    trace_id: tuple[str, ...] = ("x-trace-id",)
    span_id: tuple[str, ...] = ()


class Settings(LogSettings):
    """The logs of one or more API Management services: of their model calls, and of all of their calls."""

    connector: str = "azure_apim_logs"
    pattern: str = Field(default="**/*", description="Which files below both paths.")
    gateway_path: StoreLocation | None = Field(
        default=None,
        description=(
            "Where the gateway's own log lies (container insights-logs-gatewaylogs), which knows caller, status and "
            "duration. Not needed where `path` holds both."
        ),
    )
    resource_ids: tuple[str, ...] = Field(
        default=(),
        description="Resource ids of the services. Stated, only the folders of the days that matter are listed.",
    )
    provider: str = Field(
        default="azure.ai.openai",
        description="Who serves the models behind the gateway, as OTel's gen_ai.provider.name.",
    )
    sub_account_id: str | None = Field(
        default=None,
        description="Subscription that the models are billed to: the logs name the gateway's only. Default: unknown.",
    )
    region_id: str | None = Field(
        default=None, description="Region that the models are deployed in. Default: unknown."
    )
    attributes: CallerNames = Field(default_factory=CallerNames, description="Who called.")

    @field_validator("resource_ids")
    @classmethod
    def _check_resource_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for resource in value:
            if not resource.lower().startswith("/subscriptions/") or "?" in resource:
                raise ValueError(f"{resource!r} is no resource id: it begins with /subscriptions/")
        return value

    @model_validator(mode="after")
    def _check_gateway_store(self) -> Self:
        if self.gateway_path is not None:
            self.build_store_settings(self.gateway_path)
        return self
