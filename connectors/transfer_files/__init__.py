"""Byte flows between zones, from plain files to `transfers`."""
