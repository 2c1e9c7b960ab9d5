"""AWS's map columns: reading one, and which of its keys mean a configured tag.

What belongs here: spellings of tag keys in CUR 2.0. What must not: attribution (`connectors/common/bills/tags.py`).

AWS writes one tag in several ways: `user:team` (as in the console), `user_team` (CUR 2.0 normalises keys),
`resourceTags/user:team`, `accountTag/team`, `iamPrincipal/team` (the newer map `tags`). A configured key means
all of them; written with its prefix it means that one only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from connectors.common.parsing import load_json

_RESOURCE_PREFIX = re.compile(r"^(?:resourceTags/)?(?:user[:_])?")
_OTHER_PREFIX = re.compile(r"^(?:accountTag|costCategory|iamPrincipal|userAttribute)/(?:user[:_])?")
_SEPARATORS = re.compile(r"[^a-z0-9]+")

SPLIT_COLUMNS: dict[str, tuple[str, ...]] = {
    "split_cluster": ("aws_eks_cluster_name", "aws_ecs_clustername"),
    "split_namespace": ("aws_eks_namespace",),
    "split_workload": ("aws_eks_workload_name", "aws_eks_deployment", "aws_ecs_servicename"),
    "split_workload_kind": ("aws_eks_workload_type",),
}
"""Column → tags by which split cost allocation names the owner of a pod or task."""


@lru_cache(maxsize=20_000)
def read_map(text: str) -> Mapping[str, str]:
    """Return a map column's content; what is no JSON object holds nothing."""
    if not text:
        return {}
    try:
        content = load_json(text)
    except ValueError:
        return {}
    if isinstance(content, list):  # Parquet maps that were written as pairs
        content = dict(pair for pair in content if isinstance(pair, list) and len(pair) == 2)
    if not isinstance(content, dict):
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str) and value}


def choose_tags(maps: Iterable[Mapping[str, str]], wanted: Iterable[str]) -> dict[str, str]:
    """Return the value of every wanted key that some map holds, the closest spelling of the first map first."""
    keys = tuple(wanted)
    best: dict[str, tuple[int, int, str, str]] = {}
    for position, content in enumerate(maps):
        for written, value in content.items():
            for key in keys:
                rank = _rank(written, key)
                found = (rank, position, written, value)
                if rank and (key not in best or found < best[key]):
                    best[key] = found
    return {key: found[3] for key, found in best.items()}


def read_split_tag(text: str, column: str) -> str | None:
    """Return what a pod's or task's tags say for one of `SPLIT_COLUMNS`."""
    content = {_normalise(key): value for key, value in read_map(text).items()}
    return next((content[key] for key in SPLIT_COLUMNS[column] if key in content), None)


def _rank(written: str, key: str) -> int:
    """Return how closely a written key means a configured one: 1 is best, 0 not at all."""
    if written == key:
        return 1
    bare = _RESOURCE_PREFIX.sub("", written, count=1)
    if bare == key:
        return 2
    if _normalise(bare) == _normalise(key):
        return 3
    other = _OTHER_PREFIX.sub("", written, count=1)
    return 4 if other != written and _normalise(other) == _normalise(key) else 0


def _normalise(key: str) -> str:
    return _SEPARATORS.sub("_", key.lower()).strip("_")
