-- What the viewer asks beside the questions of read.sql, as memorybank_reader.

-- courses --
-- The current of each connector in the minute before its latest reading: the mean of every 3 s, 0 the latest
SELECT c.charge_point_id, c.connector::integer AS connector, course.stretch, course.current_a
FROM memory.charge_points c
CROSS JOIN LATERAL (
  SELECT floor(extract(epoch FROM c.reading_at - m.at) / 3)::integer AS stretch, avg(m.current_a) AS current_a
  FROM memory.metrics m
  WHERE m.charge_point_id = c.charge_point_id AND m.connector = c.connector AND m.origin = c.reading_origin
    AND m.at > c.reading_at - interval '60 seconds' AND m.at <= c.reading_at AND m.current_a IS NOT NULL
  GROUP BY 1
) AS course
WHERE c.charge_point_id = ANY(%(charge_point_ids)s) AND c.connector > 0;

-- positions --
-- How far each source is stored
SELECT source_no, committed_seq FROM memory.sources WHERE source NOT LIKE '%%/truth/__';

-- stored_since --
-- Events with higher numbers than those seen, in the order in which they happened
SELECT e.at, e.charge_point_id, e.connector, e.kind, dash.event_line(e.kind, e.detail) AS summary, e.detail, e.source_no,
       e.seq
FROM unnest(%(source_nos)s::integer[], %(seqs)s::bigint[]) AS seen(source_no, seq)
JOIN memory.events e ON e.source_no = seen.source_no AND e.seq > seen.seq
WHERE (%(charge_point_id)s::text IS NULL OR e.charge_point_id = %(charge_point_id)s)
  AND (%(kind)s::text IS NULL OR e.kind = %(kind)s)
ORDER BY e.at, e.source_no, e.seq;

-- recount --
-- Every number of every source: what is there, and what the books say of the rest. Up to dropped_seq retention may have
-- dropped any (`forgotten`); what was lost is in the books, before memory.gaps was kept only by its count
WITH numbered AS (
  SELECT source_no, seq FROM memory.events
  UNION ALL SELECT source_no, seq FROM memory.metrics
  UNION ALL SELECT source_no, seq FROM memory.poison WHERE seq IS NOT NULL
), counted AS (
  SELECT n.source_no, count(*) AS rows, count(DISTINCT n.seq) AS numbers,
         count(DISTINCT n.seq) FILTER (WHERE n.seq > s.dropped_seq AND n.seq <= s.committed_seq) AS kept,
         count(*) FILTER (WHERE n.seq > s.committed_seq) AS beyond
  FROM numbered n JOIN memory.sources s USING (source_no)
  GROUP BY n.source_no
), located AS (
  SELECT g.source_no, sum(g.last_seq - g.first_seq + 1) AS lost,
         coalesce(sum(g.last_seq - greatest(g.first_seq, s.dropped_seq + 1) + 1) FILTER (WHERE g.last_seq > s.dropped_seq), 0)
           AS lost_of_kept
  FROM memory.gaps g JOIN memory.sources s USING (source_no)
  GROUP BY g.source_no
), books AS (
  SELECT s.source, s.boot, s.committed_seq, s.dropped_seq, s.gaps AS lost, s.duplicates, coalesce(c.rows, 0) AS rows,
         coalesce(c.rows - c.numbers, 0) AS twice, coalesce(c.beyond, 0) AS beyond,
         coalesce(c.numbers - c.beyond - c.kept, 0) AS left_of_dropped,
         -- Lost where nobody knows: it may be among those that should be there.
         s.committed_seq - s.dropped_seq - coalesce(c.kept, 0) - coalesce(l.lost_of_kept, 0)
           - greatest(s.gaps - coalesce(l.lost, 0), 0) AS missing,
         coalesce(l.lost - l.lost_of_kept, 0) AS lost_of_dropped
  FROM memory.sources s
  LEFT JOIN counted c USING (source_no)
  LEFT JOIN located l USING (source_no)
  WHERE s.source NOT LIKE '%%/truth/__'
)
SELECT source, boot, committed_seq, rows, lost, duplicates, twice, beyond,
       greatest(dropped_seq - left_of_dropped - lost_of_dropped, 0)::bigint AS forgotten,
       greatest(missing, 0)::bigint AS missing
FROM books
ORDER BY source, boot;

-- can_buses --
-- Which connectors' buses were recorded, in the stretch of time
SELECT DISTINCT charge_point_id, connector::integer AS connector
FROM memory.events
WHERE kind = 'can_frame_seen'
  AND (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY 1, 2;

-- can_frames --
SELECT extract(epoch FROM at)::double precision AS at_s, charge_point_id, connector::integer AS connector,
       (detail ->> 'can_id')::integer AS can_id, detail ->> 'data' AS data,
       coalesce((detail ->> 'sent')::boolean, false) AS sent
FROM memory.events
WHERE kind = 'can_frame_seen'
  AND (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY at, source_no, seq;

-- events_in_order --
-- Everything that happened but readings, as it was told, for a replay
SELECT at, charge_point_id, connector::integer AS connector, kind, detail
FROM memory.events
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY at, source_no, seq;

-- readings_in_order --
SELECT at, charge_point_id, connector::integer AS connector, origin, transaction_id, current_a, offered_a,
       voltage_v, power_w, power_offered_w, power_factor, frequency_hz, energy_wh, temperature_c, soc_percent,
       commanded_a, acknowledged_a
FROM memory.metrics
WHERE (%(charge_point_id)s::text IS NULL OR charge_point_id = %(charge_point_id)s)
  AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY at, source_no, seq;

-- size_known --
-- How many rows the large tables had taken: to tell how far an export is
SELECT coalesce(sum(events + metrics), 0)::bigint AS rows FROM memory.sources;

-- may_see_truth --
SELECT has_schema_privilege('truth', 'USAGE') AS may;

-- runs --
-- Where and when each scenario ran, for those who may know
SELECT run_id, scenario, anomaly, charge_point_ids, parameters, seed::text AS seed,
       min(at) FILTER (WHERE phase = 'started') AS started_at, max(at) FILTER (WHERE phase = 'ended') AS ended_at
FROM truth.labels
GROUP BY run_id, scenario, anomaly, charge_point_ids, parameters, seed
ORDER BY started_at;

-- labels_in_order --
-- The truth, for who may see it: to judge what was found
SELECT at, run_id, scenario, anomaly, phase, charge_point_ids, parameters, seed, physical_started_at, physical_ended_at
FROM truth.labels
WHERE %(until)s::timestamptz IS NULL OR at < %(until)s
ORDER BY at, source_no, seq;

-- alarms_in_order --
-- Ours, with an empty name, and those of detectors that are not; heard_after_s: how much later than it says
SELECT '' AS detector, charge_point_id, kind, detected_at AS at, NULL::float8 AS heard_after_s
FROM memory.anomalies
WHERE (%(since)s::timestamptz IS NULL OR detected_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR detected_at < %(until)s)
UNION ALL
SELECT detector, charge_point_id, kind, at, extract(epoch FROM heard_at - at)::float8
FROM memory.verdicts
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY at;

-- observed --
-- How long charge points were seen, by the minutes in which there was a reading, and when
SELECT count(DISTINCT (charge_point_id, at)) / 1440.0::float8 AS charge_point_days,
       min(at) AS began_at, max(at) + interval '1 minute' AS ended_at
FROM memory.metrics_1m
WHERE (%(since)s::timestamptz IS NULL OR at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR at < %(until)s);
