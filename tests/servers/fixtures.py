"""The servers as pytest fixtures, one process each a session.

What belongs here: starting, cleaning between tests, and environments without anybody's credentials.
What must not: a vendor's answers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers.azurite import AzuriteServer, run_azurite
from tests.servers.backends import AzureBackend, Backend, GcsBackend, LocalBackend, S3Backend
from tests.servers.gcs import GcsServer, run_gcs
from tests.servers.google_bigquery import BigQueryServer, run_bigquery
from tests.servers.postgres import PostgresServer, run_postgres
from tests.servers.rest import RestServer, Route, run_rest
from tests.servers.s3 import S3Server, run_s3
from tests.servers.tls import LocalAuthority

_CREDENTIAL_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_", "GCLOUD_", "CLOUDSDK_", "STORAGE_EMULATOR")


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take every cloud credential out of the environment and give an empty home folder, which is returned."""
    for name in list(os.environ):
        if name.startswith(_CREDENTIAL_PREFIXES):
            monkeypatch.delenv(name)
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return home


@pytest.fixture(scope="session")
def _s3_process() -> Iterator[S3Server]:
    with run_s3() as server:
        yield server


@pytest.fixture
def s3_server(
    _s3_process: S3Server, no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[S3Server]:
    """An S3 server without buckets; its credentials are in the environment, as AWS clients look for them."""
    for name, value in _s3_process.environment.items():
        monkeypatch.setenv(name, value)
    yield _s3_process
    _s3_process.reset()


@pytest.fixture(scope="session")
def _azurite_process() -> Iterator[AzuriteServer]:
    with ExitStack() as stack:
        yield _start_azurite(stack, None)


@pytest.fixture
def azurite_server(_azurite_process: AzuriteServer, no_credentials: Path) -> Iterator[AzuriteServer]:
    """A blob server without containers, over HTTP with the account's key."""
    yield _azurite_process
    _remove_containers(_azurite_process)


@pytest.fixture(scope="session")
def azurite_tls_server(local_authority: LocalAuthority) -> Iterator[AzuriteServer]:
    """A blob server over TLS that takes tokens (`build_token`) as well as the key."""
    with ExitStack() as stack:
        yield _start_azurite(stack, local_authority)


@pytest.fixture(scope="session")
def _gcs_process() -> Iterator[GcsServer]:
    with run_gcs() as server:
        yield server


@pytest.fixture
def gcs_server(_gcs_process: GcsServer, no_credentials: Path) -> Iterator[GcsServer]:
    """A Google Cloud Storage server without buckets."""
    yield _gcs_process
    for bucket in _gcs_process.client().list_buckets():
        bucket.delete(force=True)


@pytest.fixture
def google_server(
    trusted_authority: LocalAuthority, no_credentials: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BigQueryServer]:
    """BigQuery without tables; its service account's key is the application default credential."""
    with run_bigquery(trusted_authority) as server:
        key = no_credentials / "key.json"
        server.write_credentials(key)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        # google-auth asks Google by itself, beside the work, where a service account may be used from
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield server


@pytest.fixture(scope="session")
def local_authority(tmp_path_factory: pytest.TempPathFactory) -> LocalAuthority:
    """The certificate authority of this test session."""
    return LocalAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted_authority(local_authority: LocalAuthority, monkeypatch: pytest.MonkeyPatch) -> LocalAuthority:
    """The authority, trusted by the clients of this test by way of the environment."""
    for name, value in local_authority.environment.items():
        monkeypatch.setenv(name, value)
    return local_authority


@pytest.fixture
def rest() -> Iterator[Callable[[Route], RestServer]]:
    """`rest(route)` starts an HTTP server whose answers are the route's."""
    with ExitStack() as stack:
        yield lambda route: stack.enter_context(run_rest(route))


@pytest.fixture
def rest_tls(trusted_authority: LocalAuthority) -> Iterator[Callable[[Route], RestServer]]:
    """`rest_tls(route)` starts an HTTPS server that the clients of this test trust."""
    with ExitStack() as stack:
        yield lambda route: stack.enter_context(run_rest(route, trusted_authority.issue()))


@pytest.fixture(params=["s3", "azure_blob", "gcs"])
def remote_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Each kind of remote store in turn, with an empty bucket."""
    return _build_backend(request, monkeypatch)


@pytest.fixture(params=["local", "s3", "azure_blob", "gcs"])
def any_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """Each kind of store in turn, with an empty bucket or folder."""
    return _build_backend(request, monkeypatch)


def _build_backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Backend:
    if request.param == "local":
        return LocalBackend(request.getfixturevalue("tmp_path"))
    if request.param == "s3":
        return S3Backend(request.getfixturevalue("s3_server"))
    if request.param == "azure_blob":
        return AzureBackend(request.getfixturevalue("azurite_server"), monkeypatch)
    return GcsBackend(request.getfixturevalue("gcs_server"))


def _start_azurite(stack: ExitStack, authority: LocalAuthority | None) -> AzuriteServer:
    """Start it; where it is not installed tests skip with a reason, in CI they fail."""
    try:
        return stack.enter_context(run_azurite(authority.issue() if authority else None))
    except FileNotFoundError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


def _remove_containers(server: AzuriteServer) -> None:
    with server.client() as client:
        for container in client.list_containers():
            client.delete_container(container.name)


@pytest.fixture(scope="session")
def _postgres_process() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


@pytest.fixture
def postgres_server(_postgres_process: PostgresServer) -> Iterator[PostgresServer]:
    """A Postgres with an empty database `litellm` and no role but its own."""
    _postgres_process.run("create database litellm")
    yield _postgres_process
    _postgres_process.run("drop database litellm with (force)")
