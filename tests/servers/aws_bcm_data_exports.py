"""A local bcm-data-exports service that speaks the protocol of botocore's service model.

What belongs here: reading requests and writing answers by the model, so that a wrong fake fails. What must not:
assertions about our client, or a rule that AWS does not document.

Requests are checked with botocore's own validator against the operation's input shape, answers against its output
shape (unknown members, wrong types and values outside an enum are errors here, not in the test).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from tests.servers.rest import Reply, Request

_API_VERSION = "2023-11-26"
_PAGE = 2


def load_model() -> ServiceModel:
    """Return the service model that the installed botocore ships."""
    loader = botocore.session.get_session().get_component("data_loader")
    return ServiceModel(loader.load_service_model("bcm-data-exports", "service-2", _API_VERSION))


@dataclass
class FakeExports:
    """The exports of one account: `exports` and `executions` by ARN, in the service's own shapes.

    `refusals` maps an operation to errors that are answered first, one a request.
    """

    exports: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    executions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refusals: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._model = load_model()
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        *,
        bucket: str,
        prefix: str,
        statement: str = "SELECT * FROM COST_AND_USAGE_REPORT",
        table: str = "COST_AND_USAGE_REPORT",
        properties: Mapping[str, str] | None = None,
        output_format: str = "PARQUET",
        overwrite: str = "OVERWRITE_REPORT",
        account: str = "111122223333",
        output: Mapping[str, str] | None = None,
    ) -> str:
        """Define an export and return its ARN."""
        arn = (
            f"arn:aws:bcm-data-exports:us-east-1:{account}:export/{name}-0a1b2c3d-1111-2222-3333-444455556666"
        )
        compression = "PARQUET" if output_format == "PARQUET" else "GZIP"
        self.exports[arn] = {
            "ExportArn": arn,
            "Name": name,
            "DataQuery": {
                "QueryStatement": statement,
                "TableConfigurations": {table: dict(properties or {})},
            },
            "DestinationConfigurations": {
                "S3Destination": {
                    "S3Bucket": bucket,
                    "S3Prefix": prefix,
                    "S3Region": "us-east-1",
                    "S3OutputConfigurations": {
                        "OutputType": "CUSTOM",
                        "Format": output_format,
                        "Compression": compression,
                        "Overwrite": overwrite,
                        **(output or {}),
                    },
                }
            },
            "RefreshCadence": {"Frequency": "SYNCHRONOUS"},
        }
        self.statuses[arn] = {"StatusCode": "HEALTHY"}
        return arn

    def add_execution(self, arn: str, status: str, created_at: datetime, reason: str | None = None) -> None:
        """Let an export have run."""
        entry: dict[str, Any] = {"StatusCode": status, "CreatedAt": created_at}
        if reason:
            entry["StatusReason"] = reason
        number = len(self.executions.setdefault(arn, []))
        self.executions[arn].append({"ExecutionId": f"execution-{number}", "ExecutionStatus": entry})

    def route(self, request: Request) -> Reply:
        """Answer one request as the service would."""
        target = request.headers.get("X-Amz-Target", "")
        prefix, _, operation = target.partition(".")
        metadata = self._model.metadata
        assert prefix == metadata["targetPrefix"], target
        assert request.headers["Content-Type"] == f"application/x-amz-json-{metadata['jsonVersion']}"
        assert "AWS4-HMAC-SHA256" in request.headers["Authorization"]
        content = request.json()
        self._check(content, self._model.operation_model(operation).input_shape)
        with self._lock:
            self.calls.append(operation)
            waiting = self.refusals.get(operation, [])
            refusal = waiting.pop(0) if waiting else None
        if refusal is not None:
            return self._refuse(refusal)
        answer = getattr(self, f"_{operation}")(content)
        if isinstance(answer, Reply):
            return answer
        self._check(answer, self._model.operation_model(operation).output_shape)
        return self._send(200, answer)

    def _ListExports(self, content: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - the operation's name
        references = [
            {"ExportArn": arn, "ExportName": export["Name"], "ExportStatus": self.statuses[arn]}
            for arn, export in self.exports.items()
        ]
        return self._page("Exports", references, content)

    def _GetExport(self, content: dict[str, Any]) -> dict[str, Any] | Reply:  # noqa: N802
        arn = content["ExportArn"]
        if arn not in self.exports:
            return self._refuse("ResourceNotFoundException")
        return {"Export": self.exports[arn], "ExportStatus": self.statuses[arn]}

    def _ListExecutions(self, content: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._page("Executions", self.executions.get(content["ExportArn"], []), content)

    def _GetExecution(self, content: dict[str, Any]) -> dict[str, Any] | Reply:  # noqa: N802
        runs = self.executions.get(content["ExportArn"], [])
        found = [run for run in runs if run["ExecutionId"] == content["ExecutionId"]]
        if not found:
            return self._refuse("ResourceNotFoundException")
        return {**found[0], "Export": self.exports[content["ExportArn"]]}

    def _page(self, name: str, entries: list[dict[str, Any]], content: dict[str, Any]) -> dict[str, Any]:
        start = int(content.get("NextToken") or 0)
        answer: dict[str, Any] = {name: entries[start : start + _PAGE]}
        if start + _PAGE < len(entries):
            answer["NextToken"] = str(start + _PAGE)
        return answer

    def _refuse(self, code: str) -> Reply:
        """Answer with one of the model's errors, with all members that it requires."""
        shape = self._model.shape_for(code)
        assert isinstance(shape, StructureShape) and shape.metadata.get("exception"), code
        content = {name: "told by the local service" for name in shape.required_members}
        self._check(content, shape)
        statuses = {"InternalServerException": 500, "ThrottlingException": 429}
        return self._send(statuses.get(code, 400), {"__type": code, **content})

    def _check(self, content: Any, shape: Shape | None) -> None:
        if shape is None:
            assert not content, content
            return
        problems = ParamValidator().validate(content, shape)
        assert not problems.has_errors(), problems.generate_report()
        check_strictly(content, shape)

    def _send(self, status: int, content: Any) -> Reply:
        body = json.dumps(content, default=_write_time).encode()
        return Reply(status, body, {"Content-Type": "application/x-amz-json-1.1"})


def check_strictly(content: Any, shape: Shape) -> None:
    """Fail on unknown members and on values outside an enum, which botocore's validator lets pass."""
    if isinstance(shape, StructureShape):
        unknown = set(content) - set(shape.members)
        assert not unknown, f"{shape.name} has no members {sorted(unknown)}"
        for name, value in content.items():
            check_strictly(value, shape.members[name])
    elif isinstance(shape, ListShape):
        for entry in content:
            check_strictly(entry, shape.member)
    elif isinstance(shape, MapShape):
        for key, value in content.items():
            check_strictly(key, shape.key)
            check_strictly(value, shape.value)
    elif shape.type_name == "string" and getattr(shape, "enum", None):
        assert content in shape.enum, f"{content!r} is no {shape.name}"  # type: ignore[attr-defined]


def _write_time(value: object) -> str:
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC).isoformat()
    raise TypeError(f"{value!r} has no place in an answer")
