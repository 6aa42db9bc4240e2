-- summary --
SELECT coalesce(sum(events), 0)::bigint AS events, coalesce(sum(metrics), 0)::bigint AS metrics,
       (SELECT count(*) FROM dash.sessions) AS sessions,
       (SELECT count(*) FROM memory.anomalies) AS anomalies,
       (SELECT count(*) FROM memory.anomalies WHERE ended_at IS NULL) AS open_anomalies,
       (SELECT count(DISTINCT charge_point_id) FROM memory.charge_points) AS charge_points,
       min(first_event_at) AS first_event_at, max(last_event_at) AS last_event_at,
       coalesce(sum(gaps), 0)::bigint AS gaps, coalesce(sum(duplicates), 0)::bigint AS duplicates,
       (SELECT count(*) FROM memory.poison) AS poison,
       (SELECT s.lag_s FROM memory.sources s WHERE s.last_stored_at IS NOT NULL
        ORDER BY s.last_stored_at DESC LIMIT 1) AS lag_s
FROM memory.sources;

-- anomalies --
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
       threshold, deviation, signature AS pattern, explanation
FROM memory.anomalies
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(open)s::boolean IS NULL OR (ended_at IS NULL) = %(open)s)
ORDER BY started_at DESC
LIMIT %(limit)s;

-- sessions --
SELECT transaction_id, charge_point_id, connector, id_tag, started_at, ended_at, energy_wh, peak_a, mean_a, reason,
       anomalies
FROM dash.sessions
WHERE %(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s
ORDER BY started_at DESC
LIMIT %(limit)s;

-- events --
SELECT at, charge_point_id, connector, kind, summary
FROM dash.events
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
ORDER BY at DESC
LIMIT %(limit)s;

-- last_event_at --
SELECT max(last_event_at) FROM memory.sources;

-- metrics --
SELECT at, charge_point_id, connector, origin, transaction_id, current_a, offered_a, voltage_v, power_w,
       power_offered_w, power_factor, frequency_hz, energy_wh, temperature_c, soc_percent, commanded_a
FROM memory.metrics
WHERE charge_point_id = %(charge_point_id)s AND connector = %(connector)s AND origin = %(origin)s
  AND at >= now() - make_interval(secs => %(seconds)s)
ORDER BY at DESC
LIMIT %(limit)s;

-- charge_points --
SELECT c.charge_point_id, c.connector, c.status, c.last_reading_at, c.open_anomalies,
       s.sessions, s.energy_wh, s.peak_a, s.mean_a, a.anomalies
FROM dash.charge_points c
LEFT JOIN LATERAL (
  SELECT count(*) AS sessions, sum(energy_wh) AS energy_wh, max(peak_a) AS peak_a, avg(mean_a) AS mean_a
  FROM dash.sessions WHERE charge_point_id = c.charge_point_id AND connector = c.connector) s ON true
LEFT JOIN LATERAL (
  SELECT count(*) AS anomalies
  FROM memory.anomalies WHERE charge_point_id = c.charge_point_id AND connector = c.connector) a ON true
ORDER BY c.charge_point_id, c.connector;

-- patterns --
SELECT charge_point_id, kind, count, first_seen_at, last_seen_at, signature
FROM memory.patterns
ORDER BY last_seen_at DESC
LIMIT %(limit)s;

-- sources --
SELECT source, committed_seq, gaps, duplicates, ahead, last_event_at, lag_s
FROM memory.sources
ORDER BY source, last_stored_at;

-- sizes --
-- Bytes on disk, indexes and all partitions included
SELECT c.relname AS "table", sum(pg_total_relation_size(p.relid))::bigint AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'memory',
     LATERAL pg_partition_tree(c.oid) p
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
ORDER BY bytes DESC;
