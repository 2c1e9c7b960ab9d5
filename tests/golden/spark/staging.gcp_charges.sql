WITH source AS (
  SELECT
    *
  FROM lake.gcp_cost_lines
), commitment_source AS (
  SELECT
    *
  FROM lake.gcp_cost_lines
), services AS (
  SELECT
    *
  FROM reference.gcp_services
), sku_prices AS (
  SELECT
    *
  FROM staging.sku_prices
  WHERE
    provider = 'google'
), part_kinds AS (
  SELECT
    '' AS id_suffix
  UNION ALL
  SELECT
    '-credit-promotion' AS id_suffix
  UNION ALL
  SELECT
    '-unused' AS id_suffix
), told AS (
  SELECT
    commitment_source.x_source || CHR(  31) || commitment_source.billing_account_id || CHR(  31) || commitment_source.billing_currency || CHR(  31) || CAST(commitment_source.billing_period_start AS STRING) AS bill_key,
    commitment_source.charge_id,
    commitment_source.sku_id,
    LOWER(COALESCE(commitment_source.service_name, '')) AS service_text,
    commitment_source.fee_utilization_offset_credit,
    commitment_source.committed_usage_discount_dollar_base_credit,
    commitment_source.cost,
    LOWER(COALESCE(commitment_source.sku_description, '')) AS sku_text,
    commitment_source.billed_cost - commitment_source.promotion_credit AS net_cost,
    commitment_source.committed_usage_discount_credit + commitment_source.committed_usage_discount_dollar_base_credit AS commitment_credit,
    COALESCE(commitment_source.usage_amount_in_pricing_units, 0) AS quantity,
    CASE
      WHEN commitment_source.fee_utilization_offset_credit <> 0
      THEN TRUE
      WHEN COALESCE(commitment_source.cost_type, 'regular') <> 'regular'
      THEN FALSE
      ELSE LOWER(COALESCE(commitment_source.sku_description, '')) RLIKE '^commitment( v[0-9]+)?( -|:| for|$)'
    END AS is_fee
  FROM commitment_source
), commitments AS (
  SELECT
    *
  FROM told
  WHERE
    is_fee OR commitment_credit <> 0
), offsets AS (
  SELECT
    commitments.bill_key,
    commitments.sku_id,
    COUNT(*) AS offset_count
  FROM commitments
  WHERE
    commitments.fee_utilization_offset_credit <> 0
  GROUP BY
    commitments.bill_key,
    commitments.sku_id
), spend_services AS (
  SELECT
    commitments.bill_key,
    commitments.service_text
  FROM commitments
  WHERE
    commitments.is_fee AND commitments.sku_text LIKE '%dollar based%'
  GROUP BY
    commitments.bill_key,
    commitments.service_text
), pooled AS (
  SELECT
    commitments.*,
    CASE
      WHEN commitments.is_fee AND NOT offsets.offset_count IS NULL
      THEN 'offset'
      WHEN commitments.is_fee AND commitments.sku_text LIKE '%dollar based%'
      THEN 'spend ' || commitments.service_text
      WHEN NOT commitments.is_fee
      AND commitments.committed_usage_discount_dollar_base_credit <> 0
      THEN 'spend ' || COALESCE(spend_services.service_text, 'compute engine')
      WHEN commitments.sku_text RLIKE '(^|[^a-z])(ram|memory)([^a-z]|$)'
      THEN 'ram'
      WHEN commitments.sku_text RLIKE '(^|[^a-z])(cpu|core|vcpu)([^a-z]|$)'
      THEN 'cpu'
      WHEN commitments.sku_text RLIKE '(^|[^a-z])(gpu|nvidia)([^a-z]|$)'
      THEN 'gpu'
      WHEN commitments.sku_text RLIKE '(^|[^a-z])ssd([^a-z]|$)'
      THEN 'ssd'
      ELSE 'other'
    END AS pool_kind
  FROM commitments
  LEFT JOIN offsets
    ON commitments.bill_key = offsets.bill_key AND commitments.sku_id = offsets.sku_id
  LEFT JOIN spend_services
    ON commitments.bill_key = spend_services.bill_key
    AND commitments.service_text = spend_services.service_text
), measured AS (
  SELECT
    pooled.*,
    CAST(CAST(pooled.net_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS net_units,
    CAST(CAST(ABS(pooled.cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS cost_units,
    CAST(CAST(ABS(pooled.commitment_credit) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS credit_units,
    CASE
      WHEN pooled.pool_kind IN ('cpu', 'ram', 'gpu')
      THEN CAST(CAST(CASE WHEN pooled.cost < 0 THEN -ABS(pooled.quantity) ELSE ABS(pooled.quantity) END AS DECIMAL(16, 3)) * CAST(1000 AS DECIMAL(4, 0)) AS DECIMAL(15, 0))
      ELSE CAST(0 AS DECIMAL(15, 0))
    END AS quantity_units
  FROM pooled
), weighted AS (
  SELECT
    measured.*,
    CASE WHEN measured.is_fee THEN measured.net_units ELSE CAST(0 AS DECIMAL(22, 0)) END AS fee_units,
    CASE
      WHEN measured.is_fee AND measured.net_units > 0
      THEN measured.net_units
      WHEN NOT measured.is_fee AND measured.commitment_credit < 0
      THEN measured.credit_units
      ELSE CAST(0 AS DECIMAL(22, 0))
    END AS raw_weight,
    CASE
      WHEN measured.is_fee
      THEN measured.quantity_units
      ELSE CAST(0 AS DECIMAL(15, 0))
    END AS committed_units,
    CASE
      WHEN measured.is_fee
      OR measured.commitment_credit = 0
      OR measured.cost = 0
      OR (
        measured.commitment_credit > 0
      ) = (
        measured.cost > 0
      )
      THEN CAST(0 AS DECIMAL(15, 0))
      WHEN measured.credit_units >= measured.cost_units
      THEN measured.quantity_units
      ELSE CAST(CAST((
        (
          measured.quantity_units * measured.credit_units
        ) - (
          (
            measured.quantity_units * measured.credit_units
          ) % (
            measured.cost_units
          )
        )
      ) / (
        measured.cost_units
      ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0))
    END AS covered_units
  FROM measured
), pools AS (
  SELECT
    weighted.bill_key,
    weighted.pool_kind,
    CAST(SUM(weighted.fee_units) AS DECIMAL(25, 0)) AS fee_units,
    CAST(SUM(weighted.committed_units) AS DECIMAL(13, 0)) AS committed_units,
    CAST(GREATEST(SUM(weighted.covered_units), 0) AS DECIMAL(13, 0)) AS covered_units,
    MAX(weighted.covered_units) > 0 AS is_covered_measured,
    CAST(SUM(CASE WHEN weighted.is_fee THEN 0 ELSE weighted.raw_weight END) AS DECIMAL(38, 0)) AS covered_weight,
    CAST(SUM(CASE WHEN weighted.is_fee THEN weighted.raw_weight ELSE 0 END) AS DECIMAL(38, 0)) AS fee_weight,
    CAST(COUNT(*) AS DECIMAL(12, 0)) AS members_count
  FROM weighted
  GROUP BY
    weighted.bill_key,
    weighted.pool_kind
), used_pools AS (
  SELECT
    pools.*,
    CASE
      WHEN pools.pool_kind = 'offset' OR pools.covered_weight = 0 OR pools.fee_units <= 0
      THEN CAST(0 AS DECIMAL(25, 0))
      WHEN pools.pool_kind IN ('cpu', 'ram', 'gpu')
      AND pools.is_covered_measured
      AND pools.committed_units > pools.covered_units
      THEN CAST(CAST((
        (
          pools.fee_units * pools.covered_units
        ) - (
          (
            pools.fee_units * pools.covered_units
          ) % (
            pools.committed_units
          )
        )
      ) / (
        pools.committed_units
      ) AS DECIMAL(38, 0)) AS DECIMAL(25, 0))
      ELSE pools.fee_units
    END AS used_units
  FROM pools
), scaled AS (
  SELECT
    weighted.bill_key,
    weighted.pool_kind,
    weighted.charge_id,
    weighted.is_fee,
    weighted.net_units,
    weighted.raw_weight > 0 AS has_weight,
    used_pools.used_units,
    used_pools.fee_units AS pool_fee_units,
    CASE
      WHEN weighted.raw_weight = 0
      THEN CAST(0 AS DECIMAL(13, 0))
      WHEN CASE
        WHEN weighted.is_fee
        THEN used_pools.fee_weight
        ELSE used_pools.covered_weight
      END < 10000000000000
      THEN CAST(weighted.raw_weight AS DECIMAL(13, 0))
      ELSE CAST(GREATEST(
        1,
        CAST((
          (
            weighted.raw_weight * CAST(9999999999999 - used_pools.members_count AS DECIMAL(13, 0))
          ) - (
            (
              weighted.raw_weight * CAST(9999999999999 - used_pools.members_count AS DECIMAL(13, 0))
            ) % (
              CASE
                WHEN weighted.is_fee
                THEN used_pools.fee_weight
                ELSE used_pools.covered_weight
              END
            )
          )
        ) / (
          CASE
            WHEN weighted.is_fee
            THEN used_pools.fee_weight
            ELSE used_pools.covered_weight
          END
        ) AS DECIMAL(38, 0))
      ) AS DECIMAL(13, 0))
    END AS weight
  FROM weighted
  INNER JOIN used_pools
    ON weighted.bill_key = used_pools.bill_key
    AND weighted.pool_kind = used_pools.pool_kind
), cumulated AS (
  SELECT
    scaled.*,
    CAST(SUM(scaled.weight) OVER (PARTITION BY scaled.bill_key, scaled.pool_kind, scaled.is_fee) AS DECIMAL(13, 0)) AS total_weight,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.bill_key, scaled.pool_kind, scaled.is_fee
      ORDER BY scaled.charge_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(13, 0)) AS weight_until,
    CASE
      WHEN scaled.is_fee
      THEN CAST(scaled.pool_fee_units - scaled.used_units AS DECIMAL(25, 0))
      ELSE scaled.used_units
    END AS split_units
  FROM scaled
), shared AS (
  SELECT
    cumulated.charge_id,
    cumulated.pool_kind,
    cumulated.is_fee,
    CASE
      WHEN cumulated.is_fee AND cumulated.used_units = 0
      THEN CAST(cumulated.net_units AS DECIMAL(25, 0))
      WHEN NOT cumulated.has_weight
      THEN CAST(0 AS DECIMAL(25, 0))
      ELSE CAST(CAST((
        (
          cumulated.split_units * cumulated.weight_until
        ) - (
          (
            cumulated.split_units * cumulated.weight_until
          ) % (
            cumulated.total_weight
          )
        )
      ) / (
        cumulated.total_weight
      ) AS DECIMAL(38, 0)) - CAST((
        (
          cumulated.split_units * CAST(cumulated.weight_until - cumulated.weight AS DECIMAL(13, 0))
        ) - (
          (
            cumulated.split_units * CAST(cumulated.weight_until - cumulated.weight AS DECIMAL(13, 0))
          ) % (
            cumulated.total_weight
          )
        )
      ) / (
        cumulated.total_weight
      ) AS DECIMAL(38, 0)) AS DECIMAL(25, 0))
    END AS share_units
  FROM cumulated
), split AS (
  SELECT
    source.*,
    source.billed_cost - source.promotion_credit AS net_cost,
    source.committed_usage_discount_credit + source.committed_usage_discount_dollar_base_credit AS commitment_credit,
    COALESCE(LOWER(source.consumption_model_description) <> 'default', FALSE) AS is_commitment_priced,
    REGEXP_REPLACE(CAST(COALESCE(source.price_tier_start_quantity, 0) AS STRING), '[.]?0+$', '') AS tier_text,
    shared.pool_kind,
    COALESCE(shared.is_fee, FALSE) AS is_fee,
    CASE WHEN shared.is_fee THEN 0 ELSE COALESCE(shared.share_units, 0) END AS share_units,
    CASE WHEN shared.is_fee THEN shared.share_units ELSE 0 END AS unused_units
  FROM source
  LEFT JOIN shared
    ON source.charge_id = shared.charge_id
), parts AS (
  SELECT
    split.*,
    part_kinds.id_suffix
  FROM split
  CROSS JOIN part_kinds
  WHERE
    part_kinds.id_suffix = ''
    OR (
      part_kinds.id_suffix = '-credit-promotion' AND split.promotion_credit <> 0
    )
    OR (
      part_kinds.id_suffix = '-unused' AND split.unused_units <> 0
    )
), described AS (
  SELECT
    parts.*,
    CASE
      WHEN parts.id_suffix = '-credit-promotion'
      THEN 'Credit'
      WHEN parts.id_suffix = '-unused'
      THEN 'Usage'
      WHEN parts.is_fee
      THEN 'Purchase'
      WHEN parts.cost_type = 'tax'
      THEN 'Tax'
      WHEN parts.cost_type IN ('adjustment', 'rounding_error')
      THEN 'Adjustment'
      ELSE 'Usage'
    END AS charge_category,
    parts.id_suffix = '' AS is_line,
    parts.id_suffix = ''
    AND NOT parts.is_fee
    AND COALESCE(parts.cost_type, 'regular') = 'regular'
    AND (
      parts.commitment_credit <> 0 OR parts.is_commitment_priced
    ) AS is_covered,
    COALESCE(parts.service_name, 'Google Cloud') AS known_service_name,
    parts.sku_id || '/' || parts.tier_text AS catalogue_price_id,
    CASE
      WHEN parts.price_list IS NULL
      THEN NULL
      WHEN COALESCE(parts.price_unit_quantity, 1) <= 1
      THEN parts.price_list
      ELSE CAST(CAST(CAST((
        (
          2 * CAST(CAST(parts.price_list AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) + CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
        ) - (
          (
            2 * CAST(CAST(parts.price_list AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) + CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
          ) % (
            2 * CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
          )
        )
      ) / (
        2 * CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS stated_list_unit_price,
    CASE
      WHEN COALESCE(parts.price_effective_default, parts.price_effective) IS NULL
      THEN NULL
      WHEN COALESCE(parts.price_unit_quantity, 1) <= 1
      THEN COALESCE(parts.price_effective_default, parts.price_effective)
      ELSE CAST(CAST(CAST((
        (
          2 * CAST(CAST(COALESCE(parts.price_effective_default, parts.price_effective) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) + CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
        ) - (
          (
            2 * CAST(CAST(COALESCE(parts.price_effective_default, parts.price_effective) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) + CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
          ) % (
            2 * CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
          )
        )
      ) / (
        2 * CAST(parts.price_unit_quantity AS DECIMAL(15, 0))
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS stated_contracted_unit_price,
    CAST(CAST(parts.share_units AS DECIMAL(25, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS share_cost,
    CAST(CAST(parts.unused_units AS DECIMAL(25, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS unused_cost
  FROM parts
), priced AS (
  SELECT
    described.*,
    described.is_line AND described.charge_category IN ('Usage', 'Purchase') AS is_priced,
    COALESCE(described.stated_list_unit_price, sku_prices.list_unit_price) AS known_list_unit_price,
    services.service_category AS known_category,
    services.service_subcategory AS known_subcategory
  FROM described
  LEFT JOIN sku_prices
    ON described.catalogue_price_id = sku_prices.sku_price_id
    AND described.billing_currency = sku_prices.currency
  LEFT JOIN services
    ON LOWER(described.known_service_name) = services.service_name
), committed AS (
  SELECT
    priced.*,
    CASE
      WHEN priced.is_fee AND priced.id_suffix <> '-credit-promotion'
      THEN COALESCE(priced.subscription_instance_id, priced.sku_id)
      WHEN priced.is_covered
      THEN COALESCE(
        priced.subscription_instance_id,
        priced.commitment_names,
        priced.consumption_model_id,
        priced.consumption_model_description,
        priced.sku_id
      )
    END AS commitment_discount_id
  FROM priced
), rows_made AS (
  SELECT
    committed.charge_id,
    committed.id_suffix,
    committed.x_line_key,
    committed.x_occurrence,
    committed.x_source,
    committed.x_snapshot_id,
    committed.x_source_file,
    committed.zone,
    committed.billing_account_id,
    committed.billing_currency,
    committed.billing_period_start,
    committed.billing_period_end,
    committed.charge_category,
    committed.charge_period_start,
    committed.charge_period_end,
    committed.commitment_discount_id,
    committed.invoice_issuer_name,
    committed.region,
    committed.location,
    committed.service_id,
    committed.sku_id,
    committed.sku_description,
    committed.project_id,
    committed.project_name,
    committed.instance_type,
    committed.sku_price_details,
    committed.tags,
    committed.x_tag_user_id,
    committed.x_tag_tenant,
    committed.x_tag_customer,
    committed.x_tag_team,
    committed.x_tag_feature,
    committed.x_tag_endpoint,
    committed.x_tag_workflow,
    committed.x_tag_environment,
    committed.known_service_name AS service_name,
    CASE
      WHEN committed.id_suffix = '-credit-promotion'
      THEN committed.promotion_credit
      WHEN committed.id_suffix = '-unused'
      THEN CAST(0 AS DECIMAL(38, 12))
      ELSE committed.net_cost
    END AS billed_cost,
    CASE
      WHEN committed.id_suffix = '-credit-promotion'
      THEN committed.promotion_credit
      WHEN committed.id_suffix = '-unused'
      THEN committed.unused_cost
      WHEN committed.is_fee
      THEN CAST(0 AS DECIMAL(38, 12))
      ELSE committed.net_cost + committed.share_cost
    END AS effective_cost,
    CASE
      WHEN committed.id_suffix = '-credit-promotion'
      THEN committed.promotion_credit
      WHEN committed.id_suffix = '-unused'
      THEN CAST(0 AS DECIMAL(38, 12))
      WHEN NOT committed.cost_at_list IS NULL
      THEN committed.cost_at_list
      WHEN committed.charge_category <> 'Usage'
      THEN committed.cost
      ELSE CAST(TRY_CAST(committed.known_list_unit_price AS DECIMAL(20, 12)) * TRY_CAST(committed.usage_amount_in_pricing_units AS DECIMAL(18, 6)) AS DECIMAL(38, 12))
    END AS list_cost,
    CASE
      WHEN committed.id_suffix = '-credit-promotion'
      THEN committed.promotion_credit
      WHEN committed.id_suffix = '-unused'
      THEN CAST(0 AS DECIMAL(38, 12))
      ELSE COALESCE(committed.cost_at_effective_price_default, committed.cost)
    END AS contracted_cost,
    CASE
      WHEN (
        NOT committed.adjustment_type IS NULL OR NOT committed.adjustment_id IS NULL
      )
      AND committed.is_period_closed
      THEN 'Correction'
    END AS charge_class,
    CASE
      WHEN committed.id_suffix = '-credit-promotion'
      THEN committed.promotion_names
      WHEN committed.id_suffix = '-unused'
      THEN 'Unused commitment: ' || COALESCE(committed.sku_description, committed.sku_id, '')
      ELSE COALESCE(committed.sku_description, committed.adjustment_description, committed.cost_type)
    END AS charge_description,
    CASE
      WHEN committed.charge_category = 'Usage'
      THEN 'Usage-Based'
      WHEN committed.charge_category = 'Purchase'
      THEN 'Recurring'
      ELSE 'One-Time'
    END AS charge_frequency,
    CASE
      WHEN committed.commitment_discount_id IS NULL
      THEN NULL
      WHEN committed.pool_kind IN ('cpu', 'ram', 'gpu', 'ssd', 'other')
      THEN 'Usage'
      ELSE 'Spend'
    END AS commitment_discount_category,
    CASE
      WHEN committed.commitment_discount_id IS NULL
      THEN NULL
      WHEN committed.is_fee
      THEN committed.sku_description
      WHEN committed.is_commitment_priced
      THEN committed.consumption_model_description
      ELSE committed.commitment_names
    END AS commitment_discount_name,
    CASE
      WHEN NOT committed.commitment_discount_id IS NULL
      THEN 'Committed Use Discount'
    END AS commitment_discount_type,
    CASE
      WHEN committed.id_suffix = '-unused'
      THEN 'Unused'
      WHEN committed.is_covered
      THEN 'Used'
    END AS commitment_discount_status,
    CASE
      WHEN committed.is_line AND committed.charge_category = 'Usage'
      THEN committed.usage_amount
    END AS consumed_quantity,
    CASE
      WHEN committed.is_line
      AND committed.charge_category = 'Usage'
      AND NOT committed.usage_amount IS NULL
      THEN committed.usage_unit
    END AS consumed_unit,
    CASE WHEN committed.is_priced THEN committed.usage_amount_in_pricing_units END AS pricing_quantity,
    CASE
      WHEN committed.is_priced AND NOT committed.usage_amount_in_pricing_units IS NULL
      THEN committed.pricing_unit
    END AS pricing_unit,
    CASE WHEN committed.is_priced THEN committed.known_list_unit_price END AS list_unit_price,
    CASE WHEN committed.is_priced THEN committed.stated_contracted_unit_price END AS contracted_unit_price,
    CASE
      WHEN committed.is_covered OR committed.id_suffix = '-unused'
      THEN 'Committed'
      WHEN committed.charge_category = 'Purchase'
      THEN 'Standard'
      WHEN committed.charge_category <> 'Usage'
      THEN NULL
      WHEN LOWER(COALESCE(committed.sku_description, '')) RLIKE 'spot |preemptible'
      THEN 'Dynamic'
      ELSE 'Standard'
    END AS pricing_category,
    CASE
      WHEN committed.is_priced
      THEN committed.catalogue_price_id || COALESCE('/' || committed.consumption_model_id, '')
    END AS sku_price_id,
    COALESCE(committed.known_category, 'Other') AS service_category,
    COALESCE(committed.known_subcategory, 'Other (Other)') AS service_subcategory,
    COALESCE(
      committed.resource_global_name,
      CASE WHEN committed.is_fee THEN committed.commitment_discount_id END
    ) AS resource_global_name,
    committed.resource_name,
    CASE
      WHEN COALESCE(committed.transaction_type, 'GOOGLE') = 'GOOGLE'
      THEN 'Google Cloud'
      ELSE COALESCE(committed.seller_name, 'Google Cloud')
    END AS publisher_name,
    CASE
      WHEN committed.adjustment_type IS NULL
      THEN NULL
      WHEN committed.adjustment_type = 'USAGE_CORRECTION'
      THEN 'usage'
      WHEN committed.adjustment_type = 'PRICE_CORRECTION'
      THEN 'price'
      WHEN committed.adjustment_type = 'METADATA_CORRECTION'
      THEN 'metadata'
      WHEN committed.adjustment_type IN ('GOODWILL', 'SALES_BASED_GOODWILL', 'SLA_VIOLATION')
      THEN 'credit'
      ELSE 'other'
    END AS x_correction_cause
  FROM committed
)
SELECT
  rows_made.charge_id || rows_made.id_suffix AS charge_id,
  rows_made.x_line_key || rows_made.id_suffix AS x_line_key,
  rows_made.x_occurrence,
  rows_made.x_source,
  rows_made.x_snapshot_id,
  rows_made.x_source_file,
  CAST(NULL AS STRING) AS allocated_method_details,
  CAST(NULL AS STRING) AS allocated_method_id,
  CAST(NULL AS STRING) AS allocated_resource_id,
  CAST(NULL AS STRING) AS allocated_resource_name,
  CAST(NULL AS STRING) AS allocated_tags,
  rows_made.zone AS availability_zone,
  rows_made.billed_cost,
  rows_made.billing_account_id,
  CAST(NULL AS STRING) AS billing_account_name,
  CAST('Billing Account' AS STRING) AS billing_account_type,
  rows_made.billing_currency,
  rows_made.billing_period_end,
  rows_made.billing_period_start,
  CAST(NULL AS STRING) AS capacity_reservation_id,
  CAST(NULL AS STRING) AS capacity_reservation_status,
  rows_made.charge_category,
  rows_made.charge_class,
  rows_made.charge_description,
  rows_made.charge_frequency,
  rows_made.charge_period_end,
  rows_made.charge_period_start,
  rows_made.commitment_discount_category,
  rows_made.commitment_discount_id,
  rows_made.commitment_discount_name,
  CAST(NULL AS DECIMAL(38, 12)) AS commitment_discount_quantity,
  rows_made.commitment_discount_status,
  rows_made.commitment_discount_type,
  CAST(NULL AS STRING) AS commitment_discount_unit,
  CAST(NULL AS STRING) AS commitment_program_eligibility_details,
  rows_made.consumed_quantity,
  rows_made.consumed_unit,
  CAST(NULL AS STRING) AS contract_applied,
  rows_made.contracted_cost,
  rows_made.contracted_unit_price,
  rows_made.effective_cost,
  CAST('Google Cloud' AS STRING) AS host_provider_name,
  CAST(NULL AS STRING) AS invoice_detail_id,
  CAST(NULL AS STRING) AS invoice_id,
  rows_made.invoice_issuer_name,
  rows_made.list_cost,
  rows_made.list_unit_price,
  rows_made.pricing_category,
  rows_made.billing_currency AS pricing_currency,
  rows_made.contracted_unit_price AS pricing_currency_contracted_unit_price,
  rows_made.effective_cost AS pricing_currency_effective_cost,
  rows_made.list_unit_price AS pricing_currency_list_unit_price,
  rows_made.pricing_quantity,
  rows_made.pricing_unit,
  COALESCE(rows_made.region, rows_made.location) AS region_id,
  COALESCE(rows_made.region, rows_made.location) AS region_name,
  rows_made.resource_global_name AS resource_id,
  rows_made.resource_name,
  CAST(NULL AS STRING) AS resource_type,
  rows_made.service_category,
  rows_made.service_name,
  CAST('Google Cloud' AS STRING) AS service_provider_name,
  rows_made.service_subcategory,
  rows_made.sku_id,
  rows_made.sku_description AS sku_meter,
  rows_made.sku_price_details,
  rows_made.sku_price_id,
  rows_made.project_id AS sub_account_id,
  rows_made.project_name AS sub_account_name,
  CAST(CASE WHEN NOT rows_made.project_id IS NULL THEN 'Project' END AS STRING) AS sub_account_type,
  rows_made.tags,
  rows_made.publisher_name AS x_publisher_name,
  rows_made.service_id AS x_service_code,
  CAST(NULL AS STRING) AS x_operation,
  CAST(NULL AS STRING) AS x_sku_group,
  rows_made.instance_type AS x_instance_type,
  CAST(NULL AS STRING) AS x_from_region_id,
  CAST(NULL AS STRING) AS x_to_region_id,
  CAST(NULL AS STRING) AS x_principal_id,
  rows_made.x_correction_cause,
  rows_made.x_tag_user_id,
  rows_made.x_tag_tenant,
  rows_made.x_tag_customer,
  rows_made.x_tag_team,
  rows_made.x_tag_feature,
  rows_made.x_tag_endpoint,
  rows_made.x_tag_workflow,
  rows_made.x_tag_environment
FROM rows_made
