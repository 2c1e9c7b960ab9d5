"""VPC flow logs as AWS delivers them to S3: text with a header, both ends of a flow, gzipped.

What belongs here: the record format, addresses of interfaces, which end sees what. What must not: how much flowed.

Format: the fields that connectors/aws_flow_logs/README.md asks for, in that order. Every hour of a route is one
record of ten minutes at each end that is an interface of ours.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.logs.line_files import write_lines

FIELDS = (
    "version account-id interface-id instance-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr bytes start end action "
    "log-status az-id flow-direction traffic-path pkt-src-aws-service pkt-dst-aws-service"
)
OUTSIDE = "198.51.100."
_FLOW_LOG = "fl-0b7d3e91c5a2f4868"
_SECONDS = 600


def write_flow_logs(root: Path, flows: pl.DataFrame, *, file_period: str = "1d") -> None:
    """Write files of hourly flows, one an account, region and `file_period` (AWS writes one every five minutes).

    Columns of `flows`: hour_start, bytes, and of either end account_id, region, zone_id, address, interface (null for
    an end outside) and instance.
    """
    if flows.is_empty():
        return
    both = [
        _records(flows.filter(pl.col(f"{side}_interface").is_not_null()), side, file_period)
        for side in ("from", "to")
    ]
    lines = pl.concat(both).sort("file", "start", "line", maintain_order=True)
    write_lines(root, lines.select("file", "line"), header=FIELDS)


def _records(flows: pl.DataFrame, side: str, file_period: str) -> pl.DataFrame:
    """What the interface at one side of each flow recorded."""
    start = pl.col("hour_start").dt.epoch("s") + 300
    is_out = pl.col("to_interface").is_null() | pl.col("from_interface").is_null()
    path = (
        pl.when(side == "from")
        .then(pl.when(is_out).then(pl.lit("8")).otherwise(pl.lit("1")))
        .otherwise(pl.lit("-"))
    )
    fields = [
        pl.lit("5"),
        pl.col(f"{side}_account_id"),
        pl.col(f"{side}_interface"),
        pl.col(f"{side}_instance").fill_null("-"),
        pl.col("from_address"),
        pl.col("to_address"),
        pl.col("from_address"),
        pl.col("to_address"),
        pl.col("bytes").cast(pl.String),
        start.cast(pl.String),
        (start + _SECONDS).cast(pl.String),
        pl.lit("ACCEPT"),
        pl.lit("OK"),
        pl.col(f"{side}_zone_id"),
        pl.lit("egress" if side == "from" else "ingress"),
        path,
        pl.lit("-"),
        pl.lit("-"),
    ]
    return flows.select(
        _file(side, file_period).alias("file"),
        start.alias("start"),
        pl.concat_str(fields, separator=" ").alias("line"),
    )


def _file(side: str, file_period: str) -> pl.Expr:
    day = pl.col("hour_start").dt.truncate(file_period)
    account, region = pl.col(f"{side}_account_id"), pl.col(f"{side}_region")
    return pl.concat_str(
        pl.lit("AWSLogs/"),
        account,
        pl.lit("/vpcflowlogs/"),
        region,
        day.dt.strftime("/%Y/%m/%d/"),
        account,
        pl.lit("_vpcflowlogs_"),
        region,
        pl.lit(f"_{_FLOW_LOG}"),
        day.dt.strftime("_%Y%m%dT0000Z_4c1e77a0.log.gz"),
    )
