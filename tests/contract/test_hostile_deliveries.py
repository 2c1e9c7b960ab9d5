"""Deliveries that nobody meant well: each is refused or taken in words, in bounded memory, and none ends a night."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.aws_data_exports.manifests import find_manifests
from connectors.azure_cost_exports.manifests import read_manifest
from connectors.common import registry
from connectors.common.contract import ConnectorError, LandingContext, SourceReport
from connectors.common.parsing import parse_instant
from connectors.common.stores.contract import StoredObject
from connectors.focus_files import client
from connectors.focus_files.settings import Settings
from tests.contract.focus_bills import line, write_bill

CANARY = "canary-of-the-content"


@pytest.fixture
def land_bill(tmp_path: Path, lake_context: LandingContext) -> Callable[[str, bytes], SourceReport]:
    """Land one file of these bytes as a FOCUS bill."""

    def land(name: str, content: bytes) -> SourceReport:
        folder = tmp_path / "delivered"
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        settings = Settings(name="bill", connector="focus_files", path=str(folder))
        return registry.land(settings, replace(lake_context, tag_keys={"feature": ("feature",)}))

    return land


LandBill = Callable[[str, bytes], SourceReport]


def test_half_a_character_in_a_tag_is_replaced(land_bill: LandBill, tmp_path: Path) -> None:
    tagged = write_bill(tmp_path / "own.csv", [line(Tags='{"feature": "a\\ud800b"}')])
    report = land_bill("bill.csv", tagged.read_bytes())
    assert not report.has_fault
    assert [delivery.rows for delivery in report.deliveries] == [1]


@pytest.mark.parametrize("half", [b"\\ud800", b"\xed\xa0\x80"])
def test_half_a_character_in_a_json_line_is_replaced(land_bill: LandBill, half: bytes) -> None:
    content = json.dumps(line(SkuId="HALF")).encode().replace(b"HALF", b"a" + half)
    report = land_bill("bill.jsonl", content)
    assert not report.has_fault
    assert [delivery.rows for delivery in report.deliveries] == [1]


def test_a_header_without_end_is_refused_before_it_is_in_memory(land_bill: LandBill) -> None:
    report = land_bill("bill.csv.gz", gzip.compress(b"," * (64 << 20), 1))
    (finding,) = report.findings
    assert finding.kind == "malformed_row" and "header line is longer than" in finding.message


def test_a_json_line_without_end_is_refused_before_it_is_in_memory(land_bill: LandBill) -> None:
    report = land_bill("bill.jsonl.gz", gzip.compress(b'{"a": "' + b"a" * (64 << 20), 1))
    (finding,) = report.findings
    assert finding.kind == "malformed_row" and "line 1 is longer than" in finding.message


def test_lines_that_each_bring_columns_of_their_own_are_refused(land_bill: LandBill) -> None:
    lines = [json.dumps({f"column{number}_{i}": "1" for i in range(100)}) for number in range(300)]
    report = land_bill("bill.jsonl", "\n".join(lines).encode())
    (finding,) = report.findings
    assert finding.kind == "too_many_columns"


def test_a_header_of_very_many_columns_is_refused(land_bill: LandBill) -> None:
    report = land_bill("bill.csv", ",".join(f"c{number}" for number in range(100_000)).encode() + b"\n")
    (finding,) = report.findings
    assert finding.kind == "too_many_columns"


@pytest.mark.parametrize("run", ["2026-99-99T99:99:99Z-run", "2026-02-30T00:00:00.000Z-run"])
def test_a_run_folder_of_no_time_is_as_old_as_its_manifest(run: str) -> None:
    key = f"cur/metadata/BILLING_PERIOD=2026-10/{run}/cur-Manifest.json"
    written_at = datetime(2026, 11, 3)
    (manifest,) = find_manifests([StoredObject(key, 2, written_at, "1")], "cur/metadata/")
    assert manifest.delivered_at == written_at and not manifest.is_newest


MANIFEST: dict[str, Any] = {
    "blobCount": 1,
    "dataRowCount": 1,
    "exportConfig": {"exportName": "bill", "resourceId": "/subscriptions/1", "type": "FocusCost"},
    "deliveryConfig": {"rootFolderPath": "bills"},
    "runInfo": {"submittedTime": "2026-11-03T02:11:45Z", "startDate": "2026-10-01T00:00:00", "runId": "1"},
    "blobs": [{"blobName": "part.csv", "byteCount": 5, "dataRowCount": 1}],
}


@pytest.mark.parametrize(
    "changes",
    [
        {"dataRowCount": [1]},
        {"dataRowCount": "many"},
        {"dataRowCount": 1.5},
        {"deliveryConfig": ["bills"]},
        {"blobs": [{"blobName": "part.csv", "byteCount": "abc"}]},
        {"blobs": [{"blobName": None}]},
        {"runInfo": {**MANIFEST["runInfo"], "submittedTime": "0001-01-01T00:00:00+14:00"}},
    ],
)
def test_an_azure_manifest_of_wrong_types_is_refused_in_words(changes: dict[str, Any]) -> None:
    with pytest.raises(ConnectorError, match="is no manifest of an export run"):
        read_manifest("run/manifest.json", json.dumps(MANIFEST | changes).encode())


def test_an_azure_manifest_may_state_counts_as_text_and_no_delivery() -> None:
    changes = {"blobCount": "1", "dataRowCount": "1", "deliveryConfig": None}
    run = read_manifest("run/manifest.json", json.dumps(MANIFEST | changes).encode())
    assert (run.row_count, run.root_folder) == (1, "")


def test_a_time_before_all_times_is_no_time() -> None:
    with pytest.raises(ValueError, match="years"):
        parse_instant("0001-01-01T00:00:00+14:00")


def test_what_no_connector_expects_is_a_fault_of_its_source_without_content(
    land_bill: LandBill, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> SourceReport:
        raise KeyError(CANARY)

    monkeypatch.setattr(client, "land", fail)
    with pytest.raises(ConnectorError, match="KeyError") as caught:
        land_bill("bill.csv", b"")
    assert CANARY not in str(caught.value)
