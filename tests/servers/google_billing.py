"""Google's billing APIs: price catalogue, billing accounts, budgets; answers are made by Google's proto classes.

What belongs here: REST answers in the shapes of the proto types, paging, refusals. What must not: cases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from google.cloud import billing_v1
from google.cloud.billing import budgets_v1

from tests.servers.rest import Reply, Request, RestServer, run_rest

_PAGE = 2
_SKUS = re.compile(r"/v1/services/([^/]+)/skus")
_ACCOUNT = re.compile(r"/v1/(billingAccounts/[^/]+)")
_PROJECTS = re.compile(r"/v1/(billingAccounts/[^/]+)/projects")
_BUDGETS = re.compile(r"/v1/(billingAccounts/[^/]+)/budgets")


@dataclass
class BillingServer:
    """What the APIs know; `denied` names collections that are refused, failures are given out first."""

    rest: RestServer
    accounts: list[billing_v1.BillingAccount] = field(default_factory=list)
    projects: dict[str, list[billing_v1.ProjectBillingInfo]] = field(default_factory=dict)
    budgets: dict[str, list[budgets_v1.Budget]] = field(default_factory=dict)
    skus: dict[str, list[billing_v1.Sku]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    failures: list[int] = field(default_factory=list)
    currencies: list[str] = field(default_factory=list)


@contextmanager
def run_billing() -> Iterator[BillingServer]:
    """Run all three APIs on one loopback address."""
    server: BillingServer
    with run_rest(lambda request: _answer(server, request)) as rest:
        server = BillingServer(rest)
        yield server


def _answer(server: BillingServer, request: Request) -> Reply:
    if server.failures:
        return _error(server.failures.pop(0), "UNAVAILABLE")
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return _error(401, "UNAUTHENTICATED")
    path = request.path
    collection = path.rpartition("/")[2]
    if collection in server.denied:
        return _error(403, "PERMISSION_DENIED")
    if path == "/v1/services":
        services = [billing_v1.Service(name=f"services/{name}", service_id=name) for name in server.skus]
        return _page(request, billing_v1.ListServicesResponse, "services", services)
    if found := _SKUS.fullmatch(path):
        server.currencies.append(request.query.get("currencyCode", ""))
        return _page(request, billing_v1.ListSkusResponse, "skus", server.skus.get(found[1], []))
    if path == "/v1/billingAccounts":
        return _page(request, billing_v1.ListBillingAccountsResponse, "billing_accounts", server.accounts)
    if found := _ACCOUNT.fullmatch(path):
        known = [account for account in server.accounts if account.name == found[1]]
        return _write(known[0]) if known else _error(404, "NOT_FOUND")
    if found := _PROJECTS.fullmatch(path):
        known_projects = server.projects.get(found[1], [])
        return _page(
            request, billing_v1.ListProjectBillingInfoResponse, "project_billing_info", known_projects
        )
    if found := _BUDGETS.fullmatch(path):
        return _page(request, budgets_v1.ListBudgetsResponse, "budgets", server.budgets.get(found[1], []))
    return _error(404, "NOT_FOUND")


def _page(request: Request, kind: Any, name: str, items: Sequence[Any]) -> Reply:
    start = int(request.query.get("pageToken") or 0)
    answer = {name: list(items[start : start + _PAGE])}
    if start + _PAGE < len(items):
        answer["next_page_token"] = str(start + _PAGE)  # type: ignore[assignment]
    return _write(kind(**answer))


def _write(message: Any) -> Reply:
    return Reply(body=json.loads(type(message).to_json(message)))


def _error(status: int, name: str) -> Reply:
    return Reply(status, {"error": {"code": status, "message": name.lower(), "status": name}})
