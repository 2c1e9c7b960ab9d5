"""Columns of a `billing_periods` file: plain names, or those of the FOCUS 1.4 Billing Period dataset.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import BILLING_PERIODS
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

STATUSES = ("open", "closed", "Open", "Closed")
"""FOCUS writes them with a capital; case does not matter."""

FORMAT = PlainFormat(
    BILLING_PERIODS,
    (
        PlainColumn("invoice_issuer_name", is_required=True, aliases=("InvoiceIssuerName", "issuer")),
        PlainColumn("billing_account_id", aliases=("BillingAccountId", "account")),
        PlainColumn(
            "billing_period_start", Kind.MONTH, is_required=True, aliases=("BillingPeriodStart", "period")
        ),
        PlainColumn("billing_period_end", Kind.INSTANT, aliases=("BillingPeriodEnd",)),
        PlainColumn(
            "billing_period_status",
            is_required=True,
            choices=STATUSES,
            aliases=("BillingPeriodStatus", "status"),
        ),
        PlainColumn(
            "billing_period_last_updated_at", Kind.INSTANT, aliases=("BillingPeriodLastUpdated", "updated_at")
        ),
    ),
)
