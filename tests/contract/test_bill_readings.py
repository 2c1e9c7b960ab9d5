"""Until when a bill is known that is asked for day by day: equal answers count, failures do not; also as of a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from connectors.common.bill_readings import read_readings
from connectors.common.contract import LandingContext, SourceReport, TerminalError
from connectors.openai.client import land
from connectors.openai.settings import Settings
from connectors.openrouter.client import land as land_openrouter
from connectors.openrouter.settings import Settings as OpenRouterSettings
from pipelines.night.findings import find_late_bills
from pipelines.night.inputs import write_bill_deliveries
from tests.servers.openai import OpenAIServer, at, cost
from tests.servers.openrouter import KEY as OPENROUTER_KEY
from tests.servers.openrouter import OpenRouterServer
from tests.servers.rest import Reply, RestServer, Route

KEY = "sk-admin-canary-0123456789abcdefghijklmnop"
LAST_USE = "2026-11-02"
NIGHT = datetime(2026, 11, 3, 8)
Source = Callable[..., Settings]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    """An organization that paid on one day and never again."""
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    vendor = OpenAIServer(KEY)
    vendor.data["costs"] = [(at(LAST_USE), cost("2", "gpt-4o, input"))]
    return vendor


@pytest.fixture
def source(server: OpenAIServer, rest: Callable[[Route], RestServer]) -> Source:
    url = rest(server).url

    def build(**values: object) -> Settings:
        given = {
            "first_day": "2026-11-01",
            "usage": [],
            "longest_wait_seconds": 0.01,
            "attempts": 1,
            **values,
        }
        return Settings.model_validate(
            {"name": "openai", "organization_id": "org-test", "endpoint": f"{url}/v1", **given}
        )

    return build


@pytest.fixture
def watermark(tmp_path: Path) -> Callable[[SourceReport, datetime], tuple[datetime, str]]:
    """`watermark(report, now)`: until when November is complete, and whether it is closed."""

    def read(report: SourceReport, now: datetime) -> tuple[datetime, str]:
        relation = write_bill_deliveries(tmp_path / "tables", [report], now)
        (file,) = (file for file in relation.all_files if file.partition == "2026-11")
        (told,) = {
            (row["watermark_at"], row["period_status"]) for row in pq.read_table(file.path).to_pylist()
        }
        return told

    return read


Watermark = Callable[[SourceReport, datetime], tuple[datetime, str]]


def at_time(context: LandingContext, now: datetime, as_of: datetime | None = None) -> LandingContext:
    return replace(context, now=now, as_of=as_of)


def test_a_bill_that_is_read_again_is_known_until_then_though_nothing_changed(
    source: Source, lake_context: LandingContext, watermark: Watermark
) -> None:
    told = []
    for day in (3, 4, 13):
        now = datetime(2026, 11, day, 8)
        report = land(source(), at_time(lake_context, now))
        assert (report.has_fault, len(report.deliveries)) == (False, 1)
        told.append(watermark(report, now))
        assert find_late_bills([report], now.date()) == []
    assert told == [(datetime(2026, 11, day, 8), "open") for day in (2, 3, 12)]
    later = datetime(2026, 12, 9, 8)
    closing = land(source(), at_time(lake_context, later))
    assert watermark(closing, later) == (datetime(2026, 12, 8, 8), "closed")
    after = datetime(2027, 1, 20, 8)
    assert watermark(land(source(), at_time(lake_context, after)), after) == (datetime(2026, 12, 9), "closed")


def test_a_night_that_fails_leaves_the_bill_where_it_was(
    server: OpenAIServer, source: Source, lake_context: LandingContext, watermark: Watermark
) -> None:
    land(source(), at_time(lake_context, NIGHT))
    folder = lake_context.lake / "raw" / "openai" / "readings"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    server.faults = [Reply(500)]
    now = datetime(2026, 11, 6, 8)
    report = land(source(), at_time(lake_context, now))
    assert report.has_fault
    assert watermark(report, now) == (datetime(2026, 11, 2, 8), "open")
    server.faults = []
    report = land(source(), at_time(lake_context, now))
    assert watermark(report, now) == (datetime(2026, 11, 5, 8), "open")
    kept = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert before.items() < kept.items()


def test_days_after_one_that_failed_are_not_known_though_they_came(
    server: OpenAIServer, source: Source, lake_context: LandingContext, watermark: Watermark
) -> None:
    server.data["costs"] = [(at(f"2026-{day}"), cost("1", "gpt-4o, input")) for day in ("09-05", "11-02")]
    settings = source(first_day="2026-09-01")
    now = datetime(2026, 11, 6, 8)
    server.faults = [None, Reply(200, {"object": "page"})]
    report = land(settings, at_time(lake_context, now))
    assert {delivery.period for delivery in report.deliveries} == {"2026-09", "2026-11"}
    assert watermark(report, now) == (datetime(2026, 10, 1), "open")
    report = land(settings, at_time(lake_context, now))
    assert not report.has_fault
    assert watermark(report, now) == (datetime(2026, 11, 5, 8), "open")


def test_as_of_a_time_a_bill_is_known_as_it_was_read_by_then(
    server: OpenAIServer, source: Source, lake_context: LandingContext, watermark: Watermark
) -> None:
    for day in (3, 4, 13):
        land(source(), at_time(lake_context, datetime(2026, 11, day, 8)))
    server.faults = [Reply(500)] * 9
    now = datetime(2026, 11, 20, 8)
    for asked, known in (("2026-11-04T07:59", 2), ("2026-11-04T08:00", 3), ("2026-11-20T00:00", 12)):
        as_of = datetime.fromisoformat(asked)
        report = land(source(), at_time(lake_context, now, as_of))
        assert watermark(report, as_of) == (datetime(2026, 11, known, 8), "open")
    assert len(server.faults) == 9


def test_a_killed_night_has_said_nothing_and_the_next_says_all(
    source: Source, lake_context: LandingContext, watermark: Watermark, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 13, 8)
    land(source(), at_time(lake_context, NIGHT))
    with monkeypatch.context() as killed:
        killed.setattr("connectors.common.source_landing.write_reading", _die)
        with pytest.raises(KeyboardInterrupt):
            land(source(), at_time(lake_context, now))
    as_of = at_time(lake_context, now, now)
    assert watermark(land(source(), as_of), now) == (datetime(2026, 11, 2, 8), "open")
    report = land(source(), at_time(lake_context, now))
    assert watermark(report, now) == (datetime(2026, 11, 12, 8), "open")


def test_readings_of_another_organization_say_nothing(source: Source, lake_context: LandingContext) -> None:
    land(source(), at_time(lake_context, NIGHT))
    other = land(
        source(organization_id="org-other", costs=False, usage=["completions"]), at_time(lake_context, NIGHT)
    )
    assert other.bill_readings == ()


def test_a_damaged_reading_says_what_to_do(source: Source, lake_context: LandingContext) -> None:
    land(source(), at_time(lake_context, NIGHT))
    folder = lake_context.lake / "raw" / "openai" / "readings"
    (file,) = folder.iterdir()
    file.write_text("{")
    with pytest.raises(TerminalError, match="remove it"):
        read_readings(folder, None)


def test_credits_that_come_with_usage_are_known_until_both_were_read(
    rest: Callable[[Route], RestServer],
    lake_context: LandingContext,
    watermark: Watermark,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENROUTER_MANAGEMENT_KEY", OPENROUTER_KEY)
    vendor = OpenRouterServer(NIGHT.date())
    vendor.add(date(2026, 11, 2))
    endpoint = f"{rest(vendor).url}/api/v1"
    settings = OpenRouterSettings.model_validate(
        {
            "name": "openrouter",
            "account_id": "my-org",
            "endpoint": endpoint,
            "longest_wait_seconds": 0,
            "first_day": "2026-11-01",
        }
    )
    told = []
    for day in (3, 13):
        now = datetime(2026, 11, day, 8)
        vendor.today = now.date()
        told.append(watermark(land_openrouter(settings, at_time(lake_context, now)), now))
    assert told == [(datetime(2026, 11, 2, 8), "open"), (datetime(2026, 11, 12, 8), "open")]


def _die(*_: object) -> None:
    raise KeyboardInterrupt
