"""Reads a config file into `Config`, and says everything that is wrong with it at once.

What belongs here: the order of checking, each source through its connector's own settings, the identity key,
and what only several keys together can get wrong. What must not: keys and defaults (`model.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr, ValidationError

from connectors.common.registry import CONNECTORS, load_settings_class
from connectors.common.settings import SourceSettings
from pipelines.config.model import Config, IdentitySettings
from pipelines.config.problems import SEE_DOCS, ConfigError, KeyPath, Problem, render_choice
from pipelines.config.secrets import expand_variables
from pipelines.config.shared_costs import check_shared_costs
from pipelines.config.validation import validate_section
from pipelines.config.yaml_tree import read_yaml_tree

MINIMUM_KEY_LENGTH = 16
_MAKE_KEY = "python3 -c 'import secrets; print(secrets.token_hex(32))'"


def load_config(
    file: Path, *, environment: Mapping[str, str] | None = None, is_identity_key_needed: bool = True
) -> Config:
    """Read and check a config file; relative paths in it are taken from its own folder.

    `environment` stands for `os.environ`; secrets are looked up there. Commands that only read a release
    need no identity key. Raises ConfigError with every problem found.
    """
    file = file.expanduser().absolute()
    variables = os.environ if environment is None else environment
    tree = read_yaml_tree(file)
    if not isinstance(tree.values, dict):
        raise ConfigError(file, [Problem((), "it must be a mapping of keys to values", SEE_DOCS)])
    problems = list(tree.problems)
    context = {"base_dir": file.parent}
    values = {key: value for key, value in tree.values.items() if key != "sources"}
    config = validate_section(
        Config, expand_variables(values, Config, (), variables, problems), (), context, problems
    )
    sources = _read_sources(tree.values.get("sources"), context, variables, problems)
    identity = _read_identity(values.get("identity"), config)
    if is_identity_key_needed and identity is not None:
        identity = _with_key(identity, variables, problems)
    if config is not None:
        _check_duplicate_rows(config, problems)
    else:
        check_shared_costs(values.get("shared_costs"), problems)
    if config is None or identity is None or problems:
        raise ConfigError(file, problems, tree.lines)
    return config.model_copy(update={"sources": sources, "identity": identity})


def _read_sources(
    raw: Any, context: Mapping[str, Any], variables: Mapping[str, str], problems: list[Problem]
) -> tuple[SourceSettings, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        problems.append(
            Problem(("sources",), "must be a list of sources", "Begin each source with '- name: …'.")
        )
        return ()
    sources: list[SourceSettings] = []
    first_use: dict[str, int] = {}
    for index, values in enumerate(raw):
        path: KeyPath = ("sources", index)
        source = _read_source(values, path, context, variables, problems)
        if source is not None:
            sources.append(source)
        name = values.get("name") if isinstance(values, dict) else None
        if isinstance(name, str) and first_use.setdefault(name, index) != index:
            what = f"the name {name!r} is taken by sources[{first_use[name]}]"
            problems.append(
                Problem((*path, "name"), what, "Give each source its own name; snapshots are kept under it.")
            )
    return tuple(sources)


def _read_source(
    values: Any,
    path: KeyPath,
    context: Mapping[str, Any],
    variables: Mapping[str, str],
    problems: list[Problem],
) -> SourceSettings | None:
    if not isinstance(values, dict):
        problems.append(Problem(path, "a source must be a mapping", "Give it name, connector and path."))
        return None
    connector = values.get("connector")
    if connector is None:
        known = ", ".join(sorted(CONNECTORS))
        problems.append(Problem((*path, "connector"), "this key is missing", f"Known connectors: {known}."))
        return None
    if not isinstance(connector, str) or connector not in CONNECTORS:
        remedy = render_choice(str(connector), CONNECTORS, "connectors")
        problems.append(Problem((*path, "connector"), f"there is no connector {connector!r}", remedy))
        return None
    settings = cast("type[SourceSettings]", load_settings_class(connector))
    expanded = expand_variables(values, settings, path, variables, problems)
    return validate_section(settings, expanded, path, context, problems)


def _read_identity(raw: Any, config: Config | None) -> IdentitySettings | None:
    """Return the identity section, alone if the rest has errors: a missing key is told at once too."""
    if config is not None:
        return config.identity
    try:
        return IdentitySettings.model_validate(raw or {})
    except ValidationError:
        return None


def _with_key(
    identity: IdentitySettings, variables: Mapping[str, str], problems: list[Problem]
) -> IdentitySettings:
    """Return the section with `key` from the variable that `key_env` names; a problem if it is missing or weak."""
    if not identity.pseudonymise:
        return identity
    if identity.key and identity.key.get_secret_value():
        _check_strength(identity.key.get_secret_value(), "identity.key", problems)
        return identity
    key = variables.get(identity.key_env)
    if not key:
        what = f"user ids are to be pseudonymised, but the variable {identity.key_env} holds no key"
        remedy = (
            f"Make one with {_MAKE_KEY}, keep it safe, and export {identity.key_env}=… before each run; "
            "or set identity.pseudonymise to false."
        )
        problems.append(Problem(("identity",), what, remedy))
        return identity
    _check_strength(key, identity.key_env, problems)
    return identity.model_copy(update={"key": SecretStr(key)})


def _check_strength(key: str, where: str, problems: list[Problem]) -> None:
    """Refuse a key that could be guessed: whoever guesses it can name every user by trying names."""
    if len(key) < MINIMUM_KEY_LENGTH:
        what = f"the key in {where} has {len(key)} characters; it needs {MINIMUM_KEY_LENGTH} or more"
        problems.append(Problem(("identity",), what, f"Make one with {_MAKE_KEY}."))


def _check_duplicate_rows(config: Config, problems: list[Problem]) -> None:
    """Find rows of one table that say two things about the same."""
    tables: dict[KeyPath, list[tuple[object, ...]]] = {
        ("budgets",): [(row.budget_id, row.period_start) for row in config.budgets],
        ("fx_rates",): [(row.from_currency, row.to_currency, row.rate_date) for row in config.fx_rates],
        ("model_aliases",): [(row.alias, row.provider) for row in config.model_aliases],
        ("classification",): [(row.rule_id,) for row in config.classification],
        ("shared_costs",): [(row.rule_id,) for row in config.shared_costs],
        ("prices", "overrides"): [
            (row.provider, row.model, row.token_class, row.service_tier, row.valid_from)
            for row in config.prices.overrides
        ],
    }
    for path, keys in tables.items():
        for index, key in enumerate(keys):
            if (first := keys.index(key)) != index:
                named = ", ".join(str(part) for part in key if part is not None)
                what = f"says again what row [{first}] says: {named}"
                problems.append(Problem((*path, index), what, "Keep one of the two rows."))
