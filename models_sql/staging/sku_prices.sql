/*
description: >
    A price of a vendor's public catalogue by SKU and price tier, in its pricing unit. Where a tier is stated
    twice, the price that is effective last counts.
grain: [provider, sku_price_id, currency]
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    provider: null
    service_name: null
    sku_id: null
    sku_price_id: null
    sku_description: null
    region_id: null
    pricing_unit: null
    tier_start_quantity: null
    list_unit_price: null
    currency: null
    effective_at: null
*/
with

ranked as (
    select
        sku_prices.*,
        row_number() over (
            partition by sku_prices.provider, sku_prices.sku_price_id, sku_prices.currency
            order by
                case when sku_prices.effective_at is null then 1 else 0 end,
                sku_prices.effective_at desc,
                sku_prices.list_unit_price asc,
                coalesce(sku_prices.region_id, chr(30)),
                coalesce(sku_prices.x_source, chr(30)),
                coalesce(sku_prices.x_snapshot_id, chr(30)),
                coalesce(sku_prices.sku_description, chr(30)),
                coalesce(sku_prices.pricing_unit, chr(30))
        ) as statement_rank
    from lake.sku_prices as sku_prices
),

source as (
    select * from ranked
    where statement_rank = 1
)

select
    source.x_source,
    source.x_snapshot_id,
    source.provider,
    source.service_name,
    source.sku_id,
    source.sku_price_id,
    source.sku_description,
    source.region_id,
    source.pricing_unit,
    source.tier_start_quantity,
    source.list_unit_price,
    source.currency,
    source.effective_at
from source
