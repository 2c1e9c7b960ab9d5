"""VPC flow logs of Google Cloud as a log sink writes them to Cloud Storage."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.gcp_flow_logs.client import check, land
from connectors.gcp_flow_logs.settings import Settings
from tests.contract.flow_logs import OUTSIDE, gcp_entry, in_order, rows, texts
from tests.servers.backends import GcsBackend
from tests.servers.gcs import GcsServer

NAME = "compute.googleapis.com/vpc_flows/2026/11/01/10:00:00_10:59:59_S0.json"
HOUR = datetime(2026, 11, 1, 10)
SENT = {
    "window_start": HOUR,
    "window_end": HOUR + timedelta(hours=1),
    "provider": "gcp",
    "account_id": "shop",
    "from_zone": "us-central1-a",
    "to_zone": "us-central1-b",
    "from_workload_ref": "10.128.0.5",
    "from_ref_kind": "address",
    "to_workload_ref": "10.128.0.9",
    "to_ref_kind": "address",
    "emitter_kind": "flow_log",
    "emitter_id": "77",
    "seen_from": "sender",
    "seen_at": "web-1",
    "bytes": 1000,
}

Deliver = Callable[..., SourceReport]


def lines(*entries: Any) -> bytes:
    """JSON lines; text is taken as it is."""
    return "".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in entries).encode()


@pytest.fixture
def deliver(tmp_path: Path, lake_context: LandingContext) -> Deliver:
    """Put one file into a folder and land it."""

    def put(*entries: Any, content: bytes | None = None, **settings: Any) -> SourceReport:
        path = tmp_path / "logs" / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(lines(*entries) if content is None else content)
        return land(Settings(name="flows", path=str(tmp_path / "logs"), **settings), lake_context)

    return put


def test_a_sink_in_cloud_storage_lands_both_reports_of_a_flow(
    gcs_server: GcsServer, lake_context: LandingContext
) -> None:
    backend = GcsBackend(gcs_server)
    entries = [gcp_entry(), gcp_entry("24"), gcp_entry(reporter="DEST", rtt_msec="3")]
    backend.put(NAME, lines(*entries))
    values = dict(backend.build_values())
    settings = Settings(name="flows", path=values.pop("location"), **values)
    assert [step.is_ok for step in check(settings)].count(False) == 0
    report = land(settings, lake_context)
    taken = {**SENT, "seen_from": "receiver", "seen_at": "db-1", "min_round_trip_seconds": Decimal("0.003")}
    assert rows(report) == in_order([{**SENT, "bytes": 1024}, taken])
    assert report.findings == ()
    assert land(settings, lake_context).deliveries == report.deliveries


@pytest.mark.parametrize(
    ("payload", "kind", "receiver", "receiver_kind"),
    [
        ({}, None, "10.128.0.9", "address"),
        ({"dest": OUTSIDE, "dest_instance": None}, "internet", None, None),
        ({"dest": OUTSIDE}, None, "db-1", "instance"),
        (
            {
                "dest": OUTSIDE,
                "dest_instance": None,
                "dest_google_service": {"type": "GOOGLE_API", "service_name": "Storage"},
            },
            "other",
            "gcp:storage",
            "service",
        ),
        ({"dest_instance": None, "dest_gateway": {"type": "VPN_TUNNEL"}}, "vpn", "10.128.0.9", "address"),
        (
            {"dest_instance": None, "dest_gateway": {"type": "INTERCONNECT_ATTACHMENT"}},
            "direct_connect",
            "10.128.0.9",
            "address",
        ),
        ({"src": OUTSIDE, "src_instance": None}, "inbound", "10.128.0.9", "address"),
    ],
)
def test_what_bytes_crossed(
    deliver: Deliver,
    payload: dict[str, Any],
    kind: str | None,
    receiver: str | None,
    receiver_kind: str | None,
) -> None:
    ends = {"src_ip": payload.pop("src", "10.128.0.5"), "dest_ip": payload.pop("dest", "10.128.0.9")}
    [row] = rows(deliver(gcp_entry(connection=ends, **payload)))
    assert (row.get("traffic_kind"), row.get("to_workload_ref"), row.get("to_ref_kind")) == (
        kind,
        receiver,
        receiver_kind,
    )


def test_gateways_pass_on(deliver: Deliver) -> None:
    [row] = rows(deliver(gcp_entry(reporter="SRC_GATEWAY")))
    assert row["seen_from"] == "passing"


def test_without_metadata_addresses_remain(deliver: Deliver) -> None:
    """A subnet may be told to write base fields only: zones then come from the inventory."""
    [row] = rows(deliver(gcp_entry(src_instance=None, dest_instance=None, src_vpc=None)))
    assert (row["from_workload_ref"], row["to_workload_ref"]) == ("10.128.0.5", "10.128.0.9")
    assert "from_zone" not in row and "to_zone" not in row
    assert row["account_id"] == "shop"


def test_sampled_bytes_are_not_scaled_again(deliver: Deliver) -> None:
    """Google makes up for both samplings in bytes_sent itself, so a sampled flow counts as it is stated."""
    [row] = rows(deliver(gcp_entry("30000", sampling_rate=0.5)))
    assert row["bytes"] == 30000


def test_bad_entries_are_refused_alone(deliver: Deliver) -> None:
    other = {"logName": "projects/shop/logs/activity", "textPayload": "CANARY"}
    report = deliver(
        gcp_entry(),
        gcp_entry("1e400"),
        gcp_entry("-5"),
        gcp_entry(2.5),
        gcp_entry(str(10**18)),
        gcp_entry(reporter="BOTH"),
        gcp_entry(start_time="yesterday"),
        gcp_entry(start_time="2031-01-01T00:00:00Z", end_time=None),
        gcp_entry(end_time="2026-11-01T10:00:00Z"),
        gcp_entry(connection={"src_ip": "10.0.0.999", "dest_ip": "10.0.0.1"}),
        gcp_entry(connection={}),
        other,
        "junk CANARY",
        '{"half": ',
    )
    assert [row["bytes"] for row in rows(report)] == [1000]
    refused: Counter[str] = Counter()
    for finding in report.findings:
        if finding.kind == "quarantined_row":
            refused[finding.message.split("): ")[1].split(";")[0]] += finding.count
    assert refused == {
        "bytes_sent is no whole number": 2,
        "negative bytes": 1,
        "more bytes than an interface can carry": 1,
        "no known reporter": 1,
        "start_time is no time": 1,
        "start_time is before Google wrote flow logs or in the future": 1,
        "ends before it starts": 1,
        "src_ip is no address": 2,
        "malformed_line: not a JSON object": 2,
    }
    assert [f.count for f in report.findings if f.kind == "other_log"] == [1]
    assert "CANARY" not in str(report.findings)


@pytest.mark.parametrize(
    "content", [gzip.compress(lines(gcp_entry()) * 50)[:-9], b"\x00\xff" * 99], ids=["cut", "junk"]
)
def test_a_file_that_cannot_be_read_is_refused_whole(deliver: Deliver, content: bytes) -> None:
    report = deliver(content=content)
    assert rows(report) == []
    assert [finding.severity for finding in report.findings] == [Severity.FAULT]


def test_no_outside_address_and_no_unknown_part_reaches_the_lake(
    deliver: Deliver, lake_context: LandingContext
) -> None:
    hostile = {"src_location": {"city": "CANARY"}, "CANARY": "CANARY", "src_country": "CANARY"}
    deliver(
        gcp_entry(connection={"src_ip": OUTSIDE, "dest_ip": "10.128.0.9"}, src_instance=None, **hostile),
        gcp_entry(connection={"src_ip": "10.128.0.9", "dest_ip": OUTSIDE}, dest_instance=None, **hostile),
        gcp_entry(connection={"src_ip": f"{OUTSIDE} CANARY", "dest_ip": OUTSIDE}),
        gcp_entry("24", src_instance={"vm_name": "\ud83d", "zone": "'; drop table x"}),
    )
    found = list(texts(lake_context.lake))
    assert len(found) > 3
    for path, content in found:
        assert OUTSIDE.encode() not in content and b"CANARY" not in content, path
