"""Budgets by owner, feature, team and driver, from plain files to `budgets`."""
