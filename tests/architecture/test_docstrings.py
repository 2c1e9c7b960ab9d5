"""Every module says what it is for, and every public function of the product what it does."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("connectors", "pipelines", "reports", "simulator", "benchmarks", "tests")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
IDS = [path.relative_to(ROOT).as_posix() for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_module_opens_with_a_docstring(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text, "say in a docstring what belongs in this module and what must not"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "?")), "the first paragraph is a sentence"


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.relative_to(ROOT).parts[0] in ("connectors", "pipelines", "reports")],
    ids=str,
)
def test_public_functions_have_docstrings(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    missing = [
        node.name
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not missing, f"public and undocumented: {missing}"


def test_nothing_is_left_for_later() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    files = [
        ROOT / name for name in listed.stdout.splitlines() if name.endswith((".py", ".sql", ".md", ".yml"))
    ]
    assert len(files) > 50
    for path in files:
        if path.exists():
            text = path.read_text(encoding="utf-8")
            assert not any(mark in text for mark in marks), path
