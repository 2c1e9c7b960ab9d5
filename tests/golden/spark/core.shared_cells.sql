WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), rules AS (
  SELECT
    *
  FROM reference.shared_cost_rules
), fitting AS (
  SELECT
    charges.billing_period_start,
    charges.cell_key,
    charges.spread_start_date,
    charges.spread_end_date,
    rules.priority,
    rules.shared_cost_rule_id
  FROM charges
  INNER JOIN rules
    ON (
      rules.provider IS NULL OR LOWER(charges.provider) = rules.provider
    )
    AND (
      rules.account IS NULL
      OR LOWER(charges.billing_account_id) = rules.account
      OR LOWER(charges.sub_account_id) = rules.account
    )
    AND (
      rules.service_name IS NULL OR LOWER(charges.service_name) = rules.service_name
    )
    AND (
      rules.charge_category IS NULL OR charges.charge_category = rules.charge_category
    )
    AND (
      rules.cost_driver IS NULL OR charges.cost_driver = rules.cost_driver
    )
    AND (
      rules.tag_key IS NULL
      OR rules.tag_value = CASE rules.tag_key
        WHEN 'tenant'
        THEN charges.tag_tenant
        WHEN 'customer'
        THEN charges.tag_customer
        WHEN 'team'
        THEN charges.tag_team
        WHEN 'feature'
        THEN charges.tag_feature
        WHEN 'endpoint'
        THEN charges.tag_endpoint
        WHEN 'workflow'
        THEN charges.tag_workflow
        WHEN 'environment'
        THEN charges.tag_environment
      END
    )
), ranked AS (
  SELECT
    fitting.billing_period_start,
    fitting.cell_key,
    fitting.shared_cost_rule_id,
    MIN(fitting.spread_start_date) AS spread_start_date,
    MAX(fitting.spread_end_date) AS spread_end_date,
    ROW_NUMBER() OVER (
      PARTITION BY fitting.billing_period_start, fitting.cell_key
      ORDER BY MIN(fitting.priority) NULLS LAST
    ) AS rule_position
  FROM fitting
  GROUP BY
    fitting.billing_period_start,
    fitting.cell_key,
    fitting.shared_cost_rule_id
)
SELECT
  ranked.billing_period_start,
  ranked.cell_key,
  ranked.shared_cost_rule_id,
  ranked.spread_start_date,
  ranked.spread_end_date
FROM ranked
WHERE
  ranked.rule_position = 1
