"""Who a person is, made unreadable: the one function that normalises and keyed-hashes user identifiers.

What belongs here: normalising an identifier, hashing it, and the same for whole columns. Every connector,
budget, owner, configured user tag and principal goes through it, so that the same person meets himself.
What must not: where the key comes from (the edge reads it), or mapping a hash back to a name.
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

_SCHEME = "mailto:"
_KEY_ID_PURPOSE = b"everycent identity key id"
_KEY_ID_HEX = 4
_DIGEST_HEX = 20


def normalise_identifier(value: str | None) -> str | None:
    """Return the comparable form of an identifier: NFKC, trimmed, lower-case, no `mailto:`; None when empty.

    Applied until nothing changes, so that normalising twice is the same as once.
    """
    if value is None:
        return None
    text, previous = value, None
    while text != previous:
        previous = text
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower()).strip()
        text = text.removeprefix(_SCHEME).strip()
    return text or None


@dataclass(frozen=True)
class Identity:
    """How user identifiers enter the lake.

    With `is_pseudonymising` a keyed hash `u_<key id>_<digest>` takes the place of the identifier; the key id
    tells which key made it, so that a changed key shows instead of splitting people silently. Without it the
    normalised text is kept.
    """

    key: bytes | None = field(repr=False)
    is_pseudonymising: bool = True

    def __post_init__(self) -> None:
        if self.is_pseudonymising and not self.key:
            raise ValueError(
                "Identity: pseudonymising is on but there is no key. Set the environment variable that "
                "identity.key_env names, or set identity.pseudonymise to false."
            )

    @classmethod
    def switched_off(cls) -> Identity:
        """Return an identity that keeps identifiers readable (normalised only)."""
        return cls(key=None, is_pseudonymising=False)

    @cached_property
    def key_id(self) -> str:
        """Four hex digits that name the key without revealing it; `none` when switched off."""
        if not self.is_pseudonymising or self.key is None:
            return "none"
        return hmac.digest(self.key, _KEY_ID_PURPOSE, hashlib.sha256).hex()[:_KEY_ID_HEX]

    def pseudonymise(self, value: str | None) -> str | None:
        """Return the identifier as the lake may hold it; None for None or empty text.

        A value that looks like one of our hashes is hashed like any other: nothing is guessed.
        """
        text = normalise_identifier(value)
        if text is None or not self.is_pseudonymising or self.key is None:
            return text
        digest = hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"u_{self.key_id}_{digest.hex()[:_DIGEST_HEX]}"

    def pseudonymise_array(self, column: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Return a text column with `pseudonymise` applied; each distinct value is hashed once."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.string())
        encoded = array.cast(pa.string()).dictionary_encode()
        replaced = pa.array([self.pseudonymise(text) for text in encoded.dictionary.to_pylist()], pa.string())
        return replaced.take(encoded.indices)

    def pseudonymise_series(self, column: pl.Series) -> pl.Series:
        """Return a polars text column with `pseudonymise` applied to each value."""
        import polars as pl

        return pl.Series(column.name, self.pseudonymise_array(column.to_arrow()), dtype=pl.String)
