"""A night in which flow logs split what crossing zones costs: to workloads, to their users, to the last digit."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.contract.flow_logs import OUTSIDE, file_name, other_side, record, text_file, texts
from tests.integration.mini_company import Company, Outcome, write_csv

CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: bill, connector: focus_files, path: bill}
  - name: calls
    connector: request_files
    path: calls
    columns: {started_at: time, provider: provider, model: model, user_id: user, feature: feature,
              input_tokens: input, output_tokens: output}
  - {name: flow_logs, connector: aws_flow_logs, path: logs}
  - {name: estimates, connector: transfer_files, path: estimates}
  - {name: pods, connector: kubernetes_files, path: pods, provider: aws}
tags: {feature: [feature]}
"""
SEARCH, CHAT, DATABASE, STRANGER = "10.0.1.5", "10.0.1.6", "10.0.2.9", "10.0.1.7"
CROSSING = {
    "ServiceName": "Amazon EC2",
    "ServiceCategory": "Compute",
    "AvailabilityZone": "",
    "ResourceId": "",
    "Tags": "{}",
    "ListCost": "10",
    "EffectiveCost": "10",
}


def pod(name: str, address: str, feature: str, started: str = "2026-10-30T00:00:00Z") -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"feature": feature}},
        "spec": {"nodeName": "n1"},
        "status": {"podIP": address, "startTime": started},
    }


def list_pods(company: Company, time: str, *pods: dict[str, Any]) -> None:
    """Write a list as the README's cron job does."""
    path = company.folder / "pods" / f"{time}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"kind": "List", "items": list(pods)}))


def write_logs(company: Company, *lines: str, name: str = "aa") -> None:
    path = company.folder / "logs" / file_name(hash_=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text_file(lines))


def crossing(sender: str, size: int, hour: int = 10) -> list[str]:
    """Bytes to the database in another zone, as both interfaces record them."""
    start = int(datetime(2026, 11, 1, hour, 5, tzinfo=UTC).timestamp())
    ends: dict[str, Any] = {
        "srcaddr": sender,
        "dstaddr": DATABASE,
        "bytes": size,
        "start": start,
        "end": start + 60,
    }
    return [record(instance_id=f"i-{sender}", **ends), record(**other_side(**ends))]


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """Three senders of 6, 2 and 2 GB across zones, one of them unknown; search has two users, three to one."""
    (tmp_path / "everycent.yml").write_text(CONFIG)
    found = Company(tmp_path)
    meters = ("USE1-DataTransfer-Regional-Bytes-In", "USE1-DataTransfer-Regional-Bytes-Out")
    found.write_bill("bill/bill.csv", [{**CROSSING, "SkuMeter": meter} for meter in meters])
    found.write_calls([{"user": "ann", "input": "2900"}, {"user": "ben", "input": "900"}])
    flow = {
        "window_start": "2026-11-01T00:00:00Z",
        "window_end": "2026-11-02T00:00:00Z",
        "provider": "aws",
        "traffic_kind": "inter_az",
        "from_zone": "use1-az1",
        "to_zone": "use1-az2",
        "from_workload_ref": STRANGER,
        "bytes": "77000000000",
    }
    write_csv(found.folder / "estimates" / "flows.csv", [flow], flow)
    lists = (pod("search", SEARCH, "search"), pod("chat", CHAT, "chat"), pod("db", DATABASE, "storage"))
    list_pods(found, "20261101T0000Z", *lists)
    lines = [*crossing(SEARCH, 6 * 10**9), *crossing(CHAT, 2 * 10**9), *crossing(STRANGER, 2 * 10**9)]
    write_logs(found, *lines, record(dstaddr=OUTSIDE, traffic_path=8, bytes=10**12))
    return found


def costs(outcome: Outcome) -> dict[tuple[Any, ...], Decimal]:
    """Billed cost of crossing zones by user, feature and residual."""
    found = outcome.query(
        "select user_id, feature, residual_reason, sum(billed_cost) as cost from marts.cost_daily "
        "where traffic_kind = 'inter_az' group by all order by all"
    )
    return {(row["user_id"], row["feature"], row["residual_reason"]): row["cost"] for row in found}


def test_in_and_out_lines_are_split_by_who_sent(company: Company) -> None:
    """20 dollars over 6, 2 (chat) and 2 (unknown) GB; the receiver knows the unknown sender's bytes as its own.

    The third sender is in no list, so its bytes belong to the database that took them.
    """
    outcome = company.night()
    assert [finding for finding in outcome.findings if finding.severity == "fault"] == []
    assert costs(outcome) == {
        ("ann", "search", None): Decimal(9),
        ("ben", "search", None): Decimal(3),
        (None, "chat", None): Decimal(4),
        (None, "storage", None): Decimal(4),
    }
    (sizes,) = outcome.query(
        "select cast(sum(bytes) as bigint) as bytes from core.transfers where is_used and traffic_kind = 'inter_az'"
    )
    assert sizes == {"bytes": 10**10}
    assert outcome.completeness("estimates") >= {("overlapping_transfers", "ok")}
    for path, content in texts(company.folder / "home"):
        assert OUTSIDE.encode() not in content, path


def test_an_unknown_pair_is_a_residual_with_its_addresses_named(company: Company) -> None:
    write_logs(
        company, *[line.replace(DATABASE, "10.0.2.77") for line in crossing(STRANGER, 10**10)], name="bb"
    )
    outcome = company.night()
    assert costs(outcome)[None, None, "unknown_workload"] == Decimal(10)
    assert sum(costs(outcome).values()) == Decimal(20)
    assert ("unknown_workloads", "ok") in outcome.completeness("transfers")


def test_an_address_that_changed_hands_pays_by_the_hour(company: Company) -> None:
    """Search had the address until noon, then chat: a late file of that day restates it."""
    before = company.night()
    assert costs(before)[None, "chat", None] == Decimal(4)
    taken = pod("chat-2", SEARCH, "chat", "2026-11-01T12:00:00Z")
    list_pods(company, "20261105T0000Z", taken, pod("chat", CHAT, "chat"), pod("db", DATABASE, "storage"))
    write_logs(company, *crossing(SEARCH, 10**10, hour=15), name="late")
    after = company.night()
    assert costs(after) == {
        ("ann", "search", None): Decimal("4.5"),
        ("ben", "search", None): Decimal("1.5"),
        (None, "chat", None): Decimal(12),
        (None, "storage", None): Decimal(2),
    }


def test_without_flow_logs_the_files_decide(company: Company) -> None:
    for path in (company.folder / "logs").rglob("*.gz"):
        path.unlink()
    write_logs(company, record(log_status="NODATA", bytes="-", srcaddr="-", dstaddr="-"))
    assert costs(company.night()) == {(None, None, "unknown_workload"): Decimal(20)}
