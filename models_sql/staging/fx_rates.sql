/*
description: >
    A dated exchange rate: one unit of from_currency in to_currency.
grain: [from_currency, to_currency, rate_date]
materialized: view
columns:
    from_currency: null
    to_currency: null
    rate_date: null
    rate: null
    rate_source: null
*/
with

source as (select * from lake.fx_rates)

select
    source.from_currency,
    source.to_currency,
    source.rate_date,
    source.rate,
    source.rate_source
from source
