/*
description: >
    The finest thing that bill and logs both know, per UTC day, as far as a bill has arrived: billed and logged
    quantity, coverage, where its owners come from (pool_key), or who owns it outright.
grain: [charge_date, cell_id]
materialized: table
partition_by: {column: charge_date, unit: day}
reads:
    core.charges: overlap
    core.shared_cells: overlap
columns:
    charge_date: null
    cell_id: null
    cell_key: null
    bill_of_record: null
    provider: null
    billing_account_id: null
    sub_account_id: null
    billing_currency: null
    billing_period_start: null
    invoice_issuer_name: null
    invoice_id: null
    follows: null
    shared_cost_rule_id: null
    charge_category: null
    cost_driver: null
    traffic_kind: null
    service_name: null
    sku_id: null
    sku_meter: null
    model: null
    token_class: null
    service_tier: null
    region_id: null
    resource_id: null
    from_zone: null
    to_zone: null
    commitment_discount_status: null
    fx_date: null
    billed_quantity: null
    logged_quantity: the whole pool's, on the first cell of the pool only, so that it adds up
    coverage_share: >
        logged over billed quantity of the whole pool, over what the provider counts where the bill states no quantity; a
        million times or more shows as 999999.999999999999
    is_over_logged: null
    is_pool_first: null
    missing_quantity: null
    pool_key: null
    method_id: null
    evidence: null
    residual_reason: of the row that takes the whole cell, where it has no pool
    direct_owner_id: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    environment: null
    billed_cost: null
    effective_cost: null
    list_cost: null
    billed_cost_reporting: null
    effective_cost_reporting: null
    list_cost_reporting: null
    cost_state: null
*/
with

charge_cells as (
    select *
    from core.charge_cells
    where charge_date >= $start and charge_date < $end
),

charges as (select * from core.charges),

shared_cells as (select * from core.shared_cells),

pools as (
    select *
    from core.usage_pools
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

workloads as (select * from staging.workloads),

settings as (select * from reference.settings),

zone_ids as (
    select
        zones.provider,
        zones.account_id,
        zones.zone_name,
        min(zones.zone_id) as zone_id
    from staging.zones as zones
    where zones.zone_name is not null
    group by zones.provider, zones.account_id, zones.zone_name
),

located as (
    select
        charges.*,
        coalesce(zone_ids.zone_id, charges.from_zone) as from_zone_id
    from charges
    left join zone_ids
        on charges.provider = zone_ids.provider
        and regexp_replace(charges.sub_account_id, '^/subscriptions/', '', 'g') = zone_ids.account_id
        and charges.from_zone = zone_ids.zone_name
),

billed as (
    select
        charge_cells.charge_date,
        charge_cells.cell_id,
        located.cell_key,
        located.bill_of_record,
        located.provider,
        located.billing_account_id,
        located.sub_account_id,
        located.billing_currency,
        located.billing_period_start,
        located.invoice_issuer_name,
        located.invoice_id,
        case
            when shared_cells.shared_cost_rule_id is not null then 'rule'
            else located.follows
        end as follows,
        shared_cells.shared_cost_rule_id,
        located.charge_category,
        located.cost_driver,
        located.traffic_kind,
        located.service_name,
        located.sku_id,
        located.sku_meter,
        located.model,
        located.token_class,
        located.signal,
        located.service_tier,
        located.region_id,
        located.resource_id,
        located.to_zone,
        located.commitment_discount_status,
        located.fx_date,
        located.from_zone_id as from_zone,
        located.tag_user_id,
        located.tag_tenant,
        located.tag_customer,
        located.tag_team,
        located.tag_feature,
        located.tag_endpoint,
        located.tag_workflow,
        located.tag_environment,
        least(sum(charge_cells.covered_seconds), 86400) as covered_seconds,
        case
            when count(charge_cells.stated_seconds) = count(*)
                then cast(sum(charge_cells.stated_seconds) as decimal(19, 0))
        end as stated_seconds,
        min(located.cost_state) as first_state,
        max(located.cost_state) as last_state,
        cast(sum(charge_cells.billed_quantity) as decimal(38, 12)) as billed_quantity,
        cast(sum(charge_cells.billed_cost) as decimal(38, 12)) as billed_cost,
        cast(sum(charge_cells.effective_cost) as decimal(38, 12)) as effective_cost,
        cast(sum(charge_cells.list_cost) as decimal(38, 12)) as list_cost,
        cast(sum(charge_cells.billed_cost_reporting) as decimal(38, 12)) as billed_cost_reporting,
        cast(sum(charge_cells.effective_cost_reporting) as decimal(38, 12)) as effective_cost_reporting,
        cast(sum(charge_cells.list_cost_reporting) as decimal(38, 12)) as list_cost_reporting
    from charge_cells
    inner join located on charge_cells.charge_id = located.charge_id
    left join shared_cells
        on located.billing_period_start = shared_cells.billing_period_start
        and located.cell_key = shared_cells.cell_key
    group by
        charge_cells.charge_date,
        charge_cells.cell_id,
        located.cell_key,
        located.bill_of_record,
        located.provider,
        located.billing_account_id,
        located.sub_account_id,
        located.billing_currency,
        located.billing_period_start,
        located.invoice_issuer_name,
        located.invoice_id,
        located.follows,
        shared_cells.shared_cost_rule_id,
        located.charge_category,
        located.cost_driver,
        located.traffic_kind,
        located.service_name,
        located.sku_id,
        located.sku_meter,
        located.model,
        located.token_class,
        located.signal,
        located.service_tier,
        located.region_id,
        located.resource_id,
        located.to_zone,
        located.commitment_discount_status,
        located.fx_date,
        located.from_zone_id,
        located.tag_user_id,
        located.tag_tenant,
        located.tag_customer,
        located.tag_team,
        located.tag_feature,
        located.tag_endpoint,
        located.tag_workflow,
        located.tag_environment
),

/* Of whom some log of the day tells: a cell of theirs that no log names is what the logs miss. */
logged_providers as (
    select
        pools.charge_date,
        split_part(pools.pool_key, chr(31), 2) as provider
    from pools
    where pools.pool_side = 'logged' and pools.pool_kind = 'usage'
    group by pools.charge_date, split_part(pools.pool_key, chr(31), 2)
),

billed_pools as (
    select
        pools.charge_date,
        pools.member_key as cell_id,
        pools.pool_key
    from pools
    where pools.pool_side = 'billed'
),

logged_pools as (
    select
        pools.charge_date,
        pools.pool_key,
        pools.pool_kind,
        cast(sum(pools.pool_quantity) as decimal(38, 0)) as logged_quantity,
        max(case when pools.pool_key = pools.leaf_pool_key then 1 else 0 end) as is_leaf
    from pools
    where pools.pool_side = 'logged'
    group by pools.charge_date, pools.pool_key, pools.pool_kind
    having
        (pools.pool_kind = 'mixed' and sum(pools.list_cost) > 0)
        or (pools.pool_kind <> 'mixed' and sum(pools.pool_quantity) > 0)
),

/* What the provider itself counts, for bills that state no quantity. */
counted_pools as (
    select
        pools.charge_date,
        pools.pool_key,
        cast(sum(pools.pool_quantity) as decimal(38, 0)) as counted_tokens,
        min(case when pools.is_final then 1 else 0 end) as is_final
    from pools
    where pools.pool_side = 'counted'
    group by pools.charge_date, pools.pool_key
),

physical_pools as (
    select
        physical.charge_date,
        physical.pool_key
    from physical
    group by physical.charge_date, physical.pool_key
    having sum(physical.weight) > 0
),

/* Traffic by who sent it: used for a provider and kind if its bill of the day names every account and region of them. */
origin_pools as (
    select
        physical_pools.charge_date,
        physical_pools.pool_key,
        regexp_extract(physical_pools.pool_key, '^(egress.*)from [^/]*/.*$', 1) as kind_key,
        nullif(regexp_extract(physical_pools.pool_key, 'from ([^/]*)/', 1), '') as origin_account_id,
        nullif(regexp_extract(physical_pools.pool_key, 'from [^/]*/(.*)$', 1), '') as origin_region_id
    from physical_pools
    where physical_pools.pool_key like 'egress%' || chr(31) || 'from %'
),

billed_origins as (
    select
        billed.charge_date,
        'egress' || chr(31) || billed.provider || chr(31) || billed.traffic_kind || chr(31) as kind_key,
        lower(regexp_replace(billed.sub_account_id, '^/subscriptions/', '', 'g')) as origin_account_id,
        lower(billed.region_id) as origin_region_id
    from billed
    where billed.cost_driver = 'egress' and billed.charge_category = 'Usage'
    group by
        billed.charge_date,
        'egress' || chr(31) || billed.provider || chr(31) || billed.traffic_kind || chr(31),
        lower(regexp_replace(billed.sub_account_id, '^/subscriptions/', '', 'g')),
        lower(billed.region_id)
),

origin_kinds as (
    select
        origin_pools.charge_date,
        origin_pools.kind_key,
        max(case when origin_pools.origin_account_id is null then 0 else 1 end) as is_by_account,
        max(case when origin_pools.origin_region_id is null then 0 else 1 end) as is_by_region
    from origin_pools
    left join billed_origins
        on origin_pools.charge_date = billed_origins.charge_date
        and origin_pools.kind_key = billed_origins.kind_key
        and (
            origin_pools.origin_account_id is null
            or origin_pools.origin_account_id = billed_origins.origin_account_id
        )
        and (
            origin_pools.origin_region_id is null
            or origin_pools.origin_region_id = billed_origins.origin_region_id
        )
    group by origin_pools.charge_date, origin_pools.kind_key
    having count(*) = count(billed_origins.kind_key)
),

capacity_pools as (
    select
        capacity.charge_date,
        capacity.pool_key,
        max(capacity.measured_seconds) as measured_seconds,
        max(capacity.measured_unit_seconds) as measured_unit_seconds,
        max(capacity.coverage_share) as coverage_share
    from capacity
    group by capacity.charge_date, capacity.pool_key
),

pooled as (
    select
        billed.*,
        coalesce(
            capacity_pools.pool_key,
            logged_pools.pool_key,
            signal_pools.pool_key,
            named_pools.pool_key,
            origin_pools.pool_key,
            general_pools.pool_key
        ) as pool_key,
        capacity_pools.measured_seconds,
        least(
            billed.covered_seconds,
            case
                when coalesce(billed.stated_seconds, 0) <= 0 then billed.covered_seconds
                when capacity_pools.measured_unit_seconds > 0
                    then idiv(
                        billed.stated_seconds * cast(capacity_pools.measured_seconds as decimal(15, 0)),
                        capacity_pools.measured_unit_seconds
                    )
                when billed.service_tier = 'provisioned' then billed.covered_seconds
                else billed.stated_seconds
            end
        ) as billed_seconds,
        capacity_pools.coverage_share as capacity_coverage_share,
        logged_pools.is_leaf as is_leaf_pool,
        case when logged_pools.is_leaf = 1 then logged_pools.logged_quantity else 0 end
            as own_logged_quantity,
        logged_pools.logged_quantity as pool_logged_quantity,
        case
            when capacity_pools.pool_key is not null then 'capacity_seconds'
            when logged_pools.pool_kind = 'usage' then 'tokens'
            when logged_pools.pool_kind = 'mixed' then 'list_cost'
            when logged_pools.pool_kind = 'web_search' then 'tool_uses'
            when logged_pools.pool_kind = 'requests' then 'requests'
            when logged_pools.pool_kind = 'cache_storage' then 'cached_tokens'
            when coalesce(named_pools.pool_key, origin_pools.pool_key, general_pools.pool_key) is null
                then null
            when billed.cost_driver = 'egress' then 'bytes'
            else 'telemetry_bytes'
        end as pool_method
    from billed
    left join capacity_pools
        on billed.charge_date = capacity_pools.charge_date
        and billed.cost_driver in ('inference', 'compute')
        and billed.charge_category = 'Usage'
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
        and capacity_pools.pool_key = 'capacity' || chr(31) || lower(billed.resource_id)
    left join billed_pools
        on billed.charge_date = billed_pools.charge_date
        and billed.cell_id = billed_pools.cell_id
    left join logged_pools
        on billed_pools.charge_date = logged_pools.charge_date
        and billed_pools.pool_key = logged_pools.pool_key
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
    left join physical_pools as named_pools
        on billed.charge_date = named_pools.charge_date
        and billed.charge_category = 'Usage'
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
        and named_pools.pool_key = case billed.cost_driver
            when 'egress'
                then 'egress' || chr(31) || billed.provider || chr(31)
                || billed.traffic_kind || chr(31) || billed.from_zone
            when 'monitoring'
                then 'monitoring' || chr(31) || billed.provider || chr(31)
                || coalesce(
                    nullif(regexp_extract(billed.resource_id, 'log-group:([^:]+)', 1), ''), billed.resource_id
                )
        end
    left join physical_pools as signal_pools
        on billed.charge_date = signal_pools.charge_date
        and billed.cost_driver = 'monitoring'
        and billed.charge_category = 'Usage'
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
        and signal_pools.pool_key = coalesce(
            named_pools.pool_key, 'monitoring' || chr(31) || billed.provider || chr(31) || 'all'
        ) || chr(31) || billed.signal
    left join origin_kinds
        on billed.charge_date = origin_kinds.charge_date
        and billed.cost_driver = 'egress'
        and billed.charge_category = 'Usage'
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
        and named_pools.pool_key is null
        and (origin_kinds.is_by_account = 0 or billed.sub_account_id is not null)
        and (origin_kinds.is_by_region = 0 or billed.region_id is not null)
        and origin_kinds.kind_key
        = 'egress' || chr(31) || billed.provider || chr(31) || billed.traffic_kind || chr(31)
    left join origin_pools
        on origin_kinds.charge_date = origin_pools.charge_date
        and origin_kinds.kind_key = origin_pools.kind_key
        and (
            origin_pools.origin_account_id is null
            or origin_pools.origin_account_id
            = lower(regexp_replace(billed.sub_account_id, '^/subscriptions/', '', 'g'))
        )
        and (
            origin_pools.origin_region_id is null
            or origin_pools.origin_region_id = lower(billed.region_id)
        )
    left join physical_pools as general_pools
        on billed.charge_date = general_pools.charge_date
        and billed.charge_category = 'Usage'
        and billed.follows is null
        and coalesce(billed.commitment_discount_status, '') <> 'Unused'
        and named_pools.pool_key is null
        and origin_kinds.kind_key is null
        and general_pools.pool_key = case billed.cost_driver
            when 'egress'
                then 'egress' || chr(31) || billed.provider || chr(31)
                || billed.traffic_kind || chr(31) || 'all'
            when 'monitoring'
                then 'monitoring' || chr(31) || billed.provider || chr(31) || 'all'
        end
),

covered as (
    select
        pooled.*,
        case
            when pooled.pool_method in ('tokens', 'tool_uses', 'requests')
                then sum(pooled.billed_quantity) over (
                    partition by pooled.charge_date, pooled.pool_key
                )
        end as pool_billed_quantity,
        row_number() over (
            partition by pooled.charge_date, pooled.pool_key
            order by
                coalesce(pooled.billed_quantity, 0) desc,
                coalesce(pooled.effective_cost, 0) desc,
                pooled.cell_id
        ) as pool_position
    from pooled
),

measured as (
    select
        covered.*,
        case
            when covered.pool_billed_quantity > 0
                then cast(
                    round(cast(covered.pool_billed_quantity as decimal(38, 12)), 0) as decimal(38, 0)
                )
            else counted_pools.counted_tokens
        end as pool_whole_tokens,
        covered.pool_billed_quantity > 0 or counted_pools.is_final = 1 as is_whole_final
    from covered
    left join counted_pools
        on covered.charge_date = counted_pools.charge_date
        and covered.pool_key = counted_pools.pool_key
        and covered.pool_method in ('tokens', 'tool_uses')
),

resolved as (
    select
        measured.*,
        case
            when measured.pool_method = 'capacity_seconds'
                then cast(
                    greatest(measured.billed_seconds - measured.measured_seconds, 0) * 1000000
                    as decimal(38, 0)
                )
            when measured.pool_whole_tokens > 0
                and measured.pool_logged_quantity * 1000000
                < measured.pool_whole_tokens * (1000000 - settings.coverage_epsilon_ppm)
                then measured.pool_whole_tokens - measured.pool_logged_quantity
            else cast(0 as decimal(38, 0))
        end as missing_quantity,
        measured.is_whole_final
        and measured.pool_logged_quantity * 1000000
        > measured.pool_whole_tokens * (1000000 + settings.coverage_epsilon_ppm) as is_over_logged,
        case
            when measured.pool_method = 'capacity_seconds' then measured.capacity_coverage_share
            when measured.pool_whole_tokens > 0
                then cast(
                    cast(
                        least(
                            cast(
                                idiv(
                                    cast(measured.pool_logged_quantity as decimal(22, 0))
                                    * cast(1000000000000 as decimal(13, 0)),
                                    measured.pool_whole_tokens
                                ) as decimal(38, 0)
                            ),
                            cast(999999999999999999 as decimal(38, 0))
                        ) as decimal(24, 0)
                    ) * cast(0.000000000001 as decimal(13, 12)) as decimal(18, 12)
                )
        end as coverage_share,
        workloads.feature as workload_feature,
        workloads.endpoint as workload_endpoint,
        workloads.team as workload_team,
        workloads.environment as workload_environment,
        workloads.workload_ref is not null as is_resource_known,
        coalesce(
            measured.tag_user_id, measured.tag_tenant, measured.tag_customer, measured.tag_team,
            measured.tag_feature, measured.tag_endpoint, measured.tag_workflow, measured.tag_environment
        ) is not null as is_tagged,
        measured.cost_driver = 'inference'
        and measured.token_class is not null
        and measured.charge_category = 'Usage'
        and measured.follows is null
        and logged_providers.provider is not null
        and coalesce(
            measured.tag_user_id, measured.tag_tenant, measured.tag_customer, measured.tag_feature,
            measured.tag_endpoint, measured.tag_workflow
        ) is null as is_missed
    from measured
    cross join settings
    left join logged_providers
        on measured.charge_date = logged_providers.charge_date
        and measured.provider = logged_providers.provider
    left join workloads
        on measured.resource_id = workloads.workload_ref
        and workloads.feature is not null
        and coalesce(workloads.ref_kind, '') not in ('address', 'pod')
        and (workloads.valid_from is null or cast(workloads.valid_from as date) <= measured.charge_date)
        and (workloads.valid_to is null or workloads.valid_to > cast(measured.charge_date as timestamp))
        and (
            workloads.next_valid_from is null
            or cast(workloads.next_valid_from as date) > measured.charge_date
        )
),

decided as (
    select
        resolved.*,
        case
            when resolved.pool_method is not null then resolved.pool_method
            when resolved.charge_category in ('Tax') then 'residual'
            when resolved.commitment_discount_status = 'Unused' then 'residual'
            when resolved.is_resource_known then 'workload_resource'
            when resolved.is_tagged and not resolved.is_missed then 'bill_tag'
            else 'residual'
        end as method_id,
        case
            when resolved.pool_method is not null then null
            when resolved.charge_category = 'Tax' then 'tax'
            when resolved.commitment_discount_status = 'Unused' then 'unused_commitment'
            when resolved.is_resource_known or (resolved.is_tagged and not resolved.is_missed) then null
            when resolved.charge_category = 'Credit' then 'credit'
            when resolved.provider = 'own hardware' and resolved.cost_driver = 'inference'
                then 'unmeasured_capacity'
            when resolved.cost_driver = 'inference' then 'unlogged_usage'
            when resolved.cost_driver in ('egress', 'monitoring') then 'unknown_workload'
            else 'no_owner'
        end as residual_reason
    from resolved
),

owned as (
    select
        decided.*,
        decided.method_id in ('workload_resource', 'capacity_seconds') as is_workload_owned
    from decided
)

select
    owned.charge_date,
    owned.cell_id,
    owned.cell_key,
    owned.bill_of_record,
    owned.provider,
    owned.billing_account_id,
    owned.sub_account_id,
    owned.billing_currency,
    owned.billing_period_start,
    owned.invoice_issuer_name,
    owned.invoice_id,
    owned.follows,
    owned.shared_cost_rule_id,
    owned.charge_category,
    owned.cost_driver,
    owned.traffic_kind,
    owned.service_name,
    owned.sku_id,
    owned.sku_meter,
    owned.model,
    owned.token_class,
    owned.service_tier,
    owned.region_id,
    owned.resource_id,
    owned.from_zone,
    owned.to_zone,
    owned.commitment_discount_status,
    owned.fx_date,
    owned.billed_quantity,
    case
        when owned.pool_method = 'tokens' and owned.pool_position = 1
            then cast(owned.own_logged_quantity as decimal(38, 12))
        when owned.pool_method = 'tokens' then cast(0 as decimal(38, 12))
    end as logged_quantity,
    owned.coverage_share,
    coalesce(owned.is_over_logged, false) as is_over_logged,
    owned.pool_key is not null and owned.pool_position = 1
    and (owned.is_leaf_pool = 1 or owned.method_id <> 'tokens') as is_pool_first,
    cast(owned.missing_quantity as decimal(38, 12)) as missing_quantity,
    owned.pool_key,
    owned.method_id,
    case
        when owned.provider = 'own hardware' then 'assumed'
        when owned.method_id in ('residual', 'bill_tag', 'workload_resource') then 'billed'
        when owned.method_id in ('tokens', 'tool_uses', 'requests') and owned.coverage_share is null
            then 'assumed'
        when owned.method_id in ('list_cost', 'cached_tokens') then 'assumed'
        else 'allocated'
    end as evidence,
    owned.residual_reason,
    md5(
        coalesce(owned.tag_user_id, chr(30))
        || chr(31) || coalesce(owned.tag_tenant, chr(30))
        || chr(31) || coalesce(owned.tag_customer, chr(30))
        || chr(31) || coalesce(
            case when owned.is_workload_owned then owned.workload_team end,
            owned.tag_team,
            chr(30)
        )
        || chr(31) || coalesce(
            case when owned.is_workload_owned then owned.workload_feature end,
            owned.tag_feature,
            chr(30)
        )
        || chr(31) || coalesce(
            case when owned.is_workload_owned then owned.workload_endpoint end,
            owned.tag_endpoint,
            chr(30)
        )
        || chr(31) || coalesce(owned.tag_workflow, chr(30))
        || chr(31) || chr(30)
        || chr(31) || chr(30)
        || chr(31) || coalesce(
            case when owned.is_workload_owned then owned.workload_environment end,
            owned.tag_environment,
            chr(30)
        )
    ) as direct_owner_id,
    owned.tag_user_id as user_id,
    owned.tag_tenant as tenant,
    owned.tag_customer as customer,
    coalesce(
        case when owned.is_workload_owned then owned.workload_team end,
        owned.tag_team
    ) as team,
    coalesce(
        case when owned.is_workload_owned then owned.workload_feature end,
        owned.tag_feature
    ) as feature,
    coalesce(
        case when owned.is_workload_owned then owned.workload_endpoint end,
        owned.tag_endpoint
    ) as endpoint,
    owned.tag_workflow as workflow,
    coalesce(
        case when owned.is_workload_owned then owned.workload_environment end,
        owned.tag_environment
    ) as environment,
    owned.billed_cost,
    owned.effective_cost,
    owned.list_cost,
    owned.billed_cost_reporting,
    owned.effective_cost_reporting,
    owned.list_cost_reporting,
    case
        when owned.first_state = 'final' and owned.last_state = 'final' then 'final'
        else 'provisional'
    end as cost_state
from owned
