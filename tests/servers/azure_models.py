"""Holding JSON against the Azure SDK's own models: names, types, required fields and known values.

What belongs here: the check. What must not: any answer. A fake that says what the service cannot say fails here.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from azure.mgmt.costmanagement import models
from azure.mgmt.costmanagement.models import _models as definitions

MODEL = models.QueryDefinition.__mro__[1]
"""The base of the SDK's models."""


class NotOfTheModel(AssertionError):
    """A request or an answer that the service's model does not have."""


def check_model(kind: type, content: object, where: str = "") -> Any:
    """Return wire JSON as the SDK's model, after checking every part of it; NotOfTheModel tells the first fault."""
    _check(kind, content, where or kind.__name__)
    return kind(content)


def _check(kind: Any, content: object, where: str) -> None:
    if kind is Any:
        return
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        _check_union(kind, content, where)
    elif origin is list:
        _require(isinstance(content, list), where, "is no list", content)
        for number, item in enumerate(typing.cast(list[object], content)):
            _check(typing.get_args(kind)[0], item, f"{where}[{number}]")
    elif origin is dict:
        _require(isinstance(content, Mapping), where, "is no object", content)
        for key, item in typing.cast(Mapping[str, object], content).items():
            _check(typing.get_args(kind)[1], item, f"{where}.{key}")
    elif issubclass(kind, MODEL):
        _check_object(kind, content, where)
    else:
        _check_plain(kind, content, where)


def _check_union(kind: Any, content: object, where: str) -> None:
    choices = typing.get_args(kind)
    if type(None) in choices and content is None:
        return
    enums = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, Enum)]
    if enums:  # the SDK types an enumeration as "text or one of these"
        known = {str(member.value) for enum in enums for member in enum}
        _require(content in known, where, f"is none of {sorted(known)}", content)
        return
    rest = [choice for choice in choices if choice is not type(None)]
    _check(rest[0], content, where)


def _check_object(kind: type, content: object, where: str) -> None:
    _require(isinstance(content, Mapping), where, "is no object", content)
    given = dict(typing.cast(Mapping[str, object], content))
    hints = typing.get_type_hints(kind, dict(vars(definitions)), {"_models": models})
    kind({})  # the SDK names the fields of a class when its first instance is made
    for attribute, field in kind._attr_to_rest_field.items():  # type: ignore[attr-defined]
        hint = hints[attribute]
        if field._rest_name in given:
            _check(hint, given.pop(field._rest_name), f"{where}.{field._rest_name}")
        else:
            is_optional = type(None) in typing.get_args(hint)
            _require(
                is_optional,
                where,
                f"lacks {field._rest_name}",
                content,
            )
    _require(not given, where, f"has no {sorted(given)}", content)


def _check_plain(kind: type, content: object, where: str) -> None:
    if kind is datetime:
        _require(isinstance(content, str), where, "is no time", content)
        datetime.fromisoformat(str(content))
    elif kind is float:
        is_number = isinstance(content, int | float) and not isinstance(content, bool)
        _require(is_number, where, "is no number", content)
    else:
        _require(isinstance(content, kind), where, f"is no {kind.__name__}", content)


def _require(is_met: bool, where: str, problem: str, content: object) -> None:
    if not is_met:
        raise NotOfTheModel(f"{where} {problem}: {content!r:.200}")
