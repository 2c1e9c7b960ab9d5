WITH measured AS (
  SELECT
    *
  FROM core.measured_use
  WHERE
    charge_date >= :start AND charge_date < :end
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
  WHERE
    charge_date >= :start AND charge_date < :end AND NOT owner_id IS NULL
), billed AS (
  SELECT
    *
  FROM core.billed_cells
  WHERE
    charge_date >= :start AND charge_date < :end AND charge_category = 'Usage'
), recent_days AS (
  SELECT
    *
  FROM reference.recent_days
  WHERE
    charge_date >= :start AND charge_date < :end
), coverage AS (
  SELECT
    *
  FROM core.bill_coverage
), rates AS (
  SELECT
    *
  FROM core.bill_rates
), run_rates AS (
  SELECT
    *
  FROM core.bill_run_rates
), fx_rates AS (
  SELECT
    *
  FROM staging.fx_rates
  WHERE
    to_currency = :reporting_currency
), days AS (
  SELECT
    measured.charge_date
  FROM measured
  GROUP BY
    measured.charge_date
  UNION
  SELECT
    billed.charge_date
  FROM billed
  GROUP BY
    billed.charge_date
  UNION
  SELECT
    recent_days.charge_date
  FROM recent_days
), bill_days AS (
  SELECT
    days.charge_date,
    coverage.bill_of_record,
    coverage.provider,
    MAX(coverage.last_date) AS last_date,
    COALESCE(
      MAX(
        CASE
          WHEN CAST(DATE_TRUNC('MONTH', coverage.billing_period_start) AS DATE) = CAST(DATE_TRUNC('MONTH', days.charge_date) AS DATE)
          THEN coverage.watermark_at
        END
      ) >= CAST(days.charge_date AS TIMESTAMP_NTZ) + INTERVAL '1' DAY,
      FALSE
    ) AS is_settled
  FROM days
  INNER JOIN coverage
    ON CAST(DATE_TRUNC('MONTH', days.charge_date) AS DATE) >= CAST(DATE_TRUNC('MONTH', coverage.billing_period_start) AS DATE)
    AND CAST(CAST(DATE_TRUNC('MONTH', days.charge_date) AS DATE) - INTERVAL '2' MONTH AS DATE) <= CAST(DATE_TRUNC('MONTH', coverage.billing_period_start) AS DATE)
  GROUP BY
    days.charge_date,
    coverage.bill_of_record,
    coverage.provider
), known_rates AS (
  SELECT
    bill_days.charge_date,
    bill_days.is_settled,
    rates.*,
    CASE rates.rate_level
      WHEN 'mixed'
      THEN 1
      WHEN 'tier'
      THEN 2
      WHEN 'class'
      THEN 3
      WHEN 'model'
      THEN 4
      ELSE 5
    END AS level_rank,
    ROW_NUMBER() OVER (
      PARTITION BY bill_days.charge_date, rates.bill_of_record, rates.provider, rates.cost_driver, rates.billing_currency, rates.rate_level, rates.rate_key, rates.list_cost_currency
      ORDER BY rates.billing_period_start DESC
    ) AS month_rank
  FROM bill_days
  INNER JOIN rates
    ON bill_days.bill_of_record = rates.bill_of_record
    AND bill_days.provider = rates.provider
    AND CAST(bill_days.charge_date AS TIMESTAMP_NTZ) >= rates.billing_period_start
    AND CAST(CAST(DATE_TRUNC('MONTH', bill_days.charge_date) AS DATE) - INTERVAL '2' MONTH AS TIMESTAMP_NTZ) <= rates.billing_period_start
), newest_rates AS (
  SELECT
    known_rates.*
  FROM known_rates
  WHERE
    known_rates.month_rank = 1
), volumes AS (
  SELECT
    measured.charge_date,
    measured.pool_key,
    measured.measured_units,
    newest_rates.bill_of_record,
    newest_rates.provider,
    newest_rates.cost_driver,
    newest_rates.billing_currency,
    newest_rates.method_id,
    newest_rates.traffic_kind,
    newest_rates.service_name,
    newest_rates.logged_rate_ppb,
    newest_rates.is_settled
  FROM measured
  INNER JOIN newest_rates
    ON measured.charge_date = newest_rates.charge_date
    AND measured.pool_key = newest_rates.rate_key
    AND newest_rates.rate_level = 'pool'
  WHERE
    measured.use_kind <> 'tokens'
), capacity_bills AS (
  SELECT
    newest_rates.charge_date,
    COUNT(*) AS bills
  FROM newest_rates
  WHERE
    newest_rates.rate_level = 'capacity'
  GROUP BY
    newest_rates.charge_date
), new_capacity AS (
  SELECT
    measured.charge_date,
    measured.pool_key,
    measured.measured_units,
    newest_rates.bill_of_record,
    newest_rates.provider,
    newest_rates.cost_driver,
    newest_rates.billing_currency,
    newest_rates.method_id,
    newest_rates.traffic_kind,
    newest_rates.service_name,
    newest_rates.logged_rate_ppb,
    newest_rates.is_settled
  FROM measured
  INNER JOIN capacity_bills
    ON measured.charge_date = capacity_bills.charge_date AND capacity_bills.bills = 1
  INNER JOIN newest_rates
    ON measured.charge_date = newest_rates.charge_date
    AND newest_rates.rate_level = 'capacity'
  LEFT JOIN volumes
    ON measured.charge_date = volumes.charge_date
    AND measured.pool_key = volumes.pool_key
  WHERE
    measured.use_kind = 'capacity' AND volumes.pool_key IS NULL
), open_volumes AS (
  SELECT
    *
  FROM volumes
  WHERE
    NOT volumes.is_settled
  UNION ALL
  SELECT
    *
  FROM new_capacity
  WHERE
    NOT new_capacity.is_settled
), paid_pools AS (
  SELECT
    open_volumes.charge_date,
    open_volumes.pool_key
  FROM open_volumes
  WHERE
    open_volumes.method_id = 'capacity_seconds'
  GROUP BY
    open_volumes.charge_date,
    open_volumes.pool_key
  UNION
  SELECT
    billed.charge_date,
    billed.pool_key
  FROM billed
  WHERE
    billed.method_id = 'capacity_seconds'
  GROUP BY
    billed.charge_date,
    billed.pool_key
), served_models AS (
  SELECT
    capacity.charge_date,
    COALESCE(capacity.logged_provider, CHR(  30)) AS logged_provider,
    COALESCE(capacity.logged_model, CHR(  30)) AS logged_model
  FROM capacity
  INNER JOIN paid_pools
    ON capacity.charge_date = paid_pools.charge_date
    AND capacity.pool_key = paid_pools.pool_key
  GROUP BY
    capacity.charge_date,
    COALESCE(capacity.logged_provider, CHR(  30)),
    COALESCE(capacity.logged_model, CHR(  30))
), pools AS (
  SELECT
    measured.charge_date,
    measured.pool_key,
    measured.provider,
    measured.model,
    measured.token_class,
    CASE
      WHEN MIN(measured.service_tier) = MAX(measured.service_tier)
      THEN MIN(measured.service_tier)
    END AS service_tier,
    measured.list_cost_currency,
    SUM(measured.logged_quantity) AS logged_quantity,
    CAST(SUM(measured.measured_units) AS DECIMAL(38, 0)) AS measured_units
  FROM measured
  LEFT JOIN served_models
    ON measured.charge_date = served_models.charge_date
    AND measured.logged_provider = served_models.logged_provider
    AND measured.logged_model = served_models.logged_model
  WHERE
    measured.use_kind = 'tokens' AND served_models.logged_model IS NULL
  GROUP BY
    measured.charge_date,
    measured.pool_key,
    measured.provider,
    measured.model,
    measured.token_class,
    measured.list_cost_currency
), levels AS (
  SELECT
    'mixed' AS rate_level
  UNION ALL
  SELECT
    'tier' AS rate_level
  UNION ALL
  SELECT
    'class' AS rate_level
  UNION ALL
  SELECT
    'model' AS rate_level
  UNION ALL
  SELECT
    'provider' AS rate_level
), pool_keys AS (
  SELECT
    pools.charge_date,
    pools.pool_key,
    pools.provider,
    pools.service_tier,
    pools.list_cost_currency,
    levels.rate_level,
    CASE levels.rate_level
      WHEN 'tier'
      THEN pools.model || CHR(  31) || pools.token_class || CHR(  31) || COALESCE(pools.service_tier, CHR(  30))
      WHEN 'class'
      THEN pools.model || CHR(  31) || pools.token_class
      WHEN 'provider'
      THEN ''
      ELSE pools.model
    END AS rate_key
  FROM pools
  CROSS JOIN levels
  WHERE
    NOT pools.measured_units IS NULL
), rated AS (
  SELECT
    pool_keys.charge_date,
    pool_keys.pool_key,
    pool_keys.service_tier,
    pool_keys.list_cost_currency,
    newest_rates.bill_of_record,
    newest_rates.billing_currency,
    newest_rates.logged_rate_ppb,
    newest_rates.unlogged_rate_ppb,
    newest_rates.is_settled,
    ROW_NUMBER() OVER (
      PARTITION BY pool_keys.charge_date, pool_keys.pool_key, pool_keys.service_tier, pool_keys.list_cost_currency, newest_rates.bill_of_record, newest_rates.billing_currency
      ORDER BY newest_rates.level_rank NULLS LAST, newest_rates.rate_key NULLS LAST
    ) AS rate_rank
  FROM pool_keys
  INNER JOIN newest_rates
    ON pool_keys.charge_date = newest_rates.charge_date
    AND pool_keys.provider = newest_rates.provider
    AND pool_keys.rate_level = newest_rates.rate_level
    AND pool_keys.rate_key = newest_rates.rate_key
    AND pool_keys.list_cost_currency = newest_rates.list_cost_currency
), open_bills AS (
  SELECT
    bill_days.charge_date,
    bill_days.provider,
    MIN(CASE WHEN NOT bill_days.is_settled THEN bill_days.bill_of_record END) AS bill_of_record
  FROM bill_days
  GROUP BY
    bill_days.charge_date,
    bill_days.provider
), token_lines AS (
  SELECT
    pools.*,
    COALESCE(rated.bill_of_record, open_bills.bill_of_record) AS bill_of_record,
    COALESCE(rated.billing_currency, pools.list_cost_currency, :reporting_currency) AS billing_currency,
    CAST(COALESCE(rated.logged_rate_ppb, 1000000000) AS DECIMAL(15, 0)) AS logged_rate_ppb,
    CAST(COALESCE(rated.unlogged_rate_ppb, 0) AS DECIMAL(15, 0)) AS unlogged_rate_ppb,
    CAST(pools.measured_units AS DECIMAL(22, 0)) AS list_units
  FROM pools
  LEFT JOIN rated
    ON pools.charge_date = rated.charge_date
    AND pools.pool_key = rated.pool_key
    AND COALESCE(pools.service_tier, CHR(  30)) = COALESCE(rated.service_tier, CHR(  30))
    AND pools.list_cost_currency = rated.list_cost_currency
    AND rated.rate_rank = 1
  LEFT JOIN open_bills
    ON pools.charge_date = open_bills.charge_date
    AND pools.provider = open_bills.provider
  WHERE
    (
      NOT rated.bill_of_record IS NULL AND NOT rated.is_settled
    )
    OR (
      rated.bill_of_record IS NULL
      AND (
        open_bills.provider IS NULL OR NOT open_bills.bill_of_record IS NULL
      )
    )
), missed AS (
  SELECT
    token_lines.charge_date,
    token_lines.bill_of_record,
    token_lines.provider,
    token_lines.billing_currency,
    token_lines.model,
    token_lines.token_class,
    CAST(SUM(
      CAST(CAST((
        (
          token_lines.list_units * token_lines.unlogged_rate_ppb
        ) - (
          (
            token_lines.list_units * token_lines.unlogged_rate_ppb
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0))
    ) AS DECIMAL(22, 0)) AS estimate_units
  FROM token_lines
  WHERE
    token_lines.unlogged_rate_ppb > 0
  GROUP BY
    token_lines.charge_date,
    token_lines.bill_of_record,
    token_lines.provider,
    token_lines.billing_currency,
    token_lines.model,
    token_lines.token_class
), flat_candidates AS (
  SELECT
    recent_days.charge_date,
    run_rates.*,
    MAX(run_rates.billing_period_start) OVER (
      PARTITION BY recent_days.charge_date, run_rates.bill_of_record, run_rates.provider
    ) AS newest_period_start
  FROM recent_days
  INNER JOIN bill_days
    ON recent_days.charge_date = bill_days.charge_date
    AND NOT bill_days.is_settled
    AND bill_days.last_date >= CAST(recent_days.charge_date - INTERVAL '14' DAY AS DATE)
  INNER JOIN run_rates
    ON bill_days.bill_of_record = run_rates.bill_of_record
    AND bill_days.provider = run_rates.provider
    AND CAST(recent_days.charge_date AS TIMESTAMP_NTZ) >= run_rates.billing_period_start
    AND CAST(CAST(DATE_TRUNC('MONTH', recent_days.charge_date) AS DATE) - INTERVAL '2' MONTH AS TIMESTAMP_NTZ) <= run_rates.billing_period_start
), nobody AS (
  SELECT
    MD5(
      CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30)
    ) AS owner_id
), lines AS (
  SELECT
    token_lines.charge_date,
    'logged' AS line_kind,
    token_lines.bill_of_record,
    token_lines.provider,
    'inference' AS cost_driver,
    token_lines.billing_currency,
    CAST(NULL AS STRING) AS traffic_kind,
    CAST(NULL AS STRING) AS service_name,
    token_lines.model,
    token_lines.token_class,
    token_lines.service_tier,
    token_lines.pool_key,
    token_lines.list_cost_currency,
    token_lines.logged_quantity,
    'list_price' AS method_id,
    'priced' AS evidence,
    CASE WHEN token_lines.list_units IS NULL THEN 'unpriced' END AS residual_reason,
    CAST(NULL AS STRING) AS direct_owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS environment,
    COALESCE(token_lines.model, '') AS spread_key,
    CAST(CAST((
      (
        token_lines.list_units * token_lines.logged_rate_ppb
      ) - (
        (
          token_lines.list_units * token_lines.logged_rate_ppb
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0)) AS estimate_units,
    CASE
      WHEN token_lines.billing_currency = token_lines.list_cost_currency
      THEN token_lines.list_units
    END AS list_units
  FROM token_lines
  UNION ALL
  SELECT
    missed.charge_date,
    'unlogged' AS line_kind,
    missed.bill_of_record,
    missed.provider,
    'inference' AS cost_driver,
    missed.billing_currency,
    CAST(NULL AS STRING) AS traffic_kind,
    CAST(NULL AS STRING) AS service_name,
    missed.model,
    missed.token_class,
    CAST(NULL AS STRING) AS service_tier,
    CAST(NULL AS STRING) AS pool_key,
    CAST(NULL AS STRING) AS list_cost_currency,
    CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
    'residual' AS method_id,
    'assumed' AS evidence,
    'unlogged_usage' AS residual_reason,
    nobody.owner_id AS direct_owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS environment,
    COALESCE(missed.model, '') AS spread_key,
    missed.estimate_units,
    CAST(NULL AS DECIMAL(22, 0)) AS list_units
  FROM missed
  CROSS JOIN nobody
  UNION ALL
  SELECT
    open_volumes.charge_date,
    'volume' AS line_kind,
    open_volumes.bill_of_record,
    open_volumes.provider,
    open_volumes.cost_driver,
    open_volumes.billing_currency,
    open_volumes.traffic_kind,
    open_volumes.service_name,
    CAST(NULL AS STRING) AS model,
    CAST(NULL AS STRING) AS token_class,
    CAST(NULL AS STRING) AS service_tier,
    open_volumes.pool_key,
    CAST(NULL AS STRING) AS list_cost_currency,
    CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
    open_volumes.method_id,
    'assumed' AS evidence,
    CAST(NULL AS STRING) AS residual_reason,
    nobody.owner_id AS direct_owner_id,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS environment,
    open_volumes.pool_key AS spread_key,
    CAST(CAST((
      (
        CAST(open_volumes.measured_units AS DECIMAL(20, 0)) * CAST(open_volumes.logged_rate_ppb AS DECIMAL(18, 0))
      ) - (
        (
          CAST(open_volumes.measured_units AS DECIMAL(20, 0)) * CAST(open_volumes.logged_rate_ppb AS DECIMAL(18, 0))
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0)) AS estimate_units,
    CAST(NULL AS DECIMAL(22, 0)) AS list_units
  FROM open_volumes
  CROSS JOIN nobody
  UNION ALL
  SELECT
    flat_candidates.charge_date,
    'flat' AS line_kind,
    flat_candidates.bill_of_record,
    flat_candidates.provider,
    flat_candidates.cost_driver,
    flat_candidates.billing_currency,
    flat_candidates.traffic_kind,
    flat_candidates.service_name,
    flat_candidates.model,
    CAST(NULL AS STRING) AS token_class,
    CAST(NULL AS STRING) AS service_tier,
    CAST(NULL AS STRING) AS pool_key,
    CAST(NULL AS STRING) AS list_cost_currency,
    CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
    'run_rate' AS method_id,
    'assumed' AS evidence,
    flat_candidates.residual_reason,
    flat_candidates.direct_owner_id,
    flat_candidates.user_id,
    flat_candidates.tenant,
    flat_candidates.customer,
    flat_candidates.team,
    flat_candidates.feature,
    flat_candidates.endpoint,
    flat_candidates.workflow,
    flat_candidates.environment,
    COALESCE(flat_candidates.model, flat_candidates.service_name, '') AS spread_key,
    CAST(CAST(flat_candidates.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS estimate_units,
    CAST(NULL AS DECIMAL(22, 0)) AS list_units
  FROM flat_candidates
  WHERE
    flat_candidates.billing_period_start = flat_candidates.newest_period_start
), keyed AS (
  SELECT
    lines.*,
    MD5(
      'estimated' || CHR(  31) || lines.line_kind || CHR(  31) || COALESCE(lines.bill_of_record, CHR(  30)) || CHR(  31) || COALESCE(lines.provider, CHR(  30)) || CHR(  31) || lines.cost_driver || CHR(  31) || lines.billing_currency || CHR(  31) || COALESCE(lines.pool_key, CHR(  30)) || CHR(  31) || COALESCE(lines.service_tier, CHR(  30)) || CHR(  31) || COALESCE(lines.list_cost_currency, CHR(  30)) || CHR(  31) || COALESCE(lines.model, CHR(  30)) || CHR(  31) || COALESCE(lines.token_class, CHR(  30)) || CHR(  31) || COALESCE(lines.service_name, CHR(  30)) || CHR(  31) || COALESCE(lines.traffic_kind, CHR(  30)) || CHR(  31) || COALESCE(lines.residual_reason, CHR(  30)) || CHR(  31) || COALESCE(lines.direct_owner_id, CHR(  30))
    ) AS cell_key
  FROM lines
), billed_keys AS (
  SELECT
    billed.charge_date,
    billed.bill_of_record,
    billed.provider,
    billed.cost_driver,
    billed.billing_currency,
    CASE
      WHEN billed.method_id IN ('bytes', 'telemetry_bytes', 'capacity_seconds')
      THEN billed.pool_key
      WHEN billed.cost_driver = 'inference'
      THEN COALESCE(billed.model, billed.service_name, '')
      ELSE COALESCE(billed.service_name, '')
    END AS spread_key,
    CAST(CAST(CAST(SUM(billed.effective_cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS DECIMAL(38, 0)) AS billed_units
  FROM billed
  WHERE
    NOT billed.effective_cost IS NULL
  GROUP BY
    billed.charge_date,
    billed.bill_of_record,
    billed.provider,
    billed.cost_driver,
    billed.billing_currency,
    CASE
      WHEN billed.method_id IN ('bytes', 'telemetry_bytes', 'capacity_seconds')
      THEN billed.pool_key
      WHEN billed.cost_driver = 'inference'
      THEN COALESCE(billed.model, billed.service_name, '')
      ELSE COALESCE(billed.service_name, '')
    END
), estimated_keys AS (
  SELECT
    keyed.charge_date,
    keyed.bill_of_record,
    keyed.provider,
    keyed.cost_driver,
    keyed.billing_currency,
    keyed.spread_key,
    SUM(CAST(keyed.estimate_units AS DECIMAL(38, 0))) AS estimate_units
  FROM keyed
  WHERE
    NOT keyed.bill_of_record IS NULL
  GROUP BY
    keyed.charge_date,
    keyed.bill_of_record,
    keyed.provider,
    keyed.cost_driver,
    keyed.billing_currency,
    keyed.spread_key
), open_keys AS (
  SELECT
    estimated_keys.*,
    CASE
      WHEN COALESCE(estimated_keys.estimate_units, 0) <= 0
      THEN 0
      ELSE CAST((
        (
          GREATEST(
            estimated_keys.estimate_units - GREATEST(COALESCE(billed_keys.billed_units, 0), 0),
            0
          ) * 1000000000 + estimated_keys.estimate_units - 1
        ) - (
          (
            GREATEST(
              estimated_keys.estimate_units - GREATEST(COALESCE(billed_keys.billed_units, 0), 0),
              0
            ) * 1000000000 + estimated_keys.estimate_units - 1
          ) % (
            estimated_keys.estimate_units
          )
        )
      ) / (
        estimated_keys.estimate_units
      ) AS DECIMAL(38, 0))
    END AS open_share_units
  FROM estimated_keys
  LEFT JOIN billed_keys
    ON estimated_keys.charge_date = billed_keys.charge_date
    AND estimated_keys.bill_of_record = billed_keys.bill_of_record
    AND estimated_keys.provider = billed_keys.provider
    AND estimated_keys.cost_driver = billed_keys.cost_driver
    AND estimated_keys.billing_currency = billed_keys.billing_currency
    AND estimated_keys.spread_key = billed_keys.spread_key
), estimated_drivers AS (
  SELECT
    estimated_keys.charge_date,
    estimated_keys.bill_of_record,
    estimated_keys.provider,
    estimated_keys.cost_driver,
    estimated_keys.billing_currency,
    CAST(SUM(COALESCE(estimated_keys.estimate_units, 0)) AS DECIMAL(38, 0)) AS estimate_units
  FROM estimated_keys
  GROUP BY
    estimated_keys.charge_date,
    estimated_keys.bill_of_record,
    estimated_keys.provider,
    estimated_keys.cost_driver,
    estimated_keys.billing_currency
), billed_drivers AS (
  SELECT
    billed_keys.charge_date,
    billed_keys.bill_of_record,
    billed_keys.provider,
    billed_keys.cost_driver,
    billed_keys.billing_currency,
    SUM(billed_keys.billed_units) AS billed_units
  FROM billed_keys
  GROUP BY
    billed_keys.charge_date,
    billed_keys.bill_of_record,
    billed_keys.provider,
    billed_keys.cost_driver,
    billed_keys.billing_currency
), open_drivers AS (
  SELECT
    estimated_drivers.*,
    COALESCE(billed_drivers.billed_units, 0) > 0 AS is_partly_billed,
    CAST(GREATEST(
      estimated_drivers.estimate_units - GREATEST(COALESCE(billed_drivers.billed_units, 0), 0),
      0
    ) AS DECIMAL(22, 0)) AS open_units
  FROM estimated_drivers
  LEFT JOIN billed_drivers
    ON estimated_drivers.charge_date = billed_drivers.charge_date
    AND estimated_drivers.bill_of_record = billed_drivers.bill_of_record
    AND estimated_drivers.provider = billed_drivers.provider
    AND estimated_drivers.cost_driver = billed_drivers.cost_driver
    AND estimated_drivers.billing_currency = billed_drivers.billing_currency
), weighted AS (
  SELECT
    keyed.*,
    COALESCE(open_drivers.is_partly_billed, FALSE) AS is_partly_billed,
    COALESCE(open_drivers.open_units, 0) AS open_units,
    CASE
      WHEN keyed.estimate_units IS NULL
      THEN CAST(0 AS DECIMAL(38, 0))
      WHEN open_drivers.is_partly_billed
      THEN CAST(CAST((
        (
          keyed.estimate_units * CAST(open_keys.open_share_units AS DECIMAL(10, 0))
        ) - (
          (
            keyed.estimate_units * CAST(open_keys.open_share_units AS DECIMAL(10, 0))
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0))
      ELSE CAST(keyed.estimate_units AS DECIMAL(38, 0))
    END AS weight_units
  FROM keyed
  LEFT JOIN open_drivers
    ON keyed.charge_date = open_drivers.charge_date
    AND keyed.bill_of_record = open_drivers.bill_of_record
    AND keyed.provider = open_drivers.provider
    AND keyed.cost_driver = open_drivers.cost_driver
    AND keyed.billing_currency = open_drivers.billing_currency
  LEFT JOIN open_keys
    ON keyed.charge_date = open_keys.charge_date
    AND keyed.bill_of_record = open_keys.bill_of_record
    AND keyed.provider = open_keys.provider
    AND keyed.cost_driver = open_keys.cost_driver
    AND keyed.billing_currency = open_keys.billing_currency
    AND keyed.spread_key = open_keys.spread_key
), totalled AS (
  SELECT
    weighted.*,
    1 + CAST((
      (
        SUM(weighted.weight_units) OVER (
          PARTITION BY weighted.charge_date, weighted.bill_of_record, weighted.provider, weighted.cost_driver, weighted.billing_currency
        )
      ) - (
        (
          SUM(weighted.weight_units) OVER (
            PARTITION BY weighted.charge_date, weighted.bill_of_record, weighted.provider, weighted.cost_driver, weighted.billing_currency
          )
        ) % (
          500000000000000
        )
      )
    ) / (
      500000000000000
    ) AS DECIMAL(38, 0)) AS weight_scale
  FROM weighted
), scaled AS (
  SELECT
    totalled.*,
    CAST(CAST((
      (
        totalled.weight_units
      ) - (
        (
          totalled.weight_units
        ) % (
          totalled.weight_scale
        )
      )
    ) / (
      totalled.weight_scale
    ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0)) AS weight
  FROM totalled
), cumulated AS (
  SELECT
    scaled.*,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.charge_date, scaled.bill_of_record, scaled.provider, scaled.cost_driver, scaled.billing_currency
      ORDER BY scaled.cell_key NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_weight,
    CAST(SUM(scaled.weight) OVER (
      PARTITION BY scaled.charge_date, scaled.bill_of_record, scaled.provider, scaled.cost_driver, scaled.billing_currency
    ) AS DECIMAL(15, 0)) AS total_weight
  FROM scaled
), billed_pools AS (
  SELECT
    billed.charge_date,
    billed.pool_key
  FROM billed
  WHERE
    NOT billed.pool_key IS NULL
  GROUP BY
    billed.charge_date,
    billed.pool_key
), left_over AS (
  SELECT
    cumulated.*,
    NOT cumulated.pool_key IS NULL
    AND billed_pools.pool_key IS NULL
    AND ROW_NUMBER() OVER (
      PARTITION BY cumulated.charge_date, cumulated.pool_key, cumulated.service_tier, cumulated.list_cost_currency
      ORDER BY cumulated.cell_key NULLS LAST
    ) = 1 AS is_pool_first,
    CASE
      WHEN cumulated.estimate_units IS NULL
      THEN NULL
      WHEN NOT cumulated.is_partly_billed
      THEN cumulated.estimate_units
      WHEN cumulated.total_weight = 0
      THEN CAST(0 AS DECIMAL(22, 0))
      ELSE CAST(CAST((
        (
          cumulated.open_units * cumulated.until_weight
        ) - (
          (
            cumulated.open_units * cumulated.until_weight
          ) % (
            cumulated.total_weight
          )
        )
      ) / (
        cumulated.total_weight
      ) AS DECIMAL(38, 0)) - CAST((
        (
          cumulated.open_units * CAST(cumulated.until_weight - cumulated.weight AS DECIMAL(15, 0))
        ) - (
          (
            cumulated.open_units * CAST(cumulated.until_weight - cumulated.weight AS DECIMAL(15, 0))
          ) % (
            cumulated.total_weight
          )
        )
      ) / (
        cumulated.total_weight
      ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0))
    END AS effective_units
  FROM cumulated
  LEFT JOIN billed_pools
    ON cumulated.charge_date = billed_pools.charge_date
    AND cumulated.pool_key = billed_pools.pool_key
), listed AS (
  SELECT
    left_over.*,
    CASE
      WHEN left_over.list_units IS NULL OR NOT left_over.is_partly_billed
      THEN left_over.list_units
      WHEN left_over.estimate_units = 0
      THEN CAST(0 AS DECIMAL(22, 0))
      ELSE CAST(CAST((
        (
          left_over.list_units * CAST(LEAST(IDIV(left_over.effective_units * 1000000000, left_over.estimate_units), 1000000000) AS DECIMAL(10, 0))
        ) - (
          (
            left_over.list_units * CAST(LEAST(IDIV(left_over.effective_units * 1000000000, left_over.estimate_units), 1000000000) AS DECIMAL(10, 0))
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0))
    END AS open_list_units
  FROM left_over
  WHERE
    left_over.effective_units > 0
    OR left_over.line_kind = 'logged'
    AND left_over.is_pool_first
), fx_candidates AS (
  SELECT
    needed.charge_date,
    needed.billing_currency,
    fx_rates.rate_date,
    CAST(CAST(fx_rates.rate AS DECIMAL(27, 9)) * CAST(1000000000 AS DECIMAL(10, 0)) AS DECIMAL(15, 0)) AS rate_units,
    ROW_NUMBER() OVER (
      PARTITION BY needed.charge_date, needed.billing_currency
      ORDER BY fx_rates.rate_date DESC
    ) AS rate_rank
  FROM (
    SELECT
      charge_date,
      billing_currency
    FROM listed
    GROUP BY
      charge_date,
      billing_currency
  ) AS needed
  INNER JOIN fx_rates
    ON needed.billing_currency = fx_rates.from_currency
    AND needed.charge_date >= fx_rates.rate_date
), converted AS (
  SELECT
    listed.*,
    CASE
      WHEN listed.billing_currency <> :reporting_currency
      THEN fx_candidates.rate_date
    END AS fx_date,
    CASE
      WHEN listed.billing_currency = :reporting_currency
      THEN CAST(1000000000 AS DECIMAL(15, 0))
      ELSE fx_candidates.rate_units
    END AS rate_units
  FROM listed
  LEFT JOIN fx_candidates
    ON listed.charge_date = fx_candidates.charge_date
    AND listed.billing_currency = fx_candidates.billing_currency
    AND fx_candidates.rate_rank = 1
)
SELECT
  converted.charge_date,
  MD5(converted.cell_key || CHR(  31) || CAST(converted.charge_date AS STRING)) AS cell_id,
  converted.cell_key,
  converted.bill_of_record,
  converted.provider,
  CAST(NULL AS STRING) AS billing_account_id,
  CAST(NULL AS STRING) AS sub_account_id,
  converted.billing_currency,
  CAST(NULL AS TIMESTAMP_NTZ) AS billing_period_start,
  CAST(NULL AS STRING) AS invoice_issuer_name,
  CAST(NULL AS STRING) AS invoice_id,
  CAST(NULL AS STRING) AS follows,
  CAST(NULL AS STRING) AS shared_cost_rule_id,
  'Usage' AS charge_category,
  converted.cost_driver,
  converted.traffic_kind,
  converted.service_name,
  CAST(NULL AS STRING) AS sku_id,
  CAST(NULL AS STRING) AS sku_meter,
  converted.model,
  converted.token_class,
  converted.service_tier,
  CAST(NULL AS STRING) AS region_id,
  CAST(NULL AS STRING) AS resource_id,
  CAST(NULL AS STRING) AS from_zone,
  CAST(NULL AS STRING) AS to_zone,
  CAST(NULL AS STRING) AS commitment_discount_status,
  converted.fx_date,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
  CASE
    WHEN converted.line_kind <> 'logged'
    THEN CAST(NULL AS DECIMAL(38, 12))
    WHEN converted.is_pool_first
    THEN converted.logged_quantity
    ELSE CAST(0 AS DECIMAL(38, 12))
  END AS logged_quantity,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  FALSE AS is_over_logged,
  converted.is_pool_first,
  CAST(0 AS DECIMAL(38, 12)) AS missing_quantity,
  converted.pool_key,
  converted.method_id,
  converted.evidence,
  converted.residual_reason,
  converted.direct_owner_id,
  converted.user_id,
  converted.tenant,
  converted.customer,
  converted.team,
  converted.feature,
  converted.endpoint,
  converted.workflow,
  converted.environment,
  converted.list_cost_currency,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(converted.effective_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(converted.open_list_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(CAST((
    (
      2 * converted.effective_units * converted.rate_units + 1000000000
    ) - (
      (
        2 * converted.effective_units * converted.rate_units + 1000000000
      ) % (
        2000000000
      )
    )
  ) / (
    2000000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(CAST((
    (
      2 * converted.open_list_units * converted.rate_units + 1000000000
    ) - (
      (
        2 * converted.open_list_units * converted.rate_units + 1000000000
      ) % (
        2000000000
      )
    )
  ) / (
    2000000000
  ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  'estimated' AS cost_state
FROM converted
