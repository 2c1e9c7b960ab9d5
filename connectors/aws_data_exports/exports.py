"""The bcm-data-exports service: how an export is defined, and how its last delivery went.

What belongs here: the service's client, its answers as plain records, its errors in words. What must not: S3, or
judging a definition (`check.py`).
Permissions: `bcm-data-exports:ListExports`, `GetExport`, `ListExecutions`, `GetExecution` on `*`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name for a broken connection
    HTTPClientError,
    NoCredentialsError,
    ProfileNotFound,
)

from connectors.aws_data_exports.settings import Settings, TableKind
from connectors.common.contract import TerminalError, TransientError

_FROM = re.compile(r"\bFROM\s+([A-Za-z0-9_]+)", re.IGNORECASE)
_SELECT = re.compile(r"^\s*SELECT\s+(.*?)\s+FROM\s", re.IGNORECASE | re.DOTALL)
_ALIAS = re.compile(r"\bAS\s+(\w+)\s*$", re.IGNORECASE)
_BUSY = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "InternalServerException"}
)
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedException"})


@dataclass(frozen=True)
class ExportDefinition:
    """An export as AWS has it: what it selects, where it goes, whether it is healthy."""

    arn: str
    name: str
    table: str
    columns: tuple[str, ...]
    """Columns that its query selects; empty when it selects all, or when the query is not understood."""
    has_filter: bool
    properties: Mapping[str, str]
    bucket: str
    prefix: str
    region: str
    output_format: str
    compression: str
    is_overwriting: bool
    is_healthy: bool
    health_reason: str | None

    @property
    def table_kind(self) -> TableKind | None:
        """What we make of its table, None for tables that hold no bill."""
        if self.table.upper() == "COST_AND_USAGE_REPORT":
            return "cur_2_0"
        return "focus" if self.table.upper().startswith("FOCUS_") else None

    @property
    def location(self) -> str:
        """The place of its folder, as settings write it."""
        prefix = self.prefix.strip("/")
        return f"s3://{self.bucket}/{prefix}" if prefix else f"s3://{self.bucket}"


@dataclass(frozen=True)
class Execution:
    """One run of an export."""

    execution_id: str
    status: str
    reason: str | None
    created_at: datetime | None


class ExportService:
    """The exports of the account that the credentials belong to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with _in_words("sign in"):
            session = boto3.Session(profile_name=settings.profile, region_name=settings.exports_region)
            self._client: Any = session.client(
                "bcm-data-exports",
                endpoint_url=settings.exports_endpoint,
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": 6},
                    connect_timeout=10,
                    read_timeout=30,
                    user_agent_extra="everycent",
                ),
            )

    def find_export(self) -> ExportDefinition:
        """Return the export that the settings name. TerminalError, naming those there are, when it is absent."""
        arn = self._settings.export_arn or self._find_arn()
        with _in_words("GetExport"):
            return _read_definition(arn, self._client.get_export(ExportArn=arn))

    def find_last_execution(self, arn: str) -> Execution | None:
        """Return the newest run of an export with what became of it, None when it never ran."""
        with _in_words("ListExecutions"):
            pages = self._client.get_paginator("list_executions").paginate(ExportArn=arn)
            references = [entry for page in pages for entry in page.get("Executions", ())]
        if not references:
            return None
        oldest = datetime.min.replace(tzinfo=UTC)
        newest = max(references, key=lambda entry: entry["ExecutionStatus"].get("CreatedAt") or oldest)
        with _in_words("GetExecution"):
            answer = self._client.get_execution(ExportArn=arn, ExecutionId=newest["ExecutionId"])
        status = answer.get("ExecutionStatus") or newest["ExecutionStatus"]
        created = status.get("CreatedAt")
        return Execution(
            newest["ExecutionId"],
            status.get("StatusCode", "UNKNOWN"),
            status.get("StatusReason"),
            created.astimezone(UTC).replace(tzinfo=None) if created else None,
        )

    def _find_arn(self) -> str:
        wanted = self._settings.export_name
        with _in_words("ListExports"):
            pages = self._client.get_paginator("list_exports").paginate()
            arns = {entry["ExportName"]: entry["ExportArn"] for page in pages for entry in page["Exports"]}
        if wanted not in arns:
            there = ", ".join(sorted(arns)) or "none"
            raise TerminalError(
                f"there is no export named {wanted!r} in this account (there: {there}); create it in Billing and "
                "Cost Management, Data Exports, or correct `export`. Exports belong to the account that made them: "
                "sign in to that one"
            )
        return arns[wanted]


@contextmanager
def _in_words(operation: str) -> Iterator[None]:
    """Turn botocore's errors into those of a connector."""
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _BUSY or status == 429 or status >= 500:
            raise TransientError(
                f"bcm-data-exports is too busy ({code or status}); try again later"
            ) from error
        if code in _DENIED or status == 403:
            missing = f"bcm-data-exports:{operation}"
            raise TerminalError(
                f"access denied ({code}): the credentials need {missing}; add it to their policy"
            ) from error
        if code == "ResourceNotFoundException":
            raise TerminalError("AWS knows no export with this ARN; correct `export`") from error
        raise TerminalError(f"bcm-data-exports refused {operation} ({code or status})") from error
    except ProfileNotFound as error:
        raise TerminalError(f"{error}; correct `profile`, or run: aws configure") from error
    except (ConnectionError, HTTPClientError) as error:
        what = f"bcm-data-exports cannot be reached ({type(error).__name__})"
        raise TransientError(f"{what}; check `exports_endpoint` and the network") from error
    except NoCredentialsError as error:
        raise TerminalError("no AWS credentials; set AWS_PROFILE, or keys, or run `aws sso login`") from error
    except BotoCoreError as error:
        raise TerminalError(f"bcm-data-exports: {operation} failed ({type(error).__name__})") from error


def _read_definition(arn: str, answer: Mapping[str, Any]) -> ExportDefinition:
    export, health = answer["Export"], answer.get("ExportStatus", {})
    query, target = export["DataQuery"], export["DestinationConfigurations"]["S3Destination"]
    output = target["S3OutputConfigurations"]
    statement = query["QueryStatement"]
    named = _FROM.search(statement)
    configurations = query.get("TableConfigurations") or {}
    table = named[1] if named else next(iter(configurations), "")
    properties = next((v for k, v in configurations.items() if k.upper() == table.upper()), {})
    return ExportDefinition(
        arn=export.get("ExportArn", arn),
        name=export["Name"],
        table=table,
        columns=_read_selected(statement),
        has_filter=re.search(r"\bWHERE\b", statement, re.IGNORECASE) is not None,
        properties=dict(properties),
        bucket=target["S3Bucket"],
        prefix=target["S3Prefix"],
        region=target["S3Region"],
        output_format=output["Format"],
        compression=output["Compression"],
        is_overwriting=output["Overwrite"] == "OVERWRITE_REPORT",
        is_healthy=health.get("StatusCode", "HEALTHY") == "HEALTHY",
        health_reason=health.get("StatusReason"),
    )


def _read_selected(statement: str) -> tuple[str, ...]:
    """Return the names of the selected columns; () for `*`. Aliases count as the name that is delivered."""
    match = _SELECT.match(statement)
    if match is None or "*" in match[1]:
        return ()
    names = []
    for part in match[1].split(","):
        alias = _ALIAS.search(part)
        names.append(alias[1] if alias else part.strip().strip('"'))
    return tuple(names)
