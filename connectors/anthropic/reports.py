"""Asking Anthropic: requests, what a refusal means, and buckets as they come.

What belongs here: addresses, parameters, errors in words. What must not: what the fields of a result mean.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from connectors.anthropic import schema
from connectors.anthropic.settings import Settings
from connectors.common.apis.bucketed_reports import Bucket, fetch_days
from connectors.common.apis.http_api import HttpApi, Patience, read_api_key
from connectors.common.apis.report_rows import read_text
from connectors.common.apis.windows import Window
from connectors.common.parsing import parse_instant
from connectors.common.source_files import FileFault

_REFUSALS = {
    401: "Anthropic does not know the key; set an Admin API key (sk-ant-admin…), an ordinary API key has no right to "
    "reports",
    403: "the key may not read reports; an organization admin makes Admin API keys in the Console (individual accounts "
    "have none)",
    404: "Anthropic knows no such report; correct `endpoint`",
}


def open_api(settings: Settings, patience: Patience | None = None) -> HttpApi:
    """Return the API with the key that the settings name, as patient as they say unless told otherwise.

    Raises TerminalError without a key.
    """
    key = read_api_key(settings.api_key_env, "an Admin API key of the Anthropic organization")
    headers = {"x-api-key": key, "anthropic-version": schema.API_VERSION}
    return HttpApi(settings.endpoint, headers, refusals=_REFUSALS, patience=patience or settings.patience)


def fetch_organization(api: HttpApi) -> str:
    """Return the id of the organization that the key is of. Raises ConnectorError."""
    content = api.fetch(schema.ORGANIZATION_PATH).content
    found = read_text(content, "id") if isinstance(content, dict) else None
    if found is None:
        raise FileFault(
            "damaged_answer",
            f"{schema.ORGANIZATION_PATH}: names no organization; state `organization_id` in the config",
        )
    return found


def fetch_usage(api: HttpApi, settings: Settings, window: Window) -> dict[date, list[Bucket]]:
    """Return the usage buckets of a window by day. Raises ConnectorError."""
    width = settings.bucket_width
    limit = min(schema.MOST_BUCKETS[width], len(window.days) * schema.BUCKETS_A_DAY[width])
    params = [*_window_params(window, width, limit), *(("group_by[]", name) for name in settings.group_by)]
    headers = {"anthropic-beta": schema.FAST_MODE_BETA} if "speed" in settings.group_by else {}
    return fetch_days(api, schema.USAGE_PATH, params, window, read_bucket, headers=headers)


def fetch_costs(api: HttpApi, window: Window) -> dict[date, list[Bucket]]:
    """Return the cost buckets of a window by day. Raises ConnectorError."""
    params = _window_params(window, "1d", len(window.days))
    params += [("group_by[]", "workspace_id"), ("group_by[]", "description")]
    return fetch_days(api, schema.COST_PATH, params, window, read_bucket)


def _window_params(window: Window, width: str, limit: int) -> list[tuple[str, str]]:
    return [
        ("starting_at", write_instant(window.start)),
        ("ending_at", write_instant(window.end)),
        ("bucket_width", width),
        ("limit", str(limit)),
    ]


def write_instant(moment: datetime) -> str:
    """Return a UTC time as Anthropic writes it."""
    return f"{moment.isoformat()}Z"


def read_bucket(entry: dict[str, Any]) -> Bucket:
    """Return a bucket of a page. Raises KeyError, TypeError, ValueError for what is none."""
    start, end = (parse_instant(entry[name]) for name in ("starting_at", "ending_at"))
    results = entry["results"]
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise TypeError("results are no list of objects")
    return Bucket(start, end, tuple(results))
