"""The traps of usage, requests and prices, and that each of them has a test.

What belongs here: the list of the traps, by their numbers, and the proof that every one of them is tested in this
folder under its number. What must not: a trap's own test (the files beside this one).
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TRAPS = {
    1: "cached tokens charged twice",
    2: "an exclusive source summed again after its emitter summed it",
    3: "tokens that create a cache charged as input too",
    4: "cache tokens ignored, or priced at nothing",
    5: "cache writes of one hour priced as those of five minutes",
    6: "a gateway that counts other cached tokens than the provider",
    7: "reasoning counted twice, or not at all",
    8: "agents and parents that repeat what their children used",
    9: "a parent that holds its last call, or the session so far",
    10: "sampling that drops spans",
    11: "a client that went away: no row, and the provider bills",
    12: "an estimate in the place of a reported zero",
    13: "the deltas of a stream summed",
    14: "retries and fallbacks that inflate the number of calls",
    15: "batch, flex and priority left out of the price",
    16: "the cliff of a long context",
    17: "history priced at today's rate",
    18: "the region's uplift left out",
    19: "a name without a price at nothing, or at a default",
    20: "cents read as dollars",
    21: "another day's boundary than UTC's",
    22: "late and partial days",
    23: "tags and groups that sum above the total",
    24: "an answer of one's own cache shown as spend",
    25: "a gateway that hides its users",
    26: "tools, storage and provisioned throughput that no request caused",
    27: "cached tokens of a modality counted twice",
    28: "money in floats",
    29: "a budget overshot while its counter says otherwise",
    30: "rows of an export that are repeated, or versions",
    31: "an estimate exported as a bill",
    32: "several models inside one answer",
    33: "several log rows of one call",
    34: "fields that nobody knows yet",
}
"""Number → what goes wrong when nobody looks."""

_NAME = re.compile(r"test_trap_(\d\d)_[a-z]\w+")


def _read_tests() -> dict[int, list[ast.FunctionDef]]:
    """Tests of this folder by the number of their trap."""
    found: dict[int, list[ast.FunctionDef]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match = _NAME.fullmatch(node.name) if isinstance(node, ast.FunctionDef) else None
            if match and isinstance(node, ast.FunctionDef):
                found.setdefault(int(match[1]), []).append(node)
    return found


TESTS = _read_tests()


def _is_skipped(test: ast.FunctionDef) -> bool:
    marks = " ".join(ast.unparse(mark) for mark in test.decorator_list)
    return re.search(r"\b(skip|skipif|xfail)\b", marks) is not None


@pytest.mark.parametrize("number", TRAPS, ids=lambda number: f"{number:02}")
def test_a_trap_has_a_test_that_runs_and_asserts(number: int) -> None:
    tests = TESTS.get(number, [])
    assert tests, f"no test_trap_{number:02}_… in {Path(__file__).parent.name}/: {TRAPS[number]}"
    assert not [test.name for test in tests if _is_skipped(test)]
    assert [
        test.name for test in tests if not any(isinstance(part, ast.Assert) for part in ast.walk(test))
    ] == []


def test_the_numbers_are_those_of_the_list() -> None:
    assert list(TRAPS) == list(range(1, 35))
    assert sorted(TESTS.keys() - TRAPS.keys()) == []
