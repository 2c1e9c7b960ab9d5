"""Runs the SQL models over immutable files and publishes releases.

What belongs here: the layer between the lake's files and a release. What must not: dagster, connectors,
vendor names, a clock (the edge passes `now`).
"""
