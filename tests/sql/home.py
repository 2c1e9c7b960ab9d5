"""A small home for tests of the warehouse: models written as text, input files written as Arrow rows.

What belongs here: making models and input relations in a folder. What must not: assertions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.warehouse.engine import EngineSettings
from pipelines.warehouse.manifest import ReleaseManifest
from pipelines.warehouse.models import ModelSet
from pipelines.warehouse.relations import DataFile, Relation, duckdb_columns, read_digest
from pipelines.warehouse.runner import Build

MONEY = pa.decimal128(38, 12)
SALES = pa.schema(
    [
        ("sale_id", pa.string()),
        ("sold_at", pa.timestamp("us")),
        ("feature", pa.string()),
        ("billed_cost", MONEY),
    ]
)
FEES = pa.schema(
    [
        ("fee_id", pa.string()),
        ("start_at", pa.timestamp("us")),
        ("end_at", pa.timestamp("us")),
        ("billed_cost", MONEY),
    ]
)
DICTIONARY = """
sale_id: {type: VARCHAR, meaning: which sale}
sold_at: {type: TIMESTAMP, meaning: when it was sold}
feature: {type: VARCHAR, meaning: what was sold}
billed_cost: {type: "DECIMAL(38, 12)", unit: billing currency, meaning: what was billed}
charge_date: {type: DATE, meaning: UTC day}
charge_month: {type: DATE, meaning: first day of the UTC month}
requests: {type: BIGINT, unit: requests, meaning: how many}
fee_id: {type: VARCHAR, meaning: which fee}
start_at: {type: TIMESTAMP, meaning: begin}
end_at: {type: TIMESTAMP, meaning: "end, exclusive"}
"""

DAILY = """/*
description: Sales of a day by feature.
grain: [charge_date, feature]
partition_by: {column: charge_date, unit: day}
columns: [charge_date, feature, requests, billed_cost]
*/
select
    cast(s.sold_at as date) as charge_date,
    s.feature as feature,
    count(*) as requests,
    sum(s.billed_cost) as billed_cost
from lake.sales as s
where s.sold_at >= $start and s.sold_at < $end
group by cast(s.sold_at as date), s.feature
"""


def write_models(root: Path, models: Mapping[str, str]) -> ModelSet:
    """Writes `layer.name` → text below `root` and loads them."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dictionary.yml").write_text(DICTIONARY)
    for name, text in models.items():
        path = root / (name.replace(".", "/") + ".sql")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return ModelSet.load(root)


def sales(folder: Path, days: Mapping[str, Sequence[tuple[str, str]]], unit: str = "day") -> Relation:
    """lake.sales: per partition key (feature, cost) rows, an hour apart from the partition's first day on."""
    rows = {}
    for key, entries in days.items():
        first = datetime.fromisoformat(key if len(key) == 10 else f"{key}-01")
        rows[key] = [
            {
                "sale_id": f"{key}/{number}",
                "sold_at": first + timedelta(hours=number),
                "feature": feature,
                "billed_cost": Decimal(cost),
            }
            for number, (feature, cost) in enumerate(entries)
        ]
    return write_input(folder, "lake.sales", SALES, unit, rows)


def write_input(
    folder: Path,
    name: str,
    schema: pa.Schema,
    unit: str | None,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    overlap: tuple[str, str] | None = None,
) -> Relation:
    """An input relation with one file a partition; equal rows give an equal digest."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for key, entries in rows.items():
        path = folder / f"_tmp-{name}-{key}"
        pq.write_table(pa.Table.from_pylist(list(entries), schema=schema), path)
        digest = read_digest(path)
        path = path.replace(folder / f"{name}-{key}-{digest[:12]}.parquet")
        stats = {}
        if overlap and entries:
            stats["overlap_start"] = min(entry[overlap[0]] for entry in entries).isoformat()
            stats["overlap_end"] = max(entry[overlap[1]] for entry in entries).isoformat()
        files[key] = (DataFile(path, digest, len(entries), key, stats),)
    return Relation(name, duckdb_columns(schema), unit, files)


def build_all(
    home: Path,
    models: ModelSet,
    inputs: Sequence[Relation],
    previous: ReleaseManifest | None = None,
    settings: EngineSettings | None = None,
    **parameters: object,
) -> Build:
    """Runs every model in order; the caller closes the build."""
    build = Build(
        home, models, {i.name: i for i in inputs}, parameters, previous, settings or EngineSettings(threads=2)
    )
    for name in models.order:
        build.run(name)
    return build


def manifest_of(build: Build) -> ReleaseManifest:
    """What a release of this build would remember, without publishing one."""
    return ReleaseManifest("run", "release", "2026-01-01T00:00:00", "", {}, dict(build.records))


def digests(build: Build, name: str) -> dict[str, list[str]]:
    """Partition → content digests of a built table."""
    files = build.records[name].relation.files
    return {key: [file.digest for file in files[key]] for key in files}
