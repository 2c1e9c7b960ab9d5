"""Reads models_sql/: headers, references, parameters, build order and the column dictionary.

What belongs here: everything that can be known of a model without running it. What must not: DuckDB,
partitions, files of the warehouse (those are `relations` and `runner`).

A file `models_sql/<layer>/<name>.sql` is the table `<layer>.<name>`: a `/* YAML */` header, then one SELECT.
DuckDB runs the SELECT as written; sqlglot only reads it. As parsing costs milliseconds a file, what it
finds can be kept in a cache folder under the digest of the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.warehouse.emptiness import Condition, IsEmpty, find_condition, holds
from pipelines.warehouse.errors import ModelError
from pipelines.warehouse.headers import Header, HeaderCheck, load_yaml, parse_header, split_header

WINDOW_PARAMETERS = frozenset({"start", "end"})
PARAMETERS = WINDOW_PARAMETERS | {"as_of", "today", "reporting_currency"}


@dataclass(frozen=True)
class Column:
    """One entry of models_sql/dictionary.yml: a name has one type, one unit and one meaning everywhere."""

    name: str
    type: str
    unit: str | None
    meaning: str


@dataclass(frozen=True)
class Statement:
    """What sqlglot found in one SELECT: `columns` is empty where the SELECT ends in a star."""

    refs: tuple[str, ...]
    parameters: frozenset[str]
    columns: tuple[str, ...]
    empty_when: Condition = False

    def gives_no_rows(self, is_empty: IsEmpty) -> bool:
        """True only where the SELECT cannot give a row, `is_empty` telling which relations hold none."""
        return holds(self.empty_when, is_empty)

    @property
    def is_window_bound(self) -> bool:
        """True when the SELECT asks for $start or $end."""
        return bool(self.parameters & WINDOW_PARAMETERS)


@dataclass(frozen=True)
class Check:
    """A SELECT that returns the violating rows; `fail` blocks the release, `warn` is shown.

    One that holds for each partition alone runs for what changed; any other one over the whole table.
    """

    name: str
    severity: str
    description: str
    sql: str
    statement: Statement
    is_by_partition: bool = False


@dataclass(frozen=True)
class Model:
    """One file of models_sql/. `sql` is the SELECT without its header; `columns` maps name to DuckDB type."""

    name: str
    path: Path
    sql: str
    header: Header
    statement: Statement
    checks: tuple[Check, ...]
    columns: Mapping[str, str]
    meanings: Mapping[str, str] = field(default_factory=dict)

    @property
    def refs(self) -> tuple[str, ...]:
        """The relations that the SELECT reads, `layer.name`, sorted."""
        return self.statement.refs

    @property
    def is_view(self) -> bool:
        """True for `materialized: view`: no files, expanded where it is read."""
        return self.header.materialized == "view"

    @property
    def unit(self) -> str | None:
        """`day`, `month`, or None for the one partition `all`."""
        return self.header.partition_by.unit if self.header.partition_by else None

    @property
    def sort_columns(self) -> tuple[str, ...]:
        """The order of rows in a file: total where the rows have a key, else over all columns."""
        ends = self.header.grain or tuple(self.columns)
        return tuple(dict.fromkeys((*self.header.order_by, *ends)))

    @cached_property
    def dependencies(self) -> tuple[str, ...]:
        """All relations that must exist before the model and its checks can run."""
        read = {*self.refs, *(ref for check in self.checks for ref in check.statement.refs)}
        return tuple(sorted(read - {self.name}))

    @cached_property
    def code_digest(self) -> str:
        """Changes when the result could change: SELECT, column types, order, partitions, mapping of
        inputs."""
        header = self.header
        parts = (
            self.sql,
            list(self.columns.items()),
            header.grain,
            header.order_by,
            header.materialized,
            repr(header.partition_by),
            sorted((name, repr(reading)) for name, reading in header.reads.items()),
            header.overlap,
        )
        return sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True)
class ModelSet:
    """All models in build order, with the dictionary that names their columns."""

    models: Mapping[str, Model]
    dictionary: Mapping[str, Column]

    @classmethod
    def load(cls, root: Path, cache: Path | None = None) -> ModelSet:
        """Reads all of `root`; raises ModelError naming the file. `cache` is a folder for parse results."""
        dictionary = read_dictionary(root / "dictionary.yml")
        reader = _StatementReader(cache)
        models = {}
        for path in sorted(root.glob("*/*.sql")):
            model = read_model(path, dictionary, reader)
            models[model.name] = model
        reader.save()
        return cls({name: models[name] for name in _build_order(models)}, dictionary)

    @property
    def order(self) -> tuple[str, ...]:
        """Model names, every model after what it reads; the same order on every machine."""
        return tuple(self.models)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Relations that the models read and that are no models: lake.*, reference.* given by the caller."""
        read = {ref for model in self.models.values() for ref in model.dependencies}
        return tuple(sorted(read - set(self.models)))

    def __getitem__(self, name: str) -> Model:
        try:
            return self.models[name]
        except KeyError:
            known = (
                ", ".join(n for n in self.models if n.split(".")[-1] == name.split(".")[-1])
                or "none of that name"
            )
            raise ModelError(f"no model {name}; similar: {known}") from None


def read_dictionary(path: Path) -> dict[str, Column]:
    """Reads `name: {type, unit, meaning}` entries; an unknown key or a missing type or meaning is an
    error."""
    columns = {}
    for name, entry in load_yaml(path.read_text(), str(path)).items():
        unknown = set(entry) - {"type", "unit", "meaning"} if isinstance(entry, dict) else {"not a mapping"}
        if unknown:
            raise ModelError(
                f"{path}: column {name}: unknown {sorted(unknown)}; write {{type, unit, meaning}}"
            )
        if not entry.get("type") or not entry.get("meaning"):
            raise ModelError(f"{path}: column {name} needs a type and a meaning")
        columns[name] = Column(name, normalise_type(entry["type"]), entry.get("unit"), entry["meaning"])
    return columns


def normalise_type(text: str) -> str:
    """The spelling that DuckDB's DESCRIBE uses: upper case, no blanks."""
    return text.upper().replace(" ", "") if "(" in text else text.upper().strip()


def read_model(path: Path, dictionary: Mapping[str, Column], reader: _StatementReader | None = None) -> Model:
    """Reads one file of models_sql/ and checks it against the dictionary; raises ModelError naming the
    file."""
    reader = reader or _StatementReader(None)
    name = f"{path.parent.name}.{path.stem}"
    header_text, sql = split_header(path.read_text(), path)
    header = parse_header(header_text, path)
    missing = [column for column in header.columns if column not in dictionary]
    if missing:
        raise ModelError(f"{path}: columns {missing} are not in dictionary.yml; add their type and meaning")
    checks = tuple(_read_check(c, reader.read(c.sql, f"{path}: check {c.name}")) for c in header.checks)
    notes = {column: note for column, note in header.columns.items() if note}
    model = Model(
        name=name,
        path=path,
        sql=sql,
        header=header,
        statement=reader.read(sql, str(path)),
        checks=checks,
        columns={column: dictionary[column].type for column in header.columns},
        meanings={column: _meaning(dictionary[column], notes.get(column)) for column in header.columns},
    )
    _validate(model)
    return model


def _read_check(check: HeaderCheck, statement: Statement) -> Check:
    is_by_partition = check.is_by_partition or statement.is_window_bound
    return Check(check.name, check.severity, check.description, check.sql, statement, is_by_partition)


def _meaning(column: Column, note: str | None) -> str:
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{column.meaning}{unit}" + (f" {note}" if note else "")


def _validate(model: Model) -> None:
    header, statement = model.header, model.statement
    problems = []
    produced, declared = list(statement.columns), list(header.columns)
    if produced != declared:
        odd = sorted(set(produced) ^ set(declared)) or "their order"
        problems.append(
            f"the SELECT and the header's columns differ in {odd}: list every column once, in one order"
        )
    keys = dict.fromkeys(header.grain + header.order_by)
    problems += [f"grain or order_by column {c} is not a column" for c in keys if c not in header.columns]
    for column in (header.partition_by.column,) if header.partition_by else ():
        if column not in header.columns:
            problems.append(f"partition_by column {column} is not a column")
    problems += [
        f"overlap column {c} is not a column" for c in header.overlap or () if c not in header.columns
    ]
    problems += [
        f"reads {ref}, which the SELECT does not" for ref in header.reads if ref not in statement.refs
    ]
    if model.name in statement.refs:
        problems.append("reads itself")
    if statement.is_window_bound and not header.partition_by:
        problems.append("uses $start or $end but has no partition_by")
    if model.is_view and statement.parameters:
        problems.append(f"is a view and cannot use parameters {sorted(statement.parameters)}")
    problems += [
        f"check {check.name} is one by partition ($start, $end or `by`) but the model has no partition_by"
        for check in model.checks
        if check.is_by_partition and not header.partition_by
    ]
    if problems:
        raise ModelError(f"{model.path}: " + "; ".join(problems))


def _build_order(models: Mapping[str, Model]) -> Iterable[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name in sorted(models):
        sorter.add(name, *(ref for ref in models[name].dependencies if ref in models))
    try:
        return list(sorter.static_order())
    except CycleError as error:
        raise ModelError(f"models read each other in a circle: {' -> '.join(error.args[1])}") from error


class _StatementReader:
    """Parses SELECTs with sqlglot, keeping the result in one JSON file of the cache folder."""

    def __init__(self, cache: Path | None) -> None:
        self._path = cache / f"statements-2-sqlglot-{version('sqlglot')}.json" if cache else None
        self._known: dict[str, dict[str, Any]] = {}
        self._used: dict[str, dict[str, Any]] = {}
        if self._path and self._path.exists():
            try:
                self._known = json.loads(self._path.read_text())
            except ValueError:  # a torn cache is only slower
                self._known = {}

    def read(self, sql: str, where: str) -> Statement:
        key = sha256(sql.encode()).hexdigest()
        found = self._known.get(key)
        if found is None:
            found = _parse(sql, where)
        self._used[key] = found
        unknown = sorted(set(found["parameters"]) - PARAMETERS)
        if unknown:
            raise ModelError(f"{where}: unknown parameters {unknown}; there are {sorted(PARAMETERS)}")
        return _as_statement(found)

    def save(self) -> None:
        if self._path and self._used != self._known:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_name(f"_tmp-{self._path.name}")
            temporary.write_text(json.dumps(self._used))
            temporary.replace(self._path)


def read_statement(sql: str, where: str) -> Statement:
    """What one SELECT reads and needs; any parameter name is allowed. Raises ModelError naming `where`."""
    return _as_statement(_parse(sql, where))


def _as_statement(found: Mapping[str, Any]) -> Statement:
    return Statement(
        tuple(found["refs"]),
        frozenset(found["parameters"]),
        tuple(found["columns"]),
        _freeze(found["empty_when"]),
    )


def _freeze(condition: Condition) -> Condition:
    """A condition as it was before it went through JSON, which has no tuples."""
    return tuple(_freeze(part) for part in condition) if isinstance(condition, list | tuple) else condition


def _parse(sql: str, where: str) -> dict[str, Any]:
    from sqlglot import exp, parse
    from sqlglot.errors import ParseError

    try:
        statements = [tree for tree in parse(sql, dialect="duckdb") if tree is not None]
    except ParseError as error:
        raise ModelError(f"{where}: cannot be parsed: {error}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise ModelError(f"{where}: must be exactly one SELECT")
    tree = statements[0]
    tables = [table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    steps = {cte.alias for cte in tree.find_all(exp.CTE)}
    strangers = sorted({table.name for table in tables if not table.db} - steps)
    if strangers:
        raise ModelError(f"{where}: {strangers} are neither CTEs nor layer.name; write the layer of a table")
    parameters = sorted({placeholder.name for placeholder in tree.find_all(exp.Placeholder, exp.Parameter)})
    return {
        "refs": sorted({f"{table.db}.{table.name}" for table in tables if table.db}),
        "parameters": parameters,
        "columns": [] if tree.is_star else list(tree.named_selects),
        "empty_when": find_condition(tree),
    }


def column_lineage(
    models: ModelSet, name: str, inputs: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Per column of a model the (relation, column) pairs that it comes from. Slow: only for documentation.

    `inputs` gives the columns of relations that are no models; without them a `select *` leads to `*`.
    """
    from sqlglot import exp, lineage

    model = models[name]
    roots = lineage.lineage(
        None,
        model.sql,
        schema=_known_schema(models, model, inputs or {}),
        dialect="duckdb",
        trim_selects=False,
    )
    by_folded_name = {
        column.lower(): root for column, root in roots.items()
    }  # sqlglot folds names, as engines do
    result = {}
    for column in model.columns:
        sources: set[tuple[str, str]] = set()
        seen: set[int] = set()
        waiting = [by_folded_name[column.lower()]]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:  # columns share the steps that they come from
                continue
            seen.add(id(node))
            waiting += node.downstream
            if isinstance(node.source, exp.Table) and node.source.db:
                sources.add((f"{node.source.db}.{node.source.name}", node.name.split(".")[-1]))
        result[column] = tuple(sorted(sources))
    return result


def _known_schema(
    models: ModelSet, model: Model, inputs: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, dict[str, str]]]:
    known = {**inputs, **{ref: models[ref].columns for ref in model.refs if ref in models.models}}
    schema: dict[str, dict[str, dict[str, str]]] = {}
    if all(ref in known for ref in model.refs):
        for ref in model.refs:
            layer, _, table = ref.partition(".")
            schema.setdefault(layer, {})[table] = dict(known[ref])
    return schema
