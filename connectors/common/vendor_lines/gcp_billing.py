"""Lines of a detailed Google Cloud billing export, in Google's own terms.

What belongs here: the columns that staging needs to make FOCUS charges of them. What must not: reading files.
"""

from __future__ import annotations

from connectors.common.dataset_types import INSTANT, LINE_COLUMNS, MONEY, TEXT, Dataset, build_schema

GCP_COST_LINES = Dataset(
    "gcp_cost_lines",
    build_schema(
        **LINE_COLUMNS,
        billing_account_id=TEXT,
        billing_period_start=INSTANT,
        billing_currency=TEXT,
        billed_cost=MONEY,
        invoice_issuer_name=TEXT,
    ),
    ("billing_period_start", "month"),
)
"""One row a row of the export, its credits as columns by type."""
