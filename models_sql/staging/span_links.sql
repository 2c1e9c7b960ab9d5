/*
description: >
    What a span is only known to be together with spans of other files: a model call that repeats another one, and
    values of attribution keys that ancestors in other files carry. Only spans that need it are here, model calls
    and others; join on span_date (the UTC day a span starts), trace_id and span_id. A key's value replaces the
    span's own one where it is not null, and resource_keys replaces the span's own list. A call with a call below
    it that reports usage is a wrapper; so is a call without usage inside one that has it and is no wrapper. A
    chain of parents is followed over at most 64 files, 64 calls and two neighbouring days; a loop decides nothing.
grain: [span_date, trace_id, span_id]
materialized: table
partition_by: {column: span_date, unit: day}
reads:
    lake.requests: {days_before: 1, days_after: 1}
    lake.spans: {days_before: 1, days_after: 1}
columns:
    span_date: null
    trace_id: null
    span_id: null
    is_wrapper: null
    is_cut: null
    x_source: a source that tells of the span
    resource_keys: null
    user_id: null
    tenant: null
    customer: null
    team: null
    feature: null
    endpoint: null
    workflow: null
    agent: null
    agent_step: null
    environment: null
    session_id: null
*/
with recursive

/*
Spans that hang in another file's tree, or that such spans hang below: all others are settled already. The log is read
anew for every question, in a few columns: held for all of them, it would cost a company without such spans the most. The
questions ask for columns that are hardly ever filled, and for no other: a file without such a value is then not read.
Rows without a span id are left out once they are grouped.
*/
leaving as (
    select
        calls.x_source,
        calls.trace_id,
        calls.span_id,
        cast(calls.started_at as date) as span_date,
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
    from lake.requests as calls
    where calls.unresolved_parent_span_id is not null and calls.emitter_kind = 'span'
    union all
    select
        other_spans.x_source,
        other_spans.trace_id,
        other_spans.span_id,
        cast(other_spans.started_at as date) as span_date,
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
    from lake.spans as other_spans
    where other_spans.unresolved_parent_span_id is not null
),

exits as (
    select
        leaving.trace_id,
        leaving.unresolved_parent_span_id as exit_span_id,
        leaving.span_date
    from leaving
    group by leaving.trace_id, leaving.unresolved_parent_span_id, leaving.span_date
),

exit_spans as (
    select
        exits.trace_id,
        exits.exit_span_id
    from exits
    group by exits.trace_id, exits.exit_span_id
),

entered as (
    select
        calls.trace_id,
        calls.span_id,
        calls.started_at,
        coalesce(calls.ended_at, calls.started_at) as ended_at,
        calls.x_snapshot_id,
        calls.span_id as call_span_id,
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
    from lake.requests as calls
    inner join exit_spans
        on calls.trace_id = exit_spans.trace_id
        and calls.span_id = exit_spans.exit_span_id
    where calls.emitter_kind = 'span'
    union all
    select
        other_spans.trace_id,
        other_spans.span_id,
        other_spans.started_at,
        coalesce(other_spans.ended_at, other_spans.started_at) as ended_at,
        other_spans.x_snapshot_id,
        other_spans.enclosing_call_span_id as call_span_id,
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
    from lake.spans as other_spans
    inner join exit_spans
        on other_spans.trace_id = exit_spans.trace_id
        and other_spans.span_id = exit_spans.exit_span_id
),

ranked as (
    select
        entered.*,
        row_number() over (
            partition by entered.trace_id, entered.span_id
            order by
                entered.ended_at desc,
                entered.started_at asc,
                entered.x_snapshot_id asc,
                entered.call_span_id asc
        ) as entry_rank
    from entered
),

/* A file's part of a chain of parents: where it is entered, what it says, and where it is left. */
entries as (
    select
        ranked.trace_id,
        ranked.span_id,
        cast(ranked.started_at as date) as span_date,
        ranked.call_span_id,
        ranked.unresolved_parent_span_id,
        case when ranked.resource_keys like '%,user_id,%' then null else ranked.user_id end as user_id,
        case when ranked.resource_keys like '%,tenant,%' then null else ranked.tenant end as tenant,
        case when ranked.resource_keys like '%,customer,%' then null else ranked.customer end as customer,
        case when ranked.resource_keys like '%,team,%' then null else ranked.team end as team,
        case when ranked.resource_keys like '%,feature,%' then null else ranked.feature end as feature,
        case when ranked.resource_keys like '%,endpoint,%' then null else ranked.endpoint end as endpoint,
        case when ranked.resource_keys like '%,workflow,%' then null else ranked.workflow end as workflow,
        case when ranked.resource_keys like '%,agent,%' then null else ranked.agent end as agent,
        case when ranked.resource_keys like '%,agent_step,%' then null else ranked.agent_step end
            as agent_step,
        case when ranked.resource_keys like '%,environment,%' then null else ranked.environment end
            as environment,
        case when ranked.resource_keys like '%,session_id,%' then null else ranked.session_id end
            as session_id,
        case when ranked.resource_keys like '%,user_id,%' then ranked.user_id end as given_user_id,
        case when ranked.resource_keys like '%,tenant,%' then ranked.tenant end as given_tenant,
        case when ranked.resource_keys like '%,customer,%' then ranked.customer end as given_customer,
        case when ranked.resource_keys like '%,team,%' then ranked.team end as given_team,
        case when ranked.resource_keys like '%,feature,%' then ranked.feature end as given_feature,
        case when ranked.resource_keys like '%,endpoint,%' then ranked.endpoint end as given_endpoint,
        case when ranked.resource_keys like '%,workflow,%' then ranked.workflow end as given_workflow,
        case when ranked.resource_keys like '%,agent,%' then ranked.agent end as given_agent,
        case when ranked.resource_keys like '%,agent_step,%' then ranked.agent_step end as given_agent_step,
        case when ranked.resource_keys like '%,environment,%' then ranked.environment end
            as given_environment,
        case when ranked.resource_keys like '%,session_id,%' then ranked.session_id end as given_session_id
    from ranked
    where ranked.entry_rank = 1
),

walk as (
    select
        exits.trace_id,
        exits.exit_span_id,
        exits.span_date,
        1 as crossings,
        least(exits.span_date, entries.span_date) as first_date,
        greatest(exits.span_date, entries.span_date) as last_date,
        entries.unresolved_parent_span_id as next_span_id,
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
    from exits
    inner join entries
        on exits.trace_id = entries.trace_id
        and exits.exit_span_id = entries.span_id
    where date_diff('day', exits.span_date, entries.span_date) between -1 and 1
    union all
    select
        walk.trace_id,
        walk.exit_span_id,
        walk.span_date,
        walk.crossings + 1 as crossings,
        least(walk.first_date, entries.span_date) as first_date,
        greatest(walk.last_date, entries.span_date) as last_date,
        entries.unresolved_parent_span_id as next_span_id,
        coalesce(walk.call_span_id, entries.call_span_id) as call_span_id,
        coalesce(walk.user_id, entries.user_id) as user_id,
        coalesce(walk.tenant, entries.tenant) as tenant,
        coalesce(walk.customer, entries.customer) as customer,
        coalesce(walk.team, entries.team) as team,
        coalesce(walk.feature, entries.feature) as feature,
        coalesce(walk.endpoint, entries.endpoint) as endpoint,
        coalesce(walk.workflow, entries.workflow) as workflow,
        coalesce(walk.agent, entries.agent) as agent,
        coalesce(walk.agent_step, entries.agent_step) as agent_step,
        coalesce(walk.environment, entries.environment) as environment,
        coalesce(walk.session_id, entries.session_id) as session_id,
        coalesce(walk.given_user_id, entries.given_user_id) as given_user_id,
        coalesce(walk.given_tenant, entries.given_tenant) as given_tenant,
        coalesce(walk.given_customer, entries.given_customer) as given_customer,
        coalesce(walk.given_team, entries.given_team) as given_team,
        coalesce(walk.given_feature, entries.given_feature) as given_feature,
        coalesce(walk.given_endpoint, entries.given_endpoint) as given_endpoint,
        coalesce(walk.given_workflow, entries.given_workflow) as given_workflow,
        coalesce(walk.given_agent, entries.given_agent) as given_agent,
        coalesce(walk.given_agent_step, entries.given_agent_step) as given_agent_step,
        coalesce(walk.given_environment, entries.given_environment) as given_environment,
        coalesce(walk.given_session_id, entries.given_session_id) as given_session_id
    from walk
    inner join entries
        on walk.trace_id = entries.trace_id
        and walk.next_span_id = entries.span_id
    where walk.crossings < 64
        and date_diff('day', walk.first_date, entries.span_date) < 2
        and date_diff('day', entries.span_date, walk.last_date) < 2
),

ranked_walk as (
    select
        walk.*,
        row_number() over (
            partition by walk.trace_id, walk.exit_span_id, walk.span_date
            order by walk.crossings desc
        ) as walk_rank
    from walk
),

/* All that the other files say above an exit. */
reached as (
    select
        ranked_walk.*,
        ranked_walk.crossings = 64 and ranked_walk.next_span_id is not null as is_cut
    from ranked_walk
    where ranked_walk.walk_rank = 1
),

inherited as (
    select
        leaving.span_date,
        leaving.trace_id,
        leaving.span_id,
        leaving.x_source,
        reached.is_cut,
        case when leaving.resource_keys like '%,user_id,%' then null else leaving.user_id end as user_id,
        case when leaving.resource_keys like '%,tenant,%' then null else leaving.tenant end as tenant,
        case when leaving.resource_keys like '%,customer,%' then null else leaving.customer end as customer,
        case when leaving.resource_keys like '%,team,%' then null else leaving.team end as team,
        case when leaving.resource_keys like '%,feature,%' then null else leaving.feature end as feature,
        case when leaving.resource_keys like '%,endpoint,%' then null else leaving.endpoint end as endpoint,
        case when leaving.resource_keys like '%,workflow,%' then null else leaving.workflow end as workflow,
        case when leaving.resource_keys like '%,agent,%' then null else leaving.agent end as agent,
        case when leaving.resource_keys like '%,agent_step,%' then null else leaving.agent_step end
            as agent_step,
        case when leaving.resource_keys like '%,environment,%' then null else leaving.environment end
            as environment,
        case when leaving.resource_keys like '%,session_id,%' then null else leaving.session_id end
            as session_id,
        case when leaving.resource_keys like '%,user_id,%' then leaving.user_id end as given_user_id,
        case when leaving.resource_keys like '%,tenant,%' then leaving.tenant end as given_tenant,
        case when leaving.resource_keys like '%,customer,%' then leaving.customer end as given_customer,
        case when leaving.resource_keys like '%,team,%' then leaving.team end as given_team,
        case when leaving.resource_keys like '%,feature,%' then leaving.feature end as given_feature,
        case when leaving.resource_keys like '%,endpoint,%' then leaving.endpoint end as given_endpoint,
        case when leaving.resource_keys like '%,workflow,%' then leaving.workflow end as given_workflow,
        case when leaving.resource_keys like '%,agent,%' then leaving.agent end as given_agent,
        case when leaving.resource_keys like '%,agent_step,%' then leaving.agent_step end as given_agent_step,
        case when leaving.resource_keys like '%,environment,%' then leaving.environment end
            as given_environment,
        case when leaving.resource_keys like '%,session_id,%' then leaving.session_id end as given_session_id,
        reached.user_id as above_user_id,
        reached.tenant as above_tenant,
        reached.customer as above_customer,
        reached.team as above_team,
        reached.feature as above_feature,
        reached.endpoint as above_endpoint,
        reached.workflow as above_workflow,
        reached.agent as above_agent,
        reached.agent_step as above_agent_step,
        reached.environment as above_environment,
        reached.session_id as above_session_id,
        reached.given_user_id as above_given_user_id,
        reached.given_tenant as above_given_tenant,
        reached.given_customer as above_given_customer,
        reached.given_team as above_given_team,
        reached.given_feature as above_given_feature,
        reached.given_endpoint as above_given_endpoint,
        reached.given_workflow as above_given_workflow,
        reached.given_agent as above_given_agent,
        reached.given_agent_step as above_given_agent_step,
        reached.given_environment as above_given_environment,
        reached.given_session_id as above_given_session_id
    from leaving
    inner join reached
        on leaving.trace_id = reached.trace_id
        and leaving.unresolved_parent_span_id = reached.exit_span_id
        and leaving.span_date = reached.span_date
    where reached.is_cut
        or reached.user_id is not null
        or reached.tenant is not null
        or reached.customer is not null
        or reached.team is not null
        or reached.feature is not null
        or reached.endpoint is not null
        or reached.workflow is not null
        or reached.agent is not null
        or reached.agent_step is not null
        or reached.environment is not null
        or reached.session_id is not null
        or reached.given_user_id is not null
        or reached.given_tenant is not null
        or reached.given_customer is not null
        or reached.given_team is not null
        or reached.given_feature is not null
        or reached.given_endpoint is not null
        or reached.given_workflow is not null
        or reached.given_agent is not null
        or reached.given_agent_step is not null
        or reached.given_environment is not null
        or reached.given_session_id is not null
),

found as (
    select
        inherited.span_date,
        inherited.trace_id,
        inherited.span_id,
        inherited.x_source,
        inherited.is_cut,
        coalesce(inherited.user_id, inherited.above_user_id) as user_id,
        coalesce(inherited.tenant, inherited.above_tenant) as tenant,
        coalesce(inherited.customer, inherited.above_customer) as customer,
        coalesce(inherited.team, inherited.above_team) as team,
        coalesce(inherited.feature, inherited.above_feature) as feature,
        coalesce(inherited.endpoint, inherited.above_endpoint) as endpoint,
        coalesce(inherited.workflow, inherited.above_workflow) as workflow,
        coalesce(inherited.agent, inherited.above_agent) as agent,
        coalesce(inherited.agent_step, inherited.above_agent_step) as agent_step,
        coalesce(inherited.environment, inherited.above_environment) as environment,
        coalesce(inherited.session_id, inherited.above_session_id) as session_id,
        coalesce(inherited.given_user_id, inherited.above_given_user_id) as given_user_id,
        coalesce(inherited.given_tenant, inherited.above_given_tenant) as given_tenant,
        coalesce(inherited.given_customer, inherited.above_given_customer) as given_customer,
        coalesce(inherited.given_team, inherited.above_given_team) as given_team,
        coalesce(inherited.given_feature, inherited.above_given_feature) as given_feature,
        coalesce(inherited.given_endpoint, inherited.above_given_endpoint) as given_endpoint,
        coalesce(inherited.given_workflow, inherited.above_given_workflow) as given_workflow,
        coalesce(inherited.given_agent, inherited.above_given_agent) as given_agent,
        coalesce(inherited.given_agent_step, inherited.above_given_agent_step) as given_agent_step,
        coalesce(inherited.given_environment, inherited.above_given_environment) as given_environment,
        coalesce(inherited.given_session_id, inherited.above_given_session_id) as given_session_id
    from inherited
),

told as (
    select
        found.span_date,
        found.trace_id,
        found.span_id,
        found.x_source,
        found.is_cut,
        ','
        || case when found.user_id is null and found.given_user_id is not null then 'user_id,' else '' end
        || case when found.tenant is null and found.given_tenant is not null then 'tenant,' else '' end
        || case when found.customer is null and found.given_customer is not null then 'customer,' else '' end
        || case when found.team is null and found.given_team is not null then 'team,' else '' end
        || case when found.feature is null and found.given_feature is not null then 'feature,' else '' end
        || case when found.endpoint is null and found.given_endpoint is not null then 'endpoint,' else '' end
        || case when found.workflow is null and found.given_workflow is not null then 'workflow,' else '' end
        || case when found.agent is null and found.given_agent is not null then 'agent,' else '' end
        || case
            when found.agent_step is null and found.given_agent_step is not null then 'agent_step,' else ''
        end
        || case
            when found.environment is null and found.given_environment is not null then 'environment,' else ''
        end
        || case
            when found.session_id is null and found.given_session_id is not null then 'session_id,' else ''
        end
            as resource_keys,
        coalesce(found.user_id, found.given_user_id) as user_id,
        coalesce(found.tenant, found.given_tenant) as tenant,
        coalesce(found.customer, found.given_customer) as customer,
        coalesce(found.team, found.given_team) as team,
        coalesce(found.feature, found.given_feature) as feature,
        coalesce(found.endpoint, found.given_endpoint) as endpoint,
        coalesce(found.workflow, found.given_workflow) as workflow,
        coalesce(found.agent, found.given_agent) as agent,
        coalesce(found.agent_step, found.given_agent_step) as agent_step,
        coalesce(found.environment, found.given_environment) as environment,
        coalesce(found.session_id, found.given_session_id) as session_id
    from found
),

/* One row a span, whatever files tell of it: what they tell is the same once it is complete. */
links as (
    select
        told.span_date,
        told.trace_id,
        told.span_id,
        max(case when told.is_cut then 1 else 0 end) as cuts,
        max(told.x_source) as x_source,
        max(told.resource_keys) as resource_keys,
        max(told.user_id) as user_id,
        max(told.tenant) as tenant,
        max(told.customer) as customer,
        max(told.team) as team,
        max(told.feature) as feature,
        max(told.endpoint) as endpoint,
        max(told.workflow) as workflow,
        max(told.agent) as agent,
        max(told.agent_step) as agent_step,
        max(told.environment) as environment,
        max(told.session_id) as session_id
    from told
    group by told.span_date, told.trace_id, told.span_id
    having max(told.span_id) is not null
),

/* From a call to the nearest call around it, in its own file or above the exit of its file. */
stated_steps as (
    select
        calls.x_source,
        calls.trace_id,
        calls.span_id,
        cast(calls.started_at as date) as span_date,
        case when calls.usage_source <> 'none' then 1 else 0 end as usages,
        calls.enclosing_call_span_id as above_span_id,
        cast(calls.started_at as date) as first_date,
        cast(calls.started_at as date) as last_date
    from lake.requests as calls
    where calls.enclosing_call_span_id is not null and calls.emitter_kind = 'span'
    union all
    select
        calls.x_source,
        calls.trace_id,
        calls.span_id,
        reached.span_date,
        case when calls.usage_source <> 'none' then 1 else 0 end as usages,
        reached.call_span_id as above_span_id,
        reached.first_date,
        reached.last_date
    from lake.requests as calls
    inner join reached
        on calls.trace_id = reached.trace_id
        and calls.unresolved_parent_span_id = reached.exit_span_id
        and cast(calls.started_at as date) = reached.span_date
    where calls.unresolved_parent_span_id is not null
        and calls.enclosing_call_span_id is null and reached.call_span_id is not null
        and calls.emitter_kind = 'span'
),

steps as (
    select
        stated_steps.trace_id,
        stated_steps.span_id,
        max(stated_steps.x_source) as x_source,
        max(stated_steps.span_date) as span_date,
        max(stated_steps.usages) as usages,
        min(stated_steps.above_span_id) as above_span_id,
        min(stated_steps.first_date) as first_date,
        max(stated_steps.last_date) as last_date
    from stated_steps
    group by stated_steps.trace_id, stated_steps.span_id
    having max(stated_steps.span_id) is not null
),

enclosing_ids as (
    select
        steps.trace_id,
        steps.above_span_id
    from steps
    group by steps.trace_id, steps.above_span_id
),

/* What is no span is left out after the join, so that an engine never thinks the log the smaller side. */
enclosing_calls as (
    select
        calls.trace_id,
        calls.span_id,
        cast(max(case when calls.emitter_kind = 'span' then calls.started_at end) as date) as span_date,
        max(
            case when calls.emitter_kind = 'span' and calls.usage_source <> 'none' then 1 else 0 end
        ) as usages
    from lake.requests as calls
    inner join enclosing_ids
        on calls.trace_id = enclosing_ids.trace_id
        and calls.span_id = enclosing_ids.above_span_id
    group by calls.trace_id, calls.span_id
    having max(case when calls.emitter_kind = 'span' then 1 else 0 end) = 1
),

enclosing as (
    select
        enclosing_calls.trace_id,
        enclosing_calls.span_id,
        enclosing_calls.span_date,
        enclosing_calls.usages,
        steps.above_span_id,
        least(enclosing_calls.span_date, coalesce(steps.first_date, enclosing_calls.span_date)) as first_date,
        greatest(enclosing_calls.span_date, coalesce(steps.last_date, enclosing_calls.span_date)) as last_date
    from enclosing_calls
    left join steps
        on enclosing_calls.trace_id = steps.trace_id
        and enclosing_calls.span_id = steps.span_id
),

nested as (
    select
        steps.trace_id,
        steps.span_id,
        steps.x_source,
        steps.span_date,
        steps.usages,
        1 as levels,
        enclosing.span_id as around_span_id,
        enclosing.span_date as around_date,
        enclosing.usages as around_usages,
        enclosing.above_span_id,
        least(steps.first_date, enclosing.span_date) as first_date,
        greatest(steps.last_date, enclosing.span_date) as last_date,
        least(steps.first_date, enclosing.first_date) as next_first_date,
        greatest(steps.last_date, enclosing.last_date) as next_last_date
    from steps
    inner join enclosing
        on steps.trace_id = enclosing.trace_id
        and steps.above_span_id = enclosing.span_id
    where date_diff('day', steps.first_date, enclosing.span_date) < 2
        and date_diff('day', enclosing.span_date, steps.last_date) < 2
    union all
    select
        nested.trace_id,
        nested.span_id,
        nested.x_source,
        nested.span_date,
        nested.usages,
        nested.levels + 1 as levels,
        enclosing.span_id as around_span_id,
        enclosing.span_date as around_date,
        enclosing.usages as around_usages,
        enclosing.above_span_id,
        least(nested.next_first_date, enclosing.span_date) as first_date,
        greatest(nested.next_last_date, enclosing.span_date) as last_date,
        least(nested.next_first_date, enclosing.first_date) as next_first_date,
        greatest(nested.next_last_date, enclosing.last_date) as next_last_date
    from nested
    inner join enclosing
        on nested.trace_id = enclosing.trace_id
        and nested.above_span_id = enclosing.span_id
    where nested.levels < 64
        and date_diff('day', nested.next_first_date, nested.next_last_date) < 2
        and date_diff('day', nested.next_first_date, enclosing.span_date) < 2
        and date_diff('day', enclosing.span_date, nested.next_last_date) < 2
),

/* Calls that are their own ancestors, or whose chain of calls has no end in sight: they decide nothing. */
undecided as (
    select
        nested.trace_id,
        nested.span_id
    from nested
    where nested.around_span_id = nested.span_id
        or (nested.levels = 64 and nested.above_span_id is not null)
    group by nested.trace_id, nested.span_id
),

settled as (
    select nested.*
    from nested
    left join undecided
        on nested.trace_id = undecided.trace_id
        and nested.span_id = undecided.span_id
    left join undecided as undecided_around
        on nested.trace_id = undecided_around.trace_id
        and nested.around_span_id = undecided_around.span_id
    where undecided.span_id is null and undecided_around.span_id is null
),

wrappers as (
    select
        settled.trace_id,
        settled.around_span_id as span_id,
        settled.around_date as span_date,
        settled.first_date,
        settled.last_date
    from settled
    where settled.usages = 1
    group by
        settled.trace_id, settled.around_span_id, settled.around_date, settled.first_date, settled.last_date
),

inside_usage as (
    select
        settled.*,
        row_number() over (
            partition by settled.trace_id, settled.span_id order by settled.levels
        ) as usage_rank
    from settled
    where settled.usages = 0 and settled.around_usages = 1
),

echoes as (
    select
        inside_usage.trace_id,
        inside_usage.span_id,
        inside_usage.span_date
    from inside_usage
    left join wrappers
        on inside_usage.trace_id = wrappers.trace_id
        and inside_usage.around_span_id = wrappers.span_id
        and date_diff('day', wrappers.first_date, inside_usage.span_date) < 2
        and date_diff('day', inside_usage.span_date, wrappers.last_date) < 2
    where inside_usage.usage_rank = 1 and wrappers.span_id is null
),

/* One row a repeated call; links of the same span are a row of the same key, so both are grouped once more. */
rows_told as (
    select
        links.span_date,
        links.trace_id,
        links.span_id,
        0 as repeats,
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
    from links
    union all
    select
        wrappers.span_date,
        wrappers.trace_id,
        wrappers.span_id,
        1 as repeats,
        0 as cuts,
        cast(null as varchar) as x_source,
        cast(null as varchar) as resource_keys,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cast(null as varchar) as environment,
        cast(null as varchar) as session_id
    from wrappers
    union all
    select
        echoes.span_date,
        echoes.trace_id,
        echoes.span_id,
        1 as repeats,
        0 as cuts,
        cast(null as varchar) as x_source,
        cast(null as varchar) as resource_keys,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cast(null as varchar) as environment,
        cast(null as varchar) as session_id
    from echoes
    union all
    select
        nested.span_date,
        nested.trace_id,
        nested.span_id,
        0 as repeats,
        1 as cuts,
        nested.x_source,
        cast(null as varchar) as resource_keys,
        cast(null as varchar) as user_id,
        cast(null as varchar) as tenant,
        cast(null as varchar) as customer,
        cast(null as varchar) as team,
        cast(null as varchar) as feature,
        cast(null as varchar) as endpoint,
        cast(null as varchar) as workflow,
        cast(null as varchar) as agent,
        cast(null as varchar) as agent_step,
        cast(null as varchar) as environment,
        cast(null as varchar) as session_id
    from nested
    where nested.levels = 64 and nested.above_span_id is not null
)

select
    rows_told.span_date,
    rows_told.trace_id,
    rows_told.span_id,
    max(rows_told.repeats) = 1 as is_wrapper,
    max(rows_told.cuts) = 1 as is_cut,
    max(rows_told.x_source) as x_source,
    max(rows_told.resource_keys) as resource_keys,
    max(rows_told.user_id) as user_id,
    max(rows_told.tenant) as tenant,
    max(rows_told.customer) as customer,
    max(rows_told.team) as team,
    max(rows_told.feature) as feature,
    max(rows_told.endpoint) as endpoint,
    max(rows_told.workflow) as workflow,
    max(rows_told.agent) as agent,
    max(rows_told.agent_step) as agent_step,
    max(rows_told.environment) as environment,
    max(rows_told.session_id) as session_id
from rows_told
where rows_told.span_date >= cast($start as date) and rows_told.span_date < cast($end as date)
group by rows_told.span_date, rows_told.trace_id, rows_told.span_id
