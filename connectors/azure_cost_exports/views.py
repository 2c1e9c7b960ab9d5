"""Which of several views of one Azure bill counts: FOCUS, actual and amortized cost, or a coarse query.

What belongs here: choosing among deliveries, whatever a run may know of them. What must not: landing them.

A delivery's scope in the lake is `account|YYYY-MM|billing scope|view`. Views of one billing scope and month are the
same money, so one of them counts: the newest, since whoever changes an export goes on with the other one. A billing
account's export holds what its subscriptions' exports hold, so only the widest scope counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from connectors.common.contract import Delivery
from connectors.common.datasets import BILL_DATASETS

View = Literal["focus", "amortized", "actual", "actual_alone", "query"]
_SETS: tuple[tuple[View, ...], ...] = (("focus",), ("amortized", "actual"), ("actual_alone",), ("query",))
"""Views that count together; of sets equally new the first one counts."""

_BILLING = "/providers/microsoft.billing/"


@dataclass(frozen=True)
class Part:
    """What one delivery is of."""

    account: str
    period: str
    billing_scope: str
    view: str


def build_part(billing_scope: str, view: View) -> str:
    """Return what tells a view of a billing scope from others of the same account and period."""
    return f"{billing_scope}|{view}"


def read_part(delivery: Delivery) -> Part:
    """Return what a delivery of this connector is of."""
    account, period = delivery.billing_account_id or "", delivery.period or ""
    rest = delivery.scope.removeprefix(f"{account}|{period}|")
    billing_scope, _, view = rest.rpartition("|")
    return Part(account, period, billing_scope, view)


def keep_counting_views(deliveries: Sequence[Delivery], scope: str | None) -> tuple[Delivery, ...]:
    """Return the deliveries with only those current that count; `scope` is the configured one, in lower case."""
    parts = {n: read_part(d) for n, d in enumerate(deliveries) if d.is_current and d.dataset in BILL_DATASETS}
    counting: set[int] = set()
    for account, period in {(part.account, part.period) for part in parts.values()}:
        own = {n: part for n, part in parts.items() if (part.account, part.period) == (account, period)}
        for billing_scope in _find_widest({part.billing_scope for part in own.values()}, scope):
            same = {part.view: n for n, part in own.items() if part.billing_scope == billing_scope}
            chosen = _choose_views({view: deliveries[n].delivered_at for view, n in same.items()})
            counting |= {same[view] for view in chosen}
    return tuple(
        replace(delivery, is_current=False) if number in parts and number not in counting else delivery
        for number, delivery in enumerate(deliveries)
    )


def _find_widest(scopes: Iterable[str], configured: str | None) -> list[str]:
    """Return the scopes that hold all the money once."""
    known = sorted(scopes)
    if configured in known:
        return [configured]
    outer = [s for s in known if not any(s != other and s.startswith(other + "/") for other in known)]
    accounts = [s for s in outer if s.startswith(_BILLING)]
    return accounts or outer


def _choose_views(delivered: dict[str, datetime]) -> list[str]:
    """Return the views that count together; purchases alone, without amortized lines, only where nothing else is."""
    sets = [[view for view in views if view in delivered] for views in _SETS]
    whole = [found for found in sets if found and found != ["actual"]]
    candidates = whole or [found for found in sets if found]
    return max(candidates, key=lambda found: (max(delivered[v] for v in found), -sets.index(found)))
