"""Azure Cost Management and the authority that gives tokens for it, as far as the connector talks to them.

What belongs here: requests checked and answers built by the SDK's own models. What must not: blobs (Azurite has
them), or the connector's code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from azure.mgmt.costmanagement import models

from tests.servers.azure_models import check_model
from tests.servers.rest import Reply, Request, RestServer, run_rest
from tests.servers.tls import LocalAuthority

API_VERSION = "2025-03-01"
SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
BILLING_ACCOUNT = "/providers/Microsoft.Billing/billingAccounts/8611537"
TENANT, CLIENT, SECRET = "tenant-of-tests", "client-of-tests", "secret-of-tests"  # noqa: S105 (opens nothing)
TOKEN = "token-of-tests"  # noqa: S105
STORAGE = "providers/Microsoft.Storage/storageAccounts"
_PATH = re.compile(r"(?P<scope>/.+)/providers/Microsoft\.CostManagement/(?P<rest>.+)", re.IGNORECASE)


@dataclass
class AzureState:
    """What the service knows and how it behaves; a test fills it."""

    scopes: set[str] = field(default_factory=lambda: {SUBSCRIPTION, BILLING_ACCOUNT})
    roles: set[str] = field(default_factory=lambda: {"read", "run"})
    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    runs_to_come: dict[str, list[str]] = field(default_factory=dict)
    """Export name → the states that the next run of it shows, one a look."""
    budget_pages: list[list[dict[str, Any]]] = field(default_factory=list)
    reports: dict[tuple[str, str], Sequence[str] | None] = field(default_factory=dict)
    """(metric, start day) → links of its files; None: there is no data."""
    polls_before_ready: int = 1
    query_pages: list[dict[str, Any]] = field(default_factory=list)
    executed: list[str] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    """Bodies of reports and queries, as models."""


def build_export(name: str, export_type: str = "FocusCost", **changes: Any) -> dict[str, Any]:
    """Return an export as the service lists it."""
    properties: dict[str, Any] = {
        "format": "Csv",
        "compressionMode": "gzip",
        "partitionData": True,
        "dataOverwriteBehavior": "OverwritePreviousReport",
        "deliveryInfo": {
            "destination": {
                "type": "AzureBlob",
                "resourceId": f"{SUBSCRIPTION}/resourceGroups/bills/{STORAGE}/devstoreaccount1",
                "container": "exports",
                "rootFolderPath": "bills",
            }
        },
        "definition": {
            "type": export_type,
            "timeframe": "MonthToDate",
            "dataSet": {"granularity": "Daily", "configuration": {"dataVersion": "1.0"}},
        },
        "schedule": {"status": "Active", "recurrence": "Daily"},
    }
    export = {
        "id": f"{SUBSCRIPTION}/providers/Microsoft.CostManagement/exports/{name}",
        "name": name,
        "type": "Microsoft.CostManagement/exports",
        "properties": properties | changes,
    }
    return check_model(models.Export, export).as_dict()


def build_run(name: str, status: str, submitted: str, **changes: Any) -> dict[str, Any]:
    """Return a run as the history shows it."""
    properties = {"executionType": "Scheduled", "status": status, "submittedTime": submitted, **changes}
    return check_model(models.ExportRun, {"name": name, "properties": properties}).as_dict()


def build_budget(name: str, scope: str = SUBSCRIPTION, **properties: Any) -> dict[str, Any]:
    """Return a budget as the service lists it."""
    budget = {
        "id": f"{scope}/providers/Microsoft.CostManagement/budgets/{name}",
        "name": name,
        "type": "Microsoft.CostManagement/budgets",
        "properties": {
            "category": "Cost",
            "amount": 1000.0,
            "timeGrain": "Monthly",
            "timePeriod": {"startDate": "2026-10-01T00:00:00Z", "endDate": "2027-01-01T00:00:00Z"},
            "currentSpend": {"amount": 12.5, "unit": "USD"},
        }
        | properties,
    }
    return check_model(models.Budget, budget).as_dict()


class AzureCostManagement:
    """The routes of the service; `server` is where it runs."""

    def __init__(self, server: RestServer) -> None:
        self.server = server
        self.state = AzureState()
        self._polls: dict[str, int] = {}
        self._reports: dict[str, Sequence[str] | None] = {}

    def route(self, request: Request) -> Reply:
        """Answer one request as the service does."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return fail(401, "AuthenticationFailed")
        match = _PATH.fullmatch(request.path)
        if match is None or match["scope"] not in self.state.scopes:
            return fail(404, "ResourceNotFound")
        if request.query.get("api-version") != API_VERSION:
            return fail(400, "InvalidApiVersionParameter")
        if "read" not in self.state.roles:
            return fail(403, "AuthorizationFailed")
        parts = match["rest"].split("/")
        answer = {
            ("GET", "exports", 1): self._list_exports,
            ("POST", "exports", 3): self._run_export,
            ("GET", "exports", 3): self._list_runs,
            ("GET", "budgets", 1): self._list_budgets,
            ("POST", "generateCostDetailsReport", 1): self._request_report,
            ("GET", "costDetailsOperationResults", 2): self._read_report,
            ("POST", "query", 1): self._query,
        }.get((request.method, parts[0], len(parts)))
        return fail(404, "NotFound") if answer is None else answer(request, parts)

    def _list_exports(self, request: Request, parts: list[str]) -> Reply:
        return reply(models.ExportListResult, {"value": list(self.state.exports.values())})

    def _list_runs(self, request: Request, parts: list[str]) -> Reply:
        if parts[1] not in self.state.exports or parts[2] != "runHistory":
            return fail(404, "NotFound")
        runs = self.state.runs.setdefault(parts[1], [])
        coming = self.state.runs_to_come.get(parts[1])
        if coming and parts[1] in self.state.executed:
            running = [run for run in runs if run["name"] != "triggered"]
            status = coming.pop(0) if len(coming) > 1 else coming[0]
            error = {"error": {"code": "StorageAccountNotFound"}} if status == "Failed" else {}
            runs[:] = [*running, build_run("triggered", status, "2026-11-20T02:00:00Z", **error)]
        return reply(models.ExportExecutionListResult, {"value": runs})

    def _run_export(self, request: Request, parts: list[str]) -> Reply:
        if parts[2] != "run" or parts[1] not in self.state.exports:
            return fail(404, "NotFound")
        if "run" not in self.state.roles:
            return fail(403, "RBACAccessDenied")
        self.state.executed.append(parts[1])
        return Reply(200)

    def _list_budgets(self, request: Request, parts: list[str]) -> Reply:
        page = int(request.query.get("$skiptoken", 0))
        pages = self.state.budget_pages
        content: dict[str, Any] = {
            "value": [check_model(models.Budget, b).as_dict() for b in pages[page]] if pages else []
        }
        if page + 1 < len(pages):
            content["nextLink"] = (
                f"{request.base_url}{request.path}?api-version={API_VERSION}&$skiptoken={page + 1}"
            )
        return Reply(200, content)

    def _request_report(self, request: Request, parts: list[str]) -> Reply:
        wanted = check_model(models.GenerateCostDetailsReportRequestDefinition, request.json())
        self.state.asked.append(wanted)
        links = self.state.reports.get((wanted.metric.value, wanted.time_period.start), None)
        operation = f"op-{len(self._reports)}"
        self._reports[operation] = links
        scope = request.path.removesuffix("/" + parts[0])
        location = (
            f"{request.base_url}{scope}/costDetailsOperationResults/{operation}?api-version={API_VERSION}"
        )
        return Reply(202, headers={"Location": location, "Retry-After": "0"})

    def _read_report(self, request: Request, parts: list[str]) -> Reply:
        operation = parts[1]
        self._polls[operation] = self._polls.get(operation, 0) + 1
        if self._polls[operation] <= self.state.polls_before_ready:
            return Reply(202, headers={"Location": f"{request.base_url}{request.target}", "Retry-After": "0"})
        links = self._reports[operation]
        if links is None:
            content: dict[str, Any] = {"name": operation, "status": "NoDataFound"}
        else:
            blobs = [{"blobLink": link, "byteCount": 1} for link in links]
            manifest = {
                "manifestVersion": "2022-05-01",
                "dataFormat": "Csv",
                "blobCount": len(blobs),
                "blobs": blobs,
            }
            content = {"name": operation, "status": "Completed", "manifest": manifest}
        return reply(models.CostDetailsOperationResults, content)

    def _query(self, request: Request, parts: list[str]) -> Reply:
        self.state.asked.append(check_model(models.QueryDefinition, request.json()))
        page = int(request.query.get("$skiptoken", 0))
        if not self.state.query_pages:
            return Reply(204)
        properties = dict(self.state.query_pages[page])
        if page + 1 < len(self.state.query_pages):
            properties["nextLink"] = (
                f"{request.base_url}{request.path}?api-version={API_VERSION}&$skiptoken={page + 1}"
            )
        return reply(
            models.QueryResult,
            {"name": "query", "type": "Microsoft.CostManagement/query", "properties": properties},
        )


def reply(kind: type, content: Mapping[str, Any]) -> Reply:
    """Return an answer that the model has."""
    return Reply(200, check_model(kind, content).as_dict())


def fail(status: int, code: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an error as the Resource Manager writes it."""
    body = {"error": {"code": code, "message": "The words of the service, which may hold names."}}
    return Reply(status, body, headers or {})


def sign_in(request: Request) -> Reply:
    """The authority: tells where tokens are given, and gives one to the client that the tests know."""
    base = f"{request.base_url}/{TENANT}"
    if request.path == f"/{TENANT}/v2.0/.well-known/openid-configuration":
        return Reply(
            200,
            {
                "issuer": f"{base}/v2.0",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            },
        )
    if request.path != f"/{TENANT}/oauth2/v2.0/token":
        return Reply(404, {"error": "not_found"})
    form = request.form()
    is_known = (form.get("client_id"), form.get("client_secret")) == (CLIENT, SECRET)
    if form.get("grant_type") != "client_credentials" or not is_known:
        return Reply(
            401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
        )
    return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN})


@contextmanager
def run_azure_cost_management(authority: LocalAuthority) -> Iterator[tuple[AzureCostManagement, RestServer]]:
    """Run the service and the sign-in, each over TLS, while the block runs."""
    with run_rest(sign_in, authority.issue()) as login:
        with run_rest(sign_in, authority.issue()) as server:
            service = AzureCostManagement(server)
            server.route = service.route
            yield service, login
