"""Object stores: one test body over a folder, moto's S3, Azurite and fake-gcs-server, by their real clients."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from time import monotonic

import pytest

from connectors.aws_data_exports.settings import Settings as AwsExport
from connectors.common.contract import TerminalError, TransientError
from connectors.common.stores.contract import (
    ChangedObject,
    DamagedContent,
    ObjectAbsent,
    ObjectStore,
    StoredObject,
)
from connectors.common.stores.open import open_store
from connectors.common.stores.settings import StoreSettings
from connectors.oci_cost_reports.settings import Settings as OracleReports
from tests.servers.backends import Backend
from tests.servers.rest import Reply, Request, RestServer, Route, answer_in_turn, cut_off, pass_on
from tests.servers.s3 import S3Server

LARGE = Random(7).randbytes(21_000_003)
"""Several pieces, the last one odd."""
BUSY = {"s3": (503, 429), "azure_blob": (503, 429), "gcs": (503, 429)}
"""What each vendor answers when it is asked too much, or is not well."""
StartRest = Callable[[Route], RestServer]


def find(store: ObjectStore, key: str) -> StoredObject:
    (stored,) = [stored for stored in store.list_objects() if stored.key == key]
    return stored


def ignore(count: int) -> None:
    """Somebody who does not watch."""


def is_content(request: Request) -> bool:
    """Whether a request asks for an object's bytes: the end of its path names the object, or `alt` asks for media."""
    is_media = request.query.get("alt") == "media" or "/download/" in request.path
    is_named = request.path.endswith(".csv") and "/storage/v1/" not in request.path
    return request.method == "GET" and (is_media or is_named)


def test_objects_are_listed_by_key_below_the_location(any_store: Backend) -> None:
    for key in ("b.csv", "a/2.csv", "a/10.csv", "a.csv", "B.csv", "a/manifest.json"):
        any_store.put(key, key.encode())
    store = open_store(any_store.settings())
    listed = list(store.list_objects())
    assert [stored.key for stored in listed] == [
        "B.csv",
        "a.csv",
        "a/10.csv",
        "a/2.csv",
        "a/manifest.json",
        "b.csv",
    ]
    assert [stored.size for stored in listed] == [len(stored.key) for stored in listed]
    assert all(stored.modified_at.tzinfo is None for stored in listed)
    assert [stored.key for stored in store.list_objects("a/")] == ["a/10.csv", "a/2.csv", "a/manifest.json"]
    assert list(store.list_objects("c")) == []


def test_many_objects_are_listed_page_by_page(remote_store: Backend, rest: StartRest) -> None:
    keys = [f"{number:04}.csv" for number in range(25)]
    for key in keys:
        remote_store.put(key, b"x")
    sizes = {"s3": "max-keys=10", "gcs": "maxResults=10"}  # what Azure is asked is signed
    behind = pass_on(remote_store.url)

    def in_small_pages(request: Request) -> Reply:
        return behind(
            replace(request, target=f"{request.target}&{sizes.get(remote_store.kind, '')}".rstrip("&"))
        )

    front = rest(in_small_pages)
    listed = [stored.key for stored in open_store(remote_store.settings(front.url)).list_objects()]
    assert listed == keys
    assert len(front.log) == (3 if remote_store.kind in sizes else 1)


def test_a_small_object_is_read_whole_and_a_large_one_refused(any_store: Backend) -> None:
    any_store.put("manifest.json", b'{"files": []}')
    any_store.put("empty.csv", b"")
    store = open_store(any_store.settings())
    assert store.read_bytes("manifest.json") == b'{"files": []}'
    assert store.read_bytes("empty.csv") == b""
    with pytest.raises(TerminalError, match="13 bytes, more than the 12"):
        store.read_bytes("manifest.json", limit=12)
    with pytest.raises(ObjectAbsent, match="other.json does not exist"):
        store.read_bytes("other.json")


def test_a_download_is_exact_in_pieces_and_private(any_store: Backend, tmp_path: Path) -> None:
    any_store.put("2026/large.csv", LARGE)
    store = open_store(any_store.settings())
    counts: list[int] = []
    target = tmp_path / "target"
    digest = store.download(find(store, "2026/large.csv"), target, counts.append)
    assert target.read_bytes() == LARGE
    assert digest == sha256(LARGE).hexdigest()
    assert sum(counts) == len(LARGE)
    assert len(counts) > 3
    assert target.stat().st_mode & 0o777 == 0o600


def test_an_empty_object_becomes_an_empty_file(any_store: Backend, tmp_path: Path) -> None:
    any_store.put("empty.csv", b"")
    store = open_store(any_store.settings())
    assert store.download(find(store, "empty.csv"), tmp_path / "t", ignore) == sha256(b"").hexdigest()
    assert (tmp_path / "t").read_bytes() == b""


def test_a_download_goes_on_where_it_stopped(remote_store: Backend, rest: StartRest, tmp_path: Path) -> None:
    remote_store.put("large.csv", LARGE)
    front = rest(pass_on(remote_store.url))
    store = open_store(remote_store.settings(front.url))
    stored = find(store, "large.csv")
    target = tmp_path / "target"
    target.write_bytes(LARGE[:15_000_000])
    front.log.clear()
    counts: list[int] = []
    assert store.download(stored, target, counts.append) == sha256(LARGE).hexdigest()
    assert target.read_bytes() == LARGE
    assert sum(counts) == len(LARGE)
    ranges = [r.headers.get("Range") or r.headers.get("x-ms-range") or "" for r in front.log if is_content(r)]
    assert ranges
    assert all(int(text.removeprefix("bytes=").split("-")[0]) >= 15_000_000 for text in ranges)


def test_an_object_that_is_replaced_meanwhile_is_not_mixed(
    remote_store: Backend, rest: StartRest, tmp_path: Path
) -> None:
    remote_store.put("large.csv", LARGE)
    behind = pass_on(remote_store.url)
    seen: list[Request] = []

    def route(request: Request) -> Reply:
        reply = behind(request)
        if not is_content(request):
            return reply
        seen.append(request)
        if len(seen) > 1:
            return reply
        remote_store.put("large.csv", LARGE[::-1])
        return cut_off(reply, 1_000_000)

    store = open_store(remote_store.settings(rest(route).url))
    stored = find(store, "large.csv")
    with pytest.raises(ChangedObject, match="large.csv changed since it was listed"):
        store.download(stored, tmp_path / "target", ignore)
    assert len(seen) > 1
    assert not (tmp_path / "target").exists()
    newer = find(store, "large.csv")
    assert newer.version != stored.version
    assert store.download(newer, tmp_path / "target", ignore) == sha256(LARGE[::-1]).hexdigest()


def test_a_file_that_changes_meanwhile_is_not_mixed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(LARGE)
    store = open_store(StoreSettings(location=str(tmp_path)))
    stored = find(store, "a.csv")
    (tmp_path / "a.csv").write_bytes(LARGE[::-1])
    with pytest.raises(ChangedObject):
        store.download(stored, tmp_path / "target", ignore)
    assert not (tmp_path / "target").exists()


def test_content_that_is_not_what_the_store_states_is_refused(
    remote_store: Backend, rest: StartRest, tmp_path: Path
) -> None:
    remote_store.put("large.csv", LARGE)
    behind = pass_on(remote_store.url)

    def spoil(request: Request) -> Reply:
        reply = behind(request)
        if not is_content(request):
            return reply
        return Reply(reply.status, reply.body[:-1] + bytes([reply.body[-1] ^ 1]), reply.headers)

    store = open_store(remote_store.settings(rest(spoil).url))
    with pytest.raises(DamagedContent, match="not the one that the store states"):
        store.download(find(store, "large.csv"), tmp_path / "target", ignore)
    assert not (tmp_path / "target").exists()


def test_a_busy_store_is_asked_again(remote_store: Backend, rest: StartRest, tmp_path: Path) -> None:
    remote_store.put("a.csv", b"cost\n1\n")
    behind = pass_on(remote_store.url)
    front = rest(behind)
    store = open_store(remote_store.settings(front.url))
    for status in BUSY[remote_store.kind]:
        front.route = answer_in_turn([Reply(status)], behind)
        stored = find(store, "a.csv")
        front.route = answer_in_turn([Reply(status)], behind)
        store.download(stored, tmp_path / f"target-{status}", ignore)
        assert (tmp_path / f"target-{status}").read_bytes() == b"cost\n1\n"
    assert len(front.log) > 4


@pytest.mark.parametrize("remote_store", ["azure_blob"], indirect=True)
def test_azure_is_asked_again_when_it_says_and_given_up_when_it_stays_busy(
    remote_store: Backend, rest: StartRest
) -> None:
    """Its client takes 429 for final, so how often and when is ours to say."""
    front = rest(lambda request: Reply(429, headers={"Retry-After": "0"}))
    store = open_store(remote_store.settings(front.url))
    with pytest.raises(TransientError, match="too busy"):
        list(store.list_objects())
    assert len(front.log) == 6
    front.route = answer_in_turn([Reply(429, headers={"Retry-After": "2"})], pass_on(remote_store.url))
    started = monotonic()
    assert list(store.list_objects()) == []
    assert 2 <= monotonic() - started < 4


def test_a_connection_that_breaks_is_taken_up_again(
    remote_store: Backend, rest: StartRest, tmp_path: Path
) -> None:
    remote_store.put("large.csv", LARGE)
    behind = pass_on(remote_store.url)
    broken: list[Request] = []

    def route(request: Request) -> Reply:
        reply = behind(request)
        if is_content(request) and len(broken) < 3:
            broken.append(request)
            return cut_off(reply, 300_000)
        return reply

    store = open_store(remote_store.settings(rest(route).url))
    digest = store.download(find(store, "large.csv"), tmp_path / "target", ignore)
    assert digest == sha256(LARGE).hexdigest()
    assert len(broken) == 3


def test_a_missing_bucket_is_named(remote_store: Backend) -> None:
    store = open_store(remote_store.settings(bucket="no-such-bucket"))
    with pytest.raises(TerminalError, match=r"no (bucket|container) 'no-such-bucket'; correct the location"):
        list(store.list_objects())


DENIED = {
    "s3": (
        "<Error><Code>AccessDenied</Code></Error>",
        {"Content-Type": "application/xml"},
        (
            "s3:ListBucket on arn:aws:s3:::company-exports",
            "s3:GetObject on arn:aws:s3:::company-exports/bills/*",
        ),
    ),
    "azure_blob": (
        "<Error><Code>AuthorizationPermissionMismatch</Code><Message>no</Message></Error>",
        {"Content-Type": "application/xml", "x-ms-error-code": "AuthorizationPermissionMismatch"},
        (
            "denied to list .* Storage Blob Data Reader on the container",
            "denied to read .* Storage Blob Data Reader",
        ),
    ),
    "gcs": (
        '{"error": {"code": 403, "message": "denied"}}',
        {"Content-Type": "application/json"},
        (
            "storage.objects.list on the bucket company-exports",
            "storage.objects.get on the bucket company-exports",
        ),
    ),
}


def test_denied_access_names_the_permission(remote_store: Backend, rest: StartRest, tmp_path: Path) -> None:
    body, headers, (to_list, to_read) = DENIED[remote_store.kind]
    remote_store.put("a.csv", b"cost\n1\n")
    front = rest(pass_on(remote_store.url))
    store = open_store(remote_store.settings(front.url))
    stored = find(store, "a.csv")
    front.route = lambda request: Reply(403, body, headers)
    with pytest.raises(TerminalError, match=to_list):
        list(store.list_objects())
    with pytest.raises(TerminalError, match=to_read):
        store.download(stored, tmp_path / "target", ignore)
    with pytest.raises(TerminalError, match=to_read):
        store.read_beginning(stored)


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"location": "s3://bucket/x"}, "aws sso login"),
        ({"location": "s3://bucket/x", "profile": "nobody"}, "no AWS profile 'nobody'"),
        ({"location": "az://account/exports", "account_key_env": "NOT_SET_KEY"}, "NOT_SET_KEY is not set"),
        ({"location": "gs://bucket/x"}, "gcloud auth application-default login"),
    ],
)
def test_without_credentials_it_says_how_to_sign_in(
    no_credentials: Path, values: dict[str, str], advice: str
) -> None:
    with pytest.raises(TerminalError, match=advice):
        open_store(StoreSettings.model_validate(values)).find_credentials()


def test_advice_to_sign_in_names_only_what_the_source_and_its_store_know(no_credentials: Path) -> None:
    amazon = AwsExport(name="aws", export="bill", location="s3://bills/exports")
    oracle = OracleReports(
        name="oracle",
        path="s3://bills/reports",
        endpoint="https://space.compat.objectstorage.eu-frankfurt-1.oraclecloud.com",
        region="eu-frankfurt-1",
    )
    said = []
    for settings in (
        amazon.build_store_settings("s3://bills/exports"),
        oracle.build_store_settings(oracle.path),
        StoreSettings(location="s3://bills"),
    ):
        with pytest.raises(TerminalError) as raised:
            open_store(settings).find_credentials()
        said.append(str(raised.value))
    assert ["`anonymous: true`" in message for message in said] == [False, True, True]
    assert ["aws sso login" in message for message in said] == [True, False, True]
    assert ["Customer Secret Key" in message for message in said] == [False, True, False]


@pytest.mark.parametrize(("bucket", "region"), [("company exports", None), ("exports", "no region")])
def test_a_bucket_or_region_that_cannot_be_is_told(
    s3_server: S3Server, bucket: str, region: str | None
) -> None:
    with pytest.raises(TerminalError, match="correct the (bucket's name|location)"):
        list(open_store(StoreSettings(location=f"s3://{bucket}", region=region)).list_objects())


@pytest.mark.parametrize(
    "values",
    [
        {"location": "s3://"},
        {"location": "az://account"},
        {"location": "https://example.com/container"},
        {"location": "ftp://host/folder"},
        {"location": "https://account.blob.core.windows.net/exports?sig=secret"},
        {"location": "s3://key:secret@bucket/x"},
        {"location": "s3://bucket", "sas_token_env": "X"},
        {"location": "gs://bucket", "region": "eu-west-1"},
        {"location": "bills", "anonymous": True},
        {"location": "az://account/exports", "sas_token_env": "X", "account_key_env": "Y"},
    ],
)
def test_a_location_or_option_that_means_nothing_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="location|says nothing about|name one way"):
        StoreSettings(**values)  # type: ignore[arg-type]


def test_a_store_imports_no_client_of_another_vendor() -> None:
    script = (
        "import sys; from connectors.common.stores.open import open_store; import connectors.common.fetching;"
        "from connectors.common.stores.settings import StoreSettings; open_store(StoreSettings(location='.'));"
        "print([name for name in ('boto3', 'azure.storage.blob', 'azure.identity', 'google.cloud.storage') "
        "if name in sys.modules]);"
        "import connectors.common.stores.s3;"
        "print([name for name in ('boto3', 'azure.storage.blob', 'google.cloud.storage') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["[]", "['boto3']"]
