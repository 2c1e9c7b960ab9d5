"""Flow logs of Azure: blobs that grow for an hour, counts since the tuple before, both sides of a flow."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.azure_flow_logs.client import check, land, read_records
from connectors.azure_flow_logs.settings import Settings
from connectors.common.contract import LandingContext, Severity, SourceReport
from tests.contract.flow_logs import (
    OUTSIDE,
    START,
    azure_blob,
    azure_tuple,
    in_order,
    json_bytes,
    rows,
    texts,
)
from tests.servers.azurite import AzuriteServer
from tests.servers.backends import AzureBackend

NAME = (
    "flowLogResourceID=/AAAAAAAA_NETWORKWATCHERRG/NETWORKWATCHER_EASTUS_VNET-R-LOG/y=2026/m=11/d=01/h=10/m=00/"
    "macAddress={mac}/PT1H.json"
)
HOUR = datetime(2026, 11, 1, 10)
SENT = {
    "window_start": HOUR,
    "window_end": HOUR + timedelta(hours=1),
    "provider": "azure",
    "account_id": "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb",
    "from_workload_ref": "10.1.0.4",
    "from_ref_kind": "address",
    "to_workload_ref": "10.1.0.9",
    "to_ref_kind": "address",
    "emitter_kind": "flow_log",
    "emitter_id": "log-1",
    "seen_from": "sender",
    "seen_at": "00224871c205",
    "bytes": 1000,
}
BACK = {
    **SENT,
    "from_workload_ref": "10.1.0.9",
    "to_workload_ref": "10.1.0.4",
    "seen_from": "receiver",
    "bytes": 70,
}

Deliver = Callable[..., SourceReport]


def blob(*records: dict[str, Any]) -> bytes:
    """A blob as Azure keeps it: always closed."""
    return json_bytes({"records": list(records)})


@pytest.fixture
def deliver(tmp_path: Path, lake_context: LandingContext) -> Deliver:
    """Put one blob into a folder and land it."""

    def put(content: bytes | Iterable[str], mac: str = "00224871C205", **settings: Any) -> SourceReport:
        path = tmp_path / "logs" / NAME.format(mac=mac)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else blob(azure_blob(content, mac)))
        return land(Settings(name="flows", path=str(tmp_path / "logs"), **settings), lake_context)

    return put


def test_a_growing_blob_is_read_again_and_replaces_itself(
    azurite_server: AzuriteServer, lake_context: LandingContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = AzureBackend(azurite_server, monkeypatch)
    name = NAME.format(mac="00224871C205")
    first = azure_blob([azure_tuple("B", "", ""), azure_tuple("C", 1000, 70)])
    backend.put(name, blob(first))
    values = dict(backend.build_values())
    settings = Settings(name="flows", path=values.pop("location"), **values)
    assert [step.is_ok for step in check(settings)].count(False) == 0
    report = land(settings, replace(lake_context, now=datetime(2030, 1, 1)))
    assert rows(report) == in_order([SENT, BACK])
    backend.put(name, blob(first, azure_blob([azure_tuple("E", 24, 7)])))
    grown = land(settings, replace(lake_context, now=datetime(2030, 1, 1, 1)))
    assert rows(grown) == in_order([{**SENT, "bytes": 1024}, {**BACK, "bytes": 77}])
    assert grown.findings == ()


def test_counts_are_those_since_the_tuple_before(deliver: Deliver) -> None:
    """The conversation of Microsoft's own page: 588,096 + 29,952 and 4,610,880 + 27,072 bytes."""
    told = [
        f"{START * 1000},185.170.185.105,10.2.0.4,35370,23,6,I,B,NX,,,,",
        f"{START * 1000 + 1},185.170.185.105,10.2.0.4,35370,23,6,I,C,NX,1021,588096,8005,4610880",
        f"{START * 1000 + 2},185.170.185.105,10.2.0.4,35370,23,6,I,E,NX,52,29952,47,27072",
    ]
    found = {(row["traffic_kind"], row["seen_from"]): row["bytes"] for row in rows(deliver(told))}
    assert found == {("inbound", "receiver"): 618048, ("internet", "sender"): 4637952}
    assert sum(found.values()) == 5256000


def test_both_sides_of_a_flow_say_who_saw_it(deliver: Deliver) -> None:
    deliver([azure_tuple("E", 1000, 70)])
    report = deliver([azure_tuple("E", 1000, 70, direction="I")], mac="00224871C999")
    found = {
        (row["seen_at"], row["from_workload_ref"], row["seen_from"]): row["bytes"] for row in rows(report)
    }
    assert found == {
        ("00224871c205", "10.1.0.4", "sender"): 1000,
        ("00224871c205", "10.1.0.9", "receiver"): 70,
        ("00224871c999", "10.1.0.4", "receiver"): 1000,
        ("00224871c999", "10.1.0.9", "sender"): 70,
    }


def test_denied_and_empty_tuples_carry_nothing(deliver: Deliver) -> None:
    report = deliver([azure_tuple("D", 0, 0), azure_tuple("B", "", ""), azure_tuple("E", 5)])
    assert [row["bytes"] for row in rows(report)] == [5]
    assert report.findings == ()


def test_security_group_logs_are_read_too(deliver: Deliver) -> None:
    record = {
        "time": "2026-11-01T10:05:00Z",
        "category": "NetworkSecurityGroupFlowEvent",
        "resourceId": "/SUBSCRIPTIONS/AAAAAAAA-0000-1111-2222-BBBBBBBBBBBB/X/NETWORKSECURITYGROUPS/NSG-1",
        "properties": {
            "Version": 2,
            "flows": [
                {
                    "rule": "r",
                    "flows": [
                        {
                            "mac": "00224871C205",
                            "flowTuples": [
                                f"{START},10.1.0.4,10.1.0.9,1,443,T,O,A,B,,,,",
                                f"{START},10.1.0.4,10.1.0.9,1,443,T,O,A,E,10,1000,3,70",
                                f"{START},10.1.0.4,10.1.0.9,1,444,T,O,D,B,,,,",
                            ],
                        }
                    ],
                }
            ],
        },
    }
    assert rows(deliver(blob(record))) == in_order(
        [{**SENT, "emitter_id": "nsg-1"}, {**BACK, "emitter_id": "nsg-1"}]
    )


def test_bad_tuples_are_refused_alone(deliver: Deliver) -> None:
    report = deliver(
        [
            azure_tuple("E", 1000),
            azure_tuple("E", -5),
            azure_tuple("E", "1e400"),
            azure_tuple("E", 10**18),
            azure_tuple("E", "9" * 5000),
            azure_tuple("Z", 5),
            azure_tuple("E", 5, direction="X"),
            azure_tuple("E", 5, time=START * 2000),
            azure_tuple("E", 5, time="soon"),
            azure_tuple("E", 5, source="10.0.0.300"),
            azure_tuple("E", 5, target=f"{OUTSIDE} CANARY"),
            "CANARY",
        ]
    )
    assert [row["bytes"] for row in rows(report)] == [1000]
    refused: Counter[str] = Counter()
    for finding in report.findings:
        refused[finding.message.split("): ")[1].split(";")[0]] += finding.count
    assert refused == {
        "negative bytes": 1,
        "bytes are no whole number": 1,
        "more bytes than an interface can carry": 2,
        "a flow tuple of an unknown state": 1,
        "a flow tuple without direction": 1,
        "a time before Azure wrote flow logs or in the future": 1,
        "a flow tuple without time": 1,
        "no address": 2,
        "a flow tuple without 13 fields": 1,
    }
    assert "CANARY" not in str(report.findings)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (blob(azure_blob([azure_tuple()]))[:-3], "unreadable_file"),
        (gzip.compress(blob(azure_blob([azure_tuple()])))[:-9], "unreadable_file"),
        (b"\x00\xff" * 999, "unknown_format"),
        (b'{"records": []}', "unknown_format"),
        (b'{"records": [{"time": 1e999}]}', "unreadable_file"),
        (b"", "unknown_format"),
    ],
    ids=["cut off", "cut gzip", "binary", "no records", "no number", "empty"],
)
def test_a_blob_that_is_no_flow_log_is_refused_whole(deliver: Deliver, content: bytes, kind: str) -> None:
    report = deliver(content)
    assert rows(report) == []
    assert [(finding.kind, finding.severity) for finding in report.findings] == [(kind, Severity.FAULT)]


def test_a_record_of_another_kind_is_refused_alone(deliver: Deliver) -> None:
    others = [{"time": "x"}, {"flowRecords": {"flows": 5}}, {"properties": []}]
    report = deliver(blob(*others, azure_blob([azure_tuple()])))
    assert [row["bytes"] for row in rows(report)] == [1000]
    assert [finding.count for finding in report.findings] == [3]


def test_records_are_found_wherever_a_chunk_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Braces, quotes and backslashes within texts are no marks of records."""
    records = [{"text": text, "deep": {"a": [{"b": text}]}} for text in ('}"{', "\\", '\\"}', "é{", "")]
    content = json.dumps({"records": records, "more": {"x": "{"}}).encode()
    path = tmp_path / "blob.json"
    path.write_bytes(content)
    for size in range(1, 40):
        monkeypatch.setattr("connectors.azure_flow_logs.client._CHUNK", size)
        assert list(read_records(path)) == [*records, {"x": "{"}], size


def test_no_outside_address_reaches_the_lake(deliver: Deliver, lake_context: LandingContext) -> None:
    deliver(
        [azure_tuple("E", 10, 10, target=OUTSIDE), azure_tuple("E", 10, 10, source=OUTSIDE, direction="I")]
    )
    found = list(texts(lake_context.lake))
    assert len(found) > 3
    for path, content in found:
        assert OUTSIDE.encode() not in content, path
