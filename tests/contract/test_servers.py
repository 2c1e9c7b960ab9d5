"""The test servers themselves: real clients reach them, and they answer as the tests tell them."""

# ruff: noqa: S310 (the addresses are our own servers)

from __future__ import annotations

import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable

import pytest
from azure.core.credentials import AccessToken

from tests.servers.azurite import AzuriteServer
from tests.servers.gcs import GcsServer
from tests.servers.rest import Reply, RestServer, Route, answer_in_turn, cut_off, pass_on
from tests.servers.s3 import S3Server
from tests.servers.tls import LocalAuthority

CONTENT = bytes(range(256)) * 64


def test_s3_answers_directly_and_through_a_server_in_front(
    s3_server: S3Server, rest: Callable[[Route], RestServer]
) -> None:
    s3_server.client().create_bucket(Bucket="exports")
    front = rest(answer_in_turn([Reply(503, "<Error><Code>SlowDown</Code></Error>")], pass_on(s3_server.url)))
    client = s3_server.client(url=front.url)
    client.put_object(Bucket="exports", Key="a/b.csv", Body=CONTENT)
    assert client.get_object(Bucket="exports", Key="a/b.csv")["Body"].read() == CONTENT
    assert [request.method for request in front.log] == ["PUT", "PUT", "GET"]


def test_azurite_takes_its_key_over_http(azurite_server: AzuriteServer) -> None:
    client = azurite_server.client()
    client.create_container("exports").upload_blob("a.csv", CONTENT)
    assert client.get_container_client("exports").download_blob("a.csv").readall() == CONTENT


def test_azurite_takes_a_token_over_tls(
    azurite_tls_server: AzuriteServer, trusted_authority: LocalAuthority
) -> None:
    from azure.storage.blob import BlobServiceClient

    class Credential:
        def get_token(self, *scopes: str, **options: object) -> AccessToken:
            return AccessToken(azurite_tls_server.build_token(), int(time.time()) + 3600)

    client = BlobServiceClient(azurite_tls_server.account_url, credential=Credential())
    name = "by-token"
    client.create_container(name).upload_blob("a.csv", CONTENT)
    assert client.get_container_client(name).download_blob("a.csv").readall() == CONTENT


def test_gcs_keeps_objects(gcs_server: GcsServer) -> None:
    bucket = gcs_server.client().create_bucket("exports")
    bucket.blob("a.csv").upload_from_string(CONTENT)
    assert bucket.blob("a.csv").download_as_bytes() == CONTENT


def test_rest_answers_by_its_route_and_keeps_a_log(rest: Callable[[Route], RestServer]) -> None:
    server = rest(lambda request: Reply(200, {"path": request.path, "sent": request.json()}))
    asked = urllib.request.Request(f"{server.url}/v1/a?x=1", data=b'{"n": 1}', method="POST")
    with urllib.request.urlopen(asked) as answer:
        assert answer.read() == b'{"path": "/v1/a", "sent": {"n": 1}}'
    assert [(r.method, r.target, r.query["x"]) for r in server.log] == [("POST", "/v1/a?x=1", "1")]
    server.route = lambda request: Reply(429, "later", {"Retry-After": "1"})
    with pytest.raises(urllib.error.HTTPError, match="429"):
        urllib.request.urlopen(server.url)


def test_rest_can_break_off(rest: Callable[[Route], RestServer]) -> None:
    server = rest(lambda request: cut_off(Reply(200, CONTENT), 100))
    with urllib.request.urlopen(server.url) as answer:
        assert len(answer.read1()) == 100
        assert answer.length == len(CONTENT) - 100


def test_tls_is_trusted_by_the_environment_only(
    rest_tls: Callable[[Route], RestServer], trusted_authority: LocalAuthority
) -> None:
    server = rest_tls(lambda request: Reply(200, "well"))
    with urllib.request.urlopen(server.url) as answer:
        assert answer.read() == b"well"
    nobody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(server.url, context=nobody)
