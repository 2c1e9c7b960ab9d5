"""Prices, accounts and budgets as Google's billing APIs tell them.

What belongs here: calls of Cloud Billing and Budgets, and their answers as rows of our datasets. What must not:
bills, or how rows are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from connectors.common.parsing import EXACT, round_decimal
from connectors.gcp_billing.bill_format import PACIFIC
from connectors.gcp_billing.flat_rows import number_text
from connectors.gcp_billing.google_clients import RETRY, GoogleClients, in_words

Row = dict[str, Any]

CATALOG_NEEDS = (
    "any role that shows the billing account, as roles/billing.viewer; enable the Cloud Billing API"
)
VIEWER = (
    "roles/billing.viewer on the billing account (billing.accounts.get, billing.resourceAssociations.list)"
)
BUDGET_VIEWER = "roles/billing.viewer on the billing account (billing.budgets.list); enable the Budget API"
PROVIDER = "google"


def fetch_sku_prices(
    clients: GoogleClients, services: Sequence[str], currencies: Sequence[str]
) -> Iterator[Row]:
    """Yield the newest list price of every SKU and tier of some services, in each currency."""
    for service in services:
        for currency in currencies:
            with in_words(f"read list prices of service {service}", CATALOG_NEEDS):
                request = {"parent": f"services/{service}", "currency_code": currency}
                for sku in clients.catalog.list_skus(request=request, retry=RETRY):
                    yield from build_sku_rows(sku, currency)


def build_sku_rows(sku: Any, currency: str) -> Iterator[Row]:
    """Yield a row a price tier of one SKU, for its newest price."""
    if not sku.pricing_info:
        return
    newest = sku.pricing_info[-1]
    expression = newest.pricing_expression
    regions = list(sku.service_regions)
    for tier in expression.tiered_rates:
        start = number_text(float(tier.start_usage_amount))
        yield {
            "provider": PROVIDER,
            "service_name": sku.category.service_display_name or None,
            "sku_id": sku.sku_id,
            "sku_price_id": f"{sku.sku_id}/{start}",
            "sku_description": sku.description or None,
            "region_id": regions[0] if len(regions) == 1 else None,
            "pricing_unit": expression.usage_unit_description or expression.usage_unit or None,
            "tier_start_quantity": round_decimal(Decimal(start)),
            "list_unit_price": read_money(tier.unit_price),
            "currency": tier.unit_price.currency_code or currency,
            "effective_at": _read_time(newest.effective_time),
        }


def read_money(money: Any) -> Decimal:
    """Return a google.type.Money exactly."""
    return round_decimal(EXACT.add(Decimal(money.units), Decimal(money.nanos).scaleb(-9)))


def _read_time(moment: Any) -> datetime | None:
    return None if not moment else moment.astimezone(UTC).replace(tzinfo=None)


def find_billing_accounts(clients: GoogleClients, stated: str | None) -> list[Any]:
    """Return the billing account that the config states, else every one that can be seen."""
    with in_words("read billing accounts", VIEWER):
        if stated:
            return [clients.billing.get_billing_account(name=f"billingAccounts/{stated}", retry=RETRY)]
        return list(clients.billing.list_billing_accounts(retry=RETRY))


def fetch_accounts(clients: GoogleClients, accounts: Iterable[Any]) -> Iterator[Row]:
    """Yield billing accounts and the projects that they pay for."""
    for account in accounts:
        own_id = _last(account.name)
        yield _account(own_id, account.display_name, "billing_account", _last(account.master_billing_account))
        with in_words(f"list projects of billing account {own_id}", VIEWER):
            for project in clients.billing.list_project_billing_info(name=account.name, retry=RETRY):
                yield _account(project.project_id, None, "project", own_id)


def _account(account_id: str, name: str | None, kind: str, parent: str | None) -> Row:
    return {
        "provider": PROVIDER,
        "account_id": account_id,
        "account_name": name or None,
        "account_type": kind,
        "parent_account_id": parent or None,
    }


def _last(name: str) -> str:
    return name.rpartition("/")[2]


@dataclass
class BudgetRows:
    """Budgets as rows, and how many could not be taken over, by reason."""

    rows: list[Row]
    left_out: dict[str, int]


def fetch_budgets(
    clients: GoogleClients, accounts: Iterable[Any], tag_keys: Mapping[str, tuple[str, ...]], today: date
) -> BudgetRows:
    """Return the budgets of billing accounts, for the period that holds `today` (Pacific time)."""
    found = BudgetRows([], {})
    for account in accounts:
        with in_words(f"list budgets of billing account {_last(account.name)}", BUDGET_VIEWER):
            for budget in clients.budgets.list_budgets(parent=account.name, retry=RETRY):
                row = build_budget_row(budget, _last(account.name), tag_keys, today)
                if isinstance(row, str):
                    found.left_out[row] = found.left_out.get(row, 0) + 1
                else:
                    found.rows.append(row)
    return found


def build_budget_row(
    budget: Any, account_id: str, tag_keys: Mapping[str, tuple[str, ...]], today: date
) -> Row | str:
    """Return a budget as a row, or why it is left out.

    Google's budgets watch cost net of credits, which is what is invoiced: the measure is billed cost.
    """
    narrowed = budget.budget_filter
    if "specified_amount" not in budget.amount:
        return "its amount is last period's spend"
    if narrowed.projects or narrowed.services or narrowed.subaccounts or narrowed.resource_ancestors:
        return "it is limited to projects, services or folders, which budgets here cannot name"
    scope: Row = {}
    for key, values in narrowed.labels.items():
        texts = [str(value) for value in values]
        names = [
            name
            for name, keys in tag_keys.items()
            if key in keys and name in ("feature", "team", "environment")
        ]
        if not names or len(texts) != 1:
            return "it is limited to labels that `tag_keys` does not name"
        scope[names[0]] = texts[0]
    period = _find_period(narrowed, today)
    if period is None:
        return "its period is over or not begun"
    return {
        "budget_id": f"{account_id}/{_last(budget.name)}",
        "period_start": period[0],
        "period_end": period[1],
        "amount": read_money(budget.amount.specified_amount),
        "currency": budget.amount.specified_amount.currency_code,
        "measure": "billed_cost",
        **scope,
    }


def _find_period(narrowed: Any, today: date) -> tuple[date, date] | None:
    """Return first day and the day after the last of the period that holds a day."""
    from google.cloud.billing.budgets_v1 import CalendarPeriod

    if "custom_period" in narrowed:
        start = _read_date(narrowed.custom_period.start_date)
        end = _read_date(narrowed.custom_period.end_date)
        if start is None or end is None or not start <= today <= end:
            return None
        return start, date.fromordinal(end.toordinal() + 1)
    months = {CalendarPeriod.QUARTER: 3, CalendarPeriod.YEAR: 12}.get(narrowed.calendar_period, 1)
    first = (today.month - 1) // months * months
    last = first + months
    return date(today.year, first + 1, 1), date(today.year + last // 12, last % 12 + 1, 1)


def _read_date(value: Any) -> date | None:
    return date(value.year, value.month, value.day) if value.year else None


def pacific_day(now: datetime) -> date:
    """Return the day that Google's billing has at a time (UTC without zone)."""
    return now.replace(tzinfo=UTC).astimezone(PACIFIC).date()
