WITH usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND NOT provider IS NULL
    AND NOT model IS NULL
)
SELECT
  usage.charge_date,
  usage.provider,
  usage.model,
  usage.token_class,
  CAST(SUM(usage.quantity_tokens) AS BIGINT) AS quantity_tokens,
  CAST(CASE
    WHEN COUNT(usage.list_cost) = COUNT(*)
    AND MIN(usage.list_cost_currency) = MAX(usage.list_cost_currency)
    THEN SUM(usage.list_cost)
  END AS DECIMAL(38, 12)) AS list_cost
FROM usage
GROUP BY
  usage.charge_date,
  usage.provider,
  usage.model,
  usage.token_class
