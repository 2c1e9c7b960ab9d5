"""Columns of a `budgets` file.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import BUDGETS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

MEASURES = ("effective_cost", "billed_cost", "list_cost")
"""Which cost a budget limits; effective cost when the file does not say."""

FORMAT = PlainFormat(
    BUDGETS,
    (
        PlainColumn("budget_id", is_required=True),
        PlainColumn("parent_id"),
        PlainColumn("owner", Kind.USER),
        PlainColumn("feature"),
        PlainColumn("team"),
        PlainColumn("environment"),
        PlainColumn("cost_driver"),
        PlainColumn("period_start", Kind.DAY, is_required=True),
        PlainColumn("period_end", Kind.DAY, is_required=True),
        PlainColumn("amount", Kind.MONEY, is_required=True),
        PlainColumn("currency", is_required=True),
        PlainColumn("measure", choices=MEASURES, default="effective_cost"),
    ),
    interval=("period_start", "period_end"),
)
