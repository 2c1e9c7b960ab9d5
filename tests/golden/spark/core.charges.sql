WITH source AS (
  SELECT
    *
  FROM staging.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), rules AS (
  SELECT
    *
  FROM reference.classification_rules
), bill_providers AS (
  SELECT
    *
  FROM reference.bill_providers
), units AS (
  SELECT
    *
  FROM reference.units
), aliases AS (
  SELECT
    *
  FROM staging.model_aliases
), patterns AS (
  SELECT
    *
  FROM reference.model_patterns
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
), described AS (
  SELECT
    source.*,
    LOWER(COALESCE(source.service_provider_name, source.invoice_issuer_name, '')) AS provider_text,
    LOWER(COALESCE(source.service_name, '')) AS service_text,
    LOWER(COALESCE(source.sku_meter, '') || ' ' || COALESCE(source.charge_description, '')) AS meter_text,
    LOWER(
      COALESCE(source.service_category, '') || '/' || COALESCE(source.service_subcategory, '')
    ) AS category_text
  FROM source
), signed AS (
  SELECT
    described.*,
    MD5(
      described.provider_text || CHR(  31) || described.service_text || CHR(  31) || described.meter_text || CHR(  31) || described.category_text || CHR(  31) || COALESCE(described.charge_category, '')
    ) AS signature_id
  FROM described
), signatures AS (
  SELECT
    signed.signature_id,
    signed.provider_text,
    signed.service_text,
    signed.meter_text,
    signed.category_text,
    signed.charge_category
  FROM signed
  GROUP BY
    signed.signature_id,
    signed.provider_text,
    signed.service_text,
    signed.meter_text,
    signed.category_text,
    signed.charge_category
), provider_candidates AS (
  SELECT
    signatures.provider_text,
    bill_providers.provider,
    ROW_NUMBER() OVER (
      PARTITION BY signatures.provider_text
      ORDER BY bill_providers.priority NULLS LAST, bill_providers.provider NULLS LAST
    ) AS candidate_rank
  FROM (
    SELECT
      provider_text
    FROM signatures
    GROUP BY
      provider_text
  ) AS signatures
  INNER JOIN bill_providers
    ON signatures.provider_text RLIKE bill_providers.name_pattern
), providers AS (
  SELECT
    *
  FROM provider_candidates
  WHERE
    candidate_rank = 1
), rule_candidates AS (
  SELECT
    signatures.signature_id,
    rules.rule_id,
    rules.cost_driver,
    rules.traffic_kind,
    rules.token_class,
    rules.service_tier,
    NULLIF(REGEXP_EXTRACT(signatures.meter_text, rules.model_pattern), '') AS model_text,
    ROW_NUMBER() OVER (
      PARTITION BY signatures.signature_id
      ORDER BY rules.priority NULLS LAST, rules.rule_id NULLS LAST
    ) AS candidate_rank
  FROM signatures
  INNER JOIN rules
    ON (
      rules.charge_category IS NULL
      OR signatures.charge_category = rules.charge_category
    )
    AND (
      rules.provider_pattern IS NULL
      OR signatures.provider_text RLIKE rules.provider_pattern
    )
    AND (
      rules.service_pattern IS NULL
      OR signatures.service_text RLIKE rules.service_pattern
    )
    AND (
      rules.category_pattern IS NULL
      OR signatures.category_text RLIKE rules.category_pattern
    )
    AND (
      rules.meter_pattern IS NULL OR signatures.meter_text RLIKE rules.meter_pattern
    )
), classified AS (
  SELECT
    rule_candidates.*,
    REGEXP_REPLACE(TRIM(rule_candidates.model_text), '[-_ .]+', '-') AS model_alias
  FROM rule_candidates
  WHERE
    rule_candidates.candidate_rank = 1
), named_models AS (
  SELECT
    providers.provider,
    classified.model_text
  FROM classified
  INNER JOIN signatures
    ON classified.signature_id = signatures.signature_id
  INNER JOIN providers
    ON signatures.provider_text = providers.provider_text
  WHERE
    NOT classified.model_text IS NULL
  GROUP BY
    providers.provider,
    classified.model_text
), pattern_candidates AS (
  SELECT
    named_models.provider,
    named_models.model_text,
    patterns.model,
    ROW_NUMBER() OVER (
      PARTITION BY named_models.provider, named_models.model_text
      ORDER BY patterns.priority NULLS LAST, patterns.model NULLS LAST
    ) AS candidate_rank
  FROM named_models
  INNER JOIN patterns
    ON named_models.provider = patterns.provider
    AND named_models.model_text RLIKE patterns.pattern_1
    AND (
      patterns.pattern_2 IS NULL OR named_models.model_text RLIKE patterns.pattern_2
    )
    AND (
      patterns.pattern_3 IS NULL OR named_models.model_text RLIKE patterns.pattern_3
    )
), matched_patterns AS (
  SELECT
    *
  FROM pattern_candidates
  WHERE
    candidate_rank = 1
), fx_ranges AS (
  SELECT
    fx_rates.from_currency,
    fx_rates.rate_date,
    fx_rates.rate,
    LEAD(fx_rates.rate_date) OVER (PARTITION BY fx_rates.from_currency ORDER BY fx_rates.rate_date NULLS LAST) AS next_rate_date
  FROM fx_rates
), joined AS (
  SELECT
    signed.*,
    providers.provider,
    classified.rule_id,
    classified.cost_driver,
    classified.traffic_kind,
    classified.token_class,
    COALESCE(
      classified.service_tier,
      CASE WHEN classified.cost_driver = 'inference' THEN 'standard' END
    ) AS service_tier,
    COALESCE(aliases.model, matched_patterns.model, classified.model_alias) AS model,
    deliveries.delivered_at,
    deliveries.watermark_at,
    CASE
      WHEN classified.token_class IS NULL
      THEN NULL
      WHEN consumed_units.base_unit = 'tokens'
      THEN CAST(CAST(signed.consumed_quantity AS DECIMAL(27, 10)) * CAST(consumed_units.multiplier AS DECIMAL(8, 0)) AS DECIMAL(38, 12))
      WHEN NOT priced_units.base_unit IS NULL
      THEN CAST(CAST(signed.pricing_quantity AS DECIMAL(27, 10)) * CAST(priced_units.multiplier AS DECIMAL(8, 0)) AS DECIMAL(38, 12))
    END AS billed_quantity,
    CASE
      WHEN signed.billing_currency = :reporting_currency
      THEN CAST(1 AS DECIMAL(18, 9))
      ELSE fx_ranges.rate
    END AS rate,
    CASE
      WHEN signed.billing_currency <> :reporting_currency
      THEN fx_ranges.rate_date
    END AS fx_date
  FROM signed
  LEFT JOIN providers
    ON signed.provider_text = providers.provider_text
  LEFT JOIN classified
    ON signed.signature_id = classified.signature_id
  LEFT JOIN aliases
    ON classified.model_alias = aliases.alias
    AND (
      aliases.provider IS NULL OR providers.provider = aliases.provider
    )
  LEFT JOIN matched_patterns
    ON providers.provider = matched_patterns.provider
    AND classified.model_text = matched_patterns.model_text
  LEFT JOIN units AS consumed_units
    ON LOWER(signed.consumed_unit) = consumed_units.unit
  LEFT JOIN units AS priced_units
    ON LOWER(signed.pricing_unit) = priced_units.unit
  LEFT JOIN deliveries
    ON signed.x_source = deliveries.source
    AND signed.x_snapshot_id = deliveries.snapshot_id
    AND signed.billing_account_id = deliveries.billing_account_id
    AND signed.billing_period_start = deliveries.billing_period_start
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
    END AS covered_until
  FROM joined
), money AS (
  SELECT
    spread.*,
    CAST(CAST(spread.rate AS DECIMAL(27, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(18, 0)) AS rate_units,
    CAST(CAST(spread.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_units,
    CAST(CAST(spread.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units,
    CAST(CAST(spread.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units
  FROM spread
), converted AS (
  SELECT
    money.*,
    CAST((
      (
        2 * money.billed_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.billed_units < 0 THEN -1000000000 ELSE 1000000000 END
      ) - (
        (
          2 * money.billed_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.billed_units < 0 THEN -1000000000 ELSE 1000000000 END
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS billed_reporting_units,
    CAST((
      (
        2 * money.effective_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.effective_units < 0 THEN -1000000000 ELSE 1000000000 END
      ) - (
        (
          2 * money.effective_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.effective_units < 0 THEN -1000000000 ELSE 1000000000 END
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS effective_reporting_units,
    CAST((
      (
        2 * money.list_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.list_units < 0 THEN -1000000000 ELSE 1000000000 END
      ) - (
        (
          2 * money.list_units * CAST(money.rate_units AS DECIMAL(15, 0)) + CASE WHEN money.list_units < 0 THEN -1000000000 ELSE 1000000000 END
        ) % (
          2000000000
        )
      )
    ) / (
      2000000000
    ) AS DECIMAL(38, 0)) AS list_reporting_units
  FROM money
)
SELECT
  converted.billing_period_start,
  converted.charge_id,
  converted.x_line_key,
  converted.x_source AS bill_of_record,
  converted.x_snapshot_id,
  converted.x_source_file,
  COALESCE(converted.provider, converted.provider_text) AS provider,
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
  converted.charge_period_start,
  converted.charge_period_end,
  converted.commitment_discount_id,
  converted.commitment_discount_status,
  converted.cost_driver,
  converted.traffic_kind,
  converted.availability_zone AS from_zone,
  CAST(NULL AS STRING) AS to_zone,
  converted.model,
  converted.token_class,
  converted.service_tier,
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
  converted.billed_cost,
  converted.effective_cost,
  converted.list_cost,
  CAST(CAST(converted.billed_reporting_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(converted.effective_reporting_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(converted.list_reporting_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  converted.fx_date,
  CASE
    WHEN converted.delivered_at >= converted.billing_period_end
    AND DATEDIFF(
      DAY,
      CAST(converted.billing_period_end AS DATE),
      CAST(converted.delivered_at AS DATE)
    ) >= 4
    THEN 'final'
    ELSE 'provisional'
  END AS cost_state,
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
  MD5(
    converted.x_source || CHR(  31) || COALESCE(converted.billing_account_id, CHR(  30)) || CHR(  31) || COALESCE(converted.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(converted.billing_currency, CHR(  30)) || CHR(  31) || COALESCE(converted.charge_category, CHR(  30)) || CHR(  31) || COALESCE(converted.charge_class, CHR(  30)) || CHR(  31) || COALESCE(converted.commitment_discount_status, CHR(  30)) || CHR(  31) || COALESCE(converted.cost_driver, CHR(  30)) || CHR(  31) || COALESCE(converted.traffic_kind, CHR(  30)) || CHR(  31) || COALESCE(converted.provider, converted.provider_text) || CHR(  31) || COALESCE(converted.service_name, CHR(  30)) || CHR(  31) || COALESCE(converted.model, converted.sku_id, CHR(  30)) || CHR(  31) || COALESCE(converted.sku_meter, CHR(  30)) || CHR(  31) || COALESCE(converted.token_class, CHR(  30)) || CHR(  31) || COALESCE(converted.service_tier, CHR(  30)) || CHR(  31) || COALESCE(converted.region_id, CHR(  30)) || CHR(  31) || COALESCE(converted.availability_zone, CHR(  30)) || CHR(  31) || COALESCE(converted.resource_id, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_user_id, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_tenant, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_customer, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_team, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_feature, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_endpoint, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_workflow, CHR(  30)) || CHR(  31) || COALESCE(converted.x_tag_environment, CHR(  30)) || CHR(  31) || converted.rule_id || CHR(  31) || COALESCE(CAST(converted.fx_date AS STRING), CHR(  30))
  ) AS cell_key
FROM converted
