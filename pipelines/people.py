"""From a person to the hash that stands for him: with the key of the config, for commands that only read.

What belongs here: finding the key, hashing what a person typed, and words for when that does not help. What must
not: how an id is hashed (`connectors.common.identity`), or showing the key.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from connectors.common.identity import Identity
from pipelines.warehouse.errors import PublishError
from pipelines.warehouse.release import Release, ReleaseStore

if TYPE_CHECKING:
    from pipelines.config import Config

_HASH = re.compile(r"u_[0-9a-f]{4}_[0-9a-f]{20}")
_NO_USER = "none"


def find_identity(config: Config | None) -> Identity | None:
    """Return how the config hashes users; None where its key is not set, or there is no config."""
    if config is None:
        return None
    settings = config.identity
    if not settings.pseudonymise:
        return Identity.switched_off()
    key = settings.key_bytes() or os.environ.get(settings.key_env, "").encode()
    return Identity(key) if key else None


def is_hash(user: str) -> bool:
    """Tell whether a user id has the form of our hashes."""
    return _HASH.fullmatch(user) is not None


def is_known_user(release: Release, user: str) -> bool:
    """Tell whether a release holds this user id as it stands; so it does the word for cost without a user."""
    if user == _NO_USER:
        return True
    with ReleaseStore(release.home).reading(release) as connection:
        found = connection.execute(
            "select 1 from core.owners_dim where user_id = ? limit 1", [user]
        ).fetchone()
    return found is not None


def choose_user(release: Release, given: str, identity: Identity | None) -> str:
    """Return the hash of a user that the release does not know as given.

    Raises PublishError where it knows neither, or there is no key to hash with.
    """
    if is_hash(given):
        raise PublishError(f"The release {release.name} knows no user {given!r}. {_SEE_USERS}")
    if identity is None:
        raise PublishError(
            f"The release {release.name} knows no user {given!r}: users stand in it as hashes. For the id of a person "
            "give --config FILE and set the identity key as for a nightly run (identity.key_env names the variable). "
            f"{_SEE_USERS}"
        )
    hashed = identity.pseudonymise(given)
    if hashed is None or not is_known_user(release, hashed):
        raise PublishError(
            f"The release {release.name} knows no user {given!r}, nor its hash {hashed}. Is it the key that the "
            f"nightly runs with? Hashes of this key begin with u_{identity.key_id}. {_SEE_USERS}"
        )
    return hashed


_SEE_USERS = (
    'See which there are: everycent query "select user_id, sum(effective_cost) as cost from marts.cost_daily '
    'group by user_id order by cost desc"'
)
