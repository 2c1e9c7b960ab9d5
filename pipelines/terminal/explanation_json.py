"""An explanation as JSON, for scripts: every level with its sums, amounts as text with all digits.

What belongs here: the shape of the JSON. What must not: queries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pipelines.warehouse.explain import Explanation
from pipelines.warehouse.explain_cells import CellExplanation
from pipelines.warehouse.explain_levels import Level
from pipelines.warehouse.explain_rows import Part


def render_json(explanation: Explanation) -> str:
    """Return all that was read: levels, classes, rules, lines, cells, bill lines and calls."""
    trace, detail = explanation.trace, explanation.detail
    content = {
        "release": explanation.release_name,
        "mart": explanation.mart,
        "adds_up": explanation.is_closed,
        "levels": [_level(level) for level in (*explanation.levels, *explanation.calls.levels)],
        "totals": explanation.totals,
        "mart_lines": _part(explanation.lines),
        "classes": explanation.summary.classes,
        "methods": explanation.summary.methods,
        "rules": explanation.summary.rules,
        "trace": trace and {"trace": trace.trace, "drivers": trace.drivers, "steps": trace.steps},
        "lines": _part(detail.lines) if detail else None,
        "cell_count": explanation.summary.cell_count,
        "cells": [_cell(cell) for cell in detail.cells] if detail else [],
        "calls": {**_part(explanation.calls.largest), "sources": explanation.calls.sources},
    }
    return json.dumps(content, default=_plain, ensure_ascii=True, indent=2)


def _level(level: Level) -> Mapping[str, Any]:
    return {
        "name": level.name,
        "measure": level.measure,
        "unit": level.unit,
        "sum": level.whole,
        "parts": [{"name": name, "amount": amount} for name, amount in level.parts],
        "difference": level.difference,
    }


def _cell(explained: CellExplanation) -> Mapping[str, Any]:
    return {
        "cell": explained.cell,
        "charged": explained.charged,
        "attributed": explained.attributed,
        "bill_lines": _part(explained.charges),
        "attributions": _part(explained.attributions),
        "shared_by": {"kind": explained.usage_kind, **_part(explained.usage)},
        "learned_from": explained.rates.rows,
    }


def _part(part: Part) -> Mapping[str, Any]:
    rows = [{name: value for name, value in row.items() if name != "total_count"} for row in part.rows]
    return {"count": part.count, "rows": rows}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    return str(value)
