/*
description: The models that the price book or an override knows, per provider.
grain: [provider, model]
materialized: table
columns:
    provider: null
    model: null
*/
with

prices as (select * from staging.prices)

select
    prices.provider,
    prices.model
from prices
where prices.provider is not null and prices.model is not null
group by prices.provider, prices.model
