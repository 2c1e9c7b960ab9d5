"""Invoices as their issuers total them, from plain files or FOCUS 1.4 Invoice Detail, to `invoices`."""
