/*
description: >
    The cells that state or show who caused them, split exactly over who did, in integers of 1e-12 by cumulative rounding
    in key order. What nobody caused, or nobody can name, is a row with its reason. Cells that follow other cost are in
    core.shared_costs.
grain: [charge_date, cell_id, row_id]
materialized: table
partition_by: {column: charge_date, unit: day}
columns:
    charge_date: null
    cell_id: null
    row_id: owner, zones and residual reason in one digest
    owner_id: null
    from_zone: null
    to_zone: null
    residual_reason: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billing_currency: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    fx_date: null
    requests: null
    input_tokens: null
    output_tokens: null
    bytes: null
    method_id: null
    evidence: null
    cost_state: null
*/
with

cells as (
    select *
    from core.cells
    where charge_date >= $start and charge_date < $end
        and follows is null
),

usage as (
    select *
    from core.usage_costs
    where charge_date >= $start and charge_date < $end
),

pools as (
    select *
    from core.usage_pools
    where charge_date >= $start and charge_date < $end
        and pool_side = 'logged'
),

/* The same rows once more: one import read by two steps would be kept in memory whole. */
unmixed_usage as (
    select *
    from core.pooled_usage
    where charge_date >= $start and charge_date < $end
),

physical as (
    select *
    from core.physical_weights
    where charge_date >= $start and charge_date < $end
),

capacity as (
    select *
    from core.capacity_weights
    where charge_date >= $start and charge_date < $end
),

tagged as (
    select *
    from core.tagged_owners
    where charge_date >= $start and charge_date < $end
),

/* Pools whose volumes stand with their own cells: a wider pool over the same usage must not count them again. */
counted_pools as (
    select
        cells.charge_date,
        cells.pool_key
    from cells
    where cells.is_pool_first and cells.method_id in ('tokens', 'list_price', 'bytes')
    group by cells.charge_date, cells.pool_key
),

/* Models whose tokens stand with cells that bill them: capacity that serves them too does not count them again. */
counted_models as (
    select
        cells.charge_date,
        cells.provider,
        cells.model
    from cells
    where cells.is_pool_first and cells.method_id in ('tokens', 'list_price', 'list_cost')
        and cells.model is not null
    group by cells.charge_date, cells.provider, cells.model
),

/* Which logged usage a cell is split by: a few rows, so that usage is joined once and by one short key after. */
token_cells as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.residual_reason,
        pools.member_key,
        cells.list_cost_currency as priced_currency,
        cells.method_id = 'list_price' as is_estimated,
        cells.method_id in ('tool_uses', 'requests', 'cached_tokens') as is_by_use,
        cells.method_id = 'tool_uses' as is_by_searches,
        cells.method_id = 'requests' as is_by_requests,
        cells.is_pool_first and cells.token_class is not null as is_counted,
        cells.is_pool_first and cells.token_class <> 'output_tokens' as is_input_counted,
        cells.is_pool_first and cells.token_class = 'output_tokens' as is_output_counted
    from cells
    inner join pools
        on cells.charge_date = pools.charge_date
        and cells.pool_key = pools.pool_key
    where cells.method_id in ('tokens', 'list_price', 'tool_uses', 'requests', 'cached_tokens')
),

token_sums as (
    select
        token_cells.charge_date,
        token_cells.cell_id,
        token_cells.is_by_use,
        usage.owner_id,
        usage.from_zone,
        usage.to_zone,
        max(token_cells.residual_reason) as residual_reason,
        cast(
            sum(
                case
                    when token_cells.is_by_searches then usage.web_searches
                    when token_cells.is_by_requests then usage.requests
                    else usage.quantity_tokens
                end
            ) as bigint
        ) as tokens,
        sum(case when token_cells.priced_currency is not null then usage.list_cost end) as list_cost,
        cast(sum(case when token_cells.is_counted then usage.requests else 0 end) as bigint) as requests,
        cast(sum(case when token_cells.is_input_counted then usage.quantity_tokens else 0 end) as bigint)
            as input_tokens,
        cast(sum(case when token_cells.is_output_counted then usage.quantity_tokens else 0 end) as bigint)
            as output_tokens
    from usage
    inner join token_cells
        on usage.charge_date = token_cells.charge_date
        and usage.segment_key = token_cells.member_key
        and (
            not token_cells.is_estimated
            or coalesce(usage.list_cost_currency, chr(30)) = coalesce(token_cells.priced_currency, chr(30))
        )
    group by
        token_cells.charge_date,
        token_cells.cell_id,
        token_cells.is_by_use,
        usage.owner_id,
        usage.from_zone,
        usage.to_zone
),

token_rows as (
    select
        token_sums.charge_date,
        token_sums.cell_id,
        token_sums.owner_id,
        token_sums.from_zone,
        token_sums.to_zone,
        token_sums.residual_reason,
        coalesce(
            cast(
                cast(token_sums.list_cost as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
                as decimal(38, 0)
            ),
            cast(token_sums.tokens as decimal(38, 0))
        ) as weight,
        token_sums.requests,
        token_sums.input_tokens,
        token_sums.output_tokens,
        0 as bytes
    from token_sums
    where token_sums.tokens > 0 or not token_sums.is_by_use
),

mixed_rows as (
    select
        cells.charge_date,
        cells.cell_id,
        usage.owner_id,
        usage.from_zone,
        usage.to_zone,
        cast(null as varchar) as residual_reason,
        cast(
            cast(sum(usage.list_cost) as decimal(24, 12)) * cast(1000000000000 as decimal(13, 0))
            as decimal(38, 0)
        ) as weight,
        sum(case when cells.is_pool_first and counted_pools.pool_key is null then usage.requests else 0 end)
            as requests,
        sum(
            case
                when cells.is_pool_first and counted_pools.pool_key is null
                    and usage.token_class <> 'output_tokens'
                    then usage.quantity_tokens
                else 0
            end
        ) as input_tokens,
        sum(
            case
                when cells.is_pool_first and counted_pools.pool_key is null
                    and usage.token_class = 'output_tokens'
                    then usage.quantity_tokens
                else 0
            end
        ) as output_tokens,
        0 as bytes
    from cells
    inner join unmixed_usage as usage
        on cells.charge_date = usage.charge_date
        and cells.pool_key = usage.pool_key
    left join counted_pools
        on usage.charge_date = counted_pools.charge_date
        and usage.leaf_pool_key = counted_pools.pool_key
    where cells.method_id = 'list_cost'
    group by
        cells.charge_date,
        cells.cell_id,
        usage.owner_id,
        usage.from_zone,
        usage.to_zone
),

/* Kinds of traffic that cells of single senders count: a cell of all of the kind does not count them again. */
counted_kinds as (
    select
        counted_pools.charge_date,
        regexp_extract(counted_pools.pool_key, '^(egress.*)from [^/]*/.*$', 1) || 'all' as pool_key
    from counted_pools
    where counted_pools.pool_key like 'egress%' || chr(31) || 'from %'
    group by
        counted_pools.charge_date,
        regexp_extract(counted_pools.pool_key, '^(egress.*)from [^/]*/.*$', 1) || 'all'
),

physical_rows as (
    select
        cells.charge_date,
        cells.cell_id,
        physical.owner_id,
        physical.from_zone,
        physical.to_zone,
        physical.residual_reason,
        cast(physical.weight as decimal(38, 0)) as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        case
            when cells.is_pool_first and counted_kinds.pool_key is null
                and coalesce(counted_pools.pool_key, cells.pool_key) = cells.pool_key
                then physical.bytes
            else 0
        end as bytes
    from cells
    inner join physical
        on cells.charge_date = physical.charge_date
        and cells.pool_key = physical.pool_key
    left join counted_pools
        on cells.charge_date = counted_pools.charge_date
        and counted_pools.pool_key = (
            'egress' || chr(31) || cells.provider || chr(31)
            || cells.traffic_kind || chr(31) || physical.from_zone
        )
    left join counted_kinds
        on cells.charge_date = counted_kinds.charge_date
        and cells.pool_key = counted_kinds.pool_key
    where cells.method_id in ('bytes', 'telemetry_bytes')
),

served as (
    select
        cells.charge_date,
        cells.cell_id,
        coalesce(capacity.owner_id, cells.direct_owner_id) as owner_id,
        case when capacity.residual_reason is null then capacity.from_zone else cells.from_zone end
            as from_zone,
        case when capacity.residual_reason is null then capacity.to_zone else cells.to_zone end as to_zone,
        capacity.residual_reason,
        capacity.weight,
        capacity.requests,
        capacity.input_tokens,
        capacity.output_tokens,
        cells.is_pool_first and counted_models.model is null as is_counted
    from cells
    inner join capacity
        on cells.charge_date = capacity.charge_date
        and cells.pool_key = capacity.pool_key
    left join counted_models
        on capacity.charge_date = counted_models.charge_date
        and capacity.provider = counted_models.provider
        and capacity.model = counted_models.model
    where cells.method_id = 'capacity_seconds'
),

capacity_rows as (
    select
        served.charge_date,
        served.cell_id,
        served.owner_id,
        served.from_zone,
        served.to_zone,
        served.residual_reason,
        cast(sum(served.weight) as decimal(38, 0)) as weight,
        sum(case when served.is_counted then served.requests else 0 end) as requests,
        sum(case when served.is_counted then served.input_tokens else 0 end) as input_tokens,
        sum(case when served.is_counted then served.output_tokens else 0 end) as output_tokens,
        0 as bytes
    from served
    group by
        served.charge_date,
        served.cell_id,
        served.owner_id,
        served.from_zone,
        served.to_zone,
        served.residual_reason
),

unmeasured_rows as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.direct_owner_id as owner_id,
        cells.from_zone,
        cells.to_zone,
        'unmeasured_capacity' as residual_reason,
        cast(cells.missing_quantity as decimal(38, 0)) as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        0 as bytes
    from cells
    where cells.method_id = 'capacity_seconds' and cells.missing_quantity > 0
),

missing_rows as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.direct_owner_id as owner_id,
        cast(null as varchar) as from_zone,
        cast(null as varchar) as to_zone,
        'unlogged_usage' as residual_reason,
        cast(cells.missing_quantity as decimal(38, 0)) as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        0 as bytes
    from cells
    where cells.method_id in ('tokens', 'tool_uses', 'requests') and cells.missing_quantity > 0
),

whole_rows as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.direct_owner_id as owner_id,
        cells.from_zone,
        cells.to_zone,
        cells.residual_reason,
        cast(1 as decimal(38, 0)) as weight,
        0 as requests,
        0 as input_tokens,
        0 as output_tokens,
        0 as bytes
    from cells
    where cells.method_id in ('residual', 'bill_tag', 'workload_resource', 'run_rate')
),

weighted as (
    select * from token_rows
    union all
    select * from mixed_rows
    union all
    select * from physical_rows
    union all
    select * from capacity_rows
    union all
    select * from unmeasured_rows
    union all
    select * from missing_rows
    union all
    select * from whole_rows
),

/* Only where tags rename owners can two rows of a cell become one; grouping the rest would be work for nothing. */
owned as (
    select
        weighted.charge_date,
        weighted.cell_id,
        weighted.owner_id,
        weighted.from_zone,
        weighted.to_zone,
        weighted.residual_reason,
        weighted.weight,
        weighted.requests,
        weighted.input_tokens,
        weighted.output_tokens,
        weighted.bytes
    from weighted
    left join tagged
        on weighted.charge_date = tagged.charge_date
        and weighted.cell_id = tagged.cell_id
        and weighted.owner_id = tagged.log_owner_id
    where tagged.owner_id is null
    union all
    select
        weighted.charge_date,
        weighted.cell_id,
        tagged.owner_id,
        weighted.from_zone,
        weighted.to_zone,
        weighted.residual_reason,
        cast(sum(weighted.weight) as decimal(38, 0)) as weight,
        sum(weighted.requests) as requests,
        sum(weighted.input_tokens) as input_tokens,
        sum(weighted.output_tokens) as output_tokens,
        sum(weighted.bytes) as bytes
    from weighted
    inner join tagged
        on weighted.charge_date = tagged.charge_date
        and weighted.cell_id = tagged.cell_id
        and weighted.owner_id = tagged.log_owner_id
    group by
        weighted.charge_date,
        weighted.cell_id,
        tagged.owner_id,
        weighted.from_zone,
        weighted.to_zone,
        weighted.residual_reason
),

totals as (
    select
        owned.charge_date,
        owned.cell_id,
        cast(sum(owned.weight) as decimal(38, 0)) as cell_weight,
        cast(count(*) as decimal(15, 0)) as cell_rows
    from owned
    group by owned.charge_date, owned.cell_id
),

scaled as (
    select
        owned.charge_date,
        owned.cell_id,
        owned.owner_id,
        owned.from_zone,
        owned.to_zone,
        owned.residual_reason,
        owned.requests,
        owned.input_tokens,
        owned.output_tokens,
        owned.bytes,
        cast(
            case
                when coalesce(totals.cell_weight, 0) = 0 then 1
                when totals.cell_weight < 1000000000000000 then coalesce(owned.weight, 0)
                when coalesce(owned.weight, 0) = 0 then 0
                else
                    greatest(
                        1,
                        idiv(
                            cast(owned.weight as decimal(22, 0))
                            * cast(999999999999999 - totals.cell_rows as decimal(15, 0)),
                            totals.cell_weight
                        )
                    )
            end as decimal(15, 0)
        ) as weight
    from owned
    inner join totals
        on owned.charge_date = totals.charge_date
        and owned.cell_id = totals.cell_id
),

keyed as (
    select
        scaled.*,
        md5(
            scaled.owner_id || chr(31) || coalesce(scaled.from_zone, chr(30))
            || chr(31) || coalesce(scaled.to_zone, chr(30))
            || chr(31) || coalesce(scaled.residual_reason, chr(30))
        ) as row_id
    from scaled
),

cumulated as (
    select
        keyed.*,
        cast(
            sum(keyed.weight) over (
                partition by keyed.charge_date, keyed.cell_id
                order by keyed.row_id
                rows between unbounded preceding and current row
            ) as decimal(15, 0)
        ) as until_weight,
        cast(
            sum(keyed.weight) over (partition by keyed.charge_date, keyed.cell_id) as decimal(15, 0)
        ) as total_weight
    from keyed
),

/* Measures that equal another one, as most do, are left out here and taken from it below: dividing is what costs. */
cell_amounts as (
    select
        cells.charge_date,
        cells.cell_id,
        cells.billing_currency,
        cells.fx_date,
        cells.method_id,
        cells.evidence,
        cells.cost_state,
        (cells.effective_cost is not distinct from cells.billed_cost) as is_effective_as_billed,
        (
            cells.billed_cost_reporting is not distinct from cells.billed_cost
            and cells.effective_cost_reporting is not distinct from cells.effective_cost
            and cells.list_cost_reporting is not distinct from cells.list_cost
        ) as is_reporting_as_billing,
        cells.billed_cost,
        cells.effective_cost,
        cells.list_cost,
        cells.billed_cost_reporting,
        cells.effective_cost_reporting,
        cells.list_cost_reporting
    from cells
),

/* Scaled here, a row a cell: rescaling a DECIMAL costs more than all other work on a row of the fact. */
cell_units as (
    select
        cell_amounts.charge_date,
        cell_amounts.cell_id,
        cell_amounts.billing_currency,
        cell_amounts.fx_date,
        cell_amounts.method_id,
        cell_amounts.evidence,
        cell_amounts.cost_state,
        cell_amounts.is_effective_as_billed,
        cell_amounts.is_reporting_as_billing,
        cast(
            cast(cell_amounts.billed_cost as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as billed_cost_units,
        case
            when not cell_amounts.is_effective_as_billed
                then cast(
                    cast(cell_amounts.effective_cost as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as effective_cost_units,
        cast(
            cast(cell_amounts.list_cost as decimal(24, 12))
            * cast(1000000000000 as decimal(13, 0))
            as decimal(22, 0)
        ) as list_cost_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.billed_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as billed_cost_reporting_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.effective_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as effective_cost_reporting_units,
        case
            when not cell_amounts.is_reporting_as_billing
                then cast(
                    cast(cell_amounts.list_cost_reporting as decimal(24, 12))
                    * cast(1000000000000 as decimal(13, 0))
                    as decimal(22, 0)
                )
        end as list_cost_reporting_units
    from cell_amounts
),

units as (
    select
        cumulated.*,
        cast(cumulated.until_weight - cumulated.weight as decimal(15, 0)) as before_weight,
        cell_units.billing_currency,
        cell_units.fx_date,
        cell_units.method_id,
        cell_units.evidence,
        cell_units.cost_state,
        cell_units.is_effective_as_billed,
        cell_units.is_reporting_as_billing,
        cell_units.billed_cost_units,
        cell_units.effective_cost_units,
        cell_units.list_cost_units,
        cell_units.billed_cost_reporting_units,
        cell_units.effective_cost_reporting_units,
        cell_units.list_cost_reporting_units
    from cumulated
    inner join cell_units
        on cumulated.charge_date = cell_units.charge_date
        and cumulated.cell_id = cell_units.cell_id
),

split as (
    select
        units.*,
        idiv(units.billed_cost_units * units.until_weight, units.total_weight)
        - idiv(units.billed_cost_units * units.before_weight, units.total_weight)
            as billed_cost_part,
        idiv(units.effective_cost_units * units.until_weight, units.total_weight)
        - idiv(units.effective_cost_units * units.before_weight, units.total_weight)
            as effective_cost_part,
        idiv(units.list_cost_units * units.until_weight, units.total_weight)
        - idiv(units.list_cost_units * units.before_weight, units.total_weight)
            as list_cost_part,
        idiv(units.billed_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.billed_cost_reporting_units * units.before_weight, units.total_weight)
            as billed_cost_reporting_part,
        idiv(units.effective_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.effective_cost_reporting_units * units.before_weight, units.total_weight)
            as effective_cost_reporting_part,
        idiv(units.list_cost_reporting_units * units.until_weight, units.total_weight)
        - idiv(units.list_cost_reporting_units * units.before_weight, units.total_weight)
            as list_cost_reporting_part
    from units
),

measured as (
    select
        split.*,
        case when split.is_effective_as_billed then split.billed_cost_part else split.effective_cost_part end
            as own_effective_cost_part
    from split
),

reported as (
    select
        measured.*,
        case
            when measured.is_reporting_as_billing then measured.billed_cost_part
            else measured.billed_cost_reporting_part
        end as own_billed_cost_reporting_part,
        case
            when measured.is_reporting_as_billing then measured.own_effective_cost_part
            else measured.effective_cost_reporting_part
        end as own_effective_cost_reporting_part,
        case
            when measured.is_reporting_as_billing then measured.list_cost_part
            else measured.list_cost_reporting_part
        end as own_list_cost_reporting_part
    from measured
)

select
    reported.charge_date,
    reported.cell_id,
    reported.row_id,
    reported.owner_id,
    reported.from_zone,
    reported.to_zone,
    reported.residual_reason,
    cast(
        cast(reported.billed_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost,
    cast(
        cast(reported.own_effective_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost,
    cast(
        cast(reported.list_cost_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost,
    reported.billing_currency,
    cast(
        cast(reported.own_billed_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as billed_cost_reporting,
    cast(
        cast(reported.own_effective_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as effective_cost_reporting,
    cast(
        cast(reported.own_list_cost_reporting_part as decimal(24, 0))
        * cast(0.000000000001 as decimal(13, 12))
        as decimal(38, 12)
    ) as list_cost_reporting,
    reported.fx_date,
    cast(reported.requests as bigint) as requests,
    cast(reported.input_tokens as bigint) as input_tokens,
    cast(reported.output_tokens as bigint) as output_tokens,
    cast(reported.bytes as bigint) as bytes,
    case
        when reported.residual_reason in ('unlogged_usage', 'idle_capacity', 'unmeasured_capacity')
            then 'residual'
        else reported.method_id
    end as method_id,
    case
        when reported.residual_reason = 'unlogged_usage'
            and reported.method_id in ('tokens', 'tool_uses', 'requests')
            then 'billed'
        else reported.evidence
    end as evidence,
    reported.cost_state
from reported
