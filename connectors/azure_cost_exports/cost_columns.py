"""What an Azure cost line means beyond its own columns: dates, costs by view, unit blocks, identities.

What belongs here: exact derivations of one batch of lines. What must not: FOCUS names (`staging.azure_cost_charges`
does the mapping), reading files.

Which lines count (source: FinOps toolkit, "Convert to FOCUS"): all lines of the amortized file, and from the
actual file only purchases and refunds of reservations and savings plans, which the amortized file leaves out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from connectors.azure_cost_exports.units import parse_unit
from connectors.common.bills.contract import BatchColumns, DerivedColumns
from connectors.common.contract import Severity
from connectors.common.dataset_types import FLAG, INSTANT, MONEY, QUANTITY, TEXT
from connectors.common.parsing import parse_instant
from connectors.common.source_files import FileFault

CostView = Literal["amortized", "actual", "actual_alone", "query"]
"""Which file a line is from: `actual` stands beside an amortized file, `actual_alone` has none."""

ISSUER = "Microsoft"
CHARGE_TYPES = frozenset(
    {
        "usage",
        "purchase",
        "refund",
        "unusedreservation",
        "unusedsavingsplan",
        "roundingadjustment",
        "adjustment",
        "tax",
        "credit",
    }
)
"""What staging knows to map; another type is reported and becomes an adjustment."""

_PURCHASES = pa.array(["purchase", "refund"], TEXT)
_UNUSED = pa.array(["unusedreservation", "unusedsavingsplan"], TEXT)
_PLACEHOLDERS = pa.array(["-2", "Unassigned", "unassigned", "N/A", "Unknown"], TEXT)
_NARROW = pa.decimal256(37, 12)
_US_DATE = ("%m/%d/%Y", "%m/%d/%Y %H:%M:%S")


@dataclass(frozen=True)
class Batch:
    """One batch of lines: text columns as delivered, and what is typed so far; absent columns are null."""

    delivered: BatchColumns
    typed: BatchColumns

    @property
    def rows(self) -> int:
        """How many lines it has."""
        return len(self.delivered[next(iter(self.delivered))])

    def text(self, name: str) -> pa.Array:
        """Return a delivered column; blanks and placeholders are null."""
        if name not in self.delivered:
            return pa.nulls(self.rows, TEXT)
        trimmed = pc.utf8_trim_whitespace(self.delivered[name])
        is_nothing = pc.or_(pc.equal(trimmed, ""), pc.is_in(trimmed, value_set=_PLACEHOLDERS))
        return pc.if_else(is_nothing, pa.scalar(None, TEXT), trimmed)

    def number(self, name: str) -> pa.Array:
        """Return a typed column of the dataset; null where the file has none."""
        return self.typed[name] if name in self.typed else pa.nulls(self.rows, MONEY)


def derive_cost_columns(view: CostView, delivered: BatchColumns, typed: BatchColumns) -> DerivedColumns:
    """Return the derived columns of a batch of lines of one view.

    Raises FileFault when a date cannot be read.
    """
    batch = Batch(delivered, typed)
    kinds = _plain(batch.text("ChargeType"))
    columns = {
        **_derive_accounts(batch),
        **_derive_periods(batch),
        **_derive_commitments(batch),
        **_derive_resources(batch),
    }
    is_committed = pc.is_valid(columns["commitment_kind"])
    columns |= _derive_quantities(batch)
    columns |= _derive_costs(batch, view, kinds, is_committed, columns["pricing_quantity"])
    columns["cost_view"] = _constant(view, batch.rows)
    columns["invoice_issuer_name"] = _constant(ISSUER, batch.rows)
    return DerivedColumns(columns, _find_oddities(kinds))


def multiply(left: pa.Array, right: pa.Array) -> pa.Array:
    """Return the product of two DECIMAL(38,12) columns, rounded half up at 12 digits."""
    product = pc.multiply(left.cast(_NARROW), right.cast(_NARROW))
    return pc.round(product, ndigits=12, round_mode="half_towards_infinity").cast(MONEY)


def parse_azure_date(text: str) -> datetime:
    """Return the time that a date column names: MM/DD/YYYY (CSV files), ISO 8601 or yyyymmdd; ValueError else."""
    cleaned = text.strip()
    if "/" in cleaned:
        for shape in _US_DATE:
            try:
                return datetime.strptime(cleaned, shape)  # noqa: DTZ007 (times in the lake are naive UTC)
            except ValueError:
                continue
        raise ValueError("not a date")
    return parse_instant(cleaned)


def _derive_accounts(batch: Batch) -> dict[str, pa.Array]:
    """A bill of an MCA is a billing profile's, every other one a billing account's."""
    account, profile = batch.text("BillingAccountId"), batch.text("BillingProfileId")
    is_profile = pc.and_(pc.is_valid(profile), _is_mca(batch, account))
    account_name, profile_name = batch.text("BillingAccountName"), batch.text("BillingProfileName")
    kind = pc.if_else(is_profile, pa.scalar("Billing Profile", TEXT), pa.scalar("Billing Account", TEXT))
    return {
        "billing_account_id": pc.if_else(is_profile, profile, pc.coalesce(account, profile)),
        "billing_account_name": pc.if_else(
            is_profile, pc.coalesce(profile_name, account_name), pc.coalesce(account_name, profile_name)
        ),
        "billing_account_type": kind,
    }


def _is_mca(batch: Batch, account: pa.Array) -> pa.Array:
    """MCA files state an exchange rate or a pricing currency; their account ids hold two GUIDs and a date."""
    if "ExchangeRatePricingToBilling" in batch.delivered or "PricingCurrency" in batch.delivered:
        return pa.array([True] * batch.rows, FLAG)
    return pc.fill_null(pc.match_substring_regex(account, r"[0-9a-fA-F-]{36}:[0-9a-fA-F-]{36}"), False)


def _derive_periods(batch: Batch) -> dict[str, pa.Array]:
    days = _parse_dates(batch, "Date")
    stated = _parse_dates(batch, "BillingPeriodStartDate")
    starts = _by_distinct(pc.coalesce(stated, days), first_of_month, INSTANT)
    return {
        "charge_period_start": days,
        "charge_period_end": _by_distinct(days, lambda day: day + timedelta(days=1), INSTANT),
        "billing_period_start": starts,
        "billing_period_end": _by_distinct(starts, first_of_next_month, INSTANT),
    }


def _parse_dates(batch: Batch, name: str) -> pa.Array:
    def parse(text: str) -> datetime:
        try:
            return datetime.combine(parse_azure_date(text).date(), datetime.min.time())
        except ValueError as error:
            message = f"column {name}: not a date (MM/DD/YYYY or ISO 8601); correct and deliver again"
            raise FileFault("unparsable_value", message, column=name) from error

    return _by_distinct(batch.text(name), parse, INSTANT)


def first_of_month(moment: datetime) -> datetime:
    """Return the month's first midnight."""
    return datetime(moment.year, moment.month, 1)


def first_of_next_month(moment: datetime) -> datetime:
    """Return the first midnight of the month after."""
    return first_of_month(first_of_month(moment) + timedelta(days=32))


def map_instants(values: pa.Array, convert: Callable[[datetime], datetime]) -> pa.Array:
    """Return times converted, each distinct one once."""
    return _by_distinct(values, convert, INSTANT)


def _derive_commitments(batch: Batch) -> dict[str, pa.Array]:
    """Reservation or savings plan: by the pricing model; files without one name a reservation id.

    Usage priced on demand or as spot is paid for on the bill, whatever benefit stands beside it.
    """
    benefit = pc.utf8_lower(pc.coalesce(batch.text("BenefitId"), batch.text("ReservationId")))
    models = _plain(batch.text("PricingModel"))
    is_plan = pc.or_(_is(models, "savingsplan"), _contains(benefit, "/microsoft.billingbenefits/"))
    has_id_only = pc.and_(pc.is_null(models), pc.is_valid(benefit))
    is_reservation = pc.or_(
        _is(models, "reservation"), pc.or_(has_id_only, _contains(benefit, "/microsoft.capacity/"))
    )
    is_usage = _is(_plain(batch.text("ChargeType")), "usage")
    is_paid = pc.and_(is_usage, pc.or_(_is(models, "ondemand"), _is(models, "spot")))
    kind = pc.if_else(
        is_plan,
        pa.scalar("savings_plan", TEXT),
        pc.if_else(is_reservation, pa.scalar("reservation", TEXT), pa.scalar(None, TEXT)),
    )
    kind = pc.if_else(is_paid, pa.scalar(None, TEXT), kind)
    return {
        "commitment_id": benefit,
        "commitment_name": pc.coalesce(batch.text("BenefitName"), batch.text("ReservationName")),
        "commitment_kind": kind,
    }


def _derive_resources(batch: Batch) -> dict[str, pa.Array]:
    resource = pc.utf8_lower(batch.text("ResourceId"))
    region = batch.text("ResourceLocation")
    named = pc.coalesce(
        batch.text("ResourceName"), _by_distinct(resource, lambda text: text.rsplit("/", 1)[-1], TEXT)
    )
    return {
        "resource_id": resource,
        "resource_name": named,
        "resource_type": _by_distinct(resource, read_resource_type, TEXT),
        "resource_group": pc.utf8_lower(batch.text("ResourceGroup")),
        "region_name": region,
        "region_id": _by_distinct(region, _normalise_region, TEXT),
        "subscription_id": _by_distinct(batch.text("SubscriptionId"), _strip_subscription, TEXT),
        "consumed_service": pc.utf8_lower(batch.text("ConsumedService")),
        "availability_zone": batch.text("AvailabilityZone"),
        "invoice_id": batch.text("InvoiceId"),
        "publisher_name": batch.text("PublisherName"),
        "product_id": batch.text("ProductId"),
        "part_number": batch.text("PartNumber"),
    }


def read_resource_type(resource_id: str) -> str | None:
    """Return 'microsoft.compute/virtualmachines' of a lower-case resource id; children keep their parents' types."""
    _, found, tail = resource_id.rpartition("/providers/")
    parts = tail.split("/")
    if not found or len(parts) < 2:
        return None
    return "/".join([parts[0], *parts[1::2]])


def _normalise_region(name: str) -> str | None:
    cleaned = "".join(name.split()).lower()
    return None if cleaned in {"", "unassigned", "unknown", "n/a"} else cleaned


def _strip_subscription(text: str) -> str:
    return text.lower().removeprefix("/subscriptions/").strip("/")


def _derive_quantities(batch: Batch) -> dict[str, pa.Array]:
    encoded = batch.text("UnitOfMeasure").dictionary_encode()
    units = [parse_unit(text) for text in encoded.dictionary.to_pylist()]
    blocks = pa.array([unit.per_block for unit in units], QUANTITY).take(encoded.indices)
    names = pa.array([unit.name for unit in units], TEXT).take(encoded.indices)
    is_token = pc.fill_null(pc.match_substring_regex(batch.text("MeterName"), r"(?i)\btokens?\b"), False)
    is_bare = _is(names, "Units")
    quantity = batch.number("quantity")
    return {
        "pricing_quantity": multiply(quantity, pc.coalesce(blocks, pa.scalar(Decimal(1), QUANTITY))),
        "consumed_unit": pc.if_else(pc.and_(is_token, is_bare), pa.scalar("Tokens", TEXT), names),
    }


def _derive_costs(
    batch: Batch, view: CostView, kinds: pa.Array, is_committed: pa.Array, pricing_quantity: pa.Array
) -> dict[str, pa.Array]:
    """Return costs and prices; what nobody used has no price that a saving could be told from."""
    cost = batch.number("cost")
    zero = pa.scalar(Decimal(0), MONEY)
    is_purchase = pc.and_(is_committed, pc.is_in(kinds, value_set=_PURCHASES))
    everything = pa.array([True] * batch.rows, FLAG)
    if view == "amortized":
        is_counted, billed, effective = pc.invert(is_purchase), pc.if_else(is_committed, zero, cost), cost
    elif view == "actual":
        is_counted, billed = is_purchase, pc.if_else(is_purchase, cost, zero)
        effective = pa.array([Decimal(0)] * batch.rows, MONEY)
    else:
        is_counted, billed, effective = everything, cost, cost
    rate = pc.coalesce(batch.number("exchange_rate"), pa.scalar(Decimal(1), QUANTITY))
    is_unused = pc.is_in(kinds, value_set=_UNUSED)
    contracted_price = multiply(_or_null_if_zero(batch.number("unit_price")), rate)
    list_price = multiply(_or_null_if_zero(batch.number("payg_price")), rate)
    contracted_price, list_price, stated_list = (
        pc.if_else(is_unused, pa.scalar(None, values.type), values)
        for values in (contracted_price, list_price, _or_null_if_zero(batch.number("payg_cost")))
    )
    priced = pc.if_else(
        _is(kinds, "usage"), multiply(contracted_price, pricing_quantity), pa.scalar(None, MONEY)
    )
    contracted = pc.coalesce(priced, cost)
    list_cost = pc.coalesce(stated_list, multiply(list_price, pricing_quantity), contracted)
    return {
        "is_counted": is_counted,
        "billed_cost": billed,
        "effective_cost": effective,
        "contracted_cost": contracted,
        "list_cost": list_cost,
        "contracted_unit_price": contracted_price,
        "list_unit_price": list_price,
    }


def _find_oddities(kinds: pa.Array) -> dict[tuple[str, str, str], int]:
    unknown = pc.invert(pc.is_in(kinds, value_set=pa.array(sorted(CHARGE_TYPES), TEXT)))
    found: dict[tuple[str, str, str], int] = {}
    if unknown.true_count:
        message = (
            "ChargeType is one that no rule knows: the lines count as adjustments; tell us what they are"
        )
        found["unknown_charge_type", Severity.WARN.value, message] = unknown.true_count
    return found


def _or_null_if_zero(values: pa.Array) -> pa.Array:
    """Azure writes 0 for a price that it does not state (reservations, Marketplace)."""
    is_zero = pc.fill_null(pc.equal(values, pa.scalar(Decimal(0), values.type)), False)
    return pc.if_else(is_zero, pa.scalar(None, values.type), values)


def _plain(values: pa.Array) -> pa.Array:
    return pc.replace_substring(pc.utf8_lower(values), " ", "")


def _is(values: pa.Array, wanted: str) -> pa.Array:
    return pc.fill_null(pc.equal(values, wanted), False)


def _contains(values: pa.Array, part: str) -> pa.Array:
    return pc.fill_null(pc.match_substring(values, part), False)


def _constant(value: str, rows: int) -> pa.Array:
    return pa.array([value] * rows, TEXT)


def _by_distinct(values: pa.Array, convert: Callable[..., object], kind: pa.DataType) -> pa.Array:
    encoded = values.dictionary_encode()
    known = [None if value is None else convert(value) for value in encoded.dictionary.to_pylist()]
    return pa.array(known, kind).take(encoded.indices)
