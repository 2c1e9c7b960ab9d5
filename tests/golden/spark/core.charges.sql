WITH signed AS (
  SELECT
    *
  FROM core.signed_charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), classes AS (
  SELECT
    *
  FROM core.charge_classes
), fx_rates AS (
  SELECT
    *
  FROM staging.fx_rates
  WHERE
    to_currency = :reporting_currency
), deliveries AS (
  SELECT
    *
  FROM staging.bill_deliveries
), fx_ranges AS (
  SELECT
    fx_rates.from_currency,
    fx_rates.rate_date,
    CAST(CAST(fx_rates.rate AS DECIMAL(27, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(15, 0)) AS rate_units,
    LEAD(fx_rates.rate_date) OVER (PARTITION BY fx_rates.from_currency ORDER BY fx_rates.rate_date NULLS LAST) AS next_rate_date
  FROM fx_rates
  WHERE
    fx_rates.from_currency <> :reporting_currency
), joined AS (
  SELECT
    signed.*,
    classes.provider,
    classes.rule_id,
    classes.cost_driver,
    classes.traffic_kind,
    classes.from_region_id,
    classes.to_region_id,
    classes.model,
    classes.token_class,
    classes.service_tier,
    classes.context_min_tokens,
    classes.counted_use,
    classes.signal,
    classes.class_key,
    deliveries.watermark_at,
    deliveries.period_status,
    CASE
      WHEN NOT classes.consumed_unit_tokens IS NULL
      THEN CAST(CAST(signed.consumed_quantity AS DECIMAL(27, 10)) * CAST(classes.consumed_unit_tokens AS DECIMAL(8, 0)) AS DECIMAL(38, 12))
      WHEN NOT classes.pricing_unit_tokens IS NULL
      THEN CAST(CAST(signed.pricing_quantity AS DECIMAL(27, 10)) * CAST(classes.pricing_unit_tokens AS DECIMAL(8, 0)) AS DECIMAL(38, 12))
    END AS billed_quantity,
    CASE
      WHEN classes.is_consumed_in_hours
      THEN signed.consumed_quantity
      WHEN classes.is_priced_in_hours
      THEN signed.pricing_quantity
    END AS stated_hours,
    signed.billing_currency = :reporting_currency AS is_reporting_currency,
    fx_ranges.rate_units,
    fx_ranges.rate_date AS fx_date
  FROM signed
  LEFT JOIN classes
    ON signed.billing_period_start = classes.billing_period_start
    AND signed.signature_id = classes.signature_id
    AND COALESCE(signed.account_text, '') = classes.account_text
    AND COALESCE(signed.resource_text, '') = classes.resource_text
    AND COALESCE(signed.tag_text, '') = classes.tag_text
  LEFT JOIN deliveries
    ON signed.x_source = deliveries.source
    AND signed.x_snapshot_id = deliveries.snapshot_id
    AND signed.billing_account_id = deliveries.billing_account_id
    AND CAST(DATE_TRUNC('MONTH', signed.billing_period_start) AS TIMESTAMP_NTZ) = deliveries.billing_period_start
  LEFT JOIN fx_ranges
    ON signed.billing_currency = fx_ranges.from_currency
    AND CAST(signed.charge_period_start AS DATE) >= fx_ranges.rate_date
    AND (
      fx_ranges.next_rate_date IS NULL
      OR CAST(signed.charge_period_start AS DATE) < fx_ranges.next_rate_date
    )
), spread AS (
  SELECT
    joined.*,
    CASE
      WHEN joined.charge_category IN ('Tax', 'Credit', 'Adjustment')
      OR COALESCE(LOWER(joined.charge_frequency), '') = 'one-time'
      OR (
        joined.charge_category = 'Purchase'
        AND COALESCE(LOWER(joined.charge_frequency), '') <> 'recurring'
      )
      OR joined.charge_period_end <= joined.charge_period_start
      THEN 'start_day'
      ELSE 'seconds'
    END AS spread_kind,
    CASE
      WHEN COALESCE(LOWER(joined.charge_frequency), '') = 'recurring'
      OR joined.watermark_at IS NULL
      OR joined.watermark_at <= joined.charge_period_start
      THEN joined.charge_period_end
      ELSE LEAST(joined.charge_period_end, joined.watermark_at)
    END AS covered_until,
    CASE
      WHEN joined.charge_category = 'Tax'
      THEN 'invoice'
      WHEN joined.charge_category IN ('Credit', 'Adjustment')
      AND joined.charge_period_end > joined.charge_period_start
      AND joined.charge_period_end <= CAST(CAST(joined.charge_period_start AS DATE) AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
      THEN 'day'
      WHEN joined.charge_category IN ('Credit', 'Adjustment')
      THEN 'month'
    END AS follows
  FROM joined
), converted AS (
  SELECT
    spread.*,
    CASE
      WHEN spread.is_reporting_currency
      THEN spread.billed_cost
      ELSE CAST(CAST(CAST((
        (
          2 * CAST(CAST(spread.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.billed_cost < 0 THEN -1000000000 ELSE 1000000000 END
        ) - (
          (
            2 * CAST(CAST(spread.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.billed_cost < 0 THEN -1000000000 ELSE 1000000000 END
          ) % (
            2000000000
          )
        )
      ) / (
        2000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS billed_cost_reporting,
    CASE
      WHEN spread.is_reporting_currency
      THEN spread.effective_cost
      ELSE CAST(CAST(CAST((
        (
          2 * CAST(CAST(spread.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.effective_cost < 0 THEN -1000000000 ELSE 1000000000 END
        ) - (
          (
            2 * CAST(CAST(spread.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.effective_cost < 0 THEN -1000000000 ELSE 1000000000 END
          ) % (
            2000000000
          )
        )
      ) / (
        2000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS effective_cost_reporting,
    CASE
      WHEN spread.is_reporting_currency
      THEN spread.list_cost
      ELSE CAST(CAST(CAST((
        (
          2 * CAST(CAST(spread.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.list_cost < 0 THEN -1000000000 ELSE 1000000000 END
        ) - (
          (
            2 * CAST(CAST(spread.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * spread.rate_units + CASE WHEN spread.list_cost < 0 THEN -1000000000 ELSE 1000000000 END
          ) % (
            2000000000
          )
        )
      ) / (
        2000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS list_cost_reporting
  FROM spread
)
SELECT
  converted.billing_period_start,
  converted.charge_id,
  converted.x_line_key,
  converted.x_source AS bill_of_record,
  converted.x_snapshot_id,
  converted.x_source_file,
  converted.provider,
  converted.billing_account_id,
  converted.sub_account_id,
  converted.billing_currency,
  converted.invoice_id,
  converted.invoice_issuer_name,
  converted.service_name,
  converted.sku_id,
  converted.sku_meter,
  converted.region_id,
  converted.availability_zone,
  converted.resource_id,
  converted.charge_category,
  converted.charge_class,
  converted.charge_frequency,
  converted.charge_description,
  converted.x_correction_cause,
  converted.charge_period_start,
  converted.charge_period_end,
  converted.commitment_discount_id,
  converted.commitment_discount_status,
  converted.cost_driver,
  converted.traffic_kind,
  converted.availability_zone AS from_zone,
  CAST(NULL AS STRING) AS to_zone,
  converted.from_region_id,
  converted.to_region_id,
  converted.model,
  converted.token_class,
  converted.service_tier,
  converted.context_min_tokens,
  converted.counted_use,
  converted.signal,
  converted.rule_id,
  converted.x_tag_user_id AS tag_user_id,
  converted.x_tag_tenant AS tag_tenant,
  converted.x_tag_customer AS tag_customer,
  converted.x_tag_team AS tag_team,
  converted.x_tag_feature AS tag_feature,
  converted.x_tag_endpoint AS tag_endpoint,
  converted.x_tag_workflow AS tag_workflow,
  converted.x_tag_environment AS tag_environment,
  converted.billed_quantity,
  COALESCE(converted.pricing_quantity, converted.consumed_quantity) AS line_quantity,
  CASE
    WHEN ABS(converted.stated_hours) < 1000000000
    THEN CAST(ROUND(CAST(converted.stated_hours AS DECIMAL(19, 9)) * CAST(3600 AS DECIMAL(4, 0)), 0) AS BIGINT)
  END AS stated_seconds,
  converted.billed_cost,
  converted.effective_cost,
  converted.list_cost,
  converted.billed_cost_reporting,
  converted.effective_cost_reporting,
  converted.list_cost_reporting,
  converted.fx_date,
  CASE WHEN converted.period_status = 'closed' THEN 'final' ELSE 'provisional' END AS cost_state,
  converted.spread_kind,
  converted.charge_period_start AS spread_start_at,
  converted.covered_until AS spread_end_at,
  CAST(converted.charge_period_start AS DATE) AS spread_start_date,
  CASE
    WHEN converted.spread_kind = 'start_day'
    THEN CAST(CAST(converted.charge_period_start AS DATE) + INTERVAL '1' DAY AS DATE)
    WHEN CAST(CAST(converted.covered_until AS DATE) AS TIMESTAMP_NTZ) = converted.covered_until
    THEN CAST(converted.covered_until AS DATE)
    ELSE CAST(CAST(converted.covered_until AS DATE) + INTERVAL '1' DAY AS DATE)
  END AS spread_end_date,
  converted.follows,
  MD5(
    CONCAT(
      COALESCE(converted.class_key, ''),
      COALESCE(CHR(  31), ''),
      COALESCE(converted.x_source, ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.billing_account_id, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.sub_account_id, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.billing_currency, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.charge_class, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.commitment_discount_status, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.availability_zone, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.resource_id, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_user_id, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_tenant, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_customer, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_team, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_feature, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_endpoint, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_workflow, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.x_tag_environment, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(CAST(converted.fx_date AS STRING), CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(CAST(CAST(converted.billing_period_start AS DATE) AS STRING), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.invoice_issuer_name, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.invoice_id, CHR(  30)), ''),
      COALESCE(CHR(  31), ''),
      COALESCE(COALESCE(converted.follows, CHR(  30)), '')
    )
  ) AS cell_key
FROM converted
