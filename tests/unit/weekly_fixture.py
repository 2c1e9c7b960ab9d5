"""A small released catalogue for the weekly report's tests: the contract's columns, fixed figures.

What belongs here: tables as a release would show them. What must not: any rule of the pipeline or the report.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

TODAY = date(2026, 11, 23)
AS_OF = datetime(2026, 11, 23, 5, 30)
FIRST_DAY = date(2026, 9, 20)
WEEK = "2026-W47"
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://evil.example","x")',
    "عربي ملخص \u202egnp.exe",
    "naïve · 日本語 · 🧾",
    "very-long-" + "x" * 400,
)

MONEY = "DECIMAL(38,12)"
_COLUMNS: dict[str, str] = {
    "cost_daily": f"""
        charge_date DATE, cost_state VARCHAR, provider VARCHAR, billing_account_id VARCHAR,
        sub_account_id VARCHAR,
        region_id VARCHAR, service_name VARCHAR, sku_meter VARCHAR, charge_category VARCHAR,
        cost_driver VARCHAR,
        traffic_kind VARCHAR, model VARCHAR, token_class VARCHAR, service_tier VARCHAR, feature VARCHAR,
        endpoint VARCHAR, workflow VARCHAR, agent VARCHAR, agent_step VARCHAR, user_id VARCHAR,
        tenant VARCHAR,
        customer VARCHAR, team VARCHAR, environment VARCHAR, from_zone VARCHAR, to_zone VARCHAR,
        billed_cost {MONEY}, effective_cost {MONEY}, list_cost {MONEY}, billing_currency VARCHAR,
        billed_cost_reporting {MONEY}, effective_cost_reporting {MONEY}, list_cost_reporting {MONEY},
        reporting_currency VARCHAR, fx_date DATE, requests BIGINT, input_tokens BIGINT, output_tokens BIGINT,
        bytes BIGINT, evidence VARCHAR, method_id VARCHAR, residual_reason VARCHAR""",
    "traces": f"""
        trace_id VARCHAR, root_started_at TIMESTAMP, feature VARCHAR, endpoint VARCHAR,
        user_id VARCHAR, calls BIGINT,
        attempts BIGINT, depth BIGINT, agents BIGINT, providers BIGINT, zones BIGINT, input_tokens BIGINT,
        output_tokens BIGINT, duration_seconds DECIMAL(18,12), inference_cost {MONEY}, egress_cost {MONEY},
        monitoring_cost {MONEY}, total_cost {MONEY}, reporting_currency VARCHAR, is_loop BOOLEAN,
        status VARCHAR""",
    "reconciliation": f"""
        charge_date DATE, provider VARCHAR, billing_account_id VARCHAR, model VARCHAR, token_class VARCHAR,
        billed_quantity {MONEY}, provider_quantity {MONEY}, logged_quantity {MONEY}, billed_cost {MONEY},
        priced_cost {MONEY}, cause VARCHAR, difference_cost {MONEY}, difference_quantity {MONEY},
        coverage_share DECIMAL(18,12), currency VARCHAR""",
    "data_completeness": """
        source VARCHAR, dataset VARCHAR, date DATE, rows BIGINT, expected_share DECIMAL(18,12),
        age_hours DECIMAL(18,12), state VARCHAR, finding VARCHAR, finding_count BIGINT,
        severity VARCHAR, message VARCHAR,
        row_kind VARCHAR AS (case when coalesce(finding, '') = '' then 'day' else 'finding' end)""",
    "budget_status": f"""
        budget_id VARCHAR, parent_id VARCHAR, owner VARCHAR, period_start DATE, period_end DATE,
        measure VARCHAR,
        budget {MONEY}, actual {MONEY}, elapsed_share DECIMAL(18,12), forecast_p10 {MONEY},
        forecast_p50 {MONEY},
        forecast_p90 {MONEY}, overrun_probability DECIMAL(18,12), overrun_date DATE, variance {MONEY},
        status VARCHAR,
        top_driver VARCHAR, currency VARCHAR""",
    "forecast_daily": f"""
        forecast_made_at TIMESTAMP, target_date DATE, scope VARCHAR, feature VARCHAR,
        cost_driver VARCHAR, zone VARCHAR,
        measure VARCHAR, currency VARCHAR, p05 {MONEY}, p10 {MONEY}, p25 {MONEY}, p50 {MONEY},
        p75 {MONEY}, p90 {MONEY},
        p95 {MONEY}, model_name VARCHAR, model_version VARCHAR, is_low_history BOOLEAN""",
    "anomalies": f"""
        anomaly_id VARCHAR, detected_at TIMESTAMP, started_date DATE, ended_date DATE, scope VARCHAR,
        feature VARCHAR, cost_driver VARCHAR, metric VARCHAR,
        expected {MONEY}, actual {MONEY}, impact_cost {MONEY}, currency VARCHAR, state VARCHAR, cause VARCHAR,
        proof VARCHAR""",
}
_FEATURES = (  # name, endpoint, daily level, weekend share
    ("support-copilot", "/v1/chat", 1250, 0.5),
    ("doc-search", "/v1/search", 900, 0.5),
    ("code-review-agent", "/v1/review", 640, 0.45),
    ("summaries", "/v1/summaries", 360, 0.5),
    ("batch-enrichment", "/v1/batch", 320, 1.0),
)
_DRIVERS = (("inference", "0.80"), ("egress", "0.08"), ("monitoring", "0.07"), ("retrieval", "0.05"))


def build_release(path: Path, *, is_empty: bool = False, hostile: bool = False) -> Path:
    """Write a catalogue with the marts that the report reads; `hostile` adds names that attack the page."""
    connection = duckdb.connect(str(path))
    connection.execute("create schema marts")
    for table, columns in _COLUMNS.items():
        connection.execute(f"create table marts.{table} ({columns})")
    if not is_empty:
        _fill(connection, "cost_daily", list(_build_costs(random.Random(7), hostile)))
        _fill(connection, "traces", list(_build_traces(hostile)))
        _fill(connection, "reconciliation", list(_build_reconciliation()))
        _fill(connection, "data_completeness", list(_build_completeness(hostile)))
        month = connection.execute(
            "select sum(effective_cost_reporting) from marts.cost_daily where charge_category <> 'Tax' "
            "and charge_date >= date '2026-11-01'"
        ).fetchone()
        _fill(connection, "budget_status", list(_build_budgets(month[0] if month else Decimal(0), hostile)))
        _fill(connection, "forecast_daily", list(_build_forecast()))
        _fill(connection, "anomalies", list(_build_anomalies(hostile)))
    connection.close()
    return path


def _fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    marks = ", ".join("?" for _ in names)
    connection.execute("begin")
    connection.executemany(
        f"insert into marts.{table} ({', '.join(names)}) values ({marks})",
        [[row[name] for name in names] for row in rows],
    )
    connection.execute("commit")


def _cost(day: date, amount: Decimal, **values: Any) -> dict[str, Any]:
    state = values.pop("cost_state", "provisional")
    currency = values.pop("billing_currency", "USD")
    reporting = values.pop("reporting", amount)
    row: dict[str, Any] = {
        "charge_date": day, "cost_state": state, "provider": "AWS", "charge_category": "Usage",
        "cost_driver": "inference", "feature": None, "endpoint": None, "user_id": None,
        "billed_cost": None if state == "estimated" else amount, "effective_cost": amount,
        "billing_currency": currency, "effective_cost_reporting": reporting, "reporting_currency": "USD",
        "evidence": "allocated", "residual_reason": None,
    }  # fmt: skip
    return row | values


def _build_costs(chance: random.Random, hostile: bool) -> Iterator[dict[str, Any]]:
    day = FIRST_DAY
    while day < TODAY:
        for name, endpoint, level, weekend in _FEATURES:
            scale = level * (weekend if day.weekday() >= 5 else 1) * chance.uniform(0.95, 1.05)
            if name == "code-review-agent" and day >= date(2026, 11, 17):
                scale *= 3.4
            for driver, share in _DRIVERS:
                user = (
                    f"u_3fa1_{chance.getrandbits(80):020x}"
                    if chance.random() < 0.1
                    else f"u_3fa1_{hash_of(name)}"
                )
                amount = (Decimal(str(round(scale, 6))) * Decimal(share)).quantize(Decimal("1e-12"))
                state = "estimated" if day == date(2026, 11, 22) and driver == "inference" else "provisional"
                evidence = "priced" if state == "estimated" else "allocated"
                yield _cost(
                    day, amount, cost_driver=driver, feature=name, endpoint=endpoint, user_id=user,
                    cost_state=state,
                    evidence=evidence,
                )  # fmt: skip
        yield from _build_residuals(day)
        if hostile:
            for name in HOSTILE:
                yield _cost(day, Decimal("900.01"), feature=name, endpoint=name, user_id=name,
                cost_driver=name,
                            residual_reason=name, evidence=name)  # fmt: skip
        day += timedelta(days=1)


def hash_of(name: str) -> str:
    """A stable stand-in for a keyed hash."""
    return f"{sum(ord(c) * 31**i for i, c in enumerate(name)) % 16**20:020x}"


def _build_residuals(day: date) -> Iterator[dict[str, Any]]:
    yield _cost(day, Decimal("85.25"), residual_reason="unlogged_usage")
    yield _cost(day, Decimal("40.5"), residual_reason="no_owner", cost_driver="storage", evidence="billed")
    yield _cost(
        day, Decimal("-12.125"), residual_reason="credit", charge_category="Credit", evidence="billed"
    )
    yield _cost(day, Decimal("61.000000000001"), residual_reason="idle_capacity", cost_driver="compute")
    yield _cost(day, Decimal("55.5"), charge_category="Tax", cost_driver="other", evidence="billed")
    yield _cost(day, Decimal("20"), billing_currency="EUR", reporting=Decimal("23.1"), feature="summaries")
    yield _cost(day, Decimal("1000.33"), billing_currency="JPY", reporting=None, feature="summaries")


def _build_traces(hostile: bool) -> Iterator[dict[str, Any]]:
    for number in range(30):
        feature = HOSTILE[number % len(HOSTILE)] if hostile else _FEATURES[number % 5][0]
        inference = Decimal("48.25") - number
        yield {
            "trace_id": f"{number:02x}9f3b2c4d5e6f708192a3b4c5d6e7f8", "feature": feature,
            "endpoint": "/v1/review",
            "root_started_at": datetime(2026, 11, 17 + number % 5, 9, number),
            "user_id": f"u_3fa1_{hash_of('x')}",
            "calls": 180 - number, "attempts": 190 - number, "depth": 7, "agents": 4, "providers": 2,
            "zones": 3,
            "duration_seconds": Decimal(300 - number), "inference_cost": inference,
            "egress_cost": Decimal("0.42"),
            "monitoring_cost": Decimal("0.0031"), "total_cost": inference + Decimal("0.4231"),
            "reporting_currency": "USD", "is_loop": number < 3, "status": "ok",
        }  # fmt: skip


def _build_reconciliation() -> Iterator[dict[str, Any]]:
    for offset in range(7):
        for cause, billed, priced in (
            ("unlogged_usage", "410.5", "325.25"),
            ("price_difference", "88", "91.5"),
            (None, "1500", "1500"),
        ):
            yield {
                "charge_date": date(2026, 11, 16) + timedelta(days=offset), "provider": "AWS", "cause": cause,
                "model": f"model-of-{cause}",
                "billed_cost": Decimal(billed), "priced_cost": Decimal(priced), "currency": "USD",
                "difference_cost": Decimal(billed) - Decimal(priced),
            }  # fmt: skip


def _build_completeness(hostile: bool) -> Iterator[dict[str, Any]]:
    unknown = {"rows": None, "expected_share": None, "age_hours": None}
    for source, dataset, state, age in (
        ("aws_bills", "charges", "ok", 9),
        ("azure_bills", "charges", "fault", 31),
        ("agent_spans", "requests", "ok", 5),
        ("flow_logs", "transfers", "empty", 96),
    ):
        yield {
            "rows": 12345, "expected_share": Decimal("0.94"), "age_hours": Decimal(age),
            "source": source, "dataset": dataset, "date": date(2026, 11, 22), "state": state,
            "finding": None, "finding_count": None, "severity": None, "message": None,
        }  # fmt: skip
    text = HOSTILE[1] if hostile else "bills-11.csv: column EffectiveCost is text; ask for a new export."
    yield unknown | {
        "source": "azure_bills", "dataset": "charges", "date": date(2026, 11, 20), "state": "fault",
        "finding": "type_flip", "finding_count": 1, "severity": "fault", "message": text,
    }  # fmt: skip
    yield unknown | {
        "source": "agent_spans", "dataset": "requests", "date": None, "state": "ok",
        "finding": "orphan_trace", "finding_count": 3, "severity": "warn",
        "message": "3 traces without a root.",
    }  # fmt: skip


def _build_budgets(month_to_date: Decimal, hostile: bool) -> Iterator[dict[str, Any]]:
    def budget(
        name: str, parent: str | None, amount: str, actual: Decimal, risk: str, status: str
    ) -> dict[str, Any]:
        return {
            "budget_id": name, "parent_id": parent, "owner": f"u_3fa1_{hash_of(name)}",
            "measure": "effective_cost",
            "period_start": date(2026, 11, 1), "period_end": date(2026, 12, 1), "budget": Decimal(amount),
            "actual": actual, "elapsed_share": Decimal("0.733333333333"),
            "forecast_p10": actual * Decimal("1.28"),
            "forecast_p50": actual * Decimal("1.35"), "forecast_p90": actual * Decimal("1.41"),
            "overrun_probability": Decimal(risk), "overrun_date": date(2026, 11,
            28) if status == "over" else None,
            "variance": Decimal(amount) - actual * Decimal("1.35"), "status": status,
            "top_driver": "inference", "currency": "USD",
        }  # fmt: skip

    yield budget("company", None, "105000", month_to_date, "0.93", "over")
    yield budget("code-review", "company", "15000", Decimal("26250.5"), "0.99", "over")
    yield budget(
        HOSTILE[1] if hostile else "support", "company", "30000", Decimal("21870.25"), "0.12", "on_track"
    )


def _build_forecast() -> Iterator[dict[str, Any]]:
    for offset in range(1, 40):
        day = date(2026, 11, 22) + timedelta(days=offset)
        middle = Decimal(2600 if day.weekday() >= 5 else 5200)
        spread = middle * Decimal(offset + 6) / 300
        yield {
            "forecast_made_at": datetime(2026, 11, 23, 4), "target_date": day, "scope": "total",
            "measure": "effective_cost", "currency": "USD", "p05": middle - 3 * spread,
            "p10": middle - 2 * spread,
            "p25": middle - spread, "p50": middle, "p75": middle + spread, "p90": middle + 2 * spread,
            "p95": middle + 3 * spread, "model_name": "theta", "model_version": "1", "is_low_history": False,
        }  # fmt: skip


def _build_anomalies(hostile: bool) -> Iterator[dict[str, Any]]:
    feature = HOSTILE[0] if hostile else "code-review-agent"
    cause = HOSTILE[1] if hostile else "agent step retry: calls per action 3.1 -> 8.7 (x2.8)"
    episodes = (
        ("a1", "feature", feature, None, date(2026, 11, 17), None, "open", "6510.75", cause),
        ("a2", "feature_driver", feature, "inference", date(2026, 11, 17), None, "open", "5208.5", "finer"),
        ("a3", "total", None, None, date(2026, 11, 17), None, "open", "6400", "coarser"),
        ("a0", "feature", "long-gone", None, date(2026, 10, 1), date(2026, 10, 3), "closed", "1", None),
    )
    for name, scope, of_feature, driver, started, ended, state, impact, why in episodes:
        yield {
            "anomaly_id": name, "detected_at": datetime(2026, started.month, started.day + 1, 5),
            "started_date": started,
            "ended_date": ended, "scope": scope, "feature": of_feature, "cost_driver": driver,
            "metric": "effective_cost", "expected": Decimal("3840"),
            "actual": Decimal("3840") + Decimal(impact), "impact_cost": Decimal(impact), "currency": "USD",
            "state": state, "cause": why,
            "proof": f"On 6 days from {started} to {started + timedelta(days=5)}, cost rose."
            if state == "open" else "{}",
        }  # fmt: skip
