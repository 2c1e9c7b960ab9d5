"""The canonical datasets of the lake: column names, types and partitioning, one definition each.

What belongs here: the typed schema that every connector writes and every staging model reads.
What must not: anything about where a vendor keeps its data (that is a connector's `schema.py`), or SQL.

Money and quantities are DECIMAL(38,12), rounded half up at 12 digits on landing. Times are UTC
timestamps without zone; intervals are half open. Columns prefixed `x_` are ours, the other columns
of `charges` are FOCUS 1.4 ids in snake_case.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

MONEY = pa.decimal128(38, 12)
QUANTITY = pa.decimal128(38, 12)
RATE = pa.decimal128(18, 12)
SECONDS = pa.decimal128(18, 6)
TEXT = pa.string()
COUNT = pa.int64()
FLAG = pa.bool_()
DAY = pa.date32()
INSTANT = pa.timestamp("us")

ATTRIBUTION_KEYS = (
    "user_id",
    "tenant",
    "customer",
    "team",
    "feature",
    "endpoint",
    "workflow",
    "agent",
    "agent_step",
    "environment",
)
"""The dimensions a cost can be attributed to, in the order that an owner id digests them."""

TAGGED_KEYS = ("user_id", "tenant", "customer", "team", "feature", "endpoint", "workflow", "environment")
"""The attribution keys that a bill's tags can carry (`x_tag_<key>` on charges)."""

TOKEN_CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
"""Disjoint token classes; `reasoning_tokens` is inside `output_tokens` and never added to it."""


@dataclass(frozen=True)
class Dataset:
    """One canonical dataset.

    `partition` says which column decides the lake partition of a row: `("started_at", "day")` means
    the UTC day of `started_at`, `("billing_period_start", "month")` the month; None means one
    partition, `all`.
    """

    name: str
    schema: pa.Schema
    partition: tuple[str, str] | None = None


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


_LANDING = {"x_source": TEXT, "x_snapshot_id": TEXT}
_OWNER = {key: TEXT for key in ATTRIBUTION_KEYS}

CHARGES = Dataset(
    "charges",
    _schema(
        charge_id=TEXT,
        x_line_key=TEXT,
        x_occurrence=COUNT,
        **_LANDING,
        x_source_file=TEXT,
        availability_zone=TEXT,
        billed_cost=MONEY,
        billing_account_id=TEXT,
        billing_account_name=TEXT,
        billing_account_type=TEXT,
        billing_currency=TEXT,
        billing_period_end=INSTANT,
        billing_period_start=INSTANT,
        capacity_reservation_id=TEXT,
        capacity_reservation_status=TEXT,
        charge_category=TEXT,
        charge_class=TEXT,
        charge_description=TEXT,
        charge_frequency=TEXT,
        charge_period_end=INSTANT,
        charge_period_start=INSTANT,
        commitment_discount_category=TEXT,
        commitment_discount_id=TEXT,
        commitment_discount_name=TEXT,
        commitment_discount_quantity=QUANTITY,
        commitment_discount_status=TEXT,
        commitment_discount_type=TEXT,
        commitment_discount_unit=TEXT,
        consumed_quantity=QUANTITY,
        consumed_unit=TEXT,
        contracted_cost=MONEY,
        contracted_unit_price=QUANTITY,
        effective_cost=MONEY,
        host_provider_name=TEXT,
        invoice_detail_id=TEXT,
        invoice_id=TEXT,
        invoice_issuer_name=TEXT,
        list_cost=MONEY,
        list_unit_price=QUANTITY,
        pricing_category=TEXT,
        pricing_currency=TEXT,
        pricing_quantity=QUANTITY,
        pricing_unit=TEXT,
        region_id=TEXT,
        region_name=TEXT,
        resource_id=TEXT,
        resource_name=TEXT,
        resource_type=TEXT,
        service_category=TEXT,
        service_name=TEXT,
        service_provider_name=TEXT,
        service_subcategory=TEXT,
        sku_id=TEXT,
        sku_meter=TEXT,
        sku_price_details=TEXT,
        sku_price_id=TEXT,
        sub_account_id=TEXT,
        sub_account_name=TEXT,
        sub_account_type=TEXT,
        tags=TEXT,
        **{f"x_tag_{key}": TEXT for key in TAGGED_KEYS},
    ),
    ("billing_period_start", "month"),
)

REQUESTS = Dataset(
    "requests",
    _schema(
        request_id=TEXT,  # identity of the attempt: provider's id, else trace/span, else source-scoped
        **_LANDING,
        provider_request_id=TEXT,
        trace_id=TEXT,  # never null: a request without a trace is its own root action
        span_id=TEXT,
        parent_span_id=TEXT,
        attempt_number=COUNT,
        started_at=INSTANT,
        ended_at=INSTANT,
        duration_seconds=SECONDS,
        provider=TEXT,  # OTel gen_ai.provider.name value
        sub_account_id=TEXT,  # cloud account, project or workspace where the source states one
        region_id=TEXT,
        request_model=TEXT,
        model=TEXT,  # as the response names it, else as requested; canonical names come in staging
        service_tier=TEXT,  # standard | batch | flex | priority …, as answered
        status=TEXT,  # ok | error | aborted
        error_type=TEXT,
        uncached_input_tokens=COUNT,
        cache_read_tokens=COUNT,
        cache_write_5m_tokens=COUNT,
        cache_write_1h_tokens=COUNT,
        output_tokens=COUNT,
        reasoning_tokens=COUNT,
        audio_tokens=COUNT,
        image_tokens=COUNT,
        provider_total_tokens=COUNT,
        usage_source=TEXT,  # reported | estimated | none
        raw_usage=TEXT,  # JSON object of the source's own usage numbers, numbers only
        **_OWNER,
        session_id=TEXT,
        from_zone=TEXT,
        to_zone=TEXT,
        request_bytes=COUNT,
        response_bytes=COUNT,
        replica_id=TEXT,
    ),
    ("started_at", "day"),
)

SPANS = Dataset(
    "spans",
    _schema(
        **_LANDING,
        trace_id=TEXT,
        span_id=TEXT,
        parent_span_id=TEXT,
        span_kind=TEXT,  # agent | chain | tool | retrieval | server | other; model calls are in requests
        started_at=INSTANT,
        ended_at=INSTANT,
        status=TEXT,
        tool_name=TEXT,
        **_OWNER,
        session_id=TEXT,
    ),
    ("started_at", "day"),
)

TRANSFERS = Dataset(
    "transfers",
    _schema(
        **_LANDING,
        window_start=INSTANT,
        window_end=INSTANT,
        provider=TEXT,
        account_id=TEXT,
        traffic_kind=TEXT,  # inter_az | inter_region | internet | nat | private_link | cdn | other
        from_zone=TEXT,
        to_zone=TEXT,
        from_workload_ref=TEXT,
        to_workload_ref=TEXT,
        bytes=COUNT,
        round_trips_count=COUNT,
    ),
    ("window_start", "day"),
)

TELEMETRY = Dataset(
    "telemetry",
    _schema(
        **_LANDING,
        window_start=INSTANT,
        window_end=INSTANT,
        provider=TEXT,
        account_id=TEXT,
        signal=TEXT,  # log | metric | trace | drift
        workload_ref=TEXT,  # emitter: log group, service, index
        volume_bytes=COUNT,
        volume_count=COUNT,
    ),
    ("window_start", "day"),
)

CAPACITY = Dataset(
    "capacity",
    _schema(
        **_LANDING,
        hour_start=INSTANT,
        provider=TEXT,
        resource_id=TEXT,
        capacity_kind=TEXT,  # gpu_host | endpoint | ptu
        model=TEXT,
        zone=TEXT,
        provisioned_seconds=COUNT,
        busy_seconds=COUNT,
    ),
    ("hour_start", "day"),
)

PROVIDER_USAGE = Dataset(
    "provider_usage",
    _schema(
        **_LANDING,
        bucket_start=INSTANT,
        bucket_end=INSTANT,
        provider=TEXT,
        billing_account_id=TEXT,
        sub_account_id=TEXT,
        model=TEXT,
        token_class=TEXT,
        service_tier=TEXT,
        quantity=QUANTITY,
        unit=TEXT,
        requests=COUNT,
        is_final=FLAG,
    ),
    ("bucket_start", "day"),
)

WORKLOADS = Dataset(
    "workloads",
    _schema(
        **_LANDING,
        workload_ref=TEXT,
        ref_kind=TEXT,  # address | eni | pod | instance | log_group | index | resource | service
        service=TEXT,
        feature=TEXT,
        endpoint=TEXT,
        team=TEXT,
        environment=TEXT,
        zone=TEXT,
        valid_from=INSTANT,
        valid_to=INSTANT,
    ),
)

ZONES = Dataset(
    "zones",
    _schema(
        **_LANDING,
        provider=TEXT,
        account_id=TEXT,
        zone_name=TEXT,
        zone_id=TEXT,
        region_id=TEXT,
    ),
)

BUDGETS = Dataset(
    "budgets",
    _schema(
        **_LANDING,
        budget_id=TEXT,
        parent_id=TEXT,
        owner=TEXT,
        feature=TEXT,  # null = any
        team=TEXT,
        environment=TEXT,
        cost_driver=TEXT,
        period_start=DAY,
        period_end=DAY,  # exclusive
        amount=MONEY,
        currency=TEXT,
        measure=TEXT,  # effective_cost | billed_cost | list_cost
    ),
)

EVENTS = Dataset(
    "events",
    _schema(
        **_LANDING,
        event_at=INSTANT,
        event_kind=TEXT,  # deploy | scale_up | restart
        service=TEXT,
        feature=TEXT,
        replica_id=TEXT,
        detail=TEXT,
    ),
    ("event_at", "day"),
)

RATE_CARDS = Dataset(
    "rate_cards",
    _schema(
        **_LANDING,
        resource_id=TEXT,
        cost_kind=TEXT,  # capex | power | space
        cost_per_hour=MONEY,
        currency=TEXT,
        valid_from=INSTANT,
        valid_to=INSTANT,
    ),
)

PRICES = Dataset(
    "prices",
    _schema(
        price_id=TEXT,
        snapshot_id=TEXT,
        published_at=INSTANT,  # when the price book that holds the row was published
        valid_from=INSTANT,  # null = since ever
        valid_to=INSTANT,  # null = still
        provider=TEXT,
        model=TEXT,
        token_class=TEXT,
        service_tier=TEXT,
        context_min_tokens=COUNT,  # lowest total input tokens of the request at which this row applies
        region_id=TEXT,  # null = any
        time_of_day_start=TEXT,  # hh:mm UTC, null = any
        time_of_day_end=TEXT,
        price_per_mtok=RATE,
        currency=TEXT,
        is_override=FLAG,
        is_wrong_from_start=FLAG,
        price_source=TEXT,
    ),
)

FX_RATES = Dataset(
    "fx_rates",
    _schema(from_currency=TEXT, to_currency=TEXT, rate_date=DAY, rate=pa.decimal128(18, 9), rate_source=TEXT),
)

OWNERS = Dataset(
    "owners",
    _schema(**_OWNER, owner_name=TEXT, cost_center=TEXT, valid_from=INSTANT, valid_to=INSTANT),
)

MODEL_ALIASES = Dataset(
    "model_aliases",
    _schema(alias=TEXT, provider=TEXT, model=TEXT, valid_from=INSTANT, valid_to=INSTANT),
)

CORRECTIONS = Dataset(
    "corrections",
    _schema(correction_id=TEXT, charge_id=TEXT, column_name=TEXT, corrected_value=TEXT, reason=TEXT, status=TEXT),
)

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        CHARGES,
        REQUESTS,
        SPANS,
        TRANSFERS,
        TELEMETRY,
        CAPACITY,
        PROVIDER_USAGE,
        WORKLOADS,
        ZONES,
        BUDGETS,
        EVENTS,
        RATE_CARDS,
        PRICES,
        FX_RATES,
        OWNERS,
        MODEL_ALIASES,
        CORRECTIONS,
    )
}
