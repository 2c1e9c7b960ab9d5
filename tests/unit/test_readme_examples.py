"""The examples in the READMEs of the bill connectors: every file is written as it stands there, landed, and added up.

What belongs here: reading examples out of Markdown, and holding lists of columns against the code. What must not:
files of bills that a README does not show.

An example is a section with a block named `everycent.yml`: a line with nothing but a path in backquotes names the
fenced block that follows. It ends with "Billed in all: 1.25 USD."
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.aws_data_exports import schema as aws
from connectors.azure_cost_exports import schema as azure
from connectors.common.bills import focus_format
from connectors.common.contract import LandingContext, Severity
from connectors.common.datasets import BILL_DATASETS
from connectors.gcp_billing import schema as gcp
from pipelines.config.load import load_config

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = {
    "aws_data_exports": ("### CUR 2.0, overwritten", "### FOCUS, kept beside older ones"),
    "azure_cost_exports": ("### FocusCost", "### ActualCost and AmortizedCost"),
    "focus_files": ("### A bill of one line",),
    "gcp_billing": ("### Example: one line",),
}
REQUIRED = {
    ("aws_data_exports", "CUR 2.0"): aws.REQUIRED,
    ("aws_data_exports", "FOCUS"): focus_format.REQUIRED,
    ("azure_cost_exports", "ActualCost, AmortizedCost"): azure.REQUIRED,
    ("azure_cost_exports", "FOCUS"): focus_format.REQUIRED,
    ("focus_files", "FOCUS"): focus_format.REQUIRED,
    ("gcp_billing", "table or Parquet"): gcp.REQUIRED,
    ("gcp_billing", "every line"): gcp.NOT_NULL,
}
BILL_READMES = sorted((ROOT / "connectors").glob("*/README.md"))

_BLOCK = re.compile(r"^`([^`\n]+)`:?\n+```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOTAL = re.compile(r"Billed in all: (\d+\.\d+) ([A-Z]{3})\.")


@dataclass(frozen=True)
class Example:
    """A section's files by path, and what they come to."""

    files: dict[str, str]
    total: Decimal
    currency: str


def read_readme(connector: str) -> str:
    """Return the text of a connector's README."""
    return (ROOT / "connectors" / connector / "README.md").read_text()


def read_examples(text: str) -> Iterator[tuple[str, Example]]:
    """Yield the sections of a README that are examples, by heading."""
    for section in re.split(r"^(?=#{1,4} )", text, flags=re.MULTILINE):
        files = dict(_BLOCK.findall(section))
        if "everycent.yml" in files:
            total, currency = _TOTAL.findall(section)[0]
            yield section.splitlines()[0], Example(files, Decimal(total), currency)


def read_required(text: str, title: str) -> list[str]:
    """Return the names in the list `Required of <title>:`."""
    (listed,) = re.findall(
        rf"^Required of {re.escape(title)}:\n+```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    return [entry.strip() for entry in re.split(r"[,\n]", listed) if entry.strip()]


@pytest.mark.parametrize("connector", EXAMPLES)
def test_the_readme_has_its_examples(connector: str) -> None:
    assert tuple(heading for heading, _ in read_examples(read_readme(connector))) == EXAMPLES[connector]


@pytest.mark.parametrize(
    ("connector", "heading"),
    [(connector, heading) for connector in EXAMPLES for heading in EXAMPLES[connector]],
)
def test_an_example_lands_as_it_says(
    connector: str, heading: str, tmp_path: Path, lake_context: LandingContext
) -> None:
    example = dict(read_examples(read_readme(connector)))[heading]
    written_at = (lake_context.now - timedelta(hours=1)).replace(tzinfo=UTC).timestamp()
    for number, (name, content) in enumerate(example.files.items()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (written_at + number, written_at + number))
    config = load_config(tmp_path / "everycent.yml", environment={"EVERYCENT_IDENTITY_KEY": "0" * 64})
    (settings,) = config.sources
    assert settings.connector == connector
    report = importlib.import_module(f"connectors.{connector}.client").land(settings, lake_context)
    assert [f.message for f in report.findings if f.severity is not Severity.INFO] == []
    totals: dict[str, Decimal] = {}
    for delivery in report.deliveries:
        assert delivery.dataset in BILL_DATASETS and delivery.is_current
        for currency, billed in delivery.billed_totals.items():
            totals[currency] = totals.get(currency, Decimal(0)) + billed
    assert totals == {example.currency: example.total}


@pytest.mark.parametrize(("connector", "title"), REQUIRED)
def test_the_readme_lists_what_is_required(connector: str, title: str) -> None:
    wanted = [entry if isinstance(entry, str) else " or ".join(entry) for entry in REQUIRED[connector, title]]
    assert sorted(read_required(read_readme(connector), title)) == sorted(wanted)


@pytest.mark.parametrize("path", BILL_READMES, ids=lambda path: path.parent.name)
def test_sources_in_a_readme_are_right_configs(path: Path, tmp_path: Path) -> None:
    """Each YAML block with sources loads as it stands: every key known, every value right."""
    for block in _YAML.findall(path.read_text()):
        if re.search(r"^sources:", block, re.MULTILINE):
            config = tmp_path / "everycent.yml"
            config.write_text(block)
            assert load_config(config, environment={"EVERYCENT_IDENTITY_KEY": "0" * 64}).sources
