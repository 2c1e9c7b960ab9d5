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
), shared_cells AS (
  SELECT
    *
  FROM core.shared_cells
), pools AS (
  SELECT
    *
  FROM core.usage_pools
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
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
    located.billing_period_start,
    located.invoice_issuer_name,
    located.invoice_id,
    CASE
      WHEN NOT shared_cells.shared_cost_rule_id IS NULL
      THEN 'rule'
      ELSE located.follows
    END AS follows,
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
    located.from_zone_id AS from_zone,
    located.tag_user_id,
    located.tag_tenant,
    located.tag_customer,
    located.tag_team,
    located.tag_feature,
    located.tag_endpoint,
    located.tag_workflow,
    located.tag_environment,
    LEAST(SUM(charge_cells.covered_seconds), 86400) AS covered_seconds,
    CASE
      WHEN COUNT(charge_cells.stated_seconds) = COUNT(*)
      THEN CAST(SUM(charge_cells.stated_seconds) AS DECIMAL(19, 0))
    END AS stated_seconds,
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
  LEFT JOIN shared_cells
    ON located.billing_period_start = shared_cells.billing_period_start
    AND located.cell_key = shared_cells.cell_key
  GROUP BY
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
), logged_providers AS (
  SELECT
    pools.charge_date,
    SPLIT_PART(pools.pool_key, CHR(  31), 2) AS provider
  FROM pools
  WHERE
    pools.pool_side = 'logged' AND pools.pool_kind = 'usage'
  GROUP BY
    pools.charge_date,
    SPLIT_PART(pools.pool_key, CHR(  31), 2)
), billed_pools AS (
  SELECT
    pools.charge_date,
    pools.member_key AS cell_id,
    pools.pool_key
  FROM pools
  WHERE
    pools.pool_side = 'billed'
), logged_pools AS (
  SELECT
    pools.charge_date,
    pools.pool_key,
    pools.pool_kind,
    CAST(SUM(pools.pool_quantity) AS DECIMAL(38, 0)) AS logged_quantity,
    MAX(CASE WHEN pools.pool_key = pools.leaf_pool_key THEN 1 ELSE 0 END) AS is_leaf
  FROM pools
  WHERE
    pools.pool_side = 'logged'
  GROUP BY
    pools.charge_date,
    pools.pool_key,
    pools.pool_kind
  HAVING
    (
      pools.pool_kind = 'mixed' AND SUM(pools.list_cost) > 0
    )
    OR (
      pools.pool_kind <> 'mixed' AND SUM(pools.pool_quantity) > 0
    )
), counted_pools AS (
  SELECT
    pools.charge_date,
    pools.pool_key,
    CAST(SUM(pools.pool_quantity) AS DECIMAL(38, 0)) AS counted_tokens,
    MIN(CASE WHEN pools.is_final THEN 1 ELSE 0 END) AS is_final
  FROM pools
  WHERE
    pools.pool_side = 'counted'
  GROUP BY
    pools.charge_date,
    pools.pool_key
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
), origin_pools AS (
  SELECT
    physical_pools.charge_date,
    physical_pools.pool_key,
    REGEXP_EXTRACT(physical_pools.pool_key, '^(egress.*)from [^/]*/.*$') AS kind_key,
    NULLIF(REGEXP_EXTRACT(physical_pools.pool_key, 'from ([^/]*)/'), '') AS origin_account_id,
    NULLIF(REGEXP_EXTRACT(physical_pools.pool_key, 'from [^/]*/(.*)$'), '') AS origin_region_id
  FROM physical_pools
  WHERE
    physical_pools.pool_key LIKE 'egress%' || CHR(  31) || 'from %'
), billed_origins AS (
  SELECT
    billed.charge_date,
    'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31) AS kind_key,
    LOWER(REGEXP_REPLACE(billed.sub_account_id, '^/subscriptions/', '')) AS origin_account_id,
    LOWER(billed.region_id) AS origin_region_id
  FROM billed
  WHERE
    billed.cost_driver = 'egress' AND billed.charge_category = 'Usage'
  GROUP BY
    billed.charge_date,
    'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31),
    LOWER(REGEXP_REPLACE(billed.sub_account_id, '^/subscriptions/', '')),
    LOWER(billed.region_id)
), origin_kinds AS (
  SELECT
    origin_pools.charge_date,
    origin_pools.kind_key,
    MAX(CASE WHEN origin_pools.origin_account_id IS NULL THEN 0 ELSE 1 END) AS is_by_account,
    MAX(CASE WHEN origin_pools.origin_region_id IS NULL THEN 0 ELSE 1 END) AS is_by_region
  FROM origin_pools
  LEFT JOIN billed_origins
    ON origin_pools.charge_date = billed_origins.charge_date
    AND origin_pools.kind_key = billed_origins.kind_key
    AND (
      origin_pools.origin_account_id IS NULL
      OR origin_pools.origin_account_id = billed_origins.origin_account_id
    )
    AND (
      origin_pools.origin_region_id IS NULL
      OR origin_pools.origin_region_id = billed_origins.origin_region_id
    )
  GROUP BY
    origin_pools.charge_date,
    origin_pools.kind_key
  HAVING
    COUNT(*) = COUNT(billed_origins.kind_key)
), capacity_pools AS (
  SELECT
    capacity.charge_date,
    capacity.pool_key,
    MAX(capacity.measured_seconds) AS measured_seconds,
    MAX(capacity.measured_unit_seconds) AS measured_unit_seconds,
    MAX(capacity.coverage_share) AS coverage_share
  FROM capacity
  GROUP BY
    capacity.charge_date,
    capacity.pool_key
), pooled AS (
  SELECT
    billed.*,
    COALESCE(
      capacity_pools.pool_key,
      logged_pools.pool_key,
      signal_pools.pool_key,
      named_pools.pool_key,
      origin_pools.pool_key,
      general_pools.pool_key
    ) AS pool_key,
    capacity_pools.measured_seconds,
    LEAST(
      billed.covered_seconds,
      CASE
        WHEN COALESCE(billed.stated_seconds, 0) <= 0
        THEN billed.covered_seconds
        WHEN capacity_pools.measured_unit_seconds > 0
        THEN CAST((
          (
            billed.stated_seconds * CAST(capacity_pools.measured_seconds AS DECIMAL(15, 0))
          ) - (
            (
              billed.stated_seconds * CAST(capacity_pools.measured_seconds AS DECIMAL(15, 0))
            ) % (
              capacity_pools.measured_unit_seconds
            )
          )
        ) / (
          capacity_pools.measured_unit_seconds
        ) AS DECIMAL(38, 0))
        WHEN billed.service_tier = 'provisioned'
        THEN billed.covered_seconds
        ELSE billed.stated_seconds
      END
    ) AS billed_seconds,
    capacity_pools.coverage_share AS capacity_coverage_share,
    logged_pools.is_leaf AS is_leaf_pool,
    CASE WHEN logged_pools.is_leaf = 1 THEN logged_pools.logged_quantity ELSE 0 END AS own_logged_quantity,
    logged_pools.logged_quantity AS pool_logged_quantity,
    CASE
      WHEN NOT capacity_pools.pool_key IS NULL
      THEN 'capacity_seconds'
      WHEN logged_pools.pool_kind = 'usage'
      THEN 'tokens'
      WHEN logged_pools.pool_kind = 'mixed'
      THEN 'list_cost'
      WHEN logged_pools.pool_kind = 'web_search'
      THEN 'tool_uses'
      WHEN logged_pools.pool_kind = 'requests'
      THEN 'requests'
      WHEN logged_pools.pool_kind = 'cache_storage'
      THEN 'cached_tokens'
      WHEN COALESCE(named_pools.pool_key, origin_pools.pool_key, general_pools.pool_key) IS NULL
      THEN NULL
      WHEN billed.cost_driver = 'egress'
      THEN 'bytes'
      ELSE 'telemetry_bytes'
    END AS pool_method
  FROM billed
  LEFT JOIN capacity_pools
    ON billed.charge_date = capacity_pools.charge_date
    AND billed.cost_driver IN ('inference', 'compute')
    AND billed.charge_category = 'Usage'
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
    AND capacity_pools.pool_key = 'capacity' || CHR(  31) || LOWER(billed.resource_id)
  LEFT JOIN billed_pools
    ON billed.charge_date = billed_pools.charge_date
    AND billed.cell_id = billed_pools.cell_id
  LEFT JOIN logged_pools
    ON billed_pools.charge_date = logged_pools.charge_date
    AND billed_pools.pool_key = logged_pools.pool_key
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
  LEFT JOIN physical_pools AS named_pools
    ON billed.charge_date = named_pools.charge_date
    AND billed.charge_category = 'Usage'
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
    AND named_pools.pool_key = CASE billed.cost_driver
      WHEN 'egress'
      THEN 'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31) || billed.from_zone
      WHEN 'monitoring'
      THEN 'monitoring' || CHR(  31) || billed.provider || CHR(  31) || COALESCE(
        NULLIF(REGEXP_EXTRACT(billed.resource_id, 'log-group:([^:]+)'), ''),
        billed.resource_id
      )
    END
  LEFT JOIN physical_pools AS signal_pools
    ON billed.charge_date = signal_pools.charge_date
    AND billed.cost_driver = 'monitoring'
    AND billed.charge_category = 'Usage'
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
    AND signal_pools.pool_key = COALESCE(
      named_pools.pool_key,
      'monitoring' || CHR(  31) || billed.provider || CHR(  31) || 'all'
    ) || CHR(  31) || billed.signal
  LEFT JOIN origin_kinds
    ON billed.charge_date = origin_kinds.charge_date
    AND billed.cost_driver = 'egress'
    AND billed.charge_category = 'Usage'
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
    AND named_pools.pool_key IS NULL
    AND (
      origin_kinds.is_by_account = 0 OR NOT billed.sub_account_id IS NULL
    )
    AND (
      origin_kinds.is_by_region = 0 OR NOT billed.region_id IS NULL
    )
    AND origin_kinds.kind_key = 'egress' || CHR(  31) || billed.provider || CHR(  31) || billed.traffic_kind || CHR(  31)
  LEFT JOIN origin_pools
    ON origin_kinds.charge_date = origin_pools.charge_date
    AND origin_kinds.kind_key = origin_pools.kind_key
    AND (
      origin_pools.origin_account_id IS NULL
      OR origin_pools.origin_account_id = LOWER(REGEXP_REPLACE(billed.sub_account_id, '^/subscriptions/', ''))
    )
    AND (
      origin_pools.origin_region_id IS NULL
      OR origin_pools.origin_region_id = LOWER(billed.region_id)
    )
  LEFT JOIN physical_pools AS general_pools
    ON billed.charge_date = general_pools.charge_date
    AND billed.charge_category = 'Usage'
    AND billed.follows IS NULL
    AND COALESCE(billed.commitment_discount_status, '') <> 'Unused'
    AND named_pools.pool_key IS NULL
    AND origin_kinds.kind_key IS NULL
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
      WHEN pooled.pool_method IN ('tokens', 'tool_uses', 'requests')
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
    CASE
      WHEN covered.pool_billed_quantity > 0
      THEN CAST(ROUND(CAST(covered.pool_billed_quantity AS DECIMAL(38, 12)), 0) AS DECIMAL(38, 0))
      ELSE counted_pools.counted_tokens
    END AS pool_whole_tokens,
    covered.pool_billed_quantity > 0 OR counted_pools.is_final = 1 AS is_whole_final
  FROM covered
  LEFT JOIN counted_pools
    ON covered.charge_date = counted_pools.charge_date
    AND covered.pool_key = counted_pools.pool_key
    AND covered.pool_method IN ('tokens', 'tool_uses')
), resolved AS (
  SELECT
    measured.*,
    CASE
      WHEN measured.pool_method = 'capacity_seconds'
      THEN CAST(GREATEST(measured.billed_seconds - measured.measured_seconds, 0) * 1000000 AS DECIMAL(38, 0))
      WHEN measured.pool_whole_tokens > 0
      AND measured.pool_logged_quantity * 1000000 < measured.pool_whole_tokens * (
        1000000 - settings.coverage_epsilon_ppm
      )
      THEN measured.pool_whole_tokens - measured.pool_logged_quantity
      ELSE CAST(0 AS DECIMAL(38, 0))
    END AS missing_quantity,
    measured.is_whole_final
    AND measured.pool_logged_quantity * 1000000 > measured.pool_whole_tokens * (
      1000000 + settings.coverage_epsilon_ppm
    ) AS is_over_logged,
    CASE
      WHEN measured.pool_method = 'capacity_seconds'
      THEN measured.capacity_coverage_share
      WHEN measured.pool_whole_tokens > 0
      THEN CAST(CAST(LEAST(
        CAST(CAST((
          (
            CAST(measured.pool_logged_quantity AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              CAST(measured.pool_logged_quantity AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              measured.pool_whole_tokens
            )
          )
        ) / (
          measured.pool_whole_tokens
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
    ) IS NULL AS is_tagged,
    measured.cost_driver = 'inference'
    AND NOT measured.token_class IS NULL
    AND measured.charge_category = 'Usage'
    AND measured.follows IS NULL
    AND NOT logged_providers.provider IS NULL
    AND COALESCE(
      measured.tag_user_id,
      measured.tag_tenant,
      measured.tag_customer,
      measured.tag_feature,
      measured.tag_endpoint,
      measured.tag_workflow
    ) IS NULL AS is_missed
  FROM measured
  CROSS JOIN settings
  LEFT JOIN logged_providers
    ON measured.charge_date = logged_providers.charge_date
    AND measured.provider = logged_providers.provider
  LEFT JOIN workloads
    ON measured.resource_id = workloads.workload_ref
    AND NOT workloads.feature IS NULL
    AND NOT COALESCE(workloads.ref_kind, '') IN ('address', 'pod')
    AND (
      workloads.valid_from IS NULL
      OR CAST(workloads.valid_from AS DATE) <= measured.charge_date
    )
    AND (
      workloads.valid_to IS NULL
      OR workloads.valid_to > CAST(measured.charge_date AS TIMESTAMP_NTZ)
    )
    AND (
      workloads.next_valid_from IS NULL
      OR CAST(workloads.next_valid_from AS DATE) > measured.charge_date
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
      WHEN resolved.is_tagged AND NOT resolved.is_missed
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
      WHEN resolved.is_resource_known OR (
        resolved.is_tagged AND NOT resolved.is_missed
      )
      THEN NULL
      WHEN resolved.charge_category = 'Credit'
      THEN 'credit'
      WHEN resolved.provider = 'own hardware' AND resolved.cost_driver = 'inference'
      THEN 'unmeasured_capacity'
      WHEN resolved.cost_driver = 'inference'
      THEN 'unlogged_usage'
      WHEN resolved.cost_driver IN ('egress', 'monitoring')
      THEN 'unknown_workload'
      ELSE 'no_owner'
    END AS residual_reason
  FROM resolved
), owned AS (
  SELECT
    decided.*,
    decided.method_id IN ('workload_resource', 'capacity_seconds') AS is_workload_owned
  FROM decided
)
SELECT
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
  CASE
    WHEN owned.pool_method = 'tokens' AND owned.pool_position = 1
    THEN CAST(owned.own_logged_quantity AS DECIMAL(38, 12))
    WHEN owned.pool_method = 'tokens'
    THEN CAST(0 AS DECIMAL(38, 12))
  END AS logged_quantity,
  owned.coverage_share,
  COALESCE(owned.is_over_logged, FALSE) AS is_over_logged,
  NOT owned.pool_key IS NULL
  AND owned.pool_position = 1
  AND (
    owned.is_leaf_pool = 1 OR owned.method_id <> 'tokens'
  ) AS is_pool_first,
  CAST(owned.missing_quantity AS DECIMAL(38, 12)) AS missing_quantity,
  owned.pool_key,
  owned.method_id,
  CASE
    WHEN owned.provider = 'own hardware'
    THEN 'assumed'
    WHEN owned.method_id IN ('residual', 'bill_tag', 'workload_resource')
    THEN 'billed'
    WHEN owned.method_id IN ('tokens', 'tool_uses', 'requests')
    AND owned.coverage_share IS NULL
    THEN 'assumed'
    WHEN owned.method_id IN ('list_cost', 'cached_tokens')
    THEN 'assumed'
    ELSE 'allocated'
  END AS evidence,
  owned.residual_reason,
  MD5(
    COALESCE(owned.tag_user_id, CHR(  30)) || CHR(  31) || COALESCE(owned.tag_tenant, CHR(  30)) || CHR(  31) || COALESCE(owned.tag_customer, CHR(  30)) || CHR(  31) || COALESCE(
      CASE WHEN owned.is_workload_owned THEN owned.workload_team END,
      owned.tag_team,
      CHR(  30)
    ) || CHR(  31) || COALESCE(
      CASE WHEN owned.is_workload_owned THEN owned.workload_feature END,
      owned.tag_feature,
      CHR(  30)
    ) || CHR(  31) || COALESCE(
      CASE WHEN owned.is_workload_owned THEN owned.workload_endpoint END,
      owned.tag_endpoint,
      CHR(  30)
    ) || CHR(  31) || COALESCE(owned.tag_workflow, CHR(  30)) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || COALESCE(
      CASE WHEN owned.is_workload_owned THEN owned.workload_environment END,
      owned.tag_environment,
      CHR(  30)
    )
  ) AS direct_owner_id,
  owned.tag_user_id AS user_id,
  owned.tag_tenant AS tenant,
  owned.tag_customer AS customer,
  COALESCE(CASE WHEN owned.is_workload_owned THEN owned.workload_team END, owned.tag_team) AS team,
  COALESCE(
    CASE WHEN owned.is_workload_owned THEN owned.workload_feature END,
    owned.tag_feature
  ) AS feature,
  COALESCE(
    CASE WHEN owned.is_workload_owned THEN owned.workload_endpoint END,
    owned.tag_endpoint
  ) AS endpoint,
  owned.tag_workflow AS workflow,
  COALESCE(
    CASE WHEN owned.is_workload_owned THEN owned.workload_environment END,
    owned.tag_environment
  ) AS environment,
  owned.billed_cost,
  owned.effective_cost,
  owned.list_cost,
  owned.billed_cost_reporting,
  owned.effective_cost_reporting,
  owned.list_cost_reporting,
  CASE
    WHEN owned.first_state = 'final' AND owned.last_state = 'final'
    THEN 'final'
    ELSE 'provisional'
  END AS cost_state
FROM owned
