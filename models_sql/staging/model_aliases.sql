/*
description: >
    A model name as a bill or gateway writes it, and the price book name it means.
materialized: view
columns:
    alias: null
    provider: null
    model: null
    valid_from: null
    valid_to: null
*/
with

source as (select * from lake.model_aliases)

select
    source.alias,
    source.provider,
    source.model,
    source.valid_from,
    source.valid_to
from source
