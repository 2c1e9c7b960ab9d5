"""What the platform team and finance keep lists of: workloads, zones, budgets.

What belongs here: what such a list would hold. What must not: the truth about users, measurements.

Workloads that flow logs know by address are listed by address too, and interfaces by their own id.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from simulator import company
from simulator.logs.line_files import write_csv
from simulator.world import World

_OWNER_COLUMNS = ("service", "feature", "endpoint", "team", "environment")
_BUDGETS = (
    ("company", "", "head-of-engineering@quillworks.example", "", "", "", "9800"),
    ("support-chat", "company", "care-lead@quillworks.example", "support_chat", "", "", "1500"),
    ("doc-search", "company", "knowledge-lead@quillworks.example", "doc_search", "", "", "2900"),
    ("code-review", "company", "devtools-lead@quillworks.example", "code_review", "", "", "1450"),
    (
        "meeting-summaries",
        "company",
        "collaboration-lead@quillworks.example",
        "meeting_summaries",
        "",
        "",
        "2600",
    ),
    ("inference", "company", "head-of-engineering@quillworks.example", "", "", "inference", "4200"),
    ("monitoring", "company", "platform-lead@quillworks.example", "", "", "monitoring", "900"),
    ("customer-care", "company", "care-lead@quillworks.example", "", "customer-care", "", "2100"),
)
"""Name, parent, owner, feature, team, cost driver, USD a month."""


def write_inventories(root: Path, world: World) -> None:
    """Write `workloads.csv`, `zones.csv` and `budgets.csv` below `root`."""
    write_csv(root / "workloads.csv", _build_workloads(world))
    write_csv(root / "zones.csv", _build_zones())
    write_csv(root / "budgets.csv", _build_budgets(world))


def find_endpoints(world: World) -> pl.DataFrame:
    """One row an end of AWS's traffic: `account_id, workload_ref, zone_id, address, interface`."""
    flows = world.transfers.filter(pl.col("cloud") == "aws")
    sides = [
        flows.select(
            "account_id",
            pl.col(f"{side}_workload_ref").alias("workload_ref"),
            pl.col(f"{side}_zone_id").alias("zone_id"),
        )
        for side in ("from", "to")
    ]
    ends = (
        pl.concat(sides)
        .filter(pl.col("workload_ref") != "")
        .unique()
        .sort("account_id", "workload_ref", "zone_id")
    )
    accounts = [account.account_id for account in company.ACCOUNTS.values()]
    addresses = [
        f"10.{accounts.index(account)}.{number // 200}.{number % 200 + 10}"
        for number, account in enumerate(ends["account_id"].to_list())
    ]
    interfaces = [
        ref if ref.startswith("eni-") else f"eni-0{hashlib.sha256(f'{ref}{zone}'.encode()).hexdigest()[:16]}"
        for ref, zone in ends.select("workload_ref", "zone_id").iter_rows()
    ]
    return ends.with_columns(
        pl.Series("address", addresses, dtype=pl.String), pl.Series("interface", interfaces, dtype=pl.String)
    )


def _build_workloads(world: World) -> pl.DataFrame:
    listed = world.workloads.filter("is_listed")
    columns = ("workload_ref", "ref_kind", *_OWNER_COLUMNS, "zone", "valid_from", "valid_to")
    by_name = listed.select(columns)
    owners = listed.filter(pl.col("ref_kind") != "eni").unique(
        "workload_ref", keep="first", maintain_order=True
    )
    by_address = (
        find_endpoints(world)
        .join(
            owners.select("workload_ref", *_OWNER_COLUMNS),
            on="workload_ref",
            how="inner",
            maintain_order="left",
        )
        .select(
            pl.col("address").alias("workload_ref"),
            pl.lit("address").alias("ref_kind"),
            *_OWNER_COLUMNS,
            pl.col("zone_id").alias("zone"),
            pl.lit(None, pl.Datetime("us")).alias("valid_from"),
            pl.lit(None, pl.Datetime("us")).alias("valid_to"),
        )
    )
    return pl.concat([by_name, by_address])


def _build_zones() -> pl.DataFrame:
    rows = [
        (
            company.ACCOUNTS[zone.account].cloud,
            company.ACCOUNTS[zone.account].account_id,
            zone.name,
            zone.zone_id,
        )
        + (zone.region,)
        for zone in company.ZONES
    ]
    names = ("provider", "account_id", "zone_name", "zone_id", "region_id")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _build_budgets(world: World) -> pl.DataFrame:
    """Budgets of every month that the run sees from its first day, and of the month after it."""
    months = [month for month in world.period.months if month >= world.period.start] or world.period.months
    rows = []
    for month in [*months, company.next_month(months[-1])]:
        suffix = f"{month:%Y-%m}"
        for name, parent, owner, feature, team, driver, amount in _BUDGETS:
            ids = (f"{name}-{suffix}", f"{parent}-{suffix}" if parent else None)
            dates = (str(month), str(company.next_month(month)))
            limits = (owner, feature or None, team or None, None, driver or None)
            rows.append((*ids, *limits, *dates, amount, "USD", "effective_cost"))
    names = (
        "budget_id parent_id owner feature team environment cost_driver period_start period_end amount currency "
        "measure"
    ).split()
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
