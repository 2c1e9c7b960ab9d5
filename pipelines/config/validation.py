"""Checking values against a model, with pydantic's errors in our words.

What belongs here: from one ValidationError to problems with a place and a remedy. What must not: keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, SecretStr, ValidationError

from pipelines.config.model_tree import inner_types, model_at
from pipelines.config.problems import SEE_DOCS, KeyPath, Problem, render_choice

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_M = TypeVar("_M", bound=BaseModel)


def validate_section(
    model: type[_M], values: Any, path: KeyPath, context: Mapping[str, Any], problems: list[Problem]
) -> _M | None:
    """Return the values as a `model`, or None after adding every problem found to `problems`."""
    try:
        return model.model_validate(values, context=dict(context))
    except ValidationError as error:
        problems.extend(_problem(model, details, path) for details in error.errors(include_url=False))
        return None


def _problem(model: type[BaseModel], details: ErrorDetails, above: KeyPath) -> Problem:
    location = tuple(
        part for part in details["loc"] if not str(part).startswith(("function-", "constrained-"))
    )
    path = (*above, *location)
    kind = details["type"]
    if kind == "extra_forbidden":
        owner = model_at(model, location[:-1])
        known = list(owner.model_fields) if owner else []
        return Problem(path, "there is no such key", render_choice(str(location[-1]), known, "keys here"))
    if kind == "missing":
        return Problem(path, "this key is missing", f"Add it. {SEE_DOCS}")
    what = details["msg"].removeprefix("Value error, ").removesuffix(".")
    return Problem(path, f"{what[:1].lower()}{what[1:]}{_shown(model, location, details)}", SEE_DOCS)


def _shown(model: type[BaseModel], location: KeyPath, details: ErrorDetails) -> str:
    """Return what was written there, unless it is long, has an inside, or may be a secret."""
    value = details.get("input")
    if isinstance(value, dict | list) or len(str(value)) > 80 or _is_secret(model, location):
        return ""
    return f", but is {'empty' if value is None else repr(str(value))}"


def _is_secret(model: type[BaseModel], location: KeyPath) -> bool:
    owner = model_at(model, location[:-1]) if location else None
    field = owner.model_fields.get(str(location[-1])) if owner else None
    return field is None or SecretStr in inner_types(field.annotation)
