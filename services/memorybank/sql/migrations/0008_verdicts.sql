-- What detectors of somebody else's said, beside what ours found: never among the anomalies.

CREATE TABLE memory.verdicts (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  detector         text NOT NULL,
  charge_point_id  text NOT NULL,
  connector        smallint NOT NULL,
  kind             text NOT NULL,
  at               timestamptz NOT NULL,
  ended_at         timestamptz CHECK (ended_at >= at),
  score            double precision,
  explanation      text NOT NULL,
  heard_at         timestamptz NOT NULL,
  UNIQUE (detector, charge_point_id, connector, kind, at)
);
CREATE INDEX verdicts_by_time ON memory.verdicts (at, id);
CREATE INDEX verdicts_by_place ON memory.verdicts (charge_point_id, at);
COMMENT ON TABLE memory.verdicts IS 'What detectors of somebody else''s said; told again it is the same one';
COMMENT ON COLUMN memory.verdicts.id IS 'In the order in which they were stored';
COMMENT ON COLUMN memory.verdicts.detector IS 'Who says so';
COMMENT ON COLUMN memory.verdicts.charge_point_id IS 'Where; * is the fleet';
COMMENT ON COLUMN memory.verdicts.connector IS '1-based; 0 is the whole charge point';
COMMENT ON COLUMN memory.verdicts.kind IS 'What it calls the anomaly';
COMMENT ON COLUMN memory.verdicts.at IS 'When it had seen enough, as it says';
COMMENT ON COLUMN memory.verdicts.ended_at IS 'When it was over, as it says; null: not told';
COMMENT ON COLUMN memory.verdicts.score IS 'How strange, in its own measure';
COMMENT ON COLUMN memory.verdicts.explanation IS 'Why, in its words';
COMMENT ON COLUMN memory.verdicts.heard_at IS 'When the MemoryBank heard it first: how much later than it says';

CREATE VIEW dash.verdicts AS
  SELECT id, detector, charge_point_id, connector::integer AS connector, kind, at, ended_at, score, explanation, heard_at
  FROM memory.verdicts;
COMMENT ON VIEW dash.verdicts IS 'What detectors of somebody else''s said';
