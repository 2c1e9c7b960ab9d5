WITH RECURSIVE leaving AS (
  SELECT
    calls.x_source,
    calls.trace_id,
    calls.span_id,
    CAST(calls.started_at AS DATE) AS span_date,
    calls.unresolved_parent_span_id,
    calls.resource_keys,
    calls.user_id,
    calls.tenant,
    calls.customer,
    calls.team,
    calls.feature,
    calls.endpoint,
    calls.workflow,
    calls.agent,
    calls.agent_step,
    calls.environment,
    calls.session_id
  FROM lake.requests AS calls
  WHERE
    NOT calls.unresolved_parent_span_id IS NULL AND calls.emitter_kind = 'span'
  UNION ALL
  SELECT
    other_spans.x_source,
    other_spans.trace_id,
    other_spans.span_id,
    CAST(other_spans.started_at AS DATE) AS span_date,
    other_spans.unresolved_parent_span_id,
    other_spans.resource_keys,
    other_spans.user_id,
    other_spans.tenant,
    other_spans.customer,
    other_spans.team,
    other_spans.feature,
    other_spans.endpoint,
    other_spans.workflow,
    other_spans.agent,
    other_spans.agent_step,
    other_spans.environment,
    other_spans.session_id
  FROM lake.spans AS other_spans
  WHERE
    NOT other_spans.unresolved_parent_span_id IS NULL
), exits AS (
  SELECT
    leaving.trace_id,
    leaving.unresolved_parent_span_id AS exit_span_id,
    leaving.span_date
  FROM leaving
  GROUP BY
    leaving.trace_id,
    leaving.unresolved_parent_span_id,
    leaving.span_date
), exit_spans AS (
  SELECT
    exits.trace_id,
    exits.exit_span_id
  FROM exits
  GROUP BY
    exits.trace_id,
    exits.exit_span_id
), entered AS (
  SELECT
    calls.trace_id,
    calls.span_id,
    calls.started_at,
    COALESCE(calls.ended_at, calls.started_at) AS ended_at,
    calls.x_snapshot_id,
    calls.span_id AS call_span_id,
    calls.unresolved_parent_span_id,
    calls.resource_keys,
    calls.user_id,
    calls.tenant,
    calls.customer,
    calls.team,
    calls.feature,
    calls.endpoint,
    calls.workflow,
    calls.agent,
    calls.agent_step,
    calls.environment,
    calls.session_id
  FROM lake.requests AS calls
  INNER JOIN exit_spans
    ON calls.trace_id = exit_spans.trace_id AND calls.span_id = exit_spans.exit_span_id
  WHERE
    calls.emitter_kind = 'span'
  UNION ALL
  SELECT
    other_spans.trace_id,
    other_spans.span_id,
    other_spans.started_at,
    COALESCE(other_spans.ended_at, other_spans.started_at) AS ended_at,
    other_spans.x_snapshot_id,
    other_spans.enclosing_call_span_id AS call_span_id,
    other_spans.unresolved_parent_span_id,
    other_spans.resource_keys,
    other_spans.user_id,
    other_spans.tenant,
    other_spans.customer,
    other_spans.team,
    other_spans.feature,
    other_spans.endpoint,
    other_spans.workflow,
    other_spans.agent,
    other_spans.agent_step,
    other_spans.environment,
    other_spans.session_id
  FROM lake.spans AS other_spans
  INNER JOIN exit_spans
    ON other_spans.trace_id = exit_spans.trace_id
    AND other_spans.span_id = exit_spans.exit_span_id
), ranked AS (
  SELECT
    entered.*,
    ROW_NUMBER() OVER (
      PARTITION BY entered.trace_id, entered.span_id
      ORDER BY entered.ended_at DESC, entered.started_at ASC NULLS LAST, entered.x_snapshot_id ASC NULLS LAST, entered.call_span_id ASC NULLS LAST
    ) AS entry_rank
  FROM entered
), entries AS (
  SELECT
    ranked.trace_id,
    ranked.span_id,
    CAST(ranked.started_at AS DATE) AS span_date,
    ranked.call_span_id,
    ranked.unresolved_parent_span_id,
    CASE WHEN ranked.resource_keys LIKE '%,user_id,%' THEN NULL ELSE ranked.user_id END AS user_id,
    CASE WHEN ranked.resource_keys LIKE '%,tenant,%' THEN NULL ELSE ranked.tenant END AS tenant,
    CASE
      WHEN ranked.resource_keys LIKE '%,customer,%'
      THEN NULL
      ELSE ranked.customer
    END AS customer,
    CASE WHEN ranked.resource_keys LIKE '%,team,%' THEN NULL ELSE ranked.team END AS team,
    CASE WHEN ranked.resource_keys LIKE '%,feature,%' THEN NULL ELSE ranked.feature END AS feature,
    CASE
      WHEN ranked.resource_keys LIKE '%,endpoint,%'
      THEN NULL
      ELSE ranked.endpoint
    END AS endpoint,
    CASE
      WHEN ranked.resource_keys LIKE '%,workflow,%'
      THEN NULL
      ELSE ranked.workflow
    END AS workflow,
    CASE WHEN ranked.resource_keys LIKE '%,agent,%' THEN NULL ELSE ranked.agent END AS agent,
    CASE
      WHEN ranked.resource_keys LIKE '%,agent_step,%'
      THEN NULL
      ELSE ranked.agent_step
    END AS agent_step,
    CASE
      WHEN ranked.resource_keys LIKE '%,environment,%'
      THEN NULL
      ELSE ranked.environment
    END AS environment,
    CASE
      WHEN ranked.resource_keys LIKE '%,session_id,%'
      THEN NULL
      ELSE ranked.session_id
    END AS session_id,
    CASE WHEN ranked.resource_keys LIKE '%,user_id,%' THEN ranked.user_id END AS given_user_id,
    CASE WHEN ranked.resource_keys LIKE '%,tenant,%' THEN ranked.tenant END AS given_tenant,
    CASE WHEN ranked.resource_keys LIKE '%,customer,%' THEN ranked.customer END AS given_customer,
    CASE WHEN ranked.resource_keys LIKE '%,team,%' THEN ranked.team END AS given_team,
    CASE WHEN ranked.resource_keys LIKE '%,feature,%' THEN ranked.feature END AS given_feature,
    CASE WHEN ranked.resource_keys LIKE '%,endpoint,%' THEN ranked.endpoint END AS given_endpoint,
    CASE WHEN ranked.resource_keys LIKE '%,workflow,%' THEN ranked.workflow END AS given_workflow,
    CASE WHEN ranked.resource_keys LIKE '%,agent,%' THEN ranked.agent END AS given_agent,
    CASE WHEN ranked.resource_keys LIKE '%,agent_step,%' THEN ranked.agent_step END AS given_agent_step,
    CASE WHEN ranked.resource_keys LIKE '%,environment,%' THEN ranked.environment END AS given_environment,
    CASE WHEN ranked.resource_keys LIKE '%,session_id,%' THEN ranked.session_id END AS given_session_id
  FROM ranked
  WHERE
    ranked.entry_rank = 1
), walk AS (
  SELECT
    exits.trace_id,
    exits.exit_span_id,
    exits.span_date,
    1 AS crossings,
    LEAST(exits.span_date, entries.span_date) AS first_date,
    GREATEST(exits.span_date, entries.span_date) AS last_date,
    entries.unresolved_parent_span_id AS next_span_id,
    entries.call_span_id,
    entries.user_id,
    entries.tenant,
    entries.customer,
    entries.team,
    entries.feature,
    entries.endpoint,
    entries.workflow,
    entries.agent,
    entries.agent_step,
    entries.environment,
    entries.session_id,
    entries.given_user_id,
    entries.given_tenant,
    entries.given_customer,
    entries.given_team,
    entries.given_feature,
    entries.given_endpoint,
    entries.given_workflow,
    entries.given_agent,
    entries.given_agent_step,
    entries.given_environment,
    entries.given_session_id
  FROM exits
  INNER JOIN entries
    ON exits.trace_id = entries.trace_id AND exits.exit_span_id = entries.span_id
  WHERE
    DATEDIFF(DAY, exits.span_date, entries.span_date) BETWEEN -1 AND 1
  UNION ALL
  SELECT
    walk.trace_id,
    walk.exit_span_id,
    walk.span_date,
    walk.crossings + 1 AS crossings,
    LEAST(walk.first_date, entries.span_date) AS first_date,
    GREATEST(walk.last_date, entries.span_date) AS last_date,
    entries.unresolved_parent_span_id AS next_span_id,
    COALESCE(walk.call_span_id, entries.call_span_id) AS call_span_id,
    COALESCE(walk.user_id, entries.user_id) AS user_id,
    COALESCE(walk.tenant, entries.tenant) AS tenant,
    COALESCE(walk.customer, entries.customer) AS customer,
    COALESCE(walk.team, entries.team) AS team,
    COALESCE(walk.feature, entries.feature) AS feature,
    COALESCE(walk.endpoint, entries.endpoint) AS endpoint,
    COALESCE(walk.workflow, entries.workflow) AS workflow,
    COALESCE(walk.agent, entries.agent) AS agent,
    COALESCE(walk.agent_step, entries.agent_step) AS agent_step,
    COALESCE(walk.environment, entries.environment) AS environment,
    COALESCE(walk.session_id, entries.session_id) AS session_id,
    COALESCE(walk.given_user_id, entries.given_user_id) AS given_user_id,
    COALESCE(walk.given_tenant, entries.given_tenant) AS given_tenant,
    COALESCE(walk.given_customer, entries.given_customer) AS given_customer,
    COALESCE(walk.given_team, entries.given_team) AS given_team,
    COALESCE(walk.given_feature, entries.given_feature) AS given_feature,
    COALESCE(walk.given_endpoint, entries.given_endpoint) AS given_endpoint,
    COALESCE(walk.given_workflow, entries.given_workflow) AS given_workflow,
    COALESCE(walk.given_agent, entries.given_agent) AS given_agent,
    COALESCE(walk.given_agent_step, entries.given_agent_step) AS given_agent_step,
    COALESCE(walk.given_environment, entries.given_environment) AS given_environment,
    COALESCE(walk.given_session_id, entries.given_session_id) AS given_session_id
  FROM walk
  INNER JOIN entries
    ON walk.trace_id = entries.trace_id AND walk.next_span_id = entries.span_id
  WHERE
    walk.crossings < 64
    AND DATEDIFF(DAY, walk.first_date, entries.span_date) < 2
    AND DATEDIFF(DAY, entries.span_date, walk.last_date) < 2
), ranked_walk AS (
  SELECT
    walk.*,
    ROW_NUMBER() OVER (
      PARTITION BY walk.trace_id, walk.exit_span_id, walk.span_date
      ORDER BY walk.crossings DESC
    ) AS walk_rank
  FROM walk
), reached AS (
  SELECT
    ranked_walk.*,
    ranked_walk.crossings = 64 AND NOT ranked_walk.next_span_id IS NULL AS is_cut
  FROM ranked_walk
  WHERE
    ranked_walk.walk_rank = 1
), inherited AS (
  SELECT
    leaving.span_date,
    leaving.trace_id,
    leaving.span_id,
    leaving.x_source,
    reached.is_cut,
    CASE
      WHEN leaving.resource_keys LIKE '%,user_id,%'
      THEN NULL
      ELSE leaving.user_id
    END AS user_id,
    CASE WHEN leaving.resource_keys LIKE '%,tenant,%' THEN NULL ELSE leaving.tenant END AS tenant,
    CASE
      WHEN leaving.resource_keys LIKE '%,customer,%'
      THEN NULL
      ELSE leaving.customer
    END AS customer,
    CASE WHEN leaving.resource_keys LIKE '%,team,%' THEN NULL ELSE leaving.team END AS team,
    CASE
      WHEN leaving.resource_keys LIKE '%,feature,%'
      THEN NULL
      ELSE leaving.feature
    END AS feature,
    CASE
      WHEN leaving.resource_keys LIKE '%,endpoint,%'
      THEN NULL
      ELSE leaving.endpoint
    END AS endpoint,
    CASE
      WHEN leaving.resource_keys LIKE '%,workflow,%'
      THEN NULL
      ELSE leaving.workflow
    END AS workflow,
    CASE WHEN leaving.resource_keys LIKE '%,agent,%' THEN NULL ELSE leaving.agent END AS agent,
    CASE
      WHEN leaving.resource_keys LIKE '%,agent_step,%'
      THEN NULL
      ELSE leaving.agent_step
    END AS agent_step,
    CASE
      WHEN leaving.resource_keys LIKE '%,environment,%'
      THEN NULL
      ELSE leaving.environment
    END AS environment,
    CASE
      WHEN leaving.resource_keys LIKE '%,session_id,%'
      THEN NULL
      ELSE leaving.session_id
    END AS session_id,
    CASE WHEN leaving.resource_keys LIKE '%,user_id,%' THEN leaving.user_id END AS given_user_id,
    CASE WHEN leaving.resource_keys LIKE '%,tenant,%' THEN leaving.tenant END AS given_tenant,
    CASE WHEN leaving.resource_keys LIKE '%,customer,%' THEN leaving.customer END AS given_customer,
    CASE WHEN leaving.resource_keys LIKE '%,team,%' THEN leaving.team END AS given_team,
    CASE WHEN leaving.resource_keys LIKE '%,feature,%' THEN leaving.feature END AS given_feature,
    CASE WHEN leaving.resource_keys LIKE '%,endpoint,%' THEN leaving.endpoint END AS given_endpoint,
    CASE WHEN leaving.resource_keys LIKE '%,workflow,%' THEN leaving.workflow END AS given_workflow,
    CASE WHEN leaving.resource_keys LIKE '%,agent,%' THEN leaving.agent END AS given_agent,
    CASE WHEN leaving.resource_keys LIKE '%,agent_step,%' THEN leaving.agent_step END AS given_agent_step,
    CASE WHEN leaving.resource_keys LIKE '%,environment,%' THEN leaving.environment END AS given_environment,
    CASE WHEN leaving.resource_keys LIKE '%,session_id,%' THEN leaving.session_id END AS given_session_id,
    reached.user_id AS above_user_id,
    reached.tenant AS above_tenant,
    reached.customer AS above_customer,
    reached.team AS above_team,
    reached.feature AS above_feature,
    reached.endpoint AS above_endpoint,
    reached.workflow AS above_workflow,
    reached.agent AS above_agent,
    reached.agent_step AS above_agent_step,
    reached.environment AS above_environment,
    reached.session_id AS above_session_id,
    reached.given_user_id AS above_given_user_id,
    reached.given_tenant AS above_given_tenant,
    reached.given_customer AS above_given_customer,
    reached.given_team AS above_given_team,
    reached.given_feature AS above_given_feature,
    reached.given_endpoint AS above_given_endpoint,
    reached.given_workflow AS above_given_workflow,
    reached.given_agent AS above_given_agent,
    reached.given_agent_step AS above_given_agent_step,
    reached.given_environment AS above_given_environment,
    reached.given_session_id AS above_given_session_id
  FROM leaving
  INNER JOIN reached
    ON leaving.trace_id = reached.trace_id
    AND leaving.unresolved_parent_span_id = reached.exit_span_id
    AND leaving.span_date = reached.span_date
  WHERE
    reached.is_cut
    OR NOT reached.user_id IS NULL
    OR NOT reached.tenant IS NULL
    OR NOT reached.customer IS NULL
    OR NOT reached.team IS NULL
    OR NOT reached.feature IS NULL
    OR NOT reached.endpoint IS NULL
    OR NOT reached.workflow IS NULL
    OR NOT reached.agent IS NULL
    OR NOT reached.agent_step IS NULL
    OR NOT reached.environment IS NULL
    OR NOT reached.session_id IS NULL
    OR NOT reached.given_user_id IS NULL
    OR NOT reached.given_tenant IS NULL
    OR NOT reached.given_customer IS NULL
    OR NOT reached.given_team IS NULL
    OR NOT reached.given_feature IS NULL
    OR NOT reached.given_endpoint IS NULL
    OR NOT reached.given_workflow IS NULL
    OR NOT reached.given_agent IS NULL
    OR NOT reached.given_agent_step IS NULL
    OR NOT reached.given_environment IS NULL
    OR NOT reached.given_session_id IS NULL
), found AS (
  SELECT
    inherited.span_date,
    inherited.trace_id,
    inherited.span_id,
    inherited.x_source,
    inherited.is_cut,
    COALESCE(inherited.user_id, inherited.above_user_id) AS user_id,
    COALESCE(inherited.tenant, inherited.above_tenant) AS tenant,
    COALESCE(inherited.customer, inherited.above_customer) AS customer,
    COALESCE(inherited.team, inherited.above_team) AS team,
    COALESCE(inherited.feature, inherited.above_feature) AS feature,
    COALESCE(inherited.endpoint, inherited.above_endpoint) AS endpoint,
    COALESCE(inherited.workflow, inherited.above_workflow) AS workflow,
    COALESCE(inherited.agent, inherited.above_agent) AS agent,
    COALESCE(inherited.agent_step, inherited.above_agent_step) AS agent_step,
    COALESCE(inherited.environment, inherited.above_environment) AS environment,
    COALESCE(inherited.session_id, inherited.above_session_id) AS session_id,
    COALESCE(inherited.given_user_id, inherited.above_given_user_id) AS given_user_id,
    COALESCE(inherited.given_tenant, inherited.above_given_tenant) AS given_tenant,
    COALESCE(inherited.given_customer, inherited.above_given_customer) AS given_customer,
    COALESCE(inherited.given_team, inherited.above_given_team) AS given_team,
    COALESCE(inherited.given_feature, inherited.above_given_feature) AS given_feature,
    COALESCE(inherited.given_endpoint, inherited.above_given_endpoint) AS given_endpoint,
    COALESCE(inherited.given_workflow, inherited.above_given_workflow) AS given_workflow,
    COALESCE(inherited.given_agent, inherited.above_given_agent) AS given_agent,
    COALESCE(inherited.given_agent_step, inherited.above_given_agent_step) AS given_agent_step,
    COALESCE(inherited.given_environment, inherited.above_given_environment) AS given_environment,
    COALESCE(inherited.given_session_id, inherited.above_given_session_id) AS given_session_id
  FROM inherited
), told AS (
  SELECT
    found.span_date,
    found.trace_id,
    found.span_id,
    found.x_source,
    found.is_cut,
    ',' || CASE
      WHEN found.user_id IS NULL AND NOT found.given_user_id IS NULL
      THEN 'user_id,'
      ELSE ''
    END || CASE
      WHEN found.tenant IS NULL AND NOT found.given_tenant IS NULL
      THEN 'tenant,'
      ELSE ''
    END || CASE
      WHEN found.customer IS NULL AND NOT found.given_customer IS NULL
      THEN 'customer,'
      ELSE ''
    END || CASE
      WHEN found.team IS NULL AND NOT found.given_team IS NULL
      THEN 'team,'
      ELSE ''
    END || CASE
      WHEN found.feature IS NULL AND NOT found.given_feature IS NULL
      THEN 'feature,'
      ELSE ''
    END || CASE
      WHEN found.endpoint IS NULL AND NOT found.given_endpoint IS NULL
      THEN 'endpoint,'
      ELSE ''
    END || CASE
      WHEN found.workflow IS NULL AND NOT found.given_workflow IS NULL
      THEN 'workflow,'
      ELSE ''
    END || CASE
      WHEN found.agent IS NULL AND NOT found.given_agent IS NULL
      THEN 'agent,'
      ELSE ''
    END || CASE
      WHEN found.agent_step IS NULL AND NOT found.given_agent_step IS NULL
      THEN 'agent_step,'
      ELSE ''
    END || CASE
      WHEN found.environment IS NULL AND NOT found.given_environment IS NULL
      THEN 'environment,'
      ELSE ''
    END || CASE
      WHEN found.session_id IS NULL AND NOT found.given_session_id IS NULL
      THEN 'session_id,'
      ELSE ''
    END AS resource_keys,
    COALESCE(found.user_id, found.given_user_id) AS user_id,
    COALESCE(found.tenant, found.given_tenant) AS tenant,
    COALESCE(found.customer, found.given_customer) AS customer,
    COALESCE(found.team, found.given_team) AS team,
    COALESCE(found.feature, found.given_feature) AS feature,
    COALESCE(found.endpoint, found.given_endpoint) AS endpoint,
    COALESCE(found.workflow, found.given_workflow) AS workflow,
    COALESCE(found.agent, found.given_agent) AS agent,
    COALESCE(found.agent_step, found.given_agent_step) AS agent_step,
    COALESCE(found.environment, found.given_environment) AS environment,
    COALESCE(found.session_id, found.given_session_id) AS session_id
  FROM found
), links AS (
  SELECT
    told.span_date,
    told.trace_id,
    told.span_id,
    MAX(CASE WHEN told.is_cut THEN 1 ELSE 0 END) AS cuts,
    MAX(told.x_source) AS x_source,
    MAX(told.resource_keys) AS resource_keys,
    MAX(told.user_id) AS user_id,
    MAX(told.tenant) AS tenant,
    MAX(told.customer) AS customer,
    MAX(told.team) AS team,
    MAX(told.feature) AS feature,
    MAX(told.endpoint) AS endpoint,
    MAX(told.workflow) AS workflow,
    MAX(told.agent) AS agent,
    MAX(told.agent_step) AS agent_step,
    MAX(told.environment) AS environment,
    MAX(told.session_id) AS session_id
  FROM told
  GROUP BY
    told.span_date,
    told.trace_id,
    told.span_id
  HAVING
    NOT MAX(told.span_id) IS NULL
), stated_steps AS (
  SELECT
    calls.x_source,
    calls.trace_id,
    calls.span_id,
    CAST(calls.started_at AS DATE) AS span_date,
    CASE WHEN calls.usage_source <> 'none' THEN 1 ELSE 0 END AS usages,
    calls.enclosing_call_span_id AS above_span_id,
    CAST(calls.started_at AS DATE) AS first_date,
    CAST(calls.started_at AS DATE) AS last_date
  FROM lake.requests AS calls
  WHERE
    NOT calls.enclosing_call_span_id IS NULL AND calls.emitter_kind = 'span'
  UNION ALL
  SELECT
    calls.x_source,
    calls.trace_id,
    calls.span_id,
    reached.span_date,
    CASE WHEN calls.usage_source <> 'none' THEN 1 ELSE 0 END AS usages,
    reached.call_span_id AS above_span_id,
    reached.first_date,
    reached.last_date
  FROM lake.requests AS calls
  INNER JOIN reached
    ON calls.trace_id = reached.trace_id
    AND calls.unresolved_parent_span_id = reached.exit_span_id
    AND CAST(calls.started_at AS DATE) = reached.span_date
  WHERE
    NOT calls.unresolved_parent_span_id IS NULL
    AND calls.enclosing_call_span_id IS NULL
    AND NOT reached.call_span_id IS NULL
    AND calls.emitter_kind = 'span'
), steps AS (
  SELECT
    stated_steps.trace_id,
    stated_steps.span_id,
    MAX(stated_steps.x_source) AS x_source,
    MAX(stated_steps.span_date) AS span_date,
    MAX(stated_steps.usages) AS usages,
    MIN(stated_steps.above_span_id) AS above_span_id,
    MIN(stated_steps.first_date) AS first_date,
    MAX(stated_steps.last_date) AS last_date
  FROM stated_steps
  GROUP BY
    stated_steps.trace_id,
    stated_steps.span_id
  HAVING
    NOT MAX(stated_steps.span_id) IS NULL
), enclosing_ids AS (
  SELECT
    steps.trace_id,
    steps.above_span_id
  FROM steps
  GROUP BY
    steps.trace_id,
    steps.above_span_id
), enclosing_calls AS (
  SELECT
    calls.trace_id,
    calls.span_id,
    CAST(MAX(CASE WHEN calls.emitter_kind = 'span' THEN calls.started_at END) AS DATE) AS span_date,
    MAX(
      CASE
        WHEN calls.emitter_kind = 'span' AND calls.usage_source <> 'none'
        THEN 1
        ELSE 0
      END
    ) AS usages
  FROM lake.requests AS calls
  INNER JOIN enclosing_ids
    ON calls.trace_id = enclosing_ids.trace_id
    AND calls.span_id = enclosing_ids.above_span_id
  GROUP BY
    calls.trace_id,
    calls.span_id
  HAVING
    MAX(CASE WHEN calls.emitter_kind = 'span' THEN 1 ELSE 0 END) = 1
), enclosing AS (
  SELECT
    enclosing_calls.trace_id,
    enclosing_calls.span_id,
    enclosing_calls.span_date,
    enclosing_calls.usages,
    steps.above_span_id,
    LEAST(enclosing_calls.span_date, COALESCE(steps.first_date, enclosing_calls.span_date)) AS first_date,
    GREATEST(enclosing_calls.span_date, COALESCE(steps.last_date, enclosing_calls.span_date)) AS last_date
  FROM enclosing_calls
  LEFT JOIN steps
    ON enclosing_calls.trace_id = steps.trace_id
    AND enclosing_calls.span_id = steps.span_id
), nested AS (
  SELECT
    steps.trace_id,
    steps.span_id,
    steps.x_source,
    steps.span_date,
    steps.usages,
    1 AS levels,
    enclosing.span_id AS around_span_id,
    enclosing.span_date AS around_date,
    enclosing.usages AS around_usages,
    enclosing.above_span_id,
    LEAST(steps.first_date, enclosing.span_date) AS first_date,
    GREATEST(steps.last_date, enclosing.span_date) AS last_date,
    LEAST(steps.first_date, enclosing.first_date) AS next_first_date,
    GREATEST(steps.last_date, enclosing.last_date) AS next_last_date
  FROM steps
  INNER JOIN enclosing
    ON steps.trace_id = enclosing.trace_id AND steps.above_span_id = enclosing.span_id
  WHERE
    DATEDIFF(DAY, steps.first_date, enclosing.span_date) < 2
    AND DATEDIFF(DAY, enclosing.span_date, steps.last_date) < 2
  UNION ALL
  SELECT
    nested.trace_id,
    nested.span_id,
    nested.x_source,
    nested.span_date,
    nested.usages,
    nested.levels + 1 AS levels,
    enclosing.span_id AS around_span_id,
    enclosing.span_date AS around_date,
    enclosing.usages AS around_usages,
    enclosing.above_span_id,
    LEAST(nested.next_first_date, enclosing.span_date) AS first_date,
    GREATEST(nested.next_last_date, enclosing.span_date) AS last_date,
    LEAST(nested.next_first_date, enclosing.first_date) AS next_first_date,
    GREATEST(nested.next_last_date, enclosing.last_date) AS next_last_date
  FROM nested
  INNER JOIN enclosing
    ON nested.trace_id = enclosing.trace_id AND nested.above_span_id = enclosing.span_id
  WHERE
    nested.levels < 64
    AND DATEDIFF(DAY, nested.next_first_date, nested.next_last_date) < 2
    AND DATEDIFF(DAY, nested.next_first_date, enclosing.span_date) < 2
    AND DATEDIFF(DAY, enclosing.span_date, nested.next_last_date) < 2
), undecided AS (
  SELECT
    nested.trace_id,
    nested.span_id
  FROM nested
  WHERE
    nested.around_span_id = nested.span_id
    OR (
      nested.levels = 64 AND NOT nested.above_span_id IS NULL
    )
  GROUP BY
    nested.trace_id,
    nested.span_id
), settled AS (
  SELECT
    nested.*
  FROM nested
  LEFT JOIN undecided
    ON nested.trace_id = undecided.trace_id AND nested.span_id = undecided.span_id
  LEFT JOIN undecided AS undecided_around
    ON nested.trace_id = undecided_around.trace_id
    AND nested.around_span_id = undecided_around.span_id
  WHERE
    undecided.span_id IS NULL AND undecided_around.span_id IS NULL
), wrappers AS (
  SELECT
    settled.trace_id,
    settled.around_span_id AS span_id,
    settled.around_date AS span_date,
    settled.first_date,
    settled.last_date
  FROM settled
  WHERE
    settled.usages = 1
  GROUP BY
    settled.trace_id,
    settled.around_span_id,
    settled.around_date,
    settled.first_date,
    settled.last_date
), inside_usage AS (
  SELECT
    settled.*,
    ROW_NUMBER() OVER (PARTITION BY settled.trace_id, settled.span_id ORDER BY settled.levels NULLS LAST) AS usage_rank
  FROM settled
  WHERE
    settled.usages = 0 AND settled.around_usages = 1
), echoes AS (
  SELECT
    inside_usage.trace_id,
    inside_usage.span_id,
    inside_usage.span_date
  FROM inside_usage
  LEFT JOIN wrappers
    ON inside_usage.trace_id = wrappers.trace_id
    AND inside_usage.around_span_id = wrappers.span_id
    AND DATEDIFF(DAY, wrappers.first_date, inside_usage.span_date) < 2
    AND DATEDIFF(DAY, inside_usage.span_date, wrappers.last_date) < 2
  WHERE
    inside_usage.usage_rank = 1 AND wrappers.span_id IS NULL
), rows_told AS (
  SELECT
    links.span_date,
    links.trace_id,
    links.span_id,
    0 AS repeats,
    links.cuts,
    links.x_source,
    links.resource_keys,
    links.user_id,
    links.tenant,
    links.customer,
    links.team,
    links.feature,
    links.endpoint,
    links.workflow,
    links.agent,
    links.agent_step,
    links.environment,
    links.session_id
  FROM links
  UNION ALL
  SELECT
    wrappers.span_date,
    wrappers.trace_id,
    wrappers.span_id,
    1 AS repeats,
    0 AS cuts,
    CAST(NULL AS STRING) AS x_source,
    CAST(NULL AS STRING) AS resource_keys,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    CAST(NULL AS STRING) AS environment,
    CAST(NULL AS STRING) AS session_id
  FROM wrappers
  UNION ALL
  SELECT
    echoes.span_date,
    echoes.trace_id,
    echoes.span_id,
    1 AS repeats,
    0 AS cuts,
    CAST(NULL AS STRING) AS x_source,
    CAST(NULL AS STRING) AS resource_keys,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    CAST(NULL AS STRING) AS environment,
    CAST(NULL AS STRING) AS session_id
  FROM echoes
  UNION ALL
  SELECT
    nested.span_date,
    nested.trace_id,
    nested.span_id,
    0 AS repeats,
    1 AS cuts,
    nested.x_source,
    CAST(NULL AS STRING) AS resource_keys,
    CAST(NULL AS STRING) AS user_id,
    CAST(NULL AS STRING) AS tenant,
    CAST(NULL AS STRING) AS customer,
    CAST(NULL AS STRING) AS team,
    CAST(NULL AS STRING) AS feature,
    CAST(NULL AS STRING) AS endpoint,
    CAST(NULL AS STRING) AS workflow,
    CAST(NULL AS STRING) AS agent,
    CAST(NULL AS STRING) AS agent_step,
    CAST(NULL AS STRING) AS environment,
    CAST(NULL AS STRING) AS session_id
  FROM nested
  WHERE
    nested.levels = 64 AND NOT nested.above_span_id IS NULL
)
SELECT
  rows_told.span_date,
  rows_told.trace_id,
  rows_told.span_id,
  MAX(rows_told.repeats) = 1 AS is_wrapper,
  MAX(rows_told.cuts) = 1 AS is_cut,
  MAX(rows_told.x_source) AS x_source,
  MAX(rows_told.resource_keys) AS resource_keys,
  MAX(rows_told.user_id) AS user_id,
  MAX(rows_told.tenant) AS tenant,
  MAX(rows_told.customer) AS customer,
  MAX(rows_told.team) AS team,
  MAX(rows_told.feature) AS feature,
  MAX(rows_told.endpoint) AS endpoint,
  MAX(rows_told.workflow) AS workflow,
  MAX(rows_told.agent) AS agent,
  MAX(rows_told.agent_step) AS agent_step,
  MAX(rows_told.environment) AS environment,
  MAX(rows_told.session_id) AS session_id
FROM rows_told
WHERE
  rows_told.span_date >= CAST(:start AS DATE)
  AND rows_told.span_date < CAST(:end AS DATE)
GROUP BY
  rows_told.span_date,
  rows_told.trace_id,
  rows_told.span_id
