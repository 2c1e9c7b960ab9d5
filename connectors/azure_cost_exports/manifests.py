"""The manifest.json of an export run: what was delivered, for which scope and month, and in which files.

What belongs here: reading one manifest, and choosing which runs count. What must not: listing or downloading.

Azure writes it last, after all files of the run. Its own pages show two orders of the folders above it, so nothing is
read from the path: scope, month, kind and version stand in the manifest. In overwrite mode files of older runs may
stay behind; only files that a manifest names are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from connectors.common.contract import TerminalError
from connectors.common.parsing import parse_instant

MANIFEST_NAME = "manifest.json"
LARGEST_MANIFEST_BYTES = 64 << 20
"""Larger ones are none: they would be read into memory whole."""

BillKind = Literal["focus", "actual", "amortized"]
_KINDS: dict[str, BillKind] = {
    "focuscost": "focus",
    "actualcost": "actual",
    "usage": "actual",
    "amortizedcost": "amortized",
}
_NEEDED = ("exportConfig.resourceId", "exportConfig.type", "runInfo.submittedTime", "runInfo.startDate")
"""What every manifest must state of its run; beside it `blobs`, each with a `blobName`."""

_EXPORT = re.compile(r"/providers/microsoft\.costmanagement/exports/[^/]+$")


@dataclass(frozen=True)
class RunBlob:
    """One file of a run: its name below the container, its size and lines as the manifest states them."""

    name: str
    byte_count: int | None
    row_count: int | None


@dataclass(frozen=True)
class ExportRun:
    """One run of an export. `kind` is None for exports that are no bills (price sheets, reservations).

    `scope` is the billing scope in lower case; `month` is 'YYYY-MM' of the run's first day; `submitted_at` is the
    delivery time.
    """

    key: str
    export_name: str
    scope: str
    export_type: str
    kind: BillKind | None
    data_version: str | None
    month: str
    run_id: str
    submitted_at: datetime
    row_count: int | None
    blobs: tuple[RunBlob, ...]
    root_folder: str

    @property
    def delivery_key(self) -> str:
        """What a newer run replaces whole: the same bill of the same scope and month, whichever export wrote it."""
        return build_delivery_key(self.scope, self.kind or self.export_type, self.month)


def build_delivery_key(scope: str, kind: str, month: str) -> str:
    """Return the name of one bill: scope, kind and month."""
    return f"{scope}|{kind}|{month}"


def is_manifest(key: str) -> bool:
    """Tell whether an object is a run's manifest."""
    return key.rsplit("/", 1)[-1].lower() == MANIFEST_NAME


def read_manifest(key: str, content: bytes) -> ExportRun:
    """Return the run that a manifest describes. TerminalError when it is none, or lacks what a bill needs."""
    try:
        parsed = orjson.loads(content)
        missing = _find_missing(parsed)
        if missing:
            raise ValueError(f"it states no {', '.join(missing)}")
        config, run = parsed["exportConfig"], parsed["runInfo"]
        blobs = tuple(_read_blob(blob) for blob in parsed["blobs"])
        row_count, blob_count = _read_count(parsed, "dataRowCount"), _read_count(parsed, "blobCount")
        submitted_at = parse_instant(run["submittedTime"])
        month = parse_instant(run["startDate"]).strftime("%Y-%m")
        resource = str(config["resourceId"]).lower().rstrip("/")
        export_type = str(config["type"])
        delivery = parsed.get("deliveryConfig") or {}
        if not isinstance(delivery, dict):
            raise TypeError("it has a deliveryConfig that is no object")
        root_folder = str(delivery.get("rootFolderPath") or "").strip("/")
    except (ValueError, TypeError, AttributeError) as error:
        message = f"{key} is no manifest of an export run: {_describe(error)}; run the export again"
        raise TerminalError(message) from error
    if blob_count not in (None, len(blobs)):
        message = f"{key} states {blob_count} files and lists {len(blobs)}; run the export again"
        raise TerminalError(message)
    return ExportRun(
        key=key,
        export_name=str(config.get("exportName") or resource.rsplit("/", 1)[-1]),
        scope=_EXPORT.sub("", resource) or resource,
        export_type=export_type,
        kind=_KINDS.get(export_type.lower()),
        data_version=config.get("dataVersion"),
        month=month,
        run_id=str(run.get("runId") or key),
        submitted_at=submitted_at,
        row_count=row_count,
        blobs=blobs,
        root_folder=root_folder,
    )


def choose_runs(runs: Iterable[ExportRun]) -> tuple[list[ExportRun], list[ExportRun]]:
    """Return the runs in order of delivery, and those that an actual or amortized bill beside a FOCUS one makes double.

    The same scope and month may be exported as FOCUS and as actual and amortized cost: it is one bill, and the FOCUS
    one counts. A run's manifest that lies in two places counts once.
    """
    unique = {(run.scope, run.export_type.lower(), run.month, run.run_id): run for run in runs}
    ordered = sorted(unique.values(), key=lambda run: (run.submitted_at, run.delivery_key, run.run_id))
    focus = {(run.scope, run.month) for run in ordered if run.kind == "focus"}
    doubled = [
        run for run in ordered if run.kind in ("actual", "amortized") and (run.scope, run.month) in focus
    ]
    return [run for run in ordered if run not in doubled], doubled


def _find_missing(parsed: Any) -> list[str]:
    """Return the fields that a bill needs and a manifest does not state. Raises TypeError for what is no object."""
    if not isinstance(parsed, dict):
        raise TypeError("it is no JSON object")
    missing = []
    for path in _NEEDED:
        part, _, name = path.partition(".")
        if not isinstance(parsed.get(part), dict) or parsed[part].get(name) in (None, ""):
            missing.append(path)
    blobs = parsed.get("blobs")
    if not isinstance(blobs, list):
        missing.append("blobs")
    elif not all(isinstance(blob, dict) and blob.get("blobName") for blob in blobs):
        missing.append("blobs[].blobName")
    return missing


def _describe(error: Exception) -> str:
    """Return what is wrong in words: our own where we have any, never a value of the file."""
    if isinstance(error, orjson.JSONDecodeError):
        return f"it is no JSON (line {error.lineno})"
    words = str(error)
    return words if words.startswith("it ") else "runInfo.submittedTime or runInfo.startDate is no time"


def _read_blob(blob: Mapping[str, Any]) -> RunBlob:
    name = blob["blobName"]
    if not isinstance(name, str):
        raise TypeError("it has a blobName that is no text")
    return RunBlob(name.lstrip("/"), _read_count(blob, "byteCount"), _read_count(blob, "dataRowCount"))


def _read_count(stated: Mapping[str, Any], name: str) -> int | None:
    """Return a number that a manifest states, also as text; None where it states none. Raises TypeError."""
    value = stated.get(name)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise TypeError(f"it has a {name} that is no whole number")
    return value
