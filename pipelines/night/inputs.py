"""Input relations of a build: the lake's current files, and what the sources said about themselves.

What belongs here: turning source reports into relations. What must not: landing, running models.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.contract import Delivery, Finding, Severity, SourceReport, TypedFile
from connectors.common.datasets import BILL_DATASETS, DATASETS, Dataset
from connectors.common.lateness import Lateness, find_lateness
from pipelines.night.billing_periods import (
    find_known_at,
    find_period_end,
    find_period_statuses,
    read_period_statements,
)
from pipelines.night.reference import CALENDAR_START
from pipelines.warehouse.relations import DataFile, Relation, duckdb_columns, keep_file

_TEXT, _INSTANT, _COUNT = pa.string(), pa.timestamp("us"), pa.int64()
DELIVERY_SCHEMA = pa.schema(
    [
        ("source", _TEXT),
        ("dataset", _TEXT),
        ("scope", _TEXT),
        ("period", _TEXT),
        ("snapshot_id", _TEXT),
        ("delivered_at", _INSTANT),
        ("fetched_at", _INSTANT),
        ("rows", _COUNT),
        ("is_current", pa.bool_()),
    ]
)
BILL_DELIVERY_SCHEMA = pa.schema(
    [
        ("source", _TEXT),
        ("billing_account_id", _TEXT),
        ("billing_period_start", _INSTANT),
        ("snapshot_id", _TEXT),
        ("delivered_at", _INSTANT),
        ("watermark_at", _INSTANT),
        ("period_status", _TEXT),
    ]
)
RATE_CARD_DAY_SCHEMA = pa.schema([("charge_date", pa.date32())])
RECENT_DAYS = 14
"""So long a live bill is expected to go on as it was; who delivers later than this is silent."""
FINDING_SCHEMA = pa.schema(
    [
        ("source", _TEXT),
        ("dataset", _TEXT),
        ("kind", _TEXT),
        ("severity", _TEXT),
        ("message", _TEXT),
        ("file", _TEXT),
        ("finding_date", pa.date32()),
        ("finding_count", _COUNT),
    ]
)
SOURCE_DAY_SCHEMA = pa.schema(
    [("source", _TEXT), ("dataset", _TEXT), ("date", pa.date32()), ("rows", _COUNT)]
)
STATUS_SCHEMA = pa.schema(
    [
        ("source", _TEXT),
        ("connector", _TEXT),
        ("dataset", _TEXT),
        ("state", _TEXT),
        ("last_delivered_at", _INSTANT),
        ("first_date", pa.date32()),
        ("last_date", pa.date32()),
        ("rows", _COUNT),
        ("age_hours", _COUNT),
    ]
)


def build_lake_relations(reports: Sequence[SourceReport]) -> dict[str, Relation]:
    """`lake.<dataset>` for every canonical dataset, of the files that are current; typed empty where there are none."""
    files: dict[str, list[TypedFile]] = {name: [] for name in DATASETS}
    for report in reports:
        for file in report.current_files:
            files[file.dataset].append(file)
    return {
        f"lake.{name}": build_dataset_relation(dataset, files[name]) for name, dataset in DATASETS.items()
    }


def build_dataset_relation(dataset: Dataset, files: Iterable[TypedFile]) -> Relation:
    """The relation of a dataset over these files of it."""
    unit = dataset.partition[1] if dataset.partition else None
    partitions: dict[str, list[DataFile]] = {}
    for file in files:
        if file.rows:
            partitions.setdefault(file.partition, []).append(
                DataFile(file.path, file.digest, file.rows, file.partition)
            )
    ordered = {key: tuple(sorted(partitions[key], key=lambda f: str(f.path))) for key in sorted(partitions)}
    return Relation(f"lake.{dataset.name}", duckdb_columns(dataset.schema), unit, ordered)


def build_delivery_table(reports: Sequence[SourceReport]) -> pa.Table:
    """Every delivery as a row of `lake.deliveries`."""
    rows = [
        {name: getattr(delivery, name) for name in DELIVERY_SCHEMA.names}
        for report in reports
        for delivery in report.deliveries
    ]
    rows.sort(
        key=lambda row: (row["source"], row["dataset"], row["scope"], row["delivered_at"], row["snapshot_id"])
    )
    return pa.Table.from_pylist(rows, schema=DELIVERY_SCHEMA)


def write_bill_deliveries(tables: Path, reports: Sequence[SourceReport], known_at: datetime) -> Relation:
    """`lake.bill_deliveries`, one file a billing month, so that a new delivery, or the day on which a period closes
    (`known_at` is the run's clock), touches its own month only."""
    statements = read_period_statements(reports)
    months: dict[str, list[dict[str, object]]] = {}
    for report in reports:
        lateness = find_lateness(report.connector)
        bills = [d for d in report.deliveries if d.is_current and d.dataset in BILL_DATASETS and d.period]
        newest = find_known_at(report, bills) if lateness.adds_up else None
        statuses = find_period_statuses(bills, statements, lateness, known_at, newest)
        for delivery in bills:
            status = statuses[delivery.billing_account_id, delivery.period or ""]
            known_until = _find_known_until(report, delivery, lateness, newest)
            row = _bill_delivery_row(delivery, lateness, status, known_until)
            months.setdefault(delivery.period or "", []).append(row)
    files = {}
    for month in sorted(months):
        rows = sorted(months[month], key=lambda row: tuple(str(value) for value in row.values()))
        table = pa.Table.from_pylist(rows, schema=BILL_DELIVERY_SCHEMA)
        files[month] = (_write(tables, "lake.bill_deliveries", month, table),)
    return Relation("lake.bill_deliveries", duckdb_columns(BILL_DELIVERY_SCHEMA), "month", files)


def write_rate_card_days(tables: Path, rate_cards: Relation, today: date) -> Relation:
    """`reference.rate_card_days`: the days before `today` since the first rate card begins, one file a month, so that
    own hardware is charged for days that are over, and a new day touches its own month only."""
    starts = [pq.read_table(file.path, columns=["valid_from"]) for file in rate_cards.all_files]
    first = min((moment for table in starts for moment in table["valid_from"].to_pylist()), default=None)
    months: dict[str, list[date]] = {}
    if first is not None:
        day = max(first.date(), CALENDAR_START)
        while day < today:
            months.setdefault(f"{day:%Y-%m}", []).append(day)
            day += timedelta(days=1)
    return _write_days(tables, "reference.rate_card_days", "month", months)


def write_recent_days(tables: Path, reports: Sequence[SourceReport], today: date) -> Relation:
    """`reference.recent_days`: the `RECENT_DAYS` days before `today`, on which cost that nothing measures is expected
    to go on as it was, if any bill was delivered on them; a file a day, so that a new day touches no other."""
    days = [today - timedelta(days=days_ago) for days_ago in range(RECENT_DAYS, 0, -1)]
    is_live = any(
        delivery.is_current and delivery.dataset in BILL_DATASETS and delivery.delivered_at.date() >= days[0]
        for report in reports
        for delivery in report.deliveries
    )
    parts = {day.isoformat(): [day] for day in days} if is_live else {}
    return _write_days(tables, "reference.recent_days", "day", parts)


def _write_days(tables: Path, name: str, unit: str, parts: Mapping[str, Sequence[date]]) -> Relation:
    files = {
        key: (_write(tables, name, key, pa.table({"charge_date": days}, RATE_CARD_DAY_SCHEMA)),)
        for key, days in parts.items()
    }
    return Relation(name, duckdb_columns(RATE_CARD_DAY_SCHEMA), unit, files)


def _find_known_until(
    report: SourceReport, delivery: Delivery, lateness: Lateness, newest: datetime | None
) -> datetime:
    """When a bill was known last: at its delivery, or when it was read last, also if nothing had changed.

    `newest` is that time of a source whose deliveries add up: it tells of every month, up to when the month closes,
    so that a closed month is not built again each night. Of days that are asked for one by one a delivery does not
    tell: one before it may have failed.
    """
    if newest is None:
        return delivery.delivered_at
    closed_at = find_period_end(delivery.period or "") + timedelta(days=lateness.closed_after_days + 1)
    known_until = min(newest, closed_at)
    return known_until if report.bill_readings else max(delivery.delivered_at, known_until)


def _bill_delivery_row(
    delivery: Delivery, lateness: Lateness, status: str, known_until: datetime
) -> dict[str, object]:
    """Until when a bill is complete: so long before it was known last, or to its end once it is closed."""
    start = datetime.strptime(delivery.period or "", "%Y-%m")  # noqa: DTZ007 (naive UTC)
    end = find_period_end(delivery.period or "")
    watermark = known_until - timedelta(hours=lateness.complete_after_hours)
    if status == "closed":
        watermark = max(watermark, end)
    return {
        "source": delivery.source,
        "billing_account_id": delivery.billing_account_id,
        "billing_period_start": start,
        "snapshot_id": delivery.snapshot_id,
        "delivered_at": max(delivery.delivered_at, known_until),
        "watermark_at": watermark,
        "period_status": status,
    }


def _write(tables: Path, name: str, partition: str, table: pa.Table) -> DataFile:
    folder = tables / name / partition
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / "_tmp.parquet"
    pq.write_table(table, temporary, compression="zstd")
    return keep_file(temporary, table.num_rows, partition)


def build_finding_table(findings: Iterable[Finding]) -> pa.Table:
    """Findings as rows of `lake.findings`; what many files share for information is one row with their number."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for number, finding in enumerate(findings):
        is_shared = finding.severity is Severity.INFO
        key = (finding.source, finding.dataset, finding.kind, "" if is_shared else str(number))
        groups.setdefault(key, []).append(finding)
    rows = sorted(
        (_finding_row(group) for group in groups.values()), key=lambda row: tuple(map(str, row.values()))
    )
    return pa.Table.from_pylist(rows, schema=FINDING_SCHEMA)


def _finding_row(group: Sequence[Finding]) -> dict[str, str | int | date | None]:
    """One row for findings of one kind, in the words of the newest."""
    newest = max(group, key=lambda finding: (str(finding.date or ""), finding.file or "", finding.message))
    others = f" (and {len(group) - 1} files more)" if len(group) > 1 else ""
    return {
        "source": newest.source,
        "dataset": newest.dataset,
        "kind": newest.kind,
        "severity": str(newest.severity),
        "message": newest.message + others,
        "file": newest.file,
        "finding_date": newest.date,
        "finding_count": sum(finding.count for finding in group),
    }


def build_source_day_table(reports: Sequence[SourceReport]) -> pa.Table:
    """Rows per source, dataset and UTC day, of the datasets that are kept by day: what shows a missing day."""
    counts: dict[tuple[str, str, str], int] = {}
    for report in reports:
        for file in report.current_files:
            if len(file.partition) == len("2026-11-20"):
                key = (report.name, file.dataset, file.partition)
                counts[key] = counts.get(key, 0) + file.rows
    rows = [
        {"source": source, "dataset": dataset, "date": date.fromisoformat(day), "rows": count}
        for (source, dataset, day), count in sorted(counts.items())
    ]
    return pa.Table.from_pylist(rows, schema=SOURCE_DAY_SCHEMA)


def build_status_table(reports: Sequence[SourceReport], now: datetime) -> pa.Table:
    """One row a source and dataset; a source that never delivered anything is a row too.

    Of a source with rows, datasets without any are left out unless they are bills: an inventory that could name
    accounts need not have any.
    """
    rows = []
    for report in reports:
        current = [delivery for delivery in report.deliveries if delivery.is_current]
        delivered = {d.dataset for d in current} | {f.dataset for d in current for f in d.typed_files}
        filled = {f.dataset for d in current for f in d.typed_files if f.rows}
        shown = (filled | (delivered & BILL_DATASETS)) or delivered
        for dataset in shown or [_only_dataset(report)]:
            rows.append(_status_row(report, dataset, current, now))
    return pa.Table.from_pylist(sorted(rows, key=lambda r: (r["source"], r["dataset"])), schema=STATUS_SCHEMA)


def _only_dataset(report: SourceReport) -> str:
    return next((finding.dataset for finding in report.findings), report.connector)


def _status_row(
    report: SourceReport, dataset: str, current: Sequence[Delivery], now: datetime
) -> dict[str, str | int | datetime | date | None]:
    files = [f for d in current for f in d.typed_files if f.dataset == dataset]
    days = sorted(f.partition for f in files if len(f.partition) == 10)
    last = max((d.delivered_at for d in current), default=None)
    rows = sum(file.rows for file in files)
    faults = [f for f in report.findings if f.severity is Severity.FAULT]
    return {
        "source": report.name,
        "connector": report.connector,
        "dataset": dataset,
        "state": "fault" if faults else "ok" if rows else "empty",
        "last_delivered_at": last,
        "first_date": date.fromisoformat(days[0]) if days else None,
        "last_date": date.fromisoformat(days[-1]) if days else None,
        "rows": rows,
        "age_hours": None if last is None else max(0, int((now - last).total_seconds() // 3600)),
    }


def billed_totals(reports: Sequence[SourceReport]) -> Mapping[str, Decimal]:
    """Σ billed cost per currency as the current deliveries state it, summed before any model saw a line."""
    totals: dict[str, Decimal] = {}
    for report in reports:
        for delivery in report.deliveries:
            if delivery.is_current:
                for currency, amount in delivery.billed_totals.items():
                    totals[currency] = totals.get(currency, Decimal(0)) + amount
    return totals
