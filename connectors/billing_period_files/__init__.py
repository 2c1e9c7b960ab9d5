"""Billing periods that issuers call open or closed, from plain files or the FOCUS 1.4 dataset, to `billing_periods`."""
