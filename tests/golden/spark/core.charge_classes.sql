WITH signatures AS (
  SELECT
    *
  FROM core.charge_signatures
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), signed AS (
  SELECT
    *
  FROM core.signed_charges
  WHERE
    billing_period_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND billing_period_start < CAST(:end AS TIMESTAMP_NTZ)
), ordered_rules AS (
  SELECT
    *
  FROM reference.classification_rules
), bill_providers AS (
  SELECT
    *
  FROM reference.bill_providers
), region_names AS (
  SELECT
    *
  FROM reference.region_names
), units AS (
  SELECT
    *
  FROM reference.units
), tiers AS (
  SELECT
    *
  FROM reference.service_tiers
), contexts AS (
  SELECT
    *
  FROM reference.context_meters
), uses AS (
  SELECT
    *
  FROM reference.use_meters
), signals AS (
  SELECT
    *
  FROM reference.signal_meters
), aliases AS (
  SELECT
    *
  FROM staging.model_aliases
), patterns AS (
  SELECT
    *
  FROM reference.model_patterns
), rules AS (
  SELECT
    ordered_rules.*,
    COALESCE(ordered_rules.provider_pattern, '') AS provider_test,
    COALESCE(ordered_rules.service_pattern, '') AS service_test,
    COALESCE(ordered_rules.category_pattern, '') AS category_test,
    COALESCE(ordered_rules.operation_pattern, '') AS operation_test,
    COALESCE(ordered_rules.meter_pattern, '') AS meter_test
  FROM ordered_rules
), line_texts AS (
  SELECT
    signed.billing_period_start,
    signed.signature_id,
    signed.account_text,
    signed.resource_text,
    signed.tag_text
  FROM signed
  WHERE
    NOT signed.account_text IS NULL
    OR NOT signed.resource_text IS NULL
    OR NOT signed.tag_text IS NULL
  GROUP BY
    signed.billing_period_start,
    signed.signature_id,
    signed.account_text,
    signed.resource_text,
    signed.tag_text
), classes AS (
  SELECT
    signatures.*,
    COALESCE(line_texts.account_text, '') AS account_text,
    COALESCE(line_texts.resource_text, '') AS resource_text,
    COALESCE(line_texts.tag_text, '') AS tag_text
  FROM signatures
  LEFT JOIN line_texts
    ON signatures.billing_period_start = line_texts.billing_period_start
    AND signatures.signature_id = line_texts.signature_id
), texts AS (
  SELECT
    signatures.provider_text,
    signatures.service_text,
    signatures.category_text,
    signatures.operation_text,
    signatures.meter_text,
    signatures.charge_category
  FROM signatures
  GROUP BY
    signatures.provider_text,
    signatures.service_text,
    signatures.category_text,
    signatures.operation_text,
    signatures.meter_text,
    signatures.charge_category
), provider_tests AS (
  SELECT
    rules.provider_test
  FROM rules
  GROUP BY
    rules.provider_test
), provider_texts AS (
  SELECT
    texts.provider_text
  FROM texts
  GROUP BY
    texts.provider_text
), provider_matches AS (
  SELECT
    provider_texts.provider_text,
    provider_tests.provider_test
  FROM provider_texts
  INNER JOIN provider_tests
    ON provider_texts.provider_text RLIKE provider_tests.provider_test
), service_tests AS (
  SELECT
    rules.service_test
  FROM rules
  GROUP BY
    rules.service_test
), service_texts AS (
  SELECT
    texts.service_text
  FROM texts
  GROUP BY
    texts.service_text
), service_matches AS (
  SELECT
    service_texts.service_text,
    service_tests.service_test
  FROM service_texts
  INNER JOIN service_tests
    ON service_texts.service_text RLIKE service_tests.service_test
), category_tests AS (
  SELECT
    rules.category_test
  FROM rules
  GROUP BY
    rules.category_test
), category_texts AS (
  SELECT
    texts.category_text
  FROM texts
  GROUP BY
    texts.category_text
), category_matches AS (
  SELECT
    category_texts.category_text,
    category_tests.category_test
  FROM category_texts
  INNER JOIN category_tests
    ON category_texts.category_text RLIKE category_tests.category_test
), operation_tests AS (
  SELECT
    rules.operation_test
  FROM rules
  GROUP BY
    rules.operation_test
), operation_texts AS (
  SELECT
    texts.operation_text
  FROM texts
  GROUP BY
    texts.operation_text
), operation_matches AS (
  SELECT
    operation_texts.operation_text,
    operation_tests.operation_test
  FROM operation_texts
  INNER JOIN operation_tests
    ON operation_texts.operation_text RLIKE operation_tests.operation_test
), narrowed AS (
  SELECT
    texts.provider_text,
    texts.service_text,
    texts.category_text,
    texts.operation_text,
    texts.meter_text,
    texts.charge_category,
    rules.rule_id,
    rules.meter_test
  FROM texts
  INNER JOIN provider_matches
    ON texts.provider_text = provider_matches.provider_text
  INNER JOIN service_matches
    ON texts.service_text = service_matches.service_text
  INNER JOIN category_matches
    ON texts.category_text = category_matches.category_text
  INNER JOIN operation_matches
    ON texts.operation_text = operation_matches.operation_text
  INNER JOIN rules
    ON provider_matches.provider_test = rules.provider_test
    AND service_matches.service_test = rules.service_test
    AND category_matches.category_test = rules.category_test
    AND operation_matches.operation_test = rules.operation_test
    AND (
      rules.charge_category IS NULL OR texts.charge_category = rules.charge_category
    )
), meter_matches AS (
  SELECT
    pairs.meter_text,
    pairs.meter_test
  FROM (
    SELECT
      narrowed.meter_text,
      narrowed.meter_test
    FROM narrowed
    GROUP BY
      narrowed.meter_text,
      narrowed.meter_test
  ) AS pairs
  WHERE
    pairs.meter_text RLIKE pairs.meter_test
), meters AS (
  SELECT
    texts.meter_text
  FROM texts
  GROUP BY
    texts.meter_text
), named_tiers AS (
  SELECT
    meters.meter_text,
    tiers.service_tier,
    ROW_NUMBER() OVER (
      PARTITION BY meters.meter_text
      ORDER BY tiers.priority NULLS LAST, tiers.service_tier NULLS LAST
    ) AS candidate_rank
  FROM meters
  INNER JOIN tiers
    ON meters.meter_text RLIKE tiers.meter_pattern
), named_contexts AS (
  SELECT
    meters.meter_text,
    contexts.context_min_tokens,
    ROW_NUMBER() OVER (
      PARTITION BY meters.meter_text
      ORDER BY contexts.priority NULLS LAST, contexts.context_min_tokens NULLS LAST
    ) AS candidate_rank
  FROM meters
  INNER JOIN contexts
    ON meters.meter_text RLIKE contexts.meter_pattern
), named_uses AS (
  SELECT
    meters.meter_text,
    uses.counted_use,
    ROW_NUMBER() OVER (
      PARTITION BY meters.meter_text
      ORDER BY uses.priority NULLS LAST, uses.counted_use NULLS LAST
    ) AS candidate_rank
  FROM meters
  INNER JOIN uses
    ON meters.meter_text RLIKE uses.meter_pattern
), named_signals AS (
  SELECT
    meters.meter_text,
    signals.signal,
    ROW_NUMBER() OVER (
      PARTITION BY meters.meter_text
      ORDER BY signals.priority NULLS LAST, signals.signal NULLS LAST
    ) AS candidate_rank
  FROM meters
  INNER JOIN signals
    ON meters.meter_text RLIKE signals.meter_pattern
), rule_candidates AS (
  SELECT
    classes.billing_period_start,
    classes.signature_id,
    classes.account_text,
    classes.resource_text,
    classes.tag_text,
    rules.rule_id,
    ROW_NUMBER() OVER (
      PARTITION BY classes.billing_period_start, classes.signature_id, classes.account_text, classes.resource_text, classes.tag_text
      ORDER BY rules.priority NULLS LAST, rules.rule_id NULLS LAST
    ) AS candidate_rank
  FROM classes
  INNER JOIN narrowed
    ON classes.provider_text = narrowed.provider_text
    AND classes.service_text = narrowed.service_text
    AND classes.category_text = narrowed.category_text
    AND classes.operation_text = narrowed.operation_text
    AND classes.meter_text = narrowed.meter_text
    AND classes.charge_category IS NOT DISTINCT FROM narrowed.charge_category
  INNER JOIN meter_matches
    ON narrowed.meter_text = meter_matches.meter_text
    AND narrowed.meter_test = meter_matches.meter_test
  INNER JOIN rules
    ON narrowed.rule_id = rules.rule_id
    AND classes.account_text RLIKE COALESCE(rules.account_pattern, '')
    AND classes.resource_text RLIKE COALESCE(rules.resource_pattern, '')
    AND classes.tag_text RLIKE COALESCE(rules.tag_pattern, '')
), decided AS (
  SELECT
    classes.*,
    rules.rule_id,
    rules.cost_driver,
    rules.traffic_kind,
    rules.token_class,
    CASE
      WHEN rules.cost_driver = 'inference'
      THEN COALESCE(rules.service_tier, named_tiers.service_tier, 'standard')
    END AS service_tier,
    CASE WHEN NOT rules.token_class IS NULL THEN named_contexts.context_min_tokens END AS context_min_tokens,
    CASE
      WHEN rules.token_class IS NULL AND rules.cost_driver IN ('inference', 'retrieval')
      THEN named_uses.counted_use
    END AS counted_use,
    CASE WHEN rules.cost_driver = 'monitoring' THEN named_signals.signal END AS signal,
    CASE
      WHEN NOT rules.token_class IS NULL
      THEN NULLIF(LOWER(REGEXP_EXTRACT(classes.sku_price_details, '"ModelId" *: *"([^"]+)"')), '')
    END AS stated_model,
    NULLIF(
      REGEXP_EXTRACT(classes.meter_text || ' | ' || classes.service_text, rules.model_pattern),
      ''
    ) AS read_model,
    NULLIF(REGEXP_EXTRACT(classes.meter_text, rules.from_pattern), '') AS from_text,
    NULLIF(REGEXP_EXTRACT(classes.meter_text, rules.to_pattern), '') AS to_text
  FROM classes
  LEFT JOIN rule_candidates
    ON classes.billing_period_start = rule_candidates.billing_period_start
    AND classes.signature_id = rule_candidates.signature_id
    AND classes.account_text = rule_candidates.account_text
    AND classes.resource_text = rule_candidates.resource_text
    AND classes.tag_text = rule_candidates.tag_text
    AND rule_candidates.candidate_rank = 1
  LEFT JOIN rules
    ON rule_candidates.rule_id = rules.rule_id
  LEFT JOIN named_tiers
    ON classes.meter_text = named_tiers.meter_text AND named_tiers.candidate_rank = 1
  LEFT JOIN named_contexts
    ON classes.meter_text = named_contexts.meter_text
    AND named_contexts.candidate_rank = 1
  LEFT JOIN named_uses
    ON classes.meter_text = named_uses.meter_text AND named_uses.candidate_rank = 1
  LEFT JOIN named_signals
    ON classes.meter_text = named_signals.meter_text
    AND named_signals.candidate_rank = 1
), provider_candidates AS (
  SELECT
    known.provider_text,
    known.service_text,
    bill_providers.provider,
    ROW_NUMBER() OVER (
      PARTITION BY known.provider_text, known.service_text
      ORDER BY bill_providers.priority NULLS LAST, bill_providers.provider NULLS LAST
    ) AS candidate_rank
  FROM (
    SELECT
      texts.provider_text,
      texts.service_text
    FROM texts
    GROUP BY
      texts.provider_text,
      texts.service_text
  ) AS known
  INNER JOIN bill_providers
    ON known.provider_text RLIKE COALESCE(bill_providers.name_pattern, '')
    AND known.service_text RLIKE COALESCE(bill_providers.service_pattern, '')
), named AS (
  SELECT
    decided.*,
    COALESCE(provider_candidates.provider, decided.provider_text) AS provider,
    COALESCE(decided.stated_model, decided.read_model) AS model_text,
    REGEXP_REPLACE(TRIM(COALESCE(decided.stated_model, decided.read_model)), '[-_ .]+', '-') AS model_alias
  FROM decided
  LEFT JOIN provider_candidates
    ON decided.provider_text = provider_candidates.provider_text
    AND decided.service_text = provider_candidates.service_text
    AND provider_candidates.candidate_rank = 1
), named_models AS (
  SELECT
    named.provider,
    named.model_text
  FROM named
  WHERE
    NOT named.model_text IS NULL
  GROUP BY
    named.provider,
    named.model_text
), pattern_candidates AS (
  SELECT
    named_models.provider,
    named_models.model_text,
    patterns.model,
    ROW_NUMBER() OVER (
      PARTITION BY named_models.provider, named_models.model_text
      ORDER BY patterns.priority NULLS LAST, patterns.model NULLS LAST
    ) AS candidate_rank
  FROM named_models
  INNER JOIN patterns
    ON named_models.provider = patterns.provider
    AND named_models.model_text RLIKE patterns.pattern_1
    AND named_models.model_text RLIKE COALESCE(patterns.pattern_2, '')
    AND named_models.model_text RLIKE COALESCE(patterns.pattern_3, '')
), joined AS (
  SELECT
    named.*,
    COALESCE(
      own_aliases.model,
      shared_aliases.model,
      pattern_candidates.model,
      named.stated_model,
      named.model_alias
    ) AS model,
    CASE
      WHEN named.cost_driver = 'egress'
      THEN COALESCE(named.x_from_region_id, from_names.region_id)
    END AS stated_from_region_id,
    CASE
      WHEN named.cost_driver = 'egress'
      THEN COALESCE(named.x_to_region_id, to_names.region_id)
    END AS stated_to_region_id,
    CASE
      WHEN NOT named.token_class IS NULL AND consumed_units.base_unit = 'tokens'
      THEN consumed_units.multiplier
      WHEN named.counted_use IN ('web_search', 'requests')
      AND consumed_units.base_unit = 'count'
      THEN consumed_units.multiplier
    END AS consumed_unit_tokens,
    CASE
      WHEN named.token_class IS NULL
      THEN NULL
      WHEN priced_units.base_unit = 'count'
      AND priced_units.multiplier = 1
      AND named.meter_text RLIKE 'million|1m tokens'
      THEN 1000000
      WHEN priced_units.base_unit = 'count'
      AND priced_units.multiplier = 1
      AND named.meter_text RLIKE 'thousand|1k tokens|1000 tokens'
      THEN 1000
      ELSE priced_units.multiplier
    END AS pricing_unit_tokens,
    COALESCE(LOWER(named.consumed_unit) IN ('hours', 'hour', 'hrs', 'hr', '1 hour'), FALSE) AS is_consumed_in_hours,
    COALESCE(LOWER(named.pricing_unit) IN ('hours', 'hour', 'hrs', 'hr', '1 hour'), FALSE) AS is_priced_in_hours
  FROM named
  LEFT JOIN aliases AS own_aliases
    ON named.provider = own_aliases.provider AND named.model_alias = own_aliases.alias
  LEFT JOIN aliases AS shared_aliases
    ON shared_aliases.provider IS NULL AND named.model_alias = shared_aliases.alias
  LEFT JOIN pattern_candidates
    ON named.provider = pattern_candidates.provider
    AND named.model_text = pattern_candidates.model_text
    AND pattern_candidates.candidate_rank = 1
  LEFT JOIN region_names AS from_names
    ON named.provider = from_names.provider AND named.from_text = from_names.name
  LEFT JOIN region_names AS to_names
    ON named.provider = to_names.provider AND named.to_text = to_names.name
  LEFT JOIN units AS consumed_units
    ON LOWER(named.consumed_unit) = consumed_units.unit
  LEFT JOIN units AS priced_units
    ON LOWER(named.pricing_unit) = priced_units.unit
), located AS (
  SELECT
    joined.*,
    CASE
      WHEN joined.traffic_kind = 'inter_region' AND NOT joined.stated_to_region_id IS NULL
      THEN COALESCE(joined.stated_from_region_id, joined.region_id)
      ELSE joined.stated_from_region_id
    END AS from_region_id,
    CASE
      WHEN joined.traffic_kind = 'inter_region' AND NOT joined.stated_from_region_id IS NULL
      THEN COALESCE(joined.stated_to_region_id, joined.region_id)
      ELSE joined.stated_to_region_id
    END AS to_region_id
  FROM joined
)
SELECT
  located.billing_period_start,
  located.signature_id,
  located.account_text,
  located.resource_text,
  located.tag_text,
  located.rule_id,
  located.provider,
  located.cost_driver,
  located.traffic_kind,
  located.from_region_id,
  located.to_region_id,
  located.model,
  located.token_class,
  located.service_tier,
  located.context_min_tokens,
  located.counted_use,
  located.signal,
  located.consumed_unit_tokens,
  located.pricing_unit_tokens,
  located.is_consumed_in_hours,
  located.is_priced_in_hours,
  MD5(
    COALESCE(located.charge_category, CHR(  30)) || CHR(  31) || COALESCE(located.cost_driver, CHR(  30)) || CHR(  31) || COALESCE(located.traffic_kind, CHR(  30)) || CHR(  31) || COALESCE(located.from_region_id, CHR(  30)) || CHR(  31) || COALESCE(located.to_region_id, CHR(  30)) || CHR(  31) || located.provider || CHR(  31) || COALESCE(located.service_name, CHR(  30)) || CHR(  31) || COALESCE(located.model, located.sku_id, CHR(  30)) || CHR(  31) || COALESCE(located.sku_meter, CHR(  30)) || CHR(  31) || COALESCE(located.token_class, CHR(  30)) || CHR(  31) || COALESCE(located.service_tier, CHR(  30)) || CHR(  31) || COALESCE(located.region_id, CHR(  30)) || CHR(  31) || located.rule_id
  ) AS class_key
FROM located
