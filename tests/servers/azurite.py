"""A blob server: Azurite, Microsoft's own emulator, with account keys over HTTP or tokens over TLS.

What belongs here: starting it, and what a client needs to reach it. What must not: blobs of any test.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.servers.node import MODULES, find_node
from tests.servers.process import run_server
from tests.servers.tls import Certificate

_MAIN = MODULES / "azurite" / "dist" / "src" / "blob" / "main.js"


@dataclass(frozen=True)
class AzuriteServer:
    """Where it listens, and the account and key that every Azurite has."""

    url: str
    account: str = "devstoreaccount1"
    key: str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

    @property
    def account_url(self) -> str:
        """The address of the account, which a real account has as its host name."""
        return f"{self.url}/{self.account}"

    @property
    def connection_string(self) -> str:
        """What clients take as a connection string."""
        return self.connection_string_at(self.url)

    def connection_string_at(self, url: str) -> str:
        """The connection string by way of a server in front of it."""
        return (
            f"DefaultEndpointsProtocol={url.split(':')[0]};AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={url}/{self.account};"
        )

    def client(self) -> Any:
        """Return a BlobServiceClient of it, to put blobs there."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient.from_connection_string(self.connection_string)

    def build_token(self, audience: str = "https://storage.azure.com") -> str:
        """Return a token that it takes: Azurite looks at who it is for and how long it holds, not who signed it."""
        now = int(time.time())
        claims = {
            "aud": audience,
            "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
            "iat": now - 60,
            "nbf": now - 60,
            "exp": now + 3600,
        }
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        return ".".join([*(_encode(json.dumps(part).encode()) for part in parts), _encode(b"unsigned")])


@contextmanager
def run_azurite(certificate: Certificate | None = None) -> Iterator[AzuriteServer]:
    """Run a server while the block runs; with a certificate it speaks TLS and also takes tokens.

    Raises FileNotFoundError when it is not installed.
    """
    node = find_node()
    if node is None or not _MAIN.is_file():
        raise FileNotFoundError("Azurite is not installed; run: make servers")
    command = [node, str(_MAIN), "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0"]
    # the client is newer than every Azurite and names an API version that none knows
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    if certificate is not None:
        command += ["--oauth", "basic", "--cert", str(certificate.certificate), "--key", str(certificate.key)]
    with run_server(command, r"listens on (https?://\S+)", "stdout") as url:
        yield AzuriteServer(url)


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
