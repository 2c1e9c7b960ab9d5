"""Builds a price book snapshot from the installed genai-prices package (a development dependency).

What belongs here: package → checked-in files, run by hand when a new book is published. What must not:
anything that runs in the pipeline.

    python -m connectors.price_book.build --published 2026-11-10 --reference models_sql/reference

An older release is read from a folder of its own, in front of the installed one:

    uv pip install --no-deps --target /tmp/old genai-prices==0.1.4
    PYTHONPATH=/tmp/old python -m connectors.price_book.build --published 2026-08-19 --release 0.1.4 --older

Every stretch of time, time of day and tier is resolved by the package itself (`ModelInfo.get_prices`), so the
snapshot says what the package would say; nothing of its rules is written a second time.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from importlib.metadata import version
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from genai_prices.data import providers as PROVIDERS
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from connectors.price_book.build_patterns import ModelPattern, build_model_patterns
from connectors.price_book.schema import (
    CONTEXT_BANDS_FILE,
    KEY_COLUMNS,
    LEFT_OUT_FILE,
    PATTERN_COLUMNS,
    PATTERNS_FILE,
    PRICE_COLUMNS,
    PRICE_KEYS,
    PRICES_FILE,
    SNAPSHOT_FILE,
    round_rate,
)

TIER_CONTEXTS: Mapping[str, Mapping[str, str]] = {
    "standard": {},
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"speed": "fast"},
}
"""Our service tier → the request context by which the package tells it apart."""

SAME_TIER_CONTEXTS: tuple[Mapping[str, str], ...] = ({"service_tier": "default"}, {"service_tier": "fast"})
"""Contexts that only name a tier again: OpenAI says `default` for standard and `fast` for priority."""


@dataclass(frozen=True)
class Segment:
    """A stretch [start, end) of validity and of the day; None is unbounded."""

    start: date | None
    end: date | None
    day_start: str | None
    day_end: str | None

    @property
    def sample(self) -> datetime:
        """An instant inside the segment."""
        day = self.start or (self.end - timedelta(days=1) if self.end else date(2000, 1, 1))
        return datetime.combine(day, time.fromisoformat(self.day_start or "00:00"), tzinfo=UTC)


PriceBands = tuple[tuple[int, tuple[Decimal | None, ...]], ...]
"""(lowest total input tokens, price of each token class) by ascending tokens."""


def canonical_model(provider: Provider, owner: Provider, model: ModelInfo) -> str:
    """The id of `owner`'s model as `provider` sells it; prefixed where that has another of the id."""
    if provider is owner or all(own.id != model.id for own in provider.models):
        return model.id
    return f"{owner.id}/{model.id}"


def build_price_rows(providers: Sequence[Provider]) -> list[dict[str, str]]:
    """The rows of `prices.csv`; models resold from a fallback provider have the standard tier only."""
    by_id = {provider.id: provider for provider in providers}
    rows: list[dict[str, str]] = []
    for provider in providers:
        for model in provider.models:
            for tier in TIER_CONTEXTS:
                rows.extend(_build_tier_rows(provider.id, model.id, model, tier))
        for owner in (by_id[name] for name in _fallbacks(provider) if name in by_id):
            for model in owner.models:
                name = canonical_model(provider, owner, model)
                rows.extend(_build_tier_rows(provider.id, name, model, "standard"))
    return sorted(rows, key=lambda row: (*(row[k] for k in KEY_COLUMNS[:-1]), int(row["context_min_tokens"])))


def build_left_out_rows(providers: Sequence[Provider]) -> list[dict[str, str]]:
    """What the snapshot does not carry: units beside our token classes, other contexts, unpriced models."""
    left_out: set[tuple[str, str, str]] = set()
    for provider in providers:
        for model in provider.models:
            if not any(True for _ in _build_tier_rows(provider.id, model.id, model, "standard")):
                left_out.add((provider.id, model.id, "no token price stated"))
            for prices in _all_prices(model):
                for key, price in prices.__dict__.items():
                    if price is not None and key not in PRICE_KEYS.values():
                        left_out.add((provider.id, model.id, key))
            for variant in _variants(model):
                if not _is_carried(variant.when):
                    context = ",".join(f"{key}={value}" for key, value in sorted(variant.when.items()))
                    left_out.add((provider.id, model.id, f"price variant {context}"))
    return [dict(zip(("provider", "model", "left_out"), row, strict=True)) for row in sorted(left_out)]


def _is_carried(when: Mapping[str, str]) -> bool:
    return when in TIER_CONTEXTS.values() or when in SAME_TIER_CONTEXTS


def _all_prices(model: ModelInfo) -> Iterator[ModelPrice]:
    if isinstance(model.prices, ModelPrice):
        yield model.prices
    else:
        yield from (conditional.prices for conditional in model.prices)
    yield from (variant.prices for variant in _variants(model))


def _variants(model: ModelInfo) -> Sequence[Any]:
    """Prices by tier; releases before 0.2 know none."""
    return getattr(model, "price_variants", None) or ()


def _fallbacks(provider: Provider) -> Sequence[str]:
    """Makers whose models a provider resells; releases before 0.0.3x know none."""
    return getattr(provider, "fallback_model_providers", None) or ()


def _build_tier_rows(provider: str, name: str, model: ModelInfo, tier: str) -> Iterator[dict[str, str]]:
    """One row a segment and context band; stretches of a tier that the book does not state have no row."""
    priced = [(s, _build_bands(model, s, tier)) for s in _build_segments(model)]
    for segment, bands in _merge_segments(priced):
        for context_min_tokens, prices in bands:
            yield {
                "provider": provider,
                "model": name,
                "service_tier": tier,
                "valid_from": segment.start.isoformat() if segment.start else "",
                "valid_to": segment.end.isoformat() if segment.end else "",
                "time_of_day_start": segment.day_start or "",
                "time_of_day_end": segment.day_end or "",
                "context_min_tokens": str(context_min_tokens),
                **{c: _render_price(p) for c, p in zip(PRICE_COLUMNS, prices, strict=True)},
            }


def _constraints(model: ModelInfo) -> list[StartDateConstraint | TimeOfDateConstraint]:
    conditional = [] if isinstance(model.prices, ModelPrice) else model.prices
    holders = (*conditional, *_variants(model))
    return [holder.constraint for holder in holders if holder.constraint is not None]


def _build_segments(model: ModelInfo) -> list[Segment]:
    """Validity cut at every start date, the day cut at every time that some price names."""
    constraints = _constraints(model)
    dates = sorted({c.start_date for c in constraints if isinstance(c, StartDateConstraint)})
    times = {
        moment.strftime("%H:%M")
        for c in constraints
        if isinstance(c, TimeOfDateConstraint)
        for moment in (c.start_time, c.end_time)
    }
    validity = list(pairwise((None, *dates, None)))
    day = list(pairwise(sorted({"00:00", "24:00", *times}))) if times else [(None, None)]
    return [Segment(start, end, day_start, day_end) for day_start, day_end in day for start, end in validity]


def _merge_segments(priced: Iterable[tuple[Segment, PriceBands]]) -> Iterator[tuple[Segment, PriceBands]]:
    """Adjacent stretches at the same prices are one row."""
    by_day_band = groupby(priced, key=lambda item: (item[0].day_start, item[0].day_end))
    for _, stretches in by_day_band:
        for bands, same in groupby(stretches, key=lambda item: item[1]):
            segments = [segment for segment, _ in same]
            if bands:
                first = segments[0]
                yield Segment(first.start, segments[-1].end, first.day_start, first.day_end), bands


def _build_bands(model: ModelInfo, segment: Segment, tier: str) -> PriceBands:
    """Prices of each token class by context band; empty where the book states no price for the tier."""
    context = TIER_CONTEXTS[tier]
    if context and not any(_is_active(variant, context, segment) for variant in _variants(model)):
        return ()
    prices = model.get_prices(segment.sample, *([context] if context else []))
    stated = [getattr(prices, PRICE_KEYS[token_class], None) for token_class in PRICE_COLUMNS]
    starts = {0, *(t.start + 1 for price in stated if isinstance(price, TieredPrices) for t in price.tiers)}
    if all(price is None for price in stated):
        return ()
    return tuple((start, tuple(_price_at(price, start) for price in stated)) for start in sorted(starts))


def _is_active(variant: Any, context: Mapping[str, str], segment: Segment) -> bool:
    is_stated = any(getattr(variant.prices, key) is not None for key in PRICE_KEYS.values())
    is_valid = variant.constraint is None or variant.constraint.active(segment.sample)
    return is_stated and is_valid and variant.when == context


def _price_at(price: Decimal | TieredPrices | None, total_input_tokens: int) -> Decimal | None:
    if not isinstance(price, TieredPrices):
        return price
    crossed = [tier.price for tier in price.tiers if total_input_tokens > tier.start]
    return crossed[-1] if crossed else price.base


def _render_price(price: Decimal | None) -> str:
    return "" if price is None else format(round_rate(price).normalize(), "f")


def render_csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """CSV text with a header and unix line ends."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def build_context_bands(rows: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Every [context_min_tokens, context_max_tokens) between the tiers of any model; the last has no end."""
    cuts = sorted({int(row["context_min_tokens"]) for row in rows})
    ends = (*map(str, cuts[1:]), "")
    return [
        {"context_min_tokens": str(cut), "context_max_tokens": end}
        for cut, end in zip(cuts, ends, strict=True)
    ]


def write_snapshot(reference: Path, published: date, providers: Sequence[Provider], release: str) -> Path:
    """Write the folder of one snapshot below `reference`; return it."""
    folder = reference / "price_books" / published.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    rows = build_price_rows(providers)
    prices = render_csv((*KEY_COLUMNS, *PRICE_COLUMNS), rows)
    left_out = build_left_out_rows(providers)
    snapshot = {
        "snapshot_id": hashlib.sha256(prices).hexdigest(),
        "published_at": datetime.combine(published, time()).isoformat(),
        "source": f"genai-prices {release}",
        "source_url": "https://github.com/pydantic/genai-prices",
        "licence": "MIT",
        "currency": "USD",
        "providers": len({row["provider"] for row in rows}),
        "models": len({(row["provider"], row["model"]) for row in rows}),
        "rows": len(rows),
        "left_out": len(left_out),
    }
    (folder / PRICES_FILE).write_bytes(gzip.compress(prices, 9, mtime=0))
    (folder / LEFT_OUT_FILE).write_bytes(render_csv(("provider", "model", "left_out"), left_out))
    (folder / SNAPSHOT_FILE).write_text(json.dumps(snapshot, indent=2) + "\n", encoding="utf-8")
    return folder


def write_bands_and_patterns(reference: Path, providers: Sequence[Provider]) -> None:
    """Write model patterns of the newest release and the price bands of every snapshot below `reference`."""
    rows = [
        row for path in sorted(reference.glob(f"price_books/*/{PRICES_FILE}")) for row in read_prices(path)
    ]
    patterns = [_pattern_row(pattern) for pattern in build_model_patterns(providers, canonical_model)]
    context_bands = build_context_bands(rows)
    (reference / CONTEXT_BANDS_FILE).write_bytes(render_csv(tuple(context_bands[0]), context_bands))
    (reference / PATTERNS_FILE).write_bytes(render_csv(PATTERN_COLUMNS, patterns))


def read_prices(path: Path) -> list[dict[str, str]]:
    """The rows of a snapshot's prices file."""
    return list(csv.DictReader(gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()))


def _pattern_row(row: ModelPattern) -> dict[str, str]:
    parts = (*row.patterns, "", "")[:3]
    return dict(zip(PATTERN_COLUMNS, (row.provider, row.model, str(row.priority), *parts), strict=True))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the snapshot of the installed package and print its folder."""
    parser = argparse.ArgumentParser(
        description="Write a price book snapshot from the installed genai-prices."
    )
    parser.add_argument(
        "--published", type=date.fromisoformat, required=True, help="release date of the package"
    )
    parser.add_argument(
        "--reference", type=Path, default=Path("models_sql/reference"), help="reference folder"
    )
    parser.add_argument(
        "--release", default=version("genai-prices"), help="its version, where it stands on PYTHONPATH"
    )
    parser.add_argument(
        "--older", action="store_true", help="a release of the past: model patterns stay those of the newest"
    )
    options = parser.parse_args(arguments)
    folder = write_snapshot(options.reference, options.published, PROVIDERS, options.release)
    if not options.older:
        write_bands_and_patterns(options.reference, PROVIDERS)
    sys.stdout.write(f"{folder}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
