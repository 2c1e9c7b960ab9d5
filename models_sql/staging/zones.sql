/*
description: >
    A provider zone name within an account, its provider-wide zone id and its region.
materialized: view
columns:
    x_source: null
    x_snapshot_id: null
    provider: null
    account_id: null
    zone_name: null
    zone_id: null
    region_id: null
*/
with

source as (select * from lake.zones)

select
    source.x_source,
    source.x_snapshot_id,
    source.provider,
    source.account_id,
    source.zone_name,
    source.zone_id,
    source.region_id
from source
