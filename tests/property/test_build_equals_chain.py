"""The real build, day by day over files, gives the rows that one pass over everything gives; again, nothing moves.

What the property tests prove about the chain of models thereby holds for what a night publishes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.common.datasets import DATASETS
from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.relations import DataFile, Relation, duckdb_columns, read_digest
from pipelines.warehouse.runner import Build
from tests.property.companies import WINDOW, Call, Company, Line, Volume, build_inputs
from tests.sql.chain import TARGETS, Chain, Inputs, chain_order, load_models

COMPARED = (
    "core.charges",
    "core.charge_cells",
    "core.cells",
    "core.direct_costs",
    "core.shared_costs",
    "core.tax_costs",
    "core.owners_daily",
    "core.trace_costs",
    "marts.cost_daily",
    "marts.reconciliation",
)


def _line(kind: str, cost: str, **rest: Any) -> Line:
    values = {
        "feed": 0,
        "day": 0,
        "period": "day",
        "account": "111",
        "place": "search",
        "token_class": "output_tokens",
        "tag": None,
        "quantity": Decimal("1.25"),
        "is_factor": True,
    }
    costs = (Decimal(cost), Decimal(cost) * 9 / 10, Decimal(cost) * 2)
    return Line(kind=kind, costs=costs, **{**values, **rest})


COMPANY = Company(
    lines=(
        _line("tokens", "10.00000000001"),
        _line("tokens", "3.33", account="222"),
        _line("tokens", "-1.5", feed=1, day=1, period="three_days", token_class="uncached_input_tokens"),
        _line("tokens", "700", feed=2, day=2, period="month", quantity=None),
        _line("blended", "12.34"),
        _line("egress", "5", period="midnight"),
        _line("egress", "6", place=None, day=1),
        _line("monitoring", "7", place=None),
        _line("compute", "8", period="month"),
        _line("compute", "9", place="unknown", tag="billing"),
        _line("tax", "1.1"),
        _line("credit", "-20", day=2),
        _line("support", "100", period="month"),
        _line("unused", "0.07"),
    ),
    calls=(
        Call(0, 0, "ann", "search", 0, None, (10, 0, 5)),
        Call(0, 0, None, None, 1, "use1-az1", (1_000_000, 7, 1)),
        Call(0, 1, "bob", "chat", 1, None, (3, 3, 3)),
        Call(1, 1, "bob", "search", 2, None, (99, 1, 12)),
        Call(2, 2, "cyd", None, 3, None, (1, 1, 1)),
        Call(None, 2, None, "chat", 4, None, (5, 0, 5)),
    ),
    volumes=(
        Volume(True, 0, "search", None, "search", 12345),
        Volume(True, 1, None, "search", "stranger", 6789),
        Volume(False, 0, None, None, "search", 1000),
        Volume(False, 0, None, None, None, 333),
    ),
)


def test_the_build_gives_the_rows_of_one_pass_and_gives_them_again(tmp_path: Path) -> None:
    inputs = build_inputs(COMPANY)
    with Chain(inputs, WINDOW) as chain:
        expected = {name: chain.table(name) for name in COMPARED}
    assert all(expected.values())
    first, digests = _build(inputs, tmp_path / "first")
    assert first == expected
    second, digests_again = _build(inputs, tmp_path / "second")
    assert second == expected
    assert digests_again == digests


def _build(inputs: Inputs, home: Path) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    parameters = {name: WINDOW.parameters[name] for name in ("as_of", "today", "reporting_currency")}
    relations = {relation.name: relation for relation in _write_inputs(inputs, home / "lake")}
    models, order = load_models(), chain_order(TARGETS)
    with Build(home, models, relations, parameters, engine=EngineSettings(threads=1, max_days=7)) as build:
        failed = [
            (name, check.name, check.sample)
            for name in order
            for check in build.run(name).checks
            if check.is_blocking
        ]
        assert not failed
        rows = {}
        for name in COMPARED:
            columns = ", ".join(str(n + 1) for n in range(len(models[name].columns)))
            rows[name] = [
                tuple(row.values())
                for row in build.fetch(f"select * from {name} order by {columns}").to_pylist()
            ]
        digests = {
            name: {key: [file.digest for file in files] for key, files in record.relation.files.items()}
            for name, record in build.records.items()
            if name in order
        }
    return rows, digests


def _write_inputs(inputs: Inputs, folder: Path) -> list[Relation]:
    """Every input as files of its partitions, as landing and the night's reference step write them."""
    relations = []
    for name, table in inputs.tables().items():
        layer, _, dataset = name.partition(".")
        partition = DATASETS[dataset].partition if layer == "lake" and dataset in DATASETS else None
        if name == "lake.bill_deliveries":
            partition = ("billing_period_start", "month")
        if name == "reference.rate_card_days":
            partition = ("charge_date", "month")
        if name == "reference.recent_days":
            partition = ("charge_date", "day")
        parts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in table.to_pylist():
            parts[_partition_key(row, partition)].append(row)
        files = {
            key: (_write(folder / name / f"{key}.parquet", rows, table.schema, key),)
            for key, rows in sorted(parts.items())
        }
        unit = partition[1] if partition else None
        relations.append(Relation(name, duckdb_columns(table.schema), unit, files))
    return relations


def _partition_key(row: Mapping[str, Any], partition: tuple[str, str] | None) -> str:
    if partition is None:
        return "all"
    column, unit = partition
    return row[column].isoformat()[: 10 if unit == "day" else 7]


def _write(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema, key: str) -> DataFile:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    return DataFile(path, read_digest(path), len(rows), key)
