"""Turns the model matching of genai-prices into plain regular expressions that SQL can apply.

What belongs here: match clause → rows of `model_patterns.csv`. What must not: prices, or reading a bill.

A raw name, in lower case, is the model of the row with the smallest priority of its provider all of whose
patterns match it. Patterns stay in what RE2 (DuckDB) and Java (Spark) read alike: no lookaround, no
back reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseRegex,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    Provider,
)

LOOKAROUND_REWRITES = {
    r"^(?!.*-[tT][tT][sS](?:$|-))": (r"^[^-]*(?:-(?:|t|tt|[^t-][^-]*|t[^t-][^-]*|tt[^s-][^-]*|tts[^-]+))*$"),
}
"""Lookarounds of the package → the same language without one (here: no part after a dash is `tts`)."""

MAX_PATTERNS = 3
METACHARACTERS = re.compile(r"([\\.+*?()|\[\]{}^$])")
LITERAL_DATE = re.compile(r"-(20\d{2})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?=[-:$|)]|$)")
REGEX_DATE = r"-\d{4}-\d{2}-\d{2}"
COMPACT_REGEX_DATE = r"-20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"


@dataclass(frozen=True)
class ModelPattern:
    """One row of `model_patterns.csv`."""

    provider: str
    model: str
    priority: int
    patterns: tuple[str, ...]


def build_model_patterns(
    providers: Sequence[Provider], canonical_model: Callable[[Provider, Provider, ModelInfo], str]
) -> list[ModelPattern]:
    """The patterns of every provider in the package's order: own models, then its fallback providers'.

    `canonical_model(provider, owner, model)` names the model of `owner` as sold by `provider`. As in the
    package, a compact date (`-20251211`) is tried as `-2025-12-11` when nothing matched the name as it is.
    """
    by_id = {provider.id: provider for provider in providers}
    rows: list[ModelPattern] = []
    for provider in providers:
        owners = [provider, *(by_id[name] for name in provider.fallback_model_providers or ())]
        named = [
            (canonical_model(provider, owner, model), model) for owner in owners for model in owner.models
        ]
        direct = [(name, patterns) for name, model in named for patterns in _flatten(model.match)]
        compact = [(name, dated) for name, patterns in direct for dated in _compact_dates(patterns)]
        for priority, (name, patterns) in enumerate((*direct, *compact), start=1):
            rows.append(ModelPattern(provider.id, name, priority, patterns))
    return rows


def resolve_model(provider: str, name: str, patterns: Mapping[str, Sequence[ModelPattern]]) -> str | None:
    """The canonical model of a raw name, as SQL resolves it; `patterns` holds each provider's rows."""
    lowered = name.lower()
    rows = sorted(patterns.get(provider, ()), key=lambda row: row.priority)
    return next(
        (row.model for row in rows if all(_compile(part).search(lowered) for part in row.patterns)), None
    )


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _flatten(clause: MatchLogic) -> Iterator[tuple[str, ...]]:
    """The clause as alternatives, each a tuple of patterns that must all match."""
    alternatives = list(_alternatives(clause))
    single = [patterns[0] for patterns in alternatives if len(patterns) == 1]
    if single:
        yield (_join_alternatives(single),)
    for patterns in alternatives:
        if len(patterns) > MAX_PATTERNS:
            raise ValueError(
                f"match clause needs {len(patterns)} patterns, {MAX_PATTERNS} is the most: {clause}"
            )
        if len(patterns) > 1:
            yield patterns


def _alternatives(clause: MatchLogic) -> Iterator[tuple[str, ...]]:
    if isinstance(clause, ClauseOr):
        for part in clause.or_:
            yield from _alternatives(part)
    elif isinstance(clause, ClauseAnd):
        conjunctions: list[tuple[str, ...]] = [()]
        for part in clause.and_:
            conjunctions = [(*left, *right) for left in conjunctions for right in _alternatives(part)]
        yield from conjunctions
    else:
        yield (_render_pattern(clause),)


def _render_pattern(clause: MatchLogic) -> str:
    if isinstance(clause, ClauseRegex):
        pattern = LOOKAROUND_REWRITES.get(clause.regex, clause.regex)
        if re.search(r"\(\?[=!<]|\\[1-9]", pattern):
            raise ValueError(
                f"{clause.regex} has a lookaround or back reference; add its rewrite to LOOKAROUND_REWRITES"
            )
        return pattern
    if isinstance(clause, ClauseEquals):
        return f"^{_escape(clause.equals)}$"
    if isinstance(clause, ClauseStartsWith):
        return f"^{_escape(clause.starts_with)}"
    if isinstance(clause, ClauseEndsWith):
        return f"{_escape(clause.ends_with)}$"
    if isinstance(clause, ClauseContains):
        return _escape(clause.contains)
    raise TypeError(f"unknown match clause {type(clause).__name__}; teach build_patterns to render it")


def _escape(text: str) -> str:
    return METACHARACTERS.sub(r"\\\1", text.lower())


def _join_alternatives(patterns: Sequence[str]) -> str:
    """One pattern for several; whole names share their anchors to keep the file small."""
    whole = [p[1:-1] for p in patterns if p.startswith("^") and p.endswith("$") and "|" not in p]
    other = [p for p in patterns if not (p.startswith("^") and p.endswith("$") and "|" not in p)]
    if len(whole) > 1:
        other.append(f"^(?:{'|'.join(whole)})$")
    else:
        other.extend(f"^{name}$" for name in whole)
    return other[0] if len(other) == 1 else "|".join(f"(?:{pattern})" for pattern in other)


def _compact_dates(patterns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """The same patterns for names with a compact date, if they speak of a date at all."""
    dated = tuple(_compact_date(pattern) for pattern in patterns)
    if dated != patterns:
        yield dated


def _compact_date(pattern: str) -> str:
    return LITERAL_DATE.sub(r"-\1\2\3", pattern).replace(REGEX_DATE, COMPACT_REGEX_DATE)
