WITH capacity AS (
  SELECT
    *
  FROM core.capacity_usage
  WHERE
    hour_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND hour_start < CAST(:end AS TIMESTAMP_NTZ)
), requests AS (
  SELECT
    *
  FROM core.identified_requests
  WHERE
    started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND started_at < CAST(:end AS TIMESTAMP_NTZ)
), names AS (
  SELECT
    *
  FROM core.model_names
  WHERE
    charge_date >= :start AND charge_date < :end
), settings AS (
  SELECT
    *
  FROM reference.settings
), hours AS (
  SELECT
    capacity.hour_start,
    capacity.resource_id,
    MAX(capacity.model) AS model,
    MAX(capacity.provisioned_seconds) AS measured_seconds,
    CASE
      WHEN COUNT(capacity.provisioned_units) = COUNT(*)
      THEN MAX(capacity.provisioned_seconds) * SUM(capacity.provisioned_units)
    END AS unit_seconds,
    SUM(capacity.provisioned_seconds) AS provisioned_seconds,
    SUM(capacity.busy_seconds) AS busy_seconds,
    SUM(capacity.input_tokens + capacity.output_tokens) AS counted_tokens
  FROM capacity
  GROUP BY
    capacity.hour_start,
    capacity.resource_id
), resources AS (
  SELECT
    CAST(hours.hour_start AS DATE) AS charge_date,
    hours.resource_id,
    LOWER(COALESCE(MAX(hours.model), hours.resource_id)) AS model_group,
    CAST(SUM(hours.measured_seconds) AS DECIMAL(15, 0)) AS measured_seconds,
    CASE WHEN COUNT(hours.unit_seconds) = COUNT(*) THEN SUM(hours.unit_seconds) END AS unit_seconds,
    CAST(SUM(hours.provisioned_seconds) AS DECIMAL(15, 0)) AS provisioned_seconds,
    CAST(SUM(hours.busy_seconds) AS DECIMAL(15, 0)) AS busy_seconds,
    CAST(SUM(hours.counted_tokens) AS DECIMAL(15, 0)) AS counted_tokens
  FROM hours
  GROUP BY
    CAST(hours.hour_start AS DATE),
    hours.resource_id
), replica_links AS (
  SELECT
    CAST(capacity.hour_start AS DATE) AS charge_date,
    LOWER(capacity.replica_key) AS replica_name,
    capacity.resource_id
  FROM capacity
  WHERE
    capacity.replica_key <> ''
  GROUP BY
    CAST(capacity.hour_start AS DATE),
    LOWER(capacity.replica_key),
    capacity.resource_id
  UNION
  SELECT
    resources.charge_date,
    resources.resource_id AS replica_name,
    resources.resource_id
  FROM resources
), model_links AS (
  SELECT
    CAST(capacity.hour_start AS DATE) AS charge_date,
    LOWER(capacity.provider) AS provider_name,
    LOWER(capacity.model) AS served_model,
    capacity.resource_id
  FROM capacity
  WHERE
    NOT capacity.model IS NULL
  GROUP BY
    CAST(capacity.hour_start AS DATE),
    LOWER(capacity.provider),
    LOWER(capacity.model),
    capacity.resource_id
), replica_names AS (
  SELECT
    replica_links.charge_date,
    replica_links.replica_name
  FROM replica_links
  GROUP BY
    replica_links.charge_date,
    replica_links.replica_name
), model_keys AS (
  SELECT
    model_links.charge_date,
    model_links.provider_name,
    model_links.served_model
  FROM model_links
  GROUP BY
    model_links.charge_date,
    model_links.provider_name,
    model_links.served_model
), linked AS (
  SELECT
    requests.*,
    replica_names.replica_name,
    CASE WHEN replica_names.replica_name IS NULL THEN model_keys.provider_name END AS provider_name,
    CASE WHEN replica_names.replica_name IS NULL THEN model_keys.served_model END AS served_model,
    COALESCE(requests.uncached_input_tokens, 0) + COALESCE(requests.cache_write_5m_tokens, 0) + COALESCE(requests.cache_write_1h_tokens, 0) AS computed_input_tokens,
    COALESCE(requests.output_tokens, 0) * settings.output_token_weight AS weighted_output_tokens,
    requests.prefill_seconds + requests.decode_seconds AS work_seconds
  FROM requests
  CROSS JOIN settings
  LEFT JOIN replica_names
    ON requests.charge_date = replica_names.charge_date
    AND LOWER(requests.replica_id) = replica_names.replica_name
  LEFT JOIN model_keys
    ON requests.charge_date = model_keys.charge_date
    AND LOWER(requests.provider) = model_keys.provider_name
    AND LOWER(requests.model) = model_keys.served_model
  WHERE
    NOT replica_names.replica_name IS NULL OR NOT model_keys.served_model IS NULL
), grouped AS (
  SELECT
    linked.charge_date,
    linked.replica_name,
    linked.provider_name,
    linked.served_model,
    linked.provider,
    linked.model,
    linked.user_id,
    linked.tenant,
    linked.customer,
    linked.team,
    linked.feature,
    linked.endpoint,
    linked.workflow,
    linked.agent,
    linked.agent_step,
    linked.environment,
    linked.from_zone,
    linked.to_zone,
    COUNT(*) AS requests,
    SUM(linked.computed_input_tokens + COALESCE(linked.cache_read_tokens, 0)) AS input_tokens,
    COALESCE(SUM(linked.output_tokens), 0) AS output_tokens,
    CAST(COALESCE(SUM(CAST(linked.work_seconds AS DECIMAL(28, 6))), 0) * CAST(1000000 AS DECIMAL(7, 0)) AS DECIMAL(18, 0)) AS stated_micros,
    CAST(SUM(
      CASE
        WHEN NOT linked.work_seconds IS NULL
        THEN linked.computed_input_tokens + linked.weighted_output_tokens
        ELSE 0
      END
    ) AS DECIMAL(15, 0)) AS timed_tokens,
    CAST(SUM(
      CASE
        WHEN linked.work_seconds IS NULL
        THEN linked.computed_input_tokens + linked.weighted_output_tokens
        ELSE 0
      END
    ) AS DECIMAL(15, 0)) AS untimed_tokens
  FROM linked
  GROUP BY
    linked.charge_date,
    linked.replica_name,
    linked.provider_name,
    linked.served_model,
    linked.provider,
    linked.model,
    linked.user_id,
    linked.tenant,
    linked.customer,
    linked.team,
    linked.feature,
    linked.endpoint,
    linked.workflow,
    linked.agent,
    linked.agent_step,
    linked.environment,
    linked.from_zone,
    linked.to_zone
), owned AS (
  SELECT
    grouped.*,
    MD5(
      COALESCE(grouped.user_id, CHR(  30)) || CHR(  31) || COALESCE(grouped.tenant, CHR(  30)) || CHR(  31) || COALESCE(grouped.customer, CHR(  30)) || CHR(  31) || COALESCE(grouped.team, CHR(  30)) || CHR(  31) || COALESCE(grouped.feature, CHR(  30)) || CHR(  31) || COALESCE(grouped.endpoint, CHR(  30)) || CHR(  31) || COALESCE(grouped.workflow, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent, CHR(  30)) || CHR(  31) || COALESCE(grouped.agent_step, CHR(  30)) || CHR(  31) || COALESCE(grouped.environment, CHR(  30))
    ) AS owner_id
  FROM grouped
), placed AS (
  SELECT
    owned.*,
    replica_links.resource_id,
    MIN(replica_links.resource_id) OVER (PARTITION BY replica_links.charge_date, replica_links.replica_name) = replica_links.resource_id AS is_counted
  FROM owned
  INNER JOIN replica_links
    ON owned.charge_date = replica_links.charge_date
    AND owned.replica_name = replica_links.replica_name
  UNION ALL
  SELECT
    owned.*,
    model_links.resource_id,
    MIN(model_links.resource_id) OVER (
      PARTITION BY model_links.charge_date, model_links.provider_name, model_links.served_model
    ) = model_links.resource_id AS is_counted
  FROM owned
  INNER JOIN model_links
    ON owned.charge_date = model_links.charge_date
    AND owned.provider_name = model_links.provider_name
    AND owned.served_model = model_links.served_model
  WHERE
    owned.replica_name IS NULL
), used AS (
  SELECT
    placed.charge_date,
    placed.resource_id,
    placed.owner_id,
    placed.from_zone,
    placed.to_zone,
    placed.provider AS logged_provider,
    placed.model AS logged_model,
    SUM(placed.requests) AS all_requests,
    SUM(placed.stated_micros) AS stated_micros,
    SUM(placed.timed_tokens) AS timed_tokens,
    SUM(placed.untimed_tokens) AS untimed_tokens,
    SUM(CASE WHEN placed.is_counted THEN placed.requests ELSE 0 END) AS requests,
    SUM(CASE WHEN placed.is_counted THEN placed.input_tokens ELSE 0 END) AS input_tokens,
    SUM(CASE WHEN placed.is_counted THEN placed.output_tokens ELSE 0 END) AS output_tokens
  FROM placed
  GROUP BY
    placed.charge_date,
    placed.resource_id,
    placed.owner_id,
    placed.from_zone,
    placed.to_zone,
    placed.provider,
    placed.model
), pace AS (
  SELECT
    used.charge_date,
    used.resource_id,
    CAST(SUM(used.stated_micros) AS DECIMAL(18, 0)) AS stated_micros,
    CAST(SUM(used.timed_tokens) AS DECIMAL(15, 0)) AS timed_tokens,
    SUM(used.stated_micros) + SUM(used.untimed_tokens) = 0 AS is_without_work
  FROM used
  GROUP BY
    used.charge_date,
    used.resource_id
), worked AS (
  SELECT
    used.*,
    MD5(
      used.owner_id || CHR(  31) || COALESCE(used.from_zone, CHR(  30)) || CHR(  31) || COALESCE(used.to_zone, CHR(  30)) || CHR(  31) || COALESCE(used.logged_provider, CHR(  30)) || CHR(  31) || COALESCE(used.logged_model, CHR(  30))
    ) AS weight_id,
    CAST(CASE
      WHEN pace.is_without_work
      THEN used.all_requests
      WHEN pace.stated_micros > 0 AND pace.timed_tokens > 0
      THEN used.stated_micros + CAST((
        (
          CAST(used.untimed_tokens AS DECIMAL(19, 0)) * pace.stated_micros
        ) - (
          (
            CAST(used.untimed_tokens AS DECIMAL(19, 0)) * pace.stated_micros
          ) % (
            pace.timed_tokens
          )
        )
      ) / (
        pace.timed_tokens
      ) AS DECIMAL(38, 0))
      ELSE used.stated_micros + used.untimed_tokens
    END AS DECIMAL(18, 0)) AS work
  FROM used
  INNER JOIN pace
    ON used.charge_date = pace.charge_date AND used.resource_id = pace.resource_id
), cumulated AS (
  SELECT
    worked.*,
    CAST(SUM(worked.work) OVER (
      PARTITION BY worked.charge_date, worked.resource_id
      ORDER BY worked.weight_id NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS DECIMAL(18, 0)) AS until_work,
    CAST(SUM(worked.work) OVER (PARTITION BY worked.charge_date, worked.resource_id) AS DECIMAL(18, 0)) AS total_work
  FROM worked
), logged_tokens AS (
  SELECT
    resources.charge_date,
    resources.model_group,
    SUM(used.input_tokens + used.output_tokens) AS tokens
  FROM used
  INNER JOIN resources
    ON used.charge_date = resources.charge_date
    AND used.resource_id = resources.resource_id
  GROUP BY
    resources.charge_date,
    resources.model_group
), counted_tokens AS (
  SELECT
    resources.charge_date,
    resources.model_group,
    SUM(resources.counted_tokens) AS tokens
  FROM resources
  GROUP BY
    resources.charge_date,
    resources.model_group
), covered AS (
  SELECT
    resources.*,
    CAST(resources.measured_seconds * 1000000 AS DECIMAL(18, 0)) AS measured_micros,
    CAST(CAST((
      (
        resources.busy_seconds * resources.measured_seconds * CAST(1000000 AS DECIMAL(7, 0))
      ) - (
        (
          resources.busy_seconds * resources.measured_seconds * CAST(1000000 AS DECIMAL(7, 0))
        ) % (
          resources.provisioned_seconds
        )
      )
    ) / (
      resources.provisioned_seconds
    ) AS DECIMAL(38, 0)) AS DECIMAL(18, 0)) AS busy_micros,
    NOT pace.resource_id IS NULL AS is_logged,
    COALESCE(
      counted_tokens.tokens > 0
      AND COALESCE(logged_tokens.tokens, 0) * 1000000 < counted_tokens.tokens * (
        1000000 - settings.coverage_epsilon_ppm
      ),
      FALSE
    ) AS is_partly_logged,
    CAST(COALESCE(logged_tokens.tokens, 0) AS DECIMAL(15, 0)) AS model_logged_tokens,
    CAST(counted_tokens.tokens AS DECIMAL(15, 0)) AS model_counted_tokens
  FROM resources
  CROSS JOIN settings
  LEFT JOIN pace
    ON resources.charge_date = pace.charge_date
    AND resources.resource_id = pace.resource_id
  LEFT JOIN logged_tokens
    ON resources.charge_date = logged_tokens.charge_date
    AND resources.model_group = logged_tokens.model_group
  LEFT JOIN counted_tokens
    ON resources.charge_date = counted_tokens.charge_date
    AND resources.model_group = counted_tokens.model_group
), pools AS (
  SELECT
    covered.*,
    'capacity' || CHR(  31) || covered.resource_id AS pool_key,
    CAST(CASE
      WHEN NOT covered.is_logged
      THEN 0
      WHEN covered.is_partly_logged
      THEN CAST((
        (
          covered.busy_micros * covered.model_logged_tokens
        ) - (
          (
            covered.busy_micros * covered.model_logged_tokens
          ) % (
            covered.model_counted_tokens
          )
        )
      ) / (
        covered.model_counted_tokens
      ) AS DECIMAL(38, 0))
      ELSE covered.busy_micros
    END AS DECIMAL(18, 0)) AS logged_micros,
    CASE
      WHEN covered.model_counted_tokens > 0
      THEN CAST(CAST(LEAST(
        CAST(CAST((
          (
            CAST(covered.model_logged_tokens AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
          ) - (
            (
              CAST(covered.model_logged_tokens AS DECIMAL(22, 0)) * CAST(1000000000000 AS DECIMAL(13, 0))
            ) % (
              covered.model_counted_tokens
            )
          )
        ) / (
          covered.model_counted_tokens
        ) AS DECIMAL(38, 0)) AS DECIMAL(38, 0)),
        CAST(999999999999999999 AS DECIMAL(38, 0))
      ) AS DECIMAL(24, 0)) * CAST(0.000000000001 AS DECIMAL(13, 12)) AS DECIMAL(18, 12))
    END AS coverage_share
  FROM covered
), weighted AS (
  SELECT
    pools.charge_date,
    pools.pool_key,
    cumulated.weight_id,
    cumulated.owner_id,
    cumulated.from_zone,
    cumulated.to_zone,
    cumulated.logged_provider,
    cumulated.logged_model,
    CAST(NULL AS STRING) AS residual_reason,
    CAST((
      (
        CAST(pools.logged_micros AS DECIMAL(19, 0)) * cumulated.until_work
      ) - (
        (
          CAST(pools.logged_micros AS DECIMAL(19, 0)) * cumulated.until_work
        ) % (
          cumulated.total_work
        )
      )
    ) / (
      cumulated.total_work
    ) AS DECIMAL(38, 0)) - CAST((
      (
        CAST(pools.logged_micros AS DECIMAL(19, 0)) * CAST(cumulated.until_work - cumulated.work AS DECIMAL(18, 0))
      ) - (
        (
          CAST(pools.logged_micros AS DECIMAL(19, 0)) * CAST(cumulated.until_work - cumulated.work AS DECIMAL(18, 0))
        ) % (
          cumulated.total_work
        )
      )
    ) / (
      cumulated.total_work
    ) AS DECIMAL(38, 0)) AS weight,
    cumulated.requests,
    cumulated.input_tokens,
    cumulated.output_tokens,
    pools.measured_seconds,
    pools.unit_seconds,
    pools.coverage_share
  FROM pools
  INNER JOIN cumulated
    ON pools.charge_date = cumulated.charge_date
    AND pools.resource_id = cumulated.resource_id
  UNION ALL
  SELECT
    pools.charge_date,
    pools.pool_key,
    MD5('unlogged_usage') AS weight_id,
    CAST(NULL AS STRING) AS owner_id,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    CAST(NULL AS STRING) AS logged_provider,
    CAST(NULL AS STRING) AS logged_model,
    'unlogged_usage' AS residual_reason,
    pools.busy_micros - pools.logged_micros AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    pools.measured_seconds,
    pools.unit_seconds,
    pools.coverage_share
  FROM pools
  WHERE
    pools.busy_micros > pools.logged_micros
  UNION ALL
  SELECT
    pools.charge_date,
    pools.pool_key,
    MD5('idle_capacity') AS weight_id,
    CAST(NULL AS STRING) AS owner_id,
    CAST(NULL AS STRING) AS from_zone,
    CAST(NULL AS STRING) AS to_zone,
    CAST(NULL AS STRING) AS logged_provider,
    CAST(NULL AS STRING) AS logged_model,
    'idle_capacity' AS residual_reason,
    pools.measured_micros - pools.busy_micros AS weight,
    0 AS requests,
    0 AS input_tokens,
    0 AS output_tokens,
    pools.measured_seconds,
    pools.unit_seconds,
    pools.coverage_share
  FROM pools
  WHERE
    pools.measured_micros > pools.busy_micros
)
SELECT
  weighted.charge_date,
  weighted.pool_key,
  weighted.weight_id,
  weighted.owner_id,
  weighted.from_zone,
  weighted.to_zone,
  weighted.logged_provider,
  weighted.logged_model,
  names.provider,
  names.model,
  weighted.residual_reason,
  CAST(weighted.weight AS BIGINT) AS weight,
  CAST(weighted.requests AS BIGINT) AS requests,
  CAST(weighted.input_tokens AS BIGINT) AS input_tokens,
  CAST(weighted.output_tokens AS BIGINT) AS output_tokens,
  CAST(weighted.measured_seconds AS BIGINT) AS measured_seconds,
  CAST(weighted.unit_seconds AS BIGINT) AS measured_unit_seconds,
  weighted.coverage_share
FROM weighted
LEFT JOIN names
  ON weighted.charge_date = names.charge_date
  AND weighted.residual_reason IS NULL
  AND COALESCE(weighted.logged_provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
  AND COALESCE(weighted.logged_model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
