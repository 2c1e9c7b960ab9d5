"""Configs that users copy load as they stand: the examples, and the blocks in the connectors' READMEs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.common.registry import CONNECTORS
from pipelines.config.load import load_config

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/everycent.yml"))
ENVIRONMENT = {"EVERYCENT_IDENTITY_KEY": "a key of this test alone, long enough"}
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)


def read_source_blocks(connector: str) -> list[str]:
    """Return the blocks of a connector's README that configure sources."""
    text = (ROOT / "connectors" / connector / "README.md").read_text(encoding="utf-8")
    return [block for block in BLOCK.findall(text) if block.lstrip().startswith("sources:")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_loads(path: Path) -> None:
    config = load_config(path, environment=ENVIRONMENT)
    assert config.sources


@pytest.mark.parametrize("connector", sorted(CONNECTORS))
def test_the_blocks_of_a_readme_load(connector: str, tmp_path: Path) -> None:
    for number, block in enumerate(read_source_blocks(connector)):
        path = tmp_path / f"{number}.yml"
        path.write_text(block, encoding="utf-8")
        config = load_config(path, environment=ENVIRONMENT)
        assert connector in {source.connector for source in config.sources}


def test_most_readmes_show_a_block() -> None:
    shown = [connector for connector in CONNECTORS if read_source_blocks(connector)]
    assert len(shown) > len(CONNECTORS) // 2
