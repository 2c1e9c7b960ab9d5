"""Datadog's usage metering API, as its published schema says, over usage that a test states.

What belongs here: paths, parameters, pages, headers and shapes of answers. What must not: usage of any test.

Source: https://docs.datadoghq.com/api/latest/usage-metering/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.servers.rest import Reply, Request

API_KEY = "0123456789abcdef0123456789abcdef"
APPLICATION_KEY = "fedcba9876543210fedcba9876543210fedcba98"


@dataclass
class Datadog:
    """Usage: (hour, family, usage type) → value; (hour, usage type, tag value) → value; (hour, index) → events."""

    totals: dict[tuple[datetime, str, str], int] = field(default_factory=dict)
    by_tag: dict[tuple[datetime, str, str], float] = field(default_factory=dict)
    by_index: dict[tuple[datetime, str], int] = field(default_factory=dict)
    tag: str = "service"
    is_attributed: bool = True
    page_size: int = 500
    failures: list[Reply] = field(default_factory=list)
    organisation: str = "abc123"

    def route(self, request: Request) -> Reply:
        """Answer one request."""
        if request.headers.get("DD-API-KEY") != API_KEY:
            return Reply(401, {"errors": ["Unauthorized"]})
        if request.headers.get("DD-APPLICATION-KEY") != APPLICATION_KEY:
            return Reply(403, {"errors": ["Forbidden"]})
        if self.failures:
            return self.failures.pop(0)
        query = request.query
        if request.path == "/api/v2/usage/hourly_usage":
            return self._answer_totals(query)
        if request.path == "/api/v1/usage/hourly-attribution":
            return self._answer_tags(query) if self.is_attributed else Reply(403, {"errors": ["Forbidden"]})
        if request.path == "/api/v1/usage/logs_by_index":
            return self._answer_indexes(query)
        return Reply(404, {"errors": ["Not found"]})

    def _answer_totals(self, query: Mapping[str, str]) -> Reply:
        start, end = _hour(query["filter[timestamp][start]"]), _hour(query["filter[timestamp][end]"])
        families = query["filter[product_families]"].split(",")
        entries = [
            {
                "id": f"{hour:%Y%m%d%H}-{family}-{usage_type}",
                "type": "usage_timeseries",
                "attributes": {
                    "measurements": [{"usage_type": usage_type, "value": value}],
                    "org_name": "Acme",
                    "product_family": family,
                    "public_id": self.organisation,
                    "region": "us",
                    "timestamp": f"{hour:%Y-%m-%dT%H}:00:00+00:00",
                },
            }
            for (hour, family, usage_type), value in sorted(self.totals.items())
            if start <= hour < end and family in families
        ]
        page, following = self._page(entries, query.get("page[next_record_id]"))
        return Reply(body={"data": page, "meta": {"pagination": {"next_record_id": following}}})

    def _answer_tags(self, query: Mapping[str, str]) -> Reply:
        start, end = _hour(query["start_hr"]), _hour(query["end_hr"])
        entries = [
            {
                "hour": f"{hour:%Y-%m-%dT%H}",
                "org_name": "Acme",
                "public_id": self.organisation,
                "region": "us",
                "tag_config_source": "tag",
                "tags": {self.tag: [value] if value else []},
                "total_usage_sum": amount,
                "updated_at": f"{hour + timedelta(hours=9):%Y-%m-%dT%H}",
                "usage_type": usage_type,
            }
            for (hour, usage_type, value), amount in sorted(self.by_tag.items())
            if start <= hour < end and usage_type == query["usage_type"]
        ]
        page, following = self._page(entries, query.get("next_record_id"))
        return Reply(body={"usage": page, "metadata": {"pagination": {"next_record_id": following}}})

    def _answer_indexes(self, query: Mapping[str, str]) -> Reply:
        start, end = _hour(query["start_hr"]), _hour(query["end_hr"])
        entries = [
            {
                "hour": f"{hour:%Y-%m-%dT%H}",
                "index_id": index,
                "index_name": index,
                "event_count": events,
                "org_name": "Acme",
                "public_id": self.organisation,
                "retention": 15,
            }
            for (hour, index), events in sorted(self.by_index.items())
            if start <= hour < end
        ]
        return Reply(body={"usage": entries})

    def _page(self, entries: Sequence[Any], cursor: str | None) -> tuple[Sequence[Any], str | None]:
        start = int(cursor or 0)
        end = start + self.page_size
        return entries[start:end], str(end) if end < len(entries) else None


def _hour(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H")  # noqa: DTZ007 (naive UTC)
