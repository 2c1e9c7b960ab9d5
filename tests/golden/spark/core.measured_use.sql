WITH usage AS (
  SELECT
    *
  FROM core.pooled_usage
  WHERE
    charge_date >= :start AND charge_date < :end AND pool_key = leaf_pool_key
), requests AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), capacity AS (
  SELECT
    *
  FROM core.capacity_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), physical AS (
  SELECT
    *
  FROM core.physical_weights
  WHERE
    charge_date >= :start AND charge_date < :end
), served_models AS (
  SELECT
    capacity.charge_date,
    capacity.logged_provider,
    capacity.logged_model
  FROM capacity
  WHERE
    NOT capacity.owner_id IS NULL
  GROUP BY
    capacity.charge_date,
    capacity.logged_provider,
    capacity.logged_model
), served AS (
  SELECT
    requests.charge_date,
    requests.usage_id,
    COALESCE(requests.provider, CHR(  30)) AS logged_provider,
    COALESCE(requests.model, CHR(  30)) AS logged_model
  FROM requests
  INNER JOIN served_models
    ON requests.charge_date = served_models.charge_date
    AND COALESCE(requests.provider, CHR(  30)) = COALESCE(served_models.logged_provider, CHR(  30))
    AND COALESCE(requests.model, CHR(  30)) = COALESCE(served_models.logged_model, CHR(  30))
), tokens AS (
  SELECT
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency,
    served.logged_provider,
    served.logged_model,
    CAST(SUM(usage.quantity_tokens) AS DECIMAL(38, 12)) AS logged_quantity,
    SUM(usage.list_cost) AS list_cost
  FROM usage
  LEFT JOIN served
    ON usage.charge_date = served.charge_date AND usage.usage_id = served.usage_id
  GROUP BY
    usage.charge_date,
    usage.pool_key,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency,
    served.logged_provider,
    served.logged_model
), volumes AS (
  SELECT
    physical.charge_date,
    physical.pool_key,
    CAST(SUM(physical.weight) AS DECIMAL(38, 0)) AS measured_units
  FROM physical
  GROUP BY
    physical.charge_date,
    physical.pool_key
  HAVING
    SUM(physical.weight) > 0
), times AS (
  SELECT
    capacity.charge_date,
    capacity.pool_key,
    CAST(MAX(capacity.measured_seconds) * 1000000 AS DECIMAL(38, 0)) AS measured_units
  FROM capacity
  GROUP BY
    capacity.charge_date,
    capacity.pool_key
  HAVING
    MAX(capacity.measured_seconds) > 0
)
SELECT
  tokens.charge_date,
  'tokens' AS use_kind,
  tokens.pool_key,
  tokens.provider,
  tokens.model,
  tokens.token_class,
  tokens.service_tier,
  tokens.list_cost_currency,
  tokens.logged_provider,
  tokens.logged_model,
  tokens.logged_quantity,
  CAST(CAST(tokens.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(38, 0)) AS measured_units
FROM tokens
UNION ALL
SELECT
  volumes.charge_date,
  'volume' AS use_kind,
  volumes.pool_key,
  CAST(NULL AS STRING) AS provider,
  CAST(NULL AS STRING) AS model,
  CAST(NULL AS STRING) AS token_class,
  CAST(NULL AS STRING) AS service_tier,
  CAST(NULL AS STRING) AS list_cost_currency,
  CAST(NULL AS STRING) AS logged_provider,
  CAST(NULL AS STRING) AS logged_model,
  CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
  volumes.measured_units
FROM volumes
UNION ALL
SELECT
  times.charge_date,
  'capacity' AS use_kind,
  times.pool_key,
  CAST(NULL AS STRING) AS provider,
  CAST(NULL AS STRING) AS model,
  CAST(NULL AS STRING) AS token_class,
  CAST(NULL AS STRING) AS service_tier,
  CAST(NULL AS STRING) AS list_cost_currency,
  CAST(NULL AS STRING) AS logged_provider,
  CAST(NULL AS STRING) AS logged_model,
  CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
  times.measured_units
FROM times
