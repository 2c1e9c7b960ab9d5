"""A release as one file that can be carried away.

What belongs here: copying a release's views into the tables of one DuckDB file. What must not: choosing or
building releases.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.warehouse.errors import ArgumentError, PublishError
from pipelines.warehouse.release import Release

if TYPE_CHECKING:
    import duckdb

_RELATIONS = """
    select schema_name, view_name as name, comment from duckdb_views()
    where database_name = 'release' and not internal
    union all
    select schema_name, table_name, comment from duckdb_tables()
    where database_name = 'release' and not internal
    order by 1, 2
"""
_COLUMN_COMMENTS = """
    select schema_name, table_name, column_name, comment from duckdb_columns()
    where database_name = 'release' and not internal and comment is not null
    order by 1, 2, 3
"""


def export_duckdb(release: Release, out: Path, announce: Callable[[str, int], None] | None = None) -> int:
    """Write every table of the release, with its comments, into the new file `out`; returns their number.

    `announce(name, total)` is called before each table. The file appears only when complete. Raises
    ArgumentError when `out` exists or its folder does not, PublishError when the release cannot be exported.
    """
    import duckdb

    out = out.expanduser().absolute()
    if out.exists():
        raise ArgumentError(f"{out} exists already. Remove it or choose another --out.")
    if not out.parent.is_dir():
        raise ArgumentError(f"The folder {out.parent} does not exist. Make it or choose another --out.")
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    connection = duckdb.connect(":memory:")
    try:
        connection.execute(f"attach {_text(str(release.catalogue))} as release (read_only)")
        connection.execute(f"attach {_text(str(partial))} as portable")
        count = _copy_tables(connection, announce)
        _copy_column_comments(connection)
        connection.execute("detach portable")
        os.replace(partial, out)
    except duckdb.Error as error:
        raise PublishError(f"The release {release.name} could not be exported to {out}: {error}") from None
    finally:
        connection.close()
        partial.unlink(missing_ok=True)
        partial.with_name(partial.name + ".wal").unlink(missing_ok=True)
    return count


def _copy_tables(connection: duckdb.DuckDBPyConnection, announce: Callable[[str, int], None] | None) -> int:
    relations = connection.execute(_RELATIONS).fetchall()
    for schema, name, comment in relations:
        if announce:
            announce(f"{schema}.{name}", len(relations))
        target = f"{_name(schema)}.{_name(name)}"
        connection.execute(f"create schema if not exists portable.{_name(schema)}")
        connection.execute(f"create table portable.{target} as select * from release.{target}")  # noqa: S608 (quoted)
        if comment:
            connection.execute(f"comment on table portable.{target} is {_text(comment)}")
    return len(relations)


def _copy_column_comments(connection: duckdb.DuckDBPyConnection) -> None:
    for schema, table, column, comment in connection.execute(_COLUMN_COMMENTS).fetchall():
        target = f"{_name(schema)}.{_name(table)}.{_name(column)}"
        connection.execute(f"comment on column portable.{target} is {_text(comment)}")


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
