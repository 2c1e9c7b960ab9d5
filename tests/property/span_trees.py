"""Made-up traces as OTLP spans, and what they land as: for tests of how spans are split into files.

What belongs here: strategies, landing files, running the span models over what landed. What must not: expectations.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import strategies as st

from connectors.common.contract import LandingContext, SourceReport
from connectors.common.identity import Identity
from connectors.otel_genai.client import land
from connectors.otel_genai.settings import Settings
from tests.contract.test_otel_genai import START, export, span
from tests.sql.chain import Chain, Inputs, Window

NOW = datetime(2026, 11, 20, 6)
WINDOW = Window(date(2026, 11, 1), date(2026, 12, 1), NOW)
TRACES = ("a" * 32, "b" * 32)
MODELS = ("staging.span_links", "staging.spans", "staging.requests")
NANOSECONDS_A_MINUTE = 60 * 10**9


@dataclass(frozen=True)
class MadeSpan:
    """One span: what it is, where it hangs, what it and its emitter say of identity."""

    number: int
    trace: str
    parent: int | None
    kind: str
    minute: int
    said: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    response_id: str | None = None

    def line(self) -> str:
        """Return the span as a line of its own."""
        attributes: dict[str, Any] = dict(self.said)
        if self.kind in ("call", "failed"):
            attributes |= {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
            attributes |= {"gen_ai.request.model": "gpt-5"}
            if self.response_id:
                attributes["gen_ai.response.id"] = self.response_id
        if self.kind == "call":
            attributes |= {
                "gen_ai.usage.input_tokens": 100 + self.number,
                "gen_ai.usage.output_tokens": self.number,
            }
        if self.kind == "agent":
            attributes["gen_ai.operation.name"] = "invoke_agent"
        start = START + self.minute * NANOSECONDS_A_MINUTE
        made = span(
            self.number,
            self.parent,
            trace=self.trace,
            startTimeUnixNano=str(start),
            endTimeUnixNano=str(start + 10**9),
            attributes=attributes,
        )
        return export([made], dict(self.given))


@st.composite
def forests(draw: st.DrawFn, size: int = 12) -> list[MadeSpan]:
    """Any graph of parents in two traces: roots, missing parents and loops included; clocks may be wrong."""
    count = draw(st.integers(1, size))
    numbers = range(1, count + 1)
    values = {"app.feature": "fg", "app.tenant": "tu"}
    made = []
    for number in numbers:
        kind = draw(st.sampled_from(["call", "call", "failed", "agent", "other"]))
        parent = draw(st.none() | st.integers(1, count + 1))
        said = {key: draw(st.sampled_from(names)) for key, names in values.items() if draw(st.booleans())}
        given = {
            key: draw(st.sampled_from(names)).upper() for key, names in values.items() if draw(st.booleans())
        }
        # Half of them before midnight, half after: a chain may cross one.
        minute = draw(st.integers(-5, 5)) + 773
        trace = TRACES[number % 2] if draw(st.integers(0, 9)) == 0 else TRACES[0]
        response = draw(st.none() | st.just(f"chatcmpl-{number}"))
        made.append(MadeSpan(number, trace, parent, kind, minute, said, given, response))
    return made


def land_files(root: Path, files: Sequence[Sequence[str]]) -> SourceReport:
    """Deliver files of lines and land them."""
    folder = root / "traces"
    folder.mkdir(parents=True)
    for number, lines in enumerate(files):
        path = folder / f"{number:04d}.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        os.utime(path, (NOW.timestamp() - 3600, NOW.timestamp() - 3600))
    config = {"name": "traces", "connector": "otel_genai", "path": str(folder), "workers": 1}
    return land(Settings.model_validate(config), LandingContext(root / "lake", NOW, Identity(key=b"k"), {}))


def read_lake(report: SourceReport) -> dict[str, list[dict[str, Any]]]:
    """Return the rows that landed, by dataset."""
    found: dict[str, list[dict[str, Any]]] = {"requests": [], "spans": []}
    for file in report.current_files:
        found[file.dataset] += pq.read_table(file.path).to_pylist()
    return found


PROVENANCE = ("x_source", "x_snapshot_id", "x_sources", "reports")


def run_models(
    lake: Mapping[str, Sequence[Mapping[str, Any]]], models: Sequence[str] = MODELS
) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the models over a lake, without what tells where a row came from."""
    with Chain(Inputs(lake), WINDOW, models) as chain:
        found = {}
        for name in models:
            columns = [column for column in chain.models[name].columns if column not in PROVENANCE]
            listed = ", ".join(f'"{column}"' for column in columns)
            rows = chain.rows(f"select {listed} from {name} order by all")  # noqa: S608 - our own names
            found[name] = [tuple(row.values()) for row in rows]
        return found
