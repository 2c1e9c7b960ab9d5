"""How API Management's logs are named and what of a record is taken; nothing besides ever leaves a record.

What belongs here: keys of objects, field names, the allow-list. What must not: reading files, arithmetic on tokens.

Sources: diagnostic categories GatewayLlmLogs and GatewayLogs of Microsoft.ApiManagement/service; tables
ApiManagementGatewayLlmLog and ApiManagementGatewayLogs. The same fields come in camel case with `properties`
(diagnostic settings) and in Pascal case without (Log Analytics): they are compared in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from connectors.common.logs.objects import LogGroup
from connectors.common.logs.requests import read_instant

_DAY = timedelta(days=1)
_DATED = re.compile(
    r"(?:(?:insights-logs|am)-[a-z0-9-]+/)?(?P<resource>.*?)/?"
    r"y=(?P<year>\d{4})/m=(?P<month>\d{2})/d=(?P<day>\d{2})/h=(?P<hour>\d{2})/m=\d{2}/[^/]+\.json(?:\.gz)?"
)
SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".csv", ".csv.gz")

CALL_FIELDS = frozenset(
    {
        "time",
        "timegenerated",
        "timegenerated [utc]",
        "category",
        "type",
        "correlationid",
        "requestid",
        "sequencenumber",
        "modelname",
        "deploymentname",
        "prompttokens",
        "completiontokens",
        "totaltokens",
        "promptcachedtokens",
        "region",
        "location",
    }
)
"""What is taken of a model call's record. RequestMessages and ResponseMessages are not among them."""

GATEWAY_FIELDS = frozenset(
    {
        "correlationid",
        "category",
        "type",
        "responsecode",
        "isrequestsuccess",
        "totaltime",
        "durationms",
        "cache",
        "lasterrorreason",
        "requestsize",
        "responsesize",
        "apimsubscriptionid",
        "productid",
        "userid",
        "apiid",
        "operationid",
        "backendid",
        "requestheaders",
        "backendrequestheaders",
    }
)
"""What is taken of the gateway's record of any call. Bodies, addresses and URLs are not among them."""

CALLER_FIELDS = ("apimsubscriptionid", "productid", "userid", "apiid", "operationid", "backendid")
HEADER_FIELDS = ("backendrequestheaders", "requestheaders")
TIMES = ("time", "timegenerated", "timegenerated [utc]")
TOKENS = ("prompttokens", "completiontokens", "totaltokens")

_CALL_CATEGORIES = frozenset({"gatewayllmlogs", "apimanagementgatewayllmlog"})
_GATEWAY_CATEGORIES = frozenset({"gatewaylogs", "apimanagementgatewaylogs"})


@dataclass(frozen=True)
class Layout:
    """`resourceId=/SUBSCRIPTIONS/…/y=2026/m=11/d=19/h=10/m=00/PT1H.json`, by hour, appended to while the hour lasts.

    A day is one delivery, with the hour before and the hour after it: rows of one call may lie in two hours. Files
    without a day in their name (results of a query) are one delivery a folder.
    """

    resource_ids: Sequence[str] = ()

    def list_prefixes(self, location: int, day: date) -> Sequence[str]:
        """The folder of a day, by service; everything where services are not stated."""
        folders = [
            f"resourceId={resource.upper()}/y={day:%Y}/m={day:%m}/d={day:%d}/"
            for resource in self.resource_ids
        ]
        return folders or ("",)

    def find_groups(self, key: str) -> Sequence[LogGroup]:
        """The days that an hour is read for."""
        if not key.lower().endswith(SUFFIXES):
            return ()
        match = _DATED.fullmatch(key)
        if match is None:
            return (LogGroup(key.rpartition("/")[0] or ".", None),)
        try:
            day = date(int(match["year"]), int(match["month"]), int(match["day"]))
        except ValueError:
            return ()
        around = {"00": (day - _DAY, day), "23": (day, day + _DAY)}.get(match["hour"], (day,))
        resource = match["resource"].lower()
        return tuple(LogGroup(f"{resource}/{each.isoformat()}".lstrip("/"), each) for each in around)

    def order(self, location: int, key: str) -> str:
        """By hour, model calls before the gateway's log of the hour."""
        return f"{read_hour(key)} {location}"


def read_hour(key: str) -> str:
    """Return the hour that an object is of, as text that sorts; empty where its name does not say."""
    match = _DATED.fullmatch(key)
    return "" if match is None else f"{match['year']}-{match['month']}-{match['day']}T{match['hour']}"


def flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the allowed fields of a record by lower-case name; `properties` win over what surrounds them."""
    wanted = CALL_FIELDS | GATEWAY_FIELDS
    flat: dict[str, Any] = {}
    for holder in (record, record.get("properties", record.get("Properties"))):
        if isinstance(holder, Mapping):
            for name, value in holder.items():
                lowered = name.lower()
                if lowered in wanted and value is not None and value != "":
                    flat[lowered] = value
    return flat


def unfold(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a query's answer (`tables` of columns and rows), or the record itself."""
    tables = record.get("tables")
    if not isinstance(tables, list):
        yield record
        return
    for table in tables:
        if isinstance(table, Mapping) and isinstance(table.get("rows"), list):
            names = [c.get("name") if isinstance(c, Mapping) else None for c in table.get("columns") or ()]
            for row in table["rows"]:
                if isinstance(row, list):
                    yield {n: v for n, v in zip(names, row, strict=False) if isinstance(n, str)}


def read_time(text: str | None) -> datetime | None:
    """Return a time in UTC: ISO 8601, or as the portal writes a result (`11/19/2026, 10:00:00.123 AM`)."""
    if text is None or "/" not in text:
        return read_instant(text)
    try:
        return datetime.strptime(f"{text} +0000", "%m/%d/%Y, %I:%M:%S.%f %p %z").replace(tzinfo=None)
    except ValueError:
        return None


def read_object(value: object) -> dict[str, Any]:
    """Return a dynamic column: an object, or its JSON as a query gives it."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return {}
    return value if isinstance(value, dict) else {}


def is_model_call(flat: Mapping[str, Any]) -> bool:
    """Tell a model call's record, by its category or else its fields."""
    kind = str(flat.get("category") or flat.get("type") or "").lower()
    if kind in _CALL_CATEGORIES or kind in _GATEWAY_CATEGORIES:
        return kind in _CALL_CATEGORIES
    return "modelname" in flat or "deploymentname" in flat or any(name in flat for name in TOKENS)


def is_gateway_call(flat: Mapping[str, Any]) -> bool:
    """Tell the gateway's own record of a call; a query may have joined it to the model call's."""
    return "responsecode" in flat or "apimsubscriptionid" in flat or "isrequestsuccess" in flat
