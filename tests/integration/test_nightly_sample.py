"""Whole nights by the scheduler on a small sample company: outcomes, exit codes, and what a reader still sees."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.config import Config, load_config
from pipelines.defs import nightly
from pipelines.defs.build import NIGHTLY_JOB, REPORT_JOB, build_defs
from pipelines.defs.instance import HOME_TAG, open_instance
from pipelines.defs.metadata import asset_key
from pipelines.defs.nightly import run_nightly
from pipelines.defs.partitions import build_range_tags
from pipelines.night.run import MODELS_FOLDER, load_models
from pipelines.progress import SilentProgress
from pipelines.results import ExitCode, NightlyResult
from pipelines.warehouse.errors import LockedError
from pipelines.warehouse.lock import writer_lock
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.query import run_query
from pipelines.warehouse.release import ReleaseStore
from simulator.serve import ENVIRONMENT, serve

ROOT = Path(__file__).parents[2]
TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 12)
KEY = {"EVERYCENT_IDENTITY_KEY": "a key of the tests"}
SAMPLE_ENDPOINT = "http://127.0.0.1:8790"


class SmallCompany:
    """A folder with the sample's files and config, and the clock of its nights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.file = folder / "examples" / "sample" / "everycent.yml"
        self.minutes = 0

    @property
    def config(self) -> Config:
        """The sample's own config on this folder."""
        return load_config(self.file, environment=KEY)

    @property
    def current(self) -> str | None:
        """Name of the current release."""
        store = ReleaseStore(self.home)
        return store.current().name if store.pointer.is_symlink() else None

    def run(self) -> NightlyResult:
        """One night, minutes after the one before."""
        self.minutes += 1
        now = NOW + timedelta(minutes=self.minutes)
        return run_nightly(
            self.config,
            home=self.home,
            today=TODAY,
            as_of=None,
            since=None,
            progress=SilentProgress(),
            now=now,
        )

    def write_flow(self) -> None:
        """Deliver one more line of flows, so that there is something to build."""
        file = sorted((self.folder / "sample" / "flows").glob("*.csv"))[-1]
        lines = file.read_text().splitlines()
        assert len(lines) > 1
        file.write_text("\n".join([*lines, lines[-1]]) + "\n")

    def read_total(self) -> object:
        """What a reader of the current release sees."""
        release = ReleaseStore(self.home).current()
        with duckdb.connect(str(release.catalogue), read_only=True) as connection:
            return connection.execute("select count(*), sum(billed_cost) from marts.cost_daily").fetchall()


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SmallCompany, NightlyResult]]:
    """A company of twelve days after its first night."""
    environment = os.environ.pop("DAGSTER_HOME", None)
    folder = tmp_path_factory.mktemp("company")
    command = [sys.executable, "-m", "simulator", "--out", folder / "sample", "--days", "12"]
    subprocess.run([*command, "--requests", "800"], cwd=ROOT, check=True)
    (folder / "examples" / "sample").mkdir(parents=True)
    text = (ROOT / "examples" / "sample" / "everycent.yml").read_text()
    company = SmallCompany(folder)
    os.environ.update(ENVIRONMENT)
    with serve(folder / "sample", port=0) as server:
        company.file.write_text(text.replace(SAMPLE_ENDPOINT, server.url))
        yield company, company.run()
    if environment is not None:
        os.environ["DAGSTER_HOME"] = environment


@pytest.fixture
def company(first_night: tuple[SmallCompany, NightlyResult], tmp_path: Path) -> SmallCompany:
    """A copy of the company to damage, published again in its own place."""
    folder = tmp_path / "company"
    shutil.copytree(first_night[0].folder, folder, symlinks=True)
    copy = SmallCompany(folder)
    copy.minutes = first_night[0].minutes
    assert copy.run().exit_code == ExitCode.OK
    return copy


def test_every_answer_of_the_page_of_questions_runs(
    first_night: tuple[SmallCompany, NightlyResult],
) -> None:
    page = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    release = ReleaseStore(first_night[0].home).current()
    counts = []
    for sql in re.findall(r"^```sql\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        with run_query(release, sql) as result:
            counts.append(len(list(result.rows())))
    assert len(counts) == page.count("```sql") == 20
    assert counts[0] > 0 and counts[1] > 0 and counts[-1] > 0


def test_a_first_night_publishes_and_conserves(first_night: tuple[SmallCompany, NightlyResult]) -> None:
    company, result = first_night
    assert (result.exit_code, result.is_published) == (ExitCode.OK, True)
    assert result.release_path is not None and result.release_path.name == company.current
    assert {line.currency for line in result.conservation} == {"EUR", "USD"}
    assert all(line.difference == 0 and line.billed_total > 0 for line in result.conservation)
    assert len(result.top_lines) == 10
    what = [
        {**line, "days": 0, "last_date": None, "requests": 0, "effective_cost": 0}
        for line in result.top_lines
    ]
    assert all(line not in what[:number] for number, line in enumerate(what))
    assert max(line["days"] for line in result.top_lines) > 1


def test_dagster_shows_what_was_made(first_night: tuple[SmallCompany, NightlyResult]) -> None:
    company, _ = first_night
    with open_instance(company.home) as instance:
        event = instance.get_latest_materialization_event(asset_key("marts.cost_daily"))
        assert event is not None and event.asset_materialization is not None
        rows = event.asset_materialization.metadata["dagster/row_count"].value
        days = instance.get_materialized_partitions(asset_key("marts.cost_daily"))
        runs = instance.get_runs()
    assert [(rows,)] == [(row[0],) for row in company.read_total()]  # type: ignore[attr-defined]
    assert days == {(TODAY - timedelta(days=back)).isoformat() for back in range(7)}
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}


def test_a_second_night_with_nothing_new_changes_nothing(
    first_night: tuple[SmallCompany, NightlyResult],
) -> None:
    company, first = first_night
    result = company.run()
    assert (result.exit_code, result.is_published, result.unchanged) == (ExitCode.OK, False, True)
    assert result.release_path == first.release_path
    assert result.conservation == first.conservation


def test_new_data_is_published(company: SmallCompany) -> None:
    before = company.current
    company.write_flow()
    assert company.run().is_published
    assert company.current != before


def test_a_missing_source_is_told_and_the_rest_published(company: SmallCompany) -> None:
    before = company.current
    shutil.rmtree(company.folder / "sample" / "telemetry")
    company.write_flow()
    result = company.run()
    assert (result.exit_code, result.is_published) == (ExitCode.SOURCE_AT_FAULT, True)
    assert [fault for fault in result.source_faults if fault.startswith("log_volumes: ")]
    assert company.current != before
    assert all(line.difference == 0 for line in result.conservation)


def test_a_corrupt_gzip_is_told_and_its_last_good_bill_stands(company: SmallCompany) -> None:
    seen = company.read_total()
    file = deliver_again(company.folder / "sample" / "bills" / "aws" / "quillworks-cur")
    content = gzip.compress(b"line_item_unblended_cost\n" * 10_000)
    file.write_bytes(content[: len(content) // 2])
    os.utime(file, (0, 0))  # older than its manifest, so that the delivery is done
    result = company.run()
    assert result.exit_code == ExitCode.SOURCE_AT_FAULT
    assert [fault for fault in result.source_faults if fault.startswith("aws_bill: ") and file.name in fault]
    assert company.read_total() == seen


def deliver_again(export: Path) -> Path:
    """One more execution of the newest month's export, two days after the last; returns its data file."""
    newest = max(export.glob("metadata/*/*/*-Manifest.json")).parent
    execution = "2026-11-19T06:20:00Z-0d9a1a4e-7a53-4f0c-8f6e-0e3a1b8f2c11"
    for part in ("data", "metadata"):
        shutil.copytree(
            export / part / newest.parent.name / newest.name, export / part / newest.parent.name / execution
        )
    for manifest in (newest.parent / execution, newest.parent):
        (file,) = manifest.glob("*-Manifest.json")
        stated = file.read_text().replace(newest.name, execution)
        file.write_text(stated.replace(newest.name.partition("Z-")[2], execution.partition("Z-")[2]))
    (data,) = (export / "data" / newest.parent.name / execution).glob("*.csv.gz")
    return data


def test_broken_conservation_publishes_nothing(
    company: SmallCompany, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = company.current, company.read_total()
    broken = tmp_path / "models_sql"
    shutil.copytree(MODELS_FOLDER, broken)
    file = broken / "core" / "charge_cells.sql"
    text = file.read_text()
    good = "cast(split.billed_part as decimal(24, 0))"
    assert good in text
    file.write_text(text.replace(good, "cast(split.billed_part + 1 as decimal(24, 0))"))
    monkeypatch.setattr(nightly, "load_models", lambda home: ModelSet.load(broken))
    result = company.run()
    assert (result.exit_code, result.is_published) == (ExitCode.NOTHING_PUBLISHED, False)
    assert any(
        "core.charge_cells: check line_equals_its_cells" in sentence for sentence in result.failed_checks
    )
    assert result.release_path is not None and result.release_path.name == before == company.current
    assert company.read_total() == seen
    with open_instance(company.home) as instance:
        assert instance.get_runs(limit=1)[0].status is dg.DagsterRunStatus.FAILURE
        assert instance.get_latest_materialization_event(asset_key("core.charge_cells")) is not None


@pytest.mark.parametrize("step", ["Build tables", "Publish"])
def test_a_killed_night_leaves_the_release_before(company: SmallCompany, step: str) -> None:
    before, seen = company.current, company.read_total()
    company.write_flow()
    command = [sys.executable, "-m", "pipelines.cli", "nightly", "--config", company.file]
    command += ["--home", company.home, "--today", TODAY.isoformat()]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **KEY, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert next((line for line in lines if line.startswith(step)), None), "the night did not get there"
        process.kill()
        assert process.wait() == -9
    assert (company.current, company.read_total()) == (before, seen)
    company.minutes = 60 * 24 * 7
    result = company.run()
    assert (result.exit_code, result.is_published) == (ExitCode.OK, True)
    with open_instance(company.home) as instance:
        tags = {HOME_TAG: str(company.home.resolve())}
        states = [run.status for run in instance.get_runs(dg.RunsFilter(tags=tags))]
    assert set(states) <= {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS}
    assert states.count(dg.DagsterRunStatus.FAILURE) == 1 or step == "Build tables"  # perhaps not begun


def test_a_second_writer_is_turned_away(first_night: tuple[SmallCompany, NightlyResult]) -> None:
    company, _ = first_night
    with writer_lock(company.home), pytest.raises(LockedError, match="Another run is writing"):
        company.run()


def test_the_command_ends_with_the_exit_code_and_the_proof(company: SmallCompany) -> None:
    shutil.rmtree(company.folder / "sample" / "telemetry")
    arguments = ["nightly", "--config", str(company.file), "--home", str(company.home), "--today", str(TODAY)]
    result = CliRunner(env=KEY).invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert "Conservation" in result.output and "log_volumes" in result.output


def test_the_job_runs_as_the_daemon_runs_it(company: SmallCompany) -> None:
    """Without a night from outside each run opens its own, and one run does all of it."""
    before = company.current
    company.write_flow()
    defs = build_defs(company.config, load_models(), home=company.home)
    with open_instance(company.home) as instance:
        for name in (NIGHTLY_JOB, REPORT_JOB):
            tags = build_range_tags(None, TODAY) if name == NIGHTLY_JOB else {}
            assert defs.resolve_job_def(name).execute_in_process(instance=instance, tags=tags).success
        rows = instance.get_latest_materialization_event(asset_key("marts.traces"))
    assert rows is not None and rows.asset_materialization is not None
    assert rows.asset_materialization.metadata["dagster/row_count"].value > 0
    assert company.current != before
