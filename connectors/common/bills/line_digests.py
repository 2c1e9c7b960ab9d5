"""Names of bill lines by their content: 128-bit digests, whole columns at a time.

What belongs here: the digest's definition and its arithmetic. What must not: which columns a line has.

**Definition.** All arithmetic is on unsigned 64-bit numbers modulo 2^64; a digest is a pair (word 0, word 1).

- `mix(x)`: x ^= x >> 30; x *= 0xBF58476D1CE4E5B9; x ^= x >> 27; x *= 0x94D049BB133111EB; x ^= x >> 31
  (the finaliser of splitmix64: a bijection in which every bit of x changes about half the bits of the result).
- A column has the person P = blake2b-128 of its UTF-8 name, and the keys k0..k3 = the four little-endian 64-bit
  words of blake2b-256("keys", person=P).
- A text value has the digest blake2b-128 of its UTF-8 bytes with person=P, read as two little-endian words.
- A number (decimal at 12 digits as its integer count of 1e-12, time as its microseconds since 1970) is a 128-bit
  two's complement integer (low, high) with the digest
  (mix(mix(low ^ k0) + (high ^ k1)), mix(mix(low ^ k2) + (high ^ k3))).
- The sum of a line is, word by word, the sum of the digests of all its columns that are not null.
- The digest of a line under a seed (s0, s1) = blake2b-128 of the feed's name is
  (mix(a + mix(b ^ s1)), mix(b + mix(a ^ s0))) with (a, b) = sum + (s0, s1).

So a digest depends on the non-null values with their columns' names and on the feed; not on order, file, engine or
library version. The digest without measures has the same definition over the remaining columns.

**Collisions.** Values of different lines meet in the sum as independent 128-bit numbers: two different lines among n
share a digest by chance with probability about n^2 / 2^129 (n = 10^9: 10^-21). Numbers are mixed by a fixed mixer, not
by a cryptographic hash, and sums of many cryptographic hashes can be forged by who chooses all values: a vendor who
wanted to could deliver two different lines of one digest. Nothing is lost then: lines of one digest are numbered, so
both stay, both are paid for, and their ids stay unique.

**Content** of many lines is order-independent: four words, word j the sum over lines of
mix(word 0 + mix(word 1 ^ c_j)), c_j the words of blake2b-256("content"): a multiset digest modulo 2^256. It is written
as blake2b-128 of these words and the number of lines.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Words = npt.NDArray[np.uint64]

_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_CACHED_VALUES = 20_000
_HEX_OF_TWO_BYTES = np.frombuffer(
    b"".join(b"%02x%02x" % (pair & 255, pair >> 8) for pair in range(1 << 16)), dtype="S4"
).view(np.uint32)


def mix(words: Words) -> Words:
    """Return the mixed words (see the module); the argument is overwritten."""
    words ^= words >> np.uint64(30)
    words *= _FIRST
    words ^= words >> np.uint64(27)
    words *= _SECOND
    words ^= words >> np.uint64(31)
    return words


@dataclass(frozen=True)
class Seed:
    """What begins the digests of one feed."""

    first: np.uint64
    second: np.uint64

    @classmethod
    def of(cls, *parts: str) -> Seed:
        """Return the seed of a feed's name (and of what else tells its lines apart)."""
        hasher = hashlib.blake2b(digest_size=16)
        for part in parts:
            encoded = part.encode("utf-8", "surrogatepass")
            hasher.update(b"%d:%b;" % (len(encoded), encoded))
        return cls(*_words(hasher.digest()))


class ColumnHasher:
    """Digests of one column's values; distinct texts are hashed once and remembered up to a limit."""

    def __init__(self, name: str) -> None:
        self._person = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        keys = hashlib.blake2b(b"keys", digest_size=32, person=self._person).digest()
        self._keys = _words(keys)
        self._known: dict[str, bytes] = {}

    def add_text(self, column: pa.DictionaryArray, sums: tuple[Words, ...]) -> None:
        """Add the digests of a text column to every one of the sums, in place."""
        if column.null_count == len(column):
            return
        digests = self._hash_texts(column.dictionary.to_pylist(), len(column))
        self._spread(digests, column.indices, sums)

    def add_numbers(self, column: pa.Array, sums: tuple[Words, ...]) -> None:
        """Add the digests of a decimal(38,12) or timestamp(us) column to every one of the sums, in place."""
        if column.null_count == len(column):
            return
        low, high = read_integers(column)
        k0, k1, k2, k3 = self._keys
        first = mix(mix(low ^ k0) + (high ^ k1))
        second = mix(mix(low ^ k2) + (high ^ k3))
        if column.null_count:
            is_null = column.is_null().to_numpy(zero_copy_only=False)
            first[is_null] = 0
            second[is_null] = 0
        for total in sums:
            total[0] += first
            total[1] += second

    def _spread(self, digests: Words, indices: pa.Array, sums: tuple[Words, ...]) -> None:
        count = digests.shape[1]
        if count == 1 and not indices.null_count:
            for total in sums:
                total += digests
            return
        if indices.null_count:
            digests = np.concatenate([digests, np.zeros((2, 1), np.uint64)], axis=1)
            indices = indices.fill_null(count)
        places = indices.to_numpy()
        first, second = digests[0].take(places), digests[1].take(places)
        for total in sums:
            total[0] += first
            total[1] += second

    def _hash_texts(self, texts: list[str], rows: int) -> Words:
        person = self._person
        known = self._known
        blake = hashlib.blake2b
        if len(texts) * 4 > rows and len(texts) > 1024:
            joined = b"".join(
                [blake(text.encode(), digest_size=16, person=person).digest() for text in texts]
            )
        else:
            if len(known) > _CACHED_VALUES:
                known.clear()
            digests = []
            for text in texts:
                digest = known.get(text)
                if digest is None:
                    digest = known[text] = blake(text.encode(), digest_size=16, person=person).digest()
                digests.append(digest)
            joined = b"".join(digests)
        return np.ascontiguousarray(np.frombuffer(joined, "<u8").astype(np.uint64).reshape(-1, 2).T)


def finish_digests(sums: Words, seed: Seed) -> Words:
    """Return the digests of lines from the sums of their columns; `sums` has one row a word."""
    first, second = sums[0] + seed.first, sums[1] + seed.second
    result = np.empty_like(sums)
    result[0] = mix(first + mix(second ^ seed.second))
    result[1] = mix(second + mix(first ^ seed.first))
    return result


class ContentDigest:
    """The order-independent digest of many lines, added up batch by batch."""

    def __init__(self) -> None:
        self._keys = _words(hashlib.blake2b(b"content", digest_size=32).digest())
        self._words = np.zeros(4, np.uint64)
        self.lines = 0

    def add(self, digests: Words) -> None:
        """Add lines by their digests."""
        for number, key in enumerate(self._keys):
            lines = mix(digests[0] + mix(digests[1] ^ key))
            self._words[number : number + 1] += lines.sum(dtype=np.uint64)
        self.lines += digests.shape[1]

    def hexdigest(self) -> str:
        """Return 32 hex digits."""
        content = self._words.astype("<u8").tobytes() + self.lines.to_bytes(8, "little")
        return hashlib.blake2b(content, digest_size=16).hexdigest()


def build_hex_texts(digests: Words, suffix: bytes = b"") -> pa.Array:
    """Return digests as text: 32 hex digits each, and the same suffix on all."""
    rows = digests.shape[1]
    width = 32 + len(suffix)
    pairs = np.ascontiguousarray(digests.T.astype("<u8")).view("<u2").reshape(rows, 8)
    characters = _HEX_OF_TWO_BYTES.take(pairs).view(np.uint8).reshape(rows, 32)
    if suffix:
        whole = np.empty((rows, width), np.uint8)
        whole[:, :32] = characters
        whole[:, 32:] = np.frombuffer(suffix, np.uint8)
        characters = whole
    offsets = np.arange(rows + 1, dtype=np.int64) * width
    if offsets[-1] > np.iinfo(np.int32).max:
        raise OverflowError("a batch of lines is too large")
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(characters)]
    return pa.Array.from_buffers(pa.string(), rows, buffers)


def read_integers(column: pa.Array) -> tuple[Words, Words]:
    """Return (low, high) words of a decimal128 or 64-bit column as two's complement; nulls hold anything."""
    if pa.types.is_decimal128(column.type):
        words = np.frombuffer(column.buffers()[1], np.uint64)
        words = words[2 * column.offset : 2 * (column.offset + len(column))].reshape(-1, 2)
        return np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1])
    values = np.frombuffer(column.buffers()[1], np.int64)[column.offset : column.offset + len(column)]
    return values.view(np.uint64).copy(), (values >> np.int64(63)).view(np.uint64)


def _words(content: bytes) -> tuple[np.uint64, ...]:
    return tuple(np.frombuffer(content, "<u8").astype(np.uint64))
