"""Keys about requests: whom to believe where several sources report one call, and whose an API key is.

What belongs here: the sections and rows of `requests:`. What must not: merging, which
`models_sql/staging` does, and keys of connectors.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, model_validator

from pipelines.config.fields import Section, Text

EmitterKind = Literal["provider_log", "gateway", "span", "file"]
EMITTER_KINDS: tuple[str, ...] = get_args(EmitterKind)


def _once_each(value: tuple[EmitterKind, ...]) -> tuple[EmitterKind, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each kind once")
    return value


Ranking = Annotated[tuple[EmitterKind, ...], AfterValidator(_once_each)]


class RequestRanks(Section):
    """Whom to believe, per group of columns, where several sources report the same call; kinds left out come last."""

    usage: Ranking = Field(
        default=("provider_log", "gateway", "span", "file"),
        description="Token counts. A report with counts comes before one with estimates, that before one without any.",
    )
    identity: Ranking = Field(
        default=("span", "gateway", "file", "provider_log"),
        description="User, tenant, feature and the other attribution keys, trace and span: each from the first that "
        "states it.",
    )
    time: Ranking = Field(
        default=("span", "gateway", "provider_log", "file"),
        description="Start, end and duration, from one report that knows its end; bytes; seconds to the first token.",
    )
    price: Ranking = Field(
        default=("provider_log", "gateway", "span", "file"),
        description="What decides the price: provider, account, region, model, service tier.",
    )
    status: Ranking = Field(
        default=("span", "gateway", "provider_log", "file"),
        description="How the call ended, as whoever is nearest to the caller saw it.",
    )


class ApiKeyOwner(Section):
    """Whose calls with an API key are, where neither the call nor its trace says so."""

    api_key_id: Text = Field(description="The key's id or hash as requests hold it; never the key itself.")
    user_id: Text | None = Field(default=None, description="User; hashed like any other user id.")
    tenant: Text | None = Field(default=None, description="Tenant.")
    customer: Text | None = Field(default=None, description="Customer.")
    team: Text | None = Field(default=None, description="Team.")
    feature: Text | None = Field(default=None, description="Feature.")
    endpoint: Text | None = Field(default=None, description="Endpoint.")
    workflow: Text | None = Field(default=None, description="Workflow.")
    agent: Text | None = Field(default=None, description="Agent.")
    environment: Text | None = Field(default=None, description="Environment.")

    @model_validator(mode="after")
    def _check_owner(self) -> Self:
        if not any(value for name, value in self if name != "api_key_id"):
            raise ValueError("names no owner; give a user, team, feature or another key")
        return self


def _one_owner_a_key(value: tuple[ApiKeyOwner, ...]) -> tuple[ApiKeyOwner, ...]:
    known: set[str] = set()
    for owner in value:
        if owner.api_key_id in known:
            raise ValueError("two rows name the same api_key_id; keep one")
        known.add(owner.api_key_id)
    return value


class RequestSettings(Section):
    """How reports of model calls become attempts, and who owns them at last."""

    ranks: RequestRanks = Field(
        default=RequestRanks(), description="Whom to believe where several sources report one call."
    )
    api_keys: Annotated[tuple[ApiKeyOwner, ...], AfterValidator(_one_owner_a_key)] = Field(
        default=(), description="Owners of API keys, the last to be asked whose a call is."
    )
    logging_keys: tuple[Text, ...] = Field(
        default=(),
        description="API key ids and cloud principals whose calls are logged, such as those of a gateway. Where one of "
        "them stands in a provider's counts or bill, what stands there under any other is `bypass` in "
        "`marts.reconciliation`. Keys that the log itself names need no row.",
    )
