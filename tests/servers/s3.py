"""An S3 server: moto's, as a process of its own.

What belongs here: starting it, and what a client needs to reach it. What must not: objects of any test.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.servers.process import run_server


@dataclass(frozen=True)
class S3Server:
    """Where it listens, and credentials that it takes."""

    url: str
    region: str = "us-east-1"
    access_key_id: str = "AKIATESTTESTTESTTEST"
    secret_access_key: str = "test-secret-key"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables by which AWS clients find their credentials."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, service: str = "s3", url: str | None = None) -> Any:
        """Return a boto3 client of it (or of a server in front of it), to put objects there."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=url or self.url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
        )

    def reset(self) -> None:
        """Forget every bucket."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


@contextmanager
def run_s3() -> Iterator[S3Server]:
    """Run a server while the block runs."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with run_server(command, r"Running on (http://\S+)", "stderr") as url:
        yield S3Server(url)
