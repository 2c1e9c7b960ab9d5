"""An error in words, and the exit code that it means.

What belongs here: which kind of error ends a command how. What must not: catching anything.
"""

from __future__ import annotations

from rich.text import Text
from typer.exceptions import Abort, TyperException

from pipelines.config.problems import ConfigError
from pipelines.results import ExitCode
from pipelines.terminal.console import error_console
from pipelines.warehouse.errors import ArgumentError
from pipelines.warehouse.query import QueryError


def print_error(error: Exception) -> ExitCode:
    """Print what failed, where and what to do, and return the exit code."""
    console = error_console()
    console.print(Text("everycent: ", style="bold red") + Text(_sentence(error)), soft_wrap=True)
    return exit_code_of(error)


def exit_code_of(error: Exception) -> ExitCode:
    """Return 3 for what the user can correct in the config or the arguments, 1 for all else."""
    if isinstance(error, ConfigError | TyperException | QueryError | ArgumentError):
        return ExitCode.BAD_CONFIG
    return ExitCode.NOTHING_PUBLISHED


def _sentence(error: Exception) -> str:
    if isinstance(error, Abort):
        return "stopped."
    if isinstance(error, TyperException):
        return f"{error.format_message().replace(': Value error, ', ': ')} See everycent --help."
    if type(error).__module__.startswith(("connectors.", "pipelines.", "reports.")):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}."
    return (
        f"something failed that should not: {type(error).__name__}: {error}. Nothing was published. "
        "Run again with EVERYCENT_DEBUG=1 to see where, and report it with that text."
    )
