"""No prompt, answer, tag, attribute or error text of a gateway's log reaches the lake, a finding, a log or quarantine.

A canary stands wherever a gateway may put a text, in records and in lines that are none; then everything that a landing
left behind is opened and searched, packed or not.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from connectors.common.contract import SourceReport
from tests.contract.gateway_company import GatewayCompany, read_rows
from tests.contract.litellm_proxy import build_payload, build_spend_log
from tests.contract.test_helicone import build_row
from tests.contract.test_langfuse import build_observation

CANARY = "CanaryOfMyGrandmother"
TEXT = f"tell me {CANARY} please"


def poison_litellm() -> list[dict[str, Any]]:
    """Return calls with a canary in all that is no name of ours."""
    usage = {"prompt_tokens": 5, "completion_tokens": 1, CANARY: 7, "details": {CANARY: 1}}
    metadata = {
        "usage_object": usage,
        CANARY: TEXT,
        "requester_metadata": {"note": TEXT},
        "spend_logs_metadata": {CANARY: TEXT, "note": [TEXT]},
        "error_information": {"error_class": TEXT, "error_message": TEXT, "traceback": TEXT},
    }
    bodies = {
        "messages": [{"role": "user", "content": TEXT}],
        "proxy_server_request": {"body": TEXT},
        "request_tags": [TEXT, f"other:{TEXT}", f"{CANARY}:x"],
        "error_str": TEXT,
        CANARY: TEXT,
    }
    log = build_spend_log(metadata=metadata, response={"choices": [TEXT]}, **bodies)
    failed = log | {"request_id": "chatcmpl-FailedFailed", "status": "failure", "prompt_tokens": -1}
    payload = build_payload(**bodies, metadata=metadata, model_parameters={"tools": [TEXT]})
    payload["response"] = {"id": TEXT, "choices": [{"message": TEXT}], "usage": {CANARY: 1}}
    payload["error_information"] = {"error_class": TEXT, "error_message": TEXT}
    payload["hidden_params"] = {"additional_headers": {CANARY: TEXT}}
    return [log, failed, payload]


def poison_langfuse() -> list[dict[str, Any]]:
    """Return observations, a trace and a score with a canary in all that is no name of ours."""
    bodies = {
        "input": TEXT,
        "output": TEXT,
        "status_message": TEXT,
        "model_parameters": TEXT,
        "metadata": {CANARY: TEXT, "attributes": json.dumps({CANARY: TEXT}), "note": TEXT},
        "tags": [TEXT, f"other:{TEXT}"],
        "tool_calls": [TEXT],
        "tool_definitions": {CANARY: TEXT},
        "usage_details": {"input": 1, "output": 1, CANARY: 5},
        "name": TEXT,
        CANARY: TEXT,
    }
    observation = build_observation(**bodies)
    # the name of a trace is what it was for, and lands as `workflow`; that of an observation does not
    trace = {"id": "t9", "timestamp": "2026-11-19 10:00:00", **bodies, "name": "answer"}
    score = {"id": "s", "timestamp": "2026-11-19", "data_type": "TEXT", "string_value": TEXT, "comment": TEXT}
    return [
        observation,
        observation | {"id": "tool", "type": "TOOL"},
        trace,
        score,
        {"id": "odd", CANARY: TEXT},
    ]


def poison_helicone() -> list[dict[str, Any]]:
    """Return requests with a canary in all that is no name of ours."""
    bodies = {"request_body": TEXT, "response_body": TEXT, "assets": [TEXT], CANARY: TEXT}
    properties = {CANARY: TEXT, "note": TEXT}
    return [build_row(**bodies, properties=properties), build_row(**bodies, request_id="b", prompt_tokens=-1)]


def poison_requests() -> list[dict[str, Any]]:
    """Return plain records with a canary in unmapped columns and in a mapped object."""
    return [
        {"time": "2026-11-19T10:00:00Z", "n": 1, "who": {"prompt": TEXT}, CANARY: TEXT, "usage": {CANARY: 3}},
        {"time": TEXT, "n": 2, "prompt": TEXT},
        {"time": "2026-11-19T10:00:00Z", "n": TEXT, "prompt": TEXT},
    ]


POISON: dict[str, tuple[Callable[[], list[dict[str, Any]]], dict[str, Any], int]] = {
    "litellm": (poison_litellm, {}, 2),
    "langfuse": (poison_langfuse, {}, 1),
    "helicone": (poison_helicone, {}, 1),
    "request_files": (
        poison_requests,
        {
            "columns": {"started_at": "time", "input_tokens": "n", "feature": "who", "usage": "usage"},
            "usage_flavour": "openai_chat",
        },
        1,
    ),
}

MALFORMED = (
    f'{{"request_id": "{CANARY}", "messages": '.encode(),
    f"{CANARY} is no JSON".encode(),
    f'["{CANARY}"]'.encode(),
    f'{{"a": NaN, "prompt": "{CANARY}"}}'.encode(),
    b'{"a": "\xff\xfe' + CANARY.encode() + b'"}',
)


def write_csv(records: list[dict[str, Any]]) -> bytes:
    """Return the records as CSV, nested parts as JSON, one row with too many fields."""
    names = list(dict.fromkeys(name for record in records for name in record))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for record in records:
        values = [record.get(name) for name in names]
        writer.writerow([json.dumps(v) if isinstance(v, dict | list) else v for v in values])
    writer.writerow([TEXT] * (len(names) + 3))
    return out.getvalue().encode()


def left_behind(report: SourceReport, root: Path, logs: str) -> Iterator[tuple[str, str]]:
    """Yield (where, text) of everything that a landing left: files opened, findings, deliveries, logs."""
    yield "logs", logs
    yield "report", repr(report)
    for path in root.rglob("*"):
        if not path.is_file():
            continue
        yield f"{path} (name)", str(path)
        content = path.read_bytes()
        yield f"{path} (bytes)", content.decode("latin-1")
        if content[:2] == b"\x1f\x8b":
            yield f"{path} (unpacked)", gzip.decompress(content).decode("latin-1")
        if content[:4] == b"PAR1":
            with pq.ParquetFile(path) as parquet:
                yield f"{path} (rows)", repr(parquet.read().to_pylist())
                yield f"{path} (schema)", str(parquet.schema_arrow)


@pytest.mark.parametrize("connector", list(POISON))
def test_no_canary_is_left_behind(
    connector: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    build, options, expected = POISON[connector]
    company = GatewayCompany(tmp_path, connector)
    company.options |= options
    records = build()
    company.deliver("rows.jsonl", records)
    company.deliver("packed.jsonl.gz", records)
    lines = [json.dumps(record).encode() for record in records]
    company.deliver("broken.jsonl", b"\n".join([*lines, *MALFORMED]))
    company.deliver("only-broken.jsonl", b"\n".join(MALFORMED))
    company.deliver("cut.jsonl.gz", gzip.compress(b"\n".join(lines) * 50)[:-20])
    flat = [{k: v for k, v in record.items() if k != "who"} | {"who": ""} for record in records]
    company.deliver("rows.csv", write_csv(flat))  # what the config maps is a name, whatever CSV holds there
    company.deliver("junk.csv", f"{CANARY},b\n\xff\n".encode("latin-1"))
    company.deliver("junk.parquet", CANARY.encode())
    report = company.land()
    assert len(read_rows(report)) >= expected
    assert {"quarantined_row", "unreadable_file"} <= {finding.kind for finding in report.findings}
    shown = capfd.readouterr()
    told = caplog.text + shown.out + shown.err
    found = [where for where, text in left_behind(report, company.lake, told) if CANARY in text]
    assert found == []


def test_the_search_finds_a_canary_wherever_it_is(tmp_path: Path) -> None:
    company = GatewayCompany(tmp_path, "helicone")
    company.deliver("a.jsonl", [build_row(properties={"feature": CANARY})])
    report = company.land()
    found = [where for where, text in left_behind(report, company.lake, "") if CANARY in text]
    assert any(where.endswith("(rows)") and "/requests/" in where for where in found)
