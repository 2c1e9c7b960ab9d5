"""One line of OTLP JSON → one row a span, by allow-list: what `schema.py` does not name never leaves here.

What belongs here: reading OTLP's JSON shapes defensively, choosing attributes, telling kinds of spans apart.
What must not: files, inheritance between spans, token arithmetic, messages that quote content.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import orjson
import polars as pl

from connectors.common.request_rows import MAX_TEXT_CHARACTERS, build_provider_name
from connectors.common.token_usage import MAX_TOKENS_PER_REQUEST
from connectors.otel_genai import schema
from connectors.otel_genai.settings import Settings

Row = dict[str, Any]
Scalar = str | int | float | bool
Targets = dict[str, list[tuple[str, int]]]
_LARGEST_TIME_NANOSECONDS = 2**63 - 1


class MalformedLineError(ValueError):
    """A line that is not an OTLP trace export; the message never quotes the line."""


@dataclass
class SpanReader:
    """Turns lines into rows and counts what it had to leave out; one reader a file."""

    settings: Settings
    ignored_signals: int = 0
    refused: list[tuple[int, str, str | None]] = field(default_factory=list)
    oversized: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        attributes = self.settings.attributes
        self._identity: dict[str, tuple[str, ...]] = {
            key: getattr(attributes, key) for key in (*schema.INHERITED_KEYS, "sub_account_id")
        }
        self._span_texts = _build_targets(schema.TEXT_ATTRIBUTES, self._identity)
        self._span_counts = _build_targets(schema.COUNT_ATTRIBUTES, schema.SIZE_ATTRIBUTES)
        self._resource_texts = _build_targets(schema.RESOURCE_ATTRIBUTES, self._identity)
        self._span_keys = self._span_texts.keys() | self._span_counts.keys()
        semantics = self.settings.semantics
        self._exclusive = frozenset(name.lower() for name in semantics.exclusive_emitters)

    def read_line(self, number: int, line: bytes) -> Iterator[Row]:
        """Yield the rows of one line; raises MalformedLineError when it is not OTLP JSON."""
        try:
            content = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise MalformedLineError("not a JSON object") from None
        if not isinstance(content, dict):
            raise MalformedLineError("not a JSON object")
        if "resourceSpans" not in content:
            if "resourceLogs" in content or "resourceMetrics" in content or not content:
                self.ignored_signals += 1
                return
            raise MalformedLineError("no resourceSpans: not an OTLP trace export")
        for group in _dicts(content["resourceSpans"]):
            described = _attributes(
                _dict(group.get("resource")).get("attributes"), self._resource_texts.keys()
            )
            resource = self._pick_texts(described, self._resource_texts)
            for scoped in _dicts(group.get("scopeSpans") or group.get("instrumentationLibrarySpans")):
                scope = str(_dict(scoped.get("scope")).get("name") or "").lower()
                for span in _dicts(scoped.get("spans")):
                    row = self._read_span(number, span, resource, scope)
                    if row is not None:
                        yield row

    def _read_span(
        self, number: int, span: Mapping[str, Any], resource: Mapping[str, str], scope: str
    ) -> Row | None:
        start = _microseconds(span.get("startTimeUnixNano"))
        if start is None:
            self.refused.append((number, "a span without a start time", "startTimeUnixNano"))
            return None
        attributes = _attributes(span.get("attributes"), self._span_keys)
        row: Row = {"line": number, "start_us": start, "end_us": _microseconds(span.get("endTimeUnixNano"))}
        for column, name in (
            ("trace_id", "traceId"),
            ("span_id", "spanId"),
            ("parent_span_id", "parentSpanId"),
        ):
            row[column] = self._text(column, span.get(name), str.lower)
        texts = self._pick_texts(attributes, self._span_texts)
        row |= resource
        row |= {key: texts[key] for key in self._identity.keys() & texts.keys()}
        row |= {key: texts[key] for key in ("region_id", "to_zone", "tool_name") if key in texts}
        row["status"] = _status(span.get("status"), texts.get("error_type"))
        row["is_call"] = _is_call(span, texts)
        row["span_kind"] = _span_kind(span, texts)
        if row["is_call"]:
            self._read_call(row, span, texts, attributes, scope)
        return row

    def _read_call(
        self,
        row: Row,
        span: Mapping[str, Any],
        texts: Mapping[str, str],
        attributes: Mapping[str, Scalar],
        scope: str,
    ) -> None:
        row["request_model"] = texts.get("request_model")
        for key in ("provider_request_id", "error_type", "service_tier"):
            row[key] = _as_code(texts.get(key))
        row["model"] = texts.get("response_model") or texts.get("request_model")
        named = texts.get("provider") or (
            schema.VLLM_PROVIDER if span.get("name") == schema.VLLM_SPAN_NAME else None
        )
        row["provider"] = build_provider_name(named)
        is_exclusive = scope in self._exclusive or row["provider"] in self._exclusive
        row["input_includes_cached"] = self.settings.semantics.input_includes_cached and not is_exclusive
        for column, scalar in _pick(attributes, self._span_counts).items():
            count, problem = _count(scalar)
            row[column] = count
            if column in schema.COUNT_ATTRIBUTES:
                row["usage_problem"] = row.get("usage_problem") or problem

    def _pick_texts(self, found: Mapping[str, Scalar], targets: Targets) -> dict[str, str]:
        """Return column → the text of the highest ranking attribute that has one."""
        chosen: dict[str, tuple[int, str]] = {}
        for key, scalar in found.items():
            for column, rank in targets.get(key, ()):
                text = self._text(column, scalar)
                if text is not None and (column not in chosen or rank < chosen[column][0]):
                    chosen[column] = (rank, text)
        return {column: text for column, (_, text) in chosen.items()}

    def _text(self, column: str, value: object, convert: Callable[[str], str] = str.strip) -> str | None:
        if value is None or isinstance(value, dict | list):
            return None
        text = convert(value if isinstance(value, str) else str(value)).strip()
        if len(text) > MAX_TEXT_CHARACTERS:
            self.oversized[column] += 1
            return None
        return text or None


def build_frame(rows: list[Row]) -> pl.DataFrame:
    """Return parsed rows as a frame with ROW_COLUMNS."""
    present: set[str] = set().union(*rows)
    columns = {name: [row.get(name) for row in rows] for name in schema.ROW_COLUMNS if name in present}
    frame = pl.DataFrame(columns, schema={name: schema.ROW_COLUMNS[name] for name in columns})
    absent = [
        pl.lit(None, kind).alias(name) for name, kind in schema.ROW_COLUMNS.items() if name not in present
    ]
    return frame.with_columns(absent).select(list(schema.ROW_COLUMNS))


def _build_targets(*lists: Mapping[str, tuple[str, ...]]) -> Targets:
    """Turn column → attributes by rank into attribute → the columns it may fill, with its rank there."""
    targets: Targets = {}
    for names in lists:
        for column, keys in names.items():
            for rank, key in enumerate(keys):
                targets.setdefault(key, []).append((column, rank))
    return targets


def _pick(found: Mapping[str, Scalar], targets: Targets) -> dict[str, Scalar]:
    """Return column → the highest ranking attribute's value."""
    chosen: dict[str, tuple[int, Scalar]] = {}
    for key, scalar in found.items():
        for column, rank in targets.get(key, ()):
            if column not in chosen or rank < chosen[column][0]:
                chosen[column] = (rank, scalar)
    return {column: scalar for column, (_, scalar) in chosen.items()}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def _attributes(value: object, allowed: Set[str]) -> dict[str, Scalar]:
    """Return the allowed attributes that hold a scalar; the first of several with one key."""
    found: dict[str, Scalar] = {}
    for item in _dicts(value):
        key = item.get("key")
        if isinstance(key, str) and key in allowed and key not in found:
            scalar = _scalar(item.get("value"))
            if scalar is not None:
                found[key] = scalar
    return found


def _scalar(value: object) -> Scalar | None:
    any_value = _dict(value)
    if isinstance(any_value.get("stringValue"), str):
        return any_value["stringValue"]
    for name in ("intValue", "doubleValue", "boolValue"):
        scalar = any_value.get(name)
        if isinstance(scalar, str | int | float):
            return scalar
    return None


def _microseconds(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        nanoseconds = int(value)
    except ValueError:
        return None
    return nanoseconds // 1000 if 0 < nanoseconds <= _LARGEST_TIME_NANOSECONDS else None


def _count(value: Scalar) -> tuple[int | None, str | None]:
    """Return a count, or null and the problem's name where it is none."""
    try:
        if isinstance(value, bool):
            return None, "not_a_count"
        number = int(value)
    except (ValueError, OverflowError):
        return None, "not_a_count"
    if isinstance(value, float) and number != value:
        return None, "not_a_count"
    if number > MAX_TOKENS_PER_REQUEST:
        return None, "absurd_tokens"
    return (number, None) if number >= 0 else (None, "negative_tokens")


def _is_call(span: Mapping[str, Any], texts: Mapping[str, str]) -> bool:
    if "operation" in texts:
        return texts["operation"].lower() in schema.CALL_OPERATIONS
    if "openinference_kind" in texts:
        return texts["openinference_kind"].lower() in schema.CALL_OPENINFERENCE_KINDS
    if "openllmetry_request" in texts:
        return texts["openllmetry_request"].lower() in schema.CALL_OPENLLMETRY_REQUESTS
    return span.get("name") == schema.VLLM_SPAN_NAME


def _span_kind(span: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    kinds = (
        schema.SPAN_KIND_OF_OPERATION.get(texts.get("operation", "").lower()),
        schema.SPAN_KIND_OF_OPENINFERENCE.get(texts.get("openinference_kind", "").lower()),
        schema.SPAN_KIND_OF_OPENLLMETRY.get(texts.get("openllmetry_kind", "").lower()),
    )
    named = next((kind for kind in kinds if kind), None)
    kind = span.get("kind")
    is_server = isinstance(kind, int | str) and kind in schema.SERVER_KINDS
    return named or ("server" if is_server else "other")


def _as_code(text: str | None) -> str | None:
    """A code as it is; a sentence where a code belongs is somebody's text and does not enter the lake."""
    return "text_withheld" if text and len(text.split()) > 1 else text


def _status(status: object, error_type: str | None) -> str:
    if error_type in schema.ABORTED_ERRORS:
        return "aborted"
    code = _dict(status).get("code")
    is_error = isinstance(code, int | str) and code in schema.ERROR_CODES
    return "error" if is_error or error_type else "ok"
