"""What hosts, gateways and servers measured: bytes between zones, volumes of telemetry, busy hours, deploys.

What belongs here: which measurement comes from which source. What must not: VPC flow log records (`vpc_flows`), who
owns a workload (`inventories`).

Traffic of AWS comes from VPC flow logs, but for what passes a NAT gateway; that and the other clouds' from files.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from simulator import company
from simulator.logs.inventories import find_endpoints
from simulator.logs.line_files import write_csv
from simulator.logs.vpc_flows import OUTSIDE, write_flow_logs
from simulator.world import World

FLOW_LOG_KINDS = ("inter_az", "inter_region", "internet")
_CAPACITY_ROUTES = {"gpu_host": "summary_gpu", "ptu": "triage_ptu"}
_BUSY_BASIS = {"gpu_host": "requests", "ptu": "stated"}


def write_measurements(root: Path, world: World, *, file_period: str) -> None:
    """Write `flow_logs`, `flows`, `telemetry`, `capacity` and `events.csv` below `root`.

    `file_period` is how long one file reaches: `1d`, `1w` or `1mo`.
    """
    write_flow_logs(root / "flow_logs", build_flow_records(world), file_period=file_period)
    _write_parts(root / "flows", _build_transfers(world), "window_start", file_period)
    _write_parts(root / "telemetry", _build_telemetry(world), "window_start", file_period)
    _write_parts(root / "capacity", build_capacity(world), "hour_start", file_period)
    write_csv(root / "events.csv", _build_events(world))


def _write_parts(folder: Path, frame: pl.DataFrame, column: str, file_period: str) -> None:
    """Write one CSV a period, named by its first day."""
    named = frame.sort(column, maintain_order=True).with_columns(
        pl.col(column).dt.truncate(file_period).dt.strftime("%Y-%m-%d.csv").alias("file")
    )
    for (name,), part in named.partition_by("file", as_dict=True, maintain_order=True).items():
        write_csv(folder / str(name), part.drop("file"))


def _is_in_flow_logs() -> pl.Expr:
    return (pl.col("cloud") == "aws") & pl.col("traffic_kind").is_in(FLOW_LOG_KINDS)


def build_flow_records(world: World) -> pl.DataFrame:
    """Hourly flows of AWS with the address and interface of both ends, as `vpc_flows` reads them."""
    flows = world.transfers.filter(_is_in_flow_logs() & (pl.col("bytes") > 0)).with_columns(
        pl.col("window_start").alias("hour_start")
    )
    ends = find_endpoints(world)
    for side in ("from", "to"):
        columns = {name: f"{side}_{name}" for name in ("workload_ref", "zone_id", "address", "interface")}
        flows = flows.join(
            ends.rename({"account_id": f"{side}_account_id", **columns}),
            left_on=["account_id", f"{side}_workload_ref", f"{side}_zone_id"],
            right_on=[f"{side}_account_id", f"{side}_workload_ref", f"{side}_zone_id"],
            how="left",
            maintain_order="left",
        ).with_columns(pl.col("account_id").alias(f"{side}_account_id"))
    number = pl.col("from_workload_ref").rank("dense").cast(pl.Int64) + 10
    outside = pl.concat_str(pl.lit(OUTSIDE), number.cast(pl.String))
    return flows.with_columns(
        pl.coalesce("to_address", outside).alias("to_address"),
        pl.lit(None, pl.String).alias("from_instance"),
        pl.lit(None, pl.String).alias("to_instance"),
    ).sort("hour_start", maintain_order=True)


def _build_transfers(world: World) -> pl.DataFrame:
    suffix = "" if world.habits.zone_names > 0 else "_id"
    is_inside = pl.col("traffic_kind") == "inter_az"
    return world.transfers.filter(~_is_in_flow_logs()).select(
        "window_start",
        "window_end",
        pl.col("cloud").alias("provider"),
        "account_id",
        "traffic_kind",
        pl.col(f"from_zone{suffix}").alias("from_zone"),
        pl.col(f"to_zone{suffix}").alias("to_zone"),
        "from_workload_ref",
        "to_workload_ref",
        "bytes",
        pl.when(is_inside).then("round_trips").alias("round_trips_count"),
    )


def _build_telemetry(world: World) -> pl.DataFrame:
    start = pl.col("day").cast(pl.Datetime("us"))
    return world.telemetry.select(
        start.alias("window_start"),
        (start + timedelta(days=1)).alias("window_end"),
        pl.col("cloud").alias("provider"),
        "account_id",
        "signal",
        "workload_ref",
        "volume_bytes",
        "volume_count",
    )


def build_capacity(world: World) -> pl.DataFrame:
    """Hours of hosts and provisioned throughput as servers measured them: whole seconds, half up."""
    routes = {kind: company.ROUTES[route] for kind, route in _CAPACITY_ROUTES.items()}
    kind = pl.col("kind")
    zone = pl.col("zone")
    if world.habits.zone_names == 0:
        ids = {host.zone: company.find_zone(host.account, host.zone).zone_id for host in company.GPU_HOSTS}
        zone = zone.replace(ids)
    return world.capacity_hours.select(
        pl.col("hour").alias("hour_start"),
        "resource_id",
        kind.alias("capacity_kind"),
        _seconds("provisioned_us").alias("provisioned_seconds"),
        pl.when(kind == "ptu").then("units").otherwise(1).alias("provisioned_units"),
        _seconds("busy_us").alias("busy_seconds"),
        kind.replace_strict(_BUSY_BASIS).alias("busy_basis"),
        "replica_id",
        kind.replace_strict({name: route.provider for name, route in routes.items()}).alias("provider"),
        "account_id",
        kind.replace_strict({name: route.response_model for name, route in routes.items()}).alias("model"),
        zone.alias("zone"),
        "requests",
        (pl.col("uncached_input_tokens") + pl.col("cache_read_tokens")).alias("input_tokens"),
        "cache_read_tokens",
        "output_tokens",
    )


def _seconds(column: str) -> pl.Expr:
    return (pl.col(column) + 500_000) // 1_000_000


def _build_events(world: World) -> pl.DataFrame:
    def stated(column: str) -> pl.Expr:
        return pl.when(pl.col(column) != "").then(pl.col(column))

    return world.events.select(
        "event_at",
        "event_kind",
        "service",
        stated("feature"),
        stated("replica_id"),
        stated("version").alias("detail"),
    )
