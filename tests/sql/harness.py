"""Runs one file of models_sql/ on small given tables and compares what comes out with expected rows.

What belongs here: the given/expected harness for model tests. What must not: cases.

In Python:

    rows = run_model("marts.cost_daily", given={"core.charges": [{"charge_id": "a", "billed_cost": "1.5"}]},
                     parameters={"start": "2026-11-01", "end": "2026-11-02"})
    assert_rows("marts.cost_daily", rows, [{"charge_date": "2026-11-01", "billed_cost": "1.5"}])

Or as a YAML file with the keys `model`, `parameters`, `given`, `expect` (see `find_cases` and `check_case`).

Values are written as text, numbers, booleans or null and cast to the type that the column has in
dictionary.yml (models and reference.*), in connectors.common.datasets (lake.*), or in `types`. A column
left out of a given row is NULL; a column left out of *every* expected row is not compared. A relation that
the model reads and `given` lacks is empty. Money is compared exactly. Order does not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from connectors.common.datasets import DATASETS
from pipelines.warehouse.engine import (
    EngineSettings,
    open_connection,
    quote,
    quote_relation,
    render_empty,
    render_typed,
)
from pipelines.warehouse.models import Column, Model, read_dictionary, read_model
from pipelines.warehouse.relations import duckdb_columns

MODELS_ROOT = Path(__file__).resolve().parents[2] / "models_sql"

Row = Mapping[str, Any]
Types = Mapping[str, Mapping[str, str]]


def run_model(
    name: str,
    given: Mapping[str, Sequence[Row]],
    parameters: Mapping[str, Any] | None = None,
    types: Types | None = None,
    root: Path = MODELS_ROOT,
) -> list[dict[str, Any]]:
    """The rows of model `layer.name` over the given tables, ordered by its grain.

    `types` gives relation → column → DuckDB type where neither dictionary nor dataset knows it. Raises
    AssertionError when `given` names a relation that the model does not read.
    """
    model = _read(name, root)
    strangers = sorted(set(given) - set(model.dependencies))
    assert not strangers, f"{name} does not read {strangers}; it reads {list(model.dependencies)}"
    with open_connection(":memory:", EngineSettings(threads=1)) as connection:
        _give(connection, model, given, types or {}, root)
        return _select(connection, model, parameters or {})


def run_checks(
    name: str,
    given: Mapping[str, Sequence[Row]],
    parameters: Mapping[str, Any] | None = None,
    types: Types | None = None,
    root: Path = MODELS_ROOT,
) -> dict[str, int]:
    """Check name → violations of the model's header checks over its own result.

    Rows given for the model itself replace its result, so that a check can be shown to fail.
    """
    model = _read(name, root)
    with open_connection(":memory:", EngineSettings(threads=1)) as connection:
        _give(connection, model, {n: rows for n, rows in given.items() if n != name}, types or {}, root)
        values = given[name] if name in given else _select(connection, model, parameters or {})
        connection.execute(f"create schema if not exists {quote(name.split('.')[0])}")
        _create(connection, name, model.columns, values)
        found = {}
        for check in model.checks:
            used = {p: (parameters or {})[p] for p in check.statement.parameters}
            query = f"select count(*) from (\n{check.sql}\n) as violations"
            found[check.name] = connection.execute(query, _bindable(used) or None).fetchall()[0][0]
        return found


def assert_rows(name: str, actual: Sequence[Row], expected: Sequence[Row], root: Path = MODELS_ROOT) -> None:
    """Fails with the missing and the surplus rows; compares the columns that the expected rows name."""
    model = _read(name, root)
    columns = [column for column in model.columns if any(column in row for row in expected)]
    named = {column for row in expected for column in row}
    assert named <= set(model.columns), f"{name} has no columns {sorted(named - set(model.columns))}"
    if not expected:
        assert not actual, f"{name}: expected no rows, got {list(actual)}"
        return
    with open_connection(":memory:", EngineSettings(threads=1)) as connection:
        connection.execute("create schema expected")
        _create(connection, "expected.rows", {c: model.columns[c] for c in columns}, expected)
        wanted = Counter(connection.execute("select * from expected.rows").fetchall())
    got = Counter(tuple(row[column] for column in columns) for row in actual)
    missing, surplus = list((wanted - got).elements()), list((got - wanted).elements())
    assert not missing and not surplus, (
        f"{name} {columns}\nmissing:\n" + _lines(missing) + "\nsurplus:\n" + _lines(surplus)
    )


def find_cases(folder: Path) -> list[Path]:
    """The YAML cases of a folder, for `pytest.mark.parametrize`; fails when there are none."""
    cases = sorted(folder.glob("*.yml"))
    assert cases, f"no cases in {folder}"
    return cases


def check_case(path: Path, root: Path = MODELS_ROOT) -> None:
    """Runs one YAML case: `model`, `given`, `expect`, and if needed `parameters`, `types`, `violations`.

    `violations` maps check names to expected counts; a check that is not named must have none.
    """
    case = yaml.load(path.read_text(), Loader=_TextLoader)  # noqa: S506 - a BaseLoader, makes only text
    unknown = set(case) - {"model", "given", "expect", "parameters", "types", "violations"}
    assert not unknown, f"{path}: unknown keys {sorted(unknown)}"
    given, parameters, types = case.get("given") or {}, case.get("parameters") or {}, case.get("types")
    rows = run_model(case["model"], given, parameters, types, root)
    assert_rows(case["model"], rows, case["expect"] or [], root)
    found = {check: n for check, n in run_checks(case["model"], given, parameters, types, root).items() if n}
    assert found == {check: int(n) for check, n in (case.get("violations") or {}).items()}


class _TextLoader(yaml.BaseLoader):
    """YAML in which 0.10 stays the text 0.10 (no float ever) and null is None."""


def _construct_scalar(loader: _TextLoader, node: yaml.ScalarNode) -> str | None:
    return None if node.style is None and node.value in ("null", "~", "") else node.value


_TextLoader.add_constructor("tag:yaml.org,2002:str", _construct_scalar)


def _read(name: str, root: Path) -> Model:
    return _read_project_model(name) if root == MODELS_ROOT else _read_model(name, root)


@cache
def _read_project_model(name: str) -> Model:
    return _read_model(name, MODELS_ROOT)


def _read_columns(root: Path) -> Mapping[str, Column]:
    return _read_project_columns() if root == MODELS_ROOT else read_dictionary(root / "dictionary.yml")


@cache
def _read_project_columns() -> Mapping[str, Column]:
    return read_dictionary(MODELS_ROOT / "dictionary.yml")


def _read_model(name: str, root: Path) -> Model:
    layer, _, table = name.partition(".")
    return read_model(root / layer / f"{table}.sql", _read_columns(root))


def _give(
    connection: duckdb.DuckDBPyConnection,
    model: Model,
    given: Mapping[str, Sequence[Row]],
    types: Types,
    root: Path,
) -> None:
    for relation in model.dependencies:
        connection.execute(f"create schema if not exists {quote(relation.split('.')[0])}")
        rows = given.get(relation, ())
        _create(connection, relation, _columns(relation, types.get(relation, {}), root), rows)


def _columns(relation: str, types: Mapping[str, str], root: Path) -> dict[str, str]:
    layer, _, table = relation.partition(".")
    if (root / layer / f"{table}.sql").exists():
        return {**_read(relation, root).columns, **types}
    if layer == "lake" and table in DATASETS:
        return {**duckdb_columns(DATASETS[table].schema), **types}
    dictionary = _read_columns(root)
    return {**{name: column.type for name, column in dictionary.items()}, **types}


def _create(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: Mapping[str, str], rows: Sequence[Row]
) -> None:
    connection.execute(f"create table {quote_relation(relation)} as {render_empty(columns)}")
    named = {column for row in rows for column in row}
    unknown = sorted(named - set(columns))
    assert not unknown, f"{relation} has no columns {unknown}; it has {list(columns)}"
    stated = [column for column in columns if column in named]
    if not rows:
        return
    if not stated:
        stated = list(columns)[:1]
    texts = {
        column: pa.array([None if row.get(column) is None else str(row[column]) for row in rows], pa.string())
        for column in stated
    }
    casts = ", ".join(f"cast({quote(column)} as {columns[column]})" for column in stated)
    connection.register("stated_rows", pa.table(texts))
    connection.execute(
        f"insert into {quote_relation(relation)} ({', '.join(quote(column) for column in stated)}) "
        f"select {casts} from stated_rows"
    )
    connection.unregister("stated_rows")


def _select(
    connection: duckdb.DuckDBPyConnection, model: Model, parameters: Mapping[str, Any]
) -> list[dict[str, Any]]:
    missing = sorted(model.statement.parameters - set(parameters))
    assert not missing, f"{model.name} needs parameters {missing}"
    used = {name: parameters[name] for name in model.statement.parameters}
    order = ", ".join(quote(column) for column in model.sort_columns)
    query = f"{render_typed(model.sql, model.columns)} order by {order}"
    rows = connection.execute(query, _bindable(used) or None).fetchall()
    return [dict(zip(model.columns, row, strict=True)) for row in rows]


def _bindable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Text for $start, $end, $today (DATE) and $as_of (TIMESTAMP) becomes a value of that type."""
    kinds: dict[str, Callable[[str], date]] = {
        "start": date.fromisoformat,
        "end": date.fromisoformat,
        "today": date.fromisoformat,
        "as_of": datetime.fromisoformat,
    }
    return {
        name: kinds[name](value) if name in kinds and isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _lines(rows: Sequence[tuple[Any, ...]]) -> str:
    return "\n".join(f"  {tuple(str(value) for value in row)}" for row in rows) or "  none"
