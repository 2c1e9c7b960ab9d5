"""Classifies many bill lines in one run of the models, with the rules, aliases and tiers that a night has.

What belongs here: the run, and reading labels and examples as lines. What must not: expectations.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from pipelines.config.model import Config
from pipelines.night.reference import build_alias_table
from tests.sql.chain import Chain, Inputs, Window
from tests.sql.harness import MODELS_ROOT

RULES = MODELS_ROOT / "reference" / "classification_rules.csv"
_NOVEMBER = Window(date(2026, 11, 1), date(2026, 12, 1), datetime(2026, 12, 9))
_DEFAULTS: Mapping[str, Any] = {
    "x_source": "bill",
    "x_snapshot_id": "s1",
    "billing_account_id": "payer",
    "billing_currency": "USD",
    "billing_period_start": datetime(2026, 11, 1),
    "billing_period_end": datetime(2026, 12, 1),
    "charge_period_start": datetime(2026, 11, 1),
    "charge_period_end": datetime(2026, 11, 2),
    "charge_category": "Usage",
}
_EXAMPLE = re.compile(
    r"(?P<provider>.*?) > (?P<service>.*?) > (?P<meter>.*?)(?: \[(?P<key>\w+)=(?P<value>.*)\])?"
)


def classify(lines: Sequence[Mapping[str, Any]], config: Config | None = None) -> list[dict[str, Any]]:
    """The rows of core.charges for these rows of lake.charges, in the order given."""
    rows = [{**_DEFAULTS, "charge_id": str(number), **line} for number, line in enumerate(lines)]
    aliases = build_alias_table(Config(), MODELS_ROOT / "reference").to_pylist()
    inputs = Inputs({"charges": rows, "model_aliases": aliases}, config=config or Config())
    with Chain(inputs, _NOVEMBER, ("core.charges",)) as chain:
        assert not chain.failed_checks()
        found = {row["charge_id"]: row for row in chain.rows("select * from core.charges")}
    return [found[row["charge_id"]] for row in rows]


def read_rules() -> list[dict[str, str]]:
    """The shipped rules, in order."""
    with RULES.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def example_line(example: str) -> dict[str, Any]:
    """The line that a rule's example writes as `provider > service > meter [key=value]`."""
    match = _EXAMPLE.fullmatch(example)
    assert match, f"write the example as provider > service > meter [key=value]: {example}"
    line: dict[str, Any] = {
        "service_provider_name": match["provider"],
        "service_name": match["service"],
        "sku_meter": match["meter"],
    }
    return line | _extra(match["key"], match["value"])


def _extra(key: str | None, value: str) -> dict[str, Any]:
    if key is None:
        return {}
    if key == "category":
        category, subcategory = value.split("/")
        return {"service_category": category, "service_subcategory": subcategory}
    if key == "tags":
        return {f"x_tag_{name}": text for name, text in (tag.split("=") for tag in value.split())}
    return {{"operation": "x_operation"}.get(key, key): value}


def labelled_line(label: Mapping[str, str]) -> dict[str, Any]:
    """The line that one row of tests/golden/classification/*.csv describes."""
    line: dict[str, Any] = {
        "service_provider_name": label["provider"],
        "service_name": label["service"],
        "sku_meter": label["meter"],
        "charge_description": label["description"] or None,
        "x_operation": label["operation"] or None,
    }
    return (
        line
        | _extra("category" if label["category"] else None, label["category"])
        | _extra("tags", label["tags"])
    )


def read_labels(folder: Path) -> list[dict[str, str]]:
    """All labels, each with `line`, where it stands."""
    labels = []
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            rows = enumerate(csv.DictReader(stream), start=2)
            labels += [{**row, "line": f"{path.name}:{number}"} for number, row in rows]
    return labels
