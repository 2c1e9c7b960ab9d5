"""Trying an API step by step, as `everycent sources check` shows it.

What belongs here: turning what is tried into steps. What must not: what a vendor is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from connectors.common.apis.http_api import ApiUnreachableError
from connectors.common.contract import CheckStep, ConnectorError


def try_until_unreachable(tries: Sequence[tuple[str, Callable[[], str]]]) -> Iterator[CheckStep]:
    """Yield a step for each name and what is tried under it, which returns what was found.

    Once no connection comes about the rest is not tried: it would fail as long and with the same words.
    """
    for position, (name, attempt) in enumerate(tries):
        try:
            yield CheckStep(name, True, attempt())
        except ApiUnreachableError as error:
            yield CheckStep(name, False, str(error))
            for other, _ in tries[position + 1 :]:
                yield CheckStep(other, None, "not tried: the API cannot be reached")
            return
        except ConnectorError as error:
            yield CheckStep(name, False, str(error))
