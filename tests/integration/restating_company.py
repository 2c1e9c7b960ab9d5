"""Bills that restate: deliveries with stated times, whole nights over them, and questions about the past.

What belongs here: writing deliveries, running nights and reading what they published. What must not: assertions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.config.load import load_config
from pipelines.defs.session import NightSession
from pipelines.night.run import Night, NightRequest
from tests.integration.mini_company import LINE, Outcome, models, write_csv

CONFIG = """
home: home
identity: {{pseudonymise: false}}
sources:
{sources}
fx_rates: [{{from_currency: EUR, to_currency: USD, rate_date: 2026-01-01, rate: "1.1"}}]
{more}
"""
FOCUS = (
    "  - {{name: {name}, connector: focus_files, path: {name}, delivery: {delivery}, "
    "delivered_at_pattern: '(?P<delivered_at>\\d{{8}}T\\d{{6}})'}}"
)
COLUMNS = {
    **LINE,
    "InvoiceId": "",
    "ChargeClass": "",
    "PricingQuantity": "10",
    "PricingUnit": "Hours",
    "ConsumedQuantity": "10",
    "ConsumedUnit": "Hours",
    "SubAccountId": "sub-1",
    "SkuId": "sku-1",
}
NOW = datetime(2026, 12, 20, 3)

Line = Mapping[str, str]


@dataclass
class Restating:
    """A folder with a config and one folder a source."""

    folder: Path

    def deliver(self, source: str, moment: datetime, lines: Iterable[Line], name: str = "bill") -> Path:
        """Write one delivery of a source, made at `moment`; no lines: a header alone."""
        path = self.folder / source / f"{moment:%Y%m%dT%H%M%S}" / f"{name}.csv"
        return write_csv(path, [{**COLUMNS, **line} for line in lines], COLUMNS)

    def night(self, now: datetime = NOW, as_of: datetime | None = None) -> Outcome:
        """Run a whole night at `now` and return what came of it."""
        config = load_config(self.folder / "everycent.yml", environment={})
        today = (as_of or now).date()
        with Night(NightRequest(config, config.home, today, now, as_of), models()) as night:
            session = NightSession(night)
            session.publish()
            assert night.release is not None
            return Outcome(night.result(), tuple(night.findings), night.release.path)


def write_restating(
    folder: Path, sources: Mapping[str, str] | None = None, extra: str = "", more: str = ""
) -> Restating:
    """Write the config; `sources` maps a source's name to `replace` or `append`, `extra` are sources in YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {"aws": "replace"} if sources is None else sources
    listed = [FOCUS.format(name=name, delivery=delivery) for name, delivery in chosen.items()]
    (folder / "everycent.yml").write_text(
        CONFIG.format(sources="\n".join([*listed, *([extra] if extra else [])]), more=more)
    )
    return Restating(folder)


def day(number: int) -> dict[str, str]:
    """The charge period of a day of November."""
    start = datetime(2026, 11, number)
    return {
        "ChargePeriodStart": f"{start:%Y-%m-%dT00:00:00Z}",
        "ChargePeriodEnd": f"{start + timedelta(days=1):%Y-%m-%dT00:00:00Z}",
    }


def charge(cost: str, quantity: str = "10", number: int = 1, **more: str) -> dict[str, str]:
    """A line of a day whose three costs are equal."""
    costs = dict.fromkeys(("BilledCost", "EffectiveCost", "ListCost", "ContractedCost"), cost)
    return {**costs, "PricingQuantity": quantity, "ConsumedQuantity": quantity, **day(number), **more}


def changes(outcome: Outcome) -> list[dict[str, Any]]:
    """What each delivery changed, without what it left as it was."""
    return outcome.query(
        "select source, strftime(delivered_at, '%m-%d') as delivered, cause, "
        "sum(change_billed_cost) as change, sum(increase_billed_cost) as increase, sum(lines) as lines "
        "from marts.restatements where cause <> 'unchanged' group by all order by all"
    )
