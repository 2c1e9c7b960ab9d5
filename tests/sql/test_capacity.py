"""core.capacity_usage and core.capacity_weights: one source an hour, who was served, what is idle, what is unlogged."""

from __future__ import annotations

from typing import Any

from tests.sql.harness import run_checks, run_model

WINDOW = {"start": "2026-11-01", "end": "2026-11-02"}
SETTINGS = {"coverage_epsilon_ppm": 500, "output_token_weight": 2}
TYPES = {"reference.settings": {"coverage_epsilon_ppm": "BIGINT", "output_token_weight": "BIGINT"}}


def hour(resource: str = "gpu-1", busy: int | None = 1800, **more: Any) -> dict[str, Any]:
    """An hour of staging.capacity."""
    return {
        "x_source": "metrics",
        "hour_start": "2026-11-01 10:00:00",
        "resource_id": resource,
        "provider": "vllm",
        "model": "llama",
        "capacity_kind": "gpu_host",
        "provisioned_seconds": 3600,
        "busy_seconds": busy,
        "busy_basis": "requests",
        **more,
    }


def call(user: str, **more: Any) -> dict[str, Any]:
    return {
        "charge_date": "2026-11-01",
        "started_at": "2026-11-01 10:10:00",
        "provider": "vllm",
        "model": "llama",
        "user_id": user,
        **more,
    }


def usage(capacity: list[dict[str, Any]]) -> list[dict[str, Any]]:
    given = {"staging.capacity": capacity}
    assert set(run_checks("core.capacity_usage", given, WINDOW).values()) == {0}
    return run_model("core.capacity_usage", given, WINDOW)


def weights(capacity: list[dict[str, Any]], calls: list[dict[str, Any]]) -> dict[tuple[str, Any], Any]:
    """(resource, residual reason or user's share of weight by requests) → weight; users by their order of weight."""
    given = {
        "core.capacity_usage": usage(capacity),
        "core.identified_requests": calls,
        "reference.settings": [SETTINGS],
    }
    assert set(run_checks("core.capacity_weights", given, WINDOW, TYPES).values()) == {0}
    found: dict[tuple[str, Any], Any] = {}
    for row in run_model("core.capacity_weights", given, WINDOW, TYPES):
        key = row["residual_reason"] or (row["requests"], row["input_tokens"])
        found[row["pool_key"].partition(chr(31))[2], key] = row["weight"]
    return found


def test_one_source_an_hour_the_one_that_knows_requests() -> None:
    rows = usage(
        [
            hour(x_source="a_gpu", busy=3600, busy_basis="utilisation"),
            hour(x_source="b_file", busy=900, busy_basis="stated"),
            hour(x_source="c_vllm", busy=600, replica_id="pod-1"),
            hour(x_source="c_vllm", busy=300, replica_id="pod-2"),
            hour(x_source="a_gpu", busy=60, busy_basis="utilisation", hour_start="2026-11-01 11:00:00"),
            hour(resource="GPU-2", busy=None),
        ]
    )
    assert [(r["x_source"], r["replica_key"], r["busy_seconds"], r["idle_seconds"]) for r in rows] == [
        ("c_vllm", "pod-1", 600, 3000),
        ("c_vllm", "pod-2", 300, 3300),
        ("a_gpu", "", 60, 3540),
    ]


def test_busy_time_goes_by_prefill_and_decode_seconds() -> None:
    calls = [
        call("ann", uncached_input_tokens=1, prefill_seconds="2", decode_seconds="4"),
        call("bob", uncached_input_tokens=9000, output_tokens=900, prefill_seconds="1", decode_seconds="1"),
    ]
    assert weights([hour()], calls) == {
        ("gpu-1", (1, 1)): 1_350_000_000,
        ("gpu-1", (1, 9000)): 450_000_000,
        ("gpu-1", "idle_capacity"): 1_800_000_000,
    }


def test_calls_without_seconds_count_by_tokens_at_the_pace_of_those_with() -> None:
    """Ann: 1000 + 2 × 500 tokens in 4 seconds. Bob did 1000 tokens of work, so 2 seconds; cached input is none."""
    calls = [
        call("ann", uncached_input_tokens=1000, output_tokens=500, prefill_seconds="1", decode_seconds="3"),
        call("bob", uncached_input_tokens=400, cache_read_tokens=70, output_tokens=300),
    ]
    found = weights([hour()], calls)
    assert found["gpu-1", (1, 1000)] == 1_200_000_000
    assert found["gpu-1", (1, 470)] == 600_000_000


def test_what_the_server_counted_and_no_log_holds_is_unlogged() -> None:
    counted = hour(input_tokens=1500, output_tokens=500)
    found = weights([counted], [call("ann", uncached_input_tokens=1000, output_tokens=500)])
    assert found == {
        ("gpu-1", (1, 1000)): 1_350_000_000,
        ("gpu-1", "unlogged_usage"): 450_000_000,
        ("gpu-1", "idle_capacity"): 1_800_000_000,
    }
    assert weights([counted], []) == {
        ("gpu-1", "unlogged_usage"): 1_800_000_000,
        ("gpu-1", "idle_capacity"): 1_800_000_000,
    }


def test_a_replica_names_its_resource_and_a_model_all_that_serve_it() -> None:
    capacity = [hour(replica_id="pod-1"), hour(resource="gpu-2", replica_id="pod-2", busy=900)]
    calls = [call("ann", uncached_input_tokens=10, replica_id="POD-1"), call("bob", uncached_input_tokens=30)]
    found = weights(capacity, calls)
    assert found["gpu-1", (1, 10)] == 450_000_000
    assert found["gpu-1", (1, 30)] == 1_350_000_000
    assert found["gpu-2", (0, 0)] == 900_000_000  # bob again, counted on the first resource only


def test_calls_of_another_provider_or_model_do_not_pay() -> None:
    calls = [
        call("ann", uncached_input_tokens=10, provider="openai"),
        call("bob", uncached_input_tokens=10, model="qwen"),
        call("cyd", uncached_input_tokens=10, provider=None),
    ]
    assert set(weights([hour()], calls)) == {("gpu-1", "unlogged_usage"), ("gpu-1", "idle_capacity")}


def test_calls_without_any_work_share_alike() -> None:
    found = weights([hour()], [call("ann"), call("bob"), call("bob")])
    assert sorted(found.values()) == [600_000_000, 1_200_000_000, 1_800_000_000]


def test_a_fleet_of_hosts_is_no_overflow() -> None:
    hours = [
        hour(hour_start=f"2026-11-01 {number:02}:00:00", provisioned_seconds=360_000, busy=360_000)
        for number in range(24)
    ]
    calls = [
        call("ann", uncached_input_tokens=1, prefill_seconds="400000", decode_seconds="800000"),
        call(
            "bob", uncached_input_tokens=2, output_tokens=5_000_000, prefill_seconds="1", decode_seconds="2"
        ),
        call("cay", uncached_input_tokens=900_000_000, output_tokens=900_000_000),
    ]
    assert sum(weights(hours, calls).values()) == 24 * 3600 * 1_000_000  # an hour holds 3,600 seconds
