"""Who may import whom: the contracts of pyproject.toml, and that only pipelines.defs knows the scheduler."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("connectors", "pipelines", "reports", "simulator", "benchmarks")
SCHEDULER_IMPORTERS = ("pipelines/defs/", "pipelines/definitions.py")
REMOTE_ENGINE_IMPORTERS = ("pipelines/warehouse/", "benchmarks/")


def find_modules() -> list[Path]:
    """Every Python file of the product."""
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def _imported(path: Path) -> set[str]:
    """Top-level names that a file imports anywhere, lazily or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def test_import_contracts_hold() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    assert command.exists(), "import-linter is not installed; run `make test`, which installs it"
    run = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "6 kept, 0 broken" in run.stdout, run.stdout


@pytest.mark.parametrize(
    ("library", "importers"),
    [("dagster", SCHEDULER_IMPORTERS), ("pyspark", REMOTE_ENGINE_IMPORTERS)],
)
def test_only_one_place_imports(library: str, importers: tuple[str, ...]) -> None:
    modules = find_modules()
    assert len(modules) > 20
    wrong = [
        name
        for path in modules
        if library in _imported(path)
        and not (name := path.relative_to(ROOT).as_posix()).startswith(importers)
    ]
    assert not wrong, f"{library} belongs in {importers}, not in {wrong}"


def test_the_domain_has_no_clock_and_no_files() -> None:
    modules = sorted((ROOT / "pipelines" / "domain").glob("*.py"))
    assert len(modules) > 1
    forbidden = {"os", "pathlib", "io", "shutil", "socket", "subprocess", "tempfile", "time", "sqlite3"}
    for path in modules:
        assert not _imported(path) & forbidden, f"{path.name} imports {_imported(path) & forbidden}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_clock = isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today")
            is_file = isinstance(node, ast.Name) and node.id == "open"
            assert not is_clock and not is_file, f"{path.name} line {node.lineno} reads a clock or a file"


def test_no_forbidden_library() -> None:
    for path in find_modules():
        assert not _imported(path) & {"litellm", "pickle"}, path
