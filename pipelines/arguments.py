"""From what stands on the command line to typed values: days, weeks, moments, config, home, release.

What belongs here: reading arguments and their defaults. What must not: commands, or heavy imports.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipelines.config import Config
    from pipelines.progress import Progress
    from pipelines.warehouse.release import Release

CONFIG_NAME = "everycent.yml"
CONFIG_VARIABLE = "EVERYCENT_CONFIG"
_OR_HOME = ", or --home DIR, the folder of lake/ and warehouse/ (of the sample: home/sample)"


def parse_day(text: str) -> date:
    """Return the day that `2026-11-19` means. Raises typer.BadParameter."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day; write it as 2026-11-19.") from None


def parse_moment(text: str) -> datetime:
    """Return a moment in UTC without zone; without an offset the text is UTC. Raises typer.BadParameter."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is no time; write it as 2026-11-19T06:00 (UTC) or with an offset."
        raise typer.BadParameter(message) from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def parse_week(text: str) -> str:
    """Return the name of an ISO week in one form, such as `2026-W47`. Raises typer.BadParameter."""
    found = re.fullmatch(r"(\d{4})-?W(\d{2})", text.strip().upper())
    try:
        if not found:
            raise ValueError
        date.fromisocalendar(int(found[1]), int(found[2]), 1)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no ISO week; write it as 2026-W47.") from None
    return f"{found[1]}-W{found[2]}"


def find_config_file(option: Path | None) -> Path | None:
    """Return the config file to use: the option, `./everycent.yml`, or what EVERYCENT_CONFIG names."""
    if option is not None:
        return option
    beside = Path(CONFIG_NAME)
    if beside.is_file():
        return beside
    named = os.environ.get(CONFIG_VARIABLE)
    return Path(named) if named else None


def read_config(
    option: Path | None, *, is_identity_key_needed: bool, instead: str = "; docs/config.md shows one"
) -> Config:
    """Return the checked config. Raises ConfigError, and typer.BadParameter when there is no file to read.

    `instead` ends what is advised then.
    """
    file = find_config_file(option)
    if file is None:
        message = (
            f"there is no config: no --config, no ./{CONFIG_NAME}, and {CONFIG_VARIABLE} is not set. "
            f"Give --config FILE{instead}."
        )
        raise typer.BadParameter(message)
    from pipelines.config import load_config

    return load_config(file, is_identity_key_needed=is_identity_key_needed)


def read_config_if_any(option: Path | None, home: Path | None) -> Config | None:
    """Return the checked config for a command that only reads; None if there is none but a home is given."""
    if home is not None and find_config_file(option) is None:
        return None
    return read_config(option, is_identity_key_needed=False, instead=_OR_HOME)


def choose_home(config_option: Path | None, home: Path | None) -> Path:
    """Return the home of a command that only reads: `--home`, else the one that the config names."""
    if home is not None:
        return home
    return read_config(config_option, is_identity_key_needed=False, instead=_OR_HOME).home


def choose_release(config_option: Path | None, home: Path | None, name: str | None) -> Release:
    """Return the release to read: the one named, else the current one. Raises PublishError without one."""
    from pipelines.warehouse.release import ReleaseStore

    store = ReleaseStore(choose_home(config_option, home))
    return store.find(name) if name else store.current()


def choose_release_if_any(config_option: Path | None, home: Path | None, name: str | None) -> Release | None:
    """Return the release to read, or None when nothing was ever published. A name must exist."""
    from pipelines.warehouse.release import ReleaseStore

    store = ReleaseStore(choose_home(config_option, home))
    return choose_release(config_option, home, name) if name or store.pointer.is_symlink() else None


def choose_release_as_of(settings: Config, home: Path, as_of: datetime | None, progress: Progress) -> Release:
    """Return the current release, or the side release of what was known at `as_of`, built if need be."""
    from pipelines.warehouse.release import Release, ReleaseStore

    if as_of is None:
        return ReleaseStore(home).current()
    from pipelines.defs.nightly import run_nightly
    from pipelines.night.as_of import AS_OF_FINDINGS
    from pipelines.warehouse.errors import PublishError

    result = run_nightly(settings, home=home, today=None, as_of=as_of, since=None, progress=progress)
    if result.release_path is None:
        reasons = " ".join(result.failed_checks) or "The run gave no reason."
        raise PublishError(f"There is no release of what was known at {as_of}. {reasons}")
    for warning in (*result.source_faults, *result.warnings):
        if any(kind in warning for kind in AS_OF_FINDINGS):
            typer.echo(warning, err=True)
    return Release(result.release_path)
