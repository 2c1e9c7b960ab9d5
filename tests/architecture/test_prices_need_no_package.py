"""A machine's version of genai-prices, or none at all, changes no price: only the builder of snapshots imports it.

What belongs here: the proof that nothing that a night runs imports the package. What must not: prices themselves.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILDERS = {"connectors/price_book/build.py", "connectors/price_book/build_patterns.py"}

PROGRAM = """
import sys
sys.modules["genai_prices"] = None  # importing it fails, as where it is not installed
import pipelines.cli, pipelines.night.run, pipelines.night.reference, pipelines.warehouse.reprice
from connectors.common.registry import CONNECTORS
from importlib import import_module
for name in CONNECTORS:
    import_module(f"connectors.{name}.client")
from connectors.price_book.client import read_price_book
from connectors.price_book.settings import Settings
print(read_price_book(Settings(path="models_sql/reference/price_books")).num_rows)
"""


def test_only_the_builder_names_the_package() -> None:
    naming = {
        path.relative_to(ROOT).as_posix()
        for folder in ("connectors", "pipelines", "reports")
        for path in (ROOT / folder).rglob("*.py")
        if "import genai_prices" in (text := path.read_text(encoding="utf-8")) or "from genai_prices" in text
    }
    assert naming == BUILDERS


def test_a_night_prices_without_the_package() -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 10_000
