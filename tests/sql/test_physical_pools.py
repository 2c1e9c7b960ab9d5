"""Which traffic and telemetry a bill line is split by: the sender's account and region, the meter's signal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.sql.small_bill import DAY, Row, flow, line, run

WHO = "feature, residual_reason, a.effective_cost, a.bytes"
JOIN = "core.attributed_costs as a using (charge_date, owner_id)"
WORKLOADS = [
    {"workload_ref": "i-1", "ref_kind": "instance", "feature": "search"},
    {"workload_ref": "i-2", "ref_kind": "instance", "feature": "chat"},
]
ZONES = [
    {"provider": "aws", "account_id": "111", "zone_name": "a", "zone_id": "a", "region_id": "us-east-1"},
    {"provider": "aws", "account_id": "111", "zone_name": "b", "zone_id": "b", "region_id": "eu-west-1"},
]
OUT: dict[str, Any] = {"sku_meter": "DataTransfer-Out-Bytes"}
NAT: dict[str, Any] = {"sku_meter": "NatGateway-Hours"}


def _sent(size: int, workload: str, account: str | None, zone: str | None, kind: str = "internet") -> Row:
    return {**flow(size, workload, (zone, None)), "account_id": account, "traffic_kind": kind}


def _shares(charges: list[dict[str, Any]], transfers: list[Row]) -> list[tuple[Any, ...]]:
    return run(
        "core.owners_daily",
        WHO,
        join=JOIN,
        charges=charges,
        transfers=transfers,
        workloads=WORKLOADS,
        zones=ZONES,
    )


@pytest.mark.parametrize(("kind", "meter"), [("internet", OUT), ("nat", NAT)])
def test_an_account_pays_for_what_it_sent(kind: str, meter: dict[str, Any]) -> None:
    charges = [line("a", "4", sub_account_id="111", **meter), line("b", "40", sub_account_id="222", **meter)]
    transfers = [_sent(100, "i-1", "111", None, kind), _sent(300, "i-2", "222", None, kind)]
    assert _shares(charges, transfers) == [("chat", None, "40", 300), ("search", None, "4", 100)]


def test_a_region_pays_for_what_was_sent_from_it() -> None:
    regions = [line("a", "4", region_id="us-east-1", **OUT), line("b", "40", region_id="eu-west-1", **OUT)]
    transfers = [_sent(100, "i-1", "111", "a"), _sent(300, "i-2", "111", "b")]
    assert _shares(regions, transfers) == [("chat", None, "40", 300), ("search", None, "4", 100)]


def test_an_account_whose_traffic_nobody_recorded_is_not_charged_to_others() -> None:
    charges = [line("a", "4", sub_account_id="111", **OUT), line("b", "40", sub_account_id="222", **OUT)]
    assert _shares(charges, [_sent(100, "i-1", "111", None)]) == [
        ("search", None, "4", 100),
        (None, "unknown_workload", "40", 0),
    ]


@pytest.mark.parametrize("stranger", [None, "333"])
def test_where_a_sender_is_not_told_all_share_and_bytes_count_once(stranger: str | None) -> None:
    """One flow states no account, or one that the bill does not know: 400 bytes go over both lines."""
    charges = [line("a", "4", sub_account_id="111", **OUT), line("b", "40", sub_account_id="222", **OUT)]
    found = _shares(charges, [_sent(100, "i-1", "111", None), _sent(300, "i-2", stranger, None)])
    assert sorted((feature, cost) for feature, _, cost, _ in found) == [
        ("chat", "3"),
        ("chat", "30"),
        ("search", "1"),
        ("search", "10"),
    ]
    assert sum(size for *_, size in found) == 400


@pytest.mark.parametrize(
    ("meter", "search", "chat"),
    [
        ("DataProcessing-Bytes", "2", "6"),
        ("CW:MetricMonitorUsage", "6", "2"),
        ("XRay-TracesStored", "4", "4"),
    ],
    ids=["logs", "metrics", "traces, of which no volume is known"],
)
def test_a_meter_of_one_signal_is_split_by_that_signal(meter: str, search: str, chat: str) -> None:
    sizes = {("i-1", "log"): 10, ("i-2", "log"): 30, ("i-1", "metric"): 30, ("i-2", "metric"): 10}
    telemetry = [
        {
            "window_start": DAY,
            "window_end": DAY + timedelta(hours=1),
            "provider": "aws",
            "signal": signal,
            "workload_ref": workload,
            "volume_bytes": size,
        }
        for (workload, signal), size in sizes.items()
    ]
    found = run(
        "core.owners_daily",
        "feature, a.effective_cost",
        join=JOIN,
        charges=[line(cost="8", service_name="AmazonCloudWatch", sku_meter=meter)],
        telemetry=telemetry,
        workloads=WORKLOADS,
    )
    assert found == [("chat", chat), ("search", search)]
