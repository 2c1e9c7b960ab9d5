"""Settings of the connector `litellm`: a database or files, and where a call says who it was for.

What belongs here: the config keys of this connector. What must not: field names with one fixed meaning (`schema.py`).
"""

from __future__ import annotations

import re
from datetime import date
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from connectors.common.gateway_rows import Places
from connectors.common.stores.settings import StoredFileSettings, StoreLocation

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_ROLL_UP = re.compile(r"LiteLLM_Daily|^MonthlyGlobalSpend|^Last30d", re.I)
_METADATA = "metadata.spend_logs_metadata"


class CallPlaces(Places):
    """Where a LiteLLM record says who and what a call was for; what is given replaces the default list of that key.

    A place is a dotted path (`metadata.user_api_key_alias`) or `tag:KEY`, which reads `KEY:value` among
    `request_tags`; the first tag of a key counts, so a call is counted once however many tags it has.
    """

    user_id: tuple[str, ...] = (
        "end_user",
        "metadata.user_api_key_end_user_id",
        "user",
        "metadata.user_api_key_user_id",
    )
    tenant: tuple[str, ...] = (
        "tag:tenant",
        f"{_METADATA}.tenant",
        "organization_id",
        "metadata.user_api_key_org_id",
    )
    customer: tuple[str, ...] = ("tag:customer", f"{_METADATA}.customer")
    team: tuple[str, ...] = ("metadata.user_api_key_team_alias", "team_id", "metadata.user_api_key_team_id")
    feature: tuple[str, ...] = ("tag:feature", f"{_METADATA}.feature", "metadata.requester_metadata.feature")
    endpoint: tuple[str, ...] = ("tag:endpoint", f"{_METADATA}.endpoint")
    workflow: tuple[str, ...] = ("tag:workflow", f"{_METADATA}.workflow")
    agent: tuple[str, ...] = ("tag:agent", f"{_METADATA}.agent", "agent_id")
    agent_step: tuple[str, ...] = ("tag:agent_step", f"{_METADATA}.agent_step")
    environment: tuple[str, ...] = ("tag:environment", "tag:env", f"{_METADATA}.environment")
    session_id: tuple[str, ...] = ("session_id", "trace_id")
    region_id: tuple[str, ...] = ("cost_breakdown.vertex_location", "metadata.cost_breakdown.vertex_location")
    api_key_id: tuple[str, ...] = ("api_key", "metadata.user_api_key_hash", "metadata.user_api_key")


class Settings(StoredFileSettings):
    """One LiteLLM proxy: either its database (`connection_env`) or files that it wrote (`path`)."""

    connector: str = "litellm"
    path: StoreLocation | None = Field(  # type: ignore[assignment]
        default=None,
        description="Where exported SpendLogs or StandardLoggingPayload files lie: a folder, s3://, az:// or gs://.",
    )
    connection_env: str | None = Field(
        default=None,
        description="Environment variable that holds the Postgres URI; TLS is stated in it (`sslmode=verify-full`).",
    )
    schema_name: str = Field(default="public", description="Schema of the table.")
    table: str = Field(
        default="LiteLLM_SpendLogs", description="The table, or a view that holds some of its columns."
    )
    first_day: date | None = Field(
        default=None, description="The oldest UTC day to read. Default: `history_days` before the run."
    )
    history_days: int = Field(default=35, ge=1, le=400, description="Days that a first run reads.")
    overlap_days: int = Field(
        default=2,
        ge=0,
        le=60,
        description="How long after its end a day is read again; keep LiteLLM's own retention longer than this.",
    )
    trace_id_means: Literal["logical_call", "session"] = Field(
        default="logical_call",
        description=(
            "What calls of one LiteLLM trace share: `logical_call` where the proxy makes the id (retries and fallbacks "
            "of one call), `session` where clients set it for many calls."
        ),
    )
    places: CallPlaces = Field(default_factory=CallPlaces)

    @field_validator("schema_name", "table")
    @classmethod
    def _check_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("is no plain name of a table: letters, digits and '_'")
        if _ROLL_UP.search(value):
            raise ValueError(
                f"{value} is a daily roll-up, which counts a call once per tag; read LiteLLM_SpendLogs, one row a call"
            )
        return value

    @model_validator(mode="after")
    def _check_store(self) -> Self:
        if (self.path is None) == (self.connection_env is None):
            raise ValueError("name either `connection_env` (the database) or `path` (its files)")
        if self.path is not None:
            self.build_store_settings(self.path)
        return self

    @property
    def is_remote(self) -> bool:
        """Whether files lie in an object store."""
        return self.path is not None and super().is_remote
