"""Whole nights on three gateways' logs of the same calls, beside a gateway whose database cannot be reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.litellm_proxy import build_payload, build_spend_log
from tests.contract.test_helicone import build_row
from tests.contract.test_langfuse import build_observation
from tests.integration.mini_company import Company

CONFIG = """
home: home
identity: {pseudonymise: false}
sources:
  - {name: proxy, connector: litellm, path: proxy}
  - {name: traces, connector: langfuse, path: traces}
  - {name: logger, connector: helicone, path: logger}
  - {name: proxy_database, connector: litellm, connection_env: NO_SUCH_VARIABLE}
"""
RESPONSE = "chatcmpl-CzK3Qd8wB1xYpL0aVtRm5nHs"
START = "2026-11-01 10:00:00.250"


@pytest.fixture
def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A company whose call was seen by LiteLLM and traced by Langfuse, and another one by Helicone alone."""
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    (tmp_path / "everycent.yml").write_text(CONFIG)
    write(tmp_path / "proxy" / "1.jsonl", build_spend_log(startTime=START, endTime="2026-11-01 10:00:02"))
    write(tmp_path / "traces" / "observations" / "1.jsonl", build_traced())
    write(tmp_path / "logger" / "1.jsonl", build_row(request_created_at=START))
    return Company(tmp_path)


def build_traced(**changes: Any) -> dict[str, Any]:
    attributes = json.dumps({"gen_ai.system": "openai", "gen_ai.response.id": RESPONSE})
    moments = {"start_time": START, "end_time": "2026-11-01 10:00:02.000", "completion_start_time": None}
    stated = {"metadata": {"attributes": attributes}, "tags": ["feature:chat"], **moments}
    return build_observation(**{**stated, **changes})


def write(path: Path, *records: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))


def test_a_call_of_two_emitters_is_one_and_a_source_that_fails_stops_no_other(
    company: Company, tmp_path: Path
) -> None:
    first = company.night()
    faults = [finding for finding in first.findings if finding.severity == "fault"]
    assert {finding.source for finding in faults} == {"proxy_database"}
    assert "NO_SUCH_VARIABLE is not set" in faults[0].message
    query = (
        "select coalesce(provider_request_id, call_id) as id, x_sources, user_id, feature, team, span_id, "
        "uncached_input_tokens, cache_read_tokens, output_tokens from staging.requests order by id"
    )
    helicone, merged = first.query(query)
    assert helicone["id"] == build_row()["request_id"] and helicone["x_sources"] == "logger"
    assert merged["id"] == RESPONSE
    assert sorted(merged["x_sources"].strip(",").split(",")) == ["proxy", "traces"]
    assert merged["span_id"] == "b7ad6b7169203331" and merged["user_id"] == "bob@example.com"
    assert (merged["feature"], merged["team"]) == ("chat", "search")
    counts = ("uncached_input_tokens", "cache_read_tokens", "output_tokens")
    assert [merged[name] for name in counts] == [46, 64, 20]

    newer = build_traced(updated_at="2026-11-20 00:00:00", tags=["feature:search"])
    write(tmp_path / "traces" / "observations" / "2.jsonl", newer, build_traced())
    second = company.night()
    again = {row["id"]: row for row in second.query(query)}
    assert len(again) == 2 and again[RESPONSE]["span_id"] == "b7ad6b7169203331"
    (row,) = second.query("select feature from staging.requests where span_id is not null")
    assert row["feature"] == "search"


def test_a_call_of_another_provider_through_the_proxy_is_one(tmp_path: Path) -> None:
    """LiteLLM answers with an id of its own, which the client's trace holds as that of its own provider's answer."""
    sources = "\n".join(
        line for line in CONFIG.splitlines() if "logger" not in line and "NO_SUCH" not in line
    )
    (tmp_path / "everycent.yml").write_text(sources)
    moments = {"startTime": f"{START}Z", "endTime": "2026-11-01 10:00:02Z", "completionStartTime": None}
    answered = build_payload(**moments)
    silent = {"response": {}, "metadata": {}, "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    failed = build_payload(**moments, **silent, id=answered["litellm_call_id"], status="failure")
    write(tmp_path / "proxy" / "1.jsonl", failed, answered)
    attributes = {"gen_ai.system": "openai", "gen_ai.response.id": answered["id"]}
    seen = build_traced(metadata={"attributes": json.dumps(attributes)})
    write(tmp_path / "traces" / "observations" / "1.jsonl", seen)
    night = Company(tmp_path).night()
    rows = night.query(
        "select x_sources, provider, status, output_tokens from staging.requests order by status"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("proxy", "anthropic", "error", None),
        ("proxy,traces", "anthropic", "ok", 50),
    ]
