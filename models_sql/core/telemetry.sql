/*
description: >
    Log, metric and trace volume per emitter, signal and UTC day, of one source: where two tell of an emitter the first
    in the order of the config counts, the others stand here unused. Bytes weigh; where a source only counts, its counts
    weigh as many bytes as an item of that signal has on average that day, else as one.
grain: [charge_date, provider, signal, workload_ref, x_source, account_key]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    provider: null
    signal: null
    workload_ref: null
    x_source: null
    account_key: empty where the source states none
    volume_bytes: null
    volume_count: null
    weight: null
    is_used: null
checks:
    - name: one_source_per_emitter
      severity: fail
      by: partition
      description: Weights of an emitter come from one source, never from the sum of two.
      sql: >
        select charge_date, provider, signal, workload_ref
        from core.telemetry
        where is_used
        group by charge_date, provider, signal, workload_ref
        having count(distinct x_source) > 1
    - name: one_source_tells_of_an_emitter
      severity: warn
      by: partition
      description: Two sources tell of one emitter; the one that is declared first counts.
      sql: >
        select charge_date, provider, signal, workload_ref
        from core.telemetry
        where not is_used
        group by charge_date, provider, signal, workload_ref
    - name: volume_is_known
      severity: warn
      by: partition
      description: A source names an emitter without bytes and without a count; it gets no share of the cost.
      sql: >
        select charge_date, provider, signal, workload_ref
        from core.telemetry
        where volume_bytes is null and volume_count is null
*/
with

telemetry as (
    select *
    from staging.telemetry
    where window_start >= cast($start as timestamp) and window_start < cast($end as timestamp)
),

source_ranks as (select * from reference.source_ranks),

daily as (
    select
        cast(telemetry.window_start as date) as charge_date,
        telemetry.provider,
        telemetry.signal,
        telemetry.workload_ref,
        coalesce(telemetry.x_source, '') as x_source,
        coalesce(telemetry.account_id, '') as account_key,
        cast(sum(telemetry.volume_bytes) as decimal(18, 0)) as volume_bytes,
        cast(sum(telemetry.volume_count) as decimal(18, 0)) as volume_count
    from telemetry
    group by
        cast(telemetry.window_start as date),
        telemetry.provider,
        telemetry.signal,
        telemetry.workload_ref,
        coalesce(telemetry.x_source, ''),
        coalesce(telemetry.account_id, '')
),

sources as (
    select
        daily.charge_date,
        daily.provider,
        daily.signal,
        daily.workload_ref,
        daily.x_source,
        row_number() over (
            partition by daily.charge_date, daily.provider, daily.signal, daily.workload_ref
            order by coalesce(source_ranks.source_rank, 1000000), daily.x_source
        ) as source_position
    from (
        select
            charge_date,
            provider,
            signal,
            workload_ref,
            x_source
        from daily
        group by charge_date, provider, signal, workload_ref, x_source
    ) as daily
    left join source_ranks on daily.x_source = source_ranks.source
),

sizes as (
    select
        daily.charge_date,
        daily.provider,
        daily.signal,
        sum(daily.volume_bytes) as known_bytes,
        sum(daily.volume_count) as known_count
    from daily
    where daily.volume_bytes > 0 and daily.volume_count > 0
    group by daily.charge_date, daily.provider, daily.signal
)

select
    daily.charge_date,
    daily.provider,
    daily.signal,
    daily.workload_ref,
    daily.x_source,
    daily.account_key,
    cast(daily.volume_bytes as bigint) as volume_bytes,
    cast(daily.volume_count as bigint) as volume_count,
    cast(
        coalesce(
            daily.volume_bytes,
            idiv(
                cast(daily.volume_count as decimal(19, 0)) * cast(sizes.known_bytes as decimal(18, 0)),
                cast(sizes.known_count as decimal(18, 0))
            ),
            daily.volume_count,
            0
        ) as bigint
    ) as weight,
    sources.source_position = 1 as is_used
from daily
inner join sources
    on daily.charge_date = sources.charge_date
    and daily.provider = sources.provider
    and daily.signal = sources.signal
    and daily.workload_ref = sources.workload_ref
    and daily.x_source = sources.x_source
left join sizes
    on daily.charge_date = sizes.charge_date
    and daily.provider = sizes.provider
    and daily.signal = sizes.signal
