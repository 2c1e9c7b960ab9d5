"""VPC flow logs: every version's header, both forms, what is refused, and that no outside address is kept."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from connectors.aws_flow_logs.client import check, land
from connectors.aws_flow_logs.settings import Settings
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.contract.flow_logs import (
    OUTSIDE,
    START,
    V2,
    V3,
    V4,
    V5,
    V7,
    file_name,
    in_order,
    other_side,
    record,
    rows,
    text_file,
    texts,
)
from tests.servers.backends import Backend

HOUR = datetime(2026, 11, 1, 10)
FLOW = {
    "window_start": HOUR,
    "window_end": HOUR + timedelta(hours=1),
    "provider": "aws",
    "account_id": "111111111111",
    "emitter_kind": "flow_log",
    "emitter_id": "fl-0a1b",
    "bytes": 1000,
}
SENT = {
    "seen_from": "sender",
    "from_zone": "use1-az1",
    "from_workload_ref": "10.0.1.5",
    "from_ref_kind": "address",
    "seen_at": "i-0a",
}
TAKEN = {"to_workload_ref": "10.0.2.9", "to_ref_kind": "address"}

Deliver = Callable[..., SourceReport]


@pytest.fixture
def deliver(tmp_path: Path, lake_context: LandingContext) -> Deliver:
    """Put files into a folder and land it."""

    def put(files: dict[str, bytes] | bytes, **settings: Any) -> SourceReport:
        for name, content in ({file_name(): files} if isinstance(files, bytes) else files).items():
            path = tmp_path / "logs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return land(Settings(name="flows", path=str(tmp_path / "logs"), **settings), lake_context)

    return put


def refused(report: SourceReport) -> dict[str, int]:
    """Reason → refused rows."""
    found: Counter[str] = Counter()
    for finding in report.findings:
        if finding.kind == "quarantined_row":
            found[finding.message.split("): ")[1].split(";")[0]] += finding.count
    return dict(found)


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        (V2, {"seen_at": "eni-0a"}),
        (V3, {"seen_at": "i-0a"}),
        (V4, {"seen_at": "i-0a"}),
        (V5, SENT),
        (V7, SENT),
        (
            "bytes start dstaddr srcaddr interface-id flow-direction",
            {"seen_at": "eni-0a", "seen_from": "sender"},
        ),
    ],
    ids=["v2", "v3", "v4", "v5", "v7", "own order"],
)
def test_the_header_says_what_a_record_holds(deliver: Deliver, fields: str, known: dict[str, Any]) -> None:
    report = deliver(text_file([record(fields)], fields))
    ends = {"from_workload_ref": "10.0.1.5", "from_ref_kind": "address", **TAKEN}
    assert rows(report) == [{**FLOW, **ends, **known}]
    assert {finding.severity for finding in report.findings} <= {Severity.INFO}


def test_every_store_gives_the_same_rows_and_keeps_no_file(
    any_store: Backend, lake_context: LandingContext
) -> None:
    any_store.put(file_name(), text_file([record(), record(bytes=24), record(**other_side())]))
    values = dict(any_store.build_values())
    settings = Settings(name="flows", path=values.pop("location"), **values)
    assert [step.is_ok for step in check(settings)].count(False) == 0
    report = land(settings, lake_context)
    assert rows(report) == in_order(
        [
            {**FLOW, **SENT, **TAKEN, "bytes": 1024},
            {
                **FLOW,
                **TAKEN,
                "from_workload_ref": "10.0.1.5",
                "from_ref_kind": "address",
                "seen_from": "receiver",
                "seen_at": "i-0b",
                "to_zone": "use1-az2",
            },
        ]
    )
    artifacts = lake_context.lake / "raw" / "flows" / "artifacts"
    assert not artifacts.exists() or not list(artifacts.iterdir())
    again = land(settings, replace(lake_context, now=lake_context.now + timedelta(days=1)))
    assert again.deliveries == report.deliveries


@pytest.mark.parametrize("folder", ["2026/11/01", "aws-account-id=111111111111/year=2026/month=11/hour=10"])
def test_parquet_is_read_as_text_is(deliver: Deliver, folder: str) -> None:
    """AWS writes underscores for hyphens and whole numbers as numbers."""
    numbers = ("version", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "tcp-flags")
    lines = [
        record(),
        record(**other_side()),
        record(log_status="NODATA", bytes="-", srcaddr="-", dstaddr="-"),
    ]
    columns: dict[str, pa.Array] = {}
    for position, name in enumerate(V5.split()):
        values = [None if line.split()[position] == "-" else line.split()[position] for line in lines]
        typed = pa.array(values, pa.string())
        columns[name.replace("-", "_")] = typed.cast(pa.int64()) if name in numbers else typed
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    name = f"{folder}/111111111111_vpcflowlogs_us-east-1_fl-0a1b_20261101T1010Z_ab.log.parquet"
    from_parquet = rows(deliver({name: stream.getvalue()}))
    assert [row["bytes"] for row in from_parquet] == [1000, 1000]
    assert {row["seen_from"] for row in from_parquet} == {"sender", "receiver"}
    assert {row["emitter_id"] for row in from_parquet} == {"fl-0a1b"}


@pytest.mark.parametrize(
    ("changes", "kind", "receiver"),
    [
        ({"traffic_path": 1}, None, "10.0.2.9"),
        ({"traffic_path": "-"}, None, "10.0.2.9"),
        ({"traffic_path": 3}, "vpn", "10.0.2.9"),
        ({"traffic_path": 4}, "peering", "10.0.2.9"),
        ({"traffic_path": 5}, "inter_region", "10.0.2.9"),
        ({"traffic_path": 6}, "other", "10.0.2.9"),
        ({"dstaddr": OUTSIDE, "traffic_path": 8}, "internet", None),
        ({"dstaddr": OUTSIDE, "traffic_path": 2}, "internet", None),
        ({"dstaddr": OUTSIDE, "traffic_path": 3}, "vpn", None),
        ({"dstaddr": OUTSIDE, "traffic_path": 8, "pkt_dst_aws_service": "S3"}, "other", "aws:s3"),
        ({"dstaddr": OUTSIDE, "traffic_path": 7, "pkt_dst_aws_service": "DYNAMODB"}, "other", "aws:dynamodb"),
        ({"dstaddr": "2001:db8::1", "traffic_path": 8}, "internet", None),
        ({"dstaddr": "fd00:0:0:0::00a1", "traffic_path": 1}, None, "fd00::a1"),
        ({"dstaddr": "::ffff:10.0.2.9"}, None, "10.0.2.9"),
    ],
)
def test_the_path_says_what_bytes_crossed(
    deliver: Deliver, changes: dict[str, Any], kind: str | None, receiver: str | None
) -> None:
    [row] = rows(deliver(text_file([record(**changes)])))
    assert (row.get("traffic_kind"), row.get("to_workload_ref")) == (kind, receiver)


def test_what_comes_from_outside_is_inbound(deliver: Deliver) -> None:
    [row] = rows(deliver(text_file([record(**other_side(srcaddr=OUTSIDE))])))
    assert row["traffic_kind"] == "inbound"
    assert "from_workload_ref" not in row
    assert (row["to_workload_ref"], row["to_zone"]) == ("10.0.2.9", "use1-az2")


def test_networks_of_ones_own_are_inside(deliver: Deliver) -> None:
    lines = [record(dstaddr=OUTSIDE), record(dstaddr="2001:db8:1::7")]
    report = deliver(text_file(lines), own_networks=("198.51.100.0/24", "2001:db8:1::/48"))
    assert sorted(row["to_workload_ref"] for row in rows(report)) == [OUTSIDE, "2001:db8:1::7"]


def test_an_interface_with_a_public_address_is_known_by_its_machine(deliver: Deliver) -> None:
    lines = [record(srcaddr="2001:db8::5", traffic_path=8), record(srcaddr="2001:db8::6", instance_id="-")]
    found = {(row["from_workload_ref"], row["from_ref_kind"]) for row in rows(deliver(text_file(lines)))}
    assert found == {("i-0a", "instance"), ("eni-0a", "eni")}


NAT = {"interface_id": "eni-nat", "instance_id": "-", "az_id": "use1-az3"}


def test_a_nat_gateway_never_becomes_the_sender_of_what_it_passes(deliver: Deliver) -> None:
    """The four records that AWS's page shows of a gateway: in and out, and the answer in and out."""
    lines = [
        record(**NAT, dstaddr="10.0.0.220", pkt_dstaddr=OUTSIDE, flow_direction="ingress", bytes=70),
        record(**NAT, srcaddr="10.0.0.220", dstaddr=OUTSIDE, traffic_path=8, bytes=70),
        record(**NAT, srcaddr=OUTSIDE, dstaddr="10.0.0.220", flow_direction="ingress", bytes=9),
        record(
            **NAT,
            srcaddr="10.0.0.220",
            pkt_srcaddr=OUTSIDE,
            dstaddr="10.0.1.5",
            pkt_dstaddr="10.0.1.5",
            bytes=9,
        ),
    ]
    names = ("traffic_kind", "seen_from", "from_workload_ref", "to_workload_ref", "through_ref", "bytes")
    found = {tuple(row.get(name) for name in names) for row in rows(deliver(text_file(lines)))}
    assert found == {
        ("nat", "passing", "10.0.1.5", None, "10.0.0.220", 70),
        ("internet", "receiver", "10.0.1.5", None, None, 70),
        ("internet", "sender", "10.0.0.220", None, None, 70),
        ("inbound", "receiver", None, "10.0.0.220", None, 9),
        ("nat", "passing", None, "10.0.1.5", "10.0.0.220", 9),
    }


def test_pods_behind_their_node_and_transit_gateways(deliver: Deliver) -> None:
    """A node with an instance id that rewrites addresses is a Kubernetes node; without one it is a gateway."""
    lines = [
        record(srcaddr="10.0.1.5", pkt_srcaddr="10.0.9.77"),
        record(interface_id="eni-tgw", instance_id="-", srcaddr="10.0.40.1", pkt_srcaddr="10.7.0.5"),
    ]
    found = {
        row["from_workload_ref"]: (row.get("traffic_kind"), row["seen_from"])
        for row in rows(deliver(text_file(lines)))
    }
    assert found == {"10.0.9.77": (None, "sender"), "10.7.0.5": ("transit", "passing")}


def test_logs_without_packet_addresses_are_told_the_gateways(deliver: Deliver) -> None:
    lines = [
        record(V2, srcaddr="10.0.1.5", dstaddr=OUTSIDE, bytes=70),
        record(V2, interface_id="eni-nat", srcaddr="10.0.0.220", dstaddr=OUTSIDE, bytes=70),
        record(V2, interface_id="eni-nat", srcaddr=OUTSIDE, dstaddr="10.0.0.220", bytes=9),
    ]
    report = deliver(text_file(lines, V2), nat_addresses=("10.0.0.220",))
    assert [(row["from_workload_ref"], row["bytes"]) for row in rows(report)] == [("10.0.1.5", 70)]
    assert [finding.kind for finding in report.findings] == ["coarse_flow_log"]


def test_what_was_not_carried_does_not_count(deliver: Deliver) -> None:
    """Rejected records carry nothing on; AWS says itself where nothing was seen, and where it lost records."""
    empty = {name: "-" for name in ("srcaddr", "dstaddr", "bytes", "action")}
    lines = [
        record(),
        record(action="REJECT"),
        record(log_status="NODATA", **empty),
        record(log_status="SKIPDATA", **empty),
    ]
    report = deliver(text_file(lines))
    assert [row["bytes"] for row in rows(report)] == [1000]
    [lost] = report.findings
    assert (lost.kind, lost.severity, lost.count) == ("lost_records", Severity.WARN, 1)


def test_a_record_counts_in_the_hour_in_which_it_starts(deliver: Deliver) -> None:
    late = (
        int(datetime(2026, 11, 1, 10, 59, 30).timestamp())
        - int(datetime(2026, 11, 1, 10, 5).timestamp())
        + START
    )
    report = deliver(text_file([record(start=late, end=late + 600), record(start=late + 30, end=late + 90)]))
    assert [(row["window_start"].hour, row["bytes"]) for row in rows(report)] == [(10, 1000), (11, 1000)]


def test_a_late_file_adds_and_a_file_delivered_again_replaces(deliver: Deliver) -> None:
    first, second = file_name(hash_="aa"), file_name(time="20261101T1130Z", hash_="bb")
    deliver({first: text_file([record()])})
    assert sum(row["bytes"] for row in rows(deliver({second: text_file([record(bytes=24)])}))) == 1024
    assert sum(row["bytes"] for row in rows(deliver({first: text_file([record(bytes=7)])}))) == 31
    copy = deliver({file_name(hash_="cc"): text_file([record(bytes=24)])})
    assert sum(row["bytes"] for row in rows(copy)) == 31


def test_bad_records_are_refused_alone_with_their_line(deliver: Deliver) -> None:
    lines = [
        record(),
        record(bytes="1e400"),
        record(bytes=-1),
        record(bytes="-"),
        record(bytes=10**18),
        record(bytes="9" * 40),
        record(start="-"),
        record(start=START * 1000),
        record(start=START, end=START - 1),
        record(start=5),
        record(srcaddr="10.0.0.256"),
        record(srcaddr="-"),
        record(pkt_srcaddr="'; drop table x"),
        "junk",
        "",
        record() + " more",
        record(interface_id="eni\x00\ud800".encode("utf-8", "replace").decode()),
    ]
    report = deliver(text_file(lines))
    assert sum(row["bytes"] for row in rows(report)) == 2000
    assert refused(report) == {
        "bytes are no whole number": 3,
        "negative bytes": 1,
        "more bytes than an interface can carry": 1,
        "start is no time": 1,
        "start is before AWS wrote flow logs or in the future": 2,
        "ends before it starts": 1,
        "no address": 2,
        "not as many fields as the header names": 3,
    }
    told = next(f.message for f in report.findings if "negative bytes" in f.message)
    assert "lines 4" in told


def test_binary_junk_and_a_line_without_end_cost_one_line_each(deliver: Deliver) -> None:
    content = (
        "\n".join([V5, record()]).encode() + b"\n" + b"\xff\xfe\x00" * 9 + b"\n" + b"A" * (50 << 20) + b"\n"
    )
    report = deliver(gzip.compress(content + record(bytes=24).encode() + b"\n", 1))
    assert sum(row["bytes"] for row in rows(report)) == 1024
    assert refused(report) == {"not as many fields as the header names": 1, "a line of more than 64 KiB": 1}


@pytest.mark.parametrize(
    ("content", "kind", "advice"),
    [
        (text_file([record()])[:-12], "unreadable_file", "deliver it again"),
        (b"PAR1 not parquet", "unreadable_file", "deliver it again"),
        (b"2 111 eni-0a 10.0.0.1 10.0.0.2 1 2 6 1 5 1 2 ACCEPT OK\n", "unknown_format", "header"),
        (text_file(["1 2"], "srcaddr dstaddr"), "missing_column", "interface-id, bytes, start"),
        (b"\x00\x01\x02" * 1000, "unknown_format", "header"),
    ],
    ids=["cut off", "no parquet", "no header", "fields missing", "binary"],
)
def test_a_file_that_is_no_flow_log_is_refused_alone(
    deliver: Deliver, content: bytes, kind: str, advice: str
) -> None:
    report = deliver({file_name(): text_file([record()]), "broken.log.gz": content})
    assert [row["bytes"] for row in rows(report)] == [1000]
    [fault] = [finding for finding in report.findings if finding.severity is Severity.FAULT]
    assert (fault.kind, fault.file) == (kind, "broken.log.gz")
    assert advice in fault.message


def test_no_outside_address_and_no_unknown_field_reaches_the_lake(
    deliver: Deliver, lake_context: LandingContext
) -> None:
    fields = V5 + " CANARY-field"
    lines = [
        record(V5, dstaddr=OUTSIDE) + " CANARY-value",
        record(V5, **other_side(srcaddr=OUTSIDE)) + " CANARY-value",
        record(V5, **NAT, dstaddr="10.0.0.220", pkt_dstaddr=OUTSIDE, flow_direction="ingress") + " CANARY",
        f"malformed {OUTSIDE} CANARY",
        record(V5, srcaddr=f"{OUTSIDE}x") + " CANARY",
        record(V5, bytes=f"{OUTSIDE}") + " CANARY",
    ]
    report = deliver(text_file(lines, fields))
    assert len(rows(report)) == 4
    found = list(texts(lake_context.lake))
    assert len(found) > 3
    for path, content in found:
        assert OUTSIDE.encode() not in content, path
        assert b"CANARY" not in content, path
    assert OUTSIDE not in str(report.findings) and "CANARY" not in str(report.findings)


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "here"])
def test_a_network_that_is_everything_or_none_is_a_config_error(network: str) -> None:
    with pytest.raises(ValueError, match="own_networks"):
        Settings(name="flows", path="s3://bucket/x", own_networks=(network,))
