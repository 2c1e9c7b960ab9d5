"""Field names of OpenAI's usage and cost reports, and what they are in the lake.

What belongs here: names, kinds and units. What must not: calling OpenAI, or arithmetic.

Source: openai/openai-openapi, `openapi.yaml` 2.3.0 (2026-08-21), and the types of openai-python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA_VERSION = 1
"""Raise it when the same answers would be typed differently; what is kept is then typed again."""

PROVIDER = "openai"
ISSUER = "OpenAI"
SERVICE_NAME = "OpenAI API"

MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
"""The most buckets a page of usage may have, by bucket width."""

BUCKETS_A_DAY = {"1d": 1, "1h": 24, "1m": 1440}

_ALL = ("project_id", "user_id", "api_key_id", "model")


@dataclass(frozen=True)
class Metric:
    """A counted field of a report: which kind of usage it is, and in which unit."""

    kind: str
    unit: str


@dataclass(frozen=True)
class UsageReport:
    """One usage report: what it can be grouped by, and what it counts."""

    group_by: tuple[str, ...]
    metrics: Mapping[str, Metric]
    ignored: frozenset[str] = frozenset()
    """Counted fields that another report or another field counts already."""


REQUESTS = Metric("requests", "requests")
INPUT = Metric("tokens", "tokens")

ENDPOINTS: dict[str, UsageReport] = {
    "completions": UsageReport((*_ALL, "batch", "service_tier"), {"num_model_requests": REQUESTS}),
    "embeddings": UsageReport(_ALL, {"num_model_requests": REQUESTS, "input_tokens": INPUT}),
    "moderations": UsageReport(_ALL, {"num_model_requests": REQUESTS, "input_tokens": INPUT}),
    "images": UsageReport(
        (*_ALL, "size", "source"),
        {"num_model_requests": REQUESTS, "images": Metric("images", "images")},
    ),
    "audio_speeches": UsageReport(
        _ALL, {"num_model_requests": REQUESTS, "characters": Metric("characters", "characters")}
    ),
    "audio_transcriptions": UsageReport(
        _ALL, {"num_model_requests": REQUESTS, "seconds": Metric("seconds", "seconds")}
    ),
    "vector_stores": UsageReport(("project_id",), {"usage_bytes": Metric("stored_bytes", "bytes")}),
    "code_interpreter_sessions": UsageReport(
        ("project_id",), {"num_sessions": Metric("sessions", "sessions")}
    ),
    "file_search_calls": UsageReport(
        ("project_id", "user_id", "api_key_id", "vector_store_id"),
        {"num_requests": Metric("file_searches", "searches")},
    ),
    "web_search_calls": UsageReport(
        (*_ALL, "context_level"),
        {"num_requests": Metric("web_searches", "searches")},
        ignored=frozenset({"num_model_requests"}),
    ),
}
"""The usage reports, by the last part of their path. Model requests that searched the web are among the requests of
`completions`, so they are not counted again."""

TOKEN_FIELDS = (
    "input_tokens",
    "input_cached_tokens",
    "input_cache_write_tokens",
    "input_uncached_tokens",
    "output_tokens",
    "input_text_tokens",
    "output_text_tokens",
    "input_cached_text_tokens",
    "input_audio_tokens",
    "input_cached_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "input_cached_image_tokens",
    "output_image_tokens",
)
"""What `completions` counts. Input holds cached and cache-write tokens; the audio, image and text fields without
`cached` are of uncached input alone."""

MODALITIES: dict[str, tuple[str, str]] = {
    "input_audio_tokens": ("audio_tokens", "uncached_input_tokens"),
    "input_cached_audio_tokens": ("audio_tokens", "cache_read_tokens"),
    "output_audio_tokens": ("audio_tokens", "output_tokens"),
    "input_image_tokens": ("image_tokens", "uncached_input_tokens"),
    "input_cached_image_tokens": ("image_tokens", "cache_read_tokens"),
    "output_image_tokens": ("image_tokens", "output_tokens"),
}
"""Field → kind of usage, and the token class that it is part of: never added to that class."""

DIMENSIONS = ("project_id", "user_id", "api_key_id", "model", "batch", "service_tier")
"""What usage is told apart by; null unless asked for."""

DETAILS = ("size", "source", "vector_store_id", "context_level")
"""What single reports are told apart by besides: of images, of searches in files, of searches of the web."""

SERVICE_TIERS = {"default": "standard", "fast": "priority"}
"""OpenAI's names of tiers that are called otherwise here."""

UNITS = {
    "tokens": "Tokens",
    "1000_tokens": "1000 Tokens",
    "duration_seconds": "Seconds",
    "duration_minutes": "Minutes",
    "duration_hours": "Hours",
    "gibibyte_hours": "GiB-Hours",
    "images": "Images",
    "characters": "Characters",
}
"""`quantity_unit` of a cost → consumed unit of a FOCUS charge."""

COST_COLUMNS: dict[str, str] = {
    "organization_id": "billing_account_id",
    "bucket_start": "charge_period_start",
    "bucket_end": "charge_period_end",
    "project_id": "sub_account_id",
    "api_key_id": "resource_id",
    "line_item": "sku_meter",
    "amount_value": "billed_cost",
}
"""Field of a kept cost line → column of `charges`, where it is taken over as it is."""

COST_FIELDS = frozenset({"object", "amount", "amount_currency", "quantity", "quantity_unit"})
"""Fields of a cost that are used, or mean nothing, besides COST_COLUMNS."""
