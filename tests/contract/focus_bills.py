"""Small FOCUS bills for tests: real files, written with the standard library.

What belongs here: writing bills. What must not: assertions, or code of the connector.
"""

from __future__ import annotations

import csv
import gzip
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

LINE = {
    "BilledCost": "1.25",
    "EffectiveCost": "1.20",
    "ListCost": "1.50",
    "ContractedCost": "1.25",
    "BillingAccountId": "acct-1",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2026-10-01T00:00:00Z",
    "BillingPeriodEnd": "2026-11-01T00:00:00Z",
    "ChargePeriodStart": "2026-10-05T00:00:00Z",
    "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    "ChargeCategory": "Usage",
    "ServiceName": "Amazon EC2",
    "ProviderName": "AWS",
    "InvoiceIssuerName": "Amazon Web Services, Inc.",
    "SkuId": "sku-1",
    "ResourceId": "NULL",
    "ConsumedQuantity": "3",
    "Tags": '{"feature": "search", "secret": "s3cret"}',
}
"""One line of a bill; tests change what they are about."""


def line(**changes: str) -> dict[str, str]:
    """Return a line that differs from `LINE` in the given columns."""
    return LINE | changes


def write_bill(
    path: Path,
    lines: Iterable[Mapping[str, str]],
    columns: Iterable[str] = tuple(LINE),
    modified_at: datetime | None = None,
) -> Path:
    """Write a CSV bill (gzipped when the name ends in .gz), optionally with a time of change (UTC, naive)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.name.endswith(".gz") else open
    with opener(path, "wt", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(columns), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    if modified_at is not None:
        seconds = modified_at.replace(tzinfo=UTC).timestamp()
        os.utime(path, (seconds, seconds))
    return path
