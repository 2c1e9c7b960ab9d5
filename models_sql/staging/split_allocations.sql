/*
description: >
    What a Kubernetes pod or container task used of the instance it ran on, in an hour or day, as AWS splits the
    instance's cost. The money is on the instance's own line, so nothing here adds to the bill: use it as weights.
    Tasks on Fargate are billed by themselves and have no instance.
grain: [allocation_id]
materialized: view
partition_by: {column: billing_period_start, unit: month}
columns:
    allocation_id: null
    x_source: null
    x_snapshot_id: null
    billing_account_id: null
    sub_account_id: null
    billing_period_start: null
    billing_currency: null
    charge_period_start: null
    charge_period_end: null
    resource_id: the instance that is billed; null on Fargate
    allocated_resource_id: the pod or task
    region_id: null
    sku_meter: null
    x_operation: null
    cluster_name: null
    namespace: null
    workload_name: null
    workload_kind: null
    reserved_quantity: null
    used_quantity: null
    split_quantity: null
    split_share: null
    split_cost: null
    unused_split_cost: null
    list_split_cost: null
    list_unused_split_cost: null
    tags: null
    x_tag_user_id: null
    x_tag_tenant: null
    x_tag_customer: null
    x_tag_team: null
    x_tag_feature: null
    x_tag_endpoint: null
    x_tag_workflow: null
    x_tag_environment: null
*/
with

carrying as (
    select *
    from lake.aws_cur_lines
    where is_split_allocation or split_line_item_split_usage is not null
),

enriching as (
    select *
    from lake.aws_cur_enrichment_lines
    where is_split_allocation or split_line_item_split_usage is not null
)

select
    carrying.charge_id as allocation_id,
    carrying.x_source,
    carrying.x_snapshot_id,
    carrying.billing_account_id,
    carrying.line_item_usage_account_id as sub_account_id,
    carrying.billing_period_start,
    carrying.billing_currency,
    carrying.line_item_usage_start_date as charge_period_start,
    carrying.line_item_usage_end_date as charge_period_end,
    nullif(carrying.split_line_item_parent_resource_id, '') as resource_id,
    nullif(carrying.line_item_resource_id, '') as allocated_resource_id,
    nullif(carrying.product_region_code, '') as region_id,
    nullif(carrying.line_item_usage_type, '') as sku_meter,
    nullif(carrying.line_item_operation, '') as x_operation,
    carrying.split_cluster as cluster_name,
    carrying.split_namespace as namespace,
    carrying.split_workload as workload_name,
    carrying.split_workload_kind as workload_kind,
    carrying.split_line_item_reserved_usage as reserved_quantity,
    carrying.split_line_item_actual_usage as used_quantity,
    carrying.split_line_item_split_usage as split_quantity,
    carrying.split_line_item_split_usage_ratio as split_share,
    coalesce(carrying.split_line_item_net_split_cost, carrying.split_line_item_split_cost) as split_cost,
    coalesce(
        carrying.split_line_item_net_unused_cost, carrying.split_line_item_unused_cost
    ) as unused_split_cost,
    carrying.split_line_item_public_on_demand_split_cost as list_split_cost,
    carrying.split_line_item_public_on_demand_unused_cost as list_unused_split_cost,
    carrying.tags,
    carrying.x_tag_user_id,
    carrying.x_tag_tenant,
    carrying.x_tag_customer,
    carrying.x_tag_team,
    carrying.x_tag_feature,
    carrying.x_tag_endpoint,
    carrying.x_tag_workflow,
    carrying.x_tag_environment
from carrying
union all
select
    enriching.charge_id as allocation_id,
    enriching.x_source,
    enriching.x_snapshot_id,
    enriching.billing_account_id,
    enriching.line_item_usage_account_id as sub_account_id,
    enriching.billing_period_start,
    enriching.billing_currency,
    enriching.line_item_usage_start_date as charge_period_start,
    enriching.line_item_usage_end_date as charge_period_end,
    nullif(enriching.split_line_item_parent_resource_id, '') as resource_id,
    nullif(enriching.line_item_resource_id, '') as allocated_resource_id,
    nullif(enriching.product_region_code, '') as region_id,
    nullif(enriching.line_item_usage_type, '') as sku_meter,
    nullif(enriching.line_item_operation, '') as x_operation,
    enriching.split_cluster as cluster_name,
    enriching.split_namespace as namespace,
    enriching.split_workload as workload_name,
    enriching.split_workload_kind as workload_kind,
    enriching.split_line_item_reserved_usage as reserved_quantity,
    enriching.split_line_item_actual_usage as used_quantity,
    enriching.split_line_item_split_usage as split_quantity,
    enriching.split_line_item_split_usage_ratio as split_share,
    coalesce(enriching.split_line_item_net_split_cost, enriching.split_line_item_split_cost) as split_cost,
    coalesce(
        enriching.split_line_item_net_unused_cost, enriching.split_line_item_unused_cost
    ) as unused_split_cost,
    enriching.split_line_item_public_on_demand_split_cost as list_split_cost,
    enriching.split_line_item_public_on_demand_unused_cost as list_unused_split_cost,
    enriching.tags,
    enriching.x_tag_user_id,
    enriching.x_tag_tenant,
    enriching.x_tag_customer,
    enriching.x_tag_team,
    enriching.x_tag_feature,
    enriching.x_tag_endpoint,
    enriching.x_tag_workflow,
    enriching.x_tag_environment
from enriching
