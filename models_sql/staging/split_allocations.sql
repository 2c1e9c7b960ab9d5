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

carrying_lines as (select * from lake.aws_cur_lines),

enriching_lines as (select * from lake.aws_cur_enrichment_lines),

lines as (
    select *
    from carrying_lines
    union all
    select *
    from enriching_lines
),

splits as (
    select *
    from lines
    where is_split_allocation or split_line_item_split_usage is not null
)

select
    splits.charge_id as allocation_id,
    splits.x_source,
    splits.x_snapshot_id,
    splits.billing_account_id,
    splits.line_item_usage_account_id as sub_account_id,
    splits.billing_period_start,
    splits.billing_currency,
    splits.line_item_usage_start_date as charge_period_start,
    splits.line_item_usage_end_date as charge_period_end,
    nullif(splits.split_line_item_parent_resource_id, '') as resource_id,
    nullif(splits.line_item_resource_id, '') as allocated_resource_id,
    nullif(splits.product_region_code, '') as region_id,
    nullif(splits.line_item_usage_type, '') as sku_meter,
    nullif(splits.line_item_operation, '') as x_operation,
    splits.split_cluster as cluster_name,
    splits.split_namespace as namespace,
    splits.split_workload as workload_name,
    splits.split_workload_kind as workload_kind,
    splits.split_line_item_reserved_usage as reserved_quantity,
    splits.split_line_item_actual_usage as used_quantity,
    splits.split_line_item_split_usage as split_quantity,
    splits.split_line_item_split_usage_ratio as split_share,
    coalesce(splits.split_line_item_net_split_cost, splits.split_line_item_split_cost) as split_cost,
    coalesce(splits.split_line_item_net_unused_cost, splits.split_line_item_unused_cost) as unused_split_cost,
    splits.split_line_item_public_on_demand_split_cost as list_split_cost,
    splits.split_line_item_public_on_demand_unused_cost as list_unused_split_cost,
    splits.tags,
    splits.x_tag_user_id,
    splits.x_tag_tenant,
    splits.x_tag_customer,
    splits.x_tag_team,
    splits.x_tag_feature,
    splits.x_tag_endpoint,
    splits.x_tag_workflow,
    splits.x_tag_environment
from splits
