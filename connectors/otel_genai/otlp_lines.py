"""OTLP JSON: one line is one ExportTraceServiceRequest; its spans become raw spans.

What belongs here: walking the JSON, whatever its shape; keeping only what is allow-listed. What must not: what an
attribute means, messages that quote content.
Format: opentelemetry-proto trace/v1, in the JSON mapping of the OTLP specification (64-bit integers as text).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from connectors.otel_genai import schema
from connectors.otel_genai.raw_spans import (
    FIXED_COLUMNS,
    AttributeNames,
    ReadNotes,
    build_id,
    build_raw_frame,
    is_unknown_usage,
    read_kept_share,
)

LARGEST_TIME_NANOSECONDS = 2**63 - 1
MAX_OBJECT_CHARACTERS = 65_536
"""A longer JSON text in `metadata` is not looked into."""
_MAX_KEYS_REMEMBERED = 10_000
_SCALARS = ("stringValue", "intValue", "doubleValue", "boolValue")
_WANTED, _OBJECT, _UNKNOWN_USAGE, _OTHER = range(4)


class MalformedLineError(ValueError):
    """A line that is not an OTLP trace export; the message never quotes the line."""


@dataclass
class OtlpReader:
    """Collects the spans of some lines of one file."""

    names: AttributeNames
    notes: ReadNotes = field(default_factory=ReadNotes)

    def __post_init__(self) -> None:
        self._fixed: dict[str, list[Any]] = {name: [] for name in FIXED_COLUMNS}
        self._attributes: list[dict[str, str]] = []
        self._resources: list[dict[str, str]] = []
        self._resource_of: list[int] = []
        self._resource_index: dict[tuple[tuple[str, str], ...], int] = {}
        self._class_of_key: dict[str, int] = {}

    @property
    def count(self) -> int:
        """Spans collected so far."""
        return len(self._attributes)

    def read_lines(self, lines: Sequence[tuple[int, bytes]]) -> None:
        """Read lines; one that is no OTLP trace export is noted with its number."""
        for number, line in lines:
            self.notes.lines += 1
            try:
                self._read_line(number, line)
            except MalformedLineError as error:
                self.notes.malformed.append((number, str(error)))

    def take(self) -> pl.DataFrame:
        """Return the spans collected since the last time."""
        frame = build_raw_frame(self._fixed, self._attributes, self._resources, self._resource_of)
        notes, self.notes = self.notes, ReadNotes()
        self.__post_init__()
        self.notes = notes
        return frame

    def _read_line(self, number: int, line: bytes) -> None:
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise MalformedLineError("not a JSON object") from None
        if type(content) is not dict:
            raise MalformedLineError("not a JSON object")
        if "resourceSpans" not in content:
            if "resourceLogs" in content or "resourceMetrics" in content or not content:
                self.notes.ignored_signals += 1
                return
            raise MalformedLineError("no resourceSpans: not an OTLP trace export")
        for group in _dicts(content["resourceSpans"]):
            resource = self._find_resource(group.get("resource"))
            for scoped in _dicts(group.get("scopeSpans") or group.get("instrumentationLibrarySpans")):
                scope = scoped.get("scope")
                named = scope.get("name") if type(scope) is dict else None
                scope_name = named.lower() if type(named) is str and len(named) <= 512 else None
                for span in _dicts(scoped.get("spans")):
                    self._read_span(number, span, scope_name)
                    self._resource_of.append(resource)

    def _find_resource(self, resource: object) -> int:
        described = resource.get("attributes") if type(resource) is dict else None
        found = self._read_attributes(described, self.names.resource)
        key = tuple(sorted(found.items()))
        index = self._resource_index.get(key)
        if index is None:
            index = self._resource_index[key] = len(self._resources)
            self._resources.append(found)
        return index

    def _read_span(self, number: int, span: dict[str, Any], scope: str | None) -> None:
        fixed = self._fixed
        fixed["line"].append(number)
        fixed["trace_id"].append(build_id(span.get("traceId")))
        fixed["span_id"].append(build_id(span.get("spanId")))
        fixed["parent_span_id"].append(build_id(span.get("parentSpanId")))
        fixed["start_us"].append(_microseconds(span.get("startTimeUnixNano")))
        fixed["end_us"].append(_microseconds(span.get("endTimeUnixNano")))
        fixed["kind"].append(_code(span.get("kind")))
        status = span.get("status")
        fixed["status_code"].append(_code(status.get("code")) if type(status) is dict else None)
        fixed["is_vllm"].append(span.get("name") == schema.VLLM_SPAN_NAME)
        fixed["scope"].append(scope)
        state = span.get("traceState")
        fixed["kept_share"].append(read_kept_share(state[:512]) if state and type(state) is str else None)
        self._attributes.append(self._read_attributes(span.get("attributes"), self.names.span))

    def _read_attributes(self, items: object, wanted: frozenset[str]) -> dict[str, str]:
        """Return the wanted attributes that hold a scalar, as text; the first of several with one key."""
        found: dict[str, str] = {}
        if type(items) is not list:
            return found
        is_span = wanted is self.names.span
        for item in items:
            key = item.get("key") if type(item) is dict else None
            if type(key) is not str:
                continue
            if key in wanted:
                text = None if key in found else _scalar(item.get("value"))
                if text is not None:
                    found[key] = text
            elif is_span:
                self._look_closer(key, item, found)
        return found

    def _look_closer(self, key: str, item: dict[str, Any], found: dict[str, str]) -> None:
        """Look at an attribute that is not wanted itself: it may hold wanted ones, or count what nobody knows."""
        kind = self._class_of_key.get(key)
        if kind is None:
            kind = self._classify(key)
        if kind == _OBJECT:
            for name, value in read_object(key, _scalar(item.get("value"))).items():
                if name in self.names.span and name not in found:
                    found[name] = value
        elif kind == _UNKNOWN_USAGE:
            self.notes.note_usage(key)

    def _classify(self, key: str) -> int:
        kind = _OBJECT if key in self.names.objects else _UNKNOWN_USAGE if is_unknown_usage(key) else _OTHER
        if len(self._class_of_key) < _MAX_KEYS_REMEMBERED and len(key) <= 256:
            self._class_of_key[key] = kind
        return kind


def read_object(name: str, text: str | None) -> dict[str, str]:
    """Return the scalars of a JSON object that an attribute holds as text, by `name.key`."""
    if text is None or len(text) > MAX_OBJECT_CHARACTERS or not text.lstrip().startswith("{"):
        return {}
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    scalars = {key: _text(value) for key, value in content.items()} if type(content) is dict else {}
    return {f"{name}.{key}": value for key, value in scalars.items() if value is not None}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if type(value) is list:
        for item in value:
            if type(item) is dict:
                yield item


def _scalar(value: object) -> str | None:
    if type(value) is not dict:
        return None
    for name in _SCALARS:
        if name in value:
            return _text(value[name])
    return None


def _text(value: object) -> str | None:
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    return str(value) if type(value) in (int, float) else None


def _code(value: object) -> str | None:
    return str(value) if type(value) is int else value if type(value) is str and len(value) <= 64 else None


def _microseconds(value: object) -> int | None:
    if type(value) is str:
        if len(value) > 20 or not value.isascii() or not value.isdigit():
            return None
        value = int(value)
    elif type(value) is not int:
        return None
    return value // 1000 if 0 < value <= LARGEST_TIME_NANOSECONDS else None  # type: ignore[operator]
