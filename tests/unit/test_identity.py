"""The identity function: the same person gives the same hash, and nothing readable stays."""

from __future__ import annotations

import re

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.common.identity import Identity, normalise_identifier

IDENTITY = Identity(key=b"a key for tests")
SHAPE = re.compile(r"u_[0-9a-f]{4}_[0-9a-f]{20}")


@pytest.mark.parametrize(
    "written",
    [
        "ada@example.com",
        " Ada@Example.com\n",
        "mailto:ADA@example.com",
        "MAILTO: ada@example.com",
        "ａｄａ@example.com",
    ],
)
def test_spellings_of_one_person_meet(written: str) -> None:
    assert normalise_identifier(written) == "ada@example.com"
    assert IDENTITY.pseudonymise(written) == IDENTITY.pseudonymise("ada@example.com")


def test_a_known_vector_never_changes() -> None:
    """History joins on these hashes: a change of the function would split every user in two."""
    assert IDENTITY.pseudonymise("ada@example.com") == "u_fdbb_c56a120419b88d89e1a2"


@pytest.mark.parametrize("empty", [None, "", "  ", "mailto:", " mailto: \t"])
def test_nothing_stays_nothing(empty: str | None) -> None:
    assert IDENTITY.pseudonymise(empty) is None
    assert Identity.switched_off().pseudonymise(empty) is None


def test_a_hash_is_hashed_like_any_other_value() -> None:
    once = IDENTITY.pseudonymise("ada@example.com")
    assert once is not None
    assert IDENTITY.pseudonymise(once) not in (None, once)


def test_another_key_gives_another_hash_and_another_key_id() -> None:
    other = Identity(key=b"another key")
    assert other.key_id != IDENTITY.key_id
    assert other.pseudonymise("ada") != IDENTITY.pseudonymise("ada")


def test_switched_off_keeps_the_normalised_text() -> None:
    assert Identity.switched_off().pseudonymise(" Mailto:Ada ") == "ada"


@pytest.mark.parametrize("key", [None, b""])
def test_pseudonymising_without_a_key_is_refused(key: bytes | None) -> None:
    with pytest.raises(ValueError, match="no key"):
        Identity(key=key, is_pseudonymising=True)


def test_the_key_is_not_printed() -> None:
    assert "a key for tests" not in repr(IDENTITY)


@given(st.text())
def test_normalising_twice_is_the_same_as_once(value: str) -> None:
    once = normalise_identifier(value)
    assert normalise_identifier(once) == once


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_gives_a_hash_of_one_shape_or_nothing(value: str) -> None:
    result = IDENTITY.pseudonymise(value)
    if normalise_identifier(value) is None:
        assert result is None
    else:
        assert result is not None and SHAPE.fullmatch(result)
        assert IDENTITY.pseudonymise(f"  mailto:{value} ") == result


@given(st.lists(st.none() | st.text(max_size=8)))
def test_a_column_is_treated_as_its_values(values: list[str | None]) -> None:
    expected = [IDENTITY.pseudonymise(value) for value in values]
    assert IDENTITY.pseudonymise_array(pa.array(values, pa.string())).to_pylist() == expected
    chunked = pa.chunked_array([pa.array(values, pa.string()), pa.array(values, pa.string())])
    assert IDENTITY.pseudonymise_array(chunked).to_pylist() == expected + expected
    assert IDENTITY.pseudonymise_series(pl.Series("u", values, dtype=pl.String)).to_list() == expected


def test_an_empty_chunked_column_stays_empty() -> None:
    assert IDENTITY.pseudonymise_array(pa.chunked_array([], pa.string())).to_pylist() == []
