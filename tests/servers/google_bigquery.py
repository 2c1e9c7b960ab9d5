"""BigQuery: its REST API (tables, queries) and its Storage Read API (gRPC), over Arrow tables given by a test.

What belongs here: answers in the shapes of Google's own types. What must not: what the tables mean. Filters and
queries are run by DuckDB, so a client's condition decides what it gets.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import grpc
import pyarrow as pa
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import types

from tests.servers.rest import Reply, Request, RestServer, run_rest
from tests.servers.tls import Certificate, LocalAuthority

_SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"
_TABLE_PATH = re.compile(r"/bigquery/v2/projects/([^/]+)/datasets/([^/]+)/tables/([^/]+)(/data)?")
_QUERY_PATH = re.compile(r"/bigquery/v2/projects/([^/]+)/queries/([^/]+)")
_ROWS_A_MESSAGE = 3


@dataclass
class BigQueryServer:
    """`tables` by `project.dataset.table`; failures that are waiting are given out first."""

    rest: RestServer
    storage_address: str
    tables: dict[str, pa.Table] = field(default_factory=dict)
    modified_at: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    table_type: str = "TABLE"
    is_storage_denied: bool = False
    is_query_denied: bool = False
    is_table_denied: bool = False
    rest_failures: list[int] = field(default_factory=list)
    """Status codes that the next REST requests are answered with."""
    session_failures: list[grpc.StatusCode] = field(default_factory=list)
    broken_streams: list[int] = field(default_factory=list)
    """After how many messages the next streams break off."""
    sessions: list[types.ReadSession] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    _results: dict[str, pa.Table] = field(default_factory=dict)

    def write_credentials(self, path: Path, project: str = "finops") -> None:
        """Write a service account's key file whose tokens this server gives out."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "type": "service_account",
            "project_id": project,
            "private_key_id": "test",
            "private_key": key.decode(),
            "client_email": f"reader@{project}.iam.gserviceaccount.com",
            "client_id": "1",
            "token_uri": f"{self.rest.url}/token",
        }
        path.write_text(json.dumps(content))


@contextmanager
def run_bigquery(authority: LocalAuthority) -> Iterator[BigQueryServer]:
    """Run both APIs on loopback: REST over HTTP, Storage Read over TLS, on which its client insists."""
    certificate = authority.issue()
    server: BigQueryServer
    with run_rest(lambda request: _answer(server, request)) as rest, ThreadPoolExecutor(8) as pool:
        listening = grpc.server(pool)
        port = listening.add_secure_port("127.0.0.1:0", _build_credentials(certificate))
        server = BigQueryServer(rest, f"127.0.0.1:{port}")
        listening.add_generic_rpc_handlers((_build_handlers(server),))
        listening.start()
        try:
            yield server
        finally:
            listening.stop(0).wait()


def _build_credentials(certificate: Certificate) -> grpc.ServerCredentials:
    pair = (certificate.key.read_bytes(), certificate.certificate.read_bytes())
    return grpc.ssl_server_credentials([pair])


def _build_handlers(server: BigQueryServer) -> grpc.GenericRpcHandler:
    lock = threading.Lock()
    streams: dict[str, pa.Table] = {}

    def create(request: types.CreateReadSessionRequest, context: grpc.ServicerContext) -> types.ReadSession:
        _check_signed_in(context)
        with lock:
            failure = server.session_failures.pop(0) if server.session_failures else None
        if failure is not None:
            context.abort(failure, "try again")
        if server.is_storage_denied:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "bigquery.readsessions.create denied")
        session = request.read_session
        name = ".".join(session.table.split("/")[1::2])
        if name not in server.tables:
            context.abort(grpc.StatusCode.NOT_FOUND, f"Not found: Table {name}")
        assert session.data_format == types.DataFormat.ARROW
        options = session.read_options
        rows = _select(server.tables[name], list(options.selected_fields), options.row_restriction)
        count = max(1, min(request.max_stream_count or 1, rows.num_rows)) if rows.num_rows else 0
        made = types.ReadSession(
            name=f"{request.parent}/locations/us/sessions/s{len(server.sessions)}",
            table=session.table,
            data_format=types.DataFormat.ARROW,
            read_options=options,
            estimated_total_bytes_scanned=rows.nbytes,
            arrow_schema=types.ArrowSchema(serialized_schema=rows.schema.serialize().to_pybytes()),
        )
        for number in range(count):
            stream = f"{made.name}/streams/{number}"
            streams[stream] = rows.take(list(range(number, rows.num_rows, count)))
            made.streams.append(types.ReadStream(name=stream))
        with lock:
            server.sessions.append(made)
        return made

    def read(
        request: types.ReadRowsRequest, context: grpc.ServicerContext
    ) -> Iterator[types.ReadRowsResponse]:
        _check_signed_in(context)
        with lock:
            server.offsets.append(request.offset)
            breaks_after = server.broken_streams.pop(0) if server.broken_streams else None
        rows = streams[request.read_stream].slice(request.offset)
        for number, batch in enumerate(rows.combine_chunks().to_batches(max_chunksize=_ROWS_A_MESSAGE)):
            if number == breaks_after:
                context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")
            content = types.ArrowRecordBatch(serialized_record_batch=batch.serialize().to_pybytes())
            yield types.ReadRowsResponse(arrow_record_batch=content, row_count=batch.num_rows)
        if breaks_after is not None and breaks_after >= rows.num_rows:
            context.abort(grpc.StatusCode.UNAVAILABLE, "connection lost")

    return grpc.method_handlers_generic_handler(
        _SERVICE,
        {
            "CreateReadSession": grpc.unary_unary_rpc_method_handler(
                create, types.CreateReadSessionRequest.deserialize, types.ReadSession.serialize
            ),
            "ReadRows": grpc.unary_stream_rpc_method_handler(
                read, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
            ),
        },
    )


def _check_signed_in(context: grpc.ServicerContext) -> None:
    metadata = dict(context.invocation_metadata())
    if not str(metadata.get("authorization", "")).startswith("Bearer "):
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")


def _select(table: pa.Table, columns: list[str], condition: str) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("source", table)
        names = ", ".join(f'"{name}"' for name in columns) or "*"
        found = connection.execute(f"select {names} from source where {condition or 'true'}").to_arrow_table()
    kept = [name for name in table.schema.names if not columns or name in columns]
    return found.select(kept).cast(pa.schema([table.schema.field(name) for name in kept]))


def _answer(server: BigQueryServer, request: Request) -> Reply:
    if request.path == "/token":
        assert request.form()["grant_type"].endswith("jwt-bearer")
        return Reply(body={"access_token": "test-token", "expires_in": 3600, "token_type": "Bearer"})
    if server.rest_failures:
        return _error(server.rest_failures.pop(0), "backendError")
    if not request.headers.get("Authorization", "").startswith("Bearer "):
        return _error(401, "authError")
    if found := _TABLE_PATH.fullmatch(request.path):
        name = ".".join(found.groups()[:3])
        if found[2] == "_results":
            return Reply(body=_describe_rows(server._results[found[3]], request.query))
        return _describe_table(server, name)
    if request.path.endswith("/jobs") and request.method == "POST":
        return _run_job(server, request)
    if found := _QUERY_PATH.fullmatch(request.path):
        return _describe_result(server, found[1], found[2], request.query)
    return _error(404, "notFound")


def _error(status: int, reason: str) -> Reply:
    errors = [{"reason": reason, "message": reason, "domain": "global"}]
    return Reply(status, {"error": {"code": status, "message": reason, "errors": errors}})


def _describe_table(server: BigQueryServer, name: str) -> Reply:
    if server.is_table_denied:
        return _error(403, "accessDenied")
    if name not in server.tables:
        return _error(404, "notFound")
    table = server.tables[name]
    project, dataset, short = name.split(".")
    resource = {
        "kind": "bigquery#table",
        "id": f"{project}:{dataset}.{short}",
        "tableReference": {"projectId": project, "datasetId": dataset, "tableId": short},
        "type": server.table_type,
        "location": "EU",
        "numRows": str(table.num_rows),
        "lastModifiedTime": str(int(server.modified_at.timestamp() * 1000)),
        "schema": {"fields": [_describe_field(column) for column in table.schema]},
    }
    assert bigquery.Table.from_api_repr(resource).num_rows == table.num_rows
    return Reply(body=resource)


def _describe_field(column: pa.Field) -> dict[str, Any]:
    kind, mode = column.type, "NULLABLE"
    if pa.types.is_list(kind):
        kind, mode = kind.value_type, "REPEATED"
    described: dict[str, Any] = {"name": column.name, "mode": mode}
    if pa.types.is_struct(kind):
        inner = [_describe_field(kind.field(place)) for place in range(kind.num_fields)]
        return {**described, "type": "RECORD", "fields": inner}
    names = {pa.string(): "STRING", pa.float64(): "FLOAT", pa.bool_(): "BOOLEAN", pa.int64(): "INTEGER"}
    if pa.types.is_timestamp(kind):
        return {**described, "type": "TIMESTAMP"}
    return {**described, "type": "NUMERIC" if pa.types.is_decimal(kind) else names[kind]}


def _run_job(server: BigQueryServer, request: Request) -> Reply:
    if server.is_query_denied:
        return _error(403, "accessDenied")
    job = request.json()
    configuration = job["configuration"]
    query = configuration["query"]
    project = request.path.split("/")[4]
    job_id = job.get("jobReference", {}).get("jobId", f"job{len(server.queries)}")
    reference = {"projectId": project, "jobId": job_id, "location": "EU"}
    destination = {"projectId": project, "datasetId": "_results", "tableId": job_id}
    if not configuration.get("dryRun"):
        server.queries.append(query["query"])
        server._results[job_id] = _run_query(server, query)
        configuration = {**configuration, "query": {**query, "destinationTable": destination}}
    answer = {
        "kind": "bigquery#job",
        "jobReference": reference,
        "configuration": {**configuration, "jobType": "QUERY"},
        "status": {"state": "DONE"},
        "statistics": {"query": {"totalBytesProcessed": "1000", "statementType": "SELECT"}},
    }
    return Reply(body=answer)


def _run_query(server: BigQueryServer, query: Mapping[str, Any]) -> pa.Table:
    values = {}
    for parameter in query.get("queryParameters", ()):
        assert parameter["parameterType"]["type"] == "TIMESTAMP"
        values[parameter["name"]] = datetime.fromisoformat(parameter["parameterValue"]["value"])
    text = re.sub(r"@(\w+)", r"$\1", query["query"])
    name = next(name for name in server.tables if f"`{name}`" in text)
    text = text.replace(f"`{name}`", "source").replace("`", '"')
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("source", server.tables[name])
        found = connection.execute(text, values or None).to_arrow_table()
    schema = server.tables[name].schema
    return found.cast(pa.schema([schema.field(column) for column in found.schema.names]))


def _describe_result(server: BigQueryServer, project: str, job_id: str, query: Mapping[str, str]) -> Reply:
    table = server._results[job_id]
    answer = {
        "kind": "bigquery#queryResponse",
        "jobReference": {"projectId": project, "jobId": job_id, "location": "EU"},
        "jobComplete": True,
        "totalRows": str(table.num_rows),
        "schema": {"fields": [_describe_field(column) for column in table.schema]},
    }
    if query.get("maxResults") != "0":
        answer |= _describe_rows(table, query)
    return Reply(body=answer)


def _describe_rows(table: pa.Table, query: Mapping[str, str]) -> dict[str, Any]:
    start = int(query.get("pageToken") or query.get("startIndex") or 0)
    size = min(int(query.get("maxResults") or 5), 5)
    page = table.slice(start, size)
    rows = [{"f": [{"v": _write_cell(value)} for value in row.values()]} for row in page.to_pylist()]
    answer: dict[str, Any] = {"totalRows": str(table.num_rows), "rows": rows}
    if start + size < table.num_rows:
        answer["pageToken"] = str(start + size)
    return answer


def _write_cell(value: Any) -> Any:
    """Return a value as BigQuery's REST API writes it: scalars as text, records by position."""
    if value is None:
        return None
    if isinstance(value, list):
        return [{"v": _write_cell(item)} for item in value]
    if isinstance(value, dict):
        return {"f": [{"v": _write_cell(item)} for item in value.values()]}
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(round(value.timestamp() * 1_000_000))
    if isinstance(value, date):
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)
