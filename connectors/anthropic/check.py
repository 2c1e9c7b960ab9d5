"""What `everycent sources check` tries for an Anthropic source.

What belongs here: one step a right, in plain words. What must not: landing anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from connectors.anthropic.reports import fetch_costs, fetch_organization, fetch_usage, open_api
from connectors.anthropic.settings import Settings
from connectors.common.apis.bucketed_reports import Bucket
from connectors.common.apis.trials import try_until_unreachable
from connectors.common.apis.windows import Window
from connectors.common.contract import CheckStep, ConnectorError


def check_source(settings: Settings) -> Iterator[CheckStep]:
    """Yield whether there is a key, whose it is, and whether one page of usage and one of costs can be read."""
    try:
        api = open_api(settings, settings.trial_patience)
    except ConnectorError as error:
        yield CheckStep("key", False, str(error))
        for name in ("organization", "usage", "costs"):
            yield CheckStep(name, None, "not tried without a key")
        return
    yield CheckStep("key", True, f"{settings.api_key_env} is set")
    now = datetime.now(UTC).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    window = Window(now - timedelta(days=1), now)
    tries: list[tuple[str, Callable[[], str]]] = [
        ("organization", lambda: f"organization {fetch_organization(api)}")
    ]
    if settings.usage:
        tries.append(("usage", lambda: _describe(fetch_usage(api, settings, window), window)))
    if settings.costs:
        tries.append(("costs", lambda: _describe(fetch_costs(api, window), window)))
    with api:
        yield from try_until_unreachable(tries)


def _describe(found: dict[date, list[Bucket]], window: Window) -> str:
    results = sum(len(bucket.results) for buckets in found.values() for bucket in buckets)
    return f"the report answers: {results} rows of {window.start.date()}"
