"""One bucket of a usage report → rows of `provider_usage`: disjoint token classes, requests, and other counts.

What belongs here: OpenAI's fields and how its counts hold each other. What must not: calling OpenAI.

The classes are told apart here and not by `token_usage`, which refuses what no single request can count: a bucket
adds up a day of requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.common.apis.bucketed_reports import Bucket
from connectors.common.apis.report_rows import UnknownFields, build_detail, read_count, read_text
from connectors.common.source_files import FileFault
from connectors.openai import schema


@dataclass
class UsageRows:
    """The rows of a day, and the fields that nobody knows, with what they counted."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unknown: UnknownFields = field(default_factory=UnknownFields)


def build_usage_rows(
    endpoint: str, buckets: list[Bucket], organization_id: str, *, is_final: bool
) -> UsageRows:
    """Return the rows of a report's buckets (users pseudonymised before); zeros are left out.

    Raises FileFault for a count that is none.
    """
    report = schema.ENDPOINTS[endpoint]
    built = UsageRows()
    known = _known_fields(endpoint, report)
    for bucket in buckets:
        for result in bucket.results:
            built.unknown.note(result, known)
            common = {
                "bucket_start": bucket.start,
                "bucket_end": bucket.end,
                "provider": schema.PROVIDER,
                "billing_account_id": organization_id,
                **_read_dimensions(result),
                "is_final": is_final,
            }
            built.rows += ({**common, **counted} for counted in _count(endpoint, report, result))
    return built


def _known_fields(endpoint: str, report: schema.UsageReport) -> frozenset[str]:
    tokens = schema.TOKEN_FIELDS if endpoint == "completions" else ()
    return frozenset(
        {"object", *schema.DIMENSIONS, *report.group_by, *report.metrics, *report.ignored, *tokens}
    )


def _read_dimensions(result: Mapping[str, Any]) -> dict[str, Any]:
    tier = read_text(result, "service_tier")
    is_batch = result.get("batch") is True
    return {
        "sub_account_id": read_text(result, "project_id"),
        "api_key_id": read_text(result, "api_key_id"),
        "user_id": read_text(result, "user_id"),
        "model": read_text(result, "model"),
        "service_tier": "batch" if is_batch else schema.SERVICE_TIERS.get(tier or "", tier),
        "usage_detail": build_detail(result, schema.DETAILS),
    }


def _count(endpoint: str, report: schema.UsageReport, result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, metric in report.metrics.items():
        quantity = read_count(result, name, endpoint, is_required=True)
        token_class = "uncached_input_tokens" if metric is schema.INPUT else None
        yield from _row(metric.kind, token_class, quantity, metric.unit)
    if endpoint == "completions":
        for token_class, tokens in split_tokens(result).items():
            yield from _row("tokens", token_class, tokens, "tokens")
        for name, (kind, token_class) in schema.MODALITIES.items():
            yield from _row(kind, token_class, read_count(result, name, endpoint), "tokens")


def split_tokens(result: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return the disjoint token classes of a `completions` result.

    Input holds what was read from the cache and what was written to it. Raises FileFault where the parts do not
    add up to OpenAI's own total: then nobody knows which of them to believe.
    """
    total, output = (
        read_count(result, name, "completions", is_required=True) or Decimal(0)
        for name in ("input_tokens", "output_tokens")
    )
    cached, written = (
        read_count(result, name, "completions") or Decimal(0)
        for name in ("input_cached_tokens", "input_cache_write_tokens")
    )
    uncached = total - cached - written
    stated = read_count(result, "input_uncached_tokens", "completions")
    if uncached < 0 or (stated is not None and stated != uncached):
        raise FileFault(
            "usage_mismatch",
            "completions: cached, written and uncached input tokens do not add up to the input tokens of a bucket; "
            "what is known of the day stays: ask OpenAI, or wait for its correction",
        )
    return {
        "uncached_input_tokens": uncached,
        "cache_read_tokens": cached,
        "cache_write_5m_tokens": written,
        "output_tokens": output,
    }


def _row(kind: str, token_class: str | None, quantity: Decimal | None, unit: str) -> Iterator[dict[str, Any]]:
    if quantity:
        yield {"usage_kind": kind, "token_class": token_class, "quantity": quantity, "unit": unit}
