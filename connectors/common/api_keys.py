"""Names of API keys: an id or a digest may be kept, a key itself never.

What belongs here: telling a key from its name. What must not: reading credentials.
"""

from __future__ import annotations

import hashlib
import re

from connectors.common.identity import Identity

_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
"""SHA-256, or a UUID with its dashes: keys of Azure and Datadog are 32 or 40 such digits, and are no digests."""
_ID = re.compile(r"(key|apikey|api_key|vk|user|svcacct|wrkspc|proj)_[A-Za-z0-9]{1,40}")
_SECRET = re.compile(
    r"^(bearer\s|basic\s|sk[-_]|pk[-_]|rk[-_]|gsk_|xai-|hf_|r8_|pplx-|fw_|csk-|nvapi-|lsv2_|AIza|ya29\.|eyJ|ghp_|"
    r"AKIA|ASIA|SG\.|xox)",
    re.I,
)
_LONG_TOKEN = re.compile(r"[A-Za-z0-9+/_=-]{24,}")


def build_api_key_id(text: str | None, identity: Identity) -> str | None:
    """Return the name of a key as the lake may hold it: ids, digests and short names as they are, keys hashed.

    What looks like a key (a known prefix, or a long token of mixed letters and digits) is hashed with the run's
    identity key; where pseudonymising is switched off, by SHA-256.
    """
    if text is None or not (name := text.strip()):
        return None
    if _DIGEST.fullmatch(name) or _ID.fullmatch(name) or not _looks_secret(name):
        return name
    if identity.is_pseudonymising:
        return identity.pseudonymise(name)
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _looks_secret(name: str) -> bool:
    if _SECRET.search(name):
        return True
    return (
        bool(_LONG_TOKEN.fullmatch(name))
        and any(c.isdigit() for c in name)
        and any(c.isalpha() for c in name)
    )
