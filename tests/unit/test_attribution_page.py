"""The worked numbers of docs/attribution.md, run through the real models and the real rounding rule.

What belongs here: reading the page's tables and comparing them with what the SQL gives. What must not: numbers
of its own; a figure that is wrong is corrected on the page or in the model.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines.terminal.explanation import METHOD_WORDS, evidence_words
from pipelines.warehouse.engine import IDIV_MACRO
from pipelines.warehouse.models import read_dictionary
from tests.sql.harness import MODELS_ROOT, run_model

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "attribution.md").read_text(encoding="utf-8")
DAY = {"start": "2026-11-05", "end": "2026-11-06", "reporting_currency": "USD"}
MONTH = {"start": "2026-11-01", "end": "2026-12-01", "reporting_currency": "USD"}
POOL = "usage\x1fopenai\x1fgpt-4o\x1foutput_tokens\x1fstandard"
UNIT = Decimal("0.000000000001")
SOURCE_RANKS = {"source": "VARCHAR", "source_rank": "BIGINT"}
RULE_TYPES = {
    "reference.settings": {"coverage_epsilon_ppm": "BIGINT", "loop_min_calls": "BIGINT"},
    "reference.calendar": {"calendar_date": "DATE"},
}


def _section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#+ |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/attribution.md has no heading {heading!r}"
    return found[1]


def read_page_table(heading: str) -> list[dict[str, str]]:
    """The rows of the table under a heading of the page, for tests that run other models than those here."""
    return _table(heading)


def _table(heading: str) -> list[dict[str, str]]:
    """The first table below a heading, by column name; code marks and thousands commas taken off."""
    lines = [line for line in _section(heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in lines]
    rows = [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]
    assert rows, f"the table below {heading!r} is empty"
    return rows


def _number(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def _ids(rows: list[dict[str, str]]) -> list[str]:
    return [" ".join(list(row.values())[:2]) for row in rows]


ROUNDING = _table("The rounding rule")
COVERAGE = _table("Coverage")
TAGS = _table("Tags")
SPREAD = _table("From bill line to days")
BY_USE = _table("By logged use")
FX = _table("Into the reporting currency")
EGRESS = _table("Traffic")
CAPACITY = _table("Capacity")
PRICES = _table("Estimates")


@pytest.mark.parametrize("row", ROUNDING, ids=_ids(ROUNDING))
def test_rounding(row: Mapping[str, str]) -> None:
    amount = int(_number(row["amount"]) / UNIT)
    weights = [int(_number(part)) for part in row["weights"].split(", ")]
    parts, until = [], 0
    with duckdb.connect() as connection:
        connection.execute(IDIV_MACRO)
        for weight in weights:
            values = [amount * (until + weight), amount * until, sum(weights)]
            split = connection.execute("select idiv($1, $3) - idiv($2, $3)", values).fetchall()[0][0]
            parts.append(split * UNIT)
            until += weight
    assert parts == [_number(part) for part in row["parts"].split(", ")]
    assert sum(parts) == _number(row["amount"])


def _line(**columns: str | None) -> dict[str, str | None]:
    return {
        "charge_id": "line",
        "x_source": "bill",
        "x_snapshot_id": "snapshot",
        "billing_account_id": "account",
        "billing_period_start": "2026-11-01",
        "billing_period_end": "2026-12-01",
        "billing_currency": "USD",
        "charge_category": "Usage",
        "service_name": "Some service",
        "service_provider_name": "OpenAI",
        "charge_period_start": "2026-11-05",
        "charge_period_end": "2026-11-06",
        "billed_cost": "1",
        "effective_cost": "1",
        "list_cost": "1",
        **columns,
    }


def _charges(line: dict[str, str | None], watermark: str | None = None, **given: Any) -> list[dict[str, Any]]:
    delivery = {
        "source": "bill",
        "snapshot_id": "snapshot",
        "billing_account_id": "account",
        "billing_period_start": "2026-11-01",
        "delivered_at": watermark,
        "watermark_at": watermark,
    }
    classified = {
        "billing_period_start": "2026-11-01",
        "signature_id": "signature",
        "account_text": "",
        "resource_text": "",
        "tag_text": "",
        "rule_id": "any",
        "provider": "openai",
        "cost_driver": "other",
        "class_key": "class",
    }
    signed = {key: value for key, value in line.items() if key != "service_provider_name"}
    tables = {
        "core.signed_charges": [signed | {"signature_id": "signature"}],
        "core.charge_classes": [classified],
        "staging.bill_deliveries": [delivery] if watermark else [],
        **given,
    }
    return run_model("core.charges", tables, MONTH, RULE_TYPES)


@pytest.mark.parametrize("row", SPREAD, ids=_ids(SPREAD))
def test_spreading_over_days(row: Mapping[str, str]) -> None:
    line = _line(
        billed_cost=row["cost"],
        charge_period_start=row["from"],
        charge_period_end=row["until"],
        charge_frequency=row["frequency"],
    )
    charges = _charges(line, watermark=row["complete until"])
    days = [{"calendar_date": f"2026-11-{day:02d}"} for day in range(1, 31)]
    cells = run_model(
        "core.charge_cells", {"core.charges": charges, "reference.calendar": days}, MONTH, RULE_TYPES
    )
    costs = {cell["charge_date"].isoformat()[5:]: cell["billed_cost"] for cell in cells}
    first, last = min(costs), max(costs)
    assert f"{first} to {last}" == row["days"]
    assert (costs[first], costs[last]) == (_number(row["first day"]), _number(row["last day"]))
    assert sum(costs.values()) == _number(row["cost"])


@pytest.mark.parametrize("row", BY_USE, ids=[" ".join(row.values()) for row in BY_USE])
def test_spreading_by_logged_use(row: Mapping[str, str]) -> None:
    named = {"cost_driver": "inference", "model": "gpt-4o", "token_class": "output_tokens"}
    line = _line(billed_cost=row["cost"], charge_period_start=row["from"], charge_period_end=row["until"])
    charges = [charge | named for charge in _charges(line, watermark="2026-11-20 00:00:00")]
    usage = [
        {
            "charge_date": f"2026-{day}",
            "provider": "openai",
            "model": "gpt-4o",
            "token_class": "output_tokens",
            "quantity_tokens": 1000,
            "list_cost": None if cost == "none" else cost,
        }
        for day, cost in re.findall(r"(\d\d-\d\d) ([\d.]+|none)", row["logged at list price"])
    ]
    days = [{"calendar_date": f"2026-11-{day:02d}"} for day in range(1, 31)]
    given = {"core.charges": charges, "reference.calendar": days, "core.daily_usage": usage}
    cells = run_model("core.charge_cells", given, MONTH, RULE_TYPES)
    costs = {cell["charge_date"].isoformat()[5:]: cell["billed_cost"] for cell in cells}
    expected = re.findall(r"(\d\d-\d\d) ([\d.]+)", row["costs"])
    assert costs == {day: _number(cost) for day, cost in expected}
    assert len(costs) == int(row["days"])
    assert sum(costs.values()) == _number(row["cost"])
    one_day = [
        run_model(
            "core.charge_cells",
            given,
            {"start": f"2026-{day}", "end": f"2026-11-{int(day[3:]) + 1:02d}"},
            RULE_TYPES,
        )
        for day, _ in expected
    ]
    assert [cell["billed_cost"] for found in one_day for cell in found] == [costs[day] for day, _ in expected]


@pytest.mark.parametrize("row", FX, ids=_ids(FX))
def test_conversion(row: Mapping[str, str]) -> None:
    rates = [
        {
            "from_currency": "EUR",
            "to_currency": "USD",
            "rate_date": "2026-11-01",
            "rate": row["rate of 11-01"],
        },
        {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2026-11-10", "rate": "2"},
    ]
    line = _line(
        billed_cost=row["EUR"],
        billing_currency="EUR",
        charge_period_start=f"2026-{row['day']}",
        billing_period_start="2026-11-01",
    )
    charge = _charges(line, **{"staging.fx_rates": rates})[0]
    expected = None if row["USD"] == "NULL" else _number(row["USD"])
    assert charge["billed_cost_reporting"] == expected


def _usage(owner: str, tokens: int) -> dict[str, Any]:
    return {
        "charge_date": "2026-11-05",
        "usage_id": owner,
        "owner_id": owner,
        "provider": "openai",
        "model": "gpt-4o",
        "token_class": "output_tokens",
        "service_tier": "standard",
        "segment_key": "segment",
        "quantity_tokens": str(tokens),
        "requests": "1",
    }


def _pooled(usage: list[dict[str, Any]], pools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return run_model("core.pooled_usage", {"core.usage_costs": usage, "core.usage_pools": pools})


def _attribute(charge: dict[str, Any], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one cell of a bill line, and Σ billed cost by (owner or residual reason)."""
    same = {key: charge[key] for key in ("charge_id", "billed_cost", "effective_cost", "list_cost")}
    charge_cell = {
        **same,
        "charge_date": "2026-11-05",
        "cell_id": "cell",
        "billing_currency": "USD",
        "billed_quantity": charge.get("billed_quantity"),
    }
    settings = [{"coverage_epsilon_ppm": "500", "loop_min_calls": "12"}]
    weights = {key: given[key] for key in ("core.physical_weights",) if key in given}
    billed_lines = {"core.charge_cells": [charge_cell], "core.charges": [charge]}
    usage = given.get("core.usage_costs", [])
    pools = run_model(
        "core.usage_pools",
        {**billed_lines, "core.usage_costs": usage, "reference.settings": settings},
        DAY,
        RULE_TYPES,
    )
    cells = run_model(
        "core.billed_cells",
        {**billed_lines, "core.usage_pools": pools, "reference.settings": settings, **weights},
        DAY,
        RULE_TYPES,
    )
    weights |= {"core.usage_costs": usage, "core.usage_pools": pools}
    billed = [cell for cell in cells if cell["cost_state"] != "estimated"]
    assert len(billed) == 1
    facts = run_model("core.direct_costs", {"core.cells": billed, **weights}, DAY)
    shares: dict[str, Any] = {}
    for fact in facts:
        key = fact["residual_reason"] or fact["owner_id"]
        shares[key] = shares.get(key, Decimal(0)) + fact["billed_cost"]
    return billed[0], shares


@pytest.mark.parametrize("row", COVERAGE, ids=_ids(COVERAGE))
def test_coverage(row: Mapping[str, str]) -> None:
    charge = {
        "charge_id": "line",
        "cell_key": "key",
        "provider": "openai",
        "model": "gpt-4o",
        "token_class": "output_tokens",
        "service_tier": "standard",
        "cost_driver": "inference",
        "charge_category": "Usage",
        "billing_currency": "USD",
        "cost_state": "provisional",
        "billed_quantity": str(_number(row["billed tokens"])),
        **dict.fromkeys(("billed_cost", "effective_cost", "list_cost"), row["cost"]),
    }
    usage = [_usage("A", int(_number(row["A logged"]))), _usage("B", int(_number(row["B logged"])))]
    cell, shares = _attribute(charge, {"core.usage_costs": usage})
    assert cell["coverage_share"] == _number(row["coverage"])
    assert ("yes" if cell["is_over_logged"] else "no") == row["over-logged"]
    assert [shares.get(name, Decimal(0)) for name in ("A", "B", "unlogged_usage")] == [
        _number(row[name]) for name in ("A pays", "B pays", "unlogged_usage")
    ]
    assert sum(shares.values()) == _number(row["cost"])


@pytest.mark.parametrize("row", TAGS, ids=[" ".join(row.values()) for row in TAGS])
def test_tags(row: Mapping[str, str]) -> None:
    cell = {
        "charge_date": "2026-11-05",
        "cell_id": "cell",
        "pool_key": POOL,
        "method_id": "tokens",
        "token_class": "output_tokens",
        "feature": _name(row["tag"]),
        "billing_currency": "USD",
        **dict.fromkeys(("billed_cost", "effective_cost"), "1"),
        "missing_quantity": "0",
    }
    usage = [_usage("A", 1), _usage("B", 1)]
    logged = [
        {
            "charge_date": "2026-11-05",
            "usage_id": who,
            "owner_id": who,
            "user_id": who,
            "feature": _name(row[f"{who} in the logs"]),
        }
        for who in ("A", "B")
    ]
    pool = {"charge_date": "2026-11-05", "pool_side": "logged", "member_key": "segment", "pool_key": POOL}
    given = {"core.cells": [cell], "core.pooled_usage": _pooled(usage, [pool])}
    split_by = {"core.usage_costs": usage, "core.usage_pools": [pool], "core.cells": [cell]}
    tagged = run_model("core.tagged_owners", {**given, "core.request_usage": logged}, DAY)
    known = {found["log_owner_id"]: found for found in tagged}
    if row["tag"] != "none":
        expected = [_name(row["A counts as"]), _name(row["B counts as"])]
        assert [known[who]["feature"] for who in ("A", "B")] == expected
        assert [known[who]["user_id"] for who in ("A", "B")] == ["A", "B"]
        assert {found["is_tag_overruled"] for found in tagged} == {row["overruled"] == "yes"}
    facts = run_model("core.direct_costs", {**split_by, "core.tagged_owners": tagged}, DAY)
    paid = {fact["owner_id"]: fact["billed_cost"] for fact in facts}
    owners = [known[who]["owner_id"] if who in known else who for who in ("A", "B")]
    assert paid == dict.fromkeys(owners, Decimal("0.5"))


def _name(text: str) -> str | None:
    return None if text == "none" else text


def test_traffic() -> None:
    transfers, workloads, requests = [], [], []
    for row in EGRESS:
        window = {"window_start": "2026-11-05", "window_end": "2026-11-06", "emitter_kind": "file"}
        flow = {**window, "provider": "aws", "traffic_kind": "inter_az"}
        transfers.append({**flow, "from_workload_ref": row["workload"], "bytes": str(_number(row["bytes"]))})
        feature = None if row["feature"] == "unknown" else row["feature"]
        workloads += [{"workload_ref": row["workload"], "feature": feature}] if feature else []
        for user, tokens in re.findall(r"(\w+) ([\d,]+)", row["users of the feature, tokens"]):
            used = {
                **dict.fromkeys(("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens"), "0"),
                "cache_write_1h_tokens": "0",
                "output_tokens": str(_number(tokens)),
            }
            requests.append(
                {"charge_date": "2026-11-05", "usage_id": user, "owner_id": user, "feature": feature, **used}
            )
    staged = {"staging.transfers": transfers, "staging.workloads": workloads}
    moved = run_model("core.transfers", staged, DAY, {"reference.source_ranks": SOURCE_RANKS})
    given = {"core.transfers": moved, "core.request_usage": requests}
    weights = run_model("core.physical_weights", given, DAY)
    assert sum(row["bytes"] for row in weights) == sum(_number(row["bytes"]) for row in EGRESS)
    named = [{**row, "owner_id": row["feature"] or row["owner_id"]} for row in weights]
    costs = {key: "1.00" for key in ("billed_cost", "effective_cost", "list_cost")}
    charge = {
        "charge_id": "line",
        "cell_key": "key",
        "provider": "aws",
        "traffic_kind": "inter_az",
        "cost_driver": "egress",
        "charge_category": "Usage",
        "billing_currency": "USD",
        "cost_state": "provisional",
        **costs,
    }
    cell, shares = _attribute(charge, {"core.physical_weights": named})
    assert (cell["method_id"], cell["evidence"]) == ("bytes", "allocated")
    expected = {
        name: _number(cost)
        for row in EGRESS
        for name, cost in re.findall(r"(\w+) ([\d.]+)", row["who pays of 1.00"])
    }
    assert shares == expected
    assert sum(expected.values()) == 1


@pytest.mark.parametrize("row", PRICES, ids=_ids(PRICES))
def test_list_price(row: Mapping[str, str]) -> None:
    price = {
        "price_id": "price",
        "provider": "openai",
        "model": "gpt-4o",
        "token_class": "output_tokens",
        "service_tier": "standard",
        "context_min_tokens": "0",
        "published_at": "2026-11-01",
        "price_per_mtok": row["price per million"],
        "currency": "USD",
        "is_override": "false",
        "is_wrong_from_start": "false",
    }
    used = {
        "charge_date": "2026-11-05",
        "usage_id": "usage",
        "owner_id": "A",
        "provider": "openai",
        "model": "gpt-4o",
        "service_tier": "standard",
        "context_min_tokens": "0",
        "requests": "1",
        **dict.fromkeys(("uncached_input_tokens", "cache_read_tokens"), "0"),
        **dict.fromkeys(("cache_write_5m_tokens", "cache_write_1h_tokens"), "0"),
        "output_tokens": str(_number(row["tokens"])),
    }
    name = {
        "charge_date": "2026-11-05",
        "logged_provider": "openai",
        "logged_model": "gpt-4o",
        "provider": "openai",
        "model": "gpt-4o",
        "matched_by": "alias",
    }
    dated = run_model("core.dated_prices", {"staging.prices": [price]}, DAY)
    given = {"core.request_usage": [used], "core.model_names": [name], "core.dated_prices": dated}
    rows = run_model("core.usage_costs", given, DAY)
    assert [found["list_cost"] for found in rows] == [_number(row["list cost"])]


_WORDS = (("Residuals", "residual_reason"), ("Methods", "method_id"), ("Evidence", "evidence"))
_SHARING = ("shared_weights", "tax_weights", "shared_costs", "tax_costs")


def _literals(*tables: str) -> str:
    return "\n".join((MODELS_ROOT / "core" / f"{table}.sql").read_text(encoding="utf-8") for table in tables)


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Residuals", "residual_reason"),
        ("Methods", "method_id"),
        ("Evidence", "evidence"),
        ("Cost states", "cost_state"),
    ],
)
def test_every_word_is_explained_and_used(heading: str, column: str) -> None:
    explained = [row[column] for row in _table(heading)]
    assert len(explained) == len(set(explained)) >= 3
    sql = _literals(
        "billed_cells", "estimated_cells", "direct_costs", "physical_weights", "charges", *_SHARING
    )
    assert [word for word in explained if f"'{word}'" not in sql] == []
    meaning = read_dictionary(MODELS_ROOT / "dictionary.yml")[column].meaning
    assert [word for word in explained if not re.search(rf"\b{word}\b", meaning)] == []


def test_explain_has_words_of_its_own_for_every_method_and_evidence() -> None:
    methods = [row["method_id"] for row in _table("Methods")]
    assert sorted(METHOD_WORDS) == sorted(methods) and len(set(METHOD_WORDS.values())) == len(methods)
    told = [evidence_words(row["evidence"], None) for row in _table("Evidence")]
    assert len(set(told)) == len(told) and not any("core.cells" in words for words in told)


def test_what_is_billed_without_an_owner_is_not_said_to_name_one() -> None:
    assert "this owner" in evidence_words("billed", None)
    assert "owner" not in evidence_words("billed", "unlogged_usage")


def test_confidence_is_explained_as_it_is_ruled() -> None:
    with (MODELS_ROOT / "reference" / "confidence_rules.csv").open(encoding="utf-8", newline="") as stream:
        rules = sorted(csv.DictReader(stream), key=lambda rule: int(rule["priority"]))
    columns = ("residual_reason", "method_id", "evidence", "confidence")
    explained = [(*(row[name] for name in columns), row["because"]) for row in _table("Confidence")]
    ruled = [(*(rule[name].replace("*", "any") for name in columns), rule["reason"]) for rule in rules]
    assert explained == ruled
    known = {(name, row[name]) for head, name in _WORDS for row in _table(head)} | {
        ("residual_reason", "any")
    }
    assert {
        (name, rule[name].replace("*", "any")) for rule in rules for name in columns[:3] if rule[name]
    } <= known
    assert {rule["confidence"] for rule in rules} == {"high", "medium", "low"}


@pytest.mark.parametrize(
    ("column", "heading"),
    [("residual_reason", "Residuals"), ("method_id", "Methods"), ("evidence", "Evidence")],
)
def test_no_word_of_the_models_is_left_out(column: str, heading: str) -> None:
    explained = {row[column] for row in _table(heading)}
    expressions = re.findall(
        rf"case(?:(?!\bcase\b|\bend\b).)*?\bend as {column}\b",
        _literals("billed_cells", "estimated_cells", "physical_weights"),
        re.DOTALL,
    )
    words = {word for text in expressions for word in re.findall(r"(?:then|else) '(\w+)'", text)}
    assert words
    assert words <= explained


@pytest.mark.parametrize("row", CAPACITY, ids=_ids(CAPACITY))
def test_capacity(row: Mapping[str, str]) -> None:
    """A resource's day: measured hours of which the first were busy, two callers, the rest idle or not measured."""
    hours = [
        {
            "x_source": "metrics",
            "hour_start": f"2026-11-05 {hour:02}:00:00",
            "resource_id": "gpu-1",
            "provider": "vllm",
            "model": "llama",
            "provisioned_seconds": 3600,
            "busy_seconds": 3600 if hour < int(row["busy"]) else 0,
            "busy_basis": "requests",
        }
        for hour in range(int(row["measured"]))
    ]
    calls = [
        {
            "charge_date": "2026-11-05",
            "started_at": "2026-11-05 00:10:00",
            "provider": "vllm",
            "model": "llama",
            "user_id": user,
            "prefill_seconds": "0",
            "decode_seconds": row[f"{user}, seconds"],
        }
        for user in ("ann", "bob")
    ]
    days = {"start": "2026-11-05", "end": "2026-11-06"}
    settings = {"reference.settings": {"coverage_epsilon_ppm": "BIGINT", "output_token_weight": "BIGINT"}}
    weights = run_model(
        "core.capacity_weights",
        {
            "core.capacity_usage": run_model("core.capacity_usage", {"staging.capacity": hours}, days),
            "core.identified_requests": calls,
            "reference.settings": [{"coverage_epsilon_ppm": 500, "output_token_weight": 2}],
        },
        days,
        settings,
    )
    cell = {
        "charge_date": "2026-11-05",
        "cell_id": "cell",
        "method_id": "capacity_seconds",
        "pool_key": f"capacity{chr(31)}gpu-1",
        "missing_quantity": (int(row["hours billed"]) - int(row["measured"])) * 3600 * 10**6,
        "direct_owner_id": "nobody",
        "billing_currency": "USD",
        "is_pool_first": True,
        "billed_cost": row["cost"],
        "effective_cost": row["cost"],
        "list_cost": row["cost"],
    }
    facts = run_model("core.direct_costs", {"core.cells": [cell], "core.capacity_weights": weights}, days)
    found = {fact["residual_reason"] or fact["owner_id"]: fact["billed_cost"] for fact in facts}
    residuals = {reason: found.pop(reason) for reason in ("idle_capacity", "unmeasured_capacity")}
    assert residuals == {reason: _number(row[reason]) for reason in residuals}
    assert sorted(found.values()) == sorted(_number(row[f"{user} pays"]) for user in ("ann", "bob"))
