"""SpendLogs out of LiteLLM's Postgres: UTC day by UTC day, allow-listed columns only, in batches.

What belongs here: the connection, the statement, the days, and errors in words. What must not: what a column means.

Nothing that the driver says is repeated: its messages may hold parts of the connection string.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from typing import Any

import adbc_driver_manager as adbc
import adbc_driver_postgresql.dbapi as postgres
import orjson
import pyarrow as pa

from connectors.common.contract import ConnectorError, TerminalError, TransientError
from connectors.common.parsing import load_json
from connectors.litellm.schema import METADATA_PATHS, REQUIRED_COLUMNS, SPEND_COLUMNS
from connectors.litellm.settings import Settings

_CONNECT_TIMEOUT = "connect_timeout=15"
_DAY = timedelta(days=1)
_JSON_COLUMNS = frozenset({"request_tags", "metadata"})

_WORDS = {
    "28P01": "the password is refused; correct it in the environment variable",
    "28000": "the role may not sign in; correct the role, or what pg_hba.conf allows it",
    "3D000": "there is no such database; correct the connection string",
    "42501": "the role may not read {table}; grant it the columns as connectors/litellm/README.md shows",
    "42P01": "there is no table {table}; correct `table` or `schema_name`, or the database",
    "42703": "{table} has no such column; it is of a LiteLLM that is not known here",
    "57014": "the statement was cancelled by the server; raise its statement_timeout for this role",
    "53300": "the server has no connection left; try again later, or reserve one for this role",
}
_LOST = ("57P01", "57P02", "57P03")


def read_uri(settings: Settings) -> str:
    """Return the connection string. Raises TerminalError when its variable is not set."""
    name = settings.connection_env or ""
    uri = os.environ.get(name, "").strip()
    if not uri:
        raise TerminalError(
            f"the environment variable {name} is not set; put the Postgres connection string into it"
        )
    if not uri.startswith(("postgres://", "postgresql://")):
        raise TerminalError(f"what {name} holds is no Postgres URI; it begins with postgresql://")
    if "connect_timeout" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{_CONNECT_TIMEOUT}"


class SpendLogTable:
    """One open, read-only connection to the table."""

    def __init__(self, connection: postgres.Connection, settings: Settings) -> None:
        self._connection = connection
        self._name = f"{_quote(settings.schema_name)}.{_quote(settings.table)}"
        self._settings = settings
        self.told_name = f"{settings.schema_name}.{settings.table}"
        self.columns: frozenset[str] = frozenset()

    def check_columns(self) -> None:
        """Find which columns there are and may be read. Raises TerminalError when a required one is not."""
        with say_errors(self._settings):
            rows = self._fetch(_COLUMNS.format(table=_text(self._name)))
        if not rows:
            raise TerminalError(_describe(self._settings, _WORDS["42P01"]))
        present = {row["attname"] for row in rows}
        self.columns = frozenset(row["attname"] for row in rows if row["is_readable"])
        missing = [name for name in REQUIRED_COLUMNS if name not in present]
        if missing:
            what = f"{{table}} has no column {missing[0]}; is it LiteLLM's SpendLogs, one row a call?"
            raise TerminalError(_describe(self._settings, what))
        forbidden = [name for name in (*REQUIRED_COLUMNS, "metadata") if name in present - self.columns]
        if forbidden:
            raise TerminalError(_describe(self._settings, f"{_WORDS['42501']} (column {forbidden[0]})"))

    def find_first_day(self) -> date | None:
        """Return the UTC day of the oldest row; None when there is none."""
        with say_errors(self._settings):
            rows = self._fetch(f'select min("startTime") as oldest from {self._name}')  # noqa: S608 (quoted names)
        oldest = rows[0]["oldest"]
        return None if oldest is None else oldest.date()

    def read_day(self, day: date) -> Iterator[dict[str, Any]]:
        """Yield the rows that started on a UTC day, ordered by their start. Raises ConnectorError."""
        statement = build_statement(self._name, self.columns, self._settings, day)
        with say_errors(
            self._settings, f" while {day} was read; days before it stand, the next run goes on there"
        ):
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
                for batch in cursor.fetch_record_batch():
                    yield from _open_rows(batch)

    def _fetch(self, statement: str) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetch_arrow_table().to_pylist()


@contextmanager
def open_table(settings: Settings) -> Iterator[SpendLogTable]:
    """Open the table for reading. Raises ConnectorError in words for the owner, without any secret."""
    uri = read_uri(settings)
    with say_errors(settings):
        connection = postgres.connect(uri)
    try:
        with say_errors(settings):
            with connection.cursor() as cursor:
                cursor.execute("set default_transaction_read_only = on")
                cursor.execute("set time zone 'UTC'")
            connection.commit()
        yield SpendLogTable(connection, settings)
    finally:
        with suppress(adbc.Error):  # a connection that was lost cannot be closed either
            connection.close()


def build_statement(table: str, columns: Iterable[str], settings: Settings, day: date) -> str:
    """Return the SELECT of a day. Its bounds are literals, for only then the driver streams the answer."""
    readable = set(columns)
    wanted = [name for name in (*SPEND_COLUMNS, *_list_named(settings)) if name in readable - _JSON_COLUMNS]
    selected = [_select(name) for name in dict.fromkeys(wanted)]
    if "request_tags" in readable:
        selected.append('"request_tags"::text as "request_tags"')
    if "metadata" in readable:
        for number, path in enumerate(list_metadata_paths(settings)):
            selected.append(f'({_reach_json(path)})::text as "metadata_{number}"')
    start, end = (f"timestamp '{moment:%Y-%m-%d}'" for moment in (day, day + _DAY))
    where = f'"startTime" >= {start} and "startTime" < {end}'
    listed = ", ".join(selected)
    return f'select {listed} from {table} where {where} order by "startTime", "request_id"'  # noqa: S608 (quoted)


def list_metadata_paths(settings: Settings) -> list[str]:
    """Return the paths below `metadata` that are read."""
    named = [
        place.removeprefix("metadata.")
        for places in settings.places.model_dump().values()
        for place in places
        if place.startswith("metadata.")
    ]
    return list(dict.fromkeys((*METADATA_PATHS, *named)))


def build_record(row: Mapping[str, Any], paths: list[str]) -> dict[str, Any]:
    """Return a row as a record of SpendLogs, its metadata holding the paths that were read."""
    record = {name: value for name, value in row.items() if not name.startswith("metadata_")}
    metadata: dict[str, Any] = {}
    for number, path in enumerate(paths):
        text = row.get(f"metadata_{number}")
        if text is not None:
            value = _load(text)
            if value is not None:
                metadata[path] = value
    return record | {"metadata": metadata}


def _load(text: str) -> Any:
    """Return JSON; numbers that no double can hold stay text, for whoever counts them to refuse."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return load_json(text)


def _list_named(settings: Settings) -> list[str]:
    """Return the columns that places name, bodies never among them."""
    named = {
        place.partition(".")[0]
        for places in settings.places.model_dump().values()
        for place in places
        if not place.startswith("tag:")
    }
    return sorted(named - {"messages", "response", "proxy_server_request", "metadata"})


def _select(name: str) -> str:
    if name == "spend":
        return '"spend"::text as "spend"'  # the shortest decimal of a double
    return _quote(name)


def _reach_json(path: str) -> str:
    """Return the expression of a path; a key may hold dots itself, so each way to cut it is tried."""
    parts = path.split(".")
    ways = []
    for cuts in range(2 ** (len(parts) - 1)):
        keys = [parts[0]]
        for position, part in enumerate(parts[1:]):
            if cuts >> position & 1:
                keys[-1] += f".{part}"
            else:
                keys.append(part)
        ways.append("".join(['"metadata"', *(f" -> {_text(key)}" for key in keys)]))
    return ways[0] if len(ways) == 1 else f"coalesce({', '.join(ways)})"


def _open_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    yield from batch.to_pylist()


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


_COLUMNS = (
    "select a.attname::text as attname, has_column_privilege(a.attrelid, a.attname, 'SELECT') as is_readable "
    "from pg_catalog.pg_attribute a "
    "where a.attrelid = to_regclass({table}) and a.attnum > 0 and not a.attisdropped"
)


@contextmanager
def say_errors(settings: Settings, when: str = "") -> Iterator[None]:
    """Turn what the driver raises into words for the owner. Raises TransientError or TerminalError."""
    try:
        yield
    except adbc.Error as error:
        raise _translate(error, settings, when) from None
    except OSError as error:  # what a stream of rows raises that ends in the middle
        what = f"the connection was lost{when} ({type(error).__name__})"
        raise TransientError(_describe(settings, what)) from None


def _translate(error: adbc.Error, settings: Settings, when: str) -> ConnectorError:
    state = error.sqlstate or ""
    if state in _WORDS:
        return TerminalError(_describe(settings, _WORDS[state]))
    text = str(error).lower()
    if "password authentication failed" in text or "no password supplied" in text:
        return TerminalError(_describe(settings, _WORDS["28P01"]))
    if "does not exist" in text and "database" in text and not when:
        return TerminalError(_describe(settings, _WORDS["3D000"]))
    if "certificate" in text or "ssl" in text:
        what = "TLS with the server failed; look at sslmode and sslrootcert in the connection string"
        return TerminalError(_describe(settings, what))
    if when and (state in _LOST or state.startswith("08") or not state):
        return TransientError(_describe(settings, f"the connection was lost{when}"))
    if not state or state.startswith("08") or state in _LOST:
        what = "the server cannot be reached; look whether it runs, and at host, port and firewall"
        return TransientError(_describe(settings, what))
    return TransientError(_describe(settings, f"Postgres answered with the error {state}{when}"))


def _describe(settings: Settings, what: str) -> str:
    told = what.replace("{table}", f"{settings.schema_name}.{settings.table}")
    return f"LiteLLM's database (connection in {settings.connection_env}): {told}"
