"""Trying an Azure source step by step, in words for whoever sets it up.

What belongs here: the steps of `everycent sources check`. What must not: landing anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from connectors.azure_cost_exports.export_files import find_locations, is_bill, read_destination
from connectors.azure_cost_exports.management import (
    FAILED,
    build_client,
    describe_error,
    fetch_budgets,
    fetch_exports,
    fetch_runs,
    read_word,
)
from connectors.azure_cost_exports.manifests import is_manifest, read_manifest
from connectors.azure_cost_exports.settings import Settings
from connectors.azure_cost_exports.usage_query import fetch_usage
from connectors.common.azure_sign_in import build_credential
from connectors.common.contract import CheckStep, ConnectorError
from connectors.common.stores.open import open_store

if TYPE_CHECKING:
    from azure.mgmt.costmanagement import CostManagementClient
    from azure.mgmt.costmanagement.models import Export


def check_source(settings: Settings) -> Iterator[CheckStep]:
    """Yield what was tried: signing in, the exports and their last runs, the storage, the budgets."""
    exports: list[Export] = []
    client: CostManagementClient | None = None
    if settings.scope is not None:
        steps: list[CheckStep] = []
        client = _sign_in(settings, steps)
        yield from steps
        if client is None:
            yield CheckStep("exports", None, "not tried: signing in failed")
            if settings.location is None:
                return
    if client is not None and settings.path == "exports":
        steps = []
        exports = _check_exports(client, settings, steps)
        yield from steps
    if settings.path == "exports":
        yield from _check_storage(settings, exports)
    elif client is not None:
        yield _check_query(client, settings)
    if client is not None and settings.budgets:
        yield _check_budgets(client, settings)


def _sign_in(settings: Settings, steps: list[CheckStep]) -> CostManagementClient | None:
    try:
        credential = build_credential(settings.name, settings)
        credential.get_token(settings.token_scope)
    except AzureError as error:
        steps.append(CheckStep("sign in", False, str(describe_error(error, settings, "sign in", ""))))
        return None
    except ConnectorError as error:
        steps.append(CheckStep("sign in", False, str(error)))
        return None
    steps.append(
        CheckStep("sign in", True, f"there is a token for {settings.token_scope.removesuffix('/.default')}")
    )
    return build_client(settings, credential)


def _check_exports(client: CostManagementClient, settings: Settings, steps: list[CheckStep]) -> list[Export]:
    try:
        exports = fetch_exports(client, settings)
    except ConnectorError as error:
        steps.append(CheckStep("exports", False, str(error)))
        return []
    bills = [export for export in exports if is_bill(export)]
    steps.append(_describe_choice(settings, bills))
    for export in bills:
        steps.append(_check_definition(export, settings))
        steps.append(_check_last_run(client, settings, export))
    return bills


def _describe_choice(settings: Settings, bills: list[Export]) -> CheckStep:
    kinds = {read_word(export.definition.type) for export in bills}
    names = ", ".join(f"{export.name} ({read_word(export.definition.type)})" for export in bills)
    if not bills:
        message = f"{settings.scope} has no export of a bill; create a FocusCost export, or set `path: cost_details`"
        return CheckStep("exports", False, message)
    missing = {"ActualCost": "AmortizedCost", "AmortizedCost": "ActualCost"}
    lacking = [other for kind, other in missing.items() if kind in kinds and other not in kinds]
    if lacking and "FocusCost" not in kinds:
        message = f"{names}: the pair is incomplete, an export of {lacking[0]} is missing; create it, or use FocusCost"
        return CheckStep("exports", False, message)
    return CheckStep("exports", True, names)


def _check_definition(export: Export, settings: Settings) -> CheckStep:
    definition = export.definition
    configuration = definition.data_set.configuration if definition.data_set else None
    version = (configuration.data_version if configuration else None) or "latest"
    told = (
        f"{read_word(definition.type)} {version}, {read_word(definition.timeframe)}, {read_word(export.format)}, "
        f"compressed {read_word(export.compression_mode)}, {read_word(export.data_overwrite_behavior)}, "
        f"to {read_destination(export, settings)}"
    )
    name = f"export {export.name}"
    if export.partition_data is False:
        return CheckStep(
            name, False, f"{told}: turn on file partitioning, only then does Azure write manifests"
        )
    if configuration is not None and configuration.columns:
        return CheckStep(name, False, f"{told}: it leaves columns out; let it export all of them")
    return CheckStep(name, True, told)


def _check_last_run(client: CostManagementClient, settings: Settings, export: Export) -> CheckStep:
    name = f"last run of {export.name}"
    try:
        runs = fetch_runs(client, settings, export.name or "")
    except ConnectorError as error:
        return CheckStep(name, False, str(error))
    if not runs:
        return CheckStep(name, False, "it never ran; run it, the first one takes up to 24 hours")
    run = runs[0]
    code = f" ({run.error.code})" if run.error is not None and run.error.code else ""
    told = f"{read_word(run.status)}{code}, submitted {run.submitted_time}"
    if read_word(run.status) in FAILED:
        return CheckStep(
            name, False, f"{told}; look at the export in the portal: often the storage account refuses it"
        )
    return CheckStep(name, True, told)


def _check_storage(settings: Settings, exports: list[Export]) -> Iterator[CheckStep]:
    try:
        locations = find_locations(settings, exports)
    except ConnectorError:
        message = "not tried: no export says where the files lie; set `location`"
        yield CheckStep("storage", False if exports else None, message)
        return
    for location in locations:
        yield _check_location(settings, location)


def _check_location(settings: Settings, location: str) -> CheckStep:
    name = f"storage {location}"
    try:
        store = open_store(settings.build_store_settings(location))
        manifests = [stored for stored in store.list_objects() if is_manifest(stored.key)]
        if not manifests:
            return CheckStep(
                name, False, "it can be listed and holds no manifest.json; run the export, look again"
            )
        newest = max(manifests, key=lambda stored: stored.modified_at)
        run = read_manifest(newest.key, store.read_bytes(newest.key))
    except ConnectorError as error:
        return CheckStep(name, False, str(error))
    told = (
        f"{len(manifests)} runs; the newest is {run.export_name} of {run.month}, submitted {run.submitted_at}"
    )
    return CheckStep(name, True, f"{told}, {len(run.blobs)} files")


def _check_query(client: CostManagementClient, settings: Settings) -> CheckStep:
    """Ask for this month's totals: what a report needs of the scope too, in seconds instead of minutes."""
    today = datetime.now(UTC).date()
    try:
        content = fetch_usage(client, settings, today.replace(day=1), today)
    except ConnectorError as error:
        return CheckStep("query", False, str(error))
    count = len(content.splitlines()) - 1
    told = f"{count} daily totals of this month by {' and '.join(settings.group_by) or 'nothing'}"
    return CheckStep("query", True, told)


def _check_budgets(client: CostManagementClient, settings: Settings) -> CheckStep:
    try:
        found = fetch_budgets(client, settings)
    except ConnectorError as error:
        return CheckStep("budgets", False, str(error))
    return CheckStep("budgets", True, f"{len(found)} budgets")
