"""Reports of model calls as connectors land them, for cases about merging them.

What belongs here: a report with defaults, and running the models of merging. What must not: expectations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pipelines.config.model import Config
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.small_bill import DAY, NOVEMBER

KINDS = ("span", "gateway", "provider_log", "file")
"""Who may see a call."""


def report(source: str, kind: str, at: Any = DAY + timedelta(hours=10), **changes: Any) -> dict[str, Any]:
    """A report of a call, at ten in the morning and without a token count unless given, named as landing names it."""
    return name_report(
        {
            "x_source": source,
            "x_snapshot_id": f"{source}-1",
            "emitter_kind": kind,
            "started_at": at,
            "ended_at": at + timedelta(seconds=2),
            "provider": "aws.bedrock",
            "model": "sonnet",
            "status": "ok",
            "usage_source": "reported" if "output_tokens" in changes else "none",
        }
        | changes
    )


def name_report(row: Mapping[str, Any]) -> dict[str, Any]:
    """The report with the request id and trace that its ids give it, as `connectors/common/request_rows.py` does."""
    trace, span = row.get("trace_id"), row.get("span_id")
    if row.get("provider_request_id"):
        request_id = f"response:{row['provider_request_id']}"
    elif span and trace:
        request_id = f"span:{trace}:{span}"
    elif row.get("call_id"):
        request_id = f"call:{row['call_id']}"
    else:
        request_id = f"row:{row['x_source']}:{row['x_snapshot_id']}:{row['started_at']}"
    return {**row, "request_id": request_id, "trace_id": trace or request_id}


def merge(
    reports: Iterable[Mapping[str, Any]],
    columns: str = "request_id, x_sources, output_tokens",
    *,
    table: str = "staging.requests",
    where: str = "true",
    config: Config | None = None,
    window: Window = NOVEMBER,
    **lake: Any,
) -> list[tuple[Any, ...]]:
    """Rows of a model after merging these reports, in order."""
    inputs = Inputs({"requests": list(reports), **lake}, (), config or Config())
    with Chain(inputs, window, (table,)) as chain:
        assert not chain.failed_checks()
        found = chain.rows(f"select {columns} from {table} where {where} order by all")
    return [tuple(row.values()) for row in found]
