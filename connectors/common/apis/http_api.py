"""A vendor's HTTP API, asked carefully: time limits, retries, exact numbers, and errors in words without secrets.

What belongs here: sending one request and reading one JSON answer. What must not: a vendor's addresses, pages or
fields (the connector knows those), or where a key comes from besides the environment (`read_api_key`).
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from connectors.common.contract import TerminalError, TransientError
from connectors.common.parsing import build_whole_text

BUSY = frozenset({408, 429, 500, 502, 503, 504, 529})
"""Answers after which the same request may succeed."""

_KEY_LIKE = re.compile(r"(?i)\b(?:sk|pk|rk|key|bearer|basic)[-_ ][\w.\-*+/=]{6,}|[A-Za-z0-9_\-+/]{32,}")
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_LONGEST_TOLD = 240
_DIGITS_OF_A_DAY = 5
_USER_AGENT = "everycent"


@dataclass(frozen=True)
class Patience:
    """How long a request is waited for, and how often it is sent; times in seconds."""

    attempts: int = 6
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    """Also the most that a `Retry-After` is obeyed."""
    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    """The longest silence while an answer is read."""
    total_seconds: float = 300.0
    """The longest that one answer may take as a whole."""
    largest_bytes: int = 64 << 20
    """The largest answer, unpacked."""
    is_trial: bool = False
    """Somebody waits for the answer, and nothing was read before."""


class ApiBusyError(TransientError):
    """The API could not answer now, however often it was asked."""


class ApiUnreachableError(ApiBusyError):
    """No connection came about, so that nothing else of this API can be read now either."""


class ApiRefusedError(TerminalError):
    """The API answered that the request is wrong or not allowed: `status` says which, `code` the vendor's word."""

    def __init__(self, message: str, status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class _AgainError(Exception):
    """This attempt failed and another may succeed; `wait_seconds` is what the vendor asks for."""

    def __init__(
        self, reason: str, wait_seconds: float | None = None, *, is_unreachable: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.is_unreachable = is_unreachable


@dataclass(frozen=True)
class Answer:
    """A JSON answer: `content` with every fraction as Decimal, and `body`, the bytes as they came (unpacked)."""

    content: Any
    body: bytes = field(repr=False)


def read_api_key(variable: str, what: str) -> str:
    """Return a key from an environment variable. Raises TerminalError that says what to set; never the value."""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise TerminalError(
            f"the environment variable {variable} is not set: it holds {what}; set it and run again"
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise TerminalError(
            f"the environment variable {variable} holds blanks or characters that no key has; set it to {what} alone"
        )
    return key


def check_endpoint(address: str) -> str:
    """Return an API's address without its last slash. Raises ValueError unless it is https, or http on loopback."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
        raise ValueError("expected an address as https://host/path, without credentials")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("a key is sent over https only (http is for this machine's own addresses)")
    return address.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def build_trust() -> ssl.SSLContext:
    """Return what servers are trusted: SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE, else certifi's list.

    Raises TerminalError for a variable that names no readable certificates.
    """
    try:
        if not (os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")):
            bundle = os.environ.get("REQUESTS_CA_BUNDLE")
            if bundle:
                file, folder = (None, bundle) if os.path.isdir(bundle) else (bundle, None)
                return ssl.create_default_context(cafile=file, capath=folder)
        return httpx.create_ssl_context()
    except OSError as error:
        raise TerminalError(
            "the trusted certificates cannot be read; correct SSL_CERT_FILE, SSL_CERT_DIR or REQUESTS_CA_BUNDLE"
        ) from error


class HttpApi:
    """One vendor's API: `base_url`, and the headers (keys among them) that go with every request to it alone.

    A redirect is never followed: the headers would go with it. Proxies come from the environment.
    `describe_refusal` maps a status to what its owner should do about it.
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        refusals: Mapping[int, str] | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._refusals = dict(refusals or {})
        self._patience = patience or Patience()
        self._sleep = sleep
        self._secrets = tuple(
            part for value in headers.values() for part in (value, *value.split()) if len(part) > 7
        )
        limits = httpx.Timeout(self._patience.read_seconds, connect=self._patience.connect_seconds)
        self._client = httpx.Client(
            headers={"User-Agent": _USER_AGENT, "Accept": "application/json", **headers},
            timeout=limits,
            follow_redirects=False,
            verify=build_trust(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def fetch(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: object = None,
    ) -> Answer:
        """Return the JSON answer to one request, asked again while the vendor is busy.

        Raises ApiRefusedError for what will be refused again, ApiBusyError when it was asked often enough.
        """
        patience = self._patience
        tries = Retrying(
            retry=retry_if_exception_type(_AgainError),
            stop=stop_after_attempt(patience.attempts),
            wait=self._choose_wait,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return tries(self._ask, method, path, params, headers or {}, body)
        except _AgainError as again:
            often = "once" if patience.attempts == 1 else f"{patience.attempts} times"
            asked = "" if again.wait_seconds is None else f"; it asks to wait {again.wait_seconds:.0f} s"
            error = ApiUnreachableError if again.is_unreachable else ApiBusyError
            later = (
                "" if patience.is_trial else "; what was read before stays, the next run goes on from there"
            )
            raise error(f"{self._name(method, path)}: {again} ({often}{asked}){later}") from None

    def _choose_wait(self, state: RetryCallState) -> float:
        """What the vendor asks for, at most the longest wait; else doubled each time."""
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait_seconds if isinstance(error, _AgainError) else None
        doubled = self._patience.first_wait_seconds * 2 ** (state.attempt_number - 1)
        return min(self._patience.longest_wait_seconds, doubled if asked is None else asked)

    def _ask(
        self,
        method: str,
        path: str,
        params: Sequence[tuple[str, str]],
        headers: Mapping[str, str],
        body: object,
    ) -> Answer:
        name = self._name(method, path)
        try:
            request = self._client.build_request(
                method, self._base_url + path, params=list(params), headers=dict(headers), json=body
            )
            response = self._client.send(request, stream=True)
            try:
                content = self._read(response, name)
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            cause = _root_cause(error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise TerminalError(
                    f"{name}: the server's certificate is not trusted; if a proxy or an own authority signs it, name "
                    "its certificate in SSL_CERT_FILE"
                ) from None
            if isinstance(cause, ssl.SSLError):
                raise TerminalError(
                    f"{name}: the server does not answer as https does; correct `endpoint` (address and port), or look "
                    "whether a proxy stands in between"
                ) from None
            reason = self._describe_unreachable(error, cause)
            raise _AgainError(reason, is_unreachable=True) from None
        except httpx.ReadTimeout:
            raise _AgainError(
                f"connected, but nothing came for {self._patience.read_seconds:g} s; look whether a proxy or firewall "
                "holds the answer back"
            ) from None
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _AgainError(
                f"the connection failed ({type(error).__name__}); look at `endpoint`, proxy and firewall"
            ) from None
        return self._judge(response, content, name)

    def _describe_unreachable(self, error: httpx.TransportError, cause: BaseException) -> str:
        """Say why no connection came about, and where to look."""
        if isinstance(error, httpx.ProxyError):
            return "cannot be reached: the proxy refuses; look at HTTPS_PROXY, and whether it lets this host through"
        if isinstance(cause, socket.gaierror):
            return (
                "cannot be reached: its name is not found in DNS; look at `endpoint`, at this machine's DNS, and "
                "whether a proxy must be used (HTTPS_PROXY)"
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                "cannot be reached: the connection is refused; look at `endpoint` (address and port), and at the "
                "proxy (HTTPS_PROXY) and firewall"
            )
        if isinstance(error, httpx.ConnectTimeout):
            return (
                f"cannot be reached: no connection within {self._patience.connect_seconds:g} s; look at the firewall, "
                "and whether a proxy must be used (HTTPS_PROXY)"
            )
        return (
            f"cannot be reached ({type(cause).__name__}); look at `endpoint`, network, proxy (HTTPS_PROXY) and "
            "firewall"
        )

    def _read(self, response: httpx.Response, name: str) -> bytes:
        """Read an answer as far as time and size allow."""
        patience = self._patience
        end = time.monotonic() + patience.total_seconds
        parts: list[bytes] = []
        size = 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > patience.largest_bytes:
                raise TerminalError(
                    f"{name}: the answer is larger than {patience.largest_bytes:,} bytes; ask for fewer buckets a page"
                )
            if time.monotonic() > end:
                raise _AgainError(f"the answer took longer than {patience.total_seconds:g} s")
        return b"".join(parts)

    def _judge(self, response: httpx.Response, content: bytes, name: str) -> Answer:
        status = response.status_code
        if status in BUSY:
            raise _AgainError(f"answered {status}", _read_retry_after(response.headers))
        if 300 <= status < 400:
            target = urlsplit(response.headers.get("location", "")).hostname or "elsewhere"
            raise ApiRefusedError(
                f"{name}: answered {status}, sent on to {target}; no redirect is followed, for the key would go with "
                "it: correct `endpoint`",
                status,
            )
        if status != 200:
            raise self._refuse(name, status, content)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not kind.endswith("+json"):
            told = kind if _CODE.fullmatch(kind.replace("/", "-")) else "no stated kind"
            raise TerminalError(
                f"{name}: answered with {told}, not JSON; look whether a proxy answers in the API's place, and correct "
                "`endpoint`"
            )
        try:
            return Answer(load_exact_json(content), content)
        except ValueError:
            raise _AgainError(
                f"answered with JSON that is broken or cut off after {len(content):,} bytes"
            ) from None

    def _refuse(self, name: str, status: int, content: bytes) -> ApiRefusedError:
        """Say in words why a request is refused; of the vendor's text only what cannot be a key."""
        code, told = _read_error(content)
        code = code if code is not None and self._redact(code) == code else None
        words = f" ({code})" if code else ""
        advice = self._refusals.get(status)
        if advice is not None:
            return ApiRefusedError(f"{name}: answered {status}{words}; {advice}", status, code)
        said = f': "{self._redact(told)}"' if told else ""
        return ApiRefusedError(f"{name}: answered {status}{words}{said}; check the settings", status, code)

    def _redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        text = " ".join(_KEY_LIKE.sub("…", build_whole_text(text)).split())
        return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}…"

    def _name(self, method: str, path: str) -> str:
        return f"{method} {urlsplit(self._base_url).netloc}{urlsplit(self._base_url).path}{path}"


def load_exact_json(content: bytes) -> Any:
    """Return JSON with integers as int and every fraction as Decimal.

    Raises ValueError for what is no JSON: also NaN, what is nested too deeply, and names that stand twice.
    """
    try:
        return json.loads(
            content,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_build_object,
        )
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except InvalidOperation as error:
        raise ValueError("a number has an exponent that no number has") from error


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return built


def _read_error(content: bytes) -> tuple[str | None, str]:
    """Return the vendor's word for an error and its sentence, as far as the answer has them."""
    try:
        body = load_exact_json(content)
    except ValueError:
        return None, ""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        error = {"code": error}
    if not isinstance(error, dict):
        return None, ""
    words = (error.get("code"), error.get("type"))
    code = next((word for word in words if isinstance(word, str) and _CODE.fullmatch(word)), None)
    message = error.get("message")
    return code, message if isinstance(message, str) else ""


def _read_retry_after(headers: httpx.Headers) -> float | None:
    """Return the seconds that `Retry-After` asks for: a number, or a date compared with the answer's own `Date`.

    Without it those of `X-RateLimit-Reset`, where that counts seconds until then (Datadog).
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        reset = headers.get("x-ratelimit-reset", "").strip()
        return float(reset) if reset.isdigit() and len(reset) <= _DIGITS_OF_A_DAY else None
    try:
        return max(0.0, float(text)) if "." in text or text.isdigit() else _seconds_until(text, headers)
    except (ValueError, OverflowError):
        return None


def _seconds_until(text: str, headers: httpx.Headers) -> float:
    moment = parsedate_to_datetime(text)
    stated = headers.get("date")
    now = parsedate_to_datetime(stated) if stated else datetime.now(UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if now.tzinfo is None:
        now = now.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _root_cause(error: BaseException) -> BaseException:
    while (cause := error.__cause__ or error.__context__) is not None:
        if isinstance(error, ssl.SSLError):
            break
        error = cause
    return error
