"""Daily totals of the Query API as a file of cost lines: what is left where there is neither export nor report.

What belongs here: asking page by page, and writing what came as CSV. What must not: landing it.

The answer is coarse: at most two dimensions, no quantities, prices, resources or tags beyond those. The client does
not follow pages by itself, and its numbers pass through floats; both are done here, exactly.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.rest import HttpRequest

from connectors.azure_cost_exports.management import READER, describe_error
from connectors.azure_cost_exports.reports import last_day
from connectors.azure_cost_exports.settings import GROUP_COLUMNS, Settings
from connectors.common.contract import TerminalError

if TYPE_CHECKING:
    from azure.mgmt.costmanagement import CostManagementClient
    from azure.mgmt.costmanagement.models import QueryDefinition

_COST_NAMES = ("Cost", "CostInBillingCurrency", "PreTaxCost", "totalCost")
_DAY_NAMES = ("UsageDate", "Date")
_MOST_PAGES = 10_000


def fetch_usage(client: CostManagementClient, settings: Settings, month: date, today: date) -> bytes:
    """Return a month's daily totals as CSV in the columns of a cost file, ordered; header only when there is no cost.

    Raises ConnectorError when Azure refuses, TerminalError when the answer has no cost, day or currency.
    """
    definition = _build_definition(settings, month, today)
    action = f"query the cost of {month:%Y-%m}"
    try:
        columns, rows = _fetch_pages(client, settings, definition)
    except AzureError as error:
        raise describe_error(error, settings, action, READER) from error
    return _write_lines(settings, columns, rows)


def _build_definition(settings: Settings, month: date, today: date) -> QueryDefinition:
    from azure.mgmt.costmanagement import models

    period: Any = {
        "from": f"{month.isoformat()}T00:00:00Z",
        "to": f"{last_day(month, today).isoformat()}T23:59:59Z",
    }
    return models.QueryDefinition(
        type="ActualCost",
        timeframe="Custom",
        time_period=models.QueryTimePeriod(period),
        dataset=models.QueryDataset(
            granularity="Daily",
            aggregation={"totalCost": models.QueryAggregation(name="Cost", function="Sum")},
            grouping=[models.QueryGrouping(type="Dimension", name=name) for name in settings.group_by],
        ),
    )


def _fetch_pages(
    client: CostManagementClient, settings: Settings, definition: QueryDefinition
) -> tuple[list[str], list[list[Any]]]:
    """Return column names and all rows; every further page is the same question, posted to the link of the last."""
    text: Any = client.query.usage(
        (settings.scope or "").strip("/"), definition, cls=lambda answer, _, __: answer.http_response.text()
    )
    columns: list[str] = []
    rows: list[list[Any]] = []
    for _ in range(_MOST_PAGES):
        if not text:
            return columns, rows
        properties = json.loads(text, parse_float=Decimal)["properties"]
        columns = columns or [column["name"] for column in properties["columns"]]
        rows += properties["rows"]
        link = properties.get("nextLink")
        if not link:
            return columns, rows
        answer = client.send_request(HttpRequest("POST", link, json=definition.as_dict()))
        if answer.status_code >= 400:
            raise HttpResponseError(response=answer)
        text = answer.text()
    raise TerminalError(f"{settings.name}: the query has more than {_MOST_PAGES} pages; group by less")


def _write_lines(settings: Settings, columns: list[str], rows: list[list[Any]]) -> bytes:
    fixed = [
        "Date",
        "CostInBillingCurrency",
        "BillingCurrency",
        "ChargeType",
        "BillingAccountId",
        "MeterCategory",
    ]
    grouped = {column: GROUP_COLUMNS[column] for column in columns if column in GROUP_COLUMNS}
    header = [*fixed, *(name for name in dict.fromkeys(grouped.values()) if name not in fixed)]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, header, lineterminator="\n")
    writer.writeheader()
    lines = [_build_line(settings, dict(zip(columns, row, strict=True)), grouped) for row in rows]
    writer.writerows(sorted(lines, key=lambda line: [line.get(name, "") for name in header]))
    return stream.getvalue().encode()


def _build_line(settings: Settings, row: dict[str, Any], grouped: dict[str, str]) -> dict[str, str]:
    day, cost = _choose(settings, row, _DAY_NAMES), _choose(settings, row, _COST_NAMES)
    line = {
        "Date": str(day)[:10] if "-" in str(day) else f"{int(day):08d}",
        "CostInBillingCurrency": f"{Decimal(cost):f}",
        "BillingCurrency": str(_choose(settings, row, ("Currency", "BillingCurrency"))),
        "ChargeType": "Usage",
        "BillingAccountId": (settings.scope or "").strip("/").lower(),
    }
    return line | {name: str(row[column] or "") for column, name in grouped.items() if row[column]}


def _choose(settings: Settings, row: dict[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if row.get(name) is not None:
            return row[name]
    message = f"{settings.name}: the answer of the query has none of the columns {', '.join(names)}"
    raise TerminalError(f"{message}; tell us with the columns it has: {', '.join(sorted(row))}")
