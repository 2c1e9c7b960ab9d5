"""Writes the DuckDB catalogue of a release: views over explicit lists of immutable files, with comments.

What belongs here: what a reader of a release sees. What must not: choosing files, swapping `current`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipelines.warehouse.engine import (
    EngineSettings,
    open_connection,
    quote,
    quote_relation,
    quote_text,
    render_empty,
    render_scan,
    render_typed,
)
from pipelines.warehouse.manifest import RelationRecord
from pipelines.warehouse.models import Model, ModelSet

SCHEMAS = ("staging", "reference", "core", "marts", "exports", "lake")
INLINE_ROWS = 2_000
"""An unpartitioned table of at most this many rows stands in the catalogue itself."""


def write_catalogue(path: Path, models: ModelSet, records: Mapping[str, RelationRecord]) -> None:
    """Writes a new DuckDB file in which every relation of the build can be read; paths in it are absolute."""
    connection = open_connection(str(path), EngineSettings(threads=1, memory_limit="1GB"))
    try:
        connection.execute("begin")  # one transaction: ten times faster than a commit per comment
        for statement in _statements(models, records):
            connection.execute(statement)
        connection.execute("commit")
        connection.execute("checkpoint")
    finally:
        connection.close()


def _statements(models: ModelSet, records: Mapping[str, RelationRecord]) -> Iterator[str]:
    layers = dict.fromkeys((*SCHEMAS, *(name.split(".", 1)[0] for name in records)))
    yield from (f"create schema if not exists {quote(layer)}" for layer in layers)
    inputs = [name for name in sorted(records) if name not in models.models]
    for name in (*inputs, *(name for name in models.order if name in records)):
        record, model = records[name], models.models.get(name)
        kind, definition = _definition(record, model)
        yield f"create {kind} {quote_relation(name)} as {definition}"
        if model:
            yield from _comments(kind, model)


def _definition(record: RelationRecord, model: Model | None) -> tuple[str, str]:
    relation = record.relation
    if model is not None and model.is_view:
        return "view", render_typed(model.sql, model.columns)
    files = relation.all_files
    if not files:
        return "view", render_empty(relation.columns)  # typed, and no block of the file as a table would take
    is_small = relation.unit is None and len(files) == 1 and relation.rows <= INLINE_ROWS
    return ("table" if is_small else "view"), render_scan(relation, files)


def _comments(kind: str, model: Model) -> Iterator[str]:
    name = quote_relation(model.name)
    yield f"comment on {kind} {name} is {quote_text(model.header.description)}"
    for column, meaning in model.meanings.items():
        yield f"comment on column {name}.{quote(column)} is {quote_text(meaning)}"
