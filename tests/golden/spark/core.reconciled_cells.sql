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
), served AS (
  SELECT
    *
  FROM core.served_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), counts AS (
  SELECT
    *
  FROM core.provider_counts
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND usage_kind = 'tokens'
    AND NOT model IS NULL
    AND NOT token_class IS NULL
), keys AS (
  SELECT
    *
  FROM core.key_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), failures AS (
  SELECT
    *
  FROM core.failed_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), charge_cells AS (
  SELECT
    *
  FROM core.charge_cells
  WHERE
    charge_date >= :start AND charge_date < :end
), origins AS (
  SELECT
    *
  FROM core.charge_origins
), logging_keys AS (
  SELECT
    *
  FROM reference.logging_keys
), declared_keys AS (
  SELECT
    COUNT(*) AS declared
  FROM logging_keys
  HAVING
    COUNT(*) > 0
), settings AS (
  SELECT
    *
  FROM reference.settings
), open_days AS (
  SELECT
    cells.charge_date,
    cells.provider
  FROM cells
  WHERE
    cells.cost_state = 'estimated'
  GROUP BY
    cells.charge_date,
    cells.provider
), billed AS (
  SELECT
    cells.charge_date,
    cells.provider,
    cells.billing_account_id,
    cells.billing_currency,
    cells.model,
    cells.token_class,
    cells.service_tier,
    SUM(cells.billed_quantity) AS billed_quantity,
    SUM(cells.billed_cost) AS billed_cost,
    SUM(cells.effective_cost) AS effective_cost,
    SUM(cells.list_cost) AS list_cost,
    SUM(cells.billed_cost_reporting) AS billed_cost_reporting,
    SUM(cells.effective_cost_reporting) AS effective_cost_reporting,
    SUM(cells.list_cost_reporting) AS list_cost_reporting,
    MIN(cells.coverage_share) AS coverage_share,
    MAX(cells.cost_state) AS cost_state,
    COUNT(*) AS cells
  FROM cells
  WHERE
    cells.cost_state <> 'estimated'
    AND NOT cells.model IS NULL
    AND NOT cells.token_class IS NULL
  GROUP BY
    cells.charge_date,
    cells.provider,
    cells.billing_account_id,
    cells.billing_currency,
    cells.model,
    cells.token_class,
    cells.service_tier
), origin_parts AS (
  SELECT
    cells.charge_date,
    cells.provider,
    cells.billing_account_id,
    cells.billing_currency,
    cells.model,
    cells.token_class,
    cells.service_tier,
    origins.x_principal_id,
    COALESCE(charge_cells.billed_quantity, 0) AS billed_quantity,
    CASE
      WHEN origins.pricing_currency = :reporting_currency
      AND cells.billing_currency <> :reporting_currency
      AND NOT origins.pricing_currency_effective_cost IS NULL
      THEN charge_cells.effective_cost_reporting - CAST(CAST(CAST((
        (
          CAST(CAST(origins.pricing_currency_effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(charge_cells.until_day_weight AS DECIMAL(15, 0))
        ) - (
          (
            CAST(CAST(origins.pricing_currency_effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(charge_cells.until_day_weight AS DECIMAL(15, 0))
          ) % (
            charge_cells.all_days_weight
          )
        )
      ) / (
        charge_cells.all_days_weight
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(CAST(origins.pricing_currency_effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(charge_cells.before_day_weight AS DECIMAL(15, 0))
        ) - (
          (
            CAST(CAST(origins.pricing_currency_effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) * CAST(charge_cells.before_day_weight AS DECIMAL(15, 0))
          ) % (
            charge_cells.all_days_weight
          )
        )
      ) / (
        charge_cells.all_days_weight
      ) AS DECIMAL(38, 0)) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS fx_cost
  FROM charge_cells
  INNER JOIN origins
    ON charge_cells.charge_id = origins.charge_id
  INNER JOIN cells
    ON charge_cells.charge_date = cells.charge_date
    AND charge_cells.cell_id = cells.cell_id
), fx_totals AS (
  SELECT
    parts.charge_date,
    parts.provider,
    parts.billing_account_id,
    parts.billing_currency,
    parts.model,
    parts.token_class,
    parts.service_tier,
    SUM(parts.fx_cost) AS fx_cost
  FROM origin_parts AS parts
  GROUP BY
    parts.charge_date,
    parts.provider,
    parts.billing_account_id,
    parts.billing_currency,
    parts.model,
    parts.token_class,
    parts.service_tier
), told_keys AS (
  SELECT
    keys.charge_date,
    keys.key_kind,
    keys.key_id,
    keys.provider,
    keys.billing_account_id,
    keys.model,
    keys.token_class,
    keys.service_tier,
    keys.provider_quantity AS quantity
  FROM keys
  WHERE
    keys.provider_quantity > 0
  UNION ALL
  SELECT
    parts.charge_date,
    'principal' AS key_kind,
    parts.x_principal_id AS key_id,
    parts.provider,
    parts.billing_account_id,
    parts.model,
    parts.token_class,
    parts.service_tier,
    parts.billed_quantity AS quantity
  FROM origin_parts AS parts
  WHERE
    NOT parts.x_principal_id IS NULL AND parts.billed_quantity > 0
  UNION ALL
  SELECT
    cells.charge_date,
    'account' AS key_kind,
    cells.sub_account_id AS key_id,
    cells.provider,
    cells.billing_account_id,
    cells.model,
    cells.token_class,
    cells.service_tier,
    cells.billed_quantity AS quantity
  FROM cells
  CROSS JOIN declared_keys
  WHERE
    cells.cost_state <> 'estimated'
    AND NOT cells.sub_account_id IS NULL
    AND cells.billed_quantity > 0
), logged_keys AS (
  SELECT
    keys.charge_date,
    keys.key_kind,
    keys.key_id,
    keys.provider
  FROM keys
  WHERE
    keys.logged_quantity > 0 AND NOT keys.key_id IS NULL
  GROUP BY
    keys.charge_date,
    keys.key_kind,
    keys.key_id,
    keys.provider
), judged_keys AS (
  SELECT
    told_keys.charge_date,
    told_keys.key_kind,
    told_keys.key_id,
    told_keys.provider,
    MAX(CASE WHEN known.key_id IS NULL THEN 0 ELSE 1 END) AS is_declared,
    MAX(CASE WHEN logged_keys.key_id IS NULL THEN 0 ELSE 1 END) AS is_logged
  FROM told_keys
  LEFT JOIN logging_keys AS known
    ON told_keys.key_id = known.key_id
    OR (
      told_keys.key_kind = 'account'
      AND told_keys.key_id = '/subscriptions/' || known.key_id
    )
  LEFT JOIN logged_keys
    ON told_keys.charge_date = logged_keys.charge_date
    AND told_keys.key_kind = logged_keys.key_kind
    AND told_keys.key_id = logged_keys.key_id
    AND told_keys.provider = logged_keys.provider
  GROUP BY
    told_keys.charge_date,
    told_keys.key_kind,
    told_keys.key_id,
    told_keys.provider
), judged_days AS (
  SELECT
    judged_keys.charge_date,
    judged_keys.provider,
    MAX(judged_keys.is_declared) AS has_declared
  FROM judged_keys
  GROUP BY
    judged_keys.charge_date,
    judged_keys.provider
), key_days AS (
  SELECT
    judged_keys.charge_date,
    judged_keys.key_kind,
    judged_keys.provider,
    MAX(judged_days.has_declared) AS has_declared
  FROM judged_keys
  INNER JOIN judged_days
    ON judged_keys.charge_date = judged_days.charge_date
    AND judged_keys.provider = judged_days.provider
  GROUP BY
    judged_keys.charge_date,
    judged_keys.key_kind,
    judged_keys.provider
  HAVING
    MAX(judged_keys.is_declared) = MAX(judged_days.has_declared)
    AND (
      MAX(judged_keys.is_declared) = 1 OR MAX(judged_keys.is_logged) = 1
    )
), stranger_keys AS (
  SELECT
    told_keys.charge_date,
    told_keys.key_kind,
    told_keys.provider,
    told_keys.billing_account_id,
    told_keys.model,
    told_keys.token_class,
    told_keys.service_tier,
    SUM(told_keys.quantity) AS quantity
  FROM told_keys
  INNER JOIN judged_keys
    ON told_keys.charge_date = judged_keys.charge_date
    AND told_keys.key_kind = judged_keys.key_kind
    AND told_keys.key_id = judged_keys.key_id
    AND told_keys.provider = judged_keys.provider
  WHERE
    judged_keys.is_declared = 0 AND judged_keys.is_logged = 0
  GROUP BY
    told_keys.charge_date,
    told_keys.key_kind,
    told_keys.provider,
    told_keys.billing_account_id,
    told_keys.model,
    told_keys.token_class,
    told_keys.service_tier
), bound_keys AS (
  SELECT
    keys.charge_date,
    keys.key_kind,
    keys.provider,
    keys.model,
    keys.token_class,
    keys.service_tier,
    SUM(keys.logged_quantity) AS bound_quantity
  FROM keys
  INNER JOIN judged_keys
    ON keys.charge_date = judged_keys.charge_date
    AND keys.key_kind = judged_keys.key_kind
    AND keys.key_id = judged_keys.key_id
    AND keys.provider = judged_keys.provider
  WHERE
    keys.logged_quantity > 0
  GROUP BY
    keys.charge_date,
    keys.key_kind,
    keys.provider,
    keys.model,
    keys.token_class,
    keys.service_tier
), logged AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency,
    SUM(usage.quantity_tokens) AS logged_quantity,
    SUM(CASE WHEN served.usage_id IS NULL THEN usage.quantity_tokens ELSE 0 END) AS own_quantity,
    SUM(CASE WHEN usage.list_cost IS NULL THEN usage.quantity_tokens ELSE 0 END) AS unpriced_quantity,
    SUM(usage.list_cost) AS priced_cost
  FROM usage
  LEFT JOIN served
    ON usage.charge_date = served.charge_date AND usage.usage_id = served.usage_id
  WHERE
    usage.quantity_tokens > 0
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model,
    usage.token_class,
    usage.service_tier,
    usage.list_cost_currency
), billed_models AS (
  SELECT
    billed.*,
    ROW_NUMBER() OVER (
      PARTITION BY billed.charge_date, billed.provider, billed.model
      ORDER BY billed.effective_cost DESC, COALESCE(billed.billing_account_id, '') ASC NULLS LAST, billed.billing_currency ASC NULLS LAST, billed.token_class ASC NULLS LAST, billed.service_tier ASC NULLS LAST
    ) AS model_rank
  FROM billed
), billed_segments AS (
  SELECT
    billed.charge_date,
    billed.provider,
    billed.model,
    billed.token_class,
    billed.service_tier
  FROM billed
  GROUP BY
    billed.charge_date,
    billed.provider,
    billed.model,
    billed.token_class,
    billed.service_tier
), logged_segments AS (
  SELECT
    logged.charge_date,
    logged.provider,
    logged.model,
    logged.token_class,
    logged.service_tier,
    SUM(logged.logged_quantity) AS logged_quantity,
    SUM(logged.own_quantity) AS own_quantity
  FROM logged
  GROUP BY
    logged.charge_date,
    logged.provider,
    logged.model,
    logged.token_class,
    logged.service_tier
), unbilled AS (
  SELECT
    logged_segments.charge_date,
    logged_segments.provider,
    billed_models.billing_account_id,
    billed_models.billing_currency,
    logged_segments.model,
    logged_segments.token_class,
    logged_segments.service_tier
  FROM logged_segments
  LEFT JOIN billed_segments
    ON logged_segments.charge_date = billed_segments.charge_date
    AND logged_segments.provider = billed_segments.provider
    AND logged_segments.model = billed_segments.model
    AND logged_segments.token_class = billed_segments.token_class
    AND logged_segments.service_tier = billed_segments.service_tier
  LEFT JOIN billed_models
    ON logged_segments.charge_date = billed_models.charge_date
    AND logged_segments.provider = billed_models.provider
    AND logged_segments.model = billed_models.model
    AND billed_models.model_rank = 1
  WHERE
    billed_segments.charge_date IS NULL AND logged_segments.own_quantity > 0
), segments AS (
  SELECT
    billed.charge_date,
    billed.provider,
    billed.billing_account_id,
    billed.billing_currency,
    billed.model,
    billed.token_class,
    billed.service_tier,
    TRUE AS is_billed,
    billed.billed_quantity,
    billed.billed_cost,
    billed.effective_cost,
    billed.list_cost,
    billed.billed_cost_reporting,
    billed.effective_cost_reporting,
    billed.list_cost_reporting,
    billed.coverage_share,
    billed.cost_state,
    billed.cells
  FROM billed
  UNION ALL
  SELECT
    unbilled.charge_date,
    unbilled.provider,
    unbilled.billing_account_id,
    unbilled.billing_currency,
    unbilled.model,
    unbilled.token_class,
    unbilled.service_tier,
    FALSE AS is_billed,
    CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
    CAST(NULL AS DECIMAL(38, 12)) AS billed_cost,
    CAST(NULL AS DECIMAL(38, 12)) AS effective_cost,
    CAST(NULL AS DECIMAL(38, 12)) AS list_cost,
    CAST(NULL AS DECIMAL(38, 12)) AS billed_cost_reporting,
    CAST(NULL AS DECIMAL(38, 12)) AS effective_cost_reporting,
    CAST(NULL AS DECIMAL(38, 12)) AS list_cost_reporting,
    CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
    'provisional' AS cost_state,
    CAST(0 AS BIGINT) AS cells
  FROM unbilled
), cumulated AS (
  SELECT
    segments.*,
    CAST(SUM(ROUND(GREATEST(COALESCE(segments.billed_quantity, 0), 0), 0)) OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, segments.token_class, segments.service_tier
      ORDER BY COALESCE(segments.billing_account_id, CHR(  30)) NULLS LAST, segments.billing_currency NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(26, 0)) AS until_quantity,
    CAST(SUM(ROUND(GREATEST(COALESCE(segments.billed_quantity, 0), 0), 0)) OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, segments.token_class, segments.service_tier
    ) AS DECIMAL(26, 0)) AS total_quantity,
    ROW_NUMBER() OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, segments.token_class, segments.service_tier
      ORDER BY COALESCE(segments.billing_account_id, CHR(  30)) NULLS LAST, segments.billing_currency NULLS LAST
    ) AS account_position,
    COUNT(*) OVER (
      PARTITION BY segments.charge_date, segments.provider, segments.model, segments.token_class, segments.service_tier
    ) AS accounts
  FROM segments
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
        PARTITION BY sized.charge_date, sized.provider, sized.model, sized.token_class, sized.service_tier
        ORDER BY COALESCE(sized.billing_account_id, CHR(  30)) NULLS LAST, sized.billing_currency NULLS LAST
      ),
      CAST(0 AS DECIMAL(15, 0))
    ) AS before_share
  FROM sized
), compared AS (
  SELECT
    shares.charge_date,
    shares.provider,
    shares.model,
    shares.token_class,
    shares.service_tier,
    shares.billing_currency,
    MAX(CASE WHEN logged.list_cost_currency = shares.billing_currency THEN 1 ELSE 0 END) AS has_own_price,
    MAX(
      CASE
        WHEN logged.list_cost_currency = :reporting_currency
        AND (
          NOT shares.is_billed OR NOT shares.effective_cost_reporting IS NULL
        )
        THEN 1
        ELSE 0
      END
    ) AS has_reporting_price
  FROM shares
  INNER JOIN logged
    ON shares.charge_date = logged.charge_date
    AND COALESCE(shares.provider, CHR(  30)) = COALESCE(logged.provider, CHR(  30))
    AND COALESCE(shares.model, CHR(  30)) = COALESCE(logged.model, CHR(  30))
    AND shares.token_class = logged.token_class
    AND shares.service_tier = logged.service_tier
  GROUP BY
    shares.charge_date,
    shares.provider,
    shares.model,
    shares.token_class,
    shares.service_tier,
    shares.billing_currency
), priced AS (
  SELECT
    compared.charge_date,
    compared.provider,
    compared.model,
    compared.token_class,
    compared.service_tier,
    compared.billing_currency,
    CASE
      WHEN compared.has_own_price = 1
      THEN compared.billing_currency
      WHEN compared.has_reporting_price = 1
      THEN :reporting_currency
      ELSE COALESCE(compared.billing_currency, MAX(logged.list_cost_currency))
    END AS currency,
    CAST(SUM(logged.logged_quantity) AS DECIMAL(22, 0)) AS logged_quantity,
    CAST(SUM(
      CASE
        WHEN logged.list_cost_currency = CASE
          WHEN compared.has_own_price = 1
          THEN compared.billing_currency
          WHEN compared.has_reporting_price = 1
          THEN :reporting_currency
          WHEN compared.billing_currency IS NULL
          THEN logged.list_cost_currency
        END
        THEN logged.unpriced_quantity
        ELSE logged.logged_quantity
      END
    ) AS DECIMAL(22, 0)) AS unpriced_quantity,
    CAST(CAST(SUM(
      CASE
        WHEN logged.list_cost_currency = CASE
          WHEN compared.has_own_price = 1
          THEN compared.billing_currency
          WHEN compared.has_reporting_price = 1
          THEN :reporting_currency
          WHEN compared.billing_currency IS NULL
          THEN logged.list_cost_currency
        END
        THEN logged.priced_cost
      END
    ) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS priced_units
  FROM compared
  INNER JOIN logged
    ON compared.charge_date = logged.charge_date
    AND COALESCE(compared.provider, CHR(  30)) = COALESCE(logged.provider, CHR(  30))
    AND COALESCE(compared.model, CHR(  30)) = COALESCE(logged.model, CHR(  30))
    AND compared.token_class = logged.token_class
    AND compared.service_tier = logged.service_tier
  GROUP BY
    compared.charge_date,
    compared.provider,
    compared.model,
    compared.token_class,
    compared.service_tier,
    compared.billing_currency,
    compared.has_own_price,
    compared.has_reporting_price
), main_tiers AS (
  SELECT
    shares.charge_date,
    shares.provider,
    shares.model,
    shares.token_class,
    shares.service_tier,
    ROW_NUMBER() OVER (
      PARTITION BY shares.charge_date, shares.provider, shares.model, shares.token_class
      ORDER BY CASE WHEN shares.is_billed THEN 0 ELSE 1 END ASC NULLS LAST, SUM(COALESCE(shares.billed_quantity, 0)) DESC, SUM(COALESCE(shares.effective_cost, 0)) DESC, shares.service_tier ASC NULLS LAST
    ) AS tier_rank
  FROM shares
  GROUP BY
    shares.charge_date,
    shares.provider,
    shares.model,
    shares.token_class,
    shares.service_tier,
    shares.is_billed
), counted AS (
  SELECT
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class,
    COALESCE(named.service_tier, main_tiers.service_tier) AS service_tier,
    CAST(SUM(counts.quantity) AS DECIMAL(22, 0)) AS provider_quantity,
    CAST(SUM(CASE WHEN NOT named.service_tier IS NULL THEN counts.quantity END) AS DECIMAL(22, 0)) AS tier_quantity
  FROM counts
  LEFT JOIN main_tiers AS named
    ON counts.charge_date = named.charge_date
    AND counts.provider = named.provider
    AND counts.model = named.model
    AND counts.token_class = named.token_class
    AND counts.service_tier = named.service_tier
  LEFT JOIN main_tiers
    ON counts.charge_date = main_tiers.charge_date
    AND counts.provider = main_tiers.provider
    AND counts.model = main_tiers.model
    AND counts.token_class = main_tiers.token_class
    AND main_tiers.tier_rank = 1
  WHERE
    NOT COALESCE(named.service_tier, main_tiers.service_tier) IS NULL
  GROUP BY
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class,
    COALESCE(named.service_tier, main_tiers.service_tier)
), strangers AS (
  SELECT
    shares.charge_date,
    shares.provider,
    shares.billing_account_id,
    shares.billing_currency,
    shares.model,
    shares.token_class,
    shares.service_tier,
    stranger_keys.key_kind,
    GREATEST(
      SUM(stranger_keys.quantity) - CASE
        WHEN MAX(key_days.has_declared) = 1
        THEN 0
        ELSE GREATEST(
          COALESCE(MAX(logged_segments.logged_quantity), 0) - COALESCE(MAX(bound_keys.bound_quantity), 0),
          0
        )
      END,
      0
    ) AS stranger_quantity
  FROM shares
  INNER JOIN stranger_keys
    ON shares.charge_date = stranger_keys.charge_date
    AND shares.provider = stranger_keys.provider
    AND shares.model = stranger_keys.model
    AND shares.token_class = stranger_keys.token_class
    AND shares.service_tier = stranger_keys.service_tier
    AND (
      shares.accounts = 1
      OR stranger_keys.billing_account_id IS NULL
      OR shares.billing_account_id = stranger_keys.billing_account_id
    )
  INNER JOIN key_days
    ON stranger_keys.charge_date = key_days.charge_date
    AND stranger_keys.key_kind = key_days.key_kind
    AND stranger_keys.provider = key_days.provider
  LEFT JOIN logged_segments
    ON shares.charge_date = logged_segments.charge_date
    AND shares.provider = logged_segments.provider
    AND shares.model = logged_segments.model
    AND shares.token_class = logged_segments.token_class
    AND shares.service_tier = logged_segments.service_tier
  LEFT JOIN bound_keys
    ON stranger_keys.charge_date = bound_keys.charge_date
    AND stranger_keys.key_kind = bound_keys.key_kind
    AND stranger_keys.provider = bound_keys.provider
    AND stranger_keys.model = bound_keys.model
    AND stranger_keys.token_class = bound_keys.token_class
    AND stranger_keys.service_tier = bound_keys.service_tier
  WHERE
    shares.is_billed
  GROUP BY
    shares.charge_date,
    shares.provider,
    shares.billing_account_id,
    shares.billing_currency,
    shares.model,
    shares.token_class,
    shares.service_tier,
    stranger_keys.key_kind
), bypasses AS (
  SELECT
    strangers.charge_date,
    strangers.provider,
    strangers.billing_account_id,
    strangers.billing_currency,
    strangers.model,
    strangers.token_class,
    strangers.service_tier,
    MAX(strangers.stranger_quantity) AS stranger_quantity,
    MAX(CASE WHEN strangers.key_kind = 'api_key' THEN strangers.stranger_quantity END) AS key_quantity,
    MAX(CASE WHEN strangers.key_kind = 'principal' THEN strangers.stranger_quantity END) AS principal_quantity
  FROM strangers
  GROUP BY
    strangers.charge_date,
    strangers.provider,
    strangers.billing_account_id,
    strangers.billing_currency,
    strangers.model,
    strangers.token_class,
    strangers.service_tier
), failed AS (
  SELECT
    failures.charge_date,
    failures.provider,
    failures.model,
    failures.token_class,
    failures.service_tier,
    CAST(failures.failed_quantity AS DECIMAL(22, 0)) AS failed_quantity,
    CAST(failures.retried_quantity AS DECIMAL(22, 0)) AS retried_quantity
  FROM failures
), met AS (
  SELECT
    shares.*,
    priced.currency AS priced_currency,
    fx_totals.fx_cost AS origin_fx_cost,
    CAST((
      (
        counted.provider_quantity * shares.until_share
      ) - (
        (
          counted.provider_quantity * shares.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        counted.provider_quantity * shares.before_share
      ) - (
        (
          counted.provider_quantity * shares.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS provider_quantity,
    CAST((
      (
        counted.tier_quantity * shares.until_share
      ) - (
        (
          counted.tier_quantity * shares.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        counted.tier_quantity * shares.before_share
      ) - (
        (
          counted.tier_quantity * shares.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS counted_quantity,
    COALESCE(
      CAST((
        (
          priced.logged_quantity * shares.until_share
        ) - (
          (
            priced.logged_quantity * shares.until_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) - CAST((
        (
          priced.logged_quantity * shares.before_share
        ) - (
          (
            priced.logged_quantity * shares.before_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)),
      0
    ) AS logged_quantity,
    COALESCE(
      CAST((
        (
          priced.unpriced_quantity * shares.until_share
        ) - (
          (
            priced.unpriced_quantity * shares.until_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) - CAST((
        (
          priced.unpriced_quantity * shares.before_share
        ) - (
          (
            priced.unpriced_quantity * shares.before_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)),
      0
    ) AS unpriced_quantity,
    CAST((
      (
        priced.priced_units * shares.until_share
      ) - (
        (
          priced.priced_units * shares.until_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) - CAST((
      (
        priced.priced_units * shares.before_share
      ) - (
        (
          priced.priced_units * shares.before_share
        ) % (
          1000000000
        )
      )
    ) / (
      1000000000
    ) AS DECIMAL(38, 0)) AS priced_units,
    COALESCE(
      CAST((
        (
          failed.failed_quantity * shares.until_share
        ) - (
          (
            failed.failed_quantity * shares.until_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) - CAST((
        (
          failed.failed_quantity * shares.before_share
        ) - (
          (
            failed.failed_quantity * shares.before_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)),
      0
    ) AS failed_quantity,
    COALESCE(
      CAST((
        (
          failed.retried_quantity * shares.until_share
        ) - (
          (
            failed.retried_quantity * shares.until_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)) - CAST((
        (
          failed.retried_quantity * shares.before_share
        ) - (
          (
            failed.retried_quantity * shares.before_share
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0)),
      0
    ) AS retried_quantity,
    COALESCE(bypasses.stranger_quantity, 0) AS stranger_quantity,
    CASE
      WHEN bypasses.key_quantity = bypasses.stranger_quantity
      THEN 'api_key'
      WHEN bypasses.principal_quantity = bypasses.stranger_quantity
      THEN 'principal'
      ELSE 'account'
    END AS stranger_kind,
    NOT open_days.charge_date IS NULL AS is_open_day
  FROM shares
  LEFT JOIN priced
    ON shares.charge_date = priced.charge_date
    AND COALESCE(shares.provider, CHR(  30)) = COALESCE(priced.provider, CHR(  30))
    AND COALESCE(shares.model, CHR(  30)) = COALESCE(priced.model, CHR(  30))
    AND shares.token_class = priced.token_class
    AND shares.service_tier = priced.service_tier
    AND COALESCE(shares.billing_currency, CHR(  30)) = COALESCE(priced.billing_currency, CHR(  30))
  LEFT JOIN counted
    ON shares.charge_date = counted.charge_date
    AND shares.provider = counted.provider
    AND shares.model = counted.model
    AND shares.token_class = counted.token_class
    AND shares.service_tier = counted.service_tier
  LEFT JOIN failed
    ON shares.charge_date = failed.charge_date
    AND shares.provider = failed.provider
    AND shares.model = failed.model
    AND shares.token_class = failed.token_class
    AND shares.service_tier = failed.service_tier
  LEFT JOIN bypasses
    ON shares.charge_date = bypasses.charge_date
    AND shares.provider = bypasses.provider
    AND COALESCE(shares.billing_account_id, CHR(  30)) = COALESCE(bypasses.billing_account_id, CHR(  30))
    AND COALESCE(shares.billing_currency, CHR(  30)) = COALESCE(bypasses.billing_currency, CHR(  30))
    AND shares.model = bypasses.model
    AND shares.token_class = bypasses.token_class
    AND shares.service_tier = bypasses.service_tier
  LEFT JOIN fx_totals
    ON shares.charge_date = fx_totals.charge_date
    AND shares.provider = fx_totals.provider
    AND COALESCE(shares.billing_account_id, CHR(  30)) = COALESCE(fx_totals.billing_account_id, CHR(  30))
    AND COALESCE(shares.billing_currency, CHR(  30)) = COALESCE(fx_totals.billing_currency, CHR(  30))
    AND shares.model = fx_totals.model
    AND shares.token_class = fx_totals.token_class
    AND shares.service_tier = fx_totals.service_tier
  LEFT JOIN open_days
    ON shares.charge_date = open_days.charge_date
    AND COALESCE(shares.provider, CHR(  30)) = COALESCE(open_days.provider, CHR(  30))
), whole AS (
  SELECT
    met.*,
    CAST(CASE
      WHEN NOT met.is_billed
      THEN 0
      WHEN met.billed_quantity > 0
      THEN ROUND(met.billed_quantity, 0)
      WHEN met.counted_quantity > 0
      THEN met.counted_quantity
    END AS DECIMAL(22, 0)) AS whole_quantity,
    CAST(ROUND(met.stranger_quantity, 0) AS DECIMAL(22, 0)) AS stranger_tokens
  FROM met
), bypassed AS (
  SELECT
    whole.*,
    CAST(LEAST(whole.stranger_tokens, COALESCE(whole.whole_quantity, 0)) AS DECIMAL(22, 0)) AS bypass_quantity,
    CAST(whole.whole_quantity - whole.logged_quantity - LEAST(whole.stranger_tokens, COALESCE(whole.whole_quantity, 0)) AS DECIMAL(22, 0)) AS rest_quantity
  FROM whole
), judged AS (
  SELECT
    bypassed.*,
    CASE
      WHEN ABS(bypassed.rest_quantity) * 1000000 > GREATEST(bypassed.whole_quantity, bypassed.logged_quantity) * settings.coverage_epsilon_ppm
      THEN 1
      ELSE 0
    END AS is_beyond
  FROM bypassed
  CROSS JOIN settings
), tier_sums AS (
  SELECT
    judged.*,
    SUM(GREATEST(judged.rest_quantity, 0)) OVER (
      PARTITION BY judged.charge_date, judged.provider, judged.billing_account_id, judged.billing_currency, judged.model, judged.token_class
    ) AS missing_total,
    SUM(GREATEST(-judged.rest_quantity, 0)) OVER (
      PARTITION BY judged.charge_date, judged.provider, judged.billing_account_id, judged.billing_currency, judged.model, judged.token_class
    ) AS surplus_total,
    SUM(GREATEST(judged.rest_quantity, 0)) OVER (
      PARTITION BY judged.charge_date, judged.provider, judged.billing_account_id, judged.billing_currency, judged.model, judged.token_class
      ORDER BY judged.service_tier NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS missing_until,
    SUM(GREATEST(-judged.rest_quantity, 0)) OVER (
      PARTITION BY judged.charge_date, judged.provider, judged.billing_account_id, judged.billing_currency, judged.model, judged.token_class
      ORDER BY judged.service_tier NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS surplus_until,
    MAX(judged.is_beyond) OVER (
      PARTITION BY judged.charge_date, judged.provider, judged.billing_account_id, judged.billing_currency, judged.model, judged.token_class
    ) AS is_group_beyond
  FROM judged
), tiered AS (
  SELECT
    tier_sums.*,
    CAST(CASE
      WHEN tier_sums.is_group_beyond = 0 OR tier_sums.rest_quantity IS NULL
      THEN 0
      WHEN tier_sums.rest_quantity > 0
      THEN CAST((
        (
          CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.missing_until AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.missing_until AS DECIMAL(19, 0))
          ) % (
            tier_sums.missing_total
          )
        )
      ) / (
        tier_sums.missing_total
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.missing_until - tier_sums.rest_quantity AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.missing_until - tier_sums.rest_quantity AS DECIMAL(19, 0))
          ) % (
            tier_sums.missing_total
          )
        )
      ) / (
        tier_sums.missing_total
      ) AS DECIMAL(38, 0))
      WHEN tier_sums.rest_quantity < 0
      THEN CAST((
        (
          CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.surplus_until + tier_sums.rest_quantity AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.surplus_until + tier_sums.rest_quantity AS DECIMAL(19, 0))
          ) % (
            tier_sums.surplus_total
          )
        )
      ) / (
        tier_sums.surplus_total
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.surplus_until AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(tier_sums.missing_total, tier_sums.surplus_total) AS DECIMAL(19, 0)) * CAST(tier_sums.surplus_until AS DECIMAL(19, 0))
          ) % (
            tier_sums.surplus_total
          )
        )
      ) / (
        tier_sums.surplus_total
      ) AS DECIMAL(38, 0))
      ELSE 0
    END AS DECIMAL(22, 0)) AS tier_quantity
  FROM tier_sums
), inputs AS (
  SELECT
    tiered.*,
    CASE
      WHEN tiered.token_class = 'output_tokens' OR tiered.rest_quantity IS NULL
      THEN 0
      ELSE tiered.rest_quantity - tiered.tier_quantity
    END AS input_quantity
  FROM tiered
), class_sums AS (
  SELECT
    inputs.*,
    SUM(GREATEST(inputs.input_quantity, 0)) OVER (
      PARTITION BY inputs.charge_date, inputs.provider, inputs.billing_account_id, inputs.billing_currency, inputs.model
    ) AS input_missing_total,
    SUM(GREATEST(-inputs.input_quantity, 0)) OVER (
      PARTITION BY inputs.charge_date, inputs.provider, inputs.billing_account_id, inputs.billing_currency, inputs.model
    ) AS input_surplus_total,
    SUM(GREATEST(inputs.input_quantity, 0)) OVER (
      PARTITION BY inputs.charge_date, inputs.provider, inputs.billing_account_id, inputs.billing_currency, inputs.model
      ORDER BY inputs.token_class NULLS LAST, inputs.service_tier NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS input_missing_until,
    SUM(GREATEST(-inputs.input_quantity, 0)) OVER (
      PARTITION BY inputs.charge_date, inputs.provider, inputs.billing_account_id, inputs.billing_currency, inputs.model
      ORDER BY inputs.token_class NULLS LAST, inputs.service_tier NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS input_surplus_until,
    MAX(CASE WHEN inputs.token_class = 'output_tokens' THEN 0 ELSE inputs.is_beyond END) OVER (
      PARTITION BY inputs.charge_date, inputs.provider, inputs.billing_account_id, inputs.billing_currency, inputs.model
    ) AS is_input_beyond
  FROM inputs
), classed AS (
  SELECT
    class_sums.*,
    CAST(CASE
      WHEN class_sums.is_input_beyond = 0
      THEN 0
      WHEN class_sums.input_quantity > 0
      THEN CAST((
        (
          CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_missing_until AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_missing_until AS DECIMAL(19, 0))
          ) % (
            class_sums.input_missing_total
          )
        )
      ) / (
        class_sums.input_missing_total
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_missing_until - class_sums.input_quantity AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_missing_until - class_sums.input_quantity AS DECIMAL(19, 0))
          ) % (
            class_sums.input_missing_total
          )
        )
      ) / (
        class_sums.input_missing_total
      ) AS DECIMAL(38, 0))
      WHEN class_sums.input_quantity < 0
      THEN CAST((
        (
          CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_surplus_until + class_sums.input_quantity AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_surplus_until + class_sums.input_quantity AS DECIMAL(19, 0))
          ) % (
            class_sums.input_surplus_total
          )
        )
      ) / (
        class_sums.input_surplus_total
      ) AS DECIMAL(38, 0)) - CAST((
        (
          CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_surplus_until AS DECIMAL(19, 0))
        ) - (
          (
            CAST(LEAST(class_sums.input_missing_total, class_sums.input_surplus_total) AS DECIMAL(19, 0)) * CAST(class_sums.input_surplus_until AS DECIMAL(19, 0))
          ) % (
            class_sums.input_surplus_total
          )
        )
      ) / (
        class_sums.input_surplus_total
      ) AS DECIMAL(38, 0))
      ELSE 0
    END AS DECIMAL(22, 0)) AS class_quantity
  FROM class_sums
)
SELECT
  classed.charge_date,
  classed.provider,
  classed.billing_account_id,
  classed.billing_currency,
  classed.model,
  classed.token_class,
  classed.service_tier,
  COALESCE(classed.priced_currency, classed.billing_currency, :reporting_currency) AS currency,
  CASE WHEN classed.is_open_day THEN 'estimated' ELSE classed.cost_state END AS cost_state,
  classed.is_billed,
  CAST(classed.cells AS BIGINT) AS cells,
  CAST(classed.billed_quantity AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(classed.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(classed.whole_quantity AS DECIMAL(38, 12)) AS whole_quantity,
  CAST(classed.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(classed.unpriced_quantity AS DECIMAL(38, 12)) AS unpriced_quantity,
  CAST(classed.failed_quantity AS DECIMAL(38, 12)) AS failed_quantity,
  CAST(classed.retried_quantity AS DECIMAL(38, 12)) AS retried_quantity,
  CAST(classed.bypass_quantity AS DECIMAL(38, 12)) AS bypass_quantity,
  CASE WHEN classed.bypass_quantity <> 0 THEN classed.stranger_kind END AS bypass_observable,
  CAST(classed.tier_quantity AS DECIMAL(38, 12)) AS tier_quantity,
  CAST(classed.class_quantity AS DECIMAL(38, 12)) AS class_quantity,
  CAST(classed.rest_quantity - classed.tier_quantity - classed.class_quantity AS DECIMAL(38, 12)) AS open_quantity,
  COALESCE(
    ABS(classed.rest_quantity - classed.tier_quantity - classed.class_quantity) * 1000000 > GREATEST(classed.whole_quantity, classed.logged_quantity) * settings.coverage_epsilon_ppm,
    FALSE
  ) AS is_open_beyond,
  classed.coverage_share,
  CAST(CASE
    WHEN COALESCE(classed.priced_currency, classed.billing_currency) = classed.billing_currency
    THEN classed.billed_cost
    ELSE classed.billed_cost_reporting
  END AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CASE
    WHEN COALESCE(classed.priced_currency, classed.billing_currency) = classed.billing_currency
    THEN classed.effective_cost
    ELSE classed.effective_cost_reporting
  END AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CASE
    WHEN COALESCE(classed.priced_currency, classed.billing_currency) = classed.billing_currency
    THEN classed.list_cost
    ELSE classed.list_cost_reporting
  END AS DECIMAL(38, 12)) AS list_cost,
  CAST(CASE
    WHEN classed.priced_currency <> classed.billing_currency
    THEN classed.origin_fx_cost
  END AS DECIMAL(38, 12)) AS fx_cost,
  CAST(CAST(classed.priced_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS priced_cost
FROM classed
CROSS JOIN settings
