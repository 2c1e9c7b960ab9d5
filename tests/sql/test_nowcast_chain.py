"""From bill and logs to the cost mart on the mornings around a watermark: every driver has its cost, and its owners."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sql.chain import Chain, Inputs, Window
from tests.sql.small_bill import ALIASES, DAY, call, line, price, tokens

SETTLED_DAYS = 4
WINDOW = Window(date(2026, 11, 1), date(2026, 12, 1), datetime(2026, 11, 7, 3))
OPEN_DAY = date(2026, 11, 6)


def _inputs() -> Inputs:
    """Four days are settled, half of the fifth is billed, nothing of the sixth. The logs hold 950 of 1000 tokens."""
    charges: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    flows: list[dict[str, Any]] = []
    for number in range(6):
        start = DAY + timedelta(days=number)
        gigabytes = number + 1
        hours = 24 if number < SETTLED_DAYS else 12 if number == SETTLED_DAYS else 0
        share = Decimal(hours) / 24
        if hours:
            times: dict[str, Any] = {"charge_period_start": start, "hours": hours}
            traffic = {"sku_meter": "DataTransfer-Regional-Bytes"}
            charges += [
                tokens(f"tokens {number}", f"{Decimal('9.5') * share}", f"{1000 * share}", **times),
                line(f"machine {number}", f"{10 * share}", x_tag_feature="search", **times),
                line(f"traffic {number}", f"{Decimal('0.02') * gigabytes * share}", **traffic, **times),
            ]
        calls += [
            call("ann", 700, started_at=start + timedelta(hours=2)),
            call("bob", 250, started_at=start + timedelta(hours=3)),
        ]
        hour = {"window_start": start + timedelta(hours=1), "window_end": start + timedelta(hours=2)}
        zones = {"from_zone": "a", "to_zone": "b", "traffic_kind": "inter_az", "provider": "aws"}
        flows.append({"x_source": "flows", "bytes": gigabytes * 10**9, **hour, **zones})
    delivery = {
        "source": "bill",
        "billing_account_id": "payer",
        "billing_period_start": DAY,
        "snapshot_id": "s1",
        "delivered_at": DAY + timedelta(days=SETTLED_DAYS + 1),
        "watermark_at": DAY + timedelta(days=SETTLED_DAYS),
        "period_status": "open",
    }
    lake = {"charges": charges, "requests": calls, "transfers": flows, "model_aliases": ALIASES}
    recent = [WINDOW.as_of.date() - timedelta(days=n) for n in range(1, 15)]
    return Inputs({**lake, "prices": [price(per_mtok="10000")]}, [delivery], recent_days=recent)


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with Chain(_inputs(), WINDOW, ("marts.cost_daily",)) as ran:
        assert not ran.failed_checks()
        yield ran


def test_a_day_without_a_bill_has_a_cost_for_every_driver_and_owner(chain: Chain) -> None:
    columns = "cost_driver, method_id, residual_reason, feature, user_id, effective_cost, requests, input_tokens, bytes"
    rows = chain.rows(
        f"select {columns} from marts.cost_daily where charge_date = date '{OPEN_DAY}' order by all"  # noqa: S608
    )
    assert [tuple(row.values()) for row in rows] == [
        ("compute", "run_rate", None, "search", None, 10, 0, 0, 0),
        ("egress", "bytes", "unknown_workload", None, None, Decimal("0.12"), 0, 0, 6 * 10**9),
        ("inference", "list_price", None, None, "ann", Decimal("6.65"), 1, 700, 0),
        ("inference", "list_price", None, None, "bob", Decimal("2.375"), 1, 250, 0),
        ("inference", "residual", "unlogged_usage", None, None, Decimal("0.475"), 0, 0, 0),
    ]


def test_the_graph_does_not_dip_and_nothing_counts_twice(chain: Chain) -> None:
    rows = chain.rows(
        "select cost_driver, sum(requests) as calls, sum(input_tokens) as tokens, max(bytes) as bytes, "
        "cast(sum(effective_cost) as varchar) as cost, charge_date from marts.cost_daily group by all order by all"
    )
    by_driver: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        cost = Decimal(row["cost"]).quantize(Decimal("1e-9"))
        by_driver.setdefault(row["cost_driver"], []).append((cost, row["calls"], row["tokens"]))
    assert set(by_driver["compute"]) == {(Decimal(10), 0, 0)}
    assert set(by_driver["inference"]) == {(Decimal("9.5"), 2, 950)}
    assert sorted(by_driver["egress"]) == [(Decimal("0.02") * n, 0, 0) for n in range(1, 7)]


def test_states_change_per_bill_and_day(chain: Chain) -> None:
    rows = chain.rows(
        "select charge_date, string_agg(distinct cost_state, ' ' order by cost_state) as states "
        "from marts.cost_daily group by charge_date order by charge_date"
    )
    assert [row["states"] for row in rows] == [
        *["provisional"] * SETTLED_DAYS,
        "estimated provisional",
        "estimated",
    ]
