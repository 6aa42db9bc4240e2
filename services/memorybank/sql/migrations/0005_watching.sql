-- What people who watch see beside the memory: the truth of the scenarios, the pace of the ingest, sizes on disk.

-- the truth, for those who watch ----------------------------------------------------------------------------------

CREATE VIEW dash.truth_runs AS
  SELECT run_id, s.scenario, s.anomaly, c.charge_point_id, s.at AS started_at, e.at AS ended_at,
         nullif(s.parameters, '{}')::text AS parameters, s.seed::text AS seed
  FROM truth.labels s
  CROSS JOIN LATERAL unnest(s.charge_point_ids) AS c(charge_point_id)
  LEFT JOIN (SELECT run_id, max(at) AS at FROM truth.labels WHERE phase = 'ended' GROUP BY run_id) AS e USING (run_id)
  WHERE s.phase = 'started';
COMMENT ON VIEW dash.truth_runs IS 'Ground truth: where and when a scenario ran, a row for each of its charge points; ended_at null: it runs. For grafana_reader only';
-- Default privileges give every view of this schema to both readers. Who asks as memorybank_reader judges without the truth.
REVOKE ALL ON dash.truth_runs FROM memorybank_reader;

-- anomalies and patterns --------------------------------------------------------------------------------------------

CREATE INDEX anomalies_by_pattern ON memory.anomalies (pattern_id, started_at);

CREATE OR REPLACE VIEW dash.anomalies AS
  SELECT a.id::text AS id, a.charge_point_id, a.connector::integer AS connector, a.kind, a.severity, a.score,
         a.threshold, a.deviation, a.started_at, a.detected_at, a.ended_at, a.explanation,
         (SELECT string_agg(key || ' ' || value, ', ' ORDER BY key) FROM jsonb_each_text(a.signature))
           || CASE WHEN p.count > 1 THEN format(', %s times since %s', p.count, to_char(p.first_seen_at, 'YYYY-MM-DD HH24:MI'))
                   ELSE '' END AS pattern,
         -- As they stand in the table: of a cast no index is used.
         a.id AS anomaly_id, a.pattern_id, a.connector AS connector_no
  FROM memory.anomalies a LEFT JOIN memory.patterns p ON p.id = a.pattern_id;

CREATE VIEW dash.patterns AS
  SELECT id AS pattern_id, charge_point_id, kind, count, first_seen_at, last_seen_at,
         (signature ->> 'period_s')::float8 AS period_s, (signature ->> 'amplitude_a')::float8 AS amplitude_a,
         (signature ->> 'duty')::float8 AS duty
  FROM memory.patterns;
COMMENT ON VIEW dash.patterns IS 'Learned: anomalies of one charge point that look alike, and their mean signature';

-- the pace of the ingest ----------------------------------------------------------------------------------------------

CREATE TABLE memory.pulses (
  at                timestamptz NOT NULL,
  length_s          double precision NOT NULL CHECK (length_s > 0),
  lag_p50_s         double precision,
  lag_p95_s         double precision,
  lag_p99_s         double precision,
  lag_max_s         double precision,
  transactions      integer NOT NULL,
  messages          integer NOT NULL,
  events            integer NOT NULL,
  readings          integer NOT NULL,
  gaps              bigint NOT NULL,
  duplicates        bigint NOT NULL,
  ahead             bigint NOT NULL,
  waiting_messages  integer NOT NULL,
  partition         smallint NOT NULL,
  PRIMARY KEY (at, partition)
);

COMMENT ON TABLE memory.pulses IS 'The pace of each MemoryBank, every ten seconds, of all channels but the truth''s';
COMMENT ON COLUMN memory.pulses.at IS 'The end of the stretch';
COMMENT ON COLUMN memory.pulses.length_s IS 'Its length in seconds';
COMMENT ON COLUMN memory.pulses.lag_p50_s IS 'From the oldest event of a message to its commit, half of the messages in no more; null: there was none';
COMMENT ON COLUMN memory.pulses.lag_p95_s IS 'The same, 95 of 100 messages';
COMMENT ON COLUMN memory.pulses.lag_p99_s IS 'The same, 99 of 100 messages';
COMMENT ON COLUMN memory.pulses.lag_max_s IS 'The same, the slowest message';
COMMENT ON COLUMN memory.pulses.transactions IS 'Transactions that stored something';
COMMENT ON COLUMN memory.pulses.messages IS 'Messages stored';
COMMENT ON COLUMN memory.pulses.events IS 'Events stored, readings apart';
COMMENT ON COLUMN memory.pulses.readings IS 'Readings stored';
COMMENT ON COLUMN memory.pulses.gaps IS 'Events found missing';
COMMENT ON COLUMN memory.pulses.duplicates IS 'Events that arrived again and were not stored again';
COMMENT ON COLUMN memory.pulses.ahead IS 'Events left to be sent again, since what precedes them was not there';
COMMENT ON COLUMN memory.pulses.waiting_messages IS 'Messages in memory that waited to be stored, at the end';
COMMENT ON COLUMN memory.pulses.partition IS 'The lowest partition of the MemoryBank''s share: which of several it was';

CREATE VIEW dash.pulses AS
  SELECT at, length_s, lag_p50_s, lag_p95_s, lag_p99_s, lag_max_s, transactions, messages, events, readings, gaps,
         duplicates, ahead, waiting_messages, partition
  FROM memory.pulses;
COMMENT ON VIEW dash.pulses IS 'The pace of each MemoryBank, every ten seconds';

-- Behind a barrier, as dash.sources.
CREATE VIEW dash.poison WITH (security_barrier = on) AS
  SELECT first_at, last_at, times, topic, reason FROM memory.poison WHERE topic NOT LIKE 'chargebench/%/truth/%';
COMMENT ON VIEW dash.poison IS 'What was no valid message or event, set aside with the reason';

-- Sizes may be asked by the writer and memorybank_reader only (roles.sql): this tells of schema memory and of nothing else.
CREATE FUNCTION dash.sizes() RETURNS TABLE (parent text, part text, bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path TO pg_catalog AS $body$
  SELECT coalesce(p.relname, c.relname)::text, CASE WHEN p.oid IS NOT NULL THEN c.relname::text END,
         pg_total_relation_size(c.oid)
  FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent
  WHERE c.relnamespace = 'memory'::regnamespace AND c.relkind = 'r'
$body$;
COMMENT ON FUNCTION dash.sizes IS 'Bytes on disk of each table of schema memory, indexes included; of a partitioned one by partition';
GRANT EXECUTE ON FUNCTION dash.sizes TO grafana_reader;
