"""core.transfers: each flow once, its zones and kind, and one source a pair of zones."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.transfer_files.settings import Settings as FileSettings
from pipelines.config.model import Config
from tests.sql.small_bill import DAY, call, run

A, B, C = "10.0.1.5", "10.0.2.9", "10.0.3.7"
AZ1, AZ2, AZ3 = "use1-az1", "use1-az2", "use1-az3"
NAT = "10.0.0.220"


def log(
    size: int, sender: str | None = A, receiver: str | None = B, seen: str = "sender", **changes: Any
) -> dict[str, Any]:
    """An hour of a flow as one interface recorded it."""
    at = {"sender": sender, "receiver": receiver}.get(seen or "", "gate")
    return {
        "x_source": "logs",
        "window_start": DAY + timedelta(hours=1),
        "window_end": DAY + timedelta(hours=2),
        "provider": "aws",
        "account_id": "111",
        "from_workload_ref": sender,
        "to_workload_ref": receiver,
        "from_ref_kind": sender and "address",
        "to_ref_kind": receiver and "address",
        "emitter_kind": "flow_log",
        "emitter_id": "fl-1",
        "seen_from": seen,
        "seen_at": f"eni-{at}",
        "bytes": size,
        **changes,
    }


def both(size: int, zones: tuple[str, str] = (AZ1, AZ2), **changes: Any) -> list[dict[str, Any]]:
    """A flow that both of its ends recorded."""
    return [
        log(size, from_zone=zones[0], **changes),
        log(size, seen="receiver", to_zone=zones[1], **changes),
    ]


def file(size: int, zones: tuple[str | None, str | None] = (AZ1, AZ2), **changes: Any) -> dict[str, Any]:
    """Bytes that a plain file states."""
    return {
        "x_source": "files",
        "window_start": DAY,
        "window_end": DAY + timedelta(days=1),
        "provider": "aws",
        "traffic_kind": "inter_az",
        "from_zone": zones[0],
        "to_zone": zones[1],
        "bytes": size,
        **changes,
    }


def traced(size: int, answer: int = 0, zones: tuple[str, str] = (AZ1, AZ2), **changes: Any) -> dict[str, Any]:
    """A call between zones."""
    ends: dict[str, Any] = {"from_zone": zones[0], "to_zone": zones[1]}
    return call(
        "ann", 100, **ends, request_bytes=size, response_bytes=answer, **{"feature": "search", **changes}
    )


def flows(
    columns: str, where: str = "is_used", config: Config | None = None, **lake: Any
) -> list[tuple[Any, ...]]:
    return run("core.transfers", columns, where=where, config=config, **lake)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (both(100), [("inter_az", AZ1, AZ2, 100)]),
        (both(100, (AZ1, AZ1)), [("same_zone", AZ1, AZ1, 100)]),
        (both(100, (AZ1, "euw1-az2")), [("inter_region", AZ1, "euw1-az2", 100)]),
        (both(100, traffic_kind="peering"), [("peering", AZ1, AZ2, 100)]),
        ([log(100, from_zone=AZ1)], [("other", AZ1, None, 100)]),
        ([log(100, seen="receiver", to_zone=AZ2)], [("other", None, AZ2, 100)]),
        ([log(100, None, B, "receiver", traffic_kind="inbound", to_zone=AZ2)], [("inbound", None, AZ2, 100)]),
    ],
    ids=["both ends", "same zone", "regions", "stated", "sender only", "receiver only", "inbound"],
)
def test_a_flow_counts_once_with_the_zones_that_both_ends_told(
    rows: list[dict[str, Any]], expected: list[tuple[Any, ...]]
) -> None:
    assert flows("traffic_kind, from_zone, to_zone, bytes", transfers=rows) == expected


def test_the_receiver_counts_only_in_hours_in_which_the_sender_was_not_recorded() -> None:
    later: dict[str, Any] = {"window_start": DAY + timedelta(hours=2), "window_end": DAY + timedelta(hours=3)}
    rows = [*both(100), log(7, seen="receiver", to_zone=AZ2, **later)]
    assert flows("bytes, from_zone, to_zone", transfers=rows) == [(107, AZ1, AZ2)]


def test_a_zone_is_known_from_any_flow_of_the_address_that_day() -> None:
    """B is recorded as a sender to C; that it is in az2 holds for what A sends it too."""
    rows = [log(100, from_zone=AZ1), log(3, B, C, from_zone=AZ2), log(3, B, C, "receiver", to_zone=AZ3)]
    assert flows("from_zone, to_zone, bytes", transfers=rows) == [(AZ1, AZ2, 100), (AZ2, AZ3, 3)]


def test_a_zone_may_come_from_the_inventory_by_its_name_in_the_account() -> None:
    zones = [
        {
            "provider": "aws",
            "account_id": "111",
            "zone_name": "us-east-1a",
            "zone_id": AZ1,
            "region_id": "us-east-1",
        },
        {
            "provider": "aws",
            "account_id": "111",
            "zone_name": "us-east-1b",
            "zone_id": AZ2,
            "region_id": "us-east-1",
        },
    ]
    known = [{"workload_ref": B, "ref_kind": "address", "zone": "us-east-1b"}]
    found = flows(
        "traffic_kind, from_zone, to_zone", transfers=[log(100, from_zone=AZ1)], zones=zones, workloads=known
    )
    assert found == [("inter_az", AZ1, AZ2)]


def test_an_address_of_two_accounts_is_in_the_zone_of_each() -> None:
    rows = [
        *both(100),
        log(5, account_id="222", from_zone=AZ3, seen_at="eni-other"),
        log(5, account_id="222", seen="receiver", to_zone=AZ3, seen_at="eni-there"),
    ]
    found = flows("account_id, from_zone, to_zone, bytes", transfers=rows)
    assert found == [("111", AZ1, AZ2, 100), ("222", AZ3, AZ3, 5)]


def nat_hour(zone: str = AZ1) -> list[dict[str, Any]]:
    """What a machine sends out by a NAT gateway, as its own and the gateway's interface record it."""
    out: dict[str, Any] = {"traffic_kind": "internet", "to_ref_kind": None}
    gate: dict[str, Any] = {"seen_at": "eni-nat"}
    return [
        log(70, A, None, from_zone=AZ1, **out),
        log(70, A, None, "receiver", **(out | gate)),
        log(70, A, None, "passing", traffic_kind="nat", through_ref=NAT, to_zone=zone, **gate),
        log(70, NAT, None, from_zone=zone, **(out | gate)),
        log(9, None, NAT, "receiver", traffic_kind="inbound", to_zone=zone, **gate),
    ]


def test_what_passes_a_nat_gateway_was_sent_by_those_behind_it() -> None:
    found = flows("traffic_kind, from_workload_ref, from_zone, to_zone, bytes", transfers=nat_hour())
    assert found == [("internet", A, AZ1, None, 70), ("nat", A, AZ1, AZ1, 70)]


def test_bytes_to_a_nat_gateway_in_another_zone_cross_zones_too() -> None:
    found = flows("traffic_kind, from_zone, to_zone, bytes", transfers=nat_hour(AZ2))
    assert found == [("inter_az", AZ1, AZ2, 70), ("internet", AZ1, None, 70), ("nat", AZ1, AZ2, 70)]


def test_a_sender_behind_a_gateway_that_is_not_recorded_itself_is_known_from_the_gateway() -> None:
    rows = [row for row in nat_hour() if row["seen_at"] == "eni-nat"]
    found = flows("traffic_kind, from_workload_ref, bytes", transfers=rows)
    assert found == [("internet", A, 70), ("nat", A, 70)]


def test_a_way_through_a_transit_gateway_is_transit() -> None:
    gates = [log(100, seen="passing", traffic_kind="transit", seen_at=f"eni-tgw{n}") for n in (1, 2)]
    assert flows("traffic_kind, bytes", transfers=[*both(100), *gates]) == [("transit", 100)]
    assert flows("traffic_kind, bytes", transfers=gates) == [("transit", 100)]


def test_without_a_direction_one_of_both_interfaces_counts() -> None:
    rows = [log(100, seen_from=None, seen_at=f"eni-{n}") for n in ("b", "a")]
    assert flows("bytes", transfers=rows) == [(100,)]


def test_an_interface_that_two_flow_logs_record_counts_once() -> None:
    rows = [*both(100), *both(100, emitter_id="fl-2"), *both(100, x_source="more_logs")]
    assert flows("x_source, bytes", transfers=rows) == [("logs", 100)]
    only_there = log(5, C, B, x_source="more_logs", from_zone=AZ3)
    found = flows("x_source, from_zone, bytes", transfers=[*rows, only_there])
    assert found == [("logs", AZ1, 100), ("more_logs", AZ3, 5)]


def sources(*names: str) -> Config:
    return Config(
        sources=tuple(FileSettings(name=n, connector="transfer_files", path=Path(n)) for n in names)
    )


def test_of_two_flow_logs_or_files_the_first_in_the_config_counts() -> None:
    logs = [*both(100), *both(90, x_source="more_logs")]
    assert flows("x_source, bytes", transfers=logs, config=sources("more_logs", "logs")) == [
        ("more_logs", 90)
    ]
    files = [file(100), file(90, x_source="more")]
    assert flows("x_source, bytes", transfers=files, config=sources("more", "files")) == [("more", 90)]
    assert flows("x_source, bytes", transfers=files) == [("files", 100)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("logs files traces", [("flow_log", 100)]),
        ("files traces", [("file", 55)]),
        ("logs traces", [("flow_log", 100)]),
        ("traces", [("trace", 33)]),
    ],
)
def test_one_kind_of_source_counts_for_a_pair_of_zones(given: str, expected: list[tuple[str, int]]) -> None:
    transfers = (both(100) if "logs" in given else []) + ([file(55)] if "files" in given else [])
    requests = [traced(33)] if "traces" in given else []
    assert flows("emitter_kind, bytes", transfers=transfers, requests=requests) == expected


def test_another_pair_keeps_its_own_source() -> None:
    found = flows(
        "emitter_kind, from_zone, to_zone, bytes",
        transfers=[*both(100), file(55), file(44, (AZ2, AZ3))],
        requests=[traced(33), traced(22, 11, (AZ3, AZ1))],
    )
    assert found == [
        ("file", AZ2, AZ3, 44),
        ("flow_log", AZ1, AZ2, 100),
        ("trace", AZ1, AZ3, 11),
        ("trace", AZ3, AZ1, 22),
    ]


def test_a_file_of_another_account_is_not_covered() -> None:
    """A flow log of account 111 says nothing of what 222 sends; a row without account may be of either."""
    rows = [*both(100), file(55, account_id="222"), file(44)]
    found = flows("emitter_kind, account_id, bytes", transfers=rows)
    assert found == [("file", "222", 55), ("flow_log", "111", 100)]


def test_what_is_not_used_is_shown() -> None:
    found = flows(
        "emitter_kind, is_used, bytes", "true", transfers=[*both(100), file(55)], requests=[traced(33)]
    )
    assert found == [("file", False, 55), ("flow_log", True, 100), ("trace", False, 33)]


def test_traced_bytes_belong_to_the_caller() -> None:
    found = run(
        "core.owners_daily",
        "user_id, owners_daily.feature, residual_reason, weight",
        join="core.physical_weights using (charge_date, owner_id)",
        where="pool_key like '%' || chr(31) || 'all'",
        requests=[traced(30, 4), traced(5, feature=None, minute=3)],
    )
    assert found == [("ann", "search", None, 4), ("ann", "search", None, 30), ("ann", None, None, 5)]


def test_calls_without_both_zones_are_no_traffic() -> None:
    assert flows("bytes", "true", requests=[traced(30, zones=(AZ1, None))]) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zones", "provider", "kind"),
    [
        (("us-central1-a", "us-central1-b"), "gcp", "inter_az"),
        (("us-central1-a", "europe-west4-b"), "gcp", "inter_region"),
        (("eastus-1", "eastus-2"), "azure", "inter_az"),
        (("us-east-1a", "us-east-1b"), "aws", "inter_az"),
        (("use1-az1", "use1-az1"), "aws", "same_zone"),
    ],
)
def test_zones_tell_the_cloud_of_a_traced_call(zones: tuple[str, str], provider: str, kind: str) -> None:
    assert flows("provider, traffic_kind, bytes", requests=[traced(30, zones=zones)]) == [
        (provider, kind, 30)
    ]


def test_days_stand_for_themselves() -> None:
    """A flow log that begins tomorrow leaves today's files in place."""
    tomorrow: dict[str, Any] = {
        "window_start": DAY + timedelta(days=1),
        "window_end": DAY + timedelta(days=1, hours=1),
    }
    found = flows(
        "charge_date, emitter_kind, bytes", transfers=[file(55), file(9, **tomorrow), *both(100, **tomorrow)]
    )
    assert found == [
        (datetime(2026, 11, 1).date(), "file", 55),
        (datetime(2026, 11, 2).date(), "flow_log", 100),
    ]
