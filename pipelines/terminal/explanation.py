"""What `everycent explain` prints: each step from a cost to its causes, in words and tables.

What belongs here: the words for methods, and the layout; the report has those for evidence and residuals.
What must not: queries.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from pipelines.terminal.console import count_text, exact_text, safe_text, table_of
from pipelines.terminal.explanation_levels import print_levels, print_steps
from pipelines.warehouse.explain import Detail, Explanation
from pipelines.warehouse.explain_calls import Calls
from pipelines.warehouse.explain_cells import CellExplanation
from pipelines.warehouse.explain_rows import Part, Row
from pipelines.warehouse.explain_summary import Summary
from pipelines.warehouse.explain_traces import TraceExplanation
from reports.weekly.explanations import EVIDENCE, explain_residual

_MOST_RULES = 8
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
    "tool_uses": "shared by logged uses of this tool",
    "requests": "shared by logged requests",
    "cached_tokens": "shared by the tokens that logged calls kept in a cache",
    "followed_charges": "a credit or adjustment, split over those who have the charges that it names",
    "taxed_cost": "tax, split over those whose taxed cost of the invoice it follows",
    "proportional": "a shared-cost rule of your config splits it by cost",
    "even": "a shared-cost rule of your config splits it evenly",
    "fixed": "a shared-cost rule of your config splits it by fixed shares",
    "residual": "nobody can be named; see the reason",
}
OWNER_BILLED = "the bill names this owner (tag or resource)"
WHOLE_RESIDUAL = "the bill states the amount; whose it is nothing says"


def evidence_words(evidence: str | None, residual_reason: str | None) -> str:
    """Return how sure a cell is, in words; what is billed without an owner is sure of its amount alone."""
    if evidence == "billed":
        return OWNER_BILLED if residual_reason is None else WHOLE_RESIDUAL
    return EVIDENCE.get(evidence or "", "see core.cells")


def print_explanation(explanation: Explanation, console: Console) -> None:
    """Print the selection's total and summary; in detail its lines, its cells with both sides, and the requests."""
    console.print(Text(f"Release {explanation.release_name}", style="dim"))
    if explanation.trace and explanation.trace.trace:
        _print_trace(explanation.trace, explanation.totals, console)
    for total in explanation.totals:
        figures = (
            f"billed {exact_text(total['billed_cost'])}   effective {exact_text(total['effective_cost'])}"
        )
        console.print(Text(f"Selected: {figures} {total['billing_currency']}", style="bold"), soft_wrap=True)
    if not explanation.totals:
        console.print(
            Text("No cost was attributed to this trace: its calls logged no tokens.", style="yellow")
        )
    _print_mart_lines(explanation, console)
    _print_summary(explanation.summary, None if explanation.detail else _MOST_RULES, console)
    print_levels((*explanation.levels, *explanation.calls.levels), console)
    _print_call_count(explanation.calls, console)
    if explanation.detail:
        _print_detail(explanation.detail, explanation.calls, console)
    else:
        console.print(Text("Lines, cells, bill lines, logs and requests: the same with --all.", style="dim"))


def _print_summary(summary: Summary, most_rules: int | None, console: Console) -> None:
    """Print what the selection pays for, how it was shared and by which rules, and whether both sides close."""
    is_mixed = len({row["charge_category"] for row in summary.classes}) > 1
    columns = [*_CLASS_COLUMNS[:1], _CATEGORY, *_CLASS_COLUMNS[1:]] if is_mixed else _CLASS_COLUMNS
    _print_part("What it pays for", Part(summary.classes, len(summary.classes)), columns, console)
    if is_mixed:
        told = " · ".join(
            f"{safe_text(category or 'no category').lower()} {exact_text(amount)} {safe_text(currency)}"
            for (category, currency), amount in _by_category(summary).items()
        )
        has_tax = any(row["charge_category"] == "Tax" for row in summary.classes)
        hint = " (the weekly report and unit costs leave tax out)" if has_tax else ""
        console.print(Text(f"charges  {told}{hint}"))
    for reason in dict.fromkeys(row["residual_reason"] for row in summary.classes if row["residual_reason"]):
        _print_sentence("residual", reason, explain_residual(reason), console)
    for method in summary.methods:
        _print_sentence("method", method, METHOD_WORDS.get(method, "see core.cells"), console)
    for rule in summary.rules[:most_rules]:
        whose = "" if rule["is_own"] is None else "your rule, " if rule["is_own"] else "shipped rule, "
        lines = f"{rule['charges']:,} bill line{'' if rule['charges'] == 1 else 's'}"
        why = rule["reason"] or "see reference.classification_rules"
        _print_sentence("rule", f"{safe_text(rule['rule_id'])} ({whose}{lines})", why, console)
    if most_rules is not None and len(summary.rules) > most_rules:
        console.print(
            Text(
                f"rule     {len(summary.rules) - most_rules:,} more that pay for less; see --all", style="dim"
            )
        )
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


def _by_category(summary: Summary) -> dict[tuple[str | None, str], Decimal]:
    """Sum the effective cost by charge category and currency, the largest first."""
    sums: dict[tuple[str | None, str], Decimal] = {}
    for row in summary.classes:
        key = (row["charge_category"], row["billing_currency"])
        sums[key] = sums.get(key, Decimal(0)) + (row["effective_cost"] or 0)
    return dict(sorted(sums.items(), key=lambda item: abs(item[1]), reverse=True))


def _print_sentence(label: str, name: str, words: str, console: Console) -> None:
    console.print(Text(f"{label:<8} {safe_text(name)}: {safe_text(words)}"))


def _print_mart_lines(explanation: Explanation, console: Console) -> None:
    """Print the lines of a mart other than cost_daily: a line a row of names and values, without those it lacks."""
    part = explanation.lines
    for row in part.rows:
        told = [f"{name} {_value_text(value)}" for name, value in row.items() if _is_told(name, row)]
        console.print(Text(f"marts.{explanation.mart}: ", style="bold") + Text(" · ".join(told)))
    if part.count > len(part.rows):
        console.print(
            Text(f"{part.count - len(part.rows):,} smaller lines are not shown; use --limit.", style="dim")
        )


_UNTOLD = frozenset(
    (
        "total_count",
        "billing_account_id",
        "sub_account_id",
        "bill_of_record",
        "fx_date",
        "list_cost",
        "region_id",
    )
)


def _is_told(name: str, row: Row) -> bool:
    """Tell whether a value says anything: no zero, and no measure twice."""
    is_twice = name.endswith("_absolute") or name.removesuffix("_reporting") in row.keys() - {name}
    return bool(row[name]) and not is_twice and name not in _UNTOLD


def _value_text(value: Any) -> str:
    return exact_text(value) if isinstance(value, Decimal) else safe_text(value)


def _print_call_count(calls: Calls, console: Console) -> None:
    """Print how many logged calls stand behind the cost, and who reported them."""
    if not calls.sources:
        return
    sources = ", ".join(f"{safe_text(row['x_sources'])} {row['calls']:,}" for row in calls.sources[:5])
    more = ", …" if len(calls.sources) > 5 else ""
    total = sum(row["calls"] for row in calls.sources)
    console.print(Text(f"calls    {total:,} logged, reported by: {sources}{more}"))


def _print_detail(detail: Detail, calls: Calls, console: Console) -> None:
    _print_part("Lines of marts.cost_daily", detail.lines, _LINE_COLUMNS, console)
    for number, cell in enumerate(detail.cells, start=1):
        _print_cell(number, detail.cell_count, cell, console)
    if detail.cell_count > len(detail.cells):
        hidden = detail.cell_count - len(detail.cells)
        console.print(Text(f"{hidden:,} smaller cells are not shown; use --limit.", style="dim"))
    _print_calls(calls.largest, console)


def _print_calls(part: Part, console: Console) -> None:
    """Print the dearest calls, two lines each: ids are of no use cut."""
    if not part.rows:
        return
    title = f"Calls behind it ({_shown_of(part)}, by what they are worth at list price)"
    console.print(Rule(Text(title, style="bold"), align="left"))
    for row in part.rows:
        at = f"{row['started_at']:%Y-%m-%d %H:%M:%S}" if row.get("started_at") else "–"
        price = (
            f"{exact_text(row['list_cost'])} {safe_text(row['list_cost_currency'])}"
            if row["list_cost"]
            else "–"
        )
        console.print(Text(f"{at}  {price}  {safe_text(row['model'])} for {safe_text(_owner(row))}"))
        ids = f"  request {safe_text(row['request_id'])}   trace {safe_text(row['short_id'])}"
        console.print(Text(f"{ids}   reported by {safe_text(row['x_sources'])}", style="dim"), soft_wrap=True)


def _shown_of(part: Part) -> str:
    return (
        f"the {len(part.rows)} largest of {part.count:,}" if part.count > len(part.rows) else f"{part.count}"
    )


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
    if cell.get("follows") is None or not explained.usage.rows:
        console.print(Text(f"method   {safe_text(method)}: {METHOD_WORDS.get(method, 'see core.cells')}"))
        console.print(Text(f"evidence {safe_text(evidence)}: {evidence_words(evidence, residual)}"))
        if residual is not None:
            console.print(Text(f"residual {safe_text(residual)}: {explain_residual(residual)}"))
    _print_sources(explained, console)
    if cell.get("billed_quantity") is not None and cell.get("coverage_share") is not None:
        share = f"{cell['coverage_share'] * 100:.2f} %"
        billed = count_text(cell["billed_quantity"])
        console.print(Text(f"coverage the logs show {share} of what was billed ({billed} on this cell)"))
    _print_part("Bill lines", explained.charges, _CHARGE_COLUMNS, console)
    _print_part("Attributed to", explained.attributions, _ATTRIBUTION_COLUMNS, console)
    title, columns = _SHARED_BY[explained.usage_kind]
    _print_part(title, explained.usage, columns, console)
    _print_closing(explained, console)


FOLLOWS_WORDS = {
    "invoice": "the taxed cost of its invoice, credits and shared cost included",
    "day": "the cost that it names, on the same day",
    "month": "the cost that it names, of the whole month",
    "rule": "the cost that your shared-cost rule names",
}


def _print_sources(explained: CellExplanation, console: Console) -> None:
    """Print what a cell is shared within, what it follows, and what an estimate was learned from."""
    cell = explained.cell
    if cell.get("pool_key") is not None:
        pool = " · ".join(safe_text(part) for part in str(cell["pool_key"]).split(chr(31)))
        console.print(Text(f"pool     {pool} (what is shared together, by those who used it)"))
    follows = cell.get("follows")
    if follows is not None:
        rule = cell.get("shared_cost_rule_id")
        named = f" (rule {safe_text(rule)} of shared_costs in your config)" if rule is not None else ""
        console.print(Text(f"follows  {FOLLOWS_WORDS.get(follows, safe_text(follows))}{named}"))
    for rate in explained.rates.rows:
        days = f"the last {rate['settled_days_count']} billed days of the month of {rate['billing_period_start']:%Y-%m}"
        if rate["rate_level"] == "run_rate":
            told = f"{exact_text(rate['effective_cost'])} a day, as {days} had it"
        else:
            ratio = Decimal(rate["logged_rate_ppb"] or 0).scaleb(-9)
            told = f"{ratio:.6f} of list price or per unit, as {days} show (core.bill_rates)"
        console.print(Text(f"estimate {told}"))


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


def trace_words(trace: Row, totals: tuple[Row, ...]) -> str:
    """Return how the cost of a trace and the lines of cost that it led to are related."""
    own, unit = trace.get("total_cost"), trace.get("reporting_currency")
    if [(row["effective_cost"], row["billing_currency"]) for row in totals] == [(own, unit)]:
        return "The lines of cost that it has a part in are all its own."
    return (
        f"Its own cost is {exact_text(own)} {safe_text(unit)}. What is selected below is the whole of the lines of "
        "cost that it has a part in; the rest of them is of other calls of the same owners."
    )


def _print_trace(explained: TraceExplanation, totals: tuple[Row, ...], console: Console) -> None:
    """Print what the trace itself cost, by driver, before the lines that it has a part in."""
    trace: Row = explained.trace or {}
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
    unit = safe_text(trace.get("reporting_currency"))
    rows = [{**row, "unit": unit} for row in explained.drivers]
    _print_part("What this trace cost", Part(tuple(rows), len(rows)), _DRIVER_COLUMNS, console)
    if totals:
        console.print(Text(trace_words(trace, totals)))
    print_steps(explained.steps, console)


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
_CATEGORY: Column = ("charge", "whole", _plain("charge_category"))
_DRIVER_COLUMNS: list[Column] = [
    ("driver", "whole", _plain("cost_driver")),
    ("cost of this trace", "right", _amount("effective_cost_reporting")),
    ("", "left", _plain("unit")),
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
    ("days", "right", _count("line_days")),
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
_HOUR_COLUMNS: list[Column] = [
    ("for", "left", _owner),
    ("hours", "right", lambda row: f"{row['hours']:,.4f}"),
    ("calls", "right", _count("requests")),
]
_FOLLOWED_COLUMNS: list[Column] = [
    ("for", "left", _owner),
    ("part", "right", lambda row: _share_text(row["weight"], row["all_weight"])),
]
_SHARED_BY: dict[str, tuple[str, list[Column]]] = {
    "none": ("", _USAGE_COLUMNS),
    "tokens": ("The logs say", _USAGE_COLUMNS),
    "bytes": ("Measured bytes", _WEIGHT_COLUMNS),
    "hours": ("Hours of this capacity", _HOUR_COLUMNS),
    "followed": ("It follows the cost of", _FOLLOWED_COLUMNS),
}


def _share_text(weight: Decimal | None, total: Decimal | None) -> str:
    return f"{weight / total * 100:.4f} %" if weight is not None and total else "–"


def _print_part(title: str, part: Part, columns: list[Column], console: Console) -> None:
    if not part.rows:
        return
    shown = _shown_of(part)
    rows = [[read(row) for _, _, read in columns] for row in part.rows]
    headings = [(heading, side) for heading, side, _ in columns]
    console.print(table_of(headings, rows, title=f"{title} ({shown})"))
