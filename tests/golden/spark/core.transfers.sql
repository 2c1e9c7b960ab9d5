WITH transfers AS (
  SELECT
    *
  FROM staging.transfers
  WHERE
    window_start >= CAST(:start AS TIMESTAMP_NTZ)
    AND window_start < CAST(:end AS TIMESTAMP_NTZ)
), usage AS (
  SELECT
    *
  FROM core.request_usage
  WHERE
    charge_date >= :start AND charge_date < :end
), workloads AS (
  SELECT
    *
  FROM staging.workloads
), source_ranks AS (
  SELECT
    *
  FROM reference.source_ranks
), zone_ids AS (
  SELECT
    zones.provider,
    zones.account_id,
    zones.zone_name,
    MIN(zones.zone_id) AS zone_id
  FROM staging.zones AS zones
  WHERE
    NOT zones.zone_name IS NULL
  GROUP BY
    zones.provider,
    zones.account_id,
    zones.zone_name
), zone_places AS (
  SELECT
    places.zone,
    MIN(places.provider) AS provider,
    MIN(places.region_id) AS region_id
  FROM (
    SELECT
      zones.provider,
      zones.zone_id AS zone,
      zones.region_id
    FROM staging.zones AS zones
    UNION ALL
    SELECT
      zones.provider,
      zones.zone_name AS zone,
      zones.region_id
    FROM staging.zones AS zones
  ) AS places
  WHERE
    NOT places.zone IS NULL
  GROUP BY
    places.zone
), recorders AS (
  SELECT
    seen.provider,
    seen.recorder,
    seen.window_start,
    seen.x_source,
    seen.emitter_id,
    ROW_NUMBER() OVER (
      PARTITION BY seen.provider, seen.recorder, seen.window_start
      ORDER BY COALESCE(source_ranks.source_rank, 1000000) NULLS LAST, COALESCE(seen.x_source, CHR(  30)) NULLS LAST, COALESCE(seen.emitter_id, CHR(  30)) NULLS LAST
    ) AS turn
  FROM (
    SELECT
      transfers.provider,
      transfers.seen_at AS recorder,
      transfers.window_start,
      transfers.x_source,
      transfers.emitter_id
    FROM transfers
    WHERE
      transfers.emitter_kind = 'flow_log' AND NOT transfers.seen_at IS NULL
    GROUP BY
      transfers.provider,
      transfers.seen_at,
      transfers.window_start,
      transfers.x_source,
      transfers.emitter_id
  ) AS seen
  LEFT JOIN source_ranks
    ON seen.x_source = source_ranks.source
), recorded AS (
  SELECT
    CAST(transfers.window_start AS DATE) AS charge_date,
    transfers.window_start,
    transfers.window_end,
    transfers.x_source,
    transfers.provider,
    transfers.account_id,
    transfers.traffic_kind,
    COALESCE(sending.zone_id, transfers.from_zone) AS from_zone,
    COALESCE(receiving.zone_id, transfers.to_zone) AS to_zone,
    transfers.from_workload_ref,
    transfers.to_workload_ref,
    transfers.from_ref_kind,
    transfers.to_ref_kind,
    transfers.emitter_kind,
    transfers.seen_from,
    transfers.seen_at,
    transfers.through_ref,
    transfers.bytes,
    transfers.round_trips_count,
    transfers.min_round_trip_seconds,
    CASE transfers.seen_from
      WHEN 'sender'
      THEN 1
      WHEN 'receiver'
      THEN 2
      WHEN 'passing'
      THEN 4
      ELSE 3
    END AS sight,
    CASE WHEN transfers.traffic_kind = 'nat' THEN 'nat' ELSE 'way' END AS leg
  FROM transfers
  LEFT JOIN recorders
    ON transfers.provider = recorders.provider
    AND transfers.seen_at = recorders.recorder
    AND transfers.window_start = recorders.window_start
    AND COALESCE(transfers.x_source, CHR(  30)) = COALESCE(recorders.x_source, CHR(  30))
    AND COALESCE(transfers.emitter_id, CHR(  30)) = COALESCE(recorders.emitter_id, CHR(  30))
  LEFT JOIN zone_ids AS sending
    ON transfers.provider = sending.provider
    AND transfers.account_id = sending.account_id
    AND transfers.from_zone = sending.zone_name
  LEFT JOIN zone_ids AS receiving
    ON transfers.provider = receiving.provider
    AND transfers.account_id = receiving.account_id
    AND transfers.to_zone = receiving.zone_name
  WHERE
    transfers.emitter_kind <> 'flow_log' OR COALESCE(recorders.turn, 1) = 1
), gateways AS (
  SELECT
    recorded.charge_date,
    recorded.provider,
    COALESCE(recorded.account_id, '') AS account_id,
    recorded.through_ref
  FROM recorded
  WHERE
    recorded.leg = 'nat' AND NOT recorded.through_ref IS NULL
  GROUP BY
    recorded.charge_date,
    recorded.provider,
    COALESCE(recorded.account_id, ''),
    recorded.through_ref
), own_flows AS (
  SELECT
    recorded.*,
    MIN(recorded.sight) OVER (
      PARTITION BY recorded.provider, recorded.window_start, recorded.from_workload_ref, recorded.to_workload_ref, recorded.leg
    ) AS best_sight,
    MIN(COALESCE(recorded.seen_at, '')) OVER (
      PARTITION BY recorded.provider, recorded.window_start, recorded.from_workload_ref, recorded.to_workload_ref, recorded.leg, recorded.sight
    ) AS first_seen_at,
    MAX(CASE WHEN recorded.traffic_kind = 'transit' THEN 1 ELSE 0 END) OVER (
      PARTITION BY recorded.provider, recorded.window_start, recorded.from_workload_ref, recorded.to_workload_ref, recorded.leg
    ) AS is_transit
  FROM recorded
  LEFT JOIN gateways AS sending_gateways
    ON recorded.charge_date = sending_gateways.charge_date
    AND recorded.provider = sending_gateways.provider
    AND COALESCE(recorded.account_id, '') = sending_gateways.account_id
    AND recorded.from_workload_ref = sending_gateways.through_ref
  LEFT JOIN gateways AS receiving_gateways
    ON recorded.charge_date = receiving_gateways.charge_date
    AND recorded.provider = receiving_gateways.provider
    AND COALESCE(recorded.account_id, '') = receiving_gateways.account_id
    AND recorded.to_workload_ref = receiving_gateways.through_ref
  WHERE
    recorded.emitter_kind = 'flow_log'
    AND (
      recorded.leg = 'nat'
      OR (
        sending_gateways.through_ref IS NULL AND receiving_gateways.through_ref IS NULL
      )
    )
), counted_flows AS (
  SELECT
    own_flows.*
  FROM own_flows
  WHERE
    own_flows.sight = own_flows.best_sight
    AND (
      own_flows.sight <= 2
      OR own_flows.leg = 'nat'
      OR COALESCE(own_flows.seen_at, '') = own_flows.first_seen_at
    )
), told_zones AS (
  SELECT
    recorded.charge_date,
    recorded.provider,
    recorded.account_id,
    recorded.from_workload_ref AS workload_ref,
    recorded.from_zone AS zone,
    1 AS turn
  FROM recorded
  WHERE
    recorded.emitter_kind = 'flow_log'
    AND recorded.leg = 'way'
    AND NOT recorded.from_workload_ref IS NULL
    AND NOT recorded.from_zone IS NULL
  UNION ALL
  SELECT
    recorded.charge_date,
    recorded.provider,
    recorded.account_id,
    recorded.to_workload_ref AS workload_ref,
    recorded.to_zone AS zone,
    2 AS turn
  FROM recorded
  WHERE
    recorded.emitter_kind = 'flow_log'
    AND recorded.leg = 'way'
    AND NOT recorded.to_workload_ref IS NULL
    AND NOT recorded.to_zone IS NULL
), best_zones AS (
  SELECT
    told_zones.*,
    MIN(told_zones.turn) OVER (
      PARTITION BY told_zones.charge_date, told_zones.provider, told_zones.account_id, told_zones.workload_ref
    ) AS best_turn
  FROM told_zones
), account_zones AS (
  SELECT
    best_zones.charge_date,
    best_zones.provider,
    best_zones.account_id,
    best_zones.workload_ref,
    MIN(best_zones.zone) AS zone
  FROM best_zones
  WHERE
    best_zones.turn = best_zones.best_turn
  GROUP BY
    best_zones.charge_date,
    best_zones.provider,
    best_zones.account_id,
    best_zones.workload_ref
  HAVING
    MIN(best_zones.zone) = MAX(best_zones.zone)
), lone_zones AS (
  SELECT
    account_zones.charge_date,
    account_zones.provider,
    account_zones.workload_ref,
    MIN(account_zones.zone) AS zone
  FROM account_zones
  GROUP BY
    account_zones.charge_date,
    account_zones.provider,
    account_zones.workload_ref
  HAVING
    MIN(account_zones.zone) = MAX(account_zones.zone)
), weighed AS (
  SELECT
    counted_flows.charge_date,
    counted_flows.window_start,
    counted_flows.window_end,
    counted_flows.x_source,
    counted_flows.provider,
    counted_flows.account_id,
    CASE
      WHEN counted_flows.traffic_kind IS NULL AND counted_flows.is_transit = 1
      THEN 'transit'
      ELSE counted_flows.traffic_kind
    END AS traffic_kind,
    counted_flows.from_zone,
    counted_flows.to_zone,
    counted_flows.from_workload_ref,
    counted_flows.to_workload_ref,
    counted_flows.from_ref_kind,
    counted_flows.to_ref_kind,
    counted_flows.emitter_kind,
    CASE WHEN counted_flows.seen_from = 'sender' THEN counted_flows.seen_at END AS from_seen_at,
    CASE WHEN counted_flows.seen_from = 'receiver' THEN counted_flows.seen_at END AS to_seen_at,
    counted_flows.leg,
    counted_flows.bytes,
    counted_flows.round_trips_count,
    counted_flows.min_round_trip_seconds
  FROM counted_flows
  UNION ALL
  SELECT
    recorded.charge_date,
    recorded.window_start,
    recorded.window_end,
    recorded.x_source,
    recorded.provider,
    recorded.account_id,
    recorded.traffic_kind,
    recorded.from_zone,
    recorded.to_zone,
    recorded.from_workload_ref,
    recorded.to_workload_ref,
    recorded.from_ref_kind,
    recorded.to_ref_kind,
    recorded.emitter_kind,
    CAST(NULL AS STRING) AS from_seen_at,
    CAST(NULL AS STRING) AS to_seen_at,
    recorded.leg,
    recorded.bytes,
    recorded.round_trips_count,
    recorded.min_round_trip_seconds
  FROM recorded
  WHERE
    recorded.emitter_kind <> 'flow_log'
), named AS (
  SELECT
    weighed.from_workload_ref AS workload_ref,
    weighed.from_ref_kind AS ref_kind,
    weighed.window_start,
    weighed.window_end
  FROM weighed
  WHERE
    NOT weighed.from_workload_ref IS NULL
  UNION
  SELECT
    weighed.to_workload_ref AS workload_ref,
    weighed.to_ref_kind AS ref_kind,
    weighed.window_start,
    weighed.window_end
  FROM weighed
  WHERE
    NOT weighed.to_workload_ref IS NULL
  UNION
  SELECT
    weighed.from_seen_at AS workload_ref,
    'seen_at' AS ref_kind,
    weighed.window_start,
    weighed.window_end
  FROM weighed
  WHERE
    NOT weighed.from_seen_at IS NULL
  UNION
  SELECT
    weighed.to_seen_at AS workload_ref,
    'seen_at' AS ref_kind,
    weighed.window_start,
    weighed.window_end
  FROM weighed
  WHERE
    NOT weighed.to_seen_at IS NULL
), candidates AS (
  SELECT
    named.workload_ref,
    COALESCE(named.ref_kind, '') AS ref_kind,
    named.window_start,
    named.window_end,
    workloads.feature,
    workloads.endpoint,
    workloads.team,
    workloads.environment,
    workloads.zone,
    ROW_NUMBER() OVER (
      PARTITION BY named.workload_ref, named.ref_kind, named.window_start, named.window_end
      ORDER BY CASE WHEN workloads.feature IS NULL THEN 1 ELSE 0 END NULLS LAST, CASE workloads.ref_kind WHEN 'address' THEN 3 WHEN 'pod' THEN 2 ELSE 1 END NULLS LAST, COALESCE(workloads.valid_from, CAST('1970-01-01' AS TIMESTAMP_NTZ)) NULLS LAST
    ) AS turn
  FROM named
  INNER JOIN workloads
    ON named.workload_ref = workloads.workload_ref
    AND (
      named.ref_kind IS NULL
      OR (
        named.ref_kind = 'seen_at'
        AND workloads.ref_kind IN ('eni', 'instance', 'resource')
      )
      OR (
        named.ref_kind = 'address' AND workloads.ref_kind = 'address'
      )
      OR (
        named.ref_kind = 'pod' AND workloads.ref_kind = 'pod'
      )
      OR (
        NOT named.ref_kind IN ('seen_at', 'address', 'pod')
        AND NOT workloads.ref_kind IN ('address', 'pod')
      )
    )
    AND (
      workloads.valid_from IS NULL OR named.window_end > workloads.valid_from
    )
    AND (
      workloads.valid_to IS NULL OR named.window_start < workloads.valid_to
    )
), known AS (
  SELECT
    candidates.*
  FROM candidates
  WHERE
    candidates.turn = 1
), located AS (
  SELECT
    weighed.charge_date,
    weighed.x_source,
    weighed.provider,
    weighed.account_id,
    weighed.traffic_kind,
    weighed.from_workload_ref,
    weighed.to_workload_ref,
    weighed.emitter_kind,
    weighed.leg,
    weighed.bytes,
    weighed.round_trips_count,
    weighed.min_round_trip_seconds,
    CASE
      WHEN weighed.emitter_kind <> 'flow_log'
      THEN weighed.from_zone
      ELSE COALESCE(weighed.from_zone, sending.zone, lone_sending.zone, sender_ids.zone_id, sender.zone)
    END AS from_zone,
    CASE
      WHEN weighed.emitter_kind <> 'flow_log'
      THEN weighed.to_zone
      ELSE COALESCE(
        weighed.to_zone,
        receiving.zone,
        lone_receiving.zone,
        receiver_ids.zone_id,
        receiver.zone
      )
    END AS to_zone,
    CASE
      WHEN NOT sender.feature IS NULL
      THEN 1
      WHEN NOT seen_sender.feature IS NULL
      THEN 2
      WHEN NOT receiver.feature IS NULL
      THEN 3
      WHEN NOT seen_receiver.feature IS NULL
      THEN 4
    END AS named_by,
    sender.feature AS sender_feature,
    sender.endpoint AS sender_endpoint,
    sender.team AS sender_team,
    sender.environment AS sender_environment,
    seen_sender.feature AS seen_sender_feature,
    seen_sender.endpoint AS seen_sender_endpoint,
    seen_sender.team AS seen_sender_team,
    seen_sender.environment AS seen_sender_environment,
    receiver.feature AS receiver_feature,
    receiver.endpoint AS receiver_endpoint,
    receiver.team AS receiver_team,
    receiver.environment AS receiver_environment,
    seen_receiver.feature AS seen_receiver_feature,
    seen_receiver.endpoint AS seen_receiver_endpoint,
    seen_receiver.team AS seen_receiver_team,
    seen_receiver.environment AS seen_receiver_environment
  FROM weighed
  LEFT JOIN account_zones AS sending
    ON weighed.charge_date = sending.charge_date
    AND weighed.provider = sending.provider
    AND weighed.account_id = sending.account_id
    AND weighed.from_workload_ref = sending.workload_ref
  LEFT JOIN account_zones AS receiving
    ON weighed.charge_date = receiving.charge_date
    AND weighed.provider = receiving.provider
    AND weighed.account_id = receiving.account_id
    AND weighed.to_workload_ref = receiving.workload_ref
  LEFT JOIN lone_zones AS lone_sending
    ON weighed.charge_date = lone_sending.charge_date
    AND weighed.provider = lone_sending.provider
    AND weighed.from_workload_ref = lone_sending.workload_ref
  LEFT JOIN lone_zones AS lone_receiving
    ON weighed.charge_date = lone_receiving.charge_date
    AND weighed.provider = lone_receiving.provider
    AND weighed.to_workload_ref = lone_receiving.workload_ref
  LEFT JOIN known AS sender
    ON weighed.from_workload_ref = sender.workload_ref
    AND COALESCE(weighed.from_ref_kind, '') = sender.ref_kind
    AND weighed.window_start = sender.window_start
    AND weighed.window_end = sender.window_end
  LEFT JOIN known AS seen_sender
    ON weighed.from_seen_at = seen_sender.workload_ref
    AND seen_sender.ref_kind = 'seen_at'
    AND weighed.window_start = seen_sender.window_start
    AND weighed.window_end = seen_sender.window_end
  LEFT JOIN known AS receiver
    ON weighed.to_workload_ref = receiver.workload_ref
    AND COALESCE(weighed.to_ref_kind, '') = receiver.ref_kind
    AND weighed.window_start = receiver.window_start
    AND weighed.window_end = receiver.window_end
  LEFT JOIN known AS seen_receiver
    ON weighed.to_seen_at = seen_receiver.workload_ref
    AND seen_receiver.ref_kind = 'seen_at'
    AND weighed.window_start = seen_receiver.window_start
    AND weighed.window_end = seen_receiver.window_end
  LEFT JOIN zone_ids AS sender_ids
    ON weighed.provider = sender_ids.provider
    AND weighed.account_id = sender_ids.account_id
    AND sender.zone = sender_ids.zone_name
  LEFT JOIN zone_ids AS receiver_ids
    ON weighed.provider = receiver_ids.provider
    AND weighed.account_id = receiver_ids.account_id
    AND receiver.zone = receiver_ids.zone_name
), owned AS (
  SELECT
    located.charge_date,
    located.x_source,
    located.provider,
    located.account_id,
    located.traffic_kind,
    located.from_zone,
    located.to_zone,
    located.from_workload_ref,
    located.to_workload_ref,
    located.emitter_kind,
    located.leg,
    CAST(NULL AS STRING) AS owner_id,
    CASE located.named_by
      WHEN 1
      THEN located.sender_feature
      WHEN 2
      THEN located.seen_sender_feature
      WHEN 3
      THEN located.receiver_feature
      WHEN 4
      THEN located.seen_receiver_feature
    END AS feature,
    CASE COALESCE(located.named_by, 3)
      WHEN 1
      THEN located.sender_endpoint
      WHEN 2
      THEN located.seen_sender_endpoint
      WHEN 3
      THEN located.receiver_endpoint
      ELSE located.seen_receiver_endpoint
    END AS endpoint,
    CASE COALESCE(located.named_by, 3)
      WHEN 1
      THEN located.sender_team
      WHEN 2
      THEN located.seen_sender_team
      WHEN 3
      THEN located.receiver_team
      ELSE located.seen_receiver_team
    END AS team,
    CASE COALESCE(located.named_by, 3)
      WHEN 1
      THEN located.sender_environment
      WHEN 2
      THEN located.seen_sender_environment
      WHEN 3
      THEN located.receiver_environment
      ELSE located.seen_receiver_environment
    END AS environment,
    located.bytes,
    located.round_trips_count,
    located.min_round_trip_seconds
  FROM located
), traced AS (
  SELECT
    usage.charge_date,
    usage.owner_id,
    usage.feature,
    usage.endpoint,
    usage.team,
    usage.environment,
    usage.from_zone,
    usage.to_zone,
    usage.request_bytes AS bytes
  FROM usage
  WHERE
    usage.request_bytes > 0
    AND NOT usage.from_zone IS NULL
    AND NOT usage.to_zone IS NULL
  UNION ALL
  SELECT
    usage.charge_date,
    usage.owner_id,
    usage.feature,
    usage.endpoint,
    usage.team,
    usage.environment,
    usage.to_zone AS from_zone,
    usage.from_zone AS to_zone,
    usage.response_bytes AS bytes
  FROM usage
  WHERE
    usage.response_bytes > 0
    AND NOT usage.from_zone IS NULL
    AND NOT usage.to_zone IS NULL
), reported AS (
  SELECT
    owned.charge_date,
    owned.x_source,
    owned.provider,
    owned.account_id,
    owned.traffic_kind,
    owned.from_zone,
    owned.to_zone,
    owned.from_workload_ref,
    owned.to_workload_ref,
    owned.emitter_kind,
    owned.owner_id,
    owned.feature,
    owned.endpoint,
    owned.team,
    owned.environment,
    owned.bytes,
    owned.round_trips_count,
    owned.min_round_trip_seconds
  FROM owned
  UNION ALL
  SELECT
    owned.charge_date,
    owned.x_source,
    owned.provider,
    owned.account_id,
    'inter_az' AS traffic_kind,
    owned.from_zone,
    owned.to_zone,
    owned.from_workload_ref,
    owned.to_workload_ref,
    owned.emitter_kind,
    owned.owner_id,
    owned.feature,
    owned.endpoint,
    owned.team,
    owned.environment,
    owned.bytes,
    CAST(NULL AS BIGINT) AS round_trips_count,
    CAST(NULL AS DECIMAL(18, 6)) AS min_round_trip_seconds
  FROM owned
  WHERE
    owned.leg = 'nat'
    AND owned.emitter_kind = 'flow_log'
    AND owned.from_zone <> owned.to_zone
  UNION ALL
  SELECT
    traced.charge_date,
    'requests' AS x_source,
    COALESCE(
      zone_places.provider,
      CASE
        WHEN REGEXP_REPLACE(traced.from_zone, '^[a-z]+[0-9]+-az[0-9]+$', '') = ''
        THEN 'aws'
        WHEN REGEXP_REPLACE(traced.from_zone, '^[a-z]+(-[a-z]+)+-[0-9]+[a-z]$', '') = ''
        THEN 'aws'
        WHEN REGEXP_REPLACE(traced.from_zone, '^[a-z]+-[a-z]+[0-9]+-[a-z]$', '') = ''
        THEN 'gcp'
        WHEN REGEXP_REPLACE(traced.from_zone, '^[a-z0-9]+-[0-9]$', '') = ''
        THEN 'azure'
      END
    ) AS provider,
    CAST(NULL AS STRING) AS account_id,
    CAST(NULL AS STRING) AS traffic_kind,
    traced.from_zone,
    traced.to_zone,
    CAST(NULL AS STRING) AS from_workload_ref,
    CAST(NULL AS STRING) AS to_workload_ref,
    'trace' AS emitter_kind,
    traced.owner_id,
    traced.feature,
    traced.endpoint,
    traced.team,
    traced.environment,
    traced.bytes,
    CAST(NULL AS BIGINT) AS round_trips_count,
    CAST(NULL AS DECIMAL(18, 6)) AS min_round_trip_seconds
  FROM traced
  LEFT JOIN zone_places
    ON traced.from_zone = zone_places.zone
), placed AS (
  SELECT
    reported.*,
    CASE
      WHEN NOT sending.region_id IS NULL AND NOT receiving.region_id IS NULL
      THEN sending.region_id
      ELSE REGEXP_REPLACE(reported.from_zone, '(-az[0-9]+|-[a-z0-9]|[a-z])$', '')
    END AS from_region,
    CASE
      WHEN NOT sending.region_id IS NULL AND NOT receiving.region_id IS NULL
      THEN receiving.region_id
      ELSE REGEXP_REPLACE(reported.to_zone, '(-az[0-9]+|-[a-z0-9]|[a-z])$', '')
    END AS to_region
  FROM reported
  LEFT JOIN zone_places AS sending
    ON reported.from_zone = sending.zone
  LEFT JOIN zone_places AS receiving
    ON reported.to_zone = receiving.zone
), kinds AS (
  SELECT
    placed.charge_date,
    placed.x_source,
    placed.provider,
    placed.account_id,
    placed.from_zone,
    placed.to_zone,
    placed.from_workload_ref,
    placed.to_workload_ref,
    placed.emitter_kind,
    placed.owner_id,
    placed.feature,
    placed.endpoint,
    placed.team,
    placed.environment,
    placed.bytes,
    placed.round_trips_count,
    placed.min_round_trip_seconds,
    COALESCE(
      placed.traffic_kind,
      CASE
        WHEN placed.from_zone = placed.to_zone
        THEN 'same_zone'
        WHEN placed.from_region = placed.to_region
        THEN 'inter_az'
        WHEN placed.from_region <> placed.to_region
        THEN 'inter_region'
        ELSE 'other'
      END
    ) AS traffic_kind
  FROM placed
), sums AS (
  SELECT
    kinds.charge_date,
    kinds.x_source,
    kinds.provider,
    kinds.account_id,
    kinds.traffic_kind,
    kinds.from_zone,
    kinds.to_zone,
    kinds.from_workload_ref,
    kinds.to_workload_ref,
    kinds.emitter_kind,
    kinds.owner_id,
    kinds.feature,
    kinds.endpoint,
    kinds.team,
    kinds.environment,
    CAST(SUM(CAST(kinds.bytes AS DECIMAL(38, 0))) AS BIGINT) AS bytes,
    CAST(SUM(kinds.round_trips_count) AS BIGINT) AS round_trips_count,
    MIN(kinds.min_round_trip_seconds) AS min_round_trip_seconds
  FROM kinds
  GROUP BY
    kinds.charge_date,
    kinds.x_source,
    kinds.provider,
    kinds.account_id,
    kinds.traffic_kind,
    kinds.from_zone,
    kinds.to_zone,
    kinds.from_workload_ref,
    kinds.to_workload_ref,
    kinds.emitter_kind,
    kinds.owner_id,
    kinds.feature,
    kinds.endpoint,
    kinds.team,
    kinds.environment
), file_ranks AS (
  SELECT
    files.x_source,
    ROW_NUMBER() OVER (
      ORDER BY COALESCE(source_ranks.source_rank, 1000000) NULLS LAST, COALESCE(files.x_source, CHR(  30)) NULLS LAST
    ) AS file_rank
  FROM (
    SELECT
      sums.x_source
    FROM sums
    WHERE
      sums.emitter_kind = 'file'
    GROUP BY
      sums.x_source
  ) AS files
  LEFT JOIN source_ranks
    ON files.x_source = source_ranks.source
), ranked AS (
  SELECT
    sums.*,
    CASE sums.emitter_kind
      WHEN 'flow_log'
      THEN 0
      WHEN 'trace'
      THEN 1000000000
      ELSE file_ranks.file_rank
    END AS report_rank,
    COALESCE(sums.provider, '') || CHR(  31) || COALESCE(sums.from_zone, CHR(  30)) || CHR(  31) || COALESCE(sums.to_zone, CHR(  30)) || CHR(  31) || CASE
      WHEN sums.from_zone IS NULL OR sums.to_zone IS NULL OR sums.traffic_kind = 'nat'
      THEN sums.traffic_kind
      ELSE ''
    END AS pair_key
  FROM sums
  LEFT JOIN file_ranks
    ON COALESCE(sums.x_source, CHR(  30)) = COALESCE(file_ranks.x_source, CHR(  30))
    AND sums.emitter_kind = 'file'
), pair_accounts AS (
  SELECT
    ranked.charge_date,
    ranked.pair_key,
    ranked.account_id,
    MIN(ranked.report_rank) AS account_rank
  FROM ranked
  GROUP BY
    ranked.charge_date,
    ranked.pair_key,
    ranked.account_id
), pairs AS (
  SELECT
    pair_accounts.charge_date,
    pair_accounts.pair_key,
    MIN(pair_accounts.account_rank) AS pair_rank,
    MIN(CASE WHEN pair_accounts.account_id IS NULL THEN pair_accounts.account_rank END) AS nameless_rank
  FROM pair_accounts
  GROUP BY
    pair_accounts.charge_date,
    pair_accounts.pair_key
), compared AS (
  SELECT
    ranked.*,
    pairs.pair_rank,
    pairs.nameless_rank,
    pair_accounts.account_rank
  FROM ranked
  INNER JOIN pairs
    ON ranked.charge_date = pairs.charge_date AND ranked.pair_key = pairs.pair_key
  INNER JOIN pair_accounts
    ON ranked.charge_date = pair_accounts.charge_date
    AND ranked.pair_key = pair_accounts.pair_key
    AND COALESCE(ranked.account_id, CHR(  30)) = COALESCE(pair_accounts.account_id, CHR(  30))
)
SELECT
  compared.charge_date,
  MD5(
    COALESCE(compared.x_source, CHR(  30)) || CHR(  31) || COALESCE(compared.provider, CHR(  30)) || CHR(  31) || COALESCE(compared.account_id, CHR(  30)) || CHR(  31) || compared.traffic_kind || CHR(  31) || COALESCE(compared.from_zone, CHR(  30)) || CHR(  31) || COALESCE(compared.to_zone, CHR(  30)) || CHR(  31) || COALESCE(compared.from_workload_ref, CHR(  30)) || CHR(  31) || COALESCE(compared.to_workload_ref, CHR(  30)) || CHR(  31) || compared.emitter_kind || CHR(  31) || COALESCE(compared.owner_id, CHR(  30)) || CHR(  31) || COALESCE(compared.feature, CHR(  30)) || CHR(  31) || COALESCE(compared.endpoint, CHR(  30)) || CHR(  31) || COALESCE(compared.team, CHR(  30)) || CHR(  31) || COALESCE(compared.environment, CHR(  30))
  ) AS transfer_id,
  compared.provider,
  compared.account_id,
  compared.traffic_kind,
  compared.from_zone,
  compared.to_zone,
  compared.from_workload_ref,
  compared.to_workload_ref,
  compared.emitter_kind,
  compared.x_source,
  CASE
    WHEN compared.account_id IS NULL
    THEN compared.report_rank = compared.pair_rank
    ELSE compared.report_rank = LEAST(compared.account_rank, COALESCE(compared.nameless_rank, compared.account_rank))
  END AS is_used,
  compared.owner_id,
  compared.feature,
  compared.endpoint,
  compared.team,
  compared.environment,
  compared.bytes,
  compared.round_trips_count,
  compared.min_round_trip_seconds
FROM compared
