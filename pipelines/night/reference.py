"""Reference relations: what the project ships in models_sql/reference, with the config's own rows before it.

What belongs here: turning CSV and config rows into input relations. What must not: facts about bills or requests.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from connectors.common.contract import Finding, Severity
from connectors.common.datasets import BUDGETS, FX_RATES, MODEL_ALIASES
from connectors.common.identity import Identity
from connectors.price_book.client import read_price_book
from connectors.price_book.price_lists import read_price_lists
from connectors.price_book.schema import normalise_alias
from connectors.price_book.settings import PriceContract, PriceListFile, PriceOverride
from connectors.price_book.settings import Settings as PriceBookSettings
from pipelines.config.model import Config
from pipelines.config.requests import EMITTER_KINDS, ApiKeyOwner

CALENDAR_START = date(2015, 1, 1)
CALENDAR_END = date(2041, 1, 1)
LOOP_MIN_CALLS = 12
"""A step called this often within one root action is shown as a loop."""
OUTPUT_TOKEN_WEIGHT = 2
"""Work of an output token of a self-hosted model in uncached input tokens, where no call states its seconds: the
weights of the Virtual Token Counter (Sheng et al., Fairness in Serving Large Language Models, OSDI 2024)."""
REUSED_ID_REPORTS = 20
"""An id that more different reports of one source than this state on a day tells no calls apart."""

_TEXT = pa.string()
_RULE_COLUMNS = (
    "rule_id",
    "charge_category",
    "provider_pattern",
    "service_pattern",
    "category_pattern",
    "operation_pattern",
    "meter_pattern",
    "account_pattern",
    "resource_pattern",
    "tag_pattern",
    "cost_driver",
    "traffic_kind",
    "token_class",
    "service_tier",
    "model_pattern",
    "from_pattern",
    "to_pattern",
    "reason",
    "example",
)


SHARED_COST_RULE_SCHEMA = pa.schema(
    [
        ("priority", pa.int64()),
        *((name, _TEXT) for name in ("shared_cost_rule_id", "provider", "account", "service_name")),
        *((name, _TEXT) for name in ("charge_category", "cost_driver", "tag_key", "tag_value", "split")),
        *((name, _TEXT) for name in ("measure", "followed_scope", "followed_cost_driver", "shared_among")),
    ]
)
SHARED_COST_TARGET_SCHEMA = pa.schema(
    [("shared_cost_rule_id", _TEXT), ("feature", _TEXT), ("team", _TEXT), ("share_ppm", pa.int64())]
)
SHARED_COST_TEAM_SCHEMA = pa.schema([("shared_cost_rule_id", _TEXT), ("team", _TEXT)])


def build_reference_tables(config: Config, folder: Path) -> dict[str, pa.Table]:
    """All reference.* inputs by name; `folder` is models_sql/reference."""
    return {
        "reference.classification_rules": _build_rules(config, folder),
        "reference.aws_services": _read_csv(folder / "aws_services.csv"),
        "reference.azure_services": _read_csv(folder / "azure_services.csv"),
        "reference.gcp_services": _read_csv(folder / "gcp_services.csv"),
        "reference.confidence_rules": _read_csv(folder / "confidence_rules.csv", {"priority": int}),
        "reference.focus_units": _read_csv(folder / "focus_units.csv"),
        "reference.units": _read_csv(folder / "units.csv", {"multiplier": int}),
        "reference.currency_subunits": _read_csv(folder / "currency_subunits.csv", {"subunit_units": int}),
        "reference.bill_providers": _read_csv(folder / "bill_providers.csv", {"priority": int}),
        "reference.service_tiers": _read_csv(folder / "service_tiers.csv", {"priority": int}),
        "reference.context_meters": _read_csv(
            folder / "context_meters.csv", {"priority": int, "context_min_tokens": int}
        ),
        "reference.signal_meters": _read_csv(folder / "signal_meters.csv", {"priority": int}),
        "reference.use_meters": _read_csv(folder / "use_meters.csv", {"priority": int}),
        "reference.region_names": _read_csv(folder / "region_names.csv"),
        "reference.provider_names": _read_csv(folder / "provider_names.csv"),
        "reference.model_patterns": _read_csv(folder / "model_patterns.csv", {"priority": int}),
        "reference.calendar": _build_calendar(),
        "reference.settings": _build_settings(config),
        "reference.source_ranks": _build_source_ranks(config),
        "reference.request_ranks": _build_request_ranks(config),
        "reference.api_keys": _build_api_keys(config),
        **_build_shared_costs(config),
        "reference.logging_keys": _build_logging_keys(config),
    }


def build_price_table(config: Config, folder: Path, as_of: datetime | None = None) -> pa.Table:
    """The shipped price books, the config's price lists, contracts and own prices, as known at `as_of`."""
    return read_price_book(_build_price_settings(config, folder), as_of)


def find_unread_meters(config: Config, folder: Path) -> list[Finding]:
    """What the config's price lists say that no price could be made of, one finding a file and reason."""
    settings = _build_price_settings(config, folder)
    lists = read_price_lists(settings.files, folder, settings.aliases)
    return [
        Finding(
            "prices",
            "prices",
            "unread_price_meter",
            f"{path.name}: {count} prices not read ({reason}), such as {meter}; name the model under "
            "`model_aliases` if you use it",
            Severity.INFO,
            count,
            path.name,
        )
        for path, reason, meter, count in lists.summaries()
    ]


def _build_price_settings(config: Config, folder: Path) -> PriceBookSettings:
    """The config's words as the price book's; the config names providers as OpenTelemetry does."""
    names = {
        row["otel_name"]: row["price_provider"]
        for row in _read_rows(folder / "provider_names.csv")
        if row["price_provider"]
    }

    def renamed(row: BaseModel) -> dict[str, Any]:
        stated = row.model_dump()
        return {**stated, "provider": names.get(stated["provider"], stated["provider"])}

    return PriceBookSettings(
        path=folder / "price_books",
        overrides=tuple(PriceOverride.model_validate(renamed(row)) for row in config.prices.overrides),
        contracts=tuple(PriceContract.model_validate(renamed(row)) for row in config.prices.contracts),
        files=tuple(PriceListFile.model_validate(row.model_dump()) for row in config.prices.files),
        aliases={(row.provider, normalise_alias(row.alias)): row.model for row in config.model_aliases},
    )


def build_alias_table(config: Config, folder: Path) -> pa.Table:
    """Model aliases: the config's replace the shipped ones of the same name and provider."""
    rows = {(row["alias"], row["provider"]): row["model"] for row in _read_rows(folder / "model_aliases.csv")}
    for alias in config.model_aliases:
        rows[normalise_alias(alias.alias), alias.provider] = alias.model
    return pa.Table.from_pylist(
        [{"alias": a, "provider": p, "model": model} for (a, p), model in sorted(rows.items())],
        schema=MODEL_ALIASES.schema,
    )


def build_fx_table(config: Config) -> pa.Table:
    """The config's exchange rates; the last row of a day wins."""
    rows = {(r.from_currency, r.to_currency, r.rate_date): r.rate for r in config.fx_rates}
    return pa.Table.from_pylist(
        [
            {
                "from_currency": f,
                "to_currency": t,
                "rate_date": d,
                "rate": Decimal(rate),
                "rate_source": "config",
            }
            for (f, t, d), rate in sorted(rows.items())
        ],
        schema=FX_RATES.schema,
    )


def build_budget_table(config: Config) -> pa.Table:
    """The budgets written in the config itself."""
    rows = [{**row.model_dump(), "x_source": "config", "x_snapshot_id": "config"} for row in config.budgets]
    return pa.Table.from_pylist(rows, schema=BUDGETS.schema)


def _build_rules(config: Config, folder: Path) -> pa.Table:
    own = [
        {**rule.model_dump(), "priority": position}
        for position, rule in enumerate(config.classification, start=1)
    ]
    shipped = _read_rows(folder / "classification_rules.csv", {"priority": int})
    rows = [{name: row.get(name) for name in ("priority", *_RULE_COLUMNS)} for row in [*own, *shipped]]
    schema = pa.schema([("priority", pa.int64()), *((name, _TEXT) for name in _RULE_COLUMNS)])
    return pa.Table.from_pylist(rows, schema=schema)


def _build_calendar() -> pa.Table:
    days = (CALENDAR_END - CALENDAR_START).days
    return pa.table(
        {"calendar_date": pa.array([CALENDAR_START + timedelta(days=n) for n in range(days)], pa.date32())}
    )


def _build_settings(config: Config) -> pa.Table:
    epsilon = int((config.coverage_epsilon * 1_000_000).to_integral_value())
    band = int((config.coverage_band * 1_000_000).to_integral_value())
    return pa.table(
        {
            "coverage_epsilon_ppm": pa.array([epsilon], pa.int64()),
            "coverage_band_ppm": pa.array([band], pa.int64()),
            "loop_min_calls": pa.array([LOOP_MIN_CALLS], pa.int64()),
            "reused_id_reports": pa.array([REUSED_ID_REPORTS], pa.int64()),
            "output_token_weight": pa.array([OUTPUT_TOKEN_WEIGHT], pa.int64()),
            "reporting_currency": pa.array([config.reporting_currency], _TEXT),
        }
    )


def _build_request_ranks(config: Config) -> pa.Table:
    """Per kind of emitter its place in each order; kinds that an order leaves out come after it, all alike."""
    ranks = config.requests.ranks
    rows = []
    for kind in EMITTER_KINDS:
        row: dict[str, str | int] = {"emitter_kind": kind}
        for name in type(ranks).model_fields:
            order = getattr(ranks, name)
            row[f"{name}_rank"] = order.index(kind) + 1 if kind in order else len(EMITTER_KINDS) + 1
        rows.append(row)
    names = [f"{name}_rank" for name in type(ranks).model_fields]
    schema = pa.schema([("emitter_kind", _TEXT), *((name, pa.int64()) for name in names)])
    return pa.Table.from_pylist(rows, schema=schema)


def _build_api_keys(config: Config) -> pa.Table:
    """The owner of each API key that the config names, users hashed as in the lake."""
    settings = config.identity
    rows = [owner.model_dump() for owner in sorted(config.requests.api_keys, key=lambda row: row.api_key_id)]
    if any(row["user_id"] for row in rows):
        identity = Identity(settings.key_bytes(), settings.pseudonymise)
        rows = [{**row, "user_id": identity.pseudonymise(row["user_id"])} for row in rows]
    return pa.Table.from_pylist(rows, schema=pa.schema([(name, _TEXT) for name in ApiKeyOwner.model_fields]))


def _build_logging_keys(config: Config) -> pa.Table:
    """Keys and principals whose calls are logged, as written and as the lake holds principals."""
    settings = config.identity
    names = set(config.requests.logging_keys)
    if names and settings.pseudonymise:
        identity = Identity(settings.key_bytes(), settings.pseudonymise)
        names |= {name for text in config.requests.logging_keys if (name := identity.pseudonymise(text))}
    return pa.table({"key_id": pa.array(sorted(names), _TEXT)})


def _build_shared_costs(config: Config) -> dict[str, pa.Table]:
    """The shared-cost rules, who pays fixed parts, and whose cost a split looks at; names in lower case."""
    rules, targets, teams = [], [], []
    for position, rule in enumerate(config.shared_costs, start=1):
        match, (tag_key, _, tag_value) = rule.match, (rule.match.tag or "").partition("=")
        rules.append(
            {
                "priority": position,
                "shared_cost_rule_id": rule.rule_id,
                "provider": _lower(match.provider),
                "account": _lower(match.account),
                "service_name": _lower(match.service),
                "charge_category": match.charge_category,
                "cost_driver": match.cost_driver,
                "tag_key": tag_key or None,
                "tag_value": tag_value or None,
                "split": rule.split,
                "measure": rule.by.measure,
                "followed_scope": rule.by.scope,
                "followed_cost_driver": rule.by.cost_driver,
                "shared_among": rule.among,
            }
        )
        named = {"shared_cost_rule_id": rule.rule_id}
        for target in rule.to:
            share = {"share_ppm": int(target.percent * 10_000)}
            targets.append({**named, "feature": target.feature, "team": target.team, **share})
        teams += [{**named, "team": team} for team in sorted(set(rule.by.teams))]
    return {
        "reference.shared_cost_rules": pa.Table.from_pylist(rules, SHARED_COST_RULE_SCHEMA),
        "reference.shared_cost_targets": pa.Table.from_pylist(targets, SHARED_COST_TARGET_SCHEMA),
        "reference.shared_cost_teams": pa.Table.from_pylist(teams, SHARED_COST_TEAM_SCHEMA),
    }


def _lower(name: str | None) -> str | None:
    return None if name is None else name.lower()


def _build_source_ranks(config: Config) -> pa.Table:
    """The sources in the order of the config: of two that know the same thing the first counts."""
    ranks = {source.name: position for position, source in enumerate(config.sources, start=1)}
    return pa.table(
        {"source": pa.array(list(ranks), _TEXT), "source_rank": pa.array(list(ranks.values()), pa.int64())}
    )


def _read_csv(path: Path, kinds: Mapping[str, Callable[[str], Any]] | None = None) -> pa.Table:
    rows = _read_rows(path, kinds)
    names: Iterable[str] = rows[0]
    numbers = set(kinds or ())
    return pa.Table.from_pylist(
        list(rows), schema=pa.schema([(name, pa.int64() if name in numbers else _TEXT) for name in names])
    )


def _read_rows(
    path: Path, kinds: Mapping[str, Callable[[str], Any]] | None = None
) -> Sequence[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            {key: (kinds or {}).get(key, str)(value) if value != "" else None for key, value in row.items()}
            for row in csv.DictReader(stream)
        ]
