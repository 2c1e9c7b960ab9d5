"""`python -m simulator serve DIR [-- COMMAND …]`: OpenAI and Anthropic on loopback, while a command runs.

What belongs here: the port, the process and the keys of the demo. What must not: what the vendors answer (`apis`).
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import cast

from simulator.apis import anthropic, openai
from simulator.apis.reports import Refused, write_json
from simulator.apis.store import ApiStore, MissingFiles, read_store

HOST = "127.0.0.1"
PORT = 8790
ENVIRONMENT = {"OPENAI_ADMIN_KEY": openai.ADMIN_KEY, "ANTHROPIC_ADMIN_KEY": anthropic.ADMIN_KEY}
"""What a command finds in its environment: admin keys of the made-up organizations, good for this server alone."""


class PortTaken(Exception):
    """Another process listens where the APIs should stand."""


class ApiServer(ThreadingHTTPServer):
    """Both vendors' APIs at one address: their paths do not meet."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, store: ApiStore) -> None:
        super().__init__((HOST, port), _Handler)
        self.store = store

    @property
    def url(self) -> str:
        """The address of the server, without a path."""
        return f"http://{HOST}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        vendor = anthropic if self.path.startswith(anthropic.PREFIX) else openai
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            status, body = 200, vendor.answer(self.path, headers, cast(ApiServer, self.server).store)
        except Refused as refused:
            status, body = refused.status, vendor.build_error(refused)
        content = write_json(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request may hold a key."""


@contextmanager
def serve(root: Path, port: int = PORT, now: datetime | None = None) -> Iterator[ApiServer]:
    """Answer from what was simulated into `root` while the context lasts; port 0 is any free one.

    `now` is the vendors' clock: later use has not happened, and late counts are not in before their time. Raises
    PortTaken, MissingFiles.
    """
    store = read_store(root, now)
    try:
        server = ApiServer(port, store)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTaken(
            f"port {port} of {HOST} is taken or not allowed; stop what listens there, or choose another with --port "
            "and write it into `endpoint` of the sources openai and anthropic"
        ) from error
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run_command(command: Sequence[str]) -> int:
    """Run a command with the demo's keys in its environment; return its exit code. Signals are passed on to it."""
    process = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT})  # noqa: S603 (the user's own command)

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - code if code < 0 else code


def _wait_for_a_signal() -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


def _read_now(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the command ends, or until stopped; return the command's exit code, 2 where nothing can be served."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    at = given.index("--") if "--" in given else len(given)
    given, command = given[:at], given[at + 1 :]
    parser = argparse.ArgumentParser(prog="python -m simulator serve", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `python -m simulator --out` was given")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of {HOST} (default {PORT})")
    parser.add_argument("--now", type=_read_now, help="the vendors' clock, UTC; default: all has happened")
    options = parser.parse_args(given)
    try:
        with serve(options.folder, options.port, options.now) as server:
            if command:
                return run_command(command)
            sys.stderr.write(f"OpenAI at {server.url}/v1, Anthropic at {server.url}; stop with Ctrl-C\n")
            _wait_for_a_signal()
    except (PortTaken, MissingFiles) as problem:
        sys.stderr.write(f"simulator: {problem}\n")
        return 2
    except FileNotFoundError as problem:
        sys.stderr.write(f"simulator: cannot run {command[0] if command else ''}: {problem}\n")
        return 127
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
