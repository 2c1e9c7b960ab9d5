"""Spans as a file states them: fixed fields, and the allow-listed attributes as text. Both formats end here.

What belongs here: the columns that reading a format fills. What must not: files, what an attribute means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from connectors.otel_genai import schema
from connectors.otel_genai.settings import Settings

SPAN = "@"
RESOURCE = "^"
"""What the column of a span's, and of a resource's, attribute begins with."""

FIXED_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "line": pl.Int64,
    "trace_id": pl.String,
    "span_id": pl.String,
    "parent_span_id": pl.String,
    "start_us": pl.Int64,
    "end_us": pl.Int64,
    "kind": pl.String,
    "status_code": pl.String,
    "is_vllm": pl.Boolean,
    "scope": pl.String,
    "kept_share": pl.Float64,
}
"""One span without its attributes; `kept_share` is how likely its sampler was to keep it, where stated."""

_THRESHOLD = re.compile(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,\s]|$)")
_NAME_OF_USAGE = re.compile(r"[a-zA-Z0-9_.]{1,80}")
_NO_ID = frozenset({"", "0000000000000000"})


@dataclass(frozen=True)
class AttributeNames:
    """The attributes that may be read, and nothing else ever is."""

    span: frozenset[str]
    resource: frozenset[str]
    objects: frozenset[str]

    @classmethod
    def build(cls, settings: Settings) -> AttributeNames:
        """Return the names that the schema and this source's settings ask for."""
        identity = {
            name
            for key in (*schema.INHERITED_KEYS, "sub_account_id")
            for name in getattr(settings.attributes, key)
        }
        span = identity | set(schema.COST_ATTRIBUTES) | set(schema.SAMPLING_ATTRIBUTES)
        span |= set(settings.semantics.batch_attributes)
        for names in (schema.COUNT_ATTRIBUTES, schema.SIZE_ATTRIBUTES, schema.TEXT_ATTRIBUTES):
            span |= {name for group in names.values() for name in group}
        span |= {name for group in schema.SECONDS_ATTRIBUTES.values() for name, _ in group}
        resource = identity | {name for group in schema.RESOURCE_ATTRIBUTES.values() for name in group}
        objects = {
            name for name in schema.OBJECT_ATTRIBUTES if any(each.startswith(f"{name}.") for each in span)
        }
        return cls(frozenset(span), frozenset(resource), frozenset(objects))


@dataclass
class ReadNotes:
    """What reading a part of a file left out; parts add up."""

    lines: int = 0
    malformed: list[tuple[int, str]] = field(default_factory=list)
    ignored_signals: int = 0
    unknown_usage: dict[str, int] = field(default_factory=dict)

    def add(self, other: ReadNotes) -> None:
        """Take over what another part of the same file noted."""
        self.lines += other.lines
        self.malformed += other.malformed
        self.ignored_signals += other.ignored_signals
        for name, count in other.unknown_usage.items():
            if name in self.unknown_usage or len(self.unknown_usage) < 20:
                self.unknown_usage[name] = self.unknown_usage.get(name, 0) + count

    def note_usage(self, key: str, count: int = 1) -> None:
        """Count a usage attribute that nobody told us about; a key that is no name is told as such."""
        name = key if _NAME_OF_USAGE.fullmatch(key) else "(no plain name)"
        if name in self.unknown_usage or len(self.unknown_usage) < 20:
            self.unknown_usage[name] = self.unknown_usage.get(name, 0) + count


def is_unknown_usage(key: str) -> bool:
    """Tell whether an attribute that is not allow-listed counts something."""
    return key.startswith(schema.USAGE_PREFIXES) and key not in schema.KNOWN_USAGE


def read_kept_share(trace_state: str) -> float | None:
    """Return the probability that `ot=th:…` of a trace state tells, None where it tells none.

    The threshold is 56 bits, its trailing zeros left out; the span was kept with probability 1 - th / 2^56
    (OpenTelemetry specification, TraceState: Probability Sampling).
    """
    match = _THRESHOLD.search(trace_state)
    return None if match is None else 1 - int(match[1].ljust(14, "0"), 16) / 2**56


def build_id(value: object) -> str | None:
    """Return a trace or span id in lower case; None for none, for zeros and for anything too long to be one."""
    if type(value) is not str or len(value) > 64:
        return None
    text = value.strip().lower()
    return None if text in _NO_ID or not text.strip("0") else text


def build_raw_frame(
    fixed: Mapping[str, list[object]],
    attributes: list[dict[str, str]],
    resources: list[dict[str, str]],
    resource_of: list[int],
) -> pl.DataFrame:
    """Return spans as a frame: FIXED_COLUMNS, and a text column for each attribute that occurs."""
    frame = pl.DataFrame(dict(fixed), schema=FIXED_COLUMNS)
    own = _columns(attributes, SPAN)
    shared = pl.DataFrame(_columns(resources, RESOURCE), schema_overrides=None)
    if shared.width:
        frame = frame.hstack(shared[pl.Series(resource_of, dtype=pl.UInt32)])
    return frame.hstack(own) if own else frame


def _columns(rows: list[dict[str, str]], prefix: str) -> list[pl.Series]:
    names = sorted(_names(rows))
    return [pl.Series(prefix + name, [row.get(name) for row in rows], dtype=pl.String) for name in names]


def _names(rows: Iterable[dict[str, str]]) -> set[str]:
    return set().union(*rows)
