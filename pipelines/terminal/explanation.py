"""What `everycent explain` prints: each step from a cost to its causes, in words and tables.

What belongs here: the words for methods, and the layout; the report has those for evidence and residuals.
What must not: queries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from pipelines.terminal.console import count_text, exact_text, safe_text, table_of
from pipelines.warehouse.explain import CellExplanation, Detail, Explanation, Part, Row
from pipelines.warehouse.explain_summary import Summary
from reports.weekly.explanations import EVIDENCE, explain_residual

METHOD_WORDS = {
    "tokens": "shared by logged tokens of this class",
    "list_price": "not billed yet: logged tokens at list price, times what the bill's settled days show of it",
    "run_rate": "not billed yet, and nothing measures it: what the bill's last settled days cost",
    "list_cost": "the bill mixes token classes, so shared by list cost of the logged tokens",
    "capacity_seconds": "shared by the time that the capacity was busy for its calls",
    "bytes": "shared by measured bytes, first to the workload, then to its users",
    "telemetry_bytes": "shared by telemetry volume, first to the emitter, then to its users",
    "bill_tag": "the bill's own tags name the owner",
    "workload_resource": "the inventory names the owner of this resource",
    "residual": "nobody can be named; see the reason",
}


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Print the selection's total and summary; in detail its lines, its cells with both sides, and the requests."""
    console.print(Text(f"Release {explanation.release_name}", style="dim"))
    for total in explanation.totals:
        figures = (
            f"billed {exact_text(total['billed_cost'])}   effective {exact_text(total['effective_cost'])}"
        )
        console.print(Text(f"Selected: {figures} {total['billing_currency']}", style="bold"), soft_wrap=True)
    if not explanation.totals:
        console.print(
            Text("No cost was attributed to this trace: its calls logged no tokens.", style="yellow")
        )
    if explanation.trace:
        _print_trace(explanation.trace, console)
    _print_summary(explanation.summary, console)
    if explanation.detail:
        _print_detail(explanation.detail, console)
    else:
        console.print(Text("Lines, cells, bill lines, logs and requests: the same with --all.", style="dim"))


def _print_summary(summary: Summary, console: Console) -> None:
    """Print what the selection pays for, how it was shared and by which rules, and whether both sides close."""
    _print_part("What it pays for", Part(summary.classes, len(summary.classes)), _CLASS_COLUMNS, console)
    for reason in dict.fromkeys(row["residual_reason"] for row in summary.classes if row["residual_reason"]):
        _print_sentence("residual", reason, explain_residual(reason), console)
    for method in summary.methods:
        _print_sentence("method", method, METHOD_WORDS.get(method, "see core.cells"), console)
    for rule in summary.rules:
        whose = "" if rule["is_own"] is None else "your rule, " if rule["is_own"] else "shipped rule, "
        lines = f"{rule['charges']:,} bill line{'' if rule['charges'] == 1 else 's'}"
        why = rule["reason"] or "see reference.classification_rules"
        _print_sentence("rule", f"{safe_text(rule['rule_id'])} ({whose}{lines})", why, console)
    billed = summary.cell_count - summary.estimated_cells
    if summary.open_cells:
        verdict = Text(f"✗ {summary.open_cells:,} of {billed:,} cells do not close; see --all", style="red")
        console.print(verdict)
    elif billed:
        words = (
            f"✓ bill and attribution close to the last digit in {billed:,} cell{'' if billed == 1 else 's'}"
        )
        console.print(Text(words, style="green"))
    if summary.estimated_cells:
        console.print(
            Text(f"– no bill covers {summary.estimated_cells:,} of the cells yet: estimated", style="yellow")
        )


def _print_sentence(label: str, name: str, words: str, console: Console) -> None:
    console.print(Text(f"{label:<8} {safe_text(name)}: {safe_text(words)}"))


def _print_detail(detail: Detail, console: Console) -> None:
    _print_part("Lines of marts.cost_daily", detail.lines, _LINE_COLUMNS, console)
    for number, cell in enumerate(detail.cells, start=1):
        _print_cell(number, detail.cell_count, cell, console)
    if detail.cell_count > len(detail.cells):
        hidden = detail.cell_count - len(detail.cells)
        console.print(Text(f"{hidden:,} smaller cells are not shown; use --limit.", style="dim"))
    _print_part("Requests of these owners on these days", detail.requests, _REQUEST_COLUMNS, console)


def _print_cell(number: int, count: int, explained: CellExplanation, console: Console) -> None:
    cell = explained.cell
    console.print(Rule(Text(f"Cell {number} of {count:,}", style="bold"), align="left"))
    names = ("charge_date", "provider", "service_name", "model", "token_class", "cost_driver", "traffic_kind")
    console.print(Text(" · ".join(safe_text(cell[name]) for name in names if cell.get(name) is not None)))
    console.print(
        Text(f"cell_id {safe_text(cell['cell_id'])}   {safe_text(cell['cost_state'])}", style="dim"),
        soft_wrap=True,
    )
    method, evidence, residual = cell["method_id"], cell["evidence"], cell["residual_reason"]
    console.print(Text(f"method   {safe_text(method)}: {METHOD_WORDS.get(method, 'see core.cells')}"))
    console.print(Text(f"evidence {safe_text(evidence)}: {EVIDENCE.get(evidence, 'see core.cells')}"))
    if residual is not None:
        console.print(Text(f"residual {safe_text(residual)}: {explain_residual(residual)}"))
    if cell.get("billed_quantity") is not None and cell.get("coverage_share") is not None:
        share = f"{cell['coverage_share'] * 100:.2f} %"
        billed = count_text(cell["billed_quantity"])
        console.print(Text(f"coverage the logs show {share} of what was billed ({billed} on this cell)"))
    _print_part("Bill lines", explained.charges, _CHARGE_COLUMNS, console)
    _print_part("Attributed to", explained.attributions, _ATTRIBUTION_COLUMNS, console)
    _print_part("The logs say", explained.usage, _usage_columns(explained), console)
    _print_closing(explained, console)


def _print_closing(explained: CellExplanation, console: Console) -> None:
    currency = safe_text(explained.cell["billing_currency"])
    if explained.difference("billed_cost") is None:
        console.print(
            Text("No bill covers this cell yet, so there is no bill side to close against.", style="yellow")
        )
        return
    rows: list[list[Any]] = []
    for measure in ("billed_cost", "effective_cost"):
        difference = explained.difference(measure)
        mark = Text("✗ open", style="red") if difference else Text("✓ closes", style="green")
        sides = (explained.charged[measure], explained.attributed[measure], difference)
        rows.append([measure.replace("_", " "), *(exact_text(side) for side in sides), currency, mark])
    columns = [("", "left"), ("bill lines", "right"), ("attributed", "right"), ("difference", "right")]
    console.print(table_of([*columns, ("", "left"), ("", "left")], rows, title="Both sides"))


def _print_trace(trace: Row, console: Console) -> None:
    names = (
        "feature",
        "calls",
        "attempts",
        "depth",
        "agents",
        "models",
        "total_cost",
        "reporting_currency",
        "status",
    )
    facts = [
        f"{name.replace('_', ' ')} {safe_text(trace[name])}" for name in names if trace.get(name) is not None
    ]
    console.print(Text(f"Trace {safe_text(trace['trace_id'])}: " + " · ".join(facts)))
    console.print(
        Text(
            "What is selected is shared with other traces of the same owners; total cost is this trace's part."
        )
    )


Column = tuple[str, str, Callable[[Row], Any]]


def _plain(name: str) -> Callable[[Row], Any]:
    return lambda row: row.get(name)


def _amount(name: str) -> Callable[[Row], Any]:
    return lambda row: exact_text(row.get(name))


def _count(name: str) -> Callable[[Row], Any]:
    return lambda row: count_text(row.get(name))


def _owner(row: Row) -> str:
    """Return whoever a row names, or the residual's reason."""
    if row.get("residual_reason"):
        return f"({row['residual_reason']})"
    named = [str(row[name]) for name in ("feature", "endpoint", "user_id", "team") if row.get(name)]
    return " / ".join(named) or "(unknown)"


_CLASS_COLUMNS: list[Column] = [
    ("driver", "whole", _plain("cost_driver")),
    ("token class", "whole", _plain("token_class")),
    ("without an owner", "whole", _plain("residual_reason")),
    ("effective cost", "right", _amount("effective_cost")),
    ("", "left", _plain("billing_currency")),
]
_LINE_COLUMNS: list[Column] = [
    ("date", "whole", _plain("charge_date")),
    ("driver", "left", _plain("cost_driver")),
    ("model or service", "left", lambda row: row.get("model") or row.get("service_name")),
    ("for", "left", _owner),
    ("effective cost", "right", _amount("effective_cost")),
    ("", "left", _plain("billing_currency")),
]
_CHARGE_COLUMNS: list[Column] = [
    ("charge", "whole", _plain("short_id")),
    ("what", "left", lambda row: row.get("charge_description") or row.get("sku_meter")),
    ("rule", "whole", _plain("rule_id")),
    ("billed here", "right", _amount("billed_cost")),
    ("whole line", "right", _amount("line_billed_cost")),
]
_ATTRIBUTION_COLUMNS: list[Column] = [
    ("for", "left", _owner),
    ("evidence", "left", _plain("evidence")),
    ("effective cost", "right", _amount("effective_cost")),
    ("requests", "right", _count("requests")),
]
_USAGE_COLUMNS: list[Column] = [
    ("for", "left", _owner),
    ("model", "left", _plain("model")),
    ("token class", "left", _plain("token_class")),
    ("tokens", "right", _count("quantity_tokens")),
    ("list cost", "right", _amount("list_cost")),
]
_WEIGHT_COLUMNS: list[Column] = [
    ("for", "left", _owner),
    ("from", "left", _plain("from_zone")),
    ("to", "left", _plain("to_zone")),
    ("bytes", "right", _count("bytes")),
]
_REQUEST_COLUMNS: list[Column] = [
    ("at", "whole", lambda row: f"{row['started_at']:%m-%d %H:%M:%S}" if row.get("started_at") else None),
    ("request", "whole", lambda row: str(row["request_id"])[:16]),
    ("trace", "whole", _plain("short_id")),
    ("model", "left", _plain("model")),
    ("for", "left", _owner),
    ("in", "right", _count("uncached_input_tokens")),
    ("out", "right", _count("output_tokens")),
]


def _usage_columns(explained: CellExplanation) -> list[Column]:
    is_bytes = bool(explained.usage.rows) and "bytes" in explained.usage.rows[0]
    return _WEIGHT_COLUMNS if is_bytes else _USAGE_COLUMNS


def _print_part(title: str, part: Part, columns: list[Column], console: Console) -> None:
    if not part.rows:
        return
    shown = (
        f"the {len(part.rows)} largest of {part.count:,}" if part.count > len(part.rows) else f"{part.count}"
    )
    rows = [[read(row) for _, _, read in columns] for row in part.rows]
    headings = [(heading, side) for heading, side, _ in columns]
    console.print(table_of(headings, rows, title=f"{title} ({shown})"))
