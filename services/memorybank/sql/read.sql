-- Questions to the memory, as its reader. Lists are sorted by unique keys and go on after the row that a cursor
-- names; a parameter that is NULL narrows nothing (the planner sees its value and drops the condition).

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

-- events --
SELECT at, charge_point_id, connector, kind, dash.event_line(kind, detail) AS summary, detail, source_no, seq
FROM memory.events
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR at <= %(after_at)s)  -- so that later partitions are left out
  AND (%(after_at)s::timestamptz IS NULL
       OR (at, source_no, seq) < (%(after_at)s, %(after_source_no)s::integer, %(after_seq)s::bigint))
ORDER BY at DESC, source_no DESC, seq DESC
LIMIT %(limit)s;

-- anomalies --
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
       threshold, deviation, signature AS pattern, explanation
FROM memory.anomalies
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(severity)s::text IS NULL OR severity = %(severity)s)
  AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)
  AND (%(pattern_id)s::uuid IS NULL OR pattern_id = %(pattern_id)s)
  AND (%(open)s::boolean IS NULL OR (%(open)s AND ended_at IS NULL) OR (NOT %(open)s AND ended_at IS NOT NULL))
  AND (%(after_started_at)s::timestamptz IS NULL
       OR (started_at, id) < (%(after_started_at)s, %(after_id)s::uuid))
ORDER BY started_at DESC, id DESC
LIMIT %(limit)s;

-- anomaly --
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
       threshold, deviation, signature AS pattern, explanation
FROM memory.anomalies
WHERE id = %(id)s;

-- pattern_of --
SELECT p.id, p.charge_point_id, p.kind, p.count, p.first_seen_at, p.last_seen_at, p.signature
FROM memory.anomalies a JOIN memory.patterns p ON p.id = a.pattern_id
WHERE a.id = %(id)s;

-- sessions --
-- As dash.sessions, with the id as a number, to go on after it
SELECT transaction_id::text AS transaction_id, charge_point_id, connector::integer AS connector, id_tag, started_at,
       ended_at, extract(epoch FROM ended_at - started_at)::double precision AS duration_s, energy_wh, peak_a, mean_a,
       reason, anomalies
FROM memory.sessions
WHERE (meter_start_wh IS NOT NULL OR ended_at IS NOT NULL)
  AND (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)
  AND (%(after_started_at)s::timestamptz IS NULL
       OR (started_at, charge_point_id, sessions.transaction_id)
          < (%(after_started_at)s, %(after_charge_point_id)s::text, %(after_transaction_id)s::bigint))
ORDER BY started_at DESC, charge_point_id DESC, sessions.transaction_id DESC
LIMIT %(limit)s;

-- metrics --
SELECT at, charge_point_id, connector, origin, transaction_id, current_a, offered_a, voltage_v, power_w,
       power_offered_w, power_factor, frequency_hz, energy_wh, temperature_c, soc_percent, commanded_a,
       acknowledged_a, source_no, seq
FROM memory.metrics
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(connector)s::smallint IS NULL OR connector = %(connector)s)
  AND (%(origin)s::text IS NULL OR origin = %(origin)s)
  AND (%(seconds)s::double precision IS NULL OR at >= now() - make_interval(secs => %(seconds)s))
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR at <= %(after_at)s)
  AND (%(after_at)s::timestamptz IS NULL
       OR (at, source_no, seq) < (%(after_at)s, %(after_source_no)s::integer, %(after_seq)s::bigint))
ORDER BY at DESC, source_no DESC, seq DESC
LIMIT %(limit)s;

-- rollup --
-- The reader puts the table of another level in its place
SELECT at, charge_point_id, connector, origin, readings, current_sum / nullif(current_n, 0) AS current_a,
       current_min::double precision AS current_min_a, current_max::double precision AS current_max_a,
       offered_max::double precision AS offered_a, commanded_max::double precision AS commanded_a,
       voltage_sum / nullif(voltage_n, 0) AS voltage_v, power_sum / nullif(power_n, 0) AS power_w,
       power_max::double precision AS power_max_w, temperature_sum / nullif(temperature_n, 0) AS temperature_c,
       temperature_max::double precision AS temperature_max_c, soc_max::double precision AS soc_percent,
       energy_max AS energy_wh
FROM memory.metrics_1m
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(connector)s::smallint IS NULL OR connector = %(connector)s)
  AND (%(origin)s::text IS NULL OR origin = %(origin)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR at < %(after_at)s)
ORDER BY at DESC, charge_point_id, connector, origin
LIMIT %(limit)s;

-- charge_points --
SELECT c.charge_point_id, c.connector, c.status, c.connected, c.last_reading_at, c.current_a, c.power_w,
       c.energy_wh AS meter_wh, c.soc_percent, c.transaction_id, c.open_anomalies,
       coalesce(s.sessions, 0) AS sessions, s.energy_wh, s.peak_a, s.mean_a, coalesce(a.anomalies, 0) AS anomalies
FROM dash.charge_points c
LEFT JOIN (
  SELECT charge_point_id, connector, count(*) AS sessions, sum(energy_wh) AS energy_wh, max(peak_a) AS peak_a,
         avg(mean_a) AS mean_a
  FROM memory.sessions
  WHERE (meter_start_wh IS NOT NULL OR ended_at IS NOT NULL)
    AND (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
    AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)
  GROUP BY charge_point_id, connector
) s USING (charge_point_id, connector)
LEFT JOIN (
  SELECT charge_point_id, connector, count(*) AS anomalies
  FROM memory.anomalies
  WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
    AND (%(since)s::timestamptz IS NULL OR started_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR started_at < %(until)s)
  GROUP BY charge_point_id, connector
) a USING (charge_point_id, connector)
WHERE (%(charge_point_id)s::text IS NULL OR c.charge_point_id = %(charge_point_id)s)
  AND (%(after_charge_point_id)s::text IS NULL
       OR (c.charge_point_id, c.connector) > (%(after_charge_point_id)s, %(after_connector)s::integer))
ORDER BY c.charge_point_id, c.connector
LIMIT %(limit)s;

-- patterns --
SELECT id, charge_point_id, kind, count, first_seen_at, last_seen_at, signature
FROM memory.patterns
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(since)s::timestamptz IS NULL OR last_seen_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR last_seen_at < %(until)s)
  AND (%(after_last_seen_at)s::timestamptz IS NULL
       OR (last_seen_at, id) < (%(after_last_seen_at)s, %(after_id)s::uuid))
ORDER BY last_seen_at DESC, id DESC
LIMIT %(limit)s;

-- verdicts --
SELECT id, detector, charge_point_id, connector, kind, at, ended_at, score, explanation, heard_at
FROM memory.verdicts
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
  AND (%(detector)s::text IS NULL OR detector = %(detector)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
  AND (%(after_at)s::timestamptz IS NULL OR (at, id) < (%(after_at)s, %(after_id)s::bigint))
ORDER BY at DESC, id DESC
LIMIT %(limit)s;

-- sources --
SELECT source, boot, source_no, committed_seq, gaps, duplicates, ahead, events, metrics, first_event_at, last_event_at,
       last_stored_at, lag_s
FROM memory.sources
WHERE %(after_source)s::text IS NULL OR (source, source_no) > (%(after_source)s, %(after_source_no)s::integer)
ORDER BY source, source_no
LIMIT %(limit)s;

-- gaps --
SELECT s.source, s.boot, g.source_no, g.first_seq, g.last_seq, g.last_seq - g.first_seq + 1 AS lost, g.noticed_at
FROM memory.gaps g JOIN memory.sources s USING (source_no)
WHERE (%(since)s::timestamptz IS NULL OR g.noticed_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR g.noticed_at < %(until)s)
  AND (%(after_noticed_at)s::timestamptz IS NULL
       OR (g.noticed_at, g.source_no, g.first_seq)
          < (%(after_noticed_at)s, %(after_source_no)s::integer, %(after_first_seq)s::bigint))
ORDER BY g.noticed_at DESC, g.source_no DESC, g.first_seq DESC
LIMIT %(limit)s;

-- poison --
SELECT id, first_at, last_at, times, topic, source_no, seq, reason
FROM memory.poison
WHERE (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR first_at < %(until)s)
  AND (%(after_id)s::bigint IS NULL OR id < %(after_id)s)
ORDER BY id DESC
LIMIT %(limit)s;

-- sizes --
-- Bytes on disk, indexes and all partitions included
SELECT c.relname AS "table", sum(pg_total_relation_size(p.relid))::bigint AS bytes
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'memory',
     LATERAL pg_partition_tree(c.oid) p
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname
ORDER BY bytes DESC;

-- labels --
-- Ground truth, which only the writer may read
SELECT at, run_id, scenario, anomaly, phase, to_jsonb(charge_point_ids) AS charge_point_ids, parameters, seed
FROM truth.labels
ORDER BY at DESC, source_no DESC, seq DESC
LIMIT %(limit)s;
