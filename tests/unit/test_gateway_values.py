"""Values as gateways write them, and names of API keys: read for what they are, or not at all."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.api_keys import build_api_key_id
from connectors.common.gateway_values import (
    find_text,
    reach,
    read_count,
    read_instant,
    read_list,
    read_mapping,
    read_money,
    read_plain_name,
    read_seconds,
    read_tags,
)
from connectors.common.identity import Identity

IDENTITY = Identity(b"a key for tests")
MOMENT = datetime(2026, 11, 19, 10, 0, 0, 250000)


@pytest.mark.parametrize(
    "value",
    [
        MOMENT,
        MOMENT.replace(tzinfo=UTC),
        MOMENT.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=9))),
        "2026-11-19 10:00:00.250000",
        "2026-11-19T10:00:00.250Z",
        "2026-11-19T11:00:00.250+01:00",
        "2026-11-19 10:00:00.250000000",
        1795082400.25,
        "1795082400.25",
        1795082400250,
        1795082400250000,
        1795082400250000000,
    ],
)
def test_every_spelling_of_a_time_is_the_same_moment(value: object) -> None:
    assert read_instant(value) == MOMENT


@pytest.mark.parametrize(
    "value", [None, "", "soon", float("nan"), float("inf"), 17, True, [], "9" * 400, "2026-13-01"]
)
def test_what_is_no_time_is_none(value: object) -> None:
    assert read_instant(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1 + 0.2, "0.300000000000"),
        (2.25e-4, "0.000225000000"),
        ("0.1234567890125", "0.123456789013"),
        (7, "7.000000000000"),
        (Decimal("1.5"), "1.500000000000"),
        ("-3", "-3.000000000000"),
        (float("nan"), None),
        ("1e400", None),
        ("1e999999999", None),
        (True, None),
        ("a", None),
        (None, None),
    ],
)
def test_money_is_exact_or_none(value: object, expected: str | None) -> None:
    assert read_money(value) == (None if expected is None else Decimal(expected))


@given(st.floats(min_value=0, max_value=1e6, allow_nan=False))
def test_a_double_is_read_by_its_shortest_decimal(amount: float) -> None:
    read = read_money(amount)
    assert read is not None
    assert abs(read - Decimal(repr(amount))) <= Decimal("0.0000000000005")


def test_counts_and_seconds_are_never_negative() -> None:
    assert [read_count(value) for value in ("3", 3.0, "3.5", -1, "x", None)] == [3, 3, None, None, None, None]
    assert read_seconds(1750, digits=3) == Decimal("1.750000")
    assert read_seconds(-1) is None and read_seconds("0.25") == Decimal("0.250000")


def test_objects_are_opened_wherever_they_are_written() -> None:
    record = {
        "metadata": '{"attributes": "{\\"gen_ai.system\\": \\"openai\\"}"}',
        "a.b": 1,
        "a": {"b": 2, "c.d": {"e": 3}},
    }
    assert reach(record, "metadata.attributes.gen_ai.system") == "openai"
    assert (reach(record, "a.b"), reach(record, "a.c.d.e"), reach(record, "a.x")) == (1, 3, None)
    assert read_mapping([("a", 1), ("b", 2)]) == {"a": 1, "b": 2}
    assert read_mapping("[1]") == {} and read_mapping("{broken") == {} and read_mapping(5) == {}
    assert read_list('["a"]') == ["a"] and read_list('{"a": 1}') == []


def test_the_first_tag_of_a_key_counts_and_bare_words_are_none() -> None:
    tags = read_tags('["feature:chat", "feature:other", "bare", "env=prod", "url:http://x", ":empty", "no:"]')
    assert tags == {"feature": "chat", "env": "prod", "url": "http://x"}
    assert find_text({"a": None, "b": "NULL", "c": {"d": 1}}, ("a", "b", "c", "tag:env"), tags) == "prod"


def test_a_name_of_an_error_is_a_name() -> None:
    assert read_plain_name("RateLimitError") == "RateLimitError"
    assert read_plain_name("the model said no") is None


@pytest.mark.parametrize(
    "name",
    [
        "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
        "44444444-0000-4000-8000-000000000001",
        "key_abc123DEF",
        "apikey_01Rj2N8SVvo6BePZj99NhmiT",
        "search-team",
    ],
)
def test_ids_and_digests_of_keys_stay(name: str) -> None:
    assert build_api_key_id(f" {name} ", IDENTITY) == name


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-xyz",
        "Bearer abc",
        "AIzaSyA1234567890",
        "gsk_abcdef123456",
        "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9v",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef01234567",
    ],
)
def test_what_looks_like_a_key_is_hashed(key: str) -> None:
    assert build_api_key_id(key, IDENTITY) == IDENTITY.pseudonymise(key)
    plain = build_api_key_id(key, Identity.switched_off())
    assert plain == hashlib.sha256(key.encode()).hexdigest()


def test_no_key_is_no_name() -> None:
    assert build_api_key_id(None, IDENTITY) is None and build_api_key_id("  ", IDENTITY) is None
