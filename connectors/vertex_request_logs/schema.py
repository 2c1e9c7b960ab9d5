"""How Cloud Logging names objects, and under which names an entry may keep what is taken of it.

What belongs here: keys of objects, the allow-list of names. What must not: reading files, arithmetic on tokens.

Google describes what an entry of the inference request metadata log holds (model, region, input, output, cached and
thought tokens, provisioned throughput burndown, latency, error code, header and request labels) but publishes no
schema of `jsonPayload`. So each field is looked for under the names that Google's APIs use for it, without regard to
case and underscores, wherever in the payload it stands; labels are never searched. `FieldNames` overrides it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.common.logs.objects import LogGroup

_KEY = re.compile(
    r"(?:(?P<log>.+)/)?(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/(?P<hour>\d{2}):\d{2}:\d{2}_[^/]+\.json"
)
_MODEL_PATH = re.compile(r"(?:.*/)?(?:publishers/(?P<publisher>[^/]+)/)?models/(?P<model>[^/]+)")
_DEPTH = 5
SUFFIXES = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")

NAMES: dict[str, tuple[str, ...]] = {
    "prompt_tokens": ("promptTokenCount", "inputTokenCount", "inputTokens", "promptTokens"),
    "answer_tokens": (
        "candidatesTokenCount", "outputTokenCount", "outputTokens", "candidatesTokens", "responseTokenCount",
    ),
    "thought_tokens": ("thoughtsTokenCount", "thoughtTokenCount", "thoughtTokens", "thoughtsTokens", "reasoningTokens"),
    "cached_tokens": (
        "cachedContentTokenCount", "cachedTokenCount", "cachedTokens", "cachedInputTokens", "cacheReadInputTokens",
        "cacheReadTokens",
    ),
    "tool_tokens": ("toolUsePromptTokenCount",),
    "cache_write_tokens": (
        "cacheCreationInputTokens", "cacheWriteInputTokens", "cacheCreationTokens", "cacheWriteTokens",
    ),
    "cache_write_5m_tokens": ("ephemeral5mInputTokens", "cacheWrite5mTokens"),
    "cache_write_1h_tokens": ("ephemeral1hInputTokens", "cacheWrite1hTokens"),
    "total_tokens": ("totalTokenCount", "totalTokens"),
    "model": ("model", "modelId", "modelName", "publisherModel", "modelVersion"),
    "region": ("region", "location", "servingRegion"),
    "response_id": ("responseId",),
    "request_id": ("requestId",),
    "started_at": ("requestTime", "startTime", "requestStartTime"),
    "latency": (
        "latencyMs", "latencyMillis", "e2eLatencyMs", "requestLatencyMs", "totalLatencyMs", "durationMs",
        "latencySeconds", "requestLatency", "latency", "e2eLatency", "endToEndLatency", "duration",
    ),
    "error_code": ("errorCode", "statusCode", "responseCode", "httpStatus"),
    "traffic_type": ("trafficType", "throughputType"),
    "burndown": (
        "provisionedThroughputBurndown", "provisionedThroughputBurndownTokens", "burndownTokens", "ptBurndown",
        "burndown",
    ),
    "sampling_rate": ("samplingRate",),
}  # fmt: skip
"""What is read → the names it may have."""

LABELS = ("requestlabels", "labels", "headerlabels")
"""Maps of labels, the first that has a key wins; compared without case and underscores."""

_NOT_SEARCHED = frozenset(
    {
        *LABELS,
        "request",
        "fullresponse",
        "fullrequest",
        "requestpayload",
        "responsepayload",
        "candidates",
        "contents",
    }
)
TRAFFIC_TIERS = {
    "ON_DEMAND": "standard",
    "ON_DEMAND_PRIORITY": "priority",
    "ON_DEMAND_FLEX": "flex",
    "PROVISIONED_THROUGHPUT": "provisioned",
}
GOOD_CODES = frozenset({"0", "200", "OK", "ok"})


@dataclass(frozen=True)
class Layout:
    """`<log>/YYYY/MM/DD/HH:MM:SS_HH:MM:SS_S0.json`: shards of an hour, with `A0` for entries that came late.

    The shards of an hour are one delivery; a file without an hour in its name is one of its own.
    """

    logs: Sequence[str] = ()

    def list_prefixes(self, location: int, day: date) -> Sequence[str]:
        """The folder of a day, by log; everything where logs are not stated."""
        return [f"{log.strip('/')}/{day:%Y/%m/%d}/" for log in self.logs] or ("",)

    def find_groups(self, key: str) -> Sequence[LogGroup]:
        """The hour that an object is of."""
        if not key.lower().endswith(SUFFIXES):
            return ()
        match = _KEY.fullmatch(key)
        if match is None:
            return (LogGroup(key, None),)
        try:
            day = date(int(match["year"]), int(match["month"]), int(match["day"]))
        except ValueError:
            return ()
        return (LogGroup(f"{match['log'] or '.'}/{day:%Y/%m/%d}/{match['hour']}", day),)

    def order(self, location: int, key: str) -> str:
        """By key."""
        return key


def build_index(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scalars of a payload by name, without case and underscores; the one nearest to the top wins.

    What holds text of people (requests, contents) and labels are not looked into.
    """
    index: dict[str, Any] = {}
    level: list[Mapping[str, Any]] = [payload]
    for _ in range(_DEPTH):
        deeper: list[Mapping[str, Any]] = []
        for holder in level:
            for name, value in holder.items():
                plain = normalise(name)
                if plain in _NOT_SEARCHED or value is None:
                    continue
                if isinstance(value, Mapping):
                    deeper.append(value)
                elif isinstance(value, str | int | float) and not isinstance(value, bool):
                    index.setdefault(plain, value)
        level = deeper
    return index


def normalise(name: str) -> str:
    """Return a name without case, underscores and dashes."""
    return name.replace("_", "").replace("-", "").lower()


def find_labels(payload: Mapping[str, Any], entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the maps of labels: of the request, of its headers, of the log entry."""
    by_name = {normalise(name): value for name, value in payload.items()}
    for name in LABELS:
        if isinstance(by_name.get(name), Mapping):
            yield by_name[name]
    if isinstance(entry.get("labels"), Mapping):
        yield entry["labels"]


def read_model(text: str) -> tuple[str, str | None]:
    """Return the model that a resource name or id names, and its publisher where it says so."""
    match = _MODEL_PATH.fullmatch(text)
    return (match["model"], match["publisher"]) if match else (text, None)
