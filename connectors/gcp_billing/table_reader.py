"""Reading a BigQuery table: by the Storage Read API in parallel streams, else by a query over REST.

What belongs here: sessions, streams, queries, their fallbacks. What must not: what becomes of the rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from connectors.common.contract import LandingProgress, TerminalError
from connectors.gcp_billing.google_clients import RETRY, AccessDeniedError, GoogleClients, in_words
from connectors.gcp_billing.settings import Settings

OnRows = Callable[[pa.RecordBatch], None]

VIEWER = "roles/bigquery.dataViewer on the dataset (bigquery.tables.get, bigquery.tables.getData)"
READER = "roles/bigquery.readSessionUser on the project (bigquery.readsessions.create, .getData)"
QUERIER = "roles/bigquery.jobUser on the project (bigquery.jobs.create)"


@dataclass(frozen=True)
class TableFacts:
    """What BigQuery says about the table; times are UTC without zone."""

    columns: tuple[str, ...]
    kind: str
    rows: int | None
    location: str | None
    modified_at: datetime | None


@dataclass(frozen=True)
class Window:
    """Rows whose `column` lies in [start, end); None leaves a side open."""

    column: str
    start: datetime | None
    end: datetime | None


class TableReader:
    """Reads one table; `is_denied` tells that the Storage Read API refused and queries are used instead."""

    def __init__(
        self, clients: GoogleClients, settings: Settings, progress: LandingProgress | None = None
    ) -> None:
        self._clients = clients
        self._settings = settings
        self._progress = progress
        self._facts: TableFacts | None = None
        self.is_denied = False

    def describe(self) -> TableFacts:
        """Return what BigQuery says about the table. Raises ConnectorError in words."""
        if self._facts is None:
            with in_words(f"look at table {self._settings.table}", VIEWER):
                table = self._clients.bigquery.get_table(self._settings.table, retry=RETRY)
                modified = table.modified
            self._facts = TableFacts(
                columns=tuple(field.name for field in table.schema),
                kind=table.table_type,
                rows=table.num_rows,
                location=table.location,
                modified_at=None if modified is None else modified.astimezone(UTC).replace(tzinfo=None),
            )
        return self._facts

    def read(self, columns: Sequence[str], window: Window | None, on_rows: OnRows) -> None:
        """Hand every row of a window to `on_rows`, in any order, one batch at a time.

        Raises ConnectorError when neither API may be used, or the service fails after retries.
        """
        if self._settings.read_api == "query" or self.is_denied or self.describe().kind != "TABLE":
            self._query(columns, window, on_rows)
            return
        try:
            session = self.open_session(columns, window)
        except AccessDeniedError:
            self.is_denied = True
            self._query(columns, window, on_rows)
            return
        self._read_streams(session, on_rows)

    def open_session(self, columns: Sequence[str], window: Window | None) -> Any:
        """Return a read session of the Storage Read API."""
        from google.cloud.bigquery_storage import types

        project, dataset, table = self._settings.table_parts
        options = types.ReadSession.TableReadOptions(
            selected_fields=list(columns), row_restriction=_restriction(window)
        )
        wanted = types.ReadSession(
            table=f"projects/{project}/datasets/{dataset}/tables/{table}",
            data_format=types.DataFormat.ARROW,
            read_options=options,
        )
        with in_words(f"open a read session of {self._settings.table}", f"{READER} and {VIEWER}"):
            return self._clients.bigquery_storage.create_read_session(
                parent=f"projects/{self._settings.reading_project}",
                read_session=wanted,
                max_stream_count=self._settings.streams,
                retry=RETRY,
            )

    def _read_streams(self, session: Any, on_rows: OnRows) -> None:
        lock = threading.Lock()
        stopped = threading.Event()
        if self._progress is not None:
            self._progress.start(self._settings.name, session.estimated_total_bytes_scanned)

        def read_stream(name: str) -> None:
            with in_words(f"read rows of {self._settings.table}", f"{READER} and {VIEWER}"):
                for batch in self._stream_batches(name, session):
                    if stopped.is_set():
                        return
                    with lock:
                        on_rows(batch)

        with ThreadPoolExecutor(max_workers=self._settings.streams) as pool:
            futures = [pool.submit(read_stream, stream.name) for stream in session.streams]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                stopped.set()
                raise

    def _stream_batches(self, name: str, session: Any) -> Iterator[pa.RecordBatch]:
        """Yield the batches of a stream; the client goes on by itself where a connection broke."""
        schema = pa.ipc.read_schema(pa.py_buffer(session.arrow_schema.serialized_schema))
        answers = self._clients.bigquery_storage.read_rows(name, retry=RETRY, retry_delay_callback=time.sleep)
        for answer in answers:
            content = pa.py_buffer(answer.arrow_record_batch.serialized_record_batch)
            if self._progress is not None:
                self._progress.advance(self._settings.name, content.size)
            yield pa.ipc.read_record_batch(content, schema)

    def _query(self, columns: Sequence[str], window: Window | None, on_rows: OnRows) -> None:
        """Read by a query, whose result comes page by page over REST."""
        from google.cloud import bigquery

        names = ", ".join(_quoted(name) for name in columns)
        table = ".".join(self._settings.table_parts)
        parameters = []
        conditions = []
        for operator, name, moment in _bounds(window):
            conditions.append(f"{_quoted(window.column if window else '')} {operator} @{name}")
            parameters.append(bigquery.ScalarQueryParameter(name, "TIMESTAMP", moment.replace(tzinfo=UTC)))
        where = f" where {' and '.join(conditions)}" if conditions else ""
        statement = f"select {names} from {_quoted(table)}{where}"  # noqa: S608 - names are checked, values bound
        config = bigquery.QueryJobConfig(query_parameters=parameters)
        with in_words(f"query {self._settings.table}", f"{QUERIER} and {VIEWER}"):
            job = self._clients.bigquery.query(statement, job_config=config, retry=RETRY)
            for batch in job.result(retry=RETRY, page_size=10_000).to_arrow_iterable(bqstorage_client=None):
                on_rows(batch)


def _bounds(window: Window | None) -> Iterator[tuple[str, str, datetime]]:
    if window is not None and window.start is not None:
        yield ">=", "from_time", window.start
    if window is not None and window.end is not None:
        yield "<", "to_time", window.end


def _restriction(window: Window | None) -> str:
    """Return the window as the Storage Read API takes it: a boolean expression of SQL."""
    return " AND ".join(
        f"{window.column if window else ''} {operator} CAST('{moment.isoformat(sep=' ')}+00:00' AS TIMESTAMP)"
        for operator, _, moment in _bounds(window)
    )


def _quoted(name: str) -> str:
    if "`" in name or "\\" in name:
        raise TerminalError(f"{name!r} is no name of a table or column; correct the setting")
    return f"`{name}`"
