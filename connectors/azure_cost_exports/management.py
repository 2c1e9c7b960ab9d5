"""Asking Azure Cost Management: signing in, exports and their runs, and its errors in words.

What belongs here: calls of the management API that return its own records. What must not: what a bill means.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import SansIOHTTPPolicy

from connectors.azure_cost_exports.settings import Settings
from connectors.common.azure_sign_in import PUBLIC_ENDPOINT
from connectors.common.contract import ConnectorError, TerminalError, TransientError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.mgmt.costmanagement import CostManagementClient
    from azure.mgmt.costmanagement.models import Budget, Export, ExportRun

READER = "Cost Management Reader"
CONTRIBUTOR = "Cost Management Contributor"
DONE = ("Completed", "NewDataNotAvailable", "DataNotAvailable")
"""States of a run that ended well; the last two wrote no file, since nothing is new or nothing is there."""

FAILED = ("Failed", "Timeout")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,79}")
_THROTTLED = re.compile(r"^x-ms-ratelimit-.*retry-after$", re.IGNORECASE)
_RETRY_AFTER = ("Retry-After", "retry-after-ms", "x-ms-retry-after-ms")
_RETRIES = 6
_LONGEST_BACKOFF_SECONDS = 60
_LONGEST_WAIT_SECONDS = 300


class ThrottleHeaders(SansIOHTTPPolicy):
    """Cost Management says how long to wait in headers of its own; the retry policy reads `Retry-After` only.

    However long an answer asks to wait, five minutes are the most: nobody's night sleeps for a day.
    """

    def on_response(self, request: PipelineRequest, response: PipelineResponse) -> None:
        """Copy the longest of its waits to `Retry-After` where that is absent, and cut what is longer."""
        answer = response.http_response
        for name in _RETRY_AFTER:
            stated = answer.headers.get(name)
            longest = _LONGEST_WAIT_SECONDS * (1000 if name.endswith("-ms") else 1)
            if stated and not (stated.isdecimal() and int(stated) <= longest):
                answer.headers[name] = str(longest)
        if answer.status_code != 429 or answer.headers.get("Retry-After"):
            return
        waits = [
            value for name, value in answer.headers.items() if _THROTTLED.match(name) and value.isdecimal()
        ]
        if waits:
            answer.headers["Retry-After"] = str(min(max(map(int, waits)), _LONGEST_WAIT_SECONDS))


def read_word(value: object) -> str:
    """Return what the service wrote where the SDK gives a member of an enumeration, or text it does not know."""
    return str(getattr(value, "value", value) or "")


def build_client(settings: Settings, credential: TokenCredential) -> CostManagementClient:
    """Return the client of the settings' cloud; throttling and 5xx are tried again, with backoff."""
    from azure.mgmt.costmanagement import CostManagementClient

    options: dict[str, Any] = {}
    if settings.management_endpoint is not None:
        options["credential_scopes"] = [settings.token_scope]
    return CostManagementClient(
        credential,
        settings.management_endpoint,
        polling_interval=settings.poll_seconds,
        retry_total=_RETRIES,
        retry_backoff_max=_LONGEST_BACKOFF_SECONDS,
        per_retry_policies=[ThrottleHeaders()],
        **options,
    )


def fetch_exports(client: CostManagementClient, settings: Settings) -> list[Export]:
    """Return the exports of the scope, or those that the settings name; TerminalError for a missing one."""
    with _in_words(settings, "list the exports", READER):
        found = client.exports.list(_scope(settings)).value or []
    if not settings.exports:
        return list(found)
    by_name = {(export.name or "").lower(): export for export in found}
    missing = [name for name in settings.exports if name.lower() not in by_name]
    if missing:
        known = ", ".join(sorted(export.name or "" for export in found)) or "none"
        message = f"{settings.name}: {settings.scope} has no export {missing[0]!r}; it has: {known}; correct `exports`"
        raise TerminalError(message)
    return [by_name[name.lower()] for name in settings.exports]


def fetch_runs(client: CostManagementClient, settings: Settings, export_name: str) -> list[ExportRun]:
    """Return the runs of an export that Azure remembers, the newest first."""
    with _in_words(settings, f"read the runs of export {export_name!r}", READER):
        runs = client.exports.get_execution_history(_scope(settings), export_name).value or []
    return sorted(runs, key=lambda run: str(run.submitted_time or ""), reverse=True)


def run_export(
    client: CostManagementClient,
    settings: Settings,
    export_name: str,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> str:
    """Run an export and wait until it ended; return its state, one of `DONE`.

    Raises TransientError when it did not end in time, TerminalError when it failed.
    """
    before = {run.name for run in fetch_runs(client, settings, export_name)}
    with _in_words(settings, f"run export {export_name!r}", CONTRIBUTOR):
        client.exports.execute(_scope(settings), export_name)
    deadline = clock() + settings.wait_seconds
    while clock() < deadline:
        run = next((r for r in fetch_runs(client, settings, export_name) if r.name not in before), None)
        state = read_word(run.status) if run is not None else ""
        if state in DONE:
            return state
        if state in FAILED:
            message = f"{settings.name}: export {export_name!r} ended as {state}{_describe_run_error(run)}"
            raise TerminalError(f"{message}; see its runs in the portal")
        sleep(settings.poll_seconds)
    message = f"{settings.name}: export {export_name!r} did not end within {settings.wait_seconds} seconds"
    raise TransientError(f"{message}; what it delivered before is used, the next night reads the rest")


def fetch_budgets(client: CostManagementClient, settings: Settings) -> list[Budget]:
    """Return all budgets of the scope, page by page."""
    with _in_words(settings, "list the budgets", READER):
        return list(client.budgets.list(_scope(settings)))


def _scope(settings: Settings) -> str:
    return (settings.scope or "").strip("/")


def _describe_run_error(run: Any) -> str:
    code = getattr(getattr(run, "error", None), "code", None)
    return f" ({code})" if code and _CODE.fullmatch(code) else ""


@contextmanager
def _in_words(settings: Settings, action: str, role: str) -> Iterator[None]:
    try:
        yield
    except AzureError as error:
        raise describe_error(error, settings, action, role) from error


def describe_error(error: AzureError, settings: Settings, action: str, role: str) -> ConnectorError:
    """Return an error of a call in words for the source's owner: what failed, and which role or setting helps."""
    start = f"{settings.name}: cannot {action} of {settings.scope}"
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        endpoint = settings.management_endpoint or PUBLIC_ENDPOINT
        return TransientError(
            f"{start}: no answer from {endpoint}; check the network, the next night tries again"
        )
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if isinstance(error, ClientAuthenticationError) and status in (None, 400, 401):
        return TerminalError(
            f"{start}: signing in failed; set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, give the "
            "machine a managed identity, or run `az login`"
        )
    if isinstance(error, HttpResponseError) and status is not None:
        return _describe_answer(error, status, start, role)
    return TerminalError(f"{start}: {type(error).__name__}; check `scope` and the endpoints in the config")


def _describe_answer(error: HttpResponseError, status: int, start: str, role: str) -> ConnectorError:
    code = getattr(error.error, "code", None)
    said = f"{status} {code}" if code and _CODE.fullmatch(code) else str(status)
    if status == 403:
        return TerminalError(f"{start}: Azure answers {said}; grant the role {role!r} on this scope")
    if status == 404 or isinstance(error, ResourceNotFoundError):
        return TerminalError(
            f"{start}: Azure answers {said}; the scope or the name is wrong, correct the config"
        )
    if status == 429:
        return TransientError(f"{start}: Azure answers {said}, too many requests; the next night tries again")
    if status >= 500:
        return TransientError(f"{start}: Azure answers {said}; the next night tries again")
    return TerminalError(f"{start}: Azure answers {said}; check `scope` and `path` in the config")
