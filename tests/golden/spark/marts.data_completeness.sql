WITH status AS (
  SELECT
    *
  FROM core.source_status
), findings AS (
  SELECT
    *
  FROM core.findings
), late_bills AS (
  SELECT
    findings.source,
    findings.dataset
  FROM findings
  WHERE
    findings.kind = 'bill_is_late'
  GROUP BY
    findings.source,
    findings.dataset
), source_days AS (
  SELECT
    *
  FROM core.source_days
), spans AS (
  SELECT
    source_days.source,
    source_days.dataset,
    MIN(source_days.date) AS first_date,
    MAX(source_days.date) AS last_date
  FROM source_days
  GROUP BY
    source_days.source,
    source_days.dataset
), expected_days AS (
  SELECT
    spans.source,
    spans.dataset,
    calendar.calendar_date AS date
  FROM spans
  INNER JOIN reference.calendar AS calendar
    ON spans.first_date <= calendar.calendar_date
    AND spans.last_date >= calendar.calendar_date
    AND DATEDIFF(DAY, calendar.calendar_date, spans.last_date) < 35
), counted_days AS (
  SELECT
    expected_days.source,
    expected_days.dataset,
    expected_days.date,
    COALESCE(source_days.rows, 0) AS rows
  FROM expected_days
  LEFT JOIN source_days
    ON expected_days.source = source_days.source
    AND expected_days.dataset = source_days.dataset
    AND expected_days.date = source_days.date
), weekday_means AS (
  SELECT
    counted_days.source,
    counted_days.dataset,
    counted_days.date,
    CAST(SUM(earlier.rows) AS BIGINT) AS earlier_rows,
    COUNT(*) AS earlier_weeks
  FROM counted_days
  INNER JOIN source_days AS earlier
    ON counted_days.source = earlier.source
    AND counted_days.dataset = earlier.dataset
    AND DATEDIFF(DAY, earlier.date, counted_days.date) IN (7, 14, 21, 28)
  GROUP BY
    counted_days.source,
    counted_days.dataset,
    counted_days.date
), judged_days AS (
  SELECT
    counted_days.source,
    counted_days.dataset,
    counted_days.date,
    counted_days.rows,
    CASE
      WHEN counted_days.date < :today AND weekday_means.earlier_rows > 0
      THEN CAST(CAST(LEAST(
        CAST(CAST((
          (
            counted_days.rows * weekday_means.earlier_weeks * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              counted_days.rows * weekday_means.earlier_weeks * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              weekday_means.earlier_rows
            )
          )
        ) / (
          weekday_means.earlier_rows
        ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
        CAST(999999999999999999 AS DECIMAL(38, 0))
      ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
    END AS expected_share
  FROM counted_days
  LEFT JOIN weekday_means
    ON counted_days.source = weekday_means.source
    AND counted_days.dataset = weekday_means.dataset
    AND counted_days.date = weekday_means.date
), complete_until AS (
  SELECT
    coverage.provider,
    CAST(MAX(coverage.watermark_at) AS DATE) AS first_open_date
  FROM core.bill_coverage AS coverage
  GROUP BY
    coverage.provider
), over_logged AS (
  SELECT
    cells.provider,
    COUNT(*) AS cells,
    MAX(cells.charge_date) AS last_date
  FROM core.cells AS cells
  INNER JOIN complete_until
    ON cells.provider = complete_until.provider
    AND cells.charge_date < complete_until.first_open_date
  WHERE
    cells.is_over_logged
  GROUP BY
    cells.provider
), covered_months AS (
  SELECT
    coverage.provider,
    CAST(coverage.billing_period_start AS DATE) AS first_date,
    CAST(MAX(coverage.watermark_at) AS DATE) AS first_open_date
  FROM core.bill_coverage AS coverage
  GROUP BY
    coverage.provider,
    CAST(coverage.billing_period_start AS DATE)
), billed_models AS (
  SELECT
    cells.charge_date,
    cells.provider,
    cells.model
  FROM core.cells AS cells
  WHERE
    cells.cost_driver = 'inference'
    AND cells.charge_category = 'Usage'
    AND cells.cost_state <> 'estimated'
  GROUP BY
    cells.charge_date,
    cells.provider,
    cells.model
), served_models AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model
  FROM core.usage_costs AS usage
  INNER JOIN core.served_usage AS served
    ON usage.charge_date = served.charge_date AND usage.usage_id = served.usage_id
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model
), unbilled AS (
  SELECT
    usage.provider,
    usage.model,
    usage.currency,
    COUNT(DISTINCT usage.charge_date) AS days,
    MIN(usage.charge_date) AS first_date,
    MAX(usage.charge_date) AS last_date,
    SUM(usage.logged_quantity) AS tokens,
    SUM(usage.priced_cost) AS list_cost
  FROM core.reconciled_usage AS usage
  INNER JOIN covered_months
    ON usage.provider = covered_months.provider
    AND CAST(DATE_TRUNC('MONTH', usage.charge_date) AS DATE) = covered_months.first_date
    AND usage.charge_date < covered_months.first_open_date
  LEFT JOIN billed_models
    ON usage.charge_date = billed_models.charge_date
    AND usage.provider = billed_models.provider
    AND usage.model = billed_models.model
  LEFT JOIN billed_models AS unnamed
    ON usage.charge_date = unnamed.charge_date
    AND usage.provider = unnamed.provider
    AND unnamed.model IS NULL
  LEFT JOIN served_models
    ON usage.charge_date = served_models.charge_date
    AND usage.provider = served_models.provider
    AND usage.model = served_models.model
  WHERE
    usage.cause = 'logged_without_bill'
    AND usage.logged_quantity > 0
    AND NOT usage.model IS NULL
    AND billed_models.charge_date IS NULL
    AND unnamed.charge_date IS NULL
    AND served_models.charge_date IS NULL
  GROUP BY
    usage.provider,
    usage.model,
    usage.currency
), requests AS (
  SELECT
    usage.charge_date,
    usage.provider,
    usage.model,
    SUM(usage.requests) AS requests,
    SUM(usage.quantity_tokens) AS tokens,
    SUM(usage.likely_cost) AS likely_cost
  FROM core.unpriced_usage AS usage
  LEFT JOIN core.served_usage AS served
    ON usage.charge_date = served.charge_date AND usage.usage_id = served.usage_id
  WHERE
    served.usage_id IS NULL
  GROUP BY
    usage.charge_date,
    usage.provider,
    usage.model
), corrected AS (
  SELECT
    usage.provider,
    usage.model,
    prices.published_at,
    MIN(usage.charge_date) AS first_date,
    MAX(usage.charge_date) AS last_date,
    SUM(usage.quantity_tokens) AS tokens,
    SUM(usage.list_cost) AS list_cost,
    MAX(usage.list_cost_currency) AS currency,
    COUNT(*) AS uses
  FROM core.usage_costs AS usage
  INNER JOIN core.dated_prices AS prices
    ON usage.price_id = prices.price_id
  WHERE
    prices.is_wrong_from_start
    AND usage.charge_date < CAST(prices.published_at AS DATE)
  GROUP BY
    usage.provider,
    usage.model,
    prices.published_at
), anonymous AS (
  SELECT
    costs.provider,
    MAX(costs.charge_date) AS last_date,
    SUM(costs.requests) AS requests
  FROM marts.cost_daily AS costs
  WHERE
    costs.requests > 0 AND costs.feature IS NULL
  GROUP BY
    costs.provider
), odd_requests AS (
  SELECT
    odd.finding,
    odd.x_sources,
    COALESCE(odd.provider, 'an unknown provider') AS provider,
    COALESCE(odd.reused_id, '') AS reused_id,
    COUNT(DISTINCT odd.charge_date) AS days,
    SUM(odd.requests) AS requests,
    MIN(odd.model) AS example,
    MAX(odd.charge_date) AS last_date
  FROM core.request_findings AS odd
  GROUP BY
    odd.finding,
    odd.x_sources,
    COALESCE(odd.provider, 'an unknown provider'),
    COALESCE(odd.reused_id, '')
), undercounted AS (
  SELECT
    coverage.provider,
    coverage.model,
    COUNT(*) AS days,
    CAST(SUM(coverage.provider_requests) AS BIGINT) AS provider_requests,
    CAST(SUM(coverage.logged_requests) AS BIGINT) AS logged_requests,
    MIN(coverage.logged_share) AS lowest_share,
    MAX(coverage.charge_date) AS last_date
  FROM core.request_coverage AS coverage
  WHERE
    coverage.is_under_logged
    AND DATEDIFF(DAY, coverage.charge_date, :today) BETWEEN 1 AND 35
  GROUP BY
    coverage.provider,
    coverage.model
), overcounted AS (
  SELECT
    coverage.provider,
    coverage.model,
    COUNT(*) AS days,
    CAST(SUM(coverage.provider_requests) AS BIGINT) AS provider_requests,
    CAST(SUM(coverage.logged_requests) AS BIGINT) AS logged_requests,
    MAX(coverage.logged_share) AS highest_share,
    MAX(coverage.charge_date) AS last_date
  FROM core.request_coverage AS coverage
  WHERE
    coverage.has_more_logged
    AND DATEDIFF(DAY, coverage.charge_date, :today) BETWEEN 1 AND 35
  GROUP BY
    coverage.provider,
    coverage.model
), off_band AS (
  SELECT
    coverage.finding,
    coverage.provider,
    coverage.model,
    coverage.currency,
    COUNT(*) AS days,
    MAX(coverage.charge_date) AS last_date,
    CASE
      WHEN coverage.finding = 'coverage_below_band'
      THEN MIN(coverage.coverage_share)
      ELSE MAX(coverage.coverage_share)
    END AS worst_share,
    SUM(coverage.difference_cost) AS difference_cost,
    SUM(CASE WHEN coverage.cause = 'bypass' THEN coverage.difference_cost ELSE 0 END) AS bypass_cost
  FROM core.coverage_findings AS coverage
  WHERE
    DATEDIFF(DAY, coverage.charge_date, :today) BETWEEN 1 AND 35
  GROUP BY
    coverage.finding,
    coverage.provider,
    coverage.model,
    coverage.currency
  HAVING
    SUM(coverage.difference_cost) >= 1
), known_models AS (
  SELECT
    prices.provider,
    prices.model
  FROM core.price_models AS prices
  GROUP BY
    prices.provider,
    prices.model
), unread_models AS (
  SELECT
    charges.provider,
    charges.billing_currency,
    COUNT(*) AS charges,
    SUM(charges.billed_cost) AS billed_cost,
    MIN(charges.charge_description) AS example
  FROM core.charges AS charges
  LEFT JOIN known_models
    ON charges.provider = known_models.provider AND charges.model = known_models.model
  WHERE
    NOT charges.token_class IS NULL AND known_models.model IS NULL
  GROUP BY
    charges.provider,
    charges.billing_currency
), invoices AS (
  SELECT
    *
  FROM core.reconciled_invoices
  WHERE
    cause IN ('invoice_difference', 'invoice_without_lines')
), overruled AS (
  SELECT
    COUNT(DISTINCT tagged.cell_id) AS cells,
    MAX(tagged.charge_date) AS last_date
  FROM core.tagged_owners AS tagged
  WHERE
    tagged.is_tag_overruled
), unmatched_meters AS (
  SELECT
    charges.provider,
    charges.billing_period_start,
    charges.billing_currency,
    COALESCE(charges.sku_meter, charges.charge_description, charges.service_name, 'no name') AS meter,
    COUNT(*) AS charges,
    SUM(ABS(COALESCE(charges.billed_cost, 0))) AS billed_cost
  FROM core.charges AS charges
  WHERE
    charges.cost_driver = 'other'
  GROUP BY
    charges.provider,
    charges.billing_period_start,
    charges.billing_currency,
    COALESCE(charges.sku_meter, charges.charge_description, charges.service_name, 'no name')
), ranked_meters AS (
  SELECT
    unmatched_meters.*,
    ROW_NUMBER() OVER (
      PARTITION BY unmatched_meters.provider, unmatched_meters.billing_period_start, unmatched_meters.billing_currency
      ORDER BY unmatched_meters.billed_cost DESC, unmatched_meters.meter ASC NULLS LAST
    ) AS meter_rank
  FROM unmatched_meters
), unmatched AS (
  SELECT
    ranked_meters.provider,
    ranked_meters.billing_period_start,
    ranked_meters.billing_currency,
    CAST(SUM(ranked_meters.charges) AS BIGINT) AS charges,
    SUM(ranked_meters.billed_cost) AS billed_cost,
    '"' || MAX(CASE WHEN ranked_meters.meter_rank = 1 THEN ranked_meters.meter END) || '"' || COALESCE(
      ', "' || MAX(CASE WHEN ranked_meters.meter_rank = 2 THEN ranked_meters.meter END) || '"',
      ''
    ) || COALESCE(
      ', "' || MAX(CASE WHEN ranked_meters.meter_rank = 3 THEN ranked_meters.meter END) || '"',
      ''
    ) AS meters
  FROM ranked_meters
  GROUP BY
    ranked_meters.provider,
    ranked_meters.billing_period_start,
    ranked_meters.billing_currency
), billed_months AS (
  SELECT
    charges.provider,
    charges.billing_period_start,
    charges.billing_currency,
    SUM(ABS(COALESCE(charges.billed_cost, 0))) AS billed_cost
  FROM core.charges AS charges
  GROUP BY
    charges.provider,
    charges.billing_period_start,
    charges.billing_currency
), unclassified AS (
  SELECT
    unmatched.*,
    COALESCE(
      CAST((
        (
          CAST(ROUND(CAST(unmatched.billed_cost AS DECIMAL(38, 12)), 6) AS DECIMAL(24, 6)) * CAST(1000000000 AS DECIMAL(10, 0))
        ) - (
          (
            CAST(ROUND(CAST(unmatched.billed_cost AS DECIMAL(38, 12)), 6) AS DECIMAL(24, 6)) * CAST(1000000000 AS DECIMAL(10, 0))
          ) % (
            CAST(ROUND(CAST(billed_months.billed_cost AS DECIMAL(38, 12)), 6) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0))
          )
        )
      ) / (
        CAST(ROUND(CAST(billed_months.billed_cost AS DECIMAL(38, 12)), 6) AS DECIMAL(24, 6)) * CAST(1000000 AS DECIMAL(7, 0))
      ) AS DECIMAL(38, 0)),
      0
    ) AS per_mille
  FROM unmatched
  INNER JOIN billed_months
    ON unmatched.provider = billed_months.provider
    AND unmatched.billing_period_start = billed_months.billing_period_start
    AND unmatched.billing_currency = billed_months.billing_currency
), deciding_rules AS (
  SELECT
    charges.rule_id
  FROM core.charges AS charges
  GROUP BY
    charges.rule_id
), decided AS (
  SELECT
    COUNT(*) AS rules
  FROM deciding_rules
), idle_rules AS (
  SELECT
    rules.rule_id
  FROM reference.classification_rules AS rules
  CROSS JOIN decided
  LEFT JOIN deciding_rules
    ON rules.rule_id = deciding_rules.rule_id
  WHERE
    rules.priority < 1000 AND deciding_rules.rule_id IS NULL AND decided.rules > 0
), unknown_rate AS (
  SELECT
    charges.billing_currency,
    COUNT(*) AS charges,
    SUM(charges.billed_cost) AS billed_cost
  FROM core.charges AS charges
  WHERE
    charges.billed_cost_reporting IS NULL AND NOT charges.billed_cost IS NULL
  GROUP BY
    charges.billing_currency
)
SELECT
  'source' AS row_kind,
  status.source,
  status.dataset,
  status.last_date AS date,
  status.rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  status.age_hours,
  CASE
    WHEN status.state = 'ok' AND NOT late_bills.source IS NULL
    THEN 'stale'
    WHEN status.state = 'ok'
    AND NOT status.dataset IN ('charges', 'aws_cur_lines', 'azure_cost_lines', 'gcp_cost_lines')
    AND DATEDIFF(DAY, status.last_date, :today) > 3
    THEN 'stale'
    ELSE status.state
  END AS state,
  CAST(NULL AS STRING) AS finding,
  CAST(NULL AS BIGINT) AS finding_count,
  CAST(NULL AS STRING) AS severity,
  CAST(NULL AS STRING) AS message
FROM status
LEFT JOIN late_bills
  ON status.source = late_bills.source AND status.dataset = late_bills.dataset
UNION ALL
SELECT
  'finding' AS row_kind,
  findings.source,
  findings.dataset,
  findings.finding_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  CASE WHEN findings.severity = 'fault' THEN 'fault' ELSE 'ok' END AS state,
  findings.kind AS finding,
  findings.finding_count,
  findings.severity,
  findings.message
FROM findings
UNION ALL
SELECT
  'finding' AS row_kind,
  'prices' AS source,
  'requests' AS dataset,
  MAX(requests.charge_date) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'unpriced_requests' AS finding,
  CAST(SUM(requests.requests) AS BIGINT) AS finding_count,
  'warn' AS severity,
  'Requests of ' || COALESCE(requests.provider, 'an unknown provider') || ' without a model or list price' || ' (' || COALESCE(requests.model, 'no model') || ', ' || CAST(CAST(SUM(requests.tokens) AS BIGINT) AS STRING) || ' tokens' || CASE
    WHEN SUM(requests.likely_cost) IS NULL
    THEN ''
    ELSE ', about ' || CAST(CAST(SUM(requests.likely_cost) AS DECIMAL(38, 2)) AS STRING) || ' USD at the median list price of such tokens, an estimate'
  END || '): add a model alias (a model of another provider as provider/model) or a price override ' || 'to the config.' AS message
FROM requests
GROUP BY
  requests.provider,
  requests.model
UNION ALL
SELECT
  'finding' AS row_kind,
  'prices' AS source,
  'prices' AS dataset,
  corrected.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'corrected_price' AS finding,
  CAST(corrected.uses AS BIGINT) AS finding_count,
  'info' AS severity,
  CAST(CAST(corrected.tokens AS BIGINT) AS STRING) || ' tokens of ' || corrected.provider || ' ' || corrected.model || ' from ' || CAST(corrected.first_date AS STRING) || ' to ' || CAST(corrected.last_date AS STRING) || ' are priced anew by a correction of ' || CAST(CAST(corrected.published_at AS DATE) AS STRING) || ': list cost ' || CAST(CAST(corrected.list_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || corrected.currency || '. What was said before: everycent reprice --price-book ' || CAST(CAST(corrected.published_at - INTERVAL '1' DAY AS DATE) AS STRING) AS message
FROM corrected
UNION ALL
SELECT
  'finding' AS row_kind,
  'fx_rates' AS source,
  'charges' AS dataset,
  CAST(NULL AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'missing_fx_rate' AS finding,
  CAST(unknown_rate.charges AS BIGINT) AS finding_count,
  'warn' AS severity,
  CAST(CAST(unknown_rate.billed_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || unknown_rate.billing_currency || ' not converted: no rate from ' || unknown_rate.billing_currency || ' to ' || :reporting_currency || ' at the charge dates; figures in ' || :reporting_currency || ' leave these charges out; add fx_rates to the config.' AS message
FROM unknown_rate
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  anonymous.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'requests_without_feature' AS finding,
  CAST(anonymous.requests AS BIGINT) AS finding_count,
  'warn' AS severity,
  'Requests to ' || COALESCE(anonymous.provider, 'an unknown provider') || ' name no feature: their cost stands under no feature; ' || 'set the attribute or map the column in the config.' AS message
FROM anonymous
UNION ALL
SELECT
  'finding' AS row_kind,
  odd_requests.x_sources AS source,
  'requests' AS dataset,
  odd_requests.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  odd_requests.finding,
  CAST(odd_requests.requests AS BIGINT) AS finding_count,
  CASE WHEN odd_requests.finding = 'ambiguous_reports' THEN 'info' ELSE 'warn' END AS severity,
  CASE odd_requests.finding
    WHEN 'unmergeable_overlap'
    THEN 'Both of these sources report calls of ' || odd_requests.provider || ', such as of the model ' || COALESCE(odd_requests.example, 'unknown') || ', on ' || CAST(odd_requests.days AS STRING) || ' days, and have no kind of id in common: they ' || 'may describe the same calls, which then count twice. Have one state the request id, the ' || 'span or the call id that the other states, or drop one.'
    WHEN 'reused_id'
    THEN 'The id "' || SUBSTRING(odd_requests.reused_id, 1, 80) || '" stands on many different calls of a day, so it is ignored and tells none of them ' || 'apart; correct what writes it.'
    WHEN 'contradicting_reports'
    THEN 'Reports of the same calls state different token counts, and none of them ranks above the ' || 'others: one of them counts. See is_contradicted in staging.shared_attempts.'
    WHEN 'cut_span_chain'
    THEN 'Spans hang below a loop, or below more files or calls than are followed: what lies above ' || 'them is not inherited. Correct the emitter, or export whole traces into one file. See is_cut ' || 'in staging.span_links.'
    ELSE 'Reports share a span or call id with several calls of the provider and may be one of them: ' || 'they stand as calls of their own. See is_ambiguous in staging.shared_attempts.'
  END AS message
FROM odd_requests
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  undercounted.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  undercounted.lowest_share AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'requests_below_provider_count' AS finding,
  undercounted.provider_requests - undercounted.logged_requests AS finding_count,
  'warn' AS severity,
  'The logs hold ' || CAST(undercounted.logged_requests AS STRING) || ' of ' || CAST(undercounted.provider_requests AS STRING) || ' requests that ' || undercounted.provider || ' counts of ' || undercounted.model || ', on ' || CAST(undercounted.days AS STRING) || ' days (' || CAST(CAST(CAST((
    (
      undercounted.logged_requests * 1000
    ) - (
      (
        undercounted.logged_requests * 1000
      ) % (
        undercounted.provider_requests
      )
    )
  ) / (
    undercounted.provider_requests
  ) AS DECIMAL(38, 0)) AS DECIMAL(9, 0)) * CAST(0.1 AS DECIMAL(2, 1)) AS STRING) || ' %, on the worst day ' || CAST(CAST(undercounted.lowest_share * CAST(100 AS DECIMAL(4, 0)) AS DECIMAL(9, 1)) AS STRING) || ' %): traces are sampled, or some callers do not log; what is missing stands as unlogged usage.' AS message
FROM undercounted
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  overcounted.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  overcounted.highest_share AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'requests_above_provider_count' AS finding,
  overcounted.logged_requests - overcounted.provider_requests AS finding_count,
  'warn' AS severity,
  'The logs hold ' || CAST(overcounted.logged_requests AS STRING) || ' requests where ' || overcounted.provider || ' counts ' || CAST(overcounted.provider_requests AS STRING) || ' of ' || overcounted.model || ', on ' || CAST(overcounted.days AS STRING) || ' days' || CASE
    WHEN overcounted.provider_requests > 0
    THEN ' (' || CAST(CAST(CAST((
      (
        overcounted.logged_requests * 1000
      ) - (
        (
          overcounted.logged_requests * 1000
        ) % (
          overcounted.provider_requests
        )
      )
    ) / (
      overcounted.provider_requests
    ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0)) * CAST(0.1 AS DECIMAL(2, 1)) AS STRING) || ' %)'
    ELSE ''
  END || ': calls that two sources report may count twice (give both the same request, span or call id), or ' || 'the logs hold calls of another organization than the one that was asked.' AS message
FROM overcounted
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  off_band.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  off_band.worst_share AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  off_band.finding,
  CAST(off_band.days AS BIGINT) AS finding_count,
  'warn' AS severity,
  'The logs hold ' || CAST(CAST(off_band.worst_share * CAST(100 AS DECIMAL(4, 0)) AS DECIMAL(15, 1)) AS STRING) || ' % of the tokens of ' || off_band.provider || ' ' || off_band.model || ' that were billed on ' || CASE
    WHEN off_band.days > 1
    THEN 'the worst of ' || CAST(off_band.days AS STRING) || ' days'
    ELSE CAST(off_band.last_date AS STRING)
  END || ': ' || CAST(CAST(off_band.difference_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || off_band.currency || CASE
    WHEN off_band.finding = 'coverage_above_band'
    THEN ' too much. Calls count twice, or are of another organization; see over_logged in '
    WHEN 2 * off_band.bypass_cost > off_band.difference_cost
    THEN ' without an owner. Most of it was called under a key, principal or account that does not ' || 'log; see bypass in '
    ELSE ' without an owner. Calls are aborted, sampled, lost, or made around the gateway; see ' || 'unlogged in '
  END || 'marts.reconciliation.' AS message
FROM off_band
UNION ALL
SELECT
  'finding' AS row_kind,
  'classification' AS source,
  'charges' AS dataset,
  CAST(unclassified.billing_period_start AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'unclassified_charges' AS finding,
  unclassified.charges AS finding_count,
  CASE WHEN unclassified.per_mille >= 50 THEN 'warn' ELSE 'info' END AS severity,
  'Charges of ' || unclassified.provider || ' that no rule knows, by cost: ' || unclassified.meters || '. They stand under the driver other: ' || CAST(CAST(unclassified.billed_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || unclassified.billing_currency || ', ' || CAST(CAST(unclassified.per_mille AS DECIMAL(9, 0)) * CAST(0.1 AS DECIMAL(2, 1)) AS STRING) || ' % of the month; add a classification rule to the config.' AS message
FROM unclassified
UNION ALL
SELECT
  'finding' AS row_kind,
  'classification' AS source,
  'charges' AS dataset,
  CAST(NULL AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'idle_rule' AS finding,
  CAST(1 AS BIGINT) AS finding_count,
  'warn' AS severity,
  'The rule ' || idle_rules.rule_id || ' of the config decides no charge: no line fits it, or ' || 'a rule before it takes them all; correct its patterns, its place in the list, or remove it.' AS message
FROM idle_rules
UNION ALL
SELECT
  'day' AS row_kind,
  judged_days.source,
  judged_days.dataset,
  judged_days.date,
  judged_days.rows,
  judged_days.expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  CASE
    WHEN judged_days.date >= :today
    THEN 'open'
    WHEN judged_days.rows = 0
    THEN 'missing'
    WHEN judged_days.expected_share < CAST(0.5 AS DECIMAL(18, 12))
    THEN 'low'
    ELSE 'ok'
  END AS state,
  CAST(NULL AS STRING) AS finding,
  CAST(NULL AS BIGINT) AS finding_count,
  CAST(NULL AS STRING) AS severity,
  CAST(NULL AS STRING) AS message
FROM judged_days
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  over_logged.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'over_logged' AS finding,
  CAST(over_logged.cells AS BIGINT) AS finding_count,
  'warn' AS severity,
  'The logs hold more tokens of ' || over_logged.provider || ' than were billed: look for a bill ' || 'that is not complete yet, calls logged twice, or a model matched wrongly; see core.cells.' AS message
FROM over_logged
UNION ALL
SELECT
  'finding' AS row_kind,
  'requests' AS source,
  'requests' AS dataset,
  unbilled.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'logged_without_bill' AS finding,
  unbilled.days AS finding_count,
  'warn' AS severity,
  'The bill of ' || unbilled.provider || ' has arrived and does not name ' || unbilled.model || ', of which the logs hold ' || CAST(CAST(unbilled.tokens AS BIGINT) AS STRING) || ' tokens on ' || CAST(unbilled.days AS STRING) || ' days from ' || CAST(unbilled.first_date AS STRING) || ' to ' || CAST(unbilled.last_date AS STRING) || '. ' || CASE
    WHEN unbilled.list_cost IS NULL
    THEN 'They have no list price. '
    ELSE 'Their list cost would be ' || CAST(CAST(unbilled.list_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || COALESCE(unbilled.currency, '') || ', and no cost stands for them. '
  END || 'Look for a bill of another account or organization, a bill line whose model is read wrongly, or ' || 'calls logged under the wrong provider; see logged_without_bill in marts.reconciliation.' AS message
FROM unbilled
UNION ALL
SELECT
  'finding' AS row_kind,
  'bill_tags' AS source,
  'charges' AS dataset,
  overruled.last_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'tag_overruled_by_logs' AS finding,
  CAST(overruled.cells AS BIGINT) AS finding_count,
  'info' AS severity,
  'The logs show several owners where a bill tag names one: the logs decided; see core.tagged_owners.' AS message
FROM overruled
WHERE
  overruled.cells > 0
UNION ALL
SELECT
  'finding' AS row_kind,
  'classification' AS source,
  'charges' AS dataset,
  CAST(NULL AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  'unknown_billed_model' AS finding,
  CAST(unread_models.charges AS BIGINT) AS finding_count,
  'warn' AS severity,
  'Token lines of ' || unread_models.provider || ' whose model the price book does not know, ' || CAST(CAST(unread_models.billed_cost AS DECIMAL(38, 2)) AS STRING) || ' ' || unread_models.billing_currency || ', such as "' || COALESCE(unread_models.example, '') || '": logs cannot be matched to them; add a classification rule with model_pattern, or a model alias,' || ' to the config.' AS message
FROM unread_models
UNION ALL
SELECT
  'finding' AS row_kind,
  'invoices' AS source,
  'invoices' AS dataset,
  CAST(invoices.billing_period_start AS DATE) AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  invoices.cause AS finding,
  COALESCE(invoices.lines, CAST(0 AS BIGINT)) AS finding_count,
  'warn' AS severity,
  'Invoice ' || invoices.invoice_id || ' of ' || invoices.invoice_issuer_name || ': the invoice says ' || CAST(CAST(invoices.invoice_total AS DECIMAL(38, 2)) AS STRING) || ' ' || invoices.billing_currency || ', its bill lines ' || COALESCE(CAST(CAST(invoices.billed_cost AS DECIMAL(38, 2)) AS STRING), 'are not there') || '; look for lines that were not delivered, or deliver the invoice again; see marts.reconciliation.' AS message
FROM invoices
UNION ALL
SELECT
  'finding' AS row_kind,
  traffic.source,
  'transfers' AS dataset,
  traffic.finding_date AS date,
  CAST(NULL AS BIGINT) AS rows,
  CAST(NULL AS DECIMAL(18, 12)) AS expected_share,
  CAST(NULL AS BIGINT) AS age_hours,
  'ok' AS state,
  traffic.kind AS finding,
  traffic.finding_count,
  traffic.severity,
  traffic.message
FROM core.transfer_findings AS traffic
