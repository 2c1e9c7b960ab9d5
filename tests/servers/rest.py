"""A loopback HTTP or HTTPS server whose answers are one function of the request.

What belongs here: receiving, logging and answering; passing on to another server. What must not: what any
vendor's answers look like (`tests/servers/<vendor>.py` says that).
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.tls import Certificate

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})


class Disconnect(Exception):
    """Raised by a route or in a body: the server closes the connection without another word."""


@dataclass(frozen=True)
class Request:
    """What a client asked. `query` has the first value of each name; `headers` ignores case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes
    base_url: str
    target: str
    """Path and query as they were sent."""

    def json(self) -> Any:
        """Return the body read as JSON; None when there is none."""
        return json.loads(self.body) if self.body else None

    def form(self) -> dict[str, str]:
        """Return the body read as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Reply:
    """An answer. A body that is not bytes or text is sent as JSON; an iterator of bytes is sent as it comes,
    and needs its `Content-Length` in `headers`."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Request], Reply]


class RestServer(ThreadingHTTPServer):
    """`url` is where it listens, `log` what was asked so far, `route` may be swapped at any time."""

    daemon_threads = True

    def __init__(self, route: Route, certificate: Certificate | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.route = route
        self.log: list[Request] = []
        if certificate is not None:
            context = certificate.build_context()
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


@contextmanager
def run_rest(route: Route, certificate: Certificate | None = None) -> Iterator[RestServer]:
    """Run such a server while the block runs."""
    server = RestServer(route, certificate)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def answer_in_turn(replies: Sequence[Reply], then: Route) -> Route:
    """Return a route that gives these replies first, one a request, and then asks another route."""
    waiting = list(replies)
    lock = threading.Lock()

    def route(request: Request) -> Reply:
        with lock:
            reply = waiting.pop(0) if waiting else None
        return then(request) if reply is None else reply

    return route


def pass_on(url: str) -> Route:
    """Return a route that asks another server, `Host` and all, and gives back what it says."""
    target = urlsplit(url)

    def route(request: Request) -> Reply:
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)
        try:
            kept = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in kept.items():
                connection.putheader(name, value)
            connection.endheaders(request.body or None)
            answer = connection.getresponse()
            body = answer.read()
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP}
        finally:
            connection.close()
        return Reply(answer.status, body, headers)

    return route


def cut_off(reply: Reply, after: int) -> Reply:
    """Return the reply with a body that ends after so many bytes, though its length is stated in full."""

    def body() -> Iterator[bytes]:
        yield reply.body[:after]
        raise Disconnect

    return Reply(reply.status, body(), {**reply.headers, "Content-Length": str(len(reply.body))})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RestServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def _answer(self) -> None:
        scheme = self.server.url.split(":")[0]
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query={k: v[0] for k, v in parse_qs(parts.query, keep_blank_values=True).items()},
            headers=self.headers,
            body=self._read_body(),
            base_url=f"{scheme}://{self.headers.get('Host', '')}",
            target=self.path,
        )
        self.server.log.append(request)
        try:
            self._send(self.server.route(request))
        except (Disconnect, ConnectionError):
            self.close_connection = True

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailers
            continue
        return b"".join(parts)

    def _send(self, reply: Reply) -> None:
        chunks, known = _encode(reply.body)
        headers = {name.lower(): (name, value) for name, value in known.items()}
        headers |= {name.lower(): (name, value) for name, value in reply.headers.items()}
        self.send_response(reply.status)
        for name, value in headers.values():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for chunk in chunks:
                self.wfile.write(chunk)
                self.wfile.flush()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing: the server keeps its own log."""


def _encode(body: Any) -> tuple[Iterable[bytes], dict[str, str]]:
    if isinstance(body, Iterator):
        return body, {}
    if isinstance(body, str):
        body = body.encode()
    if isinstance(body, bytes):
        return (body,), {"Content-Length": str(len(body))}
    text = json.dumps(body).encode()
    return (text,), {"Content-Type": "application/json", "Content-Length": str(len(text))}
