"""One FOCUS file as text → its lines in the schema of `charges`, each with its line key and content digest.

What belongs here: typing columns, naming lines by their content, what is odd about the values.
What must not: deliveries, and which other files belong to the same bill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.common.contract import Severity
from connectors.common.datasets import CHARGES, INSTANT, MONEY
from connectors.common.digests import build_digests
from connectors.common.identity import Identity
from connectors.common.parsing import (
    ParsedDecimals,
    build_array,
    normalise_nulls,
    parse_decimals,
    parse_instants,
)
from connectors.common.schema_contract import check_required_columns, check_type, describe_columns
from connectors.common.source_files import FileFault
from connectors.focus_files import schema
from connectors.focus_files.bill_tags import build_tag_columns, read_tags

_CURRENCY = r"^[A-Z]{3}$"
_NUMBER = r"^\s*[+-]?\d+(\.\d*)?([eE][+-]?\d+)?\s*$"
_DIGEST_ROWS = 65_536
_JSON_COLUMNS = frozenset({"Tags", "SkuPriceDetails", "AllocatedTags"})


@dataclass(frozen=True)
class Oddity:
    """Something to report about a file: kind, words, severity, how many lines."""

    kind: str
    message: str
    severity: Severity
    count: int = 1


@dataclass(frozen=True)
class BillLines:
    """The typed lines of one file, in file order.

    `table` has columns of `charges` (without charge_id and x_occurrence); `content_digests` and `scopes`
    (billing account|YYYY-MM) have one entry a line.
    """

    table: pa.Table
    content_digests: pa.Array
    scopes: pa.Array
    oddities: tuple[Oddity, ...]
    schema_seen: tuple[str, ...]


def build_bill_lines(
    text: pa.Table, feed: str, tag_keys: Mapping[str, tuple[str, ...]], identity: Identity, *, first_line: int
) -> BillLines:
    """Type a FOCUS file; FileFault when a column is missing or a value cannot be read: never half a file."""
    check_required_columns(text.column_names, schema.REQUIRED)
    delivered = {name: normalise_nulls(text.column(name)) for name in text.column_names}
    _check_not_null(delivered, first_line)
    decimals = {
        name: _parse_numbers(name, delivered[name], first_line)
        for name in _present(delivered, schema.NUMBERS)
    }
    instants = {
        name: _parse_times(name, delivered[name], first_line) for name in _present(delivered, schema.INSTANTS)
    }
    _check_currency(delivered["BillingCurrency"], first_line)
    _check_ranges(decimals, instants, first_line)
    columns: dict[str, pa.Array] = {
        schema.COLUMNS[name]: delivered[name] for name in schema.text_columns() if name in delivered
    }
    columns |= {schema.COLUMNS[name]: parsed.values for name, parsed in decimals.items()}
    columns |= {schema.COLUMNS[name]: values for name, values in instants.items()}
    provider = columns.get("service_provider_name")
    if "ProviderName" in delivered:
        fallback = delivered["ProviderName"]
        columns["service_provider_name"] = fallback if provider is None else pc.coalesce(provider, fallback)
    oddities = _describe_values(delivered, decimals)
    oddities += _clear_zone_numbers(columns)
    oddities += _add_tags(columns, delivered, tag_keys, identity)
    line_keys, digests = _build_line_digests(delivered, decimals, instants, feed)
    columns["x_line_key"] = line_keys
    scopes = _build_scopes(columns["billing_account_id"], columns["billing_period_start"])
    ordered = {name: columns[name] for name in CHARGES.schema.names if name in columns}
    return BillLines(pa.table(ordered), digests, scopes, tuple(oddities), tuple(text.column_names))


def guess_scopes(text: pa.Table) -> list[str]:
    """Return the scopes that a refused file seems to cover, as far as they can be read."""
    if not {"BillingAccountId", "BillingPeriodStart"} <= set(text.column_names):
        return []
    accounts = normalise_nulls(text.column("BillingAccountId"))
    starts = parse_instants(normalise_nulls(text.column("BillingPeriodStart"))).values
    return sorted(set(_build_scopes(accounts, starts).drop_null().to_pylist()))


def _present(delivered: Mapping[str, pa.Array], wanted: frozenset[str]) -> list[str]:
    return [name for name in delivered if name in wanted]


def _check_not_null(delivered: Mapping[str, pa.Array], first_line: int) -> None:
    for name in schema.NOT_NULL:
        column = delivered[name]
        if column.null_count:
            line = pc.index(pc.is_null(column), True).as_py() + first_line
            message = (
                f"line {line}, column {name}: empty ({column.null_count} such lines), so the line belongs to "
                "no period or currency; correct and deliver again"
            )
            raise FileFault("missing_value", message, line=line, column=name)


def _parse_numbers(name: str, column: pa.Array, first_line: int) -> ParsedDecimals:
    parsed = parse_decimals(column)
    present = len(column) - column.null_count
    check_type(name, "a number", parsed.bad, present_count=present, first_line=first_line)
    return parsed


def _parse_times(name: str, column: pa.Array, first_line: int) -> pa.Array:
    parsed = parse_instants(column)
    present = len(column) - column.null_count
    check_type(name, "a time (ISO 8601)", parsed.bad, present_count=present, first_line=first_line)
    return parsed.values


def _check_currency(column: pa.Array, first_line: int) -> None:
    is_code = pc.match_substring_regex(column, _CURRENCY)
    if pc.all(is_code).as_py() is False:
        line = pc.index(is_code, False).as_py() + first_line
        message = (
            f"line {line}, column BillingCurrency: not an ISO 4217 code (as USD); correct and deliver again"
        )
        raise FileFault("unparsable_value", message, line=line, column="BillingCurrency")


def _check_ranges(
    decimals: Mapping[str, ParsedDecimals], instants: Mapping[str, pa.Array], first_line: int
) -> None:
    """Refuse costs and times that no bill can hold and that no exact split or calendar could take."""
    largest = pa.scalar(schema.LARGEST_COST, MONEY)
    for name in schema.COSTS:
        is_impossible = pc.greater_equal(pc.abs(decimals[name].values), largest)
        _refuse_first(name, is_impossible, f"at least {schema.LARGEST_COST:,f} in size", first_line)
    first, last = (pa.scalar(moment, INSTANT) for moment in (schema.FIRST_INSTANT, schema.LAST_INSTANT))
    for name in schema.PERIODS:
        values = instants[name]
        is_impossible = pc.or_(pc.less(values, first), pc.greater(values, last))
        span = f"outside {schema.FIRST_INSTANT:%Y-%m-%d} to {schema.LAST_INSTANT:%Y-%m-%d}"
        _refuse_first(name, is_impossible, span, first_line)


def _refuse_first(name: str, is_impossible: pa.Array, problem: str, first_line: int) -> None:
    count = pc.sum(pc.fill_null(is_impossible, False)).as_py()
    if count:
        line = pc.index(is_impossible, True).as_py() + first_line
        message = f"line {line}, column {name}: {problem} ({count} such values); correct and deliver again"
        raise FileFault("impossible_value", message, line=line, column=name)


def _describe_values(
    delivered: Mapping[str, pa.Array], decimals: Mapping[str, ParsedDecimals]
) -> list[Oddity]:
    oddities = []
    for name in schema.COSTS:
        if delivered[name].null_count:
            message = f"{name} is empty: kept as unknown, not as 0, so its sums are too low"
            oddities.append(Oddity("null_cost", message, Severity.WARN, delivered[name].null_count))
        difference = decimals[name].rounding_difference
        if difference:
            message = f"{name} rounded half up at 12 digits; delivered minus kept is {_plain(difference)}"
            oddities.append(Oddity("rounded_cost", message, Severity.INFO))
    extra = delivered.keys() - schema.COLUMNS.keys() - schema.KNOWN_NOT_KEPT
    if extra:
        message = f"columns outside FOCUS are kept in the artifact only: {describe_columns(extra)}"
        oddities.append(Oddity("new_column", message, Severity.INFO, len(extra)))
    return oddities


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _clear_zone_numbers(columns: dict[str, pa.Array]) -> list[Oddity]:
    """Take out availability zones that are numbers (some exports write a price there)."""
    zones = columns.get("availability_zone")
    if zones is None:
        return []
    is_number = pc.fill_null(pc.match_substring_regex(zones, _NUMBER), False)
    if not is_number.true_count:
        return []
    columns["availability_zone"] = pc.if_else(is_number, pa.scalar(None, pa.string()), zones)
    message = (
        "AvailabilityZone holds a number, not a zone: taken as unknown; ask the vendor to correct the export"
    )
    return [Oddity("zone_is_number", message, Severity.WARN, is_number.true_count)]


def _add_tags(
    columns: dict[str, pa.Array],
    delivered: Mapping[str, pa.Array],
    tag_keys: Mapping[str, tuple[str, ...]],
    identity: Identity,
) -> list[Oddity]:
    if "Tags" not in delivered:
        return []
    tags = build_tag_columns(delivered["Tags"], tag_keys, identity)
    columns |= tags.columns
    if not tags.unreadable_count:
        return []
    message = (
        "Tags are not a JSON object: these lines count as untagged; ask the vendor to correct the export"
    )
    return [Oddity("unreadable_tags", message, Severity.WARN, tags.unreadable_count)]


def _build_scopes(accounts: pa.Array, period_starts: pa.Array) -> pa.Array:
    months = pc.strftime(period_starts, format="%Y-%m")
    return build_array(pc.binary_join_element_wise(accounts, months, "|"))


def _build_line_digests(
    delivered: Mapping[str, pa.Array],
    decimals: Mapping[str, ParsedDecimals],
    instants: Mapping[str, pa.Array],
    feed: str,
) -> tuple[pa.Array, pa.Array]:
    """Return (line key, content digest) of every line.

    Each delivered, non-null column counts with its name, in name order, in one written form whatever the file
    format: numbers at 12 digits, times in UTC, JSON with sorted keys.
    """
    comparable: dict[str, pa.Array] = {}
    for name in sorted(delivered):
        if name in decimals:
            comparable[name] = decimals[name].values.cast(pa.string())
        elif name in instants:
            comparable[name] = instants[name].cast(pa.int64()).cast(pa.string())
        elif name in _JSON_COLUMNS:
            comparable[name] = _canonical_json(delivered[name])
        else:
            comparable[name] = delivered[name]
    dimensions = {name: column for name, column in comparable.items() if not schema.is_measure(name)}
    measures = {name: column for name, column in comparable.items() if schema.is_measure(name)}
    rows = len(next(iter(delivered.values())))
    line_keys: list[str] = []
    digests: list[str] = []
    for start in range(0, rows, _DIGEST_ROWS):
        count = min(_DIGEST_ROWS, rows - start)
        keys = build_digests(_line_texts(dimensions, start, count), feed)
        values = _line_texts(measures, start, count)
        digests += build_digests((key.encode() + text for key, text in zip(keys, values, strict=True)), feed)
        line_keys += keys
    return pa.array(line_keys, pa.string()), pa.array(digests, pa.string())


def _line_texts(columns: Mapping[str, pa.Array], start: int, count: int) -> list[bytes]:
    """Return `length:name=length:value;` of all non-null columns, joined, for each line of a slice."""
    pieces = []
    for name, column in columns.items():
        values = column.slice(start, count)
        lengths = pc.binary_length(values).cast(pa.string())
        pieces.append(pc.binary_join_element_wise(f"{len(name)}:{name}=", lengths, ":", values, ";", ""))
    joined = pc.binary_join_element_wise(*pieces, "", null_handling="skip")
    return build_array(joined).cast(pa.binary()).to_pylist()


def _canonical_json(column: pa.Array) -> pa.Array:
    encoded = column.dictionary_encode()
    texts = []
    for text in encoded.dictionary.to_pylist():
        tags = read_tags(text)
        texts.append(text if tags is None else json.dumps(tags, sort_keys=True, ensure_ascii=False))
    return pa.array(texts, pa.string()).take(encoded.indices)
