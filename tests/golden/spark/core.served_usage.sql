WITH usage AS (
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
    charge_date >= :start AND charge_date < :end AND NOT owner_id IS NULL
), paid AS (
  SELECT
    *
  FROM core.billed_cells
  WHERE
    charge_date >= :start AND charge_date < :end AND method_id = 'capacity_seconds'
), paid_pools AS (
  SELECT
    paid.charge_date,
    paid.pool_key
  FROM paid
  GROUP BY
    paid.charge_date,
    paid.pool_key
), served_models AS (
  SELECT
    capacity.charge_date,
    capacity.logged_provider,
    capacity.logged_model
  FROM capacity
  INNER JOIN paid_pools
    ON capacity.charge_date = paid_pools.charge_date
    AND capacity.pool_key = paid_pools.pool_key
  GROUP BY
    capacity.charge_date,
    capacity.logged_provider,
    capacity.logged_model
)
SELECT
  usage.charge_date,
  usage.usage_id
FROM usage
INNER JOIN served_models
  ON usage.charge_date = served_models.charge_date
  AND COALESCE(usage.provider, CHR(  30)) = COALESCE(served_models.logged_provider, CHR(  30))
  AND COALESCE(usage.model, CHR(  30)) = COALESCE(served_models.logged_model, CHR(  30))
