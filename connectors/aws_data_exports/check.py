"""What is right and what is missing about an export, in words for its owner.

What belongs here: one step for each thing that can be wrong on the way from AWS to us. What must not: landing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from connectors.aws_data_exports import schema
from connectors.aws_data_exports.deliveries import ExportDeliveries, choose_manifests, describe_absence
from connectors.aws_data_exports.exports import Execution, ExportDefinition, ExportService
from connectors.aws_data_exports.settings import Settings, TableKind
from connectors.common.bills import focus_format
from connectors.common.contract import CheckStep, ConnectorError
from connectors.common.schema_contract import find_missing_columns, join_words
from connectors.common.stores.contract import ObjectStore
from connectors.common.stores.open import open_store

_REASONS = {
    "INSUFFICIENT_PERMISSION": (
        "AWS may not write to the bucket; let its policy allow s3:PutObject to bcm-data-exports.amazonaws.com "
        "for this account"
    ),
    "BILL_OWNER_CHANGED": "the account's payer changed; create the export again in the account that pays now",
    "INTERNAL_FAILURE": "AWS failed on its own; if its next run fails too, open a support case",
    "DEPRECATED": "AWS no longer delivers this table; create an export of its newer version",
}
_FAILURES = frozenset({"QUERY_FAILURE", "DELIVERY_FAILURE"})
_OPTIONS = {
    "INCLUDE_RESOURCES": "lines name no resources, so tagged instances, profiles and log groups cannot be told apart",
    "INCLUDE_IAM_PRINCIPAL_DATA": "lines do not say which principal called, as for Bedrock",
    "INCLUDE_SPLIT_COST_ALLOCATION_DATA": "pods and tasks are not split out of their instances",
}
"""Table property of CUR 2.0 → what is lost without it."""


def check_export(settings: Settings) -> Iterator[CheckStep]:
    """Yield what was tried: the export's definition, its last run, the bucket, a manifest and a file."""
    definition: ExportDefinition | None = None
    for step in _check_service(settings):
        if isinstance(step, ExportDefinition):
            definition = step
        else:
            yield step
    location = settings.location or (definition.location if definition else None)
    if location is None:
        yield CheckStep("files", None, "where the export is delivered is not known; state `location`")
        return
    if definition is not None and settings.location and _is_elsewhere(definition, settings.location):
        message = (
            f"AWS delivers to {definition.location}, the config reads {settings.location}: is it a copy?"
        )
        yield CheckStep("location", True, message)
    yield from _check_files(settings, location)


def _check_service(settings: Settings) -> Iterator[CheckStep | ExportDefinition]:
    try:
        service = ExportService(settings)
        definition = service.find_export()
    except ConnectorError as error:
        is_needed = settings.location is None
        hint = "" if is_needed else "; landing does not need it, for `location` is stated"
        yield CheckStep("export", False if is_needed else None, f"{error}{hint}")
        return
    yield CheckStep("export", True, f"found {definition.arn}")
    yield definition
    yield from check_definition(definition)
    try:
        yield describe_execution(service.find_last_execution(definition.arn))
    except ConnectorError as error:
        yield CheckStep("last run", None, str(error))


def check_definition(definition: ExportDefinition) -> Iterator[CheckStep]:
    """Yield what an export's table, columns and options mean for us."""
    kind = definition.table_kind
    if kind is None:
        message = f"the table {definition.table} holds no bill; export COST_AND_USAGE_REPORT or FOCUS_1_2_AWS instead"
        yield CheckStep("table", False, message)
        return
    mode = "overwritten" if definition.is_overwriting else "kept beside older ones"
    yield CheckStep("table", True, f"{definition.table}, {definition.output_format}, deliveries are {mode}")
    if definition.compression == "ZIP":
        yield CheckStep("compression", False, "ZIP files are not read; choose GZIP, or Parquet")
    if not definition.is_healthy:
        reason = _describe_reason(definition.health_reason)
        yield CheckStep("health", False, f"AWS calls the export unhealthy: {reason}")
    missing = _find_missing(definition.columns, kind)
    if missing:
        yield CheckStep("columns", False, f"the query leaves out {join_words(missing)}; select them")
    if definition.has_filter:
        message = "the query has a WHERE: lines that it leaves out are missing from every total; remove it"
        yield CheckStep("filter", False, message)
    if kind == "cur_2_0":
        yield from _check_options(definition)


def _find_missing(columns: Iterable[str], kind: TableKind) -> list[str]:
    """Return required columns that are not among these; none where it is not known which there are."""
    present = set(columns)
    if not present:
        return []
    required = schema.REQUIRED if kind == "cur_2_0" else focus_format.REQUIRED
    return [" or ".join(choices) for choices in find_missing_columns(present, required)]


def _check_options(definition: ExportDefinition) -> Iterator[CheckStep]:
    for option, loss in _OPTIONS.items():
        if definition.properties.get(option, "FALSE").upper() != "TRUE":
            message = (
                f"{option} is off: {loss}; switch it on where that is wanted (a new export, in most cases)"
            )
            yield CheckStep(option.lower(), True, message)
    granularity = definition.properties.get("TIME_GRANULARITY", "").upper()
    if granularity == "MONTHLY":
        message = "TIME_GRANULARITY is MONTHLY: days cannot be told apart; export DAILY or HOURLY"
        yield CheckStep("time granularity", False, message)


def describe_execution(execution: Execution | None) -> CheckStep:
    """Return what the newest run of an export came to."""
    if execution is None:
        return CheckStep("last run", True, "it has not run yet; AWS's first delivery takes up to 24 hours")
    when = f" of {execution.created_at:%Y-%m-%d %H:%M} UTC" if execution.created_at else ""
    if execution.status in _FAILURES:
        reason = _describe_reason(execution.reason)
        return CheckStep("last run", False, f"the run{when} ended with {execution.status}: {reason}")
    return CheckStep("last run", True, f"the run{when}: {execution.status}")


def _describe_reason(reason: str | None) -> str:
    return _REASONS.get(reason or "", reason or "AWS states no reason")


def _is_elsewhere(definition: ExportDefinition, location: str) -> bool:
    own = location.rstrip("/").removesuffix(f"/{definition.name}")
    return own != definition.location.rstrip("/")


def _check_files(settings: Settings, location: str) -> Iterator[CheckStep]:
    try:
        store = open_store(settings.build_store_settings(location))
        yield CheckStep("credentials", True, store.find_credentials())
    except ConnectorError as error:
        yield CheckStep("credentials", False, str(error))
        yield CheckStep("files", None, "not tried without credentials")
        return
    try:
        yield from _check_newest(settings, store)
    except ConnectorError as error:
        yield CheckStep("files", False, str(error))


def _check_newest(settings: Settings, store: ObjectStore) -> Iterator[CheckStep]:
    now = datetime.now(UTC).replace(tzinfo=None)
    deliveries = ExportDeliveries(store, settings.export_name, None, now)
    manifests = choose_manifests(deliveries.list_manifests(), first_period=None, backfill=False)
    if not manifests:
        yield CheckStep("manifests", False, describe_absence(store.location, settings.export_name))
        return
    newest = manifests[-1]
    delivered = f"{newest.delivered_at:%Y-%m-%d %H:%M} UTC"
    message = f"billing months {manifests[0].period} to {newest.period}, newest delivery {delivered}"
    yield CheckStep("manifests", True, message)
    delivery = deliveries.read(newest)
    if delivery.objects:
        store.read_beginning(delivery.objects[0])
    size = sum(stored.size for stored in delivery.objects) / 1e6
    yield CheckStep(
        "files", True, f"{newest.period}: {len(delivery.objects)} files, {size:,.1f} MB, readable"
    )
    if delivery.columns:
        yield _check_columns(settings, delivery.columns)


def _check_columns(settings: Settings, columns: tuple[str, ...]) -> CheckStep:
    """Return whether the columns that a manifest lists make a bill."""
    kind = settings.table or schema.find_kind(columns)
    if kind is None:
        message = (
            "the manifest lists neither line_item_line_item_type (CUR 2.0) nor BilledCost (FOCUS); select them in "
            "the export's query, or correct `export`"
        )
        return CheckStep("delivered columns", False, message)
    table = "CUR 2.0" if kind == "cur_2_0" else "FOCUS"
    missing = _find_missing(columns, kind)
    if missing:
        message = (
            f"{table}: the manifest does not list {join_words(missing)}, and without them nothing lands; add them to "
            "the export's query"
        )
        return CheckStep("delivered columns", False, message)
    return CheckStep(
        "delivered columns", True, f"{table}: all required ones are among the {len(columns)} of the manifest"
    )
