"""Flow logs of a simulated network: however they are split, ordered, repeated or half recorded, bytes count once.

The oracle knows the packets themselves and which interfaces record; it shares nothing with the product but the rule
that a flow counts as its sender saw it, else as its receiver did.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.aws_flow_logs.client import land
from connectors.aws_flow_logs.settings import Settings
from connectors.common.contract import LandingContext
from connectors.common.identity import Identity
from tests.contract.flow_logs import OUTSIDE, file_name, record, text_file
from tests.sql.chain import Chain, Inputs
from tests.sql.small_bill import NOVEMBER, call

MIDNIGHT = int(datetime(2026, 11, 1, tzinfo=UTC).timestamp())
SLOW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@dataclass(frozen=True)
class Machine:
    """An interface with its address and zone; one behind a NAT gateway reaches the outside by it only."""

    number: int
    zone: str
    is_recorded: bool
    is_behind_gateway: bool

    @property
    def address(self) -> str:
        return f"10.0.{self.number}.5"


@dataclass(frozen=True)
class Packets:
    """Bytes sent in one minute of the day; no target is the outside."""

    minute: int
    sender: int
    target: int | None
    size: int


@dataclass(frozen=True)
class Network:
    """Machines, the NAT gateway (its zone, and whether it is recorded), and what was sent."""

    machines: tuple[Machine, ...]
    gateway: Machine
    packets: tuple[Packets, ...]


ZONES = st.sampled_from(["use1-az1", "use1-az2", "euw1-az1"])


@st.composite
def networks(draw: st.DrawFn) -> Network:
    count = draw(st.integers(2, 4))
    machines = tuple(
        Machine(n, draw(ZONES), draw(st.booleans()), draw(st.booleans())) for n in range(1, count + 1)
    )
    packets = draw(
        st.lists(
            st.builds(
                Packets,
                st.sampled_from([0, 59, 60, 61, 725]),
                st.integers(0, count - 1),
                st.one_of(st.none(), st.integers(0, count - 1)),
                st.integers(1, 10**9),
            ).filter(lambda p: p.sender != p.target),
            min_size=1,
            max_size=12,
        )
    )
    return Network(machines, Machine(200, draw(ZONES), draw(st.booleans()), False), tuple(packets))


def write_records(network: Network) -> list[str]:
    """What the interfaces record: a line a minute, pair and interface."""
    seen: Counter[tuple[Any, ...]] = Counter()
    gateway = network.gateway
    for packet in network.packets:
        sender = network.machines[packet.sender]
        if packet.target is not None:
            target = network.machines[packet.target]
            seen[packet.minute, sender, sender.address, target.address, "-", "egress"] += packet.size
            seen[packet.minute, target, sender.address, target.address, "-", "ingress"] += packet.size
            continue
        seen[packet.minute, sender, sender.address, OUTSIDE, "-", "egress"] += packet.size
        if sender.is_behind_gateway:
            seen[packet.minute, gateway, sender.address, gateway.address, OUTSIDE, "ingress"] += packet.size
            seen[packet.minute, gateway, gateway.address, OUTSIDE, "-", "egress"] += packet.size
    return [_line(gateway, *key, size) for key, size in seen.items() if key[1].is_recorded]


def _line(
    gateway: Machine,
    minute: int,
    at: Machine,
    source: str,
    target: str,
    behind: str,
    direction: str,
    size: int,
) -> str:
    path = "-" if direction == "ingress" else "8" if target == OUTSIDE else "1"
    return record(
        interface_id=f"eni-{at.number}",
        instance_id="-" if at is gateway else f"i-{at.number}",
        az_id=at.zone,
        srcaddr=source,
        dstaddr=target,
        pkt_dstaddr=target if behind == "-" else behind,
        flow_direction=direction,
        traffic_path=path,
        start=MIDNIGHT + minute * 60,
        end=MIDNIGHT + minute * 60 + 59,
        bytes=size,
    )


def expect(network: Network) -> Counter[tuple[str, str, str | None, str | None, str | None]]:
    """Bytes by kind, sender, target, zone of the sender, zone of the target: from the packets alone."""
    gateway = network.gateway
    active = {n for p in network.packets for n in (p.sender, p.target) if n is not None}
    zones = {m.address: m.zone for n, m in enumerate(network.machines) if m.is_recorded and n in active}
    found: Counter[tuple[str, str, str | None, str | None, str | None]] = Counter()
    for packet in network.packets:
        sender = network.machines[packet.sender]
        begin = zones.get(sender.address)
        if packet.target is not None:
            target = network.machines[packet.target]
            if sender.is_recorded or target.is_recorded:
                end = zones.get(target.address)
                found[_kind(begin, end), sender.address, target.address, begin, end] += packet.size
            continue
        is_passed = sender.is_behind_gateway and gateway.is_recorded
        if sender.is_recorded or is_passed:
            found["internet", sender.address, None, begin, None] += packet.size
        if is_passed:
            found["nat", sender.address, None, begin, gateway.zone] += packet.size
            if begin is not None and begin != gateway.zone:
                found["inter_az", sender.address, None, begin, gateway.zone] += packet.size
    return found


def _kind(begin: str | None, end: str | None) -> str:
    if begin is None or end is None:
        return "other"
    if begin == end:
        return "same_zone"
    return "inter_az" if begin[:4] == end[:4] else "inter_region"


def land_files(files: Sequence[Sequence[str]], repeated: bool) -> list[dict[str, Any]]:
    """Rows of the lake after landing these files, some of them under two names, the folder twice."""
    with _folder() as folder:
        context = LandingContext(folder / "lake", datetime(2026, 11, 20), Identity(b"key"), {})
        for number, lines in enumerate(files):
            names = [f"{number:03}"] + (["copy"] if repeated and number == 0 else [])
            for name in names:
                path = folder / "logs" / file_name(hash_=name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(text_file(lines))
        source = Settings(name="flows", path=str(folder / "logs"))
        report = land(source, context)
        if repeated:
            report = land(source, context)
        return [
            row for f in report.current_files for row in pq.read_table(f.path, partitioning=None).to_pylist()
        ]


class _folder:
    """A folder of its own for each example."""

    def __enter__(self) -> Path:
        self._path = Path(tempfile.mkdtemp())
        return self._path

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self._path)


def read_transfers(lake: Mapping[str, Any]) -> list[dict[str, Any]]:
    with Chain(Inputs(lake), NOVEMBER, ("core.transfers",)) as chain:
        assert not chain.failed_checks()
        return chain.rows("select * exclude (transfer_id) from core.transfers order by all")


def used(rows: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    return (row for row in rows if row["is_used"])


@SLOW
@given(network=networks(), data=st.data())
def test_bytes_count_once_however_they_are_recorded_and_delivered(
    network: Network, data: st.DataObject
) -> None:
    lines = data.draw(st.permutations(write_records(network)))
    pieces = data.draw(st.lists(st.integers(0, max(len(lines), 1)), max_size=3).map(sorted))
    cuts = [0, *pieces, len(lines)]
    files = [lines[begin:end] for begin, end in zip(cuts, cuts[1:], strict=False)]
    rows = read_transfers({"transfers": land_files(files, data.draw(st.booleans()))})
    found: Counter[tuple[str, str, str | None, str | None, str | None]] = Counter()
    for row in used(rows):
        key = (
            row["traffic_kind"],
            row["from_workload_ref"],
            row["to_workload_ref"],
            row["from_zone"],
            row["to_zone"],
        )
        found[key] += row["bytes"]
    assert found == expect(network)


PAIRS = st.tuples(ZONES, ZONES)


@st.composite
def reports(draw: st.DrawFn, kind: str) -> list[dict[str, Any]]:
    """Rows of one source about some pairs of zones."""
    account = draw(st.sampled_from(["1", None])) if kind == "file" else "1"
    common = {"x_source": draw(st.sampled_from(["a", "b"])), "provider": "aws", "account_id": account}
    day = {"window_start": datetime(2026, 11, 1), "window_end": datetime(2026, 11, 2), "emitter_kind": kind}
    pairs = draw(st.lists(st.tuples(PAIRS, st.integers(1, 10**6)), min_size=1, max_size=4))
    rows = []
    for number, ((begin, end), size) in enumerate(pairs):
        row = {"from_zone": begin, "to_zone": end, "bytes": size, "from_workload_ref": f"10.0.0.{number}"}
        seen = {"seen_from": "sender", "seen_at": f"eni-{number}"} if kind == "flow_log" else {}
        rows.append(
            {**common, **day, **row, **seen, "to_workload_ref": "10.0.9.9", "traffic_kind": "inter_az"}
        )
    return rows


@SLOW
@given(
    logs=st.one_of(st.just([]), reports("flow_log")),
    files=st.one_of(st.just([]), reports("file")),
    calls=st.lists(st.tuples(PAIRS, st.integers(1, 10**6), st.integers(0, 10**6)), max_size=4),
)
def test_a_lower_ranked_source_changes_nothing_where_a_higher_one_reports(
    logs: list[dict[str, Any]], files: list[dict[str, Any]], calls: list[tuple[tuple[str, str], int, int]]
) -> None:
    requests = [
        call("ann", 5, n, from_zone=begin, to_zone=end, request_bytes=size, response_bytes=answer)
        for n, ((begin, end), size, answer) in enumerate(calls)
    ]
    steps = [read_transfers({"transfers": logs}), read_transfers({"transfers": [*logs, *files]})]
    steps.append(read_transfers({"transfers": [*logs, *files], "requests": requests}))
    for above, below in zip(steps, steps[1:], strict=False):
        told = by_pair(above)
        now = by_pair(below)
        assert {pair: now[pair] for pair in told} == told
    sources = defaultdict(set)
    for row in used(steps[-1]):
        sources[row["from_zone"], row["to_zone"]].add((row["emitter_kind"], row["x_source"]))
    assert all(len(kinds) == 1 for kinds in sources.values())


def by_pair(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Counter[tuple[Any, ...]]]:
    """Weights of each pair of zones, with all that they are told apart by."""
    found: dict[tuple[str, str], Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for row in used(rows):
        pair = (row["from_zone"], row["to_zone"])
        found[pair][row["traffic_kind"], row["from_workload_ref"], row["emitter_kind"], row["x_source"]] += (
            row["bytes"]
        )
    return dict(found)
