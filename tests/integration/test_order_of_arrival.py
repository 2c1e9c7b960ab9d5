"""The order of arrival does not show: nights morning after morning, and one night over all, end in the same rows.

A simulated company at a month's end: bills that restate, a price that changes, rows and root spans that come late, a
day of spans that comes two weeks later. Only history tells how it came; the same mornings tell it again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from benchmarks.truth import SAMPLE_CONFIG, SAMPLE_ENDPOINT
from pipelines.config import load_config
from pipelines.defs.session import NightSession
from pipelines.night.run import Night, NightRequest
from simulator.bills import write_bills
from simulator.company import Period
from simulator.habits import Habits
from simulator.logs import write_logs
from simulator.serve import ENVIRONMENT, serve
from simulator.world import World, build_world
from tests.integration.mini_company import models

PERIOD = Period(date(2026, 10, 30), date(2026, 11, 2))
REQUESTS = 400
MORNINGS = (date(2026, 11, 3), date(2026, 11, 13))
"""Days after a month's end, and restated: vendors restate a closed month on its fifth and twelfth day."""

LOST_DAY = "traces/2026-10-30.jsonl"
LATE_ROOTS = "traces/2026-10-31.jsonl"
LATE_ROWS = "gateway/2026-10-26.jsonl"

HISTORY = {
    **dict.fromkeys(
        ("staging.restatements", "core.restatements", "marts.restatements"), "what each delivery changed"
    ),
    **dict.fromkeys(("staging.deliveries", "core.deliveries"), "what came, and when"),
    **dict.fromkeys(("staging.source_status", "core.source_status"), "when each source came last"),
    **dict.fromkeys(
        ("staging.findings", "core.findings", "marts.data_completeness"), "what was wrong with what came"
    ),
    **dict.fromkeys(
        (
            *(
                f"{layer}.ledger_{kind}"
                for layer in ("staging", "core")
                for kind in ("forecasts", "estimates")
            ),
            *(f"{layer}.ledger_{kind}" for layer in ("staging", "core") for kind in ("budget_forecasts",)),
            *(f"{layer}.ledger_anomalies" for layer in ("staging", "core")),
        ),
        "what each night expected",
    ),
    **dict.fromkeys(("marts.forecast_accuracy", "marts.nowcast_accuracy"), "how far each night was off"),
    **dict.fromkeys(("marts.forecast_daily", "marts.anomalies"), "what each night expected"),
}
"""Tables that tell what came when, or what a night thought of it: exempt from equality, and replayed instead."""

DELIVERED = ("staging.bill_deliveries", "core.bill_coverage")
"""Tables that tell besides when a bill was delivered last, which is history; until when it is complete is none."""

REPLAYED = (
    "marts.restatements",
    "marts.data_completeness",
    "marts.nowcast_accuracy",
    "marts.forecast_daily",
    "marts.forecast_accuracy",
    "marts.anomalies",
    "marts.budget_status",
)
NAMED = (
    "marts.cost_daily",
    "marts.unit_economics_daily",
    "marts.egress_pairs_daily",
    "marts.monitoring_share_daily",
    "marts.traces",
    "marts.reconciliation",
)


@dataclass(frozen=True)
class Home:
    """A company's folder: what was delivered to it, and its home."""

    folder: Path

    @property
    def sample(self) -> Path:
        """Where vendors and emitters put their files."""
        return self.folder / "sample"

    def receive(self, world: World, morning: date) -> None:
        """What is there on a morning: files of others are as they were, or grew, or were restated."""
        write_bills(self.sample, world, morning)
        write_logs(self.sample, world, today=morning)
        if morning < MORNINGS[-1]:
            (self.sample / LOST_DAY).unlink()
            _leave_out_roots(self.sample / LATE_ROOTS)
            rows = (self.sample / LATE_ROWS).read_text().splitlines(keepends=True)
            (self.sample / LATE_ROWS).write_text("".join(rows[: len(rows) * 2 // 3]))

    def night(self, morning: date, *, is_landing_alone: bool = False) -> Path | None:
        """Run the night of a morning; the catalogue of its release, None where nothing is built."""
        now = datetime.combine(morning, time(8))
        file = self.folder / "examples" / "sample" / "everycent.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        with serve(self.sample, port=0, now=now) as server:
            file.write_text(SAMPLE_CONFIG.read_text(encoding="utf-8").replace(SAMPLE_ENDPOINT, server.url))
            return self._run(file, now, is_landing_alone=is_landing_alone)

    def _run(self, file: Path, now: datetime, *, is_landing_alone: bool) -> Path | None:
        config, morning = load_config(file, environment=ENVIRONMENT), now.date()
        with Night(NightRequest(config, self.folder / "home", morning, now), models()) as night:
            session = NightSession(night)
            for source in config.sources:
                assert not session.land(source).has_fault
            if is_landing_alone:
                return None
            session.publish()
            assert night.release is not None
            return night.release.path / "everycent.duckdb"


@dataclass(frozen=True)
class Arrivals:
    """The releases of a company whose files came morning after morning, all at once, and once more."""

    nightly: tuple[Path, ...]
    at_once: Path
    replayed: Path


@pytest.fixture(scope="module")
def arrivals(tmp_path_factory: pytest.TempPathFactory) -> Arrivals:
    """Two nights; one night to which the newest deliveries came before the older ones; the two once more."""
    with pytest.MonkeyPatch.context() as patch:
        for name, key in ENVIRONMENT.items():
            patch.setenv(name, key)
        return _build_arrivals(tmp_path_factory.mktemp("arrivals"))


def _build_arrivals(folder: Path) -> Arrivals:
    world = build_world(PERIOD, REQUESTS, 7, Habits().with_doses(["lost_log_days=0"]))
    nightly = _run_nights(Home(folder / "nightly"), world, MORNINGS)
    replayed = _run_nights(Home(folder / "replayed"), world, MORNINGS)
    at_once = Home(folder / "at_once")
    delivered = Home(folder / "nightly").sample
    shutil.copytree(delivered, at_once.sample, ignore=_find_older)
    assert at_once.night(MORNINGS[-1], is_landing_alone=True) is None
    shutil.copytree(delivered, at_once.sample, dirs_exist_ok=True)
    release = at_once.night(MORNINGS[-1])
    assert release is not None
    return Arrivals(nightly, release, replayed[-1])


def test_nights_day_by_day_end_in_the_rows_of_one_night(arrivals: Arrivals) -> None:
    daily, once = _open(arrivals.nightly[-1]), _open(arrivals.at_once)
    names = [name for name in _tables(daily) if name not in HISTORY]
    assert names == [name for name in _tables(once) if name not in HISTORY]
    assert {name for name in names if name.startswith("marts.")} >= {*NAMED}
    assert [told for name in names if (told := _compare(name, daily, once))] == []
    filled = {name for name in NAMED if _read(name, daily).num_rows > 10}
    assert filled == {*NAMED}


def test_every_step_keeps_every_measure_of_both_currencies(arrivals: Arrivals) -> None:
    """From the lines as delivered to the fully loaded mart, and to the root actions, to the last digit."""
    release = _open(arrivals.nightly[-1])
    own = ("billed_cost", "effective_cost", "list_cost")
    rest = tuple(f"{measure}_reporting" for measure in own)
    settled = "where cost_state <> 'estimated'"

    def add_up(relation: str, measures: tuple[str, ...]) -> list[Any]:
        sums = ", ".join(f"sum({measure})" for measure in measures)
        return release.execute(
            f"select billing_currency, {sums} from {relation} group by all order by all"
        ).fetchall()

    delivered = add_up("staging.charges", own)
    assert {row[0] for row in delivered} == {"EUR", "USD"}
    assert add_up("core.charges", own) == delivered
    for relation in (
        "core.charge_cells",
        f"core.cells {settled}",
        f"core.attributed_costs {settled}",
        f"marts.cost_daily {settled}",
        f"marts.cost_daily_fully_loaded {settled}",
    ):
        assert [row[:4] for row in add_up(relation, own)] == delivered, relation
        assert add_up(relation, own + rest) == add_up("core.charges", own + rest), relation
    assert add_up("core.charge_owners", own) == delivered
    reported = release.execute("select sum(effective_cost_reporting) from marts.cost_daily").fetchone()
    assert (
        release.execute("select sum(effective_cost_reporting) from core.trace_costs").fetchone() == reported
    )
    traced = "select sum(effective_cost_reporting) from core.trace_costs where trace_id is not null"
    traces = release.execute("select sum(total_cost) from marts.traces").fetchone()
    assert release.execute(traced).fetchone() == traces


def test_history_is_told_again_where_the_same_comes_at_the_same_times(arrivals: Arrivals) -> None:
    first, again = _open(arrivals.nightly[-1]), _open(arrivals.replayed)
    told_again = (*REPLAYED, *DELIVERED)
    assert [told for name in told_again if (told := _compare(name, first, again, is_whole=True))] == []
    assert _read("marts.restatements", first).num_rows > 100
    assert _read("marts.nowcast_accuracy", first).num_rows > 10


def test_what_came_late_was_missing_before(arrivals: Arrivals) -> None:
    """Else the nights would prove nothing: each morning changed days that an earlier night had built."""
    day = "charge_date between '2026-10-30' and '2026-10-31'"
    told = [
        [
            _one(release, f"select count(*) from core.traces where root_date = '{PERIOD.start}'"),
            _one(release, f"select count(distinct user_id) from marts.cost_daily where {day}"),
            _one(release, f"select sum(requests) from marts.cost_daily where {day}"),
            _one(release, f"select sum(billed_cost) from marts.cost_daily where {day}"),
            _one(release, "select count(distinct delivered_at) from marts.restatements"),
        ]
        for release in arrivals.nightly
    ]
    for before, after in zip(told, told[1:], strict=False):
        assert sum(a != b for a, b in zip(before, after, strict=True)) >= 3, told
    assert told[0][0] != told[1][0]


def _run_nights(home: Home, world: World, mornings: Iterable[date]) -> tuple[Path, ...]:
    releases = []
    for morning in mornings:
        home.receive(world, morning)
        releases.append(home.night(morning))
    return tuple(release for release in releases if release is not None)


def _leave_out_roots(path: Path) -> None:
    """Leave out the root spans of every second trace of a file."""
    batch = json.loads(path.read_text())
    for resource in batch["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            scope["spans"] = [
                span
                for span in scope["spans"]
                if span.get("parentSpanId") or int(span["traceId"][-1], 16) % 2
            ]
    path.write_text(json.dumps(batch) + "\n")


def _find_older(folder: str, names: list[str]) -> set[str]:
    """What came before the newest deliveries, by the times in names; of Azure's runs all but the last written."""
    older = {name for name in names if name.startswith(("2026-10-31", "2026-11-01"))}
    if Path(folder).parent.name == "azure":
        written = sorted(names, key=lambda name: (Path(folder) / name).stat().st_mtime)
        older |= set(written[:-1])
    return older


def _open(release: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(release), read_only=True)


def _one(release: Path, sql: str) -> object:
    with _open(release) as connection:
        return connection.execute(sql).fetchall()[0][0]


def _tables(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_schema in ('staging', 'core', 'marts') order by all"
    ).fetchall()
    return [row[0] for row in rows]


def _read(name: str, connection: duckdb.DuckDBPyConnection, *, is_whole: bool = False) -> pa.Table:
    """All rows of a table, sorted; what is estimated is left out, unless all of it is wanted."""
    columns = [row[0] for row in connection.execute(f"describe {name}").fetchall()]
    is_filtered = "cost_state" in columns and not is_whole
    told = " where cost_state is distinct from 'estimated'" if is_filtered else ""
    wanted = "* exclude (delivered_at)" if name in DELIVERED and not is_whole else "*"
    return connection.execute(f"select {wanted} from {name}{told} order by all").to_arrow_table()


def _compare(
    name: str,
    one: duckdb.DuckDBPyConnection,
    other: duckdb.DuckDBPyConnection,
    *,
    is_whole: bool = False,
) -> Mapping[str, object]:
    """What differs between two tables: empty where they are equal."""
    ours, theirs = _read(name, one, is_whole=is_whole), _read(name, other, is_whole=is_whole)
    if ours.equals(theirs):
        return {}
    with duckdb.connect() as connection:
        connection.register("ours", ours)
        connection.register("theirs", theirs)
        found = [
            connection.execute(f"(from {a} except all from {b}) order by all").to_arrow_table()
            for a, b in (("ours", "theirs"), ("theirs", "ours"))
        ]
    return {
        "table": name,
        "rows": (ours.num_rows, theirs.num_rows),
        "ours": found[0].slice(0, 2).to_pylist(),
        "theirs": found[1].slice(0, 2).to_pylist(),
    }
