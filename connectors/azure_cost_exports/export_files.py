"""Export runs where they lie: manifests found by listing, their files fetched once and held against what they state.

What belongs here: from a place in a store to runs with their files. What must not: typing lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from azure.mgmt.costmanagement.models import Export

from connectors.azure_cost_exports.bill_runs import BillRun
from connectors.azure_cost_exports.management import read_word
from connectors.azure_cost_exports.manifests import (
    LARGEST_MANIFEST_BYTES,
    ExportRun,
    RunBlob,
    choose_runs,
    is_manifest,
    read_manifest,
)
from connectors.azure_cost_exports.settings import Settings
from connectors.common.contract import Severity, TerminalError
from connectors.common.fetching import ArtifactFetcher
from connectors.common.source_files import FileFault, SourceFile
from connectors.common.source_landing import SourceLanding
from connectors.common.stores.contract import StoredObject
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import parse_location
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES

_STORAGE_OF_CLOUD = {
    "management.usgovcloudapi.net": "blob.core.usgovcloudapi.net",
    "management.chinacloudapi.cn": "blob.core.chinacloudapi.cn",
}
"""Resource Manager of a sovereign cloud → where its storage accounts are."""

_CLOCK_TOLERANCE = timedelta(days=1)
BILL_TYPES = frozenset({"focuscost", "actualcost", "amortizedcost", "usage"})


@dataclass(frozen=True)
class _Place:
    """A listed location: its objects by key, and how to fetch them."""

    prefix: str
    objects: dict[str, StoredObject]
    fetcher: ArtifactFetcher


def find_locations(settings: Settings, exports: Sequence[Export]) -> list[str]:
    """Return where the exports lie: as the config says, else as their definitions do. TerminalError for none."""
    if settings.location is not None:
        return [settings.location]
    locations: dict[str, None] = {}
    for export in exports:
        if is_bill(export):
            locations[read_destination(export, settings)] = None
    if not locations:
        message = (
            f"{settings.name}: {settings.scope} has no export of FocusCost, ActualCost or AmortizedCost; create one "
            "(daily, month to date), or set `path: cost_details`"
        )
        raise TerminalError(message)
    return list(locations)


def is_bill(export: Export) -> bool:
    """Tell whether an export holds a bill, not prices or reservations."""
    return export.definition is not None and read_word(export.definition.type).lower() in BILL_TYPES


def read_destination(export: Export, settings: Settings) -> str:
    """Return the location that an export's definition names, in the cloud of the management endpoint."""
    destination = export.delivery_info.destination
    account = destination.storage_account or (destination.resource_id or "").rstrip("/").rsplit("/", 1)[-1]
    folder = (destination.root_folder_path or "").strip("/")
    host = (settings.management_endpoint or "").removeprefix("https://").rstrip("/")
    suffix = _STORAGE_OF_CLOUD.get(host)
    start = f"https://{account}.{suffix}" if suffix else f"az://{account}"
    return f"{start}/{destination.container}/{folder}".rstrip("/")


def find_runs(landing: SourceLanding, settings: Settings, location: str) -> list[BillRun]:
    """Return the runs that lie below a location, the newest of each month or, with `backfill`, all.

    Raises ConnectorError when the place cannot be listed; a manifest that cannot be read is a finding.
    """
    place = _list_place(landing, settings, location)
    listed = [stored for key, stored in sorted(place.objects.items()) if is_manifest(key)]
    manifests = [stored for stored in listed if stored.size <= LARGEST_MANIFEST_BYTES]
    for stored in listed:
        if stored.size > LARGEST_MANIFEST_BYTES:
            message = (
                f"{landing.source}: {stored.key} has {stored.size:,} bytes, more than any manifest of an export; "
                "remove it, or correct `location`"
            )
            landing.add(AZURE_COST_LINES.name, "unusable_manifest", message, Severity.FAULT)
    found: list[ExportRun] = []
    unread = len(listed) - len(manifests)
    for file in place.fetcher.fetch(manifests):
        try:
            found.append(read_manifest(file.relative, file.path.read_bytes()))
        except TerminalError as error:
            unread += 1
            landing.add(
                AZURE_COST_LINES.name, "unusable_manifest", f"{landing.source}: {error}", Severity.FAULT
            )
    wanted = _leave_out_future(landing, [run for run in found if _is_wanted(run, settings)])
    if not wanted and (found or not unread):
        _describe_found(landing, location, found)
    runs, doubled = choose_runs(wanted)
    _describe_doubled(landing, doubled)
    if not settings.backfill:
        runs = list({run.delivery_key: run for run in runs}.values())
    return [_build_run(place, run) for run in runs]


def _list_place(landing: SourceLanding, settings: Settings, location: str) -> _Place:
    store = open_store(settings.build_store_settings(location))
    objects = {stored.key: stored for stored in store.list_objects()}
    return _Place(parse_location(location).prefix, objects, ArtifactFetcher(landing, store))


def _is_wanted(run: ExportRun, settings: Settings) -> bool:
    if run.kind is None:
        return False
    if settings.scope is not None and run.scope != settings.scope.lower():
        return False
    return not settings.exports or run.export_name.lower() in {name.lower() for name in settings.exports}


def _leave_out_future(landing: SourceLanding, runs: Sequence[ExportRun]) -> list[ExportRun]:
    """Return runs of the past: one of the future would supersede all that come until then."""
    last = landing.context.now + _CLOCK_TOLERANCE
    for run in runs:
        if run.submitted_at > last:
            message = (
                f"{landing.source}: {run.key} states that it was submitted at {run.submitted_at:%Y-%m-%d %H:%M}, which "
                "is yet to come: it is left out; correct this machine's clock, or remove that run"
            )
            landing.add(AZURE_COST_LINES.name, "delivered_in_future", message, Severity.FAULT)
    return [run for run in runs if run.submitted_at <= last]


def _describe_found(landing: SourceLanding, location: str, found: Sequence[ExportRun]) -> None:
    """Report a place without a bill that is wanted."""
    message = (
        f"{landing.source}: no manifest.json of a bill below {location}: correct `location`, `scope` or `exports`, "
        "run the export, or turn on file partitioning (only then does Azure write manifests)"
    )
    if found:
        others = ", ".join(sorted({f"{run.export_name} ({run.export_type}) of {run.scope}" for run in found}))
        message = f"{landing.source}: below {location} are only other exports: {others}; correct `scope` or `exports`"
    landing.add(AZURE_COST_LINES.name, "no_manifest", message, Severity.FAULT)


def _describe_doubled(landing: SourceLanding, doubled: Sequence[ExportRun]) -> None:
    for scope, month in sorted({(run.scope, run.month) for run in doubled}):
        message = (
            f"{landing.source}: {month} of {scope} is there as FocusCost and as actual or amortized cost: one bill, "
            "the FocusCost one counts; name one of them in `exports` to choose"
        )
        landing.add(AZURE_COST_LINES.name, "double_bill", message, Severity.WARN)


def _build_run(place: _Place, run: ExportRun) -> BillRun:
    return BillRun(
        kind=run.kind or run.export_type,
        billing_scope=run.scope,
        month=run.month,
        delivered_at=run.submitted_at,
        label=f"{run.export_name} run {run.run_id}",
        fetch=lambda: _fetch(place, run),
        row_count=run.row_count,
    )


def _fetch(place: _Place, run: ExportRun) -> Sequence[SourceFile]:
    return place.fetcher.fetch([_find_object(place, run, blob) for blob in run.blobs], spares_pruned=True)


def _find_object(place: _Place, run: ExportRun, blob: RunBlob) -> StoredObject:
    """Return the object of a file that a manifest names: below the container, or beside the manifest in a copy.

    Raises FileFault when it is not there, or is another one than the manifest saw.
    """
    beside = f"{run.key.rpartition('/')[0]}/{blob.name.rsplit('/', 1)[-1]}".lstrip("/")
    candidates = [blob.name.removeprefix(place.prefix), beside]
    stored = next((place.objects[key] for key in candidates if key in place.objects), None)
    if stored is None:
        message = f"{run.key} names {blob.name}, which is not there; the delivery waits for it, run the export again"
        raise FileFault("missing_file", message)
    if blob.byte_count is not None and blob.byte_count != stored.size:
        message = (
            f"{run.key} states {blob.byte_count:,} bytes for {blob.name}, which holds {stored.size:,}: a copy that is "
            "cut off (copy it again), or a file that another run wrote over (its own manifest follows)"
        )
        raise FileFault("size_mismatch", message)
    return stored
