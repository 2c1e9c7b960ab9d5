"""Asking an API: retries, time limits, sizes, redirects, certificates, and what an error may tell."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from connectors.common.apis.http_api import (
    ApiBusyError,
    ApiRefusedError,
    ApiUnreachableError,
    HttpApi,
    Patience,
    check_endpoint,
    load_exact_json,
    read_api_key,
)
from connectors.common.apis.settings import HttpSettings
from connectors.common.apis.trials import try_until_unreachable
from connectors.common.contract import TerminalError
from tests.servers.rest import (
    Disconnect,
    Reply,
    Request,
    RestServer,
    Route,
    answer_in_turn,
    cut_off,
)

SECRET = "sk-canary-0123456789"
FINE = Reply(200, '{"cost": 0.1, "count": 3}', {"Content-Type": "application/json"})
Serve = Callable[[Route], RestServer]


def ask(url: str, waits: list[float] | None = None, **patience: Any) -> HttpApi:
    """An API at the address that notes its waits instead of waiting."""
    noted = [] if waits is None else waits
    limits = Patience(**{"attempts": 4, "read_seconds": 0.3, "total_seconds": 2, **patience})
    headers = {"Authorization": f"Bearer {SECRET}"}
    return HttpApi(url, headers, patience=limits, sleep=noted.append, refusals={403: "grant the right"})


def then_fine(*replies: Reply) -> Route:
    return answer_in_turn(list(replies), lambda request: FINE)


def test_fractions_are_exact_and_repeated_parameters_stay(rest: Serve) -> None:
    server = rest(lambda request: FINE)
    answer = ask(server.url).fetch("/costs", [("group_by", "a"), ("group_by", "b c"), ("page", "x+/=")])
    assert answer.content == {"cost": Decimal("0.1"), "count": 3}
    assert server.log[0].target == "/costs?group_by=a&group_by=b+c&page=x%2B%2F%3D"
    assert server.log[0].headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 529])
def test_a_busy_api_is_asked_again_with_doubled_waits(status: int, rest: Serve) -> None:
    waits: list[float] = []
    server = rest(then_fine(Reply(status), Reply(status), Reply(status)))
    assert ask(server.url, waits).fetch("/costs").content["count"] == 3
    assert waits == [1, 2, 4]


def test_retry_after_is_obeyed_in_seconds_and_as_a_date_up_to_a_limit(rest: Serve) -> None:
    now = time.time()
    asked = ("3", formatdate(now + 9, usegmt=True), formatdate(now - 3600, usegmt=True), "86400", "soon")
    waits: list[float] = []
    server = rest(then_fine(*(Reply(429, b"", {"Retry-After": text}) for text in asked)))
    assert ask(server.url, waits, attempts=6, longest_wait_seconds=20).fetch("/x").content["count"] == 3
    assert 5 <= waits.pop(1) <= 9, "compared with the server's own clock"
    assert waits == [3, 0, 20, 16]


def test_an_api_that_stays_busy_is_given_up_in_words(rest: Serve) -> None:
    waits: list[float] = []
    server = rest(lambda request: Reply(429, b"", {"Retry-After": "900"}))
    with pytest.raises(ApiBusyError) as caught:
        ask(server.url, waits).fetch("/v1/costs", [("page", "secret-cursor")])
    told = str(caught.value)
    assert "/v1/costs: answered 429 (4 times; it asks to wait 900 s)" in told
    assert "the next run goes on" in told and "secret-cursor" not in told
    assert (len(server.log), waits) == (4, [60, 60, 60])


def test_connections_that_break_are_tried_again(rest: Serve) -> None:
    def hang_up(request: Request) -> Reply:
        raise Disconnect

    def in_turn(request: Request) -> Reply:
        return next(routes)(request)

    body = Reply(200, b'{"count": 3}' + b" " * 100, {"Content-Type": "application/json"})
    routes: Iterator[Route] = iter([hang_up, lambda r: cut_off(body, 20), lambda r: FINE])
    assert ask(rest(in_turn).url).fetch("/x").content["count"] == 3


def test_a_silent_and_a_dripping_server_are_left(rest: Serve) -> None:
    stop = threading.Event()

    def be_silent(request: Request) -> Reply:
        stop.wait(1)
        return FINE

    def drip(request: Request) -> Reply:
        def body() -> Iterator[bytes]:
            while not stop.wait(0.05):
                yield b" "
            raise Disconnect

        return Reply(200, body(), {"Content-Type": "application/json", "Content-Length": "100000"})

    for route, words in ((be_silent, "nothing came for 0.3 s"), (drip, "took longer than 1 s")):
        began = time.monotonic()
        with pytest.raises(ApiBusyError, match=words):
            ask(rest(route).url, attempts=1, total_seconds=1).fetch("/x")
        assert time.monotonic() - began < 5
    stop.set()


def test_an_answer_may_be_so_large_and_no_larger_also_unpacked(rest: Serve) -> None:
    packed = gzip.compress(b'{"a": "' + b"x" * 5_000_000 + b'"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    server = rest(lambda request: Reply(200, packed, headers))
    assert len(packed) < 10_000
    with pytest.raises(TerminalError, match="larger than 1,000,000 bytes"):
        ask(server.url, largest_bytes=1_000_000).fetch("/x")
    assert len(ask(server.url).fetch("/x").content["a"]) == 5_000_000


@pytest.mark.parametrize(
    "body",
    ['{"a": 1', '{"a": NaN}', '{"a": Infinity}', '{"a": 1, "a": 2}', "", "[" * 50_000, b"\xff\xfe\x00"],
)
def test_broken_json_is_tried_again_and_given_up(body: Any, rest: Serve) -> None:
    server = rest(lambda request: Reply(200, body, {"Content-Type": "application/json"}))
    with pytest.raises(ApiBusyError, match="broken or cut off"):
        ask(server.url).fetch("/x")
    assert len(server.log) == 4


def test_numbers_of_any_size_are_read_exactly() -> None:
    assert load_exact_json(b'{"a": 1e400, "b": 12345678901234567890.123456789}') == {
        "a": Decimal("1e400"),
        "b": Decimal("12345678901234567890.123456789"),
    }
    with pytest.raises(ValueError):
        load_exact_json(b"1" * 5000)


def test_another_content_type_is_not_read(rest: Serve) -> None:
    server = rest(
        lambda request: Reply(200, "<html>canary</html>", {"Content-Type": "text/html; charset=utf-8"})
    )
    with pytest.raises(TerminalError, match="answered with text/html, not JSON") as caught:
        ask(server.url).fetch("/x")
    assert "canary" not in str(caught.value)
    assert len(server.log) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, rest: Serve) -> None:
    target = rest(lambda request: FINE)
    server = rest(lambda request: Reply(status, b"", {"Location": f"{target.url}/steal?key=canary"}))
    with pytest.raises(ApiRefusedError, match="no redirect is followed") as caught:
        ask(server.url).fetch("/x")
    assert not target.log
    assert "canary" not in str(caught.value)


def test_a_refusal_tells_the_vendors_word_and_never_a_key(rest: Serve) -> None:
    replies = {
        "/right": Reply(403, {"error": {"type": "permission_error", "message": f"key {SECRET} may not"}}),
        "/wrong": Reply(
            400, {"error": {"code": "bad_group", "message": f"no group by x\nfor {SECRET}, sk-abc***wxyz9"}}
        ),
        "/odd": Reply(422, {"error": {"code": SECRET, "message": None}}),
        "/text": Reply(404, f"nothing here for {SECRET}"),
        "/plain": Reply(400, {"error": "bad_request"}),
    }
    server = rest(lambda request: replies[request.path])
    told = {}
    for path in replies:
        with pytest.raises(ApiRefusedError) as caught:
            ask(server.url).fetch(path)
        told[path] = (caught.value.status, caught.value.code, str(caught.value).partition(path)[2])
    assert told == {
        "/right": (403, "permission_error", ": answered 403 (permission_error); grant the right"),
        "/wrong": (
            400,
            "bad_group",
            ': answered 400 (bad_group): "no group by x for …, …"; check the settings',
        ),
        "/odd": (422, None, ": answered 422; check the settings"),
        "/text": (404, None, ": answered 404; check the settings"),
        "/plain": (400, "bad_request", ": answered 400 (bad_request); check the settings"),
    }
    assert len(server.log) == len(replies), "what is refused is not asked again"


def test_an_unknown_authority_is_not_trusted_and_a_named_one_is(
    rest_tls: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    server = rest_tls(lambda request: FINE)
    assert ask(server.url).fetch("/x").content["count"] == 3
    monkeypatch.delenv("SSL_CERT_FILE")
    assert ask(server.url).fetch("/x").content["count"] == 3, "by REQUESTS_CA_BUNDLE"
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    count = len(server.log)
    with pytest.raises(TerminalError, match="certificate is not trusted"):
        ask(server.url).fetch("/x")
    assert len(server.log) == count
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    with pytest.raises(TerminalError, match="trusted certificates cannot be read"):
        ask(server.url)


def test_nobody_listens(rest: Serve) -> None:
    server = rest(lambda request: FINE)
    server.shutdown()
    server.server_close()
    with pytest.raises(ApiUnreachableError, match="the connection is refused; look at `endpoint`"):
        ask(server.url).fetch("/x")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "no"), "its name is not found in DNS; look at `endpoint`"),
        (TimeoutError("no"), "no connection within 5 s; look at the firewall"),
        (OSError(113, "no"), "cannot be reached (OSError); look at `endpoint`, network"),
    ],
)
def test_why_nothing_is_reached_is_told_apart(
    error: OSError, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Source(HttpSettings):
        endpoint: str = "https://api.example.com/v1"

    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "create_connection", refuse)
    waits: list[float] = []
    with (
        HttpApi("https://api.example.com", {}, patience=Source().trial_patience, sleep=waits.append) as api,
        pytest.raises(ApiUnreachableError) as raised,
    ):
        api.fetch("/x")
    assert words in str(raised.value)
    assert str(raised.value).endswith("(2 times)")
    assert len(waits) == 1


def test_what_cannot_be_reached_is_not_tried_again_under_other_names() -> None:
    def fail() -> str:
        raise ApiUnreachableError("no connection")

    steps = list(try_until_unreachable([("one", lambda: "fine"), ("two", fail), ("three", fail)]))
    assert [(step.name, step.is_ok) for step in steps] == [("one", True), ("two", False), ("three", None)]


def test_a_key_comes_from_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", f" {SECRET}\n")
    assert read_api_key("SOME_KEY", "a key") == SECRET
    for wrong in ("", "  ", "two words", "schlüssel", "a\x07b"):
        monkeypatch.setenv("SOME_KEY", wrong)
        with pytest.raises(TerminalError, match="SOME_KEY") as caught:
            read_api_key("SOME_KEY", "a key")
        assert not wrong.strip() or wrong not in str(caught.value)


def test_a_key_goes_over_https_or_stays_on_this_machine() -> None:
    assert check_endpoint("https://api.example.com/v1/") == "https://api.example.com/v1"
    assert check_endpoint("http://127.0.0.1:8080") == "http://127.0.0.1:8080"
    for wrong in (
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://u:p@h/v1",
        "https://h/?a=1",
    ):
        with pytest.raises(ValueError):
            check_endpoint(wrong)


def test_a_number_beyond_all_numbers_is_no_json() -> None:
    with pytest.raises(ValueError, match="exponent"):
        load_exact_json(b'{"value": 1e9999999999999999999}')
