"""What was known at a time: the same bytes however the deliveries landed, also when snapshots were pruned since."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from pipelines import cli
from pipelines.config.load import load_config
from pipelines.defs.session import NightSession
from pipelines.night.retention import plan_home_pruning
from pipelines.night.run import Night, NightRequest
from pipelines.warehouse.errors import PublishError
from tests.integration.mini_company import models
from tests.integration.restating_company import NOW, Restating, charge, write_restating

MORNING, NOON, NEXT_DAY = datetime(2026, 11, 10, 6), datetime(2026, 11, 10, 12), datetime(2026, 11, 11, 6)
LATER = datetime(2026, 12, 6, 6)
ASKED = datetime(2026, 11, 10, 9)


def deliver(company: Restating, number: int) -> datetime:
    """The bill as it stood at the nth delivery: it grows and is repriced."""
    moment = (MORNING, NOON, NEXT_DAY, LATER)[number]
    lines = [
        charge(f"{10 + number}", "100", 2, ResourceId="a"),
        *(charge("7", "70", 3 + n, ResourceId="b") for n in range(number)),
    ]
    company.deliver("aws", moment, lines)
    return moment


def ask(company: Restating, as_of: datetime, now: datetime = NOW) -> tuple[Path, bytes, bool]:
    """The side release about a time, the bytes of its report, and whether anything was built."""
    config = load_config(company.folder / "everycent.yml", environment={})
    with Night(NightRequest(config, config.home, as_of.date(), now, as_of), models()) as night:
        session = NightSession(night)
        session.publish()
        report = session.write_report()
        assert report is not None, night.report_problem
        assert night.release is not None
        return night.release.path, report.read_bytes(), bool(night.build.results)


def test_the_order_of_landing_does_not_show_in_the_report(tmp_path: Path) -> None:
    slow, fast = write_restating(tmp_path / "slow"), write_restating(tmp_path / "fast")
    for number in (0, 2, 3):
        moment = deliver(slow, number)
        deliver(fast, number)
        slow.night(moment)
    fast.night(NOW)
    reports = []
    for as_of in (datetime(2026, 11, 19), datetime(2026, 12, 7)):
        reports.append(ask(slow, as_of)[1])
        assert ask(fast, as_of)[1] == reports[-1]
    assert reports[0] != reports[1]


def test_a_question_asked_twice_is_built_once(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    deliver(company, 1)
    company.night()
    release, report, is_built = ask(company, datetime(2026, 11, 19))
    assert is_built
    assert ask(company, datetime(2026, 11, 19)) == (release, report, False)
    deliver(company, 3)
    company.night(datetime(2026, 12, 21))
    assert ask(company, datetime(2026, 11, 19), datetime(2026, 12, 22)) == (release, report, False)


def test_a_time_before_any_delivery_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    company = write_restating(tmp_path)
    deliver(company, 0)
    with pytest.raises(PublishError, match="No source had delivered anything by 2025-01-01 00:00 UTC"):
        ask(company, datetime(2025, 1, 1))
    assert list((tmp_path / "home/warehouse/releases").glob("asof-*")) == []


def snapshots(company: Restating) -> int:
    return len(list((company.folder / "home/lake/charges/aws").glob("*/*.parquet")))


@pytest.fixture
def pruned(tmp_path: Path) -> Restating:
    """A company whose noon delivery replaced the morning's, of which no kept release knows any more."""
    company = write_restating(tmp_path)
    for number in range(3):
        deliver(company, number)
    company.night(datetime(2026, 12, 3))
    assert snapshots(company) == 3
    return company


def test_old_snapshots_go_but_the_last_of_their_day_and_their_record_and_can_come_back(
    pruned: Restating,
) -> None:
    config = load_config(pruned.folder / "everycent.yml", environment={})
    before = snapshots(pruned)
    artifacts = list((pruned.folder / "home/lake/raw/aws/artifacts").iterdir())
    planned = plan_home_pruning(config, config.home.resolve(), datetime(2026, 12, 20))
    assert [snapshot.delivery.delivered_at for snapshot in planned] == [MORNING]
    night = pruned.night(datetime(2026, 12, 20))
    assert night.result.pruned is not None
    assert night.result.pruned.startswith("1 bill snapshots older than 35 days")
    assert snapshots(pruned) == before - 1
    assert len(list((pruned.folder / "home/lake/raw/aws/artifacts").iterdir())) == len(artifacts) - 1
    said = night.query(
        "select sum(billed_cost) as said from marts.restatements where lines > 0 group by delivered_at"
    )
    assert len(said) == 3
    assert pruned.night(datetime(2026, 12, 21)).result.pruned is None
    assert len(list((pruned.folder / "home/lake/raw/aws/deliveries").glob("*.json"))) == 3
    pruned.deliver("aws", datetime(2026, 12, 22, 6), [charge("10", "100", 2, ResourceId="a")])
    assert pruned.night(datetime(2026, 12, 23)).billed() == {"aws": 10}


def test_a_pruned_snapshot_is_answered_with_the_last_of_its_day_and_says_so(pruned: Restating) -> None:
    asked = pruned.night(datetime(2026, 12, 4), ASKED)
    assert [
        row["billed"] for row in asked.query("select sum(billed_cost) as billed from marts.cost_daily")
    ] == [10]
    shutil.rmtree(asked.release)  # a release keeps what it was made from
    pruned.night(datetime(2026, 12, 20))
    asked = pruned.night(datetime(2026, 12, 21), ASKED)
    assert [
        row["billed"] for row in asked.query("select sum(billed_cost) as billed from marts.cost_daily")
    ] == [18]
    told = asked.told("known_at_end_of_day").message
    assert told.endswith(
        "the snapshot of 2026-11-10 06:00 UTC was pruned; shown is that day's last one, of 12:00"
    )


def test_the_command_answers_from_the_same_release_when_asked_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    company = write_restating(tmp_path)
    deliver(company, 1)
    company.night()
    config = str(company.folder / "everycent.yml")
    capsys.readouterr()
    answers = []
    for _ in range(2):
        assert cli.run(["report", "--config", config, "--as-of", "2026-11-19T00:00"]) == 0
        path = Path(capsys.readouterr().out.strip())
        answers.append((path, path.read_bytes()))
    assert answers[0] == answers[1]
    sides = sorted((company.folder / "home/warehouse/releases").glob("asof-*"))
    assert [path.is_relative_to(sides[0]) for path, _ in answers] == [True, True]
    assert len(sides) == 1
