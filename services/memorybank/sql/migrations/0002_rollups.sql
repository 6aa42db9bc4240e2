-- Rollups of the readings, what was lost number by number, shares of the work, commands apart from acknowledgements.

-- commanded, acknowledged and observed ------------------------------------------------------------------------

ALTER TABLE memory.metrics ADD COLUMN acknowledged_a double precision;

COMMENT ON COLUMN memory.metrics.commanded_a IS 'The limit last commanded in A: on CAN sent to the module (0x210), by OCPP sent to the charge point';
COMMENT ON COLUMN memory.metrics.acknowledged_a IS 'The limit in A that the charge point last accepted (origin ocpp only; CAN acknowledges nothing)';

-- sources: whose share they are, and up to where they are in the rollups ------------------------------------------

ALTER TABLE memory.sources
  ADD COLUMN partition smallint NOT NULL GENERATED ALWAYS AS (right(source, 2)::smallint) STORED,
  ADD COLUMN rolled_seq bigint NOT NULL DEFAULT 0,
  ADD COLUMN dropped_seq bigint NOT NULL DEFAULT 0;

COMMENT ON COLUMN memory.sources.partition IS 'Its partition: the share of the work to which it belongs';
COMMENT ON COLUMN memory.sources.rolled_seq IS 'Its readings up to this number are in the rollups';
COMMENT ON COLUMN memory.sources.dropped_seq IS 'Of its numbers up to this one retention has dropped some; all after it must be here';

CREATE TABLE memory.gaps (
  source_no   integer NOT NULL,
  first_seq   bigint NOT NULL,
  last_seq    bigint NOT NULL CHECK (last_seq >= first_seq),
  noticed_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source_no, first_seq)
);
ALTER TABLE memory.gaps ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_truth ON memory.gaps FOR SELECT TO memorybank_reader
  USING (EXISTS (SELECT FROM memory.sources s WHERE s.source_no = gaps.source_no AND s.source NOT LIKE '%/truth/__'));

COMMENT ON TABLE memory.gaps IS 'Numbers that a source believes stored and that are not here: lost, e.g. by restoring an older backup';
COMMENT ON COLUMN memory.gaps.source_no IS 'Who numbered them (memory.sources)';
COMMENT ON COLUMN memory.gaps.first_seq IS 'The first missing number';
COMMENT ON COLUMN memory.gaps.last_seq IS 'The last missing number';
COMMENT ON COLUMN memory.gaps.noticed_at IS 'When it was noticed';

-- What was set aside of the truth channel shows to nobody who may not see it in memory.poison.
ALTER VIEW memory.numbered_events SET (security_invoker = on);

CREATE TABLE memory.forgotten (
  source         text NOT NULL,
  boot           uuid NOT NULL,
  committed_seq  bigint NOT NULL,
  forgotten_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (source, boot)
);
ALTER TABLE memory.forgotten ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_truth ON memory.forgotten FOR SELECT TO memorybank_reader USING (source NOT LIKE '%/truth/__');

COMMENT ON TABLE memory.forgotten IS 'Sources of which retention left nothing: one that comes back goes on after its number, and lost nothing';
COMMENT ON COLUMN memory.forgotten.source IS 'As in memory.sources';
COMMENT ON COLUMN memory.forgotten.boot IS 'As in memory.sources';
COMMENT ON COLUMN memory.forgotten.committed_seq IS 'Everything up to this number was stored once';
COMMENT ON COLUMN memory.forgotten.forgotten_at IS 'When it was forgotten';

-- partitions of a day, a month or a year ----------------------------------------------------------------------------

-- How a partitioned table is cut; retention goes by it, and make_partition.
CREATE TABLE memory.partitioning (
  parent      text PRIMARY KEY,
  span        text NOT NULL CHECK (span IN ('day', 'month', 'year')),
  fillfactor  integer NOT NULL CHECK (fillfactor BETWEEN 10 AND 100)
);
INSERT INTO memory.partitioning VALUES
  ('events', 'day', 100), ('metrics', 'day', 100),
  -- Rows of the present minute and hour change every few seconds: room for the new version on the same page.
  ('metrics_10s', 'day', 100), ('metrics_1m', 'month', 50), ('metrics_1h', 'year', 20);

COMMENT ON TABLE memory.partitioning IS 'Which tables are partitioned by time, and how';
COMMENT ON COLUMN memory.partitioning.parent IS 'The table in schema memory';
COMMENT ON COLUMN memory.partitioning.span IS 'The time that one partition holds (UTC)';
COMMENT ON COLUMN memory.partitioning.fillfactor IS 'How full its pages are written, in percent';

-- Make the partition of memory.<parent> in which `day` (UTC) lies; rows of that time that came before it move in.
CREATE OR REPLACE FUNCTION memory.make_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
DECLARE
  cut memory.partitioning := (SELECT p FROM memory.partitioning p WHERE p.parent = make_partition.parent);
  from_at timestamptz := date_trunc(cut.span, day::timestamptz);
  to_at timestamptz := from_at + ('1 ' || cut.span)::interval;
  name text := parent || to_char(from_at, CASE cut.span WHEN 'day' THEN '_YYYYMMDD' WHEN 'month' THEN '_YYYYMM' ELSE '_YYYY' END);
BEGIN
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  -- Several MemoryBanks may want the same one; whoever comes second finds it.
  PERFORM pg_advisory_xact_lock(hashtext('chargebench partitions'));
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format(
    'CREATE TABLE memory.%I (LIKE memory.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) WITH (fillfactor = %s)',
    name, parent, cut.fillfactor);
  -- Else another MemoryBank could put rows of that time into the catch-all after they were moved out of it.
  EXECUTE format('LOCK TABLE ONLY memory.%I IN SHARE UPDATE EXCLUSIVE MODE', parent);
  EXECUTE format('LOCK TABLE memory.%I IN ACCESS EXCLUSIVE MODE', parent || '_other');
  EXECUTE format(
    'WITH moved AS (DELETE FROM memory.%I WHERE at >= %L AND at < %L RETURNING *) INSERT INTO memory.%I SELECT * FROM moved',
    parent || '_other', from_at, to_at, name);
  EXECUTE format(
    'ALTER TABLE memory.%I ATTACH PARTITION memory.%I FOR VALUES FROM (%L) TO (%L)',
    parent, name, from_at, to_at);
END
$body$;
COMMENT ON FUNCTION memory.make_partition IS 'Make the partition in which a day (UTC) lies; safe to repeat';

CREATE VIEW memory.partitions AS
  SELECT p.parent, part.relname::text AS partition, p.span, begin.utc AT TIME ZONE 'UTC' AS from_at,
         (begin.utc + ('1 ' || p.span)::interval) AT TIME ZONE 'UTC' AS to_at, pg_total_relation_size(part.oid) AS bytes
  FROM memory.partitioning p
  JOIN pg_inherits i ON i.inhparent = to_regclass(format('memory.%I', p.parent))
  JOIN pg_class part ON part.oid = i.inhrelid
  CROSS JOIN LATERAL (
    SELECT to_date(substring(part.relname FROM '_([0-9]+)$'),
                   CASE p.span WHEN 'day' THEN 'YYYYMMDD' WHEN 'month' THEN 'YYYYMM' ELSE 'YYYY' END
                  )::timestamp AS utc
  ) AS begin
  WHERE part.relname ~ '_[0-9]{4,8}$';

COMMENT ON VIEW memory.partitions IS 'Every partition but the catch-alls, and what it holds on disk';
COMMENT ON COLUMN memory.partitions.parent IS 'The partitioned table';
COMMENT ON COLUMN memory.partitions.partition IS 'The partition';
COMMENT ON COLUMN memory.partitions.span IS 'The time that it holds';
COMMENT ON COLUMN memory.partitions.from_at IS 'Its begin';
COMMENT ON COLUMN memory.partitions.to_at IS 'Its end, which belongs to the next';
COMMENT ON COLUMN memory.partitions.bytes IS 'On disk, indexes included';

-- rollups -------------------------------------------------------------------------------------------------------

-- Sums, counts, lowest and highest only: so late data are added like any other, and a coarser level comes from a
-- finer one. What a mean needs is its sum and the number of readings that had the measurand.
CREATE TABLE memory.metrics_10s (
  at               timestamptz NOT NULL,
  current_sum      double precision,
  current_squares  double precision,
  voltage_sum      double precision,
  power_sum        double precision,
  temperature_sum  double precision,
  readings         integer NOT NULL,
  current_n        integer NOT NULL,
  voltage_n        integer NOT NULL,
  power_n          integer NOT NULL,
  temperature_n    integer NOT NULL,
  current_min      real,
  current_max      real,
  offered_max      real,
  commanded_max    real,
  power_max        real,
  temperature_max  real,
  soc_max          real,
  energy_max       double precision,
  connector        smallint NOT NULL,
  charge_point_id  text NOT NULL,
  origin           text NOT NULL,
  PRIMARY KEY (charge_point_id, connector, origin, at)
) PARTITION BY RANGE (at);
CREATE TABLE memory.metrics_1m (LIKE memory.metrics_10s INCLUDING ALL) PARTITION BY RANGE (at);
CREATE TABLE memory.metrics_1h (LIKE memory.metrics_10s INCLUDING ALL) PARTITION BY RANGE (at);
CREATE TABLE memory.metrics_10s_other PARTITION OF memory.metrics_10s DEFAULT;
CREATE TABLE memory.metrics_1m_other PARTITION OF memory.metrics_1m DEFAULT;
CREATE TABLE memory.metrics_1h_other PARTITION OF memory.metrics_1h DEFAULT;
-- For panels over a whole fleet.
CREATE INDEX metrics_10s_by_time ON memory.metrics_10s USING brin (at) WITH (pages_per_range = 32);
CREATE INDEX metrics_1m_by_time ON memory.metrics_1m USING brin (at) WITH (pages_per_range = 32);

-- What a database has already of readings will be rolled up: into partitions, as what comes from now on.
SELECT memory.make_partition(level, p.from_at::date)
FROM memory.partitions p CROSS JOIN unnest(ARRAY['metrics_10s', 'metrics_1m', 'metrics_1h']) AS level
WHERE p.parent = 'metrics';

DO $comments$
DECLARE
  level text;
  col record;
BEGIN
  FOREACH level IN ARRAY ARRAY['10s', '1m', '1h'] LOOP
    EXECUTE format('COMMENT ON TABLE memory.%I IS %L', 'metrics_' || level,
      format('Readings rolled up: a row is one connector over %s from one origin; kept up to date from memory.sources.rolled_seq', level));
    FOR col IN SELECT * FROM (VALUES
      ('at', 'Begin of the stretch (UTC, aligned)'),
      ('charge_point_id', 'The charge point'), ('connector', '1-based; 0 the station''s main meter'),
      ('origin', 'can or ocpp'), ('readings', 'How many readings'),
      ('current_sum', 'Sum of the currents in A'), ('current_squares', 'Sum of their squares in A²'),
      ('current_n', 'How many had a current'), ('current_min', 'Lowest current in A'), ('current_max', 'Highest current in A'),
      ('voltage_sum', 'Sum of the voltages in V'), ('voltage_n', 'How many had a voltage'),
      ('power_sum', 'Sum of the powers in W'), ('power_n', 'How many had a power'), ('power_max', 'Highest power in W'),
      ('temperature_sum', 'Sum of the temperatures in °C'), ('temperature_n', 'How many had a temperature'),
      ('temperature_max', 'Highest temperature in °C'), ('offered_max', 'Highest offered current in A'),
      ('commanded_max', 'Highest commanded limit in A'), ('soc_max', 'Highest state of charge in percent'),
      ('energy_max', 'Highest meter reading in Wh')) AS c(name, meaning)
    LOOP
      EXECUTE format('COMMENT ON COLUMN memory.%I.%I IS %L', 'metrics_' || level, col.name, col.meaning);
    END LOOP;
  END LOOP;
END
$comments$;

-- the dashboards' views -------------------------------------------------------------------------------------------

-- A reading may be any number, and one of 1e308 would stop every sum with an overflow, one of 1e-308 every square with
-- an underflow. Rollups and sums take it as what no charger reaches, or as nothing.
CREATE FUNCTION dash.bounded(value double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
  SELECT CASE WHEN value > 1e12 THEN 1e12 WHEN value < -1e12 THEN -1e12 WHEN abs(value) < 1e-12 THEN 0 ELSE value END
$body$;
COMMENT ON FUNCTION dash.bounded IS 'The value within ±1e12, and 0 where it is nearer to 0 than 1e-12: safe to sum and to square';
GRANT EXECUTE ON FUNCTION dash.bounded TO memorybank_reader, grafana_reader;

-- With connectors as they are stored: a cast would keep indexes from being used.
DROP VIEW dash.metrics;
CREATE VIEW dash.metrics AS
  SELECT at, charge_point_id, connector, origin, current_a, offered_a, voltage_v, power_w, energy_wh, temperature_c,
         soc_percent, commanded_a, acknowledged_a
  FROM memory.metrics;
COMMENT ON VIEW dash.metrics IS 'Readings, a row is one connector at one instant from one origin (can or ocpp)';

DROP VIEW dash.status;
CREATE VIEW dash.status AS
  SELECT e.at, e.charge_point_id, e.connector, e.detail ->> 'status' AS status, c.code AS status_code
  FROM memory.events e LEFT JOIN memory.status_codes c ON c.status = e.detail ->> 'status'
  WHERE e.kind = 'status_changed';
COMMENT ON VIEW dash.status IS 'Each change of a connector''s status';

CREATE VIEW dash.metrics_10s AS
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min,
         current_max, offered_max, commanded_max, voltage_sum, voltage_n, power_sum, power_n, power_max,
         temperature_sum, temperature_n, temperature_max, soc_max, energy_max
  FROM memory.metrics_10s;
COMMENT ON VIEW dash.metrics_10s IS 'Readings rolled up over 10 seconds';

CREATE VIEW dash.metrics_1m AS
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min,
         current_max, offered_max, commanded_max, voltage_sum, voltage_n, power_sum, power_n, power_max,
         temperature_sum, temperature_n, temperature_max, soc_max, energy_max
  FROM memory.metrics_1m;
COMMENT ON VIEW dash.metrics_1m IS 'Readings rolled up over a minute';

CREATE VIEW dash.metrics_1h AS
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min,
         current_max, offered_max, commanded_max, voltage_sum, voltage_n, power_sum, power_n, power_max,
         temperature_sum, temperature_n, temperature_max, soc_max, energy_max
  FROM memory.metrics_1h;
COMMENT ON VIEW dash.metrics_1h IS 'Readings rolled up over an hour';

-- One name for readings at whatever fineness a panel draws: each row has sums, counts, lowest and highest, whether it
-- stands for one reading or for an hour of them. Inlined by the planner: the levels that are not meant cost nothing.
CREATE FUNCTION dash.readings(interval_ms bigint)
RETURNS TABLE (at timestamptz, charge_point_id text, connector smallint, origin text, readings integer,
  current_sum float8, current_squares float8, current_n integer, current_min float8, current_max float8,
  offered_max float8, commanded_max float8, voltage_sum float8, voltage_n integer, power_sum float8, power_n integer,
  power_max float8, temperature_sum float8, temperature_n integer, temperature_max float8, soc_max float8,
  energy_max float8)
LANGUAGE sql STABLE PARALLEL SAFE AS $body$
  SELECT at, charge_point_id, connector, origin, 1, dash.bounded(current_a),
         dash.bounded(current_a) * dash.bounded(current_a), (current_a IS NOT NULL)::integer, dash.bounded(current_a),
         dash.bounded(current_a), dash.bounded(offered_a), dash.bounded(commanded_a), dash.bounded(voltage_v),
         (voltage_v IS NOT NULL)::integer, dash.bounded(power_w), (power_w IS NOT NULL)::integer,
         dash.bounded(power_w), dash.bounded(temperature_c), (temperature_c IS NOT NULL)::integer,
         dash.bounded(temperature_c), dash.bounded(soc_percent), dash.bounded(energy_wh)
  FROM dash.metrics WHERE interval_ms < 10000
  UNION ALL
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min::float8,
         current_max::float8, offered_max::float8, commanded_max::float8, voltage_sum, voltage_n, power_sum, power_n,
         power_max::float8, temperature_sum, temperature_n, temperature_max::float8, soc_max::float8, energy_max
  FROM dash.metrics_10s WHERE interval_ms >= 10000 AND interval_ms < 60000
  UNION ALL
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min::float8,
         current_max::float8, offered_max::float8, commanded_max::float8, voltage_sum, voltage_n, power_sum, power_n,
         power_max::float8, temperature_sum, temperature_n, temperature_max::float8, soc_max::float8, energy_max
  FROM dash.metrics_1m WHERE interval_ms >= 60000 AND interval_ms < 3600000
  UNION ALL
  SELECT at, charge_point_id, connector, origin, readings, current_sum, current_squares, current_n, current_min::float8,
         current_max::float8, offered_max::float8, commanded_max::float8, voltage_sum, voltage_n, power_sum, power_n,
         power_max::float8, temperature_sum, temperature_n, temperature_max::float8, soc_max::float8, energy_max
  FROM dash.metrics_1h WHERE interval_ms >= 3600000
$body$;
COMMENT ON FUNCTION dash.readings IS 'Readings at the fineness that an interval in ms asks for: single ones, or rolled up over 10 s, 1 min or 1 h';
GRANT EXECUTE ON FUNCTION dash.readings TO memorybank_reader, grafana_reader;

-- For panels over a whole fleet: what to ask dash.readings for, so that it gives no more than `rows`.
CREATE FUNCTION dash.fineness_ms(connectors integer, length interval, rows integer) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $body$
  SELECT CASE width_bucket(extract(epoch FROM length) * connectors / rows, ARRAY[1.001, 10.001, 60.001])
           WHEN 0 THEN 1000 WHEN 1 THEN 10000 WHEN 2 THEN 60000 ELSE 3600000 END
$body$;
COMMENT ON FUNCTION dash.fineness_ms IS 'The finest level of dash.readings, in ms, of which so many connectors have no more than `rows` rows in a stretch of time';
GRANT EXECUTE ON FUNCTION dash.fineness_ms TO memorybank_reader, grafana_reader;

CREATE OR REPLACE VIEW dash.sessions AS
  SELECT transaction_id::text AS transaction_id, charge_point_id, connector::integer AS connector, id_tag,
         started_at, ended_at, energy_wh, peak_a, mean_a, reason, anomalies,
         extract(epoch FROM ended_at - started_at)::double precision AS duration_s
  FROM memory.sessions
  -- Readings may come before the start they belong to, or name a transaction that never was.
  WHERE meter_start_wh IS NOT NULL OR ended_at IS NOT NULL;

-- Behind a barrier: an error in a reader's own condition would tell of the rows that are left out.
CREATE OR REPLACE VIEW dash.sources WITH (security_barrier = on) AS
  SELECT source, boot::text AS boot, committed_seq, gaps, duplicates, last_event_at, lag_s,
         ahead, events, metrics, first_event_at, last_stored_at, rolled_seq, dropped_seq
  FROM memory.sources WHERE source NOT LIKE '%/truth/__';

CREATE VIEW dash.gaps WITH (security_barrier = on) AS
  SELECT s.source, s.boot::text AS boot, g.first_seq, g.last_seq, g.last_seq - g.first_seq + 1 AS lost, g.noticed_at
  FROM memory.gaps g JOIN memory.sources s USING (source_no)
  WHERE s.source NOT LIKE '%/truth/__';
COMMENT ON VIEW dash.gaps IS 'Numbers that are missing, source by source';
