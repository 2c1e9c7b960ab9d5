"""Addresses and resources of services, from plain files to `workloads`."""
