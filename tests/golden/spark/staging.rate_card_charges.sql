WITH days AS (
  SELECT
    *
  FROM reference.rate_card_days
  WHERE
    charge_date >= :start AND charge_date < :end
), cards AS (
  SELECT
    *
  FROM staging.rate_cards
), periods AS (
  SELECT
    cards.*,
    CASE
      WHEN cards.resource_kind IN ('gpu_host', 'endpoint')
      THEN 'AI and Machine Learning'
      WHEN cards.resource_kind = 'storage'
      THEN 'Storage'
      WHEN cards.resource_kind = 'network'
      THEN 'Networking'
      ELSE 'Compute'
    END AS category,
    GREATEST(cards.valid_from, CAST(days.charge_date AS TIMESTAMP_NTZ)) AS period_start,
    LEAST(
      COALESCE(cards.valid_to, CAST('9999-12-31' AS TIMESTAMP_NTZ)),
      CAST(days.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
    ) AS period_end
  FROM days
  INNER JOIN cards
    ON cards.valid_from < CAST(days.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY
    AND (
      cards.valid_to IS NULL
      OR cards.valid_to > CAST(days.charge_date AS TIMESTAMP_NTZ)
    )
), seconds AS (
  SELECT
    periods.*,
    CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(periods.period_start AS DATE)) AS DECIMAL(11, 0)) * 86400 + CAST(EXTRACT(HOUR FROM periods.period_start) * 3600 + EXTRACT(MINUTE FROM periods.period_start) * 60 + FLOOR(EXTRACT(SECOND FROM periods.period_start)) AS DECIMAL(11, 0)) AS start_second,
    CAST(DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(periods.period_end AS DATE)) AS DECIMAL(11, 0)) * 86400 + CAST(EXTRACT(HOUR FROM periods.period_end) * 3600 + EXTRACT(MINUTE FROM periods.period_end) * 60 + FLOOR(EXTRACT(SECOND FROM periods.period_end)) AS DECIMAL(11, 0)) AS end_second,
    CAST(CAST(periods.cost_per_hour AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS hour_units
  FROM periods
), hours AS (
  SELECT
    seconds.*,
    CAST(CAST(CAST((
      (
        seconds.hour_units * CAST(seconds.end_second AS DECIMAL(11, 0))
      ) - (
        (
          seconds.hour_units * CAST(seconds.end_second AS DECIMAL(11, 0))
        ) % (
          3600
        )
      )
    ) / (
      3600
    ) AS DECIMAL(38, 0)) - CAST((
      (
        seconds.hour_units * CAST(seconds.start_second AS DECIMAL(11, 0))
      ) - (
        (
          seconds.hour_units * CAST(seconds.start_second AS DECIMAL(11, 0))
        ) % (
          3600
        )
      )
    ) / (
      3600
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS cost,
    CAST(CAST(CAST((
      (
        CAST(seconds.end_second AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
      ) - (
        (
          CAST(seconds.end_second AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
        ) % (
          3600
        )
      )
    ) / (
      3600
    ) AS DECIMAL(38, 0)) - CAST((
      (
        CAST(seconds.start_second AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
      ) - (
        (
          CAST(seconds.start_second AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
        ) % (
          3600
        )
      )
    ) / (
      3600
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS quantity
  FROM seconds
)
SELECT
  MD5(
    'own hardware' || CHR(  31) || hours.card_id || CHR(  31) || CAST(hours.period_start AS STRING)
  ) AS charge_id,
  MD5(
    'own hardware' || CHR(  31) || hours.resource_id || CHR(  31) || hours.cost_kind || CHR(  31) || CAST(hours.period_start AS STRING)
  ) AS x_line_key,
  CAST(1 AS BIGINT) AS x_occurrence,
  hours.x_source,
  hours.x_snapshot_id,
  CAST(NULL AS STRING) AS x_source_file,
  CAST(NULL AS STRING) AS allocated_method_details,
  CAST(NULL AS STRING) AS allocated_method_id,
  CAST(NULL AS STRING) AS allocated_resource_id,
  CAST(NULL AS STRING) AS allocated_resource_name,
  CAST(NULL AS STRING) AS allocated_tags,
  hours.zone AS availability_zone,
  hours.cost AS billed_cost,
  'own-hardware' AS billing_account_id,
  'Own hardware' AS billing_account_name,
  CAST(NULL AS STRING) AS billing_account_type,
  hours.currency AS billing_currency,
  CAST(CAST(DATE_TRUNC('MONTH', hours.period_start) AS DATE) + INTERVAL '1' MONTH AS TIMESTAMP_NTZ) AS billing_period_end,
  CAST(DATE_TRUNC('MONTH', hours.period_start) AS TIMESTAMP_NTZ) AS billing_period_start,
  CAST(NULL AS STRING) AS capacity_reservation_id,
  CAST(NULL AS STRING) AS capacity_reservation_status,
  'Usage' AS charge_category,
  CAST(NULL AS STRING) AS charge_class,
  'Hours of own hardware: ' || hours.cost_kind AS charge_description,
  'Usage-Based' AS charge_frequency,
  hours.period_end AS charge_period_end,
  hours.period_start AS charge_period_start,
  CAST(NULL AS STRING) AS commitment_discount_category,
  CAST(NULL AS STRING) AS commitment_discount_id,
  CAST(NULL AS STRING) AS commitment_discount_name,
  CAST(NULL AS DECIMAL(38, 12)) AS commitment_discount_quantity,
  CAST(NULL AS STRING) AS commitment_discount_status,
  CAST(NULL AS STRING) AS commitment_discount_type,
  CAST(NULL AS STRING) AS commitment_discount_unit,
  CAST(NULL AS STRING) AS commitment_program_eligibility_details,
  hours.quantity AS consumed_quantity,
  'Hours' AS consumed_unit,
  CAST(NULL AS STRING) AS contract_applied,
  hours.cost AS contracted_cost,
  hours.cost_per_hour AS contracted_unit_price,
  hours.cost AS effective_cost,
  'own hardware' AS host_provider_name,
  CAST(NULL AS STRING) AS invoice_detail_id,
  CAST(NULL AS STRING) AS invoice_id,
  'own hardware' AS invoice_issuer_name,
  hours.cost AS list_cost,
  hours.cost_per_hour AS list_unit_price,
  'Standard' AS pricing_category,
  hours.currency AS pricing_currency,
  hours.cost_per_hour AS pricing_currency_contracted_unit_price,
  hours.cost AS pricing_currency_effective_cost,
  hours.cost_per_hour AS pricing_currency_list_unit_price,
  hours.quantity AS pricing_quantity,
  'Hours' AS pricing_unit,
  hours.site AS region_id,
  hours.site AS region_name,
  hours.resource_id,
  hours.resource_id AS resource_name,
  hours.resource_kind AS resource_type,
  hours.category AS service_category,
  CASE
    WHEN hours.category = 'AI and Machine Learning'
    THEN 'Own hardware that serves models'
    ELSE 'Own hardware'
  END AS service_name,
  'own hardware' AS service_provider_name,
  'Other (' || hours.category || ')' AS service_subcategory,
  'own-hardware-' || hours.cost_kind AS sku_id,
  hours.cost_kind || ' hours' AS sku_meter,
  CAST(NULL AS STRING) AS sku_price_details,
  hours.card_id AS sku_price_id,
  CAST(NULL AS STRING) AS sub_account_id,
  CAST(NULL AS STRING) AS sub_account_name,
  CAST(NULL AS STRING) AS sub_account_type,
  CAST(NULL AS STRING) AS tags,
  'own hardware' AS x_publisher_name,
  CAST(NULL AS STRING) AS x_service_code,
  CAST(NULL AS STRING) AS x_operation,
  CAST(NULL AS STRING) AS x_sku_group,
  CAST(NULL AS STRING) AS x_instance_type,
  CAST(NULL AS STRING) AS x_from_region_id,
  CAST(NULL AS STRING) AS x_to_region_id,
  CAST(NULL AS STRING) AS x_principal_id,
  CAST(NULL AS STRING) AS x_correction_cause,
  CAST(NULL AS STRING) AS x_tag_user_id,
  CAST(NULL AS STRING) AS x_tag_tenant,
  CAST(NULL AS STRING) AS x_tag_customer,
  CAST(NULL AS STRING) AS x_tag_team,
  CAST(NULL AS STRING) AS x_tag_feature,
  CAST(NULL AS STRING) AS x_tag_endpoint,
  CAST(NULL AS STRING) AS x_tag_workflow,
  CAST(NULL AS STRING) AS x_tag_environment
FROM hours
