WITH charges AS (
  SELECT
    *
  FROM core.charges
  WHERE
    spread_start_date < :end AND spread_end_date > :start
), calendar AS (
  SELECT
    calendar_date
  FROM reference.calendar
  WHERE
    calendar_date >= :start AND calendar_date < :end
), daily_usage AS (
  SELECT
    *
  FROM core.daily_usage
), timed AS (
  SELECT
    charges.*,
    CAST(EXTRACT(HOUR FROM charges.spread_start_at) * 3600 + EXTRACT(MINUTE FROM charges.spread_start_at) * 60 + FLOOR(EXTRACT(SECOND FROM charges.spread_start_at)) AS BIGINT) AS start_second,
    CAST(EXTRACT(HOUR FROM charges.spread_end_at) * 3600 + EXTRACT(MINUTE FROM charges.spread_end_at) * 60 + FLOOR(EXTRACT(SECOND FROM charges.spread_end_at)) AS BIGINT) AS end_second
  FROM charges
), lengths AS (
  SELECT
    timed.*,
    GREATEST(
      DATEDIFF(DAY, CAST(timed.spread_start_at AS DATE), CAST(timed.spread_end_at AS DATE)) * 86400 + timed.end_second - timed.start_second,
      1
    ) AS total_seconds
  FROM timed
), long_lines AS (
  SELECT
    lengths.provider,
    lengths.model,
    lengths.token_class,
    lengths.spread_start_date,
    lengths.start_second,
    lengths.spread_end_date,
    lengths.total_seconds
  FROM lengths
  WHERE
    lengths.spread_kind = 'seconds'
    AND lengths.total_seconds > 86400
    AND DATEDIFF(DAY, lengths.spread_start_date, lengths.spread_end_date) <= 35
    AND lengths.cost_driver = 'inference'
    AND lengths.charge_category = 'Usage'
    AND COALESCE(LOWER(lengths.charge_frequency), '') <> 'recurring'
    AND NOT lengths.model IS NULL
    AND lengths.counted_use IS NULL
    AND COALESCE(lengths.service_tier, '') <> 'provisioned'
  GROUP BY
    lengths.provider,
    lengths.model,
    lengths.token_class,
    lengths.spread_start_date,
    lengths.start_second,
    lengths.spread_end_date,
    lengths.total_seconds
), used_days AS (
  SELECT
    long_lines.provider,
    long_lines.model,
    long_lines.token_class,
    long_lines.spread_start_date,
    long_lines.start_second,
    long_lines.total_seconds,
    daily_usage.charge_date,
    CAST(LEAST(
      (
        DATEDIFF(DAY, long_lines.spread_start_date, daily_usage.charge_date) + 1
      ) * 86400 - long_lines.start_second,
      long_lines.total_seconds
    ) - GREATEST(
      DATEDIFF(DAY, long_lines.spread_start_date, daily_usage.charge_date) * 86400 - long_lines.start_second,
      0
    ) AS DECIMAL(15, 0)) AS covered_seconds,
    COUNT(daily_usage.list_cost) = COUNT(*) AS is_priced,
    CAST(SUM(daily_usage.quantity_tokens) AS DECIMAL(15, 0)) AS tokens,
    CAST(FLOOR(
      CAST(SUM(daily_usage.list_cost) AS DECIMAL(24, 12)) * CAST(1000000 AS DECIMAL(7, 0))
    ) AS DECIMAL(15, 0)) AS cost_millionths
  FROM long_lines
  INNER JOIN daily_usage
    ON long_lines.provider = daily_usage.provider
    AND long_lines.model = daily_usage.model
    AND (
      long_lines.token_class IS NULL
      OR long_lines.token_class = daily_usage.token_class
    )
    AND long_lines.spread_start_date <= daily_usage.charge_date
    AND long_lines.spread_end_date > daily_usage.charge_date
  GROUP BY
    long_lines.provider,
    long_lines.model,
    long_lines.token_class,
    long_lines.spread_start_date,
    long_lines.start_second,
    long_lines.total_seconds,
    daily_usage.charge_date
), measured_days AS (
  SELECT
    used_days.*,
    MIN(CASE WHEN used_days.is_priced THEN 1 ELSE 0 END) OVER (
      PARTITION BY used_days.provider, used_days.model, used_days.token_class, used_days.spread_start_date, used_days.start_second, used_days.total_seconds
    ) AS are_all_priced,
    SUM(used_days.cost_millionths) OVER (
      PARTITION BY used_days.provider, used_days.model, used_days.token_class, used_days.spread_start_date, used_days.start_second, used_days.total_seconds
    ) AS all_millionths
  FROM used_days
), weighted_days AS (
  SELECT
    measured_days.*,
    CAST(CAST((
      (
        CASE
          WHEN measured_days.are_all_priced = 1 AND measured_days.all_millionths > 0
          THEN measured_days.cost_millionths
          ELSE measured_days.tokens
        END * measured_days.covered_seconds
      ) - (
        (
          CASE
            WHEN measured_days.are_all_priced = 1 AND measured_days.all_millionths > 0
            THEN measured_days.cost_millionths
            ELSE measured_days.tokens
          END * measured_days.covered_seconds
        ) % (
          86400
        )
      )
    ) / (
      86400
    ) AS DECIMAL(38, 0)) AS DECIMAL(15, 0)) AS weight
  FROM measured_days
), running_days AS (
  SELECT
    weighted_days.*,
    CAST(SUM(weighted_days.weight) OVER (
      PARTITION BY weighted_days.provider, weighted_days.model, weighted_days.token_class, weighted_days.spread_start_date, weighted_days.start_second, weighted_days.total_seconds
      ORDER BY weighted_days.charge_date NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(15, 0)) AS until_weight,
    CAST(SUM(weighted_days.weight) OVER (
      PARTITION BY weighted_days.provider, weighted_days.model, weighted_days.token_class, weighted_days.spread_start_date, weighted_days.start_second, weighted_days.total_seconds
    ) AS DECIMAL(15, 0)) AS total_weight
  FROM weighted_days
), used_lines AS (
  SELECT
    running_days.provider,
    running_days.model,
    running_days.token_class,
    running_days.spread_start_date,
    running_days.start_second,
    running_days.total_seconds
  FROM running_days
  WHERE
    running_days.total_weight > 0
  GROUP BY
    running_days.provider,
    running_days.model,
    running_days.token_class,
    running_days.spread_start_date,
    running_days.start_second,
    running_days.total_seconds
), spread_lines AS (
  SELECT
    lengths.*,
    NOT used_lines.total_seconds IS NULL AS is_by_use
  FROM lengths
  LEFT JOIN used_lines
    ON lengths.cost_driver = 'inference'
    AND lengths.spread_kind = 'seconds'
    AND lengths.charge_category = 'Usage'
    AND COALESCE(LOWER(lengths.charge_frequency), '') <> 'recurring'
    AND lengths.counted_use IS NULL
    AND COALESCE(lengths.service_tier, '') <> 'provisioned'
    AND lengths.provider = used_lines.provider
    AND lengths.model = used_lines.model
    AND COALESCE(lengths.token_class, CHR(  30)) = COALESCE(used_lines.token_class, CHR(  30))
    AND lengths.spread_start_date = used_lines.spread_start_date
    AND lengths.start_second = used_lines.start_second
    AND lengths.total_seconds = used_lines.total_seconds
), days AS (
  SELECT
    lengths.*,
    calendar.calendar_date AS charge_date,
    DATEDIFF(DAY, lengths.spread_start_date, calendar.calendar_date) * 86400 - lengths.start_second AS seconds_to_day_start
  FROM spread_lines AS lengths
  INNER JOIN calendar
    ON lengths.spread_start_date <= calendar.calendar_date
    AND lengths.spread_end_date > calendar.calendar_date
), shares AS (
  SELECT
    days.*,
    CASE
      WHEN days.spread_kind = 'start_day'
      THEN days.total_seconds
      ELSE LEAST(days.seconds_to_day_start + 86400, days.total_seconds) - GREATEST(days.seconds_to_day_start, 0)
    END AS covered_seconds,
    CASE
      WHEN days.is_by_use
      THEN running_days.until_weight - running_days.weight
      WHEN days.spread_kind = 'start_day'
      THEN CAST(0 AS DECIMAL(15, 0))
      ELSE CAST(LEAST(GREATEST(days.seconds_to_day_start, 0), days.total_seconds) AS DECIMAL(15, 0))
    END AS before_weight,
    CASE
      WHEN days.is_by_use
      THEN running_days.until_weight
      WHEN days.spread_kind = 'start_day'
      THEN CAST(days.total_seconds AS DECIMAL(15, 0))
      ELSE CAST(LEAST(days.seconds_to_day_start + 86400, days.total_seconds) AS DECIMAL(15, 0))
    END AS until_weight,
    CASE
      WHEN days.is_by_use
      THEN running_days.total_weight
      ELSE CAST(days.total_seconds AS DECIMAL(15, 0))
    END AS total_weight
  FROM days
  LEFT JOIN running_days
    ON days.is_by_use
    AND days.charge_date = running_days.charge_date
    AND days.provider = running_days.provider
    AND days.model = running_days.model
    AND COALESCE(days.token_class, CHR(  30)) = COALESCE(running_days.token_class, CHR(  30))
    AND days.spread_start_date = running_days.spread_start_date
    AND days.start_second = running_days.start_second
    AND days.total_seconds = running_days.total_seconds
  WHERE
    NOT days.is_by_use OR running_days.weight > 0
), units AS (
  SELECT
    shares.charge_date,
    shares.charge_id,
    shares.cell_key,
    shares.billing_currency,
    shares.covered_seconds,
    CAST(shares.stated_seconds AS DECIMAL(22, 0)) AS stated_seconds,
    shares.before_weight,
    shares.until_weight,
    shares.total_weight,
    CAST(CAST(shares.billed_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_units,
    CAST(CAST(shares.effective_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_units,
    CAST(CAST(shares.list_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_units,
    CAST(CAST(shares.billed_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS billed_reporting_units,
    CAST(CAST(shares.effective_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS effective_reporting_units,
    CAST(CAST(shares.list_cost_reporting AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS list_reporting_units,
    CAST(CAST(shares.billed_quantity AS DECIMAL(28, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0)) AS quantity_units
  FROM shares
), split AS (
  SELECT
    units.*,
    CAST((
      (
        units.billed_units * units.until_weight
      ) - (
        (
          units.billed_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.billed_units * units.before_weight
      ) - (
        (
          units.billed_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS billed_part,
    CAST((
      (
        units.effective_units * units.until_weight
      ) - (
        (
          units.effective_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.effective_units * units.before_weight
      ) - (
        (
          units.effective_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS effective_part,
    CAST((
      (
        units.list_units * units.until_weight
      ) - (
        (
          units.list_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.list_units * units.before_weight
      ) - (
        (
          units.list_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS list_part,
    CAST((
      (
        units.billed_reporting_units * units.until_weight
      ) - (
        (
          units.billed_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.billed_reporting_units * units.before_weight
      ) - (
        (
          units.billed_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS billed_reporting_part,
    CAST((
      (
        units.effective_reporting_units * units.until_weight
      ) - (
        (
          units.effective_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.effective_reporting_units * units.before_weight
      ) - (
        (
          units.effective_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS effective_reporting_part,
    CAST((
      (
        units.list_reporting_units * units.until_weight
      ) - (
        (
          units.list_reporting_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.list_reporting_units * units.before_weight
      ) - (
        (
          units.list_reporting_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS list_reporting_part,
    CAST((
      (
        units.quantity_units * units.until_weight
      ) - (
        (
          units.quantity_units * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.quantity_units * units.before_weight
      ) - (
        (
          units.quantity_units * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS quantity_part,
    CAST((
      (
        units.stated_seconds * units.until_weight
      ) - (
        (
          units.stated_seconds * units.until_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) - CAST((
      (
        units.stated_seconds * units.before_weight
      ) - (
        (
          units.stated_seconds * units.before_weight
        ) % (
          units.total_weight
        )
      )
    ) / (
      units.total_weight
    ) AS DECIMAL(38, 0)) AS stated_part
  FROM units
)
SELECT
  split.charge_date,
  split.charge_id,
  MD5(split.cell_key || CHR(  31) || CAST(split.charge_date AS STRING)) AS cell_id,
  CAST(CAST(split.billed_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost,
  CAST(CAST(split.effective_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost,
  CAST(CAST(split.list_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost,
  split.billing_currency,
  CAST(CAST(split.billed_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS billed_cost_reporting,
  CAST(CAST(split.effective_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS effective_cost_reporting,
  CAST(CAST(split.list_reporting_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS list_cost_reporting,
  CAST(CAST(split.quantity_part AS DECIMAL(24, 0)) * CAST(0.000001 AS DECIMAL(7, 6)) AS DECIMAL(38, 12)) AS billed_quantity,
  CAST(split.covered_seconds AS BIGINT) AS covered_seconds,
  CAST(split.stated_part AS BIGINT) AS stated_seconds,
  CAST(split.before_weight AS BIGINT) AS before_day_weight,
  CAST(split.until_weight AS BIGINT) AS until_day_weight,
  CAST(split.total_weight AS BIGINT) AS all_days_weight
FROM split
