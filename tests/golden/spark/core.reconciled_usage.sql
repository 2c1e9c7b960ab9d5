WITH cells AS (
  SELECT
    *
  FROM core.reconciled_cells
), all_cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND (
      (
        cost_driver = 'inference' AND charge_category = 'Usage'
      )
      OR charge_category IN ('Tax', 'Credit', 'Adjustment')
    )
), counts AS (
  SELECT
    *
  FROM core.provider_counts
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND usage_kind = 'tokens'
    AND NOT model IS NULL
), settings AS (
  SELECT
    *
  FROM reference.settings
), subunits AS (
  SELECT
    *
  FROM reference.currency_subunits
), beside AS (
  SELECT
    cells.*,
    LAG(cells.charge_date) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS earlier_date,
    LEAD(cells.charge_date) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS later_date,
    LAG(cells.open_quantity) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS earlier_quantity,
    LEAD(cells.open_quantity) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS later_quantity,
    LAG(cells.is_open_beyond) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS is_earlier_beyond,
    LEAD(cells.is_open_beyond) OVER (
      PARTITION BY cells.provider, cells.billing_account_id, cells.billing_currency, cells.model, cells.token_class, cells.service_tier
      ORDER BY cells.charge_date NULLS LAST
    ) AS is_later_beyond
  FROM cells
), faced AS (
  SELECT
    beside.*,
    CAST(ABS(beside.open_quantity) AS DECIMAL(22, 0)) AS open_size,
    DATEDIFF(DAY, beside.earlier_date, beside.charge_date) = 1
    AND (
      (
        beside.open_quantity < 0 AND beside.earlier_quantity > 0
      )
      OR (
        beside.open_quantity > 0 AND beside.earlier_quantity < 0
      )
    )
    AND (
      beside.is_open_beyond OR beside.is_earlier_beyond
    ) AS is_against_earlier,
    DATEDIFF(DAY, beside.charge_date, beside.later_date) = 1
    AND (
      (
        beside.open_quantity < 0 AND beside.later_quantity > 0
      )
      OR (
        beside.open_quantity > 0 AND beside.later_quantity < 0
      )
    )
    AND (
      beside.is_open_beyond OR beside.is_later_beyond
    ) AS is_against_later
  FROM beside
), offered AS (
  SELECT
    faced.*,
    CAST(CASE
      WHEN faced.is_against_earlier AND faced.is_against_later
      THEN CAST((
        (
          faced.open_size
        ) - (
          (
            faced.open_size
          ) % (
            2
          )
        )
      ) / (
        2
      ) AS DECIMAL(38, 0))
      WHEN faced.is_against_earlier
      THEN faced.open_size
      ELSE 0
    END AS DECIMAL(22, 0)) AS offered_earlier,
    CAST(CASE
      WHEN faced.is_against_earlier AND faced.is_against_later
      THEN faced.open_size - CAST((
        (
          faced.open_size
        ) - (
          (
            faced.open_size
          ) % (
            2
          )
        )
      ) / (
        2
      ) AS DECIMAL(38, 0))
      WHEN faced.is_against_later
      THEN faced.open_size
      ELSE 0
    END AS DECIMAL(22, 0)) AS offered_later
  FROM faced
), answered AS (
  SELECT
    offered.*,
    LAG(offered.offered_later) OVER (
      PARTITION BY offered.provider, offered.billing_account_id, offered.billing_currency, offered.model, offered.token_class, offered.service_tier
      ORDER BY offered.charge_date NULLS LAST
    ) AS answer_earlier,
    LEAD(offered.offered_earlier) OVER (
      PARTITION BY offered.provider, offered.billing_account_id, offered.billing_currency, offered.model, offered.token_class, offered.service_tier
      ORDER BY offered.charge_date NULLS LAST
    ) AS answer_later
  FROM offered
), timed AS (
  SELECT
    answered.*,
    CAST(CASE WHEN answered.open_quantity < 0 THEN -1 ELSE 1 END * (
      CASE
        WHEN answered.is_against_earlier
        THEN LEAST(answered.offered_earlier, COALESCE(answered.answer_earlier, 0))
        ELSE 0
      END + CASE
        WHEN answered.is_against_later
        THEN LEAST(answered.offered_later, COALESCE(answered.answer_later, 0))
        ELSE 0
      END
    ) AS DECIMAL(16, 0)) AS timing_quantity
  FROM answered
  WHERE
    answered.charge_date >= :start AND answered.charge_date < :end
), scaled AS (
  SELECT
    timed.charge_date,
    timed.provider,
    timed.billing_account_id,
    timed.billing_currency,
    timed.model,
    timed.token_class,
    timed.service_tier,
    timed.currency,
    timed.cost_state,
    timed.is_billed,
    timed.cells,
    timed.billed_quantity,
    timed.provider_quantity,
    timed.coverage_share,
    timed.billed_cost,
    timed.priced_cost,
    timed.bypass_observable,
    timed.timing_quantity,
    CAST(timed.whole_quantity AS DECIMAL(16, 0)) AS whole_quantity,
    CAST(timed.logged_quantity AS DECIMAL(16, 0)) AS logged_quantity,
    CAST(timed.unpriced_quantity AS DECIMAL(16, 0)) AS unpriced_quantity,
    CAST(timed.failed_quantity AS DECIMAL(16, 0)) AS failed_quantity,
    CAST(timed.retried_quantity AS DECIMAL(16, 0)) AS retried_quantity,
    CAST(timed.bypass_quantity AS DECIMAL(16, 0)) AS bypass_quantity,
    CAST(timed.tier_quantity AS DECIMAL(16, 0)) AS tier_quantity,
    CAST(timed.class_quantity AS DECIMAL(16, 0)) AS class_quantity,
    CAST(timed.open_quantity - timed.timing_quantity AS DECIMAL(16, 0)) AS rest_quantity,
    CAST(CAST(COALESCE(timed.billed_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_units,
    CAST(CAST(COALESCE(timed.effective_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units,
    CAST(CAST(COALESCE(timed.list_cost, timed.effective_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units,
    CAST(CAST(COALESCE(timed.fx_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS fx_units,
    CAST(CAST(COALESCE(timed.priced_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS priced_units
  FROM timed
), converted AS (
  SELECT
    scaled.*,
    CAST(scaled.effective_units - scaled.fx_units AS DECIMAL(22, 0)) AS paid_units,
    CAST(CASE
      WHEN scaled.fx_units = 0 OR scaled.effective_units = 0
      THEN scaled.list_units
      WHEN scaled.list_units = scaled.effective_units
      THEN scaled.effective_units - scaled.fx_units
      ELSE CAST((
        (
          scaled.list_units * CAST(IDIV(
            (
              scaled.effective_units - scaled.fx_units
            ) * CAST(1000000000000 AS DECIMAL(13, 0)),
            scaled.effective_units
          ) AS DECIMAL(15, 0))
        ) - (
          (
            scaled.list_units * CAST(IDIV(
              (
                scaled.effective_units - scaled.fx_units
              ) * CAST(1000000000000 AS DECIMAL(13, 0)),
              scaled.effective_units
            ) AS DECIMAL(15, 0))
          ) % (
            1000000000000
          )
        )
      ) / (
        1000000000000
      ) AS DECIMAL(38, 0))
    END AS DECIMAL(22, 0)) AS listed_units,
    CAST(scaled.bypass_quantity + scaled.tier_quantity + scaled.class_quantity + scaled.timing_quantity AS DECIMAL(16, 0)) AS told_quantity,
    CAST(scaled.whole_quantity - scaled.logged_quantity AS DECIMAL(16, 0)) AS missing_quantity
  FROM scaled
), valued AS (
  SELECT
    converted.*,
    CASE
      WHEN converted.is_billed
      THEN converted.paid_units
      ELSE converted.priced_units
    END AS rated_units,
    CASE
      WHEN converted.is_billed AND converted.whole_quantity > 0
      THEN converted.whole_quantity
      WHEN NOT converted.is_billed AND converted.logged_quantity > 0
      THEN converted.logged_quantity
    END AS rated_quantity
  FROM converted
), quantified AS (
  SELECT
    valued.*,
    CAST(COALESCE(
      CAST((
        (
          valued.rated_units * valued.bypass_quantity
        ) - (
          (
            valued.rated_units * valued.bypass_quantity
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0)),
      0
    ) AS DECIMAL(22, 0)) AS bypass_until,
    CAST(COALESCE(
      CAST((
        (
          valued.rated_units * CAST(valued.bypass_quantity + valued.tier_quantity AS DECIMAL(16, 0))
        ) - (
          (
            valued.rated_units * CAST(valued.bypass_quantity + valued.tier_quantity AS DECIMAL(16, 0))
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0)),
      0
    ) AS DECIMAL(22, 0)) AS tier_until,
    CAST(COALESCE(
      CAST((
        (
          valued.rated_units * CAST(valued.bypass_quantity + valued.tier_quantity + valued.class_quantity AS DECIMAL(16, 0))
        ) - (
          (
            valued.rated_units * CAST(valued.bypass_quantity + valued.tier_quantity + valued.class_quantity AS DECIMAL(16, 0))
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0)),
      0
    ) AS DECIMAL(22, 0)) AS class_until,
    CAST(COALESCE(
      CAST((
        (
          valued.rated_units * valued.told_quantity
        ) - (
          (
            valued.rated_units * valued.told_quantity
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0)),
      0
    ) AS DECIMAL(22, 0)) AS timing_until,
    CAST(CASE
      WHEN NOT valued.rated_quantity IS NULL
      THEN CAST((
        (
          valued.rated_units * valued.missing_quantity
        ) - (
          (
            valued.rated_units * valued.missing_quantity
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0))
      WHEN valued.is_billed AND valued.logged_quantity = 0
      THEN valued.paid_units
      ELSE 0
    END AS DECIMAL(22, 0)) AS rest_until,
    CAST(CASE
      WHEN NOT valued.is_billed
      THEN 0
      WHEN NOT valued.rated_quantity IS NULL
      THEN valued.listed_units - CAST((
        (
          valued.listed_units * valued.missing_quantity
        ) - (
          (
            valued.listed_units * valued.missing_quantity
          ) % (
            valued.rated_quantity
          )
        )
      ) / (
        valued.rated_quantity
      ) AS DECIMAL(38, 0))
      WHEN valued.logged_quantity = 0
      THEN 0
      ELSE valued.listed_units
    END AS DECIMAL(22, 0)) AS stated_list_units
  FROM valued
), logged AS (
  SELECT
    quantified.*,
    CAST(CASE
      WHEN quantified.is_billed
      THEN quantified.paid_units - quantified.rest_until
      ELSE 0
    END AS DECIMAL(22, 0)) AS logged_units
  FROM quantified
), comparable AS (
  SELECT
    logged.charge_date,
    logged.provider,
    logged.billing_account_id,
    logged.billing_currency,
    logged.model,
    CAST(SUM(logged.priced_units) AS DECIMAL(22, 0)) AS priced_units,
    CAST(SUM(logged.logged_units) AS DECIMAL(22, 0)) AS logged_units,
    CAST(CAST((
      (
        CAST(SUM(logged.logged_units) AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0))
      ) - (
        (
          CAST(SUM(logged.logged_units) AS DECIMAL(22, 0)) * CAST(1000000000 AS DECIMAL(10, 0))
        ) % (
          SUM(logged.priced_units)
        )
      )
    ) / (
      SUM(logged.priced_units)
    ) AS DECIMAL(38, 0)) AS DECIMAL(22, 0)) AS paid_ratio,
    SUM(
      CASE
        WHEN CAST((
          (
            logged.billed_units
          ) - (
            (
              logged.billed_units
            ) % (
              10000000000
            )
          )
        ) / (
          10000000000
        ) AS DECIMAL(38, 0)) * 10000000000 = logged.billed_units
        THEN logged.cells * 5000000000
        ELSE 0
      END
    ) AS slack_units
  FROM logged
  WHERE
    logged.is_billed
    AND NOT logged.rated_quantity IS NULL
    AND logged.unpriced_quantity = 0
    AND logged.priced_units > 0
    AND logged.logged_units > 0
  GROUP BY
    logged.charge_date,
    logged.provider,
    logged.billing_account_id,
    logged.billing_currency,
    logged.model
), stated_lists AS (
  SELECT
    logged.charge_date,
    logged.provider,
    logged.billing_account_id,
    logged.billing_currency
  FROM logged
  WHERE
    logged.list_units <> logged.effective_units
  GROUP BY
    logged.charge_date,
    logged.provider,
    logged.billing_account_id,
    logged.billing_currency
), ranked AS (
  SELECT
    comparable.*,
    SUM(comparable.priced_units) OVER (
      PARTITION BY comparable.charge_date, comparable.provider, comparable.billing_account_id, comparable.billing_currency
      ORDER BY comparable.paid_ratio NULLS LAST, comparable.model NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS until_units,
    SUM(comparable.priced_units) OVER (
      PARTITION BY comparable.charge_date, comparable.provider, comparable.billing_account_id, comparable.billing_currency
    ) AS total_units
  FROM comparable
), medians AS (
  SELECT
    ranked.charge_date,
    ranked.provider,
    ranked.billing_account_id,
    ranked.billing_currency,
    MIN(
      CASE WHEN 2 * ranked.until_units >= ranked.total_units THEN ranked.paid_ratio END
    ) AS paid_ratio
  FROM ranked
  GROUP BY
    ranked.charge_date,
    ranked.provider,
    ranked.billing_account_id,
    ranked.billing_currency
), common_ratios AS (
  SELECT
    ranked.charge_date,
    ranked.provider,
    ranked.billing_account_id,
    ranked.billing_currency,
    medians.paid_ratio
  FROM ranked
  INNER JOIN medians
    ON ranked.charge_date = medians.charge_date
    AND ranked.provider = medians.provider
    AND COALESCE(ranked.billing_account_id, CHR(  30)) = COALESCE(medians.billing_account_id, CHR(  30))
    AND ranked.billing_currency = medians.billing_currency
    AND ABS(
      ranked.logged_units - CAST((
        (
          ranked.priced_units * CAST(medians.paid_ratio AS DECIMAL(10, 0))
        ) - (
          (
            ranked.priced_units * CAST(medians.paid_ratio AS DECIMAL(10, 0))
          ) % (
            1000000000
          )
        )
      ) / (
        1000000000
      ) AS DECIMAL(38, 0))
    ) <= CAST((
      (
        ranked.priced_units
      ) - (
        (
          ranked.priced_units
        ) % (
          200
        )
      )
    ) / (
      200
    ) AS DECIMAL(38, 0)) + ranked.slack_units
  LEFT JOIN stated_lists
    ON ranked.charge_date = stated_lists.charge_date
    AND ranked.provider = stated_lists.provider
    AND COALESCE(ranked.billing_account_id, CHR(  30)) = COALESCE(stated_lists.billing_account_id, CHR(  30))
    AND ranked.billing_currency = stated_lists.billing_currency
  WHERE
    stated_lists.provider IS NULL
    AND medians.paid_ratio BETWEEN 200000000 AND 997500000
  GROUP BY
    ranked.charge_date,
    ranked.provider,
    ranked.billing_account_id,
    ranked.billing_currency,
    ranked.total_units,
    medians.paid_ratio
  HAVING
    COUNT(DISTINCT ranked.model) > 1
    AND 2 * SUM(ranked.priced_units) > ranked.total_units
), listed AS (
  SELECT
    logged.*,
    common_ratios.paid_ratio,
    CAST(CASE
      WHEN NOT common_ratios.paid_ratio IS NULL AND logged.is_billed
      THEN CAST((
        (
          logged.logged_units * CAST(1000000000 AS DECIMAL(10, 0))
        ) - (
          (
            logged.logged_units * CAST(1000000000 AS DECIMAL(10, 0))
          ) % (
            common_ratios.paid_ratio
          )
        )
      ) / (
        common_ratios.paid_ratio
      ) AS DECIMAL(38, 0))
      ELSE logged.stated_list_units
    END AS DECIMAL(22, 0)) AS compared_list_units
  FROM logged
  LEFT JOIN common_ratios
    ON logged.charge_date = common_ratios.charge_date
    AND logged.provider = common_ratios.provider
    AND COALESCE(logged.billing_account_id, CHR(  30)) = COALESCE(common_ratios.billing_account_id, CHR(  30))
    AND logged.billing_currency = common_ratios.billing_currency
), unpriced AS (
  SELECT
    listed.*,
    CAST(CASE
      WHEN NOT listed.is_billed OR listed.logged_quantity = 0
      THEN 0
      WHEN listed.priced_cost IS NULL
      THEN listed.logged_units
      ELSE CAST((
        (
          listed.logged_units * listed.unpriced_quantity
        ) - (
          (
            listed.logged_units * listed.unpriced_quantity
          ) % (
            listed.logged_quantity
          )
        )
      ) / (
        listed.logged_quantity
      ) AS DECIMAL(38, 0))
    END AS DECIMAL(22, 0)) AS unpriced_units,
    CAST(CASE
      WHEN NOT listed.is_billed OR listed.logged_quantity = 0 OR listed.priced_cost IS NULL
      THEN 0
      ELSE listed.compared_list_units - CAST((
        (
          listed.compared_list_units * listed.unpriced_quantity
        ) - (
          (
            listed.compared_list_units * listed.unpriced_quantity
          ) % (
            listed.logged_quantity
          )
        )
      ) / (
        listed.logged_quantity
      ) AS DECIMAL(38, 0))
    END AS DECIMAL(22, 0)) AS priced_list_units
  FROM listed
), explained AS (
  SELECT
    unpriced.*,
    CASE
      WHEN NOT unpriced.is_billed
      OR unpriced.logged_quantity = 0
      OR unpriced.priced_cost IS NULL
      THEN 0
      ELSE unpriced.logged_units - unpriced.unpriced_units - unpriced.priced_list_units
    END AS discount_units,
    CASE
      WHEN NOT unpriced.is_billed
      OR unpriced.logged_quantity = 0
      OR unpriced.priced_cost IS NULL
      THEN 0
      ELSE unpriced.priced_list_units - unpriced.priced_units
    END AS price_units,
    CASE
      WHEN unpriced.rest_quantity IS NULL
      THEN unpriced.logged_quantity = 0
      ELSE CAST(ABS(unpriced.rest_quantity) AS DECIMAL(22, 0)) * 1000000 > CAST(GREATEST(unpriced.whole_quantity, unpriced.logged_quantity) AS DECIMAL(22, 0)) * CAST(settings.coverage_epsilon_ppm AS DECIMAL(7, 0))
    END AS is_rest_beyond,
    ABS(unpriced.priced_list_units - unpriced.priced_units) * 1000000 <= ABS(unpriced.priced_list_units) * CAST(settings.coverage_epsilon_ppm AS DECIMAL(7, 0))
    OR (
      CAST((
        (
          unpriced.billed_units
        ) - (
          (
            unpriced.billed_units
          ) % (
            COALESCE(own.subunit_units, usual.subunit_units)
          )
        )
      ) / (
        COALESCE(own.subunit_units, usual.subunit_units)
      ) AS DECIMAL(38, 0)) * COALESCE(own.subunit_units, usual.subunit_units) = unpriced.billed_units
      AND 2 * ABS(unpriced.priced_list_units - unpriced.priced_units) <= unpriced.cells * COALESCE(own.subunit_units, usual.subunit_units)
    ) AS is_price_within
  FROM unpriced
  CROSS JOIN settings
  LEFT JOIN subunits AS own
    ON unpriced.billing_currency = own.currency
  LEFT JOIN subunits AS usual
    ON usual.currency = '*'
), causes AS (
  SELECT
    'bypass' AS cause
  UNION ALL
  SELECT
    'tier' AS cause
  UNION ALL
  SELECT
    'cache_class' AS cause
  UNION ALL
  SELECT
    'timing' AS cause
  UNION ALL
  SELECT
    'rest' AS cause
  UNION ALL
  SELECT
    'price' AS cause
  UNION ALL
  SELECT
    'discount' AS cause
  UNION ALL
  SELECT
    'not_priced' AS cause
  UNION ALL
  SELECT
    'fx' AS cause
  UNION ALL
  SELECT
    'commitment' AS cause
  UNION ALL
  SELECT
    'retries' AS cause
  UNION ALL
  SELECT
    'failed_attempts' AS cause
  UNION ALL
  SELECT
    'unexplained' AS cause
), cell_parts AS (
  SELECT
    explained.charge_date,
    explained.provider,
    explained.billing_account_id,
    explained.model,
    explained.token_class,
    explained.currency,
    CASE
      WHEN causes.cause = 'rest' AND NOT explained.is_rest_beyond
      THEN 'rounding'
      WHEN causes.cause = 'rest' AND COALESCE(explained.rest_quantity, 1) > 0
      THEN 'unlogged'
      WHEN causes.cause = 'rest' AND NOT explained.is_billed
      THEN 'logged_without_bill'
      WHEN causes.cause = 'rest' AND explained.cost_state = 'estimated'
      THEN 'timing'
      WHEN causes.cause = 'rest'
      THEN 'over_logged'
      WHEN causes.cause = 'price' AND explained.is_price_within
      THEN 'rounding'
      WHEN causes.cause = 'price' AND explained.rated_quantity IS NULL
      THEN 'unexplained'
      WHEN causes.cause = 'price'
      THEN 'price_version'
      ELSE causes.cause
    END AS cause,
    CASE
      WHEN causes.cause = 'bypass'
      THEN explained.bypass_observable
      WHEN causes.cause = 'tier'
      THEN 'service_tier'
      WHEN causes.cause = 'cache_class'
      THEN 'token_class'
      WHEN causes.cause = 'timing'
      THEN 'neighbouring_day'
      WHEN causes.cause = 'rest' AND NOT explained.is_rest_beyond
      THEN 'tolerance'
      WHEN causes.cause = 'rest'
      AND explained.is_billed
      AND explained.rest_quantity < 0
      AND explained.cost_state = 'estimated'
      THEN 'open_bill'
      WHEN causes.cause = 'rest'
      THEN 'quantity'
      WHEN causes.cause = 'price' AND explained.is_price_within
      THEN 'tolerance'
      WHEN causes.cause = 'price' AND explained.rated_quantity IS NULL
      THEN 'none'
      WHEN causes.cause = 'price'
      THEN 'unit_price'
      WHEN causes.cause = 'discount' AND NOT explained.paid_ratio IS NULL
      THEN 'common_ratio'
      WHEN causes.cause = 'discount'
      THEN 'list_price_of_bill'
      WHEN causes.cause = 'not_priced'
      THEN 'price_book'
      WHEN causes.cause = 'fx'
      THEN 'pricing_currency'
      WHEN causes.cause = 'commitment'
      THEN 'effective_cost'
      WHEN causes.cause = 'retries'
      THEN 'attempt_number'
      WHEN causes.cause = 'failed_attempts'
      THEN 'status'
      ELSE 'none'
    END AS observable,
    CASE causes.cause
      WHEN 'bypass'
      THEN explained.bypass_quantity
      WHEN 'tier'
      THEN explained.tier_quantity
      WHEN 'cache_class'
      THEN explained.class_quantity
      WHEN 'timing'
      THEN explained.timing_quantity
      WHEN 'rest'
      THEN explained.rest_quantity
    END AS difference_quantity,
    CASE causes.cause
      WHEN 'bypass'
      THEN explained.bypass_until
      WHEN 'tier'
      THEN explained.tier_until - explained.bypass_until
      WHEN 'cache_class'
      THEN explained.class_until - explained.tier_until
      WHEN 'timing'
      THEN explained.timing_until - explained.class_until
      WHEN 'rest'
      THEN explained.rest_until - explained.timing_until
      WHEN 'price'
      THEN explained.price_units
      WHEN 'discount'
      THEN explained.discount_units
      WHEN 'not_priced'
      THEN explained.unpriced_units
      WHEN 'fx'
      THEN CASE WHEN explained.is_billed THEN explained.fx_units ELSE 0 END
      WHEN 'commitment'
      THEN CASE
        WHEN explained.is_billed
        THEN explained.billed_units - explained.effective_units
        ELSE 0
      END
      ELSE 0
    END AS difference_units,
    CASE
      WHEN causes.cause IN ('retries', 'failed_attempts') AND explained.logged_quantity > 0
      THEN CAST((
        (
          CASE
            WHEN explained.is_billed
            THEN explained.logged_units
            ELSE explained.priced_units
          END * CASE
            WHEN causes.cause = 'retries'
            THEN explained.retried_quantity
            ELSE explained.failed_quantity
          END
        ) - (
          (
            CASE
              WHEN explained.is_billed
              THEN explained.logged_units
              ELSE explained.priced_units
            END * CASE
              WHEN causes.cause = 'retries'
              THEN explained.retried_quantity
              ELSE explained.failed_quantity
            END
          ) % (
            explained.logged_quantity
          )
        )
      ) / (
        explained.logged_quantity
      ) AS DECIMAL(38, 0))
    END AS included_units
  FROM explained
  CROSS JOIN causes
  WHERE
    explained.is_billed OR causes.cause <> 'unexplained'
), other_cells AS (
  SELECT
    all_cells.charge_date,
    all_cells.provider,
    all_cells.billing_account_id,
    CASE WHEN all_cells.charge_category = 'Usage' THEN all_cells.model END AS model,
    all_cells.billing_currency AS currency,
    CASE
      WHEN all_cells.charge_category = 'Tax'
      THEN 'tax'
      WHEN all_cells.charge_category <> 'Usage'
      THEN 'credits'
      WHEN all_cells.method_id = 'capacity_seconds'
      THEN 'capacity'
      WHEN all_cells.method_id = 'list_cost'
      THEN 'mixed_classes'
      ELSE 'other_units'
    END AS cause,
    CAST(CAST(COALESCE(all_cells.billed_cost, 0) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_units,
    all_cells.cost_state
  FROM all_cells
  WHERE
    all_cells.cost_state <> 'estimated'
    AND (
      all_cells.charge_category <> 'Usage'
      OR all_cells.model IS NULL
      OR all_cells.token_class IS NULL
    )
), mixed_models AS (
  SELECT
    other_cells.charge_date,
    other_cells.provider,
    other_cells.model
  FROM other_cells
  WHERE
    other_cells.cause = 'mixed_classes'
  GROUP BY
    other_cells.charge_date,
    other_cells.provider,
    other_cells.model
), parts AS (
  SELECT
    cell_parts.charge_date,
    cell_parts.provider,
    cell_parts.billing_account_id,
    cell_parts.model,
    cell_parts.token_class,
    cell_parts.currency,
    CASE
      WHEN cell_parts.cause = 'logged_without_bill' AND NOT mixed_models.charge_date IS NULL
      THEN 'mixed_classes'
      ELSE cell_parts.cause
    END AS cause,
    cell_parts.observable,
    cell_parts.difference_quantity,
    cell_parts.difference_units,
    cell_parts.included_units
  FROM cell_parts
  LEFT JOIN mixed_models
    ON cell_parts.charge_date = mixed_models.charge_date
    AND cell_parts.provider = mixed_models.provider
    AND cell_parts.model = mixed_models.model
  WHERE
    cell_parts.cause = 'unexplained'
    OR cell_parts.difference_units <> 0
    OR cell_parts.difference_quantity <> 0
    OR cell_parts.included_units <> 0
  UNION ALL
  SELECT
    other_cells.charge_date,
    other_cells.provider,
    other_cells.billing_account_id,
    other_cells.model,
    CAST(NULL AS STRING) AS token_class,
    other_cells.currency,
    other_cells.cause,
    'charge' AS observable,
    CAST(NULL AS DECIMAL(16, 0)) AS difference_quantity,
    other_cells.billed_units AS difference_units,
    CAST(NULL AS DECIMAL(22, 0)) AS included_units
  FROM other_cells
), summed AS (
  SELECT
    parts.charge_date,
    parts.provider,
    parts.billing_account_id,
    parts.model,
    parts.token_class,
    parts.currency,
    parts.cause,
    MAX(parts.observable) AS observable,
    SUM(parts.difference_quantity) AS difference_quantity,
    SUM(parts.difference_units) AS difference_units,
    SUM(ABS(parts.difference_units)) AS absolute_units,
    SUM(parts.included_units) AS included_units
  FROM parts
  GROUP BY
    parts.charge_date,
    parts.provider,
    parts.billing_account_id,
    parts.model,
    parts.token_class,
    parts.currency,
    parts.cause
), key_sums AS (
  SELECT
    scaled.charge_date,
    scaled.provider,
    scaled.billing_account_id,
    scaled.model,
    scaled.token_class,
    scaled.currency,
    SUM(scaled.billed_quantity) AS billed_quantity,
    SUM(scaled.provider_quantity) AS provider_quantity,
    SUM(scaled.logged_quantity) AS logged_quantity,
    SUM(scaled.billed_cost) AS billed_cost,
    SUM(scaled.priced_cost) AS priced_cost,
    MIN(scaled.coverage_share) AS coverage_share,
    MIN(scaled.cost_state) AS first_state,
    MAX(scaled.cost_state) AS last_state
  FROM scaled
  GROUP BY
    scaled.charge_date,
    scaled.provider,
    scaled.billing_account_id,
    scaled.model,
    scaled.token_class,
    scaled.currency
  UNION ALL
  SELECT
    other_cells.charge_date,
    other_cells.provider,
    other_cells.billing_account_id,
    other_cells.model,
    CAST(NULL AS STRING) AS token_class,
    other_cells.currency,
    CAST(NULL AS DECIMAL(38, 12)) AS billed_quantity,
    CAST(NULL AS DECIMAL(38, 12)) AS provider_quantity,
    CAST(NULL AS DECIMAL(38, 12)) AS logged_quantity,
    CAST(CAST(SUM(other_cells.billed_units) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
    CAST(NULL AS DECIMAL(38, 12)) AS priced_cost,
    CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
    MIN(other_cells.cost_state) AS first_state,
    MAX(other_cells.cost_state) AS last_state
  FROM other_cells
  GROUP BY
    other_cells.charge_date,
    other_cells.provider,
    other_cells.billing_account_id,
    other_cells.model,
    other_cells.currency
), met_classes AS (
  SELECT
    scaled.charge_date,
    scaled.provider,
    scaled.model,
    scaled.token_class
  FROM scaled
  GROUP BY
    scaled.charge_date,
    scaled.provider,
    scaled.model,
    scaled.token_class
), counted AS (
  SELECT
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class,
    SUM(counts.quantity) AS provider_quantity
  FROM counts
  GROUP BY
    counts.charge_date,
    counts.provider,
    counts.model,
    counts.token_class
)
SELECT
  summed.charge_date,
  summed.provider,
  summed.billing_account_id,
  summed.model,
  summed.token_class,
  CAST(key_sums.billed_quantity AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(key_sums.provider_quantity AS DECIMAL(38, 12)) AS provider_quantity,
  CAST(key_sums.logged_quantity AS DECIMAL(38, 12)) AS logged_quantity,
  CAST(key_sums.billed_cost AS DECIMAL(38, 12)) AS billed_cost,
  CAST(key_sums.priced_cost AS DECIMAL(38, 12)) AS priced_cost,
  summed.cause,
  summed.observable,
  CAST(CAST(summed.difference_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS difference_cost,
  CAST(CAST(summed.absolute_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS difference_cost_absolute,
  CAST(summed.difference_quantity AS DECIMAL(38, 12)) AS difference_quantity,
  CAST(CAST(summed.included_units AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS included_cost,
  key_sums.coverage_share,
  summed.currency,
  CASE
    WHEN key_sums.first_state = 'estimated' OR key_sums.last_state = 'estimated'
    THEN 'estimated'
    WHEN key_sums.first_state = 'final' AND key_sums.last_state = 'final'
    THEN 'final'
    ELSE 'provisional'
  END AS cost_state
FROM summed
INNER JOIN key_sums
  ON summed.charge_date = key_sums.charge_date
  AND COALESCE(summed.provider, CHR(  30)) = COALESCE(key_sums.provider, CHR(  30))
  AND COALESCE(summed.billing_account_id, CHR(  30)) = COALESCE(key_sums.billing_account_id, CHR(  30))
  AND COALESCE(summed.model, CHR(  30)) = COALESCE(key_sums.model, CHR(  30))
  AND COALESCE(summed.token_class, CHR(  30)) = COALESCE(key_sums.token_class, CHR(  30))
  AND summed.currency = key_sums.currency
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
  'provider_count' AS observable,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_cost,
  CAST(NULL AS DECIMAL(38, 12)) AS difference_cost_absolute,
  CAST(-counted.provider_quantity AS DECIMAL(38, 12)) AS difference_quantity,
  CAST(NULL AS DECIMAL(38, 12)) AS included_cost,
  CAST(NULL AS DECIMAL(18, 12)) AS coverage_share,
  :reporting_currency AS currency,
  'provisional' AS cost_state
FROM counted
LEFT JOIN met_classes
  ON counted.charge_date = met_classes.charge_date
  AND counted.provider = met_classes.provider
  AND counted.model = met_classes.model
  AND counted.token_class = met_classes.token_class
WHERE
  met_classes.provider IS NULL
