"""Requests, tokens and bytes of the fact add up: whatever lines share a pool, a call is one call."""

from __future__ import annotations

from datetime import datetime

from pipelines.config.model import Config
from pipelines.config.rows import ClassificationRule
from tests.sql.small_bill import call, flow, line, price, run, tokens

BLEND = ClassificationRule(
    rule_id="blend",
    service_pattern="blend",
    cost_driver="inference",
    model_pattern="(claude[0-9.]+[a-z]+)",
)


def test_calls_count_once_beside_a_line_that_mixes_token_classes() -> None:
    found = run(
        "core.attributed_costs",
        "sum(requests) as requests, sum(input_tokens) as tokens, sum(effective_cost) as cost",
        charges=[tokens("a", "12", 100), line("b", "3", service_name="blend", sku_meter="claude4.5sonnet")],
        requests=[call("ann", 100)],
        prices=[price()],
        config=Config(classification=(BLEND,)),
    )
    assert found == [("1", "100", "15")]


def test_bytes_count_once_beside_a_line_without_a_zone() -> None:
    regional = {"sku_meter": "DataTransfer-Regional-Bytes"}
    found = run(
        "core.attributed_costs",
        "sum(bytes) as bytes, sum(effective_cost) as cost",
        charges=[line("zoned", "4", availability_zone="a", **regional), line("all", "8", **regional)],
        transfers=[flow(100, None, ("a", "b"))],
    )
    assert found == [("100", "12")]


def test_calls_of_a_day_count_once_while_its_bill_is_still_coming() -> None:
    """A third of the day is billed so far; the rest stands as an estimate, and the calls are the same calls."""
    found = run(
        "core.attributed_costs",
        "sum(requests) as requests, sum(input_tokens) as tokens",
        charges=[
            tokens("a", "1", 1_000_000),
            line("b", "1", service_name="blend", sku_meter="claude4.5sonnet"),
        ],
        requests=[call("ann", 3_000_000), call("bob", 0, output_tokens=5)],
        prices=[price()],
        config=Config(classification=(BLEND,)),
        watermark=datetime(2026, 11, 1, 8),
    )
    assert found == [("2", "3000000")]
