"""core.physical_weights: bytes and volumes go to a workload's feature, then to its users, and none is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.sql.small_bill import DAY, call, flow, run

WORKLOADS = [{"workload_ref": "i-1", "ref_kind": "instance", "feature": "search", "team": "find"}]
COLUMNS = "feature, team, residual_reason, from_zone, to_zone, weight"
ALL = "pool_key like '%' || chr(31) || 'all'"


def test_bytes_go_to_the_workloads_feature() -> None:
    found = _weights(transfers=[flow(100, "i-1"), flow(5, "i-1")])
    assert found == [("search", "find", None, None, None, 105)]


def test_bytes_of_a_feature_go_to_its_users_by_their_tokens() -> None:
    """Ann used three of four tokens of search; what bob used of chat counts nothing here."""
    calls = [
        call("ann", 300, feature="search"),
        call("cyd", 100, feature="search"),
        call("bob", 9000, feature="chat"),
    ]
    found = run(
        "core.owners_daily",
        "user_id, owners_daily.feature, weight",
        join="core.physical_weights using (charge_date, owner_id)",
        where=ALL,
        transfers=[flow(1001, "i-1")],
        workloads=WORKLOADS,
        requests=calls,
    )
    assert found == [("ann", "search", 750), ("cyd", "search", 251)]


def test_an_unknown_workload_keeps_its_bytes_under_a_reason() -> None:
    found = _weights(transfers=[flow(100, "i-9"), flow(50, None), flow(7, "i-1")])
    assert found == [
        ("search", "find", None, None, None, 7),
        (None, None, "unknown_workload", None, None, 150),
    ]


def test_zone_names_become_zone_ids_of_the_same_account() -> None:
    zones = [
        {"provider": "aws", "account_id": "111", "zone_name": "us-east-1a", "zone_id": "use1-az4"},
        {"provider": "aws", "account_id": "222", "zone_name": "us-east-1a", "zone_id": "use1-az6"},
        {"provider": "gcp", "account_id": "111", "zone_name": "us-east-1a", "zone_id": "wrong"},
    ]
    found = _weights(transfers=[flow(100, "i-1", ("us-east-1a", "us-east-1b"))], zones=zones)
    assert found == [("search", "find", None, "use1-az4", "us-east-1b", 100)]


def test_bytes_count_once_though_both_zones_have_a_pool() -> None:
    found = run(
        "core.physical_weights",
        "replace(pool_key, chr(31), '/') as pool, weight, bytes",
        transfers=[flow(100, "i-1", ("a", "b")), flow(7, "i-1", ("b", "b"))],
        workloads=WORKLOADS,
    )
    assert found == [
        ("egress/aws/inter_az/a", 100, 100),
        ("egress/aws/inter_az/all", 7, 7),
        ("egress/aws/inter_az/all", 100, 100),
        ("egress/aws/inter_az/b", 7, 7),
        ("egress/aws/inter_az/b", 100, 0),
    ]


def test_a_workload_is_what_it_was_on_that_day() -> None:
    """A newer statement begins on the second: the first of November is still the older one's, and only its."""
    newer = {"workload_ref": "i-1", "feature": "chat", "valid_from": datetime(2026, 11, 2)}
    second = flow(30, "i-1") | {
        "window_start": DAY + timedelta(days=1),
        "window_end": DAY + timedelta(days=2),
    }
    found = run(
        "core.physical_weights",
        "charge_date, feature, weight",
        where=ALL,
        transfers=[flow(100, "i-1"), second],
        workloads=[*WORKLOADS, newer],
    )
    assert [(day.day, feature, weight) for day, feature, weight in found] == [
        (1, "search", 100),
        (2, "chat", 30),
    ]


def test_telemetry_goes_to_its_emitter_by_volume() -> None:
    volume = {"window_start": DAY, "window_end": DAY + timedelta(hours=1), "provider": "aws", "signal": "log"}
    telemetry = [
        volume | {"workload_ref": "/app/search", "volume_bytes": 10},
        volume | {"workload_ref": "/app/search", "volume_bytes": 20, "signal": "metric"},
        volume | {"workload_ref": "/other", "volume_bytes": 4},
    ]
    workloads = [{"workload_ref": "/app/search", "feature": "search"}]
    found = run(
        "core.physical_weights",
        "replace(pool_key, chr(31), '/') as pool, feature, residual_reason, weight",
        telemetry=telemetry,
        workloads=workloads,
    )
    assert found == [
        ("monitoring/aws//app/search", "search", None, 30),
        ("monitoring/aws//app/search/log", "search", None, 10),
        ("monitoring/aws//app/search/metric", "search", None, 20),
        ("monitoring/aws//other", None, "unknown_workload", 4),
        ("monitoring/aws//other/log", None, "unknown_workload", 4),
        ("monitoring/aws/all", "search", None, 30),
        ("monitoring/aws/all", None, "unknown_workload", 4),
        ("monitoring/aws/all/log", "search", None, 10),
        ("monitoring/aws/all/log", None, "unknown_workload", 4),
        ("monitoring/aws/all/metric", "search", None, 20),
    ]


def _weights(**lake: Any) -> list[tuple[Any, ...]]:
    return run("core.physical_weights", COLUMNS, where=ALL, workloads=WORKLOADS, **lake)


def test_pools_of_google_cloud_are_named_as_its_bills_name_it() -> None:
    found = run(
        "core.physical_weights",
        "replace(pool_key, chr(31), '/') as pool, weight",
        where=ALL,
        transfers=[flow(100, "i-1") | {"provider": "gcp"}],
        workloads=WORKLOADS,
    )
    assert found == [("egress/google/inter_az/all", 100)]
