"""Each cloud's own credential chain, by its real client, over TLS where the client insists."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.common.checking import check_store
from connectors.common.contract import TerminalError
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoreSettings
from tests.servers.azurite import AzuriteServer
from tests.servers.backends import BUCKET, GcsBackend, S3Backend
from tests.servers.gcs import GcsServer
from tests.servers.rest import Reply, Request, RestServer, Route, pass_on
from tests.servers.s3 import S3Server
from tests.servers.tls import LocalAuthority

StartRest = Callable[[Route], RestServer]
WELL = [("credentials", True), ("list", True), ("read", True)]


def check_well(settings: StoreSettings) -> str:
    """Check a store of which all must be well; return what was said of the credentials."""
    steps = list(check_store(settings))
    assert [(step.name, step.is_ok) for step in steps] == WELL, steps
    return steps[0].message


def test_s3_over_tls_with_a_profile_of_the_aws_files(
    s3_server: S3Server, rest_tls: StartRest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    S3Backend(s3_server).put("a.csv", b"cost\n1\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text(
        "[finops]\naws_access_key_id = AKIAFINOPS\naws_secret_access_key = of-the-profile\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    front = rest_tls(pass_on(s3_server.url))
    settings = StoreSettings(location=f"s3://{BUCKET}/bills", endpoint=front.url, profile="finops")
    assert check_well(settings) == "AWS credentials from shared-credentials-file"
    assert front.log
    assert all("Credential=AKIAFINOPS/" in request.headers["Authorization"] for request in front.log)


def test_s3_refuses_a_server_that_nobody_vouches_for(
    s3_server: S3Server, local_authority: LocalAuthority, rest_tls: StartRest, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = rest_tls(pass_on(s3_server.url))
    for name in local_authority.environment:
        monkeypatch.delenv(name)
    steps = list(check_store(StoreSettings(location="s3://bucket", endpoint=front.url)))
    assert [step.is_ok for step in steps] == [True, False, None]
    assert f"{front.url} cannot be reached (SSLError)" in steps[1].message
    assert front.log == []


def test_anonymous_reading_sends_no_credentials(s3_server: S3Server, rest: StartRest) -> None:
    S3Backend(s3_server).put("a.csv", b"cost\n1\n")
    front = rest(pass_on(s3_server.url))
    store = open_store(StoreSettings(location=f"s3://{BUCKET}/bills", endpoint=front.url, anonymous=True))
    assert store.find_credentials() == "no credentials, as the config asks"
    list(store.list_objects())
    assert front.log
    assert all("Authorization" not in request.headers for request in front.log)


def test_azure_by_the_managed_identity_of_the_default_chain_over_tls(
    azurite_tls_server: AzuriteServer,
    trusted_authority: LocalAuthority,
    no_credentials: Path,
    rest: StartRest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def give_token(request: Request) -> Reply:
        if request.headers.get("X-IDENTITY-HEADER") != "of-this-machine":
            return Reply(401, {"error": "unauthorized"})
        answer = {
            "access_token": azurite_tls_server.build_token(request.query["resource"]),
            "expires_on": str(int((datetime.now(UTC) + timedelta(hours=1)).timestamp())),
            "resource": request.query["resource"],
            "token_type": "Bearer",
        }
        return Reply(200, answer)

    identity = rest(give_token)
    for name, value in trusted_authority.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{identity.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "of-this-machine")
    container = azurite_tls_server.client().create_container("by-identity")
    container.upload_blob("bills/a.csv", b"cost\n1\n")
    location = f"az://{azurite_tls_server.account}/by-identity/bills"
    settings = StoreSettings(location=location, endpoint=azurite_tls_server.account_url)
    assert check_well(settings) == "the default credential chain of Azure"
    assert {request.query["resource"] for request in identity.log} == {"https://storage.azure.com"}


def test_azure_by_connection_string_and_by_sas(
    azurite_server: AzuriteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    azurite_server.client().create_container("exports").upload_blob("bills/a.csv", b"cost\n1\n")
    sas = generate_container_sas(
        azurite_server.account,
        "exports",
        azurite_server.key,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
        version="2025-11-05",
    )
    monkeypatch.setenv("EXPORTS_CONNECTION", azurite_server.connection_string)
    monkeypatch.setenv("EXPORTS_SAS", f"?{sas}")
    location = f"az://{azurite_server.account}/exports/bills"
    by_string = StoreSettings(location=location, connection_string_env="EXPORTS_CONNECTION")
    assert check_well(by_string) == "the value of EXPORTS_CONNECTION"
    endpoint = azurite_server.account_url
    by_sas = StoreSettings(location=location, endpoint=endpoint, sas_token_env="EXPORTS_SAS")
    assert check_well(by_sas) == "the value of EXPORTS_SAS"
    with pytest.raises(TerminalError, match="is for the account 'devstoreaccount1'"):
        open_store(StoreSettings(location="az://other/exports", connection_string_env="EXPORTS_CONNECTION"))


@pytest.mark.parametrize("value", ["AccountName=a;AccountKey=not base64;", "nonsense"])
def test_a_broken_connection_string_is_told_without_showing_it(
    no_credentials: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("EXPORTS_CONNECTION", value)
    settings = StoreSettings(location="az://a/exports", connection_string_env="EXPORTS_CONNECTION")
    steps = list(check_store(settings))
    assert False in [step.is_ok for step in steps]
    assert value not in str(steps)


def test_azure_tokens_never_leave_over_plain_http(azurite_server: AzuriteServer, rest: StartRest) -> None:
    front = rest(pass_on(azurite_server.url))
    settings = StoreSettings(location="az://account/exports", endpoint=f"{front.url}/account")
    with pytest.raises(TerminalError):
        list(open_store(settings).list_objects())
    assert front.log == []


def write_service_account(path: Path, login_url: str) -> str:
    """Write the key file of a service account that signs in at our own server; return the account's name."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    content = {
        "type": "service_account",
        "client_email": "reader@company.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "private_key_id": "1",
        "token_uri": f"{login_url}/token",
    }
    path.write_text(json.dumps(content))
    return content["client_email"]


def test_google_by_application_default_credentials(
    gcs_server: GcsServer, rest: StartRest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    GcsBackend(gcs_server).put("a.csv", b"cost\n1\n")
    login = rest(
        lambda request: Reply(200, {"access_token": "of-google", "expires_in": 3600, "token_type": "Bearer"})
    )
    front = rest(pass_on(gcs_server.url))
    account = write_service_account(tmp_path / "key.json", login.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    settings = StoreSettings(location=f"gs://{BUCKET}/bills", endpoint=front.url)
    assert check_well(settings) == f"application default credentials of {account}"
    assert login.log
    assert {request.headers["Authorization"] for request in front.log} == {"Bearer of-google"}


def test_google_credentials_that_are_refused_are_told(
    gcs_server: GcsServer, rest: StartRest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    login = rest(lambda request: Reply(400, {"error": "invalid_grant", "error_description": "Token expired"}))
    write_service_account(tmp_path / "key.json", login.url)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    steps = list(check_store(StoreSettings(location="gs://bucket", endpoint=gcs_server.url)))
    assert [step.is_ok for step in steps] == [False, None, None]
    assert "gcloud auth application-default login" in steps[0].message
    assert "PRIVATE KEY" not in str(steps)
