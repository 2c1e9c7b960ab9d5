"""The Dagster definitions: they load, every source and model is an asset, and what must block does."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.config import load_config
from pipelines.defs.assets import OUTLOOK_KEY, RELEASE_KEY, REPORT_KEY, source_key
from pipelines.defs.build import NIGHTLY_JOB, REPORT_JOB, build_defs
from pipelines.defs.instance import HOME_TAG, SETTINGS, open_instance, tidy_runs
from pipelines.defs.metadata import asset_key
from pipelines.defs.partitions import (
    MARKED_DAYS,
    RANGE_END_TAG,
    RANGE_START_TAG,
    build_mapping,
    build_range_tags,
)
from pipelines.defs.session import find_ledger_readers
from pipelines.night.run import load_models
from pipelines.warehouse.headers import Reading

ROOT = Path(__file__).parents[2]
CONFIG = load_config(
    ROOT / "examples" / "sample" / "everycent.yml", environment={}, is_identity_key_needed=False
)
MODELS = load_models()


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    """The definitions of the sample, with the lineage that the web interface shows."""
    return build_defs(CONFIG, MODELS, has_lineage=True)


@pytest.fixture(scope="module")
def graph(defs: dg.Definitions):
    """All assets with their edges."""
    return defs.resolve_asset_graph()


def test_definitions_are_loadable(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_source_and_model_is_an_asset(graph) -> None:
    wanted = {source_key(source) for source in CONFIG.sources} | {asset_key(name) for name in MODELS.order}
    assert len(wanted) > 50
    made = {key for key in graph.materializable_asset_keys}
    assert made == wanted | {OUTLOOK_KEY, RELEASE_KEY, REPORT_KEY}


def test_groups_mirror_the_folders(graph) -> None:
    for name in MODELS.order:
        assert graph.get(asset_key(name)).group_name == MODELS[name].path.parent.name
    for source in CONFIG.sources:
        assert graph.get(source_key(source)).group_name == "connectors"


def test_an_asset_tells_its_description_columns_and_lineage(graph) -> None:
    node = graph.get(asset_key("marts.cost_daily"))
    model = MODELS["marts.cost_daily"]
    assert node.description == model.header.description
    columns = node.metadata["dagster/column_schema"].value.columns
    assert [(column.name, column.type) for column in columns] == list(model.columns.items())
    assert all(column.description for column in columns)
    lineage = node.metadata["dagster/column_lineage"].value.deps_by_column
    assert asset_key("core.attributed_costs") in {dep.asset_key for dep in lineage["billed_cost"]}
    assert node.code_version == model.code_digest[:12]


def test_every_model_depends_on_what_it_reads(graph) -> None:
    for name in MODELS.order:
        refs = {asset_key(ref) for ref in MODELS[name].dependencies if not ref.startswith("lake.")}
        assert refs <= graph.get(asset_key(name)).parent_keys, name
    assert graph.get(asset_key("staging.charges")).parent_keys == {
        *(
            dg.AssetKey(["connectors", bill])
            for bill in ("aws_bill", "azure_bill", "google_bill", "openai", "anthropic")
        ),
        *(asset_key(f"staging.{vendor}_charges") for vendor in ("aws_cur", "azure_cost", "gcp", "rate_card")),
    }
    assert OUTLOOK_KEY in graph.get(asset_key("staging.ledger_forecasts")).parent_keys
    assert "marts.forecast_daily" in find_ledger_readers(MODELS)
    assert "marts.cost_daily" not in find_ledger_readers(MODELS)


def test_every_check_that_forbids_a_release_is_blocking(defs: dg.Definitions) -> None:
    specs = {
        (spec.asset_key, spec.name): spec.blocking
        for assets in defs.assets or []
        if isinstance(assets, dg.AssetsDefinition)
        for spec in assets.check_specs
    }
    wanted = {}
    for name in MODELS.order:
        model = MODELS[name]
        if not model.is_view and model.header.grain:
            wanted |= {(asset_key(name), check): True for check in ("grain_is_unique", "grain_is_not_null")}
        wanted |= {(asset_key(name), check.name): check.severity == "fail" for check in model.checks}
    assert sum(wanted.values()) > 50
    assert {key: is_blocking for key, is_blocking in specs.items() if key[1] != "has_no_fault"} == wanted
    assert not any(is_blocking for key, is_blocking in specs.items() if key[1] == "has_no_fault")


def test_the_nightly_schedule_asks_for_a_range_up_to_its_day(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("nightly_schedule")
    with dg.DagsterInstance.ephemeral() as instance:
        moment = datetime(2026, 11, 21, 6, tzinfo=UTC)
        context = dg.build_schedule_context(
            instance=instance, scheduled_execution_time=moment, repository_def=defs.get_repository_def()
        )
        requests = schedule.evaluate_tick(context).run_requests
    assert requests is not None and len(requests) == 1
    assert requests[0].run_key == "2026-11-21"
    assert requests[0].tags[RANGE_START_TAG] == "2026-11-19"
    assert requests[0].tags[RANGE_END_TAG] == "2026-11-21"


def test_jobs_and_their_schedules(defs: dg.Definitions) -> None:
    assert REPORT_KEY in defs.resolve_job_def(NIGHTLY_JOB).asset_layer.executable_asset_keys
    assert defs.resolve_job_def(REPORT_JOB).asset_layer.executable_asset_keys == {REPORT_KEY}
    schedules = {s.job_name: (s.cron_schedule, s.execution_timezone) for s in defs.schedules or []}
    assert set(schedules) == {NIGHTLY_JOB, REPORT_JOB}
    assert all(zone == "UTC" for _, zone in schedules.values())


@pytest.mark.parametrize(
    ("first_day", "start"),
    [
        (None, "2026-11-21"),
        (date(2026, 11, 19), "2026-11-19"),
        (date(2026, 9, 1), "2026-11-15"),
        (date(2026, 11, 30), "2026-11-21"),
    ],
)
def test_the_range_covers_the_changed_days(first_day: date | None, start: str) -> None:
    assert MARKED_DAYS == 7
    tags = build_range_tags(first_day, date(2026, 11, 21))
    assert tags == {RANGE_START_TAG: start, RANGE_END_TAG: "2026-11-21"}


def test_partition_mappings_follow_the_header() -> None:
    assert build_mapping(Reading(), True) is None
    assert build_mapping(Reading("all"), False) is None
    assert isinstance(build_mapping(Reading("overlap"), True), dg.AllPartitionMapping)
    window = build_mapping(Reading("days", 1, 2), True)
    assert isinstance(window, dg.TimeWindowPartitionMapping)
    assert (window.start_offset, window.end_offset) == (-1, 2)


def test_a_run_that_was_killed_is_marked_and_old_runs_go_with_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    now = datetime.now(UTC).replace(tzinfo=None)
    with open_instance(tmp_path) as instance:
        assert (tmp_path / "dagster" / "dagster.yaml").read_text() == SETTINGS.read_text()
        assert not instance.telemetry_enabled

        @dg.job
        def empty() -> None:
            """Does nothing."""

        def start(tag: str) -> str:
            run = instance.create_run_for_job(empty, tags={HOME_TAG: tag}, status=dg.DagsterRunStatus.STARTED)
            instance.report_engine_event("started", run)
            return run.run_id

        ours, other = start(str(tmp_path.resolve())), start("elsewhere")
        tidy_runs(instance, tmp_path, now)
        assert instance.get_run_by_id(ours).status is dg.DagsterRunStatus.FAILURE
        assert instance.get_run_by_id(other).status is dg.DagsterRunStatus.STARTED
        events = tmp_path / "dagster" / "history" / "runs" / f"{ours}.db"
        assert events.exists()
        tidy_runs(instance, tmp_path, now.replace(year=now.year + 1))
        assert instance.get_run_by_id(ours) is None
        assert not events.exists()
