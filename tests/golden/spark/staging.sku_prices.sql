WITH ranked AS (
  SELECT
    sku_prices.*,
    ROW_NUMBER() OVER (
      PARTITION BY sku_prices.provider, sku_prices.sku_price_id, sku_prices.currency
      ORDER BY CASE WHEN sku_prices.effective_at IS NULL THEN 1 ELSE 0 END NULLS LAST, sku_prices.effective_at DESC, sku_prices.list_unit_price ASC NULLS LAST, COALESCE(sku_prices.region_id, CHR(  30)) NULLS LAST, COALESCE(sku_prices.x_source, CHR(  30)) NULLS LAST, COALESCE(sku_prices.x_snapshot_id, CHR(  30)) NULLS LAST, COALESCE(sku_prices.sku_description, CHR(  30)) NULLS LAST, COALESCE(sku_prices.pricing_unit, CHR(  30)) NULLS LAST
    ) AS statement_rank
  FROM lake.sku_prices AS sku_prices
), source AS (
  SELECT
    *
  FROM ranked
  WHERE
    statement_rank = 1
)
SELECT
  source.x_source,
  source.x_snapshot_id,
  source.provider,
  source.service_name,
  source.sku_id,
  source.sku_price_id,
  source.sku_description,
  source.region_id,
  source.pricing_unit,
  source.tier_start_quantity,
  source.list_unit_price,
  source.currency,
  source.effective_at
FROM source
