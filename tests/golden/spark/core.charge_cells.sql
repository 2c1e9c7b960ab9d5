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
), days AS (
  SELECT
    lengths.*,
    calendar.calendar_date AS charge_date,
    DATEDIFF(DAY, lengths.spread_start_date, calendar.calendar_date) * 86400 - lengths.start_second AS seconds_to_day_start
  FROM lengths
  INNER JOIN calendar
    ON lengths.spread_start_date <= calendar.calendar_date
    AND lengths.spread_end_date > calendar.calendar_date
), shares AS (
  SELECT
    days.*,
    CASE
      WHEN days.spread_kind = 'start_day'
      THEN CAST(0 AS DECIMAL(15, 0))
      ELSE CAST(LEAST(GREATEST(days.seconds_to_day_start, 0), days.total_seconds) AS DECIMAL(15, 0))
    END AS before_weight,
    CASE
      WHEN days.spread_kind = 'start_day'
      THEN CAST(days.total_seconds AS DECIMAL(15, 0))
      ELSE CAST(LEAST(days.seconds_to_day_start + 86400, days.total_seconds) AS DECIMAL(15, 0))
    END AS until_weight,
    CAST(days.total_seconds AS DECIMAL(15, 0)) AS total_weight
  FROM days
), units AS (
  SELECT
    shares.charge_date,
    shares.charge_id,
    shares.cell_key,
    shares.billing_currency,
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
    ) AS DECIMAL(38, 0)) AS quantity_part
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
  CAST(split.before_weight AS BIGINT) AS before_seconds,
  CAST(split.until_weight AS BIGINT) AS until_seconds,
  CAST(split.total_weight AS BIGINT) AS total_seconds
FROM split
