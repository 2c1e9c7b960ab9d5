"""What a rate card comes to an hour.

What belongs here: the formulas, pure. What must not: reading files, or how many hours a day has (SQL).

    capex   (capex_amount - residual_value) / hours of life, from valid_from to the end of life, and not a day longer
    power   power_watts / 1000 * pue * price_per_kwh
    space   space_per_month * 12 / 8760

`life_months` are calendar months from valid_from, so a life that holds a leap day has 24 hours more and the capital
is written off exactly at its end. Each is rounded half up at 12 digits once: over five years that is below 1e-7.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.common.parsing import EXACT, round_decimal

_HOUR = Decimal(3600)
_SPACE_HOURS = Decimal(8760)
_LIMIT = Decimal(10) ** 9
_LONGEST_MONTHS = 1200


class CardProblem(ValueError):  # noqa: N818 (told as a reason, not raised to a caller)
    """Why a card cannot be taken over; holds the reason and the column, nothing that the card says."""

    def __init__(self, reason: str, column: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


@dataclass(frozen=True)
class HourlyCost:
    """One kind of cost of a card: amount an hour and until when it holds."""

    cost_kind: str
    cost_per_hour: Decimal
    valid_to: datetime | None


def build_hourly_costs(card: Mapping[str, Any]) -> list[HourlyCost]:
    """Return the costs of a card (a row of the file's columns, numbers as Decimal). Raises CardProblem."""
    for name in ("capex_amount", "residual_value", "power_watts", "pue", "price_per_kwh", "space_per_month"):
        if card.get(name) is not None and card[name] < 0:
            raise CardProblem("negative", name)
    costs = [*_build_capex(card), *_build_power(card), *_build_space(card)]
    if not costs:
        raise CardProblem("states neither capex_amount, power_watts nor space_per_month", "capex_amount")
    if any(cost.cost_per_hour >= _LIMIT for cost in costs):
        raise CardProblem("more than 1e9 an hour", costs[0].cost_kind)
    return costs


def add_months(moment: datetime, months: int) -> datetime:
    """Return the moment so many calendar months later, at the month's last day where it has no such day."""
    index = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(index, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _build_capex(card: Mapping[str, Any]) -> Iterator[HourlyCost]:
    amount = card.get("capex_amount")
    if amount is None:
        return
    left = EXACT.subtract(amount, card.get("residual_value") or Decimal(0))
    if left < 0:
        raise CardProblem("residual_value is more than capex_amount", "residual_value")
    months, hours, start = card.get("life_months"), card.get("life_hours"), card["valid_from"]
    if (months is None) == (hours is None):
        raise CardProblem("capex needs life_months or life_hours, one of them", "life_months")
    if not (months or hours) or (months or 0) > _LONGEST_MONTHS or (hours or 0) > _LONGEST_MONTHS * 744:
        stated = "life_months" if months is not None else "life_hours"
        raise CardProblem("a life is between an hour and 100 years", stated)
    end = _find_end_of_life(start, months, hours)
    seconds = Decimal(int((end - start).total_seconds()))
    per_hour = _divide(EXACT.multiply(left, _HOUR), seconds)
    stated = card.get("valid_to")
    yield HourlyCost("capex", per_hour, end if stated is None else min(end, stated))


def _find_end_of_life(start: datetime, months: int | None, hours: int | None) -> datetime:
    try:
        return add_months(start, months) if months is not None else start + timedelta(hours=hours or 0)
    except (ValueError, OverflowError) as error:
        raise CardProblem("its life ends after the year 9999", "life_months") from error


def _build_power(card: Mapping[str, Any]) -> Iterator[HourlyCost]:
    watts, price = card.get("power_watts"), card.get("price_per_kwh")
    if watts is None:
        return
    if price is None:
        raise CardProblem("power_watts needs price_per_kwh", "price_per_kwh")
    pue = card.get("pue")
    if pue is not None and pue < 1:
        raise CardProblem("a PUE is 1 or more", "pue")
    exact = EXACT.multiply(EXACT.multiply(watts, price), pue if pue is not None else Decimal(1))
    yield HourlyCost("power", round_decimal(_divide(exact, Decimal(1000))), card.get("valid_to"))


def _build_space(card: Mapping[str, Any]) -> Iterator[HourlyCost]:
    amount = card.get("space_per_month")
    if amount is not None:
        yield HourlyCost("space", _divide(EXACT.multiply(amount, Decimal(12)), _SPACE_HOURS), card.get("valid_to"))


def _divide(amount: Decimal, divisor: Decimal) -> Decimal:
    try:
        return round_decimal(EXACT.divide(amount, divisor))
    except InvalidOperation as error:
        raise CardProblem("is no amount that fits", "capex_amount") from error
