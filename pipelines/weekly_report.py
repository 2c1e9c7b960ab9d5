"""Writes the weekly report of a release as the config wants it.

What belongs here: wiring the config and the release's own facts to `reports.weekly`. What must not: figures,
or layout.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.common.datasets import BILL_DATASETS
from connectors.common.identity import Identity
from pipelines.config.problems import ConfigError, Problem
from pipelines.people import find_identity, is_hash
from pipelines.warehouse.release import Release

if TYPE_CHECKING:
    from pipelines.config.model import Config, ReportSettings

SNAPSHOTS_SUFFIX = ".snapshots.json"
"""What follows a report's name in the name of the list of its snapshots."""


def write_weekly_report(
    release: Release,
    week: str | None,
    out: Path | None,
    settings: ReportSettings,
    identity: Identity | None = None,
) -> Path:
    """Write the report of an ISO week (None: the newest settled one) and return its path.

    `out` is a folder, by default `<home>/reports/weekly`. What was known when, and by which code, is what the
    release's manifest says. With an `identity` the label file may name users by their own ids. Raises ConfigError
    for an unreadable label file, WeeklyReportError for a release that the report cannot be made from.
    """
    from reports.weekly.render import build_weekly_report

    manifest = release.manifest()
    path = build_weekly_report(
        release.catalogue,
        week,
        out or release.home / "reports" / "weekly",
        title=settings.title,
        as_of=_moment(manifest["parameters"]["as_of"]),
        code_version=str(manifest["code_version"]),
        labels=read_labels(settings.label_file, identity),
        today=date.fromisoformat(manifest["parameters"]["today"]),
    )
    if path.resolve().is_relative_to(release.home.resolve() / "reports"):
        _write_snapshots(path, manifest)
    return path


def _write_snapshots(report: Path, manifest: Mapping[str, Any]) -> None:
    """List beside a report which of the lake's files it was made from: these stay as long as the report does."""
    files = sorted(
        file["path"]
        for name, relation in manifest["relations"].items()
        if name.removeprefix("lake.") in BILL_DATASETS
        for partition in relation["partitions"].values()
        for file in partition["files"]
    )
    content = {"as_of": manifest["parameters"]["as_of"], "run_id": manifest["run_id"], "files": files}
    listing = report.with_name(report.stem + SNAPSHOTS_SUFFIX)
    unfinished = listing.with_name(f"_tmp-{listing.name}")
    unfinished.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, listing)


def read_labels(file: Path | None, identity: Identity | None = None) -> dict[str, str]:
    """Return user id → label from a CSV with the columns `user_id,label`; nothing without a file.

    With an `identity` an id that is no hash stands for its hash too; what the file says of a hash itself wins.
    Raises ConfigError.
    """
    if file is None:
        return {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            labels = {row["user_id"]: row["label"] for row in csv.DictReader(stream)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        what = f"the label file cannot be read: {type(error).__name__}: {error}"
        remedy = "It must be a CSV in UTF-8 with the columns user_id and label."
        raise ConfigError(file, [Problem(("report", "label_file"), what, remedy)]) from None
    if identity is None:
        return labels
    hashed = {identity.pseudonymise(user): label for user, label in labels.items() if not is_hash(user)}
    return {**{user: label for user, label in hashed.items() if user is not None}, **labels}


def describe_unused_labels(config: Config) -> str | None:
    """Say that labels of raw ids are without effect, as the key that hashes them is not set; None if all is well."""
    if find_identity(config) is not None:
        return None
    count = sum(1 for user in read_labels(config.report.label_file) if not is_hash(user))
    if not count:
        return None
    return (
        f"Warning: {count:,} of the labels in {config.report.label_file} name users by their own ids, and the key that "
        f"hashes them is not set; set {config.identity.key_env} as for a nightly run."
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
