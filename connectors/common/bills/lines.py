"""One batch of a bill file → typed lines, their digests and scopes, in the columns of the format's dataset.

What belongs here: typing columns, naming lines by their content, checks of values that every bill needs.
What must not: reading files, and which other files belong to the same bill.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.bills.columns import decode_text, encode_text, map_distinct
from connectors.common.bills.contract import BatchColumns, BillFormat, DerivedColumns
from connectors.common.bills.line_digests import ColumnHasher, Seed, Words, finish_digests
from connectors.common.bills.readers import RowBatch
from connectors.common.bills.tags import write_canonical_json
from connectors.common.bills.values import read_text, read_values
from connectors.common.contract import Severity, TerminalError
from connectors.common.datasets import INSTANT, MONEY
from connectors.common.parsing import EXACT, Parsed, ParsedDecimals
from connectors.common.schema_contract import check_required_columns, check_type, describe_columns
from connectors.common.source_files import FileFault

FIRST_INSTANT = datetime(2015, 1, 1)  # noqa: DTZ001 (times in the lake are naive UTC)
LAST_INSTANT = datetime(2041, 1, 1)  # noqa: DTZ001
"""Periods of a bill lie between these: a year outside is a defect of the export, and no day of the warehouse."""

LARGEST_COST = Decimal(10**10)
"""Costs of a line are smaller than this: exact splitting has 22 digits, 12 of them behind the point."""

_CURRENCY = r"^[A-Z]{3}$"
_MONTHS = 10_000_000


@dataclass(frozen=True)
class Oddity:
    """Something to report about a file or bill: kind, words, severity, how many lines."""

    kind: str
    message: str
    severity: Severity
    count: int = 1


@dataclass(frozen=True)
class LineBatch:
    """Typed lines in file order: columns of the dataset, digests, and the scope of each line.

    `scopes` are `account|YYYY-MM`; `scope_of_line` holds places in it, None when there is only one.
    """

    columns: Mapping[str, pa.Array]
    rows: int
    digests: Words
    line_keys: Words
    scopes: tuple[str, ...]
    scope_of_line: npt.NDArray[np.int64] | None


@dataclass
class FileOddities:
    """What is odd about one file, added up over its batches."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    rounding: dict[str, Decimal] = field(default_factory=dict)
    new_columns: set[str] = field(default_factory=set)
    schema_seen: dict[str, None] = field(default_factory=dict)

    def list(self) -> Iterator[Oddity]:
        """Yield what is to be reported."""
        for (kind, severity, message), count in sorted(self.counts.items()):
            yield Oddity(kind, message, Severity(severity), count)
        for name, difference in sorted(self.rounding.items()):
            if difference:
                told = f"{difference.normalize():f}"
                message = f"{name} rounded half up at 12 digits; delivered minus kept is {told}"
                yield Oddity("rounded_cost", message, Severity.INFO)
        if self.new_columns:
            message = f"columns that are not known are kept in the artifact only: {describe_columns(self.new_columns)}"
            yield Oddity("new_column", message, Severity.INFO, len(self.new_columns))


class LineBuilder:
    """Types the batches of the files of one source; keeps what it learnt about distinct values."""

    def __init__(self, bill_format: BillFormat, seed: Seed, key_seed: Seed) -> None:
        self._format = bill_format
        self._seed = seed
        self._key_seed = key_seed
        self._hashers: dict[str, ColumnHasher] = {}
        self._renames = dict(bill_format.renames)
        self._known = bill_format.columns.keys() | bill_format.known_not_kept
        self.numbers = frozenset(
            name
            for name in (*bill_format.columns, *self._renames)
            if bill_format.dataset.schema.field(
                bill_format.columns.get(self._renames.get(name, name), bill_format.account)
            ).type
            == MONEY
        )
        """Delivered columns that hold numbers: the reader need not look for repeated values."""

    def build(self, batch: RowBatch, oddities: FileOddities) -> LineBatch:
        """Type a batch; FileFault when a column is missing or a value cannot be read."""
        delivered = {self._renames.get(name, name): column for name, column in batch.columns.items()}
        if not oddities.schema_seen:
            check_required_columns(delivered, self._format.required, known=self._known)
        oddities.schema_seen |= dict.fromkeys(delivered)
        texts: dict[str, pa.DictionaryArray] = {}
        parsed = self._read_columns(delivered, texts, batch.first_line)
        columns = {self._format.columns[name]: values.values for name, values in parsed.items()}
        self._check_values(parsed, batch, oddities)
        columns |= self._derive(delivered, columns, texts, batch.rows, oddities)
        self._check_whole(columns, batch)
        sums, key_sums = self._sum_digests(delivered, parsed, texts, batch.rows)
        oddities.new_columns |= delivered.keys() - self._known
        scopes, scope_of_line = build_scopes(
            columns[self._format.account], columns[self._format.period_start]
        )
        return LineBatch(
            columns,
            batch.rows,
            finish_digests(sums, self._seed),
            finish_digests(key_sums, self._key_seed),
            scopes,
            scope_of_line,
        )

    def _read_columns(
        self, delivered: Mapping[str, pa.Array], texts: dict[str, pa.DictionaryArray], first_line: int
    ) -> dict[str, Parsed]:
        schema = self._format.dataset.schema
        expected = {MONEY: "a number", INSTANT: "a time (ISO 8601)"}
        parsed: dict[str, Parsed] = {}
        for name, target in self._format.columns.items():
            column = delivered.get(name)
            if column is None:
                continue
            kind = schema.field(target).type
            values = read_values(column, kind)
            if values.bad:
                present = len(column) - read_text(column).null_count
                told = expected.get(kind, f"of the type {kind}")
                check_type(name, told, values.bad, present_count=present, first_line=first_line)
            if pa.types.is_dictionary(values.values.type):
                texts[name] = values.values
            parsed[name] = values
        return parsed

    def _check_values(self, parsed: Mapping[str, Parsed], batch: RowBatch, oddities: FileOddities) -> None:
        for name in self._format.not_null:
            if name in parsed:
                _check_not_null(name, parsed[name].values, batch)
        first, last = (pa.scalar(moment, INSTANT) for moment in (FIRST_INSTANT, LAST_INSTANT))
        for name in self._format.not_null:
            values = parsed[name].values if name in parsed else None
            if values is not None and values.type == INSTANT:
                span = f"outside {FIRST_INSTANT:%Y-%m-%d} to {LAST_INSTANT:%Y-%m-%d}"
                _refuse(name, pc.or_(pc.less(values, first), pc.greater(values, last)), span, batch)
        for name in self._format.costs:
            if name in parsed:
                self._check_cost(name, parsed[name], batch, oddities)

    def _check_cost(self, name: str, parsed: Parsed, batch: RowBatch, oddities: FileOddities) -> None:
        if isinstance(parsed, ParsedDecimals) and parsed.rounding_difference:
            so_far = oddities.rounding.get(name, Decimal(0))
            oddities.rounding[name] = EXACT.add(so_far, parsed.rounding_difference)
        _check_size(name, parsed.values, batch)
        if parsed.values.null_count:
            message = f"{name} is empty: kept as unknown, not as 0, so its sums are too low"
            oddities.counts["null_cost", Severity.WARN.value, message] += parsed.values.null_count

    def _derive(
        self,
        delivered: Mapping[str, pa.Array],
        columns: Mapping[str, pa.Array],
        texts: dict[str, pa.DictionaryArray],
        rows: int,
        oddities: FileOddities,
    ) -> Mapping[str, pa.Array]:
        derive = self._format.derive
        if derive is None:
            return {}
        derived: DerivedColumns = derive(TextView(delivered, texts), TextView(columns, {}, is_typed=True))
        oddities.counts.update({key: count for key, count in derived.oddities.items() if count})
        for name, values in derived.columns.items():
            if len(values) != rows:
                raise TerminalError(
                    f"{name}: {len(values)} derived values for {rows} lines; correct the format"
                )
        return derived.columns

    def _check_whole(self, columns: Mapping[str, pa.Array], batch: RowBatch) -> None:
        """Check what scope and totals need, delivered or derived."""
        delivered_as = {target: name for name, target in self._format.columns.items()}
        for column in (self._format.account, self._format.period_start, self._format.currency):
            if column not in columns:
                raise TerminalError(f"{self._format.dataset.name}: the format gives no {column}; correct it")
            _check_not_null(delivered_as.get(column, column), columns[column], batch)
        name = delivered_as.get(self._format.currency, self._format.currency)
        _check_currency(name, columns[self._format.currency], batch)
        billed = columns.get(self._format.billed_cost)
        if billed is not None:
            _check_size(delivered_as.get(self._format.billed_cost, self._format.billed_cost), billed, batch)

    def _sum_digests(
        self,
        delivered: Mapping[str, pa.Array],
        parsed: Mapping[str, Parsed],
        texts: dict[str, pa.DictionaryArray],
        rows: int,
    ) -> tuple[Words, Words]:
        sums, key_sums = np.zeros((2, rows), np.uint64), np.zeros((2, rows), np.uint64)
        for name, column in delivered.items():
            wanted = (sums,) if self._format.is_measure(name) else (sums, key_sums)
            hasher = self._hashers.setdefault(name, ColumnHasher(name))
            values = parsed[name].values if name in parsed else None
            if values is not None and (values.type in (MONEY, INSTANT) or pa.types.is_integer(values.type)):
                hasher.add_numbers(values, wanted)
            elif values is not None and pa.types.is_boolean(values.type):
                hasher.add_numbers(values.cast(pa.int64()), wanted)
            else:
                text = texts.get(name)
                text = read_text(column) if text is None else text
                if name in self._format.json_columns:
                    text = map_distinct(text, write_canonical_json)
                hasher.add_text(text, wanted)
        return sums, key_sums


def build_scopes(
    accounts: pa.Array, period_starts: pa.Array
) -> tuple[tuple[str, ...], npt.NDArray[np.int64] | None]:
    """Return the distinct `account|YYYY-MM` of lines, and the place of each line's in it (None: all the first)."""
    if len(accounts) == 0:
        return (), None
    encoded = accounts if pa.types.is_dictionary(accounts.type) else encode_text(accounts)
    months = period_starts.to_numpy(zero_copy_only=False).astype("datetime64[M]").astype(np.int64)
    codes = encoded.indices.to_numpy().astype(np.int64) * _MONTHS + months
    if (codes == codes[0]).all():
        distinct, scope_of_line = codes[:1], None
    else:
        distinct, scope_of_line = np.unique(codes, return_inverse=True)
    names = encoded.dictionary
    scopes = tuple(
        f"{names[code // _MONTHS].as_py()}|{np.datetime64(code % _MONTHS, 'M')}" for code in distinct.tolist()
    )
    return scopes, scope_of_line


class TextView(BatchColumns):
    """Columns of a batch for a format's `derive`: text decoded when asked for, other delivered values as text."""

    def __init__(
        self, columns: Mapping[str, pa.Array], texts: dict[str, pa.DictionaryArray], *, is_typed: bool = False
    ) -> None:
        self._columns = columns
        self._texts = texts
        self._is_typed = is_typed

    def __getitem__(self, name: str) -> pa.Array:
        column = self._columns[name]
        if self._is_typed and not pa.types.is_dictionary(column.type):
            return column
        return decode_text(self.encoded(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def encoded(self, name: str) -> pa.DictionaryArray:
        """Return a column as text of which each distinct value stands once; KeyError when it is not there."""
        if name not in self._texts:
            self._texts[name] = read_text(self._columns[name])
        return self._texts[name]


def _check_not_null(name: str, values: pa.Array, batch: RowBatch) -> None:
    if not values.null_count:
        return
    line = pc.index(pc.is_null(values), True).as_py() + batch.first_line
    message = (
        f"line {line}, column {name}: empty ({values.null_count} such lines), so the line belongs to "
        "no period or currency; correct and deliver again"
    )
    raise FileFault("missing_value", message, line=line, column=name)


def _check_currency(name: str, values: pa.Array, batch: RowBatch) -> None:
    encoded = values if pa.types.is_dictionary(values.type) else encode_text(values)
    is_code = pc.match_substring_regex(encoded.dictionary, _CURRENCY)
    if pc.all(is_code).as_py() is False:
        is_bad = pc.invert(is_code.take(encoded.indices))
        place = pc.index(is_bad, True).as_py()
        if place >= 0:
            line = place + batch.first_line
            message = f"line {line}, column {name}: not an ISO 4217 code (as USD); correct and deliver again"
            raise FileFault("unparsable_value", message, line=line, column=name)


def _check_size(name: str, values: pa.Array, batch: RowBatch) -> None:
    """Refuse costs that no bill can hold and that no exact split could take."""
    largest = pc.min_max(values).as_py()
    if largest["max"] is None or max(abs(largest["min"]), abs(largest["max"])) < LARGEST_COST:
        return
    is_impossible = pc.greater_equal(pc.abs(values), pa.scalar(LARGEST_COST, MONEY))
    _refuse(name, is_impossible, f"at least {LARGEST_COST:,f} in size", batch)


def _refuse(name: str, is_impossible: pa.Array, problem: str, batch: RowBatch) -> None:
    count = pc.sum(pc.fill_null(is_impossible, False)).as_py()
    if count:
        line = pc.index(is_impossible, True).as_py() + batch.first_line
        message = f"line {line}, column {name}: {problem} ({count} such values); correct and deliver again"
        raise FileFault("impossible_value", message, line=line, column=name)
