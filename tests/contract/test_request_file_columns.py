"""Request files, the columns beside the usual: ids of others, usage objects, estimates, costs, fallbacks, stores."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from connectors.common.contract import LandingContext
from connectors.common.identity import Identity
from connectors.request_files.client import land
from connectors.request_files.settings import Settings
from tests.servers.backends import Backend

IDENTITY = Identity(b"a key for tests")
BASE = {"started_at": "time"}
TIME = "2026-11-19T10:00:00Z"


def land_rows(
    root: Path, records: list[dict[str, Any]], *, as_parquet: bool = False, **options: Any
) -> list[dict[str, Any]]:
    """Land records and return the rows of the lake by their time."""
    folder = root / "logs"
    folder.mkdir()
    if as_parquet:
        pq.write_table(pa.Table.from_pylist(records), folder / "a.parquet")
    else:
        (folder / "a.jsonl").write_text("\n".join(json.dumps(record) for record in records))
    settings = Settings.model_validate(
        {"name": "logs", "connector": "request_files", "path": folder} | options
    )
    context = LandingContext(root / "lake", datetime(2026, 11, 20, 6), IDENTITY, {})
    report = land(settings, context)
    assert not report.has_fault, report.findings
    frames = [pl.read_parquet(file.path) for file in report.current_files]
    return pl.concat(frames).sort("started_at", "request_id").to_dicts()


def test_ids_costs_times_and_keys_of_others_land(tmp_path: Path) -> None:
    record = {
        "time": TIME,
        "call": "5f6b1f2e",
        "logical": "op-1",
        "key": "sk-proj-abcdefghijklmnopqrstuvwxyz123456",
        "principal": "arn:aws:sts::1:assumed-role/App/bob",
        "cost": 0.1 + 0.2,
        "saved": 12,
        "prefill": 0.25,
        "decode": "1.5",
        "first": 0.3000004,
        "searches": 2,
    }
    columns = BASE | {
        "call_id": "call",
        "logical_call_id": "logical",
        "api_key_id": "key",
        "principal_id": "principal",
        "reported_cost": "cost",
        "saved_input_tokens": "saved",
        "prefill_seconds": "prefill",
        "decode_seconds": "decode",
        "time_to_first_token_seconds": "first",
        "web_search_count": "searches",
    }
    (row,) = land_rows(tmp_path, [record], columns=columns, constants={"emitter_kind": "gateway"})
    assert row["call_id"] == "5f6b1f2e" and row["logical_call_id"] == "op-1"
    assert row["emitter_kind"] == "gateway"
    assert row["api_key_id"] == IDENTITY.pseudonymise(record["key"])
    assert row["principal_id"] == IDENTITY.pseudonymise(record["principal"])
    assert row["reported_cost"] == Decimal("0.300000000000")
    assert row["reported_cost_currency"] == "USD"
    assert row["saved_input_tokens"] == 12 and row["web_search_count"] == 2
    assert row["prefill_seconds"] == Decimal("0.250000")
    assert row["decode_seconds"] == Decimal("1.500000")
    assert row["time_to_first_token_seconds"] == Decimal("0.300000")


@pytest.mark.parametrize("as_parquet", [False, True])
def test_a_usage_object_is_read_by_its_flavour(tmp_path: Path, as_parquet: bool) -> None:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 1000,
        "cache_creation_input_tokens": 50,
        "output_tokens": 7,
    }
    columns = BASE | {"usage": "usage", "provider": "vendor"}
    (row,) = land_rows(
        tmp_path,
        [{"time": TIME, "vendor": "anthropic", "usage": usage}],
        as_parquet=as_parquet,
        columns=columns,
        usage_flavours={"anthropic": "anthropic"},
    )
    counts = ("uncached_input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens")
    assert [row[name] for name in counts] == [100, 1000, 50, 7]
    assert row["usage_source"] == "reported"


def test_a_column_goes_before_the_usage_object(tmp_path: Path) -> None:
    columns = BASE | {"usage": "usage", "output_tokens": "out"}
    records = [
        {"time": TIME, "usage": {"prompt_tokens": 5, "completion_tokens": 9}, "out": 0},
        {"time": "2026-11-19T10:00:01Z", "usage": {"prompt_tokens": 5, "completion_tokens": 9}, "out": None},
    ]
    rows = land_rows(tmp_path, records, columns=columns, usage_flavour="openai_chat")
    assert [row["output_tokens"] for row in rows] == [0, 9]
    assert [row["uncached_input_tokens"] for row in rows] == [5, 5]


def test_the_first_column_that_holds_something_counts(tmp_path: Path) -> None:
    columns = BASE | {"input_tokens": ["a", "nested.b"], "user_id": ["who", "fallback"]}
    records = [
        {"time": TIME, "a": 1, "nested": {"b": 2}, "who": "", "fallback": "bob"},
        {"time": "2026-11-19T10:00:01Z", "a": None, "nested": {"b": 2}, "who": "ann", "fallback": "bob"},
    ]
    rows = land_rows(tmp_path, records, columns=columns)
    assert [row["uncached_input_tokens"] for row in rows] == [1, 2]
    # JSON says null by null: an empty text is a statement only where CSV cannot say otherwise
    assert rows[1]["user_id"] == IDENTITY.pseudonymise("ann")


def test_an_object_never_lands_as_the_text_of_a_name(tmp_path: Path) -> None:
    columns = BASE | {"feature": "feature", "input_tokens": "n"}
    (row,) = land_rows(tmp_path, [{"time": TIME, "n": 1, "feature": {"prompt": "secret"}}], columns=columns)
    assert row["feature"] is None


def test_usage_and_its_flavour_belong_together() -> None:
    config = {"name": "a", "connector": "request_files", "path": "logs", "columns": BASE | {"usage": "u"}}
    with pytest.raises(ValidationError, match="belong together"):
        Settings.model_validate(config)
    with pytest.raises(ValidationError, match="emitter_kind is one of"):
        Settings.model_validate(config | {"columns": BASE, "constants": {"emitter_kind": "log"}})


def test_files_of_any_store_land_and_none_is_kept(any_store: Backend, tmp_path: Path) -> None:
    canary = "grandmother's secret recipe"
    line = json.dumps({"time": TIME, "n": 3, "prompt": canary})
    any_store.put("logs/a.jsonl", line.encode())
    values = any_store.build_values()
    options = {"path": values.pop("location"), **values}
    config = {"name": "logs", "connector": "request_files", "columns": BASE | {"input_tokens": "n"}}
    settings = Settings.model_validate(config | options)
    context = LandingContext(tmp_path / "lake", datetime(2030, 1, 1), IDENTITY, {})
    for _ in range(2):
        report = land(settings, context)
        assert not report.has_fault, report.findings
        assert [delivery.rows for delivery in report.deliveries] == [1]
    assert not list((tmp_path / "lake" / "raw" / "logs").glob("artifacts/*"))
    for path in (tmp_path / "lake").rglob("*"):
        assert not path.is_file() or canary.encode() not in path.read_bytes()
