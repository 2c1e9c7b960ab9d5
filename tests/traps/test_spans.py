"""Traps of traces: what spans repeat, what their emitters mean by a count, and what a sampler left out.

What belongs here: one test a trap, from files of spans to `staging.requests`. What must not: other cases of the
connector (`tests/contract`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.identity import Identity
from connectors.otel_genai.client import land
from connectors.otel_genai.settings import Settings
from tests.contract.test_otel_genai import NOW, chat, export, span
from tests.property.span_trees import WINDOW, read_lake
from tests.sql.chain import Chain, Inputs

CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "output_tokens",
    "reasoning_tokens",
)


def land_lines(root: Path, *files: str, **options: Any) -> SourceReport:
    folder = root / "traces"
    folder.mkdir(exist_ok=True)
    for number, lines in enumerate(files):
        (folder / f"{number}.jsonl").write_text(f"{lines}\n")
    settings = Settings(name="traces", connector="otel_genai", path=str(folder), **options)
    return land(settings, LandingContext(root / "lake", NOW, Identity(key=b"k"), {}))


def read_attempts(report: SourceReport) -> list[tuple[Any, ...]]:
    """Span and token classes of every attempt that counts, by span."""
    with Chain(Inputs(read_lake(report)), WINDOW, ("staging.requests",)) as chain:
        columns = ", ".join(("right(span_id, 2) as span", *CLASSES))
        found = chain.rows(f"select {columns} from staging.requests order by span_id")  # noqa: S608
        return [tuple(row.values()) for row in found]


def usage(input_tokens: int, output_tokens: int, **more: int) -> dict[str, Any]:
    named = {f"gen_ai.usage.{key}".replace("__", "."): value for key, value in more.items()}
    return {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens} | named


def test_trap_02_what_the_emitter_already_summed_is_not_summed_again(tmp_path: Path) -> None:
    """Anthropic leaves the cache out of the input, OTel puts it in: the emitter decides, not the provider."""
    cached = {"cache_read__input_tokens": 65_000, "cache_creation__input_tokens": 1_000}
    anthropic = {"gen_ai.provider.name": "anthropic"}
    summed = chat(1, attributes=anthropic | usage(66_130, 50, **cached))
    copied = chat(2, attributes=anthropic | usage(130, 50, **cached))
    report = land_lines(
        tmp_path,
        export([summed], scope="opentelemetry.instrumentation.anthropic"),
        export([copied], scope="my.copying.scope"),
        semantics={"exclusive_emitters": ["my.copying.scope"]},
    )
    assert read_attempts(report) == [
        ("01", 130, 65_000, 1_000, 50, None),
        ("02", 130, 65_000, 1_000, 50, None),
    ]


def test_trap_07_reasoning_is_part_of_the_output_and_counted_once(tmp_path: Path) -> None:
    inside = chat(1, attributes=usage(100, 500, reasoning__output_tokens=480))
    beyond = chat(2, attributes=usage(100, 20, reasoning__output_tokens=480))
    report = land_lines(tmp_path, export([inside]), export([beyond]))
    assert read_attempts(report) == [("01", 100, None, None, 500, 480)]
    (refused,) = [finding for finding in report.findings if finding.kind == "quarantined_row"]
    assert "reasoning_exceeds_output" in refused.message


@pytest.mark.parametrize("is_split", [False, True])
def test_trap_08_a_parent_repeats_what_its_children_used(tmp_path: Path, is_split: bool) -> None:
    """The agent, the framework's call and the SDK's calls inside it all state tokens: 29,899 of them, once."""
    agent = {"gen_ai.operation.name": "invoke_agent"} | usage(29_000, 899)
    spans = [
        span(1, attributes=agent),
        chat(2, 1, attributes=usage(29_000, 899)),
        chat(3, 2, attributes=usage(20_000, 600)),
        span(9, 2, attributes={"gen_ai.operation.name": "execute_tool"} | usage(5, 5)),
        chat(4, 9, attributes=usage(9_000, 299)),
    ]
    files = [export([each]) for each in spans] if is_split else [export(spans)]
    attempts = read_attempts(land_lines(tmp_path, *files))
    assert attempts == [("03", 20_000, None, None, 600, None), ("04", 9_000, None, None, 299, None)]
    assert sum(row[1] + row[4] for row in attempts) == 29_899


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("told", [[(300_000, 30)], [(100_000, 10), (200_000, 20), (300_000, 30)]])
def test_trap_09_a_parent_that_holds_its_last_call_or_the_session_so_far_is_not_money(
    tmp_path: Path, told: list[tuple[int, int]], is_split: bool
) -> None:
    """Chat spans around three calls of 100,000: one with the last or cumulative counts, or one a turn."""
    around = [chat(10 + n, 1, attributes=usage(*counts)) for n, counts in enumerate(told)]
    calls = [chat(20 + n, 10 + min(n, len(told) - 1), attributes=usage(100_000, 10)) for n in range(3)]
    spans = [span(1), *around, *calls]
    files = [export([each]) for each in reversed(spans)] if is_split else [export(spans)]
    attempts = read_attempts(land_lines(tmp_path, *files))
    assert [row[:2] for row in attempts] == [("14", 100_000), ("15", 100_000), ("16", 100_000)]


def test_trap_10_a_head_sampled_trace_is_told_as_a_sample(tmp_path: Path) -> None:
    """A sampler that kept one trace in ten, and one that does not say so but whose parents are missing."""
    sampled = [chat(n, traceState="ot=th:e6666666666666") for n in range(1, 4)]
    lost = [chat(10, 900), chat(11, 901)]
    report = land_lines(tmp_path, export(sampled), export(lost))
    told = {finding.kind: finding for finding in report.findings}
    assert told["sampled_spans"].severity is Severity.WARN and told["sampled_spans"].count == 3
    assert "about 30 calls were made" in told["sampled_spans"].message
    assert "2 spans (100.0 %) name a parent that is not in this file" in told["orphan_span"].message
    assert len(read_attempts(report)) == 5
