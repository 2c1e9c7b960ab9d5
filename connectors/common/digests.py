"""The one way to name content by a digest.

What belongs here: digests of strings and files. What must not: choosing what is digested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path


def build_digest(*parts: str | None) -> str:
    """Return 32 hex digits that name the sequence of parts; None differs from the empty string.

    Every part is written with its length, so that ("a", "bc") and ("ab", "c") differ.
    """
    hasher = hashlib.blake2b(digest_size=16)
    for part in parts:
        hasher.update(encode_part(part))
    return hasher.hexdigest()


def encode_part(part: str | None) -> bytes:
    """Return one part as the bytes that `build_digest` reads."""
    if part is None:
        return b"~;"
    encoded = part.encode("utf-8", "surrogatepass")
    return b"%d:%b;" % (len(encoded), encoded)


def build_digests(texts: Iterable[bytes], prefix: str) -> list[str]:
    """Return one digest a text, each begun with the same prefix (many texts, so a tight loop)."""
    base = hashlib.blake2b(encode_part(prefix), digest_size=16)
    results: list[str] = []
    for text in texts:
        hasher = base.copy()
        hasher.update(text)
        results.append(hasher.hexdigest())
    return results


def build_settings_digest(settings: Mapping[str, object]) -> str:
    """Return the digest of plain settings (JSON values), independent of key order."""
    return build_digest(json.dumps(settings, sort_keys=True, default=str))


def read_file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
