"""What `everycent prune` prints.

What belongs here: pruned snapshots for eyes, at 80 columns or more. What must not: which snapshots go.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from connectors.common.retention import PrunedSnapshot
from pipelines.terminal.console import table_of

_MOST_ROWS = 50


def print_pruning(pruned: Sequence[PrunedSnapshot], is_dry_run: bool, console: Console) -> None:
    """Print one line a snapshot, oldest first, and what they free together."""
    if not pruned:
        console.print("No snapshot is old enough to go.")
        return
    columns = [("source", "left"), ("account", "left"), ("period", "whole"), ("delivered (UTC)", "whole")]
    rows = [_cells(snapshot) for snapshot in pruned[:_MOST_ROWS]]
    console.print(table_of([*columns, ("MB", "right")], rows))
    if len(pruned) > _MOST_ROWS:
        console.print(f"  and {len(pruned) - _MOST_ROWS} more")
    freed = sum(snapshot.bytes for snapshot in pruned) / 1e6
    verb = "would go" if is_dry_run else "are gone"
    console.print(f"{len(pruned)} snapshots {verb}, {freed:,.1f} MB. The record of each delivery stays.")


def _cells(snapshot: PrunedSnapshot) -> list[str | None]:
    delivery = snapshot.delivery
    moment = f"{delivery.delivered_at:%Y-%m-%d %H:%M}"
    return [
        delivery.source,
        delivery.billing_account_id,
        delivery.period,
        moment,
        f"{snapshot.bytes / 1e6:,.1f}",
    ]
