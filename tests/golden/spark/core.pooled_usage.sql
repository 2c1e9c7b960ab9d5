WITH usage AS (
  SELECT
    *
  FROM core.usage_costs
), pools AS (
  SELECT
    *
  FROM core.usage_pools
  WHERE
    pool_side = 'logged'
)
SELECT
  usage.charge_date,
  usage.usage_id,
  usage.token_class,
  pools.pool_key,
  pools.leaf_pool_key,
  usage.owner_id,
  usage.provider,
  usage.model,
  usage.service_tier,
  usage.context_min_tokens,
  usage.sub_account_id,
  usage.region_id,
  usage.from_zone,
  usage.to_zone,
  usage.quantity_tokens,
  usage.requests,
  usage.web_searches,
  usage.price_id,
  usage.list_cost,
  usage.list_cost_currency,
  usage.unpriced_reason
FROM usage
INNER JOIN pools
  ON usage.charge_date = pools.charge_date AND usage.segment_key = pools.member_key
