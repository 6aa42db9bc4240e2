-- The first memory: sources, events, metrics, sessions, anomalies, patterns, charge points, poison; the truth
-- apart from all of them; the views of the dashboards. Run as memorybank_writer after roles.sql.

-- sources ----------------------------------------------------------------------------------------------------

CREATE TABLE memory.sources (
  source_no        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  source           text NOT NULL,
  boot             uuid NOT NULL,
  committed_seq    bigint NOT NULL CHECK (committed_seq >= 0),
  gaps             bigint NOT NULL DEFAULT 0,
  duplicates       bigint NOT NULL DEFAULT 0,
  ahead            bigint NOT NULL DEFAULT 0,
  events           bigint NOT NULL DEFAULT 0,
  metrics          bigint NOT NULL DEFAULT 0,
  first_event_at   timestamptz,
  last_event_at    timestamptz,
  first_stored_at  timestamptz,
  last_stored_at   timestamptz,
  lag_s            double precision,
  UNIQUE (source, boot)
) WITH (fillfactor = 50);  -- updated with every transaction: room for the new version on the same page

COMMENT ON TABLE memory.sources IS 'Who numbers events, and how far they are stored; moved on in the transaction that stores';
COMMENT ON COLUMN memory.sources.source_no IS 'Short name of (source, boot) in the rows it numbered';
COMMENT ON COLUMN memory.sources.source IS 'Name, channel and partition, e.g. chargepoint:CP-1/events/07';
COMMENT ON COLUMN memory.sources.boot IS 'The outbox that numbers; a new one starts at 1';
COMMENT ON COLUMN memory.sources.committed_seq IS 'Everything up to this number is stored';
COMMENT ON COLUMN memory.sources.gaps IS 'Numbers that the source believes stored and that are not here';
COMMENT ON COLUMN memory.sources.duplicates IS 'Events that arrived again after they were stored (harmless)';
COMMENT ON COLUMN memory.sources.ahead IS 'Events that arrived before their predecessors and were left to be sent again (harmless)';
COMMENT ON COLUMN memory.sources.events IS 'How many of its events were stored in memory.events';
COMMENT ON COLUMN memory.sources.metrics IS 'How many of its events were stored in memory.metrics';
COMMENT ON COLUMN memory.sources.first_event_at IS 'Earliest event time stored';
COMMENT ON COLUMN memory.sources.last_event_at IS 'Latest event time stored';
COMMENT ON COLUMN memory.sources.first_stored_at IS 'When its first event was stored';
COMMENT ON COLUMN memory.sources.last_stored_at IS 'When its latest events were stored';
COMMENT ON COLUMN memory.sources.lag_s IS 'Seconds from the newest event to its storing, in the latest transaction';

-- events and metrics, a partition a day ----------------------------------------------------------------------

CREATE TABLE memory.events (
  at               timestamptz NOT NULL,
  seq              bigint NOT NULL,
  source_no        integer NOT NULL,
  connector        smallint,
  charge_point_id  text,
  kind             text NOT NULL,
  detail           jsonb NOT NULL,
  -- source_no refers to sources; a foreign key would cost a look-up a row to check what one statement wrote.
  PRIMARY KEY (source_no, seq, at)
) PARTITION BY RANGE (at);

CREATE TABLE memory.events_other PARTITION OF memory.events DEFAULT;
CREATE INDEX events_by_time ON memory.events USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX events_by_charge_point ON memory.events (charge_point_id, at);
CREATE INDEX events_notable ON memory.events (at) WHERE kind NOT IN ('can_frame_seen', 'ocpp_message_seen');
CREATE INDEX events_of_status ON memory.events (charge_point_id, connector, at) WHERE kind = 'status_changed';

COMMENT ON TABLE memory.events IS 'Every event but readings: OCPP messages, CAN frames, statuses, transactions, commands, system events';
COMMENT ON COLUMN memory.events.at IS 'Event time: when it happened';
COMMENT ON COLUMN memory.events.seq IS 'Its number, given by its source';
COMMENT ON COLUMN memory.events.source_no IS 'Who numbered it (memory.sources)';
COMMENT ON COLUMN memory.events.connector IS '1-based; 0 the whole station; null where it is about no connector';
COMMENT ON COLUMN memory.events.charge_point_id IS 'Null where it is about the bench itself';
COMMENT ON COLUMN memory.events.kind IS 'The event type of the contract, e.g. ocpp_message_seen';
COMMENT ON COLUMN memory.events.detail IS 'Its other fields, those left out that have the contract''s default; an OCPP answer has round_trip_s';

CREATE TABLE memory.metrics (
  at                timestamptz NOT NULL,
  seq               bigint NOT NULL,
  transaction_id    bigint,
  current_a         double precision,
  offered_a         double precision,
  voltage_v         double precision,
  power_w           double precision,
  power_offered_w   double precision,
  power_factor      double precision,
  frequency_hz      double precision,
  energy_wh         double precision,
  temperature_c     double precision,
  soc_percent       double precision,
  commanded_a       double precision,
  source_no         integer NOT NULL,
  connector         smallint NOT NULL,
  charge_point_id   text NOT NULL,
  origin            text NOT NULL CHECK (origin IN ('can', 'ocpp')),
  PRIMARY KEY (source_no, seq, at)
) PARTITION BY RANGE (at);

CREATE TABLE memory.metrics_other PARTITION OF memory.metrics DEFAULT;
CREATE INDEX metrics_by_time ON memory.metrics USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX metrics_by_connector ON memory.metrics (charge_point_id, connector, at);

COMMENT ON TABLE memory.metrics IS 'Readings: a row is one connector at one instant from one origin, all measurands in it';
COMMENT ON COLUMN memory.metrics.at IS 'Event time: when it was measured';
COMMENT ON COLUMN memory.metrics.seq IS 'Its number, given by its source';
COMMENT ON COLUMN memory.metrics.transaction_id IS 'The transaction that ran, as its origin says';
COMMENT ON COLUMN memory.metrics.current_a IS 'Current.Import in A, positive to the vehicle';
COMMENT ON COLUMN memory.metrics.offered_a IS 'Current.Offered in A: what the station allows the vehicle';
COMMENT ON COLUMN memory.metrics.voltage_v IS 'Voltage in V';
COMMENT ON COLUMN memory.metrics.power_w IS 'Power.Active.Import in W';
COMMENT ON COLUMN memory.metrics.power_offered_w IS 'Power.Offered in W';
COMMENT ON COLUMN memory.metrics.power_factor IS 'Power.Factor, 0 … 1';
COMMENT ON COLUMN memory.metrics.frequency_hz IS 'Frequency of the mains in Hz';
COMMENT ON COLUMN memory.metrics.energy_wh IS 'Energy.Active.Import.Register in Wh: the meter, not the session';
COMMENT ON COLUMN memory.metrics.temperature_c IS 'Temperature of the module in °C';
COMMENT ON COLUMN memory.metrics.soc_percent IS 'State of charge of the vehicle in percent';
COMMENT ON COLUMN memory.metrics.commanded_a IS 'The limit last sent to the module in A (origin can only)';
COMMENT ON COLUMN memory.metrics.source_no IS 'Who numbered it (memory.sources)';
COMMENT ON COLUMN memory.metrics.connector IS '1-based; 0 the station''s main meter';
COMMENT ON COLUMN memory.metrics.charge_point_id IS 'The charge point';
COMMENT ON COLUMN memory.metrics.origin IS 'can: observed on the bus; ocpp: reported by MeterValues';

-- Make the partition of `day` (UTC) of memory.<parent>; rows of that day that came before it move in.
CREATE FUNCTION memory.make_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
DECLARE
  name text := parent || to_char(day, '_YYYYMMDD');
BEGIN
  IF to_regclass(format('memory.%I', name)) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE memory.%I (LIKE memory.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name, parent);
  EXECUTE format(
    'WITH moved AS (DELETE FROM memory.%I WHERE at >= %L AND at < %L RETURNING *) INSERT INTO memory.%I SELECT * FROM moved',
    parent || '_other', day::timestamptz, (day + 1)::timestamptz, name);
  EXECUTE format(
    'ALTER TABLE memory.%I ATTACH PARTITION memory.%I FOR VALUES FROM (%L) TO (%L)',
    parent, name, day::timestamptz, (day + 1)::timestamptz);
END
$body$;
COMMENT ON FUNCTION memory.make_partition IS 'Make the partition of a day (UTC); safe to repeat';

-- what is remembered of transactions -------------------------------------------------------------------------

CREATE TABLE memory.sessions (
  charge_point_id  text NOT NULL,
  transaction_id   bigint NOT NULL,
  connector        smallint,
  id_tag           text,
  started_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  meter_start_wh   double precision,
  meter_stop_wh    double precision,
  reason           text,
  register_wh      double precision,
  register_at      timestamptz,
  can_readings     bigint NOT NULL DEFAULT 0,
  can_sum_a        double precision NOT NULL DEFAULT 0,
  can_peak_a       double precision,
  ocpp_readings    bigint NOT NULL DEFAULT 0,
  ocpp_sum_a       double precision NOT NULL DEFAULT 0,
  ocpp_peak_a      double precision,
  anomalies        integer NOT NULL DEFAULT 0,
  energy_wh        double precision GENERATED ALWAYS AS (coalesce(meter_stop_wh, register_wh) - meter_start_wh) STORED,
  peak_a           double precision GENERATED ALWAYS AS (coalesce(can_peak_a, ocpp_peak_a)) STORED,
  mean_a           double precision GENERATED ALWAYS AS (
                     CASE WHEN can_readings > 0 THEN can_sum_a / can_readings
                          WHEN ocpp_readings > 0 THEN ocpp_sum_a / ocpp_readings END) STORED,
  PRIMARY KEY (charge_point_id, transaction_id)
) WITH (fillfactor = 70);

CREATE INDEX sessions_by_start ON memory.sessions (started_at);
CREATE INDEX sessions_by_end ON memory.sessions (charge_point_id, connector, (coalesce(ended_at, 'infinity')));

COMMENT ON TABLE memory.sessions IS 'What is remembered of each transaction';
COMMENT ON COLUMN memory.sessions.charge_point_id IS 'The charge point';
COMMENT ON COLUMN memory.sessions.transaction_id IS 'The id that the CSMS gave';
COMMENT ON COLUMN memory.sessions.connector IS '1-based';
COMMENT ON COLUMN memory.sessions.id_tag IS 'Who charged; null until the start is known';
COMMENT ON COLUMN memory.sessions.started_at IS 'Its start; until that is known the first reading in it';
COMMENT ON COLUMN memory.sessions.ended_at IS 'Its end; null while it runs';
COMMENT ON COLUMN memory.sessions.meter_start_wh IS 'Meter at the start in Wh; null until the start is known';
COMMENT ON COLUMN memory.sessions.meter_stop_wh IS 'Meter at the end in Wh';
COMMENT ON COLUMN memory.sessions.reason IS 'OCPP''s reason of the end';
COMMENT ON COLUMN memory.sessions.register_wh IS 'Meter at the latest reading in Wh';
COMMENT ON COLUMN memory.sessions.register_at IS 'Event time of that reading';
COMMENT ON COLUMN memory.sessions.can_readings IS 'Readings of current observed on CAN';
COMMENT ON COLUMN memory.sessions.can_sum_a IS 'Their sum in A';
COMMENT ON COLUMN memory.sessions.can_peak_a IS 'Their highest in A';
COMMENT ON COLUMN memory.sessions.ocpp_readings IS 'Readings of current reported by OCPP';
COMMENT ON COLUMN memory.sessions.ocpp_sum_a IS 'Their sum in A';
COMMENT ON COLUMN memory.sessions.ocpp_peak_a IS 'Their highest in A';
COMMENT ON COLUMN memory.sessions.anomalies IS 'Anomalies on the connector that overlap it';
COMMENT ON COLUMN memory.sessions.energy_wh IS 'Energy in Wh: to its end, or so far; null until the start is known';
COMMENT ON COLUMN memory.sessions.peak_a IS 'Highest current in A: observed, else reported';
COMMENT ON COLUMN memory.sessions.mean_a IS 'Mean current in A: observed, else reported';

-- what is remembered of anomalies ----------------------------------------------------------------------------

CREATE TABLE memory.patterns (
  id               uuid PRIMARY KEY,
  charge_point_id  text NOT NULL,
  kind             text NOT NULL,
  count            integer NOT NULL,
  first_seen_at    timestamptz NOT NULL,
  last_seen_at     timestamptz NOT NULL,
  signature        jsonb NOT NULL
);

COMMENT ON TABLE memory.patterns IS 'Learned: anomalies of one charge point that look alike';
COMMENT ON COLUMN memory.patterns.id IS 'From the first anomaly of the pattern';
COMMENT ON COLUMN memory.patterns.charge_point_id IS 'Where it was seen';
COMMENT ON COLUMN memory.patterns.kind IS 'The kind of its anomalies';
COMMENT ON COLUMN memory.patterns.count IS 'How many anomalies showed it';
COMMENT ON COLUMN memory.patterns.first_seen_at IS 'Start of the first of them';
COMMENT ON COLUMN memory.patterns.last_seen_at IS 'Start of the latest of them';
COMMENT ON COLUMN memory.patterns.signature IS 'Their mean signature, e.g. period_s, amplitude_a, duty';

CREATE TABLE memory.anomalies (
  id               uuid PRIMARY KEY,
  charge_point_id  text NOT NULL,
  connector        smallint NOT NULL,
  kind             text NOT NULL,
  severity         text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
  phase            text NOT NULL CHECK (phase IN ('opened', 'updated', 'closed')),
  started_at       timestamptz NOT NULL,
  detected_at      timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  ended_at         timestamptz,
  score            double precision NOT NULL,
  threshold        double precision NOT NULL,
  deviation        double precision NOT NULL,
  signature        jsonb NOT NULL,
  explanation      text NOT NULL,
  pattern_id       uuid REFERENCES memory.patterns
);

CREATE INDEX anomalies_by_start ON memory.anomalies (started_at);
CREATE INDEX anomalies_by_charge_point ON memory.anomalies (charge_point_id, started_at);
CREATE INDEX anomalies_by_end ON memory.anomalies (charge_point_id, connector, (coalesce(ended_at, 'infinity')));

COMMENT ON TABLE memory.anomalies IS 'What the detectors found, each anomaly once, as it is known now';
COMMENT ON COLUMN memory.anomalies.id IS 'From charge point, connector, kind and start, so that a repetition finds the same row';
COMMENT ON COLUMN memory.anomalies.charge_point_id IS 'The charge point';
COMMENT ON COLUMN memory.anomalies.connector IS '1-based';
COMMENT ON COLUMN memory.anomalies.kind IS 'Its name, e.g. repeated-current-fluctuation';
COMMENT ON COLUMN memory.anomalies.severity IS 'info, warning or critical: from the physical stress, not from the score';
COMMENT ON COLUMN memory.anomalies.phase IS 'opened, updated or closed: what was told of it last';
COMMENT ON COLUMN memory.anomalies.started_at IS 'Event time of its first sign';
COMMENT ON COLUMN memory.anomalies.detected_at IS 'Event time at which the score crossed the threshold';
COMMENT ON COLUMN memory.anomalies.updated_at IS 'Event time of the latest change of this row';
COMMENT ON COLUMN memory.anomalies.ended_at IS 'Event time of its last sign; null while it is open';
COMMENT ON COLUMN memory.anomalies.score IS 'What the detector measured, e.g. reversals in 60 s';
COMMENT ON COLUMN memory.anomalies.threshold IS 'From where on the score is an anomaly';
COMMENT ON COLUMN memory.anomalies.deviation IS 'How far from the expected, in the unit of the evidence (reversals: A peak to peak)';
COMMENT ON COLUMN memory.anomalies.signature IS 'By what it is recognised, e.g. period_s, amplitude_a, duty';
COMMENT ON COLUMN memory.anomalies.explanation IS 'One sentence with numbers';
COMMENT ON COLUMN memory.anomalies.pattern_id IS 'The learned pattern that it shows';

-- the latest of each connector -------------------------------------------------------------------------------

CREATE TABLE memory.charge_points (
  charge_point_id  text NOT NULL,
  connector        smallint NOT NULL,
  status           text,
  error_code       text,
  status_at        timestamptz,
  connected        boolean,
  connected_at     timestamptz,
  transaction_id   bigint,
  transaction_at   timestamptz,
  reading_at       timestamptz,
  reading_origin   text,
  current_a        double precision,
  offered_a        double precision,
  voltage_v        double precision,
  power_w          double precision,
  energy_wh        double precision,
  temperature_c    double precision,
  soc_percent      double precision,
  commanded_a      double precision,
  PRIMARY KEY (charge_point_id, connector)
) WITH (fillfactor = 30);  -- every row changes every second

COMMENT ON TABLE memory.charge_points IS 'The latest of each connector, by event time; connector 0 is the station and its connection';
COMMENT ON COLUMN memory.charge_points.charge_point_id IS 'The charge point';
COMMENT ON COLUMN memory.charge_points.connector IS '1-based; 0 the whole station';
COMMENT ON COLUMN memory.charge_points.status IS 'OCPP''s status, or Offline';
COMMENT ON COLUMN memory.charge_points.error_code IS 'OCPP''s error code';
COMMENT ON COLUMN memory.charge_points.status_at IS 'Event time of the status';
COMMENT ON COLUMN memory.charge_points.connected IS 'Whether the CSMS holds a connection (connector 0 only)';
COMMENT ON COLUMN memory.charge_points.connected_at IS 'Event time of that';
COMMENT ON COLUMN memory.charge_points.transaction_id IS 'The transaction that runs; null: none';
COMMENT ON COLUMN memory.charge_points.transaction_at IS 'Event time of its start or of the end of the one before';
COMMENT ON COLUMN memory.charge_points.reading_at IS 'Event time of the latest reading';
COMMENT ON COLUMN memory.charge_points.reading_origin IS 'Its origin; CAN is preferred while it is fresh';
COMMENT ON COLUMN memory.charge_points.current_a IS 'Current in A';
COMMENT ON COLUMN memory.charge_points.offered_a IS 'Offered current in A';
COMMENT ON COLUMN memory.charge_points.voltage_v IS 'Voltage in V';
COMMENT ON COLUMN memory.charge_points.power_w IS 'Power in W';
COMMENT ON COLUMN memory.charge_points.energy_wh IS 'Meter in Wh';
COMMENT ON COLUMN memory.charge_points.temperature_c IS 'Temperature in °C';
COMMENT ON COLUMN memory.charge_points.soc_percent IS 'State of charge in percent';
COMMENT ON COLUMN memory.charge_points.commanded_a IS 'The limit last sent to the module in A';

CREATE TABLE memory.status_codes (
  status  text PRIMARY KEY,
  code    integer NOT NULL UNIQUE
);
INSERT INTO memory.status_codes VALUES
  ('Offline', 0), ('Available', 1), ('Preparing', 2), ('Charging', 3), ('SuspendedEVSE', 4),
  ('SuspendedEV', 5), ('Finishing', 6), ('Reserved', 7), ('Unavailable', 8), ('Faulted', 9);

COMMENT ON TABLE memory.status_codes IS 'Numbers for statuses, since a state timeline needs them';
COMMENT ON COLUMN memory.status_codes.status IS 'OCPP''s status, or Offline';
COMMENT ON COLUMN memory.status_codes.code IS 'Its number on dashboards';

-- what could not be taken ------------------------------------------------------------------------------------

CREATE TABLE memory.poison (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first_at   timestamptz NOT NULL DEFAULT now(),
  last_at    timestamptz NOT NULL DEFAULT now(),
  times      bigint NOT NULL DEFAULT 1,
  topic      text NOT NULL,
  source_no  integer,
  seq        bigint,
  reason     text NOT NULL,
  payload    bytea NOT NULL,
  digest     bytea NOT NULL UNIQUE
);
-- Payloads of the truth channel would tell a reader the truth.
REVOKE SELECT ON memory.poison FROM memorybank_reader;
GRANT SELECT (id, first_at, last_at, times, topic, source_no, seq, reason) ON memory.poison TO memorybank_reader;
-- When labels came tells when scenarios began: a reader sees nothing of the truth channel, not even its pace.
ALTER TABLE memory.poison ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_truth ON memory.poison FOR SELECT TO memorybank_reader
  USING (topic NOT LIKE 'chargebench/%/truth/%');
ALTER TABLE memory.sources ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_truth ON memory.sources FOR SELECT TO memorybank_reader USING (source NOT LIKE '%/truth/__');

COMMENT ON TABLE memory.poison IS 'What was no valid batch or event, set aside with the reason';
COMMENT ON COLUMN memory.poison.id IS 'In the order of arrival';
COMMENT ON COLUMN memory.poison.first_at IS 'When it first arrived';
COMMENT ON COLUMN memory.poison.last_at IS 'When it last arrived';
COMMENT ON COLUMN memory.poison.times IS 'How often the same arrived';
COMMENT ON COLUMN memory.poison.topic IS 'The MQTT topic';
COMMENT ON COLUMN memory.poison.source_no IS 'Who numbered it, where a single event of a batch was set aside';
COMMENT ON COLUMN memory.poison.seq IS 'That event''s number; it counts as stored';
COMMENT ON COLUMN memory.poison.reason IS 'What is wrong, and where';
COMMENT ON COLUMN memory.poison.payload IS 'The bytes, up to 64 KiB of them';
COMMENT ON COLUMN memory.poison.digest IS 'SHA-256 of all that arrived, so that a repetition adds no row';

-- the truth --------------------------------------------------------------------------------------------------

CREATE TABLE truth.labels (
  at                timestamptz NOT NULL,
  seq               bigint NOT NULL,
  source_no         integer NOT NULL,
  run_id            text NOT NULL,
  scenario          text NOT NULL,
  anomaly           text,
  phase             text NOT NULL CHECK (phase IN ('started', 'ended')),
  charge_point_ids  text[] NOT NULL,
  parameters        jsonb NOT NULL,
  seed              numeric NOT NULL,
  PRIMARY KEY (source_no, seq)
);

COMMENT ON TABLE truth.labels IS 'Ground truth: where and when a scenario began and ended';
COMMENT ON COLUMN truth.labels.at IS 'Time of the first command (started) or of the last one (ended)';
COMMENT ON COLUMN truth.labels.seq IS 'Its number, given by its source';
COMMENT ON COLUMN truth.labels.source_no IS 'Who numbered it (memory.sources)';
COMMENT ON COLUMN truth.labels.run_id IS 'The run that began or ended';
COMMENT ON COLUMN truth.labels.scenario IS 'The scenario''s name';
COMMENT ON COLUMN truth.labels.anomaly IS 'Which anomaly it provokes; null for benign life';
COMMENT ON COLUMN truth.labels.phase IS 'started or ended';
COMMENT ON COLUMN truth.labels.charge_point_ids IS 'Where';
COMMENT ON COLUMN truth.labels.parameters IS 'With which parameters';
COMMENT ON COLUMN truth.labels.seed IS 'With which seed';

-- bookkeeping of loss ----------------------------------------------------------------------------------------

CREATE VIEW memory.numbered_events AS
  SELECT s.source, s.boot, n.seq, n.at, n.stored_in
  FROM (
    SELECT source_no, seq, at, 'events' AS stored_in FROM memory.events
    UNION ALL SELECT source_no, seq, at, 'metrics' FROM memory.metrics
    UNION ALL SELECT source_no, seq, first_at, 'poison' FROM memory.poison WHERE seq IS NOT NULL
  ) n JOIN memory.sources s USING (source_no);

COMMENT ON VIEW memory.numbered_events IS 'Every numbered event of the events channel, wherever it is stored: each number once, or something is wrong';
COMMENT ON COLUMN memory.numbered_events.source IS 'Who numbered it';
COMMENT ON COLUMN memory.numbered_events.boot IS 'The outbox that numbered it';
COMMENT ON COLUMN memory.numbered_events.seq IS 'Its number';
COMMENT ON COLUMN memory.numbered_events.at IS 'Event time (poison: time of arrival)';
COMMENT ON COLUMN memory.numbered_events.stored_in IS 'The table that has it';

-- the dashboards' views --------------------------------------------------------------------------------------

CREATE VIEW dash.metrics AS
  SELECT at, charge_point_id, connector::integer AS connector, origin, current_a, offered_a, voltage_v, power_w,
         energy_wh, temperature_c, soc_percent, commanded_a
  FROM memory.metrics;

COMMENT ON VIEW dash.metrics IS 'Readings, a row is one connector at one instant from one origin (can or ocpp)';

CREATE VIEW dash.status AS
  SELECT e.at, e.charge_point_id, e.connector::integer AS connector, e.detail ->> 'status' AS status,
         c.code AS status_code
  FROM memory.events e LEFT JOIN memory.status_codes c ON c.status = e.detail ->> 'status'
  WHERE e.kind = 'status_changed';

COMMENT ON VIEW dash.status IS 'Each change of a connector''s status';

CREATE VIEW dash.charge_points AS
  SELECT p.charge_point_id, p.connector::integer AS connector, p.status, c.code AS status_code,
         greatest(p.status_at, CASE WHEN NOT p.connected THEN p.station_at END) AS status_at, p.connected,
         p.reading_at AS last_reading_at, p.current_a, p.power_w, p.energy_wh, p.soc_percent, p.transaction_id,
         (SELECT count(*)::integer FROM memory.anomalies a
          WHERE a.charge_point_id = p.charge_point_id AND a.connector = p.connector
            AND coalesce(a.ended_at, 'infinity') = 'infinity') AS open_anomalies
  FROM (
    SELECT l.charge_point_id, l.connector, l.status_at, l.reading_at, l.current_a, l.power_w, l.energy_wh,
           l.soc_percent, l.transaction_id, station.connected_at AS station_at,
           CASE WHEN station.connected IS FALSE THEN 'Offline' ELSE l.status END AS status,
           coalesce(station.connected, l.status <> 'Offline', false) AS connected
    FROM memory.charge_points l
    LEFT JOIN memory.charge_points station
      ON station.charge_point_id = l.charge_point_id AND station.connector = 0
    WHERE l.connector > 0
  ) p LEFT JOIN memory.status_codes c ON c.status = p.status;

COMMENT ON VIEW dash.charge_points IS 'The latest of each connector';

CREATE VIEW dash.anomalies AS
  SELECT a.id::text AS id, a.charge_point_id, a.connector::integer AS connector, a.kind, a.severity, a.score,
         a.threshold, a.deviation, a.started_at, a.detected_at, a.ended_at, a.explanation,
         (SELECT string_agg(key || ' ' || value, ', ' ORDER BY key) FROM jsonb_each_text(a.signature))
           || CASE WHEN p.count > 1 THEN format(', %s times since %s', p.count, to_char(p.first_seen_at, 'YYYY-MM-DD HH24:MI'))
                   ELSE '' END AS pattern
  FROM memory.anomalies a LEFT JOIN memory.patterns p ON p.id = a.pattern_id;

COMMENT ON VIEW dash.anomalies IS 'What the detectors found';

CREATE VIEW dash.sessions AS
  SELECT transaction_id::text AS transaction_id, charge_point_id, connector::integer AS connector, id_tag,
         started_at, ended_at, energy_wh, peak_a, mean_a, reason, anomalies
  FROM memory.sessions
  -- Readings may come before the start they belong to, or name a transaction that never was.
  WHERE meter_start_wh IS NOT NULL OR ended_at IS NOT NULL;

COMMENT ON VIEW dash.sessions IS 'What is remembered of each transaction';

CREATE VIEW dash.events AS
  SELECT at, charge_point_id, connector::integer AS connector, kind,
         CASE kind
           WHEN 'can_frame_seen' THEN concat_ws(' ',
             '0x' || to_hex((detail ->> 'can_id')::integer), nullif(detail ->> 'data', ''),
             CASE WHEN (detail ->> 'sent')::boolean THEN 'sent' ELSE 'heard' END)
           WHEN 'ocpp_message_seen' THEN concat_ws(' ',
             detail ->> 'direction', nullif(detail ->> 'action', ''), detail ->> 'message_type',
             detail ->> 'error_code', round((detail ->> 'round_trip_s')::numeric * 1000, 1) || ' ms')
           WHEN 'status_changed' THEN concat_ws(' ',
             detail ->> 'status', nullif(detail ->> 'error_code', 'NoError'))
           WHEN 'transaction_started' THEN format('transaction %s began, tag %s, meter %s Wh',
             detail ->> 'transaction_id', detail ->> 'id_tag', detail ->> 'meter_start_wh')
           WHEN 'transaction_ended' THEN format('transaction %s ended, %s, meter %s Wh',
             detail ->> 'transaction_id', coalesce(detail ->> 'reason', 'Local'), detail ->> 'meter_stop_wh')
           WHEN 'command_sent' THEN format('%s: %s', detail ->> 'command', detail ->> 'outcome')
           WHEN 'system_event' THEN concat_ws(' ', (detail ->> 'service') || ':', detail ->> 'name',
             nullif(detail -> 'detail', '{}')::text)
         END AS summary
  FROM memory.events;

COMMENT ON VIEW dash.events IS 'Every event but readings, in one line each';

CREATE VIEW dash.sources AS
  SELECT source, boot::text AS boot, committed_seq, gaps, duplicates, last_event_at, lag_s
  FROM memory.sources WHERE source NOT LIKE '%/truth/__';

COMMENT ON VIEW dash.sources IS 'Who numbers events, and how far they are stored';
