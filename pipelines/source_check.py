"""Trying a source's connection: which sources are asked, and what came of it.

What belongs here: choosing sources and gathering their steps. What must not: trying anything (each connector's
`check` does), or printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from connectors.common.contract import CheckStep, ConnectorError
from connectors.common.registry import check

if TYPE_CHECKING:
    from connectors.common.settings import SourceSettings
    from pipelines.config import Config


class UnknownSource(ValueError):
    """A source was named that the config does not have."""


def choose_sources(config: Config, names: Sequence[str]) -> tuple[SourceSettings, ...]:
    """Return the sources of these names, in the config's order; all when none is named. Raises UnknownSource."""
    known = {source.name: source for source in config.sources}
    for name in names:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise UnknownSource(f"the config has no source {name!r}; its sources: {listed}.")
    return tuple(source for source in config.sources if not names or source.name in names)


def try_source(source: SourceSettings) -> Iterator[CheckStep]:
    """Yield each step as it is done; what a connector did not expect is a step that failed."""
    try:
        yield from check(source)
    except ConnectorError as error:
        yield CheckStep("connection", False, str(error))


def is_all_well(steps: Sequence[CheckStep]) -> bool:
    """Tell whether no step failed; one that was not tried follows one that failed, or is not needed."""
    return bool(steps) and all(step.is_ok is not False for step in steps)
