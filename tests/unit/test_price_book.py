"""The checked-in price book: complete, unaltered, and equal to what the package it was built from says."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from genai_prices import Usage
from genai_prices.data import providers as package_providers
from pydantic import ValidationError

from connectors.common.contract import TerminalError
from connectors.common.datasets import PRICES
from connectors.price_book import build
from connectors.price_book.build_patterns import ModelPattern, resolve_model
from connectors.price_book.client import read_price_book
from connectors.price_book.schema import PRICES_FILE, normalise_alias
from connectors.price_book.settings import PriceOverride, Settings
from tests.price_rule import PricedUse, PriceRow, build_list_cost, find_price

NEWEST = "2026-11-10"
REFERENCE = Path(__file__).parents[2] / "models_sql" / "reference"
BOOKS = REFERENCE / "price_books"
USAGE_KEYS = {
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "cache_write_5m_tokens",
    "output_tokens",
    "output_reasoning_tokens",
}
"""Usage of a recorded payload that our token classes cover; payloads with other units are not compared."""


@pytest.fixture(scope="module")
def book() -> pa.Table:
    return read_price_book(Settings(path=BOOKS))


@pytest.fixture(scope="module")
def rows(book: pa.Table) -> list[PriceRow]:
    """The prices of the newest book alone: what the installed package says."""
    return [
        PriceRow(**row)
        for row in book.to_pylist()
        if row["published_at"] == datetime.fromisoformat(NEWEST) and row["region_id"] is None
    ]


def test_a_write_to_a_one_hour_cache_costs_two_prices_of_input_where_a_book_states_none(
    book: pa.Table,
) -> None:
    model, key = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0", "cache_write_1h_tokens"
    found = {
        str(row["published_at"].date()): (row["price_per_mtok"], row["price_source"].rpartition(" input")[2])
        for row in book.to_pylist()
        if (row["provider"], row["model"], row["token_class"]) == ("aws", model, key)
    }
    assert {day: price for day, (price, _) in found.items()} == dict.fromkeys(found, Decimal("6.6"))
    assert found["2026-08-19"][1] == "_mtok x 2"
    assert found[NEWEST][1].endswith("cache_write_1h_mtok")


@pytest.fixture(scope="module")
def patterns() -> dict[str, list[ModelPattern]]:
    found: dict[str, list[ModelPattern]] = {}
    with (REFERENCE / "model_patterns.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            parts = tuple(row[f"pattern_{n}"] for n in (1, 2, 3) if row[f"pattern_{n}"])
            found.setdefault(row["provider"], []).append(
                ModelPattern(row["provider"], row["model"], int(row["priority"]), parts)
            )
    return found


def _use(moment: datetime, provider: str, model: str, token_class: str, **more: object) -> PricedUse:
    defaults: dict[str, object] = {"service_tier": "standard", "total_input_tokens": 1000}
    return PricedUse(moment, provider, model, token_class, **{**defaults, **more})  # type: ignore[arg-type]


def test_the_newest_snapshot_is_what_the_installed_package_says(tmp_path: Path) -> None:
    stated = json.loads((BOOKS / NEWEST / "snapshot.json").read_text())
    release = stated["source"].split()[-1]
    published = datetime.fromisoformat(stated["published_at"]).date()
    folder = build.write_snapshot(tmp_path, published, package_providers, release)
    assert folder.name == NEWEST == max(path.name for path in BOOKS.iterdir())
    for name in (PRICES_FILE, "left_out.csv", "snapshot.json"):
        assert (folder / name).read_bytes() == (BOOKS / folder.name / name).read_bytes(), name
    for older in BOOKS.iterdir():
        if older.name != NEWEST:
            shutil.copytree(older, tmp_path / "price_books" / older.name)
    build.write_bands_and_patterns(tmp_path, package_providers)
    for name in ("model_patterns.csv", "context_bands.csv"):
        assert (tmp_path / name).read_bytes() == (REFERENCE / name).read_bytes(), name


def test_the_books_are_several_and_dated_by_their_release() -> None:
    stated = [json.loads(path.read_text()) for path in sorted(BOOKS.glob("*/snapshot.json"))]
    assert [(book["source"], book["published_at"][:10]) for book in stated] == [
        ("genai-prices 0.0.27", "2025-09-10"),
        ("genai-prices 0.0.52", "2026-01-28"),
        ("genai-prices 0.0.66", "2026-06-09"),
        ("genai-prices 0.1.4", "2026-08-19"),
        ("genai-prices 0.2.3", "2026-11-10"),
    ]


def test_bands_hold_every_cut_of_the_book(book: pa.Table) -> None:
    with (REFERENCE / "context_bands.csv").open(encoding="utf-8") as file:
        bands = list(csv.DictReader(file))
    assert {int(band["context_min_tokens"]) for band in bands} == set(book["context_min_tokens"].to_pylist())
    assert {"0", "200001", "272001"} <= {band["context_min_tokens"] for band in bands}
    assert [band["context_max_tokens"] for band in bands] == [b["context_min_tokens"] for b in bands[1:]] + [
        ""
    ]


def test_reads_in_the_canonical_schema_with_unique_ids(book: pa.Table) -> None:
    assert book.schema == PRICES.schema
    assert book.num_rows > 10_000
    assert len(set(book["price_id"].to_pylist())) == book.num_rows
    assert set(book["currency"].to_pylist()) == {"USD"}
    assert book["published_at"].null_count == 0


def test_no_model_of_the_package_is_lost_silently(book: pa.Table) -> None:
    priced = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
    with (BOOKS / NEWEST / "left_out.csv").open(encoding="utf-8") as file:
        left_out = {(row["provider"], row["model"]) for row in csv.DictReader(file)}
    models = {(provider.id, model.id) for provider in package_providers for model in provider.models}
    assert len(models) == 2330
    assert models <= priced | left_out


@pytest.mark.parametrize("damage", ["edited", "truncated", "not gz", "no prices", "no json"])
def test_a_damaged_snapshot_is_refused(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / NEWEST
    shutil.copytree(BOOKS / NEWEST, folder)
    packed = (folder / PRICES_FILE).read_bytes()
    if damage == "edited":
        text = gzip.decompress(packed) + b"x,y,standard,,,,,0,1,,,,1\n"
        (folder / PRICES_FILE).write_bytes(gzip.compress(text))
    elif damage == "truncated":
        (folder / PRICES_FILE).write_bytes(packed[:-100])
    elif damage == "not gz":
        (folder / PRICES_FILE).write_bytes(b"provider,model\n")
    elif damage == "no prices":
        (folder / PRICES_FILE).unlink()
    else:
        (folder / "snapshot.json").write_bytes(b"{")
    with pytest.raises(TerminalError, match=r"prices\.overrides|restore it from the repository"):
        read_price_book(Settings(path=tmp_path))


def test_no_snapshot_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="restore the folder"):
        read_price_book(Settings(path=tmp_path))


def test_o3_changed_price_on_2025_06_10(rows: list[PriceRow]) -> None:
    before = find_price(rows, _use(datetime(2025, 6, 9, 23, 59, 59), "openai", "o3", "uncached_input_tokens"))
    after = find_price(rows, _use(datetime(2025, 6, 10), "openai", "o3", "uncached_input_tokens"))
    assert before is not None and after is not None
    assert (before.price_per_mtok, after.price_per_mtok) == (Decimal(10), Decimal(2))
    assert before.valid_to == after.valid_from == datetime(2025, 6, 10)


@pytest.mark.parametrize(("total", "price"), [(200_000, "3"), (200_001, "6")])
def test_sonnet_re_prices_the_whole_request_above_200k(rows: list[PriceRow], total: int, price: str) -> None:
    use = _use(
        datetime(2025, 12, 1),
        "anthropic",
        "claude-sonnet-4-5",
        "uncached_input_tokens",
        total_input_tokens=total,
    )
    found = find_price(rows, use)
    assert found is not None and found.price_per_mtok == Decimal(price)


def test_batch_is_half_and_unknown_before_the_book_states_it(rows: list[PriceRow]) -> None:
    def price(moment: datetime, tier: str) -> Decimal | None:
        use = _use(moment, "anthropic", "claude-sonnet-4-5", "output_tokens", service_tier=tier)
        found = find_price(rows, use)
        return found.price_per_mtok if found else None

    assert price(datetime(2026, 11, 1), "standard") == Decimal(15)
    assert price(datetime(2026, 11, 1), "batch") == Decimal("7.5")
    assert price(datetime(2026, 10, 1), "batch") is None
    assert price(datetime(2026, 11, 1), "flex") is None


def test_deepseek_costs_more_at_its_peak_hours(rows: list[PriceRow]) -> None:
    def price(hour: int) -> Decimal | None:
        use = _use(datetime(2026, 11, 1, hour), "deepseek", "deepseek-v4-flash", "output_tokens")
        found = find_price(rows, use)
        return found.price_per_mtok if found else None

    assert [price(hour) for hour in (0, 1, 3, 4, 6, 9, 10, 23)] == [
        Decimal(text) for text in ("0.6", "1.2", "1.2", "0.6", "1.2", "1.2", "0.6", "0.6")
    ]


def test_cached_tokens_without_a_price_of_their_own_are_billed_as_input(rows: list[PriceRow]) -> None:
    found = find_price(rows, _use(datetime(2026, 11, 1), "openai", "o3", "cache_write_5m_tokens"))
    assert found is not None
    assert (found.price_per_mtok, found.price_source) == (Decimal(2), "genai-prices 0.2.3 input_mtok")


def test_overrides_are_dated_and_a_correction_restates() -> None:
    shared = {"provider": "openai", "model": "o3", "token_class": "output_tokens"}
    overrides = (
        PriceOverride(**shared, price_per_mtok=Decimal("7"), valid_from=datetime(2026, 11, 1, tzinfo=UTC)),
        PriceOverride(**shared, price_per_mtok=Decimal("5"), published_at=datetime(2026, 11, 15)),
        PriceOverride(
            **shared,
            price_per_mtok=Decimal("6.5"),
            valid_from=datetime(2026, 10, 1),
            valid_to=datetime(2026, 10, 2),
            published_at=datetime(2026, 11, 20),
            wrong_from_start=True,
        ),
    )
    table = read_price_book(Settings(path=BOOKS, overrides=overrides))
    assert table.filter(table["is_override"]).num_rows == 3
    rows = [PriceRow(**row) for row in table.to_pylist()]
    moments = (datetime(2026, 9, 30), datetime(2026, 10, 1), datetime(2026, 10, 31), datetime(2026, 11, 1))
    found = [
        find_price(rows, _use(m, "openai", "o3", "output_tokens")) for m in (*moments, datetime(2026, 11, 15))
    ]
    assert [row.price_per_mtok for row in found if row] == [
        Decimal(text) for text in ("8", "6.5", "8", "7", "5")
    ]


def test_as_of_hides_what_was_published_later() -> None:
    override = PriceOverride(
        provider="own",
        model="m",
        token_class="output_tokens",  # noqa: S106 (a token class, not a secret)
        price_per_mtok=Decimal(1),
        published_at=datetime(2026, 11, 15),
    )
    settings = Settings(path=BOOKS, overrides=(override,))
    assert "own" in read_price_book(settings, datetime(2026, 11, 15))["provider"].to_pylist()
    assert "own" not in read_price_book(settings, datetime(2026, 11, 14))["provider"].to_pylist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"price_per_mtok": Decimal(-1)},
        {"price_per_mtoken": Decimal(1)},
        {"token_class": "input"},
        {"valid_from": datetime(2026, 1, 2), "valid_to": datetime(2026, 1, 2)},
    ],
)
def test_a_wrong_override_is_refused(wrong: dict[str, object]) -> None:
    right = {"provider": "p", "model": "m", "token_class": "output_tokens", "price_per_mtok": Decimal(1)}
    PriceOverride.model_validate(right)
    with pytest.raises(ValidationError):
        PriceOverride.model_validate({**right, **wrong})


def _package_model(provider_id: str, name: str) -> str | None:
    provider = next(p for p in package_providers if p.id == provider_id)
    model = provider.find_model(name, all_providers=package_providers)
    if model is None:
        return None
    owner = next(p for p in package_providers if any(m is model for m in p.models))
    return build.canonical_model(provider, owner, model)


def test_patterns_resolve_every_model_id_as_the_package_does(patterns: dict[str, list[ModelPattern]]) -> None:
    compared = 0
    for provider in package_providers:
        for model in provider.models:
            for name in (
                model.id,
                model.id.upper(),
                f"{model.id}-20260102",
                model.id.replace("-20", "-2025-12-11"),
            ):
                assert resolve_model(provider.id, name, patterns) == _package_model(provider.id, name), name
                compared += 1
    assert compared > 9000


def test_patterns_resolve_recorded_names_as_the_package_does(
    patterns: dict[str, list[ModelPattern]], shared_data: Path
) -> None:
    payloads = json.loads((shared_data / "genai_prices_usages.json").read_text(encoding="utf-8"))
    names = {payload["model"] for payload in payloads if payload.get("model")}
    names |= {
        payload["body"]["model"] for payload in payloads if isinstance(payload["body"].get("model"), str)
    }
    names |= {f"{name}-tts" for name in names} | {name.replace("-2025-", "-2025") for name in names}
    assert len(names) > 100
    resolved = 0
    for provider in package_providers:
        for name in names:
            expected = _package_model(provider.id, name)
            assert resolve_model(provider.id, name, patterns) == expected, (provider.id, name)
            resolved += expected is not None
    assert resolved > 250


def test_duckdb_resolves_names_as_the_reference_does(patterns: dict[str, list[ModelPattern]]) -> None:
    names = [
        "gemini-2.5-flash-lite",
        "gemini-2.5-pro-tts",
        "gemini-3.8-flash",
        "claude-opus-5-5",
        "gemini-2.5-pro-TTS-x",
    ]
    connection = duckdb.connect()
    found = connection.execute(
        """
        select names.name, arg_min(patterns.model, patterns.priority) as model
        from unnest($names) as names (name)
        left join read_csv($file, all_varchar = false) as patterns
            on patterns.provider = 'google'
            and regexp_matches(lower(names.name), patterns.pattern_1)
            and coalesce(regexp_matches(lower(names.name), patterns.pattern_2), true)
            and coalesce(regexp_matches(lower(names.name), patterns.pattern_3), true)
        group by names.name
        """,
        {"names": names, "file": str(REFERENCE / "model_patterns.csv")},
    ).fetchall()
    assert dict(found) == {name: resolve_model("google", name, patterns) for name in names}
    invalid = connection.execute(
        "select count(*) from read_csv($file) where regexp_matches('x', pattern_1) is null",
        {"file": str(REFERENCE / "model_patterns.csv")},
    ).fetchone()
    assert invalid == (0,)


def test_aliases_are_normalised_unique_and_known(book: pa.Table) -> None:
    known = set(zip(book["provider"].to_pylist(), book["model"].to_pylist(), strict=True))
    with (REFERENCE / "model_aliases.csv").open(encoding="utf-8") as file:
        aliases = list(csv.DictReader(file))
    assert len(aliases) > 500
    assert len({(row["alias"], row["provider"]) for row in aliases}) == len(aliases)
    for row in aliases:
        assert normalise_alias(row["alias"]) == row["alias"]
        assert (row["provider"], row["model"]) in known, row
    lookup = {(row["alias"], row["provider"]): row["model"] for row in aliases}
    assert (
        lookup[normalise_alias("Claude4.5Sonnet"), "aws"]
        == "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    )
    assert lookup[normalise_alias("gpt 4.1 mini"), "azure"] == "gpt-4.1-mini"
    assert lookup[normalise_alias("gpt-4o-mini-0718"), "azure"] == "gpt-4o-mini"


def test_provider_names_join_to_one_row(book: pa.Table) -> None:
    with (REFERENCE / "provider_names.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [row["otel_name"] for row in rows]
    assert len(names) > 10 and len(set(names)) == len(names) and all(names)
    assert {row["price_provider"] for row in rows} - {""} <= set(book["provider"].to_pylist())


def test_recorded_payloads_cost_what_the_package_says(
    rows: list[PriceRow], patterns: dict[str, list[ModelPattern]], shared_data: Path
) -> None:
    payloads = json.loads((shared_data / "genai_prices_usages.json").read_text(encoding="utf-8"))
    compared = _compare_payloads(rows, patterns, payloads, datetime(2026, 11, 1, 2, 30))
    compared += _compare_payloads(rows, patterns, payloads, datetime(2025, 7, 1, 12))
    assert compared > 1500


def _compare_payloads(
    rows: list[PriceRow], patterns: dict[str, list[ModelPattern]], payloads: list[dict], moment: datetime
) -> int:
    by_model: dict[tuple[str, str], list[PriceRow]] = {}
    for row in rows:
        by_model.setdefault((row.provider, row.model), []).append(row)
    compared = 0
    for payload in payloads:
        for extracted in payload["extracted"]:
            usage = extracted["usage"]
            if not set(usage) <= USAGE_KEYS or "input_tokens" not in usage:
                continue
            for provider_id in {extractor["provider_id"] for extractor in extracted["extractors"]}:
                model = resolve_model(provider_id, payload.get("model") or "", patterns)
                of_model = by_model.get((provider_id, model or ""))
                if not of_model:
                    continue
                compared += _compare_usage(of_model, provider_id, payload["model"], usage, moment)
    return compared


def _compare_usage(
    rows: list[PriceRow], provider_id: str, name: str, usage: dict[str, int], moment: datetime
) -> int:
    provider = next(p for p in package_providers if p.id == provider_id)
    model = provider.find_model(name, all_providers=package_providers)
    assert model is not None
    if "reasoning" in str(model.prices):
        return 0
    expected = model.calc_price(Usage(**usage), provider, genai_request_timestamp=moment.replace(tzinfo=UTC))
    one_hour = usage.get("cache_write_1h_tokens", 0)
    five_minutes = (
        usage.get("cache_write_tokens", usage.get("cache_write_5m_tokens", 0) + one_hour) - one_hour
    )
    cached = usage.get("cache_read_tokens", 0)
    tokens = {
        "uncached_input_tokens": usage["input_tokens"] - cached - one_hour - five_minutes,
        "cache_read_tokens": cached,
        "cache_write_5m_tokens": five_minutes,
        "cache_write_1h_tokens": one_hour,
        "output_tokens": usage.get("output_tokens", 0),
    }
    cost = Decimal(0)
    for token_class, count in tokens.items():
        use = _use(moment, provider_id, rows[0].model, token_class, total_input_tokens=usage["input_tokens"])
        found = find_price(rows, use)
        if found is not None:
            cost += build_list_cost(count, found.price_per_mtok)
    assert cost == expected.total_price, (provider_id, name, usage)
    return 1
