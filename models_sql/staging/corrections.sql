/*
description: >
    A known error of a source with its reason and status.
materialized: view
columns:
    correction_id: null
    charge_id: null
    column_name: null
    corrected_value: null
    reason: null
    status: null
*/
with

source as (select * from lake.corrections)

select
    source.correction_id,
    source.charge_id,
    source.column_name,
    source.corrected_value,
    source.reason,
    source.status
from source
