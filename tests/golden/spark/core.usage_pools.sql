WITH charge_cells AS (
  SELECT
    *
  FROM core.charge_cells
  WHERE
    charge_date >= :start AND charge_date < :end
), charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    charge_category = 'Usage'
    AND COALESCE(commitment_discount_status, '') <> 'Unused'
    AND (
      NOT counted_use IS NULL
      OR (
        cost_driver = 'inference' AND (
          NOT token_class IS NULL OR NOT model IS NULL
        )
      )
    )
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), counts AS (
  SELECT
    *
  FROM core.provider_counts
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND (
      usage_kind = 'web_searches'
      OR (
        usage_kind = 'tokens'
        AND NOT token_class IS NULL
        AND NOT model IS NULL
        AND NOT service_tier IS NULL
      )
    )
), prices AS (
  SELECT
    *
  FROM core.dated_prices
), settings AS (
  SELECT
    *
  FROM reference.settings
), billed AS (
  SELECT
    charge_cells.charge_date,
    charge_cells.cell_id AS member_key,
    charges.provider,
    COALESCE(charges.model, CHR(  30)) AS model,
    charges.token_class,
    COALESCE(
      charges.counted_use,
      CASE WHEN charges.token_class IS NULL THEN 'mixed' ELSE 'usage' END
    ) AS pool_kind,
    charges.service_tier,
    charges.context_min_tokens,
    charges.sub_account_id,
    charges.region_id,
    CAST(ROUND(CAST(SUM(charge_cells.billed_quantity) AS DECIMAL(38, 12)), 0) AS DECIMAL(38, 0)) AS pool_quantity
  FROM charge_cells
  INNER JOIN charges
    ON charge_cells.charge_id = charges.charge_id
  GROUP BY
    charge_cells.charge_date,
    charge_cells.cell_id,
    charges.provider,
    COALESCE(charges.model, CHR(  30)),
    charges.token_class,
    charges.counted_use,
    charges.service_tier,
    charges.context_min_tokens,
    charges.sub_account_id,
    charges.region_id
), logged AS (
  SELECT
    usage.charge_date,
    usage.segment_key AS member_key,
    COALESCE(usage.provider, CHR(  30)) AS provider,
    COALESCE(usage.model, CHR(  30)) AS model,
    usage.token_class,
    usage.service_tier,
    usage.context_min_tokens,
    usage.sub_account_id,
    usage.region_id,
    CAST(SUM(usage.quantity_tokens) AS DECIMAL(38, 0)) AS pool_quantity,
    CAST(SUM(usage.requests) AS DECIMAL(38, 0)) AS requests,
    CAST(SUM(usage.web_searches) AS DECIMAL(38, 0)) AS web_searches,
    SUM(usage.list_cost) AS list_cost
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.segment_key,
    COALESCE(usage.provider, CHR(  30)),
    COALESCE(usage.model, CHR(  30)),
    usage.token_class,
    usage.service_tier,
    usage.context_min_tokens,
    usage.sub_account_id,
    usage.region_id
), book_contexts AS (
  SELECT
    prices.provider,
    prices.model,
    MIN(prices.context_min_tokens) AS context_min_tokens
  FROM prices
  WHERE
    prices.context_min_tokens > 0
  GROUP BY
    prices.provider,
    prices.model
), long_contexts AS (
  SELECT
    billed.charge_date,
    billed.provider,
    billed.model,
    MIN(COALESCE(book_contexts.context_min_tokens, billed.context_min_tokens)) AS context_min_tokens
  FROM billed
  LEFT JOIN book_contexts
    ON billed.provider = book_contexts.provider AND billed.model = book_contexts.model
  WHERE
    billed.context_min_tokens > 0
  GROUP BY
    billed.charge_date,
    billed.provider,
    billed.model
), billed_uses AS (
  SELECT
    billed.charge_date,
    billed.provider,
    CASE WHEN billed.pool_kind = 'web_search' THEN CHR(  30) ELSE billed.model END AS model,
    billed.pool_kind
  FROM billed
  WHERE
    billed.pool_kind <> 'usage'
  GROUP BY
    billed.charge_date,
    billed.provider,
    CASE WHEN billed.pool_kind = 'web_search' THEN CHR(  30) ELSE billed.model END,
    billed.pool_kind
), logged_uses AS (
  SELECT
    logged.charge_date,
    logged.member_key,
    logged.provider,
    billed_uses.model,
    billed_uses.pool_kind,
    logged.sub_account_id,
    logged.region_id,
    logged.list_cost,
    CASE billed_uses.pool_kind
      WHEN 'web_search'
      THEN logged.web_searches
      WHEN 'requests'
      THEN logged.requests
      ELSE logged.pool_quantity
    END AS pool_quantity,
    CASE
      WHEN logged.token_class IN ('cache_write_5m_tokens', 'cache_write_1h_tokens')
      THEN 1
      ELSE 0
    END AS is_write,
    logged.token_class = 'cache_read_tokens' AS is_read
  FROM logged
  INNER JOIN billed_uses
    ON logged.charge_date = billed_uses.charge_date
    AND logged.provider = billed_uses.provider
    AND (
      logged.model = billed_uses.model
      OR (
        billed_uses.model = CHR(  30) AND billed_uses.pool_kind <> 'mixed'
      )
    )
), used AS (
  SELECT
    logged_uses.*,
    MAX(CASE WHEN logged_uses.pool_quantity > 0 THEN logged_uses.is_write ELSE 0 END) OVER (
      PARTITION BY logged_uses.charge_date, logged_uses.provider, logged_uses.model, logged_uses.pool_kind
    ) AS has_writes
  FROM logged_uses
), members AS (
  SELECT
    billed.charge_date,
    'billed' AS pool_side,
    billed.member_key,
    billed.pool_kind,
    billed.provider,
    CASE WHEN billed.pool_kind = 'web_search' THEN CHR(  30) ELSE billed.model END AS model,
    billed.token_class,
    billed.service_tier,
    CASE
      WHEN long_contexts.context_min_tokens IS NULL
      THEN NULL
      WHEN billed.context_min_tokens > 0
      THEN 'long'
      ELSE 'short'
    END AS context_band,
    billed.sub_account_id,
    billed.region_id,
    billed.pool_quantity,
    CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
    CAST(NULL AS INT) AS final_count
  FROM billed
  LEFT JOIN long_contexts
    ON billed.charge_date = long_contexts.charge_date
    AND billed.provider = long_contexts.provider
    AND billed.model = long_contexts.model
  UNION ALL
  SELECT
    logged.charge_date,
    'logged' AS pool_side,
    logged.member_key,
    'usage' AS pool_kind,
    logged.provider,
    logged.model,
    logged.token_class,
    logged.service_tier,
    CASE
      WHEN long_contexts.context_min_tokens IS NULL
      THEN NULL
      WHEN logged.context_min_tokens >= long_contexts.context_min_tokens
      THEN 'long'
      ELSE 'short'
    END AS context_band,
    logged.sub_account_id,
    logged.region_id,
    logged.pool_quantity,
    logged.list_cost,
    CAST(NULL AS INT) AS final_count
  FROM logged
  LEFT JOIN long_contexts
    ON logged.charge_date = long_contexts.charge_date
    AND logged.provider = long_contexts.provider
    AND logged.model = long_contexts.model
  UNION ALL
  SELECT
    used.charge_date,
    'logged' AS pool_side,
    used.member_key,
    used.pool_kind,
    used.provider,
    used.model,
    CAST(NULL AS STRING) AS token_class,
    CAST(NULL AS STRING) AS service_tier,
    CAST(NULL AS STRING) AS context_band,
    used.sub_account_id,
    used.region_id,
    used.pool_quantity,
    used.list_cost,
    CAST(NULL AS INT) AS final_count
  FROM used
  WHERE
    used.pool_kind = 'mixed'
    OR (
      used.pool_kind <> 'cache_storage' AND used.pool_quantity > 0
    )
    OR (
      used.pool_kind = 'cache_storage'
      AND (
        used.is_write = 1 OR (
          used.has_writes = 0 AND used.is_read
        )
      )
    )
  UNION ALL
  SELECT
    counts.charge_date,
    'counted' AS pool_side,
    MD5(
      COALESCE(counts.billing_account_id, CHR(  30)) || CHR(  31) || counts.provider || CHR(  31) || COALESCE(counts.model, CHR(  30)) || CHR(  31) || counts.usage_kind || CHR(  31) || COALESCE(counts.token_class, CHR(  30)) || CHR(  31) || COALESCE(counts.service_tier, CHR(  30)) || CHR(  31) || COALESCE(counts.context_band, CHR(  30)) || CHR(  31) || COALESCE(counts.sub_account_id, CHR(  30)) || CHR(  31) || COALESCE(counts.region_id, CHR(  30))
    ) AS member_key,
    CASE WHEN counts.usage_kind = 'tokens' THEN 'usage' ELSE 'web_search' END AS pool_kind,
    counts.provider,
    CASE WHEN counts.usage_kind = 'tokens' THEN counts.model ELSE CHR(  30) END AS model,
    counts.token_class,
    CASE WHEN counts.usage_kind = 'tokens' THEN counts.service_tier END AS service_tier,
    CASE
      WHEN counts.context_band IS NULL
      THEN NULL
      WHEN counts.context_band LIKE '0-%'
      THEN 'short'
      ELSE 'long'
    END AS context_band,
    counts.sub_account_id,
    counts.region_id,
    CAST(counts.quantity AS DECIMAL(38, 0)) AS pool_quantity,
    CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
    CASE WHEN counts.is_final THEN 1 ELSE 0 END AS final_count
  FROM counts
), spelled AS (
  SELECT
    members.*,
    COALESCE(
      NULLIF(
        REGEXP_EXTRACT(LOWER(members.sub_account_id), '(^|/)(subscriptions|projects|workspaces)/([^/]+)', 3),
        ''
      ),
      NULLIF(
        REGEXP_EXTRACT(LOWER(members.sub_account_id), '^arn:[^:]*:[^:]*:[^:]*:([0-9]+):'),
        ''
      ),
      NULLIF(LOWER(TRIM(members.sub_account_id)), '')
    ) AS account_name,
    NULLIF(REPLACE(LOWER(members.region_id), ' ', ''), '') AS region_name
  FROM members
), placed AS (
  SELECT
    spelled.*,
    CASE
      WHEN spelled.provider = 'aws'
      AND LENGTH(spelled.account_name) < 12
      AND spelled.account_name RLIKE '^[0-9]+$'
      THEN LPAD(spelled.account_name, 12, '0')
      ELSE spelled.account_name
    END AS account_id,
    spelled.pool_kind || CHR(  31) || spelled.provider || CHR(  31) || spelled.model || COALESCE(CHR(  31) || spelled.token_class, '') AS group_key,
    COALESCE(spelled.pool_kind = 'usage' AND spelled.service_tier = 'provisioned', FALSE) AS is_provisioned
  FROM spelled
), statements AS (
  SELECT
    placed.charge_date,
    placed.group_key,
    placed.is_provisioned,
    placed.provider,
    placed.pool_side,
    placed.pool_quantity,
    'tier' AS dimension,
    placed.service_tier AS stated
  FROM placed
  WHERE
    placed.pool_kind = 'usage'
  UNION ALL
  SELECT
    placed.charge_date,
    placed.group_key,
    placed.is_provisioned,
    placed.provider,
    placed.pool_side,
    placed.pool_quantity,
    'context' AS dimension,
    placed.context_band AS stated
  FROM placed
  WHERE
    placed.pool_kind = 'usage'
  UNION ALL
  SELECT
    placed.charge_date,
    placed.group_key,
    placed.is_provisioned,
    placed.provider,
    placed.pool_side,
    placed.pool_quantity,
    'account' AS dimension,
    placed.account_id AS stated
  FROM placed
  UNION ALL
  SELECT
    placed.charge_date,
    placed.group_key,
    placed.is_provisioned,
    placed.provider,
    placed.pool_side,
    placed.pool_quantity,
    'region' AS dimension,
    placed.region_name AS stated
  FROM placed
), known AS (
  SELECT
    statements.charge_date,
    statements.provider,
    statements.dimension,
    statements.stated
  FROM statements
  WHERE
    statements.pool_side = 'billed' AND NOT statements.stated IS NULL
  GROUP BY
    statements.charge_date,
    statements.provider,
    statements.dimension,
    statements.stated
), parts AS (
  SELECT
    statements.charge_date,
    statements.group_key,
    statements.is_provisioned,
    statements.provider,
    statements.dimension,
    statements.stated,
    SUM(CASE WHEN statements.pool_side = 'billed' THEN 1 ELSE 0 END) AS billed_members,
    SUM(
      CASE
        WHEN statements.pool_side = 'billed' AND statements.pool_quantity <> 0
        THEN 1
        ELSE 0
      END
    ) AS measured_members,
    SUM(CASE WHEN statements.pool_side = 'logged' THEN 1 ELSE 0 END) AS logged_members,
    CAST(SUM(
      CASE
        WHEN statements.pool_side = 'billed'
        THEN COALESCE(statements.pool_quantity, 0)
        ELSE 0
      END
    ) AS DECIMAL(26, 0)) AS billed_tokens,
    CAST(SUM(
      CASE WHEN statements.pool_side = 'logged' THEN statements.pool_quantity ELSE 0 END
    ) AS DECIMAL(26, 0)) AS logged_tokens
  FROM statements
  WHERE
    statements.pool_side IN ('billed', 'logged')
  GROUP BY
    statements.charge_date,
    statements.group_key,
    statements.is_provisioned,
    statements.provider,
    statements.dimension,
    statements.stated
), held AS (
  SELECT
    parts.*,
    settings.coverage_epsilon_ppm,
    known.stated IS NULL
    AND parts.logged_members > 0
    AND parts.dimension IN ('account', 'region') AS is_stranger,
    parts.logged_tokens * 1000000 > parts.billed_tokens * (
      1000000 + settings.coverage_epsilon_ppm
    ) AS is_over,
    parts.logged_tokens * 1000000 < parts.billed_tokens * (
      1000000 - settings.coverage_epsilon_ppm
    ) AS is_short
  FROM parts
  CROSS JOIN settings
  LEFT JOIN known
    ON parts.charge_date = known.charge_date
    AND parts.provider = known.provider
    AND parts.dimension = known.dimension
    AND parts.stated = known.stated
), sums AS (
  SELECT
    held.charge_date,
    held.group_key,
    held.is_provisioned,
    held.dimension,
    held.coverage_epsilon_ppm,
    COUNT(held.stated) AS values_stated,
    SUM(CASE WHEN NOT held.stated IS NULL AND held.billed_members > 0 THEN 1 ELSE 0 END) AS values_billed,
    SUM(
      CASE
        WHEN held.stated IS NULL
        AND (
          held.logged_members > 0 OR held.measured_members > 0
        )
        THEN 1
        ELSE 0
      END
    ) AS silent_parts,
    SUM(CASE WHEN held.is_stranger THEN 1 ELSE 0 END) AS stranger_parts,
    SUM(
      CASE WHEN held.billed_members > 0 AND held.measured_members = 0 THEN 1 ELSE 0 END
    ) AS unmeasured_parts,
    SUM(CASE WHEN held.is_over THEN 1 ELSE 0 END) AS over_parts,
    SUM(CASE WHEN held.is_short THEN 1 ELSE 0 END) AS short_parts,
    SUM(
      CASE
        WHEN NOT held.stated IS NULL
        AND (
          held.billed_members > 0
        ) <> (
          held.logged_members > 0
        )
        THEN 1
        ELSE 0
      END
    ) AS one_sided_parts,
    SUM(held.billed_tokens) AS billed_tokens,
    SUM(held.logged_tokens) AS logged_tokens,
    SUM(
      CASE
        WHEN held.dimension IN ('account', 'region') AND held.billed_members > 0
        THEN 0
        ELSE GREATEST(held.logged_tokens - held.billed_tokens, 0)
      END
    ) AS excess_tokens,
    SUM(GREATEST(held.billed_tokens - held.logged_tokens, 0)) AS lacking_tokens
  FROM held
  GROUP BY
    held.charge_date,
    held.group_key,
    held.is_provisioned,
    held.dimension,
    held.coverage_epsilon_ppm
), judged AS (
  SELECT
    sums.charge_date,
    sums.group_key,
    sums.is_provisioned,
    sums.dimension,
    sums.silent_parts = 0
    AND sums.stranger_parts = 0
    AND sums.values_billed > 0
    AND sums.values_stated > 1 AS is_stated,
    sums.unmeasured_parts = 0
    AND sums.over_parts > 0
    AND sums.short_parts > 0
    AND sums.logged_tokens * 1000000 <= sums.billed_tokens * (
      1000000 + sums.coverage_epsilon_ppm
    )
    AND (
      sums.logged_tokens * 1000000 >= sums.billed_tokens * (
        1000000 - sums.coverage_epsilon_ppm
      )
      OR (
        sums.one_sided_parts > 0 AND sums.excess_tokens * 2 > sums.lacking_tokens
      )
    ) AS is_contradicted
  FROM sums
), chosen AS (
  SELECT
    judged.charge_date,
    judged.group_key,
    judged.is_provisioned,
    MAX(CASE WHEN judged.dimension = 'tier' AND judged.is_contradicted THEN 1 ELSE 0 END) = 1 AS is_any_tier,
    MAX(
      CASE
        WHEN judged.dimension = 'context' AND judged.is_stated AND NOT judged.is_contradicted
        THEN 1
        ELSE 0
      END
    ) = 1 AS is_by_context,
    MAX(
      CASE
        WHEN judged.dimension = 'account' AND judged.is_stated AND NOT judged.is_contradicted
        THEN 1
        ELSE 0
      END
    ) = 1 AS is_by_account,
    MAX(
      CASE
        WHEN judged.dimension = 'region' AND judged.is_stated AND NOT judged.is_contradicted
        THEN 1
        ELSE 0
      END
    ) = 1 AS is_by_region
  FROM judged
  GROUP BY
    judged.charge_date,
    judged.group_key,
    judged.is_provisioned
), decided AS (
  SELECT
    placed.charge_date,
    placed.pool_side,
    placed.member_key,
    placed.pool_kind,
    placed.group_key,
    placed.pool_quantity,
    placed.list_cost,
    placed.final_count,
    CASE
      WHEN placed.pool_kind <> 'usage'
      THEN ''
      WHEN chosen.is_any_tier
      THEN CHR(  31) || 'any'
      ELSE CHR(  31) || placed.service_tier
    END AS tier_key,
    CASE
      WHEN chosen.is_by_context
      THEN CHR(  31) || 'context ' || COALESCE(placed.context_band, '')
      ELSE ''
    END AS context_key,
    CASE
      WHEN chosen.is_by_account
      THEN COALESCE(CHR(  31) || 'account ' || placed.account_id, '?')
      ELSE ''
    END AS account_key,
    CASE
      WHEN chosen.is_by_region
      THEN COALESCE(CHR(  31) || 'region ' || placed.region_name, '?')
      ELSE ''
    END AS region_key
  FROM placed
  LEFT JOIN chosen
    ON placed.charge_date = chosen.charge_date
    AND placed.group_key = chosen.group_key
    AND placed.is_provisioned = chosen.is_provisioned
), pooled AS (
  SELECT
    decided.*,
    decided.group_key || decided.tier_key || decided.context_key || decided.account_key || decided.region_key AS pool_key,
    decided.account_key = '?' OR decided.region_key = '?' AS is_silent
  FROM decided
), wide_pools AS (
  SELECT
    pooled.charge_date,
    pooled.group_key,
    pooled.tier_key,
    pooled.context_key,
    pooled.account_key,
    pooled.region_key,
    pooled.pool_key
  FROM pooled
  WHERE
    pooled.pool_side = 'billed' AND pooled.is_silent
  GROUP BY
    pooled.charge_date,
    pooled.group_key,
    pooled.tier_key,
    pooled.context_key,
    pooled.account_key,
    pooled.region_key,
    pooled.pool_key
), leaves AS (
  SELECT
    pooled.charge_date,
    pooled.member_key,
    pooled.pool_key
  FROM pooled
  WHERE
    pooled.pool_side = 'logged' AND pooled.pool_kind = 'usage'
), silent_counts AS (
  SELECT
    pooled.charge_date,
    pooled.group_key
  FROM pooled
  WHERE
    pooled.pool_side = 'counted'
    AND (
      pooled.is_silent OR pooled.context_key = CHR(  31) || 'context '
    )
  GROUP BY
    pooled.charge_date,
    pooled.group_key
), logged_pools AS (
  SELECT
    pooled.charge_date,
    pooled.pool_kind,
    pooled.member_key,
    pooled.pool_key,
    pooled.pool_quantity,
    pooled.list_cost
  FROM pooled
  WHERE
    pooled.pool_side = 'logged'
  UNION ALL
  SELECT
    pooled.charge_date,
    pooled.pool_kind,
    pooled.member_key,
    wide_pools.pool_key,
    pooled.pool_quantity,
    pooled.list_cost
  FROM pooled
  INNER JOIN wide_pools
    ON pooled.charge_date = wide_pools.charge_date
    AND pooled.group_key = wide_pools.group_key
    AND pooled.tier_key = wide_pools.tier_key
    AND pooled.context_key = wide_pools.context_key
    AND (
      wide_pools.account_key = '?' OR pooled.account_key = wide_pools.account_key
    )
    AND (
      wide_pools.region_key = '?' OR pooled.region_key = wide_pools.region_key
    )
  WHERE
    pooled.pool_side = 'logged'
)
SELECT
  logged_pools.charge_date,
  'logged' AS pool_side,
  logged_pools.pool_kind,
  logged_pools.member_key,
  logged_pools.pool_key,
  leaves.pool_key AS leaf_pool_key,
  logged_pools.pool_quantity,
  CAST(logged_pools.list_cost AS DECIMAL(38, 12)) AS list_cost,
  CAST(NULL AS BOOLEAN) AS is_final
FROM logged_pools
INNER JOIN leaves
  ON logged_pools.charge_date = leaves.charge_date
  AND logged_pools.member_key = leaves.member_key
UNION ALL
SELECT
  pooled.charge_date,
  pooled.pool_side,
  pooled.pool_kind,
  pooled.member_key,
  pooled.pool_key,
  CAST(NULL AS STRING) AS leaf_pool_key,
  pooled.pool_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
  CAST(NULL AS BOOLEAN) AS is_final
FROM pooled
WHERE
  pooled.pool_side = 'billed'
UNION ALL
SELECT
  pooled.charge_date,
  pooled.pool_side,
  pooled.pool_kind,
  pooled.member_key,
  pooled.pool_key,
  CAST(NULL AS STRING) AS leaf_pool_key,
  pooled.pool_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
  pooled.final_count = 1 AS is_final
FROM pooled
LEFT JOIN silent_counts
  ON pooled.charge_date = silent_counts.charge_date
  AND pooled.group_key = silent_counts.group_key
WHERE
  pooled.pool_side = 'counted' AND silent_counts.group_key IS NULL
