"""Signing in to Azure's Resource Manager, in the public cloud and in others.

What belongs here: the settings that say where and as whom, and the credential they mean. What must not: a call
of any service.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connectors.common.contract import TerminalError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

PUBLIC_ENDPOINT = "https://management.azure.com"


class AzureSignIn(BaseModel):
    """Which Azure, and as whom; a connector's settings take these keys over by naming this class as a base."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    management_endpoint: str | None = Field(
        default=None,
        description="Resource Manager of a sovereign cloud, as https://management.usgovcloudapi.net.",
        pattern=r"^https://[^\s@?#]+$",
    )
    management_audience: str | None = Field(
        default=None,
        description="Whom tokens for the Resource Manager are for. Default: the management endpoint.",
        pattern=r"^https://[^\s@?#]+$",
    )
    authority: str | None = Field(
        default=None,
        description="Where to sign in, as https://login.microsoftonline.us. Default: AZURE_AUTHORITY_HOST.",
        pattern=r"^https://[^\s@?#]+$",
    )
    is_private_authority: bool = Field(
        default=False,
        description="The authority is one that only this network knows (disconnected clouds): do not look it up.",
    )
    tenant_id_env: str | None = Field(
        default=None, description="Environment variable with the tenant id of a service principal."
    )
    client_id_env: str | None = Field(
        default=None,
        description="Environment variable with its client id, or with that of a managed identity.",
    )
    client_secret_env: str | None = Field(
        default=None, description="Environment variable with its client secret."
    )

    @model_validator(mode="after")
    def _check_principal(self) -> Self:
        if (self.client_secret_env is None) != (self.tenant_id_env is None):
            raise ValueError(
                "a service principal needs `tenant_id_env`, `client_id_env` and `client_secret_env`"
            )
        if self.client_secret_env is not None and self.client_id_env is None:
            raise ValueError("a service principal needs `client_id_env`")
        return self

    @property
    def token_scope(self) -> str:
        """What tokens for the Resource Manager are asked for."""
        audience = self.management_audience or self.management_endpoint or PUBLIC_ENDPOINT
        return audience.rstrip("/") + "/.default"


def build_credential(source: str, settings: AzureSignIn) -> TokenCredential:
    """Return how a source signs in: the named service principal, else Azure's own chain.

    Raises TerminalError when a named environment variable is empty.
    """
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    options: dict[str, Any] = {"disable_instance_discovery": settings.is_private_authority}
    if settings.authority is not None:
        options["authority"] = settings.authority
    if settings.client_secret_env and settings.tenant_id_env and settings.client_id_env:
        names = (settings.tenant_id_env, settings.client_id_env, settings.client_secret_env)
        tenant, client, secret = (_read_variable(source, name) for name in names)
        return ClientSecretCredential(tenant, client, secret, **options)
    if settings.client_id_env:
        options["managed_identity_client_id"] = _read_variable(source, settings.client_id_env)
    return DefaultAzureCredential(**options)


def _read_variable(source: str, name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise TerminalError(f"{source}: the environment variable {name} is empty; set it, or name another")
    return value
