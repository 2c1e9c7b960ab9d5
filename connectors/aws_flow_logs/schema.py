"""From fields of VPC flow log records to flows.

What belongs here: AWS's names of fields (versions 2 to 10, "Flow log records" of the VPC user guide), what they say
about who sent bytes where. What must not: reading files, or which of two sightings of a flow counts.
"""

from __future__ import annotations

import re

import polars as pl

from connectors.common.flows.addresses import INVALID, OUTSIDE, AddressBook
from connectors.common.flows.sums import HOUR_MICROSECONDS, LARGEST_RECORD_BYTES

SCHEMA_VERSION = 1
"""Raise it when the same file would become other rows."""

REQUIRED = ("interface-id", "srcaddr", "dstaddr", "bytes", "start")
OPTIONAL = (
    "account-id",
    "end",
    "action",
    "log-status",
    "pkt-srcaddr",
    "pkt-dstaddr",
    "instance-id",
    "az-id",
    "flow-direction",
    "traffic-path",
    "pkt-src-aws-service",
    "pkt-dst-aws-service",
)
READ = (*REQUIRED, *OPTIONAL)
RECOMMENDED = ("pkt-srcaddr", "pkt-dstaddr", "instance-id", "az-id", "flow-direction", "traffic-path")
"""Fields without which flows are told apart worse."""

_FLOW_LOG = re.compile(r"(?:^|/)(\d{12})_vpcflowlogs_[a-z0-9-]+_(fl-[0-9a-f]+)_[^/]*$")
_DAY_MICROSECONDS = 86_400_000_000
_FIRST_FLOW_LOG = 1_420_070_400  # 2015: AWS wrote none before
_PATHS = {"3": "vpn", "4": "peering", "5": "inter_region", "6": "other", "7": "other"}


def find_flow_log(relative: str) -> tuple[str | None, str | None]:
    """Return the account and the flow log that the name of a delivered file states."""
    match = _FLOW_LOG.search(relative)
    return (match[1], match[2]) if match else (None, None)


def find_faults(records: pl.DataFrame, now_microseconds: int) -> pl.Expr:
    """Return why a typed record is refused, null for a sound one."""
    latest = (now_microseconds + _DAY_MICROSECONDS) // 1_000_000
    start, end, size = pl.col("start_seconds"), pl.col("end_seconds"), pl.col("bytes_count")
    return (
        pl.when(size.is_null())
        .then(pl.lit("bytes are no whole number"))
        .when(size < 0)
        .then(pl.lit("negative bytes"))
        .when(size > LARGEST_RECORD_BYTES)
        .then(pl.lit("more bytes than an interface can carry"))
        .when(start.is_null())
        .then(pl.lit("start is no time"))
        .when((start < _FIRST_FLOW_LOG) | (start > latest))
        .then(pl.lit("start is before AWS wrote flow logs or in the future"))
        .when(end < start)
        .then(pl.lit("ends before it starts"))
        .when((pl.col("srcaddr_scope") == INVALID) | (pl.col("dstaddr_scope") == INVALID))
        .then(pl.lit("no address"))
        .when((pl.col("pkt-srcaddr_scope") == INVALID) | (pl.col("pkt-dstaddr_scope") == INVALID))
        .then(pl.lit("no packet address"))
        .when(pl.col("srcaddr_scope").is_null() | pl.col("dstaddr_scope").is_null())
        .then(pl.lit("no address"))
        .otherwise(pl.lit(None, pl.String))
    )


def type_records(records: pl.DataFrame, book: AddressBook) -> pl.DataFrame:
    """Return text records with all of READ, numbers typed, addresses located; packet addresses default to others."""
    absent = [pl.lit(None, pl.String).alias(name) for name in READ if name not in records.columns]
    complete = records.with_columns(*absent)
    complete = complete.with_columns(
        pl.col("bytes").cast(pl.Int64, strict=False).alias("bytes_count"),
        pl.col("start").cast(pl.Int64, strict=False).alias("start_seconds"),
        pl.col("end").cast(pl.Int64, strict=False).alias("end_seconds"),
        pl.coalesce("pkt-srcaddr", "srcaddr").alias("pkt-srcaddr"),
        pl.coalesce("pkt-dstaddr", "dstaddr").alias("pkt-dstaddr"),
    )
    # compared as delivered: an outside address is not kept
    complete = complete.with_columns(
        (pl.col("srcaddr") != pl.col("pkt-srcaddr")).fill_null(False).alias("is_source_changed"),
        (pl.col("dstaddr") != pl.col("pkt-dstaddr")).fill_null(False).alias("is_target_changed"),
    )
    for column in ("srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"):
        complete = book.locate(complete, column)
    return complete


def build_flows(
    records: pl.DataFrame, account: str | None, flow_log: str | None, has_instances: bool
) -> pl.DataFrame:
    """Return one flow a sound record, and for what passes a NAT gateway the part on its far side too.

    `has_instances`: the log states instance-id, so that its absence means an interface of AWS's own.
    """
    is_egress = (pl.col("flow-direction") == "egress").fill_null(False)
    is_ingress = (pl.col("flow-direction") == "ingress").fill_null(False)
    from_outside = pl.col("pkt-srcaddr_scope") == OUTSIDE
    to_outside = pl.col("pkt-dstaddr_scope") == OUTSIDE
    is_nat = (is_ingress & pl.col("is_target_changed") & to_outside) | (
        is_egress & pl.col("is_source_changed") & from_outside
    )
    is_relay = (
        (pl.col("is_source_changed") | pl.col("is_target_changed"))
        & ~is_nat
        & pl.lit(has_instances)
        & pl.col("instance-id").is_null()
    )
    marked = records.with_columns(
        is_nat.alias("is_nat"),
        is_relay.alias("is_relay"),
        is_egress.alias("is_egress"),
        is_ingress.alias("is_ingress"),
        from_outside.alias("from_outside"),
        to_outside.alias("to_outside"),
    )
    seen = marked.select(*_seen_flows(account, flow_log))
    beyond = marked.filter(pl.col("is_nat") & pl.col("is_ingress")).select(
        *_flows_beyond_nat(account, flow_log)
    )
    return pl.concat([seen, beyond])


def _common(account: str | None, flow_log: str | None) -> list[pl.Expr]:
    stated = pl.col("account-id")
    named = pl.when(stated == "unknown").then(None).otherwise(stated)
    return [
        ((pl.col("start_seconds") * 1_000_000) // HOUR_MICROSECONDS * HOUR_MICROSECONDS).alias("window"),
        pl.coalesce(named, pl.lit(account, pl.String)).alias("account_id"),
        pl.lit(flow_log, pl.String).alias("emitter_id"),
        pl.coalesce("instance-id", "interface-id").alias("seen_at"),
        pl.col("bytes_count").alias("bytes"),
    ]


def _reference(side: str, service: str, is_own: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """Reference and kind of an end: its address, of an outside one the AWS service, of the own one the interface."""
    address, named = pl.col(side), pl.col(service)
    own = pl.when(is_own).then(pl.coalesce("instance-id", "interface-id"))
    own_kind = pl.when(pl.col("instance-id").is_not_null()).then(pl.lit("instance")).otherwise(pl.lit("eni"))
    reference = (
        pl.when(address.is_not_null())
        .then(address)
        .when(named.is_not_null())
        .then(pl.lit("aws:") + named.str.to_lowercase())
        .otherwise(own)
    )
    kind = (
        pl.when(address.is_not_null())
        .then(pl.lit("address"))
        .when(named.is_not_null())
        .then(pl.lit("service"))
        .when(is_own)
        .then(own_kind)
        .otherwise(pl.lit(None, pl.String))
    )
    return reference, kind


def _seen_flows(account: str | None, flow_log: str | None) -> list[pl.Expr]:
    is_passing = pl.col("is_nat") | pl.col("is_relay")
    sends = pl.col("is_egress") & ~is_passing & ~pl.col("is_source_changed")
    receives = pl.col("is_ingress") & ~is_passing & ~pl.col("is_target_changed")
    sender, sender_kind = _reference("pkt-srcaddr", "pkt-src-aws-service", sends)
    receiver, receiver_kind = _reference("pkt-dstaddr", "pkt-dst-aws-service", receives)
    seen_from = (
        pl.when(is_passing)
        .then(pl.lit("passing"))
        .when(pl.col("is_egress"))
        .then(pl.lit("sender"))
        .when(pl.col("is_ingress"))
        .then(pl.lit("receiver"))
        .otherwise(pl.lit(None, pl.String))
    )
    through = pl.when(pl.col("is_ingress")).then(pl.col("dstaddr")).otherwise(pl.col("srcaddr"))
    return [
        *_common(account, flow_log),
        _find_kind().alias("traffic_kind"),
        # a NAT gateway stands for its outer side: what reaches it from another zone crossed zones
        pl.when(pl.col("is_egress") & ~pl.col("is_relay")).then(pl.col("az-id")).alias("from_zone"),
        pl.when(pl.col("is_ingress") & ~pl.col("is_relay")).then(pl.col("az-id")).alias("to_zone"),
        sender.alias("from_workload_ref"),
        sender_kind.alias("from_ref_kind"),
        receiver.alias("to_workload_ref"),
        receiver_kind.alias("to_ref_kind"),
        seen_from.alias("seen_from"),
        pl.when(is_passing).then(through).alias("through_ref"),
    ]


def _find_kind() -> pl.Expr:
    """Kind of traffic as far as one record tells; null: the zones of its ends decide."""
    path = pl.col("traffic-path")
    is_to_service = pl.col("pkt-dst-aws-service").is_not_null()
    by_path = path.replace_strict(_PATHS, default=None, return_dtype=pl.String)
    return (
        pl.when(pl.col("is_nat"))
        .then(pl.lit("nat"))
        .when(pl.col("is_relay"))
        .then(pl.lit("transit"))
        .when(pl.col("from_outside"))
        .then(pl.lit("inbound"))
        .when(pl.col("to_outside") & by_path.is_not_null())
        .then(by_path)
        .when(pl.col("to_outside") & is_to_service)
        .then(pl.lit("other"))
        .when(pl.col("to_outside"))
        .then(pl.lit("internet"))
        .otherwise(by_path)
    )


def _flows_beyond_nat(account: str | None, flow_log: str | None) -> list[pl.Expr]:
    """What a NAT gateway took in for an outside address, on its far side: counts where the sender was not seen."""
    service = pl.col("pkt-dst-aws-service")
    sender, sender_kind = _reference("pkt-srcaddr", "pkt-src-aws-service", pl.lit(False))
    return [
        *_common(account, flow_log),
        pl.when(service.is_null()).then(pl.lit("internet")).otherwise(pl.lit("other")).alias("traffic_kind"),
        pl.lit(None, pl.String).alias("from_zone"),
        pl.lit(None, pl.String).alias("to_zone"),
        sender.alias("from_workload_ref"),
        sender_kind.alias("from_ref_kind"),
        (pl.lit("aws:") + service.str.to_lowercase()).alias("to_workload_ref"),
        pl.when(service.is_not_null()).then(pl.lit("service")).alias("to_ref_kind"),
        pl.lit("receiver").alias("seen_from"),
        pl.lit(None, pl.String).alias("through_ref"),
    ]
