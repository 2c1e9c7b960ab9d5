"""The canonical datasets of the lake: column names, types and partitioning, one definition each.

What belongs here: the typed schema that every connector writes and every staging model reads.
What must not: anything about where a vendor keeps its data (that is a connector's `schema.py`), or SQL.

Money and quantities are DECIMAL(38,12), rounded half up at 12 digits on landing. Times are UTC
timestamps without zone; intervals are half open. Columns prefixed `x_` are ours, the other columns
of `charges` are FOCUS 1.4 ids in snake_case.
"""

from __future__ import annotations

from connectors.common.dataset_types import (
    ATTRIBUTION_KEYS,
    COUNT,
    DAY,
    FLAG,
    FX_RATE,
    INSTANT,
    LINE_COLUMNS,
    MONEY,
    QUANTITY,
    RATE,
    SECONDS,
    TAGGED_KEYS,
    TEXT,
    Dataset,
    build_schema,
)
from connectors.common.vendor_lines.aws_cur import AWS_CUR_ENRICHMENT_LINES, AWS_CUR_LINES
from connectors.common.vendor_lines.azure_cost import AZURE_COST_LINES
from connectors.common.vendor_lines.gcp_billing import GCP_COST_LINES

TOKEN_CLASSES = (
    "uncached_input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)
"""Disjoint token classes; `reasoning_tokens` is inside `output_tokens` and never added to it."""


_LANDING = {"x_source": TEXT, "x_snapshot_id": TEXT}
_OWNER = {key: TEXT for key in ATTRIBUTION_KEYS}

CHARGES = Dataset(
    "charges",
    build_schema(
        **LINE_COLUMNS,
        allocated_method_details=TEXT,
        allocated_method_id=TEXT,
        allocated_resource_id=TEXT,
        allocated_resource_name=TEXT,
        allocated_tags=TEXT,
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
        commitment_program_eligibility_details=TEXT,
        consumed_quantity=QUANTITY,
        consumed_unit=TEXT,
        contract_applied=TEXT,
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
        pricing_currency_contracted_unit_price=QUANTITY,
        pricing_currency_effective_cost=MONEY,
        pricing_currency_list_unit_price=QUANTITY,
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
        x_publisher_name=TEXT,
        x_service_code=TEXT,
        x_operation=TEXT,
        x_sku_group=TEXT,
        x_instance_type=TEXT,
        x_from_region_id=TEXT,
        x_to_region_id=TEXT,
        x_principal_id=TEXT,
        x_correction_cause=TEXT,
        **{f"x_tag_{key}": TEXT for key in TAGGED_KEYS},
    ),
    ("billing_period_start", "month"),
)

REQUESTS = Dataset(
    "requests",
    build_schema(
        request_id=TEXT,  # identity of the attempt: provider's id, else trace/span, else source-scoped
        **_LANDING,
        emitter_kind=TEXT,  # provider_log | gateway | span | file: who saw the call, for the ranks of the merge
        provider_request_id=TEXT,  # the id by which the provider itself knows the call
        call_id=TEXT,  # an id that a gateway or client gave it, which other emitters may state too
        logical_call_id=TEXT,  # what retries and fallbacks of one call share
        trace_id=TEXT,  # never null: a request without a trace is its own root action
        span_id=TEXT,
        parent_span_id=TEXT,
        enclosing_call_span_id=TEXT,  # the nearest call span around this one in its file
        unresolved_parent_span_id=TEXT,  # where this span's ancestors leave its file
        resource_keys=TEXT,  # ',feature,team,': attribution keys whose value the emitter's resource gave
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
        uncached_audio_tokens=COUNT,  # audio and image: how much of the class is of that kind, never beside it
        cache_read_audio_tokens=COUNT,
        output_audio_tokens=COUNT,
        uncached_image_tokens=COUNT,
        cache_read_image_tokens=COUNT,
        output_image_tokens=COUNT,
        provider_total_tokens=COUNT,
        usage_source=TEXT,  # reported | estimated | none
        raw_usage=TEXT,  # JSON object of the source's own usage numbers, numbers only
        web_search_count=COUNT,  # server tool calls that are billed apart
        saved_input_tokens=COUNT,  # answered by the gateway's own cache: never sent to a provider, never billed
        saved_output_tokens=COUNT,
        reported_cost=MONEY,  # what the emitter believes it cost: never a bill
        reported_cost_currency=TEXT,
        time_to_first_token_seconds=SECONDS,
        prefill_seconds=SECONDS,
        decode_seconds=SECONDS,
        **_OWNER,
        session_id=TEXT,
        api_key_id=TEXT,  # the key's id or its hash, never the key
        principal_id=TEXT,  # cloud principal that called, pseudonymised like `charges.x_principal_id`
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
    build_schema(
        **_LANDING,
        trace_id=TEXT,
        span_id=TEXT,
        parent_span_id=TEXT,
        enclosing_call_span_id=TEXT,
        unresolved_parent_span_id=TEXT,
        resource_keys=TEXT,
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
    build_schema(
        **_LANDING,
        window_start=INSTANT,
        window_end=INSTANT,
        provider=TEXT,
        account_id=TEXT,
        traffic_kind=TEXT,  # TRAFFIC_KINDS; null in flow logs: the zones decide
        from_zone=TEXT,
        to_zone=TEXT,
        from_workload_ref=TEXT,
        to_workload_ref=TEXT,
        bytes=COUNT,
        round_trips_count=COUNT,
        emitter_kind=TEXT,  # flow_log | file (null too): which source of weights counts, see core.transfers
        emitter_id=TEXT,  # the flow log that recorded it
        seen_from=TEXT,  # sender | receiver | passing (a gateway between them); null: not stated
        seen_at=TEXT,  # network interface or machine that recorded it
        through_ref=TEXT,  # address of the gateway that passed it on
        from_ref_kind=TEXT,  # address | eni | instance | pod | service; null: any
        to_ref_kind=TEXT,
        min_round_trip_seconds=SECONDS,
    ),
    ("window_start", "day"),
)

TELEMETRY = Dataset(
    "telemetry",
    build_schema(
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
    build_schema(
        **_LANDING,
        hour_start=INSTANT,
        provider=TEXT,  # as request logs name it: what it served is found by provider and model
        account_id=TEXT,
        resource_id=TEXT,  # as the bill or rate card names what is paid for
        replica_id=TEXT,  # the pod or process in it, as requests name it; null where there is one
        capacity_kind=TEXT,  # gpu_host | endpoint | ptu
        model=TEXT,
        zone=TEXT,
        provisioned_seconds=COUNT,  # as far as it was measured: a gap is unknown, not idle
        provisioned_units=COUNT,  # that a bill multiplies its hours by: PTUs; 1 for a host; null = not known
        busy_seconds=COUNT,  # null = not known
        busy_basis=TEXT,  # requests | stated | utilisation | allocation: what busy was told by
        requests=COUNT,
        input_tokens=COUNT,  # cached ones included
        cache_read_tokens=COUNT,
        output_tokens=COUNT,
        prefill_seconds=SECONDS,
        decode_seconds=SECONDS,
        utilisation_share=RATE,  # mean, 0 to 1
        kv_cache_share=RATE,
    ),
    ("hour_start", "day"),
)
"""One row an hour, resource and replica; the replicas of a resource are equal parts of it."""

PROVIDER_USAGE = Dataset(
    "provider_usage",
    build_schema(
        **_LANDING,
        bucket_start=INSTANT,
        bucket_end=INSTANT,
        provider=TEXT,  # OTel gen_ai.provider.name value
        billing_account_id=TEXT,
        sub_account_id=TEXT,  # project, workspace or cloud account
        region_id=TEXT,  # or the residency that the provider states, such as `us`
        api_key_id=TEXT,
        user_id=TEXT,  # pseudonymised
        model=TEXT,
        usage_kind=TEXT,  # tokens | requests | images | characters | seconds | bytes | sessions | web_searches …
        token_class=TEXT,  # of tokens only
        service_tier=TEXT,
        context_band=TEXT,  # as the provider names it
        usage_detail=TEXT,  # `size=1024x1024,source=image.edit`: what else the provider tells apart
        quantity=QUANTITY,
        unit=TEXT,
        is_final=FLAG,  # the provider calls the bucket final
    ),
    ("bucket_start", "day"),
)
"""One row a bucket, combination of dimensions, and thing counted; one grouping a source, so rows add up."""

WORKLOADS = Dataset(
    "workloads",
    build_schema(
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
        observed_at=INSTANT,  # when a list of all there is named it; null: the statement holds by itself
        inventory_series=TEXT,  # lists that follow one another: what the next one lacks has ended
    ),
)

ZONES = Dataset(
    "zones",
    build_schema(
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
    build_schema(
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
    build_schema(
        **_LANDING,
        event_at=INSTANT,
        event_kind=TEXT,  # deploy | scale_up | restart
        service=TEXT,
        feature=TEXT,
        replica_id=TEXT,
        workload_ref=TEXT,  # what it happened to, as inventories name it
        detail=TEXT,
    ),
    ("event_at", "day"),
)

RATE_CARDS = Dataset(
    "rate_cards",
    build_schema(
        **_LANDING,
        resource_id=TEXT,
        resource_kind=TEXT,  # gpu_host | endpoint serve models; server | storage | network
        site=TEXT,
        zone=TEXT,
        cost_kind=TEXT,  # capex | power | space
        cost_per_hour=MONEY,
        currency=TEXT,
        valid_from=INSTANT,
        valid_to=INSTANT,
    ),
)

PRICES = Dataset(
    "prices",
    build_schema(
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
        price_rank=COUNT,  # which statement wins: 1 the user's own, 2 a contract, 3 a price list, 4 the book
        is_override=FLAG,
        is_wrong_from_start=FLAG,
        price_source=TEXT,
    ),
)

FX_RATES = Dataset(
    "fx_rates",
    build_schema(from_currency=TEXT, to_currency=TEXT, rate_date=DAY, rate=FX_RATE, rate_source=TEXT),
)

OWNERS = Dataset(
    "owners",
    build_schema(**_OWNER, owner_name=TEXT, cost_center=TEXT, valid_from=INSTANT, valid_to=INSTANT),
)

MODEL_ALIASES = Dataset(
    "model_aliases",
    build_schema(alias=TEXT, provider=TEXT, model=TEXT, valid_from=INSTANT, valid_to=INSTANT),
)

CORRECTIONS = Dataset(
    "corrections",
    build_schema(
        correction_id=TEXT, charge_id=TEXT, column_name=TEXT, corrected_value=TEXT, reason=TEXT, status=TEXT
    ),
)

INVOICES = Dataset(
    "invoices",
    build_schema(
        **_LANDING,
        invoice_id=TEXT,
        invoice_issuer_name=TEXT,
        billing_account_id=TEXT,
        billing_period_start=INSTANT,
        billing_period_end=INSTANT,
        billing_currency=TEXT,
        invoice_total=MONEY,
        is_tax_included=FLAG,
        invoice_issued_at=INSTANT,
        invoice_detail_id=TEXT,
        invoice_status=TEXT,
        invoice_last_updated_at=INSTANT,
    ),
)
"""One row an invoice as its issuer totals it, or a part of one: the parts of an invoice add up."""

BILLING_PERIODS = Dataset(
    "billing_periods",
    build_schema(
        **_LANDING,
        invoice_issuer_name=TEXT,
        billing_account_id=TEXT,
        billing_period_start=INSTANT,
        billing_period_end=INSTANT,
        billing_period_status=TEXT,
        billing_period_last_updated_at=INSTANT,
    ),
)
"""One row a billing period that its issuer calls open or closed (FOCUS 1.4 Billing Period dataset)."""

ACCOUNTS = Dataset(
    "accounts",
    build_schema(
        **_LANDING,
        provider=TEXT,
        account_id=TEXT,
        account_name=TEXT,
        account_type=TEXT,
        parent_account_id=TEXT,
    ),
)
"""One row a billing account, payer, member account, subscription or project, with the name people know."""

SKU_PRICES = Dataset(
    "sku_prices",
    build_schema(
        **_LANDING,
        provider=TEXT,
        service_name=TEXT,
        sku_id=TEXT,
        sku_price_id=TEXT,
        sku_description=TEXT,
        region_id=TEXT,
        pricing_unit=TEXT,
        tier_start_quantity=QUANTITY,
        list_unit_price=QUANTITY,
        currency=TEXT,
        effective_at=INSTANT,
    ),
)
"""One row a SKU, region and price tier of a vendor's public catalogue, in its pricing unit."""

BILL_DATASETS = frozenset({CHARGES.name, AWS_CUR_LINES.name, AZURE_COST_LINES.name, GCP_COST_LINES.name})
"""Datasets whose rows are bill lines: their deliveries carry cost."""

DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        CHARGES,
        AWS_CUR_LINES,
        AWS_CUR_ENRICHMENT_LINES,
        AZURE_COST_LINES,
        GCP_COST_LINES,
        INVOICES,
        BILLING_PERIODS,
        ACCOUNTS,
        SKU_PRICES,
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
