WITH parts_of_charges AS (
  SELECT
    *
  FROM core.charge_owners
), lines AS (
  SELECT
    *
  FROM staging.charges
), classified AS (
  SELECT
    *
  FROM core.charges
), owners AS (
  SELECT
    *
  FROM core.owners_daily
), units AS (
  SELECT
    *
  FROM reference.focus_units
), accounts AS (
  SELECT
    *
  FROM staging.accounts
), account_names AS (
  SELECT
    accounts.provider,
    LOWER(accounts.account_id) AS account_key,
    MIN(accounts.account_name) AS account_name
  FROM accounts
  WHERE
    NOT accounts.account_name IS NULL
  GROUP BY
    accounts.provider,
    LOWER(accounts.account_id)
), conforming AS (
  SELECT
    lines.charge_id,
    lines.allocated_method_details,
    lines.allocated_method_id,
    lines.allocated_resource_id,
    lines.allocated_resource_name,
    lines.allocated_tags,
    lines.availability_zone,
    lines.billed_cost,
    lines.billing_account_id,
    lines.billing_account_name,
    lines.billing_account_type,
    lines.billing_currency,
    lines.billing_period_end,
    lines.billing_period_start,
    lines.capacity_reservation_id,
    lines.capacity_reservation_status,
    lines.charge_category,
    CASE WHEN lines.charge_class = 'Correction' THEN lines.charge_class END AS charge_class,
    lines.charge_description,
    CASE LOWER(lines.charge_frequency)
      WHEN 'one-time'
      THEN 'One-Time'
      WHEN 'recurring'
      THEN 'Recurring'
      WHEN 'usage-based'
      THEN 'Usage-Based'
      ELSE lines.charge_frequency
    END AS charge_frequency,
    lines.charge_period_end,
    lines.charge_period_start,
    CASE
      WHEN NOT lines.commitment_discount_id IS NULL
      THEN lines.commitment_discount_category
    END AS commitment_discount_category,
    lines.commitment_discount_id,
    CASE
      WHEN NOT lines.commitment_discount_id IS NULL
      THEN lines.commitment_discount_name
    END AS commitment_discount_name,
    CASE
      WHEN lines.charge_category IN ('Usage', 'Purchase')
      AND NOT lines.commitment_discount_id IS NULL
      THEN lines.commitment_discount_quantity
    END AS commitment_discount_quantity,
    CASE
      WHEN NOT lines.commitment_discount_id IS NULL
      THEN lines.commitment_discount_status
    END AS commitment_discount_status,
    CASE
      WHEN NOT lines.commitment_discount_id IS NULL
      THEN lines.commitment_discount_type
    END AS commitment_discount_type,
    CASE
      WHEN lines.charge_category IN ('Usage', 'Purchase')
      AND NOT lines.commitment_discount_id IS NULL
      AND NOT lines.commitment_discount_quantity IS NULL
      THEN COALESCE(commitment_units.focus_unit, lines.commitment_discount_unit)
    END AS commitment_discount_unit,
    lines.commitment_program_eligibility_details,
    CASE
      WHEN lines.charge_category = 'Usage'
      AND COALESCE(lines.commitment_discount_status, '') <> 'Unused'
      THEN lines.consumed_quantity
    END AS consumed_quantity,
    CASE
      WHEN lines.charge_category = 'Usage'
      AND COALESCE(lines.commitment_discount_status, '') <> 'Unused'
      AND NOT lines.consumed_quantity IS NULL
      THEN COALESCE(consumed_units.focus_unit, lines.consumed_unit)
    END AS consumed_unit,
    lines.contract_applied,
    lines.contracted_cost,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN lines.contracted_unit_price
    END AS contracted_unit_price,
    lines.effective_cost,
    COALESCE(lines.host_provider_name, lines.service_provider_name) AS host_provider_name,
    lines.invoice_detail_id,
    lines.invoice_id,
    COALESCE(lines.invoice_issuer_name, lines.service_provider_name) AS invoice_issuer_name,
    lines.list_cost,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN lines.list_unit_price
    END AS list_unit_price,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN lines.pricing_category
    END AS pricing_category,
    COALESCE(lines.pricing_currency, lines.billing_currency) AS pricing_currency,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN COALESCE(
        lines.pricing_currency_contracted_unit_price,
        CASE
          WHEN COALESCE(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
          THEN lines.contracted_unit_price
        END
      )
    END AS pricing_currency_contracted_unit_price,
    COALESCE(
      lines.pricing_currency_effective_cost,
      CASE
        WHEN COALESCE(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
        THEN lines.effective_cost
      END
    ) AS pricing_currency_effective_cost,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN COALESCE(
        lines.pricing_currency_list_unit_price,
        CASE
          WHEN COALESCE(lines.pricing_currency, lines.billing_currency) = lines.billing_currency
          THEN lines.list_unit_price
        END
      )
    END AS pricing_currency_list_unit_price,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      THEN lines.pricing_quantity
    END AS pricing_quantity,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax'
      AND NOT lines.pricing_quantity IS NULL
      THEN COALESCE(pricing_units.focus_unit, lines.pricing_unit)
    END AS pricing_unit,
    COALESCE(lines.x_publisher_name, lines.service_provider_name) AS publisher_name,
    COALESCE(lines.region_id, lines.region_name) AS region_id,
    COALESCE(lines.region_name, lines.region_id) AS region_name,
    lines.resource_id,
    lines.resource_name,
    CASE WHEN NOT lines.resource_id IS NULL THEN lines.resource_type END AS resource_type,
    COALESCE(lines.service_category, 'Other') AS service_category,
    lines.service_name,
    lines.service_provider_name,
    COALESCE(
      lines.service_subcategory,
      'Other (' || COALESCE(lines.service_category, 'Other') || ')'
    ) AS service_subcategory,
    CASE WHEN COALESCE(lines.charge_category, '') <> 'Tax' THEN lines.sku_id END AS sku_id,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax' AND NOT lines.sku_id IS NULL
      THEN COALESCE(lines.sku_meter, lines.charge_description)
    END AS sku_meter,
    CASE
      WHEN COALESCE(lines.charge_category, '') <> 'Tax' AND NOT lines.sku_price_id IS NULL
      THEN lines.sku_price_details
    END AS sku_price_details,
    CASE WHEN COALESCE(lines.charge_category, '') <> 'Tax' THEN lines.sku_price_id END AS sku_price_id,
    lines.sub_account_id,
    CASE WHEN NOT lines.sub_account_id IS NULL THEN lines.sub_account_name END AS sub_account_name,
    CASE WHEN NOT lines.sub_account_id IS NULL THEN lines.sub_account_type END AS sub_account_type,
    lines.tags,
    lines.x_source,
    lines.x_snapshot_id,
    lines.x_service_code,
    lines.x_operation,
    lines.x_sku_group,
    lines.x_instance_type,
    lines.x_principal_id
  FROM lines
  LEFT JOIN units AS pricing_units
    ON LOWER(lines.pricing_unit) = pricing_units.unit
  LEFT JOIN units AS consumed_units
    ON LOWER(lines.consumed_unit) = consumed_units.unit
  LEFT JOIN units AS commitment_units
    ON LOWER(lines.commitment_discount_unit) = commitment_units.unit
), measured AS (
  SELECT
    conforming.*,
    CAST(CAST(conforming.contracted_cost AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS contracted_units,
    CASE
      WHEN ABS(conforming.pricing_quantity) >= 10000000000000000
      THEN CAST(conforming.pricing_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.pricing_quantity) >= 10000000000
      THEN CAST(CAST(conforming.pricing_quantity AS DECIMAL(28, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0))
    END AS pricing_quantity_coarse_units,
    CASE
      WHEN ABS(conforming.pricing_quantity) >= 10000000000000000
      THEN CAST(1 AS DECIMAL(7, 6))
      ELSE CAST(0.000001 AS DECIMAL(7, 6))
    END AS pricing_quantity_coarse_unit,
    CAST(CAST(CASE
      WHEN ABS(conforming.pricing_quantity) >= 10000000000000000
      THEN conforming.pricing_quantity - CAST(conforming.pricing_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.pricing_quantity) >= 10000000000
      THEN conforming.pricing_quantity - CAST(conforming.pricing_quantity AS DECIMAL(28, 6))
      ELSE conforming.pricing_quantity
    END AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS pricing_quantity_units,
    CASE
      WHEN ABS(conforming.consumed_quantity) >= 10000000000000000
      THEN CAST(conforming.consumed_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.consumed_quantity) >= 10000000000
      THEN CAST(CAST(conforming.consumed_quantity AS DECIMAL(28, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0))
    END AS consumed_quantity_coarse_units,
    CASE
      WHEN ABS(conforming.consumed_quantity) >= 10000000000000000
      THEN CAST(1 AS DECIMAL(7, 6))
      ELSE CAST(0.000001 AS DECIMAL(7, 6))
    END AS consumed_quantity_coarse_unit,
    CAST(CAST(CASE
      WHEN ABS(conforming.consumed_quantity) >= 10000000000000000
      THEN conforming.consumed_quantity - CAST(conforming.consumed_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.consumed_quantity) >= 10000000000
      THEN conforming.consumed_quantity - CAST(conforming.consumed_quantity AS DECIMAL(28, 6))
      ELSE conforming.consumed_quantity
    END AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS consumed_quantity_units,
    CASE
      WHEN ABS(conforming.commitment_discount_quantity) >= 10000000000000000
      THEN CAST(conforming.commitment_discount_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.commitment_discount_quantity) >= 10000000000
      THEN CAST(CAST(conforming.commitment_discount_quantity AS DECIMAL(28, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0))
    END AS commitment_discount_quantity_coarse_units,
    CASE
      WHEN ABS(conforming.commitment_discount_quantity) >= 10000000000000000
      THEN CAST(1 AS DECIMAL(7, 6))
      ELSE CAST(0.000001 AS DECIMAL(7, 6))
    END AS commitment_discount_quantity_coarse_unit,
    CAST(CAST(CASE
      WHEN ABS(conforming.commitment_discount_quantity) >= 10000000000000000
      THEN conforming.commitment_discount_quantity - CAST(conforming.commitment_discount_quantity AS DECIMAL(22, 0))
      WHEN ABS(conforming.commitment_discount_quantity) >= 10000000000
      THEN conforming.commitment_discount_quantity - CAST(conforming.commitment_discount_quantity AS DECIMAL(28, 6))
      ELSE conforming.commitment_discount_quantity
    END AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS commitment_discount_quantity_units,
    CASE
      WHEN ABS(conforming.pricing_currency_effective_cost) >= 10000000000000000
      THEN CAST(conforming.pricing_currency_effective_cost AS DECIMAL(22, 0))
      WHEN ABS(conforming.pricing_currency_effective_cost) >= 10000000000
      THEN CAST(CAST(conforming.pricing_currency_effective_cost AS DECIMAL(28, 6)) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(22, 0))
    END AS pricing_currency_effective_cost_coarse_units,
    CASE
      WHEN ABS(conforming.pricing_currency_effective_cost) >= 10000000000000000
      THEN CAST(1 AS DECIMAL(7, 6))
      ELSE CAST(0.000001 AS DECIMAL(7, 6))
    END AS pricing_currency_effective_cost_coarse_unit,
    CAST(CAST(CASE
      WHEN ABS(conforming.pricing_currency_effective_cost) >= 10000000000000000
      THEN conforming.pricing_currency_effective_cost - CAST(conforming.pricing_currency_effective_cost AS DECIMAL(22, 0))
      WHEN ABS(conforming.pricing_currency_effective_cost) >= 10000000000
      THEN conforming.pricing_currency_effective_cost - CAST(conforming.pricing_currency_effective_cost AS DECIMAL(28, 6))
      ELSE conforming.pricing_currency_effective_cost
    END AS DECIMAL(24, 12)) * CAST(1000000000000 AS DECIMAL(13, 0)) AS DECIMAL(22, 0)) AS pricing_currency_effective_cost_units
  FROM conforming
), named AS (
  SELECT
    owners.*,
    SUBSTRING(
      COALESCE(
        CHR(  31) || 'feature' || CHR(  30) || REGEXP_REPLACE(owners.feature, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'endpoint' || CHR(  30) || REGEXP_REPLACE(owners.endpoint, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'workflow' || CHR(  30) || REGEXP_REPLACE(owners.workflow, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'agent' || CHR(  30) || REGEXP_REPLACE(owners.agent, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'agent_step' || CHR(  30) || REGEXP_REPLACE(owners.agent_step, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'user_id' || CHR(  30) || REGEXP_REPLACE(owners.user_id, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'customer' || CHR(  30) || REGEXP_REPLACE(owners.customer, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'tenant' || CHR(  30) || REGEXP_REPLACE(owners.tenant, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'team' || CHR(  30) || REGEXP_REPLACE(owners.team, '[\\x00-\\x1F]', ' '),
        ''
      ) || COALESCE(
        CHR(  31) || 'environment' || CHR(  30) || REGEXP_REPLACE(owners.environment, '[\\x00-\\x1F]', ' '),
        ''
      ),
      2
    ) AS owner_text
  FROM owners
), tagged AS (
  SELECT
    named.*,
    NULLIF(REPLACE(REPLACE(named.owner_text, CHR(  31), ', '), CHR(  30), ' '), '') AS owner_name,
    CASE
      WHEN named.owner_text <> ''
      THEN '{"everycent/' || REPLACE(
        REPLACE(
          REPLACE(
            REPLACE(named.owner_text, CHR(  92), CHR(  92) || CHR(  92)),
            CHR(  34),
            CHR(  92) || CHR(  34)
          ),
          CHR(  31),
          '", "everycent/'
        ),
        CHR(  30),
        '": "'
      ) || '"}'
    END AS owner_tags
  FROM named
), parts AS (
  SELECT
    measured.*,
    parts_of_charges.charge_date,
    parts_of_charges.cell_id,
    parts_of_charges.row_id,
    parts_of_charges.owner_id,
    parts_of_charges.from_zone,
    parts_of_charges.to_zone,
    parts_of_charges.residual_reason,
    parts_of_charges.method_id,
    parts_of_charges.evidence,
    parts_of_charges.cost_state,
    parts_of_charges.billed_cost AS billed_cost_part,
    parts_of_charges.effective_cost AS effective_cost_part,
    parts_of_charges.list_cost AS list_cost_part,
    CAST(parts_of_charges.before_parts AS DECIMAL(16, 0)) AS before_parts,
    CAST(parts_of_charges.until_parts AS DECIMAL(16, 0)) AS until_parts,
    CAST(1000000000000000 AS DECIMAL(16, 0)) AS total_parts,
    classified.cost_driver,
    classified.traffic_kind,
    classified.model,
    classified.token_class,
    classified.service_tier,
    classified.rule_id,
    billing_accounts.account_name AS known_billing_account_name,
    sub_accounts.account_name AS known_sub_account_name,
    tagged.user_id,
    tagged.tenant,
    tagged.customer,
    tagged.team,
    tagged.feature,
    tagged.endpoint,
    tagged.workflow,
    tagged.agent,
    tagged.agent_step,
    tagged.environment,
    tagged.owner_name,
    tagged.owner_tags
  FROM parts_of_charges
  INNER JOIN measured
    ON parts_of_charges.charge_id = measured.charge_id
  INNER JOIN classified
    ON parts_of_charges.charge_id = classified.charge_id
  LEFT JOIN account_names AS billing_accounts
    ON classified.provider = billing_accounts.provider
    AND LOWER(measured.billing_account_id) = billing_accounts.account_key
  LEFT JOIN account_names AS sub_accounts
    ON classified.provider = sub_accounts.provider
    AND REPLACE(LOWER(measured.sub_account_id), '/subscriptions/', '') = sub_accounts.account_key
  LEFT JOIN tagged
    ON parts_of_charges.charge_date = tagged.charge_date
    AND parts_of_charges.owner_id = tagged.owner_id
), split AS (
  SELECT
    parts.*,
    CAST(parts.until_parts - parts.before_parts AS DECIMAL(16, 0)) AS part_units,
    CAST((
      (
        parts.contracted_units * parts.until_parts
      ) - (
        (
          parts.contracted_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.contracted_units * parts.before_parts
      ) - (
        (
          parts.contracted_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS contracted_part,
    CAST((
      (
        parts.pricing_quantity_coarse_units * parts.until_parts
      ) - (
        (
          parts.pricing_quantity_coarse_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.pricing_quantity_coarse_units * parts.before_parts
      ) - (
        (
          parts.pricing_quantity_coarse_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS pricing_quantity_coarse_part,
    CAST((
      (
        parts.pricing_quantity_units * parts.until_parts
      ) - (
        (
          parts.pricing_quantity_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.pricing_quantity_units * parts.before_parts
      ) - (
        (
          parts.pricing_quantity_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS pricing_quantity_units_part,
    CAST((
      (
        parts.consumed_quantity_coarse_units * parts.until_parts
      ) - (
        (
          parts.consumed_quantity_coarse_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.consumed_quantity_coarse_units * parts.before_parts
      ) - (
        (
          parts.consumed_quantity_coarse_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS consumed_quantity_coarse_part,
    CAST((
      (
        parts.consumed_quantity_units * parts.until_parts
      ) - (
        (
          parts.consumed_quantity_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.consumed_quantity_units * parts.before_parts
      ) - (
        (
          parts.consumed_quantity_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS consumed_quantity_units_part,
    CAST((
      (
        parts.commitment_discount_quantity_coarse_units * parts.until_parts
      ) - (
        (
          parts.commitment_discount_quantity_coarse_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.commitment_discount_quantity_coarse_units * parts.before_parts
      ) - (
        (
          parts.commitment_discount_quantity_coarse_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS commitment_discount_quantity_coarse_part,
    CAST((
      (
        parts.commitment_discount_quantity_units * parts.until_parts
      ) - (
        (
          parts.commitment_discount_quantity_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.commitment_discount_quantity_units * parts.before_parts
      ) - (
        (
          parts.commitment_discount_quantity_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS commitment_discount_quantity_units_part,
    CAST((
      (
        parts.pricing_currency_effective_cost_coarse_units * parts.until_parts
      ) - (
        (
          parts.pricing_currency_effective_cost_coarse_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.pricing_currency_effective_cost_coarse_units * parts.before_parts
      ) - (
        (
          parts.pricing_currency_effective_cost_coarse_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS pricing_currency_effective_cost_coarse_part,
    CAST((
      (
        parts.pricing_currency_effective_cost_units * parts.until_parts
      ) - (
        (
          parts.pricing_currency_effective_cost_units * parts.until_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) - CAST((
      (
        parts.pricing_currency_effective_cost_units * parts.before_parts
      ) - (
        (
          parts.pricing_currency_effective_cost_units * parts.before_parts
        ) % (
          parts.total_parts
        )
      )
    ) / (
      parts.total_parts
    ) AS DECIMAL(38, 0)) AS pricing_currency_effective_cost_units_part
  FROM parts
), amounts AS (
  SELECT
    split.*,
    CASE
      WHEN split.contracted_cost = split.effective_cost
      THEN split.effective_cost_part
      WHEN split.contracted_cost = split.list_cost
      THEN split.list_cost_part
      ELSE CAST(CAST(split.contracted_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS contracted_cost_part,
    COALESCE(
      CAST(CAST(split.pricing_quantity_coarse_part AS DECIMAL(24, 0)) * split.pricing_quantity_coarse_unit AS DECIMAL(38, 12)),
      0
    ) + CAST(CAST(split.pricing_quantity_units_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS pricing_quantity_part,
    COALESCE(
      CAST(CAST(split.consumed_quantity_coarse_part AS DECIMAL(24, 0)) * split.consumed_quantity_coarse_unit AS DECIMAL(38, 12)),
      0
    ) + CAST(CAST(split.consumed_quantity_units_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS consumed_quantity_part,
    COALESCE(
      CAST(CAST(split.commitment_discount_quantity_coarse_part AS DECIMAL(24, 0)) * split.commitment_discount_quantity_coarse_unit AS DECIMAL(38, 12)),
      0
    ) + CAST(CAST(split.commitment_discount_quantity_units_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12)) AS commitment_discount_quantity_part,
    CASE
      WHEN split.pricing_currency_effective_cost = split.effective_cost
      THEN split.effective_cost_part
      ELSE COALESCE(
        CAST(CAST(split.pricing_currency_effective_cost_coarse_part AS DECIMAL(24, 0)) * split.pricing_currency_effective_cost_coarse_unit AS DECIMAL(38, 12)),
        0
      ) + CAST(CAST(split.pricing_currency_effective_cost_units_part AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(38, 12))
    END AS pricing_currency_effective_cost_part,
    split.part_units < split.total_parts
    OR split.billed_cost_part <> split.billed_cost
    OR split.effective_cost_part <> split.effective_cost
    OR split.list_cost_part <> split.list_cost AS is_split,
    CASE
      WHEN split.residual_reason IS NULL AND NOT split.owner_name IS NULL
      THEN split.owner_id
    END AS allocated_owner_id,
    CASE WHEN split.residual_reason IS NULL THEN split.owner_name END AS allocated_owner_name,
    CASE WHEN split.residual_reason IS NULL THEN split.owner_tags END AS allocated_owner_tags,
    CASE
      WHEN split.part_units = split.total_parts
      THEN '1'
      ELSE '0.' || LPAD(CAST(split.part_units AS STRING), 15, '0')
    END AS ratio_text,
    CASE WHEN split.method_id = 'tokens' THEN split.consumed_unit END AS usage_unit
  FROM split
  WHERE
    split.part_units > 0
    OR COALESCE(split.billed_cost_part, 0) <> 0
    OR COALESCE(split.effective_cost_part, 0) <> 0
    OR COALESCE(split.list_cost_part, 0) <> 0
), detailed AS (
  SELECT
    amounts.*,
    '{"Elements": [{"AllocatedRatio": ' || amounts.ratio_text || CASE
      WHEN NOT amounts.usage_unit IS NULL AND NOT amounts.consumed_quantity_part IS NULL
      THEN ', "UsageUnit": "' || REPLACE(
        REPLACE(
          REGEXP_REPLACE(amounts.usage_unit, '[\\x00-\\x1F]', ' '),
          CHR(  92),
          CHR(  92) || CHR(  92)
        ),
        CHR(  34),
        CHR(  92) || CHR(  34)
      ) || '", "UsageQuantity": ' || CAST(CAST(amounts.consumed_quantity_part AS DECIMAL(38, 6)) AS STRING)
      ELSE ''
    END || '}]}' AS owner_method_details
  FROM amounts
)
SELECT
  detailed.charge_date,
  detailed.charge_id,
  detailed.cell_id,
  detailed.row_id,
  detailed.owner_id,
  CASE
    WHEN detailed.is_split
    THEN detailed.owner_method_details
    ELSE detailed.allocated_method_details
  END AS allocated_method_details,
  CASE
    WHEN detailed.is_split
    THEN detailed.method_id
    ELSE detailed.allocated_method_id
  END AS allocated_method_id,
  CASE
    WHEN detailed.is_split
    THEN detailed.allocated_owner_id
    ELSE detailed.allocated_resource_id
  END AS allocated_resource_id,
  CASE
    WHEN detailed.is_split
    THEN detailed.allocated_owner_name
    ELSE detailed.allocated_resource_name
  END AS allocated_resource_name,
  CASE
    WHEN detailed.is_split
    THEN detailed.allocated_owner_tags
    ELSE detailed.allocated_tags
  END AS allocated_tags,
  detailed.availability_zone,
  detailed.billed_cost_part AS billed_cost,
  detailed.billing_account_id,
  COALESCE(detailed.billing_account_name, detailed.known_billing_account_name) AS billing_account_name,
  detailed.billing_account_type,
  detailed.billing_currency,
  detailed.billing_period_end,
  detailed.billing_period_start,
  detailed.capacity_reservation_id,
  detailed.capacity_reservation_status,
  detailed.charge_category,
  detailed.charge_class,
  detailed.charge_description,
  detailed.charge_frequency,
  detailed.charge_period_end,
  detailed.charge_period_start,
  detailed.commitment_discount_category,
  detailed.commitment_discount_id,
  detailed.commitment_discount_name,
  detailed.commitment_discount_quantity_part AS commitment_discount_quantity,
  detailed.commitment_discount_status,
  detailed.commitment_discount_type,
  detailed.commitment_discount_unit,
  detailed.commitment_program_eligibility_details,
  detailed.consumed_quantity_part AS consumed_quantity,
  detailed.consumed_unit,
  detailed.contract_applied,
  detailed.contracted_cost_part AS contracted_cost,
  detailed.contracted_unit_price,
  detailed.effective_cost_part AS effective_cost,
  detailed.host_provider_name,
  detailed.invoice_detail_id,
  detailed.invoice_id,
  detailed.invoice_issuer_name,
  detailed.list_cost_part AS list_cost,
  detailed.list_unit_price,
  detailed.pricing_category,
  detailed.pricing_currency,
  detailed.pricing_currency_contracted_unit_price,
  detailed.pricing_currency_effective_cost_part AS pricing_currency_effective_cost,
  detailed.pricing_currency_list_unit_price,
  detailed.pricing_quantity_part AS pricing_quantity,
  detailed.pricing_unit,
  detailed.publisher_name,
  detailed.region_id,
  detailed.region_name,
  detailed.resource_id,
  detailed.resource_name,
  detailed.resource_type,
  detailed.service_category,
  detailed.service_name,
  detailed.service_provider_name,
  detailed.service_subcategory,
  detailed.sku_id,
  detailed.sku_meter,
  detailed.sku_price_details,
  detailed.sku_price_id,
  detailed.sub_account_id,
  COALESCE(detailed.sub_account_name, detailed.known_sub_account_name) AS sub_account_name,
  detailed.sub_account_type,
  detailed.tags,
  detailed.user_id,
  detailed.tenant,
  detailed.customer,
  detailed.team,
  detailed.feature,
  detailed.endpoint,
  detailed.workflow,
  detailed.agent,
  detailed.agent_step,
  detailed.environment,
  detailed.from_zone,
  detailed.to_zone,
  detailed.residual_reason,
  detailed.method_id,
  detailed.evidence,
  detailed.cost_state,
  detailed.cost_driver,
  detailed.traffic_kind,
  detailed.model,
  detailed.token_class,
  detailed.service_tier,
  detailed.rule_id,
  CAST(detailed.part_units * CAST(0.000000000000001 AS DECIMAL(16, 15)) AS DECIMAL(18, 15)) AS x_allocated_ratio,
  detailed.allocated_method_id AS x_delivered_allocated_method_id,
  detailed.allocated_resource_id AS x_delivered_allocated_resource_id,
  detailed.x_source,
  detailed.x_snapshot_id,
  detailed.x_service_code,
  detailed.x_operation,
  detailed.x_sku_group,
  detailed.x_instance_type,
  detailed.x_principal_id
FROM detailed
