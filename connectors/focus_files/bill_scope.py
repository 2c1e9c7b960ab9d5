"""The bill of one billing account and period, put together from the files of one delivery.

What belongs here: occurrence numbers, charge ids, totals, the content digest, double deliveries.
What must not: reading files, or writing anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.contract import Severity
from connectors.common.datasets import CHARGES
from connectors.common.digests import build_digest
from connectors.common.source_files import SourceFile
from connectors.common.source_landing import DeliveryFacts
from connectors.focus_files.bill_lines import BillLines, Oddity


@dataclass(frozen=True)
class ScopeBill:
    """The named lines of one scope, what a delivery record says about them, and what is odd."""

    table: pa.Table
    facts: DeliveryFacts
    oddities: tuple[Oddity, ...]


def build_scope_bill(
    scope: str, files: list[tuple[SourceFile, BillLines]], delivered_at: datetime
) -> ScopeBill:
    """Return the bill of a scope (billing account|YYYY-MM): its lines in file order, with charge ids.

    Identical lines are legal: they get occurrence numbers 1, 2, …; the content digest is that of the sorted
    charge ids, so it depends on no file, order or delivery.
    """
    tables, digests = [], []
    for file, lines in files:
        mask = pc.equal(lines.scopes, scope)
        table = lines.table.filter(mask)
        name = pa.repeat(pa.scalar(file.relative, pa.string()), table.num_rows)
        tables.append(table.append_column("x_source_file", name))
        digests += lines.content_digests.filter(mask).to_pylist()
    table = pa.concat_tables(tables, promote_options="default")
    occurrences = _count_occurrences(digests)
    charge_ids = [f"{digest}-{number}" for digest, number in zip(digests, occurrences, strict=True)]
    table = table.append_column("charge_id", pa.array(charge_ids, pa.string()))
    table = table.append_column("x_occurrence", pa.array(occurrences, pa.int64()))
    oddities = []
    repeated = sum(1 for number in occurrences if number > 1)
    if repeated:
        message = (
            "lines identical to another line are kept: a vendor may bill one thing twice; look if in doubt"
        )
        oddities.append(Oddity("identical_lines", message, Severity.INFO, repeated))
    account, _, period = scope.rpartition("|")
    facts = DeliveryFacts(
        dataset=CHARGES,
        scope=scope,
        content=build_digest(*sorted(charge_ids)),
        delivered_at=delivered_at,
        files=tuple(file for file, _ in files),
        period=period,
        billed_totals=_sum_billed(table),
        invoice_issuers=_list_issuers(table),
        billing_account_id=account,
        schema_seen=tuple(dict.fromkeys(name for _, lines in files for name in lines.schema_seen)),
    )
    return ScopeBill(table, facts, tuple(oddities))


def find_double_delivery(
    scope: str, files: list[tuple[SourceFile, BillLines]]
) -> list[tuple[SourceFile, SourceFile]]:
    """Return (earlier, later by name) pairs of files that share more than half of their line keys of a scope.

    A file that doubles one is not compared further, so a chain of daily snapshots leaves the first.
    """
    accepted: list[tuple[SourceFile, set[str]]] = []
    doubled = []
    for file, lines in files:
        keys = set(lines.table.column("x_line_key").filter(pc.equal(lines.scopes, scope)).to_pylist())
        twin = next(
            (first for first, known in accepted if 2 * len(known & keys) > min(len(known), len(keys))), None
        )
        if twin is None:
            accepted.append((file, keys))
        else:
            doubled.append((twin, file))
    return doubled


def _count_occurrences(digests: list[str]) -> list[int]:
    seen: dict[str, int] = {}
    occurrences = []
    for digest in digests:
        number = seen.get(digest, 0) + 1
        seen[digest] = number
        occurrences.append(number)
    return occurrences


def _sum_billed(table: pa.Table) -> dict[str, Decimal]:
    """Return currency → Σ billed_cost; nulls do not count, a currency of nulls only sums to 0."""
    if table.num_rows == 0:
        return {}
    sums = table.group_by("billing_currency").aggregate([("billed_cost", "sum")]).to_pylist()
    totals = {row["billing_currency"]: row["billed_cost_sum"] or Decimal(0) for row in sums}
    return dict(sorted(totals.items()))


def _list_issuers(table: pa.Table) -> tuple[str | None, ...]:
    if table.num_rows == 0:
        return ()
    if "invoice_issuer_name" not in table.column_names:
        return (None,)
    distinct = pc.unique(table.column("invoice_issuer_name")).to_pylist()
    return tuple(sorted(distinct, key=lambda name: (name is not None, name or "")))
