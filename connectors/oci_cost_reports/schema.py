"""The columns of Oracle's FOCUS reports, and how they become those of FOCUS.

What belongs here: names. What must not: reading files.

Oracle's reports carry the names of FOCUS's preview and Oracle's own columns, `oci_…` (in some reports `x_oci_…`);
should Oracle move to the names of FOCUS 1.0 and later, those are read too.
"""

from __future__ import annotations

from connectors.common.bills import focus_format

SCHEMA_VERSION = 1
"""Raise it when the same report would be typed differently."""

REFERENCE = "oci_ReferenceNumber"
BACK_REFERENCE = "oci_BackReferenceNumber"
COMPARTMENT_COLUMNS = ("oci_CompartmentName", "oci_CompartmentId")
"""May be named in `tags` of the config as if they were tag keys."""

OWN_COLUMNS = (
    REFERENCE,
    *COMPARTMENT_COLUMNS,
    "oci_OverageFlag",
    "oci_UnitPriceOverage",
    "oci_BilledQuantityOverage",
    "oci_CostOverage",
    "oci_AttributedUsage",
    "oci_AttributedCost",
    BACK_REFERENCE,
)

RENAMES: dict[str, str] = {
    "InvoiceIssuer": "InvoiceIssuerName",
    "Provider": "ProviderName",
    "Publisher": "PublisherName",
    "Region": "RegionId",
    "UsageQuantity": "ConsumedQuantity",
    "UsageUnit": "ConsumedUnit",
    **{f"x_{name}": name for name in OWN_COLUMNS},
}
"""Name in Oracle's report → name of FOCUS 1.0, or Oracle's own without the prefix."""

REQUIRED: tuple[str | tuple[str, ...], ...] = tuple(
    name for name in focus_format.REQUIRED if name not in ("EffectiveCost", "ContractedCost", "ListCost")
)
"""Oracle's reports have no contracted cost; other costs may be left out by older ones."""

KNOWN_NOT_KEPT = frozenset({*OWN_COLUMNS, "ChargeSubcategory", "ChargeSubCategory"})


def is_measure(column: str) -> bool:
    """Tell whether a column differs between a line and its correction though both are about the same usage."""
    return column in OWN_COLUMNS and column not in COMPARTMENT_COLUMNS or focus_format.is_measure(column)
