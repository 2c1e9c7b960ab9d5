"""The tables of docs/config.md, made from the models, so that they cannot say something else.

What belongs here: rendering keys, types, defaults and descriptions as Markdown. Run it to write them anew:
`python -m pipelines.config.reference docs/config.md`. What must not: prose (it stands in the page itself).
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from connectors.common.registry import CONNECTORS, load_settings_class
from pipelines.config.model import Config
from pipelines.config.model_tree import inner_types, model_below

BEGIN = "<!-- begin: made by pipelines/config/reference.py -->"
END = "<!-- end -->"
_TYPE_WORDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    Decimal: "decimal number",
    Path: "path",
    date: "day, `2026-11-19`",
    datetime: "time in UTC, `2026-11-19T06:00`",
    SecretStr: "secret, `${VARIABLE}`",
}
_COMMON_KEYS = {
    "name": "Your name for the source; its snapshots are kept under it.",
    "connector": "Which connector reads it.",
    "path": "Folder or file.",
    "pattern": "Which files below the folder.",
}


def render_reference() -> str:
    """Return the tables of all keys: the top level, each section, each row of a table, each connector."""
    parts = [_render_model("Top level", Config)]
    parts += [_render_model(f"`{path}`", model) for path, model in _models_below(Config, "")]
    for connector in sorted(CONNECTORS):
        settings = load_settings_class(connector)
        parts.append(_render_model(f"`sources`, connector `{connector}`", settings))
        below = _models_below(settings, "sources[]")
        parts += [_render_model(f"`{path}`, connector `{connector}`", model) for path, model in below]
    return "\n\n".join(parts)


def replace_reference(page: str) -> str:
    """Return the page with the part between the two marks made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{render_reference()}\n\n{END}{after}"


def _models_below(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        below = model_below(field.annotation)
        if below is None or (model is Config and name == "sources"):
            continue
        is_list = tuple in {get_origin(field.annotation), field.annotation}
        here = f"{path}.{name}".lstrip(".") + ("[]" if is_list else "")
        yield here, below
        yield from _models_below(below, here)


def _render_model(title: str, model: type[BaseModel]) -> str:
    rows = [_render_field(name, field) for name, field in model.model_fields.items()]
    doc = " ".join((model.__doc__ or "").split())
    intro = f"{doc}\n\n" if doc and not issubclass(model, _source_base()) else ""
    table = "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])
    return f"### {title}\n\n{intro}{table}"


def _source_base() -> type[BaseModel]:
    from connectors.common.settings import SourceSettings

    return SourceSettings


def _render_field(name: str, field: FieldInfo) -> str:
    meaning = field.description or _COMMON_KEYS.get(name, "")
    cells = (f"`{name}`", _render_type(field.annotation), _render_default(field), meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _render_type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_render_type(part) for part in arguments if part is not type(None))
    if origin in (tuple, list, set, frozenset):
        return f"list of {_render_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {_render_type(arguments[0])} to {_render_type(arguments[1])}"
    if arguments:
        return _render_type(arguments[0])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return next((words for kind, words in _TYPE_WORDS.items() if kind in inner_types(annotation)), "text")


def _render_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=not field.default_factory_takes_validated_data)
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, tuple | list | dict | set | frozenset):
        return "empty" if not value else f"`{value}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main(arguments: list[str]) -> None:
    """Write the tables into the page named."""
    page = Path(arguments[0])
    page.write_text(replace_reference(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
