WITH carrying AS (
  SELECT
    *
  FROM lake.aws_cur_lines
  WHERE
    is_split_allocation OR NOT split_line_item_split_usage IS NULL
), enriching AS (
  SELECT
    *
  FROM lake.aws_cur_enrichment_lines
  WHERE
    is_split_allocation OR NOT split_line_item_split_usage IS NULL
)
SELECT
  carrying.charge_id AS allocation_id,
  carrying.x_source,
  carrying.x_snapshot_id,
  carrying.billing_account_id,
  carrying.line_item_usage_account_id AS sub_account_id,
  carrying.billing_period_start,
  carrying.billing_currency,
  carrying.line_item_usage_start_date AS charge_period_start,
  carrying.line_item_usage_end_date AS charge_period_end,
  NULLIF(carrying.split_line_item_parent_resource_id, '') AS resource_id,
  NULLIF(carrying.line_item_resource_id, '') AS allocated_resource_id,
  NULLIF(carrying.product_region_code, '') AS region_id,
  NULLIF(carrying.line_item_usage_type, '') AS sku_meter,
  NULLIF(carrying.line_item_operation, '') AS x_operation,
  carrying.split_cluster AS cluster_name,
  carrying.split_namespace AS namespace,
  carrying.split_workload AS workload_name,
  carrying.split_workload_kind AS workload_kind,
  carrying.split_line_item_reserved_usage AS reserved_quantity,
  carrying.split_line_item_actual_usage AS used_quantity,
  carrying.split_line_item_split_usage AS split_quantity,
  carrying.split_line_item_split_usage_ratio AS split_share,
  COALESCE(carrying.split_line_item_net_split_cost, carrying.split_line_item_split_cost) AS split_cost,
  COALESCE(carrying.split_line_item_net_unused_cost, carrying.split_line_item_unused_cost) AS unused_split_cost,
  carrying.split_line_item_public_on_demand_split_cost AS list_split_cost,
  carrying.split_line_item_public_on_demand_unused_cost AS list_unused_split_cost,
  carrying.tags,
  carrying.x_tag_user_id,
  carrying.x_tag_tenant,
  carrying.x_tag_customer,
  carrying.x_tag_team,
  carrying.x_tag_feature,
  carrying.x_tag_endpoint,
  carrying.x_tag_workflow,
  carrying.x_tag_environment
FROM carrying
UNION ALL
SELECT
  enriching.charge_id AS allocation_id,
  enriching.x_source,
  enriching.x_snapshot_id,
  enriching.billing_account_id,
  enriching.line_item_usage_account_id AS sub_account_id,
  enriching.billing_period_start,
  enriching.billing_currency,
  enriching.line_item_usage_start_date AS charge_period_start,
  enriching.line_item_usage_end_date AS charge_period_end,
  NULLIF(enriching.split_line_item_parent_resource_id, '') AS resource_id,
  NULLIF(enriching.line_item_resource_id, '') AS allocated_resource_id,
  NULLIF(enriching.product_region_code, '') AS region_id,
  NULLIF(enriching.line_item_usage_type, '') AS sku_meter,
  NULLIF(enriching.line_item_operation, '') AS x_operation,
  enriching.split_cluster AS cluster_name,
  enriching.split_namespace AS namespace,
  enriching.split_workload AS workload_name,
  enriching.split_workload_kind AS workload_kind,
  enriching.split_line_item_reserved_usage AS reserved_quantity,
  enriching.split_line_item_actual_usage AS used_quantity,
  enriching.split_line_item_split_usage AS split_quantity,
  enriching.split_line_item_split_usage_ratio AS split_share,
  COALESCE(enriching.split_line_item_net_split_cost, enriching.split_line_item_split_cost) AS split_cost,
  COALESCE(enriching.split_line_item_net_unused_cost, enriching.split_line_item_unused_cost) AS unused_split_cost,
  enriching.split_line_item_public_on_demand_split_cost AS list_split_cost,
  enriching.split_line_item_public_on_demand_unused_cost AS list_unused_split_cost,
  enriching.tags,
  enriching.x_tag_user_id,
  enriching.x_tag_tenant,
  enriching.x_tag_customer,
  enriching.x_tag_team,
  enriching.x_tag_feature,
  enriching.x_tag_endpoint,
  enriching.x_tag_workflow,
  enriching.x_tag_environment
FROM enriching
