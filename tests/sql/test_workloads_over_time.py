"""staging.workloads and what a flow belongs to: addresses are reused, lists replace each other, sources are ranked."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.workload_files.settings import Settings as WorkloadSettings
from pipelines.config.model import Config
from tests.sql.harness import run_model
from tests.sql.small_bill import DAY, line, run

IP = "10.0.1.5"


def at(hour: int, minute: int = 0) -> datetime:
    return DAY + timedelta(hours=hour, minutes=minute)


def states(
    feature: str | None, begins: datetime | None = None, ends: datetime | None = None, **more: Any
) -> dict[str, Any]:
    """A statement about the address."""
    kind = {"workload_ref": IP, "ref_kind": "address", "x_source": "inventory", "x_snapshot_id": "s"}
    return {**kind, "feature": feature, "valid_from": begins, "valid_to": ends, **more}


def listed(look: datetime, feature: str, begins: datetime | None = None, **more: Any) -> dict[str, Any]:
    """A row of a list of all pods that was made at a time."""
    told = {"observed_at": look, "inventory_series": "pods", "x_source": "pods"}
    return states(feature, begins, **{**told, **more})


def other(look: datetime) -> dict[str, Any]:
    """Another pod, so that a list without ours is there."""
    return listed(look, "else", workload_ref="10.9.9.9")


def timeline(*rows: dict[str, Any], config: Config | None = None, ref: str = IP) -> list[tuple[Any, ...]]:
    """(feature, begins, ends) as hours of the first of November."""
    found = run(
        "staging.workloads",
        "valid_from, valid_to, feature",
        where=f"workload_ref = '{ref}'",
        workloads=rows,
        config=config,
    )
    return [(feature, _hour(begins), _hour(ends)) for begins, ends, feature in found]


def _hour(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - DAY).total_seconds() / 3600


def test_a_statement_holds_until_the_next_begins() -> None:
    assert timeline(states("search"), states("chat", at(10))) == [("chat", 10, None), ("search", None, 10)]


def test_what_ended_is_nobodys_until_it_is_named_again() -> None:
    found = timeline(states("search", at(1), at(4)), states("chat", at(6)))
    assert found == [("search", 1, 4), ("chat", 6, None)]


def test_an_end_that_was_learnt_later_counts() -> None:
    """An inventory says first that a thing is there, and later, of the same thing, until when it was."""
    found = timeline(states("search", at(1)), states("search", at(1), at(4), x_snapshot_id="a later one"))
    assert found == [("search", 1, 4)]


def test_a_pod_that_the_next_list_lacks_has_ended_then() -> None:
    rows = [
        listed(at(1), "search", at(0, 30)),
        listed(at(2), "search", at(0, 30)),
        other(at(1)),
        other(at(2)),
        other(at(3)),
    ]
    assert timeline(*rows) == [("search", 0.5, 3)]


def test_the_newest_list_holds_on() -> None:
    assert timeline(listed(at(1), "search", at(0, 30)), other(at(1))) == [("search", 0.5, None)]


def test_an_address_that_another_pod_got_belongs_to_it_since_that_began() -> None:
    rows = [listed(at(1), "search", at(0, 30)), listed(at(2), "chat", at(1, 15))]
    assert timeline(*rows) == [("search", 0.5, 1.25), ("chat", 1.25, None)]


def test_a_label_that_changed_counts_since_it_was_seen() -> None:
    rows = [listed(at(1), "search", at(0, 30)), listed(at(2), "chat", at(0, 30))]
    assert timeline(*rows) == [("search", 0.5, 2), ("chat", 2, None)]


def test_what_comes_back_is_there_again() -> None:
    rows = [listed(at(1), "search", at(0)), other(at(2)), listed(at(3), "search", at(0)), other(at(3))]
    assert timeline(*rows) == [("search", 0, 2), ("search", 3, None)]


def test_lists_of_another_series_end_nothing() -> None:
    """Two clusters, or pods and services in files of their own."""
    rows = [listed(at(1), "search", at(0)), {**other(at(2)), "inventory_series": "another cluster"}]
    assert timeline(*rows) == [("search", 0, None)]


def test_of_two_sources_one_that_names_a_feature_counts() -> None:
    rows = [states(None, at(0)), states("search", at(2), at(4), x_source="pods")]
    assert timeline(*rows) == [(None, 0, 2), ("search", 2, 4), (None, 4, None)]


@pytest.mark.parametrize(("first", "feature"), [("inventory", "chat"), ("pods", "search")])
def test_of_two_sources_that_name_features_the_first_in_the_config_counts(first: str, feature: str) -> None:
    names = sorted(("inventory", "pods"), key=lambda name: name != first)
    config = Config(
        sources=tuple(WorkloadSettings(name=n, connector="workload_files", path=Path(n)) for n in names)
    )
    rows = [states("chat", at(1)), states("search", at(1), x_source="pods")]
    assert timeline(*rows, config=config) == [(feature, 1, None)]


def test_the_order_of_statements_says_nothing() -> None:
    rows = [
        listed(at(1), "search", at(0, 30)),
        listed(at(2), "chat", at(1, 15)),
        states("batch", at(0), at(3)),
        states(None, at(5)),
        other(at(3)),
    ]
    assert timeline(*rows) == timeline(*rows[::-1])


def test_kinds_of_reference_are_apart() -> None:
    """A pod and a service may have one name: neither ends the other."""
    pod = states("search", at(1), workload_ref="shop/web", ref_kind="pod")
    service = states("chat", at(2), workload_ref="shop/web", ref_kind="service")
    assert timeline(pod, service, ref="shop/web") == [("search", 1, None), ("chat", 2, None)]


def flow(hour: int, size: int, **changes: Any) -> dict[str, Any]:
    """An hour that an address sent."""
    return {
        "window_start": at(hour),
        "window_end": at(hour + 1),
        "provider": "aws",
        "traffic_kind": "internet",
        "from_workload_ref": IP,
        "from_ref_kind": "address",
        "emitter_kind": "flow_log",
        "seen_from": "sender",
        "bytes": size,
        **changes,
    }


def owners(*flows: dict[str, Any], workloads: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return run(
        "core.transfers",
        "feature, cast(sum(bytes) as bigint)",
        group="feature",
        transfers=flows,
        workloads=workloads,
    )


def test_bytes_belong_to_who_had_the_address_then() -> None:
    """Half a day search, then an hour nobody, then chat: the day's bytes are theirs by the hour."""
    known = [states("search", at(0), at(12)), states("chat", at(13))]
    found = owners(flow(3, 100), flow(11, 10), flow(12, 5), flow(13, 7), flow(20, 1), workloads=known)
    assert found == [("chat", 8), ("search", 110), (None, 5)]


def test_an_hour_belongs_to_the_first_that_had_the_address_in_it() -> None:
    assert owners(flow(3, 9), workloads=[states("search", at(1), at(3, 5)), states("chat", at(3, 5))]) == [
        ("search", 9)
    ]
    assert owners(flow(3, 9), workloads=[states("chat", at(3, 20))]) == [("chat", 9)]


def test_an_address_is_no_pod_and_no_machine_of_that_name() -> None:
    pod = states("search", workload_ref=IP, ref_kind="pod")
    assert owners(flow(3, 9), workloads=[pod]) == [(None, 9)]
    assert owners(flow(3, 9, from_ref_kind=None, emitter_kind=None), workloads=[pod]) == [("search", 9)]


def test_an_address_that_nobody_names_is_its_interfaces() -> None:
    eni = states("search", workload_ref="eni-1", ref_kind="eni")
    assert owners(flow(3, 9, seen_at="eni-1"), workloads=[eni]) == [("search", 9)]
    both = [eni, states("chat")]
    assert owners(flow(3, 9, seen_at="eni-1"), workloads=both) == [("chat", 9)]
    passing = flow(3, 9, seen_at="eni-1", seen_from="passing", traffic_kind="nat")
    assert owners(passing, workloads=[eni]) == [(None, 9)]


def test_the_receiver_answers_where_nobody_knows_the_sender() -> None:
    receiver = states("chat", workload_ref="10.0.2.9")
    sent = flow(3, 9, to_workload_ref="10.0.2.9", to_ref_kind="address")
    assert owners(sent, workloads=[receiver]) == [("chat", 9)]
    assert owners(sent, workloads=[receiver, states("search")]) == [("search", 9)]


def test_a_resource_that_ended_during_the_day_keeps_that_days_cost() -> None:
    """The last that had it on a day owns the day's line; a day on which nobody had it has no owner."""
    known = [
        states("search", at(0), at(9), workload_ref="i-1", ref_kind="instance"),
        states("chat", at(9), at(10), workload_ref="i-1", ref_kind="instance"),
    ]
    lines = [
        line("first", "10", resource_id="i-1"),
        line("second", "5", resource_id="i-1", charge_period_start=DAY + timedelta(days=1)),
    ]
    found = run(
        "core.attributed_costs",
        "charge_date, owners_dim.feature, residual_reason, billed_cost",
        join="core.owners_dim using (owner_id)",
        charges=lines,
        workloads=known,
    )
    assert [(day.day, feature, reason, cost) for day, feature, reason, cost in found] == [
        (1, "chat", None, "10"),
        (2, None, "no_owner", "5"),
    ]


def unknown(ref: str, size: int, **changes: Any) -> dict[str, Any]:
    """A row of core.transfers whose sender no inventory knows."""
    told = {
        "charge_date": "2026-11-01",
        "provider": "aws",
        "traffic_kind": "internet",
        "emitter_kind": "flow_log",
    }
    return {**told, "transfer_id": ref, "is_used": True, "from_workload_ref": ref, "bytes": size, **changes}


def findings(*transfers: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["kind"]: row for row in run_model("core.transfer_findings", {"core.transfers": transfers})}


def test_the_largest_unknown_senders_are_named() -> None:
    rows = [unknown(f"10.0.0.{n}", n) for n in range(1, 8)]
    found = findings(
        *rows, unknown("10.0.8.8", 99, feature="search"), unknown("10.0.9.9", 99, owner_id="ann")
    )
    told = found["unknown_workloads"]
    assert (told["source"], told["finding_count"], str(told["finding_date"])) == (
        "transfers",
        7,
        "2026-11-01",
    )
    assert told["message"].startswith("28 bytes")
    large = findings(unknown("10.0.0.1", 5_716_787_037_993))["unknown_workloads"]["message"]
    assert large.startswith("5716 GB of senders")
    assert "10.0.0.7, 10.0.0.6, 10.0.0.5, 10.0.0.4, 10.0.0.3." in told["message"]


def test_overlap_and_unknown_zones_are_told() -> None:
    found = findings(
        unknown("10.0.0.1", 5, is_used=False, x_source="files", emitter_kind="file", feature="search"),
        unknown("10.0.0.2", 9, traffic_kind="other", to_workload_ref="10.0.0.3", from_zone="use1-az1"),
    )
    assert (found["overlapping_transfers"]["source"], found["overlapping_transfers"]["message"][:8]) == (
        "files",
        "5 bytes ",
    )
    assert found["unknown_zone"]["message"].startswith("9 bytes within aws")
    assert findings(unknown("10.0.0.1", 5, feature="search")) == {}
