-- A past of any length, made by PostgreSQL itself. Connector k (1 …) of the fleet is read every second by CAN (its
-- charge point's source) and by OCPP (a source of the CSMS); every fifth second each of the two has an event, too.
-- So after i seconds a source has numbered i readings and i / 5 events, without a gap.

-- sources --
INSERT INTO memory.sources (source, boot, committed_seq, events, metrics, first_event_at, last_event_at,
  first_stored_at, last_stored_at, lag_s)
SELECT s.source, gen_random_uuid(), 0, 0, 0, %(begin)s, %(begin)s, %(begin)s, %(begin)s, 0.05
FROM generate_series(1, %(connectors)s) AS k
CROSS JOIN LATERAL (VALUES
  ('chargepoint:CP-' || k || '/events/' || to_char(k %% 16, 'FM00')),
  ('csms:csms-' || k || '/events/' || to_char(k %% 16, 'FM00'))) AS s(source)
ORDER BY s.source LIKE 'csms%%', k;

-- metrics --
INSERT INTO memory.metrics (at, seq, transaction_id, current_a, offered_a, voltage_v, power_w, power_offered_w,
  power_factor, frequency_hz, energy_wh, temperature_c, soc_percent, commanded_a, acknowledged_a, source_no,
  connector, charge_point_id, origin)
SELECT %(begin)s + make_interval(secs => i + k * 0.04 + o * 0.002), i + i / 5 + 1,
       CASE WHEN is_on THEN i / 1800 END, current_a, 100, voltage_v, round((current_a * voltage_v)::numeric, 1), 40000,
       1, 50, i * 9 + k, round((25 + current_a / 10)::numeric, 1), 20 + (i %% 1800) / 25.0, 100,
       CASE WHEN o = 1 THEN 100 END, k + o * %(connectors)s, 1, 'CP-' || k,
       CASE WHEN o = 0 THEN 'can' ELSE 'ocpp' END
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
CROSS JOIN generate_series(1, %(connectors)s) AS k
CROSS JOIN LATERAL (SELECT i %% 1800 < 1200 AS is_on) AS session
CROSS JOIN LATERAL (
  SELECT CASE WHEN is_on THEN round((60 + 30 * sin(i / 40.0 + k) + random())::numeric, 2) ELSE 0 END::float8 AS current_a,
         round((400 + 3 * random())::numeric, 1)::float8 AS voltage_v
) AS measured
CROSS JOIN generate_series(0, 1) AS o;

-- events --
-- As many as keep the numbers whole, in the contract's form; every eighth of the CSMS's is a status
INSERT INTO memory.events (at, seq, source_no, connector, charge_point_id, kind, detail)
SELECT %(begin)s + make_interval(secs => i + k * 0.04 + o * 0.002 + 0.01), i + i / 5 + 2, k + o * %(connectors)s, 1,
       'CP-' || k, told.kind, told.detail
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS i
CROSS JOIN generate_series(1, %(connectors)s) AS k
CROSS JOIN generate_series(0, 1) AS o
CROSS JOIN LATERAL (
  SELECT 'can_frame_seen' AS kind, jsonb_build_object('can_id', 769, 'data', '9f1800004f0e7602') AS detail WHERE o = 0
  UNION ALL SELECT 'status_changed', jsonb_build_object('status', (ARRAY['Charging', 'SuspendedEV', 'Finishing'])[1 + i / 40 %% 3])
  WHERE o = 1 AND i / 5 %% 8 = 0
  UNION ALL SELECT 'ocpp_message_seen', jsonb_build_object('direction', 'received', 'message_type', 'call', 'action',
    'MeterValues', 'unique_id', gen_random_uuid(), 'payload', jsonb_build_object('connectorId', 1, 'meterValue',
    jsonb_build_array(jsonb_build_object('timestamp', %(begin)s + make_interval(secs => i), 'sampledValue',
    jsonb_build_array(jsonb_build_object('measurand', 'Current.Import', 'value', '79.35', 'unit', 'A'))))))
  WHERE o = 1 AND i / 5 %% 8 > 0
) AS told
WHERE i %% 5 = 4;

-- advance --
UPDATE memory.sources SET committed_seq = %(last)s + 1 + (%(last)s + 1) / 5, events = (%(last)s + 1) / 5,
  metrics = %(last)s + 1, last_event_at = %(begin)s + make_interval(secs => %(last)s), last_stored_at = now();

-- sessions --
-- Twenty minutes of every half an hour
INSERT INTO memory.sessions (charge_point_id, transaction_id, connector, id_tag, started_at, ended_at, meter_start_wh,
  meter_stop_wh, reason, register_wh, register_at, can_readings, can_sum_a, can_peak_a, ocpp_readings, ocpp_sum_a,
  ocpp_peak_a, anomalies)
SELECT 'CP-' || k, n, 1, 'TAG-' || n %% 50, begun_at, begun_at + interval '20 minutes', n * 16200, n * 16200 + 10800,
       (ARRAY['Remote', 'Local', 'EVDisconnected'])[1 + n %% 3], n * 16200 + 10800, begun_at + interval '20 minutes',
       1200, 72000, 91, 1200, 72000, 91, n %% 2
FROM generate_series(1, %(last)s::bigint / 1800) AS n
CROSS JOIN generate_series(1, %(connectors)s) AS k
CROSS JOIN LATERAL (SELECT %(begin)s + make_interval(secs => n * 1800 - 1800) AS begun_at) AS start;

-- patterns --
INSERT INTO memory.patterns (id, charge_point_id, kind, count, first_seen_at, last_seen_at, signature)
SELECT gen_random_uuid(), 'CP-' || k, 'repeated-current-fluctuation', 7 * n, %(begin)s, now(),
       jsonb_build_object('period_s', 4 * n, 'amplitude_a', 100, 'duty', 0.25)
FROM generate_series(1, %(connectors)s) AS k CROSS JOIN generate_series(1, 3) AS n;

-- anomalies --
-- One an hour on each; the latest goes on
INSERT INTO memory.anomalies (id, charge_point_id, connector, kind, severity, phase, started_at, detected_at, updated_at,
  ended_at, score, threshold, deviation, signature, explanation, pattern_id)
SELECT md5('CP-' || k || '/' || n)::uuid, 'CP-' || k, 1, 'repeated-current-fluctuation',
       (ARRAY['info', 'warning', 'critical'])[1 + n %% 3], CASE WHEN is_open THEN 'updated' ELSE 'closed' END, begun_at,
       begun_at + interval '29 s', begun_at + interval '10 min',
       CASE WHEN NOT is_open THEN begun_at + interval '10 min' END, 15, 8, 97.3,
       '{"duty": 0.25, "period_s": 8, "amplitude_a": 97.3}', '15 reversals of 97.3 A in 60 s, every 8.0 s', p.id
FROM generate_series(1, greatest(1, %(last)s::bigint / 3600)) AS n
CROSS JOIN generate_series(1, %(connectors)s) AS k
CROSS JOIN LATERAL (SELECT %(begin)s + make_interval(secs => n * 3600 - 3600 + k) AS begun_at,
                           n = greatest(1, %(last)s::bigint / 3600) AS is_open) AS start
JOIN LATERAL (SELECT id FROM memory.patterns WHERE charge_point_id = 'CP-' || k LIMIT 1) AS p ON true;

-- labels --
-- Each anomaly was provoked; another run before it was benign
INSERT INTO truth.labels (at, seq, source_no, run_id, scenario, anomaly, phase, charge_point_ids, parameters, seed)
SELECT begun_at + make_interval(secs => run.from_s + phase.no * run.lasts_s), ((n * 1000 + k) * 2 + run.no) * 2 + phase.no, 0,
       'run-' || k || '-' || n || '-' || run.no, run.scenario, run.anomaly, phase.phase, ARRAY['CP-' || k], '{"limit_a": 100}', n
FROM generate_series(1, greatest(1, %(last)s::bigint / 3600)) AS n
CROSS JOIN generate_series(1, %(connectors)s) AS k
CROSS JOIN LATERAL (SELECT %(begin)s + make_interval(secs => n * 3600 - 3600 + k) AS begun_at) AS start
CROSS JOIN (VALUES (0, 'repeated-current-fluctuation', 'repeated-current-fluctuation', -20, 600),
                   (1, 'benign-charging', NULL, 1800, 1200)) AS run(no, scenario, anomaly, from_s, lasts_s)
CROSS JOIN (VALUES (0, 'started'), (1, 'ended')) AS phase(no, phase);

-- pulses --
INSERT INTO memory.pulses (at, length_s, lag_p50_s, lag_p95_s, lag_p99_s, lag_max_s, transactions, messages, events,
  readings, gaps, duplicates, ahead, waiting_messages, partition)
SELECT at, 10, 0.1, 0.2, 0.2 + random() / 10, 0.4, 100, 20 * %(connectors)s, 4 * %(connectors)s, 20 * %(connectors)s, 0, 0, 0,
       random(0, 3), 0
FROM generate_series(%(begin)s::timestamptz, %(end)s::timestamptz, '10 seconds') AS at;

-- charge_points --
INSERT INTO memory.charge_points (charge_point_id, connector, status, error_code, status_at, connected, connected_at,
  transaction_id, transaction_at, reading_at, reading_origin, current_a, offered_a, voltage_v, power_w, energy_wh,
  temperature_c, soc_percent, commanded_a)
SELECT 'CP-' || k, c, CASE WHEN c = 1 THEN 'Charging' END, 'NoError', now(), CASE WHEN c = 0 THEN true END,
       %(begin)s, 1, now(), CASE WHEN c = 1 THEN %(end)s END, 'can', 79.3, 100, 401, 31800, 1000, 33, 50, 100
FROM generate_series(1, %(connectors)s) AS k CROSS JOIN generate_series(0, 1) AS c;
