"""Looking at Azure subscriptions by Resource Graph.

What belongs here: calls, pages, credentials, what a refusal means. What must not: field names (`schema.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from connectors.azure_inventory import schema
from connectors.azure_inventory.settings import Settings
from connectors.common.azure_sign_in import PUBLIC_ENDPOINT, build_credential
from connectors.common.contract import CheckStep, LandingContext, SourceReport, TerminalError, TransientError
from connectors.common.inventory import Inventory, land_inventory

_PAGE_ROWS = 1000
_LOCATIONS_VERSION = "2022-12-01"


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land what exists now: `workloads`, `zones` and `accounts`."""
    return land_inventory(settings, context, schema.SCHEMA_VERSION, lambda: _look(settings))


def check(settings: Settings) -> Iterator[CheckStep]:
    """Try the token, one query and the zones; say which role is missing."""
    try:
        found = sum(1 for _ in _query(settings, schema.SUBSCRIPTIONS))
    except (TerminalError, TransientError) as error:
        yield CheckStep("resource graph", False, str(error))
        return
    yield CheckStep("resource graph", True, f"{found} of {len(settings.subscriptions)} subscriptions answer")
    for subscription_id in settings.subscriptions:
        try:
            zones = schema.build_zones(subscription_id, _list_locations(settings, subscription_id))
        except (TerminalError, TransientError) as error:
            yield CheckStep(f"zones of {subscription_id}", False, str(error))
        else:
            yield CheckStep(f"zones of {subscription_id}", True, f"{len(zones)} zones")


def _look(settings: Settings) -> Inventory:
    inventory = Inventory()
    resources = list(_query(settings, schema.RESOURCES))
    machines = {row["id"].lower(): row for row in resources}
    inventory.things = [schema.build_resource(row) for row in resources]
    inventory.things += [schema.build_interface(row, machines) for row in _query(settings, schema.INTERFACES)]
    inventory.accounts = [schema.build_account(row) for row in _query(settings, schema.SUBSCRIPTIONS)]
    for subscription_id in settings.subscriptions:
        inventory.zones += schema.build_zones(subscription_id, _list_locations(settings, subscription_id))
    return inventory


def _query(settings: Settings, query: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a Resource Graph query, page by page."""
    from azure.mgmt.resourcegraph import ResourceGraphClient
    from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

    client = ResourceGraphClient(
        build_credential(settings.name, settings),
        settings.management_endpoint or PUBLIC_ENDPOINT,
        credential_scopes=[settings.token_scope],
    )
    token: str | None = None
    while True:
        options = QueryRequestOptions(top=_PAGE_ROWS, skip_token=token, result_format="objectArray")
        request = QueryRequest(query=query, subscriptions=list(settings.subscriptions), options=options)
        answer = _call(client.resources, request)
        yield from answer.data
        token = answer.skip_token
        if not token:
            return


def _list_locations(settings: Settings, subscription_id: str) -> list[dict[str, Any]]:
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
    from azure.core.rest import HttpRequest

    endpoint = (settings.management_endpoint or PUBLIC_ENDPOINT).rstrip("/")
    credential = build_credential(settings.name, settings)
    policies = [RetryPolicy(), BearerTokenCredentialPolicy(credential, settings.token_scope)]
    client: Any = PipelineClient(endpoint, policies=policies)
    address = f"{endpoint}/subscriptions/{subscription_id}/locations"
    request = HttpRequest("GET", address, params={"api-version": _LOCATIONS_VERSION})
    answer = _call(client.send_request, request)
    _call(answer.raise_for_status)
    return answer.json()["value"]


def _call(operation: Callable[..., Any], *arguments: Any) -> Any:
    """Call Azure; what goes wrong is told in words, a refusal with the role that is missing."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

    try:
        return operation(*arguments)
    except ClientAuthenticationError as error:
        raise TerminalError(
            "no Azure credentials work here; sign in with `az login`, set AZURE_CLIENT_ID, AZURE_TENANT_ID and "
            "AZURE_CLIENT_SECRET, or run with a managed identity"
        ) from error
    except HttpResponseError as error:
        code = error.error.code if error.error else error.status_code
        if error.status_code == 403:
            message = f"Azure refused ({code}); give the identity the role Reader on each subscription"
            raise TerminalError(message) from error
        if error.status_code in (429, 500, 502, 503, 504):
            raise TransientError(f"Azure is busy ({code}); try again") from error
        raise TerminalError(f"Azure refused ({code}); check `subscriptions` in the config") from error
    except ServiceRequestError as error:
        raise TransientError(f"Azure could not be reached ({type(error).__name__}); try again") from error
