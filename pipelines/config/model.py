"""The config as one typed object: every key, its type, its default and its meaning.

What belongs here: pydantic models of the file's keys; each field's description is its documentation, from
which the table in docs/config.md is made. What must not: reading the file (`load.py`) or any rule of a
connector (each connector's own `settings.py`).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from connectors.common.settings import SourceSettings
from pipelines.config.fields import ConfigPath, Currency, MemorySize, Rate, Section, Text
from pipelines.config.requests import RequestSettings
from pipelines.config.rows import (
    BudgetRow,
    ClassificationRule,
    FxRate,
    ModelAlias,
    PriceContract,
    PriceListFile,
    PriceOverride,
)
from pipelines.config.shared_costs import SharedCostRule


class IdentitySettings(Section):
    """How user ids are made unreadable before they enter the lake."""

    pseudonymise: bool = Field(
        default=True,
        description="Replace user ids by a keyed hash. `false` keeps them readable, and then needs no key.",
    )
    key_env: str = Field(
        default="EVERYCENT_IDENTITY_KEY",
        description="The environment variable that holds the key.",
        min_length=1,
    )
    key: SecretStr | None = Field(
        default=None,
        description="The key itself, as `${VARIABLE}`; wins over `key_env`. In clear only for demo data.",
    )

    def key_bytes(self) -> bytes | None:
        """Return the key, which `load_config` took from the environment; None when pseudonymising is off."""
        if not self.pseudonymise or self.key is None:
            return None
        return self.key.get_secret_value().encode()


TagKeys = tuple[Text, ...]


class TagSettings(Section):
    """Which tag keys of the bills mean which attribution key; the first key that a line carries wins."""

    user_id: TagKeys = Field(
        default=(), description="Tag keys that hold a user; hashed like any other user id."
    )
    tenant: TagKeys = Field(default=(), description="Tag keys that hold a tenant.")
    customer: TagKeys = Field(default=(), description="Tag keys that hold a customer.")
    team: TagKeys = Field(default=(), description="Tag keys that hold a team.")
    feature: TagKeys = Field(default=(), description="Tag keys that hold a feature.")
    endpoint: TagKeys = Field(default=(), description="Tag keys that hold an endpoint.")
    workflow: TagKeys = Field(default=(), description="Tag keys that hold a workflow.")
    environment: TagKeys = Field(default=(), description="Tag keys that hold an environment.")

    def by_attribution_key(self) -> dict[str, tuple[str, ...]]:
        """Return attribution key → tag keys, only where some are configured: what connectors are told."""
        return {key: keys for key in type(self).model_fields if (keys := getattr(self, key))}


class PriceSettings(Section):
    """Prices that stand above those of the shipped price book: own prices, then contracts, then price lists."""

    overrides: tuple[PriceOverride, ...] = Field(default=(), description="Your own prices, see below.")
    contracts: tuple[PriceContract, ...] = Field(
        default=(), description="Percentages off the list, see below."
    )
    files: tuple[PriceListFile, ...] = Field(default=(), description="Price lists of clouds, see below.")


class ReportSettings(Section):
    """The weekly report."""

    title: str = Field(default="Weekly cost report", description="The headline.", min_length=1)
    label_file: ConfigPath | None = Field(
        default=None,
        description="CSV of `user_id,label`: names for users, by hash or by their own id (hashed when the report is "
        "written, with the identity key), used in the report only; never stored.",
    )
    week_start: Literal["monday"] = Field(
        default="monday", description="Weeks are ISO weeks; no other start yet."
    )


class RetentionSettings(Section):
    """How long the snapshots of restated bills are kept."""

    every_snapshot_days: int = Field(
        default=35,
        description="Days for which every snapshot is kept. Then stay the last of each UTC day, those that a kept "
        "report or release was made from, the one that closed the period, and always the current one.",
        ge=1,
        le=36_500,
    )


class EngineSettings(Section):
    """How much of the machine the embedded engine may use."""

    memory_limit: MemorySize | None = Field(
        default=None,
        description="Most memory, such as `2GB`. Default: the engine's own, 80 % of the machine.",
    )
    threads: int | None = Field(
        default=None, description="Most threads. Default: one per core.", ge=1, le=1024
    )


class Config(Section):
    """Everything that a run is told. Built by `load_config`, never changed."""

    home: ConfigPath = Field(
        default=Path("home"),
        description="The folder of `lake/` and `warehouse/`; `--home` wins.",
        validate_default=True,
    )
    reporting_currency: Currency = Field(
        default="USD", description="The currency of all `_reporting` columns."
    )
    identity: IdentitySettings = Field(
        default=IdentitySettings(), description="How user ids are made unreadable."
    )
    sources: tuple[SourceSettings, ...] = Field(
        default=(),
        description="Bills, requests and weights, see below; of two feeds of a bill the first carries cost.",
    )
    tags: TagSettings = Field(
        default=TagSettings(), description="Which bill tags mean which attribution key."
    )
    requests: RequestSettings = Field(
        default=RequestSettings(), description="How reports of model calls become attempts."
    )
    budgets: tuple[BudgetRow, ...] = Field(
        default=(), description="Budgets, same columns as a `budget_files` source."
    )
    prices: PriceSettings = Field(default=PriceSettings(), description="Your own prices.")
    fx_rates: tuple[FxRate, ...] = Field(default=(), description="Exchange rates per day.")
    model_aliases: tuple[ModelAlias, ...] = Field(
        default=(), description="Names that bills or logs use for a model."
    )
    classification: tuple[ClassificationRule, ...] = Field(
        default=(),
        description="Your own rules for what a bill line pays for; they come before the shipped ones.",
    )
    shared_costs: tuple[SharedCostRule, ...] = Field(
        default=(),
        description="Who pays for cost that nobody causes alone, such as support and platform fees; first match wins.",
    )
    report: ReportSettings = Field(default=ReportSettings(), description="The weekly report.")
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="How long old snapshots of bills are kept."
    )
    engine: EngineSettings = Field(default=EngineSettings(), description="Limits of the embedded engine.")
    coverage_epsilon: Annotated[Rate, Field(lt=1)] = Field(
        default=Decimal("0.0005"),
        description="How far logged ÷ billed quantity may be from 1 and still be complete.",
    )
    coverage_band: Annotated[Rate, Field(lt=1)] = Field(
        default=Decimal("0.05"),
        description="How far logged ÷ billed tokens of a model's day may be from 1 before it is a finding.",
    )
