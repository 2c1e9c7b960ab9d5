WITH source AS (
  SELECT
    workloads.x_source,
    workloads.x_snapshot_id,
    workloads.workload_ref,
    workloads.ref_kind,
    workloads.service,
    workloads.feature,
    workloads.endpoint,
    workloads.team,
    workloads.environment,
    workloads.zone,
    COALESCE(workloads.valid_from, CAST('1970-01-01' AS TIMESTAMP_NTZ)) AS valid_from,
    COALESCE(workloads.valid_to, CAST('9999-01-01' AS TIMESTAMP_NTZ)) AS valid_to,
    workloads.observed_at,
    COALESCE(workloads.inventory_series, '') AS inventory_series,
    CASE
      WHEN workloads.ref_kind IN ('address', 'pod')
      THEN workloads.ref_kind
      ELSE 'other'
    END AS ref_space,
    COALESCE(workloads.x_source, CHR(  30)) AS source_key
  FROM lake.workloads AS workloads
), source_ranks AS (
  SELECT
    *
  FROM reference.source_ranks
), looks AS (
  SELECT
    listed.source_key,
    listed.inventory_series,
    listed.observed_at,
    LAG(listed.observed_at) OVER (
      PARTITION BY listed.source_key, listed.inventory_series
      ORDER BY listed.observed_at NULLS LAST
    ) AS observed_before,
    LEAD(listed.observed_at) OVER (
      PARTITION BY listed.source_key, listed.inventory_series
      ORDER BY listed.observed_at NULLS LAST
    ) AS observed_next
  FROM (
    SELECT
      source.source_key,
      source.inventory_series,
      source.observed_at
    FROM source
    WHERE
      NOT source.observed_at IS NULL
    GROUP BY
      source.source_key,
      source.inventory_series,
      source.observed_at
  ) AS listed
), listed AS (
  SELECT
    source.x_source,
    MIN(source.x_snapshot_id) AS x_snapshot_id,
    source.workload_ref,
    source.ref_kind,
    source.service,
    source.feature,
    source.endpoint,
    source.team,
    source.environment,
    source.zone,
    source.valid_from,
    source.valid_to,
    source.observed_at,
    source.inventory_series,
    source.ref_space,
    source.source_key
  FROM source
  WHERE
    NOT source.observed_at IS NULL
  GROUP BY
    source.x_source,
    source.workload_ref,
    source.ref_kind,
    source.service,
    source.feature,
    source.endpoint,
    source.team,
    source.environment,
    source.zone,
    source.valid_from,
    source.valid_to,
    source.observed_at,
    source.inventory_series,
    source.ref_space,
    source.source_key
), followed AS (
  SELECT
    listed.*,
    looks.observed_before,
    looks.observed_next,
    LAG(listed.observed_at) OVER (
      PARTITION BY listed.source_key, listed.inventory_series, listed.workload_ref, listed.ref_kind, listed.service, listed.feature, listed.endpoint, listed.team, listed.environment, listed.zone, listed.valid_from, listed.valid_to
      ORDER BY listed.observed_at NULLS LAST
    ) AS listed_before
  FROM listed
  INNER JOIN looks
    ON listed.source_key = looks.source_key
    AND listed.inventory_series = looks.inventory_series
    AND listed.observed_at = looks.observed_at
), numbered AS (
  SELECT
    followed.*,
    CASE WHEN followed.listed_before = followed.observed_before THEN 0 ELSE 1 END AS is_first,
    SUM(CASE WHEN followed.listed_before = followed.observed_before THEN 0 ELSE 1 END) OVER (
      PARTITION BY followed.source_key, followed.inventory_series, followed.workload_ref, followed.ref_kind, followed.service, followed.feature, followed.endpoint, followed.team, followed.environment, followed.zone, followed.valid_from, followed.valid_to
      ORDER BY followed.observed_at NULLS LAST
      rows BETWEEN UNBOUNDED preceding AND CURRENT ROW
    ) AS stretch
  FROM followed
), stretches AS (
  SELECT
    numbered.x_source,
    MIN(numbered.x_snapshot_id) AS x_snapshot_id,
    numbered.workload_ref,
    numbered.ref_kind,
    numbered.service,
    numbered.feature,
    numbered.endpoint,
    numbered.team,
    numbered.environment,
    numbered.zone,
    numbered.valid_from,
    numbered.valid_to,
    numbered.ref_space,
    numbered.source_key,
    MIN(numbered.observed_at) AS first_observed_at,
    MIN(CASE WHEN numbered.is_first = 1 THEN numbered.observed_before END) AS observed_before,
    MAX(COALESCE(numbered.observed_next, CAST('9999-01-01' AS TIMESTAMP_NTZ))) AS observed_next
  FROM numbered
  GROUP BY
    numbered.x_source,
    numbered.inventory_series,
    numbered.stretch,
    numbered.workload_ref,
    numbered.ref_kind,
    numbered.service,
    numbered.feature,
    numbered.endpoint,
    numbered.team,
    numbered.environment,
    numbered.zone,
    numbered.valid_from,
    numbered.valid_to,
    numbered.ref_space,
    numbered.source_key
), statements AS (
  SELECT
    source.x_source,
    source.x_snapshot_id,
    source.workload_ref,
    source.ref_kind,
    source.service,
    source.feature,
    source.endpoint,
    source.team,
    source.environment,
    source.zone,
    source.ref_space,
    source.source_key,
    source.valid_from,
    source.valid_to
  FROM source
  WHERE
    source.observed_at IS NULL
  UNION ALL
  SELECT
    stretches.x_source,
    stretches.x_snapshot_id,
    stretches.workload_ref,
    stretches.ref_kind,
    stretches.service,
    stretches.feature,
    stretches.endpoint,
    stretches.team,
    stretches.environment,
    stretches.zone,
    stretches.ref_space,
    stretches.source_key,
    CASE
      WHEN stretches.observed_before IS NULL
      THEN stretches.valid_from
      WHEN stretches.valid_from > stretches.observed_before
      THEN stretches.valid_from
      ELSE stretches.first_observed_at
    END AS valid_from,
    LEAST(stretches.valid_to, stretches.observed_next) AS valid_to
  FROM stretches
), ordered AS (
  SELECT
    statements.*,
    LEAD(statements.valid_from) OVER (
      PARTITION BY statements.source_key, statements.ref_space, statements.workload_ref
      ORDER BY statements.valid_from ASC NULLS LAST, statements.valid_to DESC, COALESCE(statements.feature, CHR(  30)) ASC NULLS LAST, COALESCE(statements.endpoint, CHR(  30)) ASC NULLS LAST, COALESCE(statements.team, CHR(  30)) ASC NULLS LAST, COALESCE(statements.environment, CHR(  30)) ASC NULLS LAST, COALESCE(statements.service, CHR(  30)) ASC NULLS LAST, COALESCE(statements.ref_kind, CHR(  30)) ASC NULLS LAST, COALESCE(statements.zone, CHR(  30)) ASC NULLS LAST, COALESCE(statements.x_snapshot_id, CHR(  30)) ASC NULLS LAST
    ) AS superseded_at
  FROM statements
), timelines AS (
  SELECT
    ordered.x_source,
    ordered.x_snapshot_id,
    ordered.workload_ref,
    ordered.ref_kind,
    ordered.service,
    ordered.feature,
    ordered.endpoint,
    ordered.team,
    ordered.environment,
    ordered.zone,
    ordered.ref_space,
    ordered.source_key,
    ordered.valid_from,
    LEAST(ordered.valid_to, COALESCE(ordered.superseded_at, ordered.valid_to)) AS valid_to,
    COALESCE(source_ranks.source_rank, 1000000) AS source_rank,
    MIN(ordered.source_key) OVER (PARTITION BY ordered.ref_space, ordered.workload_ref) AS first_source,
    MAX(ordered.source_key) OVER (PARTITION BY ordered.ref_space, ordered.workload_ref) AS last_source
  FROM ordered
  LEFT JOIN source_ranks
    ON ordered.x_source = source_ranks.source
), holding AS (
  SELECT
    timelines.*
  FROM timelines
  WHERE
    timelines.valid_from < timelines.valid_to
), turns AS (
  SELECT
    holding.ref_space,
    holding.workload_ref,
    holding.valid_from AS turn_at
  FROM holding
  WHERE
    holding.first_source <> holding.last_source
  UNION
  SELECT
    holding.ref_space,
    holding.workload_ref,
    holding.valid_to AS turn_at
  FROM holding
  WHERE
    holding.first_source <> holding.last_source
), slices AS (
  SELECT
    turns.ref_space,
    turns.workload_ref,
    turns.turn_at AS slice_from,
    LEAD(turns.turn_at) OVER (
      PARTITION BY turns.ref_space, turns.workload_ref
      ORDER BY turns.turn_at NULLS LAST
    ) AS slice_to
  FROM turns
), told AS (
  SELECT
    holding.*,
    slices.slice_from,
    slices.slice_to,
    ROW_NUMBER() OVER (
      PARTITION BY slices.ref_space, slices.workload_ref, slices.slice_from
      ORDER BY CASE WHEN holding.feature IS NULL THEN 1 ELSE 0 END NULLS LAST, holding.source_rank NULLS LAST, holding.source_key NULLS LAST
    ) AS turn
  FROM slices
  INNER JOIN holding
    ON slices.ref_space = holding.ref_space
    AND slices.workload_ref = holding.workload_ref
    AND slices.slice_from >= holding.valid_from
    AND slices.slice_to <= holding.valid_to
  WHERE
    NOT slices.slice_to IS NULL
), settled AS (
  SELECT
    holding.x_source,
    holding.x_snapshot_id,
    holding.workload_ref,
    holding.ref_kind,
    holding.service,
    holding.feature,
    holding.endpoint,
    holding.team,
    holding.environment,
    holding.zone,
    holding.ref_space,
    holding.valid_from,
    holding.valid_to
  FROM holding
  WHERE
    holding.first_source = holding.last_source
  UNION ALL
  SELECT
    told.x_source,
    told.x_snapshot_id,
    told.workload_ref,
    told.ref_kind,
    told.service,
    told.feature,
    told.endpoint,
    told.team,
    told.environment,
    told.zone,
    told.ref_space,
    told.slice_from AS valid_from,
    told.slice_to AS valid_to
  FROM told
  WHERE
    told.turn = 1
)
SELECT
  settled.x_source,
  settled.x_snapshot_id,
  settled.workload_ref,
  settled.ref_kind,
  settled.service,
  settled.feature,
  settled.endpoint,
  settled.team,
  settled.environment,
  settled.zone,
  NULLIF(settled.valid_from, CAST('1970-01-01' AS TIMESTAMP_NTZ)) AS valid_from,
  NULLIF(settled.valid_to, CAST('9999-01-01' AS TIMESTAMP_NTZ)) AS valid_to,
  LEAD(settled.valid_from) OVER (
    PARTITION BY settled.ref_space, settled.workload_ref
    ORDER BY settled.valid_from NULLS LAST
  ) AS next_valid_from
FROM settled
