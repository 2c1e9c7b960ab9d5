"""What a bill connector says about its lines and its deliveries; `landing.py` does the rest.

What belongs here: plain records. What must not: reading files, or one vendor's column names.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa

from connectors.common.datasets import Dataset
from connectors.common.source_files import SourceFile

LINE_COLUMNS = ("charge_id", "x_line_key", "x_occurrence", "x_source", "x_snapshot_id", "x_source_file")
"""Columns that every dataset of bill lines has; the landing fills them in."""


@dataclass(frozen=True)
class DerivedColumns:
    """Columns that a format computes from a batch, and what is odd about its values.

    `columns` are of the dataset's types and as long as the batch. `oddities` maps (kind, severity, message)
    to how many lines it concerns; the counts of all batches of a file are added up.
    """

    columns: Mapping[str, pa.Array]
    oddities: Mapping[tuple[str, str, str], int] = field(default_factory=dict)


class BatchColumns(Mapping[str, pa.Array]):
    """Columns of a batch by name; text is plain, and null where a vendor means null."""

    @abstractmethod
    def encoded(self, name: str) -> pa.DictionaryArray:
        """Return a column as text with each distinct value once: work on `.dictionary`, then spread it."""


Derive = Callable[[BatchColumns, BatchColumns], DerivedColumns]
"""(delivered columns as text by delivered name, typed columns so far by dataset name) → further columns.

Both are mappings. A derived text column may be plain or a dictionary array (`columns.map_distinct` makes one).
"""


@dataclass(frozen=True)
class BillFormat:
    """How one kind of bill file becomes rows of a dataset.

    `columns` maps delivered names to columns of `dataset`, typed as the dataset says: text, money and
    quantities (DECIMAL(38,12), half up), instants (UTC), flags. Delivered columns outside it are kept in the
    artifact and in the line's digest, and reported once. Names are matched as delivered; `renames` maps
    spellings of other versions to the name used here first. `account`, `period_start`, `currency`,
    `billed_cost` and `issuer` name columns of the dataset (delivered or derived): scope, totals and bill of
    record come from them. `is_measure` tells whether a delivered column holds costs, quantities or prices,
    which a restatement may change: they stay out of `x_line_key`.
    """

    dataset: Dataset
    columns: Mapping[str, str]
    required: tuple[str | tuple[str, ...], ...]
    not_null: tuple[str, ...]
    is_measure: Callable[[str], bool]
    schema_version: int
    account: str = "billing_account_id"
    period_start: str = "billing_period_start"
    currency: str = "billing_currency"
    billed_cost: str = "billed_cost"
    issuer: str | None = "invoice_issuer_name"
    costs: tuple[str, ...] = ()
    """Delivered cost columns whose empty values are worth a warning."""
    json_columns: frozenset[str] = frozenset()
    """Delivered columns of JSON text or nested values: compared with sorted keys."""
    known_not_kept: frozenset[str] = frozenset()
    """Delivered columns that are left out on purpose, without a finding."""
    renames: Mapping[str, str] = field(default_factory=dict)
    derive: Derive | None = None
    """Called for each batch after the plain columns are typed."""


@dataclass(frozen=True)
class BillDelivery:
    """One delivery of a vendor: files that arrived together. Either all of it lands, or none.

    A newer delivery of the same `key` replaces the older one whole: every account and period that the older
    one had and the newer has not is delivered as empty, unless `is_complete` is False (then what is absent
    keeps its last bill). With `mode="append"` deliveries add up, and the key names this delivery alone.

    `expected_rows` is what the vendor's manifest states: a difference refuses the delivery. `period`
    ('YYYY-MM') is what the manifest states, for a delivery without any line. `covers` are scopes
    (`account|YYYY-MM`) that are delivered as empty when no line is of them.

    Within an account and period the newest delivery of a source replaces the older one. Where several
    deliveries together make that bill (one export a subscription), each has its own `part`.
    """

    key: str
    files: tuple[SourceFile, ...]
    delivered_at: datetime
    mode: Literal["replace", "append"] = "replace"
    is_stated: bool = True
    """False: the vendor states no delivery time, `delivered_at` is the newest file's time of change."""
    expected_rows: int | None = None
    period: str | None = None
    is_complete: bool = True
    covers: frozenset[str] = frozenset()
    part: str = ""
    may_be_doubled: bool = False
    """True: nothing says that the files are one delivery, so files that share their lines are a fault."""
