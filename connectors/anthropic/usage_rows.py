"""One bucket of the usage report → rows of `provider_usage`: disjoint token classes and server tool calls.

What belongs here: Anthropic's fields, and what their nulls mean. What must not: calling Anthropic.

The report counts no requests. Its classes are disjoint as they come, so nothing is subtracted; cache writes come by
lifetime in `cache_creation`, and there is no field with their sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.anthropic import schema
from connectors.common.apis.bucketed_reports import Bucket
from connectors.common.apis.report_rows import UnknownFields, build_detail, read_count, read_object, read_text

_WHERE = "usage_report"
_KNOWN = frozenset({*schema.TOKEN_CLASSES, *schema.DIMENSIONS, "cache_creation", "server_tool_use"})


@dataclass
class UsageRows:
    """The rows of a day, the fields that nobody knows, and the tokens whose dollars no cost report has."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    unknown: UnknownFields = field(default_factory=UnknownFields)
    priority_tokens: Decimal = Decimal(0)


def build_usage_rows(
    buckets: list[Bucket], grouped: Sequence[str], organization_id: str, *, is_final: bool
) -> UsageRows:
    """Return the rows of buckets that were grouped by these dimensions; zeros are left out.

    Raises FileFault for a count that is none.
    """
    built = UsageRows()
    for bucket in buckets:
        for result in bucket.results:
            _note_unknown(built.unknown, result)
            common = {
                "bucket_start": bucket.start,
                "bucket_end": bucket.end,
                "provider": schema.PROVIDER,
                "billing_account_id": organization_id,
                **_read_dimensions(result, grouped),
                "is_final": is_final,
            }
            rows = [{**common, **counted} for counted in _count(result)]
            built.rows += rows
            if common["service_tier"] in schema.PRIORITY_TIERS:
                built.priority_tokens += sum(
                    (row["quantity"] for row in rows if row["unit"] == "tokens"), Decimal(0)
                )
    return built


def _note_unknown(unknown: UnknownFields, result: Mapping[str, Any]) -> None:
    unknown.note(result, _KNOWN)
    for name, known in (("cache_creation", schema.CACHE_WRITES), ("server_tool_use", schema.SERVER_TOOLS)):
        unknown.note(read_object(result, name, _WHERE), frozenset(known), prefix=f"{name}.")


def _read_dimensions(result: Mapping[str, Any], grouped: Sequence[str]) -> dict[str, Any]:
    """Return what a result is of. A null means something where it was asked for, and nothing where it was not."""

    def meaning(name: str, null: str) -> str | None:
        return (read_text(result, name) or null) if name in grouped else None

    tier = read_text(result, "service_tier")
    speed = read_text(result, "speed")
    return {
        "sub_account_id": meaning("workspace_id", schema.DEFAULT_WORKSPACE),
        "api_key_id": meaning("api_key_id", schema.CONSOLE),
        "user_id": meaning("account_id", schema.NO_ACCOUNT),
        "model": read_text(result, "model"),
        "region_id": read_text(result, "inference_geo"),
        "service_tier": tier if speed in (None, "standard") else speed,
        "context_band": read_text(result, "context_window"),
        "usage_detail": build_detail(result, ("service_account_id",)),
    }


def _count(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, token_class in schema.TOKEN_CLASSES.items():
        quantity = read_count(result, name, _WHERE, is_required=True)
        yield from _row("tokens", token_class, quantity, "tokens")
    writes = read_object(result, "cache_creation", _WHERE)
    for name, token_class in schema.CACHE_WRITES.items():
        yield from _row("tokens", token_class, read_count(writes, name, _WHERE), "tokens")
    tools = read_object(result, "server_tool_use", _WHERE)
    for name, kind in schema.SERVER_TOOLS.items():
        yield from _row(kind, None, read_count(tools, name, _WHERE), "searches")


def _row(kind: str, token_class: str | None, quantity: Decimal | None, unit: str) -> Iterator[dict[str, Any]]:
    if quantity:
        yield {"usage_kind": kind, "token_class": token_class, "quantity": quantity, "unit": unit}
