WITH taxes AS (
  SELECT
    *
  FROM core.following_cells
  WHERE
    charge_date >= :start AND charge_date < :end AND follows = 'invoice'
), followed AS (
  SELECT
    *
  FROM core.followed_costs
), shared AS (
  SELECT
    *
  FROM core.shared_costs
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    NOT follows IS NULL
), taxed AS (
  SELECT
    followed.followed_month AS taxed_month,
    followed.bill_of_record,
    followed.provider,
    followed.billing_account_id,
    followed.sub_account_id,
    followed.billing_currency,
    followed.billing_period_start,
    followed.invoice_issuer_name,
    followed.invoice_id,
    followed.service_name,
    followed.owner_id,
    followed.residual_reason,
    followed.billed_cost
  FROM followed
  WHERE
    followed.billed_cost <> 0
  UNION ALL
  SELECT
    CAST(DATE_TRUNC('MONTH', shared.charge_date) AS DATE) AS taxed_month,
    cells.bill_of_record,
    cells.provider,
    cells.billing_account_id,
    cells.sub_account_id,
    cells.billing_currency,
    cells.billing_period_start,
    cells.invoice_issuer_name,
    cells.invoice_id,
    cells.service_name,
    shared.owner_id,
    shared.residual_reason,
    shared.billed_cost
  FROM shared
  INNER JOIN cells
    ON shared.charge_date = cells.charge_date AND shared.cell_id = cells.cell_id
  WHERE
    shared.billed_cost <> 0
), taxed_invoices AS (
  SELECT
    taxed.taxed_month,
    'invoice' || CHR(  31) || taxed.bill_of_record || CHR(  31) || COALESCE(taxed.invoice_issuer_name, taxed.provider, CHR(  30)) || CHR(  31) || taxed.invoice_id || CHR(  31) || taxed.billing_currency AS invoice_key,
    COALESCE(taxed.billing_account_id, CHR(  30)) AS account_key,
    COALESCE(taxed.sub_account_id, CHR(  30)) AS sub_account_key,
    COALESCE(taxed.service_name, CHR(  30)) AS service_key,
    taxed.owner_id,
    taxed.residual_reason,
    taxed.billed_cost
  FROM taxed
  WHERE
    NOT taxed.invoice_id IS NULL
  UNION ALL
  SELECT
    taxed.taxed_month,
    'period' || CHR(  31) || taxed.bill_of_record || CHR(  31) || COALESCE(taxed.invoice_issuer_name, taxed.provider, CHR(  30)) || CHR(  31) || COALESCE(taxed.billing_account_id, CHR(  30)) || CHR(  31) || CAST(taxed.billing_period_start AS STRING) || CHR(  31) || taxed.billing_currency AS invoice_key,
    COALESCE(taxed.billing_account_id, CHR(  30)) AS account_key,
    COALESCE(taxed.sub_account_id, CHR(  30)) AS sub_account_key,
    COALESCE(taxed.service_name, CHR(  30)) AS service_key,
    taxed.owner_id,
    taxed.residual_reason,
    taxed.billed_cost
  FROM taxed
), tax_invoices AS (
  SELECT
    taxes.charge_date,
    taxes.cell_id,
    0 AS invoice_level,
    'invoice' || CHR(  31) || taxes.bill_of_record || CHR(  31) || COALESCE(taxes.invoice_issuer_name, taxes.provider, CHR(  30)) || CHR(  31) || taxes.invoice_id || CHR(  31) || taxes.billing_currency AS invoice_key,
    COALESCE(taxes.sub_account_id, CHR(  30)) AS sub_account_key,
    COALESCE(taxes.service_name, CHR(  30)) AS service_key
  FROM taxes
  WHERE
    NOT taxes.invoice_id IS NULL
  UNION ALL
  SELECT
    taxes.charge_date,
    taxes.cell_id,
    4 AS invoice_level,
    'period' || CHR(  31) || taxes.bill_of_record || CHR(  31) || COALESCE(taxes.invoice_issuer_name, taxes.provider, CHR(  30)) || CHR(  31) || COALESCE(taxes.billing_account_id, CHR(  30)) || CHR(  31) || CAST(taxes.billing_period_start AS STRING) || CHR(  31) || taxes.billing_currency AS invoice_key,
    COALESCE(taxes.sub_account_id, CHR(  30)) AS sub_account_key,
    COALESCE(taxes.service_name, CHR(  30)) AS service_key
  FROM taxes
), invoice_parts AS (
  SELECT
    taxed_invoices.taxed_month,
    taxed_invoices.invoice_key,
    taxed_invoices.account_key,
    taxed_invoices.sub_account_key,
    taxed_invoices.service_key,
    SUM(taxed_invoices.billed_cost) AS billed_cost
  FROM taxed_invoices
  GROUP BY
    taxed_invoices.taxed_month,
    taxed_invoices.invoice_key,
    taxed_invoices.account_key,
    taxed_invoices.sub_account_key,
    taxed_invoices.service_key
), matched AS (
  SELECT
    tax_invoices.charge_date,
    tax_invoices.cell_id,
    tax_invoices.invoice_key,
    tax_invoices.invoice_level + CASE
      WHEN tax_invoices.sub_account_key = invoice_parts.sub_account_key
      AND tax_invoices.service_key = invoice_parts.service_key
      THEN 1
      WHEN tax_invoices.sub_account_key = invoice_parts.sub_account_key
      THEN 2
      WHEN tax_invoices.service_key = invoice_parts.service_key
      THEN 3
      ELSE 4
    END AS named_level,
    invoice_parts.taxed_month,
    invoice_parts.account_key,
    invoice_parts.sub_account_key,
    invoice_parts.service_key,
    invoice_parts.billed_cost
  FROM tax_invoices
  INNER JOIN invoice_parts
    ON tax_invoices.invoice_key = invoice_parts.invoice_key
    AND ABS(
      EXTRACT(YEAR FROM tax_invoices.charge_date) * 12 + EXTRACT(MONTH FROM tax_invoices.charge_date) - EXTRACT(YEAR FROM invoice_parts.taxed_month) * 12 - EXTRACT(MONTH FROM invoice_parts.taxed_month)
    ) <= 1
), widened AS (
  SELECT
    matched.*,
    matched.named_level AS level_id
  FROM matched
  UNION ALL
  SELECT
    matched.*,
    matched.named_level + 1 AS level_id
  FROM matched
  WHERE
    matched.named_level IN (1, 3, 5, 7)
  UNION ALL
  SELECT
    matched.*,
    matched.named_level + 2 AS level_id
  FROM matched
  WHERE
    matched.named_level IN (1, 2, 5, 6)
  UNION ALL
  SELECT
    matched.*,
    matched.named_level + 3 AS level_id
  FROM matched
  WHERE
    matched.named_level IN (1, 5)
), level_totals AS (
  SELECT
    widened.charge_date,
    widened.cell_id,
    widened.invoice_key,
    widened.level_id,
    ROW_NUMBER() OVER (
      PARTITION BY widened.charge_date, widened.cell_id
      ORDER BY widened.level_id NULLS LAST
    ) AS level_position
  FROM widened
  GROUP BY
    widened.charge_date,
    widened.cell_id,
    widened.invoice_key,
    widened.level_id
  HAVING
    SUM(widened.billed_cost) > 0
), chosen AS (
  SELECT
    widened.charge_date,
    widened.cell_id,
    widened.invoice_key,
    widened.taxed_month,
    widened.account_key,
    widened.sub_account_key,
    widened.service_key
  FROM widened
  INNER JOIN level_totals
    ON widened.charge_date = level_totals.charge_date
    AND widened.cell_id = level_totals.cell_id
    AND widened.level_id = level_totals.level_id
  WHERE
    level_totals.level_position = 1
), weighing AS (
  SELECT
    chosen.charge_date,
    chosen.cell_id,
    chosen.account_key,
    chosen.service_key || CHR(  31) || chosen.sub_account_key AS group_key,
    taxed_invoices.owner_id,
    taxed_invoices.residual_reason,
    'taxed_cost' AS method_id,
    taxed_invoices.billed_cost AS cost
  FROM chosen
  INNER JOIN taxed_invoices
    ON chosen.invoice_key = taxed_invoices.invoice_key
    AND chosen.taxed_month = taxed_invoices.taxed_month
    AND chosen.account_key = taxed_invoices.account_key
    AND chosen.sub_account_key = taxed_invoices.sub_account_key
    AND chosen.service_key = taxed_invoices.service_key
), owner_nets AS (
  SELECT
    weighing.charge_date,
    weighing.cell_id,
    weighing.account_key,
    weighing.group_key,
    weighing.owner_id,
    weighing.residual_reason,
    weighing.method_id,
    CAST(CAST(SUM(weighing.cost) AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(24, 0)) AS cost_units
  FROM weighing
  GROUP BY
    weighing.charge_date,
    weighing.cell_id,
    weighing.account_key,
    weighing.group_key,
    weighing.owner_id,
    weighing.residual_reason,
    weighing.method_id
), group_nets AS (
  SELECT
    owner_nets.charge_date,
    owner_nets.cell_id,
    owner_nets.account_key,
    owner_nets.group_key,
    CAST(SUM(owner_nets.cost_units) AS DECIMAL(24, 0)) AS net_units,
    CAST(SUM(GREATEST(owner_nets.cost_units, 0)) AS DECIMAL(24, 0)) AS positive_units
  FROM owner_nets
  GROUP BY
    owner_nets.charge_date,
    owner_nets.cell_id,
    owner_nets.account_key,
    owner_nets.group_key
), account_nets AS (
  SELECT
    group_nets.charge_date,
    group_nets.cell_id,
    group_nets.account_key,
    CAST(SUM(group_nets.net_units) AS DECIMAL(24, 0)) AS net_units,
    CAST(SUM(GREATEST(group_nets.net_units, 0)) AS DECIMAL(24, 0)) AS positive_units
  FROM group_nets
  GROUP BY
    group_nets.charge_date,
    group_nets.cell_id,
    group_nets.account_key
), pools AS (
  SELECT
    account_nets.charge_date,
    account_nets.cell_id
  FROM account_nets
  GROUP BY
    account_nets.charge_date,
    account_nets.cell_id
  HAVING
    SUM(account_nets.net_units) > 0
), shares_left AS (
  SELECT
    group_nets.charge_date,
    group_nets.cell_id,
    group_nets.account_key,
    group_nets.group_key,
    CAST(CASE
      WHEN group_nets.net_units <= 0
      THEN 0
      WHEN group_nets.net_units = group_nets.positive_units
      THEN 1000000000000
      ELSE GREATEST(
        1,
        CAST((
          (
            group_nets.net_units * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              group_nets.net_units * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              group_nets.positive_units
            )
          )
        ) / (
          group_nets.positive_units
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(13, 0)) AS group_share,
    CAST(CASE
      WHEN account_nets.net_units <= 0
      THEN 0
      WHEN account_nets.net_units = account_nets.positive_units
      THEN 1000000000000
      ELSE GREATEST(
        1,
        CAST((
          (
            account_nets.net_units * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              account_nets.net_units * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              account_nets.positive_units
            )
          )
        ) / (
          account_nets.positive_units
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(13, 0)) AS account_share
  FROM group_nets
  INNER JOIN account_nets
    ON group_nets.charge_date = account_nets.charge_date
    AND group_nets.cell_id = account_nets.cell_id
    AND group_nets.account_key = account_nets.account_key
  INNER JOIN pools
    ON group_nets.charge_date = pools.charge_date AND group_nets.cell_id = pools.cell_id
), group_weights AS (
  SELECT
    owner_nets.charge_date,
    owner_nets.cell_id,
    owner_nets.owner_id,
    owner_nets.residual_reason,
    owner_nets.method_id,
    shares_left.account_share,
    CAST(CASE
      WHEN owner_nets.cost_units <= 0 OR shares_left.group_share = 0
      THEN 0
      WHEN shares_left.group_share = 1000000000000
      THEN owner_nets.cost_units
      ELSE GREATEST(
        1,
        CAST((
          (
            owner_nets.cost_units * shares_left.group_share
          ) - (
            (
              owner_nets.cost_units * shares_left.group_share
            ) % (
              CAST(1000000000000 AS DECIMAL(13, 0))
            )
          )
        ) / (
          CAST(1000000000000 AS DECIMAL(13, 0))
        ) AS DECIMAL(38, 0))
      )
    END AS DECIMAL(24, 0)) AS weight
  FROM owner_nets
  INNER JOIN shares_left
    ON owner_nets.charge_date = shares_left.charge_date
    AND owner_nets.cell_id = shares_left.cell_id
    AND owner_nets.account_key = shares_left.account_key
    AND owner_nets.group_key = shares_left.group_key
), netted AS (
  SELECT
    group_weights.charge_date,
    group_weights.cell_id,
    group_weights.owner_id,
    group_weights.residual_reason,
    group_weights.method_id,
    CASE
      WHEN group_weights.weight = 0 OR group_weights.account_share = 0
      THEN CAST(0 AS DECIMAL(24, 0))
      WHEN group_weights.account_share = 1000000000000
      THEN group_weights.weight
      ELSE CAST(GREATEST(
        1,
        CAST((
          (
            group_weights.weight * group_weights.account_share
          ) - (
            (
              group_weights.weight * group_weights.account_share
            ) % (
              CAST(1000000000000 AS DECIMAL(13, 0))
            )
          )
        ) / (
          CAST(1000000000000 AS DECIMAL(13, 0))
        ) AS DECIMAL(38, 0))
      ) AS DECIMAL(24, 0))
    END AS weight
  FROM group_weights
), weighed AS (
  SELECT
    netted.charge_date,
    netted.cell_id,
    netted.owner_id,
    netted.residual_reason,
    netted.method_id,
    CAST(SUM(netted.weight) AS DECIMAL(38, 0)) AS cost_weight
  FROM netted
  WHERE
    netted.weight > 0
  GROUP BY
    netted.charge_date,
    netted.cell_id,
    netted.owner_id,
    netted.residual_reason,
    netted.method_id
)
SELECT
  weighed.charge_date,
  weighed.cell_id,
  MD5(weighed.owner_id || CHR(  31) || COALESCE(weighed.residual_reason, CHR(  30))) AS row_id,
  weighed.owner_id,
  weighed.residual_reason,
  weighed.method_id,
  weighed.cost_weight
FROM weighed
