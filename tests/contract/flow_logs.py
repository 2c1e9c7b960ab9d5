"""Flow log records as AWS, Google Cloud and Azure write them, and reading what they became.

What belongs here: builders of records and files. What must not: cases.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from connectors.common.contract import SourceReport

V2 = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action "
    "log-status"
)
V3 = V2 + " vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr"
V4 = V3 + " region az-id sublocation-type sublocation-id"
V5 = V4 + " pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path"
V7 = V5 + (
    " ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id"
    " ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id"
)
NAME = (
    "AWSLogs/111111111111/vpcflowlogs/us-east-1/2026/11/01/"
    "111111111111_vpcflowlogs_us-east-1_{log}_{time}_{hash}.log.gz"
)
START = int(datetime(2026, 11, 1, 10, 5, tzinfo=UTC).timestamp())
OUTSIDE = "198.51.100.77"
"""An address of an end user: it must never be found in the lake."""

_DEFAULTS = {
    "version": "5",
    "account-id": "111111111111",
    "interface-id": "eni-0a",
    "srcaddr": "10.0.1.5",
    "dstaddr": "10.0.2.9",
    "bytes": "1000",
    "action": "ACCEPT",
    "log-status": "OK",
    "instance-id": "i-0a",
    "az-id": "use1-az1",
    "flow-direction": "egress",
    "traffic-path": "1",
}


def record(fields: str = V5, **changes: object) -> str:
    """One line; names with `_` for `-`; packet addresses are the others' unless stated."""
    values = {**_DEFAULTS, "start": str(START), "end": str(START + 60)}
    values |= {name.replace("_", "-"): str(value) for name, value in changes.items()}
    values.setdefault("pkt-srcaddr", values["srcaddr"])
    values.setdefault("pkt-dstaddr", values["dstaddr"])
    return " ".join(values.get(name, "-") for name in fields.split())


def other_side(**changes: object) -> dict[str, Any]:
    """The fields in which the receiver's record of a flow differs from the sender's."""
    told = {"interface_id": "eni-0b", "instance_id": "i-0b", "az_id": "use1-az2"}
    return {**told, "flow_direction": "ingress", "traffic_path": "-", **changes}


def text_file(lines: Iterable[str], fields: str = V5) -> bytes:
    """A delivered text file: a header and records, gzip."""
    return gzip.compress(("\n".join([fields, *lines]) + "\n").encode(), mtime=0)


def file_name(log: str = "fl-0a1b", time: str = "20261101T1010Z", hash_: str = "ab12") -> str:
    """The name under which AWS delivers a file."""
    return NAME.format(log=log, time=time, hash=hash_)


def gcp_entry(size: object = "1000", reporter: str = "SRC", **payload: Any) -> dict[str, Any]:
    """A log entry of a flow between two machines of two zones; a payload of None leaves a part out."""
    stated = {
        "reporter": reporter,
        "bytes_sent": size,
        "packets_sent": "3",
        "start_time": "2026-11-01T10:05:00.123456789Z",
        "end_time": "2026-11-01T10:05:05Z",
        "connection": {
            "src_ip": "10.128.0.5",
            "dest_ip": "10.128.0.9",
            "src_port": 4,
            "dest_port": 443,
            "protocol": 6,
        },
        "src_instance": {"vm_name": "web-1", "zone": "us-central1-a", "project_id": "shop"},
        "dest_instance": {"vm_name": "db-1", "zone": "us-central1-b", "project_id": "shop"},
        "src_vpc": {"vpc_name": "net", "project_id": "shop", "subnetwork_name": "sub"},
        **payload,
    }
    return {
        "logName": "projects/shop/logs/compute.googleapis.com%2Fvpc_flows",
        "resource": {"type": "gce_subnetwork", "labels": {"subnetwork_id": "77", "project_id": "shop"}},
        "jsonPayload": {name: value for name, value in stated.items() if value is not None},
    }


def azure_blob(tuples: Iterable[str], mac: str = "00224871C205", **record: Any) -> dict[str, Any]:
    """One record of a virtual network's flow log with these tuples."""
    resource = "/SUBSCRIPTIONS/AAAAAAAA-0000-1111-2222-BBBBBBBBBBBB/RESOURCEGROUPS/R/FLOWLOGS/LOG-1"
    return {
        "time": "2026-11-01T10:05:52.5625085Z",
        "flowLogVersion": 4,
        "flowLogGUID": "66aa66aa-bb77-cc88-dd99-00ee00ee00ee",
        "macAddress": mac,
        "category": "FlowLogFlowEvent",
        "flowLogResourceID": resource,
        "targetResourceID": "/subscriptions/aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb/x/virtualNetworks/v",
        "flowRecords": {
            "flows": [{"aclID": "a", "flowGroups": [{"rule": "Default", "flowTuples": list(tuples)}]}]
        },
        **record,
    }


def azure_tuple(state: str = "E", sent: object = 1000, received: object = 0, **changes: object) -> str:
    """A flow tuple of a virtual network's log."""
    values: dict[str, Any] = {
        "time": START * 1000 + 63,
        "source": "10.1.0.4",
        "target": "10.1.0.9",
        "direction": "O",
        **changes,
    }
    head = (
        f"{values['time']},{values['source']},{values['target']},44931,443,6,{values['direction']},{state},NX"
    )
    return f"{head},{10 if sent else ''},{sent},{3 if received else ''},{received}"


def json_bytes(content: object) -> bytes:
    """JSON text."""
    return json.dumps(content).encode()


def rows(report: SourceReport) -> list[dict[str, Any]]:
    """The rows of a report, without what is null, in a stable order."""
    tables = [pq.read_table(file.path, partitioning=None) for file in report.current_files]
    found = [
        {name: value for name, value in row.items() if value is not None and not name.startswith("x_")}
        for table in tables
        for row in table.to_pylist()
    ]
    return in_order(found)


def in_order(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in an order that depends on their values only."""
    return sorted(found, key=lambda row: str(sorted(row.items())))


def texts(folder: Path) -> Iterable[tuple[Path, bytes]]:
    """Every file below a folder as text, Parquet and gzip unpacked."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if path.suffix == ".parquet":
                yield path, str(pq.read_table(path, partitioning=None).to_pydict()).encode()
            if content[:2] == b"\x1f\x8b":
                yield path, gzip.decompress(content)
