WITH following AS (
  SELECT
    *
  FROM core.following_cells
  WHERE
    charge_date >= :start AND charge_date < :end AND follows <> 'invoice'
), cells AS (
  SELECT
    *
  FROM core.cells
  WHERE
    charge_date >= :start
    AND charge_date < :end
    AND follows IS NULL
    AND cost_state <> 'estimated'
), facts AS (
  SELECT
    *
  FROM core.direct_costs
  WHERE
    charge_date >= :start AND charge_date < :end
), followed AS (
  SELECT
    *
  FROM core.followed_costs
), rules AS (
  SELECT
    *
  FROM reference.shared_cost_rules
), targets AS (
  SELECT
    *
  FROM reference.shared_cost_targets
), rule_teams AS (
  SELECT
    *
  FROM reference.shared_cost_teams
), credits AS (
  SELECT
    following.charge_date,
    following.cell_id,
    following.follows || CHR(  31) || CASE
      WHEN following.follows = 'day'
      THEN CAST(following.charge_date AS STRING)
      ELSE CAST(CAST(DATE_TRUNC('MONTH', following.charge_date) AS DATE) AS STRING)
    END || CHR(  31) || following.bill_of_record || CHR(  31) || COALESCE(following.billing_account_id, CHR(  30)) || CHR(  31) || COALESCE(following.billing_currency, CHR(  30)) || CHR(  31) || CASE WHEN following.is_owned THEN following.direct_owner_id ELSE CHR(  30) END || CHR(  31) || following.service_name AS named_key,
    COALESCE(following.sub_account_id, CHR(  30)) AS sub_account_key,
    following.sku_id,
    following.resource_id
  FROM following
  WHERE
    following.follows IN ('day', 'month') AND NOT following.service_name IS NULL
), credit_keys AS (
  SELECT
    credits.charge_date,
    credits.cell_id,
    1 AS named_level,
    credits.named_key || CHR(  31) || '1' || CHR(  31) || credits.sub_account_key || CHR(  31) || credits.sku_id || CHR(  31) || credits.resource_id AS named_key
  FROM credits
  WHERE
    NOT credits.sku_id IS NULL AND NOT credits.resource_id IS NULL
  UNION ALL
  SELECT
    credits.charge_date,
    credits.cell_id,
    2 AS named_level,
    credits.named_key || CHR(  31) || '2' || CHR(  31) || credits.sub_account_key || CHR(  31) || credits.sku_id AS named_key
  FROM credits
  WHERE
    NOT credits.sku_id IS NULL
  UNION ALL
  SELECT
    credits.charge_date,
    credits.cell_id,
    3 AS named_level,
    credits.named_key || CHR(  31) || '3' || CHR(  31) || credits.sub_account_key AS named_key
  FROM credits
  UNION ALL
  SELECT
    credits.charge_date,
    credits.cell_id,
    4 AS named_level,
    credits.named_key || CHR(  31) || '4' AS named_key
  FROM credits
), credited_services AS (
  SELECT DISTINCT
    following.follows,
    CASE
      WHEN following.follows = 'day'
      THEN following.charge_date
      ELSE CAST(DATE_TRUNC('MONTH', following.charge_date) AS DATE)
    END AS followed_from,
    following.bill_of_record,
    following.service_name
  FROM following
  WHERE
    following.follows IN ('day', 'month') AND NOT following.service_name IS NULL
), followed_groups AS (
  SELECT
    'day' AS follows,
    cells.charge_date AS followed_from,
    cells.cell_id AS followed_id,
    cells.bill_of_record,
    cells.billing_account_id,
    cells.sub_account_id,
    cells.billing_currency,
    cells.service_name,
    COALESCE(cells.sku_id, cells.sku_meter) AS sku_id,
    cells.resource_id,
    cells.direct_owner_id,
    cells.billed_cost,
    cells.effective_cost
  FROM cells
  INNER JOIN credited_services
    ON credited_services.follows = 'day'
    AND cells.charge_date = credited_services.followed_from
    AND cells.bill_of_record = credited_services.bill_of_record
    AND cells.service_name = credited_services.service_name
  UNION ALL
  SELECT
    'month' AS follows,
    followed.followed_month AS followed_from,
    followed.followed_id,
    MAX(followed.bill_of_record) AS bill_of_record,
    MAX(followed.billing_account_id) AS billing_account_id,
    MAX(followed.sub_account_id) AS sub_account_id,
    MAX(followed.billing_currency) AS billing_currency,
    MAX(followed.service_name) AS service_name,
    MAX(followed.sku_id) AS sku_id,
    MAX(followed.resource_id) AS resource_id,
    MAX(followed.direct_owner_id) AS direct_owner_id,
    SUM(followed.billed_cost) AS billed_cost,
    SUM(followed.effective_cost) AS effective_cost
  FROM followed
  INNER JOIN credited_services
    ON credited_services.follows = 'month'
    AND followed.followed_month = credited_services.followed_from
    AND followed.bill_of_record = credited_services.bill_of_record
    AND followed.service_name = credited_services.service_name
  GROUP BY
    followed.followed_month,
    followed.followed_id
), owner_keys AS (
  SELECT
    followed_groups.*,
    CHR(  30) AS owner_key
  FROM followed_groups
  UNION ALL
  SELECT
    followed_groups.*,
    followed_groups.direct_owner_id AS owner_key
  FROM followed_groups
  WHERE
    NOT followed_groups.direct_owner_id IS NULL
), named_groups AS (
  SELECT
    owner_keys.*,
    owner_keys.follows || CHR(  31) || CAST(owner_keys.followed_from AS STRING) || CHR(  31) || owner_keys.bill_of_record || CHR(  31) || COALESCE(owner_keys.billing_account_id, CHR(  30)) || CHR(  31) || COALESCE(owner_keys.billing_currency, CHR(  30)) || CHR(  31) || owner_keys.owner_key || CHR(  31) || owner_keys.service_name AS named_key,
    COALESCE(owner_keys.sub_account_id, CHR(  30)) AS sub_account_key
  FROM owner_keys
), group_keys AS (
  SELECT
    named_groups.follows,
    named_groups.followed_from,
    named_groups.followed_id,
    named_groups.sub_account_key,
    named_groups.billed_cost,
    named_groups.effective_cost,
    named_groups.named_key || CHR(  31) || '1' || CHR(  31) || named_groups.sub_account_key || CHR(  31) || named_groups.sku_id || CHR(  31) || named_groups.resource_id AS named_key
  FROM named_groups
  WHERE
    NOT named_groups.sku_id IS NULL AND NOT named_groups.resource_id IS NULL
  UNION ALL
  SELECT
    named_groups.follows,
    named_groups.followed_from,
    named_groups.followed_id,
    named_groups.sub_account_key,
    named_groups.billed_cost,
    named_groups.effective_cost,
    named_groups.named_key || CHR(  31) || '2' || CHR(  31) || named_groups.sub_account_key || CHR(  31) || named_groups.sku_id AS named_key
  FROM named_groups
  WHERE
    NOT named_groups.sku_id IS NULL
  UNION ALL
  SELECT
    named_groups.follows,
    named_groups.followed_from,
    named_groups.followed_id,
    named_groups.sub_account_key,
    named_groups.billed_cost,
    named_groups.effective_cost,
    named_groups.named_key || CHR(  31) || '3' || CHR(  31) || named_groups.sub_account_key AS named_key
  FROM named_groups
  UNION ALL
  SELECT
    named_groups.follows,
    named_groups.followed_from,
    named_groups.followed_id,
    named_groups.sub_account_key,
    named_groups.billed_cost,
    named_groups.effective_cost,
    named_groups.named_key || CHR(  31) || '4' AS named_key
  FROM named_groups
), key_totals AS (
  SELECT
    group_keys.named_key,
    SUM(group_keys.billed_cost) AS billed_cost,
    SUM(group_keys.effective_cost) AS effective_cost
  FROM group_keys
  GROUP BY
    group_keys.named_key
), levels AS (
  SELECT
    credit_keys.charge_date,
    credit_keys.cell_id,
    credit_keys.named_key,
    key_totals.billed_cost > 0 AS is_by_billed_cost,
    ROW_NUMBER() OVER (
      PARTITION BY credit_keys.charge_date, credit_keys.cell_id
      ORDER BY credit_keys.named_level NULLS LAST
    ) AS level_position
  FROM credit_keys
  INNER JOIN key_totals
    ON credit_keys.named_key = key_totals.named_key
  WHERE
    key_totals.billed_cost > 0 OR key_totals.effective_cost > 0
), credited_groups AS (
  SELECT
    levels.charge_date,
    levels.cell_id,
    levels.is_by_billed_cost,
    group_keys.follows,
    group_keys.followed_from,
    group_keys.followed_id,
    group_keys.sub_account_key
  FROM levels
  INNER JOIN group_keys
    ON levels.named_key = group_keys.named_key
  WHERE
    levels.level_position = 1
), credited AS (
  SELECT
    credited_groups.charge_date,
    credited_groups.cell_id,
    credited_groups.sub_account_key AS group_key,
    facts.owner_id,
    facts.residual_reason,
    CASE
      WHEN credited_groups.is_by_billed_cost
      THEN facts.billed_cost
      ELSE facts.effective_cost
    END AS cost
  FROM credited_groups
  INNER JOIN facts
    ON credited_groups.followed_from = facts.charge_date
    AND credited_groups.followed_id = facts.cell_id
  WHERE
    credited_groups.follows = 'day'
  UNION ALL
  SELECT
    credited_groups.charge_date,
    credited_groups.cell_id,
    credited_groups.sub_account_key AS group_key,
    followed.owner_id,
    followed.residual_reason,
    CASE
      WHEN credited_groups.is_by_billed_cost
      THEN followed.billed_cost
      ELSE followed.effective_cost
    END AS cost
  FROM credited_groups
  INNER JOIN followed
    ON credited_groups.followed_from = followed.followed_month
    AND credited_groups.followed_id = followed.followed_id
  WHERE
    credited_groups.follows = 'month'
), ruled AS (
  SELECT
    following.charge_date,
    CAST(DATE_TRUNC('MONTH', following.charge_date) AS DATE) AS followed_month,
    following.cell_id,
    following.bill_of_record,
    following.sub_account_id,
    following.billing_currency,
    rules.shared_cost_rule_id,
    rules.split,
    rules.measure,
    rules.followed_scope,
    rules.followed_cost_driver,
    rules.shared_among
  FROM following
  INNER JOIN rules
    ON following.shared_cost_rule_id = rules.shared_cost_rule_id
  WHERE
    following.follows = 'rule'
), team_rules AS (
  SELECT DISTINCT
    rule_teams.shared_cost_rule_id
  FROM rule_teams
), ruled_costs AS (
  SELECT
    ruled.charge_date,
    ruled.cell_id,
    ruled.split,
    ruled.shared_among,
    COALESCE(followed.billing_account_id, CHR(  30)) AS account_key,
    COALESCE(followed.service_name, CHR(  30)) || CHR(  31) || COALESCE(followed.sub_account_id, CHR(  30)) AS group_key,
    followed.owner_id,
    followed.feature,
    followed.team,
    CASE
      WHEN ruled.followed_scope = 'all' AND ruled.measure = 'billed_cost'
      THEN followed.billed_cost_reporting
      WHEN ruled.followed_scope = 'all' AND ruled.measure = 'list_cost'
      THEN followed.list_cost_reporting
      WHEN ruled.followed_scope = 'all'
      THEN followed.effective_cost_reporting
      WHEN ruled.measure = 'billed_cost'
      THEN followed.billed_cost
      WHEN ruled.measure = 'list_cost'
      THEN followed.list_cost
      ELSE followed.effective_cost
    END AS cost
  FROM ruled
  INNER JOIN followed
    ON ruled.followed_month = followed.followed_month
    AND (
      ruled.followed_scope = 'all'
      OR (
        ruled.bill_of_record = followed.bill_of_record
        AND ruled.billing_currency = followed.billing_currency
        AND (
          ruled.followed_scope = 'bill'
          OR COALESCE(ruled.sub_account_id, CHR(  30)) = COALESCE(followed.sub_account_id, CHR(  30))
        )
      )
    )
    AND (
      ruled.followed_cost_driver IS NULL
      OR ruled.followed_cost_driver = followed.cost_driver
    )
  LEFT JOIN rule_teams
    ON ruled.shared_cost_rule_id = rule_teams.shared_cost_rule_id
    AND followed.team = rule_teams.team
  LEFT JOIN team_rules
    ON ruled.shared_cost_rule_id = team_rules.shared_cost_rule_id
  WHERE
    ruled.split <> 'fixed'
    AND followed.residual_reason IS NULL
    AND (
      team_rules.shared_cost_rule_id IS NULL OR NOT rule_teams.team IS NULL
    )
    AND (
      ruled.shared_among = 'owners'
      OR (
        ruled.shared_among = 'features' AND NOT followed.feature IS NULL
      )
      OR (
        ruled.shared_among = 'teams' AND NOT followed.team IS NULL
      )
    )
), ruled_owners AS (
  SELECT
    ruled_costs.charge_date,
    ruled_costs.cell_id,
    ruled_costs.split,
    ruled_costs.account_key,
    ruled_costs.group_key,
    CASE ruled_costs.shared_among
      WHEN 'owners'
      THEN ruled_costs.owner_id
      ELSE MD5(
        CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CASE
          WHEN ruled_costs.shared_among = 'teams'
          THEN ruled_costs.team
          ELSE CHR(  30)
        END || CHR(  31) || CASE
          WHEN ruled_costs.shared_among = 'features'
          THEN ruled_costs.feature
          ELSE CHR(  30)
        END || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30)
      )
    END AS owner_id,
    ruled_costs.cost
  FROM ruled_costs
), weighing AS (
  SELECT
    credited.charge_date,
    credited.cell_id,
    '' AS account_key,
    credited.group_key,
    credited.owner_id,
    credited.residual_reason,
    'followed_charges' AS method_id,
    credited.cost
  FROM credited
  UNION ALL
  SELECT
    ruled_owners.charge_date,
    ruled_owners.cell_id,
    ruled_owners.account_key,
    ruled_owners.group_key,
    ruled_owners.owner_id,
    CAST(NULL AS STRING) AS residual_reason,
    'proportional' AS method_id,
    ruled_owners.cost
  FROM ruled_owners
  WHERE
    ruled_owners.split = 'proportional'
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
), even AS (
  SELECT
    ruled_owners.charge_date,
    ruled_owners.cell_id,
    ruled_owners.owner_id
  FROM ruled_owners
  WHERE
    ruled_owners.split = 'even'
  GROUP BY
    ruled_owners.charge_date,
    ruled_owners.cell_id,
    ruled_owners.owner_id
  HAVING
    SUM(ruled_owners.cost) > 0
), fixed AS (
  SELECT
    ruled.charge_date,
    ruled.cell_id,
    MD5(
      CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || COALESCE(targets.team, CHR(  30)) || CHR(  31) || COALESCE(targets.feature, CHR(  30)) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30) || CHR(  31) || CHR(  30)
    ) AS owner_id,
    targets.share_ppm
  FROM ruled
  INNER JOIN targets
    ON ruled.shared_cost_rule_id = targets.shared_cost_rule_id
  WHERE
    ruled.split = 'fixed'
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
  UNION ALL
  SELECT
    even.charge_date,
    even.cell_id,
    even.owner_id,
    CAST(NULL AS STRING) AS residual_reason,
    'even' AS method_id,
    CAST(1 AS DECIMAL(38, 0)) AS cost_weight
  FROM even
  UNION ALL
  SELECT
    fixed.charge_date,
    fixed.cell_id,
    fixed.owner_id,
    CAST(NULL AS STRING) AS residual_reason,
    'fixed' AS method_id,
    CAST(fixed.share_ppm AS DECIMAL(38, 0)) AS cost_weight
  FROM fixed
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
