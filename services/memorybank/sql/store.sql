-- lock --
-- One MemoryBank writes each partition. The locks die with their connection, so whoever holds one knows that no
-- transaction of an earlier connection can still commit there. Gives the partitions that somebody else has; the lock
-- of all that an earlier version took is shared by this one's, and given as -1.
SELECT -1 WHERE NOT pg_try_advisory_lock_shared(hashtext('chargebench memorybank'))
UNION ALL
SELECT partition FROM unnest(%s::integer[]) AS partition
WHERE NOT pg_try_advisory_lock(hashtext('chargebench memorybank'), partition);

-- load_sources --
SELECT source_no, source, boot, committed_seq FROM memory.sources WHERE partition = ANY(%s)
ORDER BY last_stored_at NULLS FIRST, source_no;

-- load_patterns --
-- The latest; of these each share keeps its own
SELECT id, charge_point_id, kind, count, first_seen_at, last_seen_at, signature FROM memory.patterns
ORDER BY last_seen_at DESC LIMIT 100000;

-- load_open_anomalies --
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
       threshold, deviation, signature AS pattern, explanation, pattern_id
FROM memory.anomalies
WHERE ended_at IS NULL;

-- load_recent_anomalies --
-- What somebody who was told of anomalies may have missed the end of
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
       threshold, deviation, signature AS pattern, explanation
FROM memory.anomalies
WHERE ended_at IS NULL OR updated_at > now() - interval '1 day'
ORDER BY updated_at;

-- load_latest_readings --
SELECT charge_point_id, connector, reading_at, reading_origin FROM memory.charge_points WHERE reading_at IS NOT NULL;

-- load_recent_readings --
-- The last two minutes of each connector
SELECT m.at, m.charge_point_id, m.connector, m.origin, m.transaction_id, m.current_a, m.offered_a, m.voltage_v, m.power_w,
       m.power_offered_w, m.power_factor, m.frequency_hz, m.energy_wh, m.temperature_c, m.soc_percent, m.commanded_a,
       m.acknowledged_a
FROM memory.charge_points c
JOIN memory.metrics m ON m.charge_point_id = c.charge_point_id AND m.connector = c.connector
  AND m.at BETWEEN c.reading_at - interval '2 minutes' AND c.reading_at
ORDER BY m.at;

-- load_recent_events --
-- What was said and done in the ten minutes before the last reading of each charge point, without frames and whole messages,
-- and the starts of what charges since before
SELECT e.at, e.charge_point_id, e.connector::integer AS connector, e.kind, e.detail
FROM (SELECT charge_point_id, max(reading_at) AS at FROM memory.charge_points GROUP BY charge_point_id) AS c
JOIN memory.events e ON e.charge_point_id = c.charge_point_id AND e.at BETWEEN c.at - interval '10 minutes' AND c.at
WHERE e.kind IN ('command_sent', 'transaction_started', 'transaction_ended', 'status_changed', 'system_event')
UNION ALL
SELECT s.started_at, s.charge_point_id, s.connector::integer, 'transaction_started',
       jsonb_build_object('transaction_id', s.transaction_id, 'id_tag', s.id_tag, 'meter_start_wh', s.meter_start_wh)
FROM memory.charge_points c JOIN memory.sessions s USING (charge_point_id, transaction_id)
WHERE s.ended_at IS NULL AND s.id_tag IS NOT NULL AND s.meter_start_wh IS NOT NULL
  AND s.started_at < c.reading_at - interval '10 minutes';

-- load_baselines --
SELECT DISTINCT ON (charge_point_id, connector, metric, phase) charge_point_id, connector::integer AS connector, metric, phase,
       sessions, samples, mean, variance, histogram, recent_mean, anchor_mean, anchor_sd, rise, fall, is_held, updated_at, version
FROM memory.baselines
WHERE charge_point_id <> '*' OR partition = %(partition)s
ORDER BY charge_point_id, connector, metric, phase, updated_at DESC;

-- load_version --
SELECT coalesce(max(version), 0) AS version FROM memory.baseline_versions WHERE partition = %(partition)s;

-- load_agreed --
-- What people agreed with, of what is still held
SELECT p.charge_point_id, p.connector::integer AS connector, p.metric, p.phase, p.proposed_at, p.known_mean, p.known_sd,
       coalesce(p.agreed_mean, p.mean) AS mean, p.version
FROM memory.baseline_proposals p
WHERE p.agreed_at IS NOT NULL AND p.partition = %(partition)s
  AND NOT EXISTS (
    SELECT FROM memory.baseline_proposals later
    WHERE (later.charge_point_id, later.connector, later.metric, later.phase, later.partition)
        = (p.charge_point_id, p.connector, p.metric, p.phase, p.partition) AND later.version > p.version);

-- add_source --
-- One that was forgotten goes on where it was; of any other we have nothing, whatever it believes.
WITH back AS (
  DELETE FROM memory.forgotten WHERE source = %(source)s AND boot = %(boot)s RETURNING committed_seq
)
INSERT INTO memory.sources (source, boot, committed_seq, rolled_seq, dropped_seq)
SELECT %(source)s, %(boot)s, stored, stored, stored
FROM (SELECT coalesce((SELECT committed_seq FROM back), 0) AS stored) AS known
ON CONFLICT (source, boot) DO UPDATE SET boot = excluded.boot
RETURNING source_no, committed_seq;

-- make_partition --
SELECT memory.make_partition(%(parent)s, %(utc)s);

-- cut_by --
SELECT memory.cut_by(%s);

-- positions --
SELECT source_no, committed_seq FROM memory.sources WHERE source_no = ANY(%s);

-- advance_sources --
-- Compare and set: moves only those that stand where we believe. Items come as json, here and below: it is read once, and
-- jsonb would first sort the keys of each, a third of a statement's time.
UPDATE memory.sources s SET
  committed_seq = c.committed, gaps = s.gaps + c.gap, duplicates = s.duplicates + c.duplicates,
  ahead = s.ahead + c.ahead, events = s.events + c.events, metrics = s.metrics + c.metrics,
  first_event_at = least(s.first_event_at, c.first_event_at),
  last_event_at = greatest(s.last_event_at, c.last_event_at),
  first_stored_at = coalesce(s.first_stored_at, CASE WHEN c.last_event_at IS NOT NULL THEN now() END),
  last_stored_at = CASE WHEN c.last_event_at IS NOT NULL THEN now() ELSE s.last_stored_at END,
  lag_s = coalesce(extract(epoch FROM clock_timestamp() - c.last_event_at), s.lag_s)
FROM json_to_recordset(%s) AS c(source_no integer, before bigint, committed bigint, gap bigint, duplicates bigint,
  ahead bigint, events bigint, metrics bigint, first_event_at timestamptz, last_event_at timestamptz)
WHERE s.source_no = c.source_no AND s.committed_seq = c.before;

-- save_gaps --
INSERT INTO memory.gaps (source_no, first_seq, last_seq)
SELECT source_no, first_seq, last_seq FROM json_to_recordset(%s) AS c(source_no integer, first_seq bigint, last_seq bigint);

-- save_pulse --
INSERT INTO memory.pulses (at, partition, length_s, lag_p50_s, lag_p95_s, lag_p99_s, lag_max_s, transactions, messages,
  events, readings, gaps, duplicates, ahead, waiting_messages)
SELECT * FROM json_to_recordset(%s) AS c(at timestamptz, partition smallint, length_s float8, lag_p50_s float8,
  lag_p95_s float8, lag_p99_s float8, lag_max_s float8, transactions integer, messages integer, events integer,
  readings integer, gaps bigint, duplicates bigint, ahead bigint, waiting_messages integer)
ON CONFLICT DO NOTHING;  -- the work may be tried again

-- save_sessions --
INSERT INTO memory.sessions AS s (charge_point_id, transaction_id, connector, id_tag, started_at, ended_at,
  meter_start_wh, meter_stop_wh, reason, register_wh, register_at, can_readings, can_sum_a, can_peak_a,
  ocpp_readings, ocpp_sum_a, ocpp_peak_a)
SELECT * FROM json_to_recordset(%s) AS c(charge_point_id text, transaction_id bigint, connector smallint,
  id_tag text, started_at timestamptz, ended_at timestamptz, meter_start_wh float8, meter_stop_wh float8,
  reason text, register_wh float8, register_at timestamptz, can_readings bigint, can_sum_a float8,
  can_peak_a float8, ocpp_readings bigint, ocpp_sum_a float8, ocpp_peak_a float8)
ON CONFLICT (charge_point_id, transaction_id) DO UPDATE SET
  connector = coalesce(excluded.connector, s.connector),
  id_tag = coalesce(excluded.id_tag, s.id_tag),
  started_at = CASE WHEN excluded.meter_start_wh IS NOT NULL THEN excluded.started_at
                    WHEN s.meter_start_wh IS NOT NULL THEN s.started_at
                    ELSE least(s.started_at, excluded.started_at) END,
  ended_at = coalesce(excluded.ended_at, s.ended_at),
  meter_start_wh = coalesce(excluded.meter_start_wh, s.meter_start_wh),
  meter_stop_wh = coalesce(excluded.meter_stop_wh, s.meter_stop_wh),
  reason = coalesce(excluded.reason, s.reason),
  register_wh = CASE WHEN s.register_at > excluded.register_at THEN s.register_wh
                     ELSE coalesce(excluded.register_wh, s.register_wh) END,
  register_at = greatest(s.register_at, excluded.register_at),
  can_readings = s.can_readings + excluded.can_readings,
  can_sum_a = s.can_sum_a + excluded.can_sum_a,
  can_peak_a = greatest(s.can_peak_a, excluded.can_peak_a),
  ocpp_readings = s.ocpp_readings + excluded.ocpp_readings,
  ocpp_sum_a = s.ocpp_sum_a + excluded.ocpp_sum_a,
  ocpp_peak_a = greatest(s.ocpp_peak_a, excluded.ocpp_peak_a);

-- save_statuses --
INSERT INTO memory.charge_points AS p (charge_point_id, connector, status, error_code, status_at)
SELECT charge_point_id, connector, status, coalesce(error_code, 'NoError'), at
FROM json_to_recordset(%s) AS c(charge_point_id text, connector smallint, status text, error_code text,
  at timestamptz)
ON CONFLICT (charge_point_id, connector) DO UPDATE SET
  status = excluded.status, error_code = excluded.error_code, status_at = excluded.status_at
WHERE p.status_at IS NULL OR p.status_at <= excluded.status_at;

-- save_connections --
INSERT INTO memory.charge_points AS p (charge_point_id, connector, connected, connected_at)
SELECT charge_point_id, 0, connected, at
FROM json_to_recordset(%s) AS c(charge_point_id text, connected boolean, at timestamptz)
ON CONFLICT (charge_point_id, connector) DO UPDATE SET
  connected = excluded.connected, connected_at = excluded.connected_at
WHERE p.connected_at IS NULL OR p.connected_at <= excluded.connected_at;

-- save_transactions --
INSERT INTO memory.charge_points AS p (charge_point_id, connector, transaction_id, transaction_at)
SELECT charge_point_id, connector, transaction_id, at
FROM json_to_recordset(%s) AS c(charge_point_id text, connector smallint, transaction_id bigint, at timestamptz)
ON CONFLICT (charge_point_id, connector) DO UPDATE SET
  transaction_id = excluded.transaction_id, transaction_at = excluded.transaction_at
WHERE p.transaction_at IS NULL OR p.transaction_at <= excluded.transaction_at;

-- save_readings --
-- The newest stands; what OCPP reports only where CAN has said nothing for ten seconds (latest.py knows it beforehand)
INSERT INTO memory.charge_points AS p (charge_point_id, connector, reading_at, reading_origin, current_a, offered_a,
  voltage_v, power_w, energy_wh, temperature_c, soc_percent, commanded_a)
SELECT charge_point_id, connector, at, origin, current_a, offered_a, voltage_v, power_w, energy_wh, temperature_c,
  soc_percent, commanded_a
FROM json_to_recordset(%s) AS c(charge_point_id text, connector smallint, at timestamptz, origin text,
  current_a float8, offered_a float8, voltage_v float8, power_w float8, energy_wh float8, temperature_c float8,
  soc_percent float8, commanded_a float8)
ON CONFLICT (charge_point_id, connector) DO UPDATE SET
  (reading_at, reading_origin, current_a, offered_a, voltage_v, power_w, energy_wh, temperature_c, soc_percent,
   commanded_a)
  = (excluded.reading_at, excluded.reading_origin, excluded.current_a, excluded.offered_a, excluded.voltage_v,
     excluded.power_w, excluded.energy_wh, excluded.temperature_c, excluded.soc_percent, excluded.commanded_a)
WHERE p.reading_at IS NULL OR (
  p.reading_at <= excluded.reading_at AND (
    excluded.reading_origin = 'can' OR p.reading_origin = 'ocpp'
    OR p.reading_at < excluded.reading_at - interval '10 seconds'));

-- save_patterns --
INSERT INTO memory.patterns AS p (id, charge_point_id, kind, count, first_seen_at, last_seen_at, signature)
SELECT * FROM json_to_recordset(%s) AS c(id uuid, charge_point_id text, kind text, count integer,
  first_seen_at timestamptz, last_seen_at timestamptz, signature jsonb)
ON CONFLICT (id) DO UPDATE SET
  count = excluded.count, first_seen_at = excluded.first_seen_at, last_seen_at = excluded.last_seen_at,
  signature = excluded.signature;

-- save_anomalies --
INSERT INTO memory.anomalies (id, charge_point_id, connector, kind, severity, phase, started_at, detected_at,
  updated_at, ended_at, score, threshold, deviation, signature, explanation, pattern_id)
SELECT id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at, ended_at, score,
  threshold, deviation, pattern, explanation, pattern_id
FROM json_to_recordset(%s) AS c(id uuid, charge_point_id text, connector smallint, kind text, severity text,
  phase text, started_at timestamptz, detected_at timestamptz, updated_at timestamptz, ended_at timestamptz,
  score float8, threshold float8, deviation float8, pattern jsonb, explanation text, pattern_id uuid)
ON CONFLICT (id) DO UPDATE SET
  severity = excluded.severity, phase = excluded.phase, updated_at = excluded.updated_at,
  ended_at = excluded.ended_at, score = excluded.score, deviation = excluded.deviation,
  signature = excluded.signature, explanation = excluded.explanation, pattern_id = excluded.pattern_id;

-- count_anomalies --
-- Sessions that overlap what changed learn how many anomalies overlap them
UPDATE memory.sessions s SET anomalies = (
  SELECT count(*) FROM memory.anomalies a
  WHERE a.charge_point_id = s.charge_point_id AND a.connector = s.connector
    AND coalesce(a.ended_at, 'infinity') >= s.started_at AND a.started_at <= coalesce(s.ended_at, 'infinity'))
FROM json_to_recordset(%s) AS c(charge_point_id text, connector smallint, started_at timestamptz,
  ended_at timestamptz)
WHERE s.charge_point_id = c.charge_point_id AND s.connector = c.connector
  AND coalesce(s.ended_at, 'infinity') >= c.started_at AND s.started_at <= coalesce(c.ended_at, 'infinity');

-- save_version --
-- The work may be tried again; the last 10,000 are kept
WITH gone AS (
  DELETE FROM memory.baseline_versions
  WHERE partition = %(partition)s AND version <= (%(version)s::jsonb ->> 'number')::integer - 10000
)
INSERT INTO memory.baseline_versions (partition, version, at, sessions, changed)
SELECT %(partition)s, (v ->> 'number')::integer, (v ->> 'at')::timestamptz, (v ->> 'sessions')::integer,
       jsonb_array_length(v -> 'changed')
FROM (SELECT %(version)s::jsonb AS v) AS told
ON CONFLICT DO NOTHING;

-- save_baselines --
INSERT INTO memory.baselines (charge_point_id, connector, metric, phase, sessions, samples, mean, variance, histogram,
  recent_mean, anchor_mean, anchor_sd, rise, fall, is_held, updated_at, version, partition)
SELECT c.*, %(partition)s
FROM jsonb_to_recordset(%(version)s::jsonb -> 'changed') AS c(charge_point_id text, connector smallint, metric text, phase text,
  sessions integer, samples bigint, mean float8, variance float8, histogram float8[], recent_mean float8, anchor_mean float8, anchor_sd float8,
  rise float8, fall float8, is_held boolean, updated_at timestamptz, version integer)
ON CONFLICT (charge_point_id, connector, metric, phase, partition) DO UPDATE SET
  sessions = excluded.sessions, samples = excluded.samples, mean = excluded.mean, variance = excluded.variance,
  histogram = excluded.histogram, recent_mean = excluded.recent_mean, anchor_mean = excluded.anchor_mean, anchor_sd = excluded.anchor_sd, rise = excluded.rise,
  fall = excluded.fall, is_held = excluded.is_held, updated_at = excluded.updated_at, version = excluded.version;

-- save_proposals --
INSERT INTO memory.baseline_proposals (charge_point_id, connector, metric, phase, proposed_at, known_mean, known_sd, mean,
  version, partition)
SELECT c.*, %(partition)s
FROM jsonb_to_recordset(%(version)s::jsonb -> 'proposals') AS c(charge_point_id text, connector smallint, metric text,
  phase text, proposed_at timestamptz, known_mean float8, known_sd float8, mean float8, version integer)
ON CONFLICT DO NOTHING;

-- save_verdict --
-- Told again it is the same one; a later end and a higher score are taken over
INSERT INTO memory.verdicts AS v (detector, charge_point_id, connector, kind, at, ended_at, score, explanation, heard_at)
VALUES (%(detector)s, %(charge_point_id)s, %(connector)s, %(kind)s, %(at)s, %(ended_at)s, %(score)s, %(explanation)s,
  %(heard_at)s)
ON CONFLICT (detector, charge_point_id, connector, kind, at) DO UPDATE SET
  ended_at = greatest(v.ended_at, excluded.ended_at), score = greatest(v.score, excluded.score),
  explanation = coalesce(nullif(excluded.explanation, ''), v.explanation)
WHERE (greatest(v.ended_at, excluded.ended_at), greatest(v.score, excluded.score)) IS DISTINCT FROM (v.ended_at, v.score);

-- load_verdict_detectors --
SELECT DISTINCT detector FROM memory.verdicts;

-- save_poison --
INSERT INTO memory.poison AS p (topic, source_no, seq, reason, payload, digest)
VALUES (%(topic)s, %(source_no)s, %(seq)s, %(reason)s, %(payload)s, %(digest)s)
ON CONFLICT (digest) DO UPDATE SET times = p.times + 1, last_at = now();

-- trim_poison --
-- Messages that are no batch are bounded in number; set-aside events are numbered and stay
DELETE FROM memory.poison WHERE seq IS NULL AND id <= (SELECT max(id) - %s FROM memory.poison);
