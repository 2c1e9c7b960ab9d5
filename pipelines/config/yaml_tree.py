"""From the text of a YAML file to plain values, without what YAML guesses wrongly.

What belongs here: YAML 1.2 scalars, numbers with a point as Decimal from their own text, the line of every
key, and refusing keys that stand twice. What must not: knowing any key of our config.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from pipelines.config.problems import ConfigError, KeyPath, Problem

_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE = {"true", "True", "TRUE"}
_FALSE = {"false", "False", "FALSE"}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")  # not 007: an id with leading zeros stays text
_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")


@dataclass
class YamlTree:
    """The values of a file, the line on which each path stands, and what was wrong on the way."""

    values: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_yaml_tree(file: Path) -> YamlTree:
    """Read a YAML file. Raises ConfigError when it is missing, unreadable or not YAML."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            file, [Problem((), "there is no such file", "Give its place with --config FILE.")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(
            file, [Problem((), f"cannot be read: {reason}", "It must be a readable text file.")]
        ) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigError(file, [_syntax_problem(error)]) from None
    tree = YamlTree()
    tree.values = _value(node, (), tree, ()) if node is not None else None
    return tree


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    reason = getattr(error, "problem", None) or "it does not parse"
    return Problem(
        (), f"not valid YAML{place}: {reason}", "Check indentation, quotes and colons around that place."
    )


def _value(node: yaml.Node, path: KeyPath, tree: YamlTree, parents: tuple[int, ...]) -> Any:
    if path not in tree.lines:
        tree.lines[path] = node.start_mark.line + 1
    if id(node) in parents:
        tree.problems.append(
            Problem(path, "an alias contains itself", "Write the value out instead of the alias.")
        )
        return None
    inside = (*parents, id(node))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, tree, inside)
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, index), tree, inside) for index, child in enumerate(node.value)]
    return _scalar(node, path, tree)


def _mapping(
    node: yaml.MappingNode, path: KeyPath, tree: YamlTree, parents: tuple[int, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
        line = key_node.start_mark.line + 1
        below = (*path, key)
        if key in values:
            first = tree.lines[below]
            what = f"this key stands twice, on lines {first} and {line}"
            tree.problems.append(Problem(below, what, "Keep one of them."))
            continue
        tree.lines[below] = line
        values[key] = _value(value_node, below, tree, parents)
    return values


def _scalar(node: yaml.Node, path: KeyPath, tree: YamlTree) -> Any:
    text = str(node.value)
    if not node.tag.startswith("tag:yaml.org,2002:"):
        what = f"the YAML tag {node.tag} is not known here"
        tree.problems.append(Problem(path, what, "Write a plain value."))
        return None
    if getattr(node, "style", None) is not None:
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INTEGER.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text
