"""Rate cards: what a card comes to an hour, lives, gaps, changes, cards that cannot be."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.rate_card_files.hourly_costs import add_months

CARD = {
    "resource_id": "rack1-h100",
    "resource_kind": "gpu_host",
    "site": "berlin",
    "zone": "ber-1",
    "currency": "EUR",
    "valid_from": "2026-01-15T00:00:00Z",
    "valid_to": "",
    "capex_amount": "",
    "residual_value": "",
    "life_months": "",
    "life_hours": "",
    "power_watts": "",
    "pue": "",
    "price_per_kwh": "",
    "space_per_month": "",
}


def land(folder: Path, context: LandingContext, cards: Iterable[Mapping[str, str]]) -> SourceReport:
    folder.mkdir(exist_ok=True)
    with (folder / "cards.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(CARD))
        writer.writeheader()
        writer.writerows({**CARD, **card} for card in cards)
    settings = {"name": "cards", "connector": "rate_card_files", "path": str(folder)}
    loaded = registry.load_settings_class("rate_card_files").model_validate(settings)
    return registry.land(loaded, context)


def read_rows(report: SourceReport) -> list[dict[str, Any]]:
    return [
        row
        for file in report.current_files
        for row in pq.read_table(file.path, partitioning=None).to_pylist()
    ]


def costs(report: SourceReport) -> dict[str, tuple[Decimal, datetime | None]]:
    return {row["cost_kind"]: (row["cost_per_hour"], row["valid_to"]) for row in read_rows(report)}


def test_a_card_becomes_a_row_a_kind_of_cost(tmp_path: Path, lake_context: LandingContext) -> None:
    card = {
        "capex_amount": "87600.50",
        "residual_value": "0.50",
        "life_hours": "43800",
        "power_watts": "10200",
        "pue": "1.35",
        "price_per_kwh": "0.21",
        "space_per_month": "180",
    }
    report = land(tmp_path / "in", lake_context, [card])
    assert report.findings == ()
    end = datetime(2026, 1, 15) + timedelta(hours=43800)
    assert costs(report) == {
        "capex": (Decimal(2), end),
        "power": (Decimal("2.8917"), None),
        "space": (Decimal("0.246575342466"), None),
    }
    assert {
        (row["resource_kind"], row["site"], row["zone"], row["currency"]) for row in read_rows(report)
    } == {("gpu_host", "berlin", "ber-1", "EUR")}


def test_a_life_in_months_is_of_the_calendar(tmp_path: Path, lake_context: LandingContext) -> None:
    """From a 29 February, 12 months have 365 days; a year with a leap day within has 366."""
    cards = [
        {"valid_from": "2028-02-29T00:00:00Z", "capex_amount": "8760", "life_months": "12"},
        {
            "valid_from": "2027-03-01T00:00:00Z",
            "capex_amount": "8784",
            "life_months": "12",
            "resource_id": "b",
        },
    ]
    rows = read_rows(land(tmp_path / "in", lake_context, cards))
    assert [(row["cost_per_hour"], row["valid_to"]) for row in rows] == [
        (Decimal(1), datetime(2029, 2, 28)),
        (Decimal(1), datetime(2028, 3, 1)),
    ]
    assert add_months(datetime(2026, 1, 31), 1) == datetime(2026, 2, 28)
    assert add_months(datetime(2026, 12, 5, 6), 2) == datetime(2027, 2, 5, 6)


def test_capex_ends_with_the_card_or_the_life(tmp_path: Path, lake_context: LandingContext) -> None:
    cards = [
        {"capex_amount": "100", "life_hours": "100", "valid_to": "2026-01-17T00:00:00Z"},
        {"capex_amount": "100", "life_hours": "10", "valid_to": "2026-01-17T00:00:00Z", "resource_id": "b"},
    ]
    rows = read_rows(land(tmp_path / "in", lake_context, cards))
    assert [row["valid_to"] for row in rows] == [datetime(2026, 1, 17), datetime(2026, 1, 15, 10)]


def test_cards_that_cannot_be_are_refused_alone(tmp_path: Path, lake_context: LandingContext) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"capex_amount": "100"},
        {"capex_amount": "100", "life_months": "12", "life_hours": "5"},
        {"capex_amount": "100", "life_hours": "0"},
        {"capex_amount": "100", "life_months": "9999999"},
        {"capex_amount": "-100", "life_hours": "5"},
        {"capex_amount": "100", "residual_value": "101", "life_hours": "5"},
        {"capex_amount": "1e400", "life_hours": "5"},
        {"capex_amount": "NaN", "life_hours": "5"},
        {"capex_amount": "1e25", "life_hours": "1"},
        {"power_watts": "100"},
        {"power_watts": "100", "price_per_kwh": "0.2", "pue": "0.9"},
        {"space_per_month": "5", "resource_kind": "fridge"},
        {"space_per_month": "5", "valid_from": ""},
        {"space_per_month": "5", "valid_to": "2026-01-14T00:00:00Z"},
        {"space_per_month": "5", "resource_id": ""},
    ]
    report = land(tmp_path / "in", lake_context, [*wrong, {"space_per_month": "730"}])
    assert len(read_rows(report)) == 1
    assert sum(f.count for f in report.findings if f.kind == "quarantined_row") == len(wrong)
    assert {f.severity for f in report.findings} == {Severity.WARN}


def test_hostile_names_are_kept_as_they_are(tmp_path: Path, lake_context: LandingContext) -> None:
    name = "'; drop table rate_cards; -- ../../etc __proto__ ﷺ"
    (row,) = read_rows(land(tmp_path / "in", lake_context, [{"resource_id": name, "space_per_month": "5"}]))
    assert row["resource_id"] == name


def test_a_changed_card_is_told(tmp_path: Path, lake_context: LandingContext) -> None:
    first = land(tmp_path / "in", lake_context, [{"space_per_month": "730"}])
    assert first.findings == ()
    later = replace(lake_context, now=lake_context.now + timedelta(days=1))
    second = land(tmp_path / "in", later, [{"space_per_month": "1460"}])
    assert [(f.kind, f.severity) for f in second.findings] == [("rate_card_changed", Severity.INFO)]
    assert [row["cost_per_hour"] for row in read_rows(second)] == [Decimal(2)]
    assert land(tmp_path / "in", later, [{"space_per_month": "1460"}]).findings == second.findings
