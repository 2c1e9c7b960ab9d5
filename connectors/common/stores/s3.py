"""S3, and every store that speaks its protocol, behind the interface of `contract.py`.

What belongs here: boto3, and its errors in words. What must not: what the objects mean.
Permissions: `s3:ListBucket` on the bucket, `s3:GetObject` on the objects, `kms:Decrypt` where a key of KMS is used.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProfileNotFound,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)
from urllib3.exceptions import HTTPError

from connectors.common.contract import ConnectorError, TerminalError, TransientError
from connectors.common.stores.contract import ChangedObject, ObjectAbsent, StoredObject
from connectors.common.stores.ranged import RangedStore
from connectors.common.stores.settings import StoreSettings, parse_location
from connectors.common.stores.transfer import KNOWN_CHECKSUMS, PIECE_BYTES, BrokenTransfer

_BROKEN = (HTTPClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError, HTTPError, OSError)
_BUSY = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestTimeout"})
_REFUSED = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"})
_OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_CODE = re.compile(r"[A-Za-z.]{1,60}|\d{3}")
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_SIGN_IN = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws sso login`, or give this machine a "
    "role"
)
_SIGN_IN_ELSEWHERE = (
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key of this store (of Oracle: a Customer Secret Key), or "
    "state the `profile` of the AWS config files that holds it"
)
_SIGN_IN_NOT = "; or state `anonymous: true` for a public bucket"
_AWS_HOST = re.compile(r"\.amazonaws\.com(\.cn)?$")


class S3Store(RangedStore):
    """The objects below a prefix of a bucket."""

    def __init__(self, settings: StoreSettings) -> None:
        place = parse_location(settings.location)
        self.location = settings.location
        self._bucket, self._prefix = place.container, place.prefix
        self._settings = settings
        with self._in_words("sign in"):
            self._session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
            self._client: Any = self._session.client(
                "s3", endpoint_url=settings.endpoint, config=self._config()
            )

    def _config(self) -> Config:
        options: dict[str, Any] = {
            "retries": {"mode": "standard", "total_max_attempts": 6},
            "connect_timeout": 10,
            "read_timeout": 60,
            "max_pool_connections": 16,
            # checksums of whole objects are compared here, so that they hold for resumed downloads too
            "response_checksum_validation": "when_required",
            "user_agent_extra": "everycent",
        }
        if self._settings.endpoint:
            options["s3"] = {"addressing_style": "path"}
        if self._settings.anonymous:
            options["signature_version"] = UNSIGNED
        return Config(**options)

    def find_credentials(self) -> str:
        """Return which link of AWS's credential chain is used."""
        if self._settings.anonymous:
            return "no credentials, as the config asks"
        with self._in_words("sign in"):
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
            return f"AWS credentials from {found.method}"

    def list_objects(self, prefix: str = "") -> Iterator[StoredObject]:
        """Yield the objects below the location, by key."""
        with self._in_words("list"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    key = entry["Key"].removeprefix(self._prefix)
                    if key and not key.endswith("/"):
                        yield _describe(key, entry["Size"], entry["LastModified"], entry["ETag"])

    def _describe(self, key: str) -> StoredObject:
        head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
        return _describe(key, head["ContentLength"], head["LastModified"], head["ETag"])

    def _find_checksums(self, stored: StoredObject) -> Mapping[str, str]:
        head = self._client.head_object(
            Bucket=self._bucket,
            Key=self._prefix + stored.key,
            IfMatch=f'"{stored.version}"',
            ChecksumMode="ENABLED",
        )
        return _read_checksums(head)

    def _read(self, stored: StoredObject, offset: int) -> Iterator[bytes]:
        try:
            answer = self._client.get_object(
                Bucket=self._bucket,
                Key=self._prefix + stored.key,
                IfMatch=f'"{stored.version}"',
                Range=f"bytes={offset}-",
            )
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(PIECE_BYTES)
        except _BROKEN as error:
            raise BrokenTransfer(type(error).__name__) from error

    @contextmanager
    def _in_words(self, action: str, key: str = "") -> Iterator[None]:
        """Turn the client's errors into those of a connector."""
        try:
            yield
        except ConnectorError:
            raise
        except ClientError as error:
            raise self._explain(error, action, key) from error
        except ProfileNotFound as error:
            profile = self._settings.profile
            message = f"{self.location}: there is no AWS profile {profile!r}; correct `profile`, or run: aws configure"
            raise TerminalError(message) from error
        except (BotoConnectionError, HTTPClientError) as error:
            raise TransientError(self._unreachable(error)) from error
        except (ParamValidationError, InvalidRegionError, NoRegionError) as error:
            message = f"{self.location}: is no bucket that could be asked ({type(error).__name__})"
            raise TerminalError(f"{message}; correct the bucket's name or `region`") from error
        except BotoCoreError as error:
            what = f"{self.location}: no AWS credentials that could be used ({type(error).__name__})"
            raise TerminalError(f"{what}. {self._advise_sign_in()}") from error
        except ValueError as error:
            raise TerminalError(f"{self.location}: {error}") from error

    def _advise_sign_in(self) -> str:
        """Return what to do without credentials: stores that only speak S3's protocol know nothing of AWS's sign-in."""
        host = urlsplit(self._settings.endpoint or "https://s3.amazonaws.com").hostname or ""
        advice = _SIGN_IN if _AWS_HOST.search(host) else _SIGN_IN_ELSEWHERE
        return advice + (_SIGN_IN_NOT if "anonymous" in self._settings.offered_keys else "")

    def _unreachable(self, error: Exception) -> str:
        endpoint = self._settings.endpoint or "S3"
        advice = "check `endpoint` and the network" if self._settings.endpoint else "check the network"
        return f"{self.location}: {endpoint} cannot be reached ({type(error).__name__}); {advice}"

    def _explain(self, error: ClientError, action: str, key: str) -> ConnectorError:
        code = str(error.response.get("Error", {}).get("Code", ""))
        code = code if _CODE.fullmatch(code) else ""  # anything else is text of whoever answered
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        where = self._where(key)
        if code in ("PreconditionFailed", "412"):
            return ChangedObject(f"{where} changed since it was listed; the next run takes the new one")
        if code in _BUSY or status == 429 or status >= 500:
            return TransientError(f"{where}: S3 is too busy ({code or status}); try again later")
        if code == "NoSuchBucket":
            return TerminalError(f"{where}: there is no bucket {self._bucket!r}; correct the location")
        if code in _ABSENT or status == 404:
            return ObjectAbsent(f"{where} does not exist")
        if code in _OTHER_REGION or status == 301:
            return TerminalError(f"{where}: the bucket is in another region ({code}); state its `region`")
        if code in _REFUSED:
            return TerminalError(f"{where}: S3 does not know these credentials ({code}); renew them")
        if code in _EXPIRED:
            return TerminalError(f"{where}: the AWS credentials have expired ({code}); sign in again")
        if code == "InvalidObjectState":
            return TerminalError(
                f"{where} is in an archive class; restore it in S3, or move it out of the location"
            )
        if status in (401, 403):
            return TerminalError(self._denied(where, action, code or str(status), key))
        return TerminalError(f"{where}: S3 refused to {action} ({code or status})")

    def _denied(self, where: str, action: str, code: str, key: str) -> str:
        region = self._client.meta.region_name or ""
        partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if "-gov-" in region else "aws"
        bucket = f"arn:{partition}:s3:::{self._bucket}"
        if action == "list":
            missing = f"s3:ListBucket on {bucket}"
        else:
            missing = (
                f"s3:GetObject on {bucket}/{self._prefix}* (and kms:Decrypt on the key, where KMS encrypts)"
            )
        return f"{where}: access denied ({code}). The credentials need {missing}; add it to their policy"


def _describe(key: str, size: int, modified_at: datetime, etag: str) -> StoredObject:
    return StoredObject(key, size, modified_at.astimezone(UTC).replace(tzinfo=None), etag.strip('"'))


def _read_checksums(head: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums of a whole object that S3 states; none for parts that were put together.

    An ETag is the MD5 only of an object in one part that no key of KMS or of the customer encrypts.
    """
    found = {}
    if head.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT":
        for name in KNOWN_CHECKSUMS:
            value = head.get(f"Checksum{name.upper()}")
            if value and "-" not in value:
                found[name] = value
    etag = head["ETag"].strip('"')
    is_plain = head.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in head
    if is_plain and len(etag) == 32 and set(etag) <= set("0123456789abcdef"):
        found["md5"] = base64.b64encode(bytes.fromhex(etag)).decode()
    return found
