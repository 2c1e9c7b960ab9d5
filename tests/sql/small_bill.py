"""Rows of a very small bill and log, for cases that run the models from the lake to the table they are about.

What belongs here: defaults of rows, so that a case names only what it is about. What must not: expectations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from pipelines.config.model import Config
from tests.sql.chain import Chain, Inputs, Window

NOVEMBER = Window(date(2026, 11, 1), date(2026, 12, 1), datetime(2026, 12, 10))
DAY = datetime(2026, 11, 1)
COMPLETE = datetime(2026, 12, 9)
SONNET_INPUT = {"service_name": "Amazon Bedrock", "sku_meter": "USE1-Claude4.5Sonnet-input-tokens"}
SONNET_OUTPUT = {"service_name": "Amazon Bedrock", "sku_meter": "USE1-Claude4.5Sonnet-output-tokens"}
ALIASES = (
    {"alias": "claude4-5sonnet", "provider": "aws", "model": "claude-sonnet-4-5"},
    {"alias": "sonnet", "provider": "aws", "model": "claude-sonnet-4-5"},
)

Row = Mapping[str, Any]


def line(charge_id: str = "line", cost: str | None = "10", hours: int = 24, **changes: Any) -> dict[str, Any]:
    """A bill line: EC2 on the first of November for ten dollars, all three costs equal."""
    start = changes.get("charge_period_start", DAY)
    money = None if cost is None else Decimal(cost)
    return {
        "charge_id": charge_id,
        "x_source": "bill",
        "x_snapshot_id": "s1",
        "billing_account_id": "payer",
        "sub_account_id": "111",
        "billing_currency": "USD",
        "billing_period_start": DAY,
        "billing_period_end": datetime(2026, 12, 1),
        "charge_period_start": start,
        "charge_period_end": start + timedelta(hours=hours),
        "service_provider_name": "AWS",
        "service_name": "Amazon EC2",
        "sku_meter": "BoxUsage",
        "service_category": "Compute",
        "charge_category": "Usage",
        "billed_cost": money,
        "effective_cost": money,
        "list_cost": money,
    } | changes


def tokens(charge_id: str, cost: str, quantity: int | str | None, **changes: Any) -> dict[str, Any]:
    """A bill line of input tokens."""
    amount = None if quantity is None else Decimal(quantity)
    defaults: dict[str, Any] = SONNET_INPUT | {"consumed_quantity": amount, "consumed_unit": "Tokens"}
    return line(charge_id, cost, **(defaults | changes))


def call(user: str | None, tokens: int = 0, minute: int = 0, **changes: Any) -> dict[str, Any]:
    """A model call of a user on the first of November, with input tokens."""
    started = changes.get("started_at", DAY + timedelta(minutes=minute))
    name = f"{user} {started} {tokens} {changes.get('trace_id')} {changes.get('span_id')}"
    return {
        "request_id": name,
        "x_source": "log",
        "x_snapshot_id": "s1",
        "trace_id": name,
        "started_at": started,
        "ended_at": started + timedelta(seconds=3),
        "provider": "aws.bedrock",
        "model": "sonnet",
        "status": "ok",
        "user_id": user,
        "uncached_input_tokens": tokens,
    } | changes


def price(token_class: str = "uncached_input_tokens", per_mtok: str = "3", **changes: Any) -> dict[str, Any]:
    """A list price of the model that `call` calls; its id tells what it is."""
    told = " ".join(str(value) for value in changes.values())
    return {
        "price_id": f"{token_class} {per_mtok} {told}".strip(),
        "snapshot_id": "book",
        "published_at": datetime(2026, 1, 1),
        "provider": "aws",
        "model": "claude-sonnet-4-5",
        "token_class": token_class,
        "service_tier": "standard",
        "context_min_tokens": 0,
        "price_per_mtok": Decimal(per_mtok),
        "currency": "USD",
        "is_override": False,
        "is_wrong_from_start": False,
    } | changes


def flow(size: int, workload: str | None = None, zones: tuple[str | None, str | None] = (None, None)) -> Row:
    """Bytes between zones on the first of November."""
    return {
        "window_start": DAY + timedelta(hours=1),
        "window_end": DAY + timedelta(hours=2),
        "provider": "aws",
        "account_id": "111",
        "traffic_kind": "inter_az",
        "from_zone": zones[0],
        "to_zone": zones[1],
        "from_workload_ref": workload,
        "bytes": size,
    }


def run(
    target: str,
    columns: str,
    *,
    where: str = "true",
    join: str = "",
    group: str = "",
    config: Config | None = None,
    watermark: datetime = COMPLETE,
    window: Window = NOVEMBER,
    **lake: Iterable[Row],
) -> list[tuple[Any, ...]]:
    """Rows of `columns` of a model, in order, after running everything it needs on rows of the lake.

    `join` is another model and its join condition: `core.cells using (charge_date, cell_id)`.
    Asserts that no blocking check of any model fails. Each bill is complete until `watermark`.
    """
    rows = {name: list(given) for name, given in lake.items()}
    rows.setdefault("model_aliases", list(ALIASES))
    scopes = {
        (c["x_source"], c["billing_account_id"], c["billing_period_start"]) for c in rows.get("charges", [])
    }
    deliveries = [
        {
            "source": source,
            "billing_account_id": account,
            "billing_period_start": period,
            "snapshot_id": "s1",
            "delivered_at": watermark + timedelta(days=1),
            "watermark_at": watermark,
        }
        for source, account, period in sorted(scopes)
    ]
    inputs = Inputs(rows, deliveries, config or Config())
    targets = (target, join.split()[0]) if join else (target,)
    with Chain(inputs, window, targets) as chain:
        assert not chain.failed_checks()
        source = f"{target} inner join {join}" if join else target
        grouped = f"group by {group}" if group else ""
        found = chain.rows(f"select {columns} from {source} where {where} {grouped} order by all")
    return [tuple(_plain(value) for value in row.values()) for row in found]


def _plain(value: Any) -> Any:
    """Money as the shortest text that says it, so that cases read like a table."""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    return value
