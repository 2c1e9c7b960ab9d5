"""What AdditionalInfo and Tags of an Azure line become: price details in FOCUS's words, configured tags.

What belongs here: JSON of lines. What must not: costs and dates (`cost_columns.py`).

AdditionalInfo holds whatever a service wants to say, names of machines among it: only the keys below leave it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import pyarrow as pa

from connectors.common.dataset_types import TEXT

_DETAILS = {
    "ServiceType": "InstanceType",
    "ServerSku": "InstanceType",
    "VMSize": "InstanceType",
    "VCPUs": "CoreCount",
    "VCores": "CoreCount",
    "vCores": "CoreCount",
    "ImageType": "OperatingSystem",
}
"""Key of AdditionalInfo → key of FOCUS's SkuPriceDetails (as FinOps hubs map them)."""

_NUMBERS = frozenset({"CoreCount"})
_LONGEST = 100


def build_detail_columns(texts: pa.Array) -> dict[str, pa.Array]:
    """Return `sku_price_details` and `instance_type` of lines; each distinct text is parsed once."""
    encoded = texts.dictionary_encode()
    details = [read_details(text) for text in encoded.dictionary.to_pylist()]
    written = [json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None for found in details]
    instances = [None if found is None else found.get("InstanceType") for found in details]
    return {
        "sku_price_details": pa.array(written, TEXT).take(encoded.indices),
        "instance_type": pa.array(instances, TEXT).take(encoded.indices),
    }


def read_details(text: str | None) -> dict[str, str | int] | None:
    """Return the known details of one AdditionalInfo; None when it is no JSON object or holds none."""
    if text is None:
        return None
    stripped = text.strip()
    try:
        content = json.loads(stripped if stripped.startswith("{") else "{" + stripped + "}")
    except (ValueError, RecursionError):
        return None
    return _choose_details(content) or None


def _choose_details(content: Mapping[str, object]) -> dict[str, str | int]:
    found: dict[str, str | int] = {}
    for key, meant in _DETAILS.items():
        value = content.get(key)
        if meant in found or isinstance(value, bool) or not isinstance(value, str | int):
            continue
        written = str(value).strip()
        if not written.isascii() or not 0 < len(written) <= _LONGEST:
            continue
        if meant not in _NUMBERS:
            found[meant] = written
        elif written.isdecimal():
            found[meant] = int(written)
    return found
