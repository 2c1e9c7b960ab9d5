WITH source AS (
  SELECT
    rate_cards.*,
    LEAD(rate_cards.valid_from) OVER (
      PARTITION BY rate_cards.resource_id, rate_cards.cost_kind
      ORDER BY rate_cards.valid_from NULLS LAST, COALESCE(rate_cards.currency, CHR(  30)) NULLS LAST, rate_cards.cost_per_hour NULLS LAST, COALESCE(rate_cards.valid_to, CAST('9999-12-31' AS TIMESTAMP_NTZ)) NULLS LAST, COALESCE(rate_cards.x_source, CHR(  30)) NULLS LAST, COALESCE(rate_cards.x_snapshot_id, CHR(  30)) NULLS LAST, COALESCE(rate_cards.resource_kind, CHR(  30)) NULLS LAST, COALESCE(rate_cards.site, CHR(  30)) NULLS LAST, COALESCE(rate_cards.zone, CHR(  30)) NULLS LAST
    ) AS next_valid_from
  FROM lake.rate_cards AS rate_cards
), held AS (
  SELECT
    source.*,
    CASE
      WHEN source.valid_to IS NULL
      THEN source.next_valid_from
      WHEN source.next_valid_from IS NULL
      THEN source.valid_to
      ELSE LEAST(source.valid_to, source.next_valid_from)
    END AS held_until
  FROM source
)
SELECT
  MD5(
    COALESCE(held.resource_id, CHR(  30)) || CHR(  31) || COALESCE(held.cost_kind, CHR(  30)) || CHR(  31) || CAST(held.valid_from AS STRING)
  ) AS card_id,
  held.x_source,
  held.x_snapshot_id,
  held.resource_id,
  held.resource_kind,
  held.site,
  held.zone,
  held.cost_kind,
  held.cost_per_hour,
  held.currency,
  held.valid_from,
  held.held_until AS valid_to
FROM held
WHERE
  held.held_until IS NULL OR held.held_until > held.valid_from
