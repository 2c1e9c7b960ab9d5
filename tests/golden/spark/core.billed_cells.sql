WITH charge_cells AS (
  SELECT
    *
  FROM core.charge_cells
  WHERE
    charge_date >= :start AND charge_date < :end
), charges AS (
  SELECT
    *
  FROM core.charges
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), workloads AS (
  SELECT
    *
  FROM staging.workloads
), settings AS (
  SELECT
    *
  FROM reference.settings
), zone_ids AS (
  SELECT
    zones.provider,
    zones.account_id,
    zones.zone_name,
    MIN(zones.zone_id) AS zone_id
  FROM staging.zones AS zones
  WHERE
    NOT zones.zone_name IS NULL
  GROUP BY
    zones.provider,
    zones.account_id,
    zones.zone_name
), located AS (
  SELECT
    charges.*,
    COALESCE(zone_ids.zone_id, charges.from_zone) AS from_zone_id
  FROM charges
  LEFT JOIN zone_ids
    ON charges.provider = zone_ids.provider
    AND REGEXP_REPLACE(charges.sub_account_id, '^/subscriptions/', '') = zone_ids.account_id
    AND charges.from_zone = zone_ids.zone_name
), billed AS (
  SELECT
    charge_cells.charge_date,
    charge_cells.cell_id,
    located.cell_key,
    located.bill_of_record,
    located.provider,
    located.billing_account_id,
    located.sub_account_id,
    located.billing_currency,
    located.charge_category,
    located.cost_driver,
    located.traffic_kind,
    located.service_name,
    located.sku_id,
    located.sku_meter,
    located.model,
    located.token_class,
    located.service_tier,
    located.region_id,
    located.resource_id,
    located.to_zone,
    located.commitment_discount_status,
    located.fx_date,
    located.from_zone_id AS from_zone,
    located.tag_user_id,
    located.tag_tenant,
    located.tag_customer,
    located.tag_team,
    located.tag_feature,
    located.tag_endpoint,
    located.tag_workflow,
    located.tag_environment,
    MIN(located.cost_state) AS first_state,
    MAX(located.cost_state) AS last_state,
    CAST(SUM(charge_cells.billed_quantity) AS DECIMAL(38, 12)) AS billed_quantity,
    CAST(SUM(charge_cells.billed_cost) AS DECIMAL(38, 12)) AS billed_cost,
    CAST(SUM(charge_cells.effective_cost) AS DECIMAL(38, 12)) AS effective_cost,
    CAST(SUM(charge_cells.list_cost) AS DECIMAL(38, 12)) AS list_cost,
    CAST(SUM(charge_cells.billed_cost_reporting) AS DECIMAL(38, 12)) AS billed_cost_reporting,
    CAST(SUM(charge_cells.effective_cost_reporting) AS DECIMAL(38, 12)) AS effective_cost_reporting,
    CAST(SUM(charge_cells.list_cost_reporting) AS DECIMAL(38, 12)) AS list_cost_reporting
  FROM charge_cells
  INNER JOIN located
    ON charge_cells.charge_id = located.charge_id
  GROUP BY
    charge_cells.charge_date,
    charge_cells.cell_id,
    located.cell_key,
    located.bill_of_record,
    located.provider,
    located.billing_account_id,
    located.sub_account_id,
    located.billing_currency,
    located.charge_category,
    located.cost_driver,
    located.traffic_kind,
    located.service_name,
    located.sku_id,
    located.sku_meter,
    located.model,
    located.token_class,
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
), usage_pools AS (
  SELECT
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency,
    SUM(CAST(usage.quantity_tokens AS DECIMAL(38, 0))) AS logged_quantity,
    SUM(usage.list_cost) AS list_cost
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency
), logged_pools AS (
  SELECT
    usage_pools.charge_date,
    usage_pools.pool_key,
    CAST(SUM(usage_pools.logged_quantity) AS DECIMAL(38, 0)) AS logged_quantity
  FROM usage_pools
  GROUP BY
    usage_pools.charge_date,
    usage_pools.pool_key
  HAVING
    SUM(usage_pools.logged_quantity) > 0
), mixed_pools AS (
  SELECT
    usage_pools.charge_date,
    usage_pools.provider,
    usage_pools.model,
    'mixed' || CHR(  31) || usage_pools.provider || CHR(  31) || usage_pools.model AS pool_key
  FROM usage_pools
  WHERE
    usage_pools.list_cost > 0
  GROUP BY
    usage_pools.charge_date,
    usage_pools.provider,
    usage_pools.model
), physical_pools AS (
  SELECT
    physical.charge_date,
    physical.pool_key
  FROM physical
  GROUP BY
    physical.charge_date,
    physical.pool_key
  HAVING
    SUM(physical.weight) > 0
), pooled AS (
  SELECT
    billed.*,
    COALESCE(
      logged_pools.pool_key,
      mixed_pools.pool_key,
      named_pools.pool_key,
      general_pools.pool_key
    ) AS pool_key,
    logged_pools.logged_quantity AS pool_logged_quantity,
    CASE
      WHEN NOT logged_pools.pool_key IS NULL
      THEN 'tokens'
      WHEN NOT mixed_pools.pool_key IS NULL
      THEN 'list_cost'
      WHEN COALESCE(named_pools.pool_key, general_pools.pool_key) IS NULL
      THEN NULL
      WHEN billed.cost_driver = 'egress'
      THEN 'bytes'
      ELSE 'telemetry_bytes'
    END AS pool_method
  FROM billed
  LEFT JOIN logged_pools
    ON billed.charge_date = logged_pools.charge_date
    AND billed.cost_driver = 'inference'
    AND billed.charge_category = 'Usage'
    AND NOT billed.token_class IS NULL
    AND logged_pools.pool_key = (
      'usage' || CHR(  31) || billed.provider || CHR(  31) || COALESCE(billed.model, CHR(  30)) || CHR(  31) || billed.token_class || CHR(  31) || billed.service_tier
    )
  LEFT JOIN mixed_pools
    ON billed.charge_date = mixed_pools.charge_date
    AND billed.cost_driver = 'inference'
    AND billed.charge_category = 'Usage'
    AND billed.token_class IS NULL
    AND billed.provider = mixed_pools.provider
    AND billed.model = mixed_pools.model
  LEFT JOIN physical_pools AS named_pools
    ON billed.charge_date = named_pools.charge_date
    AND billed.charge_category = 'Usage'
    AND named_pools.pool_key = CASE billed.cost_driver
      WHEN 'egress'
      THEN 'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31) || billed.from_zone
      WHEN 'monitoring'
      THEN 'monitoring' || CHR(  31) || billed.provider || CHR(  31) || COALESCE(
        NULLIF(REGEXP_EXTRACT(billed.resource_id, 'log-group:([^:]+)'), ''),
        billed.resource_id
      )
    END
  LEFT JOIN physical_pools AS general_pools
    ON billed.charge_date = general_pools.charge_date
    AND billed.charge_category = 'Usage'
    AND named_pools.pool_key IS NULL
    AND general_pools.pool_key = CASE billed.cost_driver
      WHEN 'egress'
      THEN 'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31) || 'all'
      WHEN 'monitoring'
      THEN 'monitoring' || CHR(  31) || billed.provider || CHR(  31) || 'all'
    END
), covered AS (
  SELECT
    pooled.*,
    CASE
      WHEN pooled.pool_method = 'tokens'
      THEN SUM(pooled.billed_quantity) OVER (PARTITION BY pooled.charge_date, pooled.pool_key)
    END AS pool_billed_quantity,
    ROW_NUMBER() OVER (
      PARTITION BY pooled.charge_date, pooled.pool_key
      ORDER BY COALESCE(pooled.billed_quantity, 0) DESC, COALESCE(pooled.effective_cost, 0) DESC, pooled.cell_id NULLS LAST
    ) AS pool_position
  FROM pooled
), measured AS (
  SELECT
    covered.*,
    CAST(ROUND(CAST(covered.pool_billed_quantity AS DECIMAL(38, 12)), 0) AS DECIMAL(38, 0)) AS pool_billed_tokens
  FROM covered
), resolved AS (
  SELECT
    measured.*,
    CASE
      WHEN measured.pool_billed_tokens > 0
      AND measured.pool_logged_quantity * 1000000 < measured.pool_billed_tokens * (
        1000000 - settings.coverage_epsilon_ppm
      )
      THEN measured.pool_billed_tokens - measured.pool_logged_quantity
      ELSE CAST(0 AS DECIMAL(38, 0))
    END AS missing_quantity,
    measured.pool_logged_quantity * 1000000 > measured.pool_billed_tokens * (
      1000000 + settings.coverage_epsilon_ppm
    ) AS is_over_logged,
    CASE
      WHEN measured.pool_billed_tokens > 0
      THEN CAST(CAST(LEAST(
        CAST(CAST((
          (
            CAST(measured.pool_logged_quantity AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              CAST(measured.pool_logged_quantity AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              measured.pool_billed_tokens
            )
          )
        ) / (
          measured.pool_billed_tokens
        ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
        CAST(999999999999999999 AS DECIMAL(38, 0))
      ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
    END AS coverage_share,
    workloads.feature AS workload_feature,
    workloads.endpoint AS workload_endpoint,
    workloads.team AS workload_team,
    workloads.environment AS workload_environment,
    NOT workloads.workload_ref IS NULL AS is_resource_known,
    NOT COALESCE(
      measured.tag_user_id,
      measured.tag_tenant,
      measured.tag_customer,
      measured.tag_team,
      measured.tag_feature,
      measured.tag_endpoint,
      measured.tag_workflow,
      measured.tag_environment
    ) IS NULL AS is_tagged
  FROM measured
  CROSS JOIN settings
  LEFT JOIN workloads
    ON measured.resource_id = workloads.workload_ref
    AND NOT workloads.feature IS NULL
    AND (
      workloads.valid_from IS NULL
      OR CAST(workloads.valid_from AS DATE) <= measured.charge_date
    )
    AND (
      workloads.valid_to IS NULL
      OR CAST(workloads.valid_to AS DATE) > measured.charge_date
    )
), decided AS (
  SELECT
    resolved.*,
    CASE
      WHEN NOT resolved.pool_method IS NULL
      THEN resolved.pool_method
      WHEN resolved.charge_category IN ('Tax')
      THEN 'residual'
      WHEN resolved.commitment_discount_status = 'Unused'
      THEN 'residual'
      WHEN resolved.is_resource_known
      THEN 'workload_resource'
      WHEN resolved.is_tagged
      THEN 'bill_tag'
      ELSE 'residual'
    END AS method_id,
    CASE
      WHEN NOT resolved.pool_method IS NULL
      THEN NULL
      WHEN resolved.charge_category = 'Tax'
      THEN 'tax'
      WHEN resolved.commitment_discount_status = 'Unused'
      THEN 'unused_commitment'
      WHEN resolved.is_resource_known OR resolved.is_tagged
      THEN NULL
      WHEN resolved.charge_category = 'Credit'
      THEN 'credit'
      WHEN resolved.cost_driver = 'inference'
      THEN 'unlogged_usage'
      WHEN resolved.cost_driver IN ('egress', 'monitoring')
      THEN 'unknown_workload'
      ELSE 'no_owner'
    END AS residual_reason
  FROM resolved
)
SELECT
  decided.charge_date,
  decided.cell_id,
  decided.cell_key,
  decided.bill_of_record,
  decided.provider,
  decided.billing_account_id,
  decided.sub_account_id,
  decided.billing_currency,
  decided.charge_category,
  decided.cost_driver,
  decided.traffic_kind,
  decided.service_name,
  decided.sku_id,
  decided.sku_meter,
  decided.model,
  decided.token_class,
  decided.service_tier,
  decided.region_id,
  decided.resource_id,
  decided.from_zone,
  decided.to_zone,
  decided.commitment_discount_status,
  decided.fx_date,
  decided.billed_quantity,
  CASE
    WHEN decided.pool_method = 'tokens' AND decided.pool_position = 1
    THEN CAST(decided.pool_logged_quantity AS DECIMAL(38, 12))
    WHEN decided.pool_method = 'tokens'
    THEN CAST(0 AS DECIMAL(38, 12))
  END AS logged_quantity,
  decided.coverage_share,
  COALESCE(decided.is_over_logged, FALSE) AS is_over_logged,
  NOT decided.pool_key IS NULL AND decided.pool_position = 1 AS is_pool_first,
  CAST(decided.missing_quantity AS DECIMAL(38, 12)) AS missing_quantity,
  decided.pool_key,
  decided.method_id,
  CASE
    WHEN decided.method_id IN ('residual', 'bill_tag', 'workload_resource')
    THEN 'billed'
    WHEN decided.method_id = 'tokens' AND decided.coverage_share IS NULL
    THEN 'assumed'
    WHEN decided.method_id = 'list_cost'
    THEN 'assumed'
    ELSE 'allocated'
  END AS evidence,
  decided.residual_reason,
  MD5(
    COALESCE(decided.tag_user_id, CHR(  30)) || CHR(  31) || COALESCE(decided.tag_tenant, CHR(  30)) || CHR(  31) || COALESCE(decided.tag_customer, CHR(  30)) || CHR(  31) || COALESCE(
      CASE WHEN decided.method_id = 'workload_resource' THEN decided.workload_team END,
      decided.tag_team,
      CHR(  30)
    ) || CHR(  31) || COALESCE(
      CASE WHEN decided.method_id = 'workload_resource' THEN decided.workload_feature END,
      decided.tag_feature,
      CHR(  30)
    ) || CHR(  31) || COALESCE(
      CASE
        WHEN decided.method_id = 'workload_resource'
        THEN decided.workload_endpoint
      END,
      decided.tag_endpoint,
      CHR(  30)
    ) || CHR(  31) || COALESCE(decided.tag_workflow, CHR(  30)) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || COALESCE(
      CASE
        WHEN decided.method_id = 'workload_resource'
        THEN decided.workload_environment
      END,
      decided.tag_environment,
      CHR(  30)
    )
  ) AS direct_owner_id,
  decided.tag_user_id AS user_id,
  decided.tag_tenant AS tenant,
  decided.tag_customer AS customer,
  COALESCE(
    CASE WHEN decided.method_id = 'workload_resource' THEN decided.workload_team END,
    decided.tag_team
  ) AS team,
  COALESCE(
    CASE WHEN decided.method_id = 'workload_resource' THEN decided.workload_feature END,
    decided.tag_feature
  ) AS feature,
  COALESCE(
    CASE
      WHEN decided.method_id = 'workload_resource'
      THEN decided.workload_endpoint
    END,
    decided.tag_endpoint
  ) AS endpoint,
  decided.tag_workflow AS workflow,
  COALESCE(
    CASE
      WHEN decided.method_id = 'workload_resource'
      THEN decided.workload_environment
    END,
    decided.tag_environment
  ) AS environment,
  decided.billed_cost,
  decided.effective_cost,
  decided.list_cost,
  decided.billed_cost_reporting,
  decided.effective_cost_reporting,
  decided.list_cost_reporting,
  CASE
    WHEN decided.first_state = 'final' AND decided.last_state = 'final'
    THEN 'final'
    ELSE 'provisional'
  END AS cost_state
FROM decided
