"""Landing rate cards: a row of a file becomes up to three rows of `rate_cards`, one a kind of cost.

What belongs here: reading the rows with the common reader, and handing them on. What must not: columns (`schema.py`),
formulas (`hourly_costs.py`).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa

from connectors.common.contract import LandingContext, Severity, SourceReport
from connectors.common.datasets import RATE_CARDS
from connectors.common.landing import FileDelivery, land_files
from connectors.common.plain_files import read_plain_table
from connectors.common.source_files import SourceFile
from connectors.rate_card_files.hourly_costs import CardProblem, build_hourly_costs
from connectors.rate_card_files.schema import FORMAT
from connectors.rate_card_files.settings import Settings

_COLUMNS = [RATE_CARDS.schema.field(name) for name in RATE_CARDS.schema.names if not name.startswith("x_")]
_KEPT = ("resource_id", "resource_kind", "site", "zone", "currency", "valid_from")


def land(settings: Settings, context: LandingContext) -> SourceReport:
    """Land all rate cards of a source; a card that is wrong is refused alone, with its reason."""
    typing = {"version": FORMAT.version}
    read = partial(_read_file, context=context)
    return land_files(settings, context, (RATE_CARDS,), read, typing=typing, suffixes=FORMAT.suffixes)


def _read_file(file: SourceFile, delivery: FileDelivery, *, context: LandingContext) -> None:
    plain = read_plain_table(file, delivery, FORMAT, context)
    rows: list[dict[str, Any]] = []
    for line, card in zip(plain.lines, plain.table.to_pylist(), strict=True):
        try:
            card |= {name: _cut(card[name]) for name in ("valid_from", "valid_to") if card.get(name)}
            found = build_hourly_costs(card)
        except CardProblem as problem:
            delivery.quarantine(line, problem.reason, problem.column)
            continue
        rows += [{**{name: card.get(name) for name in _KEPT}, **vars(cost)} for cost in found]
    if delivery.follows_another and any(row["valid_from"] < context.now for row in rows):
        message = "has changed: days since its cards begin are charged anew, closed ones too"
        delivery.add("rate_card_changed", message, Severity.INFO)
    delivery.write(RATE_CARDS.name, pa.Table.from_pylist(rows, schema=pa.schema(_COLUMNS)))


def _cut(moment: datetime) -> datetime:
    """Whole seconds: what is charged is counted in them."""
    return moment.replace(microsecond=0)
