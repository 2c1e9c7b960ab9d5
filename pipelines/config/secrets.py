"""`${VARIABLE}` in secrets, and nowhere else.

What belongs here: finding which fields of a model are secrets, and filling them from the environment.
What must not: holding or showing a secret's value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from pipelines.config.model_tree import inner_types, model_below
from pipelines.config.problems import KeyPath, Problem

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def expand_variables(
    value: Any,
    model: type[BaseModel] | None,
    path: KeyPath,
    environment: Mapping[str, str],
    problems: list[Problem],
) -> Any:
    """Return the value with `${VARIABLE}` filled in where `model` says that a field is a secret.

    Elsewhere, and for variables that are not set, a problem is added and the text left as it is.
    """
    if isinstance(value, dict):
        return {
            key: _expand_field(child, model, key, (*path, key), environment, problems)
            for key, child in value.items()
        }
    if isinstance(value, list):
        return [
            expand_variables(child, model, (*path, index), environment, problems)
            for index, child in enumerate(value)
        ]
    if isinstance(value, str) and _VARIABLE.search(value):
        what = "${…} stands in a field that is not a secret, where it is not replaced"
        problems.append(
            Problem(path, what, "Write the value itself; only secrets come from the environment.")
        )
    return value


def _expand_field(
    value: Any,
    model: type[BaseModel] | None,
    key: str,
    path: KeyPath,
    environment: Mapping[str, str],
    problems: list[Problem],
) -> Any:
    field = model.model_fields.get(key) if model else None
    if field is not None and SecretStr in inner_types(field.annotation) and isinstance(value, str):
        return _fill_secret(value, path, environment, problems)
    below = model_below(field.annotation) if field else None
    return expand_variables(value, below, path, environment, problems)


def _fill_secret(text: str, path: KeyPath, environment: Mapping[str, str], problems: list[Problem]) -> str:
    for name in _VARIABLE.findall(text):
        if not environment.get(name):
            what = f"the environment variable {name or '(no name)'} is not set or empty"
            problems.append(Problem(path, what, f"Set it before the run: export {name or 'NAME'}=…"))
    return _VARIABLE.sub(lambda found: environment.get(found[1], ""), text)
