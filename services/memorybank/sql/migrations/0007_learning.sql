-- What was learned: baselines by connector, phase of charging and metric, their versions, drifts that people are asked about.

CREATE TABLE memory.baseline_versions (
  partition  smallint NOT NULL,
  version    integer NOT NULL,
  at         timestamptz NOT NULL,
  sessions   integer NOT NULL,
  changed    integer NOT NULL,
  PRIMARY KEY (partition, version)
);
COMMENT ON TABLE memory.baseline_versions IS 'Each time that something was learned';
COMMENT ON COLUMN memory.baseline_versions.partition IS 'The lowest partition of the MemoryBank''s share: which of several it was';
COMMENT ON COLUMN memory.baseline_versions.version IS 'Counted from 1';
COMMENT ON COLUMN memory.baseline_versions.at IS 'When';
COMMENT ON COLUMN memory.baseline_versions.sessions IS 'From how many sessions: ended, quarantined, no anomaly near';
COMMENT ON COLUMN memory.baseline_versions.changed IS 'How many baselines changed';

CREATE TABLE memory.baselines (
  charge_point_id  text NOT NULL,
  connector        smallint NOT NULL,
  metric           text NOT NULL,
  phase            text NOT NULL,
  sessions         integer NOT NULL,
  samples          bigint NOT NULL,
  mean             double precision NOT NULL,
  variance         double precision NOT NULL CHECK (variance >= 0),
  histogram        double precision[] NOT NULL,
  recent_mean      double precision NOT NULL,
  anchor_mean      double precision,
  anchor_sd        double precision,
  rise             double precision NOT NULL DEFAULT 0,
  fall             double precision NOT NULL DEFAULT 0,
  is_held          boolean NOT NULL DEFAULT false,
  updated_at       timestamptz NOT NULL,
  version          integer NOT NULL,
  partition        smallint NOT NULL,
  PRIMARY KEY (charge_point_id, connector, metric, phase, partition)
);
COMMENT ON TABLE memory.baselines IS 'Learned: what is usual of a metric';
COMMENT ON COLUMN memory.baselines.charge_point_id IS 'Where; * is the fleet';
COMMENT ON COLUMN memory.baselines.connector IS '1-based; 0 for the fleet';
COMMENT ON COLUMN memory.baselines.metric IS 'Of what, e.g. slew_a_s';
COMMENT ON COLUMN memory.baselines.phase IS 'In which phase: charging (a transaction runs), ramp (the current moves), steady';
COMMENT ON COLUMN memory.baselines.sessions IS 'From how many sessions';
COMMENT ON COLUMN memory.baselines.samples IS 'From how many values in them';
COMMENT ON COLUMN memory.baselines.mean IS 'Exponentially weighted mean of the sessions';
COMMENT ON COLUMN memory.baselines.variance IS 'Exponentially weighted variance, within sessions and between them';
COMMENT ON COLUMN memory.baselines.histogram IS 'Share of the samples in each of 32 equal bins';
COMMENT ON COLUMN memory.baselines.recent_mean IS 'Mean of the last few sessions, wherever they go: nothing is judged by it';
COMMENT ON COLUMN memory.baselines.anchor_mean IS 'The mean when it grew up or people agreed last: it may not go far from there; null: young';
COMMENT ON COLUMN memory.baselines.anchor_sd IS 'The standard deviation then';
COMMENT ON COLUMN memory.baselines.rise IS 'Sum of the drift test, upwards, in standard deviations';
COMMENT ON COLUMN memory.baselines.fall IS 'The same, downwards';
COMMENT ON COLUMN memory.baselines.is_held IS 'It drifts: nothing is learned until a person agrees';
COMMENT ON COLUMN memory.baselines.updated_at IS 'End of the last session that it learned from';
COMMENT ON COLUMN memory.baselines.version IS 'The version that changed it last';
COMMENT ON COLUMN memory.baselines.partition IS 'The lowest partition of the MemoryBank''s share';

CREATE TABLE memory.baseline_proposals (
  charge_point_id  text NOT NULL,
  connector        smallint NOT NULL,
  metric           text NOT NULL,
  phase            text NOT NULL,
  proposed_at      timestamptz NOT NULL,
  known_mean       double precision NOT NULL,
  known_sd         double precision NOT NULL,
  mean             double precision NOT NULL,
  version          integer NOT NULL,
  partition        smallint NOT NULL,
  agreed_at        timestamptz,
  agreed_mean      double precision,
  PRIMARY KEY (charge_point_id, connector, metric, phase, version, partition)
);
COMMENT ON TABLE memory.baseline_proposals IS 'Drifts that were seen and not learned: people agree or leave it';
COMMENT ON COLUMN memory.baseline_proposals.charge_point_id IS 'Where; * is the fleet';
COMMENT ON COLUMN memory.baseline_proposals.connector IS '1-based; 0 for the fleet';
COMMENT ON COLUMN memory.baseline_proposals.metric IS 'Of what';
COMMENT ON COLUMN memory.baseline_proposals.phase IS 'In which phase of charging';
COMMENT ON COLUMN memory.baseline_proposals.proposed_at IS 'End of the session at which it was seen';
COMMENT ON COLUMN memory.baseline_proposals.known_mean IS 'What was usual';
COMMENT ON COLUMN memory.baseline_proposals.known_sd IS 'Its standard deviation';
COMMENT ON COLUMN memory.baseline_proposals.mean IS 'The mean of the last few sessions then: what would be usual';
COMMENT ON COLUMN memory.baseline_proposals.version IS 'The version at which it was seen';
COMMENT ON COLUMN memory.baseline_proposals.partition IS 'The lowest partition of the MemoryBank''s share';
COMMENT ON COLUMN memory.baseline_proposals.agreed_at IS 'Set by a person: learn on from here, at the next start; null: not agreed';
COMMENT ON COLUMN memory.baseline_proposals.agreed_mean IS 'Set by a person: what is usual instead of mean';

CREATE VIEW dash.baselines AS
  SELECT DISTINCT ON (charge_point_id, connector, metric, phase) charge_point_id, connector, metric, phase, sessions, samples,
         mean, sqrt(variance) AS sd, histogram, recent_mean, anchor_mean, anchor_sd, is_held, updated_at, version
  FROM memory.baselines ORDER BY charge_point_id, connector, metric, phase, updated_at DESC;
COMMENT ON VIEW dash.baselines IS 'What is usual of a metric at a connector; of the fleet at charge point *';

CREATE VIEW dash.baseline_versions AS SELECT partition, version, at, sessions, changed FROM memory.baseline_versions;
COMMENT ON VIEW dash.baseline_versions IS 'Each time that something was learned';

CREATE VIEW dash.baseline_proposals AS
  SELECT charge_point_id, connector, metric, phase, proposed_at, known_mean, known_sd, mean, version, agreed_at
  FROM memory.baseline_proposals;
COMMENT ON VIEW dash.baseline_proposals IS 'Drifts that were seen and not learned';
