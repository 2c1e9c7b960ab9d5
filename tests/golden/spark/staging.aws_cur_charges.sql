WITH lines AS (
  SELECT
    *
  FROM lake.aws_cur_lines
  WHERE
    NOT is_split_allocation
), services AS (
  SELECT
    *
  FROM reference.aws_services
), negations AS (
  SELECT
    MIN(lines.charge_id) AS charge_id,
    CAST(SUM(lines.billed_cost) AS DECIMAL(38, 12)) AS difference
  FROM lines
  WHERE
    lines.line_item_line_item_type IN ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
  GROUP BY
    lines.x_source,
    lines.x_snapshot_id,
    lines.billing_account_id,
    lines.billing_period_start,
    lines.billing_currency,
    lines.invoice_issuer_name,
    lines.invoice_id,
    lines.line_item_usage_account_id,
    lines.savings_plan_savings_plan_a_r_n
), roles AS (
  SELECT
    'line' AS row_role
  UNION ALL
  SELECT
    'unused' AS row_role
  UNION ALL
  SELECT
    'negation' AS row_role
), typed AS (
  SELECT
    lines.*,
    services.service_name AS known_service_name,
    CASE
      WHEN lines.product_name LIKE '%Bedrock%'
      THEN 'AI and Machine Learning'
      ELSE COALESCE(services.service_category, 'Other')
    END AS service_category,
    CASE
      WHEN lines.product_name LIKE '%Bedrock%'
      THEN 'Generative AI'
      ELSE COALESCE(services.service_subcategory, 'Other (Other)')
    END AS service_subcategory,
    roles.row_role,
    negations.difference,
    CASE
      WHEN roles.row_role = 'line'
      THEN lines.line_item_line_item_type
      ELSE roles.row_role
    END AS row_type,
    COALESCE(
      NULLIF(lines.savings_plan_savings_plan_a_r_n, ''),
      CASE
        WHEN lines.reservation_reservation_a_r_n NOT LIKE '%:capacity-reservation/%'
        THEN NULLIF(lines.reservation_reservation_a_r_n, '')
      END
    ) AS commitment_id,
    COALESCE(
      NULLIF(lines.capacity_reservation_id, ''),
      CASE
        WHEN lines.reservation_reservation_a_r_n LIKE '%:capacity-reservation/%'
        THEN lines.reservation_reservation_a_r_n
      END
    ) AS known_capacity_reservation_id,
    COALESCE(NULLIF(lines.savings_plan_savings_plan_a_r_n, ''), '') <> '' AS is_savings_plan,
    COALESCE(lines.line_item_usage_type, '') <> '' AS has_usage_type,
    CAST(COALESCE(lines.savings_plan_amortized_upfront_commitment_for_billing_period, 0) AS DECIMAL(24, 12)) + CAST(COALESCE(lines.savings_plan_recurring_commitment_for_billing_period, 0) AS DECIMAL(24, 12)) AS gross_commitment,
    CASE
      WHEN NOT lines.savings_plan_net_recurring_commitment_for_billing_period IS NULL
      OR NOT lines.savings_plan_net_amortized_upfront_commitment_for_billing_period IS NULL
      THEN CAST(COALESCE(lines.savings_plan_net_amortized_upfront_commitment_for_billing_period, 0) AS DECIMAL(24, 12)) + CAST(COALESCE(lines.savings_plan_net_recurring_commitment_for_billing_period, 0) AS DECIMAL(24, 12))
    END AS net_commitment,
    CAST(lines.savings_plan_total_commitment_to_date AS DECIMAL(24, 12)) - CAST(lines.savings_plan_used_commitment AS DECIMAL(24, 12)) AS unused_commitment
  FROM lines
  CROSS JOIN roles
  LEFT JOIN negations
    ON lines.charge_id = negations.charge_id
  LEFT JOIN services
    ON lines.line_item_product_code = services.x_service_code
  WHERE
    (
      roles.row_role = 'line'
      AND lines.line_item_line_item_type <> 'SavingsPlanNegation'
    )
    OR (
      roles.row_role = 'unused'
      AND lines.line_item_line_item_type IN ('RIFee', 'SavingsPlanRecurringFee')
    )
    OR (
      roles.row_role = 'negation' AND negations.difference <> 0
    )
), measured AS (
  SELECT
    typed.*,
    CAST(CAST(typed.unused_commitment AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS unused_units,
    CAST(CAST(typed.net_commitment AS DECIMAL(21, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(15, 0)) AS net_units,
    CAST(CAST(typed.gross_commitment AS DECIMAL(21, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(15, 0)) AS gross_units,
    CAST(COALESCE(typed.reservation_net_unused_recurring_fee, typed.reservation_unused_recurring_fee) AS DECIMAL(24, 12)) AS unused_recurring_fee,
    CAST(COALESCE(
      typed.reservation_net_unused_amortized_upfront_fee_for_billing_period,
      typed.reservation_unused_amortized_upfront_fee_for_billing_period
    ) AS DECIMAL(24, 12)) AS unused_upfront_fee
  FROM typed
), unused AS (
  SELECT
    measured.*,
    CAST(CASE
      WHEN measured.row_role <> 'unused'
      THEN NULL
      WHEN measured.line_item_line_item_type = 'RIFee'
      THEN COALESCE(
        measured.unused_recurring_fee + measured.unused_upfront_fee,
        measured.unused_recurring_fee,
        measured.unused_upfront_fee
      )
      WHEN measured.net_units IS NULL OR measured.gross_units = 0
      THEN measured.unused_commitment
      ELSE CAST(CAST((
        (
          measured.unused_units * measured.net_units
        ) - (
          (
            measured.unused_units * measured.net_units
          ) % (
            measured.gross_units
          )
        )
      ) / (
        measured.gross_units
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12))
    END AS DECIMAL(38, 12)) AS unused_cost
  FROM measured
), categorised AS (
  SELECT
    unused.*,
    CASE
      WHEN unused.row_role = 'unused'
      THEN 'Usage'
      WHEN unused.row_type IN ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage')
      THEN 'Usage'
      WHEN unused.row_type IN ('Fee', 'FlatRateSubscription')
      THEN 'Purchase'
      WHEN unused.row_type IN ('RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee')
      THEN 'Purchase'
      WHEN unused.row_type IN ('Tax', 'Credit')
      THEN unused.row_type
      WHEN unused.row_type = 'Refund' AND NOT unused.commitment_id IS NULL
      THEN 'Purchase'
      WHEN unused.row_type = 'Refund' AND COALESCE(unused.line_item_tax_type, '') <> ''
      THEN 'Tax'
      WHEN unused.row_type = 'Refund' AND unused.has_usage_type
      THEN 'Usage'
      ELSE 'Adjustment'
    END AS charge_category,
    unused.row_type IN ('RIFee', 'SavingsPlanUpfrontFee', 'SavingsPlanRecurringFee')
    OR (
      unused.row_type IN ('Fee', 'Refund') AND NOT unused.commitment_id IS NULL
    ) AS is_commitment_purchase,
    unused.row_type IN ('SavingsPlanCoveredUsage', 'DiscountedUsage') AS is_covered,
    unused.row_type IN ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage', 'Refund')
    AND unused.line_item_usage_start_date < unused.billing_period_start AS is_of_closed_period
  FROM unused
  WHERE
    unused.row_role <> 'unused'
    OR unused.unused_cost IS NULL
    OR unused.unused_cost <> 0
), priced AS (
  SELECT
    categorised.*,
    CASE
      WHEN categorised.row_role = 'unused'
      THEN CAST(0 AS DECIMAL(38, 12))
      WHEN categorised.row_role = 'negation'
      THEN categorised.difference
      WHEN categorised.row_type = 'SavingsPlanCoveredUsage'
      THEN CAST(0 AS DECIMAL(38, 12))
      ELSE categorised.billed_cost
    END AS charge_billed_cost,
    CASE
      WHEN categorised.row_role = 'unused'
      OR categorised.is_commitment_purchase
      OR categorised.row_type LIKE '%Discount'
      THEN CAST(0 AS DECIMAL(38, 12))
      WHEN categorised.row_role = 'negation'
      THEN categorised.difference
      WHEN categorised.row_type = 'DiscountedUsage'
      THEN categorised.pricing_public_on_demand_cost
      WHEN categorised.row_type IN ('Tax', 'Credit')
      THEN categorised.billed_cost
      ELSE COALESCE(
        NULLIF(categorised.pricing_public_on_demand_cost, 0),
        categorised.line_item_unblended_cost
      )
    END AS charge_list_cost,
    CASE
      WHEN categorised.row_role = 'unused'
      THEN categorised.unused_cost
      WHEN categorised.row_role = 'negation'
      THEN categorised.difference
      WHEN categorised.is_commitment_purchase
      THEN CAST(0 AS DECIMAL(38, 12))
      WHEN categorised.row_type = 'SavingsPlanCoveredUsage'
      THEN COALESCE(
        categorised.savings_plan_net_savings_plan_effective_cost,
        categorised.savings_plan_savings_plan_effective_cost
      )
      WHEN categorised.row_type = 'DiscountedUsage'
      THEN COALESCE(categorised.reservation_net_effective_cost, categorised.reservation_effective_cost)
      ELSE categorised.billed_cost
    END AS charge_effective_cost,
    CASE
      WHEN NOT categorised.charge_category IN ('Usage', 'Purchase')
      OR categorised.row_type IN ('unused', 'Refund')
      OR (
        categorised.charge_category = 'Purchase'
        AND COALESCE(categorised.pricing_unit, '') = ''
      )
      THEN NULL
      ELSE categorised.line_item_usage_amount
    END AS charge_quantity
  FROM categorised
)
SELECT
  CASE
    WHEN priced.row_role = 'line' AND NOT priced.is_commitment_purchase
    THEN priced.charge_id
    WHEN priced.row_role = 'line'
    THEN priced.charge_id || '-purchase'
    ELSE priced.charge_id || '-' || priced.row_role
  END AS charge_id,
  CASE
    WHEN priced.row_role = 'line' AND NOT priced.is_commitment_purchase
    THEN priced.x_line_key
    WHEN priced.row_role = 'line'
    THEN priced.x_line_key || '-purchase'
    ELSE priced.x_line_key || '-' || priced.row_role
  END AS x_line_key,
  priced.x_occurrence,
  priced.x_source,
  priced.x_snapshot_id,
  priced.x_source_file,
  CAST(NULL AS STRING) AS allocated_method_details,
  CAST(NULL AS STRING) AS allocated_method_id,
  CAST(NULL AS STRING) AS allocated_resource_id,
  CAST(NULL AS STRING) AS allocated_resource_name,
  CAST(NULL AS STRING) AS allocated_tags,
  CASE
    WHEN priced.row_role = 'line'
    THEN NULLIF(priced.line_item_availability_zone, '')
  END AS availability_zone,
  priced.charge_billed_cost AS billed_cost,
  priced.billing_account_id,
  priced.billing_account_name,
  CAST(NULL AS STRING) AS billing_account_type,
  priced.billing_currency,
  priced.billing_period_end,
  priced.billing_period_start,
  priced.known_capacity_reservation_id AS capacity_reservation_id,
  NULLIF(priced.capacity_reservation_status, '') AS capacity_reservation_status,
  priced.charge_category,
  CASE WHEN priced.is_of_closed_period THEN 'Correction' END AS charge_class,
  CASE
    WHEN priced.row_role = 'line'
    THEN NULLIF(priced.line_item_line_item_description, '')
    WHEN priced.row_role = 'negation'
    THEN 'Savings Plan covered usage less its negation'
    WHEN priced.is_savings_plan
    THEN 'Unused Savings Plan commitment'
    ELSE 'Unused reservation'
  END AS charge_description,
  CASE
    WHEN priced.row_role = 'unused'
    THEN 'Usage-Based'
    WHEN priced.row_type IN ('RIFee', 'SavingsPlanRecurringFee', 'FlatRateSubscription')
    THEN 'Recurring'
    WHEN priced.row_type IN ('Usage', 'SavingsPlanCoveredUsage', 'DiscountedUsage')
    THEN 'Usage-Based'
    ELSE 'One-Time'
  END AS charge_frequency,
  priced.line_item_usage_end_date AS charge_period_end,
  priced.line_item_usage_start_date AS charge_period_start,
  CASE
    WHEN priced.commitment_id IS NULL
    THEN NULL
    WHEN priced.is_savings_plan
    THEN 'Spend'
    ELSE 'Usage'
  END AS commitment_discount_category,
  priced.commitment_id AS commitment_discount_id,
  CAST(NULL AS STRING) AS commitment_discount_name,
  CASE
    WHEN priced.commitment_id IS NULL
    THEN NULL
    WHEN priced.row_role = 'unused' AND priced.is_savings_plan
    THEN CAST(priced.unused_commitment AS DECIMAL(38, 12))
    WHEN priced.row_role = 'unused'
    THEN priced.reservation_unused_quantity
    WHEN priced.row_type = 'SavingsPlanCoveredUsage'
    THEN priced.savings_plan_savings_plan_effective_cost
    WHEN priced.row_type = 'SavingsPlanRecurringFee'
    THEN priced.savings_plan_total_commitment_to_date
    WHEN priced.row_type IN ('DiscountedUsage', 'RIFee')
    THEN priced.line_item_usage_amount
  END AS commitment_discount_quantity,
  CASE
    WHEN priced.commitment_id IS NULL
    THEN NULL
    WHEN priced.row_role = 'unused'
    THEN 'Unused'
    WHEN priced.is_covered
    THEN 'Used'
  END AS commitment_discount_status,
  CASE
    WHEN priced.commitment_id IS NULL
    THEN NULL
    WHEN priced.is_savings_plan
    THEN 'Savings Plan'
    ELSE 'Reserved Instance'
  END AS commitment_discount_type,
  CASE
    WHEN priced.commitment_id IS NULL
    THEN NULL
    WHEN priced.is_savings_plan
    AND priced.row_type IN ('unused', 'SavingsPlanCoveredUsage', 'SavingsPlanRecurringFee')
    THEN priced.billing_currency
    WHEN NOT priced.is_savings_plan
    AND priced.row_type IN ('unused', 'DiscountedUsage', 'RIFee')
    THEN NULLIF(priced.pricing_unit, '')
  END AS commitment_discount_unit,
  CAST(NULL AS STRING) AS commitment_program_eligibility_details,
  CASE WHEN priced.charge_category = 'Usage' THEN priced.charge_quantity END AS consumed_quantity,
  CASE
    WHEN priced.charge_category = 'Usage' AND NOT priced.charge_quantity IS NULL
    THEN NULLIF(priced.pricing_unit, '')
  END AS consumed_unit,
  CAST(NULL AS STRING) AS contract_applied,
  CASE
    WHEN priced.row_type = 'SavingsPlanCoveredUsage'
    THEN priced.billed_cost
    WHEN priced.row_type = 'DiscountedUsage'
    THEN priced.charge_list_cost
    WHEN priced.is_commitment_purchase
    THEN CAST(0 AS DECIMAL(38, 12))
    ELSE priced.charge_billed_cost
  END AS contracted_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS contracted_unit_price,
  priced.charge_effective_cost AS effective_cost,
  'AWS' AS host_provider_name,
  CAST(NULL AS STRING) AS invoice_detail_id,
  NULLIF(priced.invoice_id, '') AS invoice_id,
  NULLIF(priced.invoice_issuer_name, '') AS invoice_issuer_name,
  priced.charge_list_cost AS list_cost,
  CASE
    WHEN priced.charge_quantity IS NULL
    THEN NULL
    WHEN priced.pricing_public_on_demand_rate = 0 AND priced.charge_list_cost <> 0
    THEN NULL
    ELSE priced.pricing_public_on_demand_rate
  END AS list_unit_price,
  CASE
    WHEN priced.charge_category IN ('Tax', 'Adjustment')
    THEN NULL
    WHEN priced.charge_category = 'Credit'
    THEN 'Other'
    WHEN priced.row_role = 'unused' OR priced.is_covered
    THEN 'Committed'
    WHEN priced.line_item_usage_type LIKE '%Spot%'
    THEN 'Dynamic'
    ELSE 'Standard'
  END AS pricing_category,
  CAST(NULL AS STRING) AS pricing_currency,
  CAST(NULL AS DECIMAL(38, 12)) AS pricing_currency_contracted_unit_price,
  CAST(NULL AS DECIMAL(38, 12)) AS pricing_currency_effective_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS pricing_currency_list_unit_price,
  priced.charge_quantity AS pricing_quantity,
  CASE
    WHEN NOT priced.charge_quantity IS NULL
    THEN NULLIF(priced.pricing_unit, '')
  END AS pricing_unit,
  NULLIF(priced.product_region_code, '') AS region_id,
  NULLIF(priced.product_location, '') AS region_name,
  CASE
    WHEN priced.row_role = 'unused' OR priced.is_commitment_purchase
    THEN priced.commitment_id
    WHEN priced.row_role = 'line'
    THEN NULLIF(priced.line_item_resource_id, '')
  END AS resource_id,
  CAST(NULL AS STRING) AS resource_name,
  CAST(NULL AS STRING) AS resource_type,
  priced.service_category,
  COALESCE(
    NULLIF(priced.product_name, ''),
    priced.known_service_name,
    NULLIF(priced.product_service_name, ''),
    NULLIF(priced.product_servicecode, ''),
    NULLIF(priced.line_item_product_code, '')
  ) AS service_name,
  'AWS' AS service_provider_name,
  priced.service_subcategory,
  CASE WHEN priced.row_role = 'line' THEN NULLIF(priced.product_sku, '') END AS sku_id,
  CASE
    WHEN priced.row_role <> 'negation'
    THEN NULLIF(priced.line_item_usage_type, '')
  END AS sku_meter,
  CAST(NULL AS STRING) AS sku_price_details,
  CASE WHEN priced.row_role = 'line' THEN NULLIF(priced.pricing_rate_code, '') END AS sku_price_id,
  priced.line_item_usage_account_id AS sub_account_id,
  priced.line_item_usage_account_name AS sub_account_name,
  CAST(NULL AS STRING) AS sub_account_type,
  priced.tags,
  NULLIF(priced.line_item_legal_entity, '') AS x_publisher_name,
  NULLIF(priced.line_item_product_code, '') AS x_service_code,
  CASE WHEN priced.row_role = 'line' THEN NULLIF(priced.line_item_operation, '') END AS x_operation,
  NULLIF(priced.product_product_family, '') AS x_sku_group,
  CASE
    WHEN priced.row_role = 'line'
    THEN NULLIF(priced.product_instance_type, '')
  END AS x_instance_type,
  NULLIF(priced.product_from_region_code, '') AS x_from_region_id,
  NULLIF(priced.product_to_region_code, '') AS x_to_region_id,
  priced.line_item_iam_principal AS x_principal_id,
  CASE
    WHEN priced.row_role <> 'line'
    THEN NULL
    WHEN priced.row_type = 'Refund'
    THEN 'refund'
    WHEN priced.row_type = 'Credit'
    THEN 'credit'
    WHEN priced.is_of_closed_period
    THEN 'usage'
  END AS x_correction_cause,
  priced.x_tag_user_id,
  priced.x_tag_tenant,
  priced.x_tag_customer,
  priced.x_tag_team,
  priced.x_tag_feature,
  priced.x_tag_endpoint,
  priced.x_tag_workflow,
  priced.x_tag_environment
FROM priced
