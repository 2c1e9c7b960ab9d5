"""Writes the weekly report of a release as the config wants it.

What belongs here: wiring the config and the release's own facts to `reports.weekly`. What must not: figures,
or layout.
"""

from __future__ import annotations

import csv
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.config.problems import ConfigError, Problem
from pipelines.warehouse.release import Release

if TYPE_CHECKING:
    from pipelines.config.model import ReportSettings


def write_weekly_report(
    release: Release, week: str | None, out: Path | None, settings: ReportSettings
) -> Path:
    """Write the report of an ISO week (None: the newest settled one) and return its path.

    `out` is a folder, by default `<home>/reports/weekly`. What was known when, and by which code, is what the
    release's manifest says. Raises ConfigError for an unreadable label file, WeeklyReportError for a release
    that the report cannot be made from.
    """
    from reports.weekly.render import build_weekly_report

    manifest = release.manifest()
    return build_weekly_report(
        release.catalogue,
        week,
        out or release.home / "reports" / "weekly",
        title=settings.title,
        as_of=_moment(manifest["parameters"]["as_of"]),
        code_version=str(manifest["code_version"]),
        labels=read_labels(settings.label_file),
        today=date.fromisoformat(manifest["parameters"]["today"]),
    )


def read_labels(file: Path | None) -> dict[str, str]:
    """Return user id → label from a CSV with the columns `user_id,label`; nothing without a file."""
    if file is None:
        return {}
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return {row["user_id"]: row["label"] for row in csv.DictReader(stream)}
    except (OSError, KeyError, UnicodeDecodeError, csv.Error) as error:
        what = f"the label file cannot be read: {type(error).__name__}: {error}"
        remedy = "It must be a CSV in UTF-8 with the columns user_id and label."
        raise ConfigError(file, [Problem(("report", "label_file"), what, remedy)]) from None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
