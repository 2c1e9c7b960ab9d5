"""Deploys, scale-ups and restarts, from plain files to `events`."""
