"""The simulated company's logs land through the real connectors: nothing refused, every token and byte where it was.

What belongs here: what is landed and merged, against the world's frames. What must not: money, bills.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from connectors.common import registry
from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.identity import Identity
from pipelines.config.model import Config
from simulator import company
from simulator.company import Period
from simulator.habits import Habits
from simulator.logs import delivered, write_logs
from simulator.logs.line_files import write_csv
from simulator.logs.measurements import build_capacity
from simulator.world import World, build_world
from tests.sql.chain import Chain, Inputs, Window

PERIOD = Period(date(2026, 11, 3), date(2026, 11, 5))
NOW = datetime(2026, 11, 20, 6, 0)
IDENTITY = Identity(key=b"a key for tests")
README = Path(__file__).resolve().parents[2] / "simulator" / "logs" / "README.md"
CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
OWNER = ("feature", "endpoint", "workflow", "agent", "agent_step", "team", "tenant", "environment")
EXPECTED_FINDINGS = {
    "duplicate_request",  # a span, or a line of a cloud's log, that was sent twice
    "usage_missing",  # throttled attempts
    "nested_call",  # vLLM's span below the client's
    "sampled_spans",
    "orphan_span",  # a lost root, or a parent in the file of the next day
}
MODELS = ("core.identified_requests", "core.transfers", "core.telemetry")


@dataclass(frozen=True)
class Landed:
    """A world, and what the connectors and the models of merging made of its logs."""

    world: World
    reports: dict[str, SourceReport]
    calls: pl.DataFrame
    transfers: pl.DataFrame
    telemetry: pl.DataFrame

    @property
    def findings(self) -> list[Any]:
        """What any source found."""
        return [finding for report in self.reports.values() for finding in report.findings]

    def lake(self, dataset: str) -> pl.DataFrame:
        """The current rows of a dataset of the lake, whatever their source."""
        files = [
            file.path for r in self.reports.values() for file in r.current_files if file.dataset == dataset
        ]
        return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in files])


def read_config() -> dict[str, Any]:
    """The config that the README of the logs gives."""
    block = re.search(r"```yaml\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    return yaml.safe_load(block[1])


def land(root: Path, world: World, spans_format: str = "json") -> dict[str, SourceReport]:
    """Write the logs of a world and land those sources of the README's config that delivered something."""
    write_logs(root, world, spans_format=spans_format)
    context = LandingContext(root / "lake", NOW, IDENTITY, {})
    reports = {}
    for source in read_config()["sources"]:
        if (root / source["path"]).exists():
            settings = registry.load_settings_class(source["connector"])
            valid = settings.model_validate(source, context={"base_dir": root})
            reports[source["name"]] = registry.land(valid, context)
    return reports


def fall_back(world: World) -> World:
    """Let every other call that the gateway sent to Anthropic go to Bedrock, so that three logs name it in turn."""
    route = company.ROUTES["support_haiku_fallback"]
    account = company.ACCOUNTS[route.account]
    changes = {
        "route": route.key,
        "provider": route.provider,
        "cloud": account.cloud,
        "account_id": account.account_id,
        "region": route.region,
        "principal": route.principal,
        "logged_model": route.request_model,
        "request_model": route.request_model,
        "response_model": route.response_model,
    }
    is_moved = (pl.col("route") == "support_haiku") & pl.col("provider_request_id").is_not_null()
    is_moved &= pl.col("in_gateway") & (pl.col("call_index") % 2 == 0)
    aws_id = pl.concat_str(pl.lit("0fab0fab-"), pl.col("gateway_call_id").str.slice(9))
    calls = world.calls.with_columns(
        *(
            pl.when(is_moved).then(pl.lit(value)).otherwise(name).alias(name)
            for name, value in changes.items()
        ),
        pl.when(is_moved).then(aws_id).otherwise("provider_request_id").alias("provider_request_id"),
        (is_moved | pl.col("in_provider_log")).alias("in_provider_log"),
    )
    return replace(world, calls=calls)


def build(root: Path, habits: Habits, requests: int) -> Landed:
    world = fall_back(build_world(PERIOD, requests, 7, habits))
    reports = land(root, world)
    datasets = ("requests", "spans", "transfers", "telemetry", "workloads", "zones")
    empty = Landed(world, reports, pl.DataFrame(), pl.DataFrame(), pl.DataFrame())
    rows = {name: empty.lake(name).to_dicts() for name in datasets}
    window = Window(PERIOD.start, PERIOD.end + timedelta(days=2), NOW)
    config = Config.model_validate({"model_aliases": read_config()["model_aliases"]})
    with Chain(Inputs(rows, (), config), window, MODELS) as chain:
        assert not chain.failed_checks()
        found = {
            model: pl.DataFrame(chain.rows(f"select * from {model}"), infer_schema_length=None)
            for model in MODELS
        }
    return Landed(world, reports, *(found[model] for model in MODELS))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return build(tmp_path_factory.mktemp("clean"), Habits.clean(), 500)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """All habits at once, the rare ones often enough to be seen."""
    doses = ("duplicates=0.2", "lost_roots=0.1", "odd_user_ids=0.2", "aborted_streams=0.05")
    return build(tmp_path_factory.mktemp("real"), Habits().with_doses(doses), 900)


def as_logged(calls: pl.DataFrame) -> pl.DataFrame:
    """Users as the lake names them; failed attempts by their span, for they have no id of the provider."""
    users = {
        user: IDENTITY.pseudonymise(user)
        for user in calls["user_id_as_logged"].unique().to_list()
        if user is not None
    }
    return calls.with_columns(
        pl.col("user_id_as_logged").replace_strict(users, return_dtype=pl.String).alias("user_id")
    )


def sums(frame: pl.DataFrame, *keys: str) -> list[tuple[Any, ...]]:
    """Tokens by class, and calls, of each combination of keys."""
    counted = frame.group_by(keys).agg(pl.len(), pl.col(CLASSES).fill_null(0).sum())
    return counted.sort(keys, nulls_last=True).rows()


def test_nothing_is_refused(clean: Landed, real: Landed) -> None:
    assert {finding.kind for finding in clean.findings} <= {"usage_missing", "nested_call"}
    assert {finding.kind for finding in real.findings} == EXPECTED_FINDINGS
    assert not [f for f in (*clean.findings, *real.findings) if f.severity is Severity.FAULT]
    assert set(clean.reports) == {source["name"] for source in read_config()["sources"]} - {
        "gateway",
        "bedrock_log",
        "vertex_log",
    }
    assert set(real.reports) == {source["name"] for source in read_config()["sources"]}


def test_a_clean_world_lands_every_call_once(clean: Landed) -> None:
    calls = as_logged(clean.world.calls)
    assert len(calls) > 400
    assert calls["unlogged_reason"].null_count() == len(calls)
    keys = ("feature", "user_id", "provider")
    assert sums(clean.calls, *keys) == sums(calls, *keys)


def test_a_clean_world_tells_owner_place_and_time_of_every_call(clean: Landed) -> None:
    calls = as_logged(clean.world.calls).filter(pl.col("provider_request_id").is_not_null())
    expected = calls.with_columns(
        pl.when(pl.col("region") != "").then("region").alias("region_id"),
        pl.when(pl.col("provider") != "vllm").then("account_id").alias("sub_account_id"),
        pl.when(pl.col("provider") == "vllm").then("replica_id").alias("replica_id"),
    )
    columns = (
        *("provider_request_id", "user_id", *OWNER, "region_id", "sub_account_id", "replica_id"),
        *("started_at", "ended_at", *CLASSES),
    )
    for name in columns:
        told = clean.calls.filter(pl.col("provider_request_id").is_not_null())
        pairs = [
            frame.select("provider_request_id", pl.col(name).alias("told"))
            .with_columns(pl.col("told").fill_null(0) if name in CLASSES else pl.col("told"))
            .sort("provider_request_id")
            .rows()
            for frame in (told, expected)
        ]
        assert pairs[0] == pairs[1], name


def test_habits_leave_out_what_the_world_says_and_count_nothing_twice(real: Landed) -> None:
    calls = as_logged(real.world.calls)
    seen = delivered(real.world)
    assert set(seen["emitter"]) == {"span", "gateway", "provider_log"}
    assert (seen["copies"] == 2).sum() > 50
    assert set(calls["unlogged_reason"].drop_nulls()) == {"aborted", "bypass", "lost_day", "sampled"}
    assert set(seen.group_by("call_index").len()["len"]) == {1, 2, 3}
    logged = calls.filter(pl.col("call_index").is_in(seen["call_index"].unique().implode()))
    assert logged["unlogged_reason"].null_count() == len(logged)
    assert sums(real.calls, "provider") == sums(logged, "provider")


def test_every_delivered_call_has_the_owner_that_its_logs_tell(real: Landed) -> None:
    told = delivered(real.world).group_by("call_index").agg(pl.col("tells_feature", "tells_user").any())
    calls = as_logged(real.world.calls).join(told, on="call_index", how="inner")
    expected = calls.filter(pl.col("provider_request_id").is_not_null()).select(
        "provider_request_id",
        pl.when("tells_feature").then("feature").alias("feature"),
        pl.when("tells_user").then("user_id").alias("user_id"),
        *CLASSES,
    )
    landed = real.calls.filter(pl.col("provider_request_id").is_not_null()).select(
        "provider_request_id", "feature", "user_id", pl.col(CLASSES).fill_null(0)
    )
    assert 0 < expected["feature"].null_count() < len(expected) / 2
    assert landed.sort("provider_request_id").rows() == expected.sort("provider_request_id").rows()


@pytest.mark.parametrize("which", ["clean", "real"])
def test_bytes_between_zones_are_those_of_the_hosts(which: str, request: pytest.FixtureRequest) -> None:
    landed: Landed = request.getfixturevalue(which)
    used = landed.transfers.filter(pl.col("is_used"))
    keys = ("charge_date", "provider", "traffic_kind", "feature", "from_zone", "to_zone")
    told = used.group_by(keys).agg(pl.col("bytes").sum())
    moved = landed.world.transfers.group_by(
        pl.col("window_start").dt.date().alias("charge_date"),
        pl.col("cloud").alias("provider"),
        "traffic_kind",
        "feature",
        pl.col("from_zone_id").alias("from_zone"),
        pl.when(pl.col("to_zone_id") != "internet").then("to_zone_id").alias("to_zone"),
    ).agg(pl.col("bytes").sum())
    told = told.with_columns(pl.when(pl.col("to_zone") != "internet").then("to_zone").alias("to_zone"))
    assert len(moved) == len(told) > 50
    assert told.select(moved.columns).sort(keys).rows() == moved.sort(keys).rows()


def test_measurements_stand_as_they_were_made(real: Landed) -> None:
    made = real.world.telemetry.select("workload_ref", "signal", "volume_bytes", "volume_count")
    assert (
        real.lake("telemetry").select(made.columns).sort(made.columns).rows()
        == made.sort(made.columns).rows()
    )
    hours = build_capacity(real.world).select("hour_start", "replica_id", "busy_seconds", "output_tokens")
    assert (
        real.lake("capacity").select(hours.columns).sort(hours.columns).rows()
        == hours.sort(hours.columns).rows()
    )
    assert 0 < hours["busy_seconds"].sum() < 3600 * len(hours)
    assert len(real.lake("events")) == len(real.world.events) > 10
    assert len(real.lake("zones")) == 14


def test_parquet_of_a_big_world_says_what_json_lines_say(tmp_path: Path, real: Landed) -> None:
    write_logs(tmp_path, real.world, spans_format="parquet")
    settings = registry.load_settings_class("otel_genai").model_validate(
        read_config()["sources"][0], context={"base_dir": tmp_path}
    )
    report = registry.land(settings, LandingContext(tmp_path / "lake", NOW, IDENTITY, {}))
    other = Landed(real.world, {"agent_traces": report}, *[pl.DataFrame()] * 3)
    same = Landed(real.world, {"agent_traces": real.reports["agent_traces"]}, *[pl.DataFrame()] * 3)
    for dataset in ("requests", "spans"):
        left, right = (each.lake(dataset).drop("x_snapshot_id") for each in (other, same))
        assert len(left) > 500
        assert left.sort(left.columns).equals(right.sort(right.columns))


def test_the_same_world_is_written_the_same(tmp_path: Path, real: Landed) -> None:
    for name in ("a", "b"):
        write_logs(tmp_path / name, build_world(PERIOD, 200, 7, real.world.habits))
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert len(files) > 20
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_morning_after_morning_ends_in_the_same_files(tmp_path: Path, real: Landed) -> None:
    whole, daily = tmp_path / "whole", tmp_path / "daily"
    write_logs(whole, real.world, file_period="1d")
    traces = []
    for number in range(1, 6):
        write_logs(daily, real.world, today=PERIOD.start + timedelta(days=number), file_period="1d")
        files = sorted(daily.glob("traces/*"))
        traces.append({file.name: file.stat().st_mtime_ns for file in files})
    assert [len(each) for each in traces[:2]] == [0, 1]  # the spans of the first day are lost
    assert traces[1].items() < traces[2].items() <= traces[3].items()  # what was delivered stays
    names = sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file())
    assert len(names) > 20
    assert names == sorted(p.relative_to(daily) for p in daily.rglob("*") if p.is_file())
    for name in names:
        assert (whole / name).read_bytes() == (daily / name).read_bytes(), name


def test_an_unknown_format_is_refused(tmp_path: Path, real: Landed) -> None:
    with pytest.raises(ValueError, match="spans_format is 'avro'"):
        write_logs(tmp_path, real.world, spans_format="avro")


def test_a_name_that_json_would_have_to_escape_is_refused(tmp_path: Path, real: Landed) -> None:
    spans = real.world.spans.with_columns(tenant=pl.lit('a "quoted" one'))
    world = replace(real.world, spans=spans)
    with pytest.raises(ValueError, match=r"app\.tenant holds a quote"):
        write_logs(tmp_path, world)


def test_times_in_files_are_utc(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", pl.DataFrame({"at": [datetime(2026, 11, 1, 5)], "n": [None]}))
    assert (tmp_path / "a.csv").read_text() == "at,n\n2026-11-01T05:00:00Z,\n"


def test_api_management_logs_what_an_account_with_such_a_log_would(tmp_path: Path, clean: Landed) -> None:
    """No account of the company has one by default; `company.PROVIDER_LOG_ACCOUNTS` says which have."""
    is_azure = (pl.col("provider") == "azure.ai.openai") & pl.col("provider_request_id").is_not_null()
    calls = clean.world.calls.with_columns(in_provider_log=is_azure)
    write_logs(tmp_path, replace(clean.world, calls=calls))
    settings = registry.load_settings_class("azure_apim_logs").model_validate(
        {
            "name": "apim",
            "connector": "azure_apim_logs",
            "path": "apim/insights-logs-gatewayllmlogs",
            "gateway_path": "apim/insights-logs-gatewaylogs",
            "first_day": PERIOD.start,
        },
        context={"base_dir": tmp_path},
    )
    report = registry.land(settings, LandingContext(tmp_path / "lake", NOW, IDENTITY, {}))
    assert report.findings == ()
    landed = Landed(clean.world, {"apim": report}, *[pl.DataFrame()] * 3).lake("requests")
    expected = as_logged(calls.filter("in_provider_log"))
    assert len(expected) > 20
    assert sums(landed, "feature", "user_id", "team") == sums(expected, "feature", "user_id", "team")
