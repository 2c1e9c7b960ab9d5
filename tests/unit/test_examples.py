"""The configs under `examples/` are right: every key known, every source's settings complete.

What belongs here: loading them. What must not: running them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.common.registry import CONNECTORS
from pipelines.config.load import load_config

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/everycent.yml"))
BILLS = {"aws_data_exports", "azure_cost_exports", "gcp_billing", "oci_cost_reports", "focus_files"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_a_right_config(path: Path) -> None:
    config = load_config(path, environment={"EVERYCENT_IDENTITY_KEY": "0" * 64})
    assert config.sources
    assert {source.connector for source in config.sources} <= CONNECTORS.keys()


def test_the_example_of_clouds_shows_every_kind_of_bill() -> None:
    path = ROOT / "examples" / "clouds" / "everycent.yml"
    config = load_config(path, environment={"EVERYCENT_IDENTITY_KEY": "0" * 64})
    assert {source.connector for source in config.sources} >= BILLS


def test_the_commented_alternatives_of_clouds_are_right_too(tmp_path: Path) -> None:
    """Each takes the place of the key that it stands for."""
    text = (ROOT / "examples" / "clouds" / "everycent.yml").read_text()
    alternatives = re.findall(r"^    # (\w+): (.+)$", text, re.MULTILINE)
    assert [key for key, _ in alternatives] == ["exports", "location", "location"]
    replaced = {
        "exports: [company-focus]": alternatives[:1],
        "table: ": alternatives[2:],
        "scope: ": alternatives[1:2],
    }
    for beginning, ((key, value),) in replaced.items():
        changed = re.sub(rf"^    {re.escape(beginning)}.*$", f"    {key}: {value}", text, flags=re.MULTILINE)
        assert changed != text
        (tmp_path / "everycent.yml").write_text(changed)
        config = load_config(tmp_path / "everycent.yml", environment={"EVERYCENT_IDENTITY_KEY": "0" * 64})
        assert len(config.sources) == text.count("  - name: ")
