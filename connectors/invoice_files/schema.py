"""Columns of an `invoices` file: plain names, or those of the FOCUS 1.4 Invoice Detail dataset.

What belongs here: column names and kinds. What must not: code that reads files.
"""

from __future__ import annotations

from connectors.common.datasets import INVOICES
from connectors.common.plain_files import Kind, PlainColumn, PlainFormat

FORMAT = PlainFormat(
    INVOICES,
    (
        PlainColumn("invoice_id", is_required=True, aliases=("InvoiceId",)),
        PlainColumn("invoice_issuer_name", is_required=True, aliases=("InvoiceIssuerName", "issuer")),
        PlainColumn("billing_account_id", aliases=("BillingAccountId", "account")),
        PlainColumn(
            "billing_period_start", Kind.MONTH, is_required=True, aliases=("BillingPeriodStart", "period")
        ),
        PlainColumn("billing_period_end", Kind.INSTANT, aliases=("BillingPeriodEnd",)),
        PlainColumn("billing_currency", is_required=True, aliases=("BillingCurrency", "currency")),
        PlainColumn("invoice_total", Kind.MONEY, is_required=True, aliases=("BilledCost", "total")),
        PlainColumn("is_tax_included", Kind.FLAG, default="true"),
        PlainColumn("invoice_issued_at", Kind.INSTANT, aliases=("InvoiceIssueDate",)),
        PlainColumn("invoice_detail_id", aliases=("InvoiceDetailId",)),
        PlainColumn("invoice_status", aliases=("InvoiceIssueStatus",)),
        PlainColumn("invoice_last_updated_at", Kind.INSTANT, aliases=("InvoiceDetailLastUpdated",)),
    ),
)
