"""OpenRouter's activity, as its OpenAPI document says (GET /activity, ActivityItem).

What belongs here: the key, the 30 completed days, errors and answers. What must not: everycent's code.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tests.servers.rest import Reply, Request

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
ORDINARY_KEY = "sk-or-v1-ordinary-0123456789abcdef"


@dataclass
class OpenRouterServer:
    """A route of `RestServer`: `items` are what happened by day; each reply of `faults` is given once, in turn.

    `completed` is the newest day that it tells of: a day is told once it is over, and not always at once.
    """

    today: date
    items: dict[date, list[dict[str, Any]]] = field(default_factory=dict)
    faults: list[Reply] = field(default_factory=list)
    completed: date | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, day: date, usage: str = "0.015", **more: Any) -> None:
        """Add an item; money is given as the text that stands in the answer."""
        item = {
            "date": day.isoformat(),
            "model": "openai/gpt-4.1",
            "model_permaslug": "openai/gpt-4.1-2025-04-14",
            "endpoint_id": "550e8400-e29b-41d4-a716-446655440000",
            "provider_name": "OpenAI",
            "byok_usage_inference": 0,
            "requests": 5,
            "prompt_tokens": 50,
            "completion_tokens": 125,
            "reasoning_tokens": 25,
        }
        self.items.setdefault(day, []).append(item | more | {"usage": _Exact(usage)})

    def __call__(self, request: Request) -> Reply:
        with self._lock:
            if self.faults:
                return self.faults.pop(0)
        given = request.headers.get("Authorization", "")
        if given == f"Bearer {ORDINARY_KEY}":
            return _error(403, "Only management keys can perform this operation")
        if given != f"Bearer {KEY}":
            return _error(401, f"No auth credentials found: {given}")
        if request.method != "GET" or request.path != "/api/v1/activity":
            return _error(404, "Not Found")
        return self._answer(request.query)

    def _answer(self, query: Mapping[str, str]) -> Reply:
        days = sorted(self.items)
        if "date" in query:
            day = date.fromisoformat(query["date"])
            if not self.today - timedelta(days=30) <= day < self.today:
                return _error(400, "Date must be within the last 30 (completed) UTC days")
            days = [day]
        newest = self.completed or self.today - timedelta(days=1)
        told = [item for day in days if day <= newest for item in self.items.get(day, ())]
        text = json.dumps({"data": told}, default=str)
        for item in told:
            text = text.replace(f'"{item["usage"]}"', str(item["usage"]), 1)
        return Reply(200, text, {"Content-Type": "application/json"})


class _Exact:
    """A number that is written as its own text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def _error(status: int, message: str) -> Reply:
    return Reply(status, {"error": {"code": status, "message": message}})
