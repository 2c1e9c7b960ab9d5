/*
description: >
    Own or edge hardware: amortised cost per hour by kind.
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    resource_id: null
    cost_kind: null
    cost_per_hour: null
    currency: null
    valid_from: null
    valid_to: null
*/
with

source as (select * from lake.rate_cards)

select
    source.x_source,
    source.x_snapshot_id,
    source.resource_id,
    source.cost_kind,
    source.cost_per_hour,
    source.currency,
    source.valid_from,
    source.valid_to
from source
