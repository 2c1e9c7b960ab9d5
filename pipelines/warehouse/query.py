"""Running what a person typed: one SELECT on one release, with no way to write, to load or to look elsewhere.

What belongs here: the guarded connection and the check of the statement. What must not: how results look
(`result_files.py`, and the terminal), or trusted reading (`ReleaseStore.open_read_only`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.warehouse.errors import WarehouseError
from pipelines.warehouse.manifest import read_file_paths
from pipelines.warehouse.release import MANIFEST_NAME, Release

if TYPE_CHECKING:
    import duckdb

CATALOGUE_ALIAS = "everycent"
_PRIVATE_LAKE_FOLDERS = {"raw", "ledger"}  # bills as delivered; of the ledger only what the release lists


class QueryError(WarehouseError):
    """The statement is refused or does not run; the message says why and what to do."""


@dataclass(frozen=True)
class QueryResult:
    """The outcome of a SELECT, read once: column names, their DuckDB types, and the rows."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    cursor: duckdb.DuckDBPyConnection

    def rows(self, batch_size: int = 10_000) -> Iterator[tuple[Any, ...]]:
        """Yield the rows in order; memory holds one batch at a time."""
        while batch := self.cursor.fetchmany(batch_size):
            yield from batch


@contextmanager
def run_query(release: Release, sql: str, parameters: Sequence[object] = ()) -> Iterator[QueryResult]:
    """Run exactly one SELECT on a release and give its result while the block runs.

    Only the release and the immutable files below it can be read: other files, the network, extensions,
    settings and Python variables cannot. Raises QueryError.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="everycent-query-") as spill_folder:
        connection = _guarded_connection(release, Path(spill_folder))
        try:
            statement = _only_select(connection, _TABLES if _is_show_tables(sql) else sql)
            try:
                connection.execute(statement, list(parameters) or None)
                description = connection.description or []
                yield QueryResult(
                    tuple(str(column[0]) for column in description),
                    tuple(str(column[1]) for column in description),
                    connection,
                )
            except duckdb.Error as error:
                raise QueryError(_reworded(error, release)) from None
        finally:
            connection.close()


def _guarded_connection(release: Release, spill_folder: Path) -> duckdb.DuckDBPyConnection:
    """Open the release in an engine of its own, then shut every door and lock them."""
    import duckdb

    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "allow_community_extensions": False,
            "temp_directory": str(spill_folder),
        },
    )
    try:
        connection.execute(f"attach {_quoted(release.catalogue)} as {CATALOGUE_ALIAS} (read_only)")
        connection.execute(f"use {CATALOGUE_ALIAS}")
        folders = ", ".join(_quoted(folder) for folder in _readable_folders(release.home))
        connection.execute(f"set allowed_directories = [{folders}]")
        files = ", ".join(_quoted(file) for file in _released_ledger_files(release))
        connection.execute(f"set allowed_paths = [{files}]")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
    except duckdb.Error as error:
        connection.close()
        raise QueryError(f"The release {release.path} cannot be opened: {_first_line(error)}") from None
    return connection


def _readable_folders(home: Path) -> list[str]:
    lake = home / "lake"
    typed = lake.iterdir() if lake.is_dir() else ()
    folders = [home / "warehouse" / "tables"]
    folders += sorted(path for path in typed if path.is_dir() and path.name not in _PRIVATE_LAKE_FOLDERS)
    return [f"{folder}/" for folder in folders]


def _released_ledger_files(release: Release) -> list[str]:
    """Return the ledger's files that views of the release read; others there may never have counted."""
    ledger = f"{release.home / 'lake' / 'ledger'}/"
    listed = read_file_paths(release.path / MANIFEST_NAME, release.home)
    return sorted(path for path in listed if path.startswith(ledger))


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _only_select(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    import duckdb

    try:
        statements = connection.extract_statements(sql)
    except duckdb.Error as error:
        raise QueryError(f"The SQL does not parse: {_first_line(error)}") from None
    if len(statements) != 1:
        found = "none" if not statements else f"{len(statements)} (a PIVOT counts as two)"
        raise QueryError(f"Exactly one SELECT is accepted, but there is {found}.")
    statement = statements[0]
    kind = "PRAGMA" if _first_word(sql) == "pragma" else statement.type.name
    if kind != "SELECT":
        raise QueryError(
            f"Only a SELECT is accepted, but this is {kind}. A release never changes; nothing was run."
        )
    return statement


_TABLES = f"""
    select * from (
        select schema_name as schema, view_name as name, comment from duckdb_views()
        where database_name = '{CATALOGUE_ALIAS}' and not internal
        union all
        select schema_name, table_name, comment from duckdb_tables()
        where database_name = '{CATALOGUE_ALIAS}'
    ) order by schema <> 'marts', schema, name
"""  # noqa: S608 (our own constant)


def _is_show_tables(sql: str) -> bool:
    """True for `show tables` in any form: the engine would list only its empty schema main."""
    return sql.strip().rstrip("; ").lower().split() in (["show", "tables"], ["show", "all", "tables"])


def is_list(sql: str) -> bool:
    """Tell whether a statement lists tables or columns: `show …`, `describe …`, `summarize …`."""
    import duckdb

    try:
        return _first_word(sql) in ("show", "describe", "desc", "summarize")
    except duckdb.Error:
        return False


def _first_word(sql: str) -> str:
    """Return the first word of the SQL in lower case, after any comments."""
    import duckdb

    for offset, kind in duckdb.tokenize(sql):
        if kind != duckdb.token_type.comment:
            return sql.encode()[offset:].decode(errors="replace").split(maxsplit=1)[0].lower()
    return ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n\n")[0].replace("\n", " ")


def _reworded(error: Exception, release: Release) -> str:
    text = _first_line(error)
    if "file system operations are disabled" in text:
        return f"A query reads only the release {release.name}, no other file and no network. {text}"
    if "No files found" in text or "No such file" in text:
        moved = (
            "Was the home moved? A release names its files by absolute paths; run a nightly to publish anew."
        )
        return f"The release {release.name} lacks a file that it lists. {text} {moved}"
    return f"The query failed: {text}"
