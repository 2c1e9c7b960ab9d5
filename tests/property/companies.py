"""Random companies for money tests: bills of three currencies and what the logs hold of the same days.

What belongs here: strategies, and turning what they drew into rows of the lake. What must not: assertions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from connectors.common.datasets import TOKEN_CLASSES
from pipelines.config.model import Config
from pipelines.config.rows import ClassificationRule
from tests.sql.chain import Inputs, Window

FIRST_DAY = datetime(2026, 11, 1)
DAYS = 3
WINDOW = Window(date(2026, 10, 1), date(2028, 1, 1), datetime(2026, 11, 20, 3))
"""Wide enough for every day of every line that can be drawn."""

RATE = Decimal("1.087654321")
"""US dollars for one euro; for yen there is no rate."""

CONFIG = Config.model_validate(
    {
        "classification": [
            ClassificationRule(
                rule_id="blended_tokens",
                service_pattern="blended",
                cost_driver="inference",
                model_pattern="(claude[0-9.]+[a-z]+)",
            )
        ],
        "shared_costs": [
            {
                "rule_id": "finders",
                "match": {"cost_driver": "support", "account": "222", "provider": "aws"},
                "split": "proportional",
                "by": {"scope": "all", "teams": ["find"]},
                "among": "teams",
            },
            {
                "rule_id": "aws",
                "match": {"provider": "aws", "service": "SUPPORT"},
                "split": "proportional",
                "by": {"scope": "all"},
            },
            {
                "rule_id": "users",
                "match": {"cost_driver": "support", "account": "222", "provider": "azure"},
                "split": "proportional",
                "by": {"scope": "all", "measure": "billed_cost"},
                "among": "owners",
            },
            {
                "rule_id": "azure",
                "match": {"provider": "azure", "service": "Support"},
                "split": "even",
                "by": {"scope": "all", "measure": "list_cost"},
            },
            {
                "rule_id": "google",
                "match": {"provider": "google", "service": "Support"},
                "split": "fixed",
                "to": [{"feature": "search", "percent": "66.6667"}, {"team": "find", "percent": "33.3333"}],
            },
        ],
    }
)


@dataclass(frozen=True)
class Feed:
    """A bill: who sends it, in what currency, and how it and the logs name a model."""

    source: str
    provider: str
    currency: str
    log_provider: str
    log_model: str
    meters: Mapping[str, str]
    service: str
    complete_until: datetime


FEEDS = (
    Feed(
        "aws_bill",
        "Amazon Web Services",
        "USD",
        "aws.bedrock",
        "sonnet",
        {
            "uncached_input_tokens": "USE1-Claude4.5Sonnet-input-tokens",
            "cache_read_tokens": "USE1-Claude4.5Sonnet-cache-read-input-token-count",
            "output_tokens": "USE1-Claude4.5Sonnet-output-tokens",
        },
        "Amazon Bedrock",
        FIRST_DAY + timedelta(days=2, hours=7),
    ),
    Feed(
        "azure_bill",
        "Microsoft",
        "EUR",
        "az.ai.openai",
        "gpt-4.1-mini",
        {
            "uncached_input_tokens": "gpt 4.1 mini Inp glbl Tokens",
            "cache_read_tokens": "gpt 4.1 mini cached Inp glbl Tokens",
            "output_tokens": "gpt 4.1 mini Outp glbl Tokens",
        },
        "Azure OpenAI",
        FIRST_DAY + timedelta(days=40),
    ),
    Feed(
        "google_bill",
        "Google Cloud",
        "JPY",
        "gcp.vertex_ai",
        "gemini-2.5-flash",
        {
            "uncached_input_tokens": "Gemini 2.5 Flash Text Input - Predictions",
            "cache_read_tokens": "Gemini 2.5 Flash Cached Text Input - Predictions",
            "output_tokens": "Gemini 2.5 Flash Text Output - Predictions",
        },
        "Vertex AI",
        FIRST_DAY + timedelta(days=1),
    ),
)
MODEL_ALIASES = (
    ("claude4-5sonnet", "aws", "claude-sonnet-4-5"),
    ("sonnet", "aws", "claude-sonnet-4-5"),
    ("gpt-4-1-mini", "azure", "gpt-4.1-mini"),
    ("gemini-2-5-flash", "google", "gemini-2.5-flash"),
)

EARLIER = timedelta(days=20)
"""From the first day back into the month before, which the window holds too."""

PERIODS: Mapping[str, tuple[timedelta, timedelta]] = {
    "hour": (timedelta(hours=5), timedelta(hours=1)),
    "day": (timedelta(0), timedelta(days=1)),
    "midnight": (timedelta(hours=23, minutes=59, seconds=59), timedelta(seconds=2)),
    "three_days": (timedelta(hours=7, minutes=13, seconds=11), timedelta(days=3)),
    "month": (timedelta(0), timedelta(days=30)),
    "year": (timedelta(0), timedelta(days=365)),
    "nothing": (timedelta(hours=12), timedelta(0)),
}
"""Name → (offset from the day's start, length) of a charge period."""

KINDS = (
    "tokens",
    "tokens",
    "blended",
    "egress",
    "monitoring",
    "compute",
    "tax",
    "credit",
    "named_credit",
    "refund",
    "searches",
    "purchase",
    "support",
    "support",
    "unused",
)

_AWS_KINDS = ("blended", "egress", "monitoring")
_CREDITS = ("credit", "named_credit", "refund")
_ENDS: Mapping[tuple[str, bool], str] = {
    ("standard", False): "",
    ("standard", True): "-long-context",
    ("batch", False): "-batch",
    ("batch", True): "-long-context-batch",
}
"""How a meter of the first feed ends, by tier and whether it is one of long prompts."""


@dataclass(frozen=True)
class Line:
    """A bill line as drawn; `quantity` is an amount of tokens, or a factor of what the logs hold that day.

    An earlier one is about the month before: of use it stands on that month's bill, of a credit on this month's.
    """

    feed: int
    kind: str
    day: int
    period: str
    account: str
    place: str | None
    token_class: str
    tag: str | None
    costs: tuple[Decimal | None, Decimal | None, Decimal | None]
    quantity: Decimal | None
    is_factor: bool
    region: str | None = None
    tier: str = "standard"
    is_long: bool = False
    is_earlier: bool = False


@dataclass(frozen=True)
class Call:
    """A model call as drawn; `feed` None is a model that nobody bills or prices."""

    feed: int | None
    day: int
    user: str | None
    feature: str | None
    trace: int
    zone: str | None
    tokens: tuple[int, int, int]
    account: str | None = None
    region: str | None = None
    tier: str | None = None
    searches: int = 0


@dataclass(frozen=True)
class Volume:
    """Bytes that something sent or logged; `place` is the zone or the emitter."""

    is_traffic: bool
    day: int
    place: str | None
    to_place: str | None
    workload: str | None
    bytes: int


@dataclass(frozen=True)
class Company:
    """What was drawn."""

    lines: tuple[Line, ...]
    calls: tuple[Call, ...]
    volumes: tuple[Volume, ...]


_MONEY = st.one_of(
    st.none(),
    st.sampled_from([Decimal(0), Decimal("1e-12"), Decimal("-1e-12"), Decimal("0.01"), Decimal(-5)]),
    st.decimals(-100, 1000, allow_nan=False, places=12),
    st.decimals(-(10**8), 10**8, allow_nan=False, places=12),
)
_COUNTS = st.one_of(st.sampled_from([0, 1, 3, 999, 1_000_000]), st.integers(0, 10**12))
_BYTES = st.one_of(st.sampled_from([0, 1, 1_000_000]), st.integers(10**15, 10**17))
_FACTORS = st.sampled_from(
    [Decimal(f) for f in ("1", "1.0002", "0.9997", "1.25", "0.5", "0.000001", "1000000")]
)
_REGIONS = st.sampled_from(["us-east-1", "us-east-1", "eu-west-1", None])
_LINES = st.builds(
    Line,
    st.integers(0, 2),
    st.sampled_from(KINDS),
    st.integers(0, DAYS - 1),
    st.sampled_from(sorted(PERIODS)),
    st.sampled_from(["111", "222"]),
    st.sampled_from([None, "search", "unknown"]),
    st.sampled_from(["uncached_input_tokens", "cache_read_tokens", "output_tokens"]),
    st.sampled_from([None, None, "search", "billing"]),
    st.tuples(_MONEY, _MONEY, _MONEY),
    st.one_of(st.none(), _FACTORS),
    st.booleans(),
    _REGIONS,
    st.sampled_from(["standard", "batch"]),
    st.booleans(),
    st.sampled_from([False, False, False, True]),
)
_CALLS = st.builds(
    Call,
    st.sampled_from([0, 0, 1, 2, None]),
    st.integers(0, DAYS - 1),
    st.sampled_from([None, "ann", "bob", "cyd"]),
    st.sampled_from([None, "search", "chat"]),
    st.integers(0, 4),
    st.sampled_from([None, "use1-az1"]),
    st.tuples(_COUNTS, _COUNTS, _COUNTS),
    st.sampled_from(["111", "111", "222", None]),
    _REGIONS,
    st.sampled_from(["standard", "standard", "batch", None]),
    st.sampled_from([0, 0, 1, 40]),
)
_VOLUMES = st.builds(
    Volume,
    st.booleans(),
    st.integers(0, DAYS - 1),
    st.sampled_from([None, "search", "unknown"]),
    st.sampled_from([None, "search"]),
    st.sampled_from([None, "search", "stranger"]),
    _BYTES,
)
companies = st.builds(
    Company,
    st.one_of(st.lists(_LINES, min_size=2, max_size=8), st.lists(_LINES, min_size=20, max_size=64)).map(
        tuple
    ),
    st.one_of(st.lists(_CALLS, max_size=8), st.lists(_CALLS, min_size=16, max_size=48)).map(tuple),
    st.one_of(st.lists(_VOLUMES, max_size=8), st.lists(_VOLUMES, min_size=8, max_size=24)).map(tuple),
)
"""Companies of a few days, many large, for running a model costs the same whatever the rows are: credits, refunds
of an earlier month, null and zero costs, three currencies; accounts, regions, tiers and long prompts of one model."""


def _sharing_line(feed: int, kind: str, cost: str, tag: str | None = None, **more: Any) -> Line:
    costs = (Decimal(cost), Decimal(cost), Decimal(cost))
    line = Line(feed, kind, 0, "month", "111", None, "output_tokens", tag, costs, None, False)
    return replace(line, **more)


SHARING = Company(
    (
        _sharing_line(0, "compute", "10", "search"),
        _sharing_line(0, "compute", "-4", "billing"),
        _sharing_line(0, "compute", "9", place="search"),
        _sharing_line(0, "compute", "30", "billing", is_earlier=True),
        _sharing_line(0, "refund", "-7.000000000001", is_earlier=True),
        _sharing_line(0, "tokens", "5", region="us-east-1", period="day"),
        _sharing_line(0, "tokens", "6", account="222", region="eu-west-1", period="day"),
        _sharing_line(0, "named_credit", "-1.000000000001"),
        _sharing_line(0, "searches", "2", period="day"),
        _sharing_line(1, "compute", "20", "billing"),
        _sharing_line(0, "support", "8.8", account="222"),
        *(_sharing_line(feed, "support", "7.7") for feed in range(3)),
        *(_sharing_line(feed, "tax", "3.333333333333") for feed in range(3)),
    ),
    (
        Call(0, 0, "ann", "search", 0, None, (1, 0, 100), "111", "us-east-1", "standard", 3),
        Call(0, 0, "bob", "chat", 0, None, (1, 0, 100), "222", "eu-west-1", "standard"),
    ),
    (),
)
"""A company in which every kind of shared cost, tax, a refund and a credit that names its charges occur."""


def build_inputs(company: Company) -> Inputs:
    """The rows that vendors would deliver of a company."""
    logged = _count_logged(company.calls)
    lake = {
        "charges": [_build_charge(n, line, logged) for n, line in enumerate(company.lines)],
        "requests": [_build_request(n, call) for n, call in enumerate(company.calls)],
        "spans": [_build_root(trace) for trace in sorted({c.trace for c in company.calls if c.trace % 2})],
        "transfers": [_build_transfer(v) for v in company.volumes if v.is_traffic],
        "telemetry": [_build_telemetry(v) for v in company.volumes if not v.is_traffic],
        "workloads": [
            {"workload_ref": "/app/search", "ref_kind": "log_group", "feature": "search", "team": "find"},
            {"workload_ref": "i-search", "ref_kind": "instance", "feature": "search", "endpoint": "/s"},
        ],
        "zones": [
            {"provider": "aws", "account_id": account, "zone_name": "search", "zone_id": "use1-az1"}
            for account in ("111", "222")
        ],
        "model_aliases": [{"alias": a, "provider": p, "model": m} for a, p, m in MODEL_ALIASES],
        "prices": list(_build_prices()),
        "fx_rates": [
            {"from_currency": "EUR", "to_currency": "USD", "rate_date": date(2026, 9, 30), "rate": RATE}
        ],
    }
    return Inputs(lake, build_bill_deliveries(lake["charges"]), CONFIG)


def build_bill_deliveries(charges: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One current delivery for each bill and billing period."""
    feeds = {feed.source: feed for feed in FEEDS}
    scopes = sorted({(c["x_source"], c["billing_account_id"], c["billing_period_start"]) for c in charges})
    return [
        {
            "source": source,
            "billing_account_id": account,
            "billing_period_start": period,
            "snapshot_id": "s1",
            "delivered_at": feeds[source].complete_until + timedelta(days=1),
            "watermark_at": feeds[source].complete_until,
        }
        for source, account, period in scopes
    ]


def negate(inputs: Inputs) -> Inputs:
    """The same company with every cost of its bills turned around."""
    return _map_charges(inputs, lambda _, cost: None if cost is None else -cost)


def scale_costs(inputs: Inputs, factor: int) -> Inputs:
    """The same company with every cost of its bills multiplied."""
    return _map_charges(inputs, lambda _, cost: None if cost is None else cost * factor)


def scale_weights(inputs: Inputs, factor: int) -> Inputs:
    """The same company with all tokens and bytes, billed and logged, multiplied."""
    lake = dict(inputs.lake)
    lake["charges"] = [_scaled(row, ("consumed_quantity",), factor) for row in lake["charges"]]
    lake["requests"] = [_scaled(row, TOKEN_CLASSES, factor) for row in lake["requests"]]
    lake["transfers"] = [_scaled(row, ("bytes",), factor) for row in lake["transfers"]]
    lake["telemetry"] = [_scaled(row, ("volume_bytes",), factor) for row in lake["telemetry"]]
    return replace(inputs, lake=lake)


def shuffle(inputs: Inputs, order: Any) -> Inputs:
    """The same rows in another order; `order` is a `random.Random`."""
    lake = {name: order.sample(list(rows), len(rows)) for name, rows in inputs.lake.items()}
    deliveries = order.sample(list(inputs.bill_deliveries), len(inputs.bill_deliveries))
    return replace(inputs, lake=lake, bill_deliveries=deliveries)


def _map_charges(inputs: Inputs, change: Any) -> Inputs:
    costs = ("billed_cost", "effective_cost", "list_cost")
    charges = [{**row, **{name: change(name, row[name]) for name in costs}} for row in inputs.lake["charges"]]
    return replace(inputs, lake={**inputs.lake, "charges": charges})


def _scaled(row: Mapping[str, Any], names: Iterable[str], factor: int) -> dict[str, Any]:
    return {**row, **{name: row[name] * factor for name in names if row.get(name) is not None}}


def _count_logged(calls: Iterable[Call]) -> Mapping[tuple[int, int, str], int]:
    logged: dict[tuple[int, int, str], int] = defaultdict(int)
    for call in calls:
        if call.feed is not None:
            for token_class, count in zip(FEEDS[0].meters, call.tokens, strict=True):
                logged[call.feed, call.day, token_class] += count
    return logged


def _build_charge(number: int, line: Line, logged: Mapping[tuple[int, int, str], int]) -> dict[str, Any]:
    feed = FEEDS[0 if line.kind in _AWS_KINDS else line.feed]
    offset, length = PERIODS[line.period]
    start = FIRST_DAY + timedelta(days=line.day) + offset - (EARLIER if line.is_earlier else timedelta(0))
    is_billed_earlier = line.is_earlier and line.kind not in _CREDITS
    quantity = line.quantity
    if quantity is not None:
        counted = logged.get((line.feed, line.day, line.token_class), 0) if line.is_factor else 1000
        quantity = min(round(quantity * counted), 10**15)
    return {
        "charge_id": f"charge {number}",
        "x_line_key": f"key {number}",
        "x_source": feed.source,
        "x_snapshot_id": "s1",
        "billing_account_id": f"account of {feed.source}",
        "sub_account_id": line.account,
        "billing_currency": feed.currency,
        "billing_period_start": datetime(2026, 10, 1) if is_billed_earlier else FIRST_DAY,
        "billing_period_end": FIRST_DAY if is_billed_earlier else datetime(2026, 12, 1),
        "region_id": line.region,
        "invoice_id": (f"invoice of {line.account}", "invoice", None)[line.feed],
        "charge_period_start": start,
        "charge_period_end": start + length,
        "service_provider_name": feed.provider,
        "charge_category": "Usage",
        "charge_frequency": "Usage-Based",
        "billed_cost": line.costs[0],
        "effective_cost": line.costs[1],
        "list_cost": line.costs[2],
        "x_tag_feature": line.tag,
        **_describe(line, feed),
        "consumed_quantity": quantity if line.kind in ("tokens", "searches") else None,
        "consumed_unit": "Requests" if line.kind == "searches" else "Tokens",
    }


def _describe(line: Line, feed: Feed) -> dict[str, Any]:
    return {
        "tokens": {"service_name": feed.service, "sku_meter": _name_meter(line, feed)},
        "searches": {"service_name": feed.service, "sku_meter": "web search tool calls"},
        "blended": {"service_name": "Blended", "sku_meter": "claude4.5sonnet"},
        "egress": {
            "service_name": "Amazon EC2",
            "sku_meter": "DataTransfer-Regional-Bytes",
            "availability_zone": line.place,
        },
        "monitoring": {
            "service_name": "AmazonCloudWatch",
            "sku_meter": "DataProcessing-Bytes",
            "resource_id": None if line.place is None else f"arn:aws:logs:log-group:/app/{line.place}:*",
        },
        "compute": {
            "service_name": "Amazon EC2",
            "sku_meter": "BoxUsage",
            "resource_id": None if line.place is None else f"i-{line.place}",
        },
        "tax": {"service_name": "Tax", "charge_category": "Tax"},
        "credit": {"service_name": "Promotions", "charge_category": "Credit"},
        "named_credit": {
            "service_name": feed.service,
            "sku_meter": _name_meter(line, feed),
            "charge_category": "Credit",
        },
        "refund": {
            "service_name": "Amazon EC2",
            "sku_meter": "BoxUsage",
            "charge_category": "Credit",
            "charge_class": "Correction",
        },
        "purchase": {
            "service_name": "Savings Plans",
            "charge_category": "Purchase",
            "charge_frequency": "One-Time",
        },
        "support": {"service_name": "Support", "charge_frequency": "Recurring"},
        "unused": {"service_name": "Savings Plans", "commitment_discount_status": "Unused"},
    }[line.kind]


def _name_meter(line: Line, feed: Feed) -> str:
    end = _ENDS[line.tier, line.is_long] if feed is FEEDS[0] else ""
    return feed.meters[line.token_class] + end


def _build_request(number: int, call: Call) -> dict[str, Any]:
    feed = None if call.feed is None else FEEDS[call.feed]
    started = FIRST_DAY + timedelta(days=call.day, minutes=number)
    return {
        "request_id": f"request {number}",
        "x_source": "logs",
        "x_snapshot_id": "s1",
        "trace_id": f"trace {call.trace}",
        "span_id": f"span {number}",
        "started_at": started,
        "ended_at": started + timedelta(seconds=2),
        "provider": "openai" if feed is None else feed.log_provider,
        "model": "mystery" if feed is None else feed.log_model,
        "status": "ok",
        "user_id": call.user,
        "feature": call.feature,
        "from_zone": call.zone,
        "sub_account_id": call.account,
        "region_id": call.region,
        "service_tier": call.tier,
        "web_search_count": call.searches,
        **dict(zip(FEEDS[0].meters, call.tokens, strict=True)),
    }


def _build_root(trace: int) -> dict[str, Any]:
    return {
        "x_source": "logs",
        "x_snapshot_id": "s1",
        "trace_id": f"trace {trace}",
        "span_id": f"root {trace}",
        "started_at": FIRST_DAY,
        "ended_at": FIRST_DAY + timedelta(days=2),
        "user_id": "root user",
        "feature": "search",
        "status": "ok",
    }


def _build_transfer(volume: Volume) -> dict[str, Any]:
    start = FIRST_DAY + timedelta(days=volume.day, hours=1)
    return {
        "x_source": "flows",
        "x_snapshot_id": "s1",
        "window_start": start,
        "window_end": start + timedelta(hours=1),
        "provider": "aws",
        "account_id": "111",
        "traffic_kind": "inter_az",
        "from_zone": volume.place,
        "to_zone": volume.to_place,
        "from_workload_ref": None if volume.workload is None else f"i-{volume.workload}",
        "bytes": volume.bytes,
    }


def _build_telemetry(volume: Volume) -> dict[str, Any]:
    start = FIRST_DAY + timedelta(days=volume.day, hours=1)
    return {
        "x_source": "volumes",
        "x_snapshot_id": "s1",
        "window_start": start,
        "window_end": start + timedelta(hours=1),
        "provider": "aws",
        "signal": "log",
        "workload_ref": None if volume.workload is None else f"/app/{volume.workload}",
        "volume_bytes": volume.bytes,
    }


def _build_prices() -> Iterable[dict[str, Any]]:
    for number, token_class in enumerate(TOKEN_CLASSES):
        for provider, model, currency, price in (
            ("aws", "claude-sonnet-4-5", "USD", Decimal("3.3") + number),
            ("azure", "gpt-4.1-mini", "EUR", Decimal("0.00007") * (number + 1)),
        ):
            yield {
                "price_id": f"{model} {token_class}",
                "snapshot_id": "book",
                "published_at": datetime(2026, 1, 1),
                "provider": provider,
                "model": model,
                "token_class": token_class,
                "service_tier": "standard",
                "context_min_tokens": 0,
                "price_per_mtok": price,
                "currency": currency,
                "is_override": False,
                "is_wrong_from_start": False,
            }
