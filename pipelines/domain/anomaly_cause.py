"""What lies behind an unusual day: the one dimension value and the one ratio that explain most of the excess.

Here: the comparison of a breakdown before and after. Not here: detection (`anomaly`), combinations of
several dimensions, any I/O. Names out of bills and logs are hostile text: they leave as short printable
strings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

MAXIMUM_NAME_LENGTH = 80
# A value must explain this much more of the excess than of the cost before, else the excess is spread evenly.
MINIMUM_SURPRISE = 0.10
MINIMUM_RATIO_CHANGE = 1.2
# A credit that explains this much of the excess is the answer, whatever else the same rows have in common.
CREDIT_SHARE = 0.5
TOKENS_PER_PRICE = 1_000_000
RATIOS = (
    ("actions", "actions", None),
    ("calls", "calls", None),  # a factor of its own only where actions are not counted
    ("calls per action", "calls", "actions"),
    ("tokens per call", "tokens", "calls"),
    ("cost per token", "cost", "tokens"),
)


@dataclass(frozen=True)
class Cause:
    """The top contributor, its share of the excess, and the ratio that moved with it.

    Without a dimension the excess is spread evenly; a dimension without a value is what has no such name.
    """

    dimension: str | None
    value: str | None
    excess_share: float
    ratio: str | None
    ratio_before: float | None
    ratio_after: float | None
    currency: str | None = None

    @property
    def text(self) -> str:
        """One line, such as `agent step retry: calls per action 3.1 -> 12.4 (x4)`."""
        if self.ratio is None or not self.ratio_before or self.ratio_after is None:
            return self._where
        factor = self.ratio_after / self.ratio_before
        name, scale, unit = self.ratio, 1, ""
        if name == "cost per token":
            name, scale, unit = "cost per million tokens", TOKENS_PER_PRICE, self.currency or ""
        elif name in ("actions", "calls"):
            unit = "a day"
        before, after = render_number(self.ratio_before * scale), render_number(self.ratio_after * scale)
        return f"{self._where}: {name} {before} -> {after}{unit and f' {unit}'} (x{render_number(factor, 2)})"

    @property
    def _where(self) -> str:
        """The contributor in words."""
        if self.dimension is None:
            return "no single part stands out, all changed alike"
        words = self.dimension.replace("_", " ")
        if self.value is None:
            return f"without {'an' if words[0] in 'aeiou' else 'a'} {words}"
        return "credit" if _is_credit(self.dimension, self.value) else f"{words} {self.value}"


def render_number(value: float, digits: int = 4) -> str:
    """A number of at most `digits` significant digits, never in scientific notation."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{Decimal(f'{value:.{digits}g}'):f}"


def printable(value: object) -> str:
    """Text of a name without control characters, at most `MAXIMUM_NAME_LENGTH` long; `unknown` for None."""
    if value is None:
        return "unknown"
    text = "".join(character if character.isprintable() else " " for character in str(value))
    return text if len(text) <= MAXIMUM_NAME_LENGTH else text[: MAXIMUM_NAME_LENGTH - 1] + "…"


def build_cause(
    before: pl.DataFrame, after: pl.DataFrame, dimensions: Sequence[str], currency: str | None = None
) -> Cause | None:
    """Drill down one dimension at a time from the leaves `before` and `after`.

    Both frames: the `dimensions` (String), cost (Decimal or Float64) and optionally actions, calls, tokens;
    they describe the same number of days, or are daily means. The value wins whose share of the excess is
    largest beyond its share of the cost before; ties go to the dimension named first, then to the name.
    A credit that explains most of it goes first. Ratios are those of the winner, and only those that moved
    in the direction of the excess. None when there is no excess to explain.
    """
    measures = [name for name in ("cost", "actions", "calls", "tokens") if name in after.columns]
    before, after = (
        frame.with_columns(pl.col(name).cast(pl.Float64) for name in measures if name in frame.columns)
        for frame in (before, after)
    )
    excess = float(after["cost"].sum()) - float(before["cost"].sum())
    if math.isclose(excess, 0.0, abs_tol=1e-9):
        return None
    best: tuple[float, str | None, str | None, float] = (MINIMUM_SURPRISE, None, None, 1.0)
    for dimension in dimensions:
        for value, share_before, share in _read_shares(before, after, dimension, excess):
            surprise = share - share_before
            if _is_credit(dimension, value) and share >= CREDIT_SHARE:
                surprise = math.inf
            if surprise > best[0] + 1e-9:
                best = (surprise, dimension, value, share)
    _, dimension, value, share = best
    if dimension is not None:
        is_value = pl.col(dimension).eq_missing(pl.lit(value))
        before, after = before.filter(is_value), after.filter(is_value)
    name = None if value is None else printable(value)
    return Cause(dimension, name, share, *_find_ratio(before, after, measures, excess), currency)


def _is_credit(dimension: str, value: str | None) -> bool:
    """True for the rows that are credits."""
    return dimension == "charge_category" and value is not None and value.casefold() == "credit"


def _read_shares(
    before: pl.DataFrame, after: pl.DataFrame, dimension: str, excess: float
) -> list[tuple[str | None, float, float]]:
    """Value, its share of the cost before and of the excess; in the order of names."""
    costs = (
        pl.concat(
            [
                before.select(dimension, before=pl.col("cost"), after=pl.lit(0.0)),
                after.select(dimension, before=pl.lit(0.0), after=pl.col("cost")),
            ]
        )
        .group_by(dimension)
        .agg(pl.col("before").sum(), pl.col("after").sum())
        .sort(dimension)
    )
    if costs.height < 2:
        return []
    total = float(costs["before"].sum())
    return [
        (value, was / total if total > 0 else 0.0, (now - was) / excess)
        for value, was, now in costs.iter_rows()
    ]


def _find_ratio(
    before: pl.DataFrame, after: pl.DataFrame, measures: Sequence[str], excess: float
) -> tuple[str | None, float | None, float | None]:
    """The factor of cost = actions x calls per action x tokens per call x cost per token that moved most.

    Only in the direction of the excess: a ratio that fell explains no rise.
    """
    found: tuple[str | None, float | None, float | None] = (None, None, None)
    largest = math.log(MINIMUM_RATIO_CHANGE)
    for name, numerator, denominator in RATIOS:
        if numerator not in measures or (denominator and denominator not in measures):
            continue
        if name == "calls" and "actions" in measures:
            continue
        was, now = (_divide(frame, numerator, denominator) for frame in (before, after))
        moved = math.copysign(1.0, excess) * math.log(now / was) if was > 0 and now > 0 else 0.0
        if moved > largest + 1e-9:
            largest, found = moved, (name, was, now)
    return found


def _divide(frame: pl.DataFrame, numerator: str, denominator: str | None) -> float:
    """Ratio of two sums; 0 where it is undefined, which no ratio of interest is."""
    divisor = float(frame[denominator].sum()) if denominator else 1.0
    return float(frame[numerator].sum()) / divisor if divisor > 0 else 0.0
