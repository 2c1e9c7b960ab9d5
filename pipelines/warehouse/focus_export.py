"""A release's bill as FOCUS files: one file a billing period, and a manifest that says what they sum to.

What belongs here: choosing periods, writing their files, proving their totals, and putting them in place at
once. What must not: what a column holds (models_sql/exports/), or what a command line looks like (`cli`).

The folder holds one export, whole: it takes the place of the one before it in one step, and never of anything
else. Nothing is put in place that does not sum to the bill. Periods that begin on one UTC day share a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipelines.warehouse.errors import ArgumentError, PublishError
from pipelines.warehouse.focus_files import FILE_FORMATS, write_focus_file
from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    import duckdb

VERSIONS = ("1.2", "1.3", "1.4")
"""FOCUS versions that can be written; each is a view `exports.focus_<version>`."""

MANIFEST = "manifest.json"
_KIND = "everycent focus export"
_BATCH_ROWS = 50_000

Totals = Mapping[str, tuple[Decimal, Decimal]]
"""Currency → sums of billed and of effective cost."""


@dataclass(frozen=True)
class ExportedFile:
    """One file: the UTC day on which its billing periods begin, its rows, and what they sum to."""

    name: str
    period_start: date
    rows: int
    totals: Totals


def export_focus(
    release: Release,
    out: Path,
    version: str,
    file_format: str = "parquet",
    since: date | None = None,
    until: date | None = None,
    announce: Callable[[date, int], None] | None = None,
) -> tuple[ExportedFile, ...]:
    """Write the bill of a release to the folder `out`: billing periods that have a day from `since` until `until`.

    `announce(period start, number of periods)` is called before each file. Raises ArgumentError when `out` holds
    anything but an earlier export, PublishError when the release cannot be read, and when the files would not sum to
    the bill.
    """
    if version not in VERSIONS or file_format not in FILE_FORMATS:
        raise ArgumentError(
            f"FOCUS {version} as {file_format} cannot be written. Versions: {', '.join(VERSIONS)}; "
            f"formats: {', '.join(FILE_FORMATS)}."
        )
    if since and until and until < since:
        raise ArgumentError(f"--until {until} is before --since {since}. Give the days the other way round.")
    out = out.expanduser().absolute()
    with _replacing_folder(out) as folder, ReleaseStore(release.home).reading(release) as connection:
        _check_views(connection, release, version)
        billed = _read_billed(connection, since, until)
        files = []
        for period, batches in _read_periods(connection, version, sorted(billed)):
            if announce:
                announce(period, len(billed))
            files.append(_write_period(folder, version, file_format, period, batches, billed[period]))
        _check_complete(files, billed)
        _write_manifest(folder, release, version, file_format, files)
    return tuple(files)


def _check_views(connection: duckdb.DuckDBPyConnection, release: Release, version: str) -> None:
    found = connection.execute(
        "select 1 from duckdb_views() where schema_name = 'exports' and view_name = ?", [_view(version)]
    ).fetchone()
    if found is None:
        raise PublishError(
            f"The release {release.name} was made before FOCUS {version} could be written. Publish a new one with: "
            "everycent nightly --config FILE"
        )


def _view(version: str) -> str:
    return f"focus_{version.replace('.', '_')}"


def _read_billed(
    connection: duckdb.DuckDBPyConnection, since: date | None, until: date | None
) -> dict[date, Totals]:
    """What the bill lines of each chosen period sum to, read apart from the export."""
    rows = connection.execute(
        """
        select cast(billing_period_start as date), billing_currency,
            coalesce(sum(billed_cost), 0), coalesce(sum(effective_cost), 0)
        from staging.charges
        where cast(billing_period_end as date) > coalesce(?, date '0001-01-01')
            and cast(billing_period_start as date) <= coalesce(?, date '9999-12-31')
        group by 1, 2
        order by 1, 2
        """,
        [since, until],
    ).fetchall()
    found: dict[date, dict[str, tuple[Decimal, Decimal]]] = defaultdict(dict)
    for period, currency, billed, effective in rows:
        found[period][currency] = (billed, effective)
    return dict(found)


def _read_periods(
    connection: duckdb.DuckDBPyConnection, version: str, periods: Sequence[date]
) -> Iterator[tuple[date, Iterator[pa.RecordBatch]]]:
    """Each period and its rows in one order, from one pass over the release."""
    if not periods:
        return
    marks = ", ".join("?" for _ in periods)
    reader = connection.execute(
        f"""
        select * from exports.{_view(version)}
        where cast("BillingPeriodStart" as date) in ({marks})
        order by cast("BillingPeriodStart" as date), "x_ChargeId", "x_ChargeDate", "x_CellId", "x_RowId"
        """,  # noqa: S608 (our own view's name, and marks)
        list(periods),
    ).to_arrow_reader(_BATCH_ROWS)
    splitter = _PeriodSplitter(reader)
    while (period := splitter.next_period()) is not None:
        yield period, splitter.batches(period)


class _PeriodSplitter:
    """Cuts batches that are ordered by period where a period ends."""

    def __init__(self, reader: Iterator[pa.RecordBatch]) -> None:
        self._reader = reader
        self._waiting: pa.RecordBatch | None = None

    def next_period(self) -> date | None:
        """The period of the next row; None at the end."""
        while self._waiting is None or not self._waiting.num_rows:
            try:
                self._waiting = next(self._reader)
            except StopIteration:
                return None
        return self._periods(self._waiting)[0]

    def batches(self, period: date) -> Iterator[pa.RecordBatch]:
        """The rows of a period; leaves the first row of the next one waiting."""
        while self.next_period() == period and self._waiting is not None:
            batch, days = self._waiting, self._periods(self._waiting)
            count = next((n for n, day in enumerate(days) if day != period), len(days))
            self._waiting = batch.slice(count)
            yield batch.slice(0, count)

    @staticmethod
    def _periods(batch: pa.RecordBatch) -> list[date]:
        return [moment.date() for moment in batch.column("BillingPeriodStart").to_pylist()]


def _write_period(
    folder: Path,
    version: str,
    file_format: str,
    period: date,
    batches: Iterator[pa.RecordBatch],
    billed: Totals,
) -> ExportedFile:
    """Write one file; raises PublishError when its rows do not sum to the period's bill, per currency."""
    totals: dict[str, tuple[Decimal, Decimal]] = {}
    rows = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in batches:
            rows += batch.num_rows
            _add_totals(totals, batch)
            yield batch

    name = f"focus-{version}-{period.isoformat()}.{file_format}"
    write_focus_file(folder / name, counted(), file_format)
    if totals != dict(billed):
        raise PublishError(
            f"FOCUS {version} of the period that begins on {period} sums to {_say(totals)}, the bill to "
            f"{_say(billed)}. Nothing was written. Please report it with the output of: everycent sources"
        )
    return ExportedFile(name, period, rows, totals)


def _add_totals(totals: dict[str, tuple[Decimal, Decimal]], batch: pa.RecordBatch) -> None:
    columns = ["BillingCurrency", "BilledCost", "EffectiveCost"]
    sums = pa.table(batch.select(columns)).group_by("BillingCurrency")
    for row in sums.aggregate([("BilledCost", "sum"), ("EffectiveCost", "sum")]).to_pylist():
        billed, effective = totals.get(row["BillingCurrency"], (Decimal(0), Decimal(0)))
        totals[row["BillingCurrency"]] = (
            billed + (row["BilledCost_sum"] or 0),
            effective + (row["EffectiveCost_sum"] or 0),
        )


def _say(totals: Totals) -> str:
    return (
        ", ".join(f"{billed:f} {currency}" for currency, (billed, _) in sorted(totals.items())) or "nothing"
    )


def _check_complete(files: Sequence[ExportedFile], billed: Mapping[date, Totals]) -> None:
    missing = sorted(set(billed) - {file.period_start for file in files})
    if missing:
        raise PublishError(
            f"The bill of the period that begins on {missing[0]} has lines that no row of the export holds. "
            "Nothing was written. Please report it with the output of: everycent sources"
        )


def _write_manifest(
    folder: Path, release: Release, version: str, file_format: str, files: Sequence[ExportedFile]
) -> None:
    content: dict[str, Any] = {
        "kind": _KIND,
        "focus_version": version,
        "format": file_format,
        "release": release.name,
        "files": [
            {
                "name": file.name,
                "billing_period_start": file.period_start.isoformat(),
                "rows": file.rows,
                "bytes": (folder / file.name).stat().st_size,
                "sha256": _digest(folder / file.name),
                "totals": [
                    {"currency": currency, "billed_cost": f"{billed:f}", "effective_cost": f"{effective:f}"}
                    for currency, (billed, effective) in sorted(file.totals.items())
                ],
            }
            for file in files
        ],
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _replacing_folder(out: Path) -> Iterator[Path]:
    """Give a new folder that takes the place of `out` when the block ends well; else it is gone."""
    if out.exists() and not _is_export(out):
        raise ArgumentError(
            f"{out} holds something else than an export of ours. Give --out a folder of its own."
        )
    partial, former = (out.with_name(f".{out.name}.{word}-{os.getpid()}") for word in ("partial", "former"))
    try:
        partial.mkdir(parents=True)
        yield partial
        if out.exists():
            out.rename(former)
        partial.rename(out)
    except OSError as error:
        if former.exists() and not out.exists():
            former.rename(out)
        raise PublishError(f"The export could not be written to {out}: {error}") from error
    finally:
        for folder in (partial, former):
            shutil.rmtree(folder, ignore_errors=True)


def _is_export(out: Path) -> bool:
    """True for an empty folder, and for one that holds only what an earlier export put there."""
    if not out.is_dir():
        return False
    names = {path.name for path in out.iterdir()}
    try:
        manifest = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        return manifest["kind"] == _KIND and names <= {
            MANIFEST,
            *(file["name"] for file in manifest["files"]),
        }
    except (OSError, ValueError, KeyError, TypeError):
        return not names
