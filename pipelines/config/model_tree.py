"""Walking pydantic models by the path of a key.

What belongs here: which model, and which field types, stand at a path. What must not: validation.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel

from pipelines.config.problems import KeyPath


def inner_types(annotation: Any) -> set[Any]:
    """Return every plain type inside an annotation: {str, None} for `tuple[str, ...] | None`."""
    arguments: Iterable[Any] = get_args(annotation)
    if not arguments:
        return {annotation}
    return set().union(*(inner_types(argument) for argument in arguments if not isinstance(argument, str)))


def model_below(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation holds, alone or in a sequence; None when it holds none."""
    for inner in inner_types(annotation):
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            return inner
    return None


def model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    """Return the model whose fields stand directly below `path`."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        field = current.model_fields.get(part) if current else None
        current = model_below(field.annotation) if field else None
    return current
