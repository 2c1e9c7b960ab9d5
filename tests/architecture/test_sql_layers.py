"""What each SQL layer may read, by parsing the models."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "models_sql").glob("*/*.sql"))
MAY_READ = {
    "staging": {"lake", "staging", "reference"},  # vendor lines become charges by reference tables
    "core": {"staging", "core", "reference"},
    "marts": {"core", "marts", "reference"},
    "exports": {"core", "marts"},
}


def _read_tables(path: Path) -> list[exp.Table]:
    tree = sqlglot.parse_one(path.read_text(encoding="utf-8"), read="duckdb")
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    return [table for table in tree.find_all(exp.Table) if table.db or table.name not in names]


def test_every_layer_has_models() -> None:
    assert {path.parent.name for path in MODELS} <= set(MAY_READ)
    assert {"staging", "core", "marts"} <= {path.parent.name for path in MODELS}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_model_reads_only_what_its_layer_may(path: Path) -> None:
    tables = _read_tables(path)
    assert tables, "reads nothing"
    for table in tables:
        assert table.db, f"{table.sql()} needs its layer in front"
        assert table.db in MAY_READ[path.parent.name], f"{path.parent.name} may not read {table.sql()}"
        assert isinstance(table.this, exp.Identifier), f"{table.sql()} is a function, not a named relation"


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}.{path.stem}")
def test_a_model_is_a_header_and_one_select(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("/*"), "opens with its YAML header"
    statements = [s for s in sqlglot.parse(text, read="duckdb") if s is not None]
    assert len(statements) == 1 and isinstance(statements[0], exp.Query)


def test_no_table_is_read_that_nobody_makes() -> None:
    made = {f"{path.parent.name}.{path.stem}" for path in MODELS}
    read = {f"{t.db}.{t.name}" for path in MODELS for t in _read_tables(path)}
    assert {name for name in read if not name.startswith(("lake.", "reference."))} <= made
