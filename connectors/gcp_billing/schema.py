"""The fields of Google's billing export, flat names for them, and how they become `gcp_cost_lines`.

What belongs here: names and kinds. What must not: code that reads tables or files.
"""

from __future__ import annotations

import re
from enum import StrEnum

SCHEMA_VERSION = 1
"""Raise it when the same rows would be typed differently; every delivery is then typed again."""

ISSUER = "Google Cloud"
"""Who issues the invoices of these lines."""


class Kind(StrEnum):
    """How a field is written in the flat rows: always as text, the same text whatever it was read from."""

    TEXT = "text"
    NUMBER = "number"
    INSTANT = "instant"
    LIST = "list"


_TEXT_FIELDS = {
    "billing_account_id": "billing_account_id",
    "invoice.month": "invoice_month",
    "cost_type": "cost_type",
    "service.id": "service_id",
    "service.description": "service_name",
    "sku.id": "sku_id",
    "sku.description": "sku_description",
    "project.id": "project_id",
    "project.number": "project_number",
    "project.name": "project_name",
    "project.ancestry_numbers": "project_ancestry_numbers",
    "location.location": "location",
    "location.country": "country",
    "location.region": "region",
    "location.zone": "zone",
    "resource.name": "resource_name",
    "resource.global_name": "resource_global_name",
    "currency": "billing_currency",
    "usage.unit": "usage_unit",
    "usage.pricing_unit": "pricing_unit",
    "adjustment_info.id": "adjustment_id",
    "adjustment_info.description": "adjustment_description",
    "adjustment_info.type": "adjustment_type",
    "adjustment_info.mode": "adjustment_mode",
    "transaction_type": "transaction_type",
    "seller_name": "seller_name",
    "subscription.instance_id": "subscription_instance_id",
    "price.unit": "price_unit",
    "consumption_model.id": "consumption_model_id",
    "consumption_model.description": "consumption_model_description",
}
_NUMBER_FIELDS = {
    "cost": "cost",
    "cost_at_list": "cost_at_list",
    "cost_at_effective_price_default": "cost_at_effective_price_default",
    "cost_at_list_consumption_model": "cost_at_list_consumption_model",
    "currency_conversion_rate": "currency_conversion_rate",
    "usage.amount": "usage_amount",
    "usage.amount_in_pricing_units": "usage_amount_in_pricing_units",
    "price.effective_price": "price_effective",
    "price.tier_start_amount": "price_tier_start_quantity",
    "price.pricing_unit_quantity": "price_unit_quantity",
    "price.list_price": "price_list",
    "price.effective_price_default": "price_effective_default",
    "price.list_price_consumption_model": "price_list_consumption_model",
}
_INSTANT_FIELDS = {
    "usage_start_time": "charge_period_start",
    "usage_end_time": "charge_period_end",
    "export_time": "export_at",
}
LIST_FIELDS: dict[str, tuple[str, ...]] = {
    "labels": ("key", "value"),
    "project.labels": ("key", "value"),
    "project.ancestors": ("resource_name", "display_name"),
    "system_labels": ("key", "value"),
    "tags": ("key", "value", "inherited", "namespace"),
    "credits": ("id", "full_name", "type", "name", "amount"),
}
"""Repeated records and their fields: flat rows hold them as JSON lists of objects, sorted."""

COLUMNS: dict[str, str] = {**_TEXT_FIELDS, **_NUMBER_FIELDS, **_INSTANT_FIELDS}
"""Flat name → column of `gcp_cost_lines`, for fields that are taken over one to one."""

KINDS: dict[str, Kind] = {
    **dict.fromkeys(_TEXT_FIELDS, Kind.TEXT),
    **dict.fromkeys(_NUMBER_FIELDS, Kind.NUMBER),
    **dict.fromkeys(_INSTANT_FIELDS, Kind.INSTANT),
    **dict.fromkeys(LIST_FIELDS, Kind.LIST),
}
"""Every field that is read, by flat name, in the order of the flat rows."""

TOP_LEVEL_FIELDS: tuple[str, ...] = tuple(dict.fromkeys(name.split(".")[0] for name in KINDS))
"""The columns of the export that are asked for."""

REQUIRED: tuple[str, ...] = (
    "billing_account_id",
    "invoice",
    "cost_type",
    "service",
    "sku",
    "usage_start_time",
    "usage_end_time",
    "cost",
    "currency",
    "credits",
    "export_time",
)
"""Without these a table is no billing export."""

DETAILED_ONLY: tuple[str, ...] = ("resource",)
"""What the standard export lacks."""

NOT_NULL: tuple[str, ...] = (
    "billing_account_id",
    "invoice.month",
    "usage_start_time",
    "usage_end_time",
    "cost",
    "currency",
    "export_time",
)
"""A line without one of these has no place in any bill: its delivery is refused."""

_MEASURE = re.compile(r"^(cost(?!_type).*|currency_conversion_rate|usage\.amount.*|price\..*|credits)$")
_DELIVERY = re.compile(r"^(export_time|adjustment_info\..*)$")


def is_measure(field: str) -> bool:
    """Tell whether a flat field may differ between a line and the line that corrects it."""
    return _MEASURE.match(field) is not None or _DELIVERY.match(field) is not None
