"""What the platform team hands over beside bills and spans: flows, telemetry, workloads, zones, budgets.

What belongs here: plain CSV files that an inventory, a flow log summary or finance would produce.
What must not: the truth about users, or any number that was not measured by a host or decided by finance.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from simulator.legacy.company import FEATURES, ZONES, Period, find_zone, midnight, next_month
from simulator.legacy.focus import instant
from simulator.legacy.volumes import DOMAIN, MOVED_REF, Emission, Flow

BYTES_PER_RECORD = 420
FLOW_COLUMNS = tuple(
    """
    window_start window_end provider account_id traffic_kind from_zone to_zone from_workload_ref
    to_workload_ref bytes round_trips_count
    """.split()
)
TELEMETRY_COLUMNS = tuple(
    """
    window_start window_end provider account_id signal workload_ref volume_bytes volume_count
    """.split()
)
WORKLOAD_COLUMNS = tuple(
    """
    workload_ref ref_kind service feature endpoint team environment zone valid_from valid_to
    """.split()
)
ZONE_COLUMNS = ("provider", "account_id", "zone_name", "zone_id", "region_id")
BUDGET_COLUMNS = tuple(
    """
    budget_id parent_id owner feature team environment cost_driver period_start period_end amount
    currency measure
    """.split()
)
MONTHLY_BUDGETS = (
    ("company", "", "head-of-engineering@quillworks.example", "", "", "", "5600"),
    ("support-chat", "company", "care-lead@quillworks.example", "support_chat", "", "", "1500"),
    ("doc-search", "company", "knowledge-lead@quillworks.example", "doc_search", "", "", "2600"),
    ("code-review", "company", "devtools-lead@quillworks.example", "code_review", "", "", "1250"),
    ("inference", "company", "head-of-engineering@quillworks.example", "", "", "inference", "1400"),
    ("monitoring", "company", "platform-lead@quillworks.example", "", "", "monitoring", "900"),
    ("customer-care", "company", "care-lead@quillworks.example", "", "customer-care", "", "1600"),
)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _window(day: date) -> tuple[str, str]:
    return instant(midnight(day)), instant(midnight(day + timedelta(days=1)))


def write_flows(root: Path, flows: list[Flow]) -> None:
    """One file a day; AWS zones stand as zone ids, the way VPC flow logs name them."""
    by_day: defaultdict[date, list[Sequence[object]]] = defaultdict(list)
    for flow in flows:
        route = flow.route
        zones = [
            name if name == "internet" else find_zone(route.account, name).zone_id
            for name in (route.from_zone, route.to_zone)
        ]
        trips = flow.bytes // 64_000 if route.traffic_kind == "inter_az" else ""
        row = (*_window(flow.day), route.provider, route.account.account_id, route.traffic_kind, *zones)
        by_day[flow.day].append((*row, route.from_ref, route.to_ref, flow.bytes, trips))
    for day, rows in by_day.items():
        _write_csv(root / f"{day}.csv", FLOW_COLUMNS, rows)


def write_telemetry(root: Path, emissions: list[Emission]) -> None:
    """One file a day: bytes and records that each log group took in."""
    by_day: defaultdict[date, list[Sequence[object]]] = defaultdict(list)
    for emission in emissions:
        emitter = emission.emitter
        row = (*_window(emission.day), emitter.provider, emitter.account.account_id, emitter.signal)
        by_day[emission.day].append(
            (*row, emitter.workload_ref, emission.bytes, emission.bytes // BYTES_PER_RECORD)
        )
    for day, rows in by_day.items():
        _write_csv(root / f"{day}.csv", TELEMETRY_COLUMNS, rows)


def _workload_rows(period: Period) -> list[Sequence[str]]:
    """Every reference that flows and telemetry use, but one that nobody registered."""
    rows: list[Sequence[str]] = [
        ("public-api", "service", "public-api", "", "", "platform", "production", "", "", ""),
        ("/ecs/public-api", "log_group", "public-api", "", "", "platform", "production", "", "", ""),
        (
            "/aws/eks/quillworks/cluster",
            "log_group",
            "kubernetes",
            "",
            "",
            "platform",
            "production",
            "",
            "",
            "",
        ),
    ]
    for feature in FEATURES:
        owner = (feature.name, feature.endpoint, feature.team, "production", "", "", "")
        rows.append((feature.agents_service, "service", feature.agents_service, *owner))
        rows.append((f"/ecs/{feature.agents_service}", "log_group", feature.agents_service, *owner))
    support, search, review = ((feature.name, feature.endpoint, feature.team) for feature in FEATURES)
    moved_at = instant(midnight(period.start + timedelta(days=len(period.days) // 2)))
    staging = "review-agents-staging"
    return [
        *rows,
        (DOMAIN, "index", DOMAIN, *search, "production", "us-east-1a", "", ""),
        (f"/aws/opensearch/{DOMAIN}", "log_group", DOMAIN, *search, "production", "", "", ""),
        ("conversations-db", "resource", "conversations-db", *support, "production", "us-east-1a", "", ""),
        ("review-sandbox", "pod", "review-sandbox", *review, "production", "us-east-1c", "", ""),
        (MOVED_REF, "eni", "history-loader", *support, "production", "us-east-1b", "", moved_at),
        (MOVED_REF, "eni", "history-loader", *search, "production", "us-east-1b", moved_at, ""),
        (staging, "service", staging, *review, "staging", "", "", ""),
        ("review-sandbox-staging", "pod", "review-sandbox-staging", *review, "staging", "", "", ""),
        (f"/ecs/{staging}", "log_group", staging, *review, "staging", "", "", ""),
        ("triage", "service", "triage", *support, "production", "", "", ""),
        ("triage-cache", "service", "triage-cache", *support, "production", "westeurope-2", "", ""),
        ("triage-app-logs", "log_group", "triage", *support, "production", "", "", ""),
        ("triage-app-traces", "service", "triage", *support, "production", "", "", ""),
    ]


def _budget_rows(period: Period) -> list[Sequence[str]]:
    """Budgets of every month that the run sees from its first day, and of the month after it."""
    rows = []
    months = [month for month in period.months if month >= period.start] or period.months
    for month in [*months, next_month(months[-1])]:
        suffix = f"{month:%Y-%m}"
        for name, parent, owner, feature, team, driver, amount in MONTHLY_BUDGETS:
            ids = (f"{name}-{suffix}", f"{parent}-{suffix}" if parent else "")
            dates = (str(month), str(next_month(month)))
            rows.append((*ids, owner, feature, team, "", driver, *dates, amount, "USD", "effective_cost"))
    return rows


def write_side_files(root: Path, period: Period, flows: list[Flow], emissions: list[Emission]) -> None:
    """Write everything that is neither a bill nor a span."""
    write_flows(root / "flows", flows)
    write_telemetry(root / "telemetry", emissions)
    _write_csv(root / "workloads.csv", WORKLOAD_COLUMNS, _workload_rows(period))
    zones = [(zone.provider, zone.account.account_id, zone.name, zone.zone_id, zone.region) for zone in ZONES]
    _write_csv(root / "zones.csv", ZONE_COLUMNS, zones)
    _write_csv(root / "budgets.csv", BUDGET_COLUMNS, _budget_rows(period))
