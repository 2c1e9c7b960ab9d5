"""What is metered beside tokens: bytes between zones, logs, hours of capacity, and everything else on a bill.

What belongs here: `transfers`, `telemetry`, `capacity_hours`, `other_usage` and the inventory `workloads`.
What must not: what a vendor's line or record looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from simulator import company
from simulator.behaviour import HOUR, HOUR_WEIGHTS
from simulator.company import ACCOUNTS, Period, find_zone, midnight
from simulator.habits import Habits

MEGABYTE = 1_000_000
WEEKEND_SHARE = 0.45
DOMAIN = "quillworks-docs"
UNKNOWN_REF = "eni-0c41d7a9b3e8f5162"
MOVED_REF = "eni-07b2e6f01d94ac38e"
WIRE_OVERHEAD = {"aws": 210, "azure": 170, "gcp": 190}  # 1e-4 that hosts do not count and carriers bill


@dataclass(frozen=True)
class Link:
    """Traffic that flows every hour; `per_call_kilobytes` are added for each call of `feature`."""

    account: str
    traffic_kind: str  # inter_az | inter_region | internet | nat
    from_zone: str
    to_zone: str
    from_ref: str
    to_ref: str
    base_megabytes: int  # a weekday
    feature: str = ""
    per_call_kilobytes: int = 0


def _link(account: str, kind: str, source: str, target: str, refs: str, base: int, *extra: Any) -> Link:
    """A link; `refs` is `from>to`, `extra` a feature and the kilobytes that each of its calls adds."""
    from_ref, _, to_ref = refs.partition(">")
    return Link(account, kind, source, target, from_ref, to_ref, base, *extra)


_aws = partial(_link, "aws_production")
LINKS = (
    _aws("inter_az", "eu-west-1a", "eu-west-1b", f"search-agents>{DOMAIN}", 38_000, "doc_search", 260_000),
    _aws("inter_az", "eu-west-1b", "eu-west-1a", f"{DOMAIN}>search-agents", 96_000, "doc_search", 1_200_000),
    _aws(
        "inter_region", "us-east-1a", "eu-west-1a", "public-api>search-agents", 21_000, "doc_search", 35_000
    ),
    _aws("inter_az", "us-east-1b", "us-east-1c", "public-api>support-agents", 34_000, "support_chat", 24_000),
    _aws(
        "inter_az",
        "us-east-1c",
        "us-east-1a",
        "support-agents>conversations-db",
        47_000,
        "support_chat",
        55_000,
    ),
    _aws(
        "inter_az", "us-east-1a", "us-east-1c", "review-agents>review-sandbox", 52_000, "code_review", 190_000
    ),
    _aws(
        "inter_az", "us-east-1c", "us-east-1a", "review-sandbox>review-agents", 24_000, "code_review", 80_000
    ),
    _aws(
        "inter_az",
        "us-east-1b",
        "us-east-1c",
        "summary-workers>recordings-cache",
        12_000,
        "meeting_summaries",
        90_000,
    ),
    _aws("inter_az", "us-east-1b", "us-east-1a", f"{MOVED_REF}>conversations-db", 18_000),
    _aws("inter_az", "us-east-1c", "us-east-1b", f"{UNKNOWN_REF}>{DOMAIN}-replica", 33_000),
    _aws("internet", "us-east-1a", "internet", "public-api>", 64_000, "support_chat", 16_000),
    _aws("internet", "us-east-1b", "internet", "public-api>", 41_000, "doc_search", 70_000),
    _aws("nat", "us-east-1c", "internet", "review-sandbox>", 58_000, "code_review", 70_000),
    _aws("nat", "us-east-1a", "internet", "support-agents>", 26_000, "support_chat", 11_000),
    _link(
        "aws_staging",
        "inter_az",
        "us-east-1a",
        "us-east-1b",
        "review-agents-staging>review-sandbox-staging",
        9_000,
    ),
    _link(
        "azure_production",
        "inter_az",
        "westeurope-1",
        "westeurope-2",
        "triage>triage-cache",
        19_000,
        "ticket_triage",
        30_000,
    ),
    _link(
        "azure_production", "internet", "westeurope-1", "internet", "triage>", 22_000, "ticket_triage", 12_000
    ),
    _link(
        "gcp_production",
        "inter_az",
        "us-central1-a",
        "us-central1-b",
        "enrichment-jobs>catalog-db",
        14_000,
        "catalog_enrichment",
        40_000,
    ),
    _link(
        "gcp_production",
        "internet",
        "us-central1-a",
        "internet",
        "enrichment-jobs>",
        17_000,
        "catalog_enrichment",
        20_000,
    ),
)


@dataclass(frozen=True)
class Emitter:
    """A log group, table or metric namespace that is written every day."""

    account: str
    signal: str  # log | metric | trace
    workload_ref: str
    service: str
    base_megabytes: int
    feature: str = ""
    per_call_kilobytes: int = 0
    region: str = "us-east-1"


EMITTERS = (
    Emitter("aws_production", "log", "/ecs/public-api", "public-api", 7_400),
    Emitter("aws_production", "log", "/ecs/support-agents", "support-agents", 3_200, "support_chat", 2_200),
    Emitter(
        "aws_production",
        "log",
        "/ecs/search-agents",
        "search-agents",
        2_800,
        "doc_search",
        4_000,
        "eu-west-1",
    ),
    Emitter("aws_production", "log", "/ecs/review-agents", "review-agents", 3_900, "code_review", 3_800),
    Emitter(
        "aws_production", "log", "/ecs/summary-workers", "summary-workers", 900, "meeting_summaries", 2_500
    ),
    Emitter("aws_production", "log", "/aws/eks/quillworks/cluster", "kubernetes", 4_600),
    Emitter(
        "aws_production", "log", f"/aws/opensearch/{DOMAIN}", DOMAIN, 2_100, "doc_search", 600, "eu-west-1"
    ),
    Emitter(
        "aws_production",
        "log",
        "/aws/sagemaker/drift-detection",
        "drift-detection",
        2_600,
        "support_chat",
        700,
    ),
    Emitter("aws_staging", "log", "/ecs/review-agents-staging", "review-agents-staging", 900),
    Emitter(
        "azure_production", "log", "triage-app-logs", "triage", 1_500, "ticket_triage", 2_600, "westeurope"
    ),
    Emitter(
        "azure_production", "trace", "triage-app-traces", "triage", 700, "ticket_triage", 1_300, "westeurope"
    ),
    Emitter(
        "gcp_production",
        "log",
        "enrichment-jobs",
        "enrichment-jobs",
        1_100,
        "catalog_enrichment",
        1_500,
        "us-central1",
    ),
)
BYTES_PER_RECORD = 420


def find_emitter_feature(emitter: Emitter) -> str:
    """Whose an emitter is: the feature of its service, else the one whose calls write into it."""
    service = company.SERVICES.get(emitter.service)
    return service.feature if service else emitter.feature


def count_calls(calls: pl.DataFrame, period: Period) -> dict[str, np.ndarray]:
    """Calls of each feature by hour of the run."""
    first = int(np.datetime64(period.start, "us").astype(np.int64))
    hours = len(period.days) * 24
    counted = (
        calls.filter(pl.col("feature").is_not_null())
        .with_columns(_hour=(pl.col("started_at").cast(pl.Int64) - first) // HOUR)
        .filter(pl.col("_hour") < hours)
        .group_by("feature", "_hour")
        .len()
    )
    result = {name: np.zeros(hours, dtype=np.int64) for name in company.FEATURES}
    for feature, hour, count in counted.iter_rows():
        result[feature][hour] = count
    return result


def _hour_shape(period: Period) -> np.ndarray:
    """What part of a weekday's base volume each hour of the run has."""
    shape = np.array(HOUR_WEIGHTS) / sum(HOUR_WEIGHTS)
    days = np.array([WEEKEND_SHARE if day.weekday() >= 5 else 1.0 for day in period.days])
    return (days[:, None] * shape[None, :]).ravel()


def _hours(period: Period) -> pl.Series:
    first = int(np.datetime64(period.start, "us").astype(np.int64))
    return pl.Series(first + np.arange(len(period.days) * 24) * HOUR).cast(pl.Datetime("us"))


def build_transfers(
    calls: dict[str, np.ndarray], period: Period, workloads: pl.DataFrame, habits: Habits, seed: int
) -> pl.DataFrame:
    """One row a link and hour: bytes as the hosts counted them and as the carrier meters them."""
    rng = np.random.default_rng([seed, 20])
    shape, hours, frames = _hour_shape(period), _hours(period), []
    known = {row["workload_ref"] for row in workloads.iter_rows(named=True) if row["is_listed"]}
    for link in LINKS:
        account = ACCOUNTS[link.account]
        base = link.base_megabytes * MEGABYTE * shape * rng.uniform(0.93, 1.07, len(shape))
        extra = calls[link.feature] * link.per_call_kilobytes * 1000 if link.feature else 0
        volume = np.floor(base + extra * rng.uniform(0.9, 1.1, len(shape))).astype(np.int64)
        overhead = round(WIRE_OVERHEAD[account.cloud] * habits.wire_overhead)
        zones = [
            (name, find_zone(link.account, name).zone_id, find_zone(link.account, name).region)
            if name != "internet"
            else (name, name, "")
            for name in (link.from_zone, link.to_zone)
        ]
        frames.append(
            pl.DataFrame({"window_start": hours, "bytes": volume}).with_columns(
                window_end=pl.col("window_start") + timedelta(hours=1),
                cloud=pl.lit(account.cloud),
                account_id=pl.lit(account.account_id),
                traffic_kind=pl.lit(link.traffic_kind),
                from_zone=pl.lit(zones[0][0]),
                from_zone_id=pl.lit(zones[0][1]),
                from_region=pl.lit(zones[0][2]),
                to_zone=pl.lit(zones[1][0]),
                to_zone_id=pl.lit(zones[1][1]),
                to_region=pl.lit(zones[1][2]),
                from_workload_ref=pl.lit(link.from_ref),
                to_workload_ref=pl.lit(link.to_ref),
                feature=pl.lit(link.feature or None, dtype=pl.String),
                is_known=pl.lit(link.from_ref in known),
                billed_bytes=pl.col("bytes") + pl.col("bytes") * overhead // 10_000,
                round_trips=pl.col("bytes") // 64_000,
            )
        )
    return _fill_feature(pl.concat(frames), workloads)


def _fill_feature(frame: pl.DataFrame, workloads: pl.DataFrame) -> pl.DataFrame:
    """The owner's feature of each row: the sender's by the inventory at the time, else the receiver's."""
    frame = frame.with_row_index("_row")
    for side in ("from", "to"):
        owned = _find_owned(frame, workloads, f"{side}_workload_ref").rename({"_owner": f"_{side}"})
        frame = frame.join(owned, on="_row", how="left", maintain_order="left")
    return frame.with_columns(feature=pl.coalesce("_from", "_to")).drop("_row", "_from", "_to")


def _find_owned(frame: pl.DataFrame, workloads: pl.DataFrame, ref: str) -> pl.DataFrame:
    """`_row` and `_owner`, the feature that a reference belonged to at the time; rows without one are not there."""
    owners = workloads.filter(pl.col("feature").is_not_null())
    by_time = owners.select(
        pl.col("workload_ref").alias(ref), pl.col("feature").alias("_owner"), "valid_from", "valid_to"
    )
    return (
        frame.select("_row", ref, "window_start")
        .join(by_time, on=ref, how="inner")
        .filter(
            (pl.col("valid_from").is_null() | (pl.col("window_start") >= pl.col("valid_from")))
            & (pl.col("valid_to").is_null() | (pl.col("window_start") < pl.col("valid_to")))
        )
        .select("_row", "_owner")
    )


def build_telemetry(calls: dict[str, np.ndarray], period: Period, seed: int) -> pl.DataFrame:
    """One row a day and emitter."""
    rng = np.random.default_rng([seed, 21])
    days, frames = len(period.days), []
    shape = np.array([WEEKEND_SHARE if day.weekday() >= 5 else 1.0 for day in period.days])
    for emitter in EMITTERS:
        account = ACCOUNTS[emitter.account]
        base = emitter.base_megabytes * MEGABYTE * shape * rng.uniform(0.93, 1.07, days)
        daily = calls[emitter.feature].reshape(days, 24).sum(axis=1) if emitter.feature else 0
        extra = daily * emitter.per_call_kilobytes * 1000 * rng.uniform(0.95, 1.05, days)
        volume = np.floor(base + extra).astype(np.int64)
        frames.append(
            pl.DataFrame({"day": pl.Series(period.days), "volume_bytes": volume}).with_columns(
                cloud=pl.lit(account.cloud),
                account_id=pl.lit(account.account_id),
                region=pl.lit(emitter.region),
                signal=pl.lit(emitter.signal),
                workload_ref=pl.lit(emitter.workload_ref),
                service=pl.lit(emitter.service),
                feature=pl.lit(find_emitter_feature(emitter) or None, dtype=pl.String),
                volume_count=pl.col("volume_bytes") // BYTES_PER_RECORD,
            )
        )
    return pl.concat(frames)


def _busy_by_hour(starts: np.ndarray, ends: np.ndarray, first: int, hours: int) -> np.ndarray:
    """Microseconds of each hour in which at least one of the intervals ran."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    is_new = np.concatenate([[True], starts[1:] > ends[:-1]]) if len(starts) else np.array([], dtype=bool)
    begin = starts[is_new]
    finish = ends[np.concatenate([np.flatnonzero(is_new)[1:] - 1, [len(ends) - 1]])] if len(starts) else begin
    busy = np.zeros(hours + 2, dtype=np.int64)
    while len(begin):
        hour = (begin - first) // HOUR
        until = np.minimum(finish, first + (hour + 1) * HOUR)
        np.add.at(busy, np.minimum(hour, hours), until - begin)
        rest = until < finish
        begin, finish = until[rest], finish[rest]
    return busy[:hours]


def build_capacity_hours(calls: pl.DataFrame, period: Period) -> pl.DataFrame:
    """One row a provisioned hour of a GPU host or of the PTU deployment."""
    first = int(np.datetime64(period.start, "us").astype(np.int64))
    total = len(period.days) * 24
    served = calls.filter(pl.col("replica_id").is_not_null() & (pl.col("outcome") != "error"))
    resources = [
        (h.resource_id, h.replica_id, h.account, h.zone, h.instance_type, "gpu_host", h.gpus)
        for h in company.GPU_HOSTS
    ]
    ptu = (
        company.PTU_RESOURCE,
        company.PTU_DEPLOYMENT,
        "azure_production",
        "",
        "ptu",
        "ptu",
        company.PTU_COUNT,
    )
    frames = []
    for resource, replica, account, zone, instance_type, kind, units in (*resources, ptu):
        mine = served.filter(pl.col("replica_id") == replica)
        start = mine["started_at"].cast(pl.Int64).to_numpy() + mine["queue_us"].to_numpy()
        end = start + mine["prefill_us"].to_numpy() + mine["decode_us"].to_numpy()
        hour = np.clip((mine["started_at"].cast(pl.Int64).to_numpy() - first) // HOUR, 0, total - 1)
        prompt = np.bincount(hour, mine["uncached_input_tokens"].to_numpy(), total).astype(np.int64)
        cached = np.bincount(hour, mine["cache_read_tokens"].to_numpy(), total).astype(np.int64)
        output = np.bincount(hour, mine["output_tokens"].to_numpy(), total).astype(np.int64)
        requests = np.bincount(hour, minlength=total).astype(np.int64)
        frame = pl.DataFrame(
            {
                "hour": _hours(period),
                "busy_us": _busy_by_hour(start, end, first, total),
                "uncached_input_tokens": prompt,
                "cache_read_tokens": cached,
                "output_tokens": output,
                "requests": requests,
            }
        ).with_columns(
            cloud=pl.lit(ACCOUNTS[account].cloud),
            account_id=pl.lit(ACCOUNTS[account].account_id),
            zone=pl.lit(zone),
            resource_id=pl.lit(resource),
            replica_id=pl.lit(replica),
            kind=pl.lit(kind),
            instance_type=pl.lit(instance_type),
            units=pl.lit(units),
            model=pl.lit(company.LLAMA if kind == "gpu_host" else "gpt-4.1-nano"),
            provisioned_us=pl.lit(HOUR),
        )
        if kind == "ptu":
            is_up = (pl.col("hour").dt.weekday() <= 5) & pl.col("hour").dt.hour().is_in(
                list(company.PTU_HOURS)
            )
            frame = frame.filter(is_up)
        frames.append(frame)
    return pl.concat(frames)


def build_workloads(period: Period, habits: Habits) -> pl.DataFrame:
    """The inventory: which reference is whose; `is_listed` is false for what nobody registered."""
    rows: list[tuple[Any, ...]] = []

    def add(
        ref: str, kind: str, service: str, feature: str, account: str, zone: str = "", **times: Any
    ) -> None:
        owner = company.FEATURES.get(feature)
        rows.append(
            (
                *(ref, kind, service, feature or None, owner.endpoint if owner else None),
                *(owner.team if owner else "platform", ACCOUNTS[account].environment),
                *(ACCOUNTS[account].cloud, ACCOUNTS[account].account_id, zone or None),
                *(times.get("valid_from"), times.get("valid_to"), times.get("is_listed", True)),
            )
        )

    for service in company.SERVICES.values():
        add(service.name, "service", service.name, service.feature, service.account)
    for emitter in EMITTERS:
        kind = "log_group" if emitter.account.startswith("aws") else "service"
        add(emitter.workload_ref, kind, emitter.service, find_emitter_feature(emitter), emitter.account)
    add(DOMAIN, "index", DOMAIN, "doc_search", "aws_production", "eu-west-1b")
    add(f"{DOMAIN}-replica", "index", DOMAIN, "doc_search", "aws_production", "us-east-1b")
    add("conversations-db", "resource", "conversations-db", "support_chat", "aws_production", "us-east-1a")
    add("review-sandbox", "pod", "review-sandbox", "code_review", "aws_production", "us-east-1c")
    add("review-sandbox-staging", "pod", "review-sandbox-staging", "code_review", "aws_staging", "us-east-1b")
    add(
        "recordings-cache",
        "resource",
        "recordings-cache",
        "meeting_summaries",
        "aws_production",
        "us-east-1c",
    )
    add("triage-cache", "service", "triage-cache", "ticket_triage", "azure_production", "westeurope-2")
    add("catalog-db", "resource", "catalog-db", "catalog_enrichment", "gcp_production", "us-central1-b")
    for host in company.GPU_HOSTS:
        add(host.resource_id, "instance", "summary-workers", "meeting_summaries", host.account, host.zone)
    moved_at = midnight(period.start + timedelta(days=len(period.days) // 2))
    moved_to = "doc_search" if habits.moved_workload > 0 else "support_chat"
    add(MOVED_REF, "eni", "history-loader", "support_chat", "aws_production", "us-east-1b", valid_to=moved_at)
    add(MOVED_REF, "eni", "history-loader", moved_to, "aws_production", "us-east-1b", valid_from=moved_at)
    listed = habits.unknown_workload == 0
    add(UNKNOWN_REF, "eni", "index-copier", "doc_search", "aws_production", "us-east-1c", is_listed=listed)
    names = (
        "workload_ref ref_kind service feature endpoint team environment cloud account_id zone valid_from "
        "valid_to is_listed"
    ).split()
    dates = {"valid_from": pl.Datetime("us"), "valid_to": pl.Datetime("us"), "is_listed": pl.Boolean}
    schema = {name: dates.get(name, pl.String) for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


@dataclass(frozen=True)
class Resource:
    """A resource that uses a fixed quantity of a meter each day; `is_office_hours` ones rest on weekends."""

    account: str
    service: str
    meter: str
    unit: str
    list_price: str
    name: str
    quantity: str
    cost_driver: str
    region: str = "us-east-1"
    zone: str = ""
    feature: str = ""
    team: str = ""
    environment: str = ""
    is_office_hours: bool = False
    is_covered: bool = False


_SHARED: dict[str, Any] = {"environment": "production"}
RESOURCES = (
    Resource(
        "aws_production",
        "AmazonEC2",
        "BoxUsage:m7i.xlarge",
        "Hrs",
        "0.2016",
        "i-0c1a5e7793b2d4f81",
        "24",
        "compute",
        zone="us-east-1a",
        team="customer-care",
        feature="support_chat",
        is_covered=True,
        **_SHARED,
    ),
    Resource(
        "aws_production",
        "AmazonEC2",
        "BoxUsage:m7i.xlarge",
        "Hrs",
        "0.2016",
        "i-0d92b4e8817fc3a60",
        "24",
        "compute",
        zone="us-east-1b",
        team="platform",
        is_covered=True,
        **_SHARED,
    ),
    Resource(
        "aws_production",
        "AmazonEC2",
        "EUW1-BoxUsage:m7i.xlarge",
        "Hrs",
        "0.2247",
        "i-03f6d81cc0a95b27e",
        "24",
        "compute",
        "eu-west-1",
        "eu-west-1a",
        feature="doc_search",
        team="knowledge",
        is_covered=True,
        **_SHARED,
    ),
    Resource(
        "aws_staging",
        "AmazonEC2",
        "BoxUsage:m7i.xlarge",
        "Hrs",
        "0.2016",
        "i-08e4471bd92ac0f35",
        "10",
        "compute",
        zone="us-east-1a",
        team="developer-tools",
        environment="staging",
        is_office_hours=True,
    ),
    Resource(
        "aws_production",
        "AmazonEC2",
        "NatGateway-Hours",
        "Hrs",
        "0.045",
        "natgateway/nat-05b7d1e93ac2f8604",
        "24",
        "networking",
    ),
    Resource(
        "aws_production",
        "AmazonEKS",
        "USE1-AmazonEKS-Hours:perCluster",
        "Hours",
        "0.10",
        "cluster/quillworks",
        "24",
        "platform",
        team="platform",
    ),
    Resource(
        "aws_production",
        "AmazonES",
        "EU-ESInstance:r6g.xlarge.search",
        "Hrs",
        "0.373",
        f"domain/{DOMAIN}",
        "48",
        "retrieval",
        "eu-west-1",
        feature="doc_search",
        team="knowledge",
        **_SHARED,
    ),
    Resource(
        "aws_production",
        "AmazonES",
        "EU-ES:GP3-Storage",
        "GB-Mo",
        "0.1345",
        f"domain/{DOMAIN}",
        "13.4",
        "retrieval",
        "eu-west-1",
        feature="doc_search",
        team="knowledge",
    ),
    Resource(
        "aws_production",
        "AmazonRDS",
        "InstanceUsage:db.r6g.large",
        "Hrs",
        "0.225",
        "db:conversations-db",
        "24",
        "database",
        zone="us-east-1a",
        feature="support_chat",
        team="customer-care",
        **_SHARED,
    ),
    Resource(
        "aws_production",
        "AmazonS3",
        "TimedStorage-ByteHrs",
        "GB-Mo",
        "0.023",
        "quillworks-documents",
        "61.5",
        "storage",
        feature="doc_search",
        team="knowledge",
    ),
    Resource(
        "aws_production",
        "AmazonS3",
        "Requests-Tier1",
        "Requests",
        "0.000005",
        "quillworks-documents",
        "21500",
        "storage",
    ),
    Resource(
        "aws_production",
        "AmazonS3",
        "Requests-Tier1",
        "Requests",
        "0.000005",
        "quillworks-documents",
        "21500",
        "storage",
    ),
    Resource(
        "aws_production",
        "AmazonCloudWatch",
        "USE1-TimedStorage-ByteHrs",
        "GB-Mo",
        "0.03",
        "log-group:/ecs/public-api",
        "27.9",
        "monitoring",
    ),
    Resource(
        "aws_data",
        "AmazonS3",
        "TimedStorage-ByteHrs",
        "GB-Mo",
        "0.023",
        "quillworks-lake",
        "44.2",
        "storage",
        team="knowledge",
    ),
    Resource(
        "azure_production",
        "Azure Cache for Redis",
        "C1 Cache Instance",
        "1 Hour",
        "0.069",
        "triage-cache",
        "24",
        "database",
        "westeurope",
        feature="ticket_triage",
        team="customer-care",
    ),
    Resource(
        "azure_production",
        "Storage",
        "Hot LRS Data Stored",
        "1 GB/Month",
        "0.0196",
        "qwtriagestore",
        "18.3",
        "storage",
        "westeurope",
    ),
    Resource(
        "gcp_production",
        "Compute Engine",
        "E2 Instance Core running in Americas",
        "hour",
        "0.02181159",
        "enrichment-jobs",
        "48",
        "compute",
        "us-central1",
        feature="catalog_enrichment",
        team="merchandising",
    ),
    Resource(
        "gcp_production",
        "Cloud SQL",
        "Cloud SQL for PostgreSQL: Zonal - vCPU + RAM in Americas",
        "hour",
        "0.0966",
        "catalog-db",
        "24",
        "database",
        "us-central1",
        feature="catalog_enrichment",
        team="merchandising",
    ),
)
TRAINING = (
    (
        "aws_production",
        "AmazonSageMaker",
        "USE1-Train:ml.g5.2xlarge",
        "Hrs",
        "1.515",
        "training-job/router-finetune",
        "6.25",
        1,
        "support_chat",
        "customer-care",
    ),
    (
        "gcp_production",
        "Vertex AI",
        "Custom Training a2-highgpu-1g in Americas",
        "hour",
        "4.2245",
        "customJobs/enrichment-distil",
        "3.5",
        3,
        "catalog_enrichment",
        "merchandising",
    ),
)
SAVINGS_PLAN_HOURLY = "0.55"  # USD an hour are committed
SAVINGS_PLAN_RATE = "0.1462"  # what a covered m7i.xlarge hour takes of it
SUPPORT_FEE_MONTHLY = "185"


def _resource_row(day: date, resource: Resource) -> tuple[Any, ...]:
    account = ACCOUNTS[resource.account]
    return (
        *(day, account.cloud, account.account_id, resource.region, resource.zone, resource.service),
        *(resource.meter, resource.unit, resource.list_price, resource.quantity, resource.name),
        *(resource.cost_driver, resource.feature, resource.team, resource.environment, resource.is_covered),
    )


def build_other_usage(period: Period) -> pl.DataFrame:
    """One row a day and metered thing that has no weights of its own; quantities and prices are decimal texts."""
    rows = []
    for day in period.days:
        rows += [
            _resource_row(day, resource)
            for resource in RESOURCES
            if not (resource.is_office_hours and day.weekday() >= 5)
        ]
        for account, service, meter, unit, price, name, quantity, weekday, feature, team in TRAINING:
            if day.weekday() == weekday:
                region = "us-east-1" if account.startswith("aws") else "us-central1"
                job = f"{name}-{day:%Y%m%d}"
                job_resource = Resource(
                    account, service, meter, unit, price, job, quantity, "training", region, "", feature, team
                )
                rows.append(_resource_row(day, job_resource))
    names = (
        "day cloud account_id region zone service meter unit list_price quantity resource_id cost_driver "
        "feature team environment is_covered"
    ).split()
    kinds = {"day": pl.Date, "is_covered": pl.Boolean}
    return pl.DataFrame(rows, schema={name: kinds.get(name, pl.String) for name in names}, orient="row")
