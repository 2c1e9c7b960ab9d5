"""What ids a report of a call is known by, however its emitter spells them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest

from connectors.common.contract import Severity
from connectors.common.request_rows import RequestTally, build_requests

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
NOW = datetime(2026, 11, 20)


class NoSink:
    """Takes what is refused, which in these cases is nothing."""

    def add(self, kind: str, message: str, severity: Severity, *, count: int = 1) -> None:
        """Fails: nothing is odd."""
        raise AssertionError(kind)

    def quarantine(self, line: int | None, reason: str, column: str | None = None) -> None:
        """Fails: nothing is refused."""
        raise AssertionError(reason)


def _ids(**stated: str | None) -> dict[str, str | None]:
    frame = pl.DataFrame(
        [{"line": 1, "started_at": datetime(2026, 11, 1), **stated}],
        schema_overrides={name: pl.String for name in stated} | {"started_at": pl.Datetime("us")},
    ).with_columns(pl.lit(1).alias("input_tokens"), pl.lit(1).alias("output_tokens"))
    table = build_requests(
        frame, source="gateway", scope="file", now=NOW, sink=NoSink(), tally=RequestTally()
    )
    (row,) = table.select(["request_id", "trace_id", "span_id", "parent_span_id"]).to_pylist()
    return row


@pytest.mark.parametrize("spell", [str.upper, str.lower, lambda text: f" {text}\n"])
def test_a_span_is_the_same_however_it_is_spelt(spell: Callable[[str], str]) -> None:
    assert _ids(trace_id=spell(TRACE), span_id=spell(SPAN), parent_span_id=spell(SPAN)) == {
        "request_id": f"span:{TRACE}:{SPAN}",
        "trace_id": TRACE,
        "span_id": SPAN,
        "parent_span_id": SPAN,
    }


@pytest.mark.parametrize("none", ["0" * 32, "", " ", "unknown", "None", None])
def test_calls_without_a_trace_share_none(none: str | None) -> None:
    """Else all calls of a gateway that writes zeros would be one root action."""
    assert _ids(trace_id=none, span_id=SPAN, provider_request_id="p")["trace_id"] == "response:p"
    own = _ids(trace_id=none, span_id=SPAN)
    assert own["trace_id"] == own["request_id"]
    assert str(own["request_id"]).startswith("row:gateway:")


def test_ids_of_another_form_are_kept_as_they_are() -> None:
    named = _ids(trace_id="Run-7", span_id="Step-A")
    assert (named["trace_id"], named["span_id"]) == ("Run-7", "Step-A")
