"""Errors that nobody expected of an input, in words: their kind and place, never their text, which may be content.

What belongs here: which errors those are, and how they are told. What must not: errors that connectors raise in words.
"""

from __future__ import annotations

from pathlib import Path
from traceback import extract_tb

from polars.exceptions import PanicException

UNEXPECTED = (Exception, PanicException)
"""What reading hostile input may raise; a panic of polars is no Exception, and would end the night."""


def describe_unexpected(error: BaseException) -> str:
    """Return the kind of an error and where in our connectors it came up."""
    own = [frame for frame in extract_tb(error.__traceback__) if "connectors" in Path(frame.filename).parts]
    place = f" at {'/'.join(Path(own[-1].filename).parts[-2:])}:{own[-1].lineno}" if own else ""
    return f"{type(error).__name__}{place}"
