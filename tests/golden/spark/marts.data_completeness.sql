WITH status AS (
  SELECT
    *
  FROM core.source_status
), findings AS (
  SELECT
    *
  FROM core.findings
), requests AS (
  SELECT
    charge_date,
    provider,
    model,
    SUM(requests) AS requests
  FROM core.usage_costs
  WHERE
    NOT unpriced_reason IS NULL
  GROUP BY
    charge_date,
    provider,
    model
), anonymous AS (
  SELECT
    provider,
    COUNT(DISTINCT charge_date) AS days,
    MAX(charge_date) AS last_date,
    SUM(requests) AS requests
  FROM marts.cost_daily
  WHERE
    requests > 0 AND feature IS NULL
  GROUP BY
    provider
), unclassified AS (
  SELECT
    billing_currency,
    COUNT(*) AS charges,
    SUM(billed_cost) AS billed_cost
  FROM core.charges
  WHERE
    rule_id = 'other'
  GROUP BY
    billing_currency
), unknown_rate AS (
  SELECT
    billing_currency,
    COUNT(*) AS charges
  FROM core.charges
  WHERE
    billed_cost_reporting IS NULL AND NOT billed_cost IS NULL
  GROUP BY
    billing_currency
)
SELECT
  status.source,
  status.dataset,
  status.last_date AS date,
  status.rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  status.age_hours,
  status.state,
  CAST(NULL AS STRING) AS finding,
  CAST(NULL AS BIGINT) AS finding_count,
  CAST(NULL AS STRING) AS severity,
  CAST(NULL AS STRING) AS message
FROM status
UNION ALL
SELECT
  findings.source,
  findings.dataset,
  findings.finding_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  CASE WHEN findings.severity = 'fault' THEN 'fault' ELSE 'ok' END AS state,
  findings.kind AS finding,
  findings.finding_count,
  findings.severity,
  findings.message
FROM findings
UNION ALL
SELECT
  'prices' AS source,
  'requests' AS dataset,
  MAX(requests.charge_date) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'unpriced_requests' AS finding,
  CAST(SUM(requests.requests) AS BIGINT) AS finding_count,
  'warn' AS severity,
  'Requests of ' || COALESCE(requests.provider, 'an unknown provider') || ' without a model or list price' || ' (price model: ' || COALESCE(requests.model, 'none') || '): add a model alias or a price override to the config.' AS message
FROM requests
GROUP BY
  requests.provider,
  requests.model
UNION ALL
SELECT
  'fx_rates' AS source,
  'charges' AS dataset,
  CAST(NULL AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'missing_fx_rate' AS finding,
  CAST(unknown_rate.charges AS BIGINT) AS finding_count,
  'warn' AS severity,
  'No rate from ' || unknown_rate.billing_currency || ' to ' || :reporting_currency || ' at the charge dates: these charges keep their own currency; add fx_rates to the config.' AS message
FROM unknown_rate
UNION ALL
SELECT
  'requests' AS source,
  'requests' AS dataset,
  anonymous.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'requests_without_feature' AS finding,
  CAST(anonymous.requests AS BIGINT) AS finding_count,
  'warn' AS severity,
  'Requests to ' || COALESCE(anonymous.provider, 'an unknown provider') || ' name no feature: their cost stands under no feature; set the attribute or map the column in the config.' AS message
FROM anonymous
UNION ALL
SELECT
  'classification' AS source,
  'charges' AS dataset,
  CAST(NULL AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'unclassified_charges' AS finding,
  CAST(unclassified.charges AS BIGINT) AS finding_count,
  'info' AS severity,
  'Charges that no rule knows stand under the driver other: ' || CAST(CAST(unclassified.billed_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || unclassified.billing_currency || '; add a classification rule to the config.' AS message
FROM unclassified
