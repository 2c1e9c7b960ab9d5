"""Which lines are classified for a comparison of bills alone, over whole nights: as a rule, none."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from pipelines.config.load import load_config
from pipelines.night.classified_lines import find_classified
from pipelines.night.run import Night, NightRequest
from tests.integration.mini_company import models
from tests.integration.restating_company import Restating, changes, charge, write_restating

FIRST, SECOND = datetime(2026, 11, 10, 6), datetime(2026, 11, 12, 6)
RULE = "classification: [{rule_id: machines_are_storage, meter_pattern: boxusage, cost_driver: storage}]"


def find_made(company: Restating, now: datetime, folder: Path) -> list[bool]:
    """Land and gather a night; of each set of files with classified lines, whether it was made for this alone."""
    config = load_config(company.folder / "everycent.yml", environment={})
    with Night(NightRequest(config, config.home, now.date(), now), models()) as night:
        for source in config.sources:
            assert not night.land(source).has_fault
        night.gather()
        contents = [delivery for report in night.reports.values() for delivery in report.deliveries]
        assert len(contents) == 2
        found = find_classified(night.build, contents, folder)
        assert sorted(name for files in found for name in files.snapshots) == sorted(
            delivery.snapshot_id for delivery in contents
        )
        return [path.is_relative_to(folder) for files in found for path in files.files]


def write_two(folder: Path) -> Restating:
    """A company whose bill was delivered once and published, and delivered again since."""
    company = write_restating(folder)
    company.deliver("aws", FIRST, [charge("10", "100")])
    assert [row["change"] for row in changes(company.night(FIRST))] == [Decimal(10)]
    company.deliver("aws", SECOND, [charge("11", "100")])
    return company


def test_lines_that_two_nights_classified_are_not_classified_again(tmp_path: Path) -> None:
    company = write_two(tmp_path)
    assert find_made(company, SECOND, tmp_path / "scratch") == [False, False]
    assert [row["change"] for row in changes(company.night(SECOND))] == [Decimal(10), Decimal(1)]


def test_a_changed_rule_classifies_the_lines_before_again(tmp_path: Path) -> None:
    """What a release says of a line holds no longer once the rules are others: both sides are told by the new ones."""
    company = write_two(tmp_path)
    config = company.folder / "everycent.yml"
    config.write_text(config.read_text() + RULE + "\n")
    assert find_made(company, SECOND, tmp_path / "scratch") == [False, True]
    told = company.night(SECOND).query(
        "select cost_driver, previous_billed_cost, billed_cost, cause from marts.restatements "
        "where previous_snapshot_id is not null"
    )
    assert told == [
        {
            "cost_driver": "storage",
            "previous_billed_cost": Decimal(10),
            "billed_cost": Decimal(11),
            "cause": "price",
        }
    ]
