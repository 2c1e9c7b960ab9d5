"""Two public traces of real LLM calls land as requests, with totals computed here in another way."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from connectors.common.contract import LandingContext
from connectors.common.identity import Identity
from connectors.request_files.client import land
from connectors.request_files.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
AZURE = "azure_llm_inference_trace_code_2023.csv"
MOONCAKE = "mooncake_conversation_trace.jsonl"
MOONCAKE_COLUMNS = {
    "started_at": "time",
    "input_tokens": "input",
    "cache_read_tokens": "cached",
    "output_tokens": "output",
}


def land_frame(path: Path, lake: Path, columns: dict[str, str], **constants: str) -> pl.DataFrame:
    """Land one file by a mapping alone and return the lake's rows."""
    config = {
        "name": "frame",
        "connector": "request_files",
        "path": path,
        "columns": columns,
        "constants": constants,
    }
    context = LandingContext(lake, datetime(2026, 11, 20, 6), Identity.switched_off(), {})
    report = land(Settings.model_validate(config), context)
    assert report.findings == ()
    return pl.concat([pl.read_parquet(file.path) for file in report.current_files])


def convert(trace: Path, out: Path, *options: str) -> Path:
    """Run the converter of the examples as a user does."""
    script = ROOT / "examples" / "real" / "mooncake_requests.py"
    command = [sys.executable, str(script), str(trace), str(out), "--start", "2026-11-19T00:00:00", *options]
    subprocess.run(command, check=True, capture_output=True)
    return out


def read_trace(shared_data: Path) -> list[dict[str, Any]]:
    with (shared_data / MOONCAKE).open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def count_reads(calls: list[dict[str, Any]]) -> list[int]:
    """Cache reads of an endless cache: a block is held when an earlier call had it first."""
    first_call: dict[int, int] = {}
    for number, call in enumerate(calls):
        for block in call["hash_ids"]:
            first_call.setdefault(block, number)
    reads = []
    for number, call in enumerate(calls):
        is_new = [first_call[block] == number for block in call["hash_ids"]]
        leading = is_new.index(True) if True in is_new else len(is_new)
        reads.append(min(call["input_length"], 512 * leading))
    return reads


def test_the_azure_trace_lands_by_its_mapping_alone(shared_data: Path, tmp_path: Path) -> None:
    columns = {
        "started_at": "TIMESTAMP",
        "input_tokens": "ContextTokens",
        "output_tokens": "GeneratedTokens",
    }
    frame = land_frame(shared_data / AZURE, tmp_path / "lake", columns, provider="azure", model="gpt-4")
    lines = (shared_data / AZURE).read_text().splitlines()[1:]
    stated = [line.split(",") for line in lines]
    assert len(frame) == len(stated) == 8819
    assert frame["uncached_input_tokens"].sum() == sum(int(row[1]) for row in stated) == 18_059_974
    assert frame["output_tokens"].sum() == sum(int(row[2]) for row in stated) == 245_896
    assert frame["started_at"].max() == max(datetime.fromisoformat(row[0][:26]) for row in stated)
    assert frame["usage_source"].unique().to_list() == ["reported"]


def test_the_mooncake_trace_lands_with_its_cache_reads(shared_data: Path, tmp_path: Path) -> None:
    path = convert(shared_data / MOONCAKE, tmp_path / "mooncake.jsonl")
    frame = land_frame(path, tmp_path / "lake", MOONCAKE_COLUMNS, provider="moonshot_ai", model="kimi")
    calls = read_trace(shared_data)
    reads = count_reads(calls)
    whole = sum(call["input_length"] for call in calls)
    assert len(frame) == len(calls) == 12_031
    assert frame["cache_read_tokens"].sum() == sum(reads) > 0
    assert frame["uncached_input_tokens"].sum() == whole - sum(reads)
    assert frame["output_tokens"].sum() == sum(call["output_length"] for call in calls)
    assert frame["cache_read_tokens"].to_list() == reads  # the file's order is kept: call by call
    assert (sum(reads), whole) == (54_098_411, 144_793_823)  # 37 % of all prompt tokens


def test_a_smaller_cache_reads_less_and_never_more(shared_data: Path, tmp_path: Path) -> None:
    calls = read_trace(shared_data)
    endless = count_reads(calls)
    totals = []
    for blocks in (0, 1_000, 10_000, 10**9):
        path = convert(shared_data / MOONCAKE, tmp_path / f"{blocks}.jsonl", "--blocks", str(blocks))
        frame = land_frame(path, tmp_path / f"lake{blocks}", MOONCAKE_COLUMNS)
        cached = frame["cache_read_tokens"].to_list()
        assert all(some <= most for some, most in zip(cached, endless, strict=True))
        totals.append(sum(cached))
    assert totals[0] == 0 and totals[-1] == sum(endless)
    assert totals == sorted(totals) and len(set(totals)) == len(totals)


def test_an_lru_cache_drops_what_was_used_longest_ago(tmp_path: Path) -> None:
    calls = [
        {"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [1, 2]},
        {"timestamp": 1, "input_length": 600, "output_length": 1, "hash_ids": [3, 4]},
        {"timestamp": 2, "input_length": 600, "output_length": 1, "hash_ids": [3, 4]},
        {"timestamp": 3, "input_length": 1024, "output_length": 1, "hash_ids": [1, 2]},
    ]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(json.dumps(call) for call in calls))
    found = {}
    for blocks in (2, 3, 4):
        lines = convert(trace, tmp_path / "out.jsonl", "--blocks", str(blocks)).read_text().splitlines()
        found[blocks] = [json.loads(line)["cached"] for line in lines]
    # the last block of [3, 4] has 88 tokens; of [1, 2] the second block goes before the first
    assert found == {2: [0, 0, 600, 0], 3: [0, 0, 600, 512], 4: [0, 0, 600, 1024]}
