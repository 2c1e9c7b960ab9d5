"""Errors of the warehouse: each message says what failed, where, and what to do.

What belongs here: exception classes. What must not: anything that raises them.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Base of all errors of this package; nothing was published when one is raised."""


class ModelError(WarehouseError):
    """A file of models_sql/ is wrong: its header, its SQL or its place in the graph."""


class BuildError(WarehouseError):
    """A model could not be built from its inputs, or its result breaks its own header."""


class PublishError(WarehouseError):
    """A release could not be written, found or rolled back."""


class ArgumentError(WarehouseError):
    """What was asked for cannot be, such as a place that holds something else; nothing was begun."""


class StoppedError(WarehouseError):
    """A signal ended the run, such as SIGTERM or Ctrl-C; nothing is wrong, and nothing needs to be mended."""


class LockedError(WarehouseError):
    """Another process is writing to the same home."""
