WITH cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND cost_driver = 'inference'
    AND charge_category = 'Usage'
), usage AS (
  SELECT
    *
  FROM core.usage_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), facts AS (
  SELECT
    *
  FROM core.attributed_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), counts AS (
  SELECT
    *
  FROM core.provider_counts
  WHERE
    charge_date >= :start AND charge_date < :end AND usage_kind = 'tokens'
), counted AS (
  SELECT
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class,
    CAST(SUM(counts.quantity) AS DECIMAL(22, 0)) AS provider_quantity
  FROM counts
  WHERE
    NOT counts.model IS NULL
  GROUP BY
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class
), unlogged AS (
  SELECT
    facts.charge_date,
    facts.cell_id,
    SUM(facts.effective_cost) AS unlogged_cost,
    SUM(facts.effective_cost_reporting) AS unlogged_cost_reporting
  FROM facts
  WHERE
    facts.residual_reason = 'unlogged_usage'
  GROUP BY
    facts.charge_date,
    facts.cell_id
), billed AS (
  SELECT
    cells.charge_date,
    cells.provider,
    cells.billing_account_id,
    cells.model,
    cells.token_class,
    cells.billing_currency AS currency,
    SUM(cells.billed_quantity) AS billed_quantity,
    SUM(cells.logged_quantity) AS logged_quantity,
    SUM(cells.billed_cost) AS billed_cost,
    SUM(cells.effective_cost) AS effective_cost,
    SUM(cells.list_cost) AS list_cost,
    SUM(unlogged.unlogged_cost) AS unlogged_cost,
    SUM(cells.billed_cost_reporting) AS billed_cost_reporting,
    SUM(cells.effective_cost_reporting) AS effective_cost_reporting,
    SUM(cells.list_cost_reporting) AS list_cost_reporting,
    SUM(unlogged.unlogged_cost_reporting) AS unlogged_cost_reporting,
    MIN(cells.coverage_share) AS coverage_share,
    MAX(CASE WHEN cells.is_over_logged THEN 1 ELSE 0 END) AS over_logged_cells
  FROM cells
  LEFT JOIN unlogged
    ON cells.charge_date = unlogged.charge_date AND cells.cell_id = unlogged.cell_id
  WHERE
    cells.cost_state <> 'estimated'
  GROUP BY
    cells.charge_date,
    cells.provider,
    cells.billing_account_id,
    cells.model,
    cells.token_class,
    cells.billing_currency
), priced AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.list_cost_currency,
    SUM(usage.quantity_tokens) AS logged_quantity,
    SUM(usage.list_cost) AS priced_cost,
    MAX(usage.unpriced_reason) AS unpriced_reason
  FROM usage
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.list_cost_currency
), billed_pools AS (
  SELECT
    billed.charge_date,
    billed.provider,
    billed.model,
    billed.token_class
  FROM billed
  GROUP BY
    billed.charge_date,
    billed.provider,
    billed.model,
    billed.token_class
), cumulated AS (
  SELECT
    billed.*,
    SUM(billed.logged_quantity) OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model, billed.token_class
    ) AS pool_logged_quantity,
    CAST(SUM(GREATEST(COALESCE(billed.billed_quantity, 0), 0)) OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model, billed.token_class
      ORDER BY COALESCE(billed.billing_account_id, CHR(  30)) NULLS LAST, billed.currency NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(26, 0)) AS until_quantity,
    CAST(SUM(GREATEST(COALESCE(billed.billed_quantity, 0), 0)) OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model, billed.token_class
    ) AS DECIMAL(26, 0)) AS total_quantity,
    ROW_NUMBER() OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model, billed.token_class
      ORDER BY COALESCE(billed.billing_account_id, CHR(  30)) NULLS LAST, billed.currency NULLS LAST
    ) AS account_position,
    COUNT(*) OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model, billed.token_class
    ) AS accounts
  FROM billed
), sized AS (
  SELECT
    cumulated.*,
    CAST(CASE
      WHEN cumulated.total_quantity > 0
      THEN CAST((
        (
          cumulated.until_quantity * CAST(1000000000 AS DECIMAL(10, 0))
        ) - (
          (
            cumulated.until_quantity * CAST(1000000000 AS DECIMAL(10, 0))
          ) % (
            cumulated.total_quantity
          )
        )
      ) / (
        cumulated.total_quantity
      ) AS DECIMAL(38, 0))
      ELSE CAST((
        (
          cumulated.account_position * 1000000000
        ) - (
          (
            cumulated.account_position * 1000000000
          ) % (
            cumulated.accounts
          )
        )
      ) / (
        cumulated.accounts
      ) AS DECIMAL(38, 0))
    END AS DECIMAL(15, 0)) AS until_share
  FROM cumulated
), shares AS (
  SELECT
    sized.*,
    COALESCE(
      LAG(sized.until_share) OVER (
        PARTITION BY sized.charge_date, sized.provider, sized.model, sized.token_class
        ORDER BY COALESCE(sized.billing_account_id, CHR(  30)) NULLS LAST, sized.currency NULLS LAST
      ),
      CAST(0 AS DECIMAL(15, 0))
    ) AS before_share
  FROM sized
), priced_units AS (
  SELECT
    priced.*,
    CAST(CAST(priced.priced_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS cost_units
  FROM priced
), totals AS (
  SELECT
    billed.charge_date,
    billed.provider,
    billed.billing_account_id,
    billed.model,
    billed.token_class,
    billed.billed_quantity,
    CAST((
      (
        CAST(billed.pool_logged_quantity AS DECIMAL(22, 0)) * billed.until_share
      ) - (
        (
          CAST(billed.pool_logged_quantity AS DECIMAL(22, 0)) * billed.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        CAST(billed.pool_logged_quantity AS DECIMAL(22, 0)) * billed.before_share
      ) - (
        (
          CAST(billed.pool_logged_quantity AS DECIMAL(22, 0)) * billed.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS logged_quantity,
    CAST((
      (
        counted.provider_quantity * billed.until_share
      ) - (
        (
          counted.provider_quantity * billed.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        counted.provider_quantity * billed.before_share
      ) - (
        (
          counted.provider_quantity * billed.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS provider_quantity,
    billed.coverage_share,
    billed.over_logged_cells,
    CAST(CAST(CAST((
      (
        priced.cost_units * billed.until_share
      ) - (
        (
          priced.cost_units * billed.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        priced.cost_units * billed.before_share
      ) - (
        (
          priced.cost_units * billed.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS priced_cost,
    priced.unpriced_reason,
    CASE
      WHEN priced.list_cost_currency = :reporting_currency
      THEN :reporting_currency
      ELSE billed.currency
    END AS currency,
    CASE
      WHEN priced.list_cost_currency = :reporting_currency
      THEN billed.billed_cost_reporting
      ELSE billed.billed_cost
    END AS billed_cost,
    CASE
      WHEN priced.list_cost_currency = :reporting_currency
      THEN billed.effective_cost_reporting
      ELSE billed.effective_cost
    END AS effective_cost,
    CASE
      WHEN priced.list_cost_currency = :reporting_currency
      THEN billed.list_cost_reporting
      ELSE billed.list_cost
    END AS list_cost,
    CASE
      WHEN priced.list_cost_currency = :reporting_currency
      THEN billed.unlogged_cost_reporting
      ELSE billed.unlogged_cost
    END AS unlogged_cost
  FROM shares AS billed
  LEFT JOIN priced_units AS priced
    ON billed.charge_date = priced.charge_date
    AND billed.provider = priced.provider
    AND billed.model = priced.model
    AND billed.token_class = priced.token_class
    AND (
      billed.currency = priced.list_cost_currency
      OR priced.list_cost_currency = :reporting_currency
    )
  LEFT JOIN counted
    ON billed.charge_date = counted.charge_date
    AND billed.provider = counted.provider
    AND billed.model = counted.model
    AND billed.token_class = counted.token_class
), priced_pools AS (
  SELECT
    priced.charge_date,
    priced.provider,
    priced.model,
    priced.token_class
  FROM priced
  GROUP BY
    priced.charge_date,
    priced.provider,
    priced.model,
    priced.token_class
)
SELECT
  totals.charge_date,
  totals.provider,
  totals.billing_account_id,
  totals.model,
  totals.token_class,
  CAST(totals.billed_quantity AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(totals.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(totals.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(totals.billed_cost AS DECIMAL(38, 12)) AS billed_cost,
  CAST(totals.priced_cost AS DECIMAL(38, 12)) AS priced_cost,
  'unlogged' AS cause,
  CAST(totals.unlogged_cost AS DECIMAL(38, 12)) AS difference_cost,
  CAST(totals.billed_quantity - COALESCE(totals.logged_quantity, 0) AS DECIMAL(38, 12)) AS difference_quantity,
  totals.coverage_share,
  totals.currency
FROM totals
WHERE
  NOT totals.unlogged_cost IS NULL
UNION ALL
SELECT
  totals.charge_date,
  totals.provider,
  totals.billing_account_id,
  totals.model,
  totals.token_class,
  CAST(totals.billed_quantity AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(totals.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(totals.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(totals.billed_cost AS DECIMAL(38, 12)) AS billed_cost,
  CAST(totals.priced_cost AS DECIMAL(38, 12)) AS priced_cost,
  'discount' AS cause,
  CAST(totals.effective_cost - totals.list_cost AS DECIMAL(38, 12)) AS difference_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_quantity,
  totals.coverage_share,
  totals.currency
FROM totals
WHERE
  totals.effective_cost <> totals.list_cost
UNION ALL
SELECT
  totals.charge_date,
  totals.provider,
  totals.billing_account_id,
  totals.model,
  totals.token_class,
  CAST(totals.billed_quantity AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(totals.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(totals.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(totals.billed_cost AS DECIMAL(38, 12)) AS billed_cost,
  CAST(totals.priced_cost AS DECIMAL(38, 12)) AS priced_cost,
  CASE
    WHEN totals.priced_cost IS NULL
    THEN 'not_priced'
    WHEN totals.over_logged_cells > 0
    THEN 'over_logged'
    ELSE 'unexplained'
  END AS cause,
  CAST(totals.effective_cost - totals.priced_cost - COALESCE(totals.unlogged_cost, 0) - (
    totals.effective_cost - totals.list_cost
  ) AS DECIMAL(38, 12)) AS difference_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_quantity,
  totals.coverage_share,
  totals.currency
FROM totals
UNION ALL
SELECT
  priced.charge_date,
  priced.provider,
  CAST(NULL AS STRING) AS billing_account_id,
  priced.model,
  priced.token_class,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(counted.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(priced.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost,
  CAST(priced.priced_cost AS DECIMAL(38, 12)) AS priced_cost,
  'logged_without_bill' AS cause,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_cost,
  CAST(-priced.logged_quantity AS DECIMAL(38, 12)) AS difference_quantity,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  priced.list_cost_currency AS currency
FROM priced
LEFT JOIN billed_pools
  ON priced.charge_date = billed_pools.charge_date
  AND priced.provider = billed_pools.provider
  AND COALESCE(priced.model, CHR(  30)) = COALESCE(billed_pools.model, CHR(  30))
  AND priced.token_class = billed_pools.token_class
LEFT JOIN counted
  ON priced.charge_date = counted.charge_date
  AND priced.provider = counted.provider
  AND priced.model = counted.model
  AND priced.token_class = counted.token_class
WHERE
  billed_pools.provider IS NULL
UNION ALL
SELECT
  counted.charge_date,
  counted.provider,
  CAST(NULL AS STRING) AS billing_account_id,
  counted.model,
  counted.token_class,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(counted.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS billed_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS priced_cost,
  'counted_without_bill' AS cause,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_cost,
  CAST(-counted.provider_quantity AS DECIMAL(38, 12)) AS difference_quantity,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  :reporting_currency AS currency
FROM counted
LEFT JOIN billed_pools
  ON counted.charge_date = billed_pools.charge_date
  AND counted.provider = billed_pools.provider
  AND counted.model = billed_pools.model
  AND counted.token_class = billed_pools.token_class
LEFT JOIN priced_pools
  ON counted.charge_date = priced_pools.charge_date
  AND counted.provider = priced_pools.provider
  AND counted.model = priced_pools.model
  AND counted.token_class = priced_pools.token_class
WHERE
  billed_pools.provider IS NULL AND priced_pools.provider IS NULL
