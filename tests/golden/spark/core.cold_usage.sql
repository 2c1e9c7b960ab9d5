WITH events AS (
  SELECT
    told.event_id,
    told.replica_id,
    told.feature,
    told.event_at,
    told.event_at + INTERVAL '30' MINUTE AS cold_until_at
  FROM core.events AS told
  WHERE
    told.event_at + INTERVAL '30' MINUTE > CAST(:start AS TIMESTAMP_NTZ)
    AND told.event_at < CAST(:end AS TIMESTAMP_NTZ)
    AND told.event_kind IN ('deploy', 'scale_up', 'restart')
), event_days AS (
  SELECT
    CAST(events.event_at AS DATE) AS charge_date
  FROM events
  UNION
  SELECT
    CAST(events.cold_until_at AS DATE) AS charge_date
  FROM events
), names AS (
  SELECT
    *
  FROM core.model_names
  WHERE
    charge_date >= :start AND charge_date < :end
), requests AS (
  SELECT
    logged.charge_date,
    logged.request_id,
    logged.started_at,
    logged.provider AS logged_provider,
    logged.model AS logged_model,
    logged.feature,
    logged.replica_id,
    COALESCE(logged.cache_read_tokens, 0) AS cache_read_tokens,
    COALESCE(logged.cache_write_5m_tokens, 0) + COALESCE(logged.cache_write_1h_tokens, 0) AS cache_write_tokens,
    COALESCE(logged.uncached_input_tokens, 0) + COALESCE(logged.cache_read_tokens, 0) + COALESCE(logged.cache_write_5m_tokens, 0) + COALESCE(logged.cache_write_1h_tokens, 0) AS input_tokens
  FROM core.identified_requests AS logged
  INNER JOIN event_days
    ON logged.charge_date = event_days.charge_date
  WHERE
    logged.started_at >= CAST(:start AS TIMESTAMP_NTZ)
    AND logged.started_at < CAST(:end AS TIMESTAMP_NTZ)
), named_replicas AS (
  SELECT DISTINCT
    requests.charge_date,
    requests.replica_id
  FROM requests
  WHERE
    NOT requests.replica_id IS NULL
), placed_events AS (
  SELECT
    events.*,
    event_days.charge_date,
    NOT named_replicas.replica_id IS NULL AS is_by_replica
  FROM events
  INNER JOIN event_days
    ON event_days.charge_date >= CAST(events.event_at AS DATE)
    AND event_days.charge_date <= CAST(events.cold_until_at AS DATE)
  LEFT JOIN named_replicas
    ON event_days.charge_date = named_replicas.charge_date
    AND events.replica_id = named_replicas.replica_id
), met AS (
  SELECT
    requests.charge_date,
    requests.request_id,
    placed_events.event_id
  FROM requests
  INNER JOIN placed_events
    ON requests.charge_date = placed_events.charge_date
    AND requests.replica_id = placed_events.replica_id
    AND requests.started_at >= placed_events.event_at
    AND requests.started_at < placed_events.cold_until_at
  WHERE
    placed_events.is_by_replica
  UNION ALL
  SELECT
    requests.charge_date,
    requests.request_id,
    placed_events.event_id
  FROM requests
  INNER JOIN placed_events
    ON requests.charge_date = placed_events.charge_date
    AND requests.feature = placed_events.feature
    AND requests.started_at >= placed_events.event_at
    AND requests.started_at < placed_events.cold_until_at
  WHERE
    NOT placed_events.is_by_replica
), cold AS (
  SELECT DISTINCT
    met.charge_date,
    met.request_id
  FROM met
), keyed AS (
  SELECT
    requests.*,
    names.provider,
    names.model,
    NOT cold.request_id IS NULL AS is_cold,
    MD5(
      COALESCE(names.provider, CHR(  30)) || CHR(  31) || COALESCE(names.model, CHR(  30)) || CHR(  31) || COALESCE(requests.feature, CHR(  30))
    ) AS usage_key
  FROM requests
  LEFT JOIN names
    ON requests.charge_date = names.charge_date
    AND COALESCE(requests.logged_provider, CHR(  30)) = COALESCE(names.logged_provider, CHR(  30))
    AND COALESCE(requests.logged_model, CHR(  30)) = COALESCE(names.logged_model, CHR(  30))
  LEFT JOIN cold
    ON requests.charge_date = cold.charge_date AND requests.request_id = cold.request_id
), event_counts AS (
  SELECT
    keyed.charge_date,
    keyed.usage_key,
    COUNT(DISTINCT met.event_id) AS cold_events
  FROM keyed
  INNER JOIN met
    ON keyed.charge_date = met.charge_date AND keyed.request_id = met.request_id
  GROUP BY
    keyed.charge_date,
    keyed.usage_key
), summed AS (
  SELECT
    keyed.charge_date,
    keyed.usage_key,
    keyed.provider,
    keyed.model,
    keyed.feature,
    COUNT(CASE WHEN keyed.is_cold THEN 1 END) AS cold_requests,
    SUM(CASE WHEN keyed.is_cold THEN keyed.input_tokens ELSE 0 END) AS cold_input_tokens,
    SUM(CASE WHEN keyed.is_cold THEN keyed.cache_read_tokens ELSE 0 END) AS cold_cache_read_tokens,
    SUM(CASE WHEN keyed.is_cold THEN keyed.cache_write_tokens ELSE 0 END) AS cold_cache_write_tokens,
    SUM(CASE WHEN keyed.is_cold THEN 0 ELSE keyed.input_tokens END) AS warm_input_tokens,
    SUM(CASE WHEN keyed.is_cold THEN 0 ELSE keyed.cache_read_tokens END) AS warm_cache_read_tokens,
    SUM(CASE WHEN keyed.is_cold THEN 0 ELSE keyed.cache_write_tokens END) AS warm_cache_write_tokens
  FROM keyed
  GROUP BY
    keyed.charge_date,
    keyed.usage_key,
    keyed.provider,
    keyed.model,
    keyed.feature
)
SELECT
  summed.charge_date,
  summed.usage_key,
  summed.provider,
  summed.model,
  summed.feature,
  CAST(event_counts.cold_events AS BIGINT) AS cold_events,
  CAST(summed.cold_requests AS BIGINT) AS cold_requests,
  CAST(summed.cold_input_tokens AS BIGINT) AS cold_input_tokens,
  CAST(summed.cold_cache_read_tokens AS BIGINT) AS cold_cache_read_tokens,
  CAST(summed.cold_cache_write_tokens AS BIGINT) AS cold_cache_write_tokens,
  CAST(summed.warm_input_tokens AS BIGINT) AS warm_input_tokens,
  CAST(summed.warm_cache_read_tokens AS BIGINT) AS warm_cache_read_tokens,
  CAST(summed.warm_cache_write_tokens AS BIGINT) AS warm_cache_write_tokens
FROM summed
INNER JOIN event_counts
  ON summed.charge_date = event_counts.charge_date
  AND summed.usage_key = event_counts.usage_key
